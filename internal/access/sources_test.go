package access

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fetching fetches keys with the answers until the test ends; "" is a failure.
func fetching(t *testing.T, g *Guard, first string) (answer func(keys string), calls *atomic.Int32) {
	t.Helper()
	var now atomic.Pointer[string]
	now.Store(&first)
	calls = &atomic.Int32{}
	client := &http.Client{Transport: transport(func(*http.Request) (string, int) {
		calls.Add(1)
		if text := *now.Load(); text != "" {
			return text, http.StatusOK
		}
		return "", http.StatusBadGateway
	})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); g.runFetch(ctx, client) }()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return func(keys string) { now.Store(&keys) }, calls
}

// later lets time pass in a bubble.
func later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// A leaked key that the provider has taken out of its set must not stay accepted because a file beside it is broken.
func TestFetch_ReplacesItsKeysWhileTheFileOfTheSecretIsBroken(t *testing.T) {
	all, keys, secret := signers(t)
	others, otherKeys, _ := signers(t)
	path := file(t, secret)
	synctest.Test(t, func(t *testing.T) {
		g, log := guard(t, Config{KeySetURL: "https://id.example/keys", SecretFile: path})
		answer, _ := fetching(t, g, keys)
		leaked, next, shared := all["RS256"].sign(t, good(nil)), others["RS256"].sign(t, good(nil)), all["HS256"].sign(t, good(nil))
		if _, err := g.bearer(leaked); err != nil {
			t.Fatal(err)
		}
		write(t, path, "short")
		if err := g.reload(); err == nil {
			t.Error("a short secret is in force")
		}
		answer(otherKeys)
		later(fetchEvery)
		if _, err := g.bearer(leaked); err == nil {
			t.Error("a key that is gone is still accepted")
		}
		for name, token := range map[string]string{"the new key": next, "the last good secret": shared} {
			if _, err := g.bearer(token); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if g.fetchFailed.Load() || strings.Contains(log.String(), "cannot be fetched") {
			t.Errorf("a fault of the file passes for one of the URL: %s", log)
		}
	})
}

func TestReload_KeepsTheLastGoodKeysOfEachFile(t *testing.T) {
	all, keys, secret := signers(t)
	others, otherKeys, _ := signers(t)
	set, shared := file(t, keys), file(t, secret)
	g, _ := guard(t, Config{KeySetFile: set, SecretFile: shared})
	accepted := func(what string, token string, want bool) {
		t.Helper()
		if _, err := g.bearer(token); (err == nil) != want {
			t.Errorf("%s: %v", what, err)
		}
	}
	write(t, shared, "short")
	write(t, set, otherKeys)
	if g.reload() == nil {
		t.Error("a short secret is in force")
	}
	accepted("a key that is gone", all["ES256"].sign(t, good(nil)), false)
	accepted("a new key", others["ES256"].sign(t, good(nil)), true)
	accepted("the last good secret", all["HS256"].sign(t, good(nil)), true)

	write(t, shared, strings.Repeat("z", minSecret))
	write(t, set, "broken")
	if g.reload() == nil {
		t.Error("a broken set is in force")
	}
	accepted("the last good key", others["ES256"].sign(t, good(nil)), true)
	accepted("a secret that is gone", all["HS256"].sign(t, good(nil)), false)
}

// A secret beside the URL must not make a node that knows no key yet refuse good tokens for good.
func TestCheck_DoesNotKnowYetUntilTheKeysWereFetchedOnce(t *testing.T) {
	all, keys, secret := signers(t)
	path := file(t, secret)
	synctest.Test(t, func(t *testing.T) {
		g, _ := guard(t, Config{KeySetURL: "https://id.example/keys", SecretFile: path})
		answer, _ := fetching(t, g, "")
		for algorithm, s := range all {
			_, err := g.bearer(s.sign(t, good(nil)))
			if want := map[bool]error{false: ErrNotYet, true: nil}[algorithm == "HS256"]; !errors.Is(err, want) {
				t.Errorf("%s before the first fetch: %v", algorithm, err)
			}
		}
		answer(keys)
		later(fetchPause)
		stranger := all["RS256"]
		stranger.id = "q"
		if _, err := g.bearer(stranger.sign(t, good(nil))); !errors.Is(err, errUnknownKey) {
			t.Errorf("an unknown key after the first fetch: %v", err)
		}
	})
}

func TestFetch_AsksAgainWhenTheProviderMovesToAnotherAlgorithm(t *testing.T) {
	all, keys, _ := signers(t)
	only := func(id string) string { // the key of that name alone
		parsed := must(parseKeySet([]byte(keys)))
		for _, k := range parsed {
			if k.id == id {
				return set(public(id, k.key))
			}
		}
		panic("no such key")
	}
	synctest.Test(t, func(t *testing.T) {
		g, _ := guard(t, Config{KeySetURL: "https://id.example/keys"})
		answer, calls := fetching(t, g, only("r"))
		answer(only("e"))
		token := all["ES256"].sign(t, good(nil))
		if _, err := g.bearer(token); !errors.Is(err, errUnknownKey) {
			t.Errorf("before it is asked again: %v", err)
		}
		later(fetchPause)
		if _, err := g.bearer(token); err != nil || calls.Load() != 2 {
			t.Errorf("after %d calls: %v", calls.Load(), err)
		}
	})
}
