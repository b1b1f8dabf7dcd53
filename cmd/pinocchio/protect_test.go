package main

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/certs/certtest"
	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

const (
	secretOne = "the first secret of the cluster"
	secretTwo = "the second secret of the cluster"
)

// secretFile writes a file of secrets.
func secretFile(t *testing.T, lines ...string) string {
	t.Helper()
	path := fileIn(t, "secret")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// issued writes a certificate of the authority and its key.
func issued(t *testing.T, ca *certtest.CA, names ...string) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	ca.Issue(t, cert, key, certtest.Leaf{Names: names})
	return cert, key
}

func TestServe_SpeaksHTTPSWithItsClients(t *testing.T) {
	ca, store := certtest.New(t), "sqlite:"+fileIn(t, "counters.db")
	cert, key := issued(t, ca)
	_, base := serve(t, "n1", store, "--tls-cert", cert, "--tls-key", key)
	secure := "https://" + strings.TrimPrefix(base, "http://")

	if got := outputOf(t, exitOK, "health", secure, "--ca", ca.File); got != "ready\n" {
		t.Errorf("health with the authority: %q", got)
	}
	if got := outputOf(t, exitOK, "health", strings.Replace(secure, "127.0.0.1", "localhost", 1), "--tls-cert", cert); got != "ready\n" {
		t.Errorf("health with the certificate: %q", got)
	}
	other, _ := issued(t, ca)
	for says, args := range map[string][]string{
		"another certificate": {"health", secure, "--tls-cert", other},
		"certificate":         {"health", secure, "--ca", certtest.New(t).File},
		"no certificate":      {"health", secure, "--ca", key},
		"does not answer":     {"health", base}, // not https
	} {
		if got := outputOf(t, exitFailed, args...); !strings.Contains(got, says) {
			t.Errorf("%v: %s", args, got)
		}
	}

	load := []string{"bench", "--target", secure, "--connections", "2", "--keys", "5", "--requests", "50"}
	outputOf(t, exitOK, append(load, "--ca", ca.File, "--strict", "--verify")...)
	if got := outputOf(t, exitFailed, append(load, "--ready-timeout", "50ms")...); !strings.Contains(got, "certificate") {
		t.Errorf("bench without the authority: %s", got)
	}
	got := outputOf(t, exitOK, "audit", "--store", store, "--server", secure, "--ca", ca.File, "--wait", patience.String(), "--exact")
	if !strings.Contains(got, "ledger 50 (difference 0): adds up") {
		t.Errorf("audit: %s", got)
	}
	if got := outputOf(t, exitOK, "incr", "key", "3", "--server", secure, "--ca", ca.File); got != "3\n" {
		t.Errorf("incr with the authority: %q", got)
	}
}

func TestServe_ShowsACertificateThatIsReplacedUnderIt(t *testing.T) {
	ca := certtest.New(t)
	cert, key := issued(t, ca)
	r, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"), "--tls-cert", cert, "--tls-key", key)
	renewed := ca.Issue(t, cert, key, certtest.Leaf{})
	r.says(&r.err, `msg="TLS certificate replaced"`)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}, DisableKeepAlives: true}}
	resp, err := client.Get("https://" + strings.TrimPrefix(base, "http://") + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if got := resp.TLS.PeerCertificates[0]; !got.Equal(renewed) {
		t.Errorf("it still shows the certificate %v", got.SerialNumber)
	}
}

func TestServe_SpeaksTLSWithOtherNodes(t *testing.T) {
	pg, ca := pgtest.Start(t), certtest.New(t)
	store := pg.URL(pg.NewDatabase(t))
	flags := func() []string {
		cert, key := issued(t, ca, "pinocchio-peer")
		return []string{"--peer-tls-cert", cert, "--peer-tls-key", key, "--peer-tls-ca", ca.File}
	}
	_, one := serve(t, "n1", store, flags()...)
	second, two := serve(t, "n2", store, flags()...)
	second.says(&second.err, `msg="member joined" .*name=n1`)
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		increment(t, one, key)
		increment(t, two, key)
		value(t, one, key, 6)
		value(t, two, key, 6)
	}
}

func TestServe_SaysWhichCertificateItCannotUse(t *testing.T) {
	ca := certtest.New(t)
	cert, key := issued(t, ca)
	_, other := issued(t, ca)
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"--tls-cert", cert}, exitUsage, "--tls-key"},
		{[]string{"--tls-cert", cert, "--tls-key", other}, exitFailed, "--tls-cert and --tls-key"},
		{[]string{"--peer-tls-cert", cert, "--peer-tls-key", key}, exitUsage, "--peer-tls-ca"},
		{[]string{"--peer-tls-cert", cert, "--peer-tls-key", key, "--peer-tls-ca", ca.File}, exitFailed, "--peer-tls-name"},
	} {
		args := append([]string{"serve", "--data", t.TempDir(), "--store", "sqlite:" + fileIn(t, "counters.db")}, c.args...)
		if got := outputOf(t, c.status, args...); !strings.Contains(got, c.says) {
			t.Errorf("%v: %s", c.args, got)
		}
	}
}

func TestServe_TakesSecretsThatAreReplacedUnderIt(t *testing.T) {
	path := secretFile(t, secretOne)
	r, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"), "--secret-file", path)
	replace := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	replace(secretTwo + "\n" + secretOne + "\n")
	r.says(&r.err, `msg="the cluster's secrets were replaced" .*count=2`)
	replace("too short\n")
	r.says(&r.err, `the changed --secret-file cannot be used; the secrets stay as they were.* has 9 bytes`)
	if text := r.err.String(); strings.Contains(text, secretOne) || strings.Contains(text, secretTwo) || strings.Contains(text, "too short") {
		t.Errorf("the log shows a secret:\n%s", text)
	}
	increment(t, base, "k")
	value(t, base, "k", 3)
}

// The secret of the environment is that of a file with the same text.
func TestServe_TakesTheSecretFromTheEnvironment(t *testing.T) {
	pg := pgtest.Start(t)
	store := pg.URL(pg.NewDatabase(t))
	first, _ := serve(t, "n1", store, "--secret-file", secretFile(t, secretOne))
	t.Setenv(secretVariable, secretOne)
	second, _ := serve(t, "n2", store)
	second.says(&second.err, `msg="member joined" .*name=n1`)
	first.says(&first.err, `msg="member joined" .*name=n2`)

	args := []string{"serve", "--data", t.TempDir(), "--store", store, "--secret-file", secretFile(t, secretTwo)}
	if got := outputOf(t, exitFailed, args...); !strings.Contains(got, "comes twice: give either --secret-file or PINOCCHIO_SECRET") {
		t.Errorf("both: %s", got)
	}
	t.Setenv(secretVariable, "short")
	if got := outputOf(t, exitFailed, args[:5]...); !strings.Contains(got, "a secret in PINOCCHIO_SECRET has 5 bytes") {
		t.Errorf("a short one: %s", got)
	}
}

// FuzzParseSecrets: every secret is one line of the text without blanks around it, long enough, and no error shows any of it.
func FuzzParseSecrets(f *testing.F) {
	for _, text := range []string{"", "\n", secretOne, secretOne + "\r\n\n \t" + secretTwo + " \n", "short\n", "\x00\xff" + secretOne, secretOne + "\x0b\x85\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		secrets, err := parseSecrets(text, "there")
		if (err == nil) != (len(secrets) > 0) {
			t.Fatalf("%q: %d secrets, %v", text, len(secrets), err)
		}
		if !bytes.Equal(text, before) {
			t.Fatalf("%q became %q", before, text)
		}
		lines := 0
		for _, line := range bytes.Split(text, []byte("\n")) {
			line = bytes.TrimSpace(line)
			if len(line) > 0 {
				lines++
			}
			if err == nil && len(line) > 0 && !bytes.Equal(secrets[lines-1], line) {
				t.Fatalf("%q: secret %d is %q", text, lines, secrets[lines-1])
			}
			if err != nil && len(line) >= minSecret && strings.Contains(err.Error(), string(line)) {
				t.Fatalf("%q: the error shows a secret: %v", text, err)
			}
		}
		for _, s := range secrets {
			if len(s) < minSecret || len(secrets) != lines {
				t.Fatalf("%q: %q", text, secrets)
			}
		}
	})
}

// A tokens file that is cut short under the node locks nobody out, and the metrics tell; one without a token refuses that token.
func TestServe_KeepsTokensOfAHalfWrittenFileAndRefusesRemovedOnes(t *testing.T) {
	path := fileIn(t, "tokens")
	token := func(name string) string {
		return strings.TrimSpace(outputOf(t, exitOK, "token", name, "--scopes", "read,write", "--file", path))
	}
	one, two := token("one"), token("two")
	r, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"), "--tokens-file", path)
	status := func(token string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/v1/increment/k", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	inForce := func(want string) {
		t.Helper()
		line := "\npinocchio_last_reload_successful{kind=\"credentials\"} " + want + "\n"
		for deadline := time.Now().Add(patience); ; {
			_, page := call(t, http.MethodGet, base+"/metrics", "")
			if strings.Contains(page, line) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the metrics do not say %s: %s", want, page)
			}
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	inForce("1")
	if err := os.WriteFile(path, nil, 0o600); err != nil { // in place: as a shell's > does before the first line comes
		t.Fatal(err)
	}
	r.says(&r.err, "cannot be used; what they held before stays accepted.*no token is left")
	if status(one) != http.StatusOK || status(two) != http.StatusOK {
		t.Errorf("%d %d", status(one), status(two))
	}
	inForce("0")
	first, _, _ := bytes.Cut(whole, []byte("\n"))
	if err := os.WriteFile(path, append(first, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	r.says(&r.err, "credentials were read again")
	if status(one) != http.StatusOK || status(two) != http.StatusUnauthorized {
		t.Errorf("%d %d", status(one), status(two))
	}
	inForce("1")
}
