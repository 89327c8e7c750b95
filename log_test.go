package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

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
			if p := lines[0]; p.Panic != "hush" || !strings.Contains(p.Stack, "log_test.go") {
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
