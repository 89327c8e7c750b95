package db

import (
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"time"

	"example.com/shelf/internal/strictjson"
)

// A Schema declares a table. R is the row: a pointer, or a small value. A row
// must not change once a table has it.
type Schema[R any] struct {
	Name   string // of one row, in a line of the log: "book"
	Plural string // of all rows, in an export: "books"
	ID     func(R) int

	// Append appends a row as the log keeps it: a JSON object. Decode reads one;
	// strict refuses members that the row doesn't have, as a person's slip of
	// the pen would look like that. Nil: as encoding/json does both.
	Append func(b []byte, row R) []byte
	Decode func(text []byte, strict bool) (R, error)

	// Times are the times in a row. The log and an export keep years from 0 to
	// 9999 in UTC (RFC 3339 §1), so a row with another year is refused, wherever
	// it comes from. Nil: the fields of the row that are a time.Time.
	Times func(R) []time.Time
	// Check judges a row that comes from outside, a line of the log or of an
	// import, beyond what the indexes and references ask. Nil: anything goes.
	Check func(tx *Tx, row R) error
	// Valid judges the fields of an imported row. Nil: anything goes.
	Valid func(row R) error
	// Public is a row as an export without secrets shows it. Nil: as it is.
	Public func(row R) R

	// Event is the name of the event that a change makes, "" for none; tx shows
	// the tables before the change. Show is the row as those who follow read it.
	// Nil: changes of this table are no events.
	Event func(tx *Tx, what Change, id int) string
	Show  func(row R) string
}

// A Change is what happens to a row.
type Change int

// What can happen to a row.
const (
	Created Change = iota
	Changed
	Deleted
)

// A Table is the rows of one kind: the committed ones, which readers see, and over
// them the pending ones, which rules see too.
type Table[R any] struct {
	schema  Schema[R]
	db      *DB
	rows    sorted[R]
	pending map[int]pendingRow[R]
	lastID  int // the highest id given out; never taken back
	changes int // how often rows has changed since the start

	indexes []index[R]
	needs   []func(row R) error // what references ask of a row from outside
	mends   []func(row R) R     // and what they make of one whose parent has gone
	onGone  []func(id int)      // what they do to the children of a row that goes
	// onDelete is what they do when rules delete a row, for later rules to see.
	onDelete []func(tx *Tx, id int)
}

// A pendingRow is a row as it will be once all pending changes to it are
// committed.
type pendingRow[R any] struct {
	row     R
	gone    bool
	changes int // how many are pending
}

// table is a Table whose row type doesn't matter.
type table interface {
	name() string
	plural() string
	len() int
	waiting() int
	last() int
	raise(id int)
	has(id int) bool
	decode(text []byte, strict bool) (row any, id int, err error)
	appendRow(b []byte, row any) []byte
	readable(row any) error
	check(tx *Tx, id int, row any) error
	valid(row any) error
	apply(id int, row any)
	remove(id int)
	settle(c change)
	dropPending()
	pend(tx *Tx, id int, row any)
	undo(c change)
	eventName(tx *Tx, what Change, id int) string
	show(id int) (text string, ok bool)
	freeze() image
}

// Add declares a table. The order of declarations is the order in snapshots, so a
// table comes after those that it refers to. It must be called before Open.
func Add[R any](d *DB, schema Schema[R]) *Table[R] {
	if schema.Append == nil {
		schema.Append = func(b []byte, row R) []byte { return append(b, strictjson.Encode(row)...) }
	}
	if schema.Decode == nil {
		schema.Decode = DecodeJSON[R]
	}
	if schema.Times == nil {
		schema.Times = timesOf[R]()
	}
	t := &Table[R]{schema: schema, db: d}
	d.tables = append(d.tables, t)
	return t
}

// timesOf returns a function that returns the fields of a row that are a time.Time.
func timesOf[R any]() func(R) []time.Time {
	row := reflect.TypeFor[R]()
	pointer := row.Kind() == reflect.Pointer
	if pointer {
		row = row.Elem()
	}
	var fields []int
	for i := range row.NumField() {
		if f := row.Field(i); f.IsExported() && f.Type == reflect.TypeFor[time.Time]() {
			fields = append(fields, i)
		}
	}
	if fields == nil {
		return func(R) []time.Time { return nil }
	}
	return func(r R) (times []time.Time) {
		v := reflect.ValueOf(r)
		if pointer {
			v = v.Elem()
		}
		for _, i := range fields {
			times = append(times, v.Field(i).Interface().(time.Time))
		}
		return times
	}
}

// Get returns the row of that id.
func (t *Table[R]) Get(tx *Tx, id int) (row R, ok bool) {
	if tx.writes {
		if p, ok := t.pending[id]; ok {
			return p.row, !p.gone
		}
	}
	return t.rows.get(id)
}

// Row returns the committed row of that id: a View of one Get.
func (t *Table[R]) Row(id int) (row R, ok bool) {
	t.db.mu.RLock()
	defer t.db.mu.RUnlock()
	return t.rows.get(id)
}

// Version is how often rows have changed since the start, for a caller without a
// transaction.
func (t *Table[R]) Version() int {
	t.db.mu.RLock()
	defer t.db.mu.RUnlock()
	return t.changes
}

// NewID gives out an id that no row has had, and none will have.
func (t *Table[R]) NewID(tx *Tx) int { t.lastID++; return t.lastID }

// Put adds row, or puts it in the place of the one with its id.
func (t *Table[R]) Put(tx *Tx, row R) {
	id := t.schema.ID(row)
	t.wait(tx, change{table: t, op: opPut, id: id, row: row}, pendingRow[R]{row: row})
}

// Delete removes the row of that id, and the rows that go with it.
func (t *Table[R]) Delete(tx *Tx, id int) {
	for _, f := range t.onDelete {
		f(tx, id)
	}
	t.wait(tx, change{table: t, op: opDelete, id: id}, pendingRow[R]{gone: true})
}

// wait makes c pending, which leaves p. Each call is followed by one of settle, when
// c is committed, or of undo, or all that is pending is dropped.
func (t *Table[R]) wait(tx *Tx, c change, p pendingRow[R]) {
	id := c.id
	was, there := t.pending[id]
	if t.pending == nil {
		t.pending = map[int]pendingRow[R]{}
	}
	p.changes = was.changes + 1
	t.pending[id] = p
	t.raise(id) // a row may come with its id
	if !p.gone {
		for _, x := range t.indexes {
			x.pend(id, p.row)
		}
	}
	if there {
		c.was = was
	}
	tx.changes = append(tx.changes, c)
}

// undo takes back c, the last change that is pending.
func (t *Table[R]) undo(c change) {
	if c.op == opPut {
		for _, x := range t.indexes {
			x.unpend(c.id, c.row.(R))
		}
	}
	if was, there := c.was.(pendingRow[R]); there {
		t.pending[c.id] = was
	} else {
		delete(t.pending, c.id)
	}
}

// settle is told that c, which was pending, is committed.
func (t *Table[R]) settle(c change) {
	if c.op == opPut {
		for _, x := range t.indexes {
			x.unpend(c.id, c.row.(R))
		}
	}
	p := t.pending[c.id]
	if p.changes--; p.changes == 0 {
		delete(t.pending, c.id)
		return
	}
	t.pending[c.id] = p // a later change to it is pending
}

func (t *Table[R]) dropPending() {
	clear(t.pending)
	for _, x := range t.indexes {
		x.dropPending()
	}
}

// All yields the rows in the order of their ids, with the ids.
func (t *Table[R]) All(tx *Tx) iter.Seq2[int, R] { return t.After(tx, 0) }

// After yields the rows with an id above id, in the order of their ids, with the
// ids.
func (t *Table[R]) After(tx *Tx, id int) iter.Seq2[int, R] {
	if !tx.writes || len(t.pending) == 0 {
		return t.rows.after(id)
	}
	return func(yield func(int, R) bool) {
		for id := range t.rows.after(id) {
			if row, ok := t.Get(tx, id); ok && !yield(id, row) {
				return
			}
		}
		for _, added := range slices.Sorted(maps.Keys(t.pending)) { // new ids are above all others
			if p := t.pending[added]; added > id && !p.gone && !t.has(added) && !yield(added, p.row) {
				return
			}
		}
	}
}

// Page returns the first limit rows with an id above after, and whether there are
// more.
func (t *Table[R]) Page(tx *Tx, after, limit int) (rows []R, more bool) {
	for _, row := range t.After(tx, after) {
		if more = len(rows) == limit; more {
			break
		}
		rows = append(rows, row)
	}
	return rows, more
}

// Len is the number of committed rows.
func (t *Table[R]) Len(tx *Tx) int { return t.rows.len() }

// AtMost is a bound for the number of rows, the pending ones included.
func (t *Table[R]) AtMost(tx *Tx) int { return t.rows.len() + len(t.pending) }

// Range returns the committed rows of r, in a slice of their own. It costs as much
// as the range is long.
func (t *Table[R]) Range(tx *Tx, r Range) []R { return t.rows.list(r) }

// Select returns the committed rows of a range of ids that are in all the sets, and
// how many rows are in all of them. It costs as much as the range is long; with more
// than one set, as much as the smallest is.
func (t *Table[R]) Select(tx *Tx, r Range, sets ...IDs) (rows []R, total int) {
	switch len(sets) {
	case 0:
		return t.Range(tx, r), t.Len(tx)
	case 1:
		rows = make([]R, 0, sets[0].Size(r))
		for id := range sets[0].In(r) {
			row, _ := t.Get(tx, id)
			rows = append(rows, row)
		}
		return rows, sets[0].Len()
	}
	smallest := slices.MinFunc(sets, func(a, b IDs) int { return a.Len() - b.Len() })
	for id := range smallest.In(Range{Desc: r.Desc}) { // all, to count them
		if slices.ContainsFunc(sets, func(s IDs) bool { return !s.Has(id) }) {
			continue
		}
		total++
		if r.Has(id) && (r.Max == 0 || len(rows) < r.Max) {
			row, _ := t.Get(tx, id)
			rows = append(rows, row)
		}
	}
	return rows, total
}

// Changes is how often committed rows have changed since the start.
func (t *Table[R]) Changes(tx *Tx) int { return t.changes }

// put commits a row.
func (t *Table[R]) put(id int, row R) {
	for _, mend := range t.mends {
		row = mend(row)
	}
	old, had := t.rows.get(id)
	t.changes++
	t.rows.put(id, row)
	t.lastID = max(t.lastID, id)
	for _, x := range t.indexes {
		x.put(id, old, had, row)
	}
}

func (t *Table[R]) remove(id int) {
	row, ok := t.rows.get(id)
	if !ok {
		return
	}
	t.changes++
	t.rows.remove(id)
	for _, x := range t.indexes {
		x.remove(id, row)
	}
	for _, f := range t.onGone {
		f(id)
	}
}

func (t *Table[R]) name() string   { return t.schema.Name }
func (t *Table[R]) plural() string { return t.schema.Plural }
func (t *Table[R]) len() int       { return t.rows.len() }
func (t *Table[R]) waiting() (n int) {
	for _, p := range t.pending {
		n += p.changes
	}
	return n
}

func (t *Table[R]) last() int             { return t.lastID }
func (t *Table[R]) raise(id int)          { t.lastID = max(t.lastID, id) }
func (t *Table[R]) has(id int) bool       { _, ok := t.rows.get(id); return ok }
func (t *Table[R]) apply(id int, row any) { t.put(id, row.(R)) }

func (t *Table[R]) pend(tx *Tx, id int, row any) {
	t.wait(tx, change{table: t, op: opPut, id: id, row: row}, pendingRow[R]{row: row.(R)})
}

func (t *Table[R]) decode(text []byte, strict bool) (row any, id int, err error) {
	r, err := t.schema.Decode(text, strict)
	if err != nil {
		return nil, 0, err
	}
	if err := t.readable(r); err != nil {
		return nil, 0, err
	}
	return r, t.schema.ID(r), nil
}

// readable fails for a row with a time that could be written and not read again.
func (t *Table[R]) readable(row any) error {
	for _, at := range t.schema.Times(row.(R)) {
		if year := at.UTC().Year(); year < 0 || year > 9999 {
			return fmt.Errorf("%s is in the year %d in UTC; the years go from 0 to 9999", at.Format(time.RFC3339), year)
		}
	}
	return nil
}

func (t *Table[R]) appendRow(b []byte, row any) []byte { return t.schema.Append(b, row.(R)) }

// check judges a row from outside.
func (t *Table[R]) check(tx *Tx, id int, row any) error {
	r := row.(R)
	for _, x := range t.indexes {
		if err := x.check(id, r); err != nil {
			return err
		}
	}
	for _, need := range t.needs {
		if err := need(r); err != nil {
			return err
		}
	}
	if t.schema.Check == nil {
		return nil
	}
	return t.schema.Check(tx, r)
}

func (t *Table[R]) valid(row any) error {
	if t.schema.Valid == nil {
		return nil
	}
	return t.schema.Valid(row.(R))
}

func (t *Table[R]) eventName(tx *Tx, what Change, id int) string {
	if t.schema.Event == nil {
		return ""
	}
	return t.schema.Event(tx, what, id)
}

func (t *Table[R]) show(id int) (text string, ok bool) {
	row, ok := t.rows.get(id)
	if !ok || t.schema.Show == nil {
		return "", false
	}
	return t.schema.Show(row), true
}

// freeze is the committed rows and the last id of this moment. It copies pointers,
// not rows.
func (t *Table[R]) freeze() image { return &tableImage[R]{t.schema, t.rows.all(), t.lastID} }
