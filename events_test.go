package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/serve"
	"example.com/shelf/internal/token"
)

// An eventsServer is a server over pipes: what goes through them counts as
// waiting in a bubble of synctest, which a socket does not.
type eventsServer struct {
	t testing.TB
	*server
	http *http.Server
	eventsListener
	ann   *user // who makes what the tests make
	token string
}

// newEventsServer serves st, in which it makes the account ann if there is
// none, and signs her in.
func newEventsServer(t testing.TB, st *store) *eventsServer {
	t.Helper()
	k := &eventsServer{t: t, eventsListener: eventsListener{make(chan net.Conn), make(chan struct{})}}
	c := settings{bcryptCost: password.MinCost}
	k.server = newServer(c, st, tokenRing(t), quiet, st.now, k.Addr())
	k.http = serve.New(k.server, quiet)
	k.http.RegisterOnShutdown(k.streams.Stop)
	var served sync.WaitGroup
	served.Go(func() { k.http.Serve(k) })
	t.Cleanup(func() {
		k.streams.Stop()
		k.http.Close()
		served.Wait()
	})
	if k.ann = st.userByUsername("ann"); k.ann == nil {
		k.ann = k.signUp("ann")
	}
	k.token = k.signIn(k.ann, token.Access, time.Hour)
	return k
}

// eventsMemory is a store that keeps nothing.
func eventsMemory() *store { return newStore(slog.New(slog.DiscardHandler), time.Now) }

func eventsOpen(t testing.TB, d journal.Disk, path string) *store {
	t.Helper()
	st, err := openStore(d, path, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func (k *eventsServer) signUp(name string) *user {
	k.t.Helper()
	u := &user{PublicID: token.NewUUID(), Username: name, Email: name + "@example.com"}
	k.must(k.store.signUp(u))
	return u
}

func (k *eventsServer) signIn(u *user, typ string, ttl time.Duration) string {
	k.t.Helper()
	token, record, err := k.issue(u, typ, ttl, true)
	k.must(err)
	k.must(k.store.signIn(u, "", record))
	return token
}

func (k *eventsServer) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

// add makes an item and returns the number of that change.
func (k *eventsServer) add(name string) int64 {
	k.t.Helper()
	k.must(k.store.addItem(&item{Itemname: name, Category: "c", Description: "d", CreatedBy: k.ann.ID}))
	return k.store.LastSeq()
}

// deleteUser does what an admin may.
func (k *eventsServer) deleteUser(id int) {
	k.t.Helper()
	k.must(k.store.Update(func(tx *db.Tx) error { k.store.users.Delete(tx, id); return nil }))
}

type eventsListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l eventsListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l eventsListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l eventsListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// An eventsStream is a client's end of a stream.
type eventsStream struct {
	*http.Response
	conn  net.Conn
	lines *bufio.Reader
	last  string // as the HTML standard's §9.2.6 says: what to come back with
	beats int
}

// request sends a request for the events and reads the head of the answer. It
// reads no more than limit bytes, and then the connection is cut.
func (k *eventsServer) request(method, token, last string, limit int64) *eventsStream {
	k.t.Helper()
	conn, far := net.Pipe()
	k.conns <- far
	req, err := http.NewRequest(method, "http://shelf/api/v1/events", nil)
	k.must(err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	k.must(req.Write(conn))
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, limit)), req)
	k.must(err)
	k.t.Cleanup(func() { conn.Close() })
	return &eventsStream{Response: answer, conn: conn, lines: bufio.NewReader(answer.Body), last: last}
}

// follow opens ann's stream behind last, or from now on if last is "", and
// reads on until it knows where it stands.
func (k *eventsServer) follow(last string) *eventsStream {
	k.t.Helper()
	s := k.request("GET", k.token, last, 1<<40)
	if s.StatusCode != http.StatusOK {
		k.t.Fatalf("GET /api/v1/events after %q = %d; want 200", last, s.StatusCode)
	}
	if last == "" {
		if e, err := s.block(); err != nil || e.data != "" || s.last == "" {
			k.t.Fatalf("a stream begins with %+v, %v; want an id without data", e, err)
		}
	}
	return s
}

type eventsMessage struct{ id, name, data string }

// block reads up to the next empty line, as §9.2.6 has it.
func (s *eventsStream) block() (e eventsMessage, err error) {
	id := s.last
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return e, err // what is not whole does not count
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "\n":
			s.last, e.id = id, id
			return e, nil
		case field == "":
			s.beats++
		case field == "id":
			id = value
		case field == "event":
			e.name = value
		case field == "data":
			e.data += value
		}
	}
}

// next is the next event. It fails if there is none before a heartbeat.
func (s *eventsStream) next() (e eventsMessage, err error) {
	beats := s.beats
	for err == nil && e.data == "" {
		if e, err = s.block(); s.beats > beats {
			return e, errEventsSilent
		}
	}
	return e, err
}

var errEventsSilent = errors.New("nothing but a heartbeat")

// upTo reads events until the one numbered seq.
func (s *eventsStream) upTo(t testing.TB, seq int64) (events []eventsMessage) {
	t.Helper()
	for s.last != strconv.FormatInt(seq, 10) {
		e, err := s.next()
		if err != nil {
			t.Fatalf("after %d events, the last with id %s: %v", len(events), s.last, err)
		}
		events = append(events, e)
	}
	return events
}

func wantEvents(t testing.TB, got, want []eventsMessage) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("event %d is\n%+v; want\n%+v", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d events; want %d", len(got), len(want))
	}
}

// eventsOf reads from a data file which events its lines after seq have to make.
func eventsOf(t testing.TB, path string, seq int64) (events []eventsMessage) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	made := map[int]int{} // items by creator
	creator := map[int]int{}
	for _, text := range bytes.Split(bytes.TrimSpace(file), []byte("\n"))[1:] {
		var l struct {
			Seq  int64
			Op   string
			User *user
			Item *item
			Book *book
			Kind string
			ID   int
		}
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatal(err)
		}
		kind, id := l.Kind, l.ID
		switch {
		case l.User != nil:
			kind, id = "user", l.User.ID
		case l.Item != nil:
			kind, id = "item", l.Item.ID
		case l.Book != nil:
			kind, id = "book", l.Book.ID
		}
		row := fmt.Sprint(kind, id)
		e := eventsMessage{id: strconv.FormatInt(l.Seq, 10), data: fmt.Sprintf(`{"id":%d}`, id)}
		switch {
		case l.Op == "delete" && kind == "user":
			if e.name = "creator.deleted"; made[id] == 0 {
				continue
			}
			made[id] = 0
			for it, by := range creator {
				if by == id {
					creator[it] = 0
				}
			}
		case kind != "item" && kind != "book":
			continue
		case l.Op == "delete":
			e.name = kind + ".deleted"
			if kind == "item" {
				made[creator[id]]--
				delete(creator, id)
			}
		default:
			if e.name = kind + ".created"; there[row] {
				e.name = kind + ".changed"
			}
			if l.Item != nil {
				l.Item.render()
				e.data = l.Item.wire.Row()
				if !there[row] {
					creator[id] = l.Item.CreatedBy
					made[l.Item.CreatedBy]++
				}
			} else {
				l.Book.render()
				e.data = l.Book.wire.Row()
			}
		}
		there[row] = l.Op == "put"
		if l.Seq > seq {
			events = append(events, e)
		}
	}
	return events
}

func TestEventsRequest(t *testing.T) {
	t.Parallel()
	k := newEventsServer(t, eventsMemory())
	k.add("ball")
	now := strconv.FormatInt(k.store.LastSeq(), 10)
	for _, tt := range []struct {
		name, method, token, last string
		status                    int
		want                      string // the error; "" for a stream
	}{
		{"a stream takes a token", "GET", "", "", 401, "Missing Authorization Header"},
		{"a refresh token opens none", "GET", k.signIn(k.ann, token.Refresh, time.Hour), "", 422, "Only non-refresh tokens are allowed"},
		{"no id: from now on", "GET", k.token, "", 200, ""},
		{"an id that was", "GET", k.token, now, 200, ""},
		{"zero: from the first on", "GET", k.token, "0", 200, ""},
		{"a word for an id", "GET", k.token, "latest", 400, "Last-Event-ID should be the id of an event"},
		{"an id below zero", "GET", k.token, "-1", 400, "Last-Event-ID should be the id of an event"},
		{"two ids", "GET", k.token, "1, 2", 400, "Last-Event-ID should be the id of an event"},
		{"an id that is yet to come", "GET", k.token, now + "0", 410, "The events after that id are no longer kept: start without Last-Event-ID and read the lists anew"},
		{"an id beyond all numbers", "GET", k.token, "99999999999999999999", 410, "The events after that id are no longer kept: start without Last-Event-ID and read the lists anew"},
		{"HEAD has the same head", "HEAD", k.token, now, 200, ""},
		{"HEAD takes a token", "HEAD", "", "", 401, ""},
		{"nothing is posted here", "POST", k.token, "", 405, "The method is not allowed for the requested URL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := k.request(tt.method, tt.token, tt.last, 1<<20)
			defer s.conn.Close()
			if s.StatusCode != tt.status {
				t.Fatalf("%s with Last-Event-ID %q = %d; want %d", tt.method, tt.last, s.StatusCode, tt.status)
			}
			if tt.method == "HEAD" {
				if body, err := io.ReadAll(s.Body); len(body) > 0 || err != nil {
					t.Errorf("HEAD = %q, %v; want no body, at once", body, err)
				}
			}
			if tt.status == http.StatusOK {
				for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store", "Content-Length": ""} {
					if got := s.Header.Get(name); got != want {
						t.Errorf("%s = %q; want %q", name, got, want)
					}
				}
			}
			if tt.want != "" {
				body, _ := io.ReadAll(s.Body)
				if want := fmt.Sprintf(`{"status":%d,"error":%q}`+"\n", tt.status, tt.want); string(body) != want {
					t.Errorf("body = %s; want %s", body, want)
				}
			}
		})
	}
}

func TestEventsTell(t *testing.T) {
	t.Parallel()
	st := eventsMemory()
	k := newEventsServer(t, st)
	bob := k.signUp("bob")
	s := k.follow("")
	began, err := strconv.ParseInt(s.last, 10, 64)
	if err != nil || began != st.LastSeq() {
		t.Fatalf("a stream begins at %q; want %d", s.last, st.LastSeq())
	}
	at := time.Now().UTC().Format(wireTime)
	ball := &item{Itemname: "ball", Category: "soccer", Description: "a\r\n\"b\"\u2028", CreatedBy: bob.ID}
	dune := &book{Title: "Dune", Author: "Herbert", CreatedBy: bob.ID}
	k.must(st.addItem(ball))                                                                   // 1
	_, err = st.changeItem(ball.ID, actor{all: true}, func(it *item) { it.Description = "d" }) // 2
	k.must(err)
	k.must(st.addBook(dune))                         // 3
	k.signIn(bob, token.Access, time.Hour)           // 4: tokens and users are not told of
	k.deleteUser(bob.ID)                             // 5: ball is nobody's now
	k.must(st.deleteItem(ball.ID, actor{all: true})) // 6
	k.must(st.deleteBook(dune.ID, actor{all: true})) // 7
	k.deleteUser(k.signUp("eve").ID)                 // 8, 9: she made nothing
	k.add("bat")                                     // 10
	created := "createdon\":\"" + ball.Created.Format(wireTime)
	if !strings.Contains(at+time.Now().UTC().Format(wireTime), ball.Created.Format(wireTime)) {
		t.Fatalf("created at %v", ball.Created)
	}
	bat, err := st.item(2)
	k.must(err)
	id := func(n int64) string { return strconv.FormatInt(began+n, 10) }
	by := fmt.Sprintf(`","createdby":%d}`, bob.ID)
	got := s.upTo(t, began+10)
	wantEvents(t, got, []eventsMessage{
		{id(1), "item.created", `{"id":1,"itemname":"ball","category":"soccer","description":"a\r\n\"b\"\u2028","` + created + by},
		{id(2), "item.changed", `{"id":1,"itemname":"ball","category":"soccer","description":"d","` + created + by},
		{id(3), "book.created", `{"id":1,"title":"Dune","author":"Herbert"}`},
		{id(5), "creator.deleted", fmt.Sprintf(`{"id":%d}`, bob.ID)},
		{id(6), "item.deleted", `{"id":1}`},
		{id(7), "book.deleted", `{"id":1}`},
		{id(10), "item.created", bat.wire.Row()},
	})
}

// A change that was decided before its row's creator was deleted, and came to
// the disk after, is told as everybody reads it.
func TestEventsOrphan(t *testing.T) {
	t.Parallel()
	st := eventsMemory()
	k := newEventsServer(t, st)
	bob := k.signUp("bob")
	it := &item{Itemname: "ball", Category: "c", Description: "d", CreatedBy: bob.ID}
	k.must(st.addItem(it))
	later := *it
	later.Itemname = "bat"
	later.render()
	s := k.follow(strconv.FormatInt(st.LastSeq(), 10))
	k.must(st.Update(func(tx *db.Tx) error {
		st.users.Delete(tx, bob.ID)
		st.items.Put(tx, later.stored())
		return nil
	}))
	seq := st.LastSeq()
	wantEvents(t, s.upTo(t, seq), []eventsMessage{
		{strconv.FormatInt(seq-1, 10), "creator.deleted", fmt.Sprintf(`{"id":%d}`, bob.ID)},
		{strconv.FormatInt(seq, 10), "item.changed", strings.Replace(later.wire.Row(), fmt.Sprintf(`"createdby":%d`, bob.ID), `"createdby":null`, 1)},
	})
}

// The promise: whoever is cut off, wherever, and comes back with the last id
// that it has, gets every change once and in order, while writers go on.
func TestEventsCutAndResumed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shelf.jsonl")
	st := eventsOpen(t, journal.OS{}, path)
	defer st.Close()
	k := newEventsServer(t, st)
	first := k.follow("")
	first.conn.Close()
	began, _ := strconv.ParseInt(first.last, 10, 64)

	const writers, followers, writes = 4, 3, 120
	var writing, following sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			u := k.signUp(fmt.Sprint("writer", w))
			var items, books []int
			for i := range writes {
				switch n := rand.IntN(8); {
				case n < 3:
					it := &item{Itemname: fmt.Sprint(w, "-", i), Category: "c", Description: strings.Repeat("ü", rand.IntN(200)+1), CreatedBy: u.ID}
					k.must(st.addItem(it))
					items = append(items, it.ID)
				case n < 4 && len(items) > 0:
					_, err := st.changeItem(items[rand.IntN(len(items))], actor{all: true}, func(it *item) { it.Category = fmt.Sprint(i) })
					k.must(err)
				case n < 5 && len(items) > 0:
					k.must(st.deleteItem(items[0], actor{all: true}))
					items = items[1:]
				case n < 6:
					b := &book{Title: fmt.Sprint(w, "-", i), Author: "a", CreatedBy: u.ID}
					k.must(st.addBook(b))
					books = append(books, b.ID)
				case n < 7 && len(books) > 0:
					k.must(st.deleteBook(books[0], actor{all: true}))
					books = books[1:]
				default:
					k.signIn(u, token.Access, time.Hour)
				}
			}
			k.deleteUser(u.ID)
		})
	}
	const lastName = "the last one"
	go func() {
		writing.Wait()
		k.add(lastName)
	}()
	got := make([][]eventsMessage, followers)
	cuts := make([]int, followers)
	for i := range followers {
		following.Go(func() {
			id, last := first.last, false
			for ; !last; cuts[i]++ {
				s := k.request("GET", k.token, id, 400+rand.Int64N(4000))
				if s.StatusCode == http.StatusTooManyRequests {
					s.conn.Close() // the server still counts streams that it has not yet seen end
					continue
				}
				for !last {
					e, err := s.next()
					if err == errEventsSilent || s.StatusCode != http.StatusOK {
						t.Errorf("after %s: status %d, %v", id, s.StatusCode, err)
						return
					}
					if err != nil {
						break
					}
					got[i] = append(got[i], e)
					last = strings.Contains(e.data, lastName)
				}
				id = s.last
				s.conn.Close()
			}
		})
	}
	following.Wait()
	want := eventsOf(t, path, began)
	if len(want) < writers*writes/2 {
		t.Fatalf("%d events are too few to prove anything", len(want))
	}
	for i := range followers {
		t.Logf("follower %d: %d events over %d connections", i, len(got[i]), cuts[i])
		wantEvents(t, got[i], want)
	}
}

func TestEventsRestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shelf.jsonl")
	st := eventsOpen(t, journal.OS{}, path)
	k := newEventsServer(t, st)
	s := k.follow("")
	began, _ := strconv.ParseInt(s.last, 10, 64)
	var middle, end int64
	for i := range 300 {
		end = k.add(fmt.Sprint("item ", i))
		if i == 99 {
			middle = end
		}
	}
	wantEvents(t, s.upTo(t, middle), eventsOf(t, path, began)[:100])

	restart := func() {
		t.Helper()
		k.must(k.http.Shutdown(t.Context()))
		k.must(st.Close())
		st = eventsOpen(t, journal.OS{}, path)
		k = newEventsServer(t, st)
	}
	restart()
	s = k.follow(s.last)
	wantEvents(t, s.upTo(t, end), eventsOf(t, path, middle))

	// A compaction changes nothing for a server that runs …
	for id := 1; id <= 200; id++ {
		k.must(st.deleteItem(id, actor{all: true}))
	}
	before := eventsOf(t, path, middle)
	k.must(st.Compact())
	s = k.follow(strconv.FormatInt(middle, 10))
	snapshot := st.LastSeq()
	end = k.add("after the snapshot")
	after := eventsOf(t, path, snapshot)
	wantEvents(t, s.upTo(t, end), append(before, after...))

	// … but the next one knows only what came after the snapshot.
	restart()
	for id, status := range map[int64]int{began: 410, middle: 410, snapshot - 1: 410, snapshot: 200, end: 200} {
		s := k.request("GET", k.token, strconv.FormatInt(id, 10), 1<<20)
		s.conn.Close()
		if s.StatusCode != status {
			t.Errorf("after a compaction at %d, Last-Event-ID %d = %d; want %d", snapshot, id, s.StatusCode, status)
		}
	}
	s = k.follow(strconv.FormatInt(snapshot, 10))
	wantEvents(t, s.upTo(t, end), after)
}

// What does not reach the disk is never told, and takes no number.
func TestEventsRefusedWrites(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shelf.jsonl")
	var full atomic.Bool
	st := eventsOpen(t, fillingDisk(&full), path)
	k := newEventsServer(t, st)
	s := k.follow("")
	began, _ := strconv.ParseInt(s.last, 10, 64)
	k.add("first")
	full.Store(true)
	for i := range 3 {
		if err := st.addItem(&item{Itemname: fmt.Sprint("refused ", i), Category: "c", Description: "d", CreatedBy: k.ann.ID}); !errors.Is(err, history.ErrFull) && !errors.Is(err, history.ErrReadOnly) {
			t.Fatalf("a write to a full disk = %v", err)
		}
	}
	full.Store(false)
	end := k.add("second")
	if end != began+2 {
		t.Errorf("two changes took the numbers from %d to %d", began, end)
	}
	want := s.upTo(t, end)
	if len(want) != 2 || !strings.Contains(want[0].data, "first") || !strings.Contains(want[1].data, "second") {
		t.Errorf("events = %+v; want the first and the second", want)
	}
	k.must(k.http.Shutdown(t.Context()))
	k.must(st.Close())
	st = eventsOpen(t, journal.OS{}, path)
	defer st.Close()
	k = newEventsServer(t, st)
	wantEvents(t, k.follow(strconv.FormatInt(began, 10)).upTo(t, end), want)
}

// fillingDisk is the real disk, which gets full half-way through a write once full
// is set.
func fillingDisk(full *atomic.Bool) journal.Disk {
	return hookedDisk{write: func(f journal.File, b []byte, at int64) (int, error) {
		if !full.Load() {
			return f.WriteAt(b, at)
		}
		n, _ := f.WriteAt(b[:len(b)/2], at)
		return n, syscall.ENOSPC
	}}
}

// inEventsBubble runs f with a server of its own, by a clock that costs no
// time. It fails if f leaves a goroutine behind.
func inEventsBubble(t *testing.T, f func(t *testing.T, k *eventsServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newEventsServer(t, eventsMemory())) })
}

// untilEnd reads s to its end, which has to be that of a whole answer, and
// returns when that came.
func (s *eventsStream) untilEnd(t testing.TB) time.Time {
	t.Helper()
	for {
		switch _, err := s.block(); {
		case err == io.EOF:
			return time.Now()
		case err != nil:
			t.Fatalf("a stream ends with %v; want a whole answer", err)
		case s.beats > 0:
			t.Fatal("a stream that should end goes on")
		}
	}
}

func TestEventsTokenEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		end  func(k *eventsServer, token *tokenRecord) error
	}{
		{"the token expires", func(k *eventsServer, token *tokenRecord) error {
			<-time.After(time.Until(token.Expires))
			return nil
		}},
		{"the token is revoked", func(k *eventsServer, token *tokenRecord) error {
			return k.store.setRevoked(k.ann.ID, token.ID, true)
		}},
		{"the sign-in logs out", func(k *eventsServer, token *tokenRecord) error {
			return k.store.endSession(token, endedByLogout)
		}},
		{"the account is disabled", func(k *eventsServer, _ *tokenRecord) error {
			u := *k.ann
			u.Disabled = true
			return k.store.Update(func(tx *db.Tx) error { k.store.users.Put(tx, &u); return nil })
		}},
		{"the account is deleted", func(k *eventsServer, _ *tokenRecord) error {
			k.deleteUser(k.ann.ID)
			return nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inEventsBubble(t, func(t *testing.T, k *eventsServer) {
				bob := k.signUp("bob")
				anns := k.signIn(k.ann, token.Access, 5*time.Second)
				k.token = k.signIn(bob, token.Access, time.Hour)
				other := k.follow("")
				k.token = anns
				own, slow := k.follow(""), k.follow("")
				k.add("ball")
				other.upTo(t, k.store.LastSeq())
				own.upTo(t, k.store.LastSeq()) // slow reads nothing more: a write waits for it

				k.must(tt.end(k, k.store.liveTokens(k.ann.ID)[1]))
				ended := time.Now()
				k.must(k.store.addItem(&item{Itemname: "secret", Category: "c", Description: "d", CreatedBy: bob.ID}))
				seq := k.store.LastSeq()
				if took := own.untilEnd(t).Sub(ended); took > time.Second {
					t.Errorf("the stream ended %v after its token", took)
				}
				if id, _ := strconv.ParseInt(own.last, 10, 64); id >= seq {
					t.Errorf("the stream told of change %s, which came after its token's end", own.last)
				}
				<-time.After(time.Second - time.Since(ended))
				synctest.Wait()
				if all := k.streams.Open(); all != 1 {
					t.Errorf("%d streams a second after; want that of the other account alone", all)
				}
				other.upTo(t, seq)
				slow.conn.Close()
			})
		})
	}
}

// A stream outlives every limit that the server has for other answers.
func TestEventsHeartbeat(t *testing.T) {
	t.Parallel()
	inEventsBubble(t, func(t *testing.T, k *eventsServer) {
		s := k.follow("")
		began := time.Now()
		k.signIn(k.ann, token.Access, time.Hour) // makes no event, but moves on what a client comes back with
		for i := 1; i <= 40; i++ {
			if e, err := s.block(); err != nil || e.data != "" || s.beats != i {
				t.Fatalf("after %v: %+v, %v; want heartbeat %d", time.Since(began), e, err, i)
			}
			if got, want := time.Since(began), time.Duration(i)*reply.Heartbeat; got != want {
				t.Fatalf("heartbeat %d came after %v; want %v", i, got, want)
			}
		}
		if want := strconv.FormatInt(k.store.LastSeq(), 10); s.last != want {
			t.Errorf("the heartbeats tell id %s; want %s", s.last, want)
		}
		<-time.After(reply.Heartbeat / 3)
		k.add("ball")
		s.upTo(t, k.store.LastSeq())
		began = time.Now()
		if _, err := s.block(); err != nil || time.Since(began) != reply.Heartbeat {
			t.Errorf("a heartbeat (%v) came %v after an event; want %v", err, time.Since(began), reply.Heartbeat)
		}
	})
}

// HTTP/2 has deadlines of its own kind.
func TestEventsHTTP2(t *testing.T) {
	t.Parallel()
	inEventsBubble(t, func(t *testing.T, k *eventsServer) {
		http2 := new(http.Protocols)
		http2.SetUnencryptedHTTP2(true)
		listener := eventsListener{make(chan net.Conn), make(chan struct{})}
		server := serve.New(k.server, k.log)
		server.Protocols = http2
		var serving sync.WaitGroup
		serving.Go(func() { server.Serve(listener) })
		client := &http.Transport{Protocols: http2, DialContext: func(context.Context, string, string) (net.Conn, error) {
			conn, far := net.Pipe()
			listener.conns <- far
			return conn, nil
		}}
		defer serving.Wait()
		defer server.Close()
		defer client.CloseIdleConnections()

		req, err := http.NewRequest("GET", "http://shelf/api/v1/events", nil)
		k.must(err)
		req.Header.Set("Authorization", "Bearer "+k.token)
		answer, err := client.RoundTrip(req)
		k.must(err)
		defer answer.Body.Close()
		if answer.ProtoMajor != 2 || answer.StatusCode != http.StatusOK {
			t.Fatalf("the answer is %s %s; want HTTP/2 and 200", answer.Proto, answer.Status)
		}
		s := &eventsStream{Response: answer, lines: bufio.NewReader(answer.Body)}
		for s.beats < 10 {
			_, err := s.block()
			k.must(err)
		}
		k.add("ball")
		s.upTo(t, k.store.LastSeq())
		s.beats = 0
		k.must(k.store.endSession(k.store.liveTokens(k.ann.ID)[0], endedByLogout))
		ended := time.Now()
		if took := s.untilEnd(t).Sub(ended); took > time.Second {
			t.Errorf("the stream ended %v after its token", took)
		}
	})
}

func TestEventsSlowReader(t *testing.T) {
	t.Parallel()
	inEventsBubble(t, func(t *testing.T, k *eventsServer) {
		slow, dead := k.follow(""), k.follow("")
		began := time.Now()
		last := slow.last
		k.add("on its way")
		synctest.Wait() // the streams have it in hand, and nobody takes it from them
		for i := range db.EventsKept + 2*db.EventsAtOnce {
			k.add(fmt.Sprint(i))
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("writers waited %v for readers who don't read", took)
		}
		// The slow one is told what was on its way to it, and no more.
		slow.untilEnd(t)
		if slow.last == last || slow.last == strconv.FormatInt(k.store.LastSeq(), 10) {
			t.Errorf("a reader that was overtaken stands at %s; it began at %s, and the last change is %d", slow.last, last, k.store.LastSeq())
		}
		if s := k.request("GET", k.token, slow.last, 1<<20); s.StatusCode != http.StatusGone {
			t.Errorf("it comes back behind %s = %d; want 410", slow.last, s.StatusCode)
		}
		// The dead one's connection is given up.
		<-time.After(reply.Patience + time.Second - time.Since(began))
		synctest.Wait()
		if n := k.streams.Open(); n != 0 {
			t.Errorf("%d streams after %v; want none", n, time.Since(began))
		}
		if _, err := io.Copy(io.Discard, dead.lines); err == nil {
			t.Error("the dead reader's stream has a proper end; want it cut")
		}
		// All that is kept can be had.
		oldest := strconv.FormatInt(k.store.LastSeq()-db.EventsKept, 10)
		if got := k.follow(oldest).upTo(t, k.store.LastSeq()); len(got) != db.EventsKept {
			t.Errorf("%d events after %s; want %d", len(got), oldest, db.EventsKept)
		}
	})
}

func TestEventsTooManyStreams(t *testing.T) {
	t.Parallel()
	inEventsBubble(t, func(t *testing.T, k *eventsServer) {
		var open []*eventsStream
		for range reply.MaxEach {
			open = append(open, k.follow(""))
		}
		refused := k.request("GET", k.token, "", 1<<20)
		if refused.StatusCode != http.StatusTooManyRequests || refused.Header.Get("Retry-After") == "" || refused.Header.Get("Content-Type") != "application/json" {
			t.Errorf("one stream too many = %d %v; want 429 with Retry-After", refused.StatusCode, refused.Header)
		}
		if head := k.request("HEAD", k.token, "", 1<<20); head.StatusCode != http.StatusOK {
			t.Errorf("HEAD = %d; want 200, as it takes no place", head.StatusCode)
		}
		open[0].conn.Close()
		synctest.Wait()
		k.follow("")
		k.token = k.signIn(k.signUp("bob"), token.Access, time.Hour)
		k.follow("")
	})
}

func TestEventsShutdown(t *testing.T) {
	t.Parallel()
	inEventsBubble(t, func(t *testing.T, k *eventsServer) {
		idle, slow := k.follow(""), k.follow("")
		k.add("ball")
		idle.upTo(t, k.store.LastSeq())
		began := time.Now()
		stopped := make(chan error)
		go func() { stopped <- k.http.Shutdown(context.Background()) }()
		if took := idle.untilEnd(t).Sub(began); took != 0 {
			t.Errorf("a stream ended %v after the signal", took)
		}
		if err, took := <-stopped, time.Since(began); err != nil || took > time.Second {
			t.Errorf("Shutdown = %v after %v; want nil within a second, slow readers or not", err, took)
		}
		slow.conn.Close()
	})
}
