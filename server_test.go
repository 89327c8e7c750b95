package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/etcd"
	"example.com/shelf/internal/etcd/etcdtest"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/history/historytest"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/lab"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/serve"
	"example.com/shelf/internal/token"
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

// smallBodies are what anybody may send, and what holds a password.
var smallBodies = []string{
	"POST /api/v1/auth/signup", "POST /api/v1/auth/signin", "POST /signup", "POST /login",
	"POST /api/v1/auth/password", "DELETE /api/v1/auth/me",
}

// bodyFaults are bodies in which FIELD stands for a field's name.
var bodyFaults = []struct {
	name       string
	body       body
	wantStatus int
	wantSays   string // FIELD and KIND stand for the field's, ELEMENT for its place in a list, SIZE for the limit
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
	{"JSON as plain text", body{"text/plain", `{"FIELD": null}`}, 415, "The body begins like JSON, but its Content-Type is text/plain: send Content-Type: application/json"},
	{"JSON without a content type", body{"", `{"FIELD": null}`}, 415, "The body begins like JSON, but has no Content-Type: send Content-Type: application/json"},
	{"no content type", body{"", `FIELD=1`}, 415, unsupported},
	{"XML", body{"application/xml", `<FIELD/>`}, 415, unsupported},
	{"a blank of another content type", body{"text/plain", " "}, 415, unsupported},
	{"1 MiB and a byte", tooLarge, 413, "The body must be at most SIZE long"},
	{"1 MiB and a byte of another content type", body{"text/plain", tooLarge.text}, 413, "The body must be at most SIZE long"},
	{"16 KiB and a byte where that is the limit", asJSON(strings.Repeat(" ", form.MaxSmall+1)), 413, "The body must be at most 16 KiB long"},
}

// A fault in a field is told to programs too: which field, which rule, which limit.
// The sentence stays the tutorial's. Plain text has no room for that.
func TestDetails(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 301)
	item := func(name, category, description string) body {
		return asForm("itemname", name, "category", category, "description", description)
	}
	detail := func(field, rule, limit string) string {
		if limit != "" {
			limit = `,"limit":` + limit
		}
		return `{"field":"` + field + `","rule":"` + rule + `"` + limit + `}`
	}
	catalog := func(says string, details ...string) string {
		return `{"status":400,"error":"` + says + `","details":[` + strings.Join(details, ",") + `]}`
	}
	book := func(says string, details ...string) string {
		return `{"message":"` + says + `","details":[` + strings.Join(details, ",") + `]}`
	}
	for _, tt := range []struct {
		request string
		body    body
		want    string
	}{
		{"POST /api/v1/items", item(long[:65], "a", "b"), catalog("Invalid item name", detail("itemname", "max_length", "64"))},
		{"POST /api/v1/items", item("a", " ", long), catalog("Invalid category name", detail("category", "required", ""), detail("description", "max_length", "300"))},
		{"POST /api/v1/items", asJSON(`[{"itemname":"a","category":"b","description":"c"},{"itemname":"a","category":"b"}]`), catalog("items[1]: Invalid description", detail("items[1].description", "required", ""))},
		{"POST /api/v1/items", asJSON(`[{"itemname":5}]`), catalog("Invalid request body: items[0]: 'itemname' must be a string", detail("items[0].itemname", "type", ""))},
		{"PATCH /api/v1/items/1/itemname", asForm("itemname", long), catalog("itemname field is invalid", detail("itemname", "max_length", "64"))},
		{"PATCH /api/v1/items/1/itemname", asForm("itemname", "a", "colour", "red"), catalog("Invalid input data. Only itemname field should be provided", detail("colour", "unknown", ""))},
		{"PATCH /api/v1/items/1", asForm("category", ""), catalog("Invalid category name", detail("category", "required", ""))},
		{"GET /api/v1/items?limit=0", body{}, catalog("Invalid query: 'limit' must be a number from 1 to 1000", detail("limit", "range", ""))},
		{"GET /api/v1/items?colour=red&size=1", body{}, catalog("Invalid query: 'colour' is no parameter here; 'size' is no parameter here", detail("colour", "unknown", ""), detail("size", "unknown", ""))},
		{"POST /api/v1/auth/signup", body{}, catalog("Invalid email format", detail("email", "required", ""), detail("password", "required", ""))},
		{"POST /api/v1/auth/signup", asForm("email", "ann", "password", "b00k"), catalog("Invalid email format", detail("email", "pattern", ""), detail("password", "min_length", "5"))},
		{"POST /api/v1/auth/signup", asForm("email", "new@example.com", "password", "bookworm", "username", "a@b.cc", "firstname", long), catalog(badPassword, detail("password", "pattern", ""), detail("username", "pattern", ""), detail("firstname", "max_length", "64"))},
		{"POST /api/v1/auth/signup", asForm("email", "new@example.com", "password", "b00k-"+long[:80]), catalog("Invalid password. It should be at most 72 bytes long", detail("password", "max_bytes", "72"))},
		{"POST /api/v1/auth/signin", asForm("email", "ann@example.com"), catalog(badPassword, detail("password", "required", ""))},
		{"POST /api/v1/auth/password", asForm("new_password", "b00k-worm"), catalog("Missing 'current_password' in body", detail("current_password", "required", ""))},
		{"POST /api/v1/auth/password", asForm("current_password", annPassword, "new_password", "x"), catalog(badPassword, detail("new_password", "min_length", "5"))},
		{"PATCH /api/v1/auth/me", asForm("lastname", long), catalog("Invalid lastname", detail("lastname", "max_length", "64"))},
		{"PUT /api/v1/auth/tokens/1", asJSON(`{"revoke":"yes"}`), catalog("Invalid request body: 'revoke' must be a boolean", detail("revoke", "type", ""))},
		{"POST /signup", asForm("username", "a@b", "password", ""), book("Invalid input!", detail("username", "pattern", ""), detail("password", "required", ""))},
		{"POST /bookapi/addbook", asForm("author", long), book("Invalid input!", detail("title", "required", ""), detail("author", "max_length", "200"))},
		{"POST /login", asJSON(`{"username":5}`), "Invalid request body: 'username' must be a string"},
	} {
		t.Run(tt.request+" "+tt.body.text[:min(40, len(tt.body.text))], func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			a.as("ann").send("POST /api/v1/items", ball).want(201, "Created a new item")
			a.as("ann").with("X-Access-Token", a.session("ann").Access).send(tt.request, tt.body).wantBody(400, tt.want)
		})
	}
}

const unsupported = "The body must be application/json, application/x-www-form-urlencoded or multipart/form-data"

func TestRequestBodies(t *testing.T) {
	t.Parallel()
	for _, e := range bodyEndpoints {
		t.Run(e.request, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			client := a.as("ann").with("X-Access-Token", a.session("ann").Access)
			names := strings.NewReplacer("FIELD", e.field, "KIND", e.kind, "UPPER", strings.ToUpper(e.field), "SIZE", "1 MiB", "ELEMENT ", "")
			small := slices.Contains(smallBodies, e.request)
			switch {
			case e.request == "POST /api/v1/items": // which takes a list
				names = strings.NewReplacer("FIELD", e.field, "KIND", e.kind, "UPPER", strings.ToUpper(e.field), "SIZE", "1 MiB", "ELEMENT", "items[0]:")
			case small:
				names = strings.NewReplacer("FIELD", e.field, "KIND", e.kind, "UPPER", strings.ToUpper(e.field), "SIZE", "16 KiB", "ELEMENT ", "")
			}
			for _, tt := range bodyFaults {
				if !small && strings.HasPrefix(tt.name, "16 KiB") {
					continue
				}
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

// An answer that the client did not take is not logged and counted as one that it
// did.
func TestCutAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer func(w http.ResponseWriter)
		fails  bool // what is written
		cut    bool
	}{
		{"a client that takes all", func(w http.ResponseWriter) { w.Write(make([]byte, 100_000)) }, false, false},
		{"a client that is gone", func(w http.ResponseWriter) { w.Write(make([]byte, 100_000)) }, true, true},
		{"a handler that panics half way", func(w http.ResponseWriter) { w.Write([]byte("{")); panic("half") }, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, log := logging(t, journal.OS{})
			a.metrics.requests.Add("GET /test")
			a.mux.Handle("GET /test", a.answering(func(w http.ResponseWriter, _ *http.Request) error {
				tt.answer(w)
				return nil
			}))
			func() {
				defer func() { recover() }() // as package net/http does
				a.ServeHTTP(goneClient{httptest.NewRecorder(), tt.fails}, httptest.NewRequest("GET", "http://localhost/test", nil))
			}()
			logged, counted := `"status":200,`, `route="GET /test",status="200"} 1`
			if tt.cut {
				logged, counted = `"status":499,`, `route="GET /test",status="cut"} 1`
			}
			if got := log.String(); !strings.Contains(got, logged) || strings.Contains(got, `"cut":true`) != tt.cut {
				t.Errorf("the log says %s; want %s", got, logged)
			}
			if page := string(a.metricsPage()); !strings.Contains(page, counted) {
				t.Errorf("the metrics lack %s", counted)
			}
		})
	}
}

// A goneClient takes nothing, if fails.
type goneClient struct {
	*httptest.ResponseRecorder
	fails bool
}

func (w goneClient) Write(b []byte) (int, error) {
	if w.fails {
		return 0, syscall.EPIPE
	}
	return w.ResponseRecorder.Write(b)
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
	"/api/v1", "/api/v1/nothing",
	"/api/v1/items/1/itemname/x", "/api/v1/auth", "/api/v1/Items", "/api/v1/items%2F1",
	"/api", "/api/v2/items", "/api/v1items", "/bookapi", "/bookapi/", "/bookapi/Books", "/books",
	"/Login", "/favicon.ico", "/index.html", "/%00", "/%ff",
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

// A slash at the end of a path that there is leads to the path without it, whatever
// the method, as for a path with an empty segment.
func TestSlashAtTheEnd(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for path, want := range map[string]string{
		"/api/v1/items/": "/api/v1/items", "/api/v1/items/?limit=1": "/api/v1/items?limit=1", "/api/v1/items/1/": "/api/v1/items/1",
		"/api/v1/auth/signup/": "/api/v1/auth/signup", "/login/": "/login", "/bookapi/books/": "/bookapi/books", "/healthz/": "/healthz",
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS"} {
			a.as("").send(method+" "+path).want(308, "The path is written without a slash at its end").wantHeader("Location", want)
		}
	}
	for _, path := range []string{"/bookapi/", "/nothing/", "/console/", "/api/v1/"} {
		a.as("").send("GET "+path).want(404, "Not found")
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

// Behind a proxy the server names itself as the proxy's clients do.
func TestBehindAProxy(t *testing.T) {
	t.Parallel()
	a := newAPI(t, "-trusted-proxies=127.0.0.1")
	root := a.asAdmin("root").with("X-Access-Token", a.session("root").Access)
	a.as("ann")
	behind := root.with("X-Forwarded-Proto", "https").with("X-Forwarded-Host", "shelf.example").with("X-Forwarded-Prefix", "/tools")
	const base = "https://shelf.example/tools"
	got := behind.send("POST /api/v1/items", ball).want(201, "Created a new item").wantHeader("Location", base+"/api/v1/items/1")
	if !strings.Contains(got.body, `"uri":"`+base+`/api/v1/items/1"`) {
		t.Errorf("the uri is another: %s", got.body)
	}
	behind.send("POST /api/v1/items", ball)
	behind.send("POST /bookapi/books", dune).wantHeader("Location", base+"/bookapi/books/1")
	behind.send("POST /bookapi/books", asForm("title", "Emma", "author", "Jane Austen"))
	for _, path := range []string{"/api/v1/items", "/bookapi/books", "/api/v1/users"} {
		if link := behind.send("GET " + path + "?limit=1").header.Get("Link"); !strings.HasPrefix(link, "<"+base+path+"?") {
			t.Errorf("the next page of %s is %s", path, link)
		}
	}
	behind.send("GET //healthz").wantHeader("Location", "/tools/healthz")
}

// What an operator has to know of proxies and Hosts is in the log, and no client can
// fill it.
func TestLogOfProxiesAndHosts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, header, value, want string }{
		{"a proxy that was not named", "X-Forwarded-For", "192.0.2.9", "-trusted-proxies"},
		{"one that says so in the new way", "Forwarded", "for=192.0.2.9", "-trusted-proxies"},
		{"another Host", "Host", "evil.example\x1b[2J", `"host":"evil.example\u001b[2J"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, log := logging(t, journal.OS{}, "-log=problems")
			for range 3 {
				a.as("").with(tt.header, tt.value).send("GET /nothing")
			}
			if got := log.String(); strings.Count(got, tt.want) != 1 || strings.Count(got, `"level":"WARN"`) != 1 {
				t.Errorf("the log says %s; want one line with %s", got, tt.want)
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
	nested := strings.Repeat("[", 8000) + strings.Repeat("]", 8000)
	many := make(url.Values)
	for i := range 101 {
		many.Set(fmt.Sprint("field", i), "")
	}
	for _, tt := range []struct {
		name, contentType, body string
		want                    int
		text                    string
	}{
		{"a body over 16 KiB", "application/json", `{"email":"` + strings.Repeat("a", 16<<10) + `"}`, 413, "at most 16 KiB"},
		{"JSON nested eight thousand deep", "application/json", `{"x":` + nested + `}`, 400, "Invalid request body"},
		{"JSON nested deeper than 32", "application/json", `{"x":` + nested[8000-40:8000+40] + `}`, 400, "must not nest deeper than 32"},
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
		{"an unknown path is not written down", "GET", "/hush/%1b%5b31m%0alevel=ERROR", "/", 404},
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

// Where no person reads, requests aren't logged, though the null device is a
// character device as a terminal is.
func TestLogToNowhere(t *testing.T) {
	t.Parallel()
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	if serve.NewLog(nowhere, "", "text").Enabled(t.Context(), slog.LevelInfo) {
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
			a.log = serve.NewLog(b.Output(), a.config.log, a.config.logFormat)
			a.store.maxOwned = 0 // a fast machine makes more
			token := a.session("ann").Access
			for i := range 1000 {
				if err := a.store.as(theOperator).addItem(benchItem(i)); err != nil {
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
			sent := benchBody{&body}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header) // net/http makes it, and the request, and the body
				body.Reset(bench.body)
				r.Body = sent // the request before has wrapped it
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

// writePair makes a certificate with that serial number, for loopback, and
// writes it and its key into the folder.
func writePair(t *testing.T, dir string, serial int64) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:         true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	for name, text := range map[string][]byte{
		certFile: chain,
		keyFile:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(chain)
	return certFile, keyFile, roots
}

// A guardLog is a log that can be read while it is written.
type guardLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *guardLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *guardLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// serveConfig is the server with settings that were read before.
func serveConfig(ctx context.Context, c settings, stdout, stderr io.Writer) error {
	parse := func([]string) (settings, error) { return c, nil }
	return serveCommand(ctx, shell{parse: parse, stdout: stdout, stderr: stderr, screen: plainScreen(stderr)}, nil)
}

// guardServe runs the program's server on a port of its own until the test
// ends, and returns its URL and its log.
func guardServe(t *testing.T, flags string) (url string, log *guardLog) {
	t.Helper()
	c, err := settingsFrom("-data=memory -bcrypt-cost=4 -addr=127.0.0.1:0 "+flags, "", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stdout, says := io.Pipe()
	log = &guardLog{}
	ended := make(chan error, 1)
	go func() {
		err := serveConfig(ctx, c, says, log)
		says.CloseWithError(io.EOF)
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		t.Fatalf("the server said %q, %v", line, err)
	}
	return url, log
}

func TestTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile, roots := writePair(t, t.TempDir(), 1)
	url, log := guardServe(t, "-tls-cert="+certFile+" -tls-key="+keyFile)
	if !strings.HasPrefix(url, "https://127.0.0.1:") || !strings.Contains(log.String(), "curl "+url) {
		t.Errorf("the server greets with %s and\n%s\nwant https", url, log)
	}
	for _, tt := range []struct {
		name   string
		client *tls.Config
		want   string // of the answer's protocol, or of the error
	}{
		{"TLS 1.3 is spoken, and HTTP/2 on it", &tls.Config{RootCAs: roots, NextProtos: []string{"h2"}}, "HTTP/2.0 TLS 1.3"},
		{"TLS 1.2 is spoken", &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS12}, "HTTP/2.0 TLS 1.2"},
		{"TLS 1.1 is not", &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "protocol version not supported"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			transport := &http.Transport{TLSClientConfig: tt.client, ForceAttemptHTTP2: true}
			defer transport.CloseIdleConnections()
			got := ""
			resp, err := (&http.Client{Transport: transport}).Get(url + "/")
			if err != nil {
				got = err.Error()
			} else {
				resp.Body.Close()
				got = resp.Proto + " " + tls.VersionName(resp.TLS.Version)
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %s; want %s", got, tt.want)
			}
		})
	}
}

func TestTLSPairRefused(t *testing.T) {
	t.Parallel()
	certFile, keyFile, _ := writePair(t, t.TempDir(), 1)
	_, otherKey, _ := writePair(t, t.TempDir(), 2)
	for _, tt := range []struct{ name, flags, want string }{
		{"a certificate without a key", "-tls-cert=" + certFile, "-tls-cert and -tls-key go together, but only one is set: set both or neither"},
		{"a key without a certificate", "-tls-key=" + keyFile, "-tls-cert and -tls-key go together, but only one is set: set both or neither"},
		{"a key of another certificate", "-tls-cert=" + certFile + " -tls-key=" + otherKey, "private key does not match public key"},
		{"a certificate that is not there", "-tls-cert=" + certFile + ".no -tls-key=" + keyFile, certFile + ".no"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := settingsFrom("-data=memory -addr=127.0.0.1:0 "+tt.flags, "", "")
			if err == nil {
				err = serveConfig(t.Context(), c, io.Discard, io.Discard)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v; want %s", err, tt.want)
			}
		})
	}
}

func TestTLSReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, err := serve.LoadCertificate(writeFiles(t, dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	serving := func() string {
		pair, err := cert.TLSConfig().GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf.SerialNumber.String()
	}
	writeFiles(t, dir, 2)
	if got := serving(); got != "1" {
		t.Errorf("before the reload it serves certificate %s; want 1", got)
	}
	if err := cert.Reload(); err != nil || serving() != "2" {
		t.Errorf("after the reload (%v) it serves certificate %s; want 2", err, serving())
	}
	if err := os.WriteFile(cert.CertFile, []byte("half a cert"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cert.Reload(); err == nil || serving() != "2" {
		t.Errorf("after a broken pair (%v) it serves certificate %s; want an error, and 2 as before", err, serving())
	}
}

// writeFiles is writePair without the roots.
func writeFiles(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	certFile, keyFile, _ = writePair(t, dir, serial)
	return certFile, keyFile
}

func TestHSTS(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, host, want string }{
		{"under TLS a name is bound to it", "https://shelf.example/", "max-age=31536000"},
		{"an error says so too", "https://shelf.example/api/v1/items", "max-age=31536000"},
		{"without TLS nothing may be said", "http://shelf.example/", ""},
		{"localhost is not ours to bind", "https://localhost:8443/", ""},
		{"nor is a loopback address", "https://127.0.0.1:8443/", ""},
		{"nor [::1]", "https://[::1]:8443/", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuardServer(t, "")
			r := httptest.NewRequest("GET", tt.host, nil) // sets r.TLS for https
			r.Header.Set("X-Forwarded-Proto", "https")
			if got := g.send(r).Header().Get("Strict-Transport-Security"); got != tt.want {
				t.Errorf("GET %s: Strict-Transport-Security is %q; want %q", tt.host, got, tt.want)
			}
		})
	}
	foreign := httptest.NewRequest("GET", "https://evil.example/", nil)
	newAPI(t).as("").do(foreign).wantHeader("Strict-Transport-Security", "") // of a 421: the name isn't ours
}

func TestListeningWithoutTLSWarns(t *testing.T) {
	t.Parallel()
	certFile, keyFile := writeFiles(t, t.TempDir(), 1)
	for _, tt := range []struct {
		name, flags string
		want        int
	}{
		{"on loopback no other machine can listen in", "-addr=127.0.0.1:0", 0},
		{"beyond it anybody on the way can", "-addr=0.0.0.0:0", 1},
		{"but not with TLS", "-addr=0.0.0.0:0 -tls-cert=" + certFile + " -tls-key=" + keyFile, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, log := guardServe(t, "-log=problems "+tt.flags)
			if got := strings.Count(log.String(), "without TLS"); got != tt.want {
				t.Errorf("the log warns %d times; want %d:\n%s", got, tt.want, log)
			}
		})
	}
}

func TestSlowLoris(t *testing.T) {
	t.Parallel()
	url, _ := guardServe(t, "")
	for i := range 1000 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	for range 10 {
		resp, err := client.Get(url + "/")
		if err != nil {
			t.Fatalf("a good client beside 1,000 half-open connections: %v", err)
		}
		resp.Body.Close()
	}
}

// A pipeListener hands out one end of pipes whose deadlines obey a bubble's
// clock.
type pipeListener struct{ conns chan net.Conn }

func (l pipeListener) Accept() (net.Conn, error) {
	conn, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (l pipeListener) Close() error   { return nil }
func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func TestSlowClientsAreLetGo(t *testing.T) {
	t.Parallel()
	const head = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
	for _, tt := range []struct {
		name, sends string
		want        time.Duration
	}{
		{"a client that sends nothing", "", 10 * time.Second},
		{"a client that never ends its headers", head, 10 * time.Second},
		{"a client that never ends its body", head + "\r\n{", 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newGuardServer(t, "-log=off")
				l := pipeListener{make(chan net.Conn)}
				httpServer := serve.New(g, serve.Config{Log: g.server.log})
				go httpServer.Serve(l)
				ours, theirs := net.Pipe()
				l.conns <- theirs
				began := time.Now()
				go ours.Write([]byte(tt.sends))
				io.Copy(io.Discard, ours) // until the server closes it
				if took := time.Since(began); took != tt.want {
					t.Errorf("let go after %v; want %v", took, tt.want)
				}
				close(l.conns)
			})
		})
	}
}

func TestHeaderLimits(t *testing.T) {
	t.Parallel()
	url, _ := guardServe(t, "")
	for _, tt := range []struct {
		name, path, header string
		want               int
	}{
		{"headers of 20 KiB are read", "/", strings.Repeat("a", 20<<10), 200},
		{"headers over 32 KiB are not", "/", strings.Repeat("a", 40<<10), 431},
		{"nor is a URL of that length", "/?" + strings.Repeat("a", 40<<10), "", 431},
	} {
		r, err := http.NewRequest("GET", url+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Long", tt.header)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.want {
			t.Errorf("%s: %d; want %d", tt.name, resp.StatusCode, tt.want)
		}
	}
}

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
	for range defaultSettings.limits.FreeTries {
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

// A client that reads while the data goes back and forth sees one state or the other,
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
				list := dataOf[thing](ann.send("GET /api/v1/items?limit=20&sort=" + order))
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

// In a bubble it is the first moment of 2000, for as long as nothing waits.
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
		{"no token outlives 2200", `{"advance":"73050d"}`, "the clock can show times from 2000-01-01T00:00:00Z to 2200-01-01T00:00:00Z"},
		{"nor does anything end before 2000", `{"now":"1999-12-31T23:59:59Z"}`, "the clock can show times from 2000-01-01T00:00:00Z to 2200-01-01T00:00:00Z"},
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
	for range defaultSettings.limits.FreeTries {
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
	a.signBy(append(a.keys.Ring().Keys(), retired)...)
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

// A client that followed the events before the data went back is told so.
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
				k.add("late") // by a request that was under way: no client is told
				for _, last := range []int64{1, seq - 1, seq} {
					if got := k.request("GET", k.token, strconv.FormatInt(last, 10), 1<<20); got.StatusCode != http.StatusGone {
						t.Errorf("GET /api/v1/events from an id before POST %s = %d; want 410", call, got.StatusCode)
					}
				}

				// From the beginning all is well.
				is := k.present.Load()
				s = k.follow("")
				k.must(is.store.as(theOperator).addItem(&item{itemInput: itemInput{"cube", "c", "d"}, CreatedBy: k.ann.ID}))
				s.upTo(t, is.store.LastSeq())
				s = k.follow(s.last)
				k.must(is.store.as(theOperator).addItem(&item{itemInput: itemInput{"cone", "c", "d"}, CreatedBy: k.ann.ID}))
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
	const unseen = "-lab takes its secret from SHELF_LAB_TOKEN with -log off or -log-format json: a secret that shelf makes would not be printed"
	const token = "SHELF_LAB_TOKEN must be 16 to 256 letters, digits and - . _ ~"
	for _, tt := range []struct{ name, args, environ, want string }{
		{"in memory on the default address", "-lab -data memory", "", ok},
		{"on another loopback address", "-lab -data memory -addr [::1]:0", "", ok},
		{"on localhost", "-lab -data memory -addr localhost:0", "", ok},
		{"with a secret of one's own", "-lab -data memory", "SHELF_LAB_TOKEN=A-secret_of.16~x", ok},
		{"without -lab the secret is not judged", "-addr :80", "SHELF_LAB_TOKEN=x", ok},
		{"on a file", "-lab", "", "-lab needs -data memory, because its calls drop all data; -data is shelf.jsonl"},
		{"on every interface", "-lab -data memory -addr :0", "", "-lab needs a loopback -addr, such as 127.0.0.1:8080; -addr is :0; -lab=false turns the lab off"},
		{"on 0.0.0.0", "-lab -data memory -addr 0.0.0.0:80", "", "-lab needs a loopback -addr, such as 127.0.0.1:8080; -addr is 0.0.0.0:80; -lab=false turns the lab off"},
		{"on a name", "-lab -data memory -addr shelf.example:80", "", "-lab needs a loopback -addr, such as 127.0.0.1:8080; -addr is shelf.example:80; -lab=false turns the lab off"},
		{"on PORT, which is loopback", "-lab -data memory", "PORT=80", ok},
		{"with a short secret", "-lab -data memory", "SHELF_LAB_TOKEN=fifteen-letters", token},
		{"with a secret that no header takes", "-lab -data memory", "SHELF_LAB_TOKEN=sixteen\x00characters", token},
		{"with a secret that a URL would change", "-lab -data memory", "SHELF_LAB_TOKEN=sixteen%characters", token},
		{"with a secret that would not be shown", "-lab -data memory -log off", "", unseen},
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
	{"a token from before a reset is not one of the account that has its user's id now", "CWE-613; CWE-639", func(t *testing.T, _ *api) {
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

// replicas are servers whose stores share a log. They learn what the others change from
// barriers only, so a missing barrier shows.
func replicas(t *testing.T) (a, b *api, rb *historytest.Replica) {
	t.Helper()
	shared := historytest.New()
	join := func() (*api, *historytest.Replica) {
		r := shared.Replica()
		r.NoFollow = true
		a := newAPI(t)
		if err := a.store.OpenShared(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		return a, r
	}
	a, _ = join()
	b, rb = join()
	return a, b, rb
}

// What one server changes holds at the next request to another: accounts, log-outs,
// conditions, and the place in a stream.
func TestReplicas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := replicas(t)
		there, here := a.as("ann"), b.as("").bearing(a.session("ann").Access)
		here.send("GET /api/v1/auth/me").wantStatus(200)
		b.as("").send("POST /api/v1/auth/signup", asForm("email", "ann@example.com", "password", annPassword)).want(400, "User already exists")
		b.signIn("signin", "ann")

		item := asJSON(`{"itemname":"Dune","category":"book","description":"sand"}`)
		there.send("POST /api/v1/items", item).wantStatus(201)
		tag := here.send("GET /api/v1/items/1").header.Get("ETag")
		there.send("PATCH /api/v1/items/1", asJSON(`{"itemname":"Emma"}`)).wantStatus(200)
		here.with("If-Match", tag).send("PATCH /api/v1/items/1", asJSON(`{"itemname":"Ulysses"}`)).wantStatus(412)
		list := there.send("GET /api/v1/items").header.Get("ETag")
		here.with("If-None-Match", list).send("GET /api/v1/items").wantStatus(304)
		here.send("POST /api/v1/items", item).wantStatus(201)
		if got := there.send("GET /api/v1/items/2").header.Get("ETag"); got == "" {
			t.Error("an item has no tag")
		}
		events, _, _, err := b.store.EventsAfter(a.store.LastSeq() - 1)
		if err != nil || len(events) != 1 || events[0].Name != "item.created" {
			t.Errorf("another server goes on with the events %v, %v", events, err)
		}

		b.reader("bob")
		a.as("").with("X-Access-Token", b.logIn("bob")).send("GET /bookapi/books").wantStatus(200)
		here.send("DELETE /api/v1/auth/logout").wantStatus(200)
		there.send("GET /api/v1/auth/me").want(401, "Token has been revoked")
	})
}

// A stream that ends at one server goes on at another, from the event that the client
// had last. No event comes twice, and none is missing, also those of a third server and
// those that the second one only has from a snapshot.
func TestReplicasResumeStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := etcdtest.New(3)
		join := func() *eventsServer {
			address, err := etcd.ParseAddress(g.Address())
			if err != nil {
				t.Fatal(err)
			}
			log, err := etcd.Open(t.Context(), address, etcd.Options{Access: etcd.Access{Transport: g}, Create: true})
			if err != nil {
				t.Fatal(err)
			}
			st := eventsMemory()
			if err := st.OpenShared(t.Context(), log); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { st.Close() })
			return newEventsServer(t, st)
		}
		wantNext := func(s *eventsStream, name string) {
			t.Helper()
			if e, err := s.next(); err != nil || e.name != "item.created" || !strings.Contains(e.data, name) {
				t.Fatalf("the stream goes on with %+v, %v; want %s", e, err, name)
			}
		}
		a := join()
		s := a.follow("")
		first := a.add("first")
		wantNext(s, "first")
		if s.last != fmt.Sprint(first) {
			t.Errorf("the last event is %s; want %d", s.last, first)
		}
		s.conn.Close()
		b := join()
		b.add("second")
		if err := b.store.Compact(); err != nil {
			t.Fatal(err)
		}
		c := join()
		missed := "second"
		for i, k := range []*eventsServer{b, c, a} {
			s = k.follow(s.last)
			wantNext(s, missed)
			for _, other := range []*eventsServer{a, b, c} {
				name := fmt.Sprint("item ", i, other.Addr())
				other.add(name)
				wantNext(s, name)
			}
			s.conn.Close()
			missed = fmt.Sprint("missed ", i)
			c.add(missed)
		}
	})
}

// A server whose cluster has no room says so, and goes on with reads.
func TestReplicasWithoutRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, b, rb := replicas(t)
		here := b.as("ann")
		rb.OnAppend = func(int, int64) historytest.Fault { return historytest.Fault{Err: history.ErrQuota} }
		here.send("POST /api/v1/items", asJSON(`{"itemname":"Dune","category":"book","description":"sand"}`)).want(507, "The store is full: nothing was changed")
		here.send("GET /api/v1/items").wantStatus(200)
	})
}

// A server that can't reach what it shares answers no request that depends on it, and
// goes on by itself.
func TestReplicasOutOfReach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b, rb := replicas(t)
		here := b.as("").bearing(a.session("ann").Access)
		here.send("GET /api/v1/items").wantStatus(200)
		b.as("").send("GET /readyz").want(200, "ready")
		rb.Partition()
		for _, c := range []struct {
			client  *client
			request string
		}{
			{here, "GET /api/v1/items"}, {here, "GET /api/v1/events"}, {here, "DELETE /api/v1/auth/logout"},
			{b.as("").with("X-Access-Token", a.session("ann").Access), "GET /bookapi/books"},
		} {
			began := time.Now()
			c.client.send(c.request).want(503, "The store is out of reach: nothing was changed").wantHeader("Retry-After", "1")
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("%s took %v", c.request, took)
			}
		}
		form := asForm("email", "ann@example.com", "password", annPassword)
		b.as("").send("POST /api/v1/auth/signin", form).want(503, "The store is out of reach: nothing was changed")
		b.as("").send("POST /api/v1/auth/signup", form).wantStatus(503)
		b.as("").bearing("no token").send("GET /api/v1/items").wantStatus(422) // costs the cluster nothing
		b.as("").send("GET /readyz").want(503, "The store is out of reach")
		b.as("").send("GET /healthz").want(200, "alive")
		b.as("").send("GET /").wantStatus(200)
		rb.Heal()
		here.send("GET /api/v1/items").wantStatus(200)
		b.as("").send("GET /readyz").want(200, "ready")
		wantText(t, b.as("").send("GET /metrics").body, "shelf_shared_appends_total", "shelf_shared_barrier_duration_seconds_count", "shelf_shared_silence_seconds", "shelf_shared_clock_difference_seconds 0", "shelf_shared_engine_bytes", "shelf_shared_engine_quota_bytes")
	})
}
