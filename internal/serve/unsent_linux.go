package serve

import (
	"net"
	"syscall"
	"unsafe"
)

// unsent returns the number of bytes written to c that the client has not
// acknowledged, or -1 if it is unknown (tcp(7), SIOCOUTQ).
func unsent(c net.Conn) int {
	socket, ok := c.(syscall.Conn)
	if !ok {
		return -1
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return -1
	}
	var n int32
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&n)))
	})
	if err != nil || errno != 0 {
		return -1
	}
	return int(n)
}
