package child

import "syscall"

// childAttr has the kernel end the command of shelf run when shelf is killed and
// can't do so itself. To the kernel the parent is the thread that started the
// command (prctl(2), PR_SET_PDEATHSIG), so that one has to last; and
// whoever takes the child over may die at once and have it sent again. No other
// system has this.
func init() { childAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
