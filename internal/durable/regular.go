package durable

import (
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Open opens a file for reading. What is no file, such as a folder, a pipe or a
// device, it refuses at once, by name: to open a pipe waits for another program,
// and to read a device may never end.
func Open(name string) (*os.File, error) { return openRegular(name, os.O_RDONLY, 0, os.Stat) }

// OpenHere is os.OpenFile for what Open opens. It doesn't follow a symbolic link in
// the place of the file: what is created or appended to is name itself.
func OpenHere(name string, flags int, mode fs.FileMode) (*os.File, error) {
	return openRegular(name, flags|noFollow, mode, os.Lstat)
}

// ReadFile reads a file that Open opens.
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
	info, err := f.Stat() // another one may have the name by now
	if err == nil {
		err = checkRegular(name, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// A notFile is what stands in the place of a file.
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
