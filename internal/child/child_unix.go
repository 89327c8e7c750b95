//go:build unix

package child

import (
	"os"
	"os/signal"
	"syscall"
	"unsafe"
)

// signalsForCommand are the signals that shelf run passes on. One that shelf was
// told to ignore, as nohup(1) does, the command was told to ignore as well.
func signalsForCommand() []os.Signal {
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// passOn sends p a signal that shelf got.
//
// What a key sends, Ctrl-C or Ctrl-\, the terminal sends to every process in the
// foreground, to p too. Many programs take a second one to mean at once, without
// tidying up, so p shall not get it twice.
func passOn(p *os.Process, sig os.Signal) {
	if (sig == syscall.SIGINT || sig == syscall.SIGQUIT) && inForeground() {
		return
	}
	p.Signal(sig)
}

// inForeground reports whether this process belongs to the foreground group of
// a terminal (POSIX, tcgetpgrp).
func inForeground() bool {
	tty, err := os.Open("/dev/tty") // the controlling terminal, if there is one
	if err != nil {
		return false
	}
	defer tty.Close()
	var group int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, tty.Fd(), syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&group)))
	return errno == 0 && int(group) == syscall.Getpgrp()
}
