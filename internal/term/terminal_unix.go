//go:build !windows

package term

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
)

// hideInput turns off the echo of a terminal. It fails with errNoTerminal if in
// is no terminal. It uses stty(1), which is in POSIX; the system calls differ
// between systems.
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
		return nil, errNoTerminal // another kind of device, such as /dev/null
	}
	if err != nil {
		return nil, err
	}
	if _, err := stty("-echo"); err != nil {
		return nil, err
	}
	return func() error { _, err := stty(mode); return err }, nil
}
