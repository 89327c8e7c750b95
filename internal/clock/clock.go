// Package clock tells the time. It is the only package that asks the machine
// for it. Everything else is given the time, so that a test or a lab can say
// what it is: the server goes by a [Clock], which can be set, frozen and put
// back. Deadlines of connections, metrics and commands go by [Real].
package clock

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Real is the machine's time, which nobody bends: for the deadlines of
// connections, for metrics, and for the commands, which serve nobody.
func Real() time.Time { return time.Now() }

// Since is how long ago start, a Real, was; whether the machine's clock was
// set meanwhile doesn't matter.
func Since(start time.Time) time.Duration { return time.Since(start) }

// A Clock is what the whole server goes by: when a token expires, how long to
// wait after a wrong password, when an item was made. The zero clock shows the
// machine's time until it is changed. All methods may be called at any time
// from any goroutine.
type Clock struct {
	offset   atomic.Pointer[offset] // nil: the machine's time
	changing sync.Mutex             // held by who changes offset
}

// An offset is how a clock differs from the machine's. It never changes itself.
type offset struct {
	ahead  time.Duration // of a clock that runs: how far it is ahead
	frozen time.Time     // where the clock stands still; zero: it runs
}

// The times that a clock can be set to. A time.Duration, which an offset is,
// holds 292 years.
var (
	First = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	Last  = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

func (o *offset) now() time.Time {
	switch {
	case o == nil:
		return Real()
	case o.frozen.IsZero():
		return Real().Add(o.ahead)
	}
	return o.frozen
}

// Now is the time by c, for one atomic load more than the machine's costs.
func (c *Clock) Now() time.Time { return c.offset.Load().now() }

// IsFrozen reports whether c stands still.
func (c *Clock) IsFrozen() bool {
	o := c.offset.Load()
	return o != nil && !o.frozen.IsZero()
}

// Change sets c to the time that to makes of its time, and from there lets it
// run or has it stand still, as to says. It fails, and leaves c alone, for a
// time before First or after Last.
func (c *Clock) Change(to func(now time.Time, frozen bool) (time.Time, bool)) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	at, frozen := to(c.Now(), c.IsFrozen())
	if at.Before(First) || at.After(Last) {
		return fmt.Errorf("the clock goes from %s to %s", First.Format(time.RFC3339), Last.Format(time.RFC3339))
	}
	o := &offset{ahead: at.Sub(Real())}
	if frozen {
		o.frozen = at
	}
	c.offset.Store(o)
	return nil
}

// Reset has c show the machine's time again.
func (c *Clock) Reset() {
	c.changing.Lock()
	defer c.changing.Unlock()
	c.offset.Store(nil)
}
