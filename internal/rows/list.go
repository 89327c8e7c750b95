package rows

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// A list is the committed rows of one collection in memory, and what follows from
// them. It is changed only while changes are committed, so a View sees one version.
type list struct {
	version int    // number of changes since the start
	rows    []*Row // by seat; a row in no collection (In is 0) marks the place of one that has gone
	gone    int    // number of such marks
	top     int    // the highest number that any row had as its id since the start

	indexes indexes
	shape   atomic.Pointer[knownShape] // what was last found out about the rows' types
}

// find returns the place of a seat.
func (l *list) find(seat int) (i int, found bool) {
	if n := len(l.rows); n == 0 || l.rows[n-1].Seat < seat { // most often: a new row
		return n, false
	} else if i = seat - l.rows[0].Seat; i >= 0 && i < n && l.rows[i].Seat == seat { // no seat is missing before it
		return i, true
	}
	return slices.BinarySearchFunc(l.rows, seat, func(r *Row, seat int) int { return cmp.Compare(r.Seat, seat) })
}

// put adds a row, or replaces the row of its seat.
func (l *list) put(r *Row) {
	l.version++
	l.top = max(l.top, r.number())
	i, found := l.find(r.Seat)
	var old *Row
	switch {
	case !found:
		l.rows = slices.Insert(l.rows, i, r)
	case l.rows[i].In == 0:
		l.gone--
		l.rows[i] = r
	default:
		old, l.rows[i] = l.rows[i], r
	}
	l.indexes.change(l, old, r)
}

// remove removes a row. It leaves a mark, so that it moves no other row. When the
// marks are a quarter of all, they go too.
func (l *list) remove(r *Row) {
	i, found := l.find(r.Seat)
	if !found || l.rows[i].In == 0 {
		return
	}
	l.version++
	old := l.rows[i]
	l.rows[i] = &Row{Seat: r.Seat}
	if l.gone++; 4*l.gone > len(l.rows) {
		l.rows = slices.DeleteFunc(l.rows, func(r *Row) bool { return r.In == 0 })
		l.gone = 0
	}
	l.indexes.change(l, old, nil)
}

// len returns the number of rows.
func (l *list) len() int { return len(l.rows) - l.gone }

// first returns the first row, nil for none.
func (l *list) first() *Row {
	for _, r := range l.rows {
		if r.In != 0 {
			return r
		}
	}
	return nil
}

// followCollection keeps a list for each collection.
func (s *Store) followCollection(old *collection, had bool, c *collection, has bool) {
	switch {
	case !has:
		delete(s.lists, old.ID)
	case !had:
		s.lists[c.ID] = &list{}
	default:
		return
	}
}

// followRow keeps the lists.
func (s *Store) followRow(old *Row, had bool, r *Row, has bool) {
	if had && (!has || old.In != r.In) {
		if l := s.lists[old.In]; l != nil {
			l.remove(old)
		}
	}
	if has {
		if l := s.lists[r.In]; l != nil {
			l.put(r)
		}
	}
}
