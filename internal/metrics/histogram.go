package metrics

import (
	"sync/atomic"
	"time"
)

// bounds are the upper bounds of the buckets of every histogram, from a fast
// read to the slowest request. Only event streams take longer. The page shows
// them in seconds.
var bounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// A Histogram counts durations. The zero value is empty. Counting takes no lock
// and allocates nothing.
type Histogram struct {
	counts [len(bounds) + 1]atomic.Uint64 // per bucket, not cumulative; the last has no bound
	nanos  atomic.Int64                   // sum of all durations; enough for 292 years
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
