package db

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// An index is kept up to date with the rows of a table.
type index[R any] interface {
	put(id int, old R, had bool, row R)
	remove(id int, row R)
	pend(id int, row R)
	unpend(id int, row R)
	dropPending()
	empty()
	check(id int, row R) error
}

// A Unique finds a row by a key that no other row has.
type Unique[R any, K comparable] struct {
	table   *Table[R]
	label   string
	key     func(R) (K, bool)
	rows    map[K]R
	seen    map[K]int   // ids of rows that are not kept: see Intake
	pending map[K][]int // ids of the rows with pending changes that have, or had, the key
}

// NewUnique declares an index. key returns the key of a row, and false for a
// row without one. label names the key in errors: "user 3 already has this
// e-mail".
//
// Rules must call Find before Put to keep keys unique. The index itself checks
// only rows from log lines and imports.
func NewUnique[R any, K comparable](t *Table[R], label string, key func(R) (K, bool)) *Unique[R, K] {
	u := &Unique[R, K]{table: t, label: label, key: key, rows: map[K]R{}, seen: map[K]int{}}
	t.indexes = append(t.indexes, u)
	return u
}

// Find returns the row with that key.
func (u *Unique[R, K]) Find(tx *Tx, key K) (row R, ok bool) {
	if !tx.seesPending {
		row, ok = u.rows[key]
		return row, ok
	}
	for _, id := range u.pending[key] {
		if row, ok := u.currentRow(tx, id, key); ok {
			return row, true
		}
	}
	if row, ok := u.rows[key]; ok {
		return u.currentRow(tx, u.table.schema.ID(row), key)
	}
	return row, false
}

// currentRow returns the row with that id if it still has the key.
func (u *Unique[R, K]) currentRow(tx *Tx, id int, key K) (row R, ok bool) {
	if row, ok = u.table.Get(tx, id); ok {
		if has, is := u.key(row); is && has == key {
			return row, true
		}
	}
	var none R
	return none, false
}

func (u *Unique[R, K]) put(id int, old R, had bool, row R) {
	if had {
		u.remove(id, old)
	}
	key, ok := u.key(row)
	switch {
	case !ok:
	case u.table.keysOnly():
		u.seen[owned(key)] = id
	default:
		u.rows[key] = row
	}
}

func (u *Unique[R, K]) remove(_ int, row R) {
	if key, ok := u.key(row); ok {
		delete(u.rows, key)
	}
}

func (u *Unique[R, K]) pend(id int, row R) {
	if key, ok := u.key(row); ok {
		if u.pending == nil {
			u.pending = map[K][]int{}
		}
		u.pending[key] = append(u.pending[key], id)
	}
}

func (u *Unique[R, K]) unpend(id int, row R) {
	key, ok := u.key(row)
	if !ok {
		return
	}
	ids := u.pending[key]
	if i := slices.Index(ids, id); i >= 0 {
		ids = slices.Delete(ids, i, i+1)
	}
	if len(ids) == 0 {
		delete(u.pending, key)
	} else {
		u.pending[key] = ids
	}
}

func (u *Unique[R, K]) dropPending() { u.pending = nil }

func (u *Unique[R, K]) empty() { u.rows, u.pending = map[K]R{}, nil }

func (u *Unique[R, K]) check(id int, row R) error {
	key, ok := u.key(row)
	if !ok {
		return nil
	}
	other, taken := u.seen[key]
	if row, ok := u.rows[key]; ok {
		other, taken = u.table.schema.ID(row), true
	}
	if taken && other != id {
		return fmt.Errorf("%s %d already has this %s", u.table.schema.Name, other, u.label)
	}
	return nil
}

// A Multi finds all rows with a key.
type Multi[R any, K comparable] struct {
	table *Table[R]
	key   func(R) K
	ids   map[K]*sorted[struct{}]
}

// NewMulti declares an index. It takes a few bytes per row.
func NewMulti[R any, K comparable](t *Table[R], key func(R) K) *Multi[R, K] {
	m := &Multi[R, K]{table: t, key: key, ids: map[K]*sorted[struct{}]{}}
	t.indexes = append(t.indexes, m)
	return m
}

// IDs returns the ids of the committed rows with that key.
func (m *Multi[R, K]) IDs(tx *Tx, key K) IDs {
	if ids, ok := m.ids[key]; ok {
		return IDs{ids}
	}
	return IDs{&sorted[struct{}]{}}
}

// Keys yields the keys of committed rows in no particular order, each with its
// number of rows.
func (m *Multi[R, K]) Keys(tx *Tx) iter.Seq2[K, int] {
	return func(yield func(K, int) bool) {
		for key, ids := range m.ids {
			if !yield(key, ids.len()) {
				return
			}
		}
	}
}

// Rows returns the rows with that key, in the order of ids.
func (m *Multi[R, K]) Rows(tx *Tx, key K) []R {
	var rows []R
	ids := m.IDs(tx, key)
	for id := range ids.In(Range{}) {
		if row, ok := m.table.Get(tx, id); ok && m.key(row) == key {
			rows = append(rows, row)
		}
	}
	if !tx.seesPending {
		return rows
	}
	n := len(rows)
	for id, p := range m.table.pending {
		if !p.gone && m.key(p.row) == key && !ids.Has(id) {
			rows = append(rows, p.row)
		}
	}
	if len(rows) > n {
		id := m.table.schema.ID
		slices.SortFunc(rows, func(a, b R) int { return id(a) - id(b) })
	}
	return rows
}

// AtMost is an upper bound for the number of rows that Rows returns. It is
// cheaper than Count.
func (m *Multi[R, K]) AtMost(tx *Tx, key K) int {
	return m.IDs(tx, key).Len() + len(m.table.pending)
}

// Count is the number of rows that Rows returns. Its cost is proportional to
// the number of pending rows.
func (m *Multi[R, K]) Count(tx *Tx, key K) int {
	n := m.IDs(tx, key).Len()
	if !tx.seesPending {
		return n
	}
	for id, p := range m.table.pending {
		old, had := m.table.rows.get(id)
		if had && m.key(old) == key {
			n--
		}
		if !p.gone && m.key(p.row) == key {
			n++
		}
	}
	return n
}

func (m *Multi[R, K]) put(id int, old R, had bool, row R) {
	key := m.key(row)
	if had {
		if m.key(old) == key {
			return
		}
		m.remove(id, old)
	}
	ids := m.ids[key]
	if ids == nil {
		ids = &sorted[struct{}]{}
		m.ids[owned(key)] = ids
	}
	ids.put(id, struct{}{})
}

// owned copies a string key. The key may be part of a row's text, which the
// index would otherwise keep in memory.
func owned[K comparable](key K) K {
	if text, ok := any(key).(string); ok {
		return any(strings.Clone(text)).(K)
	}
	return key
}

func (m *Multi[R, K]) remove(id int, row R) {
	key := m.key(row)
	if ids := m.ids[key]; ids != nil {
		if ids.remove(id); ids.len() == 0 {
			delete(m.ids, key)
		}
	}
}

func (m *Multi[R, K]) pend(int, R)        {}
func (m *Multi[R, K]) unpend(int, R)      {}
func (m *Multi[R, K]) dropPending()       {}
func (m *Multi[R, K]) empty()             { m.ids = map[K]*sorted[struct{}]{} }
func (m *Multi[R, K]) check(int, R) error { return nil }

// IDs is a set of ids, in order.
type IDs struct{ ids *sorted[struct{}] }

// Len is the number of ids.
func (s IDs) Len() int { return s.ids.len() }

// Has reports whether id is in the set.
func (s IDs) Has(id int) bool { _, ok := s.ids.get(id); return ok }

// In yields the ids of r. Its cost is proportional to the ids yielded.
func (s IDs) In(r Range) iter.Seq[int] {
	return func(yield func(int) bool) {
		for id := range s.ids.in(r) {
			if !yield(id) {
				return
			}
		}
	}
}

// Size is an upper bound for the number of ids in r.
func (s IDs) Size(r Range) int { return s.ids.size(r) }

// Reference declares that rows of children's table refer to a parent by its id;
// 0 means no parent. When the parent is removed, orphan replaces each child.
// The log then holds one line, for the parent.
//
// If orphan is nil, the children are removed with their parent, and a child
// from a log line or an import must have an existing parent. When rules delete
// the parent, each child is deleted by a change of its own, so that later rules
// don't see it. A person who deletes a parent in the log needs no lines for its
// children.
func Reference[C, P any](children *Multi[C, int], parent *Table[P], orphan func(C) C) {
	t := children.table
	if orphan == nil {
		t.refChecks = append(t.refChecks, func(row C) error {
			if id := children.key(row); !parent.has(id) {
				return fmt.Errorf("%s %d does not exist", parent.schema.Name, id)
			}
			return nil
		})
		parent.onDelete = append(parent.onDelete, func(tx *Tx, id int) {
			for _, child := range children.Rows(tx, id) {
				t.Delete(tx, t.schema.ID(child))
			}
		})
		parent.onRemove = append(parent.onRemove, func(id int) {
			for _, child := range children.IDs(nil, id).ids.ids() {
				t.remove(child)
			}
		})
		return
	}
	t.refFixes = append(t.refFixes, func(row C) C {
		if id := children.key(row); id != 0 && !parent.has(id) {
			return orphan(row) // the parent was removed after this change was decided
		}
		return row
	})
	parent.onRemove = append(parent.onRemove, func(id int) {
		for _, child := range children.IDs(nil, id).ids.ids() {
			row, _ := t.rows.get(child)
			t.put(child, orphan(row))
		}
	})
}
