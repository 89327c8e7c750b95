package token

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/strictjson"
)

// A JWKSet is a JWK Set (RFC 7517 §5): the form of the key file, and of the
// public keys.
type JWKSet struct {
	Keys []JWK `json:"keys"`
}

// A JWK is a JSON Web Key (RFC 7517 §4): a secret (RFC 7518 §6.4) or an Ed25519
// key (RFC 8037 §2). The last two members are our own.
type JWK struct {
	Type      string    `json:"kty"`
	Use       string    `json:"use,omitempty"`
	Algorithm string    `json:"alg"`
	ID        string    `json:"kid,omitempty"`
	Secret    string    `json:"k,omitempty"`
	Curve     string    `json:"crv,omitempty"`
	Public    string    `json:"x,omitempty"`
	Private   string    `json:"d,omitempty"`
	Created   time.Time `json:"created,omitzero"`
	Until     time.Time `json:"until,omitzero"` // the key is retired, and only verifies, until this moment
}

// JWKS returns the public keys of the EdDSA keys that still verify. HS256 keys have no
// public part, and are left out.
func (r *Keyring) JWKS(now time.Time) JWKSet {
	set := JWKSet{Keys: []JWK{}}
	for _, k := range r.keys {
		if public, ok := k.verifying.(ed25519.PublicKey); ok && !k.Ended(now) {
			x := base64.RawURLEncoding.EncodeToString(public)
			set.Keys = append(set.Keys, JWK{Type: "OKP", Use: "sig", Algorithm: k.Alg, ID: k.ID, Curve: "Ed25519", Public: x})
		}
	}
	return set
}

// newJWK makes a new key for alg.
func newJWK(alg string, now time.Time) (JWK, error) {
	j := JWK{Use: "sig", Algorithm: alg, Created: now.UTC().Truncate(time.Second)}
	random := randomBytes()
	switch alg {
	case HS256:
		j.Type, j.Secret = "oct", base64.RawURLEncoding.EncodeToString(random)
		j.ID = HS256Key(random).ID
	case EdDSA:
		k := EdDSAKey(random)
		j.Type, j.Curve, j.Private = "OKP", "Ed25519", base64.RawURLEncoding.EncodeToString(random)
		j.ID, j.Public = k.ID, base64.RawURLEncoding.EncodeToString(k.verifying.(ed25519.PublicKey))
	default:
		return JWK{}, fmt.Errorf("signing algorithm %q is neither HS256 nor EdDSA", alg)
	}
	return j, nil
}

// key returns the key that j describes. No error shows a secret.
func (j JWK) key() (*Key, error) {
	var k *Key
	encoding := base64.RawURLEncoding.Strict()
	switch {
	case j.Use != "" && j.Use != "sig":
		return nil, errors.New("its use is not sig")
	case j.Type == "oct" && j.Algorithm == HS256:
		secret, err := encoding.DecodeString(j.Secret)
		if err != nil {
			return nil, errors.New("its k is not base64url")
		}
		if err := checkSecret(secret); err != nil {
			return nil, err
		}
		k = HS256Key(secret)
	case j.Type == "OKP" && j.Curve == "Ed25519" && j.Algorithm == EdDSA:
		seed, err := encoding.DecodeString(j.Private)
		if err != nil || len(seed) != ed25519.SeedSize {
			return nil, fmt.Errorf("its d is not %d bytes in base64url", ed25519.SeedSize)
		}
		k = EdDSAKey(seed)
		if x, err := encoding.DecodeString(j.Public); err != nil || !k.verifying.(ed25519.PublicKey).Equal(ed25519.PublicKey(x)) {
			return nil, errors.New("its x is not the public key of its d")
		}
	default:
		return nil, errors.New("it is neither kty oct with alg HS256 nor kty OKP with crv Ed25519 and alg EdDSA")
	}
	if j.ID != "" {
		k.ID = j.ID
	}
	k.Until = j.Until
	return k, nil
}

// LoadKeys returns the ring of the key file at path, as [ReadKeys] does. If there is no
// file, or no key in it that signs by alg, LoadKeys makes one. warning is for the log,
// "" for none.
func LoadKeys(path, alg string, now time.Time) (ring *Keyring, warning string, err error) {
	ring, err = ReadKeys(path, alg, now)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoKey) {
		makeKey := addKey
		if errors.Is(err, fs.ErrNotExist) {
			makeKey = createKeyFile
		}
		if err := makeKey(path, alg, now, keepAll); err != nil {
			return nil, "", err
		}
		ring, err = ReadKeys(path, alg, now)
	}
	if err != nil {
		return nil, "", err
	}
	if warning, err = durable.CheckPrivate(path, "make tokens with it"); err != nil {
		return nil, "", err
	}
	return ring, warning, nil
}

// ErrNoKey says that the key file has no key that signs by the chosen algorithm.
var ErrNoKey = errors.New("shelf makes one when it starts with this -alg")

// ReadKeys returns a ring of the keys for alg in the key file at path. The first key
// that is not retired signs. Keys for the other algorithm stay in the file and are not
// in the ring. It fails with fs.ErrNotExist if there is no file, and with ErrNoKey if it
// has no key that signs by alg.
func ReadKeys(path, alg string, now time.Time) (*Keyring, error) {
	_, keys, err := ReadKeyFile(path)
	if err != nil {
		return nil, err
	}
	ring := ringFor(keys, alg, now)
	if ring == nil {
		return nil, fmt.Errorf("%s has no key for %s: %w", path, alg, ErrNoKey)
	}
	return ring, nil
}

// ringFor returns a ring of the keys that are for alg. The first one that is not retired
// signs. It returns nil if there is none.
func ringFor(keys []*Key, alg string, now time.Time) *Keyring {
	keys = slices.DeleteFunc(keys, func(k *Key) bool { return k.Alg != alg || k.Ended(now) })
	signer := slices.IndexFunc(keys, func(k *Key) bool { return k.Signs(alg) })
	if signer < 0 {
		return nil
	}
	keys[0], keys[signer] = keys[signer], keys[0]
	return NewKeyring(keys...)
}

// RotateKey adds a new key for alg to the key file at path, and retires the old keys for
// alg. They verify until keepUntil: the time when the last token that they signed
// expires. A server that runs goes on with the keys that it has read.
func RotateKey(path, alg string, now, keepUntil time.Time) error {
	return addKey(path, alg, now, retire(alg, now, keepUntil))
}

// retire returns a function that retires keys for alg. They verify until keepUntil.
func retire(alg string, now, keepUntil time.Time) (keep func(*JWK, *Key) bool) {
	if keepUntil.Before(now) {
		keepUntil = now
	}
	return func(j *JWK, k *Key) bool {
		if k.Signs(alg) {
			k.Until = keepUntil.UTC()
			j.Until = k.Until
		}
		return true
	}
}

// keepAll and keepNone are for addKey.
func keepAll(*JWK, *Key) bool  { return true }
func keepNone(*JWK, *Key) bool { return false }

// ReplaceKeys replaces all keys in the key file at path by a new key for alg. It is for
// a file that has leaked: keys for the other algorithm go too.
func ReplaceKeys(path, alg string, now time.Time) error {
	return addKey(path, alg, now, keepNone)
}

// addKey puts a new key for alg before the keys in the key file at path, or into a new
// file. It drops keys that have ended, and keys for which keep returns false. keep may
// also change a key.
func addKey(path, alg string, now time.Time, keep func(*JWK, *Key) bool) error {
	set, keys, err := ReadKeyFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return createKeyFile(path, alg, now, keep)
	}
	if err != nil {
		return err
	}
	kept, err := withNewKey(set, keys, alg, now, keep)
	if err != nil {
		return err
	}
	return writeKeys(path, kept, durable.WriteFile)
}

// withNewKey returns a new key for alg, and behind it the keys that keep keeps.
func withNewKey(set JWKSet, keys []*Key, alg string, now time.Time, keep func(*JWK, *Key) bool) ([]JWK, error) {
	fresh, err := newJWK(alg, now)
	if err != nil {
		return nil, err
	}
	kept := []JWK{fresh}
	for i, k := range keys {
		if keep(&set.Keys[i], k) && !k.Ended(now) {
			kept = append(kept, set.Keys[i])
		}
	}
	return kept, nil
}

// createKeyFile makes a key file with one key. If another process made the file first,
// it stays as it is. The last parameter is unused: a new file has no keys to keep.
func createKeyFile(path, alg string, now time.Time, _ func(*JWK, *Key) bool) error {
	fresh, err := newJWK(alg, now)
	if err != nil {
		return err
	}
	return writeKeys(path, []JWK{fresh}, func(path string, text []byte) error { return durable.CreateFile(path, fresh.ID, text) })
}

func writeKeys(path string, keys []JWK, write func(string, []byte) error) error {
	text, err := keysText(keys)
	if err != nil {
		return fmt.Errorf("key file %s: %w", path, err)
	}
	if err := write(path, text); err != nil {
		return fmt.Errorf("writing key file %s: %w", path, err)
	}
	return nil
}

// keysText is the text of a key file.
func keysText(keys []JWK) ([]byte, error) {
	text, err := json.MarshalIndent(JWKSet{keys}, "", "  ")
	return append(text, '\n'), err
}

// ReadKeyFile reads the key file at path. It returns the keys as they are written there,
// and the same keys to use. It rejects a file that it doesn't understand as a whole: a
// rotation would overwrite it.
func ReadKeyFile(path string) (JWKSet, []*Key, error) {
	text, err := durable.ReadFile(path)
	if err != nil {
		return JWKSet{}, nil, fmt.Errorf("reading the key file: %w", err)
	}
	set, keys, err := parseKeys(text)
	if err != nil {
		return JWKSet{}, nil, fmt.Errorf("%s is not a key file of shelf: %w", path, err)
	}
	return set, keys, nil
}

// parseKeys reads the text of a key file.
func parseKeys(text []byte) (set JWKSet, keys []*Key, err error) {
	if len(text) == 0 {
		return set, nil, errors.New("it is empty")
	}
	if slip := strictjson.FindSlip(text); slip != nil {
		return set, nil, errors.New(slip.Discreet()) // the line may hold a key
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return set, nil, err
	}
	if len(set.Keys) == 0 {
		return set, nil, errors.New("it has no keys")
	}
	seen := map[string]bool{}
	for i, j := range set.Keys {
		k, err := j.key()
		if err == nil && seen[k.ID] {
			err = errors.New("its kid is another key's too")
		}
		if err != nil {
			return set, nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		seen[k.ID] = true
		keys = append(keys, k)
	}
	return set, keys, nil
}

// KeyPath returns the path of the key file for a data file.
func KeyPath(data string) string {
	return strings.TrimSuffix(data, filepath.Ext(data)) + ".key"
}
