package journaltest

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"

	"example.com/shelf/internal/journal"
)

// An inode is a file without its name.
type inode struct {
	data   []byte // as the running system sees it
	disk   []byte // the durable content
	dirty  map[int]bool
	least  int // lowest and highest size since the last sync
	most   int
	locked *file

	reserved int64 // offset up to which Reserve has allocated
}

// newInode returns an inode with synced data.
func newInode(data []byte) *inode {
	return &inode{data: data, disk: slices.Clone(data), dirty: map[int]bool{}, least: len(data), most: len(data)}
}

// crashed returns the content after a crash. The size is one that the file had
// since the last sync. Each unsynced sector is old or new. Sectors never
// written are zeros.
func (n *inode) crashed(keep func() bool, chance *rand.Rand) []byte {
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
		if at := s * Sector; keep() && at < size {
			end := min(at+Sector, size)
			clear(data[at:end])
			if at < len(n.data) {
				copy(data[at:end], n.data[at:])
			}
		}
	}
	return data
}

// writeBack makes some unsynced data durable.
func (n *inode) writeBack(chance *rand.Rand) {
	n.disk = n.crashed(func() bool { return chance.IntN(2) == 0 }, chance)
	n.least, n.most = min(n.least, len(n.disk)), max(n.most, len(n.disk))
}

func (n *inode) write(p []byte, at int64) {
	if len(p) == 0 {
		return
	}
	end := int(at) + len(p)
	if end > len(n.data) {
		n.data = append(n.data, make([]byte, end-len(n.data))...)
	}
	copy(n.data[at:], p)
	n.most = max(n.most, len(n.data))
	for s := int(at) / Sector; s*Sector < end; s++ {
		n.dirty[s] = true
	}
}

// sync makes the dirty sectors durable. Sectors that a failed fsync marked as
// clean are not written.
func (n *inode) sync() {
	disk := make([]byte, len(n.data))
	copy(disk, n.disk)
	for s := range n.dirty {
		if at := s * Sector; at < len(n.data) {
			copy(disk[at:min(at+Sector, len(disk))], n.data[at:])
		}
	}
	n.disk, n.least, n.most = disk, len(disk), len(disk)
	clear(n.dirty)
}

// A file is an open file.
type file struct {
	d      *Disk
	name   string
	inode  *inode
	closed bool
}

var _ journal.File = (*file)(nil)

// enter is Disk.enter; it fails for a closed file.
func (f *file) enter(op string) error {
	if f.closed {
		return fs.ErrClosed
	}
	return f.d.enter(op, f.name)
}

func (f *file) ReadAt(p []byte, at int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.enter("ReadAt"); err != nil {
		return 0, err
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

func (f *file) WriteAt(p []byte, at int64) (int, error) {
	if f.d.OnWrite != nil {
		f.d.OnWrite(f.name)
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.closed {
		return 0, fs.ErrClosed
	}
	f.d.sizes[len(f.d.calls)] = int64(len(p))
	if len(p) > 1 { // a write of one byte makes a failed write unreadable
		if last := f.d.last[f.name]; bytes.Contains(last, []byte(`,"closes":`)) { // else this is the second step of a large batch
			f.d.last[f.name] = nil
		}
		f.d.last[f.name] = append(f.d.last[f.name], p...)
	}
	keep, err := f.d.enterWrite("WriteAt", f.name)
	if err == nil {
		keep, err = f.fits(p, at)
	}
	p = p[:min(keep, int64(len(p)))]
	f.inode.write(p, at)
	return len(p), err
}

// fits returns how many bytes of a write there is room for.
func (f *file) fits(p []byte, at int64) (int64, error) {
	n := int64(len(p))
	if f.d.room == 0 {
		return n, nil
	}
	room := f.d.room
	for _, other := range f.d.files {
		room -= other.takes()
	}
	grows := at + n - f.inode.takes()
	if room = max(room, 0); grows > room {
		return max(0, n-(grows-room)), ErrNoRoom
	}
	return n, nil
}

// takes returns the room that a file occupies.
func (n *inode) takes() int64 { return max(int64(len(n.data)), n.reserved) }

// Reserve implements journal.File.
func (f *file) Reserve(end int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.enter("Reserve"); err != nil {
		return err
	}
	if at := f.inode.takes(); end > at {
		if keep, err := f.fits(make([]byte, end-at), at); err != nil || keep < end-at {
			return err
		}
		f.inode.reserved = end
	}
	return nil
}

func (f *file) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.enter("Truncate"); err != nil {
		return err
	}
	n := f.inode
	if int(size) > len(n.data) {
		n.data = append(n.data, make([]byte, int(size)-len(n.data))...)
	}
	n.data = n.data[:size:size]
	n.least, n.most = min(n.least, int(size)), max(n.most, int(size))
	return nil
}

// Sync makes the content survive a crash. If it fails, some sectors are
// durable, and the system marks the others as clean: the next Sync doesn't
// write them.
func (f *file) Sync() error {
	if f.d.OnSync != nil {
		f.d.OnSync(f.name)
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.enter("Sync"); err != nil {
		if !f.d.dead && !f.closed {
			f.inode.writeBack(f.d.chance)
			clear(f.inode.dirty)
		}
		return err
	}
	f.inode.sync()
	return nil
}

func (f *file) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.enter("Close"); err != nil {
		if !f.closed {
			f.close()
		}
		return err
	}
	f.close()
	return nil
}

func (f *file) close() {
	f.closed = true
	if f.inode.locked == f {
		f.inode.locked = nil
	}
}

func (f *file) Size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.enter("Size"); err != nil {
		return 0, err
	}
	return int64(len(f.inode.data)), nil
}

func (f *file) Lock() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.enter("Lock"); err != nil {
		return err
	}
	if f.inode.locked != nil && f.inode.locked != f {
		return journal.ErrLocked
	}
	f.inode.locked = f
	return nil
}
