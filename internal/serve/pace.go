package serve

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"example.com/shelf/internal/clock"
)

// minRate is how many bytes a second of a body have to come, once [Patience] is
// over, so that a body has an end (Apache's mod_reqtimeout has the same rate).
const minRate = 500

// pace gives each request deadlines that progress moves forward, for its body and,
// with HTTP/2, for its answer. HTTP/2 has many answers on a connection, and a
// client may take all but one. With HTTP/1 the connection sees to the answer: see
// [conn].
func pace(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
			// RFC 9112 §6.1 wants the connection closed behind a request with both a
			// Transfer-Encoding and a Content-Length. Package net/http has dropped the
			// latter, so any request with the former is one.
			w.Header()["Connection"] = []string{"close"}
		}
		if r.ContentLength != 0 {
			body := &pacedBody{ReadCloser: r.Body, control: control, began: clock.Real()}
			body.wait()
			r.Body = body
		}
		if r.ProtoMajor >= 2 {
			answer := &pacedWriter{ResponseWriter: w, control: control}
			defer func() { answer.within(Patience) }() // what is left in buffers
			w = answer
		}
		next.ServeHTTP(w, r)
	})
}

// A pacedBody is a body that may come slowly.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	began   time.Time
	got     int
}

// wait sets the deadline for what comes next.
func (b *pacedBody) wait() {
	whole := b.began.Add(Patience + time.Duration(b.got)*(time.Second/minRate))
	b.control.SetReadDeadline(earlier(whole, clock.Real().Add(Patience)))
}

func (b *pacedBody) Read(p []byte) (int, error) {
	b.wait()
	n, err := b.ReadCloser.Read(p)
	b.got += n
	if err == io.EOF {
		b.control.SetReadDeadline(time.Time{}) // the client may be silent from here on
	}
	return n, err
}

// A pacedWriter is an answer that may be read slowly.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	own     atomic.Bool // the handler sets deadlines itself
}

// SetWriteDeadline is for handlers that set deadlines themselves.
func (w *pacedWriter) SetWriteDeadline(t time.Time) error {
	w.own.Store(true)
	return w.control.SetWriteDeadline(t)
}

// within sets the deadline, unless the handler does so.
func (w *pacedWriter) within(d time.Duration) {
	if !w.own.Load() {
		w.control.SetWriteDeadline(clock.Real().Add(d))
	}
}

// Write writes in pieces, each of which has to be taken in time.
func (w *pacedWriter) Write(b []byte) (n int, err error) {
	const piece = 16 << 10
	for {
		w.within(Patience)
		m, err := w.ResponseWriter.Write(b[n:min(len(b), n+piece)])
		if n += m; err != nil || n == len(b) {
			if !w.own.Load() { // until there is more to write, nobody waits for the client
				w.control.SetWriteDeadline(time.Time{})
			}
			return n, err
		}
	}
}

// Unwrap lets http.ResponseController reach what is underneath.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
