package access

import (
	"bytes"
	"fmt"
	"os"
	"slices"
)

// sources are the last good keys of each place they come from. They are kept apart: a place that cannot be read must not keep in force
// what another has taken out.
type sources struct {
	fetched []verifier // of KeySetURL; nil: never yet
	set     []verifier // of KeySetFile
	secret  []verifier // of SecretFile
}

// put changes some of the sources, and puts all of them in force.
func (g *Guard) put(change func(*sources)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(&g.sources)
	var next *issuer
	if keys := slices.Concat(g.sources.fetched, g.sources.set, g.sources.secret); len(keys) > 0 {
		next = newIssuer(g.cfg, keys, g.clock)
		next.partial = g.cfg.KeySetURL != "" && g.sources.fetched == nil
	}
	g.signed.Store(next)
}

// putFiles puts in force what could be read of the files.
func (g *Guard) putFiles(set []verifier, noSet error, secret []verifier, noSecret error) {
	g.put(func(s *sources) {
		if noSet == nil {
			s.set = set
		}
		if noSecret == nil {
			s.secret = secret
		}
	})
}

func (g *Guard) loadKeySet() ([]verifier, error) {
	if g.cfg.KeySetFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(g.cfg.KeySetFile)
	if err != nil {
		return nil, fmt.Errorf("read the JWK set: %w", err)
	}
	keys, err := parseKeySet(text)
	if err != nil {
		return nil, fmt.Errorf("JWK set in %s: %w", g.cfg.KeySetFile, err)
	}
	return keys, nil
}

func (g *Guard) loadSecret() ([]verifier, error) {
	if g.cfg.SecretFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(g.cfg.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("read the secret of JWTs: %w", err)
	}
	if text = bytes.TrimSpace(text); len(text) < minSecret {
		return nil, fmt.Errorf("the secret of JWTs in %s has %d bytes, must have at least %d", g.cfg.SecretFile, len(text), minSecret)
	}
	return []verifier{{algorithm: "HS256", key: text}}, nil
}
