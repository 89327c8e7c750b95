package program_test

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
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

// openPTY makes a terminal: what is typed into keyboard, a program reads from
// tty; what tty echoes, keyboard shows.
func openPTY(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	var number, unlock int32
	for request, arg := range map[uintptr]*int32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &unlock} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, keyboard.Fd(), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
			t.Fatal(errno)
		}
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return keyboard, tty
}
