package operator

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// checkPeer denies a command of another user. The socket's mode denies it too; this
// holds also where someone has changed that.
func checkPeer(conn net.Conn) error {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return err
	}
	var peer *syscall.Ucred
	var peerErr error
	err = raw.Control(func(fd uintptr) {
		peer, peerErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err == nil {
		err = peerErr
	}
	if err == nil && peer.Uid != 0 && peer.Uid != uint32(os.Geteuid()) {
		err = fmt.Errorf("%w: the caller is another user (uid %d)", errDenied, peer.Uid)
	}
	return err
}
