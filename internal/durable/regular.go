package durable

import (
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Open opens a regular file for reading. It rejects anything else, such as a
// folder, a pipe or a device, without blocking: opening a pipe waits for
// another program, and reading a device may never end.
func Open(name string) (*os.File, error) { return openRegular(name, os.O_RDONLY, 0, os.Stat) }

// OpenHere is os.OpenFile for regular files. It doesn't follow a symbolic link,
// so it creates or changes the file name itself.
func OpenHere(name string, flags int, mode fs.FileMode) (*os.File, error) {
	return openRegular(name, flags|noFollow, mode, os.Lstat)
}

// ReadFile reads a regular file.
func ReadFile(name string) ([]byte, error) {
	f, err := Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func openRegular(name string, flags int, mode fs.FileMode, stat func(string) (fs.FileInfo, error)) (*os.File, error) {
	if info, err := stat(name); err == nil {
		if err := checkRegular(name, info); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(name, flags|nonBlock, mode)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat() // another file may have the name by now
	if err == nil {
		err = checkRegular(name, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// A notFile names the kind of something that is not a regular file.
type notFile string

func (n notFile) Error() string { return "it is " + string(n) + ", not a file" }

func checkRegular(name string, info fs.FileInfo) error {
	var err error
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		err = syscall.EISDIR
	case mode&fs.ModeSymlink != 0:
		err = notFile("a symbolic link")
	case mode&fs.ModeNamedPipe != 0:
		err = notFile("a named pipe")
	case mode&fs.ModeDevice != 0:
		err = notFile("a device")
	case mode&fs.ModeSocket != 0:
		err = notFile("a socket")
	default:
		err = notFile("something else")
	}
	return &fs.PathError{Op: "open", Path: name, Err: err}
}
