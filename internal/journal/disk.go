package journal

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"example.com/shelf/internal/durable"
)

// ErrLocked says that another process, or another Journal of this one, has the
// file.
var ErrLocked = errors.New("in use by another shelf")

// A Disk is what a journal asks of the operating system. There are two: OS, the
// real one, and journaltest.Disk, which fails and crashes on demand. A Disk's
// methods may be called at the same time for different files.
type Disk interface {
	// Open opens name for reading and writing. With create set it makes the
	// file, with mode 0600, and fails with fs.ErrExist if it is there already.
	// It fails for a symbolic link, a folder and whatever else is no file.
	Open(name string, create bool) (File, error)
	// RealPath resolves name if it is a symbolic link to a file. It returns any
	// other name as it is.
	RealPath(name string) (string, error)
	// Names reports whether name still is f, and f's size.
	Names(name string, f File) (size int64, same bool, err error)
	// Replace renames f, which is open as from, to the name to, and closes old,
	// which had that name so far. It returns the file that has the name now, open
	// and locked: f, perhaps opened anew. With an error it returns old, or nil if
	// neither file can be used any more.
	Replace(f File, from, to string, old File) (File, error)
	// Remove fails with fs.ErrNotExist if there is no such file.
	Remove(name string) error
	// SyncDir makes the names in a folder survive a power cut.
	SyncDir(name string) error
}

// A File is an open file of a Disk.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	// Reserve makes sure that there is room for writes up to the offset end,
	// without changing the file's size. It fails as such a write would on a full
	// disk, or with errors.ErrUnsupported.
	Reserve(end int64) error
	// Sync makes the content survive a power cut. After an error nobody knows
	// what of it does.
	Sync() error
	Close() error
	Size() (int64, error)
	// Lock fails at once with ErrLocked if another process has the file. The
	// lock ends with Close, or with the process.
	Lock() error
}

// OS is the real disk. What differs between systems (locks, renaming) stands in
// disk_unix.go and disk_windows.go.
type OS struct{}

type osFile struct {
	*os.File
	room *int64 // how far Reserve has come
}

// Open opens or creates a file. Only the owner may read what it creates, as it
// may hold password hashes and e-mail addresses.
func (OS) Open(name string, create bool) (File, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE | os.O_EXCL
	}
	f, err := durable.OpenHere(name, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f, new(int64)}, nil
}

// RealPath follows name if it is a symbolic link.
func (OS) RealPath(name string) (string, error) {
	info, err := os.Lstat(name)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		return name, nil // Open has the error, or makes the file
	}
	return filepath.EvalSymlinks(name)
}

// Names compares the file called name with f.
func (OS) Names(name string, f File) (size int64, same bool, err error) {
	at, err := os.Stat(name)
	if os.IsNotExist(err) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	ours, err := f.(osFile).Stat()
	if err != nil {
		return 0, false, err
	}
	return ours.Size(), os.SameFile(at, ours), nil
}

// Remove removes a file.
func (OS) Remove(name string) error { return os.Remove(name) }

// SyncDir syncs a folder, where the system can.
func (OS) SyncDir(name string) error { return durable.SyncDir(name) }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
