package main

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
	runs []*chunk[R]
	n    int
}

// runLength is the most rows in a run: removing one moves no more than that.
const runLength = 512

type chunk[R any] struct {
	ids  []int // ascending; never empty
	rows []R
}

// find returns the run in which id is or would be, and its place there.
func (s *sorted[R]) find(id int) (r, i int, found bool) {
	if n := len(s.runs); n > 0 && id > s.runs[n-1].ids[len(s.runs[n-1].ids)-1] {
		return n, 0, false // most often, as ids grow
	}
	r, _ = slices.BinarySearchFunc(s.runs, id, func(run *chunk[R], id int) int {
		return cmp.Compare(run.ids[len(run.ids)-1], id)
	})
	if r == len(s.runs) {
		return r, 0, false
	}
	i, found = slices.BinarySearch(s.runs[r].ids, id)
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
	if r == len(s.runs) { // behind all others
		if r == 0 || len(s.runs[r-1].ids) == runLength {
			s.runs = append(s.runs, &chunk[R]{})
		} else {
			r--
		}
		i = len(s.runs[r].ids)
	}
	at := s.runs[r]
	at.ids = slices.Insert(at.ids, i, id)
	at.rows = slices.Insert(at.rows, i, row)
	if n := len(at.ids); n > runLength {
		s.runs = slices.Insert(s.runs, r+1, &chunk[R]{slices.Clone(at.ids[n/2:]), slices.Clone(at.rows[n/2:])})
		clear(at.rows[n/2:])
		at.ids, at.rows = at.ids[:n/2], at.rows[:n/2]
	}
}

func (s *sorted[R]) remove(id int) {
	r, i, found := s.find(id)
	if !found {
		return
	}
	s.n--
	at := s.runs[r]
	at.ids = slices.Delete(at.ids, i, i+1)
	at.rows = slices.Delete(at.rows, i, i+1)
	if len(at.ids) == 0 {
		s.runs = slices.Delete(s.runs, r, r+1)
	}
}

// after yields the rows with an id above id, in order.
func (s *sorted[R]) after(id int) iter.Seq[R] {
	return func(yield func(R) bool) {
		r, i, found := s.find(id)
		if found {
			i++
		}
		for ; r < len(s.runs); r, i = r+1, 0 {
			for _, row := range s.runs[r].rows[i:] {
				if !yield(row) {
					return
				}
			}
		}
	}
}

// before yields the rows with an id below id, the highest first.
func (s *sorted[R]) before(id int) iter.Seq[R] {
	return func(yield func(R) bool) {
		for r, i, _ := s.find(id); r >= 0; r-- {
			if r < len(s.runs) {
				for _, row := range slices.Backward(s.runs[r].rows[:i]) {
					if !yield(row) {
						return
					}
				}
			}
			if r > 0 {
				i = len(s.runs[r-1].rows)
			}
		}
	}
}

// A stretch is the rows of a sorted that a list may need: the first max that come
// after an id.
type stretch struct {
	desc bool // from the highest id down
	from int  // the id itself is not in it; 0 for all rows
	max  int  // 0 for no limit
}

// stretch returns the rows of p, in a slice of their own.
func (s *sorted[R]) stretch(p stretch) []R {
	if p.max == 0 {
		p.max = s.n
	}
	rows := make([]R, 0, min(p.max, s.n))
	in := s.after(p.from)
	switch {
	case p.desc && p.from == 0:
		in = s.before(math.MaxInt)
	case p.desc:
		in = s.before(p.from)
	}
	for row := range in {
		if len(rows) == p.max {
			break
		}
		rows = append(rows, row)
	}
	return rows
}

// all returns the rows in order, in a slice of their own.
func (s *sorted[R]) all() []R {
	rows := make([]R, 0, s.n)
	for _, run := range s.runs {
		rows = append(rows, run.rows...)
	}
	return rows
}
