//go:build !windows

package operator

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"example.com/shelf/internal/durable"
)

// A socket is a door for the user who runs the server, and for root.
type socket struct {
	net.Listener
	path string
}

// openDoor opens a socket. Where the file system has none, it opens a port.
func openDoor(data string) (door, error) {
	// The data file is locked, so what is there is of a server that was killed.
	path, file := besideData(data, ".sock"), besideData(data, ".port")
	if err := removeStaleSocket(path); err != nil {
		return nil, err
	}
	d, err := openSocket(path)
	if err != nil {
		if d, portErr := openPort(file); portErr == nil {
			return d, nil
		}
		return nil, err
	}
	removeStalePort(file) // a socket was not possible before
	return d, nil
}

// removeStaleSocket removes what a killed server left, but no file of anything else,
// and no socket where another program listens.
func removeStaleSocket(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return nil // if it is not just missing, what comes next fails too
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is not a socket of shelf: move it away", path)
	}
	if w, err := dialSocket(path); err == nil {
		w.Close()
		return fmt.Errorf("another program listens at %s: stop it", path)
	}
	return os.Remove(path)
}

func openSocket(path string) (door, error) {
	name, release, err := shortName(path)
	if err != nil {
		return nil, err
	}
	defer release()
	before := syscall.Umask(0o077) // from its first moment on the socket is its owner's alone
	l, err := net.Listen("unix", name)
	syscall.Umask(before)
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // it knows the short name only
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		os.Remove(path)
		return nil, err
	}
	return &socket{l, path}, nil
}

func (s *socket) admit(w *wire) error { return checkPeer(w.Conn) }

func (s *socket) remove() { os.Remove(s.path) }

// dialSocket connects to the server at the socket. It fails with fs.ErrNotExist if
// there is none.
func dialSocket(path string) (*wire, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	if us := uint32(os.Geteuid()); us != 0 && owner != us && owner != 0 {
		return nil, fmt.Errorf("%s belongs to another user of this machine (uid %d): run shelf as that user", path, owner)
	}
	name, release, err := shortName(path)
	if err != nil {
		return nil, err
	}
	defer release()
	conn, err := net.DialTimeout("unix", name, patience)
	if err != nil {
		return nil, err
	}
	return newWire(conn), nil
}

// maxSocketName is how many bytes the name of a socket may have. The least is on BSD
// and macOS: 104, the NUL at the end included.
const maxSocketName = 103

// shortName returns a name for path that the system takes for a socket. On Linux a
// folder that is open has a short name. release closes it.
func shortName(path string) (name string, release func(), err error) {
	if len(path) <= maxSocketName {
		return path, func() {}, nil
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	open := fmt.Sprintf("/proc/self/fd/%d", folder.Fd())
	if _, err := os.Stat(open); err != nil {
		folder.Close()
		return "", nil, fmt.Errorf("%s: this name is too long for a socket", path)
	}
	return filepath.Join(open, filepath.Base(path)), func() { folder.Close() }, nil
}

// writePrivate writes a file that only its owner can read. It fails where the file
// system keeps no modes.
func writePrivate(name string, data []byte) error {
	if err := durable.WriteFile(name, data); err != nil {
		return err
	}
	warning, err := durable.CheckPrivate(name, "pass for its owner")
	if err == nil && warning != "" {
		err = fmt.Errorf("%s", warning)
	}
	if err != nil {
		os.Remove(name)
	}
	return err
}
