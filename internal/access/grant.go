package access

import (
	"fmt"
	"strings"
)

// Scope is a set of things that a credential may do.
type Scope uint8

// Scopes.
const (
	Read  Scope = 1 << iota // totals and counters
	Write                   // increments
	admin                   // the cluster's inner life, whatever the key prefix
)

// Admin holds all other scopes.
const Admin = admin | Write | Read

// String returns the scopes as parseScopes takes them.
func (s Scope) String() string {
	if s&admin != 0 {
		return "admin"
	}
	var names []string
	if s&Read != 0 {
		names = append(names, "read")
	}
	if s&Write != 0 {
		names = append(names, "write")
	}
	return strings.Join(names, ",")
}

// ParseScopes reads names of scopes, separated by commas.
func ParseScopes(text string) (s Scope, err error) {
	for name := range strings.SplitSeq(text, ",") {
		one := scopeOf(name)
		if one == 0 {
			return 0, fmt.Errorf("a scope must be read, write or admin, separated by commas")
		}
		s |= one
	}
	return s, nil
}

// scopeOf returns the scope of a name, 0 for none.
func scopeOf(name string) Scope {
	switch name {
	case "read":
		return Read
	case "write":
		return Write
	case "admin":
		return Admin
	}
	return 0
}

// Grant is what a credential may do. nil: everything.
type Grant struct {
	id       string
	scopes   Scope
	prefixes []string // of the keys that it may touch; none: all
}

// ID names the credential's owner, the same for each of its credentials; it is no secret. "" for nil.
func (g *Grant) ID() string {
	if g == nil {
		return ""
	}
	return g.id
}

// May tells whether all of the scopes are granted.
func (g *Grant) May(s Scope) bool { return g == nil || g.scopes&s == s }

// MayKey tells whether the key, or every key with this prefix, may be touched.
func (g *Grant) MayKey(key []byte) bool {
	if g == nil || len(g.prefixes) == 0 {
		return true
	}
	for _, p := range g.prefixes {
		if len(key) >= len(p) && string(key[:len(p)]) == p {
			return true
		}
	}
	return false
}

// MayWatch tells whether what concerns the cluster as a whole may be seen, busy keys included: by an admin, or by who may
// read every key.
func (g *Grant) MayWatch() bool {
	return g == nil || g.scopes&admin != 0 || g.scopes&Read != 0 && len(g.prefixes) == 0
}
