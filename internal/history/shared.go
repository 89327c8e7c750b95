package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Errors of a Shared.
var (
	// ErrUnavailable means that the log could not be reached in time. Nothing has
	// changed and nothing of the batch will be kept. The caller may try again.
	ErrUnavailable = errors.New("the shared log can't be reached")
	// ErrUnanswered means that an append had no answer in time. The batch may be
	// kept or not, now or later. The next Since, Follow or Append tells: no restart
	// is needed.
	ErrUnanswered = errors.New("no answer in time: the change may be kept or not")
	// ErrQuota is an ErrFull: the log has reached a limit that its engine sets, and no
	// disk is full.
	ErrQuota = Worded(ErrFull, "the quota of the shared log is used up")
	// ErrTooLarge means that the log can't keep a batch of that size. Nothing has
	// changed.
	ErrTooLarge = errors.New("batch too large for the shared log")
	// ErrNotEmpty means that the log has lines already, so Begin can't fill it.
	ErrNotEmpty = errors.New("the shared log is not empty")
	// ErrWentBack means that the log no longer holds lines that this replica has
	// read, for example because an old backup was restored. Only a restart helps.
	ErrWentBack = errors.New("the shared log went back, or is another log")
)

// Worded returns an error that is of a kind for errors.Is, and whose text is only text.
func Worded(kind error, text string) error { return &worded{kind, text} }

type worded struct {
	kind error
	text string
}

func (w *worded) Error() string { return w.text }
func (w *worded) Unwrap() error { return w.kind }

// An Overtaken is the error of an append that came too late: other lines follow
// on the number that it named.
type Overtaken struct {
	// Batches are the first batches that follow on that number, at least one, in
	// order. More may follow.
	//
	// If the first one has the ID of the append, then the append was kept after
	// all: an attempt of it had no answer. If not, nothing of the append is in the
	// log or ever will be.
	Batches []Batch
}

func (o *Overtaken) Error() string {
	return fmt.Sprintf("overtaken by %d batches of other replicas", len(o.Batches))
}

// A Cut is the error of a call that names a number too old to follow on: the
// lines after it are only in the snapshot. The caller has to Load again.
type Cut struct {
	After int64
	// Unanswered reports that the call was an Append, and that an attempt of it may
	// have been kept and be in the snapshot now. If it is false, nothing of the append
	// is in the log or ever will be.
	Unanswered bool
}

func (c *Cut) Error() string {
	return fmt.Sprintf("the shared log no longer holds what follows on line %d", c.After)
}

// A Batch is what one append added.
type Batch struct {
	ID      string   // from the append; "" for one that only a snapshot holds
	Records []Record // at least one; their Line is 0
}

// An Engine is what a replica knows of the engine that keeps its log.
type Engine struct {
	// ClockDifference is the largest difference that was seen lately between the clock
	// of this machine and the clocks of the engine and of other replicas.
	ClockDifference time.Duration
	// Bytes is the size of what the engine keeps, and Quota the size at which it takes
	// no more. They are 0 if they are not known.
	Bytes, Quota int64
}

// A Shared is a log that several programs, the replicas, read and append to at
// the same time. Each replica keeps a copy of the tables in memory. A replica may
// append only behind the last line that it has applied. So no replica can decide
// by rows that have changed meanwhile.
//
// Any goroutine may call any method at any time, but Load comes first. Methods
// with a ctx return soon after ctx ends. They retry by themselves until then,
// also at other members of the engine. All calls may fail with ErrReadOnly, for
// example because the engine refuses the password or Close was called, and with
// ErrWentBack. Unless said otherwise, a call that ctx ends fails with
// ErrUnavailable.
type Shared interface {
	Keeper

	// Load calls emit with the lines of the newest snapshot, and then with each
	// batch behind it, in order: all that was kept when Load was called. The
	// slice and the bodies are valid only until emit returns. Load returns
	// the number of the last line, and the number up to which lines are a
	// snapshot. Both are 0 for an empty log. Load fails with a *Damage or with
	// emit's error too. It may be called again, for a replica that has to start
	// over: see Cut.
	Load(ctx context.Context, emit func([]Record) error) (last, snapshot int64, err error)

	// ID names the log. All replicas get the same. A log that was restored from a
	// backup has another ID, because its numbers then stand for other lines.
	ID() string

	// Append adds a batch of bodies directly behind line number after. They get
	// the numbers from after+1 on. id names the batch: it is unique among all
	// appends of all replicas.
	//
	// When Append returns nil, the batch is durable on a quorum. It fails with
	// *Overtaken if the last line has another number than after, or with *Cut if the
	// log no longer holds what follows on after. If it fails with
	// ErrFull, ErrTooLarge, ErrReadOnly or ErrUnavailable, nothing of the batch is
	// in the log or ever will be. If an attempt may have been kept and ctx ends
	// before an answer, it fails with ErrUnanswered.
	//
	// Append sends an attempt without an answer again, as it is. It never changes
	// after, so at most one attempt is kept.
	Append(ctx context.Context, after int64, id string, now time.Time, batch [][]byte) error

	// Since calls each with batches that follow on line number after, in order and
	// without a gap. When it returns nil, each has had at least all that was kept
	// when Since was called. So Since is the barrier of a read: a quorum has
	// confirmed it. Since calls nothing if there is nothing. The batches of this
	// replica are among them. Since fails with *Cut.
	Since(ctx context.Context, after int64, each func([]Batch)) error

	// Follow calls each with what follows on line number after, as Since does, and
	// then with what is appended from now on, until ctx ends; then it returns
	// ctx's error. It retries for ever, and makes good by itself for whatever a
	// broken watch has missed. Follow fails with *Cut.
	Follow(ctx context.Context, after int64, each func([]Batch)) error

	// Engine returns what is known of the engine. It never waits.
	Engine() Engine

	// WantsSnapshot reports whether the log has grown so much since its snapshot
	// that Compact pays. It never waits.
	WantsSnapshot() bool

	// Compact keeps a snapshot of n lines, which must be the state after line
	// number at, and then removes what no replica needs any more. The lines of a
	// snapshot get the numbers up to at. They may include the latest events, so a
	// replica that loads the snapshot can resume a stream. Each line is valid only
	// until the next one is requested. Before the snapshot counts, Compact reads it
	// back and calls check with all of it, in order.
	//
	// Compact keeps the batches behind the snapshot before this one, so that a slow
	// replica needn't start over. It returns nil without doing anything if another
	// replica compacts, or has a newer snapshot. An error means that the log still has
	// all that it had, at worst more than it needs; the next Compact removes it.
	Compact(ctx context.Context, at int64, now time.Time, n int, snapshot iter.Seq[[]byte], check func([]Record) error) error

	// Begin makes a snapshot of n lines, of any size, the first content of an empty
	// log, in one step. The lines get the numbers 1 to n. Begin fails with
	// ErrNotEmpty if the log has any line. If it fails with ErrUnanswered, the
	// snapshot may be in the log.
	Begin(ctx context.Context, now time.Time, n int, snapshot iter.Seq[[]byte]) error
}
