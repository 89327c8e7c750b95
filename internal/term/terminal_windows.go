package term

import (
	"io"
	"os"
	"syscall"
)

var setConsoleMode = syscall.NewLazyDLL("kernel32.dll").NewProc("SetConsoleMode")

const enableEchoInput = 4

// hideInput turns off the echo of a console. It fails with errNoTerminal if in
// is no console.
func hideInput(in io.Reader) (restore func() error, err error) {
	f, ok := in.(*os.File)
	if !ok {
		return nil, errNoTerminal
	}
	var mode uint32
	if err := syscall.GetConsoleMode(syscall.Handle(f.Fd()), &mode); err != nil {
		return nil, errNoTerminal
	}
	set := func(mode uint32) error {
		if ok, _, err := setConsoleMode.Call(f.Fd(), uintptr(mode)); ok == 0 {
			return err
		}
		return nil
	}
	return func() error { return set(mode) }, set(mode &^ enableEchoInput)
}
