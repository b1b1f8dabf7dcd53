package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"sync"
	"sync/atomic"
)

// ID is a process: unique for each start, never reused.
type ID = [16]byte

// keyPurpose keeps these keys apart from others that are derived from the same secret.
const keyPurpose = "pinocchio peer key, version 1"

// Keys are the keys of the present secrets. The first one seals, all open. They may be replaced at any time, from any goroutine.
type Keys struct{ list atomic.Pointer[[]*key] }

// key is one secret's, with MACs that are ready for use: making one costs as much as a short message does.
type key struct{ macs sync.Pool }

// NewKeys derives keys from secrets: HKDF with SHA-256, no salt. Without secrets nothing is sealed and everything opens.
func NewKeys(secrets [][]byte) (*Keys, error) {
	k := new(Keys)
	return k, k.Replace(secrets)
}

// Replace makes the keys of these secrets the present ones. What is under way is answered with the key that it was sealed with.
func (k *Keys) Replace(secrets [][]byte) error {
	list := make([]*key, 0, len(secrets))
	for i, s := range secrets {
		raw, err := hkdf.Key(sha256.New, s, nil, keyPurpose, sha256.Size)
		if err != nil {
			return fmt.Errorf("derive a key from secret %d: %w", i+1, err)
		}
		list = append(list, &key{macs: sync.Pool{New: func() any { return hmac.New(sha256.New, raw) }}})
	}
	k.list.Store(&list)
	return nil
}

// Required says that there are secrets, so that what is not sealed is refused.
func (k *Keys) Required() bool { return len(*k.list.Load()) > 0 }

// mac appends the HMAC over the parts to out. Their lengths must be known from the first part.
func (k *key) mac(out []byte, parts ...[]byte) []byte {
	m := k.macs.Get().(hash.Hash)
	m.Reset()
	for _, p := range parts {
		_, _ = m.Write(p) // never fails
	}
	out = m.Sum(out)
	k.macs.Put(m)
	return out
}
