package gossip

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/memberlist"
)

// minSecret is the fewest bytes of a secret. The derivation is fast, so it protects no password: a short secret could be
// guessed from recorded packets.
const minSecret = 16

// keyPurpose keeps this key apart from others that are derived from the same secret.
const keyPurpose = "pinocchio gossip key, version 1"

// DeriveKey makes a 32-byte key (AES-256) for Config.Keys out of the cluster's secret: HKDF with SHA-256 (RFC 5869),
// no salt, and the text of keyPurpose as info. The secret must be random and have at least 16 bytes; all nodes
// derive the same key from it.
func DeriveKey(secret []byte) ([]byte, error) {
	if len(secret) < minSecret {
		return nil, errors.New("the secret is shorter than 16 bytes")
	}
	return hkdf.Key(sha256.New, secret, nil, keyPurpose, sha256.Size)
}

// SetKeys replaces the keys while gossip runs, or before: the first encrypts, all decrypt. A key is changed without a restart by the
// steps that Config.Keys names. An error changes nothing: a key has a wrong length, there is none, or there was none at New: whether
// messages are encrypted never changes.
func (g *Gossip) SetKeys(keys [][]byte) error {
	if len(keys) == 0 || g.keyring == nil {
		return errors.New("gossip: encryption is neither turned on nor off while it runs")
	}
	for i, key := range keys {
		if err := memberlist.ValidateKey(key); err != nil {
			return fmt.Errorf("gossip: key %d has %d bytes, not 16, 24 or 32", i+1, len(key))
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, key := range keys { // what is sent with the new key is understood before this node sends with it
		if err := g.keyring.AddKey(slices.Clone(key)); err != nil {
			return fmt.Errorf("gossip: %w", err)
		}
	}
	if err := g.keyring.UseKey(keys[0]); err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	for _, old := range g.keyring.GetKeys() {
		if !slices.ContainsFunc(keys, func(k []byte) bool { return slices.Equal(k, old) }) {
			if err := g.keyring.RemoveKey(old); err != nil {
				return fmt.Errorf("gossip: %w", err)
			}
		}
	}
	return nil
}
