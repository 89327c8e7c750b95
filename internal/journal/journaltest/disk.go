// Package journaltest has what tests of a journal, and of what stands on one,
// need: a disk in memory that fails and crashes on demand, and the format of the
// file in plain words.
//
// A Disk counts its calls, so a test can first play a story on a sound disk and
// then again with a fault at each of its calls:
//
//	d := journaltest.New(seed)
//	d.Fail(journaltest.Fault{At: 17, Keep: 40, Err: journaltest.ErrCrash})
//	… play the story until it fails …
//	d = d.Crash(journaltest.LeaveSome) // what the machine finds when it starts again
//
// What a crash leaves is what was synced, and of the rest as much as chance has
// it: sector by sector, with sizes and names that may be old or new. Chance comes
// from the seed, so a run can be repeated.
package journaltest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"

	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
)

// A Disk is a journal.Disk in memory. All methods may be called at any time from
// any goroutine.
type Disk struct {
	// OnSync, if set, is called with the file's name before each Sync, and OnWrite
	// before each WriteAt. They may use the Disk. A test sets them while nobody
	// else uses the Disk.
	OnSync, OnWrite func(name string)

	mu      sync.Mutex
	files   map[string]*inode // as the running system sees them
	durable map[string]*inode // as they are after a crash
	faults  []Fault
	sizes   map[int]int64     // of the WriteAts among the calls, in bytes
	calls   []string          // "WriteAt shelf.jsonl", one for each call so far
	dead    bool              // the machine has stopped
	room    int64             // the bytes that all files together may hold, 0 for any number
	last    map[string][]byte // by file: what was last written to it, whether it arrived or not
	chance  *rand.Rand        // decides what a crash or a failed fsync leaves
}

var _ journal.Disk = (*Disk)(nil)

// A Fault is what goes wrong at one call.
type Fault struct {
	At   int   // which call, from 0
	Keep int64 // of a WriteAt: the bytes that arrive all the same
	Err  error // ErrCrash: the machine stops there
}

// The errors that a test may want of a Disk; any other works as well.
var (
	// ErrCrash stops the machine: every further call fails with it.
	ErrCrash = errors.New("the machine has stopped")
	// ErrIO is what this system calls a broken disk.
	ErrIO error = syscall.EIO
	// ErrNoRoom is what this system calls a full disk.
	ErrNoRoom = func() error {
		for _, err := range []error{syscall.ENOSPC, syscall.Errno(112)} {
			if durable.Full(err) {
				return err
			}
		}
		panic("this system knows no full disk")
	}()
)

// New makes an empty disk. The seed decides what is left to chance.
func New(seed uint64) *Disk {
	return &Disk{
		files: map[string]*inode{}, durable: map[string]*inode{}, sizes: map[int]int64{}, last: map[string][]byte{},
		chance: rand.New(rand.NewPCG(seed, 0)),
	}
}

// Put gives the disk a file with that content, all of it synced. A file that had
// the name is replaced, as an editor does it: who has it open keeps the old one.
func (d *Disk) Put(name, content string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := newInode([]byte(content))
	d.files[name], d.durable[name] = n, n
}

// Content is what a program that reads the file would see; false: there is none.
func (d *Disk) Content(name string) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.files[name]
	if n == nil {
		return "", false
	}
	return string(n.data), true
}

// Rename gives a file another name, synced or not as it was. It is no call: it
// can't fail, and isn't counted.
func (d *Disk) Rename(from, to string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[to] = d.files[from]
	delete(d.files, from)
}

// UnsyncNames makes a crash forget the names of all files, as after cp or mv
// without an fsync of the folder.
func (d *Disk) UnsyncNames() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.durable = map[string]*inode{}
}

// Fail adds a fault. Each strikes once.
func (d *Disk) Fail(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, f)
}

// SetRoom limits the bytes that all files together may hold; 0: there is no
// limit.
func (d *Disk) SetRoom(room int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = room
}

// A Call is one call of the disk that a fault can strike.
type Call struct {
	Name  string // such as "WriteAt shelf.jsonl"
	Bytes int64  // of a WriteAt: how many it was asked to write
}

// Calls are all calls so far, in order.
func (d *Disk) Calls() []Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	calls := make([]Call, len(d.calls))
	for i, name := range d.calls {
		calls[i] = Call{name, d.sizes[i]}
	}
	return calls
}

// Next is the number that the next call will have.
func (d *Disk) Next() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.calls)
}

// Count is how often a call such as "Sync shelf.jsonl" was made.
func (d *Disk) Count(call string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, c := range d.calls {
		if c == call {
			n++
		}
	}
	return n
}

// Kill is the end of the process that had the files open: locks are given back,
// and what was written stays.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range d.files {
		n.locked = nil
	}
}

// Dead reports whether ErrCrash has stopped the machine.
func (d *Disk) Dead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dead
}

// WriteBack is what a system does of its own accord: some of what is not synced
// reaches the disk, in every file.
func (d *Disk) WriteBack() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		d.files[name].writeBack(d.chance)
	}
}

// A Leftover is what a crash leaves of that which was not synced.
type Leftover int

const (
	LeaveNothing Leftover = iota
	LeaveAll
	LeaveSome // each sector, size and name by chance
	Leavings  // the number of leftovers
)

// Crash is the disk as the machine finds it when it starts again. It has no
// faults and no calls yet. The disk that crashed stays as it is.
func (d *Disk) Crash(leave Leftover) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	keep := func() bool { return leave == LeaveAll || leave == LeaveSome && d.chance.IntN(2) == 0 }
	after := New(d.chance.Uint64())
	names := maps.Clone(d.files)
	maps.Copy(names, d.durable)
	seen := map[*inode]*inode{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		n := d.durable[name]
		if keep() {
			n = d.files[name]
		}
		if n == nil {
			continue
		}
		if seen[n] == nil {
			seen[n] = newInode(n.crashed(keep, d.chance))
		}
		after.files[name], after.durable[name] = seen[n], seen[n]
	}
	return after
}

// Forget and Attempted bracket a write. Attempted returns the bodies of the batch
// that a journal last asked the disk to write to the file called name, whatever
// the disk made of it; none if there was no write since Forget.
func (d *Disk) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.last)
}

// Attempted is explained at Forget. It fails if the bytes are not a whole batch.
func (d *Disk) Attempted(name string) ([][]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	batch := d.last[name]
	if mark := []byte(RefusedMark + "\n"); bytes.HasPrefix(batch, mark) {
		batch = batch[len(mark):]
	}
	if len(batch) == 0 {
		return nil, nil
	}
	var first int64
	if _, err := fmt.Fscanf(bytes.NewReader(batch), `{"seq":%d,`, &first); err != nil {
		return nil, fmt.Errorf("%.40q is not a batch: %w", batch, err)
	}
	file := Header(first-1, 0) + string(batch)
	var bodies [][]byte
	found, err := journal.Read(strings.NewReader(file), int64(len(file)), func(batch []history.Record) error {
		for _, rec := range batch {
			bodies = append(bodies, rec.Body)
		}
		return nil
	})
	if err == nil && found.Torn > 0 {
		err = fmt.Errorf("%.40q is not a whole batch", batch)
	}
	return bodies, err
}

// enter counts a call and says what becomes of it. The caller holds mu.
func (d *Disk) enter(op, name string) error {
	_, err := d.enterWrite(op, name)
	return err
}

// enterWrite is enter for a call that may arrive in part.
func (d *Disk) enterWrite(op, name string) (keep int64, err error) {
	if d.dead {
		return 0, ErrCrash
	}
	n := len(d.calls)
	d.calls = append(d.calls, op+" "+name)
	for _, f := range d.faults {
		if f.At == n {
			d.dead = f.Err == ErrCrash
			return f.Keep, f.Err
		}
	}
	return 0, nil
}

// Open implements journal.Disk.
func (d *Disk) Open(name string, create bool) (journal.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.enter("Open", name); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	n := d.files[name]
	switch {
	case n == nil && !create:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case n != nil && create:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	case n == nil:
		n = newInode(nil)
		d.files[name] = n
	}
	return &file{d: d, name: name, inode: n}, nil
}

// RealPath implements journal.Disk: there are no symbolic links.
func (d *Disk) RealPath(name string) (string, error) { return name, nil }

// Names implements journal.Disk.
func (d *Disk) Names(name string, f journal.File) (size int64, same bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.enter("Names", name); err != nil {
		return 0, false, err
	}
	ours := f.(*file)
	if ours.closed {
		return 0, false, fs.ErrClosed
	}
	return int64(len(ours.inode.data)), d.files[name] == ours.inode, nil
}

// Replace implements journal.Disk, as Unix does it.
func (d *Disk) Replace(f journal.File, from, to string, old journal.File) (journal.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.enter("Replace", to); err != nil {
		return old, err
	}
	if d.files[from] == nil {
		return old, fs.ErrNotExist
	}
	d.files[to] = d.files[from]
	delete(d.files, from)
	old.(*file).close()
	f.(*file).name = to
	return f, nil
}

// Remove implements journal.Disk.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.enter("Remove", name); err != nil {
		return err
	}
	if d.files[name] == nil {
		return fs.ErrNotExist
	}
	delete(d.files, name)
	return nil
}

// SyncDir implements journal.Disk: all names survive a crash, whatever the folder.
func (d *Disk) SyncDir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.enter("SyncDir", name); err != nil {
		return err
	}
	d.durable = maps.Clone(d.files)
	return nil
}
