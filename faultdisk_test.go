package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
)

// A faultDisk is a disk in memory that can fail or tear at every call, and
// that knows what a crash would leave of it: what was synced, and of the rest
// as much as chance has it.
type faultDisk struct {
	mu      sync.Mutex
	files   map[string]*faultInode // as the running system sees them
	durable map[string]*faultInode // as they are after a crash
	faults  []fault
	sizes   map[int]int64     // of the WriteAts among the calls, in bytes
	calls   []string          // "WriteAt shelf.jsonl", one for each call so far
	dead    bool              // the machine has stopped
	room    int64             // the bytes that all files together may hold, 0 for any number
	onSync  func(name string) // called before a Sync, nil for nothing
	onWrite func(name string) // and before a WriteAt
	last    []byte            // what was last written to the data file, whether it arrived or not
	chance  *rand.Rand        // decides what a crash or a failed fsync leaves
}

// A fault is what goes wrong at one call.
type fault struct {
	at   int   // which call, from 0
	keep int64 // of a WriteAt: the bytes that arrive all the same
	err  error // errCrash: the machine stops there
}

var (
	errCrash = errors.New("the machine has stopped")
	errIO    = syscall.EIO
	// errNoRoom is what this system calls a full disk.
	errNoRoom = func() error {
		for _, err := range []error{syscall.ENOSPC, syscall.Errno(112)} {
			if diskFull(err) {
				return err
			}
		}
		panic("this system knows no full disk")
	}()
)

// A faultInode is a file without its name.
type faultInode struct {
	data   []byte // as the running system sees it
	disk   []byte // what has reached the disk for certain
	dirty  map[int]bool
	least  int // the sizes that the file had since the last sync lie between these
	most   int
	locked *faultFile
}

type faultFile struct {
	d      *faultDisk
	name   string
	inode  *faultInode
	closed bool
}

func newFaultDisk(seed uint64) *faultDisk {
	return &faultDisk{
		files: map[string]*faultInode{}, durable: map[string]*faultInode{}, sizes: map[int]int64{},
		chance: rand.New(rand.NewPCG(seed, 0)),
	}
}

// put gives the disk a file with that content, all of it synced.
func (d *faultDisk) put(name, content string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := &faultInode{data: []byte(content), dirty: map[int]bool{}}
	n.settle()
	d.files[name], d.durable[name] = n, n
}

// content is what a program that reads the file would see.
func (d *faultDisk) content(name string) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.files[name]
	if n == nil {
		return "", false
	}
	return string(n.data), true
}

// count is how often op was called for the file.
func (d *faultDisk) count(call string) int {
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

func (d *faultDisk) setRoom(room int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = room
}

// callsSoFar is the number that the next call will have.
func (d *faultDisk) callsSoFar() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.calls)
}

func (d *faultDisk) fail(f fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, f)
}

// enter counts a call and says what becomes of it. The caller holds mu.
func (d *faultDisk) enter(op, name string) *fault {
	if d.dead {
		return &fault{err: errCrash}
	}
	n := len(d.calls)
	d.calls = append(d.calls, op+" "+name)
	for _, f := range d.faults {
		if f.at == n {
			d.dead = f.err == errCrash
			return &f
		}
	}
	return nil
}

// What a crash leaves of that which was not synced.
type leftover int

const (
	leaveNothing leftover = iota
	leaveAll
	leaveSome // each sector, size and name by chance
	leavings
)

// crash is the disk as the machine finds it when it starts again.
func (d *faultDisk) crash(leave leftover) *faultDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	keep := func() bool { return leave == leaveAll || leave == leaveSome && d.chance.IntN(2) == 0 }
	after := newFaultDisk(d.chance.Uint64())
	seen := map[*faultInode]*faultInode{}
	for _, name := range slices.Sorted(maps.Keys(union(d.files, d.durable))) {
		n := d.durable[name]
		if keep() {
			n = d.files[name]
		}
		if n == nil {
			continue
		}
		if seen[n] == nil {
			seen[n] = n.crashed(keep, d.chance)
		}
		after.files[name], after.durable[name] = seen[n], seen[n]
	}
	return after
}

func union(a, b map[string]*faultInode) map[string]*faultInode {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// crashed is the file as a crash leaves it: some size that it had, sectors that
// were never synced as they are or as they were; where nothing was, zeros are.
func (n *faultInode) crashed(keep func() bool, chance *rand.Rand) *faultInode {
	size := len(n.disk)
	if keep() {
		size = len(n.data)
		if n.most > n.least && chance.IntN(2) == 0 {
			size = n.least + chance.IntN(n.most-n.least+1)
		}
	}
	data := make([]byte, size)
	copy(data, n.disk)
	for _, s := range slices.Sorted(maps.Keys(n.dirty)) {
		if at := s * sector; keep() && at < size {
			end := min(at+sector, size)
			clear(data[at:end])
			if at < len(n.data) {
				copy(data[at:end], n.data[at:])
			}
		}
	}
	after := &faultInode{data: data, dirty: map[int]bool{}}
	after.settle()
	return after
}

// settle notes that everything is on the disk.
func (n *faultInode) settle() {
	n.disk = slices.Clone(n.data)
	n.least, n.most = len(n.data), len(n.data)
	clear(n.dirty)
}

// writeBack is what a system does of its own accord: some of what is not synced
// reaches the disk.
func (n *faultInode) writeBack(chance *rand.Rand) {
	after := n.crashed(func() bool { return chance.IntN(2) == 0 }, chance)
	n.disk = after.disk
	n.least, n.most = min(n.least, len(n.disk)), max(n.most, len(n.disk))
}

func (d *faultDisk) open(name string, create bool) (diskFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.enter("open", name); f != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: f.err}
	}
	n := d.files[name]
	switch {
	case n == nil && !create:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case n != nil && create:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	case n == nil:
		n = &faultInode{dirty: map[int]bool{}}
		d.files[name] = n
	}
	return &faultFile{d: d, name: name, inode: n}, nil
}

func (d *faultDisk) realPath(name string) (string, error) { return name, nil }

func (d *faultDisk) names(name string, f diskFile) (int64, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.enter("names", name); f != nil {
		return 0, false, f.err
	}
	ours := f.(*faultFile)
	if ours.closed {
		return 0, false, fs.ErrClosed
	}
	return int64(len(ours.inode.data)), d.files[name] == ours.inode, nil
}

func (d *faultDisk) replace(f diskFile, from, to string, old diskFile) (diskFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.enter("replace", to); f != nil {
		return old, f.err
	}
	if d.files[from] == nil {
		return old, fs.ErrNotExist
	}
	d.files[to] = d.files[from]
	delete(d.files, from)
	old.(*faultFile).close()
	f.(*faultFile).name = to
	return f, nil
}

func (d *faultDisk) remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.enter("remove", name); f != nil {
		return f.err
	}
	if d.files[name] == nil {
		return fs.ErrNotExist
	}
	delete(d.files, name)
	return nil
}

func (d *faultDisk) syncDir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.enter("syncDir", name); f != nil {
		return f.err
	}
	d.durable = maps.Clone(d.files)
	return nil
}

// enter is the disk's, for a file that may be closed.
func (f *faultFile) enter(op string) *fault {
	if f.closed {
		return &fault{err: fs.ErrClosed}
	}
	return f.d.enter(op, f.name)
}

func (f *faultFile) ReadAt(p []byte, at int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f := f.enter("ReadAt"); f != nil {
		return 0, f.err
	}
	if at >= int64(len(f.inode.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.inode.data[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *faultFile) WriteAt(p []byte, at int64) (int, error) {
	if f.d.onWrite != nil {
		f.d.onWrite(f.name)
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	var err error
	f.d.sizes[len(f.d.calls)] = int64(len(p))
	if f.name == dataFile {
		f.d.last = slices.Clone(p)
	}
	if fault := f.enter("WriteAt"); fault != nil {
		p, err = p[:min(fault.keep, int64(len(p)))], fault.err
	} else if d := f.d; d.room > 0 {
		room := d.room
		for _, n := range d.files {
			room -= int64(len(n.data))
		}
		grows := at + int64(len(p)) - int64(len(f.inode.data))
		if grows > max(room, 0) {
			p, err = p[:max(0, int64(len(p))-(grows-max(room, 0)))], errNoRoom
		}
	}
	f.inode.write(p, at)
	return len(p), err
}

func (n *faultInode) write(p []byte, at int64) {
	if len(p) == 0 {
		return
	}
	end := int(at) + len(p)
	if end > len(n.data) {
		n.data = append(n.data, make([]byte, end-len(n.data))...)
	}
	copy(n.data[at:], p)
	n.most = max(n.most, len(n.data))
	for s := int(at) / sector; s*sector < end; s++ {
		n.dirty[s] = true
	}
}

func (f *faultFile) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f := f.enter("Truncate"); f != nil {
		return f.err
	}
	n := f.inode
	if int(size) > len(n.data) {
		n.data = append(n.data, make([]byte, int(size)-len(n.data))...)
	}
	n.data = n.data[:size:size]
	n.least, n.most = min(n.least, int(size)), max(n.most, int(size))
	return nil
}

// Sync makes the content survive a crash. When it fails some of it has reached
// the disk, and the system takes the rest for written too, so that the next
// Sync won't try again.
func (f *faultFile) Sync() error {
	if f.d.onSync != nil {
		f.d.onSync(f.name)
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if fault := f.enter("Sync"); fault != nil {
		if !errors.Is(fault.err, errCrash) && !f.closed {
			f.inode.writeBack(f.d.chance)
			clear(f.inode.dirty)
		}
		return fault.err
	}
	// What a failed Sync forgot stays as it is; all else is on the disk.
	n := f.inode
	disk := make([]byte, len(n.data))
	copy(disk, n.disk)
	for s := range n.dirty {
		if at := s * sector; at < len(n.data) {
			copy(disk[at:min(at+sector, len(disk))], n.data[at:])
		}
	}
	n.disk, n.least, n.most = disk, len(disk), len(disk)
	clear(n.dirty)
	return nil
}

func (f *faultFile) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if fault := f.enter("Close"); fault != nil {
		if !f.closed {
			f.close()
		}
		return fault.err
	}
	f.close()
	return nil
}

func (f *faultFile) close() {
	f.closed = true
	if f.inode.locked == f {
		f.inode.locked = nil
	}
}

func (f *faultFile) size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f := f.enter("size"); f != nil {
		return 0, f.err
	}
	return int64(len(f.inode.data)), nil
}

func (f *faultFile) lock() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f := f.enter("lock"); f != nil {
		return f.err
	}
	if f.inode.locked != nil && f.inode.locked != f {
		return errLocked
	}
	f.inode.locked = f
	return nil
}

// kill is the end of the process that had the files open.
func (d *faultDisk) kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range d.files {
		n.locked = nil
	}
}

func (d *faultDisk) isDead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dead
}

// writeBack lets the system write some of what is not synced, in every file.
func (d *faultDisk) writeBack() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		d.files[name].writeBack(d.chance)
	}
}

// forget and attempted bracket a write: the changes that the journal asked the
// disk to take, whatever the disk made of them.
func (d *faultDisk) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = nil
}

func (d *faultDisk) attempted() ([]change, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var changes []change
	for line := range bytes.Lines(d.last) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if bytes.HasSuffix(line, []byte(refusedMark)) {
			continue
		}
		rec, err := parseRecord(line)
		if err != nil {
			return nil, err
		}
		c, err := decodeChange(rec)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}
