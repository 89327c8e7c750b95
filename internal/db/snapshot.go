package db

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"
)

// A Snapshot is all that readers see at one moment, and the last ids. Rows never
// change, so it holds no more than pointers.
type Snapshot struct{ tables []image }

// An image is the rows of one table in a Snapshot.
type image interface {
	name() string
	plural() string
	last() int
	len() int
	rows() iter.Seq2[int, any]
	appendRow(b []byte, row any) []byte
	public(row any) any
}

type tableImage[R any] struct {
	schema Schema[R]
	list   []R
	lastID int
}

func (t *tableImage[R]) name() string   { return t.schema.Name }
func (t *tableImage[R]) plural() string { return t.schema.Plural }
func (t *tableImage[R]) last() int      { return t.lastID }
func (t *tableImage[R]) len() int       { return len(t.list) }

func (t *tableImage[R]) rows() iter.Seq2[int, any] {
	return func(yield func(int, any) bool) {
		for _, row := range t.list {
			if !yield(t.schema.ID(row), row) {
				return
			}
		}
	}
}

func (t *tableImage[R]) appendRow(b []byte, row any) []byte { return t.schema.Append(b, row.(R)) }

func (t *tableImage[R]) public(row any) any {
	if t.schema.Public == nil {
		return row
	}
	return t.schema.Public(row.(R))
}

// Snapshot takes one, between two batches of changes.
func (d *DB) Snapshot() *Snapshot {
	d.mu.RLock()
	defer d.mu.RUnlock()
	s := &Snapshot{}
	for _, t := range d.tables {
		s.tables = append(s.tables, t.freeze())
	}
	return s
}

func (s *Snapshot) lastIDs() (ids []lastID) {
	for _, t := range s.tables {
		ids = append(ids, lastID{t.name(), t.last()})
	}
	return ids
}

// lines is how many lines make a snapshot.
func (s *Snapshot) lines() int {
	n := 1 // the last ids
	for _, t := range s.tables {
		n += t.len()
	}
	return n
}

// encoded yields the lines that make all of s out of nothing: the last ids, then
// the rows, a table before those that refer to it.
func (s *Snapshot) encoded() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if !yield(change{op: opIDs, ids: s.lastIDs()}.encode()) {
			return
		}
		var line []byte
		for _, t := range s.tables {
			for _, row := range t.rows() {
				line = appendPut(line[:0], t.name())
				line = t.appendRow(line, row)
				if !yield(line) {
					return
				}
			}
		}
	}
}

// Load puts a snapshot of another DB with the same tables into d, which must hold
// nothing. d goes on from the snapshot's ids: so those that were given out after
// it are given out again, for other rows. Its events begin after the number seq.
func (d *DB) Load(s *Snapshot, seq int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, t := range s.tables {
		for id, row := range t.rows() {
			d.tables[i].apply(id, row)
		}
		d.tables[i].raise(t.last())
	}
	d.seq, d.events.gone = seq, seq
}

// ErrNotEmpty refuses a Fill.
var ErrNotEmpty = errors.New("an export goes into an empty store only, so that its ids stay what they are")

// Fill writes a snapshot of another DB with the same tables, in one batch. It
// fails with ErrNotEmpty if d has ever held a row.
func (d *DB) Fill(s *Snapshot) error {
	return d.Update(func(tx *Tx) error {
		if !tx.Empty() {
			return ErrNotEmpty
		}
		tx.changes = append(tx.changes, change{op: opIDs, ids: s.lastIDs()})
		for i, t := range s.tables {
			d.tables[i].raise(t.last()) // at once: rules that come next give out higher ids
			for id, row := range t.rows() {
				d.tables[i].pend(tx, id, row)
			}
		}
		return nil
	})
}

const (
	exportFormat  = "shelf-export"
	exportVersion = 1
)

// Export is the whole state as one JSON document, a row a line:
//
//	{"format":"shelf-export","version":1,"exported":"…","last_ids":{…},
//	"users":[
//	{…},
//	{…}],
//	"items":[…]}
//
// Rows are as in the log, but as Schema.Public shows them unless secrets is set:
// then the document is as precious as the log. last_ids keeps the ids of what has
// gone from being used again.
func (s *Snapshot) Export(now time.Time, secrets bool) []byte {
	b := fmt.Appendf(nil, `{"format":%q,"version":%d,"exported":%q,"last_ids":`, exportFormat, exportVersion, now.UTC().Format(time.RFC3339))
	b = appendIDs(b, s.lastIDs())
	for _, t := range s.tables {
		b = fmt.Appendf(b, ",\n%q:[", t.plural())
		sep := "\n"
		for _, row := range t.rows() {
			if !secrets {
				row = t.public(row)
			}
			b = t.appendRow(append(b, sep...), row)
			sep = ",\n"
		}
		b = append(b, ']')
	}
	return append(b, "}\n"...)
}

// Import reads the members of an export into d, which must have no log and hold
// nothing. Each row has to keep the rules that a line of the log has to keep. An
// error names the element that offends.
func (d *DB) Import(members map[string]json.RawMessage) error {
	if format, version := members["format"], members["version"]; string(format) != `"`+exportFormat+`"` || string(version) != fmt.Sprint(exportVersion) {
		return fmt.Errorf("format %s, version %s: this shelf reads %q, version %d", format, version, exportFormat, exportVersion)
	}
	ids, err := d.parseIDs(members["last_ids"], true)
	if err != nil {
		return fmt.Errorf("last_ids, the highest id of each kind: %w", err)
	}
	p := parsed{change: change{op: opIDs, ids: ids}, rows: 1}
	if err := d.admit(p, true); err != nil {
		return fmt.Errorf("last_ids: %w", err)
	}
	d.applyLocked(p.change)
	for _, t := range d.tables {
		rows, err := Elements(t.plural(), members[t.plural()])
		if err != nil {
			return err
		}
		for i, text := range rows {
			if err := d.importRow(t, text); err != nil {
				return fmt.Errorf("%s[%d]: %w", t.plural(), i, err)
			}
		}
	}
	return nil
}

func (d *DB) importRow(t table, text []byte) error {
	row, id, err := t.decode(text, true)
	if err == nil {
		err = t.valid(row)
	}
	if err != nil {
		return err
	}
	p := parsed{change: change{op: opPut, table: t, id: id, row: row}, rows: 1}
	if err := d.admit(p, true); err != nil {
		return err
	}
	if t.has(id) {
		return fmt.Errorf("id %d is another %s's too", id, t.name())
	}
	d.applyLocked(p.change)
	return nil
}

// Elements takes a JSON array apart; name is what an error calls it. No array is
// an empty one.
func Elements(name string, list json.RawMessage) ([]json.RawMessage, error) {
	var rows []json.RawMessage
	if list == nil {
		return nil, nil
	}
	if err := json.Unmarshal(list, &rows); err != nil {
		return nil, fmt.Errorf("%s: must be a list", name)
	}
	return rows, nil
}
