package metrics

import (
	"sync/atomic"
	"time"
)

// bounds are the buckets of every histogram, from what a read takes to
// what no request takes but a stream of events. On the page they are seconds.
var bounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// A Histogram counts durations. The zero value is empty. Counting takes no lock
// and allocates nothing.
type Histogram struct {
	counts [len(bounds) + 1]atomic.Uint64 // each without those of the buckets before; the last is for the rest
	nanos  atomic.Int64                   // all durations together; 292 years fit
}

// Observe counts a duration.
func (h *Histogram) Observe(d time.Duration) {
	i := 0
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.nanos.Add(int64(d))
}

// used reports whether h has counted anything.
func (h *Histogram) used() bool {
	for i := range h.counts {
		if h.counts[i].Load() > 0 {
			return true
		}
	}
	return false
}
