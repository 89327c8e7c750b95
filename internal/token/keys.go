package token

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The algorithms that a key can be for. By HS256 one secret both makes tokens
// and checks them; by EdDSA others can check them with a public key, and make none.
const (
	HS256 = "HS256" // RFC 7518 §3.2
	EdDSA = "EdDSA" // RFC 8037 §3.1, here with Ed25519 only
)

// A Key makes and checks tokens by one algorithm.
type Key struct {
	ID        string // its kid
	Alg       string
	signing   any       // []byte for HS256, ed25519.PrivateKey for EdDSA
	verifying any       // []byte for HS256, ed25519.PublicKey for EdDSA
	Until     time.Time // a retired key verifies until then; zero: not retired
}

// Ended reports whether k is good for nothing any more.
func (k *Key) Ended(now time.Time) bool {
	return !k.Until.IsZero() && !now.Before(k.Until)
}

// Signs reports whether k may make tokens by alg: a retired key may not.
func (k *Key) Signs(alg string) bool { return k.Alg == alg && k.Until.IsZero() }

// A Keyring signs with its first key and verifies with all of them. Its keys
// never change, so it needs no lock.
type Keyring struct {
	keys []*Key
	byID map[string]*Key
	algs []string // what the keys are for
}

// NewKeyring is the ring of those keys. The first signs.
func NewKeyring(keys ...*Key) *Keyring {
	ring := &Keyring{keys: keys, byID: map[string]*Key{}}
	for _, k := range keys {
		ring.byID[k.ID] = k
		if !slices.Contains(ring.algs, k.Alg) {
			ring.algs = append(ring.algs, k.Alg)
		}
	}
	return ring
}

// SecretKeys is the ring for a SECRET_KEY: its bytes as they are make the key,
// so that whatever else holds the secret can check a token. The fallbacks are
// former secrets and only verify. No error shows a secret.
func SecretKeys(secret string, fallbacks []string) (*Keyring, error) {
	var keys []*Key
	for i, s := range append([]string{secret}, fallbacks...) {
		err := checkSecret([]byte(s))
		if err == nil {
			err = checkPlaceholder(s)
		}
		switch {
		case err != nil && i > 0:
			return nil, &SecretError{"SECRET_KEY_FALLBACKS", i, err}
		case err != nil:
			return nil, &SecretError{"SECRET_KEY", 0, err}
		}
		keys = append(keys, HS256Key([]byte(s)))
	}
	return NewKeyring(keys...), nil
}

// A SecretError is what is wrong with a secret.
type SecretError struct {
	Variable string // that holds it
	Number   int    // which of several it is, from 1; 0 where there is only one
	Err      error
}

func (e *SecretError) Error() string {
	name := e.Variable
	if e.Number > 0 {
		name = fmt.Sprintf("%s, number %d", name, e.Number)
	}
	return fmt.Sprintf("%s: %v; make one with: openssl rand -base64 48", name, e.Err)
}

func (e *SecretError) Unwrap() error { return e.Err }

// MemoryKeys is a ring that is written nowhere: its tokens end with the process.
func MemoryKeys(alg string) *Keyring {
	if alg == EdDSA {
		return NewKeyring(EdDSAKey(randomBytes()))
	}
	return NewKeyring(HS256Key(randomBytes()))
}

// ConfiguredKeys is the ring that the settings themselves hold: a SECRET_KEY, its
// fallbacks and the algorithm to sign by. It is nil if the key is one that shelf
// makes.
func ConfiguredKeys(secret string, fallbacks []string, alg string) (*Keyring, error) {
	switch {
	case secret == "" && len(fallbacks) > 0:
		return nil, errors.New("SECRET_KEY_FALLBACKS is set but SECRET_KEY is not: there is no key to sign with")
	case secret == "":
		return nil, nil
	case alg == EdDSA:
		return nil, errors.New("-alg EdDSA signs with a key that shelf makes, but SECRET_KEY is set: take one of the two away")
	}
	return SecretKeys(secret, fallbacks)
}

// Keys are all keys of the ring, the one that signs first.
func (r *Keyring) Keys() []*Key { return r.keys }

// Key is the key with that kid, nil if there is none.
func (r *Keyring) Key(id string) *Key { return r.byID[id] }

// checkSecret refuses a secret shorter than the output of SHA-256, as HS256 must
// (RFC 7518 §3.2): it could be guessed from a single token, with no limit of
// attempts.
func checkSecret(secret []byte) error {
	if len(secret) < sha256.Size {
		return fmt.Errorf("the secret has %d bytes, HS256 takes at least %d (RFC 7518 §3.2)", len(secret), sha256.Size)
	}
	return nil
}

// HS256Key is the HS256 key of a secret. Its kid is a part of an HMAC under the
// secret itself, over a text that no token can begin with, so it gives away no
// more than every signature does. An RFC 7638 thumbprint would be a bare hash of
// the secret, which §7 there warns of.
func HS256Key(secret []byte) *Key {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("shelf: kid"))
	id := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
	return &Key{ID: id, Alg: HS256, signing: secret, verifying: secret}
}

// EdDSAKey is the EdDSA key of a seed. Its kid is its thumbprint (RFC 8037 appendix
// A.3): a public key has nothing to hide.
func EdDSAKey(seed []byte) *Key {
	private := ed25519.NewKeyFromSeed(seed)
	public := private.Public().(ed25519.PublicKey)
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(public) + `"}`))
	return &Key{ID: base64.RawURLEncoding.EncodeToString(sum[:]), Alg: EdDSA, signing: private, verifying: public}
}

func randomBytes() []byte {
	b := make([]byte, 32)
	rand.Read(b) // never fails: it would rather end the process
	return b
}
