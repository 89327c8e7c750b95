package db

import (
	"iter"
	"slices"
	"sort"
	"sync/atomic"
)

// An Order keeps the ids of a table's rows in the order of a key. It is made on first
// use (Make), and then takes 8 to 16 bytes a row. Finding a place in it costs O(log n),
// as deep in the order as at its beginning.
//
// The ids are in runs, which are like the chunks of a sorted: a change moves one run,
// and a frozen copy shares the runs.
type Order[R, K any] struct {
	*lazy[R]
	key     func(R) K
	compare func(a, b K) int
	runs    []run
	shares  atomic.Int64 // as in sorted
}

// A run is a piece of an order, at most chunkLength ids.
type run struct {
	ids  []int
	made int64 // what Order.shares was when ids was made
}

// NewOrder declares an order by key. No two rows may compare as equal: a key ends with
// the id.
func NewOrder[R, K any](t *Table[R], key func(R) K, compare func(a, b K) int) *Order[R, K] {
	o := &Order[R, K]{key: key, compare: compare}
	o.lazy = &lazy[R]{table: t, maker: o}
	t.indexes = append(t.indexes, o.lazy)
	return o
}

func (o *Order[R, K]) fill(rows *sorted[R]) {
	type keyed struct {
		key K
		id  int
	}
	all := make([]keyed, 0, rows.len())
	for id, row := range rows.in(Range{}) {
		all = append(all, keyed{o.key(row), id})
	}
	slices.SortFunc(all, func(a, b keyed) int { return o.compare(a.key, b.key) })
	o.runs = nil
	for part := range slices.Chunk(all, chunkLength) {
		ids := make([]int, len(part))
		for i, k := range part {
			ids[i] = k.id
		}
		o.runs = append(o.runs, run{ids, o.shares.Load()})
	}
}

// find returns the place of key: the first id whose key isn't below it. id is the row
// that has the key, if there is one: it may be another row in the table by now.
func (o *Order[R, K]) find(key K, id int, rows *sorted[R]) (r, i int) {
	below := func(other int) bool {
		row, _ := rows.get(other)
		return other != id && o.compare(o.key(row), key) < 0
	}
	r = sort.Search(len(o.runs), func(r int) bool { return !below(o.runs[r].ids[len(o.runs[r].ids)-1]) })
	if r == len(o.runs) {
		return r, 0
	}
	return r, sort.Search(len(o.runs[r].ids), func(i int) bool { return !below(o.runs[r].ids[i]) })
}

func (o *Order[R, K]) add(id int, row R, rows *sorted[R]) {
	r, i := o.find(o.key(row), id, rows)
	if last := len(o.runs) - 1; r > last && last >= 0 && len(o.runs[last].ids) < chunkLength {
		r, i = last, len(o.runs[last].ids)
	}
	if r == len(o.runs) {
		o.runs = append(o.runs, run{made: o.shares.Load()})
	}
	at := o.own(r)
	at.ids = slices.Insert(at.ids, i, id)
	if n := len(at.ids); n > chunkLength {
		upper := run{slices.Clone(at.ids[n/2:]), at.made}
		at.ids = at.ids[:n/2]
		o.runs = slices.Insert(o.runs, r+1, upper)
	}
}

func (o *Order[R, K]) drop(id int, was R, rows *sorted[R]) {
	r, i := o.find(o.key(was), id, rows)
	at := o.own(r)
	if at.ids = slices.Delete(at.ids, i, i+1); len(at.ids) == 0 {
		o.runs = slices.Delete(o.runs, r, r+1)
	}
}

func (o *Order[R, K]) alike(a, b R) bool { return o.compare(o.key(a), o.key(b)) == 0 }

// own returns run r for a change of it, as sorted.own does.
func (o *Order[R, K]) own(r int) *run {
	at := &o.runs[r]
	if now := o.shares.Load(); at.made < now {
		at.ids, at.made = slices.Clone(at.ids), now
	}
	return at
}

// Select returns the committed rows after the key from, at most max of them; nil is
// before the first row, and 0 is all. They are of one moment, and may be read after the
// View. ok is false if Make has to be called first.
func (o *Order[R, K]) Select(tx *Tx, from *K, desc bool, max int) (rows iter.Seq[R], ok bool) {
	if o.state != ready {
		return nil, false
	}
	r, i := 0, 0
	switch {
	case from != nil:
		if r, i = o.find(*from, 0, &o.table.rows); !desc && r < len(o.runs) {
			if row, _ := o.table.rows.get(o.runs[r].ids[i]); o.compare(o.key(row), *from) == 0 {
				i++ // from itself is still there
			}
		}
	case desc:
		r = len(o.runs)
	}
	if max > 0 {
		found := make([]R, 0, min(max, o.table.rows.len()))
		for row := range walk(o.runs, r, i, desc, &o.table.rows) {
			if found = append(found, row); len(found) == max {
				break
			}
		}
		return slices.Values(found), true
	}
	o.shares.Add(1)
	return walk(slices.Clone(o.runs), r, i, desc, o.table.rows.freeze()), true
}

// walk yields the rows of runs from a place on; backward, those before the place.
func walk[R any](runs []run, r, i int, backward bool, rows *sorted[R]) iter.Seq[R] {
	return func(yield func(R) bool) {
		if !backward {
			for r, i := r, i; r < len(runs); r, i = r+1, 0 {
				for _, id := range runs[r].ids[i:] {
					if row, _ := rows.get(id); !yield(row) {
						return
					}
				}
			}
			return
		}
		for r, i := r, i; r >= 0; r-- {
			if r < len(runs) {
				for _, id := range slices.Backward(runs[r].ids[:i]) {
					if row, _ := rows.get(id); !yield(row) {
						return
					}
				}
			}
			if r > 0 {
				i = len(runs[r-1].ids)
			}
		}
	}
}
