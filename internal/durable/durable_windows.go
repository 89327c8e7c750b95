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

// These are flags of other systems.
const nonBlock, noFollow = 0, 0

// CheckPrivate finds nothing: on Windows a file has the rights of its folder.
func CheckPrivate(string, string) (warning string, err error) { return "", nil }

// CheckFolder finds nothing, as CheckPrivate.
func CheckFolder(string) (warning string) { return "" }

// Lacks reports whether a call failed because the file system doesn't have it.
func Lacks(err error) bool {
	return errors.Is(err, errorInvalidFunction) || errors.Is(err, errorNotSupported) || errors.Is(err, errorNotImplemented)
}

// KeepOwner does nothing: on Windows a new file inherits the rights of its folder.
func KeepOwner(*os.File, string) (changed bool) { return false }

// SyncDir does nothing: Windows can't sync a folder, and NTFS journals names.
func SyncDir(string) error { return nil }

// Denied reports whether a call failed because this process may not make it there,
// or because what has the name is no file that it may use.
func Denied(err error) bool {
	var no notFile
	return errors.As(err, &no) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EISDIR)
}

// Full reports whether a write failed because there was no room on the device.
func Full(err error) bool { return errors.Is(err, errorDiskFull) }
