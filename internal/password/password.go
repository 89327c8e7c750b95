// Package password hashes passwords with bcrypt, on a bounded number of
// workers. No other package imports bcrypt.
//
//	hashes := password.New(12)
//	hash, err := hashes.Hash(ctx, network, "b00k-worm")
//	…
//	err = hashes.Work(ctx, network, func() error { ok = hashes.Matches(hash, typed); return nil })
//
// The time of an answer must not show whether an account exists. Matches
// therefore takes as long without a hash as with one.
package password

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// maxBytes is the longest password. bcrypt ignores all further bytes.
const maxBytes = 72

// The range of bcrypt's cost; a hash takes 2^cost rounds. Costs below 10 are
// for tests only (OWASP Password Storage Cheat Sheet). A cost of 15 takes
// seconds per sign-in.
const (
	MinCost = bcrypt.MinCost
	MaxCost = 15
)

// Busy is the error for too many passwords at once.
type Busy struct {
	RetryAfter time.Duration // when to try again
}

func (b Busy) Error() string { return "too many passwords to hash at once" }

// A Hasher runs bcrypt on a bounded number of workers. bcrypt is slow by
// design, and a flood of sign-ins must not keep other requests waiting: see
// threads.
type Hasher struct {
	cost     int
	retry    time.Duration // in Busy: when a rejected request may try again
	Patience time.Duration // how long a request waits for a worker
	noHash   []byte        // a hash that no password matches
	maxJobs  int           // most jobs that run or wait
	workers  int           // most jobs that run

	mu      sync.Mutex // guards the fields below
	working int
	waiting int
	queues  map[netip.Prefix]*queue // waiting jobs by network; never empty
	order   []netip.Prefix          // the networks in queues, in the order of their next turn
}

// A queue is the waiting jobs of one network.
type queue struct {
	waiting []chan struct{} // closed when the job gets a worker; first come, first served
}

const (
	patience = 5 * time.Second
	maxJobs  = 1000 // jobs that run or wait; further ones are rejected at once
)

// New returns a hasher of that cost. It has a worker for each processor, or one
// less where hashes can't share the processors with other requests: see threads.
func New(cost int) *Hasher {
	if canShare() {
		return NewWith(cost, processors)
	}
	return NewWith(cost, max(1, processors-1))
}

// NewWith is New with a number of workers.
func NewWith(cost, workers int) *Hasher {
	return &Hasher{
		cost:     cost,
		Patience: patience,
		retry:    patience,
		maxJobs:  maxJobs,
		workers:  workers,
		queues:   map[netip.Prefix]*queue{},
		noHash:   unmatchable(cost),
	}
}

// Bound sets the most jobs that run or wait, and how long a job waits. Call it
// before the first job.
func (h *Hasher) Bound(jobs int, patience time.Duration) *Hasher {
	h.maxJobs, h.Patience, h.retry = jobs, patience, patience
	return h
}

// State returns the number of workers, of running jobs and of waiting jobs.
func (h *Hasher) State() (workers, working, waiting int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.workers, h.working, h.waiting
}

// Work runs f on a worker. Waiting networks take turns, so many sign-ins from
// one network don't delay the others. Within a network, jobs run in order. A
// network may have half of the queue; the zero Prefix, for the program itself,
// may have all of it. Work fails with [Busy] if no worker is free in time, or
// when ctx is done.
func (h *Hasher) Work(ctx context.Context, from netip.Prefix, f func() error) error {
	ready, ok := h.enqueue(from)
	if !ok {
		return Busy{h.retry}
	}
	timer := time.NewTimer(h.Patience)
	defer timer.Stop()
	select {
	case <-ready:
		defer h.release()
		defer h.hashing()()
		return f()
	case <-ctx.Done(): // the client is gone
	case <-timer.C:
	}
	if !h.dequeue(from, ready) { // the job has just got a worker
		h.release()
	}
	return Busy{h.retry}
}

// enqueue adds a job. ready is closed when the job has a worker, which release
// must give back.
func (h *Hasher) enqueue(from netip.Prefix) (ready chan struct{}, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ready = make(chan struct{})
	if h.working < h.workers {
		h.working++
		close(ready)
		return ready, true
	}
	q := h.queues[from]
	if h.working+h.waiting >= h.maxJobs || q != nil && from.IsValid() && len(q.waiting) >= max(1, h.maxJobs/2) {
		return nil, false
	}
	if q == nil {
		q = new(queue)
		h.queues[from] = q
		h.order = append(h.order, from)
	}
	q.waiting = append(q.waiting, ready)
	h.waiting++
	return ready, true
}

// dequeue removes a waiting job. ok is false if the job already has a worker.
func (h *Hasher) dequeue(from netip.Prefix, ready chan struct{}) (ok bool) {
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
		h.order = slices.DeleteFunc(h.order, func(n netip.Prefix) bool { return n == from })
	}
	return true
}

// release gives the worker to the next network in turn, or frees it.
func (h *Hasher) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.order) == 0 {
		h.working--
		return
	}
	from := h.order[0]
	q := h.queues[from]
	h.order = h.order[1:]
	close(q.waiting[0])
	q.waiting = q.waiting[1:]
	h.waiting--
	if len(q.waiting) > 0 {
		h.order = append(h.order, from)
	} else {
		delete(h.queues, from)
	}
}

// Hash returns the hash of a password, for storing.
func (h *Hasher) Hash(ctx context.Context, from netip.Prefix, password string) (hash string, err error) {
	err = h.Work(ctx, from, func() error {
		b, err := bcrypt.GenerateFromPassword([]byte(password), h.cost)
		hash = string(b)
		return err
	})
	return hash, err
}

// Matches reports whether password has that hash. Call it from Work. Without a
// hash ("") it returns false after the time that a hash of the configured cost
// takes. A wrong password takes that time too if the hash is weaker: Matches
// then computes further hashes. Only a hash of a higher cost takes longer, and
// so shows that its account exists, until it is replaced or the configured cost
// is raised.
func (h *Hasher) Matches(hash, password string) bool {
	against := h.noHash
	if hash != "" {
		against = []byte(hash)
	}
	// bcrypt may take an invalid password for a shorter one
	if bcrypt.CompareHashAndPassword(against, []byte(password)) == nil && hash != "" && Fault(password) == "" {
		return true
	}
	if cost, err := bcrypt.Cost(against); err == nil {
		for _, more := range padding(cost, h.cost) {
			bcrypt.CompareHashAndPassword(unmatchable(more), []byte(password))
		}
	}
	return false
}

// padding returns the costs of hashes that, together with one of cost, take as
// long as one of cost configured. Each step doubles the time: 2^10 + 2^10 +
// 2^11 = 2^12.
func padding(cost, configured int) (costs []int) {
	for ; cost < configured; cost++ {
		costs = append(costs, cost)
	}
	return costs
}

// unmatchable returns a hash of that cost that no password matches.
func unmatchable(cost int) []byte { return fmt.Appendf(nil, "$2a$%02d$%053d", cost, 0) }

// Upgrade returns a new hash of a password if the old hash has less than the
// configured cost. A sign-in is the only moment when the password is known. A
// hash of a higher cost stays, because a lower setting must not weaken stored
// hashes. Upgrade returns "" if there is nothing to do, or if no worker is
// free: a sign-in doesn't wait for an upgrade, and the next one can do it.
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
	defer h.release()
	defer h.hashing()()
	upgraded, err := bcrypt.GenerateFromPassword([]byte(password), h.cost)
	if err != nil { // the password is too long, so it can't have matched
		return ""
	}
	return string(upgraded)
}

// Fault returns why a text can't be a password, or "". bcrypt reads 72 bytes of
// the text, repeated with a NUL after it, so "a" and "a\x00a" would be equal.
func Fault(password string) string { return flawOf(password).Says }

// flawOf is Fault with its rule.
func flawOf(password string) Flaw {
	switch {
	case len(password) > maxBytes:
		return Flaw{"max_bytes", maxBytes, fmt.Sprintf("should be at most %d bytes long", maxBytes)}
	case strings.ContainsRune(password, 0):
		return Flaw{Rule: "pattern", Says: "should not contain a NUL character"}
	}
	return Flaw{}
}

// CheckHash accepts "", and bcrypt hashes ("$2b$12$" and 53 characters) of a
// cost that a sign-in can afford. Each step of cost doubles the time; 15 takes
// seconds.
func CheckHash(hash string) error {
	if hash == "" {
		return nil
	}
	if len(hash) == 60 && hash[:2] == "$2" && hash[3] == '$' && hash[6] == '$' {
		if cost, err := strconv.Atoi(hash[4:6]); err == nil && cost >= MinCost && cost <= MaxCost {
			return nil
		}
	}
	return fmt.Errorf("the hash is not a bcrypt hash with a cost from %d to %d", MinCost, MaxCost)
}
