// Package history is the interface between the tables of package db and the log
// of their changes: a file (package journal), memory (here), or a log that several
// programs share. It defines what both sides use: Log, Shared, their records, and
// the errors of a write.
//
// A history is a sequence of lines, numbered without gaps. Lines come in
// batches, and a batch is in the history as a whole or not at all. Only package
// db reads the content of a line; a log doesn't.
package history

import (
	"errors"
	"fmt"
	"iter"
	"time"
)

// Errors of a write.
var (
	// ErrFull means that the disk is full. Nothing has changed. Writes work
	// again once there is room.
	ErrFull = errors.New("disk full")
	// ErrReadOnly means that the log can't be written. Nothing has changed.
	ErrReadOnly = errors.New("store is read-only")
	// ErrOutcomeUnknown means that the disk failed and the batch may or may not
	// be durable. Only a restart can tell.
	ErrOutcomeUnknown = errors.New("outcome unknown until a restart")
)

// A Damage is a fault in a history that a crash can't cause. It stops the
// start, because the lines after it were acknowledged to clients.
type Damage struct {
	Line int // in the file, from 1; 0: What says where
	What string
	Show string // the line, and a caret below the fault, to print below the error; may be ""
}

func (d *Damage) Error() string {
	if d.Line == 0 {
		return d.What
	}
	return fmt.Sprintf("line %d: %s", d.Line, d.What)
}

// A Record is one line of a history.
type Record struct {
	Seq    int64
	Line   int    // position in the file, from 1; 0 in a log without a file
	Manual bool   // a person wrote or edited the line
	Body   []byte // members of a JSON object, without its braces; don't modify
}

// A Keeper is what every kind of log can do.
type Keeper interface {
	// Need makes the log say that a reader needs the version of the format. A
	// program that reads only lower versions then rejects the log with one clear
	// error. Need is called before the first line that needs the version. It
	// does nothing if the log says so already. If it fails with ErrFull,
	// ErrReadOnly or, in a Shared, ErrUnavailable, nothing that matters has changed.
	Need(version int) error

	// State returns the state after the last completed call. It never waits.
	State() State

	// Check returns the error that an append would most likely return now, or
	// nil. It never waits.
	Check() error

	// Close releases the log. Every later append fails with ErrReadOnly.
	Close() error
}

// A Log is a history that one program at a time appends to. Replay and then Start are
// called before all other methods. Replay may be called again later. Need, Append,
// AppendLong, AppendEnding, Compact, Check and Close are called one at a time. State may
// be called at any time.
type Log interface {
	Keeper

	// Replay calls emit with the lines of each batch in the log, in order. A long
	// batch comes in several calls. The slice and the bodies are valid only until
	// emit returns. Replay fails with a *Damage, with emit's error, or with an
	// error of the disk.
	Replay(emit func([]Record) error) error

	// Start prepares the log for the first Append, after the caller has
	// accepted the lines from Replay. After Start these lines are durable.
	Start() error

	// Last returns the number of the last line that Replay emitted, and the
	// number up to which lines are a snapshot. A snapshot is the rows at the
	// last compaction, not events.
	Last() (seq, snapshot int64)

	// Append adds a batch of bodies. When it returns nil, the batch is durable.
	// If it fails with ErrFull or ErrReadOnly, nothing of the batch is in the
	// log or ever will be. If it fails with ErrOutcomeUnknown, every later
	// Append fails with ErrReadOnly.
	Append(now time.Time, batch [][]byte) error

	// AppendLong is Append for a batch of n bodies that may take more memory than
	// there is. lines calls add with each body, which is valid until add returns. If
	// add fails, lines returns its error. If lines fails, nothing of the batch is in
	// the log, and AppendLong returns that error.
	AppendLong(now time.Time, n int, lines func(add func(body []byte) error) error) error

	// AppendEnding is Append for a batch that only ends or deletes something,
	// such as a sign-in. It may use space that the log reserves for this, so
	// that a log-out works on a full disk.
	AppendEnding(now time.Time, batch [][]byte) error

	// Compact begins to replace all lines by a snapshot of n lines, which must
	// be the state after the last Append. It returns a function that writes the
	// snapshot. That function may run while Append is called. Each line of the
	// snapshot is valid only until the next one is requested. Before the
	// snapshot replaces the old lines, the log reads it back and calls check
	// with all of it, in order. If check or another step fails, write returns
	// the error, and the old lines stay in use.
	Compact(now time.Time, n int, check func([]Record) error) (write func(snapshot iter.Seq[[]byte]) error, err error)
}

// A State describes a log.
type State struct {
	Bytes  int64 // size of the file
	Lines  int   // number of lines, outdated ones included
	Failed error // why nothing can be written until a restart; nil while writes work
}

// Memory is a Log without a file: its history is lost when the process ends.
// The zero value is ready to use.
type Memory struct{ closed bool }

// Replay emits nothing.
func (m *Memory) Replay(func([]Record) error) error { return nil }

// Start does nothing.
func (m *Memory) Start() error { return nil }

// Last returns 0.
func (m *Memory) Last() (seq, snapshot int64) { return 0, 0 }

// Need does nothing.
func (m *Memory) Need(int) error { return nil }

// Append discards the batch.
func (m *Memory) Append(time.Time, [][]byte) error {
	if m.closed {
		return fmt.Errorf("%w: closed", ErrReadOnly)
	}
	return nil
}

// AppendLong discards the batch.
func (m *Memory) AppendLong(now time.Time, _ int, lines func(add func([]byte) error) error) error {
	if err := m.Append(now, nil); err != nil {
		return err
	}
	return lines(func([]byte) error { return nil })
}

// AppendEnding discards the batch.
func (m *Memory) AppendEnding(now time.Time, batch [][]byte) error { return m.Append(now, batch) }

// Compact does nothing.
func (m *Memory) Compact(time.Time, int, func([]Record) error) (func(iter.Seq[[]byte]) error, error) {
	return func(iter.Seq[[]byte]) error { return nil }, nil
}

// State returns a zero State.
func (m *Memory) State() State { return State{} }

// Check always returns nil.
func (m *Memory) Check() error { return nil }

// Close makes every later Append fail.
func (m *Memory) Close() error {
	m.closed = true
	return nil
}
