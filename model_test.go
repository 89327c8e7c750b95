package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	longRuns  = flag.Duration("long", 0, "how long the random tests go on; 0 for a short run")
	modelSeed = flag.Uint64("seed", 0, "the seed of the model test, 0 for several")
)

// A model is what the store should hold, in the plainest way: a row's JSON by
// its kind and id.
type model struct {
	rows map[string]string
	last map[string]int // by kind, the highest id that anybody was ever told of
}

func newModel() model { return model{map[string]string{}, map[string]int{}} }

func (m model) clone() model { return model{maps.Clone(m.rows), maps.Clone(m.last)} }

func (m model) put(kind string, id int, row any) {
	b, err := json.Marshal(row)
	if err != nil {
		panic(err)
	}
	m.rows[fmt.Sprint(kind, " ", id)] = string(b)
	m.last[kind] = max(m.last[kind], id)
}

// apply is what the changes of one write should do.
func (m model) apply(changes []change) {
	for _, c := range changes {
		switch {
		case c.User != nil:
			m.put("user", c.User.ID, c.User)
		case c.Token != nil:
			m.put("token", c.Token.ID, c.Token)
		case c.Item != nil:
			m.put("item", c.Item.ID, c.Item)
		case c.Book != nil:
			m.put("book", c.Book.ID, c.Book)
		case c.Op == opDelete:
			delete(m.rows, fmt.Sprint(c.Kind, " ", c.ID))
			if c.Kind == "user" {
				m.forget(c.ID)
			}
		}
	}
}

// forget takes a deleted user's name from the rows.
func (m model) forget(id int) {
	for key, row := range m.rows {
		switch kind, _, _ := strings.Cut(key, " "); kind {
		case "item", "book":
			m.rows[key] = strings.Replace(row, fmt.Sprintf(`,"createdby":%d}`, id), "}", 1)
		case "token":
			if strings.Contains(row, fmt.Sprintf(`"user":%d,`, id)) {
				delete(m.rows, key)
			}
		}
	}
}

// contents is what the store shows to its readers.
func contents(s *store) model {
	m := newModel()
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, u := range s.users.rows.after(0) {
		m.put("user", u.ID, u)
	}
	for _, t := range s.tokens.rows.after(0) {
		m.put("token", t.ID, t)
	}
	for id, row := range s.items.rows.after(0) {
		m.put("item", id, row)
	}
	for _, b := range s.books.rows.after(0) {
		m.put("book", b.ID, b)
	}
	return m
}

// indexes checks that the store's indexes tell of the same rows as its tables,
// and that what clients read is what the rows say.
func indexes(s *store) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	fresh := newStore(s.log, s.now)
	for _, u := range s.users.rows.all() {
		fresh.putUserLocked(u)
	}
	for _, t := range s.tokens.rows.all() {
		fresh.putTokenLocked(t)
	}
	for id, row := range s.items.rows.after(0) {
		it := row.item()
		it.render()
		if it.ID != id || it.wire != row.wire {
			return fmt.Errorf("item %d is shown as %s", id, row.wire)
		}
		fresh.putItemLocked(it)
	}
	for _, b := range s.books.rows.all() {
		row := *b
		row.render()
		if row.wire != b.wire {
			return fmt.Errorf("book %d is shown as %s", b.ID, b.wire)
		}
		fresh.putBookLocked(b)
	}
	switch {
	case !maps.Equal(s.byEmail, fresh.byEmail):
		return errors.New("byEmail differs from the rows")
	case !maps.Equal(s.byUsername, fresh.byUsername):
		return errors.New("byUsername differs from the rows")
	case !maps.Equal(s.byPublicID, fresh.byPublicID):
		return errors.New("byPublicID differs from the rows")
	case !maps.Equal(s.byJTI, fresh.byJTI):
		return errors.New("byJTI differs from the rows")
	case !maps.Equal(s.byTitle, fresh.byTitle):
		return errors.New("byTitle differs from the rows")
	case !maps.EqualFunc(s.tokensOf, fresh.tokensOf, slices.Equal[[]int]):
		return errors.New("tokensOf differs from the rows")
	case !maps.EqualFunc(s.itemsOf, fresh.itemsOf, sameIDs):
		return errors.New("itemsOf differs from the rows")
	case !maps.EqualFunc(s.itemsIn, fresh.itemsIn, sameIDs):
		return errors.New("itemsIn differs from the rows")
	}
	return nil
}

func sameIDs(a, b *sorted[struct{}]) bool { return slices.Equal(a.ids(), b.ids()) }

// A world is a store on a disk that fails, and what a client of it knows.
type world struct {
	disk  *faultDisk
	store *store // nil while nothing runs
	time  time.Time
	known model    // what was acknowledged
	maybe []change // of a write whose outcome is unknown
	stuck bool     // such a write was the last one until a restart
	names int      // makes names that nobody has
}

func newWorld(d *faultDisk) *world {
	return &world{disk: d, time: time.Date(2026, 11, 22, 14, 5, 0, 0, time.UTC), known: newModel()}
}

const dataFile = "shelf.jsonl"

func (w *world) now() time.Time { return w.time }

// start opens the store and compares what it holds with what is known.
func (w *world) start() error {
	s, err := openStore(w.disk, dataFile, slog.New(slog.DiscardHandler), w.now)
	if err != nil {
		return err
	}
	w.store, w.stuck = s, false
	got := contents(s).rows
	if !maps.Equal(got, w.known.rows) {
		with := w.known.clone()
		with.apply(w.maybe)
		if len(w.maybe) == 0 || !maps.Equal(got, with.rows) {
			return fmt.Errorf("after a start the store differs from what is known (a write of unknown outcome: %s)\n%s", encodeChanges(w.maybe), difference(got, w.known.rows))
		}
		w.known = with // whoever looks can see it: now it must stay
	}
	w.maybe = nil
	if err := indexes(s); err != nil {
		return fmt.Errorf("after a start: %w", err)
	}
	return nil
}

// difference is what two sets of rows don't share.
func difference(got, want map[string]string) string {
	var b strings.Builder
	for key, row := range got {
		if want[key] != row {
			fmt.Fprintf(&b, "  got  %s %.300s\n", key, row)
		}
	}
	for key, row := range want {
		if got[key] != row {
			fmt.Fprintf(&b, "  want %s %.300s\n", key, row)
		}
	}
	return b.String()
}

// do makes one write, which the store may refuse, and checks that what is
// visible then is what was acknowledged.
func (w *world) do(op func(*store) error) error {
	w.disk.forget()
	err := op(w.store)
	if err != nil && !w.expected(err) {
		return err
	}
	decided, parseErr := w.disk.attempted()
	if parseErr != nil {
		return parseErr
	}
	switch {
	case err == nil && w.stuck && len(decided) > 0:
		return errors.New("a write was acknowledged after one whose outcome is unknown")
	case err == nil:
		for _, c := range decided {
			if kind, id := fresh(c, w.known); id != 0 && id <= w.known.last[kind] {
				return fmt.Errorf("%s %d was used before", kind, id)
			}
		}
		w.known.apply(decided)
	case errors.Is(err, errOutcomeUnknown):
		w.maybe, w.stuck = decided, true
	case w.stuck && len(decided) > 0 && !errors.Is(err, errReadOnly):
		return fmt.Errorf("a write after one whose outcome is unknown failed with %w", err)
	}
	if w.disk.isDead() && err != nil && w.maybe == nil {
		w.maybe = decided // nobody was told anything
	}
	if got := contents(w.store).rows; !maps.Equal(got, w.known.rows) {
		return fmt.Errorf("readers see what was not acknowledged, or the other way round; the last write: %v\n%s", err, difference(got, w.known.rows))
	}
	return indexes(w.store)
}

// compact compacts in two steps, as the first may work when the other fails.
func (w *world) compact() error {
	var failed error
	err := w.do(func(s *store) error { _, failed = s.pruneTokens(); return failed })
	if err != nil || failed != nil {
		return err
	}
	return w.do((*store).compact)
}

// fresh is the kind and id of a row that c adds, 0 for none.
func fresh(c change, known model) (kind string, id int) {
	switch {
	case c.User != nil:
		kind, id = "user", c.User.ID
	case c.Token != nil:
		kind, id = "token", c.Token.ID
	case c.Item != nil:
		kind, id = "item", c.Item.ID
	case c.Book != nil:
		kind, id = "book", c.Book.ID
	}
	if _, there := known.rows[fmt.Sprint(kind, " ", id)]; there {
		return kind, 0
	}
	return kind, id
}

// end stops the store as SIGKILL would: files are closed, nothing else happens.
func (w *world) end() {
	if w.store != nil {
		w.store.compacting.Wait()
	}
	w.disk.kill()
	w.store = nil
}

func (w *world) user() *user {
	w.names++
	return &user{
		PublicID: fmt.Sprintf("00000000-0000-4000-8000-%012d", w.names), Username: fmt.Sprint("user", w.names),
		Email: fmt.Sprintf("user%d@example.com", w.names), Created: w.time,
	}
}

func (w *world) token(kind string) *tokenRecord {
	w.names++
	return &tokenRecord{JTI: fmt.Sprint("jti", w.names), Type: kind, Expires: w.time.Add(time.Hour)}
}

// deleteUserTest deletes an account and its tokens.
func deleteUserTest(id int) func(*store) error {
	return func(s *store) error {
		return s.write(func() ([]change, error) {
			if s.users.latest(id) == nil {
				return nil, errNoUser
			}
			var changes []change
			for _, t := range s.tokensOfLocked(id) {
				changes = append(changes, change{Op: opDelete, Kind: "token", ID: t.ID})
			}
			return append(changes, change{Op: opDelete, Kind: "user", ID: id}), nil
		})
	}
}

// TestModel compares the store with a model of it, through random operations,
// compactions, restarts, crashes and faults of the disk.
func TestModel(t *testing.T) {
	t.Parallel()
	if *modelSeed != 0 {
		runModel(t, *modelSeed, 400)
		return
	}
	until := time.Now().Add(*longRuns)
	for round := 0; round < 25 || time.Now().Before(until); round++ {
		if runModel(t, rand.Uint64(), 400); t.Failed() {
			return
		}
	}
}

func runModel(t *testing.T, seed uint64, steps int) {
	chance := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(newFaultDisk(seed))
	var story []string
	check := func(what string, err error) bool {
		if err != nil {
			t.Errorf("seed %d, step %d, %s: %v\nbefore: %s", seed, len(story), what, err, strings.Join(story[max(0, len(story)-20):], ", "))
			content, _ := w.disk.content(dataFile)
			squeeze := regexp.MustCompile(`(long |\x00)+`)
			content = squeeze.ReplaceAllStringFunc(content, func(s string) string { return fmt.Sprintf("<%d×%.4q>", len(s), s) })
			t.Logf("%s: …%s", dataFile, content[max(0, len(content)-2000):])
		}
		return err == nil
	}
	// restart starts until it works: each fault of the disk strikes once.
	restart := func(what string) bool {
		for range 50 {
			err := w.start()
			if err == nil {
				return true
			}
			if !errors.Is(err, errIO) && !errors.Is(err, errNoRoom) {
				return check(what, err)
			}
			w.end()
		}
		return check(what, errors.New("never came up again"))
	}
	if !restart("the first start") {
		return
	}
	for range steps {
		what, op := w.randomOp(chance)
		switch n := chance.IntN(100); {
		case n < 4:
			what = "restart"
			if err := w.store.close(); err != nil && !errors.Is(err, errIO) && !errors.Is(err, errNoRoom) {
				check("close", err)
				return
			}
			w.store = nil
			w.disk.kill()
			if !restart(what) {
				return
			}
		case n < 8:
			what = "kill"
			w.end()
			if !restart(what) {
				return
			}
		case n < 16:
			// The machine stops at some call soon, perhaps in a compaction.
			what = "crash in " + what
			w.disk.fail(fault{at: w.disk.callsSoFar() + chance.IntN(8), keep: chance.Int64N(800), err: errCrash})
			do := func() error { return w.do(op) }
			if chance.IntN(3) == 0 {
				what, do = "crash in compaction", w.compact
				w.disk.fail(fault{at: w.disk.callsSoFar() + chance.IntN(25), keep: chance.Int64N(3000), err: errCrash})
			}
			if err := do(); err != nil {
				check(what, err)
				return
			}
			w.end()
			w.disk = w.disk.crash(leftover(chance.IntN(int(leavings))))
			if !restart(what) {
				return
			}
		case n < 24:
			err := error(errIO)
			if chance.IntN(2) == 0 {
				err = errNoRoom
			}
			w.disk.fail(fault{at: w.disk.callsSoFar() + chance.IntN(10), keep: chance.Int64N(600), err: err})
			what = fmt.Sprint(err, " in ", what)
			if err := w.do(op); err != nil {
				check(what, err)
				return
			}
		case n < 27:
			what = "compaction"
			if err := w.compact(); err != nil {
				check(what, err)
				return
			}
		case n < 30:
			what = "an hour passes"
			w.time = w.time.Add(time.Hour)
		case n < 34:
			what = "the system writes back"
			w.disk.writeBack()
		default:
			if err := w.do(op); err != nil {
				check(what, err)
				return
			}
		}
		story = append(story, what)
	}
}

// expected reports whether an operation may fail so: the rules or the disk
// refuse it.
func (w *world) expected(err error) bool {
	for _, may := range []error{
		errUserExists, errNoUser, errDisabled, errLastAdmin, errNoToken, errTokenEnded, errNoItem, errNoBook, errTitleTaken,
		errNotOwner, errStaleHash, errStoreFull, errReadOnly, errOutcomeUnknown, errIO, errNoRoom, errCrash, errNoHistory,
	} {
		if errors.Is(err, may) {
			return true
		}
	}
	return w.stuck
}

// randomOp is any one thing that a client may want.
func (w *world) randomOp(chance *rand.Rand) (string, func(*store) error) {
	// any is a row's id, mostly one that exists.
	any := func(kind string) int {
		if ids := w.ids(kind); len(ids) > 0 && chance.IntN(10) > 0 {
			return ids[chance.IntN(len(ids))]
		}
		return 1 + chance.IntN(1+w.known.last[kind])
	}
	userID := any("user")
	by := actor{id: userID, all: chance.IntN(2) == 0}
	switch n := chance.IntN(14); n {
	case 0:
		u := w.user()
		if chance.IntN(4) == 0 {
			u.Username = fmt.Sprint("user", 1+chance.IntN(w.names))
		}
		return "sign-up", func(s *store) error { return s.signUp(u, w.token(accessToken), w.token(refreshToken)) }
	case 1, 2:
		return "sign-in", func(s *store) error {
			u, _ := s.users.rows.get(userID)
			if u == nil {
				return errNoUser
			}
			return s.signIn(u, "", w.token(accessToken), w.token(refreshToken))
		}
	case 3:
		id := any("token")
		return "refresh", func(s *store) error {
			by, _ := s.tokens.rows.get(id)
			if by == nil {
				return errNoToken
			}
			return s.refresh(by, w.token(accessToken))
		}
	case 4:
		id, revoke := any("token"), chance.IntN(2) == 0
		return "revoke", func(s *store) error {
			t, _ := s.tokens.rows.get(id)
			if t == nil {
				return errNoToken
			}
			return s.setRevoked(t.User, id, revoke)
		}
	case 5:
		id := any("token")
		return "log-out", func(s *store) error {
			t, _ := s.tokens.rows.get(id)
			if t == nil {
				return errNoToken
			}
			return s.endSession(t, endedByLogout)
		}
	case 6, 7, 8:
		it := &item{Itemname: fmt.Sprint("item ", chance.IntN(100)), Description: strings.Repeat("long ", chance.IntN(200)), CreatedBy: userID}
		return "add item", func(s *store) error { return s.addItem(it) }
	case 9:
		id, name := any("item"), fmt.Sprint("renamed ", chance.IntN(100))
		return "change item", func(s *store) error {
			_, err := s.changeItem(id, by, func(it *item) { it.Itemname = name })
			return err
		}
	case 10:
		id := any("item")
		return "delete item", func(s *store) error { return s.deleteItem(id, by) }
	case 11:
		b := &book{Title: fmt.Sprint("title ", chance.IntN(30)), Author: "somebody", CreatedBy: userID}
		return "add book", func(s *store) error { return s.addBook(b) }
	case 12:
		id := any("book")
		return "delete book", func(s *store) error { return s.deleteBook(id, by) }
	default:
		if chance.IntN(3) > 0 {
			return "prune", func(s *store) error { _, err := s.pruneTokens(); return err }
		}
		return "delete user", deleteUserTest(userID)
	}
}

// ids are those of the rows of a kind.
func (w *world) ids(kind string) []int {
	var ids []int
	for key := range w.known.rows {
		var id int
		if _, err := fmt.Sscanf(key, kind+" %d", &id); err == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
