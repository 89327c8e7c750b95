package serve

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"example.com/shelf/internal/clock"
)

// RequestID is the header that tells a client under which id the log has its
// request, if it has a line about it.
const RequestID = "X-Request-Id"

// NameRequest returns the id of the request that h is the answer to, and tells the
// client, if the answer has not begun. It is for requests that the log has a line
// about. The id is ours, whatever the client sent: one that it may choose names
// nothing. It only has to be another each time, and opens nothing, so 64 bits
// that cost little do. In base 32 there is no x in it, and so no 0x, by which a
// test or a filter would take it for an address in memory.
func NameRequest(h http.Header) string {
	if h[RequestID] == nil {
		h[RequestID] = []string{strconv.FormatUint(rand.Uint64(), 32)}
	}
	return h[RequestID][0]
}

// A Recorder remembers what was answered, for the log.
type Recorder struct {
	http.ResponseWriter
	Status, Bytes int
	Cut           bool // not all of it could be written

	request *http.Request
	log     *slog.Logger
	logged  bool // the log has a line about every request
	start   time.Time
}

// Begin begins the answer to r. The log has a line about it where it takes such
// lines.
func Begin(w http.ResponseWriter, r *http.Request, log *slog.Logger) *Recorder {
	rec := &Recorder{ResponseWriter: w, request: r, log: log, start: clock.Real()}
	if rec.logged = log.Enabled(r.Context(), slog.LevelInfo); rec.logged {
		NameRequest(w.Header())
	}
	return rec
}

// Cut is the status of an answer that the client did not take to its end: it went
// away, or took nothing for too long. nginx's log has the same; no server sends it.
const Cut = 499

// End ends the answer: it is counted, and logged.
func (w *Recorder) End(count func(route string, status int, took time.Duration)) {
	r, status, took := w.request, cmp.Or(w.Status, http.StatusOK), clock.Since(w.start)
	if w.Cut {
		status = Cut
	}
	count(r.Pattern, status, took)
	if !w.logged {
		return // to make the line ready costs something, even if nobody takes it
	}
	// The route's pattern, not the path, and never a query string, a header
	// or a body: those hold what is private. slog escapes the method.
	line := []any{"method", r.Method, "route", r.Pattern, "status", status,
		"bytes", w.Bytes, "duration", took, "request_id", NameRequest(w.Header())}
	if w.Cut {
		line = append(line, "cut", true)
	}
	w.log.Info("request", line...)
}

// Recover is a net under panics. It is to be deferred: after a panic it has answer
// tell the client, in a message that names the line of the log about it.
func (w *Recorder) Recover(answer func(message string)) {
	p := recover()
	if p == nil {
		return
	}
	r, message := w.request, "Internal server error"
	if w.log.Enabled(r.Context(), slog.LevelError) {
		id := NameRequest(w.Header())
		w.log.Error("panic", "method", r.Method, "route", r.Pattern, "request_id", id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		message += "; the log has it as " + id
	}
	if w.Status != 0 {
		w.Cut = true
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
	answer(message)
}

func (w *Recorder) WriteHeader(status int) {
	if w.Status == 0 {
		w.Status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *Recorder) Write(b []byte) (int, error) {
	if w.Status == 0 {
		w.Status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.Bytes += n
	w.Cut = w.Cut || err != nil && !errors.Is(err, http.ErrBodyNotAllowed) // that is HEAD
	return n, err
}

// Unwrap lets http.ResponseController reach what is underneath.
func (w *Recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// CleanPath is an escaped path without empty and dot segments. What is no path
// stays as it is, unless it has such segments.
func CleanPath(at string) string {
	if !strings.Contains(at, "//") && !strings.Contains(at, "/.") {
		return at // there is nothing to be cleaned away
	}
	clean := path.Clean("/" + at)
	if clean != "/" && strings.HasSuffix(at, "/") {
		clean += "/" // a route table knows the two apart
	}
	return clean
}

// HasRoute reports whether a route table knows an escaped path, by another pattern
// than "/", which knows all.
func HasRoute(mux *http.ServeMux, r *http.Request, escaped string) bool {
	u, err := url.ParseRequestURI(escaped)
	if err != nil {
		return false
	}
	_, pattern := mux.Handler(&http.Request{Method: r.Method, URL: u, Host: r.Host})
	return pattern != "/"
}
