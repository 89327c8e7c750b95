package journal

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

var lockFileEx = syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")

const (
	lockfileFailImmediately = 1
	lockfileExclusiveLock   = 2

	errorLockViolation = syscall.Errno(33)
)

// Lock takes an exclusive lock on one byte far behind the end. Locks on Windows
// are mandatory, so a lock on the content would stop readers such as export and
// backups. The system releases the lock when the process ends.
func (f osFile) Lock() error {
	at := syscall.Overlapped{OffsetHigh: 1 << 30}
	ok, _, err := lockFileEx.Call(f.Fd(), lockfileExclusiveLock|lockfileFailImmediately, 0, 1, 0, uintptr(unsafe.Pointer(&at)))
	switch {
	case ok != 0:
		return nil
	case errors.Is(err, errorLockViolation):
		return ErrLocked
	}
	return err
}

// Replace closes both files first, because Windows can't rename over an open
// file. The rename fails while another process, such as a backup, reads the old
// file.
func (d OS) Replace(f File, from, to string, old File) (File, error) {
	renamed := errors.Join(f.Close(), old.Close(), os.Rename(from, to))
	f, err := d.Open(to, false)
	if err != nil {
		return nil, errors.Join(renamed, err)
	}
	if err := f.Lock(); err != nil {
		f.Close()
		return nil, errors.Join(renamed, err)
	}
	return f, renamed
}
