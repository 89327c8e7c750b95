package db_test

import (
	"fmt"
	"strings"
	"testing"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/journal/journaltest"
)

// script is the life of a home: every kind of change, batches of one line and
// of several, a compaction and a restart.
var script = []func(*world) error{
	func(w *world) error { return w.do(w.newOwner("n1")) },
	func(w *world) error {
		return w.together(w.signIn(1, "n1"), []deed{w.signIn(1, "n2"), w.newOwner("n2")}, []deed{w.rename(2, "n0", false)})
	},
	func(w *world) error { return w.do(w.addThings(1, 1, strings.Repeat("long ", 250))) },
	func(w *world) error { return w.do(w.addNote("n1", 2)) },
	func(w *world) error { return w.do(w.rename(1, "n3", true)) },
	func(w *world) error { return w.do(w.moveNote(1, "n4", 1)) },
	func(w *world) error { return w.do(w.changeThing(1, 2, "n5")) },
	func(w *world) error { return w.do(w.signIn(2, "n1")) },
	func(w *world) error { return w.do(func(d *doing) error { return d.remove("note", 2) }) },
	func(w *world) error { return w.compact() },
	func(w *world) error { return w.do(w.addThings(1, 2, afterCompaction)) },
	func(w *world) error { return w.restart() },
	func(w *world) error { return w.do(func(d *doing) error { return d.remove("owner", 2) }) },
	func(w *world) error { return w.do(w.addNote("n6", 1)) },
	func(w *world) error { return w.do(w.addLate("n7")) },
}

const (
	beforeCompaction = 9 // steps
	afterCompaction  = "after compaction"
)

// play runs the script until a start fails or the machine stops. It returns an
// error for a broken promise.
func (w *world) play() error {
	if err := w.start(); err != nil {
		return w.tolerate(err)
	}
	for i, step := range script {
		if err := step(w); err != nil {
			if err = w.tolerate(err); err != nil {
				return fmt.Errorf("step %d: %w", i, err)
			}
			return nil
		}
		if w.disk.Dead() {
			return nil
		}
	}
	return nil
}

// A place is where a fault can strike: a call, and for a write the number of
// bytes that arrive.
type place struct {
	at   int
	call string
	keep int64
}

// places returns all calls of the script, and all bytes of its writes; a short
// run leaves out some bytes.
func places(t *testing.T) []place {
	w := newWorld(journaltest.New(1))
	if err := w.play(); err != nil {
		t.Fatal(err)
	}
	step := int64(149)
	if *longRuns > 0 {
		step = 1
	}
	var all []place
	for at, call := range w.disk.Calls() {
		all = append(all, place{at, call.Name, 0})
		for n := int64(1); n <= call.Bytes; n++ {
			if n%step == 1 || n >= call.Bytes-1 {
				all = append(all, place{at, call.Name, n})
			}
		}
	}
	return all
}

// TestCrashAtEveryCall stops the machine at every call of the script, and
// within its writes. The crash leaves different parts of the unsynced data. No
// acknowledged change may be lost, and no batch may be there in part.
func TestCrashAtEveryCall(t *testing.T) {
	t.Parallel()
	for _, p := range places(t) {
		for try := range 5 {
			leave := journaltest.Leftover(min(try, int(journaltest.LeaveSome)))
			w := newWorld(journaltest.New(uint64(try)))
			w.disk.Fail(journaltest.Fault{At: p.at, Keep: p.keep, Err: journaltest.ErrCrash})
			err := w.play()
			w.kill()
			if err == nil {
				w.disk = w.disk.Crash(leave)
				err = w.aftermath()
			}
			if err != nil {
				t.Fatalf("crash at call %d (%s) after %d bytes, leftover %d, try %d: %v\n%q", p.at, p.call, p.keep, leave, try, err, content(w.disk))
			}
		}
	}
}

// TestFaultAtEveryCall makes every call of the script fail, its writes also
// after some bytes. Then the process or the machine ends.
func TestFaultAtEveryCall(t *testing.T) {
	t.Parallel()
	for _, p := range places(t) {
		for try := range 6 {
			w := newWorld(journaltest.New(uint64(try)))
			w.disk.Fail(journaltest.Fault{At: p.at, Keep: p.keep, Err: []error{journaltest.ErrIO, journaltest.ErrNoRoom}[try%2]})
			err := w.play()
			w.kill()
			if err == nil {
				switch try / 2 {
				case 1:
					w.disk = w.disk.Crash(journaltest.LeaveNothing)
				case 2:
					w.disk = w.disk.Crash(journaltest.LeaveSome)
				}
				err = w.aftermath()
			}
			if err != nil {
				t.Fatalf("fault at call %d (%s) after %d bytes, try %d: %v\n%q", p.at, p.call, p.keep, try, err, content(w.disk))
			}
		}
	}
}

// played returns the data file that the script leaves.
func played(t testing.TB, steps int) (text string, known rows) {
	t.Helper()
	w := newWorld(journaltest.New(1))
	must(t, w.start())
	for _, step := range script[:steps] {
		must(t, step(w))
	}
	return content(w.disk), w.known
}

// A copy that is cut at any byte opens with a state that the home had. A copy
// cut within its snapshot doesn't open.
func TestEveryPrefix(t *testing.T) {
	t.Parallel()
	for _, steps := range []int{beforeCompaction, len(script)} {
		text, known := played(t, steps)
		for n := range len(text) + 1 {
			d := diskWith(text[:n])
			h, err := open(d, db.Options{})
			if err != nil {
				if steps == len(script) && n < strings.Index(text, afterCompaction) {
					continue // a cut snapshot is no history
				}
				t.Fatalf("%d of %d bytes: %v", n, len(text), err)
			}
			wantSeen(t, h)
			got := h.visible()
			if n == len(text) && difference(got, known) != "" {
				t.Fatal(difference(got, known))
			}
			must(t, h.Update(h.addNote("after", 0)))
			got[fmt.Sprint("note ", lastNote(h))] = fmt.Sprintf(`{"id":%d,"title":"after"}`, lastNote(h))
			if diff := difference(reopened(t, h, d).visible(), got); diff != "" {
				t.Fatalf("%d of %d bytes: after a restart %s", n, len(text), diff)
			}
		}
	}
}

func lastNote(h *home) (id int) {
	h.View(func(tx *db.Tx) { id = h.notes.Range(tx, db.Range{Desc: true, Max: 1})[0].ID })
	return id
}

// A change of any acknowledged byte is noticed.
func TestEveryFlippedByte(t *testing.T) {
	t.Parallel()
	for _, steps := range []int{beforeCompaction, len(script)} {
		text, known := played(t, steps)
		for at := range len(text) {
			flips := []byte{1 << (at % 8)}
			if *longRuns > 0 || text[at] == '\n' || strings.Contains(`"crc`, text[at:at+1]) {
				flips = append(flips, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, text[at]^'0', text[at]^'}', text[at])
			}
			for _, flip := range flips {
				if flip == 0 {
					continue
				}
				b := []byte(text)
				b[at] ^= flip
				d := diskWith(string(b))
				h, err := open(d, db.Options{})
				if err != nil {
					if content(d) != string(b) {
						t.Fatalf("byte %d ^ %#x: the start was refused, and changed the file", at, flip)
					}
					continue
				}
				kept := content(d)
				torn, _ := d.Content(dataFile + ".torn")
				if torn != "" && kept+torn == string(b) && at >= len(kept) && strings.Count(text[len(kept):], `"closes"`) == 1 {
					continue // the last batch looks like a torn tail, which is moved with a warning
				}
				if diff := difference(h.visible(), known); diff != "" {
					t.Fatalf("byte %d (%q) ^ %#x goes unnoticed: %s\n%q", at, text[at], flip, diff, torn)
				}
			}
		}
	}
}
