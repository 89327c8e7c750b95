package limit

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Heavy work waits for a place; light work never waits.
func TestGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(2)
		began := time.Now()
		var work sync.WaitGroup
		do := func(takes time.Duration, wantErr bool, wantAfter time.Duration) {
			work.Go(func() {
				err := g.Do(t.Context(), true, func() { <-time.After(takes) })
				if busy, ok := errors.AsType[Busy](err); ok != wantErr || ok && busy.RetryAfter == 0 {
					t.Errorf("work of %v: %v; want an error %v", takes, err, wantErr)
				}
				if took := time.Since(began); took != wantAfter {
					t.Errorf("work of %v ended after %v; want %v", takes, took, wantAfter)
				}
			})
			synctest.Wait()
		}
		do(time.Second, false, time.Second)
		do(time.Minute, false, time.Minute)
		do(time.Hour, false, time.Second+time.Hour) // takes the place of the first
		do(time.Second, true, longestWait)          // no place in time
		light := false
		if err := g.Do(t.Context(), false, func() { light = true }); err != nil || !light {
			t.Errorf("light work: %v, done %v", err, light)
		}
		work.Wait()

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		block := make(chan struct{})
		for range 2 {
			work.Go(func() { g.Do(t.Context(), true, func() { <-block }) })
		}
		synctest.Wait()
		if err := g.Do(ctx, true, func() { t.Error("work for a client that has gone was done") }); err == nil {
			t.Error("a client that has gone: no error")
		}
		for range maxWaiting {
			work.Go(func() { g.Do(t.Context(), true, func() {}) })
		}
		synctest.Wait()
		began = time.Now()
		if err := g.Do(t.Context(), true, func() {}); err == nil || time.Since(began) > 0 {
			t.Errorf("in a full line: %v after %v; want an error at once", err, time.Since(began))
		}
		close(block)
		work.Wait()
	})
}
