package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"time"

	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/history"
)

// ErrNoHistory means that compaction would not shorten the file, because no
// line is outdated.
var ErrNoHistory = errors.New("nothing to compact")

// A compaction writes a new file beside the old one: first a snapshot, while
// Append goes on, then the lines that were appended meanwhile. The new file is
// synced and locked before it gets the name, and the folder is synced
// afterwards. So at any crash the name belongs to a complete journal.
type compaction struct {
	j        *Journal
	f        File // nil once it has replaced the journal's file
	name     string
	header   header
	begin    int64     // offset of the first line after the header
	at       time.Time // time of the snapshot's lines
	seq      int64     // of the next snapshot line
	snapshot int64     // seq of the last snapshot line
	rows     int
	check    func([]history.Record) error
	size     int64 // of the new file
	from     int64 // offset in the old file up to which it is carried over
	buf      []byte
}

// Compact begins to replace the file by a new one, which starts with a snapshot
// of n lines. The snapshot must be the state after the last Append. The caller
// must call the returned function once, with these lines. The function writes
// the new file while Append goes on, and returns after the new file has
// replaced the old one. Append waits only while the last lines are carried
// over. Before that the function reads the new file back and calls check with
// the lines of the snapshot. A file that can't be read never replaces the old
// one.
//
// The lines of the snapshot get the numbers up to the last one used, so that
// later numbers continue. Compact fails with ErrNoHistory if fewer than n lines
// were ever written. If the function fails before the new file has the name,
// the old file stays in use. If it fails later, nothing can be written until a
// restart, and State says so. The restart finds a complete journal in both
// cases.
func (j *Journal) Compact(at time.Time, n int, check func([]history.Record) error) (write func(snapshot iter.Seq[[]byte]) error, err error) {
	j.mu.Lock()
	defer j.unlock()
	switch {
	case j.failed != nil:
		return nil, j.failed
	case j.compacting:
		return nil, errors.New("a compaction is already running")
	case int64(n) > j.seq:
		return nil, ErrNoHistory
	}
	c := &compaction{j: j, name: j.real + newFile, at: at, seq: j.seq - int64(n) + 1, snapshot: j.seq, rows: n, check: check, from: j.size}
	c.header = header{Version: j.header.Version, After: c.seq - 1, Snapshot: c.snapshot}
	if err := c.open(); err != nil {
		return nil, err
	}
	j.compacting = true
	return c.write, nil
}

// open makes the new file, which begins with the header.
func (c *compaction) open() (err error) {
	// left by a failed compaction that could not remove it
	if err := c.j.disk.Remove(c.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if c.f, err = c.j.disk.Open(c.name, true); err != nil {
		c.f = nil
		return err
	}
	c.buf = c.header.appendTo(nil)
	c.begin = int64(len(c.buf))
	return nil
}

// Need raises the version in the header. A program that reads only lower versions then
// rejects the file with one clear error. Need must be called before the first line that
// needs the version is appended. The lines stay the same: they are copied into a new
// file, which replaces the old one as in a compaction. Need does nothing if the header
// has the version or a higher one.
//
// Need waits for a running compaction. If it fails, it fails with history.ErrFull or
// history.ErrReadOnly, and the old file stays in use.
func (j *Journal) Need(version int) error {
	j.mu.Lock()
	defer j.unlock()
	for j.compacting {
		j.compacted.Wait()
	}
	if j.failed == nil && version <= j.header.Version {
		return nil
	}
	if err := j.stillOurs(); err != nil {
		return fmt.Errorf("%w: %v", history.ErrReadOnly, err)
	}
	err := j.raise(version)
	switch {
	case err == nil:
		return nil
	case j.failed == nil && durable.Full(err):
		return fmt.Errorf("%w: %v", history.ErrFull, err)
	}
	return fmt.Errorf("%w: %v", history.ErrReadOnly, err)
}

// raise replaces the file by one whose header has the version. The caller holds mu.
func (j *Journal) raise(version int) error {
	c := &compaction{j: j, name: j.real + newFile, header: j.header, snapshot: j.seq, rows: j.lines, from: j.begin}
	c.header.Version = version
	if err := c.open(); err != nil {
		return err
	}
	defer c.abandon()
	c.check = func([]history.Record) error { return nil } // the lines are the old ones
	if err := c.carryOver(j.size); err != nil {
		return err
	}
	if err := c.readBack(j.seq, j.partialWrite); err != nil {
		return err
	}
	return c.finish()
}

// write writes the new file and replaces the old one by it.
func (c *compaction) write(snapshot iter.Seq[[]byte]) error {
	j := c.j
	locked := false
	defer func() {
		if !locked { // snapshot panicked
			j.mu.Lock()
		}
		c.abandon()
		j.compacting = false
		j.compacted.Broadcast()
		j.unlock()
	}()
	err := c.addAll(snapshot)
	// Most of the new lines are carried over and synced before Append has to
	// wait. Little is left for that time.
	for i := range 2 {
		j.mu.Lock()
		end, seq, partial := j.size, j.seq, j.partialWrite
		j.mu.Unlock()
		if err == nil {
			err = c.carryOver(end)
		}
		if err == nil && i == 0 { // the longest step; lines are appended meanwhile
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
		return fmt.Errorf("the snapshot does not have the announced %d lines", c.rows)
	}
	return nil
}

// add adds the next line of the snapshot.
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

// carryOver copies the old file up to offset end, and syncs the new file. end
// must be a size that the journal had; then no lock is needed.
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

// readBack reads the new file as a start would, up to line seq. partial reports
// that a failed write follows that line.
func (c *compaction) readBack(seq int64, partial bool) error {
	s, err := scanFile(c.f, c.size, func(batch []history.Record) error {
		if batch[0].Seq > c.snapshot {
			return nil // copied from the old file
		}
		return c.check(batch)
	}, c.j.options.Progress, "reading "+c.name+" back")
	if err == nil && (s.seq != seq || s.torn() > 0 && !partial) {
		err = fmt.Errorf("up to seq %d of %d, with %d bytes behind", s.seq, seq, s.torn())
	}
	if err != nil {
		return fmt.Errorf("reading the new file back: %w", err)
	}
	return nil
}

// finish replaces the old file by the new one. The caller holds mu. If finish
// fails before the new file has the name, the old file stays in use. After a
// later error nothing can be written until a restart.
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
	j.f, j.header, j.begin, j.size = f, c.header, c.begin, c.size
	j.lines = c.rows + int(j.seq-c.snapshot)
	j.findReserve()
	// Until the folder is synced, a power cut may bring the old file back,
	// without the lines appended later.
	if _, err := j.syncDir(j.real); err != nil {
		j.failed = err
		return err
	}
	return nil
}

// abandon removes the unfinished file. It does nothing after finish has
// succeeded. The caller holds mu.
func (c *compaction) abandon() {
	if c.f == nil {
		return
	}
	c.f.Close()
	c.j.disk.Remove(c.name)
}
