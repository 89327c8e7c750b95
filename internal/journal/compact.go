package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"time"

	"example.com/shelf/internal/history"
)

// ErrNoHistory says that a compacted file would be no shorter than the file is:
// every line is alive.
var ErrNoHistory = errors.New("nothing to compact")

// A compaction writes the journal anew beside the old one: first a snapshot of
// what is alive, while Append goes on, then what was appended meanwhile. The new
// file is synced and locked before it gets the name, and the folder is synced
// after. So whenever a crash comes, the name stands for a whole journal.
type compaction struct {
	j        *Journal
	f        File // nil once it is the journal's
	name     string
	at       time.Time // what the snapshot's lines say
	seq      int64     // of the next line of the snapshot
	snapshot int64     // of its last line
	rows     int
	check    func([]history.Record) error
	size     int64 // of the new file
	from     int64 // the old file is carried over up to here
	buf      []byte
}

// Compact begins to replace the file by one that starts with a snapshot of n
// lines, which must be the state after the last Append. It returns a function
// that must be called once with these lines. That one writes the new file while
// Append goes on, and returns when the new file has the old one's name. It makes
// Append wait only while it carries over the last lines that were appended
// meanwhile. Before that it reads the new file back, and calls check with the
// snapshot's lines, in pieces: a file that can't be read never gets the name.
//
// The snapshot's lines get the numbers up to the last one used, so the numbers
// go on afterwards. Compact fails with ErrNoHistory if fewer lines than n were
// ever written. When the function fails before the new file has the name, the
// old file goes on. After that, nothing can be written until a restart, which
// finds a whole journal either way: State says so.
func (j *Journal) Compact(at time.Time, n int, check func([]history.Record) error) (write func(snapshot iter.Seq[[]byte]) error, err error) {
	j.mu.Lock()
	defer j.unlock()
	switch {
	case j.failed != nil:
		return nil, j.failed
	case j.compacting:
		return nil, errors.New("a compaction runs already")
	case int64(n) > j.seq:
		return nil, ErrNoHistory
	}
	// One that failed may not have been able to remove its file.
	if err := j.disk.Remove(j.real + newFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	c := &compaction{j: j, name: j.real + newFile, at: at, seq: j.seq - int64(n) + 1, snapshot: j.seq, rows: n, check: check, from: j.size}
	f, err := j.disk.Open(c.name, true)
	if err != nil {
		return nil, err
	}
	c.f = f
	c.buf = appendHeader(nil, c.seq-1, c.snapshot)
	j.compacting = true
	return c.write, nil
}

// write writes the new file and puts it in the old one's place.
func (c *compaction) write(snapshot iter.Seq[[]byte]) error {
	j := c.j
	locked := false
	defer func() {
		if !locked { // snapshot panicked
			j.mu.Lock()
		}
		c.abandon()
		j.compacting = false
		j.unlock()
	}()
	err := c.addAll(snapshot)
	// Most of what was appended meanwhile is carried over and synced before
	// Append has to wait, which leaves little to do while it does.
	for i := range 2 {
		j.mu.Lock()
		end, seq, partial := j.size, j.seq, j.partialWrite
		j.mu.Unlock()
		if err == nil {
			err = c.carryOver(end)
		}
		if err == nil && i == 0 { // the longest part: more is appended meanwhile
			err = c.readBack(seq, partial)
		}
	}
	j.mu.Lock()
	locked = true
	if err == nil {
		err = c.finish()
	}
	return err
}

func (c *compaction) addAll(snapshot iter.Seq[[]byte]) error {
	n := 0
	for body := range snapshot {
		if n++; n > c.rows {
			break
		}
		if err := c.add(body); err != nil {
			return err
		}
	}
	if n != c.rows {
		return fmt.Errorf("the snapshot has not the %d lines that were announced", c.rows)
	}
	return nil
}

// add writes the next line of the snapshot.
func (c *compaction) add(body []byte) error {
	c.buf = appendLine(c.buf, c.seq, c.at, body, 1)
	c.seq++
	if len(c.buf) < 1<<18 {
		return nil
	}
	return c.flush()
}

func (c *compaction) flush() error {
	n, err := c.f.WriteAt(c.buf, c.size)
	c.size += int64(n)
	c.buf = c.buf[:0]
	return err
}

// carryOver copies the old file up to end, and syncs what is there. It needs
// no lock if end is a size that the journal had.
func (c *compaction) carryOver(end int64) error {
	if err := c.flush(); err != nil {
		return err
	}
	n, err := io.Copy(io.NewOffsetWriter(c.f, c.size), io.NewSectionReader(c.j.f, c.from, end-c.from))
	c.size += n
	c.from += n
	if err != nil {
		return err
	}
	return c.f.Sync()
}

// readBack reads the new file as a start would, up to the line seq. partial says that
// what a failed write left stands behind that line.
func (c *compaction) readBack(seq int64, partial bool) error {
	s, err := scanFile(c.f, c.size, func(batch []history.Record) error {
		if batch[0].Seq > c.snapshot {
			return nil // carried over as it was
		}
		return c.check(batch)
	})
	if err == nil && (s.seq != seq || s.torn() > 0 && !partial) {
		err = fmt.Errorf("up to seq %d of %d, with %d bytes behind", s.seq, seq, s.torn())
	}
	if err != nil {
		return fmt.Errorf("reading the new file back: %w", err)
	}
	return nil
}

// finish puts the new file in the old one's place. The caller holds mu. When it
// fails before the new file has the name, the old one goes on; after that nothing
// can be written until a restart.
func (c *compaction) finish() error {
	j := c.j
	if err := c.carryOver(j.size); err != nil {
		return err
	}
	if err := j.stillOurs(); err != nil {
		return err
	}
	if err := c.f.Lock(); err != nil {
		return err
	}
	f, err := j.disk.Replace(c.f, c.name, j.real, j.f)
	switch {
	case f == nil:
		j.failed = err
		return err
	case err != nil:
		j.f = f
		return err
	}
	c.f = nil // it is the journal's now
	j.f, j.size = f, c.size
	j.lines = c.rows + int(j.seq-c.snapshot)
	j.findReserve()
	// Until the folder is synced a power cut may bring the old file back,
	// without what is appended from now on.
	if _, err := j.syncDir(j.real); err != nil {
		j.failed = err
		return err
	}
	return nil
}

// abandon removes the unfinished file, unless it has become the journal's. The
// caller holds mu.
func (c *compaction) abandon() {
	if c.f == nil {
		return
	}
	c.f.Close()
	c.j.disk.Remove(c.name)
}
