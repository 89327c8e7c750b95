package db_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history/historytest"
)

// join opens one more replica of log. It learns what others append from barriers and
// appends only, so that a test decides when.
func join(t *testing.T, log *historytest.Log) (*home, *historytest.Replica) {
	t.Helper()
	return joinWith(t, log, db.Options{}, true)
}

func joinWith(t *testing.T, log *historytest.Log, opt db.Options, deaf bool) (*home, *historytest.Replica) {
	t.Helper()
	r := log.Replica()
	r.NoFollow = deaf
	h := newHome(opt)
	must(t, h.OpenShared(t.Context(), r))
	t.Cleanup(func() { h.Close() })
	return h, r
}

// bubble runs a test with a clock of its own, which goes on when everything waits.
func bubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// elapse waits until d has passed on the clock of the bubble, which takes no real time.
func elapse(d time.Duration) { <-time.After(d) }

// pair is two replicas of one log.
func pair(t *testing.T) (a, b *home, ra, rb *historytest.Replica) {
	t.Helper()
	log := historytest.New()
	a, ra = join(t, log)
	b, rb = join(t, log)
	return a, b, ra, rb
}

// fresh is h after a barrier.
func (h *home) fresh(t *testing.T) *home {
	t.Helper()
	must(t, h.Fresh(t.Context()))
	return h
}

// once returns a hook that has the fault at the first attempt.
func once(f historytest.Fault) func(int, int64) historytest.Fault {
	return func(attempt int, _ int64) historytest.Fault {
		if attempt == 1 {
			return f
		}
		return historytest.Fault{}
	}
}

// What one replica changes, another shows after a barrier, and not before.
func TestSharedChangesShowAfterABarrier(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b, _, _ := pair(t)
		must(t, a.Update(a.addOwner("ann")))
		wantRows(t, b.visible(), rows{})
		wantRows(t, b.fresh(t).visible(), a.visible())
	})
}

// A replica hears of changes without asking, too.
func TestSharedChangesAreFollowed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := historytest.New()
		a, _ := join(t, log)
		b, _ := joinWith(t, log, db.Options{}, false)
		for seq := range int64(3) {
			must(t, a.Update(a.addOwner(fmt.Sprint("owner", seq))))
			for b.LastSeq() <= seq {
				_, _, more, err := b.EventsAfter(b.LastSeq())
				must(t, err)
				if b.LastSeq() <= seq {
					<-more
				}
			}
		}
		wantRows(t, b.visible(), a.visible())
	})
}

// Of two replicas that add the same name at the same time, one is refused, and a
// refusal is as good as a success: the other's row is there.
func TestSharedOvertakenRulesAreJudgedAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b, ra, _ := pair(t)
		ra.OnAppend = once(historytest.Fault{Before: func() { must(t, b.Update(b.addOwner("ann"))) }})
		if err := a.Update(a.addOwner("ann")); err != errTaken {
			t.Errorf("Update = %v", err)
		}
		wantRows(t, a.visible(), b.visible())
		if n := len(a.visible()); n != 1 {
			t.Errorf("there are %d owners", n)
		}
	})
}

// Overtaken changes that are still allowed are kept, with ids of their own, and leave no
// gap.
func TestSharedOvertakenChangesGetOtherIDs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b, ra, _ := pair(t)
		ra.OnAppend = once(historytest.Fault{Before: func() { must(t, b.Update(b.addOwner("bob"))) }})
		must(t, a.Update(a.addOwner("ann")))
		want := rows{}
		want.put("owner", 1, &owner{ID: 1, Name: "bob", Mail: "bob@example.com"})
		want.put("owner", 2, &owner{ID: 2, Name: "ann", Mail: "ann@example.com"})
		wantRows(t, a.visible(), want)
		wantRows(t, b.fresh(t).visible(), want)
	})
}

// An append without an answer is kept once.
func TestSharedLostAnswers(t *testing.T) {
	t.Parallel()
	overtake := func(b *home) func() {
		return func() {
			if err := b.Update(b.addOwner("bob")); err != nil {
				panic(err)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		fault func(b *home) historytest.Fault
		names []string // of the owners 1 and 2
	}{
		{"the answer is lost", func(*home) historytest.Fault { return historytest.Fault{Drop: true} }, []string{"ann"}},
		{"the answer is lost, and another replica follows", func(b *home) historytest.Fault {
			return historytest.Fault{Drop: true, After: overtake(b)}
		}, []string{"ann", "bob"}},
		{"the request is lost", func(*home) historytest.Fault { return historytest.Fault{Lost: true} }, []string{"ann"}},
		{"the request is lost, and another replica is faster", func(b *home) historytest.Fault {
			return historytest.Fault{Lost: true, After: overtake(b)}
		}, []string{"bob", "ann"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, b, ra, _ := pair(t)
				ra.OnAppend = once(tt.fault(b))
				must(t, a.Update(a.addOwner("ann")))
				want := rows{}
				for i, name := range tt.names {
					want.put("owner", i+1, &owner{ID: i + 1, Name: name, Mail: name + "@example.com"})
				}
				wantRows(t, a.visible(), want)
				wantRows(t, b.fresh(t).visible(), want)
			})
		})
	}
}

// A barrier may show a batch of this replica before its append has an answer. It is
// applied once, and the writer has its answer.
func TestSharedOwnBatchComesByABarrier(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := historytest.New()
		a, ra := join(t, log)
		ra.OnAppend = once(historytest.Fault{After: func() { must(t, a.Fresh(context.Background())) }})
		must(t, a.Update(a.addOwner("ann")))
		must(t, a.Update(a.addOwner("bob")))
		if a.LastSeq() != 2 || log.Head() != 2 || len(a.visible()) != 2 {
			t.Errorf("LastSeq = %d, the log ends at %d, rows: %v", a.LastSeq(), log.Head(), a.visible())
		}
	})
}

// Rules that fail because of a pending row must not get away with that if the row is
// never kept.
func TestSharedRefusalsWaitForWhatTheySaw(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b, ra, _ := pair(t)
		ra.OnAppend = func(_ int, after int64) historytest.Fault {
			if after != 1 {
				return historytest.Fault{}
			}
			return historytest.Fault{Before: func() { must(t, b.fresh(t).Update(b.addNote("stop", 0))) }}
		}
		results := a.together(t, ra,
			func(tx *db.Tx) error { // makes ann, unless there is a note "stop"
				if _, there := a.byTitle.Find(tx, "stop"); there {
					return errNone
				}
				return a.addOwner("ann")(tx)
			},
			a.addOwner("ann"), // fails at first: ann is pending
		)
		if results[0] != errNone || results[1] != nil {
			t.Errorf("Update = %v", results)
		}
		if o, ok := a.owners.Row(1); !ok || o.Name != "ann" {
			t.Errorf("owner 1 = %v", o)
		}
	})
}

// together runs rules in one flight, in order, and returns their results. The flight
// before it adds a note.
func (h *home) together(t *testing.T, r *historytest.Replica, rules ...func(*db.Tx) error) []error {
	t.Helper()
	results := make([]error, len(rules))
	var all sync.WaitGroup
	r.Partition()
	all.Go(func() { must(t, h.Update(h.addNote("first", 0))) })
	synctest.Wait()
	for i := range rules {
		all.Go(func() { results[i] = h.try(rules[i]) })
		synctest.Wait()
	}
	r.Heal()
	all.Wait()
	return results
}
