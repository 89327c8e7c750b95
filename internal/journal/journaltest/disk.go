// Package journaltest helps to test a journal and its users. It has a disk in
// memory that fails and crashes on demand, and a second, simple implementation
// of the file format.
//
// A Disk counts its calls. A test can first run a script on a sound disk, and
// then run it again with a fault at each call:
//
//	d := journaltest.New(seed)
//	d.Fail(journaltest.Fault{At: 17, Keep: 40, Err: journaltest.ErrCrash})
//	… run the script until it fails …
//	d = d.Crash(journaltest.LeaveSome) // the disk after a restart of the machine
//
// A crash leaves everything that was synced. Each unsynced sector, size and
// name is left in its old or new state, at random. The seed makes a run
// repeatable.
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

// A Disk is a journal.Disk in memory. Any goroutine may call any method at any
// time.
type Disk struct {
	// OnSync is called with the file's name before each Sync, and OnWrite
	// before each WriteAt. They may use the Disk. Set them while no other
	// goroutine uses the Disk.
	OnSync, OnWrite func(name string)

	mu      sync.Mutex
	files   map[string]*inode // as the running system sees them
	durable map[string]*inode // as a crash leaves them
	faults  []Fault
	sizes   map[int]int64     // by number of the call: the bytes of a WriteAt
	calls   []string          // all calls so far: "WriteAt shelf.jsonl"
	dead    bool              // the machine has stopped
	room    int64             // most bytes in all files together; 0: no limit
	last    map[string][]byte // by file: the last write, with the first step of its batch, whether it arrived or not
	chance  *rand.Rand        // decides what a crash or a failed fsync leaves
}

var _ journal.Disk = (*Disk)(nil)

// A Fault makes one call fail.
type Fault struct {
	At   int   // number of the call, from 0
	Keep int64 // bytes of a WriteAt that arrive nevertheless
	Err  error // ErrCrash stops the machine
}

// Errors for a Fault. Any other error works too.
var (
	// ErrCrash stops the machine: all later calls fail with it.
	ErrCrash = errors.New("the machine has stopped")
	// ErrIO is the system's error for a broken disk.
	ErrIO error = syscall.EIO
	// ErrNoRoom is the system's error for a full disk.
	ErrNoRoom = func() error {
		for _, err := range []error{syscall.ENOSPC, syscall.Errno(112)} {
			if durable.Full(err) {
				return err
			}
		}
		panic("this system knows no full disk")
	}()
)

// New returns an empty disk. The seed makes its random choices repeatable.
func New(seed uint64) *Disk {
	return &Disk{
		files: map[string]*inode{}, durable: map[string]*inode{}, sizes: map[int]int64{}, last: map[string][]byte{},
		chance: rand.New(rand.NewPCG(seed, 0)),
	}
}

// Put creates a synced file with that content. It replaces a file of that name,
// as an editor does: a process that has the old file open keeps it.
func (d *Disk) Put(name, content string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := newInode([]byte(content))
	d.files[name], d.durable[name] = n, n
}

// Content returns the file's content as the running system sees it, and false
// if there is no file.
func (d *Disk) Content(name string) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.files[name]
	if n == nil {
		return "", false
	}
	return string(n.data), true
}

// Rename renames a file. It doesn't change what is synced, can't fail, and
// isn't counted as a call.
func (d *Disk) Rename(from, to string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[to] = d.files[from]
	delete(d.files, from)
}

// UnsyncNames makes a crash lose all names, as after cp or mv without an fsync
// of the folder.
func (d *Disk) UnsyncNames() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.durable = map[string]*inode{}
}

// Fail adds a fault, which strikes once.
func (d *Disk) Fail(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, f)
}

// SetRoom limits the bytes in all files together; 0: no limit.
func (d *Disk) SetRoom(room int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = room
}

// A Call is a disk call that a fault can strike.
type Call struct {
	Name  string // "WriteAt shelf.jsonl"
	Bytes int64  // of a WriteAt: the bytes to write
}

// Calls returns all calls so far, in order.
func (d *Disk) Calls() []Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	calls := make([]Call, len(d.calls))
	for i, name := range d.calls {
		calls[i] = Call{name, d.sizes[i]}
	}
	return calls
}

// Next returns the number of the next call.
func (d *Disk) Next() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.calls)
}

// Count returns how often a call such as "Sync shelf.jsonl" was made.
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

// Kill ends the process that has the files open. Its locks are released, and
// its writes stay.
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

// WriteBack writes some unsynced data of every file to the disk, as the system
// may do at any time.
func (d *Disk) WriteBack() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		d.files[name].writeBack(d.chance)
	}
}

// A Leftover is the unsynced data that a crash leaves.
type Leftover int

const (
	LeaveNothing Leftover = iota
	LeaveAll
	LeaveSome // each sector, size and name at random
	Leavings  // number of leftovers
)

// Crash returns the disk after a crash and a restart of the machine. The new
// disk has no faults and no calls. The old disk doesn't change.
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

// Forget forgets the writes so far. Call it before the write for which you call
// Attempted.
func (d *Disk) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.last)
}

// Attempted returns the bodies of the last batch that a journal tried to write
// to the file since Forget, whether it arrived or not. It returns none if there
// was no write, or only the first step of a large batch, and fails if the bytes
// are not the lines of a batch.
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
	if err == nil && found.Torn > 0 && (bodies != nil || batch[len(batch)-1] != '\n') {
		err = fmt.Errorf("%.40q is not a whole batch", batch)
	}
	return bodies, err
}

// enter counts a call and returns its fault. The caller holds mu.
func (d *Disk) enter(op, name string) error {
	_, err := d.enterWrite(op, name)
	return err
}

// enterWrite is enter for a WriteAt. It also returns the number of bytes that
// arrive.
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

// RealPath implements journal.Disk. This disk has no symbolic links.
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

// Replace implements journal.Disk in the way of Unix.
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

// SyncDir implements journal.Disk. It makes all names on the disk durable.
func (d *Disk) SyncDir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.enter("SyncDir", name); err != nil {
		return err
	}
	d.durable = maps.Clone(d.files)
	return nil
}
