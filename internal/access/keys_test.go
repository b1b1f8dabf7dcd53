package access

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

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
		var calls atomic.Int32
		var answer atomic.Pointer[string]
		answer.Store(&keys)
		g, log := guard(t, Config{KeySetURL: "https://id.example/keys"})
		ctx, cancel := context.WithCancel(t.Context())
		client := &http.Client{Transport: transport(func(*http.Request) (string, int) {
			if calls.Add(1) == 1 {
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
		if _, err := g.bearer(token); err != nil || calls.Load() != 2 {
			t.Errorf("after %d calls: %v", calls.Load(), err)
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
		if _, err := g.bearer(newcomer.sign(t, good(nil))); err != nil || calls.Load() != 3 {
			t.Errorf("after %d calls: %v", calls.Load(), err)
		}
		time.Sleep(fetchEvery)
		synctest.Wait()
		if calls.Load() != 4 {
			t.Errorf("%d calls after another %v", calls.Load(), fetchEvery)
		}
		long := strings.Repeat(" ", maxKeySet+1)
		answer.Store(&long)
		time.Sleep(fetchEvery)
		synctest.Wait()
		if _, err := g.bearer(newcomer.sign(t, good(nil))); err != nil || calls.Load() != 5 || !strings.Contains(log.String(), "longer than") {
			t.Errorf("a set that is too long: %v after %d calls", err, calls.Load())
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
