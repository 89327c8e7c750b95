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

// The algorithms of a key. With HS256 one secret signs and verifies. With EdDSA a private
// key signs, and others verify with the public key, which can't sign.
const (
	HS256 = "HS256" // RFC 7518 §3.2
	EdDSA = "EdDSA" // RFC 8037 §3.1, here with Ed25519 only
)

// A Key signs and verifies by one algorithm.
type Key struct {
	ID        string // its kid
	Alg       string
	signing   any       // []byte for HS256, ed25519.PrivateKey for EdDSA
	verifying any       // []byte for HS256, ed25519.PublicKey for EdDSA
	Until     time.Time // a retired key verifies until then; zero: not retired
}

// Ended reports whether k is retired and no longer verifies.
func (k *Key) Ended(now time.Time) bool {
	return !k.Until.IsZero() && !now.Before(k.Until)
}

// Signs reports whether k may sign by alg. A retired key may not.
func (k *Key) Signs(alg string) bool { return k.Alg == alg && k.Until.IsZero() }

// A Keyring signs with its first key and verifies with all of its keys. They never
// change, so any goroutine may use a Keyring.
type Keyring struct {
	keys   []*Key
	byID   map[string]*Key
	algs   []string      // what the keys are for
	leeway time.Duration // how far iat and nbf may lie ahead of the clock
}

// NewKeyring returns a ring of the keys. The first one signs.
func NewKeyring(keys ...*Key) *Keyring {
	ring := &Keyring{keys: keys, byID: map[string]*Key{}, leeway: leeway}
	for _, k := range keys {
		ring.byID[k.ID] = k
		if !slices.Contains(ring.algs, k.Alg) {
			ring.algs = append(ring.algs, k.Alg)
		}
	}
	return ring
}

// SecretKeys returns the ring for a SECRET_KEY. The key is the bytes of the secret as
// they are, so another program with the secret can verify tokens. The fallbacks are
// former secrets, which only verify. No error shows a secret.
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

// A SecretError says what is wrong with a secret.
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

// MemoryKeys returns a ring with one new key, which is kept in memory only. Its tokens
// are good until the process ends.
func MemoryKeys(alg string) *Keyring {
	if alg == EdDSA {
		return NewKeyring(EdDSAKey(randomBytes()))
	}
	return NewKeyring(HS256Key(randomBytes()))
}

// ConfiguredKeys returns the ring of the settings: a SECRET_KEY, its fallbacks and the
// algorithm that signs. It returns nil if the settings have no secret: then shelf makes
// a key.
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

// Ring returns r: see [Keys].
func (r *Keyring) Ring() *Keyring { return r }

// Keys returns the keys of the ring. The first one signs.
func (r *Keyring) Keys() []*Key { return r.keys }

// Key returns the key with that kid, or nil.
func (r *Keyring) Key(id string) *Key { return r.byID[id] }

// checkSecret refuses a secret that is shorter than the output of SHA-256 (RFC 7518
// §3.2). An attacker with a single token could guess such a secret, with no limit of
// attempts.
func checkSecret(secret []byte) error {
	if len(secret) < sha256.Size {
		return fmt.Errorf("the secret has %d bytes, HS256 takes at least %d (RFC 7518 §3.2)", len(secret), sha256.Size)
	}
	return nil
}

// HS256Key returns the HS256 key of a secret. Its kid is a part of an HMAC with the
// secret, over a text that no token begins with. So the kid gives away no more than a
// signature does. A thumbprint would be a plain hash of the secret, which RFC 7638 §7
// warns of.
func HS256Key(secret []byte) *Key {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("shelf: kid"))
	id := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
	return &Key{ID: id, Alg: HS256, signing: secret, verifying: secret}
}

// EdDSAKey returns the EdDSA key of a seed. Its kid is the thumbprint of the public key
// (RFC 8037 appendix A.3).
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
