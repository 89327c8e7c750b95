package livefile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A fakeStore holds one text. What it shows is the text itself.
type fakeStore struct {
	text    string
	shown   string // what the file shows
	next    string
	changes int
	notes   [][2]string // hash, state
	takeErr error
	noteErr error
}

func (s *fakeStore) Changes() int      { return s.changes }
func (s *fakeStore) State() string     { return "state of " + s.text }
func (s *fakeStore) Shown()            { s.shown = s.next }
func (s *fakeStore) Holds(text []byte) { s.shown = string(text) }
func (s *fakeStore) Show([]byte) ([]byte, string, int) {
	s.next = s.text
	return []byte(s.text), s.State(), s.changes
}

func (s *fakeStore) Noted(sha string) (state string, ok bool) {
	for _, note := range s.notes {
		if note[0] == sha {
			state, ok = note[1], true
		}
	}
	return state, ok
}

func (s *fakeStore) LastNoted() string { return s.notes[len(s.notes)-1][1] }

func (s *fakeStore) Note(sha, state string) error {
	if s.noteErr == nil {
		s.notes = append(s.notes, [2]string{sha, state})
	}
	return s.noteErr
}

func (s *fakeStore) Take(_ context.Context, text []byte, e Edit) (string, error) {
	switch {
	case s.takeErr != nil:
		return "", s.takeErr
	case string(text) == s.text:
		return "", s.Note(hash(text), "")
	case !strings.HasPrefix(string(text), "{"):
		return "", errors.New("line 1: no JSON")
	case e.Old && !e.Any:
		return "", ErrConflict
	case s.shown != s.text && !e.Any && !strings.Contains(string(text), strings.Trim(s.text, "{}")):
		return "", ErrConflict
	case strings.Contains(string(text), "loss") && !e.Loss:
		return "", &Loss{"the collection is gone"}
	}
	s.set(string(text))
	s.shown = s.text
	return "all of it", s.Note(hash(text), "")
}

func (s *fakeStore) set(text string) { s.text, s.changes = text, s.changes+1 }

// A desk is a file, a store, and a person.
type desk struct {
	t     *testing.T
	store *fakeStore
	name  string
	now   time.Time
	log   bytes.Buffer
	file  *File
	take  string
	step  func(string) error
}

// first is the file that all begin with.
const first = `{"a":1}`

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, store: &fakeStore{text: first, shown: first}, name: filepath.Join(t.TempDir(), "db.json"), now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	d.save(first)
	d.store.Note(hash([]byte(first)), "")
	d.open()
	d.look(1)
	return d
}

func (d *desk) open() {
	d.t.Helper()
	var err error
	d.file, err = Open(context.Background(), Options{
		Name: d.name, Take: d.take, Max: 1 << 20, Store: d.store, step: d.step,
		Log: slog.New(slog.NewTextHandler(&d.log, nil)), Now: func() time.Time { return d.now },
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// save writes the file in place, as nano does.
func (d *desk) save(text string) {
	d.t.Helper()
	d.saveAs(d.name, text)
}

func (d *desk) saveAs(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
	d.touch(name)
}

// touch gives each save a time of its own, whatever the file system's clock is.
func (d *desk) touch(name string) {
	d.t.Helper()
	d.now = d.now.Add(time.Millisecond)
	if err := os.Chtimes(name, d.now, d.now); err != nil {
		d.t.Fatal(err)
	}
}

// saveByRename writes the file aside and renames it, as vim does.
func (d *desk) saveByRename(text string) {
	d.t.Helper()
	d.saveAs(d.name+"~", text)
	if err := os.Rename(d.name+"~", d.name); err != nil {
		d.t.Fatal(err)
	}
}

// look has the file looked at, for that many seconds.
func (d *desk) look(seconds int) {
	for range seconds * int(time.Second/look) {
		d.now = d.now.Add(look)
		d.file.Step(context.Background())
	}
}

// fails has a step fail, once.
func (d *desk) fails(step string) {
	once := true
	d.file.step = func(at string) error {
		if at == step && once {
			once = false
			return errors.New("no room")
		}
		return nil
	}
}

func (d *desk) wants(file, store, log string) {
	d.t.Helper()
	text, _ := os.ReadFile(d.name)
	if string(text) != file || d.store.text != store {
		d.t.Errorf("the file holds %s, want %s; the store %s, want %s", text, file, d.store.text, store)
	}
	if log == "" && d.log.Len() > 0 || !strings.Contains(d.log.String(), log) {
		d.t.Errorf("the log says %q, want %q", &d.log, log)
	}
	d.log.Reset()
}

// mine is what FILE.mine holds.
func (d *desk) mine() string {
	text, _ := os.ReadFile(d.name + ".mine")
	return string(text)
}

// alone fails if a file was left aside.
func (d *desk) alone() {
	d.t.Helper()
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(d.name), ".db.json*"))
	if len(left) > 0 {
		d.t.Errorf("left aside: %v", left)
	}
}

// ends waits, and fails unless the file, the store, the log and FILE.mine are as wanted.
func (d *desk) ends(file, store, log, mine string) {
	d.t.Helper()
	d.look(3)
	d.wants(file, store, log)
	if got := d.mine(); got != mine {
		d.t.Errorf("FILE.mine holds %s, want %s", got, mine)
	}
	d.file.Close()
	d.alone()
}

// What happens to a file and a store that are in step.
func TestFile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		happens     func(d *desk)
		file, store string // then
		log, mine   string
	}{
		{"nothing", func(d *desk) { d.look(5) }, first, first, "", ""},
		{"a change of the store", func(d *desk) { d.store.set(`{"b":1}`) }, `{"b":1}`, `{"b":1}`, "", ""},
		{"an edit in place", func(d *desk) { d.save(`{"b":1}`) }, `{"b":1}`, `{"b":1}`, "taken over", ""},
		{"an edit by rename", func(d *desk) { d.saveByRename(`{"b":1}`) }, `{"b":1}`, `{"b":1}`, "taken over", ""},
		{"a save without a change", func(d *desk) { d.save(first) }, first, first, "", ""},
		{"touch", func(d *desk) { d.touch(d.name) }, first, first, "", ""},
		{"an edit in two steps", func(d *desk) {
			d.save("")
			d.now = d.now.Add(look)
			d.file.Step(context.Background())
			d.save(`{"b":1}`)
		}, `{"b":1}`, `{"b":1}`, "taken over", ""},
		{"an empty file", func(d *desk) { d.save(" \n"); d.store.set(`{"b":1}`) }, " \n", `{"b":1}`, "the file is empty", ""},
		{"no JSON", func(d *desk) { d.save("oh"); d.store.set(`{"b":1}`) }, "oh", `{"b":1}`, "line 1: no JSON", ""},
		{"no file", func(d *desk) { os.Remove(d.name); d.store.set(`{"b":1}`) }, "", `{"b":1}`, "the file is gone", ""},
		{"a file that comes back", func(d *desk) {
			os.Remove(d.name)
			d.look(1)
			d.log.Reset()
			d.save(first)
			d.look(1)
			d.store.set(`{"b":1}`)
		}, `{"b":1}`, `{"b":1}`, "", ""},
		{"both at once", func(d *desk) { d.store.set(`{"b":1}`); d.save(`{"c":1}`) }, `{"c":1}`, `{"b":1}`, "conflict", `{"c":1}`},
		{"both at once, then a save", func(d *desk) {
			d.store.set(`{"b":1}`)
			d.save(`{"c":1}`)
			d.look(1)
			d.save(`{"b":1,"c":1}`)
		}, `{"b":1,"c":1}`, `{"b":1,"c":1}`, "taken over", `{"c":1}`},
		{"the same change on both sides", func(d *desk) { d.store.set(`{"b":1}`); d.save(`{"b":1}`) }, `{"b":1}`, `{"b":1}`, "", ""},
		{"a great loss", func(d *desk) { d.save(`{"loss":1}`) }, `{"loss":1}`, first, "save the file once more", ""},
		{"a great loss, saved twice", func(d *desk) { d.save(`{"loss":1}`); d.look(1); d.save(`{"loss":1}`) }, `{"loss":1}`, `{"loss":1}`, "taken over", ""},
		{"a store that can't be written for a time", func(d *desk) {
			d.store.takeErr = fmt.Errorf("%w: no room", ErrLater)
			d.save(`{"b":1}`)
			d.look(1)
			d.wants(`{"b":1}`, first, "no room")
			d.store.takeErr = nil
			d.look(31)
		}, `{"b":1}`, `{"b":1}`, "taken over", ""},
		{"a conflict that a person takes back", func(d *desk) {
			d.store.set(`{"b":1}`)
			d.save(`{"c":1}`)
			d.look(1)
			d.save(first)
		}, `{"b":1}`, `{"b":1}`, "conflict", `{"c":1}`},
		{"a file that can't be synced", func(d *desk) { d.fails("sync"); d.store.set(`{"b":1}`); d.look(40) }, `{"b":1}`, `{"b":1}`, "no room", ""},
		{"a file that can't be replaced for a time", func(d *desk) { d.fails("swap"); d.store.set(`{"b":1}`); d.look(40) }, `{"b":1}`, `{"b":1}`, "no room", ""},
		{"a change that comes back", func(d *desk) { d.store.set(`{"b":1}`); d.store.set(first) }, first, first, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			tt.happens(d)
			d.ends(tt.file, tt.store, tt.log, tt.mine)
		})
	}
}

// A start finds what happened while no server ran.
func TestOpen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, take  string
		meanwhile   func(d *desk)
		file, store string
		log, mine   string
	}{
		{"nothing", "", func(d *desk) {}, first, first, "", ""},
		{"an edit", "", func(d *desk) { d.save(`{"b":1}`) }, `{"b":1}`, `{"b":1}`, "taken over", ""},
		{"a change of the store", "", func(d *desk) { d.store.set(`{"b":1}`) }, `{"b":1}`, `{"b":1}`, "", ""},
		{"both", "", func(d *desk) { d.store.set(`{"b":1}`); d.save(`{"c":1}`) }, `{"c":1}`, `{"b":1}`, "conflict", `{"c":1}`},
		{"both, the file wins", "file", func(d *desk) { d.store.set(`{"b":1}`); d.save(`{"c":1}`) }, `{"c":1}`, `{"c":1}`, "-take file", ""},
		{"both, the journal wins", "journal", func(d *desk) { d.store.set(`{"b":1}`); d.save(`{"c":1}`) }, `{"b":1}`, `{"b":1}`, "-take journal", `{"c":1}`},
		{"the version before", "", func(d *desk) { d.store.set(`{"b":1}`); d.look(1); d.save(first) }, `{"b":1}`, `{"b":1}`, "", ""},
		{"an empty file", "", func(d *desk) { d.save("") }, "", first, "the file is empty", ""},
		{"an empty file, and a change of the store", "", func(d *desk) { d.store.set(`{"b":1}`); d.save("") }, "", `{"b":1}`, "the file is empty", ""},
		{"a conflict from before", "", func(d *desk) {
			d.store.takeErr = ErrConflict
			d.save(`{"c":1}`)
			d.look(1)
			d.log.Reset()
			d.store.takeErr = nil
		}, `{"c":1}`, first, "conflict", `{"c":1}`},
		{"an edit of the version before one that never reached the file", "", func(d *desk) {
			d.fails("swap")
			d.store.set(`{"b":1}`)
			d.look(1)
			d.log.Reset()
			d.save(`{"c":1}`)
		}, `{"c":1}`, `{"b":1}`, "conflict", `{"c":1}`},
		{"a file that could not be replaced for long", "", func(d *desk) {
			d.file.step = func(at string) error {
				if at == "swap" {
					return errors.New("no room")
				}
				return nil
			}
			for n := range 20 {
				d.store.set(fmt.Sprintf(`{"b":%d}`, n))
				d.look(31)
			}
			d.log.Reset()
		}, `{"b":19}`, `{"b":19}`, "", ""},
		{"a save that a crash caught half-way", "", func(d *desk) { d.saveAs(filepath.Join(filepath.Dir(d.name), ".db.json.7.new"), `{"c":`); d.look(3) }, first, first, "conflict", `{"c":`},
		{"a version that a crash caught half-way", "", func(d *desk) { d.saveAs(filepath.Join(filepath.Dir(d.name), ".db.json.7.part.new"), `{"c":`) }, first, first, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.take = tt.take
			tt.meanwhile(d)
			d.open()
			d.look(30)
			d.ends(tt.file, tt.store, tt.log, tt.mine)
		})
	}
}

// The file doesn't win if it holds nothing.
func TestTakeEmptyFile(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.save("\ufeff \n")
	_, err := Open(t.Context(), Options{Name: d.name, Take: TakeFile, Max: 1 << 20, Store: d.store, Now: func() time.Time { return d.now }})
	if err == nil || !strings.Contains(err.Error(), "is empty") || d.store.text != first {
		t.Errorf("the start: %v; the store holds %s", err, d.store.text)
	}
}

// A link may lead to another file from now on.
func TestLinkMoves(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := filepath.Join(filepath.Dir(d.name), "other.json")
	d.saveAs(other, `{"b":1}`)
	if err := errors.Join(os.Remove(d.name), os.Symlink("other.json", d.name)); err != nil {
		t.Fatal(err)
	}
	d.look(1)
	d.wants(`{"b":1}`, `{"b":1}`, "taken over")
	d.store.set(`{"d":1}`)
	d.look(3)
	if text, err := os.ReadFile(other); string(text) != `{"d":1}` {
		t.Errorf("the other file holds %s, %v", text, err)
	}
}

// A person who saves while the file is being replaced loses nothing: the save is in the
// file, or in FILE.mine.
func TestSaveWhileReplaced(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"note", "create", "write", "swap", "look"} {
		for _, byRename := range []bool{false, true} {
			t.Run(fmt.Sprintf("before %s, by rename %t", step, byRename), func(t *testing.T) {
				t.Parallel()
				d := newDesk(t)
				d.store.set(`{"b":1}`)
				saved := false
				d.file.step = func(at string) error {
					if at == step && !saved {
						saved = true
						if byRename {
							d.saveByRename(`{"c":1}`)
						} else {
							d.save(`{"c":1}`)
						}
					}
					return nil
				}
				d.look(4)
				text, _ := os.ReadFile(d.name)
				if string(text) != `{"c":1}` && d.mine() != `{"c":1}` || d.mine() == "" && d.store.text != `{"c":1}` {
					t.Errorf("the save is lost: the file holds %s, FILE.mine %q, the store %s; the log: %s", text, d.mine(), d.store.text, &d.log)
				}
			})
		}
	}
}

// A program that opened the file before it was replaced, and writes to it afterwards,
// finds its text in FILE.mine.
func TestWriteAfterReplaced(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	open, err := os.OpenFile(d.name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	d.store.set(`{"b":1}`)
	d.look(1)
	if _, err := open.WriteString(`{"c":1}`); err != nil {
		t.Fatal(err)
	}
	d.look(3)
	d.wants(`{"b":1}`, `{"b":1}`, "conflict")
	d.store.set(`{"d":1}`) // the file goes on
	d.ends(`{"d":1}`, `{"d":1}`, "", `{"c":1}`)
}

// errCrash is the panic of a step that never comes.
var errCrash = errors.New("crash")

// After a crash before any step, a start finds both sides whole.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"note", "create", "write", "swap", "look", "take"} {
		t.Run("before "+step, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			want := `{"b":1}`
			if step == "take" {
				d.save(want)
			} else {
				d.store.set(want)
			}
			d.file.step = func(at string) error {
				if at == step {
					panic(errCrash)
				}
				return nil
			}
			func() {
				defer func() {
					if v := recover(); v != errCrash {
						t.Fatalf("the step never came: %v", v)
					}
				}()
				d.look(3)
			}()
			d.open()
			d.look(2)
			text, _ := os.ReadFile(d.name)
			if string(text) != want || d.store.text != want || d.mine() != "" {
				t.Errorf("the file holds %s, the store %s, FILE.mine %q", text, d.store.text, d.mine())
			}
			d.file.Close()
			d.alone()
		})
	}
}

// Mode and links stay, and what can't be written is said once.
func TestPlace(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	dir := filepath.Dir(d.name)
	link := filepath.Join(dir, "link.json")
	if err := os.Symlink("db.json", link); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(d.name, 0o640); err != nil {
		t.Fatal(err)
	}
	d.file.Close()
	d.name = link
	d.open()
	d.store.set(`{"b":1}`)
	d.look(1)
	d.wants(`{"b":1}`, `{"b":1}`, "")
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	if info, err := os.Stat(link); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode is another: %v, %v", info, err)
	}
}
