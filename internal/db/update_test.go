package db_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal/journaltest"
)

// All changes decided while a batch is being written share the next batch. No
// reader sees a change before its fsync.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	writes, syncs := d.Count("WriteAt "+dataFile), d.Count("Sync "+dataFile)
	brake := brakeOn(&d.OnSync)
	results := []<-chan error{h.begin(h.addThing("first", 1))}
	brake.await(t, results[0])
	for range 64 {
		results = append(results, h.begin(h.addThing("joined", 1)))
	}
	if n := len(h.visible()); n != 1 {
		t.Errorf("%d rows are visible before the fsync of all but one", n)
	}
	brake.off()
	for _, result := range results {
		if err := <-result; err != nil {
			t.Error(err)
		}
	}
	if n := len(h.visible()); n != 66 {
		t.Errorf("%d rows are visible; want 66", n)
	}
	if n := d.Count("WriteAt "+dataFile) - writes; n != 2 {
		t.Errorf("65 writers made %d writes; want 2", n)
	}
	if n := d.Count("Sync "+dataFile) - syncs; n != 2 {
		t.Errorf("65 writers made %d fsyncs; want 2", n)
	}
	// the 64 changes succeed or fail together
	text := content(d)
	cut := strings.LastIndex(text[:len(text)-1], "\n") + 1
	if n := len(mustOpen(t, diskWith(text[:cut])).visible()); n != 2 {
		t.Errorf("without the last line of a batch of 64, %d rows are there; want 2", n)
	}
}

// A change that Update acknowledged survives a power cut at once.
func TestAcknowledgedIsDurable(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	for i := range 5 {
		must(t, h.Update(h.addThing(fmt.Sprint("kind ", i), 1)))
		after := mustOpen(t, d.Crash(journaltest.LeaveNothing))
		wantRows(t, after.visible(), h.visible())
		if after.LastSeq() != h.LastSeq() {
			t.Errorf("LastSeq is %d after a power cut, and was %d", after.LastSeq(), h.LastSeq())
		}
	}
}

// Until a batch is durable, no method shows a reader any of it.
func TestPendingIsInvisible(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	type view struct {
		seq, next    int64
		rows         string
		counts       string
		changes, len int
		found        bool
		listed       int
		events       int
	}
	look := func() (v view) {
		events, next, _, err := h.EventsAfter(0)
		must(t, err)
		h.View(func(tx *db.Tx) {
			v = view{h.LastSeq(), next, fmt.Sprint(h.seen(tx)), fmt.Sprint(h.Counts()[3].Rows), h.notes.Changes(tx), h.notes.Len(tx), false, h.notesOf.IDs(tx, 1).Len(), len(events)}
			_, v.found = h.byTitle.Find(tx, "Dune")
		})
		return v
	}
	before := look()
	brake := brakeOn(&d.OnSync)
	result := h.begin(h.addNote("Dune", 1))
	brake.await(t, result)
	if got := look(); got != before {
		t.Errorf("readers see %+v; want %+v", got, before)
	}
	if image := export(h, true); strings.Contains(image, "Dune") {
		t.Errorf("a snapshot has %s", image)
	}
	select {
	case err := <-result:
		t.Errorf("Update returns %v before the fsync", err)
	default:
	}
	brake.off()
	must(t, <-result)
	if got := look(); got.seq != before.seq+1 || got.next != got.seq || got.changes != 1 || got.len != 1 || !got.found || got.listed != 1 || got.events != 1 {
		t.Errorf("afterwards readers see %+v", got)
	}
}

// If a write fails, all changes decided after it are dropped as well, as they
// may rely on it.
func TestDroppedBatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		op            string
		fault         error
		first, behind error
		next          error
	}{
		{"an fsync fails", "Sync", journaltest.ErrIO, history.ErrOutcomeUnknown, history.ErrReadOnly, history.ErrReadOnly},
		{"an fsync fails for want of room", "Sync", journaltest.ErrNoRoom, history.ErrOutcomeUnknown, history.ErrReadOnly, history.ErrReadOnly},
		{"a write fails", "WriteAt", journaltest.ErrIO, history.ErrReadOnly, history.ErrReadOnly, nil},
		{"a write fails for want of room", "WriteAt", journaltest.ErrNoRoom, history.ErrFull, history.ErrFull, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, d := withAnn(t)
			seq := h.LastSeq()
			hook := &d.OnSync
			if tt.op == "WriteAt" {
				hook = &d.OnWrite
			}
			brake := brakeOn(hook)
			first := h.begin(h.addNote("first", 1))
			brake.await(t, first)
			var behind []<-chan error
			for i := range 5 {
				behind = append(behind, h.begin(h.addNote(fmt.Sprint("behind ", i), 1)))
			}
			behind = append(behind, h.begin(func(tx *db.Tx) error { // makes no changes, because of a pending row
				if _, ok := h.byTitle.Find(tx, "behind 0"); !ok {
					t.Error("the rules don't see a pending row")
				}
				return nil
			}))
			d.Fail(journaltest.Fault{At: d.Next(), Keep: 10, Err: tt.fault})
			brake.off()
			if err := <-first; !errors.Is(err, tt.first) {
				t.Errorf("the first write: %v; want %v", err, tt.first)
			}
			for _, result := range behind {
				err := <-result
				if !errors.Is(err, tt.behind) || errors.Is(err, history.ErrOutcomeUnknown) {
					t.Errorf("a write behind it: %v; want %v", err, tt.behind)
				}
				if tt.op == "Sync" && !strings.Contains(fmt.Sprint(err), "store is read-only: the write before failed") {
					t.Errorf("a write behind it: %v", err)
				}
			}
			if n := len(h.visible()); n != 1 || h.LastSeq() != seq {
				t.Errorf("%d rows are visible, up to %d", n, h.LastSeq())
			}
			wantUpdate(t, h, func(tx *db.Tx) error { // the rows that the next rules see
				if n := len(h.seen(tx)); n != 1 {
					t.Errorf("the rules see %d rows", n)
				}
				if _, ok := h.byTitle.Find(tx, "first"); ok {
					t.Error("the rules still find a row that was dropped")
				}
				return h.indexes(tx)
			})
			err := h.Update(h.addNote("first", 1)) // its title is free again
			if !errors.Is(err, tt.next) {
				t.Errorf("the next write: %v; want %v", err, tt.next)
			}
			if err != nil && !strings.Contains(err.Error(), "an fsync failed") {
				t.Errorf("the next write doesn't say why: %v", err)
			}
			if failed := h.State().Failed; (failed != nil) != (tt.next != nil) {
				t.Errorf("State says %v", failed)
			}
			d.Kill()
			h = mustOpen(t, d)
			if n := len(h.visible()); n > 2 || n < 2 && tt.next == nil {
				t.Errorf("after a restart %d rows are there", n)
			}
			must(t, h.Update(h.addNote("after", 1)))
		})
	}
}

// wantUpdate runs rules that must succeed without changes. It doesn't wait for
// a log that may be read-only.
func wantUpdate(t testing.TB, h *home, rules func(*db.Tx) error) {
	t.Helper()
	if err := h.Update(rules); err != nil {
		t.Error(err)
	}
}

// A full disk rejects writes one by one, and accepts them again once there is
// room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	d.SetRoom(int64(len(content(d))) + 500)
	kept := 0
	for ; kept < 100; kept++ {
		if err := h.Update(h.addThing("lamp", 1)); err != nil {
			if !errors.Is(err, history.ErrFull) {
				t.Fatal(err)
			}
			break
		}
	}
	for range 3 {
		if err := h.Update(h.addThing("lamp", 1)); !errors.Is(err, history.ErrFull) {
			t.Errorf("a write to a full disk: %v", err)
		}
	}
	if n := len(h.visible()); n != 1+kept {
		t.Errorf("%d rows are visible; want %d", n, 1+kept)
	}
	d.SetRoom(0)
	must(t, h.Update(h.addThing("there is room", 1)))
	h.View(func(tx *db.Tx) {
		last := h.things.Range(tx, db.Range{Desc: true, Max: 1})[0].row()
		if last.ID != kept+5 {
			t.Errorf("id %d; want %d, as ids given out are not taken back", last.ID, kept+5)
		}
	})
	want := h.visible()
	wantRows(t, reopened(t, h, d).visible(), want)
}

// Rules that make no changes wait for the batch of the pending rows they saw.
func TestNoChangeWaits(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	seq := h.LastSeq()
	must(t, h.Update(func(*db.Tx) error { return nil }))
	if h.LastSeq() != seq || strings.Count(content(d), "\n") != 2 {
		t.Error("a change of nothing is written")
	}
	brake := brakeOn(&d.OnSync)
	first := h.begin(h.addNote("Dune", 1))
	brake.await(t, first)
	nothing := h.begin(func(*db.Tx) error { return nil })
	select {
	case err := <-nothing:
		t.Fatalf("it returns %v while what it saw is pending", err)
	default:
	}
	brake.off()
	must(t, <-first)
	must(t, <-nothing)
	if h.LastSeq() != seq+1 {
		t.Errorf("LastSeq is %d; want %d", h.LastSeq(), seq+1)
	}
}

// Rules that fail or panic leave no trace, except that the ids they took stay
// used.
func TestRolledBack(t *testing.T) {
	t.Parallel()
	stop := errors.New("enough")
	for _, tt := range []struct {
		name string
		end  func() error
	}{
		{"an error", func() error { return stop }},
		{"a panic", func() error { panic(stop) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, d := withAnn(t)
			must(t, h.Update(h.addNote("Dune", 1)))
			brake := brakeOn(&d.OnSync)
			pending := []<-chan error{h.begin(h.rename(1, "bob"))}
			brake.await(t, pending[0])
			pending = append(pending, h.begin(h.rename(1, "cat")), h.begin(h.addNote("Emma", 1)), h.begin(remove(h.notes, 1)))
			var before rows
			pending = append(pending, h.begin(func(tx *db.Tx) error { before = h.seen(tx); return nil }))
			result, failed := h.decide(func(tx *db.Tx) error {
				id := h.owners.NewID(tx)
				h.owners.Put(tx, &owner{ID: 1, Name: "dan"})
				h.owners.Put(tx, &owner{ID: 1, Name: "eve"})
				h.owners.Put(tx, &owner{ID: id, Name: "fay"})
				h.owners.Delete(tx, id)
				h.notes.Put(tx, &note{ID: 1, Title: "back again"})
				h.notes.Put(tx, &note{ID: 2, Title: "Emma II"})
				h.notes.Delete(tx, 2)
				if _, ok := h.byName.Find(tx, "eve"); !ok {
					t.Error("the rules don't see their own change")
				}
				return tt.end()
			})
			if failed != stop {
				t.Errorf("the rules gave %v", failed)
			}
			pending = append(pending, h.begin(func(tx *db.Tx) error {
				wantRows(t, h.seen(tx), before)
				for _, name := range []string{"ann", "bob", "dan", "eve", "fay"} {
					if _, ok := h.byName.Find(tx, name); ok {
						t.Errorf("the rules find %s", name)
					}
				}
				return h.indexes(tx)
			}), h.begin(h.addOwner("gil")))
			brake.off()
			for _, result := range pending {
				must(t, <-result)
			}
			if err := <-result; err != stop {
				t.Errorf("Update = %v", err)
			}
			h.View(func(tx *db.Tx) {
				if o, ok := h.byName.Find(tx, "gil"); !ok || o.ID != 3 {
					t.Errorf("the next owner is %+v; want id 3, as id 2 was given out", o)
				}
			})
			wantSeen(t, h)
			want := h.visible()
			wantRows(t, reopened(t, h, d).visible(), want)
		})
	}
}

// No id is used twice, whatever was deleted, rejected, compacted or restarted.
func TestIDsAreNeverReused(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	next := func() (id int) {
		t.Helper()
		must(t, h.Update(func(tx *db.Tx) error {
			id = h.things.NewID(tx)
			h.things.Put(tx, thingRow{ID: id}.thing())
			return nil
		}))
		return id
	}
	want := 1
	check := func(after string) {
		t.Helper()
		if id := next(); id != want {
			t.Errorf("after %s the id is %d; want %d", after, id, want)
		}
		want++
	}
	check("the beginning")
	check("one")
	must(t, h.Update(remove(h.things, 2)))
	check("a deletion")
	must(t, h.Update(remove(h.things, 3)))
	h = reopened(t, h, d)
	check("a deletion and a restart")
	must(t, h.Update(remove(h.things, 4)))
	must(t, h.Compact())
	check("a deletion and a compaction")
	must(t, h.Update(remove(h.things, 5)))
	must(t, h.Compact())
	h = reopened(t, h, d)
	check("a deletion, a compaction and a restart")
	brake := brakeOn(&d.OnSync)
	own := h.begin(func(tx *db.Tx) error {
		h.things.Put(tx, thingRow{ID: 40}.thing())
		return nil
	})
	brake.await(t, own)
	behind := h.begin(func(tx *db.Tx) error {
		if id := h.things.NewID(tx); id != 41 {
			t.Errorf("while a row with an id of its own is pending the id is %d; want 41", id)
		}
		return nil
	})
	brake.off()
	must(t, <-own)
	must(t, <-behind)
	want = 42
	check("a row with an id of its own")
	if err := h.Update(func(tx *db.Tx) error { h.things.NewID(tx); return errTaken }); err != errTaken {
		t.Error(err)
	}
	want++
	check("a refusal")
	d.Fail(journaltest.Fault{At: d.Next() + 1, Err: journaltest.ErrNoRoom})
	if err := h.Update(h.addThing("lamp", 1)); !errors.Is(err, history.ErrFull) {
		t.Error(err)
	}
	want++
	check("a full disk")
}
