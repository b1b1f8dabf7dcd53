package access

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"

	"github.com/go-json-experiment/json"
)

const minRSABits = 2048 // RFC 7518, section 3.3

// verifier is one key that signatures are checked with, for one algorithm: the key decides which, never the token.
type verifier struct {
	id        string // kid; "": it has none
	algorithm string // RS256, ES256, EdDSA or HS256
	key       any
}

// jwk is a JSON Web Key (RFC 7517) as far as it is used here.
type jwk struct {
	Kty string `json:"kty"`
	Kid string `json:"kid"`
	Use string `json:"use"`
	Alg string `json:"alg"`
	Crv string `json:"crv"`
	N   string `json:"n"`
	E   string `json:"e"`
	X   string `json:"x"`
	Y   string `json:"y"`
}

// parseKeySet reads a JWK set. Keys of other kinds, and those that are for encryption, are passed over, as RFC 7517 has it; a key of
// a known kind that is broken or weak is an error, and so is a set without any that can be used.
func parseKeySet(text []byte) (keys []verifier, err error) {
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New(`it is no JWK set, a JSON object such as {"keys":[…]}`)
	}
	for i, k := range set.Keys {
		v, err := k.verifier()
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		if v.key != nil {
			keys = append(keys, v)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no key for signatures of RS256, ES256 or EdDSA")
	}
	return keys, nil
}

// verifier returns the key; without one when it is of no use here.
func (k jwk) verifier() (v verifier, err error) {
	var key crypto.PublicKey
	switch {
	case k.Use != "" && k.Use != "sig":
		return v, nil
	case k.Kty == "RSA":
		v.algorithm = "RS256"
		key, err = k.rsa()
	case k.Kty == "EC" && k.Crv == "P-256":
		v.algorithm = "ES256"
		key, err = k.ecdsa()
	case k.Kty == "OKP" && k.Crv == "Ed25519":
		v.algorithm = "EdDSA"
		key, err = k.ed25519()
	default:
		return v, nil
	}
	switch {
	case k.Alg != "" && k.Alg != v.algorithm:
		return verifier{}, nil
	case err != nil:
		return verifier{}, err
	}
	v.id, v.key = k.Kid, key
	return v, nil
}

func (k jwk) rsa() (crypto.PublicKey, error) {
	n, err := number(k.N)
	e, err2 := number(k.E)
	if err = errors.Join(err, err2); err != nil {
		return nil, err
	}
	if n.BitLen() < minRSABits {
		return nil, fmt.Errorf("an RSA key must have at least %d bits", minRSABits)
	}
	if !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 || e.Bit(0) == 0 {
		return nil, errors.New("the RSA exponent cannot be used")
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

func (k jwk) ecdsa() (crypto.PublicKey, error) {
	const size = 32 // RFC 7518, section 6.2.1.2: full size, with leading zeros
	x, err := decode(k.X)
	y, err2 := decode(k.Y)
	if err != nil || err2 != nil || len(x) != size || len(y) != size {
		return nil, errors.New("x and y must be 32 bytes each, base64url")
	}
	point := append(append([]byte{4}, x...), y...) // SEC 1, section 2.3.3: uncompressed
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, errors.New("x and y are no point of P-256")
	}
	return key, nil
}

func (k jwk) ed25519() (crypto.PublicKey, error) {
	x, err := decode(k.X)
	if err != nil || len(x) != ed25519.PublicKeySize {
		return nil, errors.New("x must be 32 bytes, base64url")
	}
	return ed25519.PublicKey(x), nil
}

func number(text string) (*big.Int, error) {
	b, err := decode(text)
	if err != nil || len(b) == 0 {
		return nil, errors.New("a number must be base64url")
	}
	return new(big.Int).SetBytes(b), nil
}

func decode(text string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(text) }
