package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// issuer signs JWTs with EdDSA.
type issuer struct{ key ed25519.PrivateKey }

func newIssuer(t *testing.T) issuer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{key}
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// keys is the JWK set.
func (i issuer) keys(t *testing.T) []byte {
	t.Helper()
	x := base64.RawURLEncoding.EncodeToString(i.key.Public().(ed25519.PublicKey))
	return asJSON(t, map[string]any{"keys": []any{map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": "1", "alg": "EdDSA", "use": "sig", "x": x}}})
}

// token returns a good one, with changed claims.
func (i issuer) token(t *testing.T, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"iss": "https://id.example", "aud": "counters", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix(), "scope": "read write",
	}
	for name, value := range changes {
		claims[name] = value
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode(asJSON(t, map[string]string{"alg": "EdDSA", "kid": "1", "typ": "JWT"})) + "." + encode(asJSON(t, claims))
	return text + "." + encode(ed25519.Sign(i.key, []byte(text)))
}

func TestServe_JudgesJWTsWithTheKeysOfAFile(t *testing.T) {
	good, other, file := newIssuer(t), newIssuer(t), fileIn(t, "keys.json")
	if err := os.WriteFile(file, good.keys(t), 0o600); err != nil {
		t.Fatal(err)
	}
	_, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"),
		"--jwt-keys-file", file, "--jwt-issuer", "https://id.example", "--jwt-audience", "counters")
	type claims = map[string]any
	for _, c := range []struct {
		what, method, path, token string
		status                    int
		challenge                 string
	}{
		{"good", "POST", "/api/v1/increment", good.token(t, nil), 202, ""},
		{"expired", "POST", "/api/v1/increment", good.token(t, claims{"exp": time.Now().Add(-time.Minute).Unix()}), 401, "invalid_token"},
		{"of another audience", "POST", "/api/v1/increment", good.token(t, claims{"aud": "mail"}), 401, "invalid_token"},
		{"of another issuer", "POST", "/api/v1/increment", good.token(t, claims{"iss": "https://evil.example"}), 401, "invalid_token"},
		{"signed by somebody else", "POST", "/api/v1/increment", other.token(t, nil), 401, "invalid_token"},
		{"none", "POST", "/api/v1/increment", "", 401, ""},
		{"to read, and writes", "POST", "/api/v1/increment", good.token(t, claims{"scope": "read"}), 403, "insufficient_scope"},
		{"to read, and reads", "GET", "/api/v1/increment/page:1", good.token(t, claims{"scope": "read"}), 200, ""},
		{"for other keys", "POST", "/api/v1/increment", good.token(t, claims{"key_prefix": "order:"}), 403, ""},
		{"for these keys", "POST", "/api/v1/increment", good.token(t, claims{"key_prefix": []string{"order:", "page:"}}), 202, ""},
	} {
		body := ""
		if c.method == "POST" {
			body = `{"key":"page:1","value":3}`
		}
		got, header := status(t, c.method, base+c.path, body, c.token)
		if got != c.status || !strings.Contains(header.Get("WWW-Authenticate"), c.challenge) {
			t.Errorf("a token %s: %d %v", c.what, got, header)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/v1/increment/page:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+good.token(t, nil))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var total struct{ Data struct{ Value int } }
	if err := json.NewDecoder(answer.Body).Decode(&total); err != nil || total.Data.Value != 6 {
		t.Errorf("the two that were allowed are %+v, %v", total, err)
	}
}

// The keys come over the network: https, or as here from loopback.
func TestServe_FetchesTheKeysOfJWTs(t *testing.T) {
	one := newIssuer(t)
	var fetches atomic.Int32
	keys := one.keys(t)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetches.Add(1)
		_, _ = w.Write(keys)
	}))
	t.Cleanup(provider.Close)
	_, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"),
		"--jwt-keys-url", provider.URL+"/keys", "--jwt-issuer", "https://id.example", "--jwt-audience", "counters")
	post := func(token string) int {
		got, _ := status(t, http.MethodPost, base+"/api/v1/increment", `{"key":"k","value":1}`, token)
		return got
	}
	// Until they are fetched the answer is 503: that they are shows in no other way.
	got := post(one.token(t, nil))
	for limit := time.Now().Add(patience); got == http.StatusServiceUnavailable && time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		got = post(one.token(t, nil))
	}
	if got != http.StatusAccepted || fetches.Load() == 0 {
		t.Errorf("status %d after %d fetches", got, fetches.Load())
	}
	if got := post(newIssuer(t).token(t, nil)); got != http.StatusUnauthorized {
		t.Errorf("signed by somebody else: %d", got)
	}
	args := []string{"config", "--store", "sqlite:" + fileIn(t, "c.db"), "--jwt-issuer", "i", "--jwt-audience", "a", "--jwt-keys-url", "http://id.example/keys"}
	if got := outputOf(t, exitFailed, args...); !strings.Contains(got, "must be https") {
		t.Errorf("keys that anybody may change: %s", got)
	}
}
