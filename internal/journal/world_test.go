package journal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
)

const dataFile = "shelf.jsonl"

// put returns a body that sets row n; remove returns one that deletes it.
func put(n int, text string) string { return fmt.Sprintf(`"op":"put","n":%d,"text":%q`, n, text) }
func remove(n int) string           { return fmt.Sprintf(`"op":"remove","n":%d`, n) }

// bodies converts its arguments for Append.
func bodies(texts ...string) [][]byte {
	batch := make([][]byte, len(texts))
	for i, text := range texts {
		batch[i] = []byte(text)
	}
	return batch
}

// A state is the rows that bodies leave: the last body of each row by its
// number. Compaction must not change it.
type state map[int]string

func (s state) apply(batch [][]byte) error {
	for _, body := range batch {
		op, rest, _ := strings.Cut(string(body), `,"n":`)
		number, _, _ := strings.Cut(rest, ",")
		n, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Errorf("body %q: %w", body, err)
		}
		switch op {
		case `"op":"put"`:
			s[n] = string(body)
		case `"op":"remove"`:
			delete(s, n)
		default:
			return fmt.Errorf("body %q: an unknown op", body)
		}
	}
	return nil
}

func (s state) with(batch [][]byte) (state, error) {
	after := maps.Clone(s)
	return after, after.apply(batch)
}

// difference lists the rows that differ.
func difference(got, want state) string {
	var b strings.Builder
	for n, body := range got {
		if want[n] != body {
			fmt.Fprintf(&b, "  got  %.300s\n", body)
		}
	}
	for n, body := range want {
		if got[n] != body {
			fmt.Fprintf(&b, "  want %d: %.300s\n", n, body)
		}
	}
	return b.String()
}

// read replays j. It fails if the numbers have a gap.
func read(j *journal.Journal) (state, error) {
	s := state{}
	var last int64
	err := j.Replay(func(batch []history.Record) error {
		for _, rec := range batch {
			if last != 0 && rec.Seq != last+1 {
				return fmt.Errorf("seq %d follows %d", rec.Seq, last)
			}
			last = rec.Seq
			if err := strict(rec); err != nil {
				return &history.Damage{Line: rec.Line, What: err.Error()}
			}
			if err := s.apply([][]byte{rec.Body}); err != nil {
				return err
			}
		}
		return nil
	})
	if seq, _ := j.Last(); err == nil && last != 0 && seq != last {
		err = fmt.Errorf("Last is %d; want %d", seq, last)
	}
	return s, err
}

// strict rejects a manual line with an unknown member. Every caller of Replay
// must do so, because a damaged "crc" looks like one.
func strict(rec history.Record) error {
	if !rec.Manual {
		return nil
	}
	d := json.NewDecoder(strings.NewReader("{" + string(rec.Body) + "}"))
	d.DisallowUnknownFields()
	return d.Decode(&struct {
		Op, Text string
		N        int
	}{})
}

// open opens, replays and starts a journal. Its error is worded by Explain.
func open(disk journal.Disk, path string) (*journal.Journal, state, error) {
	return openWith(journal.Options{}, disk, path)
}

func openWith(options journal.Options, disk journal.Disk, path string) (*journal.Journal, state, error) {
	j, err := journal.Open(disk, path, options)
	if err != nil {
		return nil, nil, journal.Explain(path, err)
	}
	s, err := read(j)
	if err == nil {
		err = j.Start()
	}
	if err != nil {
		j.Close()
		return nil, nil, journal.Explain(path, err)
	}
	return j, s, nil
}

func mustOpen(t testing.TB, disk journal.Disk, path string) (*journal.Journal, state) {
	t.Helper()
	j, s, err := open(disk, path)
	if err != nil {
		t.Fatal(err)
	}
	return j, s
}

// diskWith returns a disk with a data file.
func diskWith(content string) *journaltest.Disk {
	d := journaltest.New(1)
	d.Put(dataFile, content)
	return d
}

func content(d *journaltest.Disk) string {
	text, _ := d.Content(dataFile)
	return text
}

func mustAppend(t testing.TB, j *journal.Journal, texts ...string) {
	t.Helper()
	if err := j.Append(journaltest.Noon, bodies(texts...)); err != nil {
		t.Fatal(err)
	}
}

// compact compacts j to s, which must be its state.
func compact(j *journal.Journal, s state) error {
	write, err := j.Compact(journaltest.Noon, len(s), anyLine)
	if err != nil {
		return err
	}
	return write(s.snapshot())
}

func (s state) snapshot() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, n := range slices.Sorted(maps.Keys(s)) {
			if !yield([]byte(s[n])) {
				return
			}
		}
	}
}

// A world is a journal on a disk that fails, and what a client knows of it.
type world struct {
	disk    *journaltest.Disk
	journal *journal.Journal // nil while no process runs
	known   state            // acknowledged rows
	seq     int64            // of the last acknowledged line
	maybe   [][]byte         // bodies of a batch whose outcome is unknown
	stuck   bool             // that batch was the last one until a restart
	needs   bool             // Need acknowledged version 2
}

// large is above the size of some batches of the script, and below that of others.
const large = 250

func newWorld(d *journaltest.Disk) *world { return &world{disk: d, known: state{}} }

// start opens the journal and compares its rows with the known rows.
func (w *world) start() error {
	j, got, err := openWith(journal.Options{Large: large}, w.disk, dataFile)
	if err != nil {
		return err
	}
	w.journal, w.stuck = j, false
	if w.needs && j.Found().Version != 2 {
		return errors.New("the file no longer says that it needs version 2")
	}
	seq, _ := j.Last()
	if maps.Equal(got, w.known) && seq == w.seq {
		w.maybe = nil
		return nil
	}
	with, err := w.known.with(w.maybe)
	if err != nil {
		return err
	}
	if len(w.maybe) == 0 || !maps.Equal(got, with) || seq != w.seq+int64(len(w.maybe)) {
		return fmt.Errorf("after a start the journal, up to %d, differs from what is known up to %d (a batch of unknown outcome: %q)\n%s", seq, w.seq, w.maybe, difference(got, w.known))
	}
	w.known, w.seq, w.maybe = with, seq, nil // a reader can see these rows, so they must stay
	return nil
}

// append appends one batch. The journal may reject it.
func (w *world) append(texts ...string) error {
	w.disk.Forget()
	batch := bodies(texts...)
	err := w.journal.Append(journaltest.Noon, batch)
	attempted, parseErr := w.disk.Attempted(dataFile)
	switch {
	case parseErr != nil:
		return parseErr
	case attempted != nil && !slices.EqualFunc(attempted, batch, slices.Equal[[]byte]):
		return fmt.Errorf("appended %q, and the disk got %q", batch, attempted)
	case err == nil && attempted == nil:
		return errors.New("a batch was acknowledged and never written")
	case err == nil && w.stuck:
		return errors.New("a batch was acknowledged after one whose outcome is unknown")
	case err == nil:
		w.seq += int64(len(batch))
		return w.known.apply(batch)
	case errors.Is(err, history.ErrOutcomeUnknown):
		w.maybe, w.stuck = attempted, true
	case !errors.Is(err, history.ErrReadOnly) && !errors.Is(err, history.ErrFull):
		return fmt.Errorf("an unexpected error: %w", err)
	case w.stuck && !errors.Is(err, history.ErrReadOnly):
		return fmt.Errorf("a batch after one whose outcome is unknown failed with %w", err)
	}
	if w.disk.Dead() && w.maybe == nil {
		w.maybe = attempted // no client got an answer
	}
	if failed := w.journal.State().Failed; w.stuck && failed == nil {
		return errors.New("State doesn't say that nothing can be written")
	}
	return nil
}

// errGivenUp is the error of a caller that gives up a batch.
var errGivenUp = errors.New("given up")

// appendRefused appends a batch whose last line never comes. Nothing may be left
// of it.
func (w *world) appendRefused(texts ...string) error {
	err := w.journal.AppendLong(journaltest.Noon, len(texts)+1, func(add func([]byte) error) error {
		for _, text := range texts {
			if err := add([]byte(text)); err != nil {
				return err
			}
		}
		return errGivenUp
	})
	switch {
	case err == nil:
		return errors.New("a batch without its last line was acknowledged")
	case errors.Is(err, errGivenUp), errors.Is(err, history.ErrReadOnly), errors.Is(err, history.ErrFull), errors.Is(err, history.ErrOutcomeUnknown):
	default:
		return fmt.Errorf("an unexpected error: %w", err)
	}
	if w.journal.State().Failed != nil {
		w.stuck = true
	}
	return nil
}

// compact compacts. If there is a batch, it is appended while the snapshot is
// written.
func (w *world) compact(meanwhile ...string) error {
	snapshot := maps.Clone(w.known)
	write, err := w.journal.Compact(journaltest.Noon, len(snapshot), anyLine)
	if err != nil {
		return w.tolerate(err)
	}
	var appendErr error
	err = write(func(yield func([]byte) bool) {
		if len(meanwhile) > 0 {
			appendErr = w.append(meanwhile...)
		}
		snapshot.snapshot()(yield)
	})
	return errors.Join(appendErr, w.tolerate(err))
}

// need raises the version of the format. The journal may refuse.
func (w *world) need() error {
	switch err := w.journal.Need(2); {
	case err == nil:
		w.needs = true
	case !errors.Is(err, history.ErrReadOnly) && !errors.Is(err, history.ErrFull):
		return fmt.Errorf("an unexpected error: %w", err)
	}
	return nil
}

// end stops the journal as SIGKILL would: only its locks are released.
func (w *world) end() {
	w.disk.Kill()
	w.journal = nil
}

// restart closes the journal and opens it again.
func (w *world) restart() error {
	if err := w.journal.Close(); err != nil && w.tolerate(err) != nil {
		return err
	}
	w.end()
	return w.start()
}

// tolerate ignores errors that the disk's faults explain.
func (w *world) tolerate(err error) error {
	for _, may := range []error{journaltest.ErrIO, journaltest.ErrNoRoom, journaltest.ErrCrash, journal.ErrNoHistory} {
		if errors.Is(err, may) {
			return nil
		}
	}
	if w.stuck {
		return nil
	}
	return err
}

// aftermath checks a journal after a restart of the machine: the known rows are
// there, a write works, and both survive another restart.
func (w *world) aftermath() error {
	if err := w.start(); err != nil {
		return err
	}
	seq := w.seq
	if err := w.append(put(900, "afterwards"), put(901, "afterwards too")); err != nil {
		return err
	}
	if w.seq != seq+2 {
		return errors.New("the journal takes no writes after a start")
	}
	// rows that readers have seen must survive a power cut now
	w.end()
	w.disk = w.disk.Crash(journaltest.LeaveNothing)
	return w.start()
}

// anyLine accepts all lines that a compaction reads back.
func anyLine([]history.Record) error { return nil }
