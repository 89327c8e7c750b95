package metrics

import (
	"slices"
	"sync/atomic"
)

// Counters are counters by kind. Counting takes no lock.
type Counters struct {
	kinds  []string
	counts []atomic.Uint64
}

// NewCounters returns counters for these kinds. No others can be added.
func NewCounters(kinds ...string) *Counters {
	return &Counters{kinds, make([]atomic.Uint64, len(kinds))}
}

// Add adds one to the counter of kind.
func (c *Counters) Add(kind string) { c.counts[slices.Index(c.kinds, kind)].Add(1) }

// Values writes a sample for each kind, with the kind as the value of label.
func (c *Counters) Values(p *Page, label string) {
	for i, kind := range c.kinds {
		p.Value(float64(c.counts[i].Load()), label, kind)
	}
}

// OneIf returns 1 for true and 0 for false.
func OneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
