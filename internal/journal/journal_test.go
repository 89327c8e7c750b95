package journal_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
)

// The file's bytes don't change, because older and newer programs read them.
func TestFormat(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	j, _ := mustOpen(t, d, dataFile)
	at := time.Date(2026, 11, 22, 14, 5, 0, 123_456_789, time.FixedZone("", 3600))
	for _, batch := range [][][]byte{bodies(`"op":"put","n":1`), bodies(`"a":{"b":[1,2]}`, `"text":"naïve <b> 東京"`)} {
		if err := j.Append(at, batch); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"format":"shelf","version":1,"after":0,"snapshot":0,"crc":"89ff7d92"}
{"seq":1,"time":"2026-11-22T13:05:00.123Z","op":"put","n":1,"closes":1,"crc":"ad5109c4"}
{"seq":2,"time":"2026-11-22T13:05:00.123Z","a":{"b":[1,2]},"crc":"a75968c9"}
{"seq":3,"time":"2026-11-22T13:05:00.123Z","text":"naïve <b> 東京","closes":2,"crc":"dc444faf"}
`
	if got := content(d); got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
	if state := j.State(); state != (history.State{Bytes: int64(len(want)), Lines: 3}) {
		t.Errorf("State = %+v", state)
	}
	// journaltest writes the same bytes
	written := journaltest.Header(0, 0) + journaltest.Line(1, at, `"op":"put","n":1`, 1) +
		journaltest.Line(2, at, `"a":{"b":[1,2]}`, 0) + journaltest.Line(3, at, `"text":"naïve <b> 東京"`, 2)
	if written != want {
		t.Errorf("journaltest writes\n%s\nwant\n%s", written, want)
	}
}

// Replay emits what Append was given, batch by batch.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	j, _ := mustOpen(t, d, dataFile)
	batches := [][]string{
		{put(1, "one")},
		{put(2, "two"), `"nested":{"closes":7,"crc":"00000000"}`, `"text":"\",\"closes\":3"`},
		{`"ends like a frame":"x,\"closes\":9"`, `"n":` + strings.Repeat("9", 40)},
		{put(3, strings.Repeat("long ", 1<<19))}, // longer than a piece of the scan
		{put(4, "after")},
	}
	for _, batch := range batches {
		mustAppend(t, j, batch...)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(d, dataFile, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got [][]string
	seq, line := int64(0), 1
	err = j.Replay(func(batch []history.Record) error {
		var texts []string
		for _, rec := range batch {
			seq, line = seq+1, line+1
			if rec.Seq != seq || rec.Line != line || rec.Manual {
				t.Errorf("record %d is number %d, line %d, manual: %v", seq, rec.Seq, rec.Line, rec.Manual)
			}
			texts = append(texts, string(rec.Body))
		}
		got = append(got, texts)
		clear(batch) // the slice is ours again
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(got, batches, slices.Equal[[]string]) {
		t.Errorf("replayed %.200q; want %.200q", got, batches)
	}
	if last, snapshot := j.Last(); last != seq || snapshot != 0 {
		t.Errorf("Last = %d, %d; want %d, 0", last, snapshot, seq)
	}
}

// A batch of many lines counts as a whole or not at all.
func TestLargeBatch(t *testing.T) {
	t.Parallel()
	const n = 5007
	texts := make([]string, n)
	for i := range texts {
		texts[i] = put(i+1, "row")
	}
	whole := journaltest.File(strings.Join(texts, "\n"))
	for _, tt := range []struct {
		text string
		want int
	}{{whole, n}, {whole[:strings.LastIndex(whole[:len(whole)-1], "\n")+1], 0}} {
		if _, got := mustOpen(t, diskWith(tt.text), dataFile); len(got) != tt.want {
			t.Errorf("%d rows; want %d", len(got), tt.want)
		}
	}
}

// A start writes the last batch again, in case it is only in the system's memory.
// Of a large batch that would take long. Its last line was written once the others
// were on disk, so a start writes that line only.
func TestStartAfterLargeBatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		batch []string
		want  func(lines []string) string // the bytes that a start writes
	}{
		{"a small batch", []string{put(1, "one"), put(2, "two")}, func(lines []string) string { return lines[1] + lines[2] }},
		{"a large batch", []string{put(1, "one"), put(2, strings.Repeat("long ", large))}, func(lines []string) string { return lines[2] }},
		{"a large line", []string{put(1, strings.Repeat("long ", large))}, func(lines []string) string { return lines[1] }},
	} {
		d := journaltest.New(1)
		options := journal.Options{Large: large}
		j, _, err := openWith(options, d, dataFile)
		if err != nil {
			t.Fatal(err)
		}
		mustAppend(t, j, tt.batch...)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		from := d.Next()
		if _, _, err := openWith(options, d, dataFile); err != nil {
			t.Fatal(err)
		}
		written := int64(0)
		for _, call := range d.Calls()[from:] {
			written += call.Bytes
		}
		if want := tt.want(strings.SplitAfter(content(d), "\n")); written != int64(len(want)) {
			t.Errorf("%s: a start writes %d bytes; want the %d of %q", tt.name, written, len(want), want)
		}
	}
}

// The results of an Append with a fault, and of the next Append.
func TestAppendFault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		op          string
		keep        int64
		fault       error
		first, next error
		why         string // in State afterwards; "": nil
	}{
		{"an fsync fails", "Sync", 0, journaltest.ErrIO, history.ErrOutcomeUnknown, history.ErrReadOnly, "an fsync failed"},
		{"an fsync fails for want of room", "Sync", 0, journaltest.ErrNoRoom, history.ErrOutcomeUnknown, history.ErrReadOnly, "an fsync failed"},
		{"a write fails", "WriteAt", 10, journaltest.ErrIO, history.ErrReadOnly, nil, ""},
		{"a write fails for want of room", "WriteAt", 10, journaltest.ErrNoRoom, history.ErrFull, nil, ""},
		{"a write fails and leaves nothing", "WriteAt", 0, journaltest.ErrNoRoom, history.ErrFull, nil, ""},
		{"a write fails but for its newline", "WriteAt", int64(len(journaltest.Line(2, journaltest.Noon, put(2, "first"), 1))) - 1, journaltest.ErrNoRoom, history.ErrFull, nil, ""},
		{"a write fails and arrives whole", "WriteAt", 1 << 20, journaltest.ErrNoRoom, history.ErrOutcomeUnknown, history.ErrReadOnly, "may be in the file"},
		{"the file can't be looked at", "Names", 0, journaltest.ErrIO, history.ErrReadOnly, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := journaltest.New(1)
			j, _ := mustOpen(t, d, dataFile)
			mustAppend(t, j, put(1, "before"))
			at := d.Next()
			for _, op := range []string{"Names", "WriteAt", "Sync"} {
				if op == tt.op {
					break
				}
				at++
			}
			d.Fail(journaltest.Fault{At: at, Keep: tt.keep, Err: tt.fault})
			if err := j.Append(journaltest.Noon, bodies(put(2, "first"))); !errors.Is(err, tt.first) {
				t.Errorf("Append = %v; want %v", err, tt.first)
			}
			kept := 1
			switch err := j.Append(journaltest.Noon, bodies(put(3, "next"))); {
			case !errors.Is(err, tt.next):
				t.Errorf("the next Append = %v; want %v", err, tt.next)
			case err == nil:
				kept = 2
			case !strings.Contains(err.Error(), tt.why):
				t.Errorf("the next Append doesn't say why: %v", err)
			}
			failed := j.State().Failed
			if tt.why == "" && failed != nil || tt.why != "" && (failed == nil || !strings.Contains(failed.Error(), tt.why)) {
				t.Errorf("State().Failed = %v; want %q", failed, tt.why)
			}
			if err := j.Check(); err != failed {
				t.Errorf("Check = %v; want %v", err, failed)
			}
			d.Kill()
			j, got := mustOpen(t, d, dataFile)
			if unknown := errors.Is(tt.first, history.ErrOutcomeUnknown); len(got) != kept && (!unknown || len(got) != 2) {
				t.Errorf("after a restart: %v", got)
			}
			mustAppend(t, j, put(4, "after a restart"))
		})
	}
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	j, _ := mustOpen(t, d, dataFile)
	d.SetRoom(int64(len(content(d))) + 500)
	kept := 0
	for {
		err := j.Append(journaltest.Noon, bodies(put(kept+1, "lamp")))
		if err != nil {
			if !errors.Is(err, history.ErrFull) {
				t.Fatal(err)
			}
			break
		}
		kept++
	}
	for range 3 {
		if err := j.Append(journaltest.Noon, bodies(put(100, "refused"))); !errors.Is(err, history.ErrFull) {
			t.Errorf("a write to a full disk: %v", err)
		}
	}
	if err := j.Check(); err != nil {
		t.Errorf("Check = %v; a full disk is no reason to stop writing", err)
	}
	d.SetRoom(0)
	mustAppend(t, j, put(200, "there is room"))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, got := mustOpen(t, d, dataFile)
	if len(got) != kept+1 || got[200] == "" {
		t.Errorf("after a restart: %v; want %d rows", got, kept+1)
	}
	if j.Found().Refused == 0 {
		t.Error("a start should tell of refused writes")
	}
}

// The rest of any number of failed writes between closed batches is skipped.
func TestRefusedWrites(t *testing.T) {
	t.Parallel()
	for keep := range int64(200) {
		d := journaltest.New(1)
		w := newWorld(d)
		if err := w.start(); err != nil {
			t.Fatal(err)
		}
		for i, batch := range [][]string{{put(1, "taken"), put(2, "taken")}, {put(1, "refused"), put(2, "refused")}, {put(1, "refused again")}, {put(3, "taken")}} {
			before := w.seq
			if i == 1 || i == 2 {
				// Names is called before the write
				d.Fail(journaltest.Fault{At: d.Next() + 1, Keep: keep / int64(i), Err: journaltest.ErrNoRoom})
			}
			if err := w.append(batch...); err != nil {
				t.Fatal(err)
			}
			if refused := i == 1 || i == 2; refused != (w.seq == before) && !w.stuck {
				t.Fatalf("keep %d: batch %d was refused: %v; want %v", keep, i, w.seq == before, refused)
			}
		}
		w.end()
		if err := w.aftermath(); err != nil {
			t.Fatalf("keep %d: %v", keep, err)
		}
	}
}

// Synced gets the duration of each fsync of a batch, even of one that fails.
func TestSynced(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	told := 0
	j, err := journal.Open(d, dataFile, journal.Options{Synced: func(took time.Duration) {
		if told++; took < 0 {
			t.Errorf("an fsync took %v", took)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(j); err != nil {
		t.Fatal(err)
	}
	if err := j.Start(); err != nil {
		t.Fatal(err)
	}
	if told != 0 {
		t.Errorf("a start told of %d fsyncs", told)
	}
	mustAppend(t, j, put(1, "one"), put(2, "two"))
	d.Fail(journaltest.Fault{At: d.Next() + 2, Err: journaltest.ErrIO})
	if err := j.Append(journaltest.Noon, bodies(put(3, "three"))); !errors.Is(err, history.ErrOutcomeUnknown) {
		t.Errorf("Append = %v", err)
	}
	if told != 2 {
		t.Errorf("two batches told of %d fsyncs", told)
	}
}

// State and Check never wait, even for a disk that hangs.
func TestStateBesideAppend(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	j, _ := mustOpen(t, d, dataFile)
	before := j.State()
	reached, release := make(chan bool), make(chan bool)
	d.OnSync = func(string) { reached <- true; <-release }
	done := make(chan error)
	go func() { done <- j.Append(journaltest.Noon, bodies(put(1, "one"))) }()
	<-reached
	if state := j.State(); state != before {
		t.Errorf("during an Append State = %+v; want %+v", state, before)
	}
	if err := j.Check(); err != nil {
		t.Errorf("during an Append Check = %v", err)
	}
	release <- true
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if state := j.State(); state.Lines != 1 || state.Bytes != int64(len(content(d))) {
		t.Errorf("after an Append State = %+v", state)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	j, _ := mustOpen(t, d, dataFile)
	mustAppend(t, j, put(1, "one"))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(journaltest.Noon, bodies(put(2, "two"))); !errors.Is(err, history.ErrReadOnly) || err.Error() != "store is read-only: closed" {
		t.Errorf("Append after Close = %v", err)
	}
	if _, err := j.Compact(journaltest.Noon, 1, anyLine); err == nil {
		t.Error("Compact after Close works")
	}
	if _, got := mustOpen(t, d, dataFile); len(got) != 1 {
		t.Errorf("after a restart: %v", got)
	}
}

// If a start fails at any step, the next start works and nothing is lost.
func TestStartFault(t *testing.T) {
	t.Parallel()
	text := journaltest.File(put(1, "one")+"\n"+put(2, "two"), put(3, "three")) + "{"
	probe := diskWith(text)
	_, want := mustOpen(t, probe, dataFile)
	for at, call := range probe.Calls() {
		for _, cause := range []error{journaltest.ErrIO, journaltest.ErrNoRoom} {
			d := diskWith(text)
			d.Fail(journaltest.Fault{At: at, Err: cause})
			if j, _, err := open(d, dataFile); err == nil {
				j.Close()
			} else if !strings.Contains(err.Error(), dataFile) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s fails: the error should name the file in one line: %v", call.Name, err)
			}
			if _, got := mustOpen(t, d, dataFile); !maps.Equal(got, want) {
				t.Errorf("%s fails: %s", call.Name, difference(got, want))
			}
			if torn, _ := d.Content(dataFile + ".torn"); !strings.HasPrefix(torn, "{") {
				t.Errorf("%s fails: the torn tail is %q", call.Name, torn)
			}
		}
	}
}

// A start syncs the file's name, which another process may have left unsynced.
func TestUnsyncedName(t *testing.T) {
	t.Parallel()
	for _, leave := range []journaltest.Leftover{journaltest.LeaveNothing, journaltest.LeaveSome} {
		d := diskWith(journaltest.File(put(1, "one")))
		d.UnsyncNames() // as after mv or cp, or a kill before the folder's fsync
		j, _ := mustOpen(t, d, dataFile)
		mustAppend(t, j, put(2, "two"))
		if _, got := mustOpen(t, d.Crash(leave), dataFile); len(got) != 2 {
			t.Errorf("leftover %d: %v; want two rows", leave, got)
		}
	}
}

// A file whose creation was interrupted by a crash is created again.
func TestUnborn(t *testing.T) {
	t.Parallel()
	header := journaltest.Header(0, 0)
	for _, text := range []string{"", header[:1], header[:40], header[:len(header)-1], strings.Repeat("\x00", len(header))} {
		d := diskWith(text)
		j, got := mustOpen(t, d, dataFile)
		if len(got) != 0 || content(d) != header {
			t.Errorf("%q: %v in %q", text, got, content(d))
		}
		if found := j.Found(); found.TornFile != "" || found.TornStays != nil {
			t.Errorf("%q: Found = %+v", text, found)
		}
		mustAppend(t, j, put(1, "one"))
		j.Close()
		if _, got := mustOpen(t, d, dataFile); len(got) != 1 {
			t.Errorf("%q: after a restart %v", text, got)
		}
	}
}

// Explain says what is wrong and what to do.
func TestExplain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&history.Damage{Line: 3, What: "the line does not begin with seq"}, "dir/x.jsonl is damaged: line 3: the line does not begin with seq (nothing was changed; repair or restore the file, or start with another -data)"},
		{fmt.Errorf("wrapped: %w", journal.ErrLocked), "dir/x.jsonl is in use by another shelf"},
		{&fs.PathError{Op: "open", Path: "dir/x.jsonl", Err: fs.ErrPermission}, "can't open the data file dir/x.jsonl: permission denied: look at the owner and the mode of the file and its folder"},
		{errors.New("data format 2"), "dir/x.jsonl: data format 2"},
	} {
		if got := journal.Explain("dir/x.jsonl", tt.err).Error(); got != tt.want {
			t.Errorf("Explain = %s; want %s", got, tt.want)
		}
	}
}
