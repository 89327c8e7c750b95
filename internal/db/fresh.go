package db

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/history"
)

const (
	// freshPatience is how long Fresh waits for the log.
	freshPatience = 3 * time.Second
	// touchEvery is how long a replica without requests goes without a barrier.
	touchEvery = time.Second
	// lostTouch is the age of the last barrier from which on a replica counts as
	// out of touch.
	lostTouch = 5 * time.Second
)

// Fresh returns nil once the tables show all changes that any replica had
// acknowledged when Fresh was called. A request calls it before it reads, so a
// token that was revoked at another replica is refused here too. Fresh fails with
// history.ErrUnavailable if the log can't be reached in time.
//
// Without OpenShared there are no other replicas, and Fresh returns nil at once.
func (d *DB) Fresh(ctx context.Context) error {
	if d.shared == nil {
		return nil
	}
	return d.shared.await(ctx)
}

// Silence is the time since the log last confirmed that the tables are up to date.
// Without OpenShared it is 0.
func (d *DB) Silence() time.Duration {
	if d.shared == nil {
		return 0
	}
	return d.shared.fresh.silence()
}

// OutOfTouch reports whether the log has been out of reach for so long that an open
// stream must end: its token may have been revoked at another replica.
func (d *DB) OutOfTouch() bool { return d.Silence() > lostTouch }

// barriers are the barriers of a replica. At most one is under way. All requests
// that arrive meanwhile share the next one: a barrier tells a request only what was
// kept when the barrier began.
type barriers struct {
	mu      sync.Mutex
	running bool
	next    *barrier // nil if no request waits for it
	confirm time.Time
}

type barrier struct {
	done chan struct{}
	err  error // read it after done is closed
}

// touch notes that a call to the log that began at that time has succeeded.
func (b *barriers) touch(began time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if began.After(b.confirm) {
		b.confirm = began
	}
}

func (b *barriers) silence() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return clock.Since(b.confirm)
}

// await is Fresh.
func (s *replica) await(ctx context.Context) error {
	if most := s.db.opt.MaxStale; most > 0 && s.fresh.silence() < most && !s.isBroken() {
		return nil
	}
	patience := time.NewTimer(freshPatience)
	defer patience.Stop()
	b := s.join()
	select {
	case <-b.done:
		return b.err
	case <-s.ctx.Done():
		return fmt.Errorf("%w: closed", history.ErrUnavailable)
	case <-patience.C:
		return fmt.Errorf("%w: no answer within %v", history.ErrUnavailable, freshPatience)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", history.ErrUnavailable, context.Cause(ctx))
	}
}

// join returns the next barrier, and begins it if none is under way.
func (s *replica) join() *barrier {
	s.fresh.mu.Lock()
	defer s.fresh.mu.Unlock()
	if s.fresh.next == nil {
		s.fresh.next = &barrier{done: make(chan struct{})}
	}
	b := s.fresh.next
	if !s.fresh.running && s.ctx.Err() == nil {
		s.fresh.running = true
		s.running.Go(s.runBarriers)
	}
	return b
}

// runBarriers runs barriers until no request waits for one.
func (s *replica) runBarriers() {
	for {
		s.fresh.mu.Lock()
		b := s.fresh.next
		s.fresh.next = nil
		s.fresh.running = b != nil
		s.fresh.mu.Unlock()
		if b == nil {
			return
		}
		b.err = s.askLog()
		close(b.done)
	}
}

// askLog is one barrier: it asks the log for all that it holds, and applies it.
func (s *replica) askLog() error {
	ctx, cancel := context.WithTimeout(s.ctx, freshPatience)
	defer cancel()
	began, after := clock.Real(), s.db.LastSeq()
	last := after
	err := protect("asking the log", func() error {
		return s.log.Since(ctx, after, func(batches []history.Batch) {
			s.catchUp(batches)
			for _, b := range batches {
				last = max(last, b.Records[len(b.Records)-1].Seq)
			}
		})
	})
	if cut, ok := errors.AsType[*history.Cut](err); ok {
		if err = s.reload(s.ctx, cut.After); err == nil { // may take longer than requests wait
			return s.askLog() // a watch may have brought some of the lines, and not the last
		}
	}
	s.db.checked(clock.Since(began), err)
	s.check(err)
	switch at := s.db.LastSeq(); {
	case s.isBroken():
		return s.brokenError()
	case err == nil && at < last:
		return fmt.Errorf("%w: the tables are at line %d of %d", history.ErrUnavailable, at, last)
	case err == nil:
		s.fresh.touch(began)
	}
	return err
}

// stayInTouch runs a barrier when none has succeeded for a while. So a replica
// without requests notices that the log is out of reach, and what a watch has missed.
func (s *replica) stayInTouch() {
	lost := false
	for s.ctx.Err() == nil {
		pause(s.ctx, touchEvery)
		var err error
		if s.fresh.silence() >= touchEvery && s.ctx.Err() == nil {
			err = s.await(s.ctx)
		}
		switch is := s.fresh.silence() > lostTouch; {
		case is && !lost && s.ctx.Err() == nil:
			s.db.opt.Log.Error("the shared log is out of reach: requests are answered with 503 until it is back", "error", err)
			lost = true
		case lost && !is:
			s.db.opt.Log.Info("the shared log is back")
			lost = false
		}
	}
}

func (s *replica) isBroken() bool { return s.brokenError() != nil }

// brokenError is why the replica can't go on, nil if it can.
func (s *replica) brokenError() error {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	if s.broken == nil {
		return nil
	}
	return history.Worded(history.ErrUnavailable, s.broken.Error()) // the log can be reached
}

// writable is Writable.
func (s *replica) writable() error {
	if err := s.brokenError(); err != nil {
		return err
	}
	if s.fresh.silence() > lostTouch {
		return fmt.Errorf("%w for %v", history.ErrUnavailable, s.fresh.silence().Round(time.Second))
	}
	return s.log.Check()
}
