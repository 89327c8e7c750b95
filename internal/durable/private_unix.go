//go:build !windows

package durable

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// CheckPrivate fails if other users of this machine can change the file called name:
// its content is trusted. It returns a warning, "" for none, if they can read it;
// harm says what they can do then: "read its password hashes". A file that isn't
// there is private.
//
// On a file system that keeps no modes or owners (a share of a virtual machine, FAT)
// nobody can make a file private. There it warns instead.
func CheckPrivate(name, harm string) (warning string, err error) {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return "", nil // who opens it finds out
	}
	mode, owner, us := info.Mode().Perm(), info.Sys().(*syscall.Stat_t).Uid, uint32(os.Geteuid())
	foreign, writable := owner != us && owner != 0, mode&0o022 != 0
	if foreign || writable {
		newMode, newOwner := probe(filepath.Dir(name))
		if foreign = foreign && newOwner != owner; newMode&0o022 != 0 {
			return fmt.Sprintf("%s can be written by other users of this machine (mode %04o), and its file system keeps no modes: keep it on another", name, mode), nil
		}
	}
	switch {
	case foreign:
		return "", fmt.Errorf("%s belongs to another user of this machine (uid %d), who can change what is in it: chown %d %[1]s, or run shelf as that user", name, owner, us)
	case writable:
		return "", fmt.Errorf("%s can be written by other users of this machine (mode %04o), and shelf trusts what is in it: chmod 600 %[1]s", name, mode)
	case mode&0o004 != 0, mode&0o040 != 0 && owner == us: // root may have let our group read it, for us
		return fmt.Sprintf("%s is open to other users of this machine (mode %04o), who can %s: chmod 600 %[1]s", name, mode, harm), nil
	}
	return "", nil
}

// probe says which mode and which owner a new file of mode 0600 gets in a folder; 0
// and us if none can be made.
func probe(folder string) (fs.FileMode, uint32) {
	us := uint32(os.Geteuid())
	f, err := os.CreateTemp(folder, ".shelf-probe-")
	if err != nil {
		return 0, us
	}
	defer os.Remove(f.Name())
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, us
	}
	return info.Mode().Perm(), info.Sys().(*syscall.Stat_t).Uid
}

// CheckFolder returns a warning, "" for none, if other users of this machine can
// replace the files in the folder of the file called name. In a folder with the
// sticky bit, such as /tmp, they can't. A group that has its user's number is that
// user's own.
func CheckFolder(name string) (warning string) {
	if real, err := filepath.EvalSymlinks(name); err == nil && filepath.Dir(real) != filepath.Dir(name) {
		if warning := checkFolder(filepath.Dir(real)); warning != "" {
			return warning
		}
	}
	return checkFolder(filepath.Dir(name))
}

func checkFolder(folder string) (warning string) {
	info, err := os.Stat(folder)
	if err != nil {
		return ""
	}
	stat := info.Sys().(*syscall.Stat_t)
	mode := info.Mode()
	if mode&fs.ModeSticky != 0 || mode&0o002 == 0 && (mode&0o020 == 0 || stat.Gid == stat.Uid) {
		return ""
	}
	return fmt.Sprintf("the folder %s can be written by other users of this machine (mode %04o), who can replace the files in it: chmod go-w %[1]s", folder, mode.Perm())
}
