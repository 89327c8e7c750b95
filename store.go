package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/strictjson"
)

// What the rules of the store refuse.
var (
	errUserExists = errors.New("e-mail or username taken")
	errNoUser     = errors.New("no such user")
	errDisabled   = errors.New("account disabled")
	errNotAdmin   = errors.New("no admin, or no longer")
	errLastAdmin  = errors.New("the last admin")
	errNoToken    = errors.New("no such token")
	errTokenEnded = errors.New("token ended by something else than its owner's revoking it")
	errNoItem     = errors.New("no such item")
	errNoBook     = errors.New("no such book")
	errTitleTaken = errors.New("title taken")
	errNotOwner   = errors.New("made by somebody else")
	errStaleHash  = errors.New("password changed meanwhile")
)

// A change is one line of the journal: a row as it is from now on, or one that
// goes.
type change struct {
	Op    string       `json:"op"` // opPut, opDelete or opNext
	User  *user        `json:"user,omitempty"`
	Token *tokenRecord `json:"token,omitempty"`
	Item  *item        `json:"item,omitempty"`
	Book  *book        `json:"book,omitempty"`
	Kind  string       `json:"kind,omitempty"` // of the row that goes: user, token, item or book
	ID    int          `json:"id,omitempty"`   // of the row that goes
	Next  *lastIDs     `json:"last_ids,omitempty"`
}

const (
	opPut    = "put"
	opDelete = "delete"
	opNext   = "ids" // compaction keeps the ids of what has gone from being used again
)

// row names the row that c is about; it has none if c only tells last ids.
func (c change) row() (kind string, id int) {
	switch {
	case c.User != nil:
		return "user", c.User.ID
	case c.Token != nil:
		return "token", c.Token.ID
	case c.Item != nil:
		return "item", c.Item.ID
	case c.Book != nil:
		return "book", c.Book.ID
	}
	return c.Kind, c.ID
}

// lastIDs are the highest ids ever given out.
type lastIDs struct {
	User  int `json:"user"`
	Token int `json:"token"`
	Item  int `json:"item"`
	Book  int `json:"book"`
}

// A table is the rows of one kind: those that are synced, which is what readers
// see, and over them those that wait for the disk, which the rules see too. A
// row is never changed once the store has it: a change puts a new row in the
// old one's place, so a reader may keep one without a lock. The zero R is no row.
type table[R any] struct {
	rows    sorted[R]
	waiting map[int]waitingRow[R]
	lastID  int // the highest id given out; never taken back
	changes int // how often rows has changed since the start
}

// A waitingRow is a row as it will be once all changes to it that wait are
// synced; the zero R if it goes.
type waitingRow[R any] struct {
	row     R
	changes int
}

// next gives out an id.
func (t *table[R]) next() int { t.lastID++; return t.lastID }

// latest is the row as it will be once everything that waits is synced, the
// zero R if there is none.
func (t *table[R]) latest(id int) R {
	if w, ok := t.waiting[id]; ok {
		return w.row
	}
	row, _ := t.rows.get(id)
	return row
}

// wait lets the rules see a row that is to be. Each call is followed by one of
// settle, when the change is visible, or all are dropped.
func (t *table[R]) wait(id int, row R) {
	if t.waiting == nil {
		t.waiting = map[int]waitingRow[R]{}
	}
	t.waiting[id] = waitingRow[R]{row, t.waiting[id].changes + 1}
}

func (t *table[R]) settle(id int) {
	w := t.waiting[id]
	if w.changes--; w.changes == 0 {
		delete(t.waiting, id)
		return
	}
	t.waiting[id] = w // a later change to it waits already
}

// put makes a row visible.
func (t *table[R]) put(id int, row R) {
	t.changes++
	t.rows.put(id, row)
	t.lastID = max(t.lastID, id)
}

func (t *table[R]) delete(id int) {
	t.changes++
	t.rows.remove(id)
}

// A store is the whole state of shelf. All methods may be called at any time from
// any goroutine, but those named …Locked, whose callers hold mu, and those of
// replay.go, for a store that nobody else has yet. One that changes something
// returns nil only when the change is on disk, and only then does anybody see it;
// when it returns an error nothing has changed, but for errOutcomeUnknown.
type store struct {
	log *slog.Logger
	now func() time.Time
	// run is another one at every start. The tables count their changes from
	// there; together the two name a state of a table that never comes back,
	// whatever was compacted, edited or restored from a copy meanwhile.
	run string

	// writing is held by whoever uses the journal. It is taken before mu,
	// never while mu is held.
	writing sync.Mutex
	journal *journal // nil: everything is kept in memory only

	compacting sync.WaitGroup // a compaction that runs beside everything else

	mu         sync.RWMutex // guards all that follows; never held while the disk works
	users      table[*user]
	byEmail    map[string]*user // by emailKey
	byUsername map[string]*user
	byPublicID map[string]*user
	tokens     table[*tokenRecord]
	byJTI      map[string]*tokenRecord
	tokensOf   map[int][]int // by user: ids, ascending
	items      table[storedItem]
	itemsOf    itemIndex[int]    // by user, 0 for those made by nobody
	itemsIn    itemIndex[string] // by category
	books      table[*book]
	byTitle    map[string]*book
	joining    *batch // not yet being written; nil if no change waits
	compacts   bool   // a compaction runs
	closing    bool   // none is to begin any more
	// compactFrom is the number of lines at which to try again, after a
	// compaction that failed.
	compactFrom int

	journalBytes int64 // what noteJournalLocked found: the file's size,
	readOnly     error // and why nothing can be written any more, nil while it can

	seq    int64     // of the last change that is visible
	events eventRing // what happened to items and books, for those who follow
}

// A batch is the changes that share one write and one fsync.
type batch struct {
	changes []change
	done    chan struct{} // closed when the outcome is known
	err     error         // to be read after that
}

func newStore(log *slog.Logger, now func() time.Time) *store {
	return &store{
		log: log, now: now, run: rand.Text(),
		byEmail: map[string]*user{}, byUsername: map[string]*user{}, byPublicID: map[string]*user{},
		byJTI: map[string]*tokenRecord{}, tokensOf: map[int][]int{},
		itemsOf: itemIndex[int]{}, itemsIn: itemIndex[string]{}, byTitle: map[string]*book{},
		events: eventRing{more: make(chan struct{})},
	}
}

// openStore opens the data file at path, creating it if there is none, and
// holds it until close. It fails with one clear line.
func openStore(d disk, path string, log *slog.Logger, now func() time.Time) (*store, error) {
	s := newStore(log, now)
	r := newReplay(s)
	j, err := openJournal(d, path, r.emit)
	if err = r.finish(err); err == nil {
		err = j.ready()
	}
	if err != nil {
		if j != nil {
			j.close()
		}
		return nil, explainOpen(path, err)
	}
	s.journal = j
	s.seq, s.events.gone = j.seq, max(s.events.gone, j.scan.Snapshot) // a snapshot's lines are not what happened
	if n := j.scan.refused; n > 0 {
		log.Warn("passed over failed writes, which nobody was told had worked", "file", path, "writes", n)
	}
	switch n := j.scan.torn(); {
	case n == 0 || j.scan.line == 0:
	case j.junk:
		log.Warn("the disk is full, so a torn tail stays where it is: a write that was never acknowledged", "file", path, "bytes", n)
	default:
		log.Warn("moved a torn tail aside: a write that was never acknowledged", "from", path, "to", path+".torn", "bytes", n)
	}
	s.mu.Lock()
	s.noteJournalLocked()
	large := j.size >= largeFile
	s.compactIfWorthLocked() // from here on the journal is under way
	s.mu.Unlock()
	if large {
		debug.FreeOSMemory()
	}
	return s, nil
}

// largeFile is the size in bytes from which on the memory that reading a data
// file took is given back at once. It can be more than what was read takes up,
// and otherwise stays the process's until much later.
const largeFile = 64 << 20

// explainOpen says what is wrong with a data file and what to do about it.
func explainOpen(path string, err error) error {
	var d *damage
	switch {
	case errors.As(err, &d):
		return fmt.Errorf("%s is damaged: %w (nothing was changed; mend or restore the file, or start with another -data)", path, d)
	case errors.Is(err, errLocked):
		return fmt.Errorf("%s is in use by another shelf", path)
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("can't %s the data file %s: %w", at.Op, at.Path, at.Err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// close waits for what is being written and gives the file back. Whoever wants
// to write afterwards gets errReadOnly.
func (s *store) close() error {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.compacting.Wait()
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.journal == nil {
		return nil
	}
	s.journal.dead = errors.New("closed")
	return s.journal.close()
}

// write is how anything changes. It calls decide with the lock held; decide
// checks the rules against the state and what waits, and returns the changes.
// They join the waiting batch, and write returns when that is on disk. Disk
// order is the order of decisions.
func (s *store) write(decide func() ([]change, error)) error {
	b, first, err := s.decide(decide)
	if err != nil {
		return err
	}
	if first {
		s.sync(b)
	}
	<-b.done
	return b.err
}

// decide gives the lock back even if its argument panics, as a request must
// not take the whole store with it.
func (s *store) decide(decide func() ([]change, error)) (b *batch, first bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changes, err := decide()
	if err != nil {
		return nil, false, err
	}
	// No change is an answer as well: that all is so already. What decide saw
	// may only wait for the disk, and be refused, so such a call waits too.
	b, first = s.joinLocked(changes)
	return b, first, nil
}

// joinLocked adds changes to the waiting batch. Who is first in it writes it,
// for all who join until then: that is group commit.
func (s *store) joinLocked(changes []change) (b *batch, first bool) {
	for _, c := range changes {
		s.waitLocked(c)
	}
	if s.joining == nil {
		s.joining, first = &batch{done: make(chan struct{})}, true
	}
	s.joining.changes = append(s.joining.changes, changes...)
	return s.joining, first
}

// sync writes b, makes it visible, and tells those who wait for it. While the
// batch before b is being written it waits, and more changes join b.
func (s *store) sync(b *batch) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	if s.joining != b { // dropped together with the batch before it
		s.mu.Unlock()
		return
	}
	s.joining = nil
	s.mu.Unlock()

	var err error
	if s.journal != nil && len(b.changes) > 0 {
		err = s.journal.append(s.now(), encodeChanges(b.changes))
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.noteJournalLocked()
	if err != nil {
		s.dropLocked(b, err)
		return
	}
	for _, c := range b.changes {
		s.commitLocked(s.seq+1, c) // the number that the journal gave its line
		s.settleLocked(c)
	}
	close(b.done)
	s.events.wake()
	s.compactIfWorthLocked()
}

// dropLocked gives up b and everything that was decided after it, and so
// perhaps because of it. Nobody has seen any of it.
func (s *store) dropLocked(b *batch, err error) {
	b.err = err
	close(b.done)
	if next := s.joining; next != nil {
		next.err = err
		if errors.Is(err, errOutcomeUnknown) {
			next.err = fmt.Errorf("%w: the write before failed", errReadOnly) // it never reached the disk
		}
		close(next.done)
		s.joining = nil
	}
	clear(s.users.waiting)
	clear(s.tokens.waiting)
	clear(s.items.waiting)
	clear(s.books.waiting)
}

// waitLocked lets the rules see c, and nobody else.
func (s *store) waitLocked(c change) {
	switch {
	case c.User != nil:
		s.users.wait(c.User.ID, c.User)
	case c.Token != nil:
		s.tokens.wait(c.Token.ID, c.Token)
	case c.Item != nil:
		s.items.wait(c.Item.ID, c.Item.stored())
	case c.Book != nil:
		s.books.wait(c.Book.ID, c.Book)
	case c.Kind == "user":
		s.users.wait(c.ID, nil)
	case c.Kind == "token":
		s.tokens.wait(c.ID, nil)
	case c.Kind == "item":
		s.items.wait(c.ID, storedItem{})
	case c.Kind == "book":
		s.books.wait(c.ID, nil)
	}
}

// settleLocked is told that c, which the rules saw, is visible.
func (s *store) settleLocked(c change) {
	switch kind, id := c.row(); kind {
	case "user":
		s.users.settle(id)
	case "token":
		s.tokens.settle(id)
	case "item":
		s.items.settle(id)
	case "book":
		s.books.settle(id)
	}
}

// applyLocked makes c part of the visible state. A change that was just synced
// and one that is replayed come through here alike, so disk and memory can't
// disagree. It is deterministic and can't fail.
func (s *store) applyLocked(c change) {
	switch {
	case c.User != nil:
		s.putUserLocked(c.User)
	case c.Token != nil:
		s.putTokenLocked(c.Token)
	case c.Item != nil:
		s.putItemLocked(c.Item)
	case c.Book != nil:
		s.putBookLocked(c.Book)
	case c.Kind == "user":
		s.deleteUserLocked(c.ID)
	case c.Kind == "token":
		s.deleteTokenLocked(c.ID)
	case c.Kind == "item":
		s.deleteItemLocked(c.ID)
	case c.Kind == "book":
		s.deleteBookLocked(c.ID)
	case c.Next != nil:
		s.users.lastID = max(s.users.lastID, c.Next.User)
		s.tokens.lastID = max(s.tokens.lastID, c.Next.Token)
		s.items.lastID = max(s.items.lastID, c.Next.Item)
		s.books.lastID = max(s.books.lastID, c.Next.Book)
	}
}

// counts are how many rows of each kind are visible.
func (s *store) counts() (users, items, books int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.users.rows.len(), s.items.rows.len(), s.books.rows.len()
}

// noteJournalLocked keeps what others than its user are told of the journal. The
// caller holds the journal too. That no write can work any more it logs, once.
func (s *store) noteJournalLocked() {
	if s.journal == nil {
		return
	}
	if s.journal.dead != nil && s.readOnly == nil && !s.closing {
		s.log.Error("the store is read-only until a restart", "error", s.journal.dead)
	}
	s.journalBytes, s.readOnly = s.journal.size, s.journal.dead
}

// writable returns nil, or why the next write would most likely be refused. It
// waits for nobody: while a write is under way it says what the one before has
// found out; else it looks as a write does whether the file is still ours.
func (s *store) writable() error {
	if s.journal != nil && s.writing.TryLock() {
		defer s.writing.Unlock()
		err := s.journal.stillOurs()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.noteJournalLocked()
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.readOnly
}

// A storeState is what metrics tell of a store.
type storeState struct {
	users, tokens, items, books int
	bytes                       int64 // of the data file
	readOnly                    error // why writes are refused until a restart; nil: they are not
}

func (s *store) state() storeState {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return storeState{s.users.rows.len(), s.tokens.rows.len(), s.items.rows.len(), s.books.rows.len(), s.journalBytes, s.readOnly}
}

// fsyncs are those that writes have waited for; none in memory.
func (s *store) fsyncs() *histogram {
	if s.journal == nil {
		return new(histogram)
	}
	return &s.journal.fsyncs
}

// empty reports whether s has never held anything.
func (s *store) empty() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.emptyLocked()
}

func (s *store) emptyLocked() bool {
	return s.users.lastID+s.tokens.lastID+s.items.lastID+s.books.lastID == 0
}

// encodeChanges renders changes as the journal wants them: members of a JSON
// object without its braces.
func encodeChanges(changes []change) [][]byte {
	lines := make([][]byte, len(changes))
	for i, c := range changes {
		lines[i] = encodeChange(c)
	}
	return lines
}

func encodeChange(c change) []byte {
	if c.Op == opPut && c.Item != nil { // as most changes are
		return c.Item.appendTo(append(make([]byte, 0, 256), `"op":"put","item":`...))
	}
	b := strictjson.Encode(c)
	return b[1 : len(b)-1]
}

// An actor is who wants to change a row, and what they take it to be.
type actor struct {
	id      int
	all     bool                   // may change what others made
	expects func(tag string) error // refuses a row that is another by now; nil for no conditions
}

// check fails with errNotOwner, or as expects does. It is called with the lock
// held and with the latest row, the changes that wait for the disk included: of
// two who edit what they have both read, the second is told, though the first
// may still wait.
func (a actor) check(createdBy int, latest reply.Rendered) error {
	switch {
	case !a.may(createdBy):
		return errNotOwner
	case a.expects != nil:
		return a.expects(latest.Tag())
	}
	return nil
}

func (a actor) may(createdBy int) bool { return a.all || createdBy != 0 && createdBy == a.id }
