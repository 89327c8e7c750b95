package main

import (
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/console"
	"example.com/shelf/internal/journal/journaltest"
	"example.com/shelf/internal/limit"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/reply"
)

// metrics are all series of a page, by name and labels.
func (a *api) series() map[string]float64 {
	a.t.Helper()
	page := a.as("").send("GET /metrics")
	if page.status != http.StatusOK {
		a.t.Fatalf("%v; want 200", page)
	}
	all := map[string]float64{}
	for line := range strings.Lines(page.body) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(strings.TrimSpace(line[at+1:]), 64)
		if _, twice := all[line[:at]]; twice || err != nil {
			a.t.Fatalf("the line %q: twice %v, %v", line, twice, err)
		}
		all[line[:at]] = value
	}
	return all
}

// moved are the series that do changes, and by how much. The last two, which
// any request changes, are not among them, nor is what is of no certain size:
// bytes, and how long things took.
func (a *api) moved(do func()) map[string]float64 {
	a.t.Helper()
	before := a.series()
	do()
	changes := a.series()
	maps.DeleteFunc(changes, func(name string, _ float64) bool {
		return strings.HasPrefix(name, "go_") || strings.Contains(name, "_bucket") || strings.Contains(name, "_sum") || strings.Contains(name, "_bytes") ||
			strings.Contains(name, "uptime") || strings.Contains(name, `route="GET /metrics"`)
	})
	for name := range changes {
		changes[name] -= before[name]
	}
	maps.DeleteFunc(changes, func(_ string, by float64) bool { return by == 0 })
	return changes
}

// answers are the series of n requests to a route that got a status.
func answers(n float64, route, status string) map[string]float64 {
	return map[string]float64{
		`shelf_http_requests_total{route="` + route + `",status="` + status + `"}`: n,
		`shelf_http_request_duration_seconds_count{route="` + route + `"}`:         n,
	}
}

// and is two sets of series in one.
func and(series map[string]float64, others ...map[string]float64) map[string]float64 {
	for _, other := range others {
		maps.Copy(series, other)
	}
	return series
}

func signIns(result string, n float64) map[string]float64 {
	return map[string]float64{`shelf_sign_ins_total{result="` + result + `"}`: n}
}

func rowsOf(kind string, n float64) map[string]float64 {
	return map[string]float64{`shelf_rows{kind="` + kind + `"}`: n}
}

const (
	signInRoute = "POST /api/v1/auth/signin"
	loginRoute  = "POST /login"
)

// workers is how many passwords a server of the tests hashes at a time.
var workers = func() float64 { n, _, _ := password.New(password.MinCost).State(); return float64(n) }()

// metricTests say what moves which series. All others stand still.
var metricTests = []struct {
	name string
	do   func(a *api)
	want map[string]float64
}{
	{"a request is counted by its route's pattern",
		func(a *api) { a.as("ann").send("GET /api/v1/items/17"); a.as("ann").send("GET /api/v1/items/18") },
		answers(2, "GET /api/v1/items/{id}", "404")},
	{"one without a token is, too",
		func(a *api) { a.as("").send("GET /bookapi/books") },
		answers(1, "GET /bookapi/books", "401")},
	{"HEAD counts as GET",
		func(a *api) { a.as("ann").send("HEAD /api/v1/items") },
		answers(1, "GET /api/v1/items", "200")},
	{"all paths that no route knows are one",
		func(a *api) {
			for i := range 50 {
				a.as("").send(fmt.Sprintf("GET /secret%d/%%22%%0a{}", i))
			}
		},
		answers(50, "/", "404")},
	{"so are all methods that a route doesn't know",
		func(a *api) {
			for i := range 50 {
				a.as("").send(fmt.Sprintf("BREW%d /api/v1/items", i))
			}
		},
		answers(50, "/api/v1/items", "405")},
	{"what comes to no route is counted without one",
		func(a *api) {
			a.as("").with("Host", "evil.example").send("GET /api/v1/items")
			a.as("").with("Host", "evil.example").send("GET /")
		},
		answers(2, "", "421")},
	{"a status that shelf knows none of is other",
		func(a *api) {
			a.mux.HandleFunc("GET /teapot", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
			a.mux.HandleFunc("GET /odd", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(999) })
			a.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://localhost/teapot", nil)) // no answer for the record
			a.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://localhost/odd", nil))    // no answer for the record
		},
		answers(2, "", "other")},
	{"a panic is a 500",
		func(a *api) {
			a.mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("hush") })
			a.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://localhost/panic", nil)) // no answer for the record
		},
		answers(1, "", "500")},

	{"a sign-up makes a user and two tokens",
		func(a *api) { a.signIn("signup", "eve") },
		and(answers(1, "POST /api/v1/auth/signup", "201"), rowsOf("users", 1), rowsOf("tokens", 2))},
	{"a sign-in",
		func(a *api) { a.signIn("signin", "ann") },
		and(answers(1, signInRoute, "200"), signIns("ok", 1), rowsOf("tokens", 2))},
	{"a wrong password and an unknown account are one, or the metrics told who has an account",
		func(a *api) {
			a.as("").send(signInRoute, asForm("email", "ann@example.com", "password", "n0t-that"))
			a.as("").send(signInRoute, asForm("email", "eve@example.com", "password", "n0t-that"))
		},
		and(answers(2, signInRoute, "401"), signIns("wrong", 2))},
	{"a login",
		func(a *api) { a.logIn("rae") },
		and(answers(1, loginRoute, "201"), signIns("ok", 1), rowsOf("tokens", 1))},
	{"a login with a wrong password",
		func(a *api) { a.as("").send(loginRoute, asForm("username", "rae", "password", "n0t-that")) },
		and(answers(1, loginRoute, "403"), signIns("wrong", 1))},
	{"what is no sign-in yet counts as none",
		func(a *api) { a.as("").send(signInRoute, asForm("email", "ann")) },
		answers(1, signInRoute, "400")},
	{"a sign-in to a disabled account",
		func(a *api) {
			a.disable("ann@example.com")
			a.as("").send(signInRoute, asForm("email", "ann@example.com", "password", annPassword))
		},
		and(answers(1, signInRoute, "401"), signIns("disabled", 1))},
	{"one too many",
		func(a *api) {
			for range limit.FreeTries + 2 {
				a.as("").send(loginRoute, asForm("username", "rae", "password", "n0t-that"))
			}
		},
		and(answers(limit.FreeTries, loginRoute, "403"),
			map[string]float64{
				`shelf_http_requests_total{route="POST /login",status="429"}`:    2,
				`shelf_http_request_duration_seconds_count{route="POST /login"}`: limit.FreeTries + 2,
			}, signIns("wrong", limit.FreeTries), signIns("limited", 2))},
	{"a sign-in where the line is full",
		func(a *api) {
			fillLine(a.t, a.hashes)
			a.as("").send(signInRoute, asForm("email", "ann@example.com", "password", annPassword))
		},
		and(answers(1, signInRoute, "503"), signIns("busy", 1), map[string]float64{"shelf_bcrypt_waiting": 1000 - workers, "shelf_bcrypt_running": workers})},
	{"passwords that are being hashed don't wait",
		func(a *api) {
			holdWorkers(a.hashes)
		},
		map[string]float64{"shelf_bcrypt_running": workers}},

	{"an item that comes",
		func(a *api) { a.as("ann").send("POST /api/v1/items", ball) },
		and(answers(1, "POST /api/v1/items", "201"), rowsOf("items", 1))},
	{"a book that comes",
		func(a *api) {
			a.as("").with("X-Access-Token", a.session("ann").Access).send("POST /bookapi/books", dune)
		},
		and(answers(1, "POST /bookapi/books", "200"), rowsOf("books", 1))},
	{"streams that are open",
		func(a *api) { a.streams.Join(1); a.streams.Join(2) },
		map[string]float64{"shelf_event_streams": 2}},
	{"streams that have ended",
		func(a *api) { leave, _ := a.streams.Join(1); leave() },
		map[string]float64{}},
}

func TestMetricsMove(t *testing.T) {
	t.Parallel()
	for _, tt := range metricTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			a.session("ann")
			a.reader("rae")
			if got := a.moved(func() { tt.do(a) }); !maps.Equal(got, tt.want) {
				t.Errorf("moved:\n%v\nwant:\n%v", got, tt.want)
			}
		})
	}
}

// A batch is one fsync, whatever is in it, and the file is as long as it is.
func TestMetricsOfTheJournal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), dataFile)
	a := newAPI(t, "-data="+path)
	ann := a.as("ann")
	wantSize := func(when string) {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.series()["shelf_journal_bytes"]; got != float64(info.Size()) {
			t.Errorf("%s the journal has %v bytes; the file has %d", when, got, info.Size())
		}
	}
	wantSize("at the start")
	got := a.moved(func() {
		ann.send("POST /api/v1/items", asJSON(`[{"itemname":"a","category":"b","description":"c"},{"itemname":"d","category":"e","description":"f"}]`)).want(201, "Created 2 new items")
	})
	want := and(answers(1, "POST /api/v1/items", "201"), rowsOf("items", 2), map[string]float64{"shelf_journal_fsync_duration_seconds_count": 1})
	if !maps.Equal(got, want) {
		t.Errorf("moved:\n%v\nwant:\n%v", got, want)
	}
	wantSize("after a batch")
	for range 3 {
		ann.send("PATCH /api/v1/items/1", asForm("category", "toys"))
	}
	if err := a.store.Compact(); err != nil {
		t.Fatal(err)
	}
	ann.send("PATCH /api/v1/items/1", asForm("category", "soccer"))
	wantSize("after a compaction")
}

// The time that something took goes into all buckets that are no shorter.
func TestMetricsDurations(t *testing.T) {
	t.Parallel()
	tests := []struct {
		took  time.Duration
		first string // the shortest bucket that has it
	}{
		{0, "5e-05"},
		{50 * time.Microsecond, "5e-05"},
		{50*time.Microsecond + 1, "0.0001"},
		{time.Millisecond, "0.001"},
		{30 * time.Millisecond, "0.05"},
		{10 * time.Second, "10"},
		{10*time.Second + 1, "+Inf"},
		{24 * time.Hour, "+Inf"},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			a := newAPI(t)
			a.metrics.requests.Add("GET /slow")
			a.mux.HandleFunc("GET /slow", func(http.ResponseWriter, *http.Request) { <-time.After(tt.took) })
			a.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://localhost/slow", nil)) // no answer for the record
			all, has := a.series(), false
			for _, bound := range []string{"5e-05", "0.0001", "0.001", "0.05", "10"} {
				has = has || bound == tt.first
				name := `shelf_http_request_duration_seconds_bucket{route="GET /slow",le="` + bound + `"}`
				if n, ok := all[name]; !ok || n > 0 != has {
					t.Errorf("what took %v: %s is %v, %v; want it in those from %s on", tt.took, name, n, ok, tt.first)
				}
			}
			if n := all[`shelf_http_request_duration_seconds_bucket{route="GET /slow",le="+Inf"}`]; n != 1 {
				t.Errorf("what took %v is %v times in the last bucket; want 1", tt.took, n)
			}
			if sum := all[`shelf_http_request_duration_seconds_sum{route="GET /slow"}`]; sum != tt.took.Seconds() {
				t.Errorf("what took %v has the sum %v", tt.took, sum)
			}
		})
	}
}

// Durations go by the real clock, however the server's own is set.
func TestMetricsUptime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		started := time.Now()
		<-time.After(90 * time.Second)
		a.clock.advance(-time.Hour)
		all := a.series()
		if got := all["shelf_uptime_seconds"]; got != 90 {
			t.Errorf("the uptime is %v; want 90", got)
		}
		if got := all["process_start_time_seconds"]; got != float64(started.Unix()) {
			t.Errorf("the start was at %v; want %v", got, started.Unix())
		}
	})
}

func TestMetricsOfTheProcess(t *testing.T) {
	t.Parallel()
	all := newAPI(t).series()
	for _, name := range []string{"go_goroutines", "go_memstats_heap_alloc_bytes", "go_memstats_sys_bytes", "shelf_bcrypt_workers", "shelf_store_writable"} {
		if !(all[name] >= 1) || math.IsInf(all[name], 0) {
			t.Errorf("%s is %v", name, all[name])
		}
	}
	for name, value := range all {
		if strings.HasPrefix(name, "shelf_build_info{") && (value != 1 || !strings.Contains(name, `goversion="go1.`)) {
			t.Errorf("%s is %v; want 1 and the version of Go", name, value)
		}
	}
}

// Every status that openapi.json has is counted under its own name.
func TestMetricsKnowEveryStatus(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for path, item := range mustDescribe(t).Paths {
		for method, op := range item.operations() {
			for status := range op.Responses {
				n, err := strconv.Atoi(status)
				if err != nil {
					t.Fatal(err)
				}
				a.metrics.requests.Count("GET /healthz", n, 0)
				if name := `shelf_http_requests_total{route="GET /healthz",status="` + status + `"}`; a.series()[name] == 0 {
					t.Errorf("%s %s answers %s, which is not counted", method, path, status)
				}
			}
		}
	}
}

// whoTests: who may read the metrics.
var whoTests = []struct {
	name   string
	flags  string
	peer   string
	header [2]string
	want   int
}{
	{"a client on the machine", "", "127.0.0.1", [2]string{}, 200},
	{"one that comes by IPv6", "", "::1", [2]string{}, 200},
	{"one from another machine", "", "192.0.2.7", [2]string{}, 403},
	{"one that says of itself that it is local", "", "192.0.2.7", [2]string{"X-Forwarded-For", "127.0.0.1"}, 403},
	{"a client of a proxy on the machine", "", "127.0.0.1", [2]string{"X-Forwarded-For", "192.0.2.7"}, 403},
	{"a client on the machine, of a proxy on it", "-trusted-proxies=127.0.0.1", "127.0.0.1", [2]string{"X-Forwarded-For", "127.0.0.1"}, 403},
	{"a local one, told of by a trusted proxy elsewhere", "-trusted-proxies=192.0.2.7", "192.0.2.7", [2]string{"X-Forwarded-For", "127.0.0.1"}, 403},
	{"a client of a proxy that sends Forwarded", "", "127.0.0.1", [2]string{"Forwarded", "for=192.0.2.7"}, 403},
	{"a client of a proxy that sends Via", "", "127.0.0.1", [2]string{"Via", "1.1 proxy"}, 403},
	{"a client of a proxy that sends X-Real-IP", "", "127.0.0.1", [2]string{"X-Real-IP", "192.0.2.7"}, 403},
	{"a client of a proxy that leaves the Host as it was", "-hosts=shelf.example", "127.0.0.1", [2]string{"Host", "shelf.example"}, 403},
	{"a web page of another origin", "-cors=*", "127.0.0.1", [2]string{"Origin", "https://evil.example"}, 403},
	{"one from another machine, where all may", "-metrics=all", "192.0.2.7", [2]string{}, 200},
	{"a client of a proxy, where all may", "-metrics=all", "127.0.0.1", [2]string{"X-Forwarded-For", "192.0.2.7"}, 200},
	{"a client on the machine, where nobody may", "-metrics=off", "127.0.0.1", [2]string{}, 404},
	{"one from another machine, where nobody may", "-metrics=off", "192.0.2.7", [2]string{}, 404},
}

func TestMetricsAreForThisMachine(t *testing.T) {
	t.Parallel()
	for _, tt := range whoTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, tt.flags)
			r := httptest.NewRequest("GET", "http://localhost/metrics", nil)
			r.RemoteAddr = net.JoinHostPort(tt.peer, "1234")
			c := a.as("")
			if tt.header[0] != "" {
				c = c.with(tt.header[0], tt.header[1])
			}
			got := c.do(r)
			if got.status != tt.want || (got.status == 200) != strings.Contains(got.body, "shelf_") {
				t.Errorf("%v; want %d", got, tt.want)
			}
		})
	}
}

// Nothing that a client sends is in a label: no name, no path, no method.
func TestMetricsTellNoNames(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.as("hush").send("POST /api/v1/items", asForm("itemname", "hush", "category", "hush", "description", "hush"))
	a.as("").send(signInRoute, asForm("email", "hush@example.com", "password", "hu5h-hush"))
	a.as("hush").send("GET /api/v1/items/1/hush?hush=hush")
	a.as("hush").send("HUSH /api/v1/items/hush")
	a.reader("hush")
	if page := a.as("").send("GET /metrics"); strings.Contains(strings.ToLower(page.body), "hush") {
		t.Errorf("the metrics tell:\n%s", page.body)
	}
}

// A route table that is built again, as another store takes the place of the one
// there is, goes on counting where the first one was.
func TestMetricsGoOnWithAnotherTable(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.as("").send("GET /healthz")
	a.newMux()
	a.as("").send("GET /healthz")
	if n := a.series()[`shelf_http_requests_total{route="GET /healthz",status="200"}`]; n != 2 {
		t.Errorf("two requests are counted as %v", n)
	}
}

func TestHealthz(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.as("").send("GET /healthz").want(200, "alive").wantHeader("Cache-Control", "no-store")
	a.streams.Stop()
	a.as("").send("GET /healthz").want(200, "alive")
}

const cantWrite = "The store can't be written; reads go on"

// readyTests: what makes a server that was ready no longer so.
var readyTests = []struct {
	name     string
	happens  func(t *testing.T, a *api, d *journaltest.Disk)
	says     string // "" while it is ready
	writable float64
}{
	{"nothing", func(*testing.T, *api, *journaltest.Disk) {}, "", 1},
	{"a write", func(_ *testing.T, a *api, _ *journaltest.Disk) {
		a.as("ann").send("POST /api/v1/items", ball).want(201, "Created a new item")
	}, "", 1},
	{"an fsync that failed", func(t *testing.T, a *api, d *journaltest.Disk) {
		d.OnSync = func(string) { d.Fail(journaltest.Fault{At: d.Next(), Err: journaltest.ErrIO}) }
		if got := a.as("ann").send("POST /api/v1/items", ball); got.status != 503 {
			t.Errorf("%v; want 503", got)
		}
	}, cantWrite, 0},
	{"a disk that is full: writes work again as soon as there is room", func(t *testing.T, a *api, d *journaltest.Disk) {
		d.SetRoom(1)
		if got := a.as("ann").send("POST /api/v1/items", ball); got.status != 507 {
			t.Errorf("%v; want 507", got)
		}
	}, "", 1},
	{"another program that took the file away, though nobody has written since", func(t *testing.T, _ *api, d *journaltest.Disk) {
		if err := d.Remove(dataFile); err != nil {
			t.Fatal(err)
		}
	}, cantWrite, 0},
	{"another program that wrote to the file", func(_ *testing.T, _ *api, d *journaltest.Disk) {
		content, _ := d.Content(dataFile)
		d.Put(dataFile, content+"\n")
	}, cantWrite, 0},
	{"the signal to stop", func(_ *testing.T, a *api, _ *journaltest.Disk) { a.streams.Stop() }, "The server is shutting down", 1},
}

func TestReadyz(t *testing.T) {
	t.Parallel()
	for _, tt := range readyTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := journaltest.New(1)
			a := startAPI(t, &stoppedClock{at: tokenNow}, d, slog.DiscardHandler, "-data="+dataFile)
			a.session("ann")
			a.as("").send("GET /readyz").want(200, "ready").wantHeader("Cache-Control", "no-store")
			tt.happens(t, a, d)
			for range 2 {
				if got := a.as("").send("GET /readyz"); tt.says == "" {
					got.want(200, "ready")
				} else {
					got.want(503, tt.says)
				}
			}
			if got := a.series()["shelf_store_writable"]; got != tt.writable {
				t.Errorf("shelf_store_writable is %v; want %v", got, tt.writable)
			}
			a.as("ann").send("GET /api/v1/items").want(200, "")
		})
	}
}

// A probe waits for no disk: while a write is under way it answers at once.
func TestReadyzWhileAWriteWaits(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	a := startAPI(t, &stoppedClock{at: tokenNow}, d, slog.DiscardHandler, "-data="+dataFile)
	a.session("ann")
	reached, gate := make(chan bool), make(chan bool)
	d.OnSync = func(string) { reached <- true; <-gate }
	result := make(chan error)
	go func() { result <- a.store.addItem(&item{Itemname: "held", CreatedBy: 1}) }()
	<-reached
	a.as("").send("GET /readyz").want(200, "ready")
	a.series()
	close(gate)
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// That nothing can be written any more is logged once, however many ask.
func TestReadOnlyIsLogged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), dataFile)
	g := newGuardServer(t, "-log=problems -log-format=json -data="+path)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		g.want(g.send(httptest.NewRequest("GET", "/readyz", nil)), 503, cantWrite)
	}
	if lines := g.logLines(); len(lines) != 1 || lines[0].Level != "ERROR" || lines[0].Msg != "the store is read-only until a restart" {
		t.Errorf("the log is\n%s\nwant one error", g.log)
	}
}

// asBrowser asks for a page as browsers do.
const asBrowser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

// consoleNames are the files that the page consists of.
func consoleNames(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(console.Files, "*")
	if err != nil || len(names) < 8 {
		t.Fatalf("the console has the files %q, %v; want more", names, err)
	}
	return names
}

func consoleText(t *testing.T, name string) string {
	t.Helper()
	text, err := console.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The page is for those who ask for HTML; what was there before stays for the
// others.
var acceptTests = []struct {
	name, accept string
	page         bool
}{
	{"a browser", asBrowser, true},
	{"HTML alone", "text/html", true},
	{"HTML in any case, and with a weight", "application/json, TEXT/HTML ; q=0.1", true},
	{"curl", "*/*", false},
	{"fetch of a script", "application/json", false},
	{"no Accept", "", false},
	{"anything but HTML", "text/html;q=0, */*", false},
	{"any text", "text/*", false},
	{"another type that begins alike", "text/html5", false},
	{"nonsense", ";;;,text/html;q=x;q=y,,", false},
}

func TestConsoleAccept(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, tt := range acceptTests {
		t.Run(tt.name, func(t *testing.T) {
			got := a.as("").with("Accept", tt.accept).send("GET /")
			if got.status != http.StatusOK || strings.HasPrefix(got.body, "<!doctype html>") != tt.page || strings.HasPrefix(got.body, `{"name":"shelf"`) == tt.page {
				t.Errorf("GET / with Accept %q = %d %.30q; want the page: %v", tt.accept, got.status, got.body, tt.page)
			}
			if !slices.Contains(got.header.Values("Vary"), "Accept") {
				t.Errorf("Vary is %q; want Accept, for one address has two answers", got.header.Values("Vary"))
			}
		})
	}
}

// consoleHeaders stand on every answer that has a file of the console in it, and
// say exactly this: a policy with one more source in it is another policy.
var consoleHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
		"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
	"Cache-Control":                "private, no-cache",
}

func TestConsoleFiles(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	types := map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml", ".json": "application/json",
	}
	for _, name := range consoleNames(t) {
		t.Run(name, func(t *testing.T) {
			request := "GET /console/" + name
			got := a.as("").send(request).wantHeader("Content-Type", types[path.Ext(name)])
			if got.status != http.StatusOK || got.body != consoleText(t, name) {
				t.Errorf("%s = %d and %d bytes; want 200 and the file", request, got.status, len(got.body))
			}
			for header, value := range consoleHeaders {
				got.wantHeader(header, value)
			}
			tag := got.header.Get("ETag")
			again := a.as("").with("If-None-Match", tag).send(request).wantBody(http.StatusNotModified, "").wantHeader("ETag", tag)
			for header, value := range consoleHeaders {
				again.wantHeader(header, value)
			}
			a.as("").with("If-None-Match", `"another"`).send(request).wantHeader("ETag", tag)
			a.as("").with("If-Match", `"another"`).send(request).want(http.StatusPreconditionFailed, reply.ErrStale.Error())
		})
	}
	page := a.as("").with("Accept", asBrowser).send("GET /").wantHeader("Content-Type", types[".html"])
	for header, value := range consoleHeaders {
		page.wantHeader(header, value)
	}
	if page.body != consoleText(t, "index.html") {
		t.Errorf("GET / is not the page")
	}
	a.as("").with("Accept", asBrowser).with("If-None-Match", page.header.Get("ETag")).send("GET /").wantBody(http.StatusNotModified, "")
}

// What isn't the page's is not found beside it.
func TestConsoleNothingElse(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, name := range []string{"nothing.js", "package.json", "console.go", "test", "%2e%2e%2fserver.go", "..%2fconsole%2fstyle.css", "%2e", "style.css%00", "STYLE.CSS", "test%2fpure.test.js"} {
		a.as("").send("GET /console/"+name).want(http.StatusNotFound, "Not found")
	}
}
