package access

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// signer makes JWTs.
type signer struct {
	method jwt.SigningMethod
	key    any
	id     string
}

func (s signer) sign(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(s.method, claims)
	if s.id != "" {
		token.Header["kid"] = s.id
	}
	text, err := token.SignedString(s.key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// public is a key as it stands in a JWK set.
func public(id string, key crypto.PublicKey) map[string]string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return map[string]string{"kty": "RSA", "kid": id, "alg": "RS256", "use": "sig", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
	case *ecdsa.PublicKey:
		point := must(k.Bytes())
		return map[string]string{"kty": "EC", "kid": id, "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
	case ed25519.PublicKey:
		return map[string]string{"kty": "OKP", "kid": id, "crv": "Ed25519", "x": b64(k)}
	}
	panic("no such key")
}

func set(keys ...map[string]string) string {
	return string(must(json.Marshal(map[string]any{"keys": keys})))
}

// signers returns one signer of each kind, their set of public keys and the text of the shared secret.
func signers(t *testing.T) (all map[string]signer, keys, secret string) {
	t.Helper()
	r := must(rsa.GenerateKey(rand.Reader, 2048))
	e := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	secret = strings.Repeat("s", minSecret)
	return map[string]signer{
		"RS256": {jwt.SigningMethodRS256, r, "r"},
		"ES256": {jwt.SigningMethodES256, e, "e"},
		"EdDSA": {jwt.SigningMethodEdDSA, ed, ""},
		"HS256": {jwt.SigningMethodHS256, []byte(secret), ""},
	}, set(public("r", &r.PublicKey), public("e", &e.PublicKey), public("o", ed.Public())), secret
}

// good returns claims that are accepted, with changes; nil takes one away.
func good(changes jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{
		"iss": "https://id.example", "aud": "pinocchio", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix(), "scope": "read write",
	}
	for name, v := range changes {
		if c[name] = v; v == nil {
			delete(c, name)
		}
	}
	return c
}

func TestCheck_JudgesTheClaimsOfAJWTWithEachAlgorithm(t *testing.T) {
	all, keys, secret := signers(t)
	g, log := guard(t, Config{KeySetFile: file(t, keys), SecretFile: file(t, secret+"\n")})
	now := time.Now()
	for algorithm, s := range all {
		for _, c := range []struct {
			name    string
			changes jwt.MapClaims
			err     error
		}{
			{"good", nil, nil},
			{"one of several audiences", jwt.MapClaims{"aud": []string{"x", "pinocchio"}}, nil},
			{"just expired, within the leeway", jwt.MapClaims{"exp": now.Add(-leeway / 2).Unix()}, nil},
			{"expired", jwt.MapClaims{"exp": now.Add(-2 * leeway).Unix()}, jwt.ErrTokenExpired},
			{"without an expiry", jwt.MapClaims{"exp": nil}, jwt.ErrTokenRequiredClaimMissing},
			{"an expiry that is none", jwt.MapClaims{"exp": "tomorrow"}, jwt.ErrTokenUnverifiable},
			{"not valid yet", jwt.MapClaims{"nbf": now.Add(2 * leeway).Unix()}, jwt.ErrTokenNotValidYet},
			{"another issuer", jwt.MapClaims{"iss": "https://evil.example"}, jwt.ErrTokenInvalidIssuer},
			{"without an issuer", jwt.MapClaims{"iss": nil}, jwt.ErrTokenRequiredClaimMissing},
			{"another audience", jwt.MapClaims{"aud": "other"}, jwt.ErrTokenInvalidAudience},
			{"without an audience", jwt.MapClaims{"aud": nil}, jwt.ErrTokenRequiredClaimMissing},
			{"scopes that are no text", jwt.MapClaims{"scope": 7}, errBadClaim},
			{"an empty prefix", jwt.MapClaims{"key_prefix": ""}, errBadClaim},
			{"no prefix in the list", jwt.MapClaims{"key_prefix": []string{}}, errBadClaim},
			{"prefixes that are no texts", jwt.MapClaims{"key_prefix": []any{"a", 1}}, errBadClaim},
		} {
			token := s.sign(t, good(c.changes))
			for _, again := range []string{"", ", again"} {
				grant, err := g.bearer(token)
				if !errors.Is(err, c.err) || (err == nil) != (grant != nil) {
					t.Errorf("%s, %s%s: %v %v", algorithm, c.name, again, grant, err)
				}
				if err == nil && (grant.ID() != "jwt:alice" || !grant.May(Read|Write) || grant.May(Admin)) {
					t.Errorf("%s, %s%s: %+v", algorithm, c.name, again, grant)
				}
			}
		}
	}
	if text := log.String(); text != "" {
		t.Errorf("logged: %s", text)
	}
}

func TestCheck_TakesScopesAndPrefixesFromTheClaims(t *testing.T) {
	all, keys, _ := signers(t)
	g, _ := guard(t, Config{KeySetFile: file(t, keys)})
	for _, c := range []struct {
		changes  jwt.MapClaims
		scopes   Scope
		prefixes string
	}{
		{jwt.MapClaims{"scope": nil}, 0, ""},
		{jwt.MapClaims{"scope": "openid pinocchio:read"}, Read, ""},
		{jwt.MapClaims{"scope": []string{"write", "profile"}}, Write, ""},
		{jwt.MapClaims{"scope": "admin"}, Admin, ""},
		{jwt.MapClaims{"key_prefix": "a"}, Read | Write, "a"},
		{jwt.MapClaims{"key_prefix": []string{"a", "b c"}}, Read | Write, "a|b c"},
	} {
		grant, err := g.bearer(all["EdDSA"].sign(t, good(c.changes)))
		if err != nil || grant.scopes != c.scopes || strings.Join(grant.prefixes, "|") != c.prefixes {
			t.Errorf("%v: %+v %v", c.changes, grant, err)
		}
	}
}

// The attacks that JWTs are known for.
func TestCheck_RefusesForgedJWTs(t *testing.T) {
	all, keys, secret := signers(t)
	strangers, _, _ := signers(t)
	g, _ := guard(t, Config{KeySetFile: file(t, keys), SecretFile: file(t, secret)})
	onlyPublic, _ := guard(t, Config{KeySetFile: file(t, keys)})
	genuine := all["ES256"].sign(t, good(nil))
	parts := strings.Split(genuine, ".")
	admin := b64(must(json.Marshal(good(jwt.MapClaims{"scope": "admin"}))))
	crit := jwt.NewWithClaims(jwt.SigningMethodES256, good(nil))
	crit.Header["crit"] = []string{"x"}
	published := must(all["RS256"].key.(*rsa.PrivateKey).Public().(*rsa.PublicKey), nil)
	for name, token := range map[string]string{
		"a stranger's RS256":                  strangers["RS256"].sign(t, good(nil)),
		"a stranger's ES256":                  strangers["ES256"].sign(t, good(nil)),
		"a stranger's EdDSA":                  strangers["EdDSA"].sign(t, good(nil)),
		"another secret":                      signer{jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), ""}.sign(t, good(nil)),
		"the public key as a secret":          signer{jwt.SigningMethodHS256, published.N.Bytes(), "r"}.sign(t, good(nil)),
		"unsigned":                            signer{jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, ""}.sign(t, good(nil)),
		"other claims under a good signature": parts[0] + "." + admin + "." + parts[2],
		"without its signature":               parts[0] + "." + parts[1] + ".",
		"the right key under a wrong name":    signer{jwt.SigningMethodRS256, all["RS256"].key, "e"}.sign(t, good(nil)),
		"an unknown key":                      signer{jwt.SigningMethodRS256, all["RS256"].key, "q"}.sign(t, good(nil)),
		"another size of the same family":     signer{jwt.SigningMethodRS512, all["RS256"].key, "r"}.sign(t, good(nil)),
		"PSS with the same key":               signer{jwt.SigningMethodPS256, all["RS256"].key, "r"}.sign(t, good(nil)),
		"a longer HMAC with the same secret":  signer{jwt.SigningMethodHS512, []byte(secret), ""}.sign(t, good(nil)),
		"a critical header":                   must(crit.SignedString(all["ES256"].key)),
	} {
		for _, by := range []*Guard{g, onlyPublic} {
			if grant, err := by.bearer(token); err == nil || grant != nil {
				t.Errorf("%s is accepted", name)
			} else if strings.Contains(err.Error(), token[:10]) {
				t.Errorf("%s: the error holds a piece of it: %v", name, err)
			}
		}
	}
	if _, err := onlyPublic.bearer(all["HS256"].sign(t, good(nil))); err == nil {
		t.Error("HS256 is accepted without a secret")
	}
}

// A token that was good before is refused when it expires, although its signature was remembered.
func TestCheck_RefusesARememberedJWTWhenItExpires(t *testing.T) {
	all, keys, _ := signers(t)
	g, _ := guard(t, Config{KeySetFile: file(t, keys)})
	now := time.Now()
	g.now = func() time.Time { return now }
	token := all["ES256"].sign(t, good(nil))
	if _, err := g.bearer(token); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour + 2*leeway)
	if _, err := g.bearer(token); err == nil {
		t.Error("accepted after its expiry")
	}
}
