// Package password hashes passwords with bcrypt, on a bounded number of workers.
// It is the only one that imports bcrypt.
//
//	hashes := password.New(12)
//	hash, err := hashes.Hash(ctx, network, "b00k-worm")
//	…
//	err = hashes.Work(ctx, network, func() error { ok = hashes.Matches(hash, typed); return nil })
//
// Whoever asks for an account that doesn't exist must learn nothing from the time
// of the answer: Matches takes as long for no hash as for one.
package password

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
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
	nobody   []byte        // a hash that no password has
	line     int           // how many may work or wait
	workers  int           // how many may work

	mu      sync.Mutex // guards what follows
	working int
	waiting int
	queues  map[netip.Prefix]*queue // of those from one network, none of which is empty
	turns   []netip.Prefix          // the keys of queues, in the order in which they are served
}

// A queue is those from one network who are in the line.
type queue struct {
	waiting []chan struct{} // closed when there is a worker; who came first is first
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
		line:     lineLength,
		workers:  workers,
		queues:   map[netip.Prefix]*queue{},
		nobody:   nobodys(cost),
	}
}

// Bound sets how many may work or wait at a time, and how long one waits. Call it
// before the Hasher is used.
func (h *Hasher) Bound(line int, patience time.Duration) *Hasher {
	h.line, h.Patience, h.retry = line, patience, patience
	return h
}

// State is how many workers there are, how many of them work, and how many wait
// for one.
func (h *Hasher) State() (workers, working, waiting int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.workers, h.working, h.waiting
}

// Work runs f on a worker. Networks take turns, so that many sign-ins from one
// delay nobody else's; of those from one network, who came first is served first.
// One network may have half of the line, but for the zero Prefix, which stands for
// the program itself. Work fails with [Busy] if no worker is free in time, and leaves the line when ctx is done.
func (h *Hasher) Work(ctx context.Context, from netip.Prefix, f func() error) error {
	ready, ok := h.enter(from)
	if !ok {
		return Busy{h.retry}
	}
	timer := time.NewTimer(h.Patience)
	defer timer.Stop()
	select {
	case <-ready:
		defer h.next()
		return f()
	case <-ctx.Done(): // nobody is there to read the answer
	case <-timer.C:
	}
	if !h.leave(from, ready) { // a worker became free just now
		h.next()
	}
	return Busy{h.retry}
}

// enter joins the line. ready is closed when there is a worker, which is to be
// given back by next.
func (h *Hasher) enter(from netip.Prefix) (ready chan struct{}, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ready = make(chan struct{})
	if h.working < h.workers {
		h.working++
		close(ready)
		return ready, true
	}
	q := h.queues[from]
	if h.working+h.waiting >= h.line || q != nil && from.IsValid() && len(q.waiting) >= max(1, h.line/2) {
		return nil, false
	}
	if q == nil {
		q = new(queue)
		h.queues[from] = q
		h.turns = append(h.turns, from)
	}
	q.waiting = append(q.waiting, ready)
	h.waiting++
	return ready, true
}

// leave takes one out of the line, unless it has a worker.
func (h *Hasher) leave(from netip.Prefix, ready chan struct{}) (ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.queues[from]
	if q == nil {
		return false
	}
	i := slices.Index(q.waiting, ready)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	h.waiting--
	if len(q.waiting) == 0 {
		delete(h.queues, from)
		h.turns = slices.DeleteFunc(h.turns, func(n netip.Prefix) bool { return n == from })
	}
	return true
}

// next gives a worker to the network whose turn it is, or back.
func (h *Hasher) next() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.turns) == 0 {
		h.working--
		return
	}
	from := h.turns[0]
	q := h.queues[from]
	h.turns = h.turns[1:]
	close(q.waiting[0])
	q.waiting = q.waiting[1:]
	h.waiting--
	if len(q.waiting) > 0 {
		h.turns = append(h.turns, from)
	} else {
		delete(h.queues, from)
	}
}

// Hash makes the hash of a password that is stored.
func (h *Hasher) Hash(ctx context.Context, from netip.Prefix, password string) (hash string, err error) {
	err = h.Work(ctx, from, func() error {
		b, err := bcrypt.GenerateFromPassword([]byte(password), h.cost)
		hash = string(b)
		return err
	})
	return hash, err
}

// Matches reports whether hash is password's; it is for a worker to call. For no
// hash, "", it takes the time that a hash of the configured cost takes, and says
// no. A wrong password takes as long where the hash is weaker than that: other
// hashes make up the difference. A hash that cost more takes longer, and so tells
// that its account exists, until a new password or a higher cost ends that.
func (h *Hasher) Matches(hash, password string) bool {
	against := h.nobody
	if hash != "" {
		against = []byte(hash)
	}
	// What bcrypt can't tell apart from a shorter password is no match.
	if bcrypt.CompareHashAndPassword(against, []byte(password)) == nil && hash != "" && Fault(password) == "" {
		return true
	}
	if cost, err := bcrypt.Cost(against); err == nil {
		for _, more := range padding(cost, h.cost) {
			bcrypt.CompareHashAndPassword(nobodys(more), []byte(password))
		}
	}
	return false
}

// padding are the costs of hashes that together with one of the given cost take
// as long as one of a higher cost. Each step doubles the time:
// 2^10 + 2^10 + 2^11 = 2^12.
func padding(cost, configured int) (costs []int) {
	for ; cost < configured; cost++ {
		costs = append(costs, cost)
	}
	return costs
}

// nobodys is a hash of that cost which no password has.
func nobodys(cost int) []byte { return fmt.Appendf(nil, "$2a$%02d$%053d", cost, 0) }

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
	h.mu.Lock()
	free := h.working < h.workers
	if free {
		h.working++
	}
	h.mu.Unlock()
	if !free {
		return ""
	}
	defer h.next()
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
