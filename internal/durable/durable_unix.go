//go:build !windows

package durable

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

// Full reports whether a write failed because there was no room: on the device,
// in the account's quota, or under the process's file-size limit.
func Full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
