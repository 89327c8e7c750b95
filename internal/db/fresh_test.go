package db_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/history/historytest"
)

// Without other replicas Fresh does nothing.
func TestFreshAlone(t *testing.T) {
	t.Parallel()
	h := newHome(db.Options{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Fresh(ended); err != nil || h.Silence() != 0 || h.OutOfTouch() {
		t.Errorf("Fresh = %v, Silence = %v", err, h.Silence())
	}
}

// Requests that come while a barrier is under way share the next one.
func TestFreshIsShared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := historytest.New()
		a, ra := join(t, log)
		barriers, gate := 0, make(chan struct{})
		ra.OnSince = func() {
			barriers++
			<-gate
		}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { must(t, a.Fresh(t.Context())) })
			synctest.Wait()
		}
		close(gate)
		all.Wait()
		if barriers != 2 {
			t.Errorf("%d barriers", barriers)
		}
	})
}

// A request that comes while a barrier is under way waits for one that begins later:
// the one under way may have looked before the change that the request must see.
func TestFreshBeginsAfterTheRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b, ra, _ := pair(t)
		looked, gate := make(chan struct{}), make(chan struct{})
		first := true
		ra.OnSinceDone = func() {
			if first {
				first = false
				close(looked)
				<-gate
			}
		}
		go a.Fresh(t.Context())
		<-looked
		must(t, b.Update(b.addOwner("ann")))
		var after rows
		var all sync.WaitGroup
		all.Go(func() { after = a.fresh(t).visible() })
		synctest.Wait()
		close(gate)
		all.Wait()
		wantRows(t, after, b.visible())
	})
}

// Without the log, Fresh fails after 3 s at most, and streams end after 5 s. It goes on
// by itself.
func TestFreshOutOfReach(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := historytest.New()
		a, ra := join(t, log)
		b, _ := join(t, log)
		ra.Partition()
		elapse(500 * time.Millisecond)
		for range 2 {
			began := time.Now()
			if err := a.Fresh(t.Context()); !errors.Is(err, history.ErrUnavailable) {
				t.Errorf("Fresh = %v", err)
			}
			if took := time.Since(began); took != 3*time.Second {
				t.Errorf("Fresh took %v", took)
			}
		}
		if !a.OutOfTouch() || a.Writable() == nil || b.OutOfTouch() || b.Writable() != nil {
			t.Errorf("OutOfTouch = %v and %v, Writable = %v and %v", a.OutOfTouch(), b.OutOfTouch(), a.Writable(), b.Writable())
		}
		must(t, b.Update(b.addOwner("ann")))
		ra.Heal()
		wantRows(t, a.fresh(t).visible(), b.visible())
		if a.OutOfTouch() || a.Writable() != nil {
			t.Errorf("OutOfTouch = %v, Writable = %v", a.OutOfTouch(), a.Writable())
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		ra.Partition()
		if err := a.Fresh(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Fresh for a request that has ended = %v", err)
		}
		ra.Heal()
	})
}

// A replica without requests stays in touch by itself.
func TestFreshIdle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b, _, _ := pair(t)
		must(t, b.Update(b.addOwner("ann")))
		elapse(10 * time.Second)
		wantRows(t, a.visible(), b.visible())
		if a.OutOfTouch() {
			t.Errorf("Silence = %v", a.Silence())
		}
	})
}

// With MaxStale, a request does without a barrier while the last one is young enough.
func TestFreshMaxStale(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := historytest.New()
		a, _ := joinWith(t, log, db.Options{MaxStale: 50 * time.Millisecond}, true)
		b, _ := join(t, log)
		must(t, b.Update(b.addOwner("ann")))
		wantRows(t, a.fresh(t).visible(), rows{})
		elapse(50 * time.Millisecond)
		wantRows(t, a.fresh(t).visible(), b.visible())
	})
}
