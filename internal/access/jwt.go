package access

import (
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"
)

// leeway is how far the clocks of this host and of who issues tokens may differ.
const leeway = 30 * time.Second

// issuer checks the tokens of one identity provider with one state of its keys. It never changes.
type issuer struct {
	keys        []verifier
	partial     bool // the keys of the URL are missing
	parser      *jwt.Parser
	scopeClaim  string
	prefixClaim string
}

// algorithms are those that a token may name. Whether one may be used is for keysOf to say, by the keys that there are: a token of an
// algorithm for which there is none (yet) is one with an unknown key, for which the set is fetched again.
var algorithms = []string{"RS256", "ES256", "EdDSA", "HS256"}

func newIssuer(c Config, keys []verifier, now func() time.Time) *issuer {
	return &issuer{
		keys: keys, scopeClaim: c.ScopeClaim, prefixClaim: c.PrefixClaim,
		parser: jwt.NewParser(
			jwt.WithValidMethods(algorithms), jwt.WithIssuer(c.Issuer), jwt.WithAudience(c.Audience),
			jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(now), jwt.WithStrictDecoding(),
		),
	}
}

// Reasons why a token is refused. They go into the answer, and hold nothing of the token.
var (
	errUnknownKey = errors.New("it is signed with a key that is not known here")
	errBadClaim   = errors.New("its claim of scopes or of key prefixes cannot be read")
)

// check returns what a token grants, and until when.
func (i *issuer) check(token string) (g *Grant, until time.Time, err error) {
	claims := jwt.MapClaims{}
	if _, err := i.parser.ParseWithClaims(token, claims, i.keysOf); err != nil {
		return nil, until, reason(err)
	}
	expiry, err := claims.GetExpirationTime()
	if err != nil || expiry == nil {
		return nil, until, jwt.ErrTokenRequiredClaimMissing
	}
	g = &Grant{}
	if g.scopes, err = scopesOf(claims[i.scopeClaim]); err != nil {
		return nil, until, err
	}
	if g.prefixes, err = prefixesOf(claims, i.prefixClaim); err != nil {
		return nil, until, err
	}
	subject, _ := claims.GetSubject() // a token without one has a name all the same: that of its issuer
	g.id = "jwt:" + subject
	return g, expiry.Add(leeway), nil
}

// keysOf returns the keys that a token may be signed with: those for its algorithm, and with its key's name if it says one.
func (i *issuer) keysOf(t *jwt.Token) (any, error) {
	if _, critical := t.Header["crit"]; critical {
		return nil, jwt.ErrTokenUnverifiable // RFC 7515, section 4.1.11: refuse what is not understood
	}
	id, named := t.Header["kid"].(string)
	var set jwt.VerificationKeySet
	for _, k := range i.keys {
		if k.algorithm == t.Method.Alg() && (!named || k.id == "" || k.id == id) {
			set.Keys = append(set.Keys, k.key)
		}
	}
	if len(set.Keys) == 0 {
		return nil, errUnknownKey
	}
	return set, nil
}

// reason puts the library's errors, which may hold pieces of a token, into few fixed ones.
func reason(err error) error {
	for _, known := range []error{
		errUnknownKey, jwt.ErrTokenMalformed, jwt.ErrTokenSignatureInvalid, jwt.ErrTokenExpired, jwt.ErrTokenNotValidYet,
		jwt.ErrTokenInvalidAudience, jwt.ErrTokenInvalidIssuer, jwt.ErrTokenRequiredClaimMissing,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	return jwt.ErrTokenUnverifiable
}

// scopesOf reads a claim of scopes: a text of words (RFC 8693, section 4.2) or a list. A name may begin with "pinocchio:"; other
// names are for other services.
func scopesOf(claim any) (s Scope, err error) {
	names, err := textsOf(claim, strings.Fields)
	for _, name := range names {
		s |= scopeOf(strings.TrimPrefix(name, "pinocchio:"))
	}
	return s, err
}

// prefixesOf reads a claim of key prefixes: a text or a list of them. Without the claim all keys are granted; one that is there and
// names none (null, an empty list or text) is refused.
func prefixesOf(claims jwt.MapClaims, name string) ([]string, error) {
	claim, given := claims[name]
	prefixes, err := textsOf(claim, func(text string) []string { return []string{text} })
	if err != nil || given && len(prefixes) == 0 {
		return nil, errBadClaim
	}
	for _, p := range prefixes {
		if p == "" {
			return nil, errBadClaim
		}
	}
	return prefixes, nil
}

func textsOf(claim any, split func(string) []string) (texts []string, err error) {
	switch c := claim.(type) {
	case nil:
		return nil, nil
	case string:
		return split(c), nil
	case []any:
		for _, one := range c {
			text, ok := one.(string)
			if !ok {
				return nil, errBadClaim
			}
			texts = append(texts, text)
		}
		return texts, nil
	}
	return nil, errBadClaim
}

// looksLikeJWT tells whether a token has the shape of one.
func looksLikeJWT(token []byte) bool {
	first := strings.IndexByte(string(token), '.')
	if first <= 0 || strings.Count(string(token), ".") != 2 {
		return false
	}
	header, err := decode(string(token[:first]))
	var any map[string]any
	return err == nil && json.Unmarshal(header, &any) == nil
}
