package flush

import (
	"context"
	"errors"
	"log/slog"
	"strings"
)

// Options of a store. The zero value is usable.
type Options struct {
	// Application is the name under which Postgres lists our connections (application_name), unless the URL has one.
	Application string
	// MaxConns bounds the Postgres connections for everything but leases, which have their own (one, more only when the
	// network fails); unless the URL has pool_max_conns. Default 6: two flushes, and reads that take milliseconds.
	MaxConns int32
	// Existing refuses, with a *SchemaError, a store whose schema is not just this program's, instead of making or migrating it.
	// It is for who looks at a cluster's store beside nodes that may be of another release: a schema that is newer than
	// they know would keep them from starting again.
	Existing bool
	// Logger gets state changes; default: discarded.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Application == "" {
		o.Application = "pinocchio"
	}
	if o.MaxConns <= 0 {
		o.MaxConns = 6
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Open connects to the store that the URL names, brings its schema up to date, and checks that it belongs to a
// cluster with these settings; an empty store is given them. The URL is postgres://... or postgresql://... as pgx takes
// it, or sqlite:PATH. Errors: *SettingsError, *SchemaError, else what the driver says (never with the password).
func Open(ctx context.Context, url string, s Settings, opt Options) (Store, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	switch scheme {
	case "postgres", "postgresql":
		p, err := OpenPostgres(ctx, url, s, opt)
		if err != nil {
			return nil, err // not p: a nil pointer in an interface is not nil
		}
		return p, nil
	case "sqlite":
		l, err := OpenSQLite(ctx, rest, s, opt)
		if err != nil {
			return nil, err
		}
		return l, nil
	}
	return nil, errors.New("the store must be a URL that begins with postgres://, postgresql:// or sqlite: and its path")
}
