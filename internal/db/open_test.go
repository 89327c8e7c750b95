package db_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
)

// A write after Close fails with an error that says so. A restart works.
func TestClose(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	must(t, h.Close())
	if err := h.Update(h.addThing("lamp", 1)); !errors.Is(err, history.ErrReadOnly) || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a write after Close: %v", err)
	}
	if n := len(h.visible()); n != 1 {
		t.Errorf("after Close %d rows are visible", n)
	}
	must(t, mustOpen(t, d).Update(h.addThing("lamp", 1)))
}

// Close waits for the batch that is being written.
func TestCloseWaits(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	brake := brakeOn(&d.OnSync)
	result := h.begin(h.addNote("Dune", 1))
	brake.await(t, result)
	closed := make(chan error, 1)
	go func() { closed <- h.Close() }()
	select {
	case err := <-closed:
		t.Errorf("Close returns %v while a batch is being written", err)
	default:
	}
	brake.off()
	must(t, <-result)
	must(t, <-closed)
	if n := len(mustOpen(t, d).visible()); n != 2 {
		t.Errorf("after a restart %d rows are there; want 2", n)
	}
}

// Only one DB may use a log. Close releases it.
func TestOneWriter(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	if _, err := open(d, db.Options{}); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("a second Open = %v", err)
	}
	h.live(t)
	must(t, h.Compact())
	if _, err := open(d, db.Options{}); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("after a compaction a second Open = %v", err)
	}
	reopened(t, h, d)
}

// Writable reports whether a write would work, without waiting. The end of all
// writes is logged once.
func TestWritable(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	log, told := logged()
	h, err := open(d, db.Options{Log: log})
	must(t, err)
	must(t, h.Update(h.addOwner("ann")))
	must(t, h.Writable())
	brake := brakeOn(&d.OnSync)
	result := h.begin(h.addThing("lamp", 1))
	brake.await(t, result)
	must(t, h.Writable()) // returns at once
	brake.step()
	must(t, <-result)
	d.OnSync = nil
	if size := int64(len(content(d))); h.State() != (history.State{Bytes: size, Lines: 2}) {
		t.Errorf("State = %+v; want %d bytes", h.State(), size)
	}
	d.Fail(journaltest.Fault{At: d.Next(), Err: journaltest.ErrIO})
	if err := h.Writable(); err == nil {
		t.Error("Writable doesn't see that the disk fails")
	}
	must(t, h.Writable()) // the failed write was a single one
	if told.Len() > 0 {
		t.Errorf("the log says %s", told)
	}
	d.Put(dataFile, "another program's")
	for range 3 {
		if err := h.Writable(); err == nil || !strings.Contains(err.Error(), "was removed or replaced by another program") {
			t.Errorf("Writable = %v", err)
		}
		if err := h.Update(h.addThing("lamp", 1)); !errors.Is(err, history.ErrReadOnly) {
			t.Errorf("Update = %v", err)
		}
	}
	if h.State().Failed == nil {
		t.Error("State doesn't say that writes have ended")
	}
	const line = "the store is read-only until a restart"
	if n := strings.Count(told.String(), line); n != 1 || !strings.Contains(told.String(), "level=ERROR") {
		t.Errorf("the log says %q %d times: %s", line, n, told)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	must(t, h.Update(h.addThing("lamp", 1)))
	brake := brakeOn(&d.OnSync)
	pending := []<-chan error{h.begin(h.addThing("desk", 1))}
	brake.await(t, pending[0])
	pending = append(pending, h.begin(remove(h.things, 2)), h.begin(h.addNote("Dune", 1)))
	want := []db.Count{{"owner", "owners", 1, 0}, {"session", "sessions", 0, 0}, {"thing", "things", 1, 2}, {"note", "notes", 0, 1}}
	if got := h.Counts(); !slices.Equal(got, want) {
		t.Errorf("Counts = %v; want %v", got, want)
	}
	brake.off()
	for _, result := range pending {
		must(t, <-result)
	}
	want = []db.Count{{"owner", "owners", 1, 0}, {"session", "sessions", 0, 0}, {"thing", "things", 1, 0}, {"note", "notes", 1, 0}}
	if got := h.Counts(); !slices.Equal(got, want) {
		t.Errorf("afterwards Counts = %v; want %v", got, want)
	}
}

// A DB without a log behaves like one whose log is in memory.
func TestMemory(t *testing.T) {
	t.Parallel()
	opened := newHome(db.Options{})
	must(t, opened.Open(new(history.Memory)))
	for name, h := range map[string]*home{"not opened": newHome(db.Options{}), "opened": opened} {
		must(t, h.Update(h.addOwner("ann")))
		must(t, h.Update(h.addThing("lamp", 1)))
		if err := h.Update(h.addOwner("ann")); err != errTaken {
			t.Errorf("%s: a name that is taken: %v", name, err)
		}
		must(t, h.Update(remove(h.owners, 1)))
		wantRows(t, h.visible(), rows{"thing 1": `{"id":1,"kind":"lamp","label":""}`})
		must(t, h.Compact())
		must(t, h.Writable())
		if h.LastSeq() != 3 || h.State() != (history.State{}) {
			t.Errorf("%s: LastSeq = %d, State = %+v", name, h.LastSeq(), h.State())
		}
		must(t, h.Close())
		if err := h.Update(h.addOwner("bob")); !errors.Is(err, history.ErrReadOnly) {
			t.Errorf("%s: a write after Close: %v", name, err)
		}
	}
	if one, other := newHome(db.Options{}).Run(), newHome(db.Options{}).Run(); one == other || one == "" {
		t.Errorf("two DBs have the Run %q and %q", one, other)
	}
}

// If a start fails at any step, the next start works and nothing is lost.
func TestOpenFault(t *testing.T) {
	t.Parallel()
	text := journaltest.File(putOwner1+"\n"+putSession1, putThing1) + "{"
	probe := diskWith(text)
	want := mustOpen(t, probe).visible()
	for at, call := range probe.Calls() {
		d := diskWith(text)
		d.Fail(journaltest.Fault{At: at, Err: journaltest.ErrIO})
		if h, err := open(d, db.Options{}); err == nil {
			h.Close()
		}
		if diff := difference(mustOpen(t, d).visible(), want); diff != "" {
			t.Errorf("%s fails: %s", call.Name, diff)
		}
	}
}
