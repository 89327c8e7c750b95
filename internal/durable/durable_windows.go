package durable

import (
	"errors"
	"os"
	"syscall"
)

const errorDiskFull = syscall.Errno(112)

// KeepOwner does nothing: on Windows a new file inherits the rights of its folder.
func KeepOwner(*os.File, string) (changed bool) { return false }

// SyncDir does nothing: Windows can't sync a folder, and NTFS journals names.
func SyncDir(string) error { return nil }

// Full reports whether a write failed because there was no room on the device.
func Full(err error) bool { return errors.Is(err, errorDiskFull) }
