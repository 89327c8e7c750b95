package limit

import (
	"context"
	"runtime"
	"time"
)

// Busy is the error for work that would wait too long.
type Busy struct {
	RetryAfter time.Duration // when to try again
}

func (Busy) Error() string { return "too much of this work at once" }

// A Gate limits how much heavy work runs at a time, so that requests that read
// every row don't keep all others from the processors. Further work waits.
type Gate struct {
	all, places chan struct{}
}

const (
	maxWaiting  = 100             // most calls that wait
	longestWait = 2 * time.Second // longest wait
)

// NewGate returns a gate for n heavy calls at a time. With 0 it leaves one
// processor for light calls.
func NewGate(n int) *Gate {
	if n == 0 {
		n = max(1, runtime.GOMAXPROCS(0)-1)
	}
	return &Gate{make(chan struct{}, n+maxWaiting), make(chan struct{}, n)}
}

// Do calls f. If heavy is set, Do first waits for a place. It fails with [Busy]
// if no place is free in time, or when ctx is done.
func (g *Gate) Do(ctx context.Context, heavy bool, f func()) error {
	if !heavy {
		f()
		return nil
	}
	select {
	case g.all <- struct{}{}:
		defer func() { <-g.all }()
	default:
		return Busy{longestWait}
	}
	timer := time.NewTimer(longestWait)
	defer timer.Stop()
	select {
	case g.places <- struct{}{}:
		defer func() { <-g.places }()
		f()
		return nil
	case <-ctx.Done(): // the client is gone
	case <-timer.C:
	}
	return Busy{longestWait}
}
