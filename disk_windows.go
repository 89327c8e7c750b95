package main

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
	errorDiskFull      = syscall.Errno(112)
)

// lock takes an exclusive lock on one byte far beyond the end, as a lock here
// is mandatory and readers (export, a copy) are welcome. The system gives it
// back when the process ends.
func (f osFile) lock() error {
	at := syscall.Overlapped{OffsetHigh: 1 << 30}
	ok, _, err := lockFileEx.Call(f.Fd(), lockfileExclusiveLock|lockfileFailImmediately, 0, 1, 0, uintptr(unsafe.Pointer(&at)))
	switch {
	case ok != 0:
		return nil
	case errors.Is(err, errorLockViolation):
		return errLocked
	}
	return err
}

// replace closes both files first, because an open file can't be renamed over. It
// can't be either while another process reads it, such as a backup.
func (d osDisk) replace(f diskFile, from, to string, old diskFile) (diskFile, error) {
	renamed := errors.Join(f.Close(), old.Close(), os.Rename(from, to))
	f, err := d.open(to, false)
	if err != nil {
		return nil, errors.Join(renamed, err)
	}
	if err := f.lock(); err != nil {
		f.Close()
		return nil, errors.Join(renamed, err)
	}
	return f, renamed
}

// keepOwner does nothing: here a new file inherits the rights of its folder.
func keepOwner(*os.File, string) bool { return false }

// syncDir does nothing: a folder can't be synced here, and NTFS journals names.
func (osDisk) syncDir(string) error { return nil }

func diskFull(err error) bool { return errors.Is(err, errorDiskFull) }
