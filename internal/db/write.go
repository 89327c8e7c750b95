package db

import (
	"fmt"
	"time"

	"example.com/shelf/internal/history"
)

// write encodes changes and appends them to the log. If the encoding panics, only
// they fail: nothing was written.
func (d *DB) write(changes []change, appendTo func(time.Time, [][]byte) error) error {
	if len(changes) == 0 {
		return d.toLog(0, func() error { return nil })
	}
	var lines [][]byte
	if err := protect("encoding a change", func() (err error) { lines, err = d.encodeLines(changes); return err }); err != nil {
		return err
	}
	return d.toLog(d.version(changes), func() error { return appendTo(d.opt.Now(), lines) })
}

// manyChanges is how many changes a batch of single requests never has: it is an
// import.
const manyChanges = 10_000

// writeLong is write for many changes. Their lines are encoded one by one, as all of
// them could take more memory than the rows.
func (d *DB) writeLong(changes []change) error {
	return d.toLog(d.version(changes), func() error {
		return d.hist.AppendLong(d.opt.Now(), len(changes), func(add func([]byte) error) error {
			return d.encodeEach(changes, add)
		})
	})
}

func (d *DB) encodeEach(changes []change, add func(line []byte) error) error {
	next, end := d.opt.Progress.Rows("preparing the rows", len(changes))
	defer end()
	var line []byte
	for _, c := range changes {
		err := protect("encoding a change", func() (err error) { line, err = c.appendReadable(line[:0]); return err })
		if err == nil {
			err = add(line)
		}
		if err != nil {
			return err
		}
		next()
	}
	return nil
}

// toLog calls write, which appends lines that need that version of the log's format.
func (d *DB) toLog(version int, write func() error) error {
	if d.broken != nil {
		return fmt.Errorf("%w: %v", history.ErrReadOnly, d.broken)
	}
	return d.protectOrBreak("writing a batch", func() error {
		if version > 0 {
			if err := d.hist.Need(version); err != nil {
				return err
			}
		}
		return write()
	})
}
