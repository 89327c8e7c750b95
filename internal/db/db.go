// Package db keeps tables of rows in memory, and every change to them in a log
// (package history). The log is the source of truth: at start, the DB reads it
// and applies every line again, with the code that applied it first.
//
// A table is declared once, before the log is opened: the name of its rows, the
// row type, indexes ([NewUnique], [NewMulti]), references to other tables
// ([Reference]), and which of its changes are events. Replay, group commit,
// snapshots, export and import follow from the declaration.
//
//	d := db.New(db.Options{Now: time.Now})
//	books := db.Add(d, db.Schema[*book]{Name: "book", Plural: "books", ID: (*book).id})
//	byTitle := db.NewUnique(books, "title", (*book).title)
//	if err := d.Open(log); err != nil { … }
//
// Changes are made by rules, functions over a transaction:
//
//	err := d.Update(func(tx *db.Tx) error {
//		if _, taken := byTitle.Find(tx, b.Title); taken {
//			return errTitleTaken
//		}
//		b.ID = books.NewID(tx)
//		books.Put(tx, b)
//		return nil
//	})
//
// A change is pending as soon as its rules return. Later rules see it; readers
// do not. The change is committed once its batch is durable in the log. Then
// readers see it, and Update returns. If the log rejects the batch, the DB
// drops its changes and all changes that are still pending. No reader has seen
// them. Changes that become pending while a batch is being written share the
// next batch and its one fsync. This is group commit.
//
// A row in a table never changes. An update replaces the row by a new one. A
// reader may therefore keep a row without holding a lock.
package db

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"example.com/shelf/internal/history"
)

// Options are the settings of a DB.
type Options struct {
	Log *slog.Logger     // gets an error when the log becomes read-only; nil: discard
	Now func() time.Time // the clock, for the timestamps of log lines
	// Tidy runs before each compaction, to delete rows that are no longer
	// needed. It may call Update. Nil: no such rows.
	Tidy func() error
	// MaxStale is how old the last barrier may be for Fresh to do without one, with
	// OpenShared. 0: each call of Fresh waits for a barrier that begins after it.
	MaxStale time.Duration
	// Progress is told of long exports, imports, large batches and compactions.
	Progress history.Progress

	imported func(change) error // gets each imported row: see Intake
}

// A DB is a set of tables and the log of their changes. Once Open has returned,
// any goroutine may call its methods.
type DB struct {
	opt Options
	run string

	// writing is held while the log is used. Lock order: writing before mu.
	writing sync.Mutex
	hist    history.Log
	broken  error // a panic that left log and memory out of step; no more writes until a restart

	shared   *replica      // nil unless other replicas append to the log too: see shared.go
	numbered bool          // Table.Changes is the number of the last change: with OpenShared
	ended    chan struct{} // see Ended

	appended, checked func(took time.Duration, err error) // see Observe
	judgesTwice       bool                                // see JudgeTwice
	many              int                                 // manyChanges; tests set it lower

	compacting sync.WaitGroup // the compaction in the background

	mu     sync.RWMutex // guards all fields below and all tables; not held while the log writes
	tables []table
	next   *batch // changes that the next write takes; nil if there are none
	flying *batch // what is being written; nil if nothing is
	reader Tx     // the transaction of every View

	compactRunning bool // a compaction is running
	closing        bool // Close was called; start no compaction
	// compactFrom is the number of lines at which to retry after a failed
	// compaction.
	compactFrom int

	state  history.State // of the log, after the last write
	seq    int64         // sequence number of the last committed change
	now    int64         // sequence number of the change that is being committed
	events ring

	provisional []func() (restore func()) // see Provisional
	forget      []func()                  // restores what Provisional keeps, as it was when the DB was opened
}

// New makes a DB without tables.
func New(opt Options) *DB {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	d := &DB{opt: opt, run: rand.Text(), many: manyChanges, hist: new(history.Memory), events: ring{more: make(chan struct{})}}
	d.reader.db, d.ended = d, make(chan struct{})
	d.Observe(func(time.Duration, error) {}, func(time.Duration, error) {})
	return d
}

// Rehearsal returns the options of a DB in memory that tries what d may refuse.
func (d *DB) Rehearsal() Options {
	return Options{Now: d.opt.Now, Progress: d.opt.Progress}
}

// Run is random for each DB. Run and a table's number of changes together
// identify one version of the table: they are the ETag of lists. With OpenShared,
// Run is the ID of the log, so all replicas give the same ETag.
func (d *DB) Run() string { return d.run }

// Open replays log and then appends to it until Close, which also closes log.
// If Open fails, the caller still has to close log. Open fails with a
// *history.Damage, or with an error of the log.
func (d *DB) Open(log history.Log) error {
	if _, err := d.Read(log.Replay); err != nil {
		return err
	}
	if err := log.Start(); err != nil {
		return err
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hist = log
	d.loadedLocked()
	d.compactIfWorthLocked()
	return nil
}

// loadedLocked notes what Read has read from the log.
func (d *DB) loadedLocked() {
	var snapshot int64
	d.seq, snapshot = d.hist.Last()
	d.events.loaded(snapshot)
	d.noteLogLocked()
}

// Close waits for the write in progress and closes the log. Later writes fail
// with history.ErrReadOnly.
func (d *DB) Close() error {
	d.mu.Lock()
	d.closing = true
	d.mu.Unlock()
	if d.shared != nil {
		return d.shared.close()
	}
	d.compacting.Wait()
	d.writing.Lock()
	defer d.writing.Unlock()
	return d.hist.Close()
}

// A Tx is a transaction, through which rules and readers see the tables. It is
// valid only until the function that received it returns.
type Tx struct {
	db            *DB
	allowWhenFull bool
	seesPending   bool // true in Update, whose rules see pending rows; false in View
	changes       []change
}

// View calls read with the committed rows, all as of one moment. While read
// runs no change can be committed, so read should be short.
func (d *DB) View(read func(*Tx)) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	read(&d.reader)
}

// Update makes all changes. It calls rules with the lock held. The rules see
// committed and pending rows, check their conditions, and change rows through
// tx. If rules return an error, Update changes nothing and returns that error.
// Otherwise the changes are one unit: Update returns nil once all of them are
// durable and committed. If the log fails, Update returns its error and nothing
// has changed, except after history.ErrOutcomeUnknown.
//
// Rules may make no changes because a row already has the wanted value. That
// value may itself be pending, so Update waits for the batch anyway. Rules may
// also return an error because of a pending row. Then Update waits as well, and
// runs the rules again if the log rejects that row.
//
// Changes stand in the log in the order in which their rules ran.
func (d *DB) Update(rules func(*Tx) error) error {
	if d.shared != nil {
		return d.shared.update(rules)
	}
	for {
		tx := &Tx{db: d, seesPending: true}
		b, first, refusal := d.decide(tx, rules)
		if b == nil {
			return refusal
		}
		if first {
			d.sync(b)
		}
		<-b.done
		switch {
		case refusal != nil && b.err != nil:
			continue // what the rules saw was dropped
		case refusal != nil:
			return refusal
		case tx.allowWhenFull && errors.Is(b.err, history.ErrFull):
			return d.updateEnding(rules)
		}
		return b.err
	}
}

// AllowWhenFull lets the changes through on a full disk. It is for changes that only
// delete or end something, as a log-out does. If the disk is full, Update calls the
// rules once more and writes their changes to the space that the log reserves for
// this.
func (tx *Tx) AllowWhenFull() { tx.allowWhenFull = true }

// updateEnding is Update for such rules on a full disk. Their batch holds their
// changes only; other pending changes are dropped with history.ErrFull.
func (d *DB) updateEnding(rules func(*Tx) error) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	b, err := d.decideAlone(rules)
	if err != nil {
		return err
	}
	d.finish(b, d.write(b.changes, d.hist.AppendEnding))
	return b.err
}

func (d *DB) decideAlone(rules func(*Tx) error) (*batch, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b := d.next; b != nil {
		d.next = nil
		d.dropLocked(b, history.ErrFull)
	}
	b, _, err := d.decideLocked(&Tx{db: d, seesPending: true}, rules)
	d.next, d.flying = nil, b
	return b, err
}

func (d *DB) decide(tx *Tx, rules func(*Tx) error) (b *batch, first bool, refusal error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b, first, refusal = d.decideLocked(tx, rules); refusal != nil && d.pendingLocked() {
		b, first = d.addToBatchLocked(nil)
	}
	return b, first, refusal
}

// pendingLocked reports whether changes of rows are pending.
func (d *DB) pendingLocked() bool {
	return slices.ContainsFunc(d.tables, func(t table) bool { return t.HasPending(nil) })
}

// decideLocked runs the rules. If they fail or panic, it rolls their changes
// back, so that one bad request can't damage the store.
func (d *DB) decideLocked(tx *Tx, rules func(*Tx) error) (b *batch, first bool, refusal error) {
	done := false
	defer func() {
		if !done {
			tx.rollBack()
		}
	}()
	if err := d.judge(tx, rules); err != nil {
		return nil, false, err
	}
	done = true
	b, first = d.addToBatchLocked(tx.changes)
	return b, first, nil
}

// rollBack undoes the changes of tx.
func (tx *Tx) rollBack() {
	for _, c := range slices.Backward(tx.changes) {
		if c.table != nil {
			c.table.undo(c)
		}
	}
}

// Empty reports whether no table has ever held a row.
func (tx *Tx) Empty() bool {
	for _, t := range tx.db.tables {
		if t.kept() > 0 || tx.seesPending && t.HasPending(tx) {
			return false
		}
	}
	return true
}

// A batch is the changes that share one write and one fsync.
type batch struct {
	changes []change
	callers int           // of Update, that wait for it
	done    chan struct{} // closed once the outcome is known
	err     error         // the outcome; read it after done is closed
}

// addToBatchLocked adds changes to the next batch. The caller that opens a
// batch (first) also writes it, for all callers that add to it until then.
func (d *DB) addToBatchLocked(changes []change) (b *batch, first bool) {
	if d.next == nil {
		d.next, first = &batch{done: make(chan struct{})}, true
	}
	d.next.changes = append(d.next.changes, changes...)
	d.next.callers++
	return d.next, first
}

// sync writes b, commits it, and wakes its callers. While an earlier batch is
// being written, sync waits and b collects more changes.
func (d *DB) sync(b *batch) {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.Lock()
	if d.next != b { // dropped because the batch before it failed
		d.mu.Unlock()
		return
	}
	d.next, d.flying = nil, b
	d.mu.Unlock()

	if len(b.changes) >= d.many {
		d.finish(b, d.writeLong(b.changes))
		return
	}
	d.finish(b, d.write(b.changes, d.hist.Append))
}

// finish commits b, or drops it if err says that the write failed. Then it
// wakes the callers that wait for b.
func (d *DB) finish(b *batch, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flying = nil
	if err == nil {
		// b is durable. If the tables can't follow, only a restart can repair
		// them.
		err = d.protectOrBreak("committing a batch", func() error { d.commitBatchLocked(b); return nil })
	}
	d.noteLogLocked()
	if err != nil {
		d.dropLocked(b, err)
		return
	}
	close(b.done)
	d.events.wake()
	d.compactIfWorthLocked()
}

// commitBatchLocked makes a durable batch visible to readers.
func (d *DB) commitBatchLocked(b *batch) {
	for _, c := range b.changes {
		d.commitLocked(d.seq+1, c) // the log numbers its lines in the same way
		c.unpend()
	}
	if len(b.changes) >= d.many {
		for _, t := range d.tables {
			t.freePending()
		}
	}
}

// A panicked is a recovered panic, as an error.
type panicked struct {
	doing string
	value any
	stack []byte
}

func (p *panicked) Error() string {
	return fmt.Sprintf("panic while %s: %v\n%s", p.doing, p.value, p.stack)
}

// protect calls f and returns its panic as an error.
func protect(doing string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{doing, v, debug.Stack()}
		}
	}()
	return f()
}

// protectOrBreak is protect for calls whose outcome is unknown after a panic.
// After such a panic all writes fail until a restart.
func (d *DB) protectOrBreak(doing string, f func() error) error {
	err := protect(doing, f)
	if p, ok := errors.AsType[*panicked](err); ok {
		d.broken = p
		return fmt.Errorf("%w: %w", history.ErrOutcomeUnknown, p)
	}
	return err
}

// dropLocked drops b and the batch after it, whose rules may have relied on b.
// No reader has seen either.
func (d *DB) dropLocked(b *batch, err error) {
	b.err = err
	close(b.done)
	if next := d.next; next != nil {
		next.err = err
		if errors.Is(err, history.ErrOutcomeUnknown) {
			next.err = fmt.Errorf("%w: the write before failed", history.ErrReadOnly) // the log never saw it
		}
		close(next.done)
		d.next = nil
	}
	for _, t := range d.tables {
		t.dropPending()
	}
}

// noteLogLocked copies the state of the log for State, and logs once that
// writes no longer work. The caller holds d.writing too, except with OpenShared.
func (d *DB) noteLogLocked() {
	var state history.State
	if d.shared != nil {
		state = d.shared.stateLocked()
	} else if state = d.hist.State(); state.Failed == nil && d.broken != nil {
		state.Failed = d.broken
	}
	if state.Failed != nil && d.state.Failed == nil && !d.closing {
		d.opt.Log.Error("the store is read-only until a restart", "error", state.Failed)
	}
	d.state = state
}

// State is the state of the log after the last write.
func (d *DB) State() history.State {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.state
}

// Writable returns nil, or the reason why the next write would most likely
// fail. It never waits: if a write is in progress, Writable reports the result
// of the write before; otherwise it asks the log.
func (d *DB) Writable() error {
	if d.shared != nil {
		return d.shared.writable()
	}
	if d.writing.TryLock() {
		defer d.writing.Unlock()
		err := d.hist.Check()
		if err == nil {
			err = d.broken
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.noteLogLocked()
		return err
	}
	return d.State().Failed
}

func (d *DB) rowsLocked() (n int) {
	for _, t := range d.tables {
		n += t.len()
	}
	return n
}
