package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/password"
)

// A guardClock stands still until a test moves it.
type guardClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *guardClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *guardClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

const (
	guardHere  = "192.0.2.1"
	guardThere = "198.51.100.7"
)

func TestTrustedProxiesFlag(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"localhost", "10.0.0.1:80", "10.0.0.0/33", "loopback", "10.0.0.1,proxy"} {
		_, err := settingsFrom("-trusted-proxies="+bad, "", "")
		want := fmt.Sprintf("flag -trusted-proxies: %q: want addresses or networks, comma separated, such as 10.0.0.7,fd00::/8", bad)
		if err == nil || err.Error() != want {
			t.Errorf("-trusted-proxies %s: %v\nwant %s", bad, err, want)
		}
	}
}

// A guardServer is a server of a test's own.
type guardServer struct {
	*server
	t     testing.TB
	clock *guardClock
	log   *bytes.Buffer // to be read when no request runs
}

// newGuardServer starts one with the program's flags, in memory unless they say
// otherwise.
func newGuardServer(t testing.TB, flags string) guardServer {
	t.Helper()
	c, err := settingsFrom("-data=memory -bcrypt-cost=4 -log=requests "+flags, "", "")
	if err != nil {
		t.Fatal(err)
	}
	g := guardServer{t: t, clock: &guardClock{at: tokenNow}, log: new(bytes.Buffer)}
	log := newLog(c, g.log)
	st := newStore(log, g.clock.now)
	if c.data != inMemory {
		if st, err = openStore(journal.OS{}, c.data, log, g.clock.now); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
	}
	g.server = newServer(c, st, tokenRing(t), log, g.clock.now, &net.TCPAddr{IP: net.IPv4zero, Port: 80})
	g.hashes.Patience = time.Hour // as in startAPI
	return g
}

// post sends a form from an address, with headers as name and value by turns.
func (g guardServer) post(path, from, form string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(form))
	r.RemoteAddr = net.JoinHostPort(from, "1234")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return ask(g.server, r)
}

// want fails the test unless the answer has the status and the text in it.
func (g guardServer) want(w *httptest.ResponseRecorder, status int, text string) {
	g.t.Helper()
	if w.Code != status || !strings.Contains(w.Body.String(), text) {
		g.t.Errorf("got %d %s; want %d %s", w.Code, w.Body, status, text)
	}
}

const (
	guardRight = "email=ann@example.com&password=b00k-worm"
	guardWrong = "email=ann@example.com&password=n0t-that!"
)

func TestTooManyAttempts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path, form    string
		before              int // requests that are answered otherwise
		want, retryAfter    string
		contentType, answer string
	}{
		{"sign-in answers as the catalog", "/api/v1/auth/signin", guardWrong, 10, "401", "1", "application/json", `{"status":429,"error":"Too many attempts"}` + "\n"},
		{"an unknown account is counted alike", "/api/v1/auth/signin", "email=nobody@example.com&password=n0t-that!", 10, "401", "1", "application/json", `{"status":429,"error":"Too many attempts"}` + "\n"},
		{"/login answers in plain text", "/login", "username=ann&password=wrong", 10, "403", "1", "text/plain; charset=utf-8", "Too many attempts"},
		{"an unknown book account is counted alike", "/login", "username=nobody&password=wrong", 10, "401", "1", "text/plain; charset=utf-8", "Too many attempts"},
		{"sign-up answers as the catalog", "/api/v1/auth/signup", guardRight, 18, "400", "60", "application/json", `{"status":429,"error":"Too many attempts"}` + "\n"},
		{"/signup answers as the book API", "/signup", "username=ann&password=right", 18, "409", "60", "application/json", `{"message":"Too many attempts"}` + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuardServer(t, "")
			g.want(g.post("/api/v1/auth/signup", guardHere, guardRight), 201, "")
			g.want(g.post("/signup", guardHere, "username=ann&password=right"), 201, "")
			for range tt.before {
				if w := g.post(tt.path, guardHere, tt.form); fmt.Sprint(w.Code) != tt.want {
					t.Fatalf("%d %s; want %s", w.Code, w.Body, tt.want)
				}
			}
			w := g.post(tt.path, guardHere, tt.form)
			g.want(w, 429, "")
			h := w.Header()
			if h.Get("Retry-After") != tt.retryAfter || h.Get("Content-Type") != tt.contentType || w.Body.String() != tt.answer || h.Get("WWW-Authenticate") != "" {
				t.Errorf("%v %q; want Retry-After %s and, as %s, %q", h, w.Body, tt.retryAfter, tt.contentType, tt.answer)
			}
			for _, path := range []string{"/api/v1/auth/signin", "/login"} { // with a right password, from elsewhere
				if w := g.post(path, guardThere, guardRight+"&username=ann&password=right"); w.Code == 429 {
					t.Errorf("POST %s from another address = 429", path)
				}
			}
		})
	}
}

func TestTooManyAttemptsComesAfterTheRules(t *testing.T) {
	t.Parallel()
	g := newGuardServer(t, "")
	for range 20 {
		g.post("/api/v1/auth/signup", guardHere, guardRight)
		g.post("/api/v1/auth/signin", guardHere, guardWrong)
	}
	g.want(g.post("/api/v1/auth/signin", guardHere, guardRight), 429, "Too many attempts")
	g.want(g.post("/api/v1/auth/signup", guardHere, guardRight), 429, "Too many attempts")
	g.want(g.post("/api/v1/auth/signin", guardHere, "email=ann&password=b00k-worm"), 400, badEmail)
	g.want(g.post("/api/v1/auth/signin", guardHere, "email=ann@example.com&password=1"), 400, badPassword)
	g.want(g.post("/api/v1/auth/signup", guardHere, "email=ann@example.com&password=1"), 400, badPassword)
	g.want(g.post("/signup", guardHere, ""), 400, "Invalid input!")
	g.want(g.post("/login", guardHere, "username=ann"), 401, "Could not verify!")
	g.want(g.post("/api/v1/auth/signin", guardHere, guardRight, "Content-Type", "text/xml"), 415, "")

	g.clock.advance(time.Second)
	g.want(g.post("/api/v1/auth/signin", guardHere, guardRight), 200, "access_token")
	for range 9 {
		g.want(g.post("/api/v1/auth/signin", guardHere, guardWrong), 401, "Bad email or password")
	}
}

// What is one account to sign in to is one to the limits.
func TestTooManyAttemptsBySpelling(t *testing.T) {
	t.Parallel()
	g := newGuardServer(t, "")
	g.want(g.post("/api/v1/auth/signup", guardHere, guardRight), 201, "")
	for range 5 {
		g.want(g.post("/api/v1/auth/signin", guardHere, guardWrong), 401, "")
		g.want(g.post("/api/v1/auth/signin", guardHere, "email=Ann@Example.COM&password=n0t-that!"), 401, "")
	}
	g.want(g.post("/api/v1/auth/signin", guardHere, "email=ANN@example.com&password=b00k-worm"), 429, "Too many attempts")

	// A username in other case is another's, who can't reset the count.
	g.want(g.post("/signup", guardHere, "username=bob&password=right"), 201, "")
	g.want(g.post("/signup", guardHere, "username=BOB&password=eves"), 201, "")
	for range 9 {
		g.want(g.post("/login", guardHere, "username=bob&password=wrong"), 403, "")
	}
	g.want(g.post("/login", guardHere, "username=BOB&password=eves"), 201, "token")
	g.want(g.post("/login", guardHere, "username=bob&password=wrong"), 403, "")
	g.want(g.post("/login", guardHere, "username=bob&password=right"), 429, "Too many attempts")
}

// Faults that are not the password's must not count as if they were.
func TestTooManyAttemptsCountsWrongPasswordsOnly(t *testing.T) {
	t.Parallel()
	g := newGuardServer(t, "")
	g.want(g.post("/api/v1/auth/signup", guardHere, guardRight), 201, "")
	for range 30 {
		g.want(g.post("/api/v1/auth/signin", guardHere, "email=ann@example.com&password=1"), 400, badPassword)
		r := httptest.NewRequest("POST", "/api/v1/auth/signin", strings.NewReader(guardWrong))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		gone, leave := context.WithCancel(r.Context())
		leave()
		release := holdWorkers(g.hashes)
		w := ask(g.server, r.WithContext(gone))
		g.want(w, 503, "Too many sign-ins at once")
		release()
	}
	g.want(g.post("/api/v1/auth/signin", guardHere, guardRight), 200, "access_token")
}

// A stolen token must not be a way around the count.
func TestTooManyAttemptsBehindAToken(t *testing.T) {
	t.Parallel()
	for _, request := range []string{
		"POST /api/v1/auth/password current_password=n0t-that!&new_password=n3w-worm",
		"DELETE /api/v1/auth/me password=n0t-that!",
	} {
		method, rest, _ := strings.Cut(request, " ")
		path, form, _ := strings.Cut(rest, " ")
		g := newGuardServer(t, "")
		w := g.post("/api/v1/auth/signup", guardHere, guardRight)
		var in struct{ Data []signedIn }
		if err := json.Unmarshal(w.Body.Bytes(), &in); err != nil || len(in.Data) != 1 {
			t.Fatalf("%s: %v", w.Body, err)
		}
		for i := range 11 {
			r := httptest.NewRequest(method, path, strings.NewReader(form))
			r.RemoteAddr = net.JoinHostPort(guardHere, "1234")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Authorization", "Bearer "+in.Data[0].AccessToken)
			if w := g.send(r); i < 10 {
				g.want(w, 403, "Wrong password")
			} else {
				g.want(w, 429, "Too many attempts")
			}
		}
		g.want(g.post("/api/v1/auth/signin", guardHere, guardRight), 429, "Too many attempts")
		g.want(g.post("/api/v1/auth/signin", guardThere, guardRight), 200, "access_token")
	}
}

func TestSignInsInParallel(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, form  string
		want        int
		least, most int // answers with that status, of fifty
	}{
		{"fifty right passwords at once all come in", guardRight, 200, 50, 50},
		{"of fifty wrong ones ten are judged", guardWrong, 401, 10, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuardServer(t, "-log=off")
			g.want(g.post("/api/v1/auth/signup", guardHere, guardRight), 201, "")
			var n atomic.Int64
			var running sync.WaitGroup
			for range 50 {
				running.Go(func() {
					if g.post("/api/v1/auth/signin", guardHere, tt.form).Code == tt.want {
						n.Add(1)
					}
				})
			}
			running.Wait()
			if got := int(n.Load()); got < tt.least || got > tt.most {
				t.Errorf("%d answers of fifty were %d; want %d", got, tt.want, tt.least)
			}
		})
	}
}

func TestForwardedHeaders(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, flags string
		wantStatus  int
		wantScheme  string
	}{
		{"a stranger's headers change nothing", "", 429, "http"},
		{"a trusted proxy's name the client and its scheme", "-trusted-proxies=" + guardHere, 201, "https"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuardServer(t, tt.flags)
			var last, first *httptest.ResponseRecorder
			for i := range 21 {
				form := fmt.Sprintf("email=user%d@example.com&password=b00k-worm", i)
				last = g.post("/api/v1/auth/signup", guardHere, form, "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i))
				first = cmp.Or(first, last)
			}
			g.want(last, tt.wantStatus, "")
			var in struct{ Data []signedIn }
			if err := json.Unmarshal(first.Body.Bytes(), &in); err != nil || len(in.Data) != 1 {
				t.Fatalf("%s: %v", first.Body, err)
			}
			w := g.post("/api/v1/items", guardHere, "itemname=ball&category=soccer&description=round",
				"Authorization", "Bearer "+in.Data[0].AccessToken, "X-Forwarded-Proto", "https")
			if got, want := w.Header().Get("Location"), tt.wantScheme+"://example.com/api/v1/items/1"; got != want {
				t.Errorf("Location is %s; want %s", got, want)
			}
		})
	}
}

// hashCost is what a hash cost: $2a$12$ cost 12.
func hashCost(t *testing.T, hash string) int {
	t.Helper()
	cost, err := strconv.Atoi(hash[4:6])
	if err != nil {
		t.Fatal(err)
	}
	return cost
}

// costOf is what the account's stored hash cost.
func costOf(t *testing.T, st *store, email string) int {
	t.Helper()
	return hashCost(t, st.userByEmail(email).Hash)
}

func TestHashUpgrade(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name         string
		stored       int // the cost at sign-up
		form         string
		status, want int // the answer, and the stored cost after it
	}{
		{"a weaker hash is made anew at sign-in", 4, guardRight, 200, 5},
		{"one of the configured cost stays", 5, guardRight, 200, 5},
		{"a stronger one stays", 6, guardRight, 200, 6},
		{"a wrong password changes nothing", 4, guardWrong, 401, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuardServer(t, "-bcrypt-cost=5")
			g.hashes = password.New(tt.stored)
			g.want(g.post("/api/v1/auth/signup", guardHere, guardRight), 201, "")
			g.hashes = password.New(5)
			g.want(g.post("/api/v1/auth/signin", guardHere, tt.form), tt.status, "")
			if got := costOf(t, g.store, "ann@example.com"); got != tt.want {
				t.Errorf("the stored hash has cost %d; want %d", got, tt.want)
			}
			g.want(g.post("/api/v1/auth/signin", guardHere, guardRight), 200, "access_token")
			g.want(g.post("/api/v1/auth/signin", guardHere, guardWrong), 401, "Bad email or password")
		})
	}
}

func TestHashUpgradeAtLogin(t *testing.T) {
	t.Parallel()
	g := newGuardServer(t, "")
	g.want(g.post("/signup", guardHere, "username=ann&password=right"), 201, "")
	g.hashes = password.New(5)
	g.want(g.post("/login", guardHere, "username=ann&password=right"), 201, "token")
	if cost := hashCost(t, g.store.userByUsername("ann").Hash); cost != 5 {
		t.Errorf("the stored hash has cost %d; want 5", cost)
	}
	g.want(g.post("/login", guardHere, "username=ann&password=right"), 201, "token")
}

// A crash between the two would leave a sign-in that nobody recorded, or a
// password that nobody checked.
func TestHashUpgradeIsOneBatchWithTheSignIn(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "shelf.jsonl")
	g := newGuardServer(t, "-data="+file)
	g.want(g.post("/api/v1/auth/signup", guardHere, guardRight), 201, "")
	g.hashes = password.New(5)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g.want(g.post("/api/v1/auth/signin", guardHere, guardRight), 200, "")
	after, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(after[len(before):])), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], `"hash":"$2a$05$`) || !strings.Contains(lines[2], `"closes":3`) {
		t.Errorf("the sign-in wrote\n%s\nwant the user with a hash of cost 5 and two tokens in one batch", strings.Join(lines, "\n"))
	}
}

func TestHashUpgradeNeverStopsASignIn(t *testing.T) {
	t.Parallel()
	g := newGuardServer(t, "-log=off")
	g.want(g.post("/api/v1/auth/signup", guardHere, guardRight), 201, "")
	g.hashes = password.New(5)
	var running sync.WaitGroup
	for range 30 {
		running.Go(func() { g.want(g.post("/api/v1/auth/signin", guardHere, guardRight), 200, "access_token") })
	}
	running.Wait()
}

// guardStore is a store in memory with one account.
func guardStore(t *testing.T) (*store, *user, *guardClock) {
	t.Helper()
	clock := &guardClock{at: tokenNow}
	st := newStore(slog.New(slog.DiscardHandler), clock.now)
	u := &user{PublicID: "ann", Username: "ann", Created: tokenNow}
	if err := st.signUp(u); err != nil {
		t.Fatal(err)
	}
	return st, u, clock
}

// guardSignIn records a sign-in whose tokens last an hour and a day.
func guardSignIn(t *testing.T, st *store, u *user) (access, refresh *tokenRecord) {
	t.Helper()
	access = &tokenRecord{JTI: newJTI(), Type: accessToken, Expires: st.now().Add(time.Hour)}
	refresh = &tokenRecord{JTI: newJTI(), Type: refreshToken, Expires: st.now().Add(24 * time.Hour)}
	if err := st.signIn(u, "", access, refresh); err != nil {
		t.Fatal(err)
	}
	return access, refresh
}

func guardRefresh(t *testing.T, st *store, by *tokenRecord) *tokenRecord {
	t.Helper()
	access := &tokenRecord{JTI: newJTI(), Type: accessToken, Expires: st.now().Add(time.Hour)}
	if err := st.refresh(by, access); err != nil {
		t.Fatal(err)
	}
	return access
}

// guardRecords is how many records the account has, and which of some are among
// them.
func guardRecords(st *store, u *user, some ...*tokenRecord) (n int, has []bool) {
	for _, t := range some {
		_, record := st.userWithToken(u.PublicID, t.JTI)
		has = append(has, record != nil)
	}
	st.View(func(tx *db.Tx) { n = len(st.tokensOf.Rows(tx, u.ID)) })
	return n, has
}

func TestTokenRecordsAreLimited(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   func(t *testing.T, st *store, u *user, clock *guardClock) []*tokenRecord
		want int
		has  string // of those that do returned
	}{
		{"a thousand records may be", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			first, refresh := guardSignIn(t, st, u)
			for range 499 {
				guardSignIn(t, st, u)
			}
			return []*tokenRecord{first, refresh}
		}, 1000, "[true true]"},
		{"the next sign-in ends the oldest, whole", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			first, refresh := guardSignIn(t, st, u)
			second, _ := guardSignIn(t, st, u)
			for range 498 {
				guardSignIn(t, st, u)
			}
			last, _ := guardSignIn(t, st, u)
			return []*tokenRecord{first, refresh, second, last}
		}, 1000, "[false false true true]"},
		{"a sign-in is as old as its beginning, whenever it was refreshed", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			_, refresh := guardSignIn(t, st, u)
			second, _ := guardSignIn(t, st, u)
			for range 497 {
				guardSignIn(t, st, u)
			}
			young := guardRefresh(t, st, refresh)
			guardRefresh(t, st, refresh)
			guardSignIn(t, st, u)
			return []*tokenRecord{refresh, young, second}
		}, 998, "[false false true]"},
		{"expired ones go first", func(t *testing.T, st *store, u *user, clock *guardClock) []*tokenRecord {
			access, refresh := guardSignIn(t, st, u)
			for range 499 {
				guardSignIn(t, st, u)
			}
			clock.advance(time.Hour)
			guardSignIn(t, st, u)
			return []*tokenRecord{access, refresh}
		}, 502, "[false true]"},
		{"a refresh ends the oldest sign-in", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			_, first := guardSignIn(t, st, u)
			for range 498 {
				guardSignIn(t, st, u)
			}
			_, last := guardSignIn(t, st, u)
			return []*tokenRecord{first, last, guardRefresh(t, st, last)}
		}, 999, "[false true true]"},
		{"but not the one that it refreshes", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			access, first := guardSignIn(t, st, u)
			_, second := guardSignIn(t, st, u)
			for range 498 {
				guardSignIn(t, st, u)
			}
			return []*tokenRecord{access, first, second, guardRefresh(t, st, first)}
		}, 999, "[true true false true]"},
		{"one that fills all the room loses its oldest access tokens", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			access, refresh := guardSignIn(t, st, u)
			next := guardRefresh(t, st, refresh)
			for range 997 {
				guardRefresh(t, st, refresh)
			}
			return []*tokenRecord{access, refresh, next, guardRefresh(t, st, refresh)}
		}, 1000, "[false true true true]"},
		{"expired ones go first at a refresh too", func(t *testing.T, st *store, u *user, clock *guardClock) []*tokenRecord {
			access, first := guardSignIn(t, st, u)
			for range 499 {
				guardSignIn(t, st, u)
			}
			clock.advance(time.Hour)
			return []*tokenRecord{access, first, guardRefresh(t, st, first)}
		}, 501, "[false true true]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			st, u, clock := guardStore(t)
			other := &user{PublicID: "ben", Username: "ben"}
			if err := st.signUp(other); err != nil {
				t.Fatal(err)
			}
			theirs, _ := guardSignIn(t, st, other)
			n, has := guardRecords(st, u, tt.do(t, st, u, clock)...)
			if n != tt.want || fmt.Sprint(has) != tt.has {
				t.Errorf("%d records, of ours %v; want %d and %s", n, has, tt.want, tt.has)
			}
			if _, has := guardRecords(st, other, theirs); !has[0] {
				t.Error("another account's record is gone")
			}
		})
	}
}

func TestForeignPages(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, flags  string
		origin, site string // Origin and Sec-Fetch-Site, "" for none
		allowed      bool
	}{
		{"what is no browser sends neither header", "", "", "", true},
		{"a page of our own is welcome", "", "http://example.com", "same-origin", true},
		{"so is one in an old browser", "", "http://example.com", "", true},
		{"an address typed by the user is welcome", "", "", "none", true},
		{"a page on this machine is by default", "", "http://localhost:3000", "cross-site", true},
		{"a foreign page is not", "", "https://evil.example", "cross-site", false},
		{"nor in an old browser", "", "https://evil.example", "", false},
		{"nor one of the same site", "", "https://evil.example.com", "same-site", false},
		{"nor one that hides its origin", "", "null", "cross-site", false},
		{"nor one that sends none", "", "", "cross-site", false},
		{"an origin that -cors names is welcome", "-cors=https://app.example", "https://app.example", "cross-site", true},
		{"then one on this machine is not", "-cors=https://app.example", "http://localhost:3000", "cross-site", false},
		{"with -cors * all are", "-cors=*", "https://evil.example", "cross-site", true},
		{"with -cors off none is", "-cors=off", "http://localhost:3000", "same-site", false},
	}
	const refused = "Web pages of other origins may not do this here; -cors names those that may"
	routes := []struct{ path, form, refused string }{
		{"/api/v1/auth/signup", "email=new@example.com&password=b00k-worm", `{"status":403,"error":"` + refused + `"}` + "\n"},
		{"/api/v1/auth/signin", guardRight, `{"status":403,"error":"` + refused + `"}` + "\n"},
		{"/signup", "username=new&password=right", `{"message":"` + refused + `"}` + "\n"},
		{"/login", "username=ann&password=right", refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuardServer(t, tt.flags)
			g.post("/api/v1/auth/signup", guardHere, guardRight)
			g.post("/signup", guardHere, "username=ann&password=right")
			for _, route := range routes {
				var headers []string
				if tt.origin != "" {
					headers = append(headers, "Origin", tt.origin)
				}
				if tt.site != "" {
					headers = append(headers, "Sec-Fetch-Site", tt.site)
				}
				w := g.post(route.path, guardHere, route.form, headers...)
				switch {
				case tt.allowed && w.Code >= 300:
					t.Errorf("POST %s = %d %s; want success", route.path, w.Code, w.Body)
				case !tt.allowed && (w.Code != 403 || w.Body.String() != route.refused):
					t.Errorf("POST %s = %d %s; want 403 %s", route.path, w.Code, w.Body, route.refused)
				}
			}
		})
	}
}

func TestBodyLimits(t *testing.T) {
	t.Parallel()
	nested := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	many := make(url.Values)
	for i := range 101 {
		many.Set(fmt.Sprint("field", i), "")
	}
	for _, tt := range []struct {
		name, contentType, body string
		want                    int
		text                    string
	}{
		{"a body over 1 MiB", "application/json", `{"email":"` + strings.Repeat("a", 1<<20) + `"}`, 413, "at most 1 MiB"},
		{"JSON nested a hundred thousand deep", "application/json", `{"x":` + nested + `}`, 400, "Invalid request body"},
		{"JSON nested deeper than 32", "application/json", `{"x":` + nested[100_000-40:100_000+40] + `}`, 400, "must not nest deeper than 32"},
		{"a form of 101 fields", "application/x-www-form-urlencoded", many.Encode(), 400, "more than 100 fields"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/api/v1/auth/signup", "/api/v1/auth/signin", "/signup", "/login"} {
				g := newGuardServer(t, "")
				g.want(g.post(path, guardHere, tt.body, "Content-Type", tt.contentType), tt.want, tt.text)
			}
		})
	}
}
