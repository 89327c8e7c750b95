// Package history is the seam between the tables of package db and whatever
// keeps their changes: a file (package journal) or memory (here). It holds what
// both sides of the seam name: a Log, its records, and the errors of a write.
//
// A history is a sequence of lines. Each line has a number; numbers go up by
// one. Lines come in batches, and a batch is all there or not there at all.
// What a line says is the business of package db; a Log never looks into one.
package history

import (
	"errors"
	"fmt"
	"iter"
	"time"
)

// What a write can come to, other than success.
var (
	// ErrFull: the disk is full. Nothing was changed. Writes work again as soon
	// as there is room.
	ErrFull = errors.New("disk full")
	// ErrReadOnly: the log can't be written. Nothing was changed.
	ErrReadOnly = errors.New("store is read-only")
	// ErrOutcomeUnknown: the disk failed in a way that leaves open whether the
	// batch was kept. Only a restart can tell.
	ErrOutcomeUnknown = errors.New("outcome unknown until a restart")
)

// A Damage is a fault in a history that no crash explains. It stops the start:
// what follows the fault was acknowledged to a client.
type Damage struct {
	Line int // of the file, from 1
	What string
	Show string // the line and a caret below the fault, to go below the error; "" for none
}

func (d *Damage) Error() string { return fmt.Sprintf("line %d: %s", d.Line, d.What) }

// A Record is one line of a history.
type Record struct {
	Seq    int64
	Line   int    // its place in the file, from 1; 0 where there is no file
	Manual bool   // a person wrote or edited the line
	Body   []byte // the members of a JSON object, without its braces; not to be changed
}

// A Log keeps a history. Replay and Start are called once, in that order, before
// anything else. Append, AppendEnding, Compact, Check and Close are called one at a time; State
// may be called beside them.
type Log interface {
	// Replay calls emit with each batch that was kept, in order. The bodies
	// stay valid, the slice is emit's only until it returns. Replay fails with a
	// *Damage, with emit's error, or with what the medium said.
	Replay(emit func([]Record) error) error

	// Start prepares the log for the first Append, once all that Replay emitted
	// is accepted. What was emitted is durable afterwards.
	Start() error

	// Last is the number of the last line that Replay emitted, and up to which
	// number lines are a snapshot: what was alive when the log was compacted,
	// not what happened.
	Last() (seq, snapshot int64)

	// Append adds a batch of bodies behind the last line. Nil means that the
	// batch is durable. Otherwise Append fails with ErrFull or ErrReadOnly, and
	// nothing of the batch is there or ever will be, or with ErrOutcomeUnknown,
	// after which every further Append fails with ErrReadOnly.
	Append(now time.Time, batch [][]byte) error

	// AppendEnding is Append for a batch that only ends or takes away, such as a
	// sign-in. It may use room that the log keeps back for that, so that a full
	// disk keeps nothing alive that should end.
	AppendEnding(now time.Time, batch [][]byte) error

	// Compact begins to replace the lines so far by a snapshot of n lines, which
	// must be the state after the last Append. It returns a function that writes
	// the snapshot; that one may run beside Append. Each line of the snapshot is
	// good only until the next. Before the snapshot takes the place of the lines,
	// the log reads it back, and check is called with all of it, in order; an error
	// of check's is write's. When write fails, the log goes on with the lines that
	// it has.
	Compact(now time.Time, n int, check func([]Record) error) (write func(snapshot iter.Seq[[]byte]) error, err error)

	State() State

	// Check looks, as Append does, whether a batch could be written now.
	Check() error

	// Close gives the medium back. Every further Append fails with ErrReadOnly.
	Close() error
}

// A State is what a log tells of itself.
type State struct {
	Bytes  int64 // the size of the file
	Lines  int   // those alive, and those that later ones have overtaken
	Failed error // why nothing can be written until a restart; nil while writes work
}

// Memory is a Log that keeps nothing: its history ends with the process. The
// zero value is ready to use.
type Memory struct{ closed bool }

// Replay emits nothing: a history in memory begins empty.
func (m *Memory) Replay(func([]Record) error) error { return nil }

// Start does nothing.
func (m *Memory) Start() error { return nil }

// Last is 0: a history in memory begins empty.
func (m *Memory) Last() (seq, snapshot int64) { return 0, 0 }

// Append keeps nothing.
func (m *Memory) Append(time.Time, [][]byte) error {
	if m.closed {
		return fmt.Errorf("%w: closed", ErrReadOnly)
	}
	return nil
}

// AppendEnding keeps nothing.
func (m *Memory) AppendEnding(now time.Time, batch [][]byte) error { return m.Append(now, batch) }

// Compact does nothing: there are no lines to replace.
func (m *Memory) Compact(time.Time, int, func([]Record) error) (func(iter.Seq[[]byte]) error, error) {
	return func(iter.Seq[[]byte]) error { return nil }, nil
}

// State is always the zero State.
func (m *Memory) State() State { return State{} }

// Check never fails.
func (m *Memory) Check() error { return nil }

// Close has every further Append refused.
func (m *Memory) Close() error {
	m.closed = true
	return nil
}
