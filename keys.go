package main

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"example.com/shelf/internal/durable"
)

// The algorithms that a key can be for. By HS256 one secret both makes tokens
// and checks them; by EdDSA others can check them with a public key, and make none.
const (
	algHS256 = "HS256" // RFC 7518 §3.2
	algEdDSA = "EdDSA" // RFC 8037 §3.1, here with Ed25519 only
)

// A key makes and checks tokens by one algorithm.
type key struct {
	id        string // its kid
	alg       string
	signing   any       // []byte for HS256, ed25519.PrivateKey for EdDSA
	verifying any       // []byte for HS256, ed25519.PublicKey for EdDSA
	until     time.Time // a retired key verifies until then; zero: not retired
}

// ended reports whether k is good for nothing any more.
func (k *key) ended(now time.Time) bool {
	return !k.until.IsZero() && !now.Before(k.until)
}

// signs reports whether k may make tokens by alg: a retired key may not.
func (k *key) signs(alg string) bool { return k.alg == alg && k.until.IsZero() }

// A keyring signs with its first key and verifies with all of them. Its keys
// never change, so it needs no lock, and what they have verified stays so.
type keyring struct {
	keys     []*key
	byID     map[string]*key
	algs     []string // what the keys are for
	parser   *jwt.Parser
	verified verifiedTokens
}

func newKeyring(keys ...*key) *keyring {
	ring := &keyring{keys: keys, byID: map[string]*key{}, verified: verifiedTokens{seed: maphash.MakeSeed()}}
	for _, k := range keys {
		ring.byID[k.id] = k
		if !slices.Contains(ring.algs, k.alg) {
			ring.algs = append(ring.algs, k.alg)
		}
	}
	ring.parser = newParser(ring.algs)
	return ring
}

// secretKeys is the ring for a SECRET_KEY: its bytes as they are make the key,
// so that whatever else holds the secret can check a token. The fallbacks are
// former secrets and only verify. No error shows a secret.
func secretKeys(secret string, fallbacks []string) (*keyring, error) {
	var keys []*key
	for i, s := range append([]string{secret}, fallbacks...) {
		if err := checkSecret([]byte(s)); err != nil {
			name := "SECRET_KEY"
			if i > 0 {
				name = fmt.Sprintf("SECRET_KEY_FALLBACKS, number %d", i)
			}
			return nil, fmt.Errorf("%s: %w; make one with: openssl rand -base64 48", name, err)
		}
		keys = append(keys, secretKey([]byte(s)))
	}
	return newKeyring(keys...), nil
}

// memoryKeys is a ring that is written nowhere: its tokens end with the process.
func memoryKeys(alg string) *keyring {
	if alg == algEdDSA {
		return newKeyring(edKey(randomBytes()))
	}
	return newKeyring(secretKey(randomBytes()))
}

// configuredKeys is the ring that the settings themselves hold, nil if the key
// is one that shelf makes.
func configuredKeys(c settings) (*keyring, error) {
	switch {
	case c.secret == "" && len(c.fallbacks) > 0:
		return nil, errors.New("SECRET_KEY_FALLBACKS is set but SECRET_KEY is not: there is no key to sign with")
	case c.secret == "":
		return nil, nil
	case c.alg == algEdDSA:
		return nil, errors.New("-alg EdDSA signs with a key that shelf makes, but SECRET_KEY is set: take one of the two away")
	}
	return secretKeys(c.secret, c.fallbacks)
}

// keyPath is where the key that goes with a data file is kept.
func keyPath(data string) string {
	return strings.TrimSuffix(data, filepath.Ext(data)) + ".key"
}

// checkSecret refuses a secret shorter than the output of SHA-256, as HS256 must
// (RFC 7518 §3.2): it could be guessed from a single token, with no limit of
// attempts.
func checkSecret(secret []byte) error {
	if len(secret) < sha256.Size {
		return fmt.Errorf("the secret has %d bytes, HS256 takes at least %d (RFC 7518 §3.2)", len(secret), sha256.Size)
	}
	return nil
}

// secretKey is the HS256 key of a secret. Its kid is a part of an HMAC under the
// secret itself, over a text that no token can begin with, so it gives away no
// more than every signature does. An RFC 7638 thumbprint would be a bare hash of
// the secret, which §7 there warns of.
func secretKey(secret []byte) *key {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("shelf: kid"))
	id := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
	return &key{id: id, alg: algHS256, signing: secret, verifying: secret}
}

// edKey is the EdDSA key of a seed. Its kid is its thumbprint (RFC 8037 appendix
// A.3): a public key has nothing to hide.
func edKey(seed []byte) *key {
	private := ed25519.NewKeyFromSeed(seed)
	public := private.Public().(ed25519.PublicKey)
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(public) + `"}`))
	return &key{id: base64.RawURLEncoding.EncodeToString(sum[:]), alg: algEdDSA, signing: private, verifying: public}
}

func randomBytes() []byte {
	b := make([]byte, 32)
	rand.Read(b) // never fails: it would rather end the process
	return b
}

// A jwkSet is a JWK Set (RFC 7517 §5): the form of the key file, and of the
// public keys.
type jwkSet struct {
	Keys []jwk `json:"keys"`
}

// A jwk is a JSON Web Key (RFC 7517 §4): a secret (RFC 7518 §6.4) or an Ed25519
// key (RFC 8037 §2). The last two members are our own.
type jwk struct {
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

// publicJWKS is what the world may know of the ring: of an EdDSA key that still
// verifies its public half, of an HS256 key nothing.
func (r *keyring) publicJWKS(now time.Time) jwkSet {
	set := jwkSet{Keys: []jwk{}}
	for _, k := range r.keys {
		if public, ok := k.verifying.(ed25519.PublicKey); ok && !k.ended(now) {
			x := base64.RawURLEncoding.EncodeToString(public)
			set.Keys = append(set.Keys, jwk{Type: "OKP", Use: "sig", Algorithm: k.alg, ID: k.id, Curve: "Ed25519", Public: x})
		}
	}
	return set
}

// newJWK makes a key.
func newJWK(alg string, now time.Time) (jwk, error) {
	j := jwk{Use: "sig", Algorithm: alg, Created: now.UTC().Truncate(time.Second)}
	random := randomBytes()
	switch alg {
	case algHS256:
		j.Type, j.Secret = "oct", base64.RawURLEncoding.EncodeToString(random)
		j.ID = secretKey(random).id
	case algEdDSA:
		k := edKey(random)
		j.Type, j.Curve, j.Private = "OKP", "Ed25519", base64.RawURLEncoding.EncodeToString(random)
		j.ID, j.Public = k.id, base64.RawURLEncoding.EncodeToString(k.verifying.(ed25519.PublicKey))
	default:
		return jwk{}, fmt.Errorf("signing algorithm %q is neither HS256 nor EdDSA", alg)
	}
	return j, nil
}

// key is the key that j describes. No error shows anything secret.
func (j jwk) key() (*key, error) {
	var k *key
	encoding := base64.RawURLEncoding.Strict()
	switch {
	case j.Use != "" && j.Use != "sig":
		return nil, errors.New("its use is not sig")
	case j.Type == "oct" && j.Algorithm == algHS256:
		secret, err := encoding.DecodeString(j.Secret)
		if err != nil {
			return nil, errors.New("its k is not base64url")
		}
		if err := checkSecret(secret); err != nil {
			return nil, err
		}
		k = secretKey(secret)
	case j.Type == "OKP" && j.Curve == "Ed25519" && j.Algorithm == algEdDSA:
		seed, err := encoding.DecodeString(j.Private)
		if err != nil || len(seed) != ed25519.SeedSize {
			return nil, fmt.Errorf("its d is not %d bytes in base64url", ed25519.SeedSize)
		}
		k = edKey(seed)
		if x, err := encoding.DecodeString(j.Public); err != nil || !k.verifying.(ed25519.PublicKey).Equal(ed25519.PublicKey(x)) {
			return nil, errors.New("its x is not the public key of its d")
		}
	default:
		return nil, errors.New("it is neither kty oct with alg HS256 nor kty OKP with crv Ed25519 and alg EdDSA")
	}
	if j.ID != "" {
		k.id = j.ID
	}
	k.until = j.Until
	return k, nil
}

// loadKeys is the ring of the key file at path, see readKeys. Where there is no
// file, or no key in it that signs by alg, one is made. A warning, "" for none,
// is for the log.
func loadKeys(path, alg string, now time.Time) (ring *keyring, warning string, err error) {
	ring, err = readKeys(path, alg, now)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoKey) {
		if err := addKey(path, alg, now, func(*jwk, *key) bool { return true }); err != nil {
			return nil, "", err
		}
		ring, err = readKeys(path, alg, now)
	}
	if err != nil {
		return nil, "", err
	}
	info, err := os.Stat(path)
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		warning = fmt.Sprintf("%s is open to other users of this machine (mode %04o), who can make tokens with it: chmod 600 %[1]s", path, info.Mode().Perm())
	}
	return ring, warning, nil
}

// errNoKey: the key file has no key that signs by the chosen algorithm.
var errNoKey = errors.New("shelf makes one when it starts with this -alg")

// readKeys is the ring of the keys for alg in the key file at path; the first
// that is not retired signs. Only the chosen algorithm is accepted: the other
// one's keys stay in the file, for the day that it is chosen again. It fails
// with fs.ErrNotExist or errNoKey where there is no such file or key.
func readKeys(path, alg string, now time.Time) (*keyring, error) {
	_, keys, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	keys = slices.DeleteFunc(keys, func(k *key) bool { return k.alg != alg || k.ended(now) })
	signer := slices.IndexFunc(keys, func(k *key) bool { return k.signs(alg) })
	if signer < 0 {
		return nil, fmt.Errorf("%s has no key for %s: %w", path, alg, errNoKey)
	}
	keys[0], keys[signer] = keys[signer], keys[0]
	return newKeyring(keys...), nil
}

// rotateKey adds a new key for alg to the key file at path and retires those it
// had for alg: they verify until keepUntil, which should be when the last token
// that they signed has ended, and may be past if it has. A server that runs goes
// on with the keys it has.
func rotateKey(path, alg string, now, keepUntil time.Time) error {
	if keepUntil.Before(now) {
		keepUntil = now
	}
	return addKey(path, alg, now, func(j *jwk, k *key) bool {
		if k.signs(alg) {
			k.until = keepUntil.UTC()
			j.Until = k.until
		}
		return true
	})
}

// replaceKeys puts a new key for alg in the place of all that the key file at
// path holds, those for the other algorithm too: who has read one has read all.
func replaceKeys(path, alg string, now time.Time) error {
	return addKey(path, alg, now, func(*jwk, *key) bool { return false })
}

// addKey puts a new key for alg before those in the key file at path, or into a
// new file. Of the others it drops those whose time is over and those that keep
// refuses; keep may also change them.
func addKey(path, alg string, now time.Time, keep func(*jwk, *key) bool) error {
	set, keys, err := readKeyFile(path)
	exists := !errors.Is(err, fs.ErrNotExist)
	if err != nil && exists {
		return err
	}
	fresh, err := newJWK(alg, now)
	if err != nil {
		return err
	}
	kept := []jwk{fresh}
	for i, k := range keys {
		if keep(&set.Keys[i], k) && !k.ended(now) {
			kept = append(kept, set.Keys[i])
		}
	}
	text, err := json.MarshalIndent(jwkSet{kept}, "", "  ")
	if err != nil {
		return fmt.Errorf("key file %s: %w", path, err)
	}
	text = append(text, '\n')
	if exists {
		err = durable.WriteFile(path, text)
	} else {
		err = durable.CreateFile(path, fresh.ID, text)
	}
	if err != nil {
		return fmt.Errorf("writing key file %s: %w", path, err)
	}
	return nil
}

// readKeyFile reads the key file at path: its keys as they are written there,
// and the same as keys to use. It refuses whatever it doesn't understand whole,
// because a file that is not ours is not ours to overwrite either.
func readKeyFile(path string) (jwkSet, []*key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return jwkSet{}, nil, fmt.Errorf("reading the key file: %w", err)
	}
	refuse := func(err error) (jwkSet, []*key, error) {
		return jwkSet{}, nil, fmt.Errorf("%s is not a key file of shelf: %w", path, err)
	}
	if len(text) == 0 {
		return refuse(errors.New("it is empty"))
	}
	var set jwkSet
	if err := json.Unmarshal(text, &set); err != nil {
		return refuse(err)
	}
	if len(set.Keys) == 0 {
		return refuse(errors.New("it has no keys"))
	}
	var keys []*key
	seen := map[string]bool{}
	for i, j := range set.Keys {
		k, err := j.key()
		if err == nil && seen[k.id] {
			err = errors.New("its kid is another key's too")
		}
		if err != nil {
			return refuse(fmt.Errorf("key %d: %w", i+1, err))
		}
		seen[k.id] = true
		keys = append(keys, k)
	}
	return set, keys, nil
}
