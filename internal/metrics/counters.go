package metrics

import (
	"slices"
	"sync/atomic"
)

// Counters count things of a few kinds. To count takes no lock.
type Counters struct {
	kinds  []string
	counts []atomic.Uint64
}

// NewCounters makes counters for these kinds, which is all that there will be.
func NewCounters(kinds ...string) *Counters {
	return &Counters{kinds, make([]atomic.Uint64, len(kinds))}
}

// Add counts one more of a kind.
func (c *Counters) Add(kind string) { c.counts[slices.Index(c.kinds, kind)].Add(1) }

// Values writes a sample for each kind, under the label's name.
func (c *Counters) Values(p *Page, label string) {
	for i, kind := range c.kinds {
		p.Value(float64(c.counts[i].Load()), label, kind)
	}
}

// OneIf is 1 for what is true, else 0.
func OneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
