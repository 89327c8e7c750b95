package token

import (
	"hash/maphash"
	"sync/atomic"
	"time"
)

// A Cache is a [Verifier] in front of a Keyring. It remembers tokens that were good,
// and what they say. The result of verifying a signature and of reading the JSON is
// the same each time, and takes two fifths of the time of a read. What may change
// until the next request is judged each time: the times, and whether the key has
// ended.
//
// A Cache only says yes. Where it is not sure it asks the Keyring, which decides, and
// words every refusal. It asks again too when the keys have changed.
//
// The Cache is a table of a fixed size, and may be used from any goroutine. The hash
// of a token gives its place, and a later token with the same place takes it. A client
// with many tokens can make those of others slow again, and nothing else.
type Cache struct {
	keys   Keys
	seed   maphash.Seed // secret: so a client can't aim at a place, or learn a text from how long comparing takes
	places [1 << 12]atomic.Pointer[verifiedToken]
}

// NewCache returns an empty Cache in front of keys.
func NewCache(keys Keys) *Cache { return &Cache{keys: keys, seed: maphash.MakeSeed()} }

// A verifiedToken never changes.
type verifiedToken struct {
	text   string // the whole token, so that no other passes for it
	hash   uint64 // of text
	key    *Key   // that signed it
	ring   *Keyring
	claims *Claims
}

// maxRemembered is how long a token in the Cache may be, in bytes: 4,096 of them, and
// what they say, then take ten megabytes at most.
const maxRemembered = 1 << 10

// Verify implements [Verifier].
func (c *Cache) Verify(text string, now time.Time) (*Claims, error) {
	if len(text) > maxRemembered {
		return c.keys.Verify(text, now)
	}
	place, hash := c.place(text)
	ring := c.keys.Ring() // before verify: keys that change meanwhile make a place stale
	if v := place.Load(); v != nil && v.hash == hash && v.text == text && v.ring == ring && v.goodAt(now) {
		return v.claims, nil
	}
	claims, key, err := c.keys.verify(text, now)
	if err != nil {
		return nil, err
	}
	place.Store(&verifiedToken{text, hash, key, ring, claims})
	return claims, nil
}

// goodAt reports whether the token, which was good once, is good at that moment. It
// leaves the seconds of the leeway to the Keyring.
func (v *verifiedToken) goodAt(now time.Time) bool {
	c := v.claims
	return !v.key.Ended(now) && now.Before(c.ExpiresAt.Time) &&
		(c.NotBefore == nil || !now.Before(c.NotBefore.Time)) &&
		(c.IssuedAt == nil || !now.Before(c.IssuedAt.Time))
}

// place is where text is if it is remembered, and its hash.
func (c *Cache) place(text string) (*atomic.Pointer[verifiedToken], uint64) {
	hash := maphash.String(c.seed, text)
	return &c.places[hash%uint64(len(c.places))], hash
}
