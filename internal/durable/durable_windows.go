package durable

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

const (
	errorInvalidFunction = syscall.Errno(1)
	errorNotSupported    = syscall.Errno(50)
	errorDiskFull        = syscall.Errno(112)
	errorNotImplemented  = syscall.Errno(120)
)

// Windows has no such flags.
const nonBlock, noFollow = 0, 0

// CheckPrivate returns no warning: on Windows a file has the permissions of its
// folder.
func CheckPrivate(string, string) (warning string, err error) { return "", nil }

// CheckFolder returns no warning, like CheckPrivate.
func CheckFolder(string) (warning string) { return "" }

// Lacks reports whether a call failed because the file system doesn't support
// it.
func Lacks(err error) bool {
	return errors.Is(err, errorInvalidFunction) || errors.Is(err, errorNotSupported) || errors.Is(err, errorNotImplemented)
}

// KeepOwner does nothing: on Windows a new file inherits the permissions of its
// folder.
func KeepOwner(*os.File, string) (changed bool) { return false }

// SameOwner returns true; see KeepOwner.
func SameOwner(fs.FileInfo, fs.FileInfo) bool { return true }

// SyncDir does nothing: Windows can't sync a folder, and NTFS journals names.
func SyncDir(string) error { return nil }

// Denied reports whether a call failed because this process has no permission,
// or because the name belongs to something that it can't use as a file.
func Denied(err error) bool {
	var no notFile
	return errors.As(err, &no) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EISDIR)
}

// Full reports whether a write failed for lack of room on the device.
func Full(err error) bool { return errors.Is(err, errorDiskFull) }
