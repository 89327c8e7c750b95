package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A stream is a client that follows the events. It comes back after every break with
// the id of the last event that it has.
type stream struct {
	name string
	at   func() *target // where it goes next
	leap time.Duration  // how long it stays at most; 0: as long as it lasts

	mu       sync.Mutex
	events   []event
	position string // the id to come back with; a new stream begins with the first change
	resume   int
	fatal    string
}

// An event is what a stream got.
type event struct{ id, kind, data string }

// follow starts a stream at each replica, and one that goes from replica to replica.
func (r *run) follow(token string) {
	for _, t := range r.targets {
		r.streams = append(r.streams, &stream{name: "the events at " + t.name, at: func() *target { return t }})
	}
	dice := rand.New(rand.NewPCG(uint64(r.o.seed), 1<<34))
	r.streams = append(r.streams, &stream{
		name: "the events everywhere", leap: time.Second,
		at: func() *target { return r.targets[dice.IntN(len(r.targets))] },
	})
	var ctx context.Context
	ctx, r.hangUp = context.WithCancel(context.WithoutCancel(r.ctx))
	for _, s := range r.streams {
		go s.run(ctx, token)
	}
}

// run follows until an answer says that it can't go on, or ctx ends.
func (s *stream) run(ctx context.Context, token string) {
	for ctx.Err() == nil && s.fatalNow() == "" {
		s.once(ctx, token)
		s.mu.Lock()
		s.resume++
		s.mu.Unlock()
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *stream) fatalNow() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fatal
}

// once reads one answer to its end.
func (s *stream) once(ctx context.Context, token string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if s.leap > 0 {
		defer time.AfterFunc(s.leap, cancel).Stop()
	}
	t := s.at()
	r, err := http.NewRequestWithContext(ctx, "GET", t.url+"/api/v1/events", nil)
	if err != nil {
		return
	}
	r.Header.Set("Authorization", "Bearer "+token)
	s.mu.Lock()
	r.Header.Set("Last-Event-ID", cmp.Or(s.position, "0"))
	s.mu.Unlock()
	resp, err := (&http.Client{Transport: t.client.Transport}).Do(r)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusTooManyRequests:
		return
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fatal = fmt.Sprintf("%s after event %s: %s", t.name, r.Header.Get("Last-Event-ID"), resp.Status)
		return
	}
	s.read(bufio.NewScanner(resp.Body))
}

// read takes in events. One that is cut off in the middle doesn't count.
func (s *stream) read(lines *bufio.Scanner) {
	lines.Buffer(nil, 1<<20)
	var e event
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			e.data = value
		case "":
			if e.id != "" && e.kind != "" {
				s.mu.Lock()
				if s.position = e.id; e.kind != "stream.position" { // which tells of no change
					s.events = append(s.events, e)
				}
				s.mu.Unlock()
			}
			e = event{}
		}
	}
}

// has reports whether the stream has an event with this text.
func (s *stream) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(last(s.events, 100), func(e event) bool { return strings.Contains(e.data, text) })
}

// checkStreams makes a last item, waits until every stream has its event, and
// compares the streams.
func (r *run) checkStreams(c *caller, token string) {
	const end = "the last item of all"
	if a, err := c.insist("POST /api/v1/items", token, itemForm(end, end)); err != nil || a.status != http.StatusCreated {
		r.fault("the last item: %v", a)
		return
	}
	for _, s := range r.streams {
		for deadline := time.Now().Add(20 * time.Second); !s.has(end); time.Sleep(20 * time.Millisecond) {
			if s.fatalNow() != "" || time.Now().After(deadline) {
				r.fault("%s did not come to the end; %d events; %s", s.name, len(s.events), s.fatalNow())
				return
			}
		}
	}
	before := r.streams[0]
	resumed := 0
	for _, s := range r.streams {
		s.mu.Lock()
		resumed += s.resume
		s.mu.Unlock()
		if s == before {
			continue
		}
		if text := difference(before.events, s.events); text != "" {
			r.fault("%s and %s differ: %s", before.name, s.name, text)
		}
	}
	fmt.Printf("events: %d on each of %d streams, which came back %d times\n", len(before.events), len(r.streams), resumed)
}

// difference is the first one between two streams; "" for none.
func difference(a, b []event) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("event %d is %v and %v", i, a[i], b[i])
		}
	}
	if len(a) != len(b) {
		return fmt.Sprintf("%d and %d events", len(a), len(b))
	}
	return ""
}
