package access

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// raw signs a header and claims as they stand, however odd, the way RFC 7515 has it.
func (s signer) raw(t *testing.T, header, claims string) string {
	t.Helper()
	text := b64([]byte(header)) + "." + b64([]byte(claims))
	signature, err := s.method.Sign(text, s.key)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64(signature)
}

func asText(claims jwt.MapClaims) string { return string(must(json.Marshal(claims))) }

// What RFC 6750 (section 2.1) and RFC 9110 (section 11.4) have of the header's form.
func TestCheck_ReadsTheAuthorizationHeaderAsTheStandardsHaveIt(t *testing.T) {
	token, line := newToken(t, "reader", Read)
	g, log := guard(t, Config{TokensFile: file(t, line)})
	for _, c := range []struct {
		name, header string
		err          error
	}{
		{"as the standard writes it", "Bearer " + token, nil},
		{"several blanks", "Bearer   " + token, nil},
		{"blanks around it", " \tBearer " + token + " \t", nil},
		{"a tab between", "Bearer\t" + token, ErrNone},
		{"nothing between", "Bearer" + token, ErrNone},
		{"a colon", "Bearer: " + token, ErrNone},
		{"a comma after the scheme", "Bearer, " + token, ErrNone},
		{"a scheme that begins alike", "BearerToken " + token, ErrNone},
		{"the scheme alone", "Bearer", ErrNone},
		{"another scheme", "Token " + token, ErrNone},
		{"a parameter", "Bearer token=" + token, ErrUnknown},
		{"in quotes", `Bearer "` + token + `"`, ErrUnknown},
		{"more after it", "Bearer " + token + " " + token, ErrUnknown},
		{"a list in one header", "Bearer " + token + ", Bearer " + token, ErrUnknown},
		{"another case", "Bearer " + strings.ToUpper(token), ErrUnknown},
		{"a zero byte after it", "Bearer " + token + "\x00", ErrUnknown},
		{"with padding", "Bearer " + token + "=", ErrUnknown},
		{"as long as may be", "Bearer " + strings.Repeat("x", maxToken), ErrUnknown},
	} {
		grant, err := g.Check([][]byte{[]byte(c.header)})
		if !errors.Is(err, c.err) || (err == nil) != (grant != nil) {
			t.Errorf("%s: %v %v", c.name, grant, err)
		}
	}
	if text := log.String(); text != "" {
		t.Errorf("logged: %s", text)
	}
}

// RFC 7519, sections 4.1, 7.2 and 10: each claim at, just within and just beyond its bound, and of the wrong kind.
func TestCheck_JudgesEachRegisteredClaimAtItsBounds(t *testing.T) {
	all, keys, _ := signers(t)
	g, log := guard(t, Config{KeySetFile: file(t, keys)})
	now := time.Unix(time.Now().Unix(), 0)
	g.now = func() time.Time { return now }
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for _, c := range []struct {
		name    string
		changes jwt.MapClaims
		err     error
	}{
		{"expires in a second", jwt.MapClaims{"exp": at(time.Second)}, nil},
		{"expired a second less than the leeway ago", jwt.MapClaims{"exp": at(time.Second - leeway)}, nil},
		{"expired as long ago as the leeway", jwt.MapClaims{"exp": at(-leeway)}, jwt.ErrTokenExpired},
		{"expired at the beginning of time", jwt.MapClaims{"exp": 0}, jwt.ErrTokenRequiredClaimMissing},
		{"expired before the beginning of time", jwt.MapClaims{"exp": -1}, jwt.ErrTokenExpired},
		{"an expiry with a fraction", jwt.MapClaims{"exp": float64(at(time.Hour)) + 0.5}, nil},
		{"an expiry as a text", jwt.MapClaims{"exp": "99999999999"}, jwt.ErrTokenUnverifiable},
		{"an expiry that is null", jwt.MapClaims{"exp": json.RawMessage("null")}, jwt.ErrTokenUnverifiable},
		{"an expiry that is a list", jwt.MapClaims{"exp": []int64{at(time.Hour)}}, jwt.ErrTokenUnverifiable},
		{"valid from now", jwt.MapClaims{"nbf": at(0)}, nil},
		{"valid from the end of the leeway", jwt.MapClaims{"nbf": at(leeway)}, nil},
		{"valid from a second after the leeway", jwt.MapClaims{"nbf": at(leeway + time.Second)}, jwt.ErrTokenNotValidYet},
		{"valid from a text", jwt.MapClaims{"nbf": "now"}, jwt.ErrTokenUnverifiable},
		{"issued in a year, which RFC 7519 lets stand", jwt.MapClaims{"iat": at(365 * 24 * time.Hour)}, nil},
		{"another case of the issuer", jwt.MapClaims{"iss": "https://ID.example"}, jwt.ErrTokenInvalidIssuer},
		{"the issuer with a slash", jwt.MapClaims{"iss": "https://id.example/"}, jwt.ErrTokenInvalidIssuer},
		{"several issuers", jwt.MapClaims{"iss": []string{"https://id.example"}}, jwt.ErrTokenUnverifiable},
		{"an empty issuer", jwt.MapClaims{"iss": ""}, jwt.ErrTokenRequiredClaimMissing},
		{"a list with the audience alone", jwt.MapClaims{"aud": []string{"pinocchio"}}, nil},
		{"an empty list of audiences", jwt.MapClaims{"aud": []string{}}, jwt.ErrTokenRequiredClaimMissing},
		{"audiences that hold it as a part", jwt.MapClaims{"aud": []string{"pinocchio2", "xpinocchio"}}, jwt.ErrTokenInvalidAudience},
		{"another case of the audience", jwt.MapClaims{"aud": "Pinocchio"}, jwt.ErrTokenInvalidAudience},
		{"an audience that is a number", jwt.MapClaims{"aud": 7}, jwt.ErrTokenRequiredClaimMissing},
		{"no subject", jwt.MapClaims{"sub": nil}, nil},
	} {
		grant, err := g.bearer(all["ES256"].sign(t, good(c.changes)))
		if !errors.Is(err, c.err) || (err == nil) != (grant != nil) {
			t.Errorf("%s: %v %v", c.name, grant, err)
		}
	}
	if text := log.String(); text != "" {
		t.Errorf("logged: %s", text)
	}
}

// RFC 8725 and RFC 7515: what stands in a header is what the attacker writes.
func TestCheck_BelievesNothingThatTheHeaderOfAJWTSays(t *testing.T) {
	all, keys, secret := signers(t)
	strangers, strangersKeys, _ := signers(t)
	g, _ := guard(t, Config{KeySetFile: file(t, keys), SecretFile: file(t, secret)})
	onlyPublic, _ := guard(t, Config{KeySetFile: file(t, keys)})
	claims := asText(good(nil))
	published := all["RS256"].key.(*rsa.PrivateKey).Public().(*rsa.PublicKey)
	pkix := must(x509.MarshalPKIXPublicKey(published))
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(published)})
	ed := public("o", strangers["EdDSA"].key.(ed25519.PrivateKey).Public())
	es, eddsa := all["ES256"], strangers["EdDSA"]
	hmac := func(key []byte) string { return signer{jwt.SigningMethodHS256, key, ""}.sign(t, good(nil)) }
	part := strings.Split(es.sign(t, good(nil)), ".")
	for name, token := range map[string]string{
		"its own key, in jwk":          eddsa.raw(t, `{"alg":"EdDSA","jwk":`+string(must(json.Marshal(ed)))+`}`, claims),
		"a set of keys, in jku":        eddsa.raw(t, `{"alg":"EdDSA","jku":"data:application/json,`+strings.ReplaceAll(strangersKeys, `"`, "%22")+`"}`, claims),
		"a certificate, in x5c":        eddsa.raw(t, `{"alg":"EdDSA","x5c":["`+b64(pkix)+`"]}`, claims),
		"a file, in kid":               signer{jwt.SigningMethodHS256, []byte{}, ""}.raw(t, `{"alg":"HS256","kid":"../../dev/null"}`, claims),
		"a public key as PEM":          hmac(text),
		"a public key as PEM, cut":     hmac(text[:len(text)-1]),
		"a public key as PKCS 1":       hmac(pkcs1),
		"a public key as DER":          hmac(pkix),
		"an empty secret":              hmac(nil),
		"the secret with a line break": hmac([]byte(secret + "\n")),
		"none":                         part[0] + "." + part[1] + ".",
		"none, in words":               b64([]byte(`{"alg":"none"}`)) + "." + part[1] + ".",
		"None":                         b64([]byte(`{"alg":"None"}`)) + "." + part[1] + ".",
		"none, with a signature":       b64([]byte(`{"alg":"none"}`)) + "." + part[1] + "." + part[2],
		"no algorithm":                 es.raw(t, `{}`, claims),
		"an algorithm of another case": es.raw(t, `{"alg":"es256"}`, claims),
		"an algorithm that is a list":  es.raw(t, `{"alg":["ES256"]}`, claims),
		"a header that is a list":      es.raw(t, `["ES256"]`, claims),
		"an empty list of crit":        es.raw(t, `{"alg":"ES256","crit":[]}`, claims),
		"crit that is null":            es.raw(t, `{"alg":"ES256","crit":null}`, claims),
		"b64 turned off":               es.raw(t, `{"alg":"ES256","b64":false,"crit":["b64"]}`, claims),
		"claims that are a list":       es.raw(t, `{"alg":"ES256"}`, `["scope"]`),
		"claims that are null":         es.raw(t, `{"alg":"ES256"}`, `null`),
		"claims that are no JSON":      es.raw(t, `{"alg":"ES256"}`, `scope`),
		"two parts":                    part[0] + "." + part[1],
		"four parts":                   strings.Join(part, ".") + ".",
		"five parts, as if encrypted":  strings.Join(part, ".") + ".." + part[2],
		"padding":                      part[0] + "." + part[1] + "." + part[2] + "==",
		"other bits in the last sign":  strings.Join(part[:2], ".") + "." + part[2][:len(part[2])-1] + string(part[2][len(part[2])-1]+1),
		"a signature of zeros":         part[0] + "." + part[1] + "." + b64(make([]byte, 64)),
		"a signature cut":              part[0] + "." + part[1] + "." + part[2][:len(part[2])-4],
		"an empty header":              "." + part[1] + "." + part[2],
	} {
		for _, by := range []*Guard{g, onlyPublic} {
			grant, err := by.bearer(token)
			if err == nil || grant != nil {
				t.Errorf("%s is accepted", name)
			} else if len(part[2]) > 10 && strings.Contains(err.Error(), part[2][:10]) {
				t.Errorf("%s: the error holds a piece of it: %v", name, err)
			}
		}
	}
	for name, token := range map[string]string{
		"without typ":            es.raw(t, `{"alg":"ES256"}`, claims),
		"with the key's name":    es.raw(t, `{"alg":"ES256","kid":"e","typ":"at+jwt"}`, claims),
		"a name that is no text": es.raw(t, `{"alg":"ES256","kid":7}`, claims), // none of ours has it: as if it had none
	} {
		if _, err := g.bearer(token); err != nil {
			t.Errorf("a good one, %s: %v", name, err)
		}
	}
}

// Scopes are words (RFC 6749, section 3.3): a part of one, or another case, is another scope.
func TestCheck_TakesNoScopeForAnother(t *testing.T) {
	all, keys, _ := signers(t)
	g, _ := guard(t, Config{KeySetFile: file(t, keys)})
	for _, scope := range []any{
		"reader", "Read", "READ", "read,write", "pinocchio:reader", "other:admin", "pinocchio", "pinocchio:", "admin:read",
		"", " ",
		[]string{},
		[]string{"read write"},
		[]string{""},
	} {
		grant, err := g.bearer(all["EdDSA"].sign(t, good(jwt.MapClaims{"scope": scope})))
		if err != nil || grant.May(Read) || grant.May(Write) || grant.May(Admin) || grant.MayWatch() {
			t.Errorf("%#v grants %+v (%v)", scope, grant, err)
		}
	}
	for _, scope := range []any{7, true, map[string]any{"read": true}, []any{"read", 7}, []any{[]string{"read"}}} {
		if grant, err := g.bearer(all["EdDSA"].sign(t, good(jwt.MapClaims{"scope": scope}))); !errors.Is(err, errBadClaim) {
			t.Errorf("%#v grants %+v (%v)", scope, grant, err)
		}
	}
}

// A claim that is there but says nothing must not grant every key.
func TestCheck_RefusesAClaimOfPrefixesThatSaysNothing(t *testing.T) {
	all, keys, _ := signers(t)
	g, _ := guard(t, Config{KeySetFile: file(t, keys)})
	for _, claim := range []any{json.RawMessage("null"), "", []string{}, []string{"page:", ""}, false, map[string]any{}, []any{nil}} {
		if grant, err := g.bearer(all["EdDSA"].sign(t, good(jwt.MapClaims{"key_prefix": claim}))); !errors.Is(err, errBadClaim) {
			t.Errorf("%#v: %+v (%v)", claim, grant, err)
		}
	}
}

// A token that was good with a key is judged anew, remembered or not, as soon as the key is gone.
func TestCheck_ForgetsARememberedJWTWithItsKey(t *testing.T) {
	all, keys, _ := signers(t)
	_, otherKeys, _ := signers(t)
	path := file(t, keys)
	g, _ := guard(t, Config{KeySetFile: path})
	token := all["ES256"].sign(t, good(nil))
	if _, err := g.bearer(token); err != nil {
		t.Fatal(err)
	}
	write(t, path, otherKeys)
	if err := g.load(); err != nil {
		t.Fatal(err)
	}
	if grant, err := g.bearer(token); err == nil {
		t.Errorf("a token of a key that is gone grants %+v", grant)
	}
}

// A redirect to an unsafe place ends the fetch before anybody there is asked.
func TestNewFetcher_AsksNobodyAtAnUnsafePlace(t *testing.T) {
	for place, asked := range map[string]int{
		"http://evil.example/keys": 0, "ftp://id.example/keys": 0, "https://user:word@id.example/keys": 0,
		"https://other.example/keys": 1, "http://127.0.0.1/keys": 1,
	} {
		c, visits := newFetcher(), 0
		c.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			if r.URL.String() == "https://id.example/keys" {
				http.Redirect(w, r, place, http.StatusFound)
			} else {
				visits++
			}
			return w.Result(), nil
		})
		answer, err := c.Get("https://id.example/keys")
		if (err == nil) != (asked == 1) || visits != asked {
			t.Errorf("%s was asked %d times, want %d: %v", place, visits, asked, err)
		}
		if err == nil {
			_ = answer.Body.Close()
		}
	}
}
