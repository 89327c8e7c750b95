package journal

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/history"
)

// Append writes the bodies as one batch, with one write and one fsync. A body
// is the members of a JSON object without its braces. When Append returns nil,
// the batch survives a crash. If Append fails with history.ErrFull or
// history.ErrReadOnly, nothing of the batch is in the file or ever will be. If
// it fails with history.ErrOutcomeUnknown, every later Append fails with
// history.ErrReadOnly. A large batch is written as AppendLong does it.
func (j *Journal) Append(at time.Time, bodies [][]byte) error {
	return j.append(at, len(bodies), each(bodies), false)
}

// AppendEnding is Append for a batch that only ends or deletes something. It
// may use the reserve.
func (j *Journal) AppendEnding(at time.Time, bodies [][]byte) error {
	return j.append(at, len(bodies), each(bodies), true)
}

// AppendLong is Append for a batch that may be larger than the memory, such as an
// import. lines calls add with each of the n bodies. A body is valid until add
// returns. If lines fails, nothing of the batch is in the file, and AppendLong
// returns that error.
//
// A large batch is written in pieces, and in two steps, each with its own fsync:
// first all lines but the last, then the last line, which closes the batch. A start
// that reads the last line thus knows that the others are on disk, and need not
// write them again: see syncLastBatch.
func (j *Journal) AppendLong(at time.Time, n int, lines func(add func(body []byte) error) error) error {
	return j.append(at, n, lines, false)
}

// each adds bodies one by one.
func each(bodies [][]byte) func(add func([]byte) error) error {
	return func(add func([]byte) error) error {
		for _, body := range bodies {
			if err := add(body); err != nil {
				return err
			}
		}
		return nil
	}
}

func (j *Journal) append(at time.Time, n int, lines func(add func([]byte) error) error, ends bool) error {
	j.mu.Lock()
	defer j.unlock()
	if err := j.stillOurs(); err != nil {
		return fmt.Errorf("%w: %v", history.ErrReadOnly, err)
	}
	next, end := j.options.Progress.Rows("writing "+j.path, n)
	defer end()
	a := &appender{j: j, at: at, n: n, ends: ends, next: next}
	if j.partialWrite {
		a.buf = append(append(a.buf, refusedMark...), '\n')
		a.mark = len(a.buf)
	}
	from, partial := j.size, j.partialWrite
	err := lines(a.add)
	if err == nil {
		err = a.close()
	}
	if err != nil {
		if a.written > 0 && j.failed == nil {
			j.takeBack(from, partial)
		}
		return err
	}
	if n == 0 {
		return nil
	}
	j.partialWrite = false
	j.size += a.written
	j.seq += int64(n)
	j.lines += n
	return nil
}

// large reports whether a batch of n bytes is written in two steps.
func (o Options) large(n int64) bool { return n > cmp.Or(o.Large, 1<<20) }

// An appender writes one batch behind the end of the file.
type appender struct {
	j    *Journal
	at   time.Time
	n    int  // number of lines in the batch
	ends bool // the batch may use the reserve
	next func()

	lines   int    // number of lines added
	mark    int    // size of the mark before the batch, which refuses a failed write
	buf     []byte // what is not written yet
	last    int    // offset in buf of the last line
	written int64  // number of bytes before buf
}

// add adds a line. It writes a piece of a large batch, without an fsync.
func (a *appender) add(body []byte) error {
	closes := 0
	if a.lines++; a.lines == a.n {
		closes = a.n
	}
	a.last = len(a.buf)
	a.buf = appendLine(a.buf, a.j.seq+int64(a.lines), a.at, body, closes)
	a.next()
	if a.lines < a.n && a.j.options.large(int64(len(a.buf))) {
		return a.write(len(a.buf))
	}
	return nil
}

// close writes the rest, and makes the batch durable.
func (a *appender) close() error {
	if a.lines != a.n {
		return fmt.Errorf("the batch has %d lines where %d were announced", a.lines, a.n)
	}
	if a.j.options.large(a.written + int64(len(a.buf)-a.mark)) {
		if err := a.write(a.last); err != nil {
			return err
		}
		if err := a.sync(); err != nil {
			return err
		}
	}
	if err := a.write(len(a.buf)); err != nil {
		return err
	}
	return a.sync()
}

// write writes the first n bytes of buf.
func (a *appender) write(n int) error {
	if n == 0 {
		return nil
	}
	j, end := a.j, a.written+int64(n)
	if !a.ends && !j.leavesReserve(end) {
		return fmt.Errorf("%w: the remaining room is reserved for log-outs and other endings", history.ErrFull)
	}
	if _, err := j.f.WriteAt(a.buf[:n], j.size+a.written); err != nil {
		rest := len(a.buf) - n + len(`{"seq":`)*(a.n-a.lines) // at least that follows
		return j.writeFailed(err, end+int64(rest))
	}
	a.written = end
	a.buf = append(a.buf[:0], a.buf[n:]...)
	return nil
}

// sync makes durable what is written.
func (a *appender) sync() error {
	if a.written == 0 {
		return nil
	}
	j, start := a.j, clock.Real()
	err := j.f.Sync()
	if j.options.Synced != nil {
		j.options.Synced(clock.Since(start))
	}
	if err != nil {
		// The kernel may have dropped the pages and forgotten the error, so a
		// second fsync that succeeds proves nothing: see "Can Applications
		// Recover from fsync Failures?", USENIX ATC 2020.
		j.failed = fmt.Errorf("an fsync failed: %w", err)
		return fmt.Errorf("%w: %v", history.ErrOutcomeUnknown, err)
	}
	return nil
}

// takeBack removes the pieces of a batch that failed before its last line, so that
// they take no room. from is the size of the file before them, and partial reports
// that it ended with a failed write even then. If the pieces can't be removed, the
// next batch marks them.
func (j *Journal) takeBack(from int64, partial bool) {
	err := j.f.Truncate(from)
	if err == nil {
		j.size, j.partialWrite = from, partial
		if err := j.f.Sync(); err != nil { // the pieces could come back behind later lines
			j.failed = fmt.Errorf("an fsync failed: %w", err)
		}
		j.findReserve()
		return
	}
	size, sizeErr := j.f.Size()
	if sizeErr != nil {
		j.failed = fmt.Errorf("a batch was refused, and its bytes may be in the file: %w", errors.Join(err, sizeErr))
		return
	}
	j.partialWrite = partial || size > from
	j.size = size
}
