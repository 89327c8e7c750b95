package child

import (
	"os"
	"syscall"
)

// signalsForCommand returns the events of a console: Ctrl-C, Ctrl-Break, and
// closing it. Windows has no others.
func signalsForCommand() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// passOn does nothing: the console sends its events to all its processes.
func passOn(*os.Process, os.Signal) {}
