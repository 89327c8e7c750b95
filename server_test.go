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
	"net"
	"net/http"
	"net/http/httptest"
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
