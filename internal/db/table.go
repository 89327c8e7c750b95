package db

import (
	"iter"
	"maps"
	"reflect"
	"slices"
	"time"

	"example.com/shelf/internal/strictjson"
)

// A Schema declares a table. R is the type of its rows: a pointer, or a small
// value. A row must not change once it is in a table.
type Schema[R any] struct {
	Name   string // of one row, in log lines: "book"
	Plural string // of all rows, in exports: "books"
	ID     func(R) int
	// Since is the version of the log's format that added the table, 0 for the
	// first version. Until such a table has its first row, no log and no export
	// names it. Before its first row the log is raised to the version, so that a
	// program that doesn't know the table rejects the log.
	Since int

	// Append appends a row as a JSON object, as the log keeps it. Decode reads
	// such an object. If strict is true, Decode rejects unknown members: in a
	// hand-written row they are typing errors. Nil: use encoding/json.
	Append func(b []byte, row R) []byte
	Decode func(text []byte, strict bool) (R, error)

	// Times returns the times in a row. Logs and exports can keep the years 0
	// to 9999 in UTC (RFC 3339 §1), so a row with another year is rejected,
	// whatever its source. Nil: all exported fields of type time.Time.
	Times func(R) []time.Time
	// Check judges a row that comes from outside, a line of the log or of an
	// import, beyond what the indexes and references ask. Nil: anything goes.
	Check func(tx *Tx, row R) error
	// Valid judges the fields of an imported row. Nil: anything goes.
	Valid func(row R) error
	// KeysSuffice says that no check of an imported row reads other rows of this
	// table. Checks may ask which ids and unique keys there are. See Intake.
	KeysSuffice bool
	// Public returns the row without its secrets, for exports. Nil: the row
	// itself.
	Public func(row R) R

	// Event names the event that a change makes; "" for no event. tx shows the
	// tables before the change. Show renders the row for followers of events.
	// Nil: the table has no events.
	Event func(tx *Tx, what Change, id int) string
	Show  func(row R) string
	// Tell makes the event of a change, in the place of Event and Show, for a table
	// whose rows not every follower may read. row is the new row, or the one that is
	// deleted. Tell leaves Seq out. An event without a Name is none.
	Tell func(tx *Tx, what Change, row R) Event
	// About decodes an Event's About from the JSON that encoding/json makes of it.
	// Snapshots of a shared log hold such JSON. Nil: Tell leaves About out.
	About func(text []byte) (any, error)
}

// A Change is a kind of change to a row.
type Change int

// The kinds of changes.
const (
	Created Change = iota
	Changed
	Deleted
)

// A Table holds the rows of one kind: committed rows, which readers see, and
// pending rows, which rules see too.
type Table[R any] struct {
	schema  Schema[R]
	db      *DB
	rows    sorted[R]
	pending map[int]pendingRow[R]
	lastID  int  // the highest id given out; never decreases, except with OpenShared
	keptID  int  // the highest id in a committed change
	changes int  // number of changes to rows since the start: see Changes
	held    bool // the table has or had a row, or a reserved id

	seen      sorted[struct{}] // the ids of rows that are not kept: see Intake
	onImport  func(R) R        // see OnImport
	follows   []func(old R, had bool, row R, has bool)
	indexes   []index[R]
	refChecks []func(row R) error // checks of references on a row from a log line or an import
	refFixes  []func(row R) R     // replace a row whose parent is gone
	onRemove  []func(id int)      // update the children of a removed row
	// onDelete deletes the children when rules delete a row, so that later
	// rules see that too.
	onDelete []func(tx *Tx, id int)
}

// A pendingRow is the state of a row once all pending changes to it are
// committed.
type pendingRow[R any] struct {
	row     R
	gone    bool
	changes int // number of pending changes
}

// table is a Table of any row type.
type table interface {
	name() string
	plural() string
	since() int
	used() bool
	len() int
	pendingChanges() int
	HasPending(*Tx) bool
	last() int
	raise(id int)
	reserve(id int)
	setLast(id int)
	kept() int
	version() int
	setVersion(changes int)
	empty()
	about(text []byte) (any, error)
	has(id int) bool
	decode(text []byte, strict bool) (row any, id int, err error)
	appendRow(b []byte, row any) []byte
	readable(row any) error
	check(tx *Tx, id int, row any) error
	valid(row any) error
	prepare(row any) any
	apply(id int, row any)
	remove(id int)
	unpend(c change)
	dropPending()
	freePending()
	pend(tx *Tx, id int, row any)
	undo(c change)
	eventName(tx *Tx, what Change, id int) string
	show(id int) (text string, ok bool)
	tell(tx *Tx, what Change, id int, row any) (e Event, tells bool)
	freeze() image
}

// Add declares a table. Call it before Open, and declare a table after the
// tables that it refers to: snapshots use the same order.
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

// timesOf returns a Schema.Times for the exported fields of R that are a
// time.Time.
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

// Get returns the row with that id.
func (t *Table[R]) Get(tx *Tx, id int) (row R, ok bool) {
	if tx.seesPending {
		if p, ok := t.pending[id]; ok {
			return p.row, !p.gone
		}
	}
	return t.rows.get(id)
}

// Row returns the committed row with that id, as View and Get would.
func (t *Table[R]) Row(id int) (row R, ok bool) {
	t.db.mu.RLock()
	defer t.db.mu.RUnlock()
	return t.rows.get(id)
}

// Version is Changes without a transaction.
func (t *Table[R]) Version() int {
	t.db.mu.RLock()
	defer t.db.mu.RUnlock()
	return t.changes
}

// NewID returns an id that no row has had before.
func (t *Table[R]) NewID(tx *Tx) int { t.lastID++; return t.lastID }

// Put adds row, or replaces the row with its id.
func (t *Table[R]) Put(tx *Tx, row R) {
	id := t.schema.ID(row)
	t.addPending(tx, change{table: t, op: opPut, id: id, row: row}, pendingRow[R]{row: row})
}

// Delete removes the row with that id, and the rows that Reference removes with
// it.
func (t *Table[R]) Delete(tx *Tx, id int) {
	for _, f := range t.onDelete {
		f(tx, id)
	}
	t.addPending(tx, change{table: t, op: opDelete, id: id}, pendingRow[R]{gone: true})
}

// addPending makes c pending; p is the row after c. Later either unpend or undo
// is called for c, or dropPending for all pending changes.
func (t *Table[R]) addPending(tx *Tx, c change, p pendingRow[R]) {
	id := c.id
	was, there := t.pending[id]
	if t.pending == nil {
		t.pending = map[int]pendingRow[R]{}
	}
	p.changes = was.changes + 1
	t.pending[id] = p
	t.raise(id) // an imported row brings its own id
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

// undo reverts c, which must be the last pending change.
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

// unpend removes c from the pending changes, because it is committed.
func (t *Table[R]) unpend(c change) {
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
	t.pending[c.id] = p // later changes to this row are still pending
}

// freePending frees the memory that many pending changes took. A map keeps it
// when it is emptied.
func (t *Table[R]) freePending() {
	if len(t.pending) == 0 {
		t.dropPending()
	}
}

func (t *Table[R]) dropPending() {
	t.pending = nil
	for _, x := range t.indexes {
		x.dropPending()
	}
}

// All yields all ids and rows, in the order of ids.
func (t *Table[R]) All(tx *Tx) iter.Seq2[int, R] { return t.After(tx, 0) }

// After yields the ids above id and their rows, in the order of ids.
func (t *Table[R]) After(tx *Tx, id int) iter.Seq2[int, R] {
	if !tx.seesPending || len(t.pending) == 0 {
		return t.rows.after(id)
	}
	return func(yield func(int, R) bool) {
		for id := range t.rows.after(id) {
			if row, ok := t.Get(tx, id); ok && !yield(id, row) {
				return
			}
		}
		for _, added := range slices.Sorted(maps.Keys(t.pending)) { // new ids are above all committed ones
			if p := t.pending[added]; added > id && !p.gone && !t.has(added) && !yield(added, p.row) {
				return
			}
		}
	}
}

// Page returns the first limit rows with an id above after. more reports
// whether further rows follow.
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

// AtMost is an upper bound for the number of rows, including pending ones.
func (t *Table[R]) AtMost(tx *Tx) int { return t.rows.len() + len(t.pending) }

// Range returns the committed rows of r in a new slice. Its cost is
// proportional to the rows returned.
func (t *Table[R]) Range(tx *Tx, r Range) []R { return t.rows.list(r) }

// Select returns the committed rows of r that are in all sets, and how many
// rows are in all sets. With at most one set, its cost is proportional to the
// rows returned; with more sets, to the size of the smallest.
func (t *Table[R]) Select(tx *Tx, r Range, sets ...IDs) (rows []R, total int) {
	switch len(sets) {
	case 0:
		return t.Range(tx, r), t.Len(tx)
	case 1:
		rows = make([]R, 0, sets[0].Size(r))
		return slices.AppendSeq(rows, having(&t.rows, sets[0].In(r))), sets[0].Len()
	}
	return t.selectFromAll(tx, r, sets)
}

// selectFromAll is Select for several sets.
func (t *Table[R]) selectFromAll(tx *Tx, r Range, sets []IDs) (rows []R, total int) {
	smallest := slices.MinFunc(sets, func(a, b IDs) int { return a.Len() - b.Len() })
	for id := range smallest.In(Range{Desc: r.Desc}) { // all ids, to count them
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

// fewRows is how many rows Freeze copies: they take less than a frozen copy of the
// table.
const fewRows = 4096

// Freeze is Select for rows that are read after the View, once or several times. They
// are those of this moment. Without a set or with one, they take little memory, however
// many they are.
func (t *Table[R]) Freeze(tx *Tx, r Range, sets ...IDs) (rows iter.Seq[R], total int) {
	switch {
	case len(sets) == 0 && t.rows.size(r) > fewRows:
		return values(t.rows.freeze().in(r)), t.Len(tx)
	case len(sets) == 1 && sets[0].Size(r) > fewRows:
		return having(t.rows.freeze(), IDs{sets[0].ids.freeze()}.In(r)), sets[0].Len()
	}
	list, total := t.Select(tx, r, sets...)
	return slices.Values(list), total
}

// having yields the rows with these ids.
func having[R any](rows *sorted[R], ids iter.Seq[int]) iter.Seq[R] {
	return func(yield func(R) bool) {
		for id := range ids {
			if row, _ := rows.get(id); !yield(row) {
				return
			}
		}
	}
}

// values yields the values of all.
func values[K, V any](all iter.Seq2[K, V]) iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, value := range all {
			if !yield(value) {
				return
			}
		}
	}
}

// Changes is the number of changes to committed rows since the start. With
// OpenShared it is the number of the last change to them in the log, which is the
// same in all replicas.
func (t *Table[R]) Changes(tx *Tx) int { return t.changes }

// put commits row.
func (t *Table[R]) put(id int, row R) {
	row = t.fix(row)
	if t.keysOnly() {
		t.putKeys(id, row)
		return
	}
	old, had := t.rows.get(id)
	t.change()
	t.rows.put(id, row)
	t.reserve(id)
	for _, x := range t.indexes {
		x.put(id, old, had, row)
	}
	for _, f := range t.follows {
		f(old, had, row, true)
	}
}

// fix replaces a row whose parent is gone.
func (t *Table[R]) fix(row R) R {
	for _, fix := range t.refFixes {
		row = fix(row)
	}
	return row
}

// change counts a change to the committed rows.
func (t *Table[R]) change() {
	if t.changes++; t.db.numbered {
		t.changes = int(t.db.now)
	}
}

// reserve raises the last id to one that is in a committed change.
func (t *Table[R]) reserve(id int) {
	t.raise(id)
	t.keptID = max(t.keptID, id)
	t.held = t.held || id > 0
}

func (t *Table[R]) remove(id int) {
	row, ok := t.rows.get(id)
	if !ok {
		return
	}
	t.change()
	t.rows.remove(id)
	for _, x := range t.indexes {
		x.remove(id, row)
	}
	var none R
	for _, f := range t.follows {
		f(row, true, none, false)
	}
	for _, f := range t.onRemove {
		f(id)
	}
}

func (t *Table[R]) name() string   { return t.schema.Name }
func (t *Table[R]) plural() string { return t.schema.Plural }
func (t *Table[R]) since() int     { return t.schema.Since }
func (t *Table[R]) used() bool     { return t.held || t.schema.Since == 0 }
func (t *Table[R]) len() int       { return t.rows.len() + t.seen.len() }
func (t *Table[R]) pendingChanges() (n int) {
	for _, p := range t.pending {
		n += p.changes
	}
	return n
}

func (t *Table[R]) last() int             { return t.lastID }
func (t *Table[R]) raise(id int)          { t.lastID = max(t.lastID, id) }
func (t *Table[R]) setLast(id int)        { t.lastID = id }
func (t *Table[R]) kept() int             { return t.keptID }
func (t *Table[R]) version() int          { return t.changes }
func (t *Table[R]) setVersion(n int)      { t.changes = n }
func (t *Table[R]) apply(id int, row any) { t.put(id, row.(R)) }

func (t *Table[R]) pend(tx *Tx, id int, row any) {
	t.addPending(tx, change{table: t, op: opPut, id: id, row: row}, pendingRow[R]{row: row.(R)})
}
