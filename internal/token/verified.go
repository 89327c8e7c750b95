package token

import (
	"hash/maphash"
	"sync/atomic"
	"time"
)

// Verify judges a token by all that it says itself: its text, algorithm, signature,
// times and other claims, as verify does. Whether it is of the right type, its
// user still there and the token itself not revoked is left to the caller, who
// must not change the claims. Errors are *Error.
//
// What verify found good is remembered. See verifiedTokens.
func (r *Keyring) Verify(text string, now time.Time) (*Claims, error) {
	if len(text) > maxRemembered {
		c, _, err := r.verify(text, now)
		return c, err
	}
	place, hash := r.verified.place(text)
	if v := place.Load(); v != nil && v.hash == hash && v.text == text && !v.key.Ended(now) {
		if err := v.claims.judgeTimes(now); err != nil {
			return nil, err
		}
		return v.claims, nil
	}
	c, by, err := r.verify(text, now)
	if err != nil {
		return nil, err
	}
	place.Store(&verifiedToken{text, hash, by, c})
	return c, nil
}

// Forget drops what is remembered in the place of a token, so that the next Verify
// verifies it anew. Tests need it.
func (r *Keyring) Forget(text string) {
	place, _ := r.verified.place(text)
	place.Store(nil)
}

// A verifiedTokens remembers tokens that were found good, and what they say: to
// verify a signature and to take the JSON apart is two fifths of what a read
// costs, and gives the same each time. What may be another by the next request
// is judged each time: the times, whether the key has ended, and all that the
// store knows.
//
// It is a table of a fixed size. A token's place in it is given by its hash, and
// whoever comes later takes it: who has many tokens can make those of others
// slow again, and no more. It may be used from any goroutine.
type verifiedTokens struct {
	seed   maphash.Seed // secret: nobody can aim at a place, or learn a text from how long comparing takes
	places [1 << 12]atomic.Pointer[verifiedToken]
}

// A verifiedToken never changes.
type verifiedToken struct {
	text   string // all of it: no other token passes for this one
	hash   uint64 // of text
	key    *Key   // that signed it
	claims *Claims
}

// maxRemembered is how long a token may be to be remembered, in bytes: 4,096 of
// them, and what they say, then take ten megabytes at most.
const maxRemembered = 1 << 10

// place is where text is if it is remembered, and its hash.
func (t *verifiedTokens) place(text string) (*atomic.Pointer[verifiedToken], uint64) {
	hash := maphash.String(t.seed, text)
	return &t.places[hash%uint64(len(t.places))], hash
}
