// Package durable writes files that are replaced whole or not at all. After a
// crash or a power cut a file has its old content or its new content, never a
// part of either.
//
// Every step that this takes stands here once, with what differs between
// systems: the fsync of a new file, the rename, and the fsync of the folder,
// without which the rename may be undone. The files are small ones, such as key
// files. Package journal, whose file grows, uses the steps one by one.
//
// On Unix a program that imports this package ignores SIGXFSZ. A write over the
// process's file-size limit (ulimit -f) then fails like one to a full disk.
package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// WriteFile gives the file called name the content data, with mode 0600. When it
// returns nil, the new content survives a crash. After an error or a crash the
// file has its old content or the new. The owner of an existing file stays its
// owner, if this process may give files away.
//
// Of several calls at the same time for one name, each writes a whole file, and
// the last rename wins. A crash may leave a file name.*.new behind, which can be
// deleted.
func WriteFile(name string, data []byte) error {
	unfinished.Lock()
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.new") // mode 0600
	if err != nil {
		unfinished.Unlock()
		return ofName(err, name)
	}
	unfinished.names[f.Name()] = true
	unfinished.Unlock()
	defer remove(f.Name()) // without effect once it is renamed
	KeepOwner(f, name)
	_, err = f.Write(data)
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
		err = hardenDir(filepath.Dir(name))
	}
	return ofName(err, name)
}

// hardenDir is SyncDir for a folder that may be unable to. Where the file system
// has no such call, nobody can do more: see [Lacks].
func hardenDir(name string) error {
	if err := SyncDir(name); err != nil && !Lacks(err) && !Denied(err) {
		return err
	}
	return nil
}

// ofName makes err speak of name rather than of a temporary file that stands in
// for it.
func ofName(err error, name string) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: at.Op, Path: name, Err: at.Err}
	}
	if at, ok := errors.AsType[*os.LinkError](err); ok {
		return &fs.PathError{Op: at.Op, Path: name, Err: at.Err}
	}
	return err
}

// unfinished are the files that WriteFile writes now.
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

// Abandon is for a process that is about to exit while it writes files. It removes
// those that are unfinished. From then on no call of WriteFile returns.
func Abandon() {
	unfinished.Lock() // for ever
	for name := range unfinished.names {
		os.Remove(name)
	}
}

// CreateFile is WriteFile for a name that must not exist yet. If the file exists,
// or another process creates it at the same time, the file keeps its content, data
// is dropped, and CreateFile returns nil: read the file to see who won.
//
// Each caller needs an id of its own, which becomes part of a file name. A crash
// may leave name.id or name.id.*.new behind. Such a file may hold all of data, but
// has mode 0600, is never read, and can be deleted.
func CreateFile(name, id string, data []byte) error {
	own := name + "." + id
	unfinished.Lock()
	unfinished.names[own] = true
	unfinished.Unlock()
	defer remove(own)
	if err := WriteFile(own, data); err != nil {
		return ofName(err, name)
	}
	err := os.Link(own, name) // unlike a rename, it replaces nothing
	if err != nil && !errors.Is(err, fs.ErrExist) {
		if _, err = os.Lstat(name); err == nil {
			err = fs.ErrExist
		} else {
			err = os.Rename(own, name) // on a file system without hard links
		}
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return ofName(err, name)
	}
	return hardenDir(filepath.Dir(name))
}

// CheckReplace fails if a command may not replace what is at name: one of the
// precious files, by whatever name, or what is no file. The error begins with
// name.
func CheckReplace(name string, precious ...string) error {
	info, err := os.Stat(name)
	if err != nil { // most likely there is nothing, and what else it is, writing finds out
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

// CheckAllPrivate is [CheckPrivate] for several files, by name. Warnings go to warn.
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

// ReadText reads a file, without the byte order mark that editors on Windows put in
// front (RFC 8259 §8.1 lets a reader ignore it).
func ReadText(name string) ([]byte, error) {
	text, err := ReadFile(name)
	return bytes.TrimPrefix(text, []byte("\ufeff")), err
}
