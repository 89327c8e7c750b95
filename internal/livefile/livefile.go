// Package livefile keeps a file and a store in step, both ways. What changes in the
// store appears in the file. What a person edits in the file is taken over into the
// store. The package knows the bytes of the file; a Store knows what they mean.
//
// # From the store to the file
//
// First the store notes the hash of the text. Then the text is written to a file
// aside, and synced, and the files are exchanged in one step. The file that was
// replaced is looked at once more: if a person saved meanwhile, the exchange is undone,
// and the save counts as an edit. At last the store notes what the file shows now. So
// the file holds one whole version at every moment, a file whose hash is noted is never
// mistaken for an edit, and the newest note tells which version an edit began from, also
// after a crash.
// Writing takes at most a tenth of the time: after a write of 100 ms the next one waits
// for 900 ms.
//
// # From the file to the store
//
// The file is looked at every 100 ms. One that has changed is read once it has stood
// still for 200 ms. An edit of the newest version is taken over in one batch. An edit of
// an older version is a conflict: nothing is taken over or written, a copy goes to
// FILE.mine, and a log line names the ways out. A file that is missing, empty or no JSON
// is never taken over and never written over.
//
// # Promises
//
//   - What the store has acknowledged is in the store, whatever happens to the file.
//   - An edit that was taken over is in the store as a whole.
//   - An edit that was not is in FILE or in FILE.mine.
//
// On systems without an exchange of files (macOS, Windows) a rename by another program
// can fall between two steps of the replacement, some microseconds, and is lost then.
package livefile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"example.com/shelf/internal/durable"
)

// A Store is what the file shows. A File calls one method at a time.
type Store interface {
	// Changes counts the committed changes to what the file shows.
	Changes() int
	// State is a hash of what the file should show, the same at each start.
	State() string
	// Show returns the text for the file in the manner of old, and State and Changes
	// of what it shows. Shown tells that the file holds that text now. Holds tells that
	// it holds another one.
	Show(old []byte) (text []byte, state string, changes int)
	Shown()
	Holds(text []byte)

	// Noted returns the state that a text with that hash shows; ok is false for a hash
	// that was not noted. LastNoted is the state of the newest note.
	Noted(sha256 string) (state string, ok bool)
	LastNoted() string
	// Note keeps a hash and a state durably. The state is "" for a text that the file
	// is only about to hold. Some of the newest notes are kept.
	Note(sha256, state string) error

	// Take makes the store what text says, all or nothing, and notes its hash. It says
	// in words what has changed, "" for nothing. Unless e.Any is true, it fails with
	// ErrConflict for a text that is not of the newest version: that lacks what the
	// store has changed since the version that the file showed, or one before. It fails
	// with a *Loss unless e.Loss is true, with an error that wraps ErrLater if the store
	// can't be written, and with other errors for a text that can't be taken over.
	Take(ctx context.Context, text []byte, e Edit) (done string, err error)
}

// An Edit is how an edit is to be taken over.
type Edit struct {
	Any  bool // also one of an older version
	Loss bool // collections may vanish
	Old  bool // it is one of an older version

	SHA256 string // of the text, in hex
}

// ErrConflict means that the store has changed since the version that a person edited.
var ErrConflict = errors.New("the data has changed since that version of the file")

// ErrLater means that an edit may be taken over later.
var ErrLater = errors.New("the data can't be changed now")

// A Loss is the error of an edit that removes so much that it may be a mistake.
type Loss struct{ Words string }

func (l *Loss) Error() string { return l.Words }

// Who wins a conflict, when the owner says so at a start.
const (
	TakeFile    = "file"
	TakeJournal = "journal"
)

// Options are the settings of a File.
type Options struct {
	Name  string // as in the settings
	Make  string // the command that writes the newest version to the file
	Take  string // TakeFile, TakeJournal or ""
	Max   int64  // bytes that the file may have
	Store Store
	Log   *slog.Logger
	Now   func() time.Time
	step  func(string) error // for tests: called before each step that can fail
}

// Times.
const (
	look  = 100 * time.Millisecond // between two looks at the file
	still = 200 * time.Millisecond // that an edit stands still before it is read
	late  = 2 * time.Second        // that a file is looked at after it was replaced
	half  = 30 * time.Second       // that such a file may be half-written
	pause = 300 * time.Millisecond // between two writes, at least
	retry = 30 * time.Second       // after a write or a takeover that failed
	share = 9                      // pause after a write, as a multiple of the time it took
)

// A File is one that is kept in step. Its methods are called by one goroutine.
type File struct {
	Options
	path  string      // of the file, links resolved
	seen  fs.FileInfo // of the content that was looked at last; nil if the file was missing
	sha   string      // of the content that is in step, "" for none
	shown int         // changes of the store that this content shows

	held    string // why the file isn't written, "" if it is; for the log, once
	old     bool   // it is not known which version the file showed; the store may have changed since
	again   bool   // the file has to be looked at, also without a change
	edited  fs.FileInfo
	since   time.Time // when edited was seen first; zero: there is none
	refused string    // hash of an edit that was refused for its losses
	waits   time.Time // when a takeover is tried again; zero: it isn't
	next    time.Time // when the next write may begin
	behind  bool      // the file has to be written, also without a change
	mute    bool      // the file can't be written, which was said

	replaced []replaced // the files before, for late
}

// Open begins to keep the file in step with the store, which holds the file's content
// or a newer one. It says by the log what it found.
func Open(ctx context.Context, opt Options) (*File, error) {
	if opt.step == nil {
		opt.step = func(string) error { return nil }
	}
	f := &File{Options: opt}
	var err error
	if f.path, err = filepath.EvalSymlinks(opt.Name); err != nil {
		return nil, err
	}
	if err := f.findAsides(); err != nil {
		return nil, err
	}
	text, info, err := f.read()
	if err != nil {
		return nil, err
	}
	f.seen = info
	defer durable.FreeMemory(len(text))
	sha := hash(text)
	state, noted := f.Store.Noted(sha)
	now := f.Store.State()
	switch {
	case noted && state == now:
		f.sha, f.shown = sha, f.Store.Changes()
	case noted:
		f.sha, f.behind = sha, true
		f.Store.Holds(text)
	case f.Take == TakeJournal:
		if err := f.keepMine(text); err != nil {
			return nil, err
		}
		f.sha, f.behind = sha, true
		f.Store.Holds(text)
		f.Store.Note(sha, "") // so that the data wins after a crash too
		f.Log.Warn("-take journal: the file is written anew; what it held is kept", "file", f.Name, "kept", f.mine())
	case f.Take == TakeFile:
		return f, f.mustTake(ctx, text, sha)
	default:
		f.old = f.Store.LastNoted() != now
		f.take(ctx, text, sha, Edit{Old: f.old})
	}
	return f, nil
}

// Keep opens the file and keeps it in step until stop is called, which writes the last
// changes.
func Keep(ctx context.Context, opt Options) (stop func(), err error) {
	f, err := Open(ctx, opt)
	if err != nil {
		return nil, err
	}
	f.write()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	return func() { cancel(); <-done }, nil
}

// mustTake takes over an edit at the owner's word.
func (f *File) mustTake(ctx context.Context, text []byte, sha string) error {
	if blank(text) {
		return fmt.Errorf("-take file: %s is empty: write {} to it if the data is to be empty too, or start with -take journal", f.Name)
	}
	done, err := f.Store.Take(ctx, text, Edit{Any: true, Loss: true, SHA256: sha})
	if err != nil {
		return fmt.Errorf("-take file: %s: %w", f.Name, err)
	}
	f.inStep(sha)
	f.Log.Info("-take file: the file was taken over", "file", f.Name, "done", done)
	return nil
}

// inStep notes that the file holds the content of that hash, and that the store holds
// the same. The file may still lack what the store has added, such as ids.
func (f *File) inStep(sha string) {
	f.sha, f.old, f.held, f.refused = sha, false, "", ""
	f.behind, f.next = true, time.Time{}
}

// Run keeps the file in step until ctx is done. Then it writes the last changes.
func (f *File) Run(ctx context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			f.Close()
			return
		case <-tick.C:
			f.Step(ctx)
		}
	}
}

// Close writes the last changes.
func (f *File) Close() {
	f.next = time.Time{}
	f.write()
	f.lookBack(true)
}

// Step looks once, and takes over or writes what there is.
func (f *File) Step(ctx context.Context) {
	f.lookBack(false)
	if !f.waits.IsZero() && !f.Now().Before(f.waits) {
		f.again, f.waits = true, time.Time{}
	}
	if info, changed := f.changed(); changed {
		f.settle(ctx, info)
		return
	}
	f.since = time.Time{}
	f.write()
}

// changed reports whether the file is not the one that was looked at last. A link may
// lead to another file by now.
func (f *File) changed() (fs.FileInfo, bool) {
	if path, err := filepath.EvalSymlinks(f.Name); err == nil {
		f.path = path
	}
	info, err := os.Stat(f.path)
	if err != nil {
		info = nil
	}
	return info, f.again || !same(info, f.seen)
}

func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size() && os.SameFile(a, b)
}

// settle waits for an edit to stand still, and looks at it.
func (f *File) settle(ctx context.Context, info fs.FileInfo) {
	if f.since.IsZero() || !same(info, f.edited) {
		f.edited, f.since = info, f.Now()
		return
	}
	if f.Now().Sub(f.since) < still {
		return
	}
	f.since = time.Time{}
	f.edit(ctx, info)
}

// edit looks at a file that was saved.
func (f *File) edit(ctx context.Context, info fs.FileInfo) {
	f.again, f.waits = false, time.Time{}
	if info == nil {
		f.seen = nil
		f.hold("the file is gone: nothing is written to it until it is there again; " + f.Make + " makes it")
		return
	}
	text, info, err := f.read()
	if err != nil {
		f.seen = info
		f.hold("the file can't be read, and nothing is written to it: " + err.Error())
		return
	}
	sha := hash(text)
	f.seen = info
	if sha == f.sha { // saved without a change
		if f.held != "" { // there was an edit, which a person took back
			f.held, f.behind = "", true
			f.Store.Holds(text)
		}
		return
	}
	defer durable.FreeMemory(len(text))
	f.take(ctx, text, sha, Edit{Loss: sha == f.refused, Old: f.old})
}

// take takes an edit over, or says why not.
func (f *File) take(ctx context.Context, text []byte, sha string, e Edit) {
	if blank(text) {
		f.hold("the file is empty: it is not taken over, and nothing is written to it")
		return
	}
	e.SHA256 = sha
	done, err := "", f.step("take")
	if err == nil {
		done, err = f.Store.Take(ctx, text, e)
	}
	switch loss := (*Loss)(nil); {
	case err == nil:
		f.inStep(sha)
		if done != "" {
			f.Log.Info("the file was edited, and taken over", "file", f.Name, "done", done)
		}
		f.write()
	case errors.Is(err, ErrConflict):
		f.old = false // from now on the store knows what the edit lacks
		f.conflict(text)
	case errors.As(err, &loss):
		f.refused = sha
		f.hold("the edit is not taken over: " + loss.Words + "; save the file once more if that is meant")
	default:
		if errors.Is(err, ErrLater) {
			f.waits = f.Now().Add(retry)
		}
		f.hold("the edit is not taken over, and nothing is written to the file: " + err.Error())
	}
}

func blank(text []byte) bool {
	return len(bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))) == 0
}

// hold stops writing to the file, and says why, once.
func (f *File) hold(why string) {
	if f.held != why {
		f.Log.Warn(why, "file", f.Name)
	}
	f.held = why
}

// conflict keeps an edit that can't be taken over. Until it is settled the newest note
// has no state. So a start doesn't mistake the edit for one of the newest version.
func (f *File) conflict(text []byte) {
	kept := "A copy of the edit is in " + f.mine()
	if err := f.keepMine(text); err != nil {
		kept = "A copy of the edit can't be kept: " + err.Error()
	}
	if f.sha != "" {
		f.Store.Note(f.sha, "") // if the store can't be written, it says so itself
	}
	f.hold("conflict: the data has changed since the version of the file that was edited. Nothing is taken over, and the file isn't written. " +
		"Three ways out: put your edit into the newest version (" + f.Make + " writes that) and save it; start with -take file; start with -take journal. " +
		kept)
}

func (f *File) mine() string { return f.path + ".mine" }

// keepMine keeps a person's edit. One that is there already becomes FILE.mine.1, .2 and
// so on.
func (f *File) keepMine(text []byte) error {
	name := f.mine()
	if was, err := os.ReadFile(name); err == nil && !bytes.Equal(was, text) {
		for n := 1; ; n++ {
			older := fmt.Sprintf("%s.%d", name, n)
			if _, err := os.Lstat(older); errors.Is(err, fs.ErrNotExist) {
				if err := os.Rename(name, older); err != nil {
					return err
				}
				break
			} else if err != nil {
				return err
			}
		}
	}
	return durable.WriteFile(name, text)
}

// read reads the file.
func (f *File) read() ([]byte, fs.FileInfo, error) {
	file, err := durable.Open(f.path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	var text bytes.Buffer
	if info.Size() <= f.Max {
		text.Grow(int(info.Size()) + bytes.MinRead)
	}
	if _, err = text.ReadFrom(io.LimitReader(file, f.Max+1)); err == nil && int64(text.Len()) > f.Max {
		err = fmt.Errorf("the file is larger than %d bytes", f.Max)
	}
	return text.Bytes(), info, err
}

func hash(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
