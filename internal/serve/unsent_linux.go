package serve

import (
	"net"
	"syscall"
	"unsafe"
)

// unsent returns how many bytes that were written to c its client has not
// acknowledged, -1 where that can't be told (tcp(7), SIOCOUTQ).
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
