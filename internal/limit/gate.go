package limit

import (
	"context"
	"runtime"
	"time"
)

// Busy is the refusal of work that would have to wait for too long.
type Busy struct {
	RetryAfter time.Duration // when it may pay to come again
}

func (Busy) Error() string { return "too much of this work at once" }

// A Gate lets so much work be done at a time, and the rest wait: what looks at
// every row must not keep everybody else from the processors.
type Gate struct {
	line, places chan struct{}
}

const (
	gateLine = 100             // how much may be done or wait
	gateWait = 2 * time.Second // and for how long
)

// NewGate makes a gate for n at a time. 0 leaves one processor to the others.
func NewGate(n int) *Gate {
	if n == 0 {
		n = max(1, runtime.GOMAXPROCS(0)-1)
	}
	return &Gate{make(chan struct{}, n+gateLine), make(chan struct{}, n)}
}

// Do calls f: when there is a place, if it is heavy, and else at once. It fails
// with [Busy] if none is free in time, and when ctx is done before.
func (g *Gate) Do(ctx context.Context, heavy bool, f func()) error {
	if !heavy {
		f()
		return nil
	}
	select {
	case g.line <- struct{}{}:
		defer func() { <-g.line }()
	default:
		return Busy{gateWait}
	}
	timer := time.NewTimer(gateWait)
	defer timer.Stop()
	select {
	case g.places <- struct{}{}:
		defer func() { <-g.places }()
		f()
		return nil
	case <-ctx.Done(): // nobody is there to read the answer
	case <-timer.C:
	}
	return Busy{gateWait}
}
