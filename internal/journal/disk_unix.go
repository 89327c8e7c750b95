//go:build !windows

package journal

import (
	"errors"
	"os"
	"syscall"

	"example.com/shelf/internal/durable"
)

// Lock takes flock(2)'s exclusive lock. It belongs to the open file, so the
// system gives it back when the process ends, however it ends.
func (f osFile) Lock() error {
	err := flock(f)
	for errors.Is(err, syscall.EINTR) { // a file system on a network may be interrupted
		err = flock(f)
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}

// Replace renames f over old. The file keeps its owner.
func (OS) Replace(f File, from, to string, old File) (File, error) {
	if durable.KeepOwner(f.(osFile).File, to) {
		if err := f.Sync(); err != nil {
			return old, err
		}
	}
	if err := os.Rename(from, to); err != nil {
		return old, err
	}
	old.Close() // everything in it is synced, and in f
	return f, nil
}

func flock(f osFile) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
