package etcd

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"example.com/shelf/internal/clock"
)

const (
	// clockLeeway is how far two clocks may differ: as far as the times in a token
	// may be off at another replica.
	clockLeeway = 10 * time.Second
	// clockMemory is how long a difference counts after it was seen.
	clockMemory = time.Minute
)

// clocks know how far the clocks of others are from the clock of this machine: those of
// the members, who date their answers, and those of the replicas, who date their
// batches.
type clocks struct {
	now func() time.Time // the clock by which this replica dates its batches
	log *slog.Logger

	mu     sync.Mutex
	others map[string]difference
	warned bool
	head   int64     // what follows on this line …
	at     time.Time // … came after this time
}

// A difference is how far another clock is ahead, below 0 if it is behind.
type difference struct {
	by   time.Duration
	seen time.Time
}

// answered takes the Date of an answer, which has seconds only.
func (c *clocks) answered(member, date string, sent time.Time) {
	at, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", date)
	if err != nil {
		return // without a date, or by a proxy
	}
	c.saw("the member "+member, between(at, at.Add(time.Second), sent, clock.Real()))
}

// between is how far a clock that showed a time from first to last is ahead of a clock
// that showed a time from least to most.
func between(first, last, least, most time.Time) time.Duration {
	switch {
	case first.After(most):
		return first.Sub(most)
	case last.Before(least):
		return last.Sub(least)
	}
	return 0
}

// ended notes that nothing followed on line number head at that time.
func (c *clocks) ended(head int64, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if head >= c.head {
		c.head, c.at = head, at
	}
}

// read takes a batch of another replica that this one reads for the first time. The
// batch was dated before it was sent, and may have been sent for a while.
func (c *clocks) read(e entry) {
	at, ok := e.time()
	if !ok {
		return
	}
	now := c.now()
	least := time.Time{}
	c.mu.Lock()
	if c.head > 0 && e.batch.Records[0].Seq > c.head {
		least = c.at.Add(-patience)
	}
	c.mu.Unlock()
	name, _, _ := strings.Cut(e.batch.ID, "-")
	c.saw("replica "+name, between(at, at, least, now))
}

// saw notes a difference. It warns once, until all clocks agree again.
func (c *clocks) saw(other string, by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.others == nil {
		c.others = map[string]difference{}
	}
	c.others[other] = difference{by, clock.Real()}
	largest := c.largestLocked()
	switch {
	case largest > clockLeeway && !c.warned:
		c.warned = true
		how := "ahead of"
		if by < 0 {
			how = "behind"
		}
		c.log.Warn(fmt.Sprintf("the clock of %s is %v %s the clock of this machine: set both by NTP, or replicas refuse each other's tokens", other, by.Abs().Round(time.Second), how))
	case largest < clockLeeway/2:
		c.warned = false
	}
}

// largestLocked is the largest difference that was seen lately.
func (c *clocks) largestLocked() (largest time.Duration) {
	for name, d := range c.others {
		if clock.Since(d.seen) > clockMemory {
			delete(c.others, name)
			continue
		}
		largest = max(largest, d.by.Abs())
	}
	return largest
}

func (c *clocks) largest() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.largestLocked()
}
