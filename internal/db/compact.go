package db

import (
	"errors"
	"iter"

	"example.com/shelf/internal/history"
)

// compactMinSize is the smallest log worth compacting, in bytes. Replaying a
// megabyte takes no noticeable time.
const compactMinSize = 1 << 20

// compactIfWorthLocked starts a compaction if more than half of the lines are
// outdated. The caller holds d.writing too.
func (d *DB) compactIfWorthLocked() {
	if d.shared != nil {
		d.shared.compactIfWorthLocked()
		return
	}
	log := d.state
	if d.compactRunning || d.closing || log.Bytes < compactMinSize || log.Lines < d.compactFrom || log.Lines <= 2*d.rowsLocked() {
		return
	}
	d.compactRunning = true
	d.compacting.Go(func() {
		err := protect("compacting", d.Compact)
		d.writing.Lock()
		defer d.writing.Unlock()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.compactRunning, d.compactFrom = false, 0
		d.noteLogLocked()
		if err != nil {
			// The disk has no room for a second file. Retry once the log has
			// grown by half.
			d.compactFrom = d.state.Lines * 3 / 2
			d.opt.Log.Warn("compaction failed; the data file is unchanged", "error", err)
		}
	})
}

// checkReadable returns an error for a line that the next start could not read.
func (d *DB) checkReadable(lines []history.Record) error {
	for _, rec := range lines {
		p, err := d.parse(rec)
		if err == nil && p.rows != 1 {
			err = errors.New("a line must change one row")
		}
		if err != nil {
			return &history.Damage{Line: rec.Line, What: err.Error()}
		}
	}
	return nil
}

// Compact replaces the log by a snapshot of the committed rows. Reads and
// writes continue. Writers wait twice, briefly: while pointers to the rows are
// copied, and while the log carries over the lines written meanwhile. Only one
// compaction may run at a time. A DB with an open log starts compactions
// itself.
func (d *DB) Compact() error {
	if d.opt.Tidy != nil {
		if err := d.opt.Tidy(); err != nil {
			return err
		}
	}
	if d.shared != nil {
		return d.shared.compact()
	}
	snapshot, write, err := d.beginCompaction()
	if err != nil {
		return err
	}
	return write(snapshot.encoded("compacting the data"))
}

func (d *DB) beginCompaction() (snapshot *Snapshot, write func(iter.Seq[[]byte]) error, err error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	if d.broken != nil {
		return nil, nil, d.broken // after a panic, memory may differ from the log
	}
	snapshot = d.Snapshot()
	if version := snapshot.version(); version > 0 { // a line edited by hand may have added a row
		if err := d.hist.Need(version); err != nil {
			return nil, nil, err
		}
	}
	write, err = d.hist.Compact(d.opt.Now(), snapshot.lines(), d.checkReadable)
	return snapshot, write, err
}
