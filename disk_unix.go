//go:build !windows

package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
)

func init() {
	// Under a file-size limit (ulimit -f) a write should fail with EFBIG, like
	// on a full disk, instead of ending the process.
	signal.Ignore(syscall.SIGXFSZ)
}

// lock takes flock(2)'s exclusive lock. It belongs to the open file, so the
// system gives it back when the process ends, however it ends.
func (f osFile) lock() error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return err
}

func (osDisk) replace(f diskFile, from, to string, old diskFile) (diskFile, error) {
	if err := os.Rename(from, to); err != nil {
		return old, err
	}
	old.Close() // everything in it is synced, and in f
	return f, nil
}

// syncDir makes a rename or a new file in the folder survive a power cut.
func (osDisk) syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// diskFull reports whether a write failed for want of room: on the device, in
// the account's quota, or under the process's file-size limit.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
