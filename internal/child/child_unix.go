//go:build unix

package child

import (
	"os"
	"os/signal"
	"syscall"
	"unsafe"
)

// signalsForCommand returns the signals that are forwarded. If this program was
// told to ignore SIGHUP, as by nohup(1), the command was told too.
func signalsForCommand() []os.Signal {
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// passOn forwards a signal to p.
//
// A terminal sends the signals of Ctrl-C and Ctrl-\ to all processes in the
// foreground, so p already has them. Many programs exit at once at a second
// one, without cleaning up. So passOn doesn't send these again.
func passOn(p *os.Process, sig os.Signal) {
	if (sig == syscall.SIGINT || sig == syscall.SIGQUIT) && inForeground() {
		return
	}
	p.Signal(sig)
}

// inForeground reports whether this process is in the foreground group of a
// terminal (POSIX, tcgetpgrp).
func inForeground() bool {
	tty, err := os.Open("/dev/tty") // the controlling terminal
	if err != nil {
		return false
	}
	defer tty.Close()
	var group int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, tty.Fd(), syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&group)))
	return errno == 0 && int(group) == syscall.Getpgrp()
}
