package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A run is some time of traffic, the faults meanwhile, and the judgement.
type run struct {
	o         *options
	cluster   *cluster // nil when a script runs one
	targets   []*target
	ctx       context.Context // ends the traffic
	faultless chan struct{}   // closed when no fault may begin any more
	enough    chan struct{}   // closed when the traffic may end before its time

	quiet bool // a broken promise is no news

	history history
	current atomic.Pointer[subject] // the item that all clients share now
	ledger  ledger
	streams []*stream
	hangUp  context.CancelFunc // ends the streams

	mu      sync.Mutex
	faults  []string       // broken promises
	kinds   map[string]int // of faults that were made
	answers map[int]int    // by status
	slowest map[string]time.Duration
	oks     map[string]int           // answers with success, by target
	gaps    map[string]time.Duration // without any success, by kind of request
	success map[string]time.Time     // the last one, by kind
}

func newRun(ctx context.Context, o *options, c *cluster, targets []*target) *run {
	return &run{
		o: o, cluster: c, targets: targets, ctx: ctx, faultless: make(chan struct{}), enough: make(chan struct{}),
		history: history{began: time.Now()}, ledger: newLedger(),
		kinds: map[string]int{}, answers: map[int]int{}, slowest: map[string]time.Duration{}, oks: map[string]int{},
		gaps: map[string]time.Duration{}, success: map[string]time.Time{},
	}
}

// targets are one for each replica.
func (c *cluster) targets() (all []*target) {
	for _, r := range c.replicas {
		all = append(all, newTarget(r.name, r.url, r.process))
	}
	return all
}

// maxFaults is how many broken promises are kept: one cause may break many.
const maxFaults = 40

// fault notes a broken promise.
func (r *run) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.faults) < maxFaults {
		text := fmt.Sprintf("after %.1f s: ", time.Since(r.history.began).Seconds()) + fmt.Sprintf(format, args...)
		r.faults = append(r.faults, text)
		if !r.quiet {
			fmt.Println("BROKEN", text)
		}
	}
}

func (r *run) faulty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.faults) > 0
}

// note counts a fault that is made.
func (r *run) note(f fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kinds[f.kind]++
	if r.o.verbose {
		fmt.Printf("%6.1f s  %s\n", time.Since(r.history.began).Seconds(), f.what)
	}
}

// count counts an answer, and how long it took if its replica was left alone.
func (r *run) count(a answer, began time.Time) {
	took := time.Since(began)
	kind := "write"
	if strings.HasPrefix(a.request, "GET ") {
		kind = "read"
	}
	calm := true
	if p := a.from.p; p != nil {
		p.mu.Lock()
		calm = p.cmd != nil && p.calm.Before(began)
		p.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[a.status]++
	if a.status >= 200 && a.status < 300 {
		r.oks[a.from.name]++
		now := time.Now()
		if before := r.success[kind]; !before.IsZero() && r.ctx.Err() == nil {
			r.gaps[kind] = max(r.gaps[kind], now.Sub(before))
		}
		r.success[kind] = now
	}
	if calm && r.ctx.Err() == nil {
		r.slowest[kind] = max(r.slowest[kind], took)
	}
}

// traffic has all clients at work for a while, with what breaks beside them, and then
// lets them end in quiet.
func (r *run) traffic(long time.Duration, breaking ...func()) error {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	r.ctx = ctx
	admin := r.newCaller(0)
	a, err := admin.insist("POST /api/v1/auth/signup", "", account("events@example.com"))
	if err != nil {
		return err
	}
	follower, ok := first[session](a)
	if !ok {
		return fmt.Errorf("the first sign-up: %v", a)
	}
	r.follow(follower.Access)
	var clients, breakers sync.WaitGroup
	for number, work := range r.clients() {
		c := r.newCaller(number + 1)
		clients.Go(func() { work(c) })
	}
	for _, f := range breaking {
		breakers.Go(f)
	}
	select {
	case <-time.After(long):
	case <-r.enough:
	case <-ctx.Done():
	}
	close(r.faultless)
	breakers.Wait()
	if r.cluster != nil {
		if err := r.cluster.awaitReplicas(ctx); err != nil {
			r.fault("it does not go on by itself: %v", err)
		}
	}
	admin.pause(2 * time.Second) // of quiet, for those who still wait
	cancel()
	clients.Wait()
	r.ctx = context.Background()
	return nil
}

// clients are the workers, one function each.
func (r *run) clients() (all []func(*caller)) {
	all = append(all, (*caller).changeSubjects)
	for range r.o.clients {
		all = append(all, (*caller).useRegister)
	}
	return append(all,
		(*caller).raceForEmails,
		(*caller).raceForTitles,
		(*caller).logOut, (*caller).logOut,
		(*caller).keepItems, (*caller).keepItems,
	)
}

// report prints what the run was, and returns an error if a promise was broken.
func (r *run) report() error {
	r.hangUp()
	began := time.Now()
	illegal := r.history.judge(r.o.dir)
	judged := time.Since(began)
	for _, text := range illegal {
		r.fault("%s", text)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	verdict := "linearizable"
	if len(illegal) > 0 {
		verdict = "ILLEGAL"
	}
	var kinds []string
	sum := 0
	for _, kind := range slices.Sorted(maps.Keys(r.kinds)) {
		kinds, sum = append(kinds, fmt.Sprintf("%d %s", r.kinds[kind], kind)), sum+r.kinds[kind]
	}
	fmt.Printf("faults made: %d (%s)\n", sum, strings.Join(kinds, ", "))
	fmt.Printf("answers by status (0: none): %v; with success: %v\n", r.answers, r.oks)
	fmt.Printf("slowest answer of a replica that was left alone: read %.1f s, write %.1f s\n",
		r.slowest["read"].Seconds(), r.slowest["write"].Seconds())
	fmt.Printf("longest time in which no client had success: read %.1f s, write %.1f s\n", r.gaps["read"].Seconds(), r.gaps["write"].Seconds())
	fmt.Printf("history: %d operations on %d items, %d of unknown outcome: %s (judged in %.1f s)\n",
		len(r.history.ops), len(register.Partition(r.history.ops)), r.history.unknown, verdict, judged.Seconds())
	fmt.Println(&r.ledger)
	if len(r.faults) > 0 {
		return fmt.Errorf("%d promises broken; -seed %d has the same faults and choices again", len(r.faults), r.o.seed)
	}
	return nil
}
