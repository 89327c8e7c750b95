package child

import (
	"os"
	"syscall"
)

// signalsForCommand are the events of a console: Ctrl-C, Ctrl-Break, and its
// closing. Windows has no others.
func signalsForCommand() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// passOn does nothing: what a console sends, every process on it gets.
func passOn(*os.Process, os.Signal) {}
