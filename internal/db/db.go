// Package db keeps tables of rows in memory, and every change to them in a log
// (package history). The log is the truth: a start reads it and applies all of
// it again, by the same code.
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
// A change goes through three states. It is pending from the moment that its
// rules return: later rules see it, readers do not. It is committed once its
// batch is durable: readers see it, and only then does Update return. If the log
// refuses the batch, the change and everything that was decided after it is
// dropped, and nobody has seen it. All changes that become pending while a batch
// is being written share the next batch, and one fsync: that is group commit.
//
// A row never changes once the table has it: a change puts a new row in its
// place. So a reader may keep a row without a lock.
package db

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/term"
)

// Options are what a DB needs from outside.
type Options struct {
	Log *slog.Logger     // told of a log that can no longer be written; nil: nobody is
	Now func() time.Time // the time that lines of the log bear
	// Tidy is called before a compaction, to delete rows that nobody misses; nil
	// for none. It may call Update.
	Tidy func() error
}

// A DB is tables and the log of their changes. Its methods may be called at any
// time from any goroutine, once Open has returned.
type DB struct {
	opt Options
	run string

	// writing is held while the log is used. It is taken before mu, never while
	// mu is held.
	writing sync.Mutex
	hist    history.Log
	broken  error // why nothing can be written any more, though the log could

	compacting sync.WaitGroup // a compaction that runs beside everything else

	mu      sync.RWMutex // guards what follows and all tables; never held while the log works
	tables  []table
	joining *batch // pending, and not yet being written; nil if no change is
	reader  Tx     // what View hands out

	compacts bool // a compaction runs
	closing  bool // none may begin any more
	// compactFrom is the number of lines at which to try again, after a
	// compaction that failed.
	compactFrom int

	state  history.State // of the log, as far as the last write found it
	seq    int64         // of the last committed change
	events ring
}

// New makes a DB without tables.
func New(opt Options) *DB {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	d := &DB{opt: opt, run: rand.Text(), hist: new(history.Memory), events: ring{more: make(chan struct{})}}
	d.reader.db = d
	return d
}

// Run is random for each DB. Run and a table's number of changes together
// identify one version of the table: they are the ETag of lists.
func (d *DB) Run() string { return d.run }

// Open replays the log and goes on with it until Close, which closes the log too.
// When Open fails, the log stays the caller's to close. It fails with a
// *history.Damage, or as the log does.
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
	var snapshot int64
	d.hist = log
	d.seq, snapshot = log.Last()
	d.events.gone = max(d.events.gone, snapshot) // a snapshot's lines are not what happened
	d.noteLogLocked()
	d.compactIfWorthLocked()
	return nil
}

// Close waits for what is being written and closes the log. Whoever writes
// afterwards gets history.ErrReadOnly.
func (d *DB) Close() error {
	d.mu.Lock()
	d.closing = true
	d.mu.Unlock()
	d.compacting.Wait()
	d.writing.Lock()
	defer d.writing.Unlock()
	return d.hist.Close()
}

// A Tx is a transaction: what rules and readers see the tables through. It is
// good only until the function that it was given to returns.
type Tx struct {
	db      *DB
	ends    bool
	writes  bool // the rules of an Update see pending rows; the reader of a View does not
	changes []change
}

// View calls read with what is committed. All that read sees is of one moment.
// It should be short: no change is committed meanwhile.
func (d *DB) View(read func(*Tx)) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	read(&d.reader)
}

// Update is how anything changes. It calls rules with the lock held. Rules see
// what is committed and what is pending, check, and change rows through tx; when
// they return an error, Update returns it and nothing has changed. Otherwise
// their changes are one unit: Update returns nil once they are durable and
// committed, or the log's error, and then nothing has changed either (but for
// history.ErrOutcomeUnknown).
//
// Rules may change nothing, because a row already has the wanted value. That
// value may itself be pending, and refused later, so Update waits all the same.
//
// The order of the lines in the log is the order in which rules ran.
func (d *DB) Update(rules func(*Tx) error) error {
	tx := &Tx{db: d, writes: true}
	b, first, err := d.decide(tx, rules)
	if err != nil {
		return err
	}
	if first {
		d.sync(b)
	}
	<-b.done
	if tx.ends && errors.Is(b.err, history.ErrFull) {
		return d.end(rules)
	}
	return b.err
}

// Ends says that the rules' changes only end something or take it away, as a
// log-out does. When the disk is full, rules that said so are called once more, and
// their changes go into the room that the log keeps back for that.
func (tx *Tx) Ends() { tx.ends = true }

// end is Update for rules that end something, on a full disk. What else is pending
// has no place in their batch, and in no other.
func (d *DB) end(rules func(*Tx) error) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	b, err := d.decideAlone(rules)
	if err != nil {
		return err
	}
	d.finish(b, d.write(b, d.hist.AppendEnding))
	return b.err
}

func (d *DB) decideAlone(rules func(*Tx) error) (*batch, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b := d.joining; b != nil {
		d.joining = nil
		d.dropLocked(b, history.ErrFull)
	}
	b, _, err := d.decideLocked(&Tx{db: d, writes: true}, rules)
	d.joining = nil
	return b, err
}

func (d *DB) decide(tx *Tx, rules func(*Tx) error) (b *batch, first bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.decideLocked(tx, rules)
}

// decideLocked runs the rules, and takes back what they did if they fail or panic:
// a request must not take the whole store with it.
func (d *DB) decideLocked(tx *Tx, rules func(*Tx) error) (b *batch, first bool, err error) {
	done := false
	defer func() {
		if !done {
			tx.rollBack()
		}
	}()
	if err := rules(tx); err != nil {
		return nil, false, err
	}
	done = true
	b, first = d.joinLocked(tx.changes)
	return b, first, nil
}

// rollBack takes the changes of tx back.
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
		if t.last() > 0 {
			return false
		}
	}
	return true
}

// A batch is the changes that share one write and one fsync.
type batch struct {
	changes []change
	done    chan struct{} // closed when the outcome is known
	err     error         // to be read after that
}

// joinLocked adds changes to the batch that is written next. Whoever is first in
// a batch writes it, for all that join until then.
func (d *DB) joinLocked(changes []change) (b *batch, first bool) {
	if d.joining == nil {
		d.joining, first = &batch{done: make(chan struct{})}, true
	}
	d.joining.changes = append(d.joining.changes, changes...)
	return d.joining, first
}

// sync writes b, commits it, and tells those who wait for it. While the batch
// before b is being written, sync waits, and more changes join b.
func (d *DB) sync(b *batch) {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.Lock()
	if d.joining != b { // dropped together with the batch before it
		d.mu.Unlock()
		return
	}
	d.joining = nil
	d.mu.Unlock()

	d.finish(b, d.write(b, d.hist.Append))
}

// finish commits b, or drops it if writing it has failed with err, and tells those
// who wait for it.
func (d *DB) finish(b *batch, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		// All of it is durable. If memory can't follow, only a restart can.
		err = d.orBreak("committing a batch", func() error { d.commitBatchLocked(b); return nil })
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

// write appends b to the log by appendTo. A panic while b is encoded refuses b, and nothing
// else: nothing was written.
func (d *DB) write(b *batch, appendTo func(time.Time, [][]byte) error) error {
	if d.broken != nil {
		return fmt.Errorf("%w: %v", history.ErrReadOnly, d.broken)
	}
	if len(b.changes) == 0 {
		return nil
	}
	var lines [][]byte
	if err := protect("encoding a change", func() (err error) { lines, err = encodeLines(b.changes); return err }); err != nil {
		return err
	}
	return d.orBreak("writing a batch", func() error { return appendTo(d.opt.Now(), lines) })
}

// commitBatchLocked makes a durable batch part of what readers see.
func (d *DB) commitBatchLocked(b *batch) {
	for _, c := range b.changes {
		d.commitLocked(d.seq+1, c) // the number that the log gave its line
		c.settle()
	}
}

// A panicked is a panic as an error.
type panicked struct {
	doing string
	value any
	stack []byte
}

func (p *panicked) Error() string {
	return fmt.Sprintf("panic while %s: %v\n%s", p.doing, p.value, p.stack)
}

// protect calls f, and returns its panic as an error.
func protect(doing string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{doing, v, debug.Stack()}
		}
	}()
	return f()
}

// orBreak is protect where a panic leaves open what was done. From then on nothing
// can be written until a restart.
func (d *DB) orBreak(doing string, f func() error) error {
	err := protect(doing, f)
	if p, ok := errors.AsType[*panicked](err); ok {
		d.broken = p
		return fmt.Errorf("%w: %w", history.ErrOutcomeUnknown, p)
	}
	return err
}

// dropLocked gives up b and everything that was decided after it, and so perhaps
// because of it. No reader has seen any of it.
func (d *DB) dropLocked(b *batch, err error) {
	b.err = err
	close(b.done)
	if next := d.joining; next != nil {
		next.err = err
		if errors.Is(err, history.ErrOutcomeUnknown) {
			next.err = fmt.Errorf("%w: the write before failed", history.ErrReadOnly) // it never reached the log
		}
		close(next.done)
		d.joining = nil
	}
	for _, t := range d.tables {
		t.dropPending()
	}
}

// noteLogLocked keeps what others than the log's user are told of it. The caller
// holds the log too. It tells once that no write can work any more.
func (d *DB) noteLogLocked() {
	state := d.hist.State()
	if state.Failed == nil && d.broken != nil {
		state.Failed = d.broken
	}
	if state.Failed != nil && d.state.Failed == nil && !d.closing {
		d.opt.Log.Error("the store is read-only until a restart", "error", state.Failed)
	}
	d.state = state
}

// State is that of the log after the last write.
func (d *DB) State() history.State {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.state
}

// Writable returns nil, or why the next write would most likely be refused. It
// waits for no write: while one is under way, Writable says what the one before
// found out; else it looks as a write does.
func (d *DB) Writable() error {
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

// A Count is how many rows of a table are committed, and how many changes to it are
// pending.
type Count struct {
	Name, Plural  string // as in its Schema
	Rows, Pending int
}

// Counts are those of all tables, in the order of their declaration.
func (d *DB) Counts() Counts {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var counts Counts
	for _, t := range d.tables {
		counts = append(counts, Count{t.name(), t.plural(), t.len(), t.waiting()})
	}
	return counts
}

// Counts are those of several tables.
type Counts []Count

// Rows is how many rows there are in all.
func (c Counts) Rows() (n int) {
	for _, of := range c {
		n += of.Rows
	}
	return n
}

// Words says how many rows there are of each kind but those: "1 note, 2 tags".
func (c Counts) Words(but ...string) string {
	var kinds []string
	for _, of := range c {
		if !slices.Contains(but, of.Name) {
			kinds = append(kinds, term.Count(of.Rows, of.Name))
		}
	}
	return strings.Join(kinds, ", ")
}

func (d *DB) rowsLocked() (n int) {
	for _, t := range d.tables {
		n += t.len()
	}
	return n
}
