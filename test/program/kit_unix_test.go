//go:build unix

package program_test

import (
	"os/exec"
	"syscall"
)

// detach starts cmd where no terminal is, as a terminal's keys have rules of
// their own.
func detach(cmd *exec.Cmd) *exec.Cmd {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setsid = true
	return cmd
}
