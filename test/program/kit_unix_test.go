//go:build unix

package program_test

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// asUsual has programs that tests start find the usual umask, and take signals, also
// where the tests were told to ignore some, as by nohup: that would be passed on.
func asUsual() {
	syscall.Umask(0o022)
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
}

// detach starts cmd where no terminal is, as a terminal's keys have rules of
// their own.
func detach(cmd *exec.Cmd) *exec.Cmd {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setsid = true
	return cmd
}
