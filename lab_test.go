package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/lab"
	"example.com/shelf/internal/limit"
	"example.com/shelf/internal/token"
)

// newLabAPI starts a server with -lab. It goes by the machine's time until the
// test says otherwise.
func newLabAPI(t testing.TB, flags ...string) *api {
	t.Helper()
	return newAPI(t, append([]string{"-lab"}, flags...)...)
}

// inLab is a client that knows the lab's secret.
func (a *api) inLab() *client { return a.as("").with("X-Lab-Token", a.config.labToken) }

// setClock sends a body such as {"advance":"16m"}.
func (a *api) setClock(text string) *answer {
	a.t.Helper()
	return a.inLab().send("POST /lab/clock", asJSON(text))
}

// snapshot makes one, and returns the request that restores it.
func (a *api) snapshot() (restore string) {
	a.t.Helper()
	ans := a.inLab().send("POST /lab/snapshot")
	var got struct{ ID int }
	if ans.decode(&got); ans.status != 201 || got.ID < 1 {
		a.t.Fatalf("%v; want 201 and an id", ans)
	}
	return fmt.Sprint("POST /lab/restore/", got.ID)
}

// seen is what ann can read, and so what has to be the same again.
func (a *api) seen() string {
	a.t.Helper()
	var all strings.Builder
	for _, request := range []string{"GET /api/v1/items", "GET /api/v1/categories", "GET /api/v1/auth/me", "GET /api/v1/auth/tokens", "GET /api/v1/items?createdby=1"} {
		all.WriteString(a.as("ann").send(request).body)
	}
	all.WriteString(a.as("").with("X-Access-Token", a.session("ann").Access).send("GET /bookapi/books").body)
	return all.String()
}

// readyLab is a server with -lab on which ann had an account, an item and a book
// when it began to serve, and had had a second item.
func readyLab(t testing.TB) *api {
	t.Helper()
	a := newLabAPI(t)
	a.as("ann").send("POST /api/v1/items", ball)
	a.as("ann").send("POST /api/v1/items", ball)
	a.as("ann").send("DELETE /api/v1/items/2")
	a.as("").with("X-Access-Token", a.session("ann").Access).send("POST /bookapi/books", dune).want(200, "new book created")
	newLab(a.server, a.labTime)
	return a
}

func TestLabReset(t *testing.T) {
	t.Parallel()
	a := readyLab(t)
	start := a.seen()
	restore := a.snapshot()
	bob := a.as("bob")
	a.as("ann").send("POST /api/v1/items", ball)
	a.as("ann").send("DELETE /api/v1/items/1")
	a.as("").with("X-Access-Token", a.session("ann").Access).send("DELETE /bookapi/books/1").want(200, "Book deleted")
	a.as("ann").send("PATCH /api/v1/auth/me", asForm("firstname", "Ann")).want(200, "")
	a.setClock(`{"advance":"1m","freeze":true}`)
	for range limit.FreeTries {
		a.as("").send(signInPath, signingIn("ann@example.com", wrongGuess)).want(401, badSignIn)
	}

	a.inLab().send("POST /lab/reset").want(200, "All is as it was at the start")
	if got := a.seen(); got != start {
		t.Errorf("after a reset ann sees\n%s\nwant\n%s", got, start)
	}
	bob.send("GET /api/v1/items").want(401, "User not found")
	a.inLab().send(restore).want(404, "No such snapshot: a reset drops them all")
	a.signIn("signin", "ann") // wrong passwords are forgotten
	if ans := a.inLab().send("GET /lab/clock"); !strings.Contains(ans.body, `"frozen":false,"offset":"0s"`) {
		t.Errorf("%s = %s; want the machine's time", ans.request, ans.body)
	}
	// The same ids are given out again: a test may count on them.
	made := row[struct{ ID int }](a.as("ann").send("POST /api/v1/items", ball))
	if made.ID != 3 {
		t.Errorf("the next item is item %d; want 3 again", made.ID)
	}
	// And again, as if never reset.
	a.inLab().send("POST /lab/reset").want(200, "All is as it was at the start")
	if got := a.seen(); got != start {
		t.Errorf("after another reset ann sees\n%s\nwant\n%s", got, start)
	}
}

func TestLabRestore(t *testing.T) {
	t.Parallel()
	a := readyLab(t)
	var items []string
	for i := range 1000 {
		items = append(items, fmt.Sprintf(`{"itemname":"item %d","category":"c%d","description":"one of many"}`, i, i%7))
	}
	a.as("ann").send("POST /api/v1/items", asJSON("["+strings.Join(items, ",")+"]"))
	full, restoreFull := a.seen(), a.snapshot()
	for id := range 500 {
		a.as("ann").send(fmt.Sprint("DELETE /api/v1/items/", 2*id+1))
	}
	half, restoreHalf := a.seen(), a.snapshot()
	a.as("ann").send("DELETE /api/v1/auth/me", asForm("password", annPassword)).want(200, "")
	a.as("ann").send("GET /api/v1/items").want(401, "User not found")

	for _, to := range []struct{ restore, sees string }{{restoreFull, full}, {restoreHalf, half}, {restoreHalf, half}, {restoreFull, full}} {
		id := to.restore[strings.LastIndexByte(to.restore, '/')+1:]
		a.inLab().send(to.restore).want(200, "All is as it was at snapshot "+id)
		if a.seen() != to.sees {
			t.Errorf("after %s ann doesn't see what she saw", to.restore)
		}
		a.as("ann").send("PATCH /api/v1/items/1000/category", asForm("category", "other"))
		a.as("ann").send("POST /api/v1/items", ball)
	}
	for _, id := range []string{"0", "3", "one", "-1", "99999999999999999999"} {
		a.inLab().send("POST /lab/restore/"+id).want(404, "No such snapshot: a reset drops them all")
	}
}

// A restore leaves the clock alone.
func TestLabRestoreKeepsTheClock(t *testing.T) {
	t.Parallel()
	a := readyLab(t)
	restore := a.snapshot()
	a.setClock(`{"now":"2040-02-29T12:00:00Z","freeze":true}`)
	a.inLab().send(restore).want(200, "All is as it was at snapshot 1")
	if got := a.inLab().send("GET /lab/clock").body; !strings.Contains(got, `"now":"2040-02-29T12:00:00Z","frozen":true`) {
		t.Errorf("the clock says %s; want what it was set to", got)
	}
	made := row[struct{ User struct{ Createdon string } }](a.as("").send(signUpPath, signingIn("eve@example.com", annPassword)))
	if made.User.Createdon != "Wed, 29 Feb 2040 12:00 PM" {
		t.Errorf("an account is made on %s; want the clock's day", made.User.Createdon)
	}
}

func TestLabSnapshotsAreLimited(t *testing.T) {
	t.Parallel()
	a := newLabAPI(t)
	for range lab.MaxSnapshots {
		a.snapshot()
	}
	a.inLab().send("POST /lab/snapshot").want(409, "There are 100 snapshots already: POST /lab/reset drops them")
	a.inLab().send("POST /lab/reset")
	if restore := a.snapshot(); restore != "POST /lab/restore/101" {
		t.Errorf("%s goes to a new snapshot; want an id that no other ever had", restore)
	}
}

// A request that is under way when the data goes back belongs to what was
// there: it is answered, and what it does can't be seen.
func TestLabUnderWay(t *testing.T) {
	t.Parallel()
	a := readyLab(t)
	start := a.seen()
	body, rest := io.Pipe()
	r := httptest.NewRequest("POST", "/api/v1/items", body)
	r.Host, r.RemoteAddr = "localhost:8080", "127.0.0.1:1234"
	r.Header.Set("Content-Type", jsonType)
	r.Header.Set("Authorization", "Bearer "+a.session("ann").Access)
	answered := make(chan *httptest.ResponseRecorder)
	go func() { answered <- ask(a.server, r) }()
	io.WriteString(rest, `{"itemname":"late",`) // returns when the handler reads

	a.inLab().send("POST /lab/reset").want(200, "All is as it was at the start")
	io.WriteString(rest, `"category":"c","description":"d"}`)
	rest.Close()
	if w := <-answered; w.Code != 201 {
		t.Errorf("POST /api/v1/items = %d %s; want 201", w.Code, w.Body)
	}
	if got := a.seen(); got != start {
		t.Errorf("after the reset ann sees\n%s\nwant\n%s", got, start)
	}
}

// Whoever reads while the data goes back and forth sees one state or the other,
// and every write is answered.
func TestLabNeverAMix(t *testing.T) {
	t.Parallel()
	a := newLabAPI(t)
	ann := a.as("ann")
	for range 200 {
		ann.send("POST /api/v1/items", asForm("itemname", "thing", "category", "old", "description", "d"))
	}
	states := []string{a.snapshot()}
	for id := range 200 {
		ann.send(fmt.Sprint("PATCH /api/v1/items/", id+1, "/category"), asForm("category", "new"))
	}
	states = append(states, a.snapshot())

	var done atomic.Bool
	var others sync.WaitGroup
	for _, order := range []string{"id", "category"} { // the latter reads the rows, not just their JSON
		others.Go(func() {
			for !done.Load() {
				list := rows[thing](ann.send("GET /api/v1/items?limit=20&sort=" + order))
				for _, it := range list {
					if len(list) != 20 || it.Category != list[0].Category {
						t.Errorf("a list of %d items has %s beside %s", len(list), it.Category, list[0].Category)
						return
					}
				}
			}
		})
		others.Go(func() {
			for !done.Load() {
				if ans := ann.send("POST /api/v1/items", ball); ans.status != 201 {
					t.Errorf("%v; want 201", ans)
					return
				}
			}
		})
	}
	for i := range 60 {
		a.inLab().send(states[i%2])
	}
	done.Store(true)
	others.Wait()
}

// In a bubble it is the first moment of 2000, for as long as nobody waits.
func TestLabClock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, body, want string }{
		{"it can be set", `{"now":"2030-01-31T12:00:00Z"}`, `{"now":"2030-01-31T12:00:00Z","frozen":false,"offset":"263724h0m0s"}`},
		{"in any zone", `{"now":"2030-01-31T12:00:00+02:00"}`, `{"now":"2030-01-31T10:00:00Z","frozen":false,"offset":"263722h0m0s"}`},
		{"it can be advanced", `{"advance":"16m"}`, `{"now":"2000-01-01T00:16:00Z","frozen":false,"offset":"16m0s"}`},
		{"by days too", `{"advance":"30d"}`, `{"now":"2000-01-31T00:00:00Z","frozen":false,"offset":"720h0m0s"}`},
		{"it can be frozen", `{"freeze":true}`, `{"now":"2000-01-01T00:00:00Z","frozen":true,"offset":"0s"}`},
		{"it can be set and frozen at once", `{"now":"2030-01-31T12:00:00Z","freeze":true}`, `{"now":"2030-01-31T12:00:00Z","frozen":true,"offset":"263724h0m0s"}`},
		{"it can be told to run, though it does", `{"run":true}`, `{"now":"2000-01-01T00:00:00Z","frozen":false,"offset":"0s"}`},
		{"false is not to", `{"freeze":false,"run":true}`, `{"now":"2000-01-01T00:00:00Z","frozen":false,"offset":"0s"}`},
		{"it can show the machine's time", `{"now":"real"}`, `{"now":"2000-01-01T00:00:00Z","frozen":false,"offset":"0s"}`},

		{"nothing said is nothing to do", `{}`, "want now, advance, freeze or run"},
		{"nor is a false", `{"freeze":false}`, "want now, advance, freeze or run"},
		{"a slip is told", `{"advnce":"16m","run":true}`, "'advnce' is none of now, advance, freeze and run"},
		{"not now and later", `{"now":"2030-01-31T12:00:00Z","advance":"1s"}`, "now and advance exclude each other, and so do freeze and run"},
		{"not frozen and running", `{"freeze":true,"run":true}`, "now and advance exclude each other, and so do freeze and run"},
		{"the machine's time is not frozen", `{"now":"real","freeze":true}`, "'real' goes alone: the clock runs, and is not frozen"},
		{"a day is no time", `{"now":"2030-01-31"}`, "'now' should be a time such as 2026-11-23T14:05:00Z (RFC 3339), or real for the machine's"},
		{"nor is an empty text", `{"now":""}`, "'now' should be a time such as 2026-11-23T14:05:00Z (RFC 3339), or real for the machine's"},
		{"an advance has a unit", `{"advance":"16"}`, "'advance' should be a time above zero in whole seconds, such as 90s, 15m, 12h or 30d"},
		{"an advance goes forward", `{"advance":"-16m"}`, "'advance' should be a time above zero in whole seconds, such as 90s, 15m, 12h or 30d"},
		{"no token outlives 2200", `{"advance":"73050d"}`, "the clock goes from 2000-01-01T00:00:00Z to 2200-01-01T00:00:00Z"},
		{"nor does anything end before 2000", `{"now":"1999-12-31T23:59:59Z"}`, "the clock goes from 2000-01-01T00:00:00Z to 2200-01-01T00:00:00Z"},
		{"freeze is a truth", `{"freeze":"yes"}`, "'freeze' must be a boolean"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newLabAPI(t)
				ans := a.setClock(tt.body)
				if strings.HasPrefix(tt.want, "{") {
					ans.wantBody(200, tt.want)
					a.inLab().send("GET /lab/clock").wantBody(200, tt.want)
					return
				}
				ans.want(400, "Invalid request body: "+tt.want)
				a.inLab().send("GET /lab/clock").wantBody(200, `{"now":"2000-01-01T00:00:00Z","frozen":false,"offset":"0s"}`)
			})
		})
	}
}

// A clock that was moved stands or runs as before, until it is told otherwise.
func TestLabClockGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newLabAPI(t)
		hour := func() { <-time.After(time.Hour) }
		says := func(want string) {
			t.Helper()
			a.inLab().send("GET /lab/clock").wantBody(200, want)
		}
		a.setClock(`{"freeze":true}`)
		hour()
		says(`{"now":"2000-01-01T00:00:00Z","frozen":true,"offset":"-1h0m0s"}`)
		a.setClock(`{"advance":"1d"}`)
		hour()
		says(`{"now":"2000-01-02T00:00:00Z","frozen":true,"offset":"22h0m0s"}`)
		a.setClock(`{"run":true}`)
		hour()
		says(`{"now":"2000-01-02T01:00:00Z","frozen":false,"offset":"22h0m0s"}`)
		a.setClock(`{"now":"real"}`)
		says(`{"now":"2000-01-01T03:00:00Z","frozen":false,"offset":"0s"}`)
	})
}

// The whole server goes by the lab's clock.
func TestLabTime(t *testing.T) {
	t.Parallel()
	a := newLabAPI(t)
	a.setClock(`{"now":"2030-01-01T00:00:00Z","freeze":true}`)
	ann := a.as("ann")

	a.setClock(`{"advance":"899s"}`)
	ann.send("GET /api/v1/items").want(200, "")
	a.setClock(`{"advance":"1s"}`)
	ann.send("GET /api/v1/items").want(401, "Token has expired")
	renew := func() *client {
		t.Helper()
		ans := a.as("").bearing(a.session("ann").Refresh).send("POST /api/v1/auth/refresh").want(200, "")
		return a.as("").bearing(row[session](ans).Access)
	}
	renew().send("GET /api/v1/items").want(200, "")
	a.setClock(`{"now":"2030-01-30T23:59:59Z"}`)
	ann = renew()
	a.setClock(`{"advance":"1s"}`)
	a.as("").bearing(a.session("ann").Refresh).send("POST /api/v1/auth/refresh").want(401, "Token has expired")
	ann.send("POST /api/v1/items", ball)
	if got := row[struct{ Createdon string }](ann.send("GET /api/v1/items/1")).Createdon; got != "Thu, 31 Jan 2030 00:00 AM" {
		t.Errorf("an item is made on %s; want the clock's day", got)
	}

	// A wrong password's wait.
	for range limit.FreeTries {
		a.as("").send(signInPath, signingIn("ann@example.com", wrongGuess)).want(401, badSignIn)
	}
	a.as("").send(signInPath, signingIn("ann@example.com", annPassword)).want(429, tooManyText).wantHeader("Retry-After", "1")
	a.setClock(`{"advance":"1s"}`)
	a.signIn("signin", "ann") // drops what has expired

	// What has expired can go, and a retired key ends.
	root := a.asAdmin("root")
	a.setClock(`{"advance":"14m"}`)
	root.send("DELETE /api/v1/auth/tokens").wantBody(200, `{"status":200,"data":[{"pruned":0}]}`)
	retired := token.EdDSAKey([]byte(formerSecret[:32]))
	retired.Until = time.Date(2030, 3, 2, 0, 14, 0, 0, time.UTC)
	a.keys = token.NewKeyring(append(a.keys.Keys(), retired)...)
	for _, step := range []struct {
		now  string
		keys int
	}{{"2030-03-02T00:13:59Z", 1}, {"2030-03-02T00:14:00Z", 0}} {
		a.setClock(`{"now":"` + step.now + `"}`)
		var set token.JWKSet
		a.as("").send("GET /.well-known/jwks.json").decode(&set)
		if len(set.Keys) != step.keys {
			t.Errorf("at %s there are %d public keys; want %d", step.now, len(set.Keys), step.keys)
		}
	}
	a.asAdmin("rae").send("DELETE /api/v1/auth/tokens").wantBody(200, `{"status":200,"data":[{"pruned":5}]}`) // all of ann and root

	// A token made in the future is none yet.
	late := a.signIn("signin", "ann")
	a.setClock(`{"now":"2030-01-01T00:00:00Z"}`)
	a.as("").bearing(late.Access).send("GET /api/v1/items").want(422, "The token is not yet valid (iat)")
}

// What the lab says goes to its caller alone: no cache keeps it.
func TestLabHeaders(t *testing.T) {
	t.Parallel()
	a := newLabAPI(t)
	for _, request := range []string{"GET /lab/clock", "POST /lab/snapshot", "POST /lab/restore/1", "POST /lab/reset"} {
		a.inLab().send(request).wantHeader("Cache-Control", "no-store").wantHeader("Access-Control-Allow-Origin", "")
	}
	a.inLab().send("HEAD /lab/clock").want(200, "")
	// The server's own page may call, with the secret.
	own := a.inLab().with("Origin", "http://localhost:8080")
	own.with("Sec-Fetch-Site", "same-origin").send("POST /lab/reset").want(200, "All is as it was at the start").wantHeader("Access-Control-Allow-Origin", "")
	own.send("POST /lab/reset").want(200, "All is as it was at the start") // an older browser
	a.inLab().send("GET /lab/reset").want(405, "The method is not allowed for the requested URL").wantHeader("Allow", "POST, OPTIONS")
	a.inLab().send("POST /lab/").want(404, "Not found")
	if got := a.as("").send("GET /").body; !strings.Contains(got, "POST /lab/reset") {
		t.Errorf("GET / names %s; want the lab's calls too", got)
	}
}

// Whoever followed the events before the data went back is told so.
func TestLabEvents(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"/lab/reset", "/lab/restore/1"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			inEventsBubble(t, func(t *testing.T, k *eventsServer) {
				k.config.labToken = "not to be guessed"
				newLab(k.server, &clock.Clock{})
				lab := func(request string) {
					t.Helper()
					r := httptest.NewRequest("POST", request, nil)
					r.Header.Set("X-Lab-Token", k.config.labToken)
					if w := ask(k.server, r); w.Code >= 300 {
						t.Fatalf("POST %s = %d %s", request, w.Code, w.Body)
					}
				}
				lab("/lab/snapshot")
				s := k.follow("")
				k.add("ball")
				seq := k.store.LastSeq()
				s.upTo(t, seq)

				began := time.Now()
				lab(call)
				if took := s.untilEnd(t).Sub(began); took != 0 {
					t.Errorf("the stream ended %v after POST %s; want it at once", took, call)
				}
				k.add("late") // by a request that was under way: nobody is told
				for _, last := range []int64{1, seq - 1, seq} {
					if got := k.request("GET", k.token, strconv.FormatInt(last, 10), 1<<20); got.StatusCode != http.StatusGone {
						t.Errorf("GET /api/v1/events from an id before POST %s = %d; want 410", call, got.StatusCode)
					}
				}

				// From the beginning all is well.
				is := k.present.Load()
				s = k.follow("")
				k.must(is.store.addItem(&item{Itemname: "cube", Category: "c", Description: "d", CreatedBy: k.ann.ID}))
				s.upTo(t, is.store.LastSeq())
				s = k.follow(s.last)
				k.must(is.store.addItem(&item{Itemname: "cone", Category: "c", Description: "d", CreatedBy: k.ann.ID}))
				s.upTo(t, is.store.LastSeq())
			})
		})
	}
}

// However much a request that was under way does: its events are gone too.
func TestLabEventsStayGone(t *testing.T) {
	t.Parallel()
	inEventsBubble(t, func(t *testing.T, k *eventsServer) {
		seq := k.store.EndEvents()
		for range db.EventsKept + 1 {
			k.add("late")
		}
		for _, after := range []int64{0, seq, k.store.LastSeq()} {
			if _, _, _, err := k.store.EventsAfter(after); err != db.ErrEventsGone {
				t.Errorf("events after %d: %v; want %v", after, err, db.ErrEventsGone)
			}
		}
	})
}

// A stream ends when the clock is set to a time at which its token has.
func TestLabEventsExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &clock.Clock{}
		st := eventsMemory()
		st.now = c.Now
		k := newEventsServer(t, st)
		s := k.follow("")
		ahead := func(now time.Time, frozen bool) (time.Time, bool) { return now.Add(time.Hour), frozen }
		if err := c.Change(ahead); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if took := s.untilEnd(t).Sub(began); took > time.Second {
			t.Errorf("the stream ended %v after its token", took)
		}
	})
}

func TestLabRefused(t *testing.T) {
	t.Parallel()
	const ok = ""
	const unseen = "-lab takes its secret from SHELF_LAB_TOKEN with -log off or -log-format json: one that it made would be shown to nobody"
	const token = "SHELF_LAB_TOKEN is not 16 to 256 letters, digits and - . _ ~"
	for _, tt := range []struct{ name, args, environ, want string }{
		{"in memory on the default address", "-lab -data memory", "", ok},
		{"on another loopback address", "-lab -data memory -addr [::1]:0", "", ok},
		{"on localhost", "-lab -data memory -addr localhost:0", "", ok},
		{"with a secret of one's own", "-lab -data memory", "SHELF_LAB_TOKEN=A-secret_of.16~x", ok},
		{"without -lab nobody judges the secret", "-addr :80", "SHELF_LAB_TOKEN=x", ok},
		{"on a file", "-lab", "", "-lab goes with -data memory only, as its calls drop all data; -data is shelf.jsonl"},
		{"on every interface", "-lab -data memory -addr :0", "", "-lab goes with a loopback -addr only, such as 127.0.0.1:8080; -addr is :0; -lab=false does without it"},
		{"on 0.0.0.0", "-lab -data memory -addr 0.0.0.0:80", "", "-lab goes with a loopback -addr only, such as 127.0.0.1:8080; -addr is 0.0.0.0:80; -lab=false does without it"},
		{"on a name", "-lab -data memory -addr shelf.example:80", "", "-lab goes with a loopback -addr only, such as 127.0.0.1:8080; -addr is shelf.example:80; -lab=false does without it"},
		{"on PORT, which is loopback", "-lab -data memory", "PORT=80", ok},
		{"with a short secret", "-lab -data memory", "SHELF_LAB_TOKEN=fifteen-letters", token},
		{"with a secret that no header takes", "-lab -data memory", "SHELF_LAB_TOKEN=sixteen\x00characters", token},
		{"with a secret that a URL would change", "-lab -data memory", "SHELF_LAB_TOKEN=sixteen%characters", token},
		{"with a secret that nobody would see", "-lab -data memory -log off", "", unseen},
		{"where a program reads", "-lab -data memory -log-format json", "", unseen},
		{"where a program reads, with a secret", "-lab -data memory -log-format json", "SHELF_LAB_TOKEN=A-secret_of.16~x", ok},
		{"without a log, with a secret", "-lab -data memory -log off", "SHELF_LAB_TOKEN=A-secret_of.16~x", ok},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := settingsFrom(tt.args, tt.environ, "SHELF_LAB_TOKEN=of-another-server-that-is-called")
			if err != nil {
				t.Fatal(err)
			}
			given := c.labToken
			err = c.prepareLab()
			if got := fmt.Sprint(err); tt.want != ok && got != tt.want || tt.want == ok && err != nil {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if err == nil && !c.lab && c.labToken != "" {
				t.Errorf("without a lab the secret is %q", c.labToken)
			}
			if err == nil && c.lab && (c.labMade != (given == "") || !lab.IsSecret(c.labToken)) {
				t.Errorf("the secret is %q, made: %v", c.labToken, c.labMade)
			}
		})
	}
}

// labRoutes are the requests of all calls of the lab.
func labRoutes(a *api) (requests []string) {
	for _, rt := range a.routes() {
		if strings.Contains(rt.pattern, " /lab/") {
			requests = append(requests, strings.Replace(rt.pattern, "{id}", "1", 1))
		}
	}
	if len(requests) != 5 {
		a.t.Fatalf("the lab's calls are %q; want five", requests)
	}
	return requests
}

// notCalled checks that no call of the lab had an effect since readyLab and one
// snapshot.
func (a *api) notCalled() {
	a.t.Helper()
	if next := a.snapshot(); next != "POST /lab/restore/2" {
		a.t.Errorf("the next snapshot is for %s; want the second one", next)
	}
	if a.present.Load() != a.server {
		a.t.Error("the data went back")
	}
	if c := a.labTime; c.IsFrozen() || c.Now().Sub(clock.Real()).Abs() > time.Minute {
		a.t.Error("the clock was set")
	}
}

// labAttacks are the rows about -lab.
var labAttacks = []attackCase{
	{"no call of the lab works without its secret", "OWASP API2:2023; CWE-306", func(t *testing.T, _ *api) {
		a := readyLab(t)
		a.snapshot()
		a.asAdmin("root")
		const missing, wrong = "The lab's secret is missing: send it as X-Lab-Token", "That is not the lab's secret"
		secret := a.config.labToken
		for _, request := range labRoutes(a) {
			for _, given := range []string{"", " ", "x", secret[1:], secret + "x", strings.ToLower(secret), "Bearer " + secret, secret + "," + secret, tokenSecret, a.session("root").Access} {
				a.as("root").with("X-Lab-Token", given).send(request, asJSON(`{"advance":"1h"}`)).want(401, wrong).wantHeader("WWW-Authenticate", `X-Lab-Token realm="shelf"`)
			}
			a.inLab().with("X-Lab-Token", secret).send(request).want(401, wrong) // twice: a proxy may have judged the other one
			for _, c := range []*client{
				a.as(""), a.as("root"), a.as("").bearing(secret), a.as("").with("X-Access-Token", secret),
				a.as("").with("Cookie", "X-Lab-Token="+secret), a.as("").with("X-Lab-Secret", secret),
			} {
				c.send(request, asForm("advance", "1h", "X-Lab-Token", secret)).want(401, missing)
				c.send(request+"?X-Lab-Token="+secret+"&lab="+secret).want(401, missing)
			}
		}
		a.notCalled()
	}},
	{"no web page of another origin calls the lab, whatever -cors allows", "CWE-352; CWE-942", func(t *testing.T, _ *api) {
		for _, cors := range []string{"-cors=loopback", "-cors=*", "-cors=http://localhost:3000,https://evil.example", "-cors=off"} {
			a := newLabAPI(t, cors)
			a.snapshot()
			for _, page := range []*client{
				a.inLab().with("Origin", "http://localhost:3000"), a.inLab().with("Origin", "http://127.0.0.1:8080"), a.inLab().with("Origin", "https://localhost:8080.evil.example"),
				a.inLab().with("Origin", "https://evil.example"), a.inLab().with("Origin", "null"), a.inLab().with("Origin", "http://"), a.inLab().with("Origin", "file://"),
				a.inLab().with("Sec-Fetch-Site", "cross-site"), a.inLab().with("Sec-Fetch-Site", "same-site"), a.inLab().with("Sec-Fetch-Site", "any"),
				a.inLab().with("Origin", "http://localhost:3000").with("Sec-Fetch-Site", "same-site"),
			} {
				for _, request := range append(labRoutes(a), "HEAD /lab/clock", "OPTIONS /lab/reset", "PUT /lab/reset", "POST /lab/", "POST /%6Cab/reset") {
					got := page.send(request, asForm("advance", "1h"))
					if got.status != 403 {
						t.Errorf("with %s %q: %v; want 403", cors, page.headers, got)
					}
					for name := range got.header {
						if strings.HasPrefix(name, "Access-Control-") {
							t.Errorf("with %s %q: %v has %s", cors, page.headers, got, name)
						}
					}
				}
			}
			a.notCalled()
		}
	}},
	{"no browser is told that it may call the lab from another origin", "Fetch standard §3.2; CWE-942", func(t *testing.T, _ *api) {
		a := newLabAPI(t, "-cors=*")
		for _, origin := range []string{"http://localhost:3000", "https://evil.example", "null"} {
			for _, request := range labRoutes(a) {
				method, path, _ := strings.Cut(request, " ")
				a.as("").with("Origin", origin).with("Access-Control-Request-Method", method).with("Access-Control-Request-Headers", "x-lab-token").send("OPTIONS "+path).
					want(403, "Web pages of other origins may not use the lab").
					wantHeader("Access-Control-Allow-Origin", "").wantHeader("Access-Control-Allow-Headers", "").wantHeader("Access-Control-Allow-Methods", "")
			}
		}
	}},
	{"nor may a page send the lab's secret anywhere else", "Fetch standard §3.2", func(t *testing.T, _ *api) {
		a := newLabAPI(t, "-cors=*")
		got := a.as("").with("Origin", "https://evil.example").with("Access-Control-Request-Method", "GET").with("Access-Control-Request-Headers", "x-lab-token").send("OPTIONS /api/v1/items")
		if allowed := strings.ToLower(got.header.Get("Access-Control-Allow-Headers")); got.status != 204 || strings.Contains(allowed, "lab") {
			t.Errorf("%v allows %q; want no X-Lab-Token", got, allowed)
		}
	}},
	{"a page that points its own name at the lab doesn't reach it", "CWE-350; CWE-346", func(t *testing.T, _ *api) {
		a := readyLab(t)
		a.snapshot()
		for _, request := range labRoutes(a) {
			a.inLab().with("Host", "evil.example:8080").with("Origin", "http://evil.example:8080").with("Sec-Fetch-Site", "same-origin").send(request).want(421, "This server does not answer to that Host; -hosts names more")
		}
		a.notCalled()
	}},
	{"the lab's secret opens nothing but the lab", "CWE-863", func(t *testing.T, _ *api) {
		a := newLabAPI(t)
		a.inLab().send("GET /api/v1/items").want(401, missingHeader)
		a.inLab().send("GET /bookapi/books").want(401, missingToken)
		a.inLab().bearing(a.config.labToken).send("GET /api/v1/users").want(422, "Not enough segments")
		a.inLab().with("X-Access-Token", a.config.labToken).send("GET /bookapi/books").want(401, "Invalid token!")
	}},
	{"a server without -lab has none, whatever secret is sent", "CWE-489", func(t *testing.T, a *api) {
		for _, request := range labRoutes(newLabAPI(t)) {
			for _, secret := range []string{"", "x", a.config.labToken} {
				a.as("").with("X-Lab-Token", secret).send(request).want(404, "Not found")
			}
			_, path, _ := strings.Cut(request, " ")
			a.as("").send("OPTIONS "+path).want(404, "Not found")
		}
	}},
	{"a token from before a reset is not one of whoever has its user's id now", "CWE-613; CWE-639", func(t *testing.T, _ *api) {
		a := newLabAPI(t)
		bob := a.session("bob")
		restore := a.snapshot()
		a.inLab().send("POST /lab/reset").want(200, "All is as it was at the start")
		eve := a.session("eve")
		if eve.User.ID != bob.User.ID {
			t.Fatalf("eve has the id %d; want bob's, %d", eve.User.ID, bob.User.ID)
		}
		a.as("").bearing(bob.Access).send("GET /api/v1/auth/me").want(401, "User not found")
		a.as("").bearing(bob.Refresh).send("POST /api/v1/auth/refresh").want(401, "User not found")
		a.inLab().send(restore).want(404, "No such snapshot: a reset drops them all")
	}},
	{"a log-out before a snapshot still holds after its restore", "OWASP ASVS 5, 7.4.1; CWE-613", func(t *testing.T, _ *api) {
		a := newLabAPI(t)
		ann := a.session("ann")
		a.as("ann").send("DELETE /api/v1/auth/logout").want(200, "Successfully logged out")
		restore := a.snapshot()
		a.inLab().send(restore).want(200, "All is as it was at snapshot 1")
		a.as("").bearing(ann.Access).send("GET /api/v1/items").want(401, "Token has been revoked")
		a.as("").bearing(ann.Refresh).send("POST /api/v1/auth/refresh").want(401, "Token has been revoked")
	}},
	{"the lab's secret is in no answer and no log line", "CWE-532; CWE-200", func(t *testing.T, _ *api) {
		a, log := logging(t, journal.OS{}, "-lab")
		secret := a.config.labToken
		for _, request := range append(labRoutes(a), "POST /lab/nothing", "PUT /lab/clock", "GET /", "GET /openapi.json") {
			for _, c := range []*client{a.inLab(), a.inLab().with("Origin", "https://evil.example"), a.inLab().with("X-Lab-Token", secret), a.inLab().with("Host", "evil.example")} {
				got := c.send(request+"?lab="+secret, asJSON(`"`+secret+`"`))
				if strings.Contains(got.body+fmt.Sprint(got.header), secret) {
					t.Errorf("%v holds the secret", got)
				}
			}
		}
		if log.String() == "" || strings.Contains(log.String(), secret) {
			t.Errorf("the log holds the secret, or nothing:\n%s", log)
		}
	}},
}

// BenchmarkLabRestore is what a test waits for to have 1,000 items back.
func BenchmarkLabRestore(b *testing.B) {
	a := newLabAPI(b)
	var items []string
	for i := range 1000 {
		items = append(items, fmt.Sprintf(`{"itemname":"item %d","category":"c%d","description":"one of many"}`, i, i%7))
	}
	a.as("ann").send("POST /api/v1/items", asJSON("["+strings.Join(items, ",")+"]"))
	path := strings.TrimPrefix(a.snapshot(), "POST ")
	for b.Loop() {
		r := httptest.NewRequest("POST", path, nil)
		r.Host = "localhost"
		r.Header.Set("X-Lab-Token", a.config.labToken)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Code, w.Body)
		}
	}
}
