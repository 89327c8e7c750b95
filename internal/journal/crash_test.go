package journal_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"example.com/shelf/internal/journal/journaltest"
)

var everyByte = flag.Bool("every", false, "strike at every byte, flip every bit, and play a thousand random days: takes minutes")

// script is the life of a journal: batches of one line and of several, of one
// piece and of several, lines longer than a sector, a batch that its caller gives up, a compaction, a restart, and a higher version of the format.
var script = []func(*world) error{
	func(w *world) error { return w.append(put(1, "ann"), put(2, "her first token"), put(3, "her second")) },
	func(w *world) error { return w.append(put(4, "bob")) },
	func(w *world) error { return w.append(put(5, "first")) },
	func(w *world) error { return w.append(put(6, strings.Repeat("long ", 250))) },
	func(w *world) error { return w.appendRefused(put(5, "never"), put(7, strings.Repeat("never ", 60))) },
	func(w *world) error { return w.append(put(5, "renamed")) },
	func(w *world) error {
		return w.append(put(12, strings.Repeat("in ", 90)), put(13, strings.Repeat("pieces ", 40)), remove(12), remove(13))
	},
	func(w *world) error { return w.append(put(7, "one"), remove(2)) },
	func(w *world) error { return w.append(remove(5)) },
	func(w *world) error { return w.append(put(4, "bob, older"), put(4, "bob, older still"), put(8, "two")) },
	func(w *world) error { return w.append(remove(7), remove(3)) },
	func(w *world) error { return w.compact(put(9, "meanwhile"), put(1, "ann, meanwhile")) },
	func(w *world) error { return w.append(put(10, "after compaction")) },
	func(w *world) error { return w.restart() },
	func(w *world) error { return w.append(remove(4), remove(8)) },
	func(w *world) error { return w.need() },
	func(w *world) error { return w.append(put(11, "last")) },
}

// beforeCompaction is the number of steps before the compaction.
const beforeCompaction = 11

// life is the script on a disk.
func life(d *journaltest.Disk) journaltest.Life {
	w := newWorld(d)
	l := journaltest.Life{Start: w.start, Tolerate: w.tolerate, End: w.end}
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
	every := int64(37)
	if *everyByte {
		every = 1
	}
	if err := journaltest.Strike(life, every, crashes); err != nil {
		t.Fatal(err)
	}
}

// The machine stops at every call. The crash leaves different parts of the unsynced
// data. No acknowledged batch may be lost, and no batch may be there in part.
func TestCrashAtEveryCall(t *testing.T) { strike(t, true) }

// Every call fails, writes also after some bytes. Then the process or the machine
// ends.
func TestFaultAtEveryCall(t *testing.T) { strike(t, false) }

// TestRandomDays mixes batches, compactions, restarts, kills, crashes and
// faults at random. The same seed gives the same run.
func TestRandomDays(t *testing.T) {
	t.Parallel()
	days := 12
	if *everyByte {
		days = 1000
	}
	for seed := range uint64(days) {
		if err := randomDays(seed, 300); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func randomDays(seed uint64, steps int) error {
	chance := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(journaltest.New(seed))
	if err := w.start(); err != nil {
		return err
	}
	for step := range steps {
		what, err := w.randomStep(chance)
		if err == nil && w.journal == nil {
			err = w.startAtLast()
		}
		if err != nil {
			text := content(w.disk)
			return fmt.Errorf("step %d, %s: %w\n…%q", step, what, err, text[max(0, len(text)-2000):])
		}
	}
	return nil
}

func (w *world) randomStep(chance *rand.Rand) (what string, err error) {
	soon := func(calls int, err error) {
		w.disk.Fail(journaltest.Fault{At: w.disk.Next() + chance.IntN(calls), Keep: chance.Int64N(1500), Err: err})
	}
	switch n := chance.IntN(100); {
	case n < 4:
		err := w.journal.Close()
		w.end()
		return "restart", w.tolerate(err)
	case n < 8:
		w.end()
		return "kill", nil
	case n < 16:
		soon(8, journaltest.ErrCrash)
		err = w.append(w.randomBatch(chance)...)
		w.crash(chance)
		return "crash in a write", err
	case n < 20:
		soon(25, journaltest.ErrCrash)
		err = w.compact(w.randomBatch(chance)...)
		w.crash(chance)
		return "crash in a compaction", err
	case n < 30:
		soon(10, []error{journaltest.ErrIO, journaltest.ErrNoRoom}[chance.IntN(2)])
		return "fault", w.append(w.randomBatch(chance)...)
	case n < 34:
		return "compaction", w.compact(w.randomBatch(chance)...)
	case n < 36:
		soon(25, journaltest.ErrCrash)
		err = w.need()
		w.crash(chance)
		return "crash in a newer version", err
	case n < 37:
		soon(25, []error{journaltest.ErrIO, journaltest.ErrNoRoom}[chance.IntN(2)])
		return "a newer version", w.need()
	case n < 40:
		w.disk.WriteBack()
		return "the system writes back", nil
	}
	return "write", w.append(w.randomBatch(chance)...)
}

func (w *world) randomBatch(chance *rand.Rand) []string {
	batch := make([]string, 1+chance.IntN(4))
	for i := range batch {
		n := 1 + chance.IntN(20)
		if batch[i] = remove(n); chance.IntN(3) > 0 {
			batch[i] = put(n, strings.Repeat("long ", chance.IntN(200)))
		}
	}
	return batch
}

func (w *world) crash(chance *rand.Rand) {
	w.end()
	w.disk = w.disk.Crash(journaltest.Leftover(chance.IntN(int(journaltest.Leavings))))
}

// startAtLast starts until it works. Each fault strikes once.
func (w *world) startAtLast() error {
	var err error
	for range 50 {
		err = w.start()
		if err == nil || w.tolerate(err) != nil {
			return err
		}
		w.end()
	}
	return fmt.Errorf("never came up again: %w", err)
}

// played returns the data file that the script leaves.
func played(t testing.TB, steps int) (text string, known state) {
	t.Helper()
	w := newWorld(journaltest.New(1))
	if err := w.start(); err != nil {
		t.Fatal(err)
	}
	for _, step := range script[:steps] {
		if err := step(w); err != nil {
			t.Fatal(err)
		}
	}
	return content(w.disk), w.known
}

// A copy that is cut at any byte can be opened or is reported as damaged.
func TestEveryPrefix(t *testing.T) {
	t.Parallel()
	for _, steps := range []int{beforeCompaction, len(script)} {
		text, known := played(t, steps)
		for n := range len(text) + 1 {
			d := diskWith(text[:n])
			j, got, err := open(d, dataFile)
			if err != nil {
				if steps == len(script) && n < strings.Index(text, "meanwhile") {
					continue // a file cut within its snapshot is no journal
				}
				t.Fatalf("%d of %d bytes: %v", n, len(text), err)
			}
			kept := content(d)
			torn, _ := d.Content(dataFile + ".torn")
			if n > strings.Index(text, "\n") && kept+torn != text[:n] && kept != text[:n+1] { // only its newline was missing
				t.Fatalf("%d of %d bytes: kept %q and %q", n, len(text), kept, torn)
			}
			if n == len(text) && difference(got, known) != "" {
				t.Fatal(difference(got, known))
			}
			mustAppend(t, j, put(1, "after"))
		}
	}
}

// A change of any acknowledged byte is noticed, and not taken for a torn tail.
func TestEveryFlippedByte(t *testing.T) {
	t.Parallel()
	for _, steps := range []int{beforeCompaction, len(script)} {
		text, known := played(t, steps)
		for at := range len(text) {
			flips := []byte{1 << (at % 8), text[at]}
			if *everyByte || text[at] == '\n' || strings.Contains(`"crc`, text[at:at+1]) {
				flips = append(flips, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, text[at]^'0', text[at]^'}')
			}
			for _, flip := range flips {
				if flip == 0 {
					continue
				}
				b := []byte(text)
				b[at] ^= flip
				d := diskWith(string(b))
				_, got, err := open(d, dataFile)
				if err != nil {
					if content(d) != string(b) {
						t.Fatalf("byte %d ^ %#x: the start was refused, and changed the file", at, flip)
					}
					continue
				}
				torn, _ := d.Content(dataFile + ".torn")
				if diff := difference(got, known); diff != "" {
					t.Fatalf("byte %d (%q) ^ %#x goes unnoticed: %s\n%q", at, text[at], flip, diff, torn)
				}
			}
		}
	}
}
