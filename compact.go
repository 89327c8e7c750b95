package main

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"time"
)

// A compaction writes the journal anew beside the old one: first the rows that
// are alive, while reads and writes go on, then what was appended meanwhile.
// The new file is synced and locked before it gets the name, and the folder is
// synced after; so whenever a crash comes, the name stands for a whole journal.
type compaction struct {
	j        *journal
	f        diskFile
	name     string
	seq      int64 // of the next line of the snapshot
	snapshot int64 // of its last line
	rows     int
	size     int64 // of the new file
	from     int64 // the old file is carried over up to here
	buf      []byte
}

// errNoHistory: a new file would be no shorter than the old one.
var errNoHistory = errors.New("nothing to compact")

// beginCompaction starts one for a state of rows lines, taken at this moment.
// Like append it needs the journal to itself. The lines are given the numbers
// up to the last one used, so that the numbers go on afterwards; there have
// been at least as many changes as there are rows.
func (j *journal) beginCompaction(rows int) (*compaction, error) {
	if j.dead != nil {
		return nil, j.dead
	}
	if int64(rows) > j.seq {
		return nil, errNoHistory
	}
	// One that failed may not have been able to remove its file.
	if err := j.disk.remove(j.real + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	c := &compaction{j: j, name: j.real + ".new", seq: j.seq - int64(rows) + 1, snapshot: j.seq, rows: rows, from: j.size}
	f, err := j.disk.open(c.name, true)
	if err != nil {
		return nil, err
	}
	c.f = f
	c.buf = appendHeader(nil, c.seq-1, c.snapshot)
	return c, nil
}

// add writes the next line of the snapshot. It needs no lock.
func (c *compaction) add(now time.Time, change []byte) error {
	c.buf = appendLine(c.buf, c.seq, now, change, 1)
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

// finish puts the new file in the old one's place. It needs the journal to
// itself. When it fails before the new file has the name, the old one goes on;
// after that nothing can be written until a restart, which finds a whole
// journal under the name either way.
func (c *compaction) finish() error {
	j := c.j
	if err := c.carryOver(j.size); err != nil {
		return err
	}
	if err := j.stillOurs(); err != nil {
		return err
	}
	if err := c.f.lock(); err != nil {
		return err
	}
	f, err := j.disk.replace(c.f, c.name, j.real, j.f)
	switch {
	case f == nil:
		j.dead = err
		return err
	case err != nil:
		j.f = f
		return err
	}
	c.f = nil // it is the journal's now
	j.f, j.size = f, c.size
	j.lines = c.rows + int(j.seq-c.snapshot)
	// Until the folder is synced a power cut may bring the old file back,
	// without what is appended from now on.
	if err := j.disk.syncDir(filepath.Dir(j.real)); err != nil {
		j.dead = err
		return err
	}
	return nil
}

// abandon gives up and removes the unfinished file, unless it has become the
// journal's.
func (c *compaction) abandon() {
	if c.f == nil {
		return
	}
	c.f.Close()
	c.j.disk.remove(c.name)
}

// compactMinSize is the size in bytes below which a data file is left alone:
// nobody waits for a file of a megabyte.
const compactMinSize = 1 << 20

// compactIfWorthLocked starts a compaction if more than half of the file is
// history. The caller holds the journal too.
func (s *store) compactIfWorthLocked() {
	j := s.journal
	if j == nil || s.compacts || s.closing || j.size < compactMinSize || j.lines < s.compactFrom {
		return
	}
	live := s.users.rows.len() + s.tokens.rows.len() + s.items.rows.len() + s.books.rows.len()
	if j.lines <= 2*live {
		return
	}
	s.compacts = true
	s.compacting.Go(func() {
		err := s.compact()
		s.writing.Lock()
		defer s.writing.Unlock()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.compacts, s.compactFrom = false, 0
		s.noteJournalLocked()
		if err != nil {
			// A disk without room for a second file: try again when it pays more.
			s.compactFrom = s.journal.lines * 3 / 2
			s.log.Warn("compaction given up; the data file goes on as it is", "error", err)
		}
	})
}

// compact replaces the data file by one that holds only what is alive. Reads
// and writes go on: writers wait while the rows' pointers are copied, and again
// while the last few lines are carried over.
func (s *store) compact() error {
	if _, err := s.pruneTokens(); err != nil {
		return err
	}
	s.writing.Lock()
	img := s.image()
	c, err := s.journal.beginCompaction(img.rows() + 1)
	s.writing.Unlock()
	if err != nil {
		return err
	}
	now := s.now()
	for line := range img.changes() {
		if err = c.add(now, encodeChange(line)); err != nil {
			break
		}
	}
	// Most of what was appended meanwhile is carried over and synced before
	// the writers have to wait, which leaves little to do while they do.
	for range 2 {
		s.writing.Lock()
		end := s.journal.size
		s.writing.Unlock()
		if err == nil {
			err = c.carryOver(end)
		}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if err == nil {
		err = c.finish()
	}
	if err != nil {
		c.abandon()
	}
	return err
}
