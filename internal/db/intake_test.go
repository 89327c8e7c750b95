package db_test

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
	"example.com/shelf/internal/strictjson"
)

// intake imports an export into h, which only Close may follow.
func intake(h *home, from *strictjson.Document, commit func()) error {
	return h.Intake(func(o db.Options) (*db.DB, error) {
		trial := newHome(o)
		return trial.DB, trial.Import(from)
	}, commit)
}

// Intake writes what Import and Fill write, and leaves nothing behind when it fails.
func TestIntake(t *testing.T) {
	t.Parallel()
	from := furnished(t)
	must(t, from.Update(from.addLate("late")))
	text := strings.Replace(export(from, true), `"label":"","owner":1`, `"label":"","owner":7`, 1) // no such owner
	document, err := documentOf(text)
	must(t, err)
	rehearsal, err := imported(text)
	must(t, err)
	d, other := journaltest.New(1), journaltest.New(1)
	must(t, mustOpen(t, other).Fill(rehearsal.Snapshot()))

	h := mustOpen(t, d)
	committed := false
	must(t, intake(h, document, func() { committed = true }))
	if content(d) != content(other) || !committed {
		t.Errorf("Intake writes\n%s\nand Fill\n%s", content(d), content(other))
	}
	if err := h.Update(h.addNote("later", 0)); !errors.Is(err, history.ErrReadOnly) {
		t.Errorf("Update after Intake = %v", err)
	}
	must(t, h.Reread())
	for range 2 {
		wantRows(t, h.visible(), rehearsal.visible())
		wantSeen(t, h)
		again := reopened(t, h, d)
		if got, want := h.LastSeq(), again.LastSeq(); got != want {
			t.Errorf("the last change is %d, and after a restart %d", got, want)
		}
		h = again
	}
	must(t, h.Update(h.addNote("later", 0)))
}

// A store that reads again what it took in goes on as after a restart.
func TestReread(t *testing.T) {
	t.Parallel()
	document, err := documentOf(export(furnished(t), true))
	must(t, err)
	d := journaltest.New(1)
	h := mustOpen(t, d)
	must(t, intake(h, document, func() {}))
	must(t, h.Reread())
	must(t, h.Update(h.addNote("later", 0)))
	must(t, h.Update(remove(h.owners, 1)))
	if state := h.State(); state.Failed != nil || state.Bytes != int64(len(content(d))) {
		t.Errorf("State = %+v; the file has %d bytes", state, len(content(d)))
	}
	rows := h.visible()
	told, _ := events(t, h, 0)
	h = reopened(t, h, d)
	wantRows(t, h.visible(), rows)
	if again, _ := events(t, h, 0); !slices.Equal(told, again) {
		t.Errorf("the events are %v, and after a restart %v", told, again)
	}
}

// What a trial refuses, is refused. Each judgement sees the keys of the rows before.
func TestIntakeErrors(t *testing.T) {
	t.Parallel()
	good := export(furnished(t), true)
	for _, tt := range []struct{ was, is, want string }{
		{`"id":2,"kind":"desk"`, `"id":1,"kind":"desk"`, "things[1]: id 1 is another thing's too"},
		{`"notes":[`, `"notes":[{"id":5,"title":"Dune"},`, "notes[1]: note 5 already has this title"},
		{`"code":"s1","owner":1`, `"code":"s1","owner":2`, "sessions[0]: owner 2 does not exist"},
	} {
		document, err := documentOf(strings.Replace(good, tt.was, tt.is, 1))
		must(t, err)
		d := journaltest.New(1)
		h := mustOpen(t, d)
		before := content(d)
		err = intake(h, document, func() { t.Error("what is refused is committed") })
		if fmt.Sprint(err) != tt.want {
			t.Errorf("Intake = %v; want %s", err, tt.want)
		}
		if content(d) != before {
			t.Errorf("%s: the file is now %s", tt.want, content(d))
		}
	}
}

// A changing file is one that a person edits during the import.
type changingFile struct{ io.ReaderAt }

// A row that changes between the two judgements is judged as it is written, and nothing
// stays of the import. The store can be used again after a restart.
func TestIntakeOfAChangingFile(t *testing.T) {
	t.Parallel()
	text := export(furnished(t), true)
	file := &changingFile{strings.NewReader(text)}
	document, err := strictjson.ReadDocument(file, int64(len(text)), func(int64) {})
	must(t, err)
	d := journaltest.New(1)
	h := newHome(db.Options{})
	_, err = openHome(h, d, dataFile, journal.Options{Large: 100})
	must(t, err)
	before := content(d)
	err = intake(h, document, func() { file.ReaderAt = strings.NewReader(strings.Replace(text, `"id":2,"kind"`, `"id":1,"kind"`, 1)) })
	if err == nil || err.Error() != "things[1]: id 1 is another thing's too" {
		t.Errorf("Intake = %v", err)
	}
	if content(d) != before {
		t.Errorf("the file is now %s", content(d))
	}
	h = reopened(t, h, d)
	must(t, h.Update(h.addNote("later", 0)))
}

// A full disk is no fault of a row. Nothing stays of the import.
func TestIntakeOnAFullDisk(t *testing.T) {
	t.Parallel()
	document, err := documentOf(export(furnished(t), true))
	must(t, err)
	d := journaltest.New(1)
	h, err := openHome(newHome(db.Options{}), d, dataFile, journal.Options{Large: 100})
	must(t, err)
	before, writes := content(d), 0
	d.OnWrite = func(string) {
		if writes++; writes == 3 {
			d.Fail(journaltest.Fault{At: d.Next(), Keep: 10, Err: journaltest.ErrNoRoom})
		}
	}
	if err := intake(h, document, func() {}); !errors.Is(err, history.ErrFull) || !strings.HasPrefix(err.Error(), "disk full") {
		t.Errorf("Intake = %v; want a full disk", err)
	}
	if content(d) != before {
		t.Errorf("the file is now %s", content(d))
	}
	h = reopened(t, h, d)
	must(t, h.Update(h.addNote("later", 0)))
}

// liveReader notes how much memory is in use while it is read.
type liveReader struct {
	io.ReaderAt
	reads int
	most  uint64
}

func (r *liveReader) ReadAt(p []byte, at int64) (int, error) {
	if r.reads++; r.reads%4 == 0 {
		r.most = max(r.most, liveBytes())
	}
	return r.ReaderAt.ReadAt(p, at)
}

func liveBytes() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// An import needs less memory than its file. It runs alone, as the memory of other
// tests would count too.
func TestIntakeMemory(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"format":"shelf-export","version":1,"last_ids":{},"things":[`)
	const rows = 6000
	for id := 1; id <= rows; id++ {
		fmt.Fprintf(&b, "{\"id\":%d,\"kind\":\"lamp\",\"label\":\"%0300d\"},\n", id, id)
	}
	text := strings.TrimSuffix(b.String(), ",\n") + "]}"
	h := newHome(db.Options{})
	_, err := openHome(h, journal.OS{}, filepath.Join(t.TempDir(), dataFile), journal.Options{Large: 64 << 10})
	must(t, err)
	file := &liveReader{ReaderAt: strings.NewReader(text)}
	before := liveBytes()
	document, err := strictjson.ReadDocument(file, int64(len(text)), func(int64) {})
	must(t, err)
	must(t, intake(h, document, func() {}))
	must(t, h.Close())
	if most := uint64(len(text) / 2); file.most-before > most {
		t.Errorf("the import of %d bytes takes %d bytes of memory; want %d at most", len(text), file.most-before, most)
	}
}
