// Package historytest has a history.Shared in memory, for tests: a Log that several
// replicas append to. It loses answers, stops, and cuts what is old on demand.
package historytest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"example.com/shelf/internal/history"
)

// A Log is what the engine behind several replicas would hold. The zero Log is not
// usable; see New.
type Log struct {
	// Size is the number of batches after which the log wants a snapshot, 0 for
	// never. Set it before the first replica is opened.
	Size int
	// Largest is the most bytes that a batch may have, 0 for any.
	Largest int

	mu       sync.Mutex
	more     chan struct{} // closed and replaced when a batch is added
	id       string
	version  int
	head     int64
	snapshot []history.Record
	at       int64 // the snapshot is the state after this line
	before   int64 // the same of the snapshot before it: older batches are gone
	batches  []history.Batch
	ever     []history.Batch // also those that are gone
	full     bool
}

// New returns an empty Log.
func New() *Log { return &Log{id: "log", more: make(chan struct{})} }

// Batches returns a copy of the batches that the log holds beside its snapshot.
func (l *Log) Batches() []history.Batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.batches)
}

// Ever returns all batches that were ever kept, those in a snapshot included.
func (l *Log) Ever() []history.Batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.ever)
}

// Head is the number of the last line.
func (l *Log) Head() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// Fill makes appends fail with history.ErrQuota, or ends that.
func (l *Log) Fill(full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full = full
}

// GoBack removes the last batch, as a backup that is restored would.
func (l *Log) GoBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.batches[len(l.batches)-1]
	l.batches = l.batches[:len(l.batches)-1]
	l.head = last.Records[0].Seq - 1
}

// CutAll removes all batches that the snapshot makes superfluous, also those that a
// slow replica may lack.
func (l *Log) CutAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut(l.at)
}

// Need raises the version.
func (l *Log) need(version int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.version = max(l.version, version)
}

// Version is the highest version that a replica has asked for.
func (l *Log) Version() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.version
}

func (l *Log) cut(at int64) {
	l.before = max(l.before, at)
	l.batches = slices.DeleteFunc(slices.Clone(l.batches), func(b history.Batch) bool { return b.Records[0].Seq <= l.before })
}

// append is one attempt.
func (l *Log) append(after int64, id string, bodies [][]byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := 0
	for _, body := range bodies {
		size += len(body)
	}
	if l.head != after {
		batches, err := l.behind(after)
		if err != nil {
			return err
		}
		return &history.Overtaken{Batches: batches[:min(len(batches), 16)]}
	}
	switch {
	case l.full:
		return history.ErrQuota
	case l.Largest > 0 && size > l.Largest:
		return history.ErrTooLarge
	}
	b := history.Batch{ID: id}
	for i, body := range bodies {
		b.Records = append(b.Records, history.Record{Seq: after + int64(i) + 1, Body: slices.Clone(body)})
	}
	l.batches, l.ever = append(l.batches, b), append(l.ever, b)
	l.head += int64(len(bodies))
	close(l.more)
	l.more = make(chan struct{})
	return nil
}

// behind returns the batches that follow on line number after. The caller holds mu.
func (l *Log) behind(after int64) ([]history.Batch, error) {
	switch {
	case after > l.head:
		return nil, history.ErrWentBack
	case after < l.before:
		return nil, &history.Cut{After: after}
	}
	first := slices.IndexFunc(l.batches, func(b history.Batch) bool { return b.Records[0].Seq > after })
	if first < 0 {
		return nil, nil
	}
	return l.batches[first:len(l.batches):len(l.batches)], nil
}

// next is behind, and a channel that is closed when there is more.
func (l *Log) next(after int64) ([]history.Batch, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	batches, err := l.behind(after)
	return batches, l.more, err
}

// A Fault is what happens to one attempt to append.
type Fault struct {
	Before func() // runs before the attempt
	Lost   bool   // the attempt never reaches the log
	Drop   bool   // the attempt is made, and its answer is lost
	After  func() // runs after the attempt, before its answer
	Err    error  // the answer, instead of an attempt
}

// A Replica is the history.Shared of one replica. Its hooks may be set before the
// replica is opened.
type Replica struct {
	// OnAppend returns the fault of an attempt to append. Nil: none.
	OnAppend func(attempt int, after int64) Fault
	// OnSince runs before a barrier asks the log, and OnSinceDone after it has looked.
	OnSince, OnSinceDone func()
	// OnFollow runs before Follow tells what it has read, or fails.
	OnFollow func()
	// NoFollow keeps Follow from telling anything.
	NoFollow bool

	log *Log

	mu      sync.Mutex
	apart   chan struct{} // closed when the partition ends; nil without one
	closed  chan struct{}
	ended   bool
	appends int
}

var _ history.Shared = (*Replica)(nil)

// Replica returns the log as one more replica sees it.
func (l *Log) Replica() *Replica { return &Replica{log: l, closed: make(chan struct{})} }

// Partition keeps the replica from reaching the log, until Heal.
func (r *Replica) Partition() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.apart == nil {
		r.apart = make(chan struct{})
	}
}

// Heal ends Partition.
func (r *Replica) Heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.apart != nil {
		close(r.apart)
		r.apart = nil
	}
}

// reach waits for the end of a partition.
func (r *Replica) reach(ctx context.Context) error {
	for {
		r.mu.Lock()
		apart := r.apart
		r.mu.Unlock()
		if apart == nil {
			select {
			case <-r.closed:
				return fmt.Errorf("%w: closed", history.ErrReadOnly)
			default:
				return ctx.Err()
			}
		}
		select {
		case <-apart:
		case <-r.closed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", history.ErrUnavailable, ctx.Err())
		}
	}
}

// ID is the same for all replicas.
func (r *Replica) ID() string { return r.log.id }

// Need raises the version of the log.
func (r *Replica) Need(version int) error {
	r.log.need(version)
	return nil
}

// State returns the number of batches as Bytes.
func (r *Replica) State() history.State {
	return history.State{Bytes: int64(len(r.log.Batches()))}
}

// Check returns an error after Close only.
func (r *Replica) Check() error {
	select {
	case <-r.closed:
		return fmt.Errorf("%w: closed", history.ErrReadOnly)
	default:
		return nil
	}
}

// Close makes all calls fail.
func (r *Replica) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		close(r.closed)
	}
	r.ended = true
	return nil
}

// Load emits the snapshot and all batches behind it.
func (r *Replica) Load(ctx context.Context, emit func([]history.Record) error) (last, snapshot int64, err error) {
	if err := r.reach(ctx); err != nil {
		return 0, 0, err
	}
	l := r.log
	l.mu.Lock()
	rows, at := slices.Clone(l.snapshot), l.at
	batches, err := l.behind(at)
	last = l.head
	l.mu.Unlock()
	if len(rows) > 0 && err == nil {
		err = emit(rows)
	}
	for _, b := range batches {
		if err == nil {
			err = emit(slices.Clone(b.Records))
		}
	}
	return last, at, err
}

// Append tries until it has an answer or ctx ends.
func (r *Replica) Append(ctx context.Context, after int64, id string, _ time.Time, bodies [][]byte) error {
	open := false // an attempt may have been kept
	for {
		var f Fault
		r.mu.Lock()
		r.appends++
		if r.OnAppend != nil {
			f = r.OnAppend(r.appends, after)
		}
		r.mu.Unlock()
		if f.Before != nil {
			f.Before()
		}
		if f.Err != nil {
			return f.Err
		}
		if err := r.reach(ctx); err != nil {
			if open {
				return history.ErrUnanswered
			}
			if errors.Is(err, history.ErrReadOnly) {
				return err
			}
			return history.ErrUnavailable
		}
		var err error
		if !f.Lost {
			err = r.log.append(after, id, bodies)
		}
		if f.After != nil {
			f.After()
		}
		if cut, ok := errors.AsType[*history.Cut](err); ok {
			cut.Unanswered = open
		}
		if !f.Drop && !f.Lost {
			return err
		}
		open = true
	}
}

// Since calls each once with all batches behind after, two at a time.
func (r *Replica) Since(ctx context.Context, after int64, each func([]history.Batch)) error {
	if r.OnSince != nil {
		r.OnSince()
	}
	if err := r.reach(ctx); err != nil {
		return fmt.Errorf("%w: %w", history.ErrUnavailable, err)
	}
	batches, _, err := r.log.next(after)
	if r.OnSinceDone != nil {
		r.OnSinceDone()
	}
	if err != nil {
		return err
	}
	for some := range slices.Chunk(batches, 2) {
		each(some)
	}
	return nil
}

// Follow calls each with what is appended.
func (r *Replica) Follow(ctx context.Context, after int64, each func([]history.Batch)) error {
	if r.NoFollow {
		<-ctx.Done()
		return ctx.Err()
	}
	for {
		if err := r.reach(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		batches, more, err := r.log.next(after)
		if r.OnFollow != nil && (len(batches) > 0 || err != nil) {
			r.OnFollow()
		}
		if err != nil {
			return err
		}
		if len(batches) > 0 {
			each(batches)
			records := batches[len(batches)-1].Records
			after = records[len(records)-1].Seq
			continue
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		case <-r.closed:
		}
	}
}

// Engine knows nothing.
func (r *Replica) Engine() history.Engine { return history.Engine{} }

// WantsSnapshot reports whether the log has more batches than its Size.
func (r *Replica) WantsSnapshot() bool {
	return r.log.Size > 0 && len(r.log.Batches()) > r.log.Size
}

// Compact keeps the snapshot, and the batches behind the one before.
func (r *Replica) Compact(ctx context.Context, at int64, _ time.Time, n int, snapshot iter.Seq[[]byte], check func([]history.Record) error) error {
	if err := r.reach(ctx); err != nil {
		return err
	}
	if int64(n) > at {
		return nil // fewer lines were ever written
	}
	rows, err := collect(at-int64(n), n, snapshot)
	if err == nil {
		err = check(slices.Clone(rows))
	}
	if err != nil {
		return err
	}
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if at <= l.at {
		return nil // another replica has a newer one
	}
	l.cut(l.at)
	l.snapshot, l.at = rows, at
	return nil
}

// collect numbers the lines from after+1 on.
func collect(after int64, n int, snapshot iter.Seq[[]byte]) (rows []history.Record, err error) {
	for line := range snapshot {
		after++
		rows = append(rows, history.Record{Seq: after, Body: slices.Clone(line)})
	}
	if len(rows) != n {
		return nil, fmt.Errorf("a snapshot of %d lines has %d", n, len(rows))
	}
	return rows, nil
}

// Begin makes a snapshot the content of an empty log.
func (r *Replica) Begin(ctx context.Context, _ time.Time, n int, snapshot iter.Seq[[]byte]) error {
	if err := r.reach(ctx); err != nil {
		return err
	}
	rows, err := collect(0, n, snapshot)
	if err != nil {
		return err
	}
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.head > 0 {
		return history.ErrNotEmpty
	}
	l.snapshot, l.at, l.before, l.head = rows, int64(n), int64(n), int64(n)
	close(l.more)
	l.more = make(chan struct{})
	return nil
}
