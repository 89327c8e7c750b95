package db_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/history/historytest"
)

// A batch without an answer for 10 s: its writers hear that the outcome is unknown, and
// those behind them that nothing has changed. No restart is needed. If the batch was
// kept, the next barrier shows it.
func TestSharedUnanswered(t *testing.T) {
	for _, tt := range []struct {
		name string
		kept bool
	}{{"kept", true}, {"lost", false}} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a, b, ra, _ := pair(t)
				ra.OnAppend = once(historytest.Fault{Drop: tt.kept, Lost: !tt.kept, After: ra.Partition})
				began := time.Now()
				var all sync.WaitGroup
				var first, second error
				all.Go(func() { first = a.Update(a.addOwner("ann")) })
				synctest.Wait()
				all.Go(func() { second = a.Update(a.addOwner("bob")) })
				all.Wait()
				if !errors.Is(first, history.ErrUnanswered) || !errors.Is(second, history.ErrUnavailable) {
					t.Errorf("Update = %v, and then %v", first, second)
				}
				if took := time.Since(began); took != 10*time.Second {
					t.Errorf("the answer took %v", took)
				}
				wantRows(t, a.visible(), rows{})
				ra.Heal()
				must(t, a.Update(a.addOwner("cid")))
				_, there := a.visible()["owner 2"]
				if there != tt.kept {
					t.Errorf("then the owners are %v", a.visible())
				}
				wantRows(t, b.fresh(t).visible(), a.visible())
			})
		})
	}
}

// What the log rejects for good is refused, and nothing else.
func TestSharedRejections(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := historytest.New()
		log.Largest = 1000
		a, ra := join(t, log)
		log.Fill(true)
		if err := a.Update(a.addOwner("ann")); !errors.Is(err, history.ErrQuota) || !errors.Is(err, history.ErrFull) {
			t.Errorf("on a full log: %v", err)
		}
		log.Fill(false)
		must(t, a.Update(a.addOwner("ann")))
		results := a.together(t, ra, a.addNote(strings.Repeat("x", 2000), 1), a.addOwner("ann"))
		if !errors.Is(results[0], history.ErrTooLarge) || results[1] != errTaken {
			t.Errorf("Update = %v", results)
		}
		must(t, a.Update(a.addNote("short", 1)))
		if _, there := a.notes.Row(2); !there || len(a.visible()) != 3 {
			t.Errorf("the rows are %v", a.visible())
		}
	})
}

// A batch takes many writers, up to a size. A larger change goes alone.
func TestSharedBatchSize(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := historytest.New()
		a, ra := join(t, log)
		var all []func(*db.Tx) error
		for i := range 9 {
			all = append(all, a.addNote(fmt.Sprint(i)+strings.Repeat("x", 100<<10), 0))
		}
		all = append(all, a.addNote(strings.Repeat("y", 400<<10), 0))
		for _, err := range a.together(t, ra, all...) {
			must(t, err)
		}
		var sizes []int
		for _, b := range log.Batches() {
			sizes = append(sizes, len(b.Records))
		}
		if got := fmt.Sprint(sizes); got != "[1 2 2 2 2 1 1]" {
			t.Errorf("the batches have %s lines", got)
		}
	})
}

// A panic of rules belongs to the goroutine that called Update, and harms no other
// writer of the batch.
func TestSharedPanics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b, ra, _ := pair(t)
		results := a.together(t, ra,
			a.addOwner("ann"),
			func(tx *db.Tx) error {
				a.addOwner("ghost")(tx)
				panic("no such luck")
			},
			a.addOwner("bob"))
		if results[0] != nil || results[2] != nil || results[1] == nil || !strings.Contains(results[1].Error(), "no such luck") {
			t.Errorf("Update = %v", results)
		}
		if len(a.visible()) != 3 {
			t.Errorf("the rows are %v", a.visible())
		}
		wantRows(t, b.fresh(t).visible(), a.visible())
	})
}

// Reads go on while an append gets no answer.
func TestSharedReadsGoOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b, ra, _ := pair(t)
		var reads, seen int
		must(t, b.Update(b.addOwner("bob")))
		ra.OnAppend = func(attempt int, _ int64) historytest.Fault {
			if attempt >= 5 {
				return historytest.Fault{}
			}
			return historytest.Fault{Drop: true, Before: func() {
				must(t, a.Fresh(context.Background()))
				seen = len(a.visible())
				reads++
			}}
		}
		must(t, a.Update(a.addOwner("ann")))
		if reads != 4 || seen != 1 {
			t.Errorf("%d reads, the last saw %d rows", reads, seen)
		}
	})
}

// A replica whose log went back, or holds what it can't read, ends. Reads and writes
// fail, and it says why.
func TestSharedEnds(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		spoil      func(log *historytest.Log)
	}{
		{"the log went back", "went back", (*historytest.Log).GoBack},
		{"a line of a newer shelf", `line 2: a line changes one row: an owner, a session, a thing or a note (written by a newer shelf?)`, func(log *historytest.Log) {
			must(t, log.Replica().Append(t.Context(), 1, "x-1", time.Time{}, [][]byte{[]byte(`"op":"put","mug":{"id":1}`)}))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				log := historytest.New()
				a, _ := join(t, log)
				must(t, a.Update(a.addOwner("ann")))
				tt.spoil(log)
				if err := a.Fresh(t.Context()); !errors.Is(err, history.ErrUnavailable) {
					t.Errorf("Fresh = %v", err)
				}
				<-a.Ended()
				if err := a.Update(a.addOwner("bob")); !errors.Is(err, history.ErrReadOnly) {
					t.Errorf("Update = %v", err)
				}
				if err := a.Writable(); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Writable = %v; want %q", err, tt.want)
				}
				if err := a.State().Failed; err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("State().Failed = %v", err)
				}
			})
		})
	}
}

// Close answers who waits.
func TestSharedClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := historytest.New()
		a, ra := join(t, log)
		ra.Partition()
		var all sync.WaitGroup
		errs := make([]error, 3)
		for i := range errs {
			all.Go(func() { errs[i] = a.Update(a.addOwner(fmt.Sprint("owner", i))) })
			synctest.Wait()
		}
		must(t, a.Close())
		all.Wait()
		for i, err := range errs {
			if err == nil {
				t.Errorf("writer %d has no error", i)
			}
		}
		if err := a.Update(a.addOwner("late")); !errors.Is(err, history.ErrReadOnly) {
			t.Errorf("Update after Close = %v", err)
		}
		if err := a.Fresh(t.Context()); !errors.Is(err, history.ErrUnavailable) {
			t.Errorf("Fresh after Close = %v", err)
		}
	})
}

// Of several replicas that fill an empty log, one succeeds.
func TestSharedFill(t *testing.T) {
	bubble(t, func(t *testing.T) {
		from := newHome(db.Options{})
		must(t, from.Update(from.addOwner("ann")))
		must(t, from.Update(from.addNote("Dune", 1)))
		must(t, from.Update(remove(from.notes, 1)))
		a, b, _, _ := pair(t)
		must(t, a.Fill(from.Snapshot()))
		if err := b.Fill(from.Snapshot()); !errors.Is(err, db.ErrNotEmpty) {
			t.Errorf("the second Fill = %v", err)
		}
		must(t, b.fresh(t).Update(b.addNote("Emma", 1)))
		wantRows(t, a.fresh(t).visible(), b.visible())
		if _, there := b.notes.Row(2); !there {
			t.Errorf("the rows are %v; note 1 was given out before", b.visible())
		}
	})
}

// A table of a later format is announced before its first row.
func TestSharedNeed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := historytest.New()
		a, _ := join(t, log)
		must(t, a.Update(a.addOwner("ann")))
		if log.Version() != 0 {
			t.Errorf("version %d before", log.Version())
		}
		must(t, a.Update(func(tx *db.Tx) error { a.lates.Put(tx, late{a.lates.NewID(tx), "x"}); return nil }))
		if log.Version() != 2 {
			t.Errorf("version %d", log.Version())
		}
	})
}
