package durable

import (
	"errors"
	"runtime"
	"syscall"
	"unsafe"
)

// sysRenameat2 is the number of the system call renameat2, which package syscall
// doesn't have.
var sysRenameat2 = map[string]uintptr{"amd64": 316, "386": 353, "arm": 382, "arm64": 276, "riscv64": 276, "loong64": 276}[runtime.GOARCH]

// Swap exchanges two files in one step: at no moment is either name without a file. So
// a caller that replaces a file keeps the one that was there, also if another program has just written it.
func Swap(a, b string) error {
	const (
		here     = ^uintptr(99) // AT_FDCWD, -100
		exchange = 2            // RENAME_EXCHANGE
	)
	err := error(syscall.ENOSYS)
	if sysRenameat2 != 0 {
		x, errX := syscall.BytePtrFromString(a)
		y, errY := syscall.BytePtrFromString(b)
		if err := errors.Join(errX, errY); err != nil {
			return err
		}
		_, _, errno := syscall.Syscall6(sysRenameat2, here, uintptr(unsafe.Pointer(x)), here, uintptr(unsafe.Pointer(y)), exchange, 0)
		if errno == 0 {
			return nil
		}
		err = errno
	}
	if Lacks(err) {
		return swapByLinks(a, b)
	}
	return err
}
