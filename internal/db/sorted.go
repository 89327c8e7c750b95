package db

import (
	"cmp"
	"iter"
	"math"
	"slices"
)

// A sorted keeps rows in the order of their ids. Ids mostly grow, so a row
// mostly goes to the end; to find, insert or remove one costs O(log n), and to
// read k of them in order O(log n + k). The zero value is empty.
//
// It is a list of runs rather than one slice, because taking a row out of a
// slice moves all that follow.
type sorted[R any] struct {
	runs []chunk[R]
	n    int
}

// runLength is the most rows in a run: removing one moves no more than that.
const runLength = 512

// A chunk is one run. Its ids differ in their lower 32 bits only, so that each
// takes up four bytes: there are three to every item.
type chunk[R any] struct {
	from int      // not above the ids here, and above those of the run before
	low  []uint32 // ascending; never empty
	rows []R
}

// id is the id of row i.
func (c *chunk[R]) id(i int) int { return high(c.from)<<32 | int(c.low[i]) }

// high is what all ids of a run have in common.
func high(id int) int { return id >> 32 }

// find returns the run in which id is or would be, -1 for before all others, and
// its place there.
func (s *sorted[R]) find(id int) (r, i int, found bool) {
	r = len(s.runs) - 1 // most often, as ids grow
	if r >= 0 && id < s.runs[r].from {
		r, found = slices.BinarySearchFunc(s.runs, id, func(c chunk[R], id int) int { return cmp.Compare(c.from, id) })
		if !found {
			r--
		}
	}
	if r < 0 {
		return r, 0, false
	}
	at := &s.runs[r]
	if i = id - at.from; i < len(at.low) && at.low[i] == uint32(id) { // most often, as few ids are missing
		return r, i, true
	}
	if n := len(at.low); id > at.id(n-1) {
		return r, n, false
	}
	i, found = slices.BinarySearch(at.low, uint32(id))
	return r, i, found
}

func (s *sorted[R]) len() int { return s.n }

func (s *sorted[R]) get(id int) (row R, ok bool) {
	r, i, found := s.find(id)
	if !found {
		return row, false
	}
	return s.runs[r].rows[i], true
}

// put adds row, or puts it in the place of the one with the same id.
func (s *sorted[R]) put(id int, row R) {
	r, i, found := s.find(id)
	if found {
		s.runs[r].rows[i] = row
		return
	}
	s.n++
	if r < 0 && len(s.runs) > 0 && high(s.runs[0].from) == high(id) {
		r, s.runs[0].from = 0, id
	}
	if r < 0 || high(s.runs[r].from) != high(id) || i == runLength && r == len(s.runs)-1 {
		r, i = r+1, 0
		s.runs = slices.Insert(s.runs, r, chunk[R]{from: id})
	}
	at := &s.runs[r]
	at.low = slices.Insert(at.low, i, uint32(id))
	at.rows = slices.Insert(at.rows, i, row)
	if n := len(at.low); n > runLength {
		upper := chunk[R]{at.id(n / 2), slices.Clone(at.low[n/2:]), slices.Clone(at.rows[n/2:])}
		clear(at.rows[n/2:])
		at.low, at.rows = at.low[:n/2], at.rows[:n/2]
		s.runs = slices.Insert(s.runs, r+1, upper)
	}
}

func (s *sorted[R]) remove(id int) {
	r, i, found := s.find(id)
	if !found {
		return
	}
	s.n--
	at := &s.runs[r]
	at.low = slices.Delete(at.low, i, i+1)
	at.rows = slices.Delete(at.rows, i, i+1)
	if len(at.low) == 0 {
		s.runs = slices.Delete(s.runs, r, r+1)
	}
}

// above is the run and the place in it from which on ids are above id.
func (s *sorted[R]) above(id int) (r, i int) {
	r, i, found := s.find(id)
	if found {
		i++
	}
	return max(r, 0), i
}

// after yields the rows with an id above id, in order, with their ids.
func (s *sorted[R]) after(id int) iter.Seq2[int, R] {
	return func(yield func(int, R) bool) {
		for r, i := s.above(id); r < len(s.runs); r, i = r+1, 0 {
			for at := &s.runs[r]; i < len(at.low); i++ {
				if !yield(at.id(i), at.rows[i]) {
					return
				}
			}
		}
	}
}

// before yields the rows with an id below id, the highest first, with their ids.
func (s *sorted[R]) before(id int) iter.Seq2[int, R] {
	return func(yield func(int, R) bool) {
		for r, i, _ := s.find(id); r >= 0; r-- {
			for at := &s.runs[r]; i > 0; i-- {
				if !yield(at.id(i-1), at.rows[i-1]) {
					return
				}
			}
			if r > 0 {
				i = len(s.runs[r-1].low)
			}
		}
	}
}

// A Range is the part of a table that a list needs: the first Max rows that come
// after an id, in the order of ids.
type Range struct {
	Desc bool // from the highest id down
	From int  // the id itself is not in the range; 0 for all rows
	Max  int  // 0 for no limit
}

// Has reports whether id is in p, leaving Max aside.
func (p Range) Has(id int) bool {
	return p.From == 0 || !p.Desc && id > p.From || p.Desc && id < p.From
}

// in yields the rows of p, with their ids.
func (s *sorted[R]) in(p Range) iter.Seq2[int, R] {
	rows := s.after(p.From)
	switch {
	case p.Desc && p.From == 0:
		rows = s.before(math.MaxInt)
	case p.Desc:
		rows = s.before(p.From)
	}
	return func(yield func(int, R) bool) {
		n := 0
		for id, row := range rows {
			if n == p.Max && p.Max > 0 || !yield(id, row) {
				return
			}
			n++
		}
	}
}

// size is how many rows p has at most.
func (s *sorted[R]) size(p Range) int {
	if p.Max == 0 {
		return s.n
	}
	return min(p.Max, s.n)
}

// list returns the rows of p, in a slice of their own.
func (s *sorted[R]) list(p Range) []R {
	rows := make([]R, 0, s.size(p))
	if p.Desc {
		for _, row := range s.in(p) {
			rows = append(rows, row)
		}
		return rows
	}
	for r, i := s.above(p.From); r < len(s.runs) && len(rows) < cap(rows); r, i = r+1, 0 {
		rest := s.runs[r].rows[i:]
		rows = append(rows, rest[:min(len(rest), cap(rows)-len(rows))]...)
	}
	return rows
}

// all returns the rows in order, in a slice of their own.
func (s *sorted[R]) all() []R { return s.list(Range{}) }

// ids returns the ids in order, in a slice of their own.
func (s *sorted[R]) ids() []int {
	ids := make([]int, 0, s.n)
	for id := range s.after(math.MinInt) {
		ids = append(ids, id)
	}
	return ids
}
