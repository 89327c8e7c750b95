package db

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/history"
)

const (
	// appendPatience is how long a batch is tried, with the log out of reach or
	// other replicas always faster.
	appendPatience = 10 * time.Second
	// flightSize is how many bytes of lines a batch takes, if it has the lines of
	// more than one writer.
	flightSize = 256 << 10
)

// A replica is the part of a DB that is needed when other replicas append to its
// log too. It replaces group commit by a queue:
//
//   - Update puts a writer into the queue and waits.
//   - One goroutine takes writers from the front of the queue and runs their rules.
//     Their changes are pending, as one batch: the flight. It appends the flight
//     behind the last line that the tables have.
//   - If the log keeps the flight, its changes are committed and its writers get
//     their answers. Rules that failed belong to a flight too. They may have failed
//     because of a row that is only pending, so their writers wait as well.
//   - If another replica was faster, the log rejects the flight. The batches of the
//     other replica are applied first. The writers go back to the front of the
//     queue, and their rules run again. So no change relies on rows that were
//     outdated.
//
// catchUp applies what other replicas append.
type replica struct {
	db   *DB
	log  history.Shared
	name string // the ids of its batches begin with it

	ctx     context.Context // ends with close
	stop    context.CancelFunc
	running sync.WaitGroup
	work    chan struct{} // the queue may have become longer; room for one signal
	loading sync.Mutex    // held by reload
	fresh   barriers
	manners manners

	// DB.mu guards what follows.
	queue   []*writer
	flight  *flight
	flights int
	broken  error // why this replica can't go on; nil while it can
}

// A writer is one call of Update.
type writer struct {
	rules    func(*Tx) error
	changes  []change
	lines    [][]byte
	size     int // of lines
	err      error
	panicked error         // rules that panicked
	done     chan struct{} // closed once err is the outcome
}

// A flight is the batch that is being appended.
type flight struct {
	id      string
	after   int64 // the number of the line before it
	writers []*writer
	size    int
	kept    bool
	// reloaded is set if the tables were loaded anew while the flight was under way,
	// because the log was cut. If the log has kept the flight, the tables have it.
	reloaded bool
}

// OpenShared is Open for a log that other replicas append to as well. Changes of
// other replicas become visible as they come; Fresh waits for all of them.
func (d *DB) OpenShared(ctx context.Context, log history.Shared) error {
	d.numbered = true
	var last, snapshot int64
	_, err := d.Read(func(emit func([]history.Record) error) (err error) {
		last, snapshot, err = log.Load(ctx, emit)
		return err
	})
	if err != nil {
		return err
	}
	s := &replica{db: d, log: log, name: rand.Text()[:10], work: make(chan struct{}, 1)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.manners.heard = make(chan struct{}, 1)
	s.fresh.touch(clock.Real())
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seq, d.shared, d.run = last, s, log.ID()
	d.events.loaded(snapshot)
	d.noteLogLocked()
	s.running.Go(s.appendAll)
	s.running.Go(s.follow)
	s.running.Go(s.stayInTouch)
	return nil
}

// Observe has appended called with the duration and the result of each append, and
// checked with those of each barrier, with OpenShared. Call it before.
func (d *DB) Observe(appended, checked func(took time.Duration, err error)) {
	d.appended, d.checked = appended, checked
}

// Engine is what is known of the engine behind the log, with OpenShared.
func (d *DB) Engine() history.Engine {
	if d.shared == nil {
		return history.Engine{}
	}
	return d.shared.log.Engine()
}

// Shared reports whether other replicas append to the log too.
func (d *DB) Shared() bool { return d.shared != nil }

// close ends what runs in the background, and then closes the log. Writers that
// wait get an error.
func (s *replica) close() error {
	s.fresh.mu.Lock()
	s.stop() // a barrier that begins later sees that ctx has ended
	s.fresh.mu.Unlock()
	s.running.Wait()
	s.db.mu.Lock()
	s.dropLocked(errClosed, errClosed)
	s.db.mu.Unlock()
	return s.log.Close()
}

var errClosed = fmt.Errorf("%w: closed", history.ErrReadOnly)

// update is Update.
func (s *replica) update(rules func(*Tx) error) error {
	w := &writer{rules: rules, done: make(chan struct{})}
	if err := s.enqueue(w); err != nil {
		return err
	}
	<-w.done
	if w.panicked != nil {
		panic(w.panicked) // in the goroutine that the rules belong to
	}
	return w.err
}

func (s *replica) enqueue(w *writer) error {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	switch {
	case s.broken != nil:
		return s.brokenForWriters()
	case s.db.closing:
		return errClosed
	}
	s.queue = append(s.queue, w)
	signal(s.work)
	return nil
}

func (s *replica) waitingLocked() int {
	n := len(s.queue)
	if s.flight != nil {
		n += len(s.flight.writers)
	}
	return n
}

// signal sends to a channel that has room for one signal.
func signal(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// appendAll appends flights until the replica is closed.
func (s *replica) appendAll() {
	for {
		select {
		case <-s.work:
			for s.appendFlight() {
			}
		case <-s.ctx.Done():
			return
		}
	}
}

// appendFlight appends one flight, and tries again as long as other replicas are
// faster. It returns false once the queue is empty.
func (s *replica) appendFlight() bool {
	ctx, cancel := context.WithTimeout(s.ctx, appendPatience)
	defer cancel()
	for {
		f := s.takeOff()
		if f == nil {
			return false
		}
		err := s.send(ctx, f)
		if kept, over := s.land(f, err); kept {
			s.manners.wait(s.ctx)
			return true
		} else if over {
			return s.ctx.Err() == nil
		}
	}
}

// takeOff makes a flight of writers from the front of the queue. It runs the rules
// of each, with the committed rows and the changes of the writers before it. It
// answers rules that change nothing at once if no changes come before them. It
// returns nil once the queue is empty.
func (s *replica) takeOff() *flight {
	d := s.db
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forgetIDs()
	s.flights++
	f := &flight{id: s.name + "-" + strconv.Itoa(s.flights), after: d.seq}
	for len(s.queue) > 0 {
		w := s.queue[0]
		tx := s.judge(w)
		if f.size > 0 && f.size+w.size > flightSize {
			tx.rollBack()
			break
		}
		s.queue = s.queue[1:]
		if f.size == 0 && w.size == 0 {
			close(w.done)
			continue
		}
		f.size += w.size
		f.writers = append(f.writers, w)
	}
	if len(f.writers) == 0 {
		return nil
	}
	s.flight = f
	return f
}

// judge runs the rules of w, which makes their changes pending. If they fail or
// panic, it rolls their changes back.
func (s *replica) judge(w *writer) *Tx {
	tx := &Tx{db: s.db, seesPending: true}
	w.changes, w.lines, w.size, w.panicked = nil, nil, 0, nil
	w.err = protect("running rules", func() error { return s.db.judge(tx, w.rules) })
	if p, ok := errors.AsType[*panicked](w.err); ok {
		w.panicked = p
	}
	if w.err == nil {
		w.err = protect("encoding a change", func() (err error) { w.lines, err = s.db.encodeLines(tx.changes); return err })
	}
	if w.err != nil {
		tx.rollBack()
		w.lines = nil
		return &Tx{db: s.db}
	}
	w.changes = tx.changes
	for _, line := range w.lines {
		w.size += len(line)
	}
	return tx
}

// send appends f to the log.
func (s *replica) send(ctx context.Context, f *flight) error {
	var lines [][]byte
	version := 0
	for _, w := range f.writers {
		lines = append(lines, w.lines...)
		version = max(version, s.db.version(w.changes))
	}
	return protect("appending a batch", func() error {
		if version > 0 {
			if err := s.log.Need(version); err != nil {
				return err
			}
		}
		began := clock.Real()
		err := s.log.Append(ctx, f.after, f.id, s.db.opt.Now(), lines)
		took := clock.Since(began)
		if err == nil {
			s.fresh.touch(began)
			s.manners.took(took)
		}
		s.db.appended(took, err)
		return err
	})
}

// land does what follows from the result of an append. kept reports that f is
// committed, over that its writers have their answers. If both are false, other
// replicas were faster, and the writers are back in the queue.
func (s *replica) land(f *flight, err error) (kept, over bool) {
	if late, ok := errors.AsType[*history.Overtaken](err); ok {
		s.catchUp(late.Batches)
	}
	cut, isCut := errors.AsType[*history.Cut](err)
	if isCut {
		if err := s.reload(s.ctx, cut.After); err != nil {
			s.check(err)
		}
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	switch {
	case f.reloaded:
		s.flight = f // no other one has taken off
		if s.landReloadedLocked(err) {
			return f.kept, f.kept
		}
	case s.flight != f: // it is committed, back in the queue, or dropped
		if err == nil && !f.kept && f.writers != nil {
			s.breakLocked(fmt.Errorf("the log says that it kept batch %s, and another batch is in its place", f.id))
		}
		return f.kept, f.writers == nil
	case err == nil:
		s.commitFlightLocked()
		return f.kept, true
	}
	switch {
	case s.broken != nil:
		err = s.brokenForWriters()
		s.dropLocked(err, err)
	case errors.Is(err, history.ErrTooLarge):
		s.rejectLocked(err)
	case errors.Is(err, history.ErrUnanswered) || isCut && cut.Unanswered:
		s.dropLocked(history.ErrUnanswered, history.ErrUnavailable)
	case isCut: // and the tables could not be loaded anew
		s.dropLocked(history.ErrUnavailable, history.ErrUnavailable)
	case errors.Is(err, history.ErrWentBack):
		s.breakLocked(err)
	default:
		s.dropLocked(err, err)
	}
	return false, true
}

// landReloadedLocked lands the flight, if the tables were loaded anew after it took off
// and its outcome is known. It returns false if the flight has to be dropped.
func (s *replica) landReloadedLocked(err error) bool {
	f := s.flight
	late, overtaken := errors.AsType[*history.Overtaken](err)
	cut, isCut := errors.AsType[*history.Cut](err)
	switch {
	case s.broken != nil:
		return false
	case err == nil || overtaken && late.Batches[0].ID == f.id:
		s.answerLocked(f)
	case overtaken || isCut && !cut.Unanswered:
		s.requeueLocked()
	default:
		return false
	}
	return true
}

// answerLocked answers the writers of f, which is committed.
func (s *replica) answerLocked(f *flight) {
	f.kept, s.flight = true, nil
	for _, w := range f.writers {
		close(w.done)
	}
}

// commitFlightLocked makes the flight visible, which the log has kept, and answers
// its writers.
func (s *replica) commitFlightLocked() {
	d, f := s.db, s.flight
	err := protect("committing a batch", func() error {
		if d.seq != f.after {
			return fmt.Errorf("batch %s follows on line %d, and the tables are at line %d", f.id, f.after, d.seq)
		}
		for _, w := range f.writers {
			for _, c := range w.changes {
				d.commitLocked(d.seq+1, c)
				c.unpend()
			}
		}
		return nil
	})
	if err != nil {
		s.breakLocked(err)
		return
	}
	s.answerLocked(f)
	s.committedLocked()
}

// committedLocked does what follows on commits of any source.
func (s *replica) committedLocked() {
	s.db.noteLogLocked()
	s.db.events.wake()
	s.db.compactIfWorthLocked()
}

// requeueLocked puts the writers of the flight back into the queue, because the
// log can't keep it any more.
func (s *replica) requeueLocked() {
	if s.flight == nil {
		return
	}
	s.dropPendingLocked()
	s.queue = append(s.flight.writers, s.queue...)
	s.flight = nil
	signal(s.work)
}

func (s *replica) dropPendingLocked() {
	for _, t := range s.db.tables {
		t.dropPending()
	}
}

// rejectLocked answers the writers whose changes the log rejects, and puts the
// others back into the queue.
func (s *replica) rejectLocked(err error) {
	f := s.flight
	s.requeueLocked()
	rest := s.queue[len(f.writers):]
	s.queue = nil
	for _, w := range f.writers {
		if w.size == 0 {
			s.queue = append(s.queue, w)
			continue
		}
		w.answer(err)
	}
	s.queue = append(s.queue, rest...)
	f.writers = nil
}

// dropLocked answers all writers: those of the flight with err, and those in the
// queue with waiting.
func (s *replica) dropLocked(err, waiting error) {
	if f := s.flight; f != nil {
		s.dropPendingLocked()
		for _, w := range f.writers {
			w.answer(err)
		}
		f.writers, s.flight = nil, nil
	}
	for _, w := range s.queue {
		w.answer(waiting)
	}
	s.queue = nil
	s.db.noteLogLocked()
}

func (w *writer) answer(err error) {
	w.err, w.panicked = err, nil
	close(w.done)
}

// check ends the replica if err says that it can't go on.
func (s *replica) check(err error) {
	_, damaged := errors.AsType[*history.Damage](err)
	if !damaged && !errors.Is(err, history.ErrWentBack) {
		return
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.breakLocked(err)
}

// breakLocked ends the replica: its tables no longer agree with the log, or its log
// is another one. All reads and writes fail until a restart.
func (s *replica) breakLocked(err error) {
	if s.broken == nil {
		s.broken = err
		close(s.db.ended)
	}
	err = s.brokenForWriters()
	s.dropLocked(err, err)
}

// brokenForWriters is the answer to writers of a broken replica.
func (s *replica) brokenForWriters() error {
	return fmt.Errorf("%w: %w", history.ErrReadOnly, s.broken)
}

// Ended is closed once this replica can't go on: its log went back, or holds what
// this program can't read. Writable then says why. Ended is never closed without
// OpenShared.
func (d *DB) Ended() <-chan struct{} { return d.ended }
