package gossip

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
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
