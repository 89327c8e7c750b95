// Package clock is the only package that reads the machine's time. The server
// uses a [Clock], which a test or a lab can set, freeze and reset. Deadlines of
// connections, metrics and commands use [Real].
package clock

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Real returns the machine's time. It is for deadlines of connections, for
// metrics, and for commands, which a changed [Clock] must not affect.
func Real() time.Time { return time.Now() }

// Since returns the time since start, a result of Real. Setting the machine's
// clock meanwhile doesn't affect it.
func Since(start time.Time) time.Duration { return time.Since(start) }

// A Clock is the time of the whole server: the expiry of tokens, the wait after
// a wrong password, the creation time of an item. The zero Clock shows the
// machine's time until it is changed. Any goroutine may call any method at any
// time.
type Clock struct {
	offset   atomic.Pointer[offset] // nil: the machine's time
	changing sync.Mutex             // held while offset is changed
}

// An offset is the difference between a clock and the machine's time. It is
// immutable.
type offset struct {
	ahead  time.Duration // how far a running clock is ahead
	frozen time.Time     // the time of a stopped clock; zero: it runs
}

// The range of a clock. A time.Duration, and so an offset, can hold 292 years.
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

// Now returns the time of c. It costs one atomic load more than time.Now.
func (c *Clock) Now() time.Time { return c.offset.Load().now() }

// IsFrozen reports whether c is stopped.
func (c *Clock) IsFrozen() bool {
	o := c.offset.Load()
	return o != nil && !o.frozen.IsZero()
}

// Change sets c. to gets the time of c and whether c is frozen, and returns the
// new values. Change fails, and changes nothing, if the new time is before
// First or after Last.
func (c *Clock) Change(to func(now time.Time, frozen bool) (time.Time, bool)) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	at, frozen := to(c.Now(), c.IsFrozen())
	if at.Before(First) || at.After(Last) {
		return fmt.Errorf("the clock can show times from %s to %s", First.Format(time.RFC3339), Last.Format(time.RFC3339))
	}
	o := &offset{ahead: at.Sub(Real())}
	if frozen {
		o.frozen = at
	}
	c.offset.Store(o)
	return nil
}

// Reset makes c show the machine's time again.
func (c *Clock) Reset() {
	c.changing.Lock()
	defer c.changing.Unlock()
	c.offset.Store(nil)
}
