package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
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
		done <- run(ctx, []string{"-addr=127.0.0.1:0", "-data=memory", "-bcrypt-cost=4", "-log=off"}, noEnv, in, io.Discard)
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
	"/api/v1/items/1":          "DELETE, GET, HEAD, OPTIONS",
	"/api/v1/items/1/itemname": "OPTIONS, PATCH",
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
