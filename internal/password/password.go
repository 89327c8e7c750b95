// Package password hashes passwords with bcrypt, on a bounded number of workers.
// It is the only one that imports bcrypt.
//
//	hashes := password.New(12)
//	hash, err := hashes.Hash(ctx, "b00k-worm")
//	…
//	err = hashes.Work(ctx, func() error { ok = hashes.Matches(hash, typed); return nil })
//
// Whoever asks for an account that doesn't exist must learn nothing from the time
// of the answer: Matches takes as long for no hash as for one.
package password

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// maxBytes is how long a password may be: bcrypt reads no more.
const maxBytes = 72

// The costs of bcrypt that shelf takes: 2^cost rounds. Below 10 it is for tests
// only (OWASP Password Storage Cheat Sheet); 15 takes seconds a sign-in.
const (
	MinCost = bcrypt.MinCost
	MaxCost = 15
)

// Busy is the refusal: too many passwords are being hashed.
type Busy struct {
	RetryAfter time.Duration // when it may pay to come again
}

func (b Busy) Error() string { return "too many passwords to hash at once" }

// A Hasher is bcrypt on a bounded number of workers: it is slow by design, and
// a flood of sign-ins must not keep everybody else from the processors.
type Hasher struct {
	cost     int
	retry    time.Duration // when one that was sent away may come again
	Patience time.Duration // how long a request waits for a worker before it is sent away
	line     chan struct{} // holds one for each that works or waits
	workers  chan struct{} // holds one for each that works
	nobody   []byte        // a hash that no password has
}

const (
	patience   = 5 * time.Second
	lineLength = 1000 // how many may work or wait; whoever comes then is sent away at once
)

// New makes a hasher of that cost. One processor stays free for those who need no
// hash.
func New(cost int) *Hasher { return NewWith(cost, max(1, runtime.GOMAXPROCS(0)-1)) }

// NewWith is New with that many workers.
func NewWith(cost, workers int) *Hasher {
	return &Hasher{
		cost:     cost,
		Patience: patience,
		retry:    patience,
		line:     make(chan struct{}, lineLength),
		workers:  make(chan struct{}, workers),
		nobody:   fmt.Appendf(nil, "$2a$%02d$%053d", cost, 0),
	}
}

// Bound sets how many may work or wait at a time, and how long one waits. Call it
// before the Hasher is used.
func (h *Hasher) Bound(line int, patience time.Duration) *Hasher {
	h.line, h.Patience, h.retry = make(chan struct{}, line), patience, patience
	return h
}

// State is how many workers there are, how many of them work, and how many wait
// for one.
func (h *Hasher) State() (workers, working, waiting int) {
	working = len(h.workers)
	return cap(h.workers), working, max(0, len(h.line)-working)
}

// Work runs f on a worker; who came first is served first. It fails with [Busy]
// if none is free in time, and leaves the line when ctx is done.
func (h *Hasher) Work(ctx context.Context, f func() error) error {
	select {
	case h.line <- struct{}{}:
		defer func() { <-h.line }()
	default:
		return Busy{h.retry}
	}
	timer := time.NewTimer(h.Patience)
	defer timer.Stop()
	select {
	case h.workers <- struct{}{}:
		defer func() { <-h.workers }()
		return f()
	case <-ctx.Done(): // nobody is there to read the answer
	case <-timer.C:
	}
	return Busy{h.retry}
}

// Hash makes the hash of a password that is stored.
func (h *Hasher) Hash(ctx context.Context, password string) (hash string, err error) {
	err = h.Work(ctx, func() error {
		b, err := bcrypt.GenerateFromPassword([]byte(password), h.cost)
		hash = string(b)
		return err
	})
	return hash, err
}

// Matches reports whether hash is password's; it is for a worker to call. For no
// hash, "", it takes the time that a hash of the configured cost takes, and says
// no. A hash from before the cost was changed takes its own time, until a sign-in
// makes it anew: see Upgrade.
func (h *Hasher) Matches(hash, password string) bool {
	against := h.nobody
	if hash != "" {
		against = []byte(hash)
	}
	// What bcrypt can't tell apart from a shorter password is no match.
	return bcrypt.CompareHashAndPassword(against, []byte(password)) == nil && hash != "" && Fault(password) == ""
}

// Upgrade makes a new hash of a password, whose hash is given, if that one cost
// less than the configured cost: this is the one moment when the password is
// here to be hashed again. A hash that cost more stays, as it is no weaker and
// a lower setting shall not weaken what is stored. It returns "" if there is
// nothing to do, and also if no worker is free at once: a sign-in waits for no
// upgrade, the next one is as good.
func (h *Hasher) Upgrade(hash, password string) string {
	if cost, err := bcrypt.Cost([]byte(hash)); err != nil || cost >= h.cost {
		return ""
	}
	select {
	case h.workers <- struct{}{}:
		defer func() { <-h.workers }()
	default:
		return ""
	}
	upgraded, err := bcrypt.GenerateFromPassword([]byte(password), h.cost)
	if err != nil { // the password is too long, but then it would not have matched
		return ""
	}
	return string(upgraded)
}

// Fault says why a text can't be a password, "" for no reason. bcrypt reads 72
// bytes of it, a NUL and the same again, and so on: "a" and "a\x00a" are one to it.
func Fault(password string) string {
	switch {
	case len(password) > maxBytes:
		return fmt.Sprintf("should be at most %d bytes long", maxBytes)
	case strings.ContainsRune(password, 0):
		return "should not contain a NUL character"
	}
	return ""
}

// CheckHash accepts no hash at all and bcrypt's ("$2b$12$" and 53 characters) of
// a cost that a sign-in can bear: each step doubles the time, 15 takes seconds.
func CheckHash(hash string) error {
	if hash == "" {
		return nil
	}
	if len(hash) == 60 && hash[:2] == "$2" && hash[3] == '$' && hash[6] == '$' {
		if cost, err := strconv.Atoi(hash[4:6]); err == nil && cost >= MinCost && cost <= MaxCost {
			return nil
		}
	}
	return fmt.Errorf("the hash is not bcrypt's with a cost from %d to %d", MinCost, MaxCost)
}
