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

// life is the script on a disk.
func life(d *journaltest.Disk) journaltest.Life {
	w := newWorld(d)
	l := journaltest.Life{Start: w.start, Tolerate: w.tolerate, End: w.kill}
	for _, step := range script {
		l.Steps = append(l.Steps, func() error { return step(w) })
	}
	l.Aftermath = func(left *journaltest.Disk) error {
		w.disk = left
		if err := w.aftermath(); err != nil {
			return fmt.Errorf("%w\n%q", err, content(w.disk))
		}
		return nil
	}
	return l
}

// strike strikes at every call of the script, and within its writes; a short run
// leaves out some bytes.
func strike(t *testing.T, crashes bool) {
	t.Parallel()
	every := int64(149)
	if *longRuns > 0 {
		every = 1
	}
	if err := journaltest.Strike(life, every, crashes); err != nil {
		t.Fatal(err)
	}
}

// The machine stops at every call. The crash leaves different parts of the unsynced
// data. No acknowledged change may be lost, and no batch may be there in part.
func TestCrashAtEveryCall(t *testing.T) { strike(t, true) }

// Every call fails, writes also after some bytes. Then the process or the machine
// ends.
func TestFaultAtEveryCall(t *testing.T) { strike(t, false) }

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
