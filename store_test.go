package main

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// newTestStore opens a store on d, with one account in it.
func newTestStore(t testing.TB, d disk) *store {
	t.Helper()
	s, err := openStore(d, dataFile, quiet, clockAtNoon)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.signUp(&user{PublicID: "p1", Username: "ann", Email: "ann@example.com"}); err != nil {
		t.Fatal(err)
	}
	return s
}

// waiting is how many changes wait to be written.
func (s *store) waitingChanges() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.joining == nil {
		return 0
	}
	return len(s.joining.changes)
}

// held starts one write, which the disk holds in its fsync (or where hook says),
// and n more that wait behind it. release lets the disk go on; the writes' errors come out of
// the channel, the held one's first.
func held(s *store, d *faultDisk, hook *func(string), n int) (release func(), ordered chan error) {
	reached, gate := make(chan bool), make(chan bool)
	var once sync.Once
	*hook = func(string) {
		once.Do(func() {
			reached <- true
			<-gate
		})
	}
	behind := make(chan error, n)
	first := make(chan error, 1)
	go func() { first <- s.addItem(&item{Itemname: "held", CreatedBy: 1}) }()
	<-reached
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			err := s.addItem(&item{Itemname: fmt.Sprint("waiting ", i), CreatedBy: 1})
			behind <- err
		})
	}
	for s.waitingChanges() < n {
		runtime.Gosched()
	}
	ordered = make(chan error, n+1)
	return func() {
		close(gate)
		ordered <- <-first
		wg.Wait()
		for range n {
			ordered <- <-behind
		}
	}, ordered
}

func TestStoreGroupCommit(t *testing.T) {
	t.Parallel()
	d := newFaultDisk(1)
	s := newTestStore(t, d)
	writes, syncs := d.count("WriteAt "+dataFile), d.count("Sync "+dataFile)
	release, results := held(s, d, &d.onSync, 64)
	if n := len(s.allItems()); n != 0 {
		t.Errorf("%d items are visible before their fsync", n)
	}
	release()
	for range 65 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := len(s.allItems()); n != 65 {
		t.Errorf("%d items are visible; want 65", n)
	}
	if n := d.count("WriteAt "+dataFile) - writes; n != 2 {
		t.Errorf("65 writers made %d writes; want 2", n)
	}
	if n := d.count("Sync "+dataFile) - syncs; n != 2 {
		t.Errorf("65 writers made %d fsyncs; want 2", n)
	}
	// The 64 stand or fall together.
	content, _ := d.content(dataFile)
	cut := strings.LastIndex(content[:len(content)-1], "\n") + 1
	_, s, _, err := openOn(content[:cut])
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.allItems()); n != 1 {
		t.Errorf("without the last line of a batch of 64, %d items are there; want 1", n)
	}
}

// TestStoreDroppedBatch: a write that fails takes everything with it that was
// decided behind it, perhaps because of it.
func TestStoreDroppedBatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		write         bool // else the fsync fails
		fault         error
		first, behind error
		after         error
	}{
		{"an fsync fails", false, errIO, errOutcomeUnknown, errReadOnly, errReadOnly},
		{"an fsync fails for want of room", false, errNoRoom, errOutcomeUnknown, errReadOnly, errReadOnly},
		{"a write fails", true, errIO, errReadOnly, errReadOnly, nil},
		{"a write fails for want of room", true, errNoRoom, errStoreFull, errStoreFull, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newFaultDisk(1)
			s := newTestStore(t, d)
			hook := &d.onSync
			if tt.write {
				hook = &d.onWrite
			}
			release, results := held(s, d, hook, 5)
			d.fail(fault{at: d.callsSoFar(), keep: 10, err: tt.fault})
			release()
			if err := <-results; !errors.Is(err, tt.first) {
				t.Errorf("the first write: %v; want %v", err, tt.first)
			}
			for range 5 {
				if err := <-results; !errors.Is(err, tt.behind) || errors.Is(err, errOutcomeUnknown) {
					t.Errorf("a write behind it: %v; want %v", err, tt.behind)
				}
			}
			if n := len(s.allItems()); n != 0 {
				t.Errorf("%d items are visible", n)
			}
			if s.items.latest(1) != (storedItem{}) || len(s.items.waiting) > 0 {
				t.Error("the rules still see what was dropped")
			}
			kept := 0
			if err := s.addItem(&item{CreatedBy: 1}); !errors.Is(err, tt.after) {
				t.Errorf("the next write: %v; want %v", err, tt.after)
			} else if err == nil {
				kept = 1
			} else if !strings.Contains(err.Error(), "an fsync failed") {
				t.Errorf("the next write doesn't say why: %v", err)
			}
			if s.userByUsername("ann") == nil {
				t.Error("reads don't go on")
			}
			d.kill()
			s = restarted(t, d)
			if n := len(s.allItems()); n != kept && (tt.write || n > 1) {
				t.Errorf("after a restart %d items are there", n)
			}
			if err := s.addItem(&item{CreatedBy: 1}); err != nil {
				t.Errorf("after a restart: %v", err)
			}
		})
	}
}

func restarted(t testing.TB, d disk) *store {
	t.Helper()
	s, err := openStore(d, dataFile, quiet, clockAtNoon)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStoreDiskFull(t *testing.T) {
	t.Parallel()
	d := newFaultDisk(1)
	s := newTestStore(t, d)
	content, _ := d.content(dataFile)
	d.setRoom(int64(len(content)) + 500)
	var kept int
	for {
		it := &item{Itemname: "lamp", CreatedBy: 1}
		err := s.addItem(it)
		if err != nil {
			if !errors.Is(err, errStoreFull) {
				t.Fatal(err)
			}
			break
		}
		kept++
	}
	for range 3 {
		if err := s.addItem(&item{CreatedBy: 1}); !errors.Is(err, errStoreFull) {
			t.Errorf("a write to a full disk: %v", err)
		}
	}
	if n := len(s.allItems()); n != kept {
		t.Errorf("%d items are visible; want %d", n, kept)
	}
	d.setRoom(0)
	it := &item{Itemname: "there is room", CreatedBy: 1}
	if err := s.addItem(it); err != nil {
		t.Fatal(err)
	}
	if it.ID != kept+5 {
		t.Errorf("id %d; want %d, as ids given out are not taken back", it.ID, kept+5)
	}
	s.close()
	s = restarted(t, d)
	if n := len(s.allItems()); n != kept+1 {
		t.Errorf("after a restart %d items are there; want %d", n, kept+1)
	}
	if s.journal.scan.refused == 0 {
		t.Error("a start should tell of refused writes")
	}
}

func TestStoreOneWriter(t *testing.T) {
	t.Parallel()
	t.Run("a second one is refused", func(t *testing.T) {
		t.Parallel()
		d := newFaultDisk(1)
		newTestStore(t, d)
		_, err := openStore(d, dataFile, quiet, clockAtNoon)
		if !errors.Is(err, errLocked) && (err == nil || !strings.Contains(err.Error(), "in use by another shelf")) {
			t.Errorf("openStore = %v", err)
		}
	})
	t.Run("also after a compaction", func(t *testing.T) {
		t.Parallel()
		d := newFaultDisk(1)
		s := newTestStore(t, d)
		history(t, s)
		if err := s.compact(); err != nil {
			t.Fatal(err)
		}
		if _, err := openStore(d, dataFile, quiet, clockAtNoon); err == nil {
			t.Error("a second one may open the file")
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
		restarted(t, d)
	})
	t.Run("a replaced file is left alone", func(t *testing.T) {
		t.Parallel()
		d := newFaultDisk(1)
		s := newTestStore(t, d)
		history(t, s)
		content, _ := d.content(dataFile)
		d.put(dataFile, content) // what an editor does when it saves
		for range 2 {
			if err := s.addItem(&item{CreatedBy: 1}); !errors.Is(err, errReadOnly) || !strings.Contains(err.Error(), "was removed or replaced by another program") {
				t.Errorf("a write: %v", err)
			}
		}
		if err := s.compact(); err == nil {
			t.Error("a compaction overwrites it")
		}
		if after, _ := d.content(dataFile); after != content {
			t.Error("the new file was changed")
		}
		if s.userByUsername("ann") == nil {
			t.Error("reads don't go on")
		}
	})
	t.Run("a file replaced during a compaction too", func(t *testing.T) {
		t.Parallel()
		d := newFaultDisk(1)
		s := newTestStore(t, d)
		history(t, s)
		d.onSync = func(name string) {
			if strings.HasSuffix(name, ".new") {
				d.put(dataFile, "somebody else's")
			}
		}
		if err := s.compact(); err == nil {
			t.Error("the compaction overwrites it")
		}
		if after, _ := d.content(dataFile); after != "somebody else's" {
			t.Error("the new file was changed")
		}
	})
	t.Run("a foreign line is left alone", func(t *testing.T) {
		t.Parallel()
		d := newFaultDisk(1)
		s := newTestStore(t, d)
		line := `{"seq":2,` + putItem1 + "}\n"
		other, err := d.open(dataFile, false)
		if err != nil {
			t.Fatal(err)
		}
		size, _ := other.size()
		other.WriteAt([]byte(line), size)
		if err := s.addItem(&item{CreatedBy: 1}); !errors.Is(err, errReadOnly) || !strings.Contains(err.Error(), "was changed by another program") {
			t.Errorf("a write: %v", err)
		}
		s.close()
		if s := restarted(t, d); len(s.allItems()) != 1 {
			t.Error("after a restart the line doesn't count")
		}
	})
	t.Run("a file replaced while it is opened", func(t *testing.T) {
		t.Parallel()
		d := newFaultDisk(1)
		s := newTestStore(t, d)
		s.close()
		content, _ := d.content(dataFile)
		first := true
		swap := &swappingDisk{faultDisk: d, before: func() {
			if first {
				first = false
				d.put(dataFile, content)
			}
		}}
		s, err := openStore(swap, dataFile, quiet, clockAtNoon)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.addItem(&item{CreatedBy: 1}); err != nil {
			t.Error(err)
		}
	})
}

// A swappingDisk calls before before each look at what a name stands for.
type swappingDisk struct {
	*faultDisk
	before func()
}

func (d *swappingDisk) names(name string, f diskFile) (int64, bool, error) {
	d.before()
	return d.faultDisk.names(name, f)
}

// A closingDisk closes both files to replace one, as on Windows. The renaming
// fails with renamed and the opening afterwards with opened, where these are set.
type closingDisk struct {
	*faultDisk
	renamed, opened error
}

func (d *closingDisk) replace(f diskFile, from, to string, old diskFile) (diskFile, error) {
	f.Close()
	old.Close()
	if d.renamed == nil {
		d.mu.Lock()
		d.files[to] = d.files[from]
		delete(d.files, from)
		d.mu.Unlock()
	}
	if d.opened != nil {
		return nil, errors.Join(d.renamed, d.opened)
	}
	f, err := d.open(to, false)
	if err == nil {
		err = f.lock()
	}
	return f, errors.Join(d.renamed, err)
}

// A compaction that can't rename its file leaves the old one in use, also where
// that had to be closed for it.
func TestStoreCompactionCannotRename(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name            string
		renamed, opened error
		write           error // what comes of the next one
	}{
		{"it can", nil, nil, nil},
		{"somebody reads the old file", errIO, nil, nil},
		{"and it can't be opened again", errIO, errLocked, errReadOnly},
		{"the new file can't be opened", nil, errLocked, errReadOnly},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &closingDisk{faultDisk: newFaultDisk(1), renamed: tt.renamed, opened: tt.opened}
			s := newTestStore(t, d)
			history(t, s)
			if err := s.compact(); (err == nil) != (tt.renamed == nil && tt.opened == nil) {
				t.Errorf("compact = %v; want %v, %v", err, tt.renamed, tt.opened)
			}
			if err := s.addItem(&item{Itemname: "after", CreatedBy: 1}); !errors.Is(err, tt.write) {
				t.Errorf("a write after it: %v; want %v", err, tt.write)
			}
			if err := s.writable(); (err == nil) != (tt.write == nil) {
				t.Errorf("writable = %v; want it to say whether writes work", err)
			}
			before := contents(s).rows
			s.close()
			d.renamed, d.opened = nil, nil
			s = restarted(t, d)
			if diff := difference(contents(s).rows, before); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is so already is written to no file, and is no event.
func TestStoreChangesNothing(t *testing.T) {
	t.Parallel()
	s := newTestStore(t, newFaultDisk(1))
	ann := s.userByEmail("ann@example.com")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(s.signIn(ann, "", &tokenRecord{JTI: "j1", Type: accessToken, Expires: noon.Add(time.Hour)}))
	check(s.addItem(&item{Itemname: "lamp", CreatedBy: 1}))
	check(s.setRevoked(1, 1, true))
	revoked := *s.liveTokens(1)[0]
	for _, tt := range []struct {
		name   string
		change func() error
	}{
		{"an item gets the name that it has", func() error {
			_, err := s.changeItem(1, actor{id: 1}, func(it *item) { it.Itemname = "lamp" })
			return err
		}},
		{"a revoked token is revoked", func() error { return s.setRevoked(1, 1, true) }},
	} {
		before := s.journal.seq
		check(tt.change())
		if s.journal.seq != before {
			t.Errorf("%s: seq goes from %d to %d", tt.name, before, s.journal.seq)
		}
	}
	if after := *s.liveTokens(1)[0]; after != revoked {
		t.Errorf("the revoked token was %+v and is %+v", revoked, after)
	}
	check(s.setRevoked(1, 1, false))
	if after := *s.liveTokens(1)[0]; after.EndedBy != "" || !after.Ended.IsZero() {
		t.Errorf("the restored token is %+v", after)
	}
}

// history makes the store worth compacting: of all that happened one item and
// one account are alive.
func history(t testing.TB, s *store) {
	t.Helper()
	for range 5 {
		it := &item{Itemname: "gone", CreatedBy: 1}
		if err := s.addItem(it); err != nil {
			t.Fatal(err)
		}
		if err := s.deleteItem(it.ID, actor{all: true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.addItem(&item{Itemname: "alive", CreatedBy: 1}); err != nil {
		t.Fatal(err)
	}
}

func TestStoreCompaction(t *testing.T) {
	t.Parallel()
	t.Run("goes on with its numbers", func(t *testing.T) {
		t.Parallel()
		d := newFaultDisk(1)
		s := newTestStore(t, d)
		history(t, s)
		last := &item{CreatedBy: 1}
		s.addItem(last)
		s.deleteItem(last.ID, actor{all: true})
		seq, before := s.journal.seq, contents(s).rows
		if err := s.compact(); err != nil {
			t.Fatal(err)
		}
		if s.journal.seq != seq {
			t.Errorf("seq %d; want %d", s.journal.seq, seq)
		}
		content, _ := d.content(dataFile)
		if n := strings.Count(content, "\n"); n != 1+3 || s.journal.lines != 3 {
			t.Errorf("%d lines, %d counted; want a header, the ids, an account and an item", n, s.journal.lines)
		}
		s.close()
		s = restarted(t, d)
		if diff := difference(contents(s).rows, before); diff != "" {
			t.Error(diff)
		}
		it := &item{CreatedBy: 1}
		if err := s.addItem(it); err != nil || it.ID != last.ID+1 {
			t.Errorf("the next item is %d, %v; want %d", it.ID, err, last.ID+1)
		}
		if s.journal.seq != seq+1 {
			t.Errorf("the next seq is %d; want %d", s.journal.seq, seq+1)
		}
	})
	t.Run("drops expired tokens", func(t *testing.T) {
		t.Parallel()
		s := newTestStore(t, newFaultDisk(1))
		history(t, s)
		u := s.userByUsername("ann")
		old := &tokenRecord{JTI: "old", Type: accessToken, Expires: noon}
		good := &tokenRecord{JTI: "good", Type: accessToken, Expires: noon.Add(time.Second)}
		if err := s.signIn(u, "", old, good); err != nil {
			t.Fatal(err)
		}
		if err := s.compact(); err != nil {
			t.Fatal(err)
		}
		if _, ok := s.tokens.rows.get(old.ID); ok {
			t.Error("the expired token is still there")
		}
		if _, ok := s.tokens.rows.get(good.ID); !ok {
			t.Error("the good token has gone")
		}
	})
	t.Run("carries over what is written meanwhile", func(t *testing.T) {
		t.Parallel()
		d := newFaultDisk(1)
		s := newTestStore(t, d)
		history(t, s)
		reads := 0
		d.onSync = func(name string) {
			if strings.HasSuffix(name, ".new") && reads < 3 { // the third time writers wait
				reads++
				if reads < 3 {
					if err := s.addItem(&item{Itemname: "meanwhile", CreatedBy: 1}); err != nil {
						t.Error(err)
					}
				}
				s.allItems() // readers never wait
			}
		}
		if err := s.compact(); err != nil {
			t.Fatal(err)
		}
		before := contents(s).rows
		if len(s.allItems()) != 3 || reads != 3 {
			t.Errorf("%d items, %d syncs", len(s.allItems()), reads)
		}
		s.close()
		if diff := difference(contents(restarted(t, d)).rows, before); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("that fails leaves the old file", func(t *testing.T) {
		t.Parallel()
		// The calls of a compaction, to make each fail.
		d := newFaultDisk(1)
		s := newTestStore(t, d)
		history(t, s)
		start := d.callsSoFar()
		if err := s.compact(); err != nil {
			t.Fatal(err)
		}
		for at := start; at < d.callsSoFar(); at++ {
			call := d.calls[at]
			d := newFaultDisk(1)
			s := newTestStore(t, d)
			history(t, s)
			d.fail(fault{at: at, err: errNoRoom})
			err := s.compact()
			if got := s.addItem(&item{CreatedBy: 1}); (got != nil) != strings.HasPrefix(call, "syncDir") {
				t.Errorf("%s failed (%v); then a write: %v", call, err, got)
			}
			if _, err := openStore(d, dataFile, quiet, clockAtNoon); err == nil {
				t.Errorf("%s failed; then a second process may open the file", call)
			}
			// And the next one works, whatever the first has left.
			if err := s.compact(); err != nil && !strings.HasPrefix(call, "syncDir") {
				t.Errorf("%s failed; then another compaction: %v", call, err)
			}
			if err := s.close(); err != nil {
				t.Errorf("%s failed; then close: %v", call, err)
			}
			restarted(t, d)
		}
	})
	t.Run("begins by itself, at open and while running", func(t *testing.T) {
		t.Parallel()
		d := newFaultDisk(1)
		s := newTestStore(t, d)
		it := &item{Description: strings.Repeat("long ", 20000), CreatedBy: 1}
		if err := s.addItem(it); err != nil {
			t.Fatal(err)
		}
		for range 12 {
			if _, err := s.changeItem(it.ID, actor{id: 1}, func(it *item) { it.Itemname += "x" }); err != nil {
				t.Fatal(err)
			}
		}
		s.compacting.Wait()
		if content, _ := d.content(dataFile); len(content) > compactMinSize {
			t.Errorf("the file has %d bytes", len(content))
		}
		s.close()
		content, _ := d.content(dataFile)
		last := string(appendLine(nil, s.journal.seq+1, noon, []byte(encodeChange(change{Op: opPut, Item: it})), 1))
		d.put(dataFile, content+last)
		for seq := s.journal.seq + 2; ; seq++ {
			content, _ := d.content(dataFile)
			if len(content) > compactMinSize {
				break
			}
			d.put(dataFile, content+string(appendLine(nil, seq, noon, []byte(encodeChange(change{Op: opPut, Item: it})), 1)))
		}
		s = restarted(t, d)
		s.compacting.Wait()
		if content, _ := d.content(dataFile); len(content) > compactMinSize {
			t.Errorf("after a start the file has %d bytes", len(content))
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
}

// TestStoreUnsyncedName: a name that a process gave and didn't live to sync is
// synced before anything is promised to anybody.
func TestStoreUnsyncedName(t *testing.T) {
	t.Parallel()
	for _, leave := range []leftover{leaveNothing, leaveSome} {
		d := newFaultDisk(1)
		s := newTestStore(t, d)
		history(t, s)
		d.durable = map[string]*faultInode{} // as after mv or cp, or a kill before the folder's fsync
		s.close()
		s = restarted(t, d)
		if err := s.addItem(&item{CreatedBy: 1}); err != nil {
			t.Fatal(err)
		}
		s = restarted(t, d.crash(leave))
		if len(s.allItems()) != 2 {
			t.Errorf("leftover %d: %d items; want 2", leave, len(s.allItems()))
		}
	}
}

// TestStoreOverlay: the rules see what waits for the disk.
func TestStoreOverlay(t *testing.T) {
	t.Parallel()
	d := newFaultDisk(1)
	s := newTestStore(t, d)
	if err := s.addItem(&item{CreatedBy: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.signUp(&user{PublicID: "p2", Username: "bob", Email: "bob@example.com"}); err != nil {
		t.Fatal(err)
	}
	admin := actor{all: true}
	// Each runs while the ones before it wait, all in one batch.
	ops := []struct {
		name string
		op   func(*store) error
		want error
	}{
		{"a new account", func(s *store) error {
			return s.signUp(&user{PublicID: "p3", Username: "cat", Email: "cat@example.com"})
		}, nil},
		{"its e-mail again", func(s *store) error {
			return s.signUp(&user{PublicID: "p4", Username: "dan", Email: "Cat@example.com"})
		}, errUserExists},
		{"a title", func(s *store) error { return s.addBook(&book{Title: "Dune", CreatedBy: 1}) }, nil},
		{"the title again", func(s *store) error { return s.addBook(&book{Title: "Dune", CreatedBy: 1}) }, errTitleTaken},
		{"deleting the book", func(s *store) error { return s.deleteBook(1, admin) }, nil},
		{"the title once more", func(s *store) error { return s.addBook(&book{Title: "Dune", CreatedBy: 1}) }, nil},
		{"deleting the account that made the item", deleteUserTest(1), nil},
		{"an item of that account", func(s *store) error { return s.addItem(&item{CreatedBy: 1}) }, errNoUser},
		{"making that account an admin", func(s *store) error { yes := true; _, err := s.setAccess(operator, 1, &yes, nil); return err }, errNoUser},
		{"its username", func(s *store) error { return s.signUp(&user{PublicID: "p5", Username: "ann"}) }, nil},
		{"changing its item", func(s *store) error {
			_, err := s.changeItem(1, admin, func(it *item) { it.Itemname = "changed" })
			return err
		}, nil},
	}
	release, results := held(s, d, &d.onSync, 0)
	answers := make(chan error, len(ops))
	started := 0
	for _, tt := range ops {
		waiting := s.waitingChanges()
		if tt.want != nil {
			if err := tt.op(s); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v; want %v", tt.name, err, tt.want)
			}
			continue
		}
		started++
		go func() { answers <- tt.op(s) }()
		for s.waitingChanges() == waiting {
			runtime.Gosched()
		}
	}
	// The deletion of the changed item is decided when that batch is being
	// written, and its row's owner goes as it is applied.
	var once sync.Once
	d.onSync = func(string) {
		once.Do(func() {
			go func() { answers <- s.deleteItem(1, admin) }()
			for s.waitingChanges() == 0 {
				runtime.Gosched()
			}
			// When the batch is visible, the deletion still waits.
		})
	}
	release()
	<-results
	for range started + 1 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if err := indexes(s); err != nil {
		t.Error(err)
	}
	if len(s.items.waiting)+len(s.users.waiting)+len(s.books.waiting)+len(s.tokens.waiting) > 0 {
		t.Error("something waits for ever")
	}
	before := contents(s).rows
	s.close()
	if diff := difference(contents(restarted(t, d)).rows, before); diff != "" {
		t.Error(diff)
	}
}

// TestStoreOrphanOverlay: a row that loses its owner as it becomes visible
// doesn't hide a later change to it that waits.
func TestStoreOrphanOverlay(t *testing.T) {
	t.Parallel()
	s := newTestStore(t, newFaultDisk(1))
	s.mu.Lock()
	defer s.mu.Unlock()
	lamp := &item{ID: 1, CreatedBy: 1}
	lamp.render()
	for _, c := range []change{
		{Op: opPut, Item: lamp},
		{Op: opPut, Book: &book{ID: 1, Title: "Dune", CreatedBy: 1}},
	} {
		s.waitLocked(c)
		for _, later := range []change{{Op: opDelete, Kind: "user", ID: 1}} {
			s.waitLocked(later)
			s.applyLocked(later)
			s.settleLocked(later)
		}
		s.waitLocked(change{Op: opDelete, Kind: "item", ID: 1})
		s.waitLocked(change{Op: opDelete, Kind: "book", ID: 1})
		s.applyLocked(c)
		s.settleLocked(c)
	}
	if s.items.latest(1) != (storedItem{}) || s.books.latest(1) != nil {
		t.Error("a row whose deletion waits is there for the rules")
	}
}

// TestStoreDeletedUser: nothing of a deleted account keeps a compacted file
// from opening.
func TestStoreDeletedUser(t *testing.T) {
	t.Parallel()
	d := newFaultDisk(1)
	s := newTestStore(t, d)
	history(t, s)
	if err := s.signIn(s.userByUsername("ann"), "", &tokenRecord{JTI: "j", Type: accessToken, Expires: noon.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	err := s.write(func() ([]change, error) { return []change{{Op: opDelete, Kind: "user", ID: 1}}, nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := s.compact(); err != nil {
		t.Fatal(err)
	}
	s.close()
	s = restarted(t, d)
	if it, err := s.item(s.items.lastID); err != nil || it.createdBy() != 0 {
		t.Errorf("the item of a deleted account: %+v, %v", it, err)
	}
}

func TestStorePanic(t *testing.T) {
	t.Parallel()
	s := newTestStore(t, newFaultDisk(1))
	func() {
		defer func() { recover() }()
		s.write(func() ([]change, error) { panic("a bug in a rule") })
	}()
	if err := s.addItem(&item{CreatedBy: 1}); err != nil {
		t.Error(err)
	}
}

func TestStoreClosed(t *testing.T) {
	t.Parallel()
	d := newFaultDisk(1)
	s := newTestStore(t, d)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if err := s.addItem(&item{CreatedBy: 1}); !errors.Is(err, errReadOnly) {
		t.Errorf("a write after close: %v", err)
	}
	restarted(t, d)
}

// TestStoreOpenFault: where a start fails, the next one works and nothing is lost.
func TestStoreOpenFault(t *testing.T) {
	t.Parallel()
	d := newFaultDisk(1)
	s := newTestStore(t, d)
	history(t, s)
	s.close()
	content, _ := d.content(dataFile)
	content += "{"
	probe := newFaultDisk(1)
	probe.put(dataFile, content)
	want := contents(restarted(t, probe)).rows
	for at := range probe.callsSoFar() {
		for _, cause := range []error{errIO, errNoRoom} {
			d := newFaultDisk(1)
			d.put(dataFile, content)
			d.fail(fault{at: at, err: cause})
			if s, err := openStore(d, dataFile, quiet, clockAtNoon); err == nil {
				s.close()
			} else if !strings.Contains(err.Error(), dataFile) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s fails: the error should name the file in one line: %v", probe.calls[at], err)
			}
			if diff := difference(contents(restarted(t, d)).rows, want); diff != "" {
				t.Errorf("%s fails: %s", probe.calls[at], diff)
			}
			if torn, _ := d.content(dataFile + ".torn"); !strings.HasPrefix(torn, "{") {
				t.Errorf("%s fails: the torn tail is %q", probe.calls[at], torn)
			}
		}
	}
}

// allItems returns every item, by id.
func (s *store) allItems() []*item {
	rows, _, _ := s.selectItems(itemFilter{}, stretch{})
	var items []*item
	for _, row := range rows {
		items = append(items, row.item())
	}
	return items
}

// allBooks returns every book, by id.
func (s *store) allBooks() []*book {
	books, _, _ := s.selectBooks(stretch{})
	return books
}
