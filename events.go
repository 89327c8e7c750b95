package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/shelf/internal/clock"
)

// How a stream of events behaves.
const (
	// eventHeartbeat is how long a stream says nothing: proxies close what is
	// silent for a minute or so, and a client learns that the server has gone.
	eventHeartbeat = 15 * time.Second
	// eventRetry is how long a client should wait before it comes back.
	eventRetry = 2 * time.Second
	// eventPatience is how long a reader may take what was sent to it.
	eventPatience = 10 * time.Second
	// eventWatch is how often a stream's token is looked at.
	eventWatch = 250 * time.Millisecond
	// eventGrace is what a stream that has to end may take to do so. With the
	// last it makes less than a second.
	eventGrace = 500 * time.Millisecond

	maxStreams     = 1000 // each costs some 20 kB and a file descriptor
	maxStreamsEach = 8    // of one account: its tabs and devices
)

// streamEvents handles GET /api/v1/events: what happens to items and books, as
// it happens, as server-sent events (HTML standard §9.2). Nothing is sent that
// isn't on disk. A client that comes back with the last id that it has seen, in
// Last-Event-ID, goes on behind it: it misses nothing and gets nothing twice.
func (s *server) streamEvents(w http.ResponseWriter, r *http.Request, c *caller) error {
	from, err := s.resumeFrom(r.Header.Values("Last-Event-ID"))
	if err != nil {
		return err
	}
	if r.Method != http.MethodHead {
		leave, err := s.streams.join(c.user.ID)
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
		s.watchStream(ctx, c)
		end()
		stream.SetWriteDeadline(clock.Real().Add(eventGrace)) // a write may be waiting for a slow reader
	})
	s.sendEvents(ctx, w, c, from)
	end()
	watching.Wait()
	stream.SetWriteDeadline(clock.Real().Add(eventGrace)) // for the end of the answer
	return nil
}

// resumeFrom reads Last-Event-ID: the number of the change to go on behind.
// Without one a stream begins now.
func (s *server) resumeFrom(values []string) (int64, error) {
	value := strings.Join(values, ", ") // RFC 9110 §5.3
	if value == "" {
		return s.store.lastSeq(), nil
	}
	if strings.Trim(value, "0123456789") != "" {
		return 0, fail(http.StatusBadRequest, "Last-Event-ID should be the id of an event")
	}
	seq, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, errEventsGone // too large a number is yet to come
	}
	_, _, _, err = s.store.eventsAfter(seq)
	return seq, err
}

// watchStream returns when c's stream has to end: its token has expired or was
// revoked, its account is disabled or gone, the server stops, or ctx is done.
func (s *server) watchStream(ctx context.Context, c *caller) {
	tick := time.NewTicker(eventWatch)
	defer tick.Stop()
	for s.stillGood(c) {
		select {
		case <-tick.C:
		case <-s.streams.stopping:
			return
		case <-ctx.Done():
			return
		}
	}
}

// stillGood reports whether the token that c came with would still be taken.
func (s *server) stillGood(c *caller) bool {
	_, err := s.knownCaller(c.user.PublicID, c.token.JTI, c.token.Type, s.now())
	return err == nil
}

// sendEvents writes what happens after the change numbered at, until ctx is
// done or the reader is too slow: it takes nothing for a while, or what it has
// not read yet is no longer kept. No writer ever waits for it.
//
// The first lines tell a client where it stands before anything has happened,
// and so does each heartbeat: an id without data sets the id to come back with,
// and is no event (§9.2.6).
func (s *server) sendEvents(ctx context.Context, w http.ResponseWriter, c *caller, at int64) {
	stream := http.NewResponseController(w)
	idle := time.NewTicker(eventHeartbeat)
	defer idle.Stop()
	text := fmt.Appendf(nil, "retry: %d\n", eventRetry.Milliseconds())
	for {
		events, next, more, err := s.store.eventsAfter(at)
		if err != nil {
			return // it is told so when it comes back
		}
		at = next
		for _, e := range events {
			text = e.appendTo(text)
		}
		if len(text) > 0 {
			if len(events) == 0 {
				text = fmt.Appendf(text, "id: %d\n\n", at)
			}
			// Looked at after the events: none that came after the token's end
			// is ever sent.
			if !s.stillGood(c) {
				return
			}
			// A deadline for this write takes the place of the server's for the
			// whole answer. Connections go by the real clock.
			stream.SetWriteDeadline(clock.Real().Add(eventPatience))
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
			idle.Reset(eventHeartbeat)
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

// streams are the streams that are open.
type streams struct {
	stopping chan struct{} // closed when the server stops
	stop     func()        // closes it; may be called more than once

	mu   sync.Mutex
	all  int
	each map[int]int // by user; an account without any is not in it
}

func newStreams() *streams {
	stopping := make(chan struct{})
	return &streams{stopping: stopping, stop: sync.OnceFunc(func() { close(stopping) }), each: map[int]int{}}
}

// open is how many there are.
func (st *streams) open() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.all
}

// join counts one more stream of the user's, until leave is called. It fails
// with a 429 or a 503 if there are too many.
func (st *streams) join(user int) (leave func(), err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case st.each[user] >= maxStreamsEach:
		return nil, &apiError{status: http.StatusTooManyRequests, message: fmt.Sprintf("Too many event streams: an account may have %d at a time", maxStreamsEach), retryAfter: eventRetry}
	case st.all >= maxStreams:
		return nil, &apiError{status: http.StatusServiceUnavailable, message: "Too many event streams", retryAfter: eventRetry}
	}
	st.all++
	st.each[user]++
	return func() {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.all--
		if st.each[user]--; st.each[user] == 0 {
			delete(st.each, user)
		}
	}, nil
}
