// Package pgproxy stands between one node and Postgres, understands the wire protocol, and breaks it at chosen places: the answer
// of a flush that has committed, a byte of a flush or of its answer. It also slows everything down.
//
// It knows a flush by the statement that the client prepared or sent: it must hold the marker. There is no TLS.
package pgproxy
