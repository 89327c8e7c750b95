package db

import (
	"cmp"
	"errors"
	"fmt"

	"example.com/shelf/internal/strictjson"
)

// Intake adds the rows of an import that may be larger than the memory, all of them in
// one batch. d doesn't hold the rows afterwards: only Close or Reread may follow. d has a
// log of its own.
//
// judge makes a DB with these options and the tables of d, a trial, and imports each
// row into it. Intake calls judge twice: first to find what the trial refuses, then to
// write what it accepts. Each time the trial judges all rows anew, as their file may
// have changed. Of a table with Schema.KeysSuffice the trial keeps the ids and the
// unique keys only. commit is called in between. If Intake fails, nothing has changed,
// except after history.ErrOutcomeUnknown.
func (d *DB) Intake(judge func(Options) (trial *DB, err error), commit func()) error {
	options, lines := d.Rehearsal(), 0
	options.imported = func(change) error { lines++; return nil }
	trial, err := judge(options)
	if err != nil {
		return err
	}
	commit()
	d.writing.Lock()
	defer d.writing.Unlock()
	options.Progress = nil // the log tells how much is written
	err = d.toLog(trial.Snapshot().version(), func() error {
		return d.hist.AppendLong(d.opt.Now(), lines, func(add func([]byte) error) error {
			var line []byte  // one memory for all lines
			var failed error // of the log, which is no fault of the row
			options.imported = func(c change) error {
				line = c.append(line[:0])
				failed = add(line)
				return failed
			}
			_, err := judge(options)
			return cmp.Or(failed, err)
		})
	})
	if err == nil {
		d.broken = errors.New("rows were imported that this process does not hold")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closing = true
	d.noteLogLocked()
	return err
}

// Reread has d hold what Intake wrote, and take changes again. d held nothing before, and
// no other goroutine may use d meanwhile.
func (d *DB) Reread() error {
	if _, err := d.Read(d.hist.Replay); err != nil {
		return err
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken, d.closing = nil, false
	d.loadedLocked()
	return nil
}

// keysOnly reports whether the table keeps no rows, because it is one of a trial.
func (t *Table[R]) keysOnly() bool { return t.schema.KeysSuffice && t.db.opt.imported != nil }

// putKeys is put for a row that is not kept.
func (t *Table[R]) putKeys(id int, row R) {
	t.seen.put(id, struct{}{})
	t.reserve(id)
	for _, x := range t.indexes {
		x.put(id, row, false, row)
	}
}

func (t *Table[R]) has(id int) bool {
	if t.keysOnly() {
		_, ok := t.seen.get(id)
		return ok
	}
	_, ok := t.rows.get(id)
	return ok
}

// OnImport has change replace each row of an import, after it was judged.
func (t *Table[R]) OnImport(change func(R) R) { t.onImport = change }

func (t *Table[R]) prepare(row any) any {
	r := row.(R)
	if t.onImport != nil {
		r = t.onImport(r)
	}
	return t.fix(r)
}

// Import adds a row that comes from outside. d must have no log. The row has to pass
// the checks of a log line.
func (t *Table[R]) Import(row R) error { return t.db.admitRow(t, t.schema.ID(row), row) }

// Import reads an export into d, which must be empty and have no log. Each row has to
// pass the checks of a log line. An error names the element: users[3].
func (d *DB) Import(from *strictjson.Document) error {
	format, err1 := from.Value("format")
	version, err2 := from.Value("version")
	last, err3 := from.Value("last_ids")
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	if string(format) != `"`+exportFormat+`"` || string(version) != fmt.Sprint(exportVersion) {
		return fmt.Errorf("format %s, version %s: this shelf reads %q, version %d", format, version, exportFormat, exportVersion)
	}
	ids, err := d.parseIDs(last, true)
	if err != nil {
		return fmt.Errorf("last_ids, the highest id of each kind: %w", err)
	}
	p := parsedLine{change: change{op: opIDs, ids: ids}, rows: 1}
	if err := d.admit(p, true); err != nil {
		return fmt.Errorf("last_ids: %w", err)
	}
	d.applyLocked(p.change)
	p.ids = d.Snapshot().lastIDs() // without tables that have never held a row
	if err := d.tellImported(p.change); err != nil {
		return err
	}
	for _, t := range d.tables {
		if err := d.importRows(t, from); err != nil {
			return err
		}
	}
	return nil
}

func (d *DB) importRows(t table, from *strictjson.Document) error {
	next, end := d.opt.Progress.Rows("checking the "+t.plural(), from.Len(t.plural()))
	defer end()
	return from.Each(t.plural(), func(text []byte) error {
		next()
		return d.importRow(t, text)
	})
}

func (d *DB) importRow(t table, text []byte) error {
	if err := strictjson.Sound(text); err != nil {
		return err
	}
	row, id, err := t.decode(text, true)
	if err == nil {
		err = t.valid(row)
	}
	if err != nil {
		return err
	}
	return d.admitRow(t, id, row)
}

// admitRow adds an imported row if it keeps the rules of a log line.
func (d *DB) admitRow(t table, id int, row any) error {
	p := parsedLine{change: change{op: opPut, table: t, id: id, row: row}, rows: 1}
	if err := d.admit(p, true); err != nil {
		return err
	}
	if t.has(id) {
		return fmt.Errorf("id %d is another %s's too", id, t.name())
	}
	p.row = t.prepare(row)
	d.applyLocked(p.change)
	return d.tellImported(p.change)
}

func (d *DB) tellImported(c change) error {
	if d.opt.imported == nil {
		return nil
	}
	return d.opt.imported(c)
}
