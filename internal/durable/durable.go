// Package durable writes files that are replaced whole or not at all. After a
// crash or a power cut a file has its old content or its new content, never a
// part of either.
//
// A replacement takes three steps, which differ between systems: the fsync of
// the new file, the rename, and the fsync of the folder, without which the
// rename may be undone. The package is for small files such as key files.
// Package journal, whose file grows, uses the steps one by one.
//
// On Unix, importing this package makes the program ignore SIGXFSZ. A write
// beyond the process's file-size limit (ulimit -f) then fails as on a full
// disk.
package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// WriteFile replaces the content of file name by data. The file has mode 0600.
// When WriteFile returns nil, the new content survives a crash. After an error
// or a crash the file has the old or the new content. An existing file keeps
// its owner if this process may change owners.
//
// If several calls write the same file at once, each writes a whole file, and
// the last rename wins. A crash may leave a file name.*.new, which can be
// deleted.
func WriteFile(name string, data []byte) error {
	return WriteTo(name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteTo is WriteFile for content that may be larger than the memory: write writes it.
// If write fails, the file keeps its old content, and WriteTo returns that error.
func WriteTo(name string, write func(io.Writer) error) error {
	if err := replaceFile(name, write); err != nil {
		return err
	}
	return ofName(hardenDir(filepath.Dir(name)), name)
}

// replaceFile is WriteTo without the fsync of the folder.
func replaceFile(name string, write func(io.Writer) error) error {
	unfinished.Lock()
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.new") // mode 0600
	if err != nil {
		unfinished.Unlock()
		return ofName(err, name)
	}
	unfinished.names[f.Name()] = true
	unfinished.Unlock()
	defer remove(f.Name()) // no effect after the rename
	KeepOwner(f, name)
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return ofName(err, name)
	}
	unfinished.Lock()
	defer unfinished.Unlock()
	if err = os.Rename(f.Name(), name); err == nil {
		delete(unfinished.names, f.Name())
	}
	return ofName(err, name)
}

// hardenDir is SyncDir, but accepts that a file system can't sync folders; see
// [Lacks].
func hardenDir(name string) error {
	if err := SyncDir(name); err != nil && !Lacks(err) && !Denied(err) {
		return err
	}
	return nil
}

// ofName replaces the name of a temporary file in err by name.
func ofName(err error, name string) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: at.Op, Path: name, Err: at.Err}
	}
	if at, ok := errors.AsType[*os.LinkError](err); ok {
		return &fs.PathError{Op: at.Op, Path: name, Err: at.Err}
	}
	return err
}

// unfinished holds the files that WriteFile is writing.
var unfinished = struct {
	sync.Mutex
	names map[string]bool
}{names: map[string]bool{}}

// remove removes an unfinished file.
func remove(name string) {
	unfinished.Lock()
	defer unfinished.Unlock()
	os.Remove(name)
	delete(unfinished.names, name)
}

// Abandon is for a process that exits while it writes files. It removes the
// unfinished files and blocks WriteFile from then on.
func Abandon() {
	unfinished.Lock() // for ever
	for name := range unfinished.names {
		os.Remove(name)
	}
}

// CreateFile is WriteFile for a name that must not exist. If the file exists,
// or another process creates it at the same time, it keeps its content, and
// CreateFile discards data and returns nil. Read the file to see which content
// it has.
//
// Each caller needs its own id, which becomes part of a file name. A crash may
// leave name.id or name.id.*.new. Such a file may contain data, has mode 0600,
// is never read, and can be deleted.
func CreateFile(name, id string, data []byte) error {
	own := name + "." + id
	unfinished.Lock()
	unfinished.names[own] = true
	unfinished.Unlock()
	defer remove(own)
	if err := replaceFile(own, func(w io.Writer) error { _, err := w.Write(data); return err }); err != nil { // the fsync of the folder follows
		return ofName(err, name)
	}
	err := os.Link(own, name) // unlike a rename, a link never replaces a file
	if err != nil && !errors.Is(err, fs.ErrExist) {
		if _, err = os.Lstat(name); err == nil {
			err = fs.ErrExist
		} else {
			err = os.Rename(own, name) // a file system without hard links
		}
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return ofName(err, name)
	}
	return hardenDir(filepath.Dir(name))
}

// CheckReplace fails if a command may not replace the file at name: because it
// is one of the precious files, under any name, or not a regular file. The
// error begins with name.
func CheckReplace(name string, precious ...string) error {
	info, err := os.Stat(name)
	if err != nil { // usually it doesn't exist; the later write reports anything else
		return nil
	}
	for _, p := range precious {
		if other, err := os.Stat(p); err == nil && os.SameFile(info, other) {
			return fmt.Errorf("%s: an export doesn't replace %s", name, p)
		}
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", name)
	}
	return nil
}

// CheckAllPrivate calls [CheckPrivate] for several files; files maps their
// names to the harm. Warnings go to warn.
func CheckAllPrivate(files map[string]string, warn func(string)) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		warning, err := CheckPrivate(name, files[name])
		if err != nil {
			return err
		}
		if warning != "" {
			warn(warning)
		}
	}
	return nil
}

// ReadText reads a file and removes the byte order mark that Windows editors
// add (allowed by RFC 8259 §8.1).
func ReadText(name string) ([]byte, error) {
	text, err := ReadFile(name)
	return bytes.TrimPrefix(text, []byte("\ufeff")), err
}
