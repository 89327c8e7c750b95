//go:build !windows

package durable

import (
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
)

func init() {
	// Without this, a write beyond the file-size limit (ulimit -f) would end
	// the process. With it, the write fails with EFBIG.
	signal.Ignore(syscall.SIGXFSZ)
}

// KeepOwner gives f the owner and group of the file name, and reports whether
// they changed. If root replaces a service's file, the service must be able to
// open the new one. Other users can't change owners and needn't, so a failure
// is no error.
func KeepOwner(f *os.File, name string) (changed bool) {
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

// SyncDir makes the names in a folder survive a power cut: all files created,
// renamed or removed before the call.
func SyncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// Lacks reports whether a call failed because the file system doesn't support
// it: fsync of a folder on CIFS and VirtualBox shares, locks on NFS without
// lockd, hard links on FAT. Some systems return EBADF for the fsync of a file
// opened for reading, as folders are.
func Lacks(err error) bool {
	for _, lack := range []syscall.Errno{syscall.EINVAL, syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.ENOLCK, syscall.EBADF} {
		if errors.Is(err, lack) {
			return true
		}
	}
	return false
}

// Denied reports whether a call failed because this process has no permission,
// or because the name belongs to something that it can't use as a file.
func Denied(err error) bool {
	var no notFile
	return errors.As(err, &no) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ELOOP)
}

// Open flags: don't block, and don't follow a symbolic link.
const (
	nonBlock = syscall.O_NONBLOCK
	noFollow = syscall.O_NOFOLLOW
)

// Full reports whether a write failed for lack of room: on the device, in the
// account's quota, or under the process's file-size limit.
func Full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// SameOwner reports whether two files have one owner and one group.
func SameOwner(a, b fs.FileInfo) bool {
	x, y := a.Sys().(*syscall.Stat_t), b.Sys().(*syscall.Stat_t)
	return x.Uid == y.Uid && x.Gid == y.Gid
}
