package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"go/types"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/console"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/serve"
	"example.com/shelf/internal/strictjson"
	"example.com/shelf/internal/token"
	"example.com/shelf/openapi"
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
			for range defaultSettings.limits.FreeTries + 2 {
				a.as("").send(loginRoute, asForm("username", "rae", "password", "n0t-that"))
			}
		},
		and(answers(float64(defaultSettings.limits.FreeTries), loginRoute, "403"),
			map[string]float64{
				`shelf_http_requests_total{route="POST /login",status="429"}`:    2,
				`shelf_http_request_duration_seconds_count{route="POST /login"}`: float64(defaultSettings.limits.FreeTries) + 2,
			}, signIns("wrong", float64(defaultSettings.limits.FreeTries)), signIns("limited", 2))},
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
	{"a client on the machine, where no client may", "-metrics=off", "127.0.0.1", [2]string{}, 404},
	{"one from another machine, where no client may", "-metrics=off", "192.0.2.7", [2]string{}, 404},
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
	{"another program that took the file away, though nothing was written since", func(t *testing.T, _ *api, d *journaltest.Disk) {
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
	go func() {
		result <- a.store.as(theOperator).addItem(&item{itemInput: itemInput{Itemname: "held"}, CreatedBy: 1})
	}()
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

// These are the objects of OpenAPI 3.1, with those fields of theirs that
// openapi.json has use for: strictjson.Unmarshal takes no other, so that a misspelt one
// is an error instead of nothing.
type (
	apiDescription struct {
		OpenAPI string
		Info    struct {
			Title, Version, Summary, Description string
			License                              struct{ Name, Identifier string }
		}
		Servers    []struct{ URL, Description string }
		Tags       []struct{ Name, Description string }
		Security   []map[string][]string
		Paths      map[string]pathItem
		Components struct {
			SecuritySchemes map[string]struct{ Type, Scheme, BearerFormat, In, Name, Description string }
			Parameters      map[string]parameter
			Headers         map[string]headerObject
			RequestBodies   map[string]requestBody
			Responses       map[string]response
			Schemas         map[string]schema
		}
	}
	pathItem struct {
		Parameters                    []parameter
		Get, Post, Put, Patch, Delete *operation
	}
	operation struct {
		OperationID          string
		Handler              string `json:"x-handler"`
		Tags                 []string
		Summary, Description string
		Security             *[]map[string][]string
		Parameters           []parameter
		RequestBody          *requestBody
		Responses            map[string]response
	}
	reference struct {
		Ref string `json:"$ref"`
	}
	parameter struct {
		reference
		Name, In, Description string
		Required              bool
		Schema                schema
		Example               any
	}
	headerObject struct {
		reference
		Description string
		Required    bool
		Schema      schema
		Example     any
	}
	requestBody struct {
		reference
		Required bool
		Content  map[string]mediaType
	}
	response struct {
		reference
		Description string
		Headers     map[string]headerObject
		Content     map[string]mediaType
	}
	mediaType struct {
		Schema  schema
		Example any
	}
	schema struct {
		reference
		Description                              string
		Type, Const, Default                     any
		Enum, Examples                           []any
		Format, Pattern                          string
		Minimum, Maximum                         *int
		MinLength, MaxLength, MinItems, MaxItems *int
		MinProperties, MaxProperties             *int
		Required                                 []string
		Properties                               map[string]schema
		AdditionalProperties                     *bool
		Items                                    *schema
		AnyOf, OneOf                             []schema
	}
)

// description is openapi.json.
var description = sync.OnceValues(func() (d apiDescription, err error) {
	return d, strictjson.Unmarshal(openapi.Text, &d)
})

func mustDescribe(t testing.TB) apiDescription {
	t.Helper()
	d, err := description()
	if err != nil {
		t.Fatalf("openapi.json: %v", err)
	}
	return d
}

func (p pathItem) operations() map[string]*operation {
	all := map[string]*operation{"GET": p.Get, "POST": p.Post, "PUT": p.Put, "PATCH": p.Patch, "DELETE": p.Delete}
	maps.DeleteFunc(all, func(_ string, op *operation) bool { return op == nil })
	return all
}

// operation is what the description has for a route, nil for nothing.
func (d apiDescription) operation(route string) *operation {
	method, path, _ := strings.Cut(route, " ")
	return d.Paths[path].operations()[method]
}

// Every route is described, and every description is a route. What is tagged as
// the lab's is one only with -lab.
func TestOpenAPIRoutes(t *testing.T) {
	t.Parallel()
	wantRoutesDescribed(t, newAPI(t), func(op *operation) bool { return !slices.Contains(op.Tags, "lab") })
	wantRoutesDescribed(t, newLabAPI(t), func(*operation) bool { return true })
}

// wantRoutesDescribed compares the routes of a with those that are described and
// that a should have.
func wantRoutesDescribed(t *testing.T, a *api, has func(*operation) bool) {
	t.Helper()
	d := mustDescribe(t)
	var routes, described []string
	for _, rt := range a.routes() {
		routes = append(routes, strings.TrimSuffix(rt.pattern, "{$}"))
	}
	for path, item := range d.Paths {
		for method, op := range item.operations() {
			if has(op) {
				described = append(described, method+" "+path)
			}
		}
	}
	slices.Sort(routes)
	slices.Sort(described)
	for _, route := range routes {
		if !slices.Contains(described, route) {
			t.Errorf("openapi.json doesn't describe %s", route)
		}
	}
	for _, route := range described {
		if !slices.Contains(routes, route) {
			t.Errorf("openapi.json describes %s, which is no route", route)
		}
	}
}

// x-handler is the function that answers an operation, and its file, for those
// who see a request in the console and want to read on.
func TestOpenAPIHandlers(t *testing.T) {
	t.Parallel()
	want := handlers(t)
	for path, item := range mustDescribe(t).Paths {
		for method, op := range item.operations() {
			route := method + " " + path
			switch {
			case want[route] == "":
				t.Errorf("server.go has no line {%q, …(s.handler)}, or no file has that handler", route)
			case op.Handler != want[route]:
				t.Errorf("openapi.json: %s has \"x-handler\": %q; want %q", route, op.Handler, want[route])
			}
		}
	}
}

// handlers reads the source: for each route in server.go the function that
// answers it, without what is said around it, and where that function stands.
func handlers(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "internal/lab/lab.go")
	place := map[string]string{} // of what the route table calls s.signUp, or l.Reset of the lab
	named := map[string]string{} // what the route table calls a route's handler
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil {
					break
				}
				receiver := types.ExprString(n.Recv.List[0].Type)
				if variable := map[string]string{"*server": "s", "*Lab": "l"}[receiver]; variable != "" {
					place[variable+"."+n.Name.Name] = fmt.Sprintf("%s: (%s).%s", name, receiver, n.Name.Name)
				}
			case *ast.CompositeLit:
				if name != "server.go" || len(n.Elts) != 2 {
					break
				}
				pattern, ok := n.Elts[0].(*ast.BasicLit)
				if !ok {
					break
				}
				handler := n.Elts[1]
				for call, ok := handler.(*ast.CallExpr); ok; call, ok = handler.(*ast.CallExpr) {
					handler = call.Args[len(call.Args)-1]
				}
				route, _ := strconv.Unquote(pattern.Value)
				named[strings.TrimSuffix(route, "{$}")] = types.ExprString(handler)
			}
			return true
		})
	}
	for route, method := range named {
		named[route] = place[method]
	}
	return named
}

// Every operation has what a generator and a reader need of it.
func TestOpenAPIOperations(t *testing.T) {
	t.Parallel()
	d := mustDescribe(t)
	var tags []string
	for _, tag := range d.Tags {
		tags = append(tags, tag.Name)
	}
	ids := map[string]string{}
	for path, item := range d.Paths {
		for method, op := range item.operations() {
			route := method + " " + path
			if op.OperationID == "" || ids[op.OperationID] != "" {
				t.Errorf("%s has the operationId %q, as has %q", route, op.OperationID, ids[op.OperationID])
			}
			ids[op.OperationID] = route
			if op.Summary == "" || len(op.Tags) != 1 || !slices.Contains(tags, op.Tags[0]) {
				t.Errorf("%s: summary %q, tags %q; want a summary and one of %q", route, op.Summary, op.Tags, tags)
			}
			var names []string
			for _, p := range append(item.Parameters, op.Parameters...) {
				if name, shared := strings.CutPrefix(p.Ref, "#/components/parameters/"); shared {
					p = d.Components.Parameters[name]
				}
				if p.In == "path" && p.Required {
					names = append(names, "{"+p.Name+"}")
				}
			}
			if want := regexp.MustCompile(`{\w+}`).FindAllString(path, -1); !slices.Equal(names, want) {
				t.Errorf("%s has the path parameters %q; want %q", route, names, want)
			}
			if op.RequestBody == nil {
				continue
			}
			body := d.Components.RequestBodies[strings.TrimPrefix(op.RequestBody.Ref, "#/components/requestBodies/")]
			types := slices.Collect(maps.Keys(body.Content))
			for _, e := range encodings {
				contentType, _, _ := strings.Cut(e.contentType, ";")
				if !slices.Contains(types, contentType) {
					t.Errorf("%s takes no %s", route, contentType)
				}
			}
		}
	}
}

// Which token a route takes is told by the server itself: to a request without
// one it says whose it misses.
func TestOpenAPISecurity(t *testing.T) {
	t.Parallel()
	d, a := mustDescribe(t), newLabAPI(t)
	for _, rt := range a.routes() {
		op := d.operation(strings.TrimSuffix(rt.pattern, "{$}"))
		if op == nil {
			t.Fatalf("openapi.json doesn't describe %s", rt.pattern)
		}
		security := d.Security
		if op.Security != nil {
			security = *op.Security
		}
		var got string
		for _, s := range security {
			got += strings.Join(slices.Collect(maps.Keys(s)), " and ")
		}
		ans := a.as("").send(strings.NewReplacer("{$}", "", "{id}", "1", "{field}", "itemname").Replace(rt.pattern))
		want := map[string]string{
			"Missing Authorization Header": "bearer", "A valid token is missing!": "xAccessToken",
			"The lab's secret is missing: send it as X-Lab-Token": "labToken",
		}[ans.says()]
		if got != want {
			t.Errorf("%s is described with security %q; want %q", rt.pattern, got, want)
		}
	}
}

// Every $ref leads somewhere, and every component is led to.
func TestOpenAPIReferences(t *testing.T) {
	t.Parallel()
	var document map[string]any
	if err := json.Unmarshal(openapi.Text, &document); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, element := range v {
				walk(element)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				used[ref] = true
			}
			for _, member := range v {
				walk(member)
			}
		}
	}
	walk(document)
	components := map[string]bool{}
	for kind, all := range document["components"].(map[string]any) {
		for name := range all.(map[string]any) {
			if kind != "securitySchemes" {
				components["#/components/"+kind+"/"+name] = true
			}
		}
	}
	for ref := range used {
		if !components[ref] {
			t.Errorf("%s leads nowhere", ref)
		}
	}
	for component := range components {
		if !used[component] {
			t.Errorf("%s is not used", component)
		}
	}
}

// No object of the page has a name twice: of two, readers take one or the other.
func TestOpenAPINamesOnce(t *testing.T) {
	t.Parallel()
	d := json.NewDecoder(bytes.NewReader(openapi.Text))
	var object func(at string)
	var value func(at string)
	object = func(at string) {
		names := map[string]bool{}
		for d.More() {
			token, _ := d.Token()
			name := token.(string)
			if names[name] {
				t.Errorf("%s has %q twice", at, name)
			}
			names[name] = true
			value(at + "/" + name)
		}
	}
	value = func(at string) {
		token, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		switch token {
		case json.Delim('{'):
			object(at)
			d.Token()
		case json.Delim('['):
			for i := 0; d.More(); i++ {
				value(fmt.Sprint(at, "/", i))
			}
			d.Token()
		}
	}
	value("#")
}

func TestOpenAPIPage(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	page := a.as("").send("GET /openapi.json").wantHeader("Content-Type", "application/json")
	if page.status != http.StatusOK || page.body != string(openapi.Text) {
		t.Errorf("%s = %d and %d bytes; want 200 and the %d of openapi.json", page.request, page.status, len(page.body), len(openapi.Text))
	}
	a.as("").with("If-None-Match", page.header.Get("ETag")).send("GET /openapi.json").want(304, "")
}

// routeOf is the described route that r goes to, "" for none.
func (s *server) routeOf(r *http.Request) string {
	at := r.URL.EscapedPath()
	if !strings.HasPrefix(at, "/") || path.Clean(at) != at { // ServeMux would clean it first
		return ""
	}
	_, pattern := s.mux.Handler(r)
	route := strings.TrimSuffix(pattern, "{$}")
	if d, err := description(); err != nil || d.operation(route) == nil {
		return ""
	}
	return route
}

// wantDescribed checks that openapi.json has the status of an answer by a route.
func (a *answer) wantDescribed(route string) {
	a.t.Helper()
	op := mustDescribe(a.t).operation(route)
	if op == nil {
		return
	}
	if _, ok := op.Responses[fmt.Sprint(a.status)]; !ok {
		a.t.Errorf("%v: openapi.json doesn't describe that status of %s", a, route)
	}
}

// The tests of events go over pipes, where nothing keeps a record of them, so
// here is the head of a stream.
func TestOpenAPIStream(t *testing.T) {
	t.Parallel()
	newAPI(t).as("ann").send("HEAD /api/v1/events").want(200, "").wantHeader("Content-Type", "text/event-stream").wantHeader("Cache-Control", "no-store")
}

// An eventsServer is a server over pipes: what goes through them counts as
// waiting in a bubble of synctest, which a socket does not.
type eventsServer struct {
	t testing.TB
	*server
	http *serve.Server
	eventsListener
	ann   *user // who makes what the tests make
	token string
}

// newEventsServer serves st, in which it makes the account ann if there is
// none, and signs her in.
func newEventsServer(t testing.TB, st *store) *eventsServer {
	t.Helper()
	k := &eventsServer{t: t, eventsListener: eventsListener{make(chan net.Conn), make(chan struct{})}}
	c := defaultSettings
	c.bcryptCost = password.MinCost
	k.server = newServer(c, st, tokenRing(t), quiet, st.now, k.Addr())
	k.http = serve.New(k.server, serve.Config{Log: quiet})
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
	k.must(k.store.as(theOperator).addItem(&item{itemInput: itemInput{name, "c", "d"}, CreatedBy: k.ann.ID}))
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
		if e, err := s.block(); err != nil || e.name != "stream.position" || e.data != `{"seq":`+s.last+`}` {
			k.t.Fatalf("a stream begins with %+v, %v; want its position", e, err)
		}
	}
	return s
}

type eventsMessage struct{ id, name, data string }

// block reads up to the next empty line, as §9.2.6 has it. A block without data would
// break clients that parse it as JSON.
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
			if s.last, e.id = id, id; e.data == "" {
				return e, errors.New("a block without data")
			}
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
	for {
		switch start, err := s.lines.Peek(1); {
		case err != nil:
			return e, err
		case start[0] == ':':
			return e, errEventsSilent
		}
		if e, err = s.block(); err != nil || e.name != "stream.position" {
			return e, err
		}
	}
}

// beat reads a heartbeat.
func (s *eventsStream) beat(t testing.TB) {
	t.Helper()
	if line, err := s.lines.ReadString('\n'); err != nil || line != ": heartbeat\n" {
		t.Fatalf("%q, %v; want a heartbeat", line, err)
	}
	s.beats++
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
	ball := &item{itemInput: itemInput{"ball", "soccer", "a\r\n\"b\"\u2028"}, CreatedBy: bob.ID}
	dune := &book{bookInput: bookInput{"Dune", "Herbert"}, CreatedBy: bob.ID}
	k.must(st.as(theOperator).addItem(ball))                                                          // 1
	_, err = st.as(theOperator).changeItem(ball.ID, terms{}, func(it *item) { it.Description = "d" }) // 2
	k.must(err)
	k.must(st.as(theOperator).addBook(dune))                // 3
	k.signIn(bob, token.Access, time.Hour)                  // 4: tokens and users are not told of
	k.deleteUser(bob.ID)                                    // 5: ball has no owner now
	k.must(st.as(theOperator).deleteItem(ball.ID, terms{})) // 6
	k.must(st.as(theOperator).deleteBook(dune.ID, terms{})) // 7
	k.deleteUser(k.signUp("eve").ID)                        // 8, 9: she made nothing
	k.add("bat")                                            // 10
	created := "createdon\":\"" + ball.Created.Format(wireTime) + "\",\"created_at\":\"" + ball.Created.Format(time.RFC3339)
	if !strings.Contains(at+time.Now().UTC().Format(wireTime), ball.Created.Format(wireTime)) {
		t.Fatalf("created at %v", ball.Created)
	}
	bat, ok := st.items.Row(2)
	if !ok {
		t.Fatal("there is no item 2")
	}
	id := func(n int64) string { return strconv.FormatInt(began+n, 10) }
	by := fmt.Sprintf(`","createdby":%d}`, bob.ID)
	got := s.upTo(t, began+11)
	wantEvents(t, got, []eventsMessage{
		{id(1), "item.created", `{"id":1,"itemname":"ball","category":"soccer","description":"a\r\n\"b\"\u2028","` + created + by},
		{id(2), "item.changed", `{"id":1,"itemname":"ball","category":"soccer","description":"d","` + created + by},
		{id(3), "book.created", `{"id":1,"title":"Dune","author":"Herbert"}`},
		{id(6), "creator.deleted", fmt.Sprintf(`{"id":%d}`, bob.ID)},
		{id(7), "item.deleted", `{"id":1}`},
		{id(8), "book.deleted", `{"id":1}`},
		{id(11), "item.created", bat.wire.Row()},
	})
}

// A change that was decided before its row's creator was deleted, and came to
// the disk after, is told as everybody reads it.
func TestEventsOrphan(t *testing.T) {
	t.Parallel()
	st := eventsMemory()
	k := newEventsServer(t, st)
	bob := k.signUp("bob")
	it := &item{itemInput: itemInput{"ball", "c", "d"}, CreatedBy: bob.ID}
	k.must(st.as(theOperator).addItem(it))
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

// The promise: a client that is cut off anywhere and comes back with the last id
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
					it := &item{itemInput: itemInput{fmt.Sprint(w, "-", i), "c", strings.Repeat("ü", rand.IntN(200)+1)}, CreatedBy: u.ID}
					k.must(st.as(theOperator).addItem(it))
					items = append(items, it.ID)
				case n < 4 && len(items) > 0:
					_, err := st.as(theOperator).changeItem(items[rand.IntN(len(items))], terms{}, func(it *item) { it.Category = fmt.Sprint(i) })
					k.must(err)
				case n < 5 && len(items) > 0:
					k.must(st.as(theOperator).deleteItem(items[0], terms{}))
					items = items[1:]
				case n < 6:
					b := &book{bookInput: bookInput{fmt.Sprint(w, "-", i), "a"}, CreatedBy: u.ID}
					k.must(st.as(theOperator).addBook(b))
					books = append(books, b.ID)
				case n < 7 && len(books) > 0:
					k.must(st.as(theOperator).deleteBook(books[0], terms{}))
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
		k.must(st.as(theOperator).deleteItem(id, terms{}))
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
		if err := st.as(theOperator).addItem(&item{itemInput: itemInput{fmt.Sprint("refused ", i), "c", "d"}, CreatedBy: k.ann.ID}); !errors.Is(err, history.ErrFull) && !errors.Is(err, history.ErrReadOnly) {
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
			return k.store.asUser(k.ann.ID).setRevoked(token.ID, true)
		}},
		{"the sign-in logs out", func(k *eventsServer, token *tokenRecord) error {
			return k.store.as(&caller{user: k.ann, token: token}).endSession()
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
				k.must(k.store.as(theOperator).addItem(&item{itemInput: itemInput{"secret", "c", "d"}, CreatedBy: bob.ID}))
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
			s.beat(t)
			if i == 1 {
				if e, err := s.block(); err != nil || e.name != "stream.position" {
					t.Fatalf("the first heartbeat is followed by %+v, %v; want the new position", e, err)
				}
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
		if s.beat(t); time.Since(began) != reply.Heartbeat {
			t.Errorf("a heartbeat came %v after an event; want %v", time.Since(began), reply.Heartbeat)
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
		server := serve.New(k.server, serve.Config{Log: k.log})
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
		_, err = s.block()
		k.must(err)
		for s.beats < 10 {
			s.beat(t)
		}
		k.add("ball")
		s.upTo(t, k.store.LastSeq())
		s.beats = 0
		k.must(k.store.asUser(k.ann.ID).endSession())
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
		synctest.Wait() // the streams have it in hand, and no client takes it from them
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
		for range defaultSettings.maxAccountStreams {
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
