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
	// Under a file-size limit (ulimit -f) a write should fail with EFBIG, like
	// on a full disk, instead of ending the process.
	signal.Ignore(syscall.SIGXFSZ)
}

// KeepOwner gives f the owner and the group of the file called name. It reports
// whether f had another owner or group before. When root replaces a file of a
// service, the service must be able to open the new file. A process that is not
// root can't give files away and doesn't have to, so this is no error.
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

// SyncDir makes the names in the folder survive a power cut: new files, renames
// and removals that happened before the call.
func SyncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// Lacks reports whether a call failed because the file system doesn't have it, as
// fsync of a folder on CIFS and VirtualBox shares, locks on NFS without lockd, or
// hard links on FAT. EBADF is what some systems say to the fsync of a file that is
// open for reading only, as a folder always is.
func Lacks(err error) bool {
	for _, lack := range []syscall.Errno{syscall.EINVAL, syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.ENOLCK, syscall.EBADF} {
		if errors.Is(err, lack) {
			return true
		}
	}
	return false
}

// Denied reports whether a call failed because this process may not make it there,
// or because what has the name is no file that it may use.
func Denied(err error) bool {
	var no notFile
	return errors.As(err, &no) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ELOOP)
}

// Without blocking, and without following a symbolic link.
const (
	nonBlock = syscall.O_NONBLOCK
	noFollow = syscall.O_NOFOLLOW
)

// Full reports whether a write failed because there was no room: on the device,
// in the account's quota, or under the process's file-size limit.
func Full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
