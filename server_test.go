package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/reply"
)

func TestIndex(t *testing.T) {
	t.Parallel()
	var got struct {
		Name      string
		Endpoints []string
	}
	newAPI(t).as("").send("GET /").want(200, "").decode(&got)
	if got.Name != "shelf" || !slices.Contains(got.Endpoints, "GET /") || !slices.Contains(got.Endpoints, "PATCH /api/v1/items/{id}/{field}") {
		t.Errorf("GET / = %+v; want the endpoints", got)
	}
}

// pathTests are ways to write a path that no route has. A redirect keeps the
// method and the body (RFC 9110 §15.4.9).
var pathTests = []struct {
	request      string
	wantStatus   int
	wantLocation string
}{
	{"GET /api//v1/items", 308, "/api/v1/items"},
	{"POST //signup", 308, "/signup"},
	{"GET //evil.example/x", 308, "/evil.example/x"},
	{"GET ///", 308, "/"},
	{"GET /api/v1/items//", 308, "/api/v1/items/"},
	{"GET /api/v1/./items", 308, "/api/v1/items"},
	{"GET /bookapi/../api/v1/items?x=1&y=%20", 308, "/api/v1/items?x=1&y=%20"},
	{"GET /../../etc/passwd", 308, "/etc/passwd"},
	{"DELETE //api/v1/items/%31%2F%20", 308, "/api/v1/items/%31%2F%20"},
	{"GET /api/v1/%2e%2e/items", 404, ""},
	{"GET /api%2Fv1/items", 404, ""},
	{"GET /api/v1//nothing/", 308, "/api/v1/nothing/"},
	{"GET *", 404, ""},
	{"GET urn:x", 404, ""},
	{"GET http:", 404, ""},
	{"CONNECT localhost:80", 404, ""},
	{"OPTIONS *", 204, ""},
}

func TestPaths(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, tt := range pathTests {
		method, target, _ := strings.Cut(tt.request, " ")
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n")))
		if err != nil {
			t.Fatalf("%s: %v", tt.request, err)
		}
		r.Host = "localhost"
		says := map[int]string{404: "Not found", 308: "The path is written without empty or dot segments"}[tt.wantStatus]
		a.as("").do(r).want(tt.wantStatus, says).wantHeader("Location", tt.wantLocation)
	}
}

// TestHead goes over a real connection: it is net/http that drops the body.
func TestHead(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.as("ann").send("POST /api/v1/items", ball).want(201, "Created a new item")
	server := httptest.NewServer(a)
	defer server.Close()
	for _, path := range []string{"/", "/nothing", "/api/v1/items", "/api/v1/items/1", "/api/v1/items/2", "/api/v1/auth/tokens", "/api/v1/auth/signup", "/bookapi/books"} {
		ask := func(method string) (status int, length string, body []byte) {
			r, err := http.NewRequest(method, server.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+a.session("ann").Access)
			got, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer got.Body.Close()
			body, err = io.ReadAll(got.Body)
			if err != nil {
				t.Fatal(err)
			}
			return got.StatusCode, got.Header.Get("Content-Length"), body
		}
		wantStatus, wantLength, _ := ask("GET")
		if status, length, body := ask("HEAD"); status != wantStatus || length != wantLength || len(body) > 0 {
			t.Errorf("HEAD %s = %d, length %s, %q; want %d, length %s and no body", path, status, length, body, wantStatus, wantLength)
		}
	}
}

// corsTests tell which origins may read an answer.
var corsTests = []struct {
	name, flags, origin string
	want                string // Access-Control-Allow-Origin
}{
	{"no origin", "", "", ""},
	{"localhost", "", "http://localhost:3000", "http://localhost:3000"},
	{"localhost by https", "", "https://localhost", "https://localhost"},
	{"127.0.0.1", "", "http://127.0.0.1:5173", "http://127.0.0.1:5173"},
	{"all of 127.0.0.0/8", "", "http://127.8.9.10", "http://127.8.9.10"},
	{"[::1]", "", "http://[::1]:8000", "http://[::1]:8000"},
	{"a name below localhost", "", "http://app.localhost:8000", "http://app.localhost:8000"},
	{"another site", "", "https://app.example", ""},
	{"a site that begins like localhost", "", "http://localhost.evil.example", ""},
	{"a site that ends like localhost", "", "http://evillocalhost", ""},
	{"a site that begins like 127.0.0.1", "", "http://127.0.0.1.evil.example", ""},
	{"another scheme", "", "chrome-extension://localhost", ""},
	{"a sandboxed frame or a file", "", "null", ""},
	{"text that is no origin", "", "http://[::1", ""},
	{"anything, by flag", "-cors=*", "https://app.example", "*"},
	{"null, by flag", "-cors=*", "null", "*"},
	{"a named one", "-cors=https://app.example", "https://app.example", "https://app.example"},
	{"another than the named one", "-cors=https://app.example", "https://app.example:444", ""},
	{"the named one by http", "-cors=https://app.example", "http://app.example", ""},
	{"loopback is off when another is named", "-cors=https://app.example", "http://localhost", ""},
	{"loopback and a named one", "-cors=loopback,https://app.example", "http://localhost", "http://localhost"},
	{"off", "-cors=off", "http://localhost", ""},
}

func TestCORS(t *testing.T) {
	t.Parallel()
	const (
		mayAsk  = "Authorization, Content-Type, x-access-token, If-Match, If-None-Match, Last-Event-ID"
		mayRead = "Location, ETag, Link, X-Total-Count, Retry-After, WWW-Authenticate"
	)
	type refusal struct {
		status int
		says   string
	}
	for _, tt := range corsTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			page := newAPI(t, tt.flags).as("")
			if tt.origin != "" {
				page = page.with("Origin", tt.origin)
			}
			exposed, askable, methods := mayRead, mayAsk, "DELETE, GET, HEAD, PATCH, POST, PUT"
			if tt.want == "" {
				exposed, askable, methods = "", "", ""
			}
			// A page must be able to read refusals too.
			login := refusal{401, "Could not verify!"}
			if tt.origin != "" && tt.want == "" {
				login = refusal{403, "Web pages of other origins may not do this here; -cors names those that may"}
			}
			for request, refused := range map[string]refusal{
				"GET /api/v1/items":  {401, "Missing Authorization Header"},
				"GET /bookapi/books": {401, "A valid token is missing!"},
				"POST /login":        login,
			} {
				page.send(request).want(refused.status, refused.says).
					wantHeader("Access-Control-Allow-Origin", tt.want).
					wantHeader("Access-Control-Expose-Headers", exposed).
					wantHeader("Access-Control-Allow-Methods", "").
					wantHeader("Vary", "Origin")
			}
			if tt.origin == "" {
				return
			}
			preflight := page.with("Access-Control-Request-Method", "PATCH").with("Access-Control-Request-Headers", "authorization,content-type")
			for _, path := range []string{"/api/v1/items/1/itemname", "/bookapi/books", "/nothing", "*"} {
				got := preflight.send("OPTIONS "+path).wantBody(204, "").
					wantHeader("Access-Control-Allow-Origin", tt.want).
					wantHeader("Access-Control-Allow-Headers", askable)
				if list := sortedList(got.header.Get("Access-Control-Allow-Methods")); list != methods {
					t.Errorf("%v: Access-Control-Allow-Methods is %q; want %q", got, list, methods)
				}
			}
		})
	}
}

// hostTests tell which Host headers a server answers to; package origin has more.
var hostTests = []struct {
	name, flags, host string
	wantStatus        int
}{
	{"localhost", "", "localhost", 200},
	{"none", "", "", 421},
	{"another name", "", "evil.example", 421},
	{"a named one", "-hosts=shelf.example", "shelf.example", 200},
	{"any name beyond loopback", "-addr=0.0.0.0:8080", "shelf.example", 200},
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for _, tt := range hostTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			says := map[int]string{421: "This server does not answer to that Host; -hosts names more"}[tt.wantStatus]
			client := newAPI(t, tt.flags).as("").with("Host", tt.host)
			client.send("GET /").want(tt.wantStatus, says)
			if tt.wantStatus == 421 { // whatever is asked, in the words of the path's API
				client.with("Origin", "http://localhost").send("GET /api/v1/items").want(421, says).wantHeader("Access-Control-Allow-Origin", "")
				client.send("OPTIONS *").want(421, says)
				client.send("GET //").want(421, says)
				client.send("POST /login").want(421, says)
			}
		})
	}
}

// bodyEndpoints are those that read a body, but for the PATCH of a field, which
// answers in its own words: with a field of each, and the kind of what it holds.
var bodyEndpoints = []struct{ request, field, kind string }{
	{"POST /api/v1/auth/signup", "email", "string"},
	{"POST /api/v1/auth/signin", "password", "string"},
	{"PUT /api/v1/auth/tokens/1", "revoke", "boolean"},
	{"POST /api/v1/items", "itemname", "string"},
	{"PUT /api/v1/items/1", "category", "string"},
	{"PATCH /api/v1/items/1", "description", "string"},
	{"POST /signup", "username", "string"},
	{"POST /login", "password", "string"},
	{"POST /bookapi/addbook", "title", "string"},
	{"POST /bookapi/books", "author", "string"},
}

// bodyFaults are bodies in which FIELD stands for a field's name.
var bodyFaults = []struct {
	name       string
	body       body
	wantStatus int
	wantSays   string // FIELD and KIND stand for the field's, ELEMENT for its place in a list
}{
	{"malformed JSON", asJSON(`{"FIELD": `), 400, "Invalid request body: unexpected end of JSON input"},
	{"trailing data", asJSON(`{} {}`), 400, "Invalid request body: invalid character '{' after top-level value"},
	{"a list", asJSON(`["FIELD"]`), 400, "Invalid request body: ELEMENT must be a JSON object"},
	{"a string", asJSON(`"FIELD"`), 400, "Invalid request body: must be a JSON object"},
	{"a number", asJSON(`5`), 400, "Invalid request body: must be a JSON object"},
	{"a field of another kind", asJSON(`{"FIELD": 5}`), 400, "Invalid request body: 'FIELD' must be a KIND"},
	{"a field that is an object", asJSON(`{"FIELD": {}}`), 400, "Invalid request body: 'FIELD' must be a KIND"},
	{"a field twice in JSON", asJSON(`{"FIELD": null, "FIELD": null}`), 400, "Invalid request body: 'FIELD' must be given only once"},
	{"a field twice in a form", body{formType, "FIELD=1&FIELD=1"}, 400, "Invalid request body: 'FIELD' must be given only once"},
	{"an unknown field twice", body{formType, "other=1&other=1"}, 400, "Invalid request body: 'other' must be given only once"},
	{"a field in another case", asJSON(`{"UPPER": null}`), 400, "Invalid request body: 'UPPER' must be written 'FIELD'"},
	{"invalid UTF-8 in JSON", asJSON("{\"FIELD\": \"a\xff\"}"), 400, "Invalid request body: 'FIELD' must be valid UTF-8"},
	{"invalid UTF-8 in a form", body{formType, "FIELD=%ff"}, 400, "Invalid request body: 'FIELD' must be valid UTF-8"},
	{"a file", body{multipartType, "--cut\r\nContent-Disposition: form-data; name=\"FIELD\"; filename=\"a\"\r\n\r\na\r\n--cut--\r\n"}, 400, "Invalid request body: 'FIELD' must not be a file"},
	{"plain text", body{"text/plain", `{"FIELD": null}`}, 415, unsupported},
	{"no content type", body{"", `{"FIELD": null}`}, 415, unsupported},
	{"XML", body{"application/xml", `<FIELD/>`}, 415, unsupported},
	{"a blank of another content type", body{"text/plain", " "}, 415, unsupported},
	{"1 MiB and a byte", tooLarge, 413, "The body must be at most 1 MiB long"},
	{"1 MiB and a byte of another content type", body{"text/plain", tooLarge.text}, 413, "The body must be at most 1 MiB long"},
}

const unsupported = "The body must be application/json, application/x-www-form-urlencoded or multipart/form-data"

func TestRequestBodies(t *testing.T) {
	t.Parallel()
	for _, e := range bodyEndpoints {
		t.Run(e.request, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			client := a.as("ann").with("X-Access-Token", a.session("ann").Access)
			names := strings.NewReplacer("FIELD", e.field, "KIND", e.kind, "UPPER", strings.ToUpper(e.field), "ELEMENT ", "")
			if e.request == "POST /api/v1/items" { // which takes a list
				names = strings.NewReplacer("FIELD", e.field, "KIND", e.kind, "UPPER", strings.ToUpper(e.field), "ELEMENT", "items[0]:")
			}
			for _, tt := range bodyFaults {
				client.send(e.request, body{tt.body.contentType, names.Replace(tt.body.text)}).
					want(tt.wantStatus, names.Replace(tt.wantSays)).wantHeader("WWW-Authenticate", "")
			}
			// No body, whatever the Content-Type says, is the same as an empty one.
			missing := client.send(e.request, asJSON("{}")).String()
			for _, none := range []body{{}, {"text/plain", ""}, asJSON(""), asJSON(" null\n"), asForm(), {"application/problem+json; charset=utf-8", "{}"}} {
				if got := client.send(e.request, none).String(); got != missing {
					t.Errorf("%s with %+v; want as with {}: %s", got, none, missing)
				}
			}
			// Nothing is read from the query string.
			query := client.send(e.request + "?email=a@b.c&password=b00k-worm&revoke=1&itemname=a&category=b&description=c&username=u&title=t&author=a")
			if _, want, _ := strings.Cut(missing, " = "); !strings.HasSuffix(query.String(), want) {
				t.Errorf("%v; want as with {}: %s", query, missing)
			}
		})
	}
}

// A diskFault says how a disk fails that was sound when it was opened.
type diskFault struct {
	mu          sync.Mutex
	write, sync error
}

func (f *diskFault) set(write, sync error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.write, f.sync = write, sync
}

// disk is the real one, until f is set.
func (f *diskFault) disk() journal.Disk {
	fault := func() (write, sync error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.write, f.sync
	}
	return hookedDisk{
		write: func(file journal.File, p []byte, at int64) (int, error) {
			if err, _ := fault(); err != nil {
				return 0, err
			}
			return file.WriteAt(p, at)
		},
		sync: func(file journal.File) error {
			if _, err := fault(); err != nil {
				return err
			}
			return file.Sync()
		},
	}
}

// noRoom is what a full disk says.
func noRoom() error {
	if runtime.GOOS == "windows" {
		return syscall.Errno(112) // ERROR_DISK_FULL
	}
	return syscall.ENOSPC
}

// A failing is a server on a disk that fails, with something to read on it, and
// everything that writes.
type failing struct {
	*api
	fault *diskFault
	reads []func() *answer
}

func newFailing(t *testing.T) *failing {
	f := &failing{fault: &diskFault{}}
	f.api = startAPI(t, &stoppedClock{at: tokenNow}, f.fault.disk(), slog.DiscardHandler, onDisk(t))
	f.asAdmin("ann").send("POST /api/v1/items", ball).want(201, "Created a new item")
	rae := f.reader("rae")
	rae.send("POST /bookapi/addbook", dune).want(200, "new book created")
	for _, request := range []string{"GET /api/v1/items", "GET /api/v1/items/1", "GET /api/v1/auth/tokens", "GET /bookapi/books", "GET /bookapi/books/1"} {
		f.reads = append(f.reads, func() *answer { return f.as("ann").with("X-Access-Token", f.session("ann").Access).send(request) })
	}
	return f
}

// writesFail checks that every write is refused in these words, and that no
// read sees any of it.
func (f *failing) writesFail(t *testing.T, status int, says string) {
	t.Helper()
	var before []string
	for _, read := range f.reads {
		before = append(before, read().want(200, "").body)
	}
	ann := f.as("ann").with("X-Access-Token", f.session("ann").Access)
	refresh := f.as("").bearing(f.session("ann").Refresh)
	for _, w := range []struct {
		client  *client
		request string
		body    body
	}{
		{f.as(""), "POST /api/v1/auth/signup", asForm("email", "bob@example.com", "password", annPassword)},
		{f.as(""), "POST /api/v1/auth/signin", annDetails},
		{refresh, "POST /api/v1/auth/refresh", body{}},
		{ann, "PUT /api/v1/auth/tokens/1", asForm("revoke", "1")},
		{ann, "DELETE /api/v1/auth/logout", body{}},
		{ann, "POST /api/v1/items", ball},
		{ann, "PATCH /api/v1/items/1/itemname", asForm("itemname", "bat")},
		{ann, "DELETE /api/v1/items/1", body{}},
		{f.as(""), "POST /signup", asForm("username", "bob", "password", "secret")},
		{f.as(""), "POST /login", raeDetails},
		{ann, "POST /bookapi/addbook", asForm("title", "Emma", "author", "Jane Austen")},
		{ann, "DELETE /bookapi/books/1", body{}},
	} {
		w.client.send(w.request, w.body).want(status, says)
	}
	for i, read := range f.reads {
		if got := read().want(200, ""); got.body != before[i] {
			t.Errorf("%s = %s after writes that failed; want %s", got.request, got.body, before[i])
		}
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	f := newFailing(t)
	f.fault.set(noRoom(), nil)
	f.writesFail(t, 507, "The disk is full: nothing was changed")
	f.fault.set(nil, nil)
	f.as("ann").send("POST /api/v1/items", ball).want(201, "Created a new item") // as soon as there is room
}

func TestDiskThatCantBeWritten(t *testing.T) {
	t.Parallel()
	f := newFailing(t)
	f.fault.set(errors.New("input/output error"), nil)
	f.writesFail(t, 503, "The store can't be written: nothing was changed")
	f.fault.set(nil, nil)
	f.as("ann").send("POST /api/v1/items", ball).want(201, "Created a new item")
}

func TestDiskThatCantSync(t *testing.T) {
	t.Parallel()
	f := newFailing(t)
	f.fault.set(nil, errors.New("input/output error"))
	f.as("ann").send("POST /api/v1/items", ball).want(503, "The disk failed: whether this change was kept is unknown until the server restarts")
	f.fault.set(nil, nil)
	f.writesFail(t, 503, "The store can't be written: nothing was changed") // until the restart
	f.restart().as("").send("POST /api/v1/auth/signin", annDetails).want(200, "")
}

// A capture keeps what is logged, a JSON object a line.
type capture struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *capture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// logging starts a server whose whole log is captured.
func logging(t *testing.T, d journal.Disk, flags ...string) (*api, *capture) {
	log := &capture{}
	handler := slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})
	return startAPI(t, &stoppedClock{at: tokenNow}, d, handler, flags...), log
}

func TestPanic(t *testing.T) {
	t.Parallel()
	a, log := logging(t, journal.OS{})
	for _, path := range []string{"/api/v1/panic", "/panic"} {
		a.mux.Handle("GET "+path, a.answering(func(http.ResponseWriter, *http.Request) error {
			panic("out of cheese")
		}))
		got := a.as("").send("GET " + path)
		prefix := "Internal server error; the log has it as "
		id, ok := strings.CutPrefix(got.says(), prefix)
		if got.status != 500 || !ok || id == "" {
			t.Errorf("%v; want 500 %q and an id", got, prefix)
		}
		var line struct {
			Level, Msg, Method, Route, Panic, Stack string
			Request                                 string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(strings.SplitN(log.String(), "\n", 2)[0]), &line); err != nil {
			t.Fatal(err)
		}
		if line.Level != "ERROR" || line.Method != "GET" || line.Route != "GET "+path || line.Request != id || line.Panic != "out of cheese" || !strings.Contains(line.Stack, "TestPanic") {
			t.Errorf("the log says %+v; want an error about GET %s with id %s and the stack", line, path, id)
		}
		a.as("").send("GET /").want(200, "") // it lives
		log.text.Reset()
	}
}

func TestLogLine(t *testing.T) {
	t.Parallel()
	a, log := logging(t, journal.OS{})
	ann := a.as("ann")
	for _, tt := range []struct{ request, route string }{
		{"GET /api/v1/items/7?secret=x", "GET /api/v1/items/{id}"},
		{"PUT /api/v1/items", "/api/v1/items"},
		{"GET /nothing", "/"},
	} {
		log.text.Reset()
		got := ann.send(tt.request)
		var line map[string]any
		if err := json.Unmarshal([]byte(log.String()), &line); err != nil {
			t.Fatalf("%s logs %q: %v", tt.request, log, err)
		}
		delete(line, "time")
		delete(line, "request_id") // any
		delete(line, "duration")   // TestLogDuration
		want := map[string]any{
			"level": "INFO", "msg": "request", "method": tt.request[:3], "route": tt.route,
			"status": float64(got.status), "bytes": float64(len(got.body)),
		}
		if fmt.Sprint(line) != fmt.Sprint(want) {
			t.Errorf("%s logs %v; want %v", tt.request, line, want)
		}
	}
}

// TestLogDuration: how long a request took is real time, though the server's
// own clock stands still, as this one does.
func TestLogDuration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, log := logging(t, journal.OS{})
		a.mux.Handle("GET /hour", a.answering(func(w http.ResponseWriter, _ *http.Request) error {
			<-time.After(time.Hour)
			return reply.JSON(w, http.StatusOK, nil)
		}))
		a.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://localhost/hour", nil)) // no answer for the record
		if want := fmt.Sprintf(`"duration":%d,`, time.Hour.Nanoseconds()); !strings.Contains(log.String(), want) {
			t.Errorf("the log says %s; want %s", log, want)
		}
	})
}

// TestLogHoldsNoSecrets runs what there is, and looks for what must not be in
// the log: passwords, tokens, keys, hashes, headers and query strings.
func TestLogHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	fault := &diskFault{}
	a, log := logging(t, fault.disk(), onDisk(t))
	ann, rae := a.session("ann"), a.reader("rae")
	wrong := "wr0ng-worm"
	marked := "?access_token=" + ann.Access + "&marked-query=1"
	tokens := []string{ann.Access, ann.Refresh, rae.headers[1]}
	run := func() {
		for _, paths := range []map[string]string{catalogPaths, bookPaths, {"/nothing": "", "//api/v1/items": "", "/api/v1/items/marked-path": ""}} {
			for path := range paths {
				for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
					if strings.HasSuffix(path, "logout") {
						continue // the tokens are still needed
					}
					for _, b := range []body{
						asForm("email", "ann@example.com", "username", "rae", "password", annPassword),
						asForm("email", "ann@example.com", "username", "rae", "password", wrong),
						asForm("email", "new@example.com", "username", "rae2", "password", wrong),
						asJSON(`{"password": ["` + wrong + `"]}`), asJSON(`{"` + wrong), ball, dune,
					} {
						a.as("").send(method+" "+path+marked, b)
						for _, token := range tokens {
							a.as("").bearing(token).with("X-Access-Token", token).send(method+" "+path+marked, b)
							a.as("").bearing(token+"k").with("X-Access-Token", token+"k").with("Host", "evil.example").send(method+" "+path+marked, b)
						}
					}
				}
			}
		}
	}
	run()
	fault.set(noRoom(), nil)
	run()
	fault.set(nil, errors.New("input/output error"))
	run()
	a.mux.Handle("GET /panic", a.answering(func(http.ResponseWriter, *http.Request) error { panic("at the disco") }))
	a.as("").bearing(ann.Access).send("GET /panic" + marked)

	secrets := []string{annPassword, wrong, "$2a$", tokenSecret, "Bearer", "eyJ", "marked-query", "marked-path", "access_token"}
	for _, token := range tokens {
		secrets = append(secrets, strings.Split(token, ".")...)
	}
	text := log.String()
	for _, secret := range secrets {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("the log holds %q: …%s…", secret, text[max(0, i-200):min(len(text), i+100)])
		}
	}
	if !strings.Contains(text, "disk full") || !strings.Contains(text, "at the disco") {
		t.Errorf("the log holds nothing of the disk or the panic; want both")
	}
}

// listening is what a server says first.
var listening = regexp.MustCompile(`listening on http://(127\.0\.0\.1:\d+)\n`)

// TestOddRequests talks to the program over a bare connection, as no client
// would. What it answers may be an error of HTTP's own, but never HTML and never
// a fault of the server's.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error, 1)
	noEnv := func(string) (string, bool) { return "", false }
	go func() {
		done <- run(ctx, []string{"-addr=127.0.0.1:0", "-data=memory", "-bcrypt-cost=4", "-log=off"}, noEnv, strings.NewReader(""), in, io.Discard)
	}()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("run = %v", err)
		}
	}()
	first := make([]byte, 100)
	n, err := out.Read(first)
	match := listening.FindSubmatch(first[:n])
	if err != nil || match == nil {
		t.Fatalf("run prints %q, %v", first[:n], err)
	}
	long := strings.Repeat("a", 20000)
	for _, tt := range []struct {
		request    string
		wantStatus int
	}{
		{"GET / HTTP/1.1\nHost: localhost", 200},
		{"GET / HTTP/1.0\nHost: localhost", 200},
		{"GET / HTTP/1.0", 421},
		{"GET / HTTP/1.1", 400},
		{"GET / HTTP/1.1\nHost: evil.example", 421},
		{"GET / HTTP/1.1\nHost: localhost\nHost: localhost", 400},
		{"GET http://localhost/ HTTP/1.1\nHost: evil.example", 200}, // RFC 9112 §3.2.2: the target goes before Host
		{"GET http://evil.example/ HTTP/1.1\nHost: localhost", 421},
		{"OPTIONS * HTTP/1.1\nHost: localhost", 204},
		{"OPTIONS * HTTP/1.1\nHost: evil.example", 421},
		{"GET * HTTP/1.1\nHost: localhost", 404},
		{"CONNECT localhost:80 HTTP/1.1\nHost: localhost:80", 404},
		{"CONNECT /api//v1 HTTP/1.1\nHost: localhost", 308},
		{"GET urn:x HTTP/1.1\nHost: localhost", 404},
		{"GET //api/v1/items HTTP/1.1\nHost: localhost", 308},
		{"GET /api/v1/items/%zz HTTP/1.1\nHost: localhost", 400},
		{"GET /api/v1/items/\xff HTTP/1.1\nHost: localhost", 401},
		{"GET /?%zz;x HTTP/1.1\nHost: localhost", 200},
		{"GET /" + long + " HTTP/1.1\nHost: localhost", 404},
		{"GET /" + long + long + " HTTP/1.1\nHost: localhost", 431},
		{"GET /api/v1/items HTTP/1.1\nHost: localhost\nAuthorization: Bearer " + long, 422},
		{"GET / HTTP/1.1\nHost: localhost\nX-Long: " + long + long, 431},
		{"POST /login HTTP/1.1\nHost: localhost\nContent-Type: application/json\nTransfer-Encoding: chunked\n\nzz", 400},
		{"POST /login HTTP/1.1\nHost: localhost\nContent-Length: -1", 400},
		{"POST /api/v1/items HTTP/1.1\nHost: localhost\nExpect: 100-continue\nContent-Length: 9999999", 401},
		{"PRI * HTTP/2.0\nHost: localhost", 404},
		{"GET / HTTP/9.9\nHost: localhost", 505},
		{"garbage", 400},
	} {
		conn, err := net.Dial("tcp", string(match[1]))
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(conn, strings.ReplaceAll(strings.Replace(tt.request, "\n", "\nConnection: close\n", 1), "\n", "\r\n")+"\r\n\r\n")
		got, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%.80q: %v", tt.request, err)
			conn.Close()
			continue
		}
		if got.StatusCode != tt.wantStatus || strings.Contains(got.Header.Get("Content-Type"), "html") {
			t.Errorf("%.80q = %d in %s; want %d", tt.request, got.StatusCode, got.Header.Get("Content-Type"), tt.wantStatus)
		}
		conn.Close()
	}
}

// catalogPaths are all paths of the catalog, with the methods of each.
var catalogPaths = map[string]string{
	"/api/v1/auth/signup":      "OPTIONS, POST",
	"/api/v1/auth/signin":      "OPTIONS, POST",
	"/api/v1/auth/refresh":     "OPTIONS, POST",
	"/api/v1/auth/logout":      "DELETE, OPTIONS, POST",
	"/api/v1/auth/tokens":      "DELETE, GET, HEAD, OPTIONS",
	"/api/v1/auth/tokens/1":    "OPTIONS, PUT",
	"/api/v1/items":            "GET, HEAD, OPTIONS, POST",
	"/api/v1/items/1":          "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
	"/api/v1/items/1/itemname": "OPTIONS, PATCH",
	"/api/v1/categories":       "GET, HEAD, OPTIONS",
}

var bookPaths = map[string]string{
	"/":                "GET, HEAD, OPTIONS",
	"/signup":          "OPTIONS, POST",
	"/login":           "OPTIONS, POST",
	"/bookapi/books":   "GET, HEAD, OPTIONS, POST",
	"/bookapi/books/1": "DELETE, GET, HEAD, OPTIONS",
	"/bookapi/addbook": "OPTIONS, POST",
}

func TestMethods(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, paths := range []map[string]string{catalogPaths, bookPaths} {
		for path, methods := range paths {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} {
				request := method + " " + path
				got := a.as("").send(request)
				allowed := strings.Contains(", "+methods+",", ", "+method+",")
				if allowed {
					if got.status == http.StatusMethodNotAllowed {
						t.Errorf("%v; want it allowed", got)
					}
					continue
				}
				got.want(405, "The method is not allowed for the requested URL")
				wantAllow(got, methods)
			}
			wantAllow(a.as("").send("OPTIONS "+path).wantBody(204, ""), methods)
		}
	}
}

// wantAllow checks Allow, whose order says nothing.
func wantAllow(a *answer, methods string) {
	a.t.Helper()
	if got := sortedList(a.header.Get("Allow")); got != methods {
		a.t.Errorf("%v: Allow is %q; want %q", a, got, methods)
	}
}

// notFoundTests are paths that name nothing.
var notFoundTests = []string{
	"/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/items/", "/api/v1/items/1/", "/api/v1/items/1/itemname/",
	"/api/v1/items/1/itemname/x", "/api/v1/auth", "/api/v1/auth/signup/", "/api/v1/auth/tokens/", "/api/v1/Items", "/api/v1/items%2F1",
	"/api", "/api/v2/items", "/api/v1items", "/bookapi", "/bookapi/", "/bookapi/books/", "/bookapi/Books", "/books",
	"/login/", "/signup/", "/Login", "/favicon.ico", "/index.html", "/%00", "/%ff",
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, path := range notFoundTests {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS", "BREW"} {
			got := a.as("").send(fmt.Sprint(method, " ", path))
			got.want(404, "Not found")
		}
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

// A logLine is a line of the log in JSON.
type logLine struct {
	Level, Msg, Method, Route, Panic, Stack string
	Status, Bytes                           int
	Duration                                int64
	RequestID                               string `json:"request_id"`
}

// logLines reads what g has logged.
func (g guardServer) logLines() (lines []logLine) {
	g.t.Helper()
	for text := range strings.Lines(g.log.String()) {
		var line logLine
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			g.t.Fatalf("%q in the log: %v", text, err)
		}
		lines = append(lines, line)
	}
	return lines
}

// send sends a request without a body and returns the answer.
func (g guardServer) send(r *http.Request) *httptest.ResponseRecorder {
	return ask(g.server, r)
}

func TestLog(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, target string
		route                string
		status               int
	}{
		{"a route is named by its pattern", "GET", "/api/v1/items/17?token=hush", "GET /api/v1/items/{id}", 422},
		{"a path that nobody knows is not written down", "GET", "/hush/%1b%5b31m%0alevel=ERROR", "/", 404},
		{"nor is one of another method", "BREW", "/api/v1/items/hush", "/api/v1/items/{id}", 405},
		{"a method is as the client wrote it", "BREW", "/hush", "/", 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuardServer(t, "-log-format=json")
			r := httptest.NewRequest(tt.method, tt.target, strings.NewReader("password=hush"))
			r.Header.Set("Authorization", "Bearer hush")
			r.Header.Set("X-Access-Token", "hush")
			r.Header.Set("X-Request-Id", "hush")
			r.Header.Set("Cookie", "hush")
			r.Header.Set("User-Agent", "hush")
			w := g.send(r)
			lines := g.logLines()
			if len(lines) != 1 {
				t.Fatalf("%d lines:\n%s\nwant one", len(lines), g.log)
			}
			id := w.Header().Get("X-Request-Id")
			lines[0].Duration = 0 // TestLogDuration
			want := logLine{Level: "INFO", Msg: "request", Method: tt.method, Route: tt.route, Status: tt.status, Bytes: w.Body.Len(), RequestID: id}
			if lines[0] != want {
				t.Errorf("got  %+v\nwant %+v", lines[0], want)
			}
			if !regexp.MustCompile(`^[0-9a-v]{1,13}$`).MatchString(id) {
				t.Errorf("X-Request-Id is %q; want a number of ours", id)
			}
			if strings.Contains(g.log.String(), "hush") {
				t.Errorf("the log tells: %s", g.log)
			}
		})
	}
}

// Through a real connection net/http refuses such methods; the log shall not
// rely on it.
func TestLogEscapesControlCharacters(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		g := newGuardServer(t, "-log-format="+format)
		g.mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("a\x1b[31m\nb\r") })
		for _, method := range []string{"GET\x1b[2J", "GET\nlevel=ERROR msg=forged", "\r\x00\a", "a\"b\\"} {
			for _, path := range []string{"/", "/panic", "/\x1b[31m\n"} {
				r := httptest.NewRequest("GET", "/", nil)
				r.Method, r.URL.Path = method, path
				g.send(r)
			}
		}
		for line := range strings.Lines(g.log.String()) {
			if i := strings.IndexFunc(strings.TrimSuffix(line, "\n"), func(c rune) bool { return c < ' ' || c == 0x7f }); i >= 0 {
				t.Errorf("%s: the control character %q is in %q", format, line[i], line)
			}
			if strings.HasPrefix(line, "level") {
				t.Errorf("%s: a line was forged: %q", format, line)
			}
		}
	}
}

func TestPanicIsLogged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, path string
		answer     string // with ID for the id
	}{
		{"in the catalog", "/api/v1/panic", `{"status":500,"error":"Internal server error; the log has it as ID"}` + "\n"},
		{"in the book API", "/bookapi/panic", `{"message":"Internal server error; the log has it as ID"}` + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuardServer(t, "-log-format=json")
			g.mux.HandleFunc("GET "+tt.path, func(http.ResponseWriter, *http.Request) { panic("hush") })
			w := g.send(httptest.NewRequest("GET", tt.path, nil))
			id := w.Header().Get("X-Request-Id")
			g.want(w, 500, strings.ReplaceAll(tt.answer, "ID", id))
			if strings.Contains(w.Body.String(), "hush") {
				t.Errorf("the answer tells what was the matter: %s", w.Body)
			}
			lines := g.logLines()
			if len(lines) != 2 {
				t.Fatalf("%d lines:\n%s\nwant the panic and the request", len(lines), g.log)
			}
			for _, line := range lines {
				if line.RequestID != id {
					t.Errorf("%+v has another id than the answer, %s", line, id)
				}
			}
			if p := lines[0]; p.Panic != "hush" || !strings.Contains(p.Stack, "server_test.go") {
				t.Errorf("%+v; want the panic and its stack", p)
			}
			if last := lines[1]; last.Status != 500 {
				t.Errorf("%+v; want the status 500", last)
			}
			if w := g.send(httptest.NewRequest("GET", "/", nil)); w.Code != 200 {
				t.Errorf("GET / after that = %d; want the server alive", w.Code)
			}
		})
	}
}

// Half an answer must not pass for a whole one.
func TestPanicHalfWay(t *testing.T) {
	t.Parallel()
	g := newGuardServer(t, "-log-format=json")
	g.mux.HandleFunc("GET /panic", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("half"))
		panic("hush")
	})
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("the panic goes on as %v; want http.ErrAbortHandler, on which net/http drops the connection", p)
		}
		if lines := g.logLines(); len(lines) != 2 || lines[1].Bytes != 4 {
			t.Errorf("the log is\n%s\nwant the panic and the request of 4 bytes", g.log)
		}
	}()
	g.send(httptest.NewRequest("GET", "/panic", nil))
}

func TestLogFailures(t *testing.T) {
	t.Parallel()
	g := newGuardServer(t, "-log-format=json -data="+filepath.Join(t.TempDir(), dataFile))
	if err := g.store.Close(); err != nil {
		t.Fatal(err)
	}
	w := g.post("/signup", guardHere, "username=ann&password=pw")
	g.want(w, 503, "The store can't be written")
	lines := g.logLines()
	if len(lines) != 2 || lines[0].Level != "ERROR" || lines[1].Msg != "request" {
		t.Fatalf("the log of a store that can't be written is\n%s\nwant the error and the request", g.log)
	}
	for _, line := range lines {
		if line.RequestID != w.Header().Get("X-Request-Id") || line.Status != 503 {
			t.Errorf("%+v; want the status 503 and the answer's id", line)
		}
	}
}

// An id that the log doesn't have would name nothing.
func TestRequestIDWhereLogged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, flags, target string
		status              int
		lines               int
	}{
		{"a success, with every request in the log", "-log=requests", "/", 200, 1},
		{"a refusal, with every request in the log", "-log=requests", "/nothing", 404, 1},
		{"a success, with problems only", "-log=problems", "/", 200, 0},
		{"a refusal, with problems only", "-log=problems", "/nothing", 404, 0},
		{"a problem, with problems only", "-log=problems", "/panic", 500, 1},
		{"a success, without a log", "-log=off", "/", 200, 0},
		{"a problem, without a log", "-log=off", "/panic", 500, 0},
		{"a fault that a handler returns, with problems only", "-log=problems", "/fault", 500, 1},
		{"a fault that a handler returns, without a log", "-log=off", "/fault", 500, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuardServer(t, "-log-format=json "+tt.flags)
			g.mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("hush") })
			g.mux.Handle("GET /fault", g.answering(func(http.ResponseWriter, *http.Request) error { return errors.New("hush") }))
			w := g.send(httptest.NewRequest("GET", tt.target, nil))
			g.want(w, tt.status, "")
			lines, id := g.logLines(), w.Header().Get("X-Request-Id")
			if len(lines) != tt.lines || (id != "") != (tt.lines > 0) {
				t.Fatalf("X-Request-Id is %q, and the log\n%s", id, g.log)
			}
			if len(lines) > 0 && lines[0].RequestID != id {
				t.Errorf("X-Request-Id is %q, and the log\n%s", id, g.log)
			}
		})
	}
}

// A flood of sign-ins must not become a flood of errors.
func TestLogBusy(t *testing.T) {
	t.Parallel()
	g := newGuardServer(t, "-log-format=json")
	fillLine(t, g.hashes)
	w := g.post("/api/v1/auth/signin", guardHere, guardRight)
	g.want(w, 503, "Too many sign-ins at once")
	if after := w.Header().Get("Retry-After"); after != "5" {
		t.Errorf("Retry-After is %q; want 5", after)
	}
	if lines := g.logLines(); len(lines) != 1 || lines[0].Level != "INFO" || lines[0].Status != 503 {
		t.Errorf("the log is\n%s\nwant the request alone", g.log)
	}
}

// Where nobody reads, requests aren't logged, though the null device is a
// character device as a terminal is.
func TestLogToNowhere(t *testing.T) {
	t.Parallel()
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	if newLog(defaultSettings, nowhere).Enabled(t.Context(), slog.LevelInfo) {
		t.Error("requests are logged to the null device; want problems only")
	}
}

// BenchmarkRequest is what a request costs in shelf, on top of what net/http and
// the network cost: the requests that test/bench sends, with the log that a server
// has by default and a store in memory.
func BenchmarkRequest(b *testing.B) {
	for _, bench := range []struct {
		name, request, body string
		status              int
	}{
		{"get", "GET /api/v1/items/500", "", 200},
		{"page", "GET /api/v1/items?limit=100", "", 200},
		{"post", "POST /api/v1/items", `{"itemname":"Item number 1234567","category":"Category 7","description":"A plain description of this item, as long as most are."}`, 201},
		{"signin", "POST /api/v1/auth/signin", `{"email":"ann@example.com","password":"` + annPassword + `"}`, 200},
	} {
		b.Run(bench.name, func(b *testing.B) {
			a := newAPI(b)
			a.log = newLog(a.config, b.Output())
			token := a.session("ann").Access
			for i := range 1000 {
				if err := a.store.addItem(benchItem(i)); err != nil {
					b.Fatal(err)
				}
			}
			method, target, _ := strings.Cut(bench.request, " ")
			r := httptest.NewRequest(method, target, nil)
			r.Host = "127.0.0.1:8080"
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/json")
			r.ContentLength = int64(len(bench.body))
			w := &benchWriter{header: http.Header{}}
			var body strings.Reader
			r.Body = benchBody{&body}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header) // net/http makes it, and the request, and the body
				body.Reset(bench.body)
				if a.ServeHTTP(w, r); w.status != bench.status {
					b.Fatalf("%s = %d; want %d", bench.request, w.status, bench.status)
				}
			}
		})
	}
}

// A benchBody is a body that can be sent again.
type benchBody struct{ *strings.Reader }

func (benchBody) Close() error { return nil }
