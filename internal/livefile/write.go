package livefile

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"example.com/shelf/internal/durable"
)

// write writes what the store has and the file hasn't, if that may be.
func (f *File) write() {
	began := f.Now()
	switch {
	case f.held != "" || began.Before(f.next):
		return
	case !f.behind && f.Store.Changes() == f.shown:
		return
	}
	err := f.replace()
	took := f.Now().Sub(began)
	f.next = f.Now().Add(max(pause, share*took))
	if err != nil {
		f.next = f.Now().Add(retry)
		if !f.mute {
			f.Log.Warn("the file can't be written; the data file has everything", "file", f.Name, "error", err)
		}
	}
	f.mute = err != nil
}

// replace replaces the file by one that shows the store.
func (f *File) replace() error {
	old, info, err := f.read()
	if err != nil || hash(old) != f.sha || !same(info, f.seen) {
		f.seen = nil // a person is faster: the next look finds the edit
		return nil
	}
	defer durable.FreeMemory(len(old))
	text, state, changes := f.Store.Show(old)
	sha := hash(text)
	if sha == f.sha {
		if known, ok := f.Store.Noted(sha); !ok || known != state {
			if err := f.Store.Note(sha, state); err != nil {
				return nil // the store can't be written: it says so itself
			}
		}
		f.Store.Shown()
		f.shown, f.behind = changes, false
		return nil
	}
	f.step("note")
	if err := f.Store.Note(sha, state); err != nil {
		return nil
	}
	aside, err := f.aside(text, info)
	if err != nil {
		return err
	}
	written, err := os.Stat(aside)
	if err != nil {
		return err
	}
	f.step("swap")
	if err := durable.Swap(aside, f.path); err != nil {
		os.Remove(aside)
		return err
	}
	f.step("look")
	return f.afterSwap(aside, written, sha, changes)
}

// afterSwap looks at the file that was replaced. If it isn't the one that was read, a
// person saved meanwhile, and gets the save back. written is the file in its place.
func (f *File) afterSwap(aside string, written fs.FileInfo, sha string, changes int) error {
	was, err := os.Stat(aside)
	if err != nil {
		return err
	}
	if !same(was, f.seen) {
		if err := durable.Swap(aside, f.path); err != nil {
			return err
		}
		text, err := os.ReadFile(aside)
		if err == nil && hash(text) != sha { // saved twice
			err = f.keepMine(text)
		}
		os.Remove(aside)
		return err
	}
	if err := durable.SyncDir(filepath.Dir(f.path)); err != nil && !durable.Lacks(err) && !durable.Denied(err) {
		return err
	}
	f.Store.Shown()
	f.seen, f.sha, f.shown, f.behind = written, sha, changes, false
	f.replaced = append(f.replaced, replaced{aside, was, f.Now(), false})
	return nil
}

// aside writes text to a file in the same folder, with the mode and the owner of the
// file, and syncs it.
func (f *File) aside(text []byte, as fs.FileInfo) (name string, err error) {
	f.step("create")
	out, err := os.CreateTemp(filepath.Dir(f.path), f.asides())
	if err != nil {
		return "", err
	}
	durable.KeepOwner(out, f.path)
	f.step("write")
	_, err = out.Write(text)
	if err == nil {
		err = out.Chmod(as.Mode().Perm())
	}
	if err == nil {
		err = out.Sync()
	}
	if closing := out.Close(); err == nil {
		err = closing
	}
	if err != nil {
		os.Remove(out.Name())
	}
	return out.Name(), err
}

// asides is the pattern of the names of files aside.
func (f *File) asides() string { return "." + filepath.Base(f.path) + ".*.new" }

// clean removes what a crash has left aside: versions that were noted, and one that was
// being written. What else is there was saved by a person just before the crash, and is
// kept.
func (f *File) clean() error {
	left, err := filepath.Glob(filepath.Join(filepath.Dir(f.path), f.asides()))
	if err != nil {
		return err
	}
	for _, name := range left {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if _, noted := f.Store.Noted(hash(text)); !noted && json.Valid(text) {
			if err := f.keepMine(text); err != nil {
				return err
			}
			f.Log.Warn("an edit from the moment before a crash is kept", "file", f.mine())
		}
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// A replaced is a file that was replaced. A program that has it open may still write
// to it.
type replaced struct {
	name    string
	info    fs.FileInfo
	at      time.Time // when it was replaced, or changed last
	changed bool
}

// lookBack removes the files that were replaced, when some time has gone by or at is
// the end. One that was written to meanwhile is an edit, which is kept.
func (f *File) lookBack(end bool) {
	kept := f.replaced[:0]
	for _, r := range f.replaced {
		if !f.forget(&r, end) {
			kept = append(kept, r)
		}
	}
	f.replaced = kept
}

// forget looks at a file that was replaced, and reports whether it is removed.
func (f *File) forget(r *replaced, end bool) bool {
	info, err := os.Stat(r.name)
	if err != nil {
		return true
	}
	if !same(info, r.info) {
		r.info, r.at, r.changed = info, f.Now(), true
	}
	patience := late
	if r.changed {
		patience = still
	}
	if !end && f.Now().Sub(r.at) < patience {
		return false
	}
	if r.changed {
		text, err := os.ReadFile(r.name)
		if err == nil && len(text) > 0 {
			err = f.keepMine(text)
		}
		if err != nil {
			f.Log.Warn("an edit of a version that was just replaced can't be kept", "file", r.name, "error", err)
			return true // it stays where it is
		}
		f.Log.Warn("conflict: a program wrote to the version of the file that was just replaced. Put that edit into the file and save it", "file", f.Name, "kept", f.mine())
	}
	os.Remove(r.name)
	return true
}
