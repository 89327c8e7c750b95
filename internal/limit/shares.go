package limit

import "sync"

// Shares are places of which one holder may have a part only, so that no holder can
// keep all others out.
type Shares struct {
	all, each int

	mu    sync.Mutex
	taken int
	by    map[int]int // by holder; one without any is not in it
}

// A Lack is the error of [Shares.Take] for a place that can't be had.
type Lack struct {
	Own  bool // the holder has as many as one may have
	Most int  // how many that is, or how many there are in all
}

func (Lack) Error() string { return "no place is free" }

// NewShares makes places, of which one holder may have each.
func NewShares(all, each int) *Shares { return &Shares{all: all, each: each, by: map[int]int{}} }

// Take takes a place for the holder, until leave is called. It fails with [Lack].
func (s *Shares) Take(holder int) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.by[holder] >= s.each:
		return nil, Lack{Own: true, Most: s.each}
	case s.taken >= s.all:
		return nil, Lack{Most: s.all}
	}
	s.taken++
	s.by[holder]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.taken--
		if s.by[holder]--; s.by[holder] == 0 {
			delete(s.by, holder)
		}
	}, nil
}

// Taken is how many places are taken.
func (s *Shares) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}
