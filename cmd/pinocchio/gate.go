package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/pinocchio-nose/pinocchio/httpapi"
	"github.com/pinocchio-nose/pinocchio/internal/access"
	"github.com/pinocchio-nose/pinocchio/internal/limit"
	"github.com/pinocchio-nose/pinocchio/node"
)

// gateFlags say which clients may do what, and how often.
type gateFlags struct {
	TokensFile     string `type:"existingfile" help:"File with the access tokens of clients, hashed, one a line; \"pinocchio token\" makes them. Read again when it changes. Without any credentials set up, everybody may do everything." placeholder:"FILE"`
	JWTKeysFile    string `name:"jwt-keys-file" type:"existingfile" help:"JWK set with the keys that JWTs are signed with (RS256, ES256, EdDSA). Read again when it changes." placeholder:"FILE"`
	JWTKeysURL     string `name:"jwt-keys-url" help:"The same, fetched every few minutes; https." placeholder:"URL"`
	JWTSecretFile  string `name:"jwt-secret-file" type:"existingfile" help:"Secret of JWTs with HS256, at least 32 bytes. Read again when it changes." placeholder:"FILE"`
	JWTIssuer      string `name:"jwt-issuer" help:"Issuer (iss) that a JWT must have." placeholder:"TEXT"`
	JWTAudience    string `name:"jwt-audience" help:"Audience (aud) that a JWT must have." placeholder:"TEXT"`
	JWTScopeClaim  string `name:"jwt-scope-claim" default:"scope" help:"Claim with the scopes: read, write, admin."`
	JWTPrefixClaim string `name:"jwt-prefix-claim" default:"key_prefix" help:"Claim with the beginnings of keys that a JWT is for; without it, all keys."`

	RateLimit    string        `help:"Increments that each client may send, such as 2/5s or 100/s, at all nodes together; the same on all nodes." placeholder:"N/TIME"`
	RateTimeout  time.Duration `default:"150ms" help:"How long an increment waits for the node that decides about its client; then the node that it came to decides alone."`
	RateBurst    int           `help:"Increments at once after a rest. Default: the N of --rate-limit." placeholder:"N"`
	RateBy       string        `default:"ip" enum:"ip,credential" help:"What a client is: an ip, or who a credential belongs to."`
	TrustedProxy []string      `sep:"," help:"Network whose --forwarded-header is believed (repeatable)." placeholder:"CIDR"`

	ForwardedHeader string `default:"x-forwarded-for" enum:"x-forwarded-for,forwarded" help:"Header in which these proxies say whom they forward for: x-forwarded-for, or forwarded (RFC 7239). The other one is never looked at."`
}

// gate is what the flags led to.
type gate struct {
	guard   *access.Guard // nil: everybody may do everything
	rate    httpapi.Rate
	timeout time.Duration
}

// gate reads everything that the flags name, and names every fault at once.
func (c *gateFlags) gate(log *slog.Logger) (*gate, error) {
	g := &gate{timeout: c.RateTimeout, rate: httpapi.Rate{
		ByCredential: c.RateBy == "credential", Forwarded: c.ForwardedHeader == "forwarded",
	}}
	var errs []error
	var err error
	g.guard, err = access.New(access.Config{
		TokensFile: c.TokensFile, KeySetFile: c.JWTKeysFile, KeySetURL: c.JWTKeysURL, SecretFile: c.JWTSecretFile,
		Issuer: c.JWTIssuer, Audience: c.JWTAudience, ScopeClaim: c.JWTScopeClaim, PrefixClaim: c.JWTPrefixClaim,
	}, log)
	if err != nil {
		errs = append(errs, fmt.Errorf("--tokens-file and --jwt-…: %w", err))
	} else if g.guard == nil && g.rate.ByCredential {
		errs = append(errs, errors.New("--rate-by credential needs credentials: set --tokens-file or --jwt-…"))
	}
	if g.rate.Policy, err = limit.ParsePolicy(c.RateLimit, c.RateBurst); err != nil {
		errs = append(errs, fmt.Errorf("--rate-limit and --rate-burst: %w", err))
	}
	if g.rate.Proxies, err = limit.ParseProxies(c.TrustedProxy); err != nil {
		errs = append(errs, fmt.Errorf("--trusted-proxy: %w", err))
	}
	return g, errors.Join(errs...)
}

// apply puts the gate into a node's configuration.
func (g *gate) apply(c *node.Config) { c.RateLimit, c.RateTimeout = g.rate.Policy, g.timeout }

// serve puts it into that of the API, whose limiter is there already.
func (g *gate) serve(c *httpapi.Config) {
	if c.Access = g.guard; g.guard != nil {
		c.Reloads = append(c.Reloads, httpapi.Reload{Kind: "credentials", InForce: g.guard.InForce})
	}
	limiter := c.Rate.Limiter
	c.Rate = g.rate
	c.Rate.Limiter = limiter
}

// warn tells what whoever reaches the address can do.
func (g *gate) warn(at net.Addr, encrypted bool, log *slog.Logger) {
	tcp, ok := at.(*net.TCPAddr)
	switch {
	case ok && tcp.IP.IsLoopback():
	case g.guard == nil:
		log.Warn("whoever reaches this address may count and read everything: set --tokens-file or --jwt-keys-url, or keep strangers from it", "http", at.String())
	case !encrypted:
		log.Warn("credentials come unencrypted to this address: set --tls-cert and --tls-key, unless a proxy before it encrypts", "http", at.String())
	}
}

// watch keeps credentials up to date until the returned function is called.
func (g *gate) watch() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { g.guard.Run(ctx, reloadInterval) })
	return func() {
		cancel()
		all.Wait()
	}
}
