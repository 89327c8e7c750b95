package serve

import (
	"math/rand/v2"
	"net/http"
	"strconv"
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
	return n, err
}

// Unwrap lets http.ResponseController reach what is underneath.
func (w *Recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
