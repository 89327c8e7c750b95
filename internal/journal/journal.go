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

	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/history"
)

// Options are optional settings of a Journal.
type Options struct {
	// Synced is called after the fsync of each batch, with its duration. It
	// must not call the journal, which is locked meanwhile.
	Synced func(took time.Duration)
	// Reserve is the number of bytes that Append leaves free for AppendEnding,
	// if the system and the disk allow that.
	Reserve int64
	// Large is the size in bytes above which a batch is written in two steps; 0
	// means 1 MB. Tests set it lower. See AppendLong.
	Large int64
	// DropUnused makes Close remove a file that Open created and nothing was
	// appended to.
	DropUnused bool
	// Progress is told how much of the file is read, and written by a large batch.
	Progress history.Progress
}

// A Journal is a locked file, open for writing. It is a history.Log, which
// defines the order of calls. In addition, any goroutine may call any method at
// any time, except Replay and Start.
type Journal struct {
	disk    Disk
	path    string // as in the settings
	real    string // path with symbolic links resolved; compaction replaces this file
	options Options
	scan    *scan // set by Replay
	found   Found // set by Replay and Start
	missed  []string

	// mu is held while the file is used, also during disk calls.
	mu           sync.Mutex
	created      bool // Open created the file
	dropUnused   bool // remove a created file in Close: Options.DropUnused, and true until Start succeeds
	f            File
	header       header    // of f
	begin        int64     // offset of the first line after the header
	seq          int64     // of the last closed batch
	size         int64     // of the file after our last write
	lines        int       // after the header: current rows and history
	reserve      int64     // bytes that Append leaves free; below Options.Reserve on a disk without the room
	partialWrite bool      // a failed write left part of a batch at the end
	failed       error     // why nothing can be written until a restart; nil while writes work
	compacting   bool      // from Compact until its function returns
	compacted    sync.Cond // compacting became false; uses mu

	state atomic.Pointer[history.State] // the result of State, so that State needn't wait for mu
}

var _ history.Log = (*Journal)(nil)

// Open locks the file at path, after creating an empty file if there is none.
// It neither reads nor changes the content. Open fails with ErrLocked or an
// error of the disk; Explain words both for a person.
//
// Open waits briefly for the lock, so that a start right after a stop finds the
// file free.
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
	j.compacted.L = &j.mu
	j.note()
	return j, nil
}

// Lock locks the file at path as Open does, to keep other processes from
// writing to it. The lock ends with Close or with the process.
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

// lockFile opens and locks the file at path. A compaction may replace the file
// between the two calls, so lockFile then checks the name again. If the file
// can't be locked and lockFile created it, lockFile removes it.
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
			failure, created = ErrLocked, false // another process has it
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
		// the file is replaced again and again, or its inode number changes
		failure = &lack{"tell one file from another", "shelf could write into a file that no longer has the name", errors.New("each file that was opened has lost the name since")}
		time.Sleep(pause)
	}
	return nil, false, failure
}

// A lack is the error of a call that the file system doesn't have and that a
// promise needs.
type lack struct {
	call, harm string
	err        error
}

func (l *lack) Error() string {
	return fmt.Sprintf("its file system can't %s (%v), so %s; keep the data on a local disk, with -data FILE", l.call, l.err, l.harm)
}

func (l *lack) Unwrap() error { return l.err }

// lacks returns err as a lack if it says that the call is not supported.
func lacks(call, harm string, err error) error {
	if durable.Lacks(err) {
		return &lack{call, harm, err}
	}
	return err
}

// Explain words an error of Open, Replay, Start, Read or Lock, or of the
// operating system, in one line: what is wrong with the journal at path, then
// what to do.
func Explain(path string, err error) error {
	var d *history.Damage
	switch {
	case errors.As(err, &d):
		return fmt.Errorf("%s is damaged: %w (nothing was changed; repair or restore the file, or start with another -data)%s", path, d, below(d.Show))
	case errors.Is(err, ErrLocked):
		return fmt.Errorf("%s is %w", path, ErrLocked)
	}
	if l, ok := errors.AsType[*lack](err); ok {
		return fmt.Errorf("%s: %w", path, l)
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("can't %s the data file %s: %w", at.Op, at.Path, wordOf(at))
	}
	return fmt.Errorf("%s: %w", path, err)
}

// below returns show on lines of its own, below an error.
func below(show string) string {
	if show == "" {
		return ""
	}
	return "\n" + strings.TrimSuffix(show, "\n")
}

// Replay calls emit with the lines of each closed batch in the file, in order. A
// long batch comes in several calls. The slice and the bodies are valid only until
// emit returns. Replay fails with a *history.Damage, with emit's error, with an error of the disk, or because the
// file is no journal. It changes nothing in the file. After an error only Found
// and Close may be called.
//
// emit must reject a Manual record with an unknown member.
func (j *Journal) Replay(emit func([]history.Record) error) error {
	j.mu.Lock()
	defer j.unlock()
	size, err := j.f.Size()
	if err != nil {
		return err
	}
	j.scan, err = scanFile(j.f, size, emit, j.options.Progress, "reading "+j.path)
	j.found = j.scan.found()
	if err != nil {
		return err
	}
	j.header, j.begin = j.scan.header, j.scan.begin
	j.seq, j.lines, j.size = j.scan.seq, j.scan.lines, size
	return nil
}

// Last returns the number of the last line that Replay emitted, and the number
// up to which lines are a snapshot.
func (j *Journal) Last() (seq, snapshot int64) { return j.found.Seq, j.found.Snapshot }

// Found returns what Replay found in the file, and what Start did about it.
func (j *Journal) Found() Found { return j.found }

// leavesReserve reports whether a write of n bytes leaves the reserve free. It
// is always true on systems without a reserve.
func (j *Journal) leavesReserve(n int64) bool {
	if j.options.Reserve == 0 {
		return true
	}
	if !durable.Full(j.f.Reserve(j.size + n + j.options.Reserve)) {
		j.reserve = j.options.Reserve
		return true
	}
	// the disk never had room for the whole reserve: leave as much as there was
	return j.reserve < j.options.Reserve && (j.reserve == 0 || !durable.Full(j.f.Reserve(j.size+n+j.reserve)))
}

// findReserve reserves as much of Options.Reserve as the disk has room for.
// Once Append has found room for all of it, Append leaves all of it.
func (j *Journal) findReserve() {
	for j.reserve = j.options.Reserve; j.reserve > j.options.Reserve/100 && durable.Full(j.f.Reserve(j.size+j.reserve)); {
		j.reserve /= 4
	}
	if j.reserve <= j.options.Reserve/100 {
		j.reserve = 0
	}
}

// writeFailed finds out how much of a failed write of n bytes is in the file,
// and returns the error of Append.
func (j *Journal) writeFailed(err error, n int64) error {
	size, sizeErr := j.f.Size()
	if sizeErr != nil || size < j.size || size >= j.size+n {
		j.failed = fmt.Errorf("a write failed, and its bytes may be in the file: %w", err)
		return fmt.Errorf("%w: %v", history.ErrOutcomeUnknown, err)
	}
	if size == j.size+n-1 {
		// Only the newline is missing, so a start would read the batch as
		// closed. A blank in place of the last brace makes it a torn tail. The
		// blank needs no room.
		_, spoilErr := j.f.WriteAt([]byte(" "), size-1)
		if spoilErr == nil {
			spoilErr = j.f.Sync()
		}
		if spoilErr != nil {
			j.failed = fmt.Errorf("a write failed, and its bytes may be in the file: %w", err)
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

// stillOurs returns an error if path no longer names our file, or another
// program has written to it. Further lines would be lost, or would follow
// unknown ones, so either case ends all writes.
func (j *Journal) stillOurs() error {
	if j.failed != nil {
		return j.failed
	}
	size, same, err := j.disk.Names(j.path, j.f)
	switch {
	case err != nil:
		return err // may be temporary
	case !same:
		j.failed = fmt.Errorf("%s was removed or replaced by another program: export what only this process still has, then restart to use the new file", j.path)
	case size != j.size:
		j.failed = fmt.Errorf("%s was changed by another program; restart to use the changed file", j.path)
	}
	return j.failed
}

// Check returns nil, or the reason why the next Append would most likely fail.
// It never waits: during an Append it returns the result of the one before.
// Otherwise it checks that the file is still ours.
func (j *Journal) Check() error {
	if !j.mu.TryLock() {
		return j.State().Failed
	}
	defer j.unlock()
	return j.stillOurs()
}

// State returns the state after the last completed call. It never waits.
func (j *Journal) State() history.State { return *j.state.Load() }

// Close releases the file. All acknowledged batches are already on disk. Close
// waits for a running Append. A running compaction fails and leaves the file as
// it is.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.unlock()
	unused := j.created && j.seq == 0 && j.dropUnused && j.failed == nil
	j.failed = errors.New("closed")
	if unused && j.disk.Remove(j.real) == nil { // still locked: a process that waits for the lock creates a new file
		unused = false
	}
	err := j.f.Close()
	if unused { // Windows can't remove an open file
		j.disk.Remove(j.real)
	}
	return err
}

// unlock updates the result of State and unlocks mu.
func (j *Journal) unlock() {
	j.note()
	j.mu.Unlock()
}

func (j *Journal) note() {
	j.state.Store(&history.State{Bytes: j.size, Lines: j.lines, Failed: j.failed})
}
