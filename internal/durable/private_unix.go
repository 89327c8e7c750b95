//go:build !windows

package durable

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// CheckPrivate fails if other users of this machine can change the file name,
// because shelf trusts its content. If they can read it, CheckPrivate returns a
// warning. harm completes that warning: "read its password hashes". A missing
// file is private.
//
// Some file systems keep no modes or owners (shares of a virtual machine, FAT).
// No file there can be private, so CheckPrivate only warns.
func CheckPrivate(name, harm string) (warning string, err error) {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return "", nil // opening the file reports the error
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
	case mode&0o004 != 0, mode&0o040 != 0 && owner == us: // root may have let our group read it
		return fmt.Sprintf("%s is open to other users of this machine (mode %04o), who can %s: chmod 600 %[1]s", name, mode, harm), nil
	}
	return "", nil
}

// probe returns the mode and owner that a new file of mode 0600 gets in a
// folder. It returns 0 and our user if it can't create one.
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

// CheckFolder returns a warning if other users of this machine can replace
// files in the folder of file name. They can't in a folder with the sticky bit,
// such as /tmp. A group with the same number as its user is taken for that
// user's own group.
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
