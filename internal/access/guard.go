package access

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/reload"
)

const (
	minSecret = 32   // bytes of the secret of HS256 (RFC 7518, section 3.2)
	maxToken  = 8192 // bytes of a credential that is looked at
)

// Errors of Check.
var (
	ErrNone    = errors.New("no credential was given")
	ErrMany    = errors.New("more than one credential was given")
	ErrUnknown = errors.New("the token is not known")
	ErrNotYet  = errors.New("the keys that JWTs are checked with could not be fetched yet")
)

// Guard checks credentials. Its methods are safe for concurrent use; nil accepts everything.
type Guard struct {
	cfg  Config
	log  *slog.Logger
	now  func() time.Time
	salt digest
	seen *reload.Files

	tokens atomic.Pointer[tokens]
	signed atomic.Pointer[issuer] // nil: there are no keys (yet)
	cache  cache
	ask    chan struct{} // capacity 1: a token named a key that is not known, the set may be old

	fetchFailed atomic.Bool // the last fetch of KeySetURL

	mu      sync.Mutex // guards what follows
	sources sources
}

// New reads what the configuration names and starts nothing. It returns nil without an error when the configuration asks for no
// credentials. A JWK set that must be fetched is fetched by Run.
func New(c Config, log *slog.Logger) (*Guard, error) {
	if err := c.Validate(); err != nil || !c.Enabled() {
		return nil, err
	}
	g := &Guard{cfg: c, log: log, now: time.Now, salt: newSalt(), ask: make(chan struct{}, 1)}
	g.cache.salt = g.salt
	var paths []string
	for _, p := range []string{c.TokensFile, c.KeySetFile, c.SecretFile} {
		if p != "" {
			paths = append(paths, p)
		}
	}
	g.seen = reload.Look(paths...)
	return g, g.load()
}

// clock is now, as it is set when it is asked.
func (g *Guard) clock() time.Time { return g.now() }

// load reads all files. An error changes nothing.
func (g *Guard) load() error {
	var errs []error
	found, err := g.loadTokens()
	errs = append(errs, err)
	set, err := g.loadKeySet()
	errs = append(errs, err)
	secret, err := g.loadSecret()
	if errs = append(errs, err); errors.Join(errs...) != nil {
		return errors.Join(errs...)
	}
	g.tokens.Store(found)
	g.putFiles(set, nil, secret, nil)
	return nil
}

func (g *Guard) loadTokens() (*tokens, error) {
	if g.cfg.TokensFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(g.cfg.TokensFile)
	if err != nil {
		return nil, fmt.Errorf("read the tokens: %w", err)
	}
	found, err := parseTokens(text, g.salt)
	if err != nil {
		return nil, fmt.Errorf("tokens in %s: %w", g.cfg.TokensFile, err)
	}
	return found, nil
}

// Check returns what the Authorization headers of a request grant. Its errors tell nothing of the credential; those of JWTs say what is
// wrong with it.
func (g *Guard) Check(headers [][]byte) (*Grant, error) {
	if g == nil {
		return nil, nil
	}
	if len(headers) > 1 {
		return nil, ErrMany
	}
	token, ok := bearer(headers)
	if !ok {
		return nil, ErrNone
	}
	if len(token) > maxToken {
		return nil, ErrUnknown
	}
	if grant := g.tokens.Load().find(token); grant != nil {
		return grant, nil
	}
	if !g.cfg.signed() || !looksLikeJWT(token) {
		return nil, ErrUnknown
	}
	return g.checkSigned(token)
}

// checkSigned checks a JWT. A signature takes ten times as long as an increment, so what was found is remembered until the token
// expires or the keys change.
func (g *Guard) checkSigned(token []byte) (*Grant, error) {
	by := g.signed.Load()
	if by == nil {
		return nil, ErrNotYet
	}
	name := sha256.Sum256(token)
	if grant := g.cache.find(by, name, g.now()); grant != nil {
		return grant, nil
	}
	grant, until, err := by.check(string(token))
	if errors.Is(err, errUnknownKey) {
		select {
		case g.ask <- struct{}{}:
		default:
		}
		if by.partial {
			return nil, ErrNotYet
		}
	}
	if err != nil {
		return nil, err
	}
	g.cache.keep(by, name, grant, until)
	return grant, nil
}

// bearer returns the token of an Authorization header.
func bearer(headers [][]byte) ([]byte, bool) {
	if len(headers) == 0 {
		return nil, false
	}
	scheme, token, _ := bytes.Cut(bytes.TrimSpace(headers[0]), []byte(" "))
	token = bytes.TrimSpace(token)
	return token, bytes.EqualFold(scheme, []byte("bearer")) && len(token) > 0
}

// Run keeps tokens and keys up to date until ctx is done: files that change are read again within interval.
func (g *Guard) Run(ctx context.Context, interval time.Duration) {
	if g == nil {
		return
	}
	var all sync.WaitGroup
	if g.cfg.KeySetURL != "" {
		all.Go(func() { g.runFetch(ctx, newFetcher()) })
	}
	g.seen.Watch(ctx, interval, g.reload)
	all.Wait()
}

// InForce tells whether what is in force is what the files and the URL hold. False: something could not be used when it was read
// last, and what was accepted before is still accepted.
func (g *Guard) InForce() bool { return g == nil || g.seen.InForce() && !g.fetchFailed.Load() }

// reload puts in force what can be used of the files that changed: a token that was taken out is refused even while the keys cannot
// be read.
func (g *Guard) reload() error {
	found, noTokens := g.loadTokens()
	if noTokens == nil {
		if noTokens = g.tokens.Load().mayBecome(found); noTokens != nil {
			noTokens = fmt.Errorf("tokens in %s: %w", g.cfg.TokensFile, noTokens)
		}
	}
	if noTokens == nil {
		g.tokens.Store(found)
	}
	set, noSet := g.loadKeySet()
	secret, noSecret := g.loadSecret()
	g.putFiles(set, noSet, secret, noSecret)
	err := errors.Join(noTokens, noSet, noSecret)
	if err != nil {
		g.log.Error("changed files of credentials cannot be used; what they held before stays accepted", "error", err)
		return err
	}
	g.log.Info("credentials were read again")
	return nil
}
