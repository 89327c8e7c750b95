//go:build !windows

package term

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
)

// hideInput turns off a terminal's echo. It fails with errNoTerminal if in is
// none. The system call for it differs from system to system; stty(1), which
// POSIX has, does not.
func hideInput(in io.Reader) (restore func() error, err error) {
	f, ok := in.(*os.File)
	if !ok || !IsTerminal(f) {
		return nil, errNoTerminal
	}
	stty := func(arg string) (string, error) {
		cmd := exec.Command("stty", arg)
		cmd.Stdin = f
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	mode, err := stty("-g")
	if _, refused := errors.AsType[*exec.ExitError](err); refused {
		return nil, errNoTerminal // another device, such as /dev/null
	}
	if err != nil {
		return nil, err
	}
	if _, err := stty("-echo"); err != nil {
		return nil, err
	}
	return func() error { _, err := stty(mode); return err }, nil
}
