package serve

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"example.com/shelf/internal/clock"
)

// minRate is the lowest average rate of a body, in bytes per second, after
// [Patience], so that every body ends. Apache's mod_reqtimeout has the same
// rate.
const minRate = 500

// pace gives each request a deadline for its body that progress extends. With
// HTTP/2 it does the same for the response: a client may stop reading one of
// several responses on a connection. With HTTP/1, [conn] handles the response.
func pace(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
			// RFC 9112 §6.1: after a request with both Transfer-Encoding and
			// Content-Length the connection must be closed. Package net/http
			// removes Content-Length, so pace closes after any
			// Transfer-Encoding.
			w.Header()["Connection"] = []string{"close"}
		}
		if r.ContentLength != 0 {
			body := &pacedBody{ReadCloser: r.Body, control: control, began: clock.Real()}
			body.extend()
			r.Body = body
		}
		if r.ProtoMajor >= 2 {
			answer := &pacedWriter{ResponseWriter: w, control: control}
			defer func() { answer.extend(Patience) }() // for data still in buffers
			w = answer
		}
		next.ServeHTTP(w, r)
	})
}

// A pacedBody is a body whose deadline moves with progress.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	began   time.Time
	got     int
}

// extend sets the deadline of the next read.
func (b *pacedBody) extend() {
	whole := b.began.Add(Patience + time.Duration(b.got)*(time.Second/minRate))
	b.control.SetReadDeadline(earlier(whole, clock.Real().Add(Patience)))
}

func (b *pacedBody) Read(p []byte) (int, error) {
	b.extend()
	n, err := b.ReadCloser.Read(p)
	b.got += n
	if err == io.EOF {
		b.control.SetReadDeadline(time.Time{}) // the client may now be silent
	}
	return n, err
}

// A pacedWriter is a response whose deadline moves with progress.
type pacedWriter struct {
	http.ResponseWriter
	control     *http.ResponseController
	handlerSets atomic.Bool // the handler sets deadlines itself
}

// SetWriteDeadline is for handlers that set deadlines themselves. It turns off
// those of pacedWriter.
func (w *pacedWriter) SetWriteDeadline(t time.Time) error {
	w.handlerSets.Store(true)
	return w.control.SetWriteDeadline(t)
}

// extend sets the deadline of the next write, unless the handler sets deadlines
// itself.
func (w *pacedWriter) extend(d time.Duration) {
	if !w.handlerSets.Load() {
		w.control.SetWriteDeadline(clock.Real().Add(d))
	}
}

// Write writes in pieces. The client must accept each piece in time.
func (w *pacedWriter) Write(b []byte) (n int, err error) {
	const piece = 16 << 10
	for {
		w.extend(Patience)
		m, err := w.ResponseWriter.Write(b[n:min(len(b), n+piece)])
		if n += m; err != nil || n == len(b) {
			if !w.handlerSets.Load() { // no deadline until the next write
				w.control.SetWriteDeadline(time.Time{})
			}
			return n, err
		}
	}
}

// Unwrap is for http.ResponseController.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
