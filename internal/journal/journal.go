package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/history"
)

// Options are what a caller may choose.
type Options struct {
	// Synced, if set, is told how long the fsync of each batch took. It is
	// called while the journal is locked, so it must not call the journal.
	Synced func(took time.Duration)
	// Reserve is how many bytes behind the end of the file are kept free for
	// AppendEnding, where the system can do that and there is so much room.
	Reserve int64
	// DropUnused has Close remove a file that Open created, if nothing was ever
	// appended to it.
	DropUnused bool
}

// A Journal is a file that is open for writing, and locked. It is a history.Log:
// see there for the order of calls. Beyond what a Log promises, all methods but
// Replay and Start may be called at any time from any goroutine.
type Journal struct {
	disk    Disk
	path    string // as the settings have it
	real    string // the same, or what it is a symbolic link to: what compaction replaces
	options Options
	scan    *scan // by Replay
	found   Found // by Replay and Start
	missed  []string

	// mu is held by whoever uses the file, also while the disk works.
	mu           sync.Mutex
	created      bool // by Open
	dropUnused   bool // Options.DropUnused; set anyway until Start has come to its end
	f            File
	seq          int64  // of the last closed batch
	size         int64  // of the file, as we left it
	lines        int    // after the header: changes alive or overtaken
	reserve      int64  // what Append leaves of want; less than want if there was never more room
	partialWrite bool   // the last write failed half-way and left something
	failed       error  // why nothing can be written any more, nil while it can
	compacting   bool   // from Compact to the end of the function that it returned
	buf          []byte // a batch's bytes, kept for the next

	state atomic.Pointer[history.State] // what State says without waiting for mu
}

var _ history.Log = (*Journal)(nil)

// Open locks the file at path, and creates an empty one if there is none. It
// reads nothing and changes nothing in the file. It fails with ErrLocked or with
// what the disk said; Explain words both for a person.
//
// Open waits a moment for the lock, so that a start that follows a stop at once
// finds the file free.
func Open(disk Disk, path string, options Options) (*Journal, error) {
	real, err := disk.RealPath(path)
	if err != nil {
		return nil, err
	}
	f, created, err := lockFile(disk, real)
	if err != nil {
		return nil, err
	}
	j := &Journal{created: created, dropUnused: true, options: options, disk: disk, path: path, real: real, f: f}
	j.note()
	return j, nil
}

// Lock locks the file at path, as Open does, for a caller that wants nobody to
// write to it. The lock ends with Close, or with the process.
func Lock(disk Disk, path string) (io.Closer, error) {
	real, err := disk.RealPath(path)
	if err != nil {
		return nil, err
	}
	f, _, err := lockFile(disk, real)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// lockFile opens path and locks it. The file may have been replaced between
// the two (by a compaction just ended), so it looks again afterwards.
// A file that can't be used is not left behind if lockFile made it.
func lockFile(disk Disk, path string) (f File, created bool, err error) {
	const (
		patience = 300 * time.Millisecond
		pause    = 10 * time.Millisecond
	)
	failure := ErrLocked
	for waited := time.Duration(0); waited < patience; waited += pause {
		f, err = disk.Open(path, false)
		if errors.Is(err, fs.ErrNotExist) {
			f, err = disk.Open(path, true)
			if errors.Is(err, fs.ErrExist) {
				continue
			}
			created = err == nil
		}
		if err != nil {
			return nil, false, err
		}
		if err := f.Lock(); errors.Is(err, ErrLocked) {
			f.Close()
			failure, created = ErrLocked, false // it is another's now
			time.Sleep(pause)
			continue
		} else if err != nil {
			f.Close()
			if created {
				disk.Remove(path)
			}
			return nil, false, lacks("lock a file", "another shelf could write to it at the same time", err)
		}
		if _, same, err := disk.Names(path, f); err == nil && same {
			return f, created, nil
		}
		f.Close()
		created = false
		// A file that is replaced all the time, or one whose inode number changes.
		failure = &lack{"tell one file from another", "shelf could write into a file that nobody can see", errors.New("the file that was opened is never the one that has the name")}
		time.Sleep(pause)
	}
	return nil, false, failure
}

// A lack is a call that the data file's file system doesn't have, and without which
// a promise would be broken.
type lack struct {
	call, harm string
	err        error
}

func (l *lack) Error() string {
	return fmt.Sprintf("its file system can't %s (%v), so %s; keep the data on a local disk, with -data FILE", l.call, l.err, l.harm)
}

func (l *lack) Unwrap() error { return l.err }

// lacks makes a lack of err, if that is what err says.
func lacks(call, harm string, err error) error {
	if durable.Lacks(err) {
		return &lack{call, harm, err}
	}
	return err
}

// Explain says what is wrong with the journal at path, and what to do about it,
// in one line. err is what Open, Replay, Start, Read or Lock returned, or what
// the operating system said about the file.
func Explain(path string, err error) error {
	var d *history.Damage
	switch {
	case errors.As(err, &d):
		return fmt.Errorf("%s is damaged: %w (nothing was changed; mend or restore the file, or start with another -data)%s", path, d, below(d.Show))
	case errors.Is(err, ErrLocked):
		return fmt.Errorf("%s is in use by another shelf", path)
	}
	if l, ok := errors.AsType[*lack](err); ok {
		return fmt.Errorf("%s: %w", path, l)
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("can't %s the data file %s: %w", at.Op, at.Path, at.Err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// below is what stands below an error's line.
func below(show string) string {
	if show == "" {
		return ""
	}
	return "\n" + strings.TrimSuffix(show, "\n")
}

// Replay calls emit with each closed batch in the file, in order. The bodies
// stay valid; the slice is emit's only until it returns. Replay fails with a
// *history.Damage, with emit's error, with what the disk said, or with an error
// that says that this is no journal. It changes nothing in the file. After an
// error only Found and Close are of use.
//
// emit must refuse a Manual record with a member that it doesn't know.
func (j *Journal) Replay(emit func([]history.Record) error) error {
	j.mu.Lock()
	defer j.unlock()
	size, err := j.f.Size()
	if err != nil {
		return err
	}
	j.scan, err = scanFile(j.f, size, emit)
	j.found = j.scan.found()
	if err != nil {
		return err
	}
	j.seq, j.lines, j.size = j.scan.seq, j.scan.lines, size
	return nil
}

// Last is the number of the last line that Replay emitted, and up to which
// number lines are a snapshot.
func (j *Journal) Last() (seq, snapshot int64) { return j.found.Seq, j.found.Snapshot }

// Found is what Replay found in the file, and Start did about it.
func (j *Journal) Found() Found { return j.found }

// Append writes the bodies as one batch: one write, one fsync. A body is the
// members of a JSON object without its braces. When Append returns nil, the
// batch survives a crash. Otherwise it fails with history.ErrFull or
// history.ErrReadOnly, and nothing of the batch is there or ever will be. Or it
// fails with history.ErrOutcomeUnknown, and every further Append fails with
// history.ErrReadOnly.
func (j *Journal) Append(at time.Time, bodies [][]byte) error {
	return j.append(at, bodies, false)
}

// AppendEnding is Append for a batch that only ends or takes away. It may use the
// room that Append leaves free.
func (j *Journal) AppendEnding(at time.Time, bodies [][]byte) error {
	return j.append(at, bodies, true)
}

func (j *Journal) append(at time.Time, bodies [][]byte, ends bool) error {
	j.mu.Lock()
	defer j.unlock()
	if err := j.stillOurs(); err != nil {
		return fmt.Errorf("%w: %v", history.ErrReadOnly, err)
	}
	buf := j.buf[:0]
	if j.partialWrite {
		buf = append(append(buf, refusedMark...), '\n')
	}
	for i, body := range bodies {
		closes := 0
		if i == len(bodies)-1 {
			closes = len(bodies)
		}
		buf = appendLine(buf, j.seq+int64(i)+1, at, body, closes)
	}
	j.buf = buf[:0]
	if cap(buf) > 1<<20 {
		j.buf = nil
	}
	if !ends && !j.leavesReserve(int64(len(buf))) {
		return fmt.Errorf("%w: what is left is kept for log-outs and the like", history.ErrFull)
	}
	if _, err := j.f.WriteAt(buf, j.size); err != nil {
		return j.writeFailed(err, int64(len(buf)))
	}
	start := clock.Real()
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
	j.partialWrite = false
	j.size += int64(len(buf))
	j.seq += int64(len(bodies))
	j.lines += len(bodies)
	return nil
}

// leavesReserve reports whether a write of n bytes leaves the reserve. Where the
// system can't keep room free, there is no reserve to leave.
func (j *Journal) leavesReserve(n int64) bool {
	if j.options.Reserve == 0 {
		return true
	}
	if !durable.Full(j.f.Reserve(j.size + n + j.options.Reserve)) {
		j.reserve = j.options.Reserve
		return true
	}
	// A disk that never had so much room gives what it has.
	return j.reserve < j.options.Reserve && (j.reserve == 0 || !durable.Full(j.f.Reserve(j.size+n+j.reserve)))
}

// findReserve takes as much of the reserve as there is room for. A reserve that was
// whole once stays what Append has to leave.
func (j *Journal) findReserve() {
	for j.reserve = j.options.Reserve; j.reserve > j.options.Reserve/100 && durable.Full(j.f.Reserve(j.size+j.reserve)); {
		j.reserve /= 4
	}
	if j.reserve <= j.options.Reserve/100 {
		j.reserve = 0
	}
}

// writeFailed finds out how much of a failed write of n bytes arrived.
func (j *Journal) writeFailed(err error, n int64) error {
	size, sizeErr := j.f.Size()
	if sizeErr != nil || size < j.size || size >= j.size+n {
		j.failed = fmt.Errorf("a write failed and may have arrived all the same: %w", err)
		return fmt.Errorf("%w: %v", history.ErrOutcomeUnknown, err)
	}
	if size == j.size+n-1 {
		// Only the newline is missing, so a start would take the batch for whole.
		// A blank over the last brace makes it a torn tail, and needs no room.
		_, spoilErr := j.f.WriteAt([]byte(" "), size-1)
		if spoilErr == nil {
			spoilErr = j.f.Sync()
		}
		if spoilErr != nil {
			j.failed = fmt.Errorf("a write failed and may have arrived all the same: %w", err)
			return fmt.Errorf("%w: %v", history.ErrOutcomeUnknown, err)
		}
	}
	j.partialWrite = j.partialWrite || size > j.size
	j.size = size
	if durable.Full(err) {
		return fmt.Errorf("%w: %v", history.ErrFull, err)
	}
	return fmt.Errorf("%w: %v", history.ErrReadOnly, err)
}

// stillOurs fails when the path has stopped naming our file, or another program
// has written to it. Our lines would go where nobody finds them, or behind ones
// that we don't know. Either is the end of writing.
func (j *Journal) stillOurs() error {
	if j.failed != nil {
		return j.failed
	}
	size, same, err := j.disk.Names(j.path, j.f)
	switch {
	case err != nil:
		return err // perhaps not for ever
	case !same:
		j.failed = fmt.Errorf("%s was removed or replaced by another program: save what only this process still has, then restart to use what is there", j.path)
	case size != j.size:
		j.failed = fmt.Errorf("%s was changed by another program; restart to use the changed file", j.path)
	}
	return j.failed
}

// Check returns nil, or why the next Append would most likely be refused. It
// waits for nobody: while an Append runs it says what the one before has found
// out. Otherwise it looks, as Append does, whether the file is still ours.
func (j *Journal) Check() error {
	if !j.mu.TryLock() {
		return j.State().Failed
	}
	defer j.unlock()
	return j.stillOurs()
}

// State is the state after the last call that has ended. It waits for nobody.
func (j *Journal) State() history.State { return *j.state.Load() }

// Close gives the file back. Everything that was acknowledged is on disk
// already. Close waits for an Append that runs. A compaction that runs fails, and
// the file stays as it is.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.unlock()
	unused := j.created && j.seq == 0 && j.dropUnused && j.failed == nil
	j.failed = errors.New("closed")
	if unused && j.disk.Remove(j.real) == nil { // while it is locked: who waits for it makes another
		unused = false
	}
	err := j.f.Close()
	if unused { // Windows removes no open file
		j.disk.Remove(j.real)
	}
	return err
}

// unlock is for the ends of all methods that may change what State says.
func (j *Journal) unlock() {
	j.note()
	j.mu.Unlock()
}

func (j *Journal) note() {
	j.state.Store(&history.State{Bytes: j.size, Lines: j.lines, Failed: j.failed})
}
