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
	if keepOwner(f.(osFile).File, to) {
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

// keepOwner gives f the owner and the group of the file called name, and reports
// whether that was another one: root looks after the files of a service, which
// could not open what is root's. Nobody else may do this, nor has to, so that it
// fails is no error.
func keepOwner(f *os.File, name string) (changed bool) {
	was, err := os.Stat(name)
	if err != nil {
		return false
	}
	is, err := f.Stat()
	if err != nil {
		return false
	}
	from, to := is.Sys().(*syscall.Stat_t), was.Sys().(*syscall.Stat_t)
	return (from.Uid != to.Uid || from.Gid != to.Gid) && f.Chown(int(to.Uid), int(to.Gid)) == nil
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
