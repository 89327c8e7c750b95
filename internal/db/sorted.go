package db

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"sync/atomic"
)

// A sorted is a list of rows in the order of their ids. Finding, inserting or
// removing a row costs O(log n); reading k rows in order costs O(log n + k). It
// is fastest at the end, where new ids go. The zero value is empty.
//
// The rows are split into chunks, because removing a row from one long slice
// would move all rows behind it. With a million rows, removing and adding one
// takes 0.2 µs; with one slice it takes 3 ms (BenchmarkSorted).
type sorted[R any] struct {
	chunks []chunk[R]
	n      int
	shares atomic.Int64 // how often freeze has shared the chunks
}

// chunkLength is the most rows in a chunk, and so the most that a removal
// moves.
const chunkLength = 512

// A chunk is a piece of a sorted list. Its ids have the same upper 32 bits, so
// each id takes only four bytes. Three indexes hold the ids of each item.
type chunk[R any] struct {
	from int      // at most the lowest id here, and above all ids of the chunk before
	low  []uint32 // the lower 32 bits of the ids, ascending; never empty
	rows []R
	made int64 // what sorted.shares was when low and rows were made
}

// id is the id of row i.
func (c *chunk[R]) id(i int) int { return high(c.from)<<32 | int(c.low[i]) }

// high is the upper 32 bits of an id, the same for all ids of a chunk.
func high(id int) int { return id >> 32 }

// find returns the chunk c and the index i at which id is, or would be
// inserted. c is -1 if id is below all chunks.
func (s *sorted[R]) find(id int) (c, i int, found bool) {
	c = len(s.chunks) - 1 // the usual case: new ids are the highest
	if c >= 0 && id < s.chunks[c].from {
		c, found = slices.BinarySearchFunc(s.chunks, id, func(c chunk[R], id int) int { return cmp.Compare(c.from, id) })
		if !found {
			c--
		}
	}
	if c < 0 {
		return c, 0, false
	}
	at := &s.chunks[c]
	if i = id - at.from; i < len(at.low) && at.low[i] == uint32(id) { // the usual case: no ids are missing before id
		return c, i, true
	}
	if n := len(at.low); id > at.id(n-1) {
		return c, n, false
	}
	i, found = slices.BinarySearch(at.low, uint32(id))
	return c, i, found
}

func (s *sorted[R]) len() int { return s.n }

func (s *sorted[R]) get(id int) (row R, ok bool) {
	c, i, found := s.find(id)
	if !found {
		return row, false
	}
	return s.chunks[c].rows[i], true
}

// put adds row, or replaces the row with that id.
func (s *sorted[R]) put(id int, row R) {
	c, i, found := s.find(id)
	if found {
		s.own(c).rows[i] = row
		return
	}
	s.n++
	if c < 0 && len(s.chunks) > 0 && high(s.chunks[0].from) == high(id) {
		c, s.chunks[0].from = 0, id
	}
	if c < 0 || high(s.chunks[c].from) != high(id) || i == chunkLength && c == len(s.chunks)-1 {
		next := chunk[R]{from: id, made: s.shares.Load()}
		if i == chunkLength { // it will most likely be filled too
			next.low, next.rows = make([]uint32, 0, chunkLength), make([]R, 0, chunkLength)
		}
		c, i = c+1, 0
		s.chunks = slices.Insert(s.chunks, c, next)
	}
	at := s.own(c)
	at.low = slices.Insert(at.low, i, uint32(id))
	at.rows = slices.Insert(at.rows, i, row)
	if n := len(at.low); n > chunkLength {
		upper := chunk[R]{at.id(n / 2), slices.Clone(at.low[n/2:]), slices.Clone(at.rows[n/2:]), at.made}
		clear(at.rows[n/2:])
		at.low, at.rows = at.low[:n/2], at.rows[:n/2]
		s.chunks = slices.Insert(s.chunks, c+1, upper)
	}
}

func (s *sorted[R]) remove(id int) {
	c, i, found := s.find(id)
	if !found {
		return
	}
	s.n--
	at := s.own(c)
	at.low = slices.Delete(at.low, i, i+1)
	at.rows = slices.Delete(at.rows, i, i+1)
	if len(at.low) == 0 {
		s.chunks = slices.Delete(s.chunks, c, c+1)
	}
}

// freeze returns a copy that later changes of s don't change. It copies no rows: both
// share the chunks, and a change of s first copies the chunk that it is in. For a
// million rows it takes 10 µs and 130 kB, and all rows in a slice 20 MB. Several
// readers may call freeze at a time.
func (s *sorted[R]) freeze() *sorted[R] {
	s.shares.Add(1)
	return &sorted[R]{chunks: slices.Clone(s.chunks), n: s.n}
}

// own returns chunk c for a change of it. It copies a chunk that a frozen copy may have
// too.
func (s *sorted[R]) own(c int) *chunk[R] {
	at := &s.chunks[c]
	if now := s.shares.Load(); at.made < now {
		at.low, at.rows, at.made = slices.Clone(at.low), slices.Clone(at.rows), now
	}
	return at
}

// above returns the position of the first id above id.
func (s *sorted[R]) above(id int) (c, i int) {
	c, i, found := s.find(id)
	if found {
		i++
	}
	return max(c, 0), i
}

// after yields the ids above id and their rows, in ascending order.
func (s *sorted[R]) after(id int) iter.Seq2[int, R] {
	return func(yield func(int, R) bool) {
		for c, i := s.above(id); c < len(s.chunks); c, i = c+1, 0 {
			for at := &s.chunks[c]; i < len(at.low); i++ {
				if !yield(at.id(i), at.rows[i]) {
					return
				}
			}
		}
	}
}

// before yields the ids below id and their rows, in descending order.
func (s *sorted[R]) before(id int) iter.Seq2[int, R] {
	return func(yield func(int, R) bool) {
		for c, i, _ := s.find(id); c >= 0; c-- {
			for at := &s.chunks[c]; i > 0; i-- {
				if !yield(at.id(i-1), at.rows[i-1]) {
					return
				}
			}
			if c > 0 {
				i = len(s.chunks[c-1].low)
			}
		}
	}
}

// A Range selects the rows of a list page: the first Max rows after the id
// From, in ascending or descending order of ids.
type Range struct {
	Desc bool // descending
	From int  // exclusive; 0: begin at the first row
	Max  int  // 0: no limit
}

// Has reports whether id lies on the right side of From. It ignores Max.
func (p Range) Has(id int) bool {
	return p.From == 0 || !p.Desc && id > p.From || p.Desc && id < p.From
}

// in yields the ids and rows of p.
func (s *sorted[R]) in(p Range) iter.Seq2[int, R] {
	rows := s.after(p.From)
	switch {
	case p.Desc && p.From == 0:
		rows = s.before(math.MaxInt)
	case p.Desc:
		rows = s.before(p.From)
	}
	if p.Max == 0 {
		return rows
	}
	return func(yield func(int, R) bool) {
		n := 0
		for id, row := range rows {
			if n == p.Max || !yield(id, row) {
				return
			}
			n++
		}
	}
}

// size is an upper bound for the number of rows in p.
func (s *sorted[R]) size(p Range) int {
	if p.Max == 0 {
		return s.n
	}
	return min(p.Max, s.n)
}

// list returns the rows of p in a new slice.
func (s *sorted[R]) list(p Range) []R {
	rows := make([]R, 0, s.size(p))
	if p.Desc {
		return slices.AppendSeq(rows, values(s.in(p)))
	}
	for c, i := s.above(p.From); c < len(s.chunks) && len(rows) < cap(rows); c, i = c+1, 0 {
		rest := s.chunks[c].rows[i:]
		rows = append(rows, rest[:min(len(rest), cap(rows)-len(rows))]...)
	}
	return rows
}

// all returns all rows in a new slice, in order.
func (s *sorted[R]) all() []R { return s.list(Range{}) }

// ids returns all ids in a new slice, in order.
func (s *sorted[R]) ids() []int {
	ids := make([]int, 0, s.n)
	for id := range s.after(math.MinInt) {
		ids = append(ids, id)
	}
	return ids
}
