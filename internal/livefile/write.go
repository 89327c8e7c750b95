package livefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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
			why := "the file can't be written; the data file has everything"
			if errors.Is(err, syscall.EBUSY) {
				why += ". Is the file mounted alone, as into a container? Mount its folder instead"
			}
			f.Log.Warn(why, "file", f.Name, "error", err)
		}
	}
	f.mute = err != nil
}

// replace replaces the file by one that shows the store.
func (f *File) replace() error {
	old, info, err := f.read()
	if err != nil || hash(old) != f.sha || !same(info, f.seen) {
		f.again = true // a person is faster: the next look finds the edit
		return nil
	}
	defer durable.FreeMemory(len(old))
	text, state, changes := f.Store.Show(old)
	sha := hash(text)
	if sha == f.sha {
		f.shows(changes)
		f.confirm(state)
		return nil
	}
	if int64(len(text)) > f.Max {
		return fmt.Errorf("the file would be larger than %d bytes", f.Max)
	}
	if err = f.step("note"); err == nil {
		err = f.Store.Note(sha, "")
	}
	if err != nil {
		return nil // the store can't be written: it says so itself
	}
	ours, err := f.exchange(text, sha, info)
	if ours {
		f.shows(changes)
	}
	switch {
	case err != nil:
		f.Store.Note(f.sha, "") // so that it stays among the newest notes
	case ours:
		f.confirm(state)
	}
	return err
}

// shows says that the file shows what the store was about to show.
func (f *File) shows(changes int) {
	f.Store.Shown()
	f.shown = changes
}

// confirm notes what the file shows, now that this survives a crash.
func (f *File) confirm(state string) {
	f.behind = false
	if known, _ := f.Store.Noted(f.sha); known == state && f.Store.LastNoted() == state {
		return
	}
	err := f.step("confirm")
	if err == nil {
		err = f.Store.Note(f.sha, state)
	}
	f.behind = err != nil
}

// exchange puts text into the place of the file. ours reports whether it is there. It
// isn't if a person has saved meanwhile: then the save is there.
func (f *File) exchange(text []byte, sha string, info fs.FileInfo) (ours bool, err error) {
	aside, err := f.aside(text, info)
	if err != nil {
		return false, err
	}
	written, err := os.Stat(aside)
	if err == nil {
		err = f.step("swap")
	}
	if err == nil {
		err = durable.Swap(aside, f.path)
	}
	if err != nil {
		os.Remove(aside)
		return false, err
	}
	var was fs.FileInfo
	if err = f.step("look"); err == nil {
		was, err = os.Stat(aside)
	}
	if err != nil || !same(was, f.seen) {
		if err := durable.Swap(aside, f.path); err == nil {
			f.lookAfter(aside, written)
			return false, nil
		}
	}
	f.lookAfter(aside, f.seen)
	f.seen, f.sha, f.behind = written, sha, true
	if err = f.step("sync"); err == nil {
		err = durable.SyncDir(filepath.Dir(f.path))
	}
	if durable.Lacks(err) || durable.Denied(err) {
		err = nil
	}
	return true, err
}

// Names of files aside. One that is being written has another name, so that after a
// crash a part of a version is not mistaken for what a person saved.
const asideSuffix, partSuffix = ".new", ".part.new"

// aside writes text to a file in the same folder, with the mode and the owner of the
// file, and syncs it.
func (f *File) aside(text []byte, as fs.FileInfo) (name string, err error) {
	if err := f.step("create"); err != nil {
		return "", err
	}
	out, err := os.CreateTemp(filepath.Dir(f.path), f.asides()+partSuffix)
	if err != nil {
		return "", err
	}
	if err = f.step("write"); err == nil {
		err = f.fill(out, text, as)
	}
	if closing := out.Close(); err == nil {
		err = closing
	}
	name = strings.TrimSuffix(out.Name(), partSuffix) + asideSuffix
	if err == nil {
		err = os.Rename(out.Name(), name)
	}
	if err != nil {
		os.Remove(out.Name())
	}
	return name, err
}

// fill writes text to a file that is to be like another one.
func (f *File) fill(out *os.File, text []byte, as fs.FileInfo) error {
	durable.KeepOwner(out, f.path)
	_, err := out.Write(text)
	if err == nil {
		err = out.Chmod(as.Mode().Perm())
	}
	if err == nil {
		err = out.Sync()
	}
	info, statErr := out.Stat()
	switch {
	case err != nil:
		return err
	case statErr != nil:
		return statErr
	case !durable.SameOwner(info, as):
		return errors.New("it has an owner or a group that shelf may not give to a new file: change its owner to the account that shelf runs as, and its group to one of that account")
	}
	return nil
}

// asides is the pattern of the names of files aside, without the suffix.
func (f *File) asides() string { return "." + filepath.Base(f.path) + ".*" }

// findAsides finds what a crash has left aside: versions that were noted, and one that
// was being written. What else is there was saved by a person just before the crash.
func (f *File) findAsides() error {
	left, err := filepath.Glob(filepath.Join(filepath.Dir(f.path), f.asides()+asideSuffix))
	if err != nil {
		return err
	}
	for _, name := range left {
		if strings.HasSuffix(name, partSuffix) {
			os.Remove(name)
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		_, noted := f.Store.Noted(hash(text))
		f.replaced = append(f.replaced, replaced{name, info, f.Now(), !noted})
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

// lookAfter has a file that was replaced looked at for some time. info is what it was.
func (f *File) lookAfter(name string, info fs.FileInfo) {
	f.replaced = append(f.replaced, replaced{name, info, f.Now(), false})
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

// forget looks at a file that was replaced, and reports whether it is removed. One that
// was written to stays over the end until it stood still. The next start finds it.
func (f *File) forget(r *replaced, end bool) bool {
	info, err := os.Stat(r.name)
	if err != nil {
		return true
	}
	if !same(info, r.info) {
		r.info, r.at, r.changed = info, f.Now(), true
	}
	stood := f.Now().Sub(r.at)
	if stood < late && (r.changed || !end) {
		return false
	}
	if r.changed {
		text, err := os.ReadFile(r.name)
		if err == nil && stood < half && !json.Valid(text) {
			return false
		}
		if err == nil {
			err = f.keepSaved(text)
		}
		if err != nil {
			f.Log.Warn("an edit of a version that was just replaced can't be kept", "file", r.name, "error", err)
			return true // it stays where it is
		}
	}
	os.Remove(r.name)
	return true
}

// keepSaved keeps what a person saved in a version that was replaced.
func (f *File) keepSaved(text []byte) error {
	if _, noted := f.Store.Noted(hash(text)); noted || blank(text) {
		return nil
	}
	if err := f.keepMine(text); err != nil {
		return err
	}
	f.Log.Warn("conflict: a program wrote to the version of the file that was just replaced. Put that edit into the file and save it", "file", f.Name, "kept", f.mine())
	return nil
}
