package child

import "syscall"

// childAttr makes the kernel end the command if this program is killed
// (prctl(2), PR_SET_PDEATHSIG). The kernel watches the thread that started the
// command, so that thread must live on. A process that takes over the command
// may end at once; then the signal is sent again. Only Linux has this.
func init() { childAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
