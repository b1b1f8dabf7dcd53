package access

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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
	for _, secret := range []string{old, fresh} {
		if strings.Contains(log.String(), secret) {
			t.Error("a token stands in the log")
		}
	}
}

// A file that is written in place may be read when only a part of it is there.
func TestRun_KeepsItsTokensWhenAFileIsHalfWritten(t *testing.T) {
	web, one := newToken(t, "web", Read, "page:")
	other, two := newToken(t, "other", Read)
	whole := "# ours\n" + two + one
	path := file(t, whole)
	g, log := guard(t, Config{TokensFile: path})
	run(t, g)
	for i, part := range []string{"", "# ours\n", "# ours\n" + two + one[:len(one)/2], strings.TrimSuffix(whole, "age:\n"), strings.TrimSuffix(whole, "\n")} {
		write(t, path, part)
		eventually(t, "the fault is logged", func() bool { return strings.Count(log.String(), "cannot be used") == i+1 && !g.InForce() })
		for _, token := range []string{web, other} {
			if grant, err := g.bearer(token); err != nil || token == web && grant.MayKey([]byte("private")) {
				t.Errorf("%d bytes of %d: %v", len(part), len(whole), err)
			}
		}
		write(t, path, whole)
		eventually(t, "the whole file is in force", func() bool { return g.InForce() })
	}
	write(t, path, two)
	eventually(t, "what was taken out is refused", func() bool { _, err := g.bearer(web); return errors.Is(err, ErrUnknown) })
	if _, err := g.bearer(other); err != nil || !g.InForce() {
		t.Errorf("what was left: %v", err)
	}
}

// One file that cannot be used does not hold up the others.
func TestRun_TakesATokenOutWhileTheKeysCannotBeRead(t *testing.T) {
	gone, one := newToken(t, "gone", Read)
	stays, two := newToken(t, "stays", Read)
	path, secret := file(t, one+two), file(t, strings.Repeat("s", minSecret))
	g, log := guard(t, Config{TokensFile: path, SecretFile: secret})
	run(t, g)
	write(t, secret, "short")
	eventually(t, "the fault is logged", func() bool { return strings.Contains(log.String(), "has 5 bytes") })
	write(t, path, two)
	eventually(t, "it is refused", func() bool { _, err := g.bearer(gone); return errors.Is(err, ErrUnknown) })
	if _, err := g.bearer(stays); err != nil || g.InForce() {
		t.Errorf("the other one: %v, in force %v", err, g.InForce())
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
