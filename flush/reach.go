package flush

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// Unreachable tells whether an error of Open or of a Store says that the database cannot be reached or used at the moment: nobody
// answers, its host has no address yet, it starts or stops, it is full, it is a standby. Waiting may help against these. Against
// all others, such as a wrong password or a missing database, somebody must act.
func Unreachable(err error) bool {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		if len(answer.Code) != 5 {
			return false
		}
		// 08 connection exceptions, 40 lost against another transaction, 53 no connection or room left.
		return slices.Contains([]string{"08", "40", "53"}, answer.Code[:2]) ||
			// Stopping (also after a crash), starting, read only, a lock that was not granted.
			slices.Contains([]string{"57P01", "57P02", "57P03", "25006", "55P03"}, answer.Code)
	}
	var network *net.OpError
	if errors.As(err, &network) {
		return network.Op != "remote error" // of TLS: the two do not agree, and will not
	}
	var name *net.DNSError
	return errors.As(err, &name) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// Advice returns what an operator can do against an error of Open that waiting does not cure; "" when its own text must do.
func Advice(err error) string {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return ""
	}
	switch answer.Code {
	case "28P01", "28000":
		return "check the user and the password, and that pg_hba.conf of the server lets this user in from this host"
	case "3D000":
		return `create the database, such as by "createdb NAME", or name another one`
	case "42501", "3F000":
		return "the user must be able to create tables and functions in its schema: make it the owner of the database, or grant it create on the schema"
	}
	return ""
}
