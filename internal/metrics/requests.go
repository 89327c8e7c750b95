package metrics

import (
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// cut stands for an answer that the client did not take to its end.
const cut = 499

// statuses are those that are counted each. The 0 in front stands for any other.
var statuses = [...]int{
	0, 200, 201, 204, 304, 308, 400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 421, 422, 428, 429, cut, 500, 503, 507,
}

// statusIndex is the place of each status in statuses.
var statusIndex = func() (index [600]uint8) {
	for i, status := range statuses {
		index[status] = uint8(i)
	}
	return index
}()

// elsewhere is the route of requests that none got: another Host, a preflight, a
// path that is written in no plain way.
const elsewhere = ""

// A route counts the requests of one route.
type route struct {
	statuses  [len(statuses)]atomic.Uint64
	durations Histogram
}

// Requests counts the requests of a server by their routes. All of it is there
// from the start: to count is a few atomic additions, and nothing that a client
// sends makes another series.
type Requests struct {
	routes map[string]*route // by pattern; no more of them once the server serves
}

// NewRequests counts nothing yet.
func NewRequests() *Requests {
	m := &Requests{routes: map[string]*route{}}
	m.Add(elsewhere)
	return m
}

// Add begins to count the requests of a pattern, unless it did so already. No new
// pattern may come once the server serves.
func (m *Requests) Add(pattern string) {
	if m.routes[pattern] == nil {
		m.routes[pattern] = new(route)
	}
}

// Count counts an answer. pattern is what the route table put into the request.
func (m *Requests) Count(pattern string, status int, took time.Duration) {
	c := m.routes[pattern]
	if c == nil {
		c = m.routes[elsewhere]
	}
	at := uint8(0)
	if status < len(statusIndex) {
		at = statusIndex[status]
	}
	c.statuses[at].Add(1)
	c.durations.Observe(took)
}

// Totals adds to the metric that was begun last how many requests there were, by
// route and status.
func (m *Requests) Totals(p *Page) {
	for _, pattern := range slices.Sorted(maps.Keys(m.routes)) {
		for i, status := range statuses {
			name := "other"
			switch {
			case status == cut:
				name = "cut"
			case status > 0:
				name = strconv.Itoa(status)
			}
			if n := m.routes[pattern].statuses[i].Load(); n > 0 {
				p.Value(float64(n), "route", pattern, "status", name)
			}
		}
	}
}

// Durations adds to the metric that was begun last how long requests took, by
// route.
func (m *Requests) Durations(p *Page) {
	for _, pattern := range slices.Sorted(maps.Keys(m.routes)) {
		if h := &m.routes[pattern].durations; h.used() {
			p.Histogram(h, "route", pattern)
		}
	}
}
