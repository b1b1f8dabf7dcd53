package access

import (
	"errors"
	"fmt"
	"net"
	"net/url"
)

// Config says which credentials are accepted. The zero value: none is asked for.
type Config struct {
	TokensFile string // lines of parseTokens

	KeySetFile string // JWK set with the public keys of who signs JWTs
	KeySetURL  string // or where to fetch it; https, or http at loopback
	SecretFile string // the secret of HS256, at least 32 bytes

	Issuer      string // iss that a JWT must have
	Audience    string // that must be among its aud
	ScopeClaim  string
	PrefixClaim string
}

// Enabled tells whether any credential is asked for.
func (c Config) Enabled() bool { return c.TokensFile != "" || c.signed() }

func (c Config) signed() bool { return c.KeySetFile != "" || c.KeySetURL != "" || c.SecretFile != "" }

// Validate names every fault at once.
func (c Config) Validate() error {
	var errs []error
	if c.KeySetFile != "" && c.KeySetURL != "" {
		errs = append(errs, errors.New("the keys of JWTs come from a file or from a URL, not both"))
	}
	if c.KeySetURL != "" {
		errs = append(errs, safeURL(c.KeySetURL))
	}
	if c.signed() && (c.Issuer == "" || c.Audience == "") {
		errs = append(errs, errors.New("JWTs need an issuer and an audience to be checked against: else those that are meant for other services would be accepted"))
	}
	if !c.signed() && (c.Issuer != "" || c.Audience != "") {
		errs = append(errs, errors.New("an issuer or audience of JWTs is given, but nothing to check their signatures with"))
	}
	if c.signed() && (c.ScopeClaim == "" || c.PrefixClaim == "" || c.ScopeClaim == c.PrefixClaim) {
		errs = append(errs, errors.New("the claims of scopes and of key prefixes must have names that differ"))
	}
	return errors.Join(errs...)
}

// safeURL refuses a URL whose answer somebody on the way could replace.
func safeURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil { // a password would stand in the log
		return errors.New("the URL of the JWK set must have a host, and neither user nor password")
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return fmt.Errorf("the URL of the JWK set must be https: whoever changes the keys gets in")
	}
	return nil
}
