package main

import (
	"os/exec"
	"syscall"
	"unsafe"
)

// endWithTest has the kernel end the process when the tests are killed, so that
// none is left behind.
func endWithTest(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// limitFiles sets the size beyond which p can't write to any file, which is a
// full disk to it. Only the soft limit changes, so it takes no rights to lift
// it again, with noLimit.
func limitFiles(p *program, size int64) bool {
	p.t.Helper()
	const rlimitFsize = 1
	limit := [2]uint64{uint64(size), uint64(1<<64 - 1)} // soft and hard, as in struct rlimit64
	_, _, errno := syscall.Syscall6(syscall.SYS_PRLIMIT64, uintptr(p.cmd.Process.Pid), rlimitFsize, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	if errno != 0 {
		p.t.Errorf("prlimit: %v", errno)
		return false
	}
	return true
}

const noLimit = -1 // RLIM64_INFINITY
