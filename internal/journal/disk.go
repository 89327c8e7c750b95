package journal

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"example.com/shelf/internal/durable"
)

// ErrLocked means that another process, or another Journal in this process, has
// locked the file.
var ErrLocked = errors.New("in use by another shelf")

// A Disk is the part of the operating system that a journal uses. OS is the
// real one. journaltest.Disk fails and crashes on demand. A Disk's methods may
// be called concurrently for different files.
type Disk interface {
	// Open opens name for reading and writing. If create is set, it creates the
	// file with mode 0600, and fails with fs.ErrExist if the file exists. It
	// fails for a symbolic link, a folder and anything else that is not a
	// regular file.
	Open(name string, create bool) (File, error)
	// RealPath resolves name if it is a symbolic link to a file. Otherwise it
	// returns name.
	RealPath(name string) (string, error)
	// Names reports whether name still names the file f, and returns f's size.
	Names(name string, f File) (size int64, same bool, err error)
	// Replace renames the open file f from one name to the name of old, and
	// closes old. It returns the file that then has the name, open and locked:
	// f, or f opened again. After an error it returns old, or nil if neither
	// file can be used.
	Replace(f File, from, to string, old File) (File, error)
	// Remove removes a file. It fails with fs.ErrNotExist if there is none.
	Remove(name string) error
	// SyncDir makes the names in a folder survive a power cut.
	SyncDir(name string) error
}

// A File is an open file of a Disk.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	// Reserve ensures room for writes up to offset end, without changing the
	// file's size. It fails as such a write would on a full disk, or with
	// errors.ErrUnsupported.
	Reserve(end int64) error
	// Sync makes the content survive a power cut. After an error it is unknown
	// which part does.
	Sync() error
	Close() error
	Size() (int64, error)
	// Lock locks the file. It fails at once with ErrLocked if another process
	// has locked it. The lock ends with Close, or with the process.
	Lock() error
}

// OS is the real disk. The differences between systems (locks, renaming) are in
// disk_unix.go and disk_windows.go.
type OS struct{}

type osFile struct {
	*os.File
	room *int64 // offset up to which Reserve has allocated
}

// Open opens or creates a file. Only the owner may read a created file, because
// it holds password hashes and e-mail addresses.
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

// RealPath resolves name if it is a symbolic link.
func (OS) RealPath(name string) (string, error) {
	info, err := os.Lstat(name)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		return name, nil // Open returns the error, or creates the file
	}
	return filepath.EvalSymlinks(name)
}

// Names compares the file that has that name with f.
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

// SyncDir syncs a folder, on systems that can.
func (OS) SyncDir(name string) error { return durable.SyncDir(name) }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
