package reply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/limit"
)

// How a stream of events behaves.
const (
	// Heartbeat is how long a stream says nothing: proxies close what is
	// silent for a minute or so, and a client learns that the server has gone.
	Heartbeat = 15 * time.Second
	// retry is how long a client should wait before it comes back.
	retry = 2 * time.Second
	// Patience is how long a reader may take what was sent to it.
	Patience = 10 * time.Second
	// watch is how often it is asked whether a stream may go on.
	watch = 250 * time.Millisecond
	// grace is what a stream that has to end may take to do so. With the
	// last it makes less than a second.
	grace = 500 * time.Millisecond
)

// Streams are the streams that are open.
type Streams struct {
	stopped chan struct{} // closed when the server stops
	end     func()        // closes it; may be called more than once

	places *limit.Shares // by account
}

// NewStreams is none, of a server that has not stopped. There may be maxAll at a
// time, which cost some 20 kB and a file descriptor each, and maxEach of one
// account: its tabs and devices.
func NewStreams(maxAll, maxEach int) *Streams {
	stopped := make(chan struct{})
	return &Streams{places: limit.NewShares(maxAll, maxEach), stopped: stopped, end: sync.OnceFunc(func() { close(stopped) })}
}

// Stop ends all streams, as the server stops. It may be called more than once.
func (st *Streams) Stop() { st.end() }

// Stopping is closed when the server stops.
func (st *Streams) Stopping() <-chan struct{} { return st.stopped }

// Open is how many there are.
func (st *Streams) Open() int { return st.places.Taken() }

// Join counts one more stream of the account's, until leave is called. It fails
// with a 429 or a 503 if there are too many.
func (st *Streams) Join(account int) (leave func(), err error) {
	leave, err = st.places.Take(account)
	lack, none := errors.AsType[limit.Lack](err)
	switch {
	case none && lack.Own:
		return nil, &Error{Status: http.StatusTooManyRequests, Message: fmt.Sprintf("Too many event streams: an account may have %d at a time", lack.Most), RetryAfter: retry}
	case none:
		return nil, &Error{Status: http.StatusServiceUnavailable, Message: "Too many event streams", RetryAfter: retry}
	}
	return leave, nil
}

// A Feed is what a stream tells, and to whom.
type Feed struct {
	Account int // whose stream it is
	// next appends the events behind the one with the id after to text, and
	// returns the id to go on behind. If there were none, more is closed as soon
	// as there is one. An error ends the stream.
	Next func(text []byte, after int64) (longer []byte, last int64, more <-chan struct{}, err error)
	// good reports whether the account may still read what happens.
	Good func() bool
}

// Serve answers with the events of f behind the one with the id after, as server-sent
// events (HTML standard §9.2), until the client goes, f is good no longer or the
// server stops. It fails with a 429 or a 503 if there are too many streams.
func (st *Streams) Serve(w http.ResponseWriter, r *http.Request, f Feed, after int64) error {
	if r.Method != http.MethodHead {
		leave, err := st.Join(f.Account)
		if err != nil {
			return err
		}
		defer leave()
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}

	ctx, end := context.WithCancel(r.Context())
	stream := http.NewResponseController(w)
	var watching sync.WaitGroup
	watching.Go(func() {
		st.watch(ctx, f)
		end()
		stream.SetWriteDeadline(clock.Real().Add(grace)) // a write may be waiting for a slow reader
	})
	f.send(ctx, w, after)
	end()
	watching.Wait()
	stream.SetWriteDeadline(clock.Real().Add(grace)) // for the end of the answer
	return nil
}

// watch returns when the stream of f has to end: f is good no longer, the server
// stops, or ctx is done.
func (st *Streams) watch(ctx context.Context, f Feed) {
	tick := time.NewTicker(watch)
	defer tick.Stop()
	for f.Good() {
		select {
		case <-tick.C:
		case <-st.stopped:
			return
		case <-ctx.Done():
			return
		}
	}
}

// send writes what happens behind the event with the id at, until ctx is done or
// the reader is too slow: it takes nothing for a while, or what it has not read
// yet is no longer kept. No writer ever waits for it.
//
// The first event tells a client where the stream stands before anything has happened.
// So does a heartbeat, if that has changed without an event for this client. Else a
// heartbeat is a comment. None of these is a block without data: by §9.2.6 such a block
// is no event, but some clients hand it on, and their callers parse "" as JSON.
func (f Feed) send(ctx context.Context, w http.ResponseWriter, at int64) {
	stream := http.NewResponseController(w)
	idle := time.NewTicker(Heartbeat)
	defer idle.Stop()
	text := fmt.Appendf(nil, "retry: %d\n", retry.Milliseconds())
	told := int64(-1) // the id that the client has read last
	for {
		before := len(text)
		longer, next, more, err := f.Next(text, at)
		if err != nil {
			return // it is told so when it comes back
		}
		text, at = longer, next
		if len(text) > 0 {
			switch {
			case len(text) > before:
				told = lastID(text)
			case told != at:
				text = AppendEvent(text, at, "stream.position", fmt.Appendf(nil, `{"seq":%d}`, at))
				told = at
			}
			// Looked at after the events: none that came after f ceased to be
			// good is ever sent.
			if !f.Good() {
				return
			}
			// A deadline for this write takes the place of the server's for the
			// whole answer. Connections go by the real clock.
			stream.SetWriteDeadline(clock.Real().Add(Patience))
			if ctx.Err() != nil {
				return
			}
			if _, err := w.Write(text); err != nil {
				return
			}
			if err := stream.Flush(); err != nil {
				return
			}
			stream.SetWriteDeadline(time.Time{}) // HTTP/2 would end the stream by it, written to or not
			idle.Reset(Heartbeat)
			text = text[:0]
			continue
		}
		select {
		case <-more:
		case <-idle.C:
			text = append(text, ": heartbeat\n"...)
		case <-ctx.Done():
			return
		}
	}
}

// lastID is the id of the last event in text.
func lastID(text []byte) int64 {
	const start = "id: "
	_, rest, _ := bytes.Cut(text[max(0, bytes.LastIndex(text, []byte("\n"+start))):], []byte(start))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	id, _ := strconv.ParseInt(string(line), 10, 64)
	return id
}

// AppendEvent appends an event as the HTML standard's §9.2.5 has it. JSON as we write
// it holds no line break, so data is one line.
func AppendEvent[text string | []byte](to []byte, id int64, name string, data text) []byte {
	return fmt.Appendf(to, "id: %d\nevent: %s\ndata: %s\n\n", id, name, data)
}

// LastEventID reads the id of the event that a client has seen last. given is
// false if it names none. An id that is too large for any event is the largest.
func LastEventID(r *http.Request) (id int64, given bool, err error) {
	value := strings.Join(r.Header.Values("Last-Event-ID"), ", ") // RFC 9110 §5.3
	if value == "" {
		return 0, false, nil
	}
	if strings.Trim(value, "0123456789") != "" {
		return 0, true, Fail(http.StatusBadRequest, "Last-Event-ID should be the id of an event")
	}
	if id, err = strconv.ParseInt(value, 10, 64); err != nil {
		id = math.MaxInt64
	}
	return id, true, nil
}
