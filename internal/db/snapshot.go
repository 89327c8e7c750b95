package db

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"time"

	"example.com/shelf/internal/history"
)

// A Snapshot is the committed rows at one moment, and the last ids. It copies
// no rows: see sorted.freeze.
type Snapshot struct {
	tables []image
	tell   history.Progress
}

// An image is the rows of one table in a Snapshot.
type image interface {
	name() string
	plural() string
	last() int
	since() int
	used() bool
	len() int
	rows() iter.Seq2[int, any]
	appendRow(b []byte, row any) []byte
	public(row any) any
}

type tableImage[R any] struct {
	schema Schema[R]
	list   *sorted[R]
	lastID int
	held   bool
}

func (t *tableImage[R]) name() string   { return t.schema.Name }
func (t *tableImage[R]) plural() string { return t.schema.Plural }
func (t *tableImage[R]) last() int      { return t.lastID }
func (t *tableImage[R]) since() int     { return t.schema.Since }
func (t *tableImage[R]) used() bool     { return t.held }
func (t *tableImage[R]) len() int       { return t.list.len() }

func (t *tableImage[R]) rows() iter.Seq2[int, any] {
	return func(yield func(int, any) bool) {
		for id, row := range t.list.after(math.MinInt) {
			if !yield(id, row) {
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

// Snapshot takes a Snapshot between two batches.
func (d *DB) Snapshot() *Snapshot {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.snapshotLocked()
}

func (d *DB) snapshotLocked() *Snapshot {
	s := &Snapshot{tell: d.opt.Progress}
	for _, t := range d.tables {
		s.tables = append(s.tables, t.freeze())
	}
	return s
}

func (s *Snapshot) lastIDs() (ids []lastID) {
	for _, t := range s.tables {
		if t.used() {
			ids = append(ids, lastID{t.name(), t.last()})
		}
	}
	return ids
}

// version returns the version of the log's format that the rows need, 0 for any.
func (s *Snapshot) version() (version int) {
	for _, t := range s.tables {
		if t.used() {
			version = max(version, t.since())
		}
	}
	return version
}

// lines is the number of log lines in s.
func (s *Snapshot) lines() int {
	n := 1 // one line for the last ids
	for _, t := range s.tables {
		n += t.len()
	}
	return n
}

// encoded yields the log lines that rebuild s: the last ids, then the rows. A
// table comes before the tables that refer to it. what is told as being done.
func (s *Snapshot) encoded(what string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		next, end := s.tell.Rows(what, s.lines())
		defer end()
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
				next()
			}
		}
	}
}

// Load copies a snapshot of another DB into d. Both must have the same tables,
// and d must be empty. d continues from the ids of the snapshot: it gives out
// again the ids that the other DB gave out later. The events of d begin after
// number seq.
func (d *DB) Load(s *Snapshot, seq int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, t := range s.tables {
		for id, row := range t.rows() {
			d.tables[i].apply(id, row)
		}
		if t.used() {
			d.tables[i].reserve(t.last())
		}
	}
	d.seq, d.events.gone = seq, seq
}

// ErrNotEmpty is Fill's error for a DB that has held rows.
var ErrNotEmpty = errors.New("the store has held rows before; import into a new data file, so that all ids stay the same")

// Fill writes a snapshot of another DB with the same tables, as one batch. It
// fails with ErrNotEmpty if d has ever held a row.
func (d *DB) Fill(s *Snapshot) error {
	if d.shared != nil {
		return d.shared.begin(s)
	}
	return d.Update(func(tx *Tx) error {
		if !tx.Empty() {
			return ErrNotEmpty
		}
		tx.changes = append(tx.changes, change{op: opIDs, ids: s.lastIDs()})
		for i, t := range s.tables {
			d.tables[i].raise(t.last()) // now, so that the next rules get higher ids
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

// Export renders the whole state as one JSON document, with one row per line:
//
//	{"format":"shelf-export","version":1,"exported":"…","last_ids":{…},
//	"users":[
//	{…},
//	{…}],
//	"items":[…]}
//
// Rows look as in the log, but without their secrets: Schema.Public removes
// them. If secrets is true, the rows are complete, and the document is as
// confidential as the log. last_ids keeps the ids of deleted rows from being
// given out again.
func (s *Snapshot) Export(now time.Time, secrets bool) []byte {
	var b bytes.Buffer
	s.ExportTo(&b, now, secrets) // never fails
	return b.Bytes()
}

// ExportTo is Export in pieces, for a document that may be larger than the memory.
func (s *Snapshot) ExportTo(w io.Writer, now time.Time, secrets bool) error {
	b := fmt.Appendf(nil, `{"format":%q,"version":%d,"exported":%q,"last_ids":`, exportFormat, exportVersion, now.UTC().Format(time.RFC3339))
	b = appendIDs(b, s.lastIDs())
	next, end := s.tell.Rows("exporting the rows", s.lines())
	defer end()
	for _, t := range s.tables {
		if !t.used() {
			continue
		}
		b = fmt.Appendf(b, ",\n%q:[", t.plural())
		sep := "\n"
		for _, row := range t.rows() {
			if !secrets {
				row = t.public(row)
			}
			b = t.appendRow(append(b, sep...), row)
			sep = ",\n"
			next()
			if len(b) >= exportPiece {
				if _, err := w.Write(b); err != nil {
					return err
				}
				b = b[:0]
			}
		}
		b = append(b, ']')
	}
	_, err := w.Write(append(b, "}\n"...))
	return err
}

// exportPiece is how many bytes ExportTo writes at once.
const exportPiece = 256 << 10
