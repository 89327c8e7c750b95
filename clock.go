package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// This file alone asks the machine what time it is. Everything else is given
// the time, so that a test or a lab can say what it is.

// realNow is the machine's time, which nobody bends: for the deadlines of
// connections, for metrics, and for the commands, which serve nobody.
func realNow() time.Time { return time.Now() }

// sinceReal is how long ago start, a realNow, was; whether the machine's clock was
// set meanwhile doesn't matter.
func sinceReal(start time.Time) time.Duration { return time.Since(start) }

// A clock is what the whole server goes by: when a token expires, how long to
// wait after a wrong password, when an item was made. The zero clock shows the
// machine's time until it is changed. All methods may be called at any time
// from any goroutine.
type clock struct {
	bent     atomic.Pointer[bend] // nil: the machine's time
	changing sync.Mutex           // held by who changes bent
}

// A bend is how a clock differs from the machine's. It never changes itself.
type bend struct {
	offset time.Duration // of a clock that runs: how far it is ahead
	frozen time.Time     // where the clock stands still; zero: it runs
}

// The times that a clock can be set to. A time.Duration, which an offset is,
// holds 292 years.
var (
	clockFirst = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	clockLast  = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

func (b *bend) now() time.Time {
	switch {
	case b == nil:
		return realNow()
	case b.frozen.IsZero():
		return realNow().Add(b.offset)
	}
	return b.frozen
}

// now is the time by c, for one atomic load more than the machine's costs.
func (c *clock) now() time.Time { return c.bent.Load().now() }

// isFrozen reports whether c stands still.
func (c *clock) isFrozen() bool {
	b := c.bent.Load()
	return b != nil && !b.frozen.IsZero()
}

// change sets c to the time that to makes of its time, and from there lets it
// run or has it stand still, as to says. It fails, and leaves c alone, for a
// time before clockFirst or after clockLast.
func (c *clock) change(to func(now time.Time, frozen bool) (time.Time, bool)) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	at, frozen := to(c.now(), c.isFrozen())
	if at.Before(clockFirst) || at.After(clockLast) {
		return fmt.Errorf("the clock goes from %s to %s", clockFirst.Format(time.RFC3339), clockLast.Format(time.RFC3339))
	}
	b := &bend{offset: at.Sub(realNow())}
	if frozen {
		b.frozen = at
	}
	c.bent.Store(b)
	return nil
}

// reset has c show the machine's time again.
func (c *clock) reset() {
	c.changing.Lock()
	defer c.changing.Unlock()
	c.bent.Store(nil)
}
