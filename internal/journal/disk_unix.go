//go:build !windows

package journal

import (
	"errors"
	"os"
	"syscall"

	"example.com/shelf/internal/durable"
)

// Lock takes an exclusive lock with flock(2). The lock belongs to the open
// file, so the system releases it when the process ends in any way.
func (f osFile) Lock() error {
	err := flock(f)
	for errors.Is(err, syscall.EINTR) { // a network file system may be interrupted
		err = flock(f)
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}

// Replace renames f over old. The new file keeps the owner of the old one.
func (OS) Replace(f File, from, to string, old File) (File, error) {
	if durable.KeepOwner(f.(osFile).File, to) {
		if err := f.Sync(); err != nil {
			return old, err
		}
	}
	if err := os.Rename(from, to); err != nil {
		return old, err
	}
	old.Close() // all its content is synced in f
	return f, nil
}

func flock(f osFile) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
