package access

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// write replaces a file at once: who watches never sees half of it.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// file writes a file of the test's own.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, text)
	return path
}

type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func guard(t *testing.T, c Config) (*Guard, *logs) {
	t.Helper()
	if c.signed() {
		c.Issuer, c.Audience, c.ScopeClaim, c.PrefixClaim = "https://id.example", "pinocchio", "scope", "key_prefix"
	}
	log := &logs{}
	g, err := New(c, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return g, log
}

// run keeps the guard up to date until the test ends.
func run(t *testing.T, g *Guard) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); g.Run(ctx, time.Millisecond) }()
	t.Cleanup(func() { cancel(); <-done })
}

func (g *Guard) bearer(token string) (*Grant, error) {
	return g.Check([][]byte{[]byte("Bearer " + token)})
}

func newToken(t *testing.T, name string, s Scope, prefixes ...string) (token, line string) {
	t.Helper()
	token, line, err := NewToken(name, s, prefixes)
	if err != nil {
		t.Fatal(err)
	}
	return token, line + "\n"
}

func TestCheck_AcceptsTheTokensOfTheFileAndNoOthers(t *testing.T) {
	reader, one := newToken(t, "reader", Read)
	web, two := newToken(t, "web", Read|Write, "page:", "a b")
	boss, three := newToken(t, "boss", Admin)
	g, _ := guard(t, Config{TokensFile: file(t, "# ours\n\n"+one+two+three)})
	for _, c := range []struct {
		name  string
		lines []string
		err   error
		id    string
	}{
		{"a good one", []string{"Bearer " + reader}, nil, "token:reader"},
		{"the scheme in any case", []string{"bEARER   " + web + " "}, nil, "token:web"},
		{"an admin's", []string{"Bearer " + boss}, nil, "token:boss"},
		{"none", nil, ErrNone, ""},
		{"empty", []string{""}, ErrNone, ""},
		{"no token", []string{"Bearer "}, ErrNone, ""},
		{"another scheme", []string{"Basic " + reader}, ErrNone, ""},
		{"without scheme", []string{reader}, ErrNone, ""},
		{"unknown", []string{"Bearer " + reader + "x"}, ErrUnknown, ""},
		{"cut", []string{"Bearer " + reader[:len(reader)-1]}, ErrUnknown, ""},
		{"the hash itself", []string{"Bearer " + strings.Fields(one)[0]}, ErrUnknown, ""},
		{"two of them", []string{"Bearer " + reader, "Bearer " + web}, ErrMany, ""},
		{"too long", []string{"Bearer " + strings.Repeat("x", maxToken+1)}, ErrUnknown, ""},
		{"a JWT, which nobody set up", []string{"Bearer eyJhbGciOiJub25lIn0.e30."}, ErrUnknown, ""},
	} {
		var headers [][]byte
		for _, l := range c.lines {
			headers = append(headers, []byte(l))
		}
		grant, err := g.Check(headers)
		if !errors.Is(err, c.err) || (err == nil) != (grant != nil) || grant.ID() != c.id {
			t.Errorf("%s: %v %v", c.name, grant, err)
		}
	}
}

func TestGrant_AllowsWhatItsScopesAndPrefixesSay(t *testing.T) {
	for _, c := range []struct {
		g                        *Grant
		read, write, boss, watch bool
		page, other              bool
	}{
		{nil, true, true, true, true, true, true},
		{&Grant{scopes: Read}, true, false, false, true, true, true},
		{&Grant{scopes: Write}, false, true, false, false, true, true},
		{&Grant{scopes: Read | Write}, true, true, false, true, true, true},
		{&Grant{scopes: Admin}, true, true, true, true, true, true},
		{&Grant{scopes: Read | Write, prefixes: []string{"x", "page:"}}, true, true, false, false, true, false},
		{&Grant{scopes: Admin, prefixes: []string{"page:"}}, true, true, true, true, true, false},
		{&Grant{}, false, false, false, false, true, true},
	} {
		got := []bool{c.g.May(Read), c.g.May(Write), c.g.May(Admin), c.g.MayWatch(), c.g.MayKey([]byte("page:1")), c.g.MayKey([]byte("page"))}
		want := []bool{c.read, c.write, c.boss, c.watch, c.page, c.other}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%+v: answer %d is %v", c.g, i, got[i])
			}
		}
	}
}

func TestParseTokens_NamesTheLineAndNothingOfIt(t *testing.T) {
	_, good := newToken(t, "web", Read)
	hash := strings.Fields(good)[0]
	for _, bad := range []string{
		"secret-word", "sha256:12 web scopes=read", hash, hash + " web", hash + " scopes=read", hash + " web scopes=", hash + " web scopes=reed",
		hash + " web prefix=a", hash + " web scopes=read prefix=", hash + " web scopes=read prefix=%zz", hash + " web scopes=read other",
		"sha256:" + strings.Repeat("z", 64) + " web scopes=read", "md5:" + strings.Repeat("0", 64) + " web scopes=read",
		good + good,
	} {
		_, err := parseTokens([]byte("# comment\n"+bad), newSalt())
		if err == nil || !strings.HasPrefix(err.Error(), "line ") || strings.Contains(err.Error(), "secret-word") || strings.Contains(err.Error(), hash[7:]) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, name := range []string{"", "two words", "a=b", "a\nb"} {
		if _, _, err := NewToken(name, Read, nil); err == nil {
			t.Errorf("the name %q is taken", name)
		}
	}
}

func TestRun_RefusesATokenThatWasTakenOutOfTheFile(t *testing.T) {
	old, one := newToken(t, "old", Read)
	fresh, two := newToken(t, "fresh", Read)
	path := file(t, one)
	g, log := guard(t, Config{TokensFile: path})
	run(t, g)
	if _, err := g.bearer(old); err != nil {
		t.Fatal(err)
	}
	write(t, path, two)
	eventually(t, "the new one is accepted", func() bool { _, err := g.bearer(fresh); return err == nil })
	if _, err := g.bearer(old); !errors.Is(err, ErrUnknown) {
		t.Errorf("the old one: %v", err)
	}
	write(t, path, two+"nonsense "+fresh+"\n")
	eventually(t, "the fault is logged", func() bool { return strings.Contains(log.String(), "line 2") })
	if _, err := g.bearer(fresh); err != nil {
		t.Errorf("a file that cannot be read changed something: %v", err)
	}
	write(t, path, "")
	eventually(t, "an empty file refuses everybody", func() bool { _, err := g.bearer(fresh); return err != nil })
	for _, secret := range []string{old, fresh} {
		if strings.Contains(log.String(), secret) {
			t.Error("a token stands in the log")
		}
	}
}

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

func TestRun_ReplacesTheKeysOfJWTs(t *testing.T) {
	all, keys, _ := signers(t)
	others, otherKeys, _ := signers(t)
	path := file(t, keys)
	g, log := guard(t, Config{KeySetFile: path})
	run(t, g)
	before, after := all["RS256"].sign(t, good(nil)), others["RS256"].sign(t, good(nil))
	if _, err := g.bearer(before); err != nil {
		t.Fatal(err)
	}
	write(t, path, otherKeys)
	eventually(t, "the new key counts", func() bool { _, err := g.bearer(after); return err == nil })
	if _, err := g.bearer(before); err == nil {
		t.Error("a token of a key that is gone is still remembered")
	}
	write(t, path, `{"keys":[]}`)
	eventually(t, "the fault is logged", func() bool { return strings.Contains(log.String(), "holds no key") })
	if _, err := g.bearer(after); err != nil {
		t.Error(err)
	}
}

func TestRun_FetchesKeysAndFetchesThemAgainForAnUnknownOne(t *testing.T) {
	all, keys, _ := signers(t)
	others, otherKeys, _ := signers(t)
	newcomer := others["RS256"]
	newcomer.id = "new"
	synctest.Test(t, func(t *testing.T) {
		var calls int
		var answer atomic.Pointer[string]
		answer.Store(&keys)
		g, log := guard(t, Config{KeySetURL: "https://id.example/keys"})
		ctx, cancel := context.WithCancel(t.Context())
		client := &http.Client{Transport: transport(func(*http.Request) (string, int) {
			if calls++; calls == 1 {
				return "", http.StatusBadGateway
			}
			return *answer.Load(), http.StatusOK
		})}
		done := make(chan struct{})
		go func() { defer close(done); g.runFetch(ctx, client) }()
		defer func() { cancel(); <-done }()
		token := all["ES256"].sign(t, good(nil))
		synctest.Wait()
		if _, err := g.bearer(token); !errors.Is(err, ErrNotYet) || !strings.Contains(log.String(), "status 502") {
			t.Errorf("before there are keys: %v, %s", err, log)
		}
		time.Sleep(fetchPause)
		synctest.Wait()
		if _, err := g.bearer(token); err != nil || calls != 2 {
			t.Errorf("after %d calls: %v", calls, err)
		}
		renamed := strings.ReplaceAll(otherKeys, `"kid":"r"`, `"kid":"new"`)
		answer.Store(&renamed)
		for range 100 { // they ask for one fetch, not for a hundred
			if _, err := g.bearer(newcomer.sign(t, good(nil))); !errors.Is(err, errUnknownKey) {
				t.Fatal(err)
			}
		}
		time.Sleep(fetchPause)
		synctest.Wait()
		if _, err := g.bearer(newcomer.sign(t, good(nil))); err != nil || calls != 3 {
			t.Errorf("after %d calls: %v", calls, err)
		}
		time.Sleep(fetchEvery)
		synctest.Wait()
		if calls != 4 {
			t.Errorf("%d calls after another %v", calls, fetchEvery)
		}
		long := strings.Repeat(" ", maxKeySet+1)
		answer.Store(&long)
		time.Sleep(fetchEvery)
		synctest.Wait()
		if _, err := g.bearer(newcomer.sign(t, good(nil))); err != nil || calls != 5 || !strings.Contains(log.String(), "longer than") {
			t.Errorf("a set that is too long: %v after %d calls", err, calls)
		}
	})
}

// transport answers requests without a network.
type transport func(*http.Request) (body string, status int)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, status := f(r)
	w := httptest.NewRecorder()
	w.WriteHeader(status)
	_, _ = w.WriteString(body)
	return w.Result(), nil
}

func TestNewFetcher_FollowsNoRedirectToAnUnsafePlace(t *testing.T) {
	there := ""
	c := newFetcher()
	c.Transport = transport(func(*http.Request) (string, int) { return "", http.StatusFound })
	inner := c.Transport
	c.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		answer, err := inner.RoundTrip(r)
		answer.Header.Set("Location", there)
		return answer, err
	})
	for _, there = range []string{"http://evil.example/keys", "https://id.example/keys"} {
		answer, err := c.Get("https://id.example/keys")
		if err == nil {
			_ = answer.Body.Close()
			t.Errorf("a redirect to %s, again and again, is followed", there)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestParseKeySet_RefusesWeakAndBrokenKeys(t *testing.T) {
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	e := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	change := func(k map[string]string, name, value string) map[string]string { k[name] = value; return k }
	for name, text := range map[string]string{
		"no JSON":             "x",
		"no key":              set(),
		"a short RSA key":     set(public("", &small.PublicKey)),
		"no point":            set(change(public("", &e.PublicKey), "x", b64(make([]byte, 32)))),
		"a short coordinate":  set(change(public("", &e.PublicKey), "y", "AA")),
		"no base64url":        set(change(public("", &e.PublicKey), "y", "!")),
		"for encryption only": set(change(public("", &e.PublicKey), "use", "enc")),
		"another algorithm":   set(change(public("", &e.PublicKey), "alg", "ES512")),
		"another curve":       set(change(public("", &e.PublicKey), "crv", "P-521")),
		"a secret":            set(map[string]string{"kty": "oct", "k": b64(make([]byte, 32))}),
		"a short Ed25519 key": set(map[string]string{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}),
		"an RSA key without":  set(map[string]string{"kty": "RSA"}),
	} {
		if keys, err := parseKeySet([]byte(text)); err == nil {
			t.Errorf("%s: %v", name, keys)
		}
	}
}

func TestNew_NamesEveryFaultOfTheConfiguration(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	if g, err := New(Config{ScopeClaim: "scope", PrefixClaim: "key_prefix"}, log); g != nil || err != nil {
		t.Errorf("nothing asked for: %v %v", g, err)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	for _, c := range []struct {
		cfg   Config
		wants []string
	}{
		{Config{KeySetFile: "a", KeySetURL: "http://id.example"}, []string{"not both", "must be https", "an issuer and an audience", "claims of scopes"}},
		{Config{KeySetURL: "https://u:p@id.example/", Issuer: "i", Audience: "a", ScopeClaim: "s", PrefixClaim: "p"}, []string{"neither user nor password"}},
		{Config{TokensFile: missing, Issuer: "i"}, []string{"nothing to check their signatures with"}},
		{Config{TokensFile: missing}, []string{"read the tokens"}},
		{Config{SecretFile: file(t, "short"), TokensFile: missing, Issuer: "i", Audience: "a", ScopeClaim: "s", PrefixClaim: "p"}, []string{"has 5 bytes", "read the tokens"}},
	} {
		_, err := New(c.cfg, log)
		for _, want := range c.wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %q is missing in: %v", c.cfg, want, err)
			}
		}
	}
	if err := safeURL("http://127.0.0.1:8080/keys"); err != nil {
		t.Error(err)
	}
}
