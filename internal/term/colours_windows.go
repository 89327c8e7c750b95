package term

import (
	"io"
	"os"
	"syscall"
)

const enableVirtualTerminalProcessing = 4

// showsColours reports whether w is a console that knows the codes of terminals. Such a
// console is not told to: it keeps its mode when the program ends.
func showsColours(w io.Writer) bool {
	f, ok := w.(*os.File)
	var mode uint32
	return ok && syscall.GetConsoleMode(syscall.Handle(f.Fd()), &mode) == nil && mode&enableVirtualTerminalProcessing != 0
}
