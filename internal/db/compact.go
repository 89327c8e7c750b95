package db

import (
	"errors"
	"iter"

	"example.com/shelf/internal/history"
)

// compactMinSize is the size in bytes below which a log is left alone: no start
// has to wait for a megabyte.
const compactMinSize = 1 << 20

// compactIfWorthLocked starts a compaction if more than half of the log is
// history. The caller holds the log too.
func (d *DB) compactIfWorthLocked() {
	log := d.state
	if d.compacts || d.closing || log.Bytes < compactMinSize || log.Lines < d.compactFrom || log.Lines <= 2*d.rowsLocked() {
		return
	}
	d.compacts = true
	d.compacting.Go(func() {
		err := protect("compacting", d.Compact)
		d.writing.Lock()
		defer d.writing.Unlock()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.compacts, d.compactFrom = false, 0
		d.noteLogLocked()
		if err != nil {
			// A disk without room for a second file: try again when it pays more.
			d.compactFrom = d.state.Lines * 3 / 2
			d.opt.Log.Warn("compaction given up; the data file goes on as it is", "error", err)
		}
	})
}

// understand fails for a line that a start would not understand.
func (d *DB) understand(lines []history.Record) error {
	for _, rec := range lines {
		p, err := d.parse(rec)
		if err == nil && p.rows != 1 {
			err = errors.New("not one row")
		}
		if err != nil {
			return &history.Damage{Line: rec.Line, What: err.Error()}
		}
	}
	return nil
}

// Compact replaces the log by one that holds only what is alive. Reads and writes
// go on: writers wait while the rows' pointers are copied, and again while the
// log carries over the last few lines. One compaction may run at a time; a DB
// with an open log starts them by itself.
func (d *DB) Compact() error {
	if d.opt.Tidy != nil {
		if err := d.opt.Tidy(); err != nil {
			return err
		}
	}
	snapshot, write, err := d.beginCompaction()
	if err != nil {
		return err
	}
	return write(snapshot.encoded())
}

func (d *DB) beginCompaction() (snapshot *Snapshot, write func(iter.Seq[[]byte]) error, err error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	if d.broken != nil {
		return nil, nil, d.broken // memory may not be what the log is
	}
	snapshot = d.Snapshot()
	write, err = d.hist.Compact(d.opt.Now(), snapshot.lines(), d.understand)
	return snapshot, write, err
}
