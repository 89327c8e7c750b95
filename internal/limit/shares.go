package limit

import "sync"

// Shares are places with a limit per holder, so that one holder can't take them
// all.
type Shares struct {
	all, each int

	mu    sync.Mutex
	taken int
	by    map[int]int // by holder; only holders that have a place
}

// A Lack is the error of [Shares.Take] if there is no free place.
type Lack struct {
	Own  bool // the holder has reached its own limit
	Most int  // the limit that was reached
}

func (Lack) Error() string { return "no place is free" }

// NewShares returns all places, with a limit of each per holder.
func NewShares(all, each int) *Shares { return &Shares{all: all, each: each, by: map[int]int{}} }

// Take takes a place for the holder until leave is called. It fails with a
// [Lack].
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

// Taken returns the number of places taken.
func (s *Shares) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}
