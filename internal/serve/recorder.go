package serve

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"example.com/shelf/internal/clock"
)

// RequestID is the header with the id that the log has for a request.
const RequestID = "X-Request-Id"

// NameRequest returns the id of a request, and adds it to the header h of the
// response. It is called for requests that are logged. The id is always our
// own, because a client could repeat one. It must only be unique and is no
// secret, so 64 random bits are enough. Base 32 has no x, so no id contains 0x
// and looks like a memory address.
func NameRequest(h http.Header) string {
	if h[RequestID] == nil {
		h[RequestID] = []string{strconv.FormatUint(rand.Uint64(), 32)}
	}
	return h[RequestID][0]
}

// A Recorder records the response for the log.
type Recorder struct {
	http.ResponseWriter
	Status, Bytes int
	Cut           bool // the response was not written completely

	request *http.Request
	log     *slog.Logger
	logged  bool // every request is logged
	reason  string
	start   time.Time
}

var noSniff = []string{"nosniff"} // made once; nothing may write into it

// Begin begins the response to r.
func Begin(w http.ResponseWriter, r *http.Request, log *slog.Logger) *Recorder {
	w.Header()["X-Content-Type-Options"] = noSniff
	rec := &Recorder{ResponseWriter: w, request: r, log: log, start: clock.Real()}
	if rec.logged = log.Enabled(r.Context(), slog.LevelInfo); rec.logged {
		NameRequest(w.Header())
	}
	return rec
}

// Cut is the status of a response that the client did not read completely: it
// closed the connection or stopped reading. nginx logs the same number. It is
// never sent.
const Cut = 499

// End counts the response and logs it.
func (w *Recorder) End(count func(route string, status int, took time.Duration)) {
	r, status, took := w.request, cmp.Or(w.Status, http.StatusOK), clock.Since(w.start)
	if w.Cut {
		status = Cut
	}
	count(r.Pattern, status, took)
	if !w.logged {
		return // preparing the line costs time
	}
	if people, ok := w.log.Handler().(*peopleHandler); ok {
		people.request(w.start, r, status, took, w.reason)
		return
	}
	// Only the pattern of the route is logged. The path, query string, headers
	// and body may be private. slog escapes the method.
	line := []any{"method", r.Method, "route", r.Pattern, "status", status,
		"bytes", w.Bytes, "duration", took, "request_id", NameRequest(w.Header())}
	if w.Cut {
		line = append(line, "cut", true)
	}
	w.log.Info("request", line...)
}

// Recover handles a panic of the handler; defer it. It logs the panic and calls
// answer with a message that names the log line.
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
		panic(http.ErrAbortHandler) // so that a partial response doesn't look complete
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
	w.Cut = w.Cut || err != nil && !errors.Is(err, http.ErrBodyNotAllowed) // ErrBodyNotAllowed: a HEAD request
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *Recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
