package db_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/history/historytest"
	"example.com/shelf/internal/journal/journaltest"
)

// busy makes many changes of all kinds.
func (h *home) busy(t *testing.T, name string) {
	t.Helper()
	must(t, h.Update(h.addOwner(name)))
	id := 0
	h.View(func(tx *db.Tx) { o, _ := h.byName.Find(tx, name); id = o.ID })
	must(t, h.Update(h.addSession("s"+name, id)))
	for i := range 10 {
		must(t, h.Update(h.addThing("lamp", id)))
		must(t, h.Update(h.addNote(fmt.Sprint(name, i), id)))
		must(t, h.Update(h.addLate(name)))
	}
	for id, n := range h.allNotes() {
		if n.Title > name+"4" {
			must(t, h.Update(remove(h.notes, id)))
		}
	}
}

func (h *home) allNotes() map[int]*note {
	all := map[int]*note{}
	h.View(func(tx *db.Tx) {
		for id, n := range h.notes.All(tx) {
			all[id] = n
		}
	})
	return all
}

// same fails unless two replicas can't be told apart.
func same(t *testing.T, what string, got, want *home) {
	t.Helper()
	wantRows(t, got.visible(), want.visible())
	for _, h := range []*home{got, want} {
		if n := h.allNotes(); len(h.followed) != len(n) {
			t.Errorf("%s: Follow knows %d notes of %d", what, len(h.followed), len(n))
		}
	}
	if a, b := got.Snapshot().Export(journaltest.Noon, true), want.Snapshot().Export(journaltest.Noon, true); !bytes.Equal(a, b) {
		t.Errorf("%s: the exports differ:\n%s\n%s", what, a, b)
	}
	versions := func(h *home) string {
		return fmt.Sprint(h.Run(), h.owners.Version(), h.sessions.Version(), h.things.Version(), h.notes.Version(), h.lates.Version())
	}
	if versions(got) != versions(want) {
		t.Errorf("%s: the tables have the versions %s; want %s", what, versions(got), versions(want))
	}
	if got.LastSeq() != want.LastSeq() {
		t.Errorf("%s: LastSeq = %d; want %d", what, got.LastSeq(), want.LastSeq())
	}
	for since := range want.LastSeq() + 1 {
		_, _, _, missing := want.EventsAfter(since)
		if _, _, _, err := got.EventsAfter(since); err != missing {
			t.Errorf("%s: events since %d: %v; want %v", what, since, err, missing)
			return
		} else if err != nil {
			continue
		}
		a, _ := events(t, got, since)
		b, _ := events(t, want, since)
		if !slices.Equal(a, b) {
			t.Errorf("%s: the events since %d are %v; want %v", what, since, a, b)
			return
		}
	}
}

// A replica that starts from a snapshot is the same as one that was there all along:
// in its rows, its ids, the tags of its lists and the events that it can resume.
func TestSharedSnapshot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := historytest.New()
		a, _ := join(t, log)
		a.busy(t, "ann")
		must(t, a.Compact())
		b, _ := join(t, log)
		same(t, "from a snapshot", b, a)
		a.busy(t, "bob")
		same(t, "and after a barrier", b.fresh(t), a)
		must(t, b.Compact())
		log.CutAll()
		c, _ := join(t, log)
		same(t, "from a snapshot by a replica that began from one", c, a)
		must(t, c.Update(c.addOwner("cid")))
		same(t, "and after a change", a.fresh(t), c)
	})
}

// Old events are gone in all replicas from the same number on.
func TestSharedSnapshotOfAFullRing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := historytest.New()
		a, _ := join(t, log)
		for range 5 {
			must(t, a.Update(func(tx *db.Tx) error {
				for i := range 1000 {
					a.notes.Put(tx, &note{ID: i + 1, Title: fmt.Sprint(i + 1)})
				}
				return nil
			}))
		}
		must(t, a.Compact())
		b, _ := join(t, log)
		for _, since := range []int64{0, 5000 - db.EventsKept - 1, 5000 - db.EventsKept, 4990, 5000} {
			x, nextX, _, errX := a.EventsAfter(since)
			y, nextY, _, errY := b.EventsAfter(since)
			if !slices.Equal(x, y) || nextX != nextY || errX != errY {
				t.Errorf("since %d: %d %d %v, and %d %d %v", since, len(x), nextX, errX, len(y), nextY, errY)
			}
		}
	})
}

// A replica that was apart while the log was cut starts over, and is the same as the
// others again. Streams go on.
func TestSharedCut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := historytest.New()
		a, _ := join(t, log)
		b, rb := join(t, log)
		c, rc := joinWith(t, log, db.Options{}, false)
		a.busy(t, "ann")
		b.fresh(t)
		rb.Partition()
		rc.Partition()
		for id := range a.allNotes() {
			must(t, a.Update(remove(a.notes, id)))
		}
		must(t, a.Update(remove(a.owners, 1)))
		a.busy(t, "bob")
		must(t, a.Compact())
		log.CutAll()
		rb.Heal()
		rc.Heal()
		same(t, "by a barrier", b.fresh(t), a)
		must(t, b.Update(b.addOwner("ann")))
		must(t, b.Update(b.addNote("Dune", 3)))
		same(t, "after a change", a.fresh(t), b)
		same(t, "by following", c.fresh(t), b)
	})
}

// A flight that is under way when the log is cut is made once, and its writers hear
// what became of it. Only if an attempt had no answer, it may be part of the snapshot:
// then its writers hear that the outcome is unknown.
func TestSharedCutUnderAFlight(t *testing.T) {
	for _, tt := range []struct {
		name    string
		fault   historytest.Fault
		barrier bool // loads the snapshot before the append has its answer
		kept    bool
		want    error
	}{
		{"kept without an answer", historytest.Fault{Drop: true}, false, true, history.ErrUnanswered},
		{"kept without an answer, after a barrier", historytest.Fault{Drop: true}, true, true, history.ErrUnanswered},
		{"kept, after a barrier", historytest.Fault{}, true, true, nil},
		{"lost", historytest.Fault{Lost: true}, false, false, history.ErrUnanswered},
		{"too late", historytest.Fault{}, false, true, nil},
		{"too late, after a barrier", historytest.Fault{}, true, true, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				log := historytest.New()
				a, ra := join(t, log)
				b, _ := join(t, log)
				f := tt.fault
				meanwhile := func() {
					b.fresh(t).busy(t, "bob")
					must(t, b.Compact())
					log.CutAll()
					if tt.barrier {
						must(t, a.Fresh(context.Background()))
					}
				}
				if f.After = meanwhile; strings.HasPrefix(tt.name, "too late") {
					f.Before, f.After = meanwhile, nil
				}
				ra.OnAppend = once(f)
				if err := a.Update(a.addNote("Dune", 0)); !errors.Is(err, tt.want) {
					t.Errorf("Update = %v", err)
				}
				synctest.Wait() // until the append has its answer
				must(t, a.Writable())
				same(t, "then", a, b.fresh(t))
				notes := 0
				for _, n := range a.allNotes() {
					if n.Title == "Dune" {
						notes++
					}
				}
				if tt.kept != (notes == 1) || notes > 1 {
					t.Errorf("there are %d notes", notes)
				}
			})
		})
	}
}

// The log says when a snapshot pays. Then one is made in the background.
func TestSharedCompactsByItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := historytest.New()
		log.Size = 60
		a, _ := join(t, log)
		b, _ := join(t, log)
		for i := range 5 {
			a.busy(t, fmt.Sprint("owner", i))
			elapse(time.Minute) // between two snapshots
		}
		b.fresh(t)
		c, _ := join(t, log)
		same(t, "a new replica", c, a)
		same(t, "an old one", b, a)
		if n := len(log.Batches()); n == len(log.Ever()) {
			t.Errorf("all %d batches are still there", n)
		}
	})
}

// A snapshot and the lines behind it are a log for a file, too.
func TestFeedInAFile(t *testing.T) {
	t.Parallel()
	h := newHome(db.Options{})
	lines := []history.Record{
		{Seq: 1, Body: []byte(putNote1)},
		{Seq: 2, Body: []byte(`"op":"feed","feed":{"begins":true,"gone":1,"events":[{"seq":2,"name":"note.deleted","data":"{\"id\":7}"}]}`)},
	}
	if _, err := h.Read(func(emit func([]history.Record) error) error { return emit(lines) }); err != nil {
		t.Fatal(err)
	}
	if got, _ := events(t, h, 1); len(got) != 1 || got[0].Name != "note.deleted" {
		t.Errorf("the events are %v", got)
	}
	for _, tt := range []struct{ name, body string }{
		{"no feed", `"op":"feed"`},
		{"told by no table", `"op":"feed","feed":{"events":[{"seq":2,"name":"x","data":"","by":"mug"}]}`},
		{"told by a table that tells nothing", `"op":"feed","feed":{"events":[{"seq":2,"name":"x","data":"","by":"note","about":{}}]}`},
		{"of another type", `"op":"feed","feed":[]`},
	} {
		record := []history.Record{{Seq: 3, Body: []byte(tt.body)}}
		if _, err := h.Read(func(emit func([]history.Record) error) error { return emit(record) }); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
}

// A watch may bring a few old batches while a barrier finds that the log was cut. The
// tables are not up to date then, and the barrier must not say so.
func TestSharedCutWhileFollowing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := historytest.New()
		b, _ := join(t, log)
		r, gate := log.Replica(), make(chan struct{}, 1)
		r.OnFollow = func() { <-gate }
		a := newHome(db.Options{})
		must(t, a.OpenShared(t.Context(), r))
		t.Cleanup(func() { a.Close() })
		synctest.Wait()
		must(t, b.Update(b.addOwner("ann")))
		synctest.Wait() // a has read ann, and not applied it
		b.busy(t, "bob")
		must(t, b.Compact())
		log.CutAll()
		open := true
		r.OnSinceDone = func() {
			if open {
				open = false
				gate <- struct{}{}
				synctest.Wait() // a has ann
			}
		}
		same(t, "after the barrier", a.fresh(t), b)
		close(gate)
	})
}
