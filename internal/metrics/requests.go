package metrics

import (
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// statusCut stands for a response that the client did not read to its end.
const statusCut = 499

// statuses are the statuses with a counter each. The 0 stands for all others.
var statuses = [...]int{
	0, 200, 201, 204, 304, 308, 400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 421, 422, 428, 429, statusCut, 500, 503, 507,
}

// noRoute is the route of requests that matched none: another Host, a
// preflight, or a path that is not in its plain form.
const noRoute = ""

// A route counts the requests of one route.
type route struct {
	statuses  [len(statuses)]atomic.Uint64
	durations Histogram
}

// Requests counts the requests of a server by route. All counters exist from
// the start. Counting is a few atomic additions, and no client can create a new
// series.
type Requests struct {
	routes map[string]*route // by pattern; complete before the server serves
}

// NewRequests returns empty counters.
func NewRequests() *Requests {
	m := &Requests{routes: map[string]*route{}}
	m.Add(noRoute)
	return m
}

// Add adds a counter for a pattern, if there is none. It must be called before
// the server serves.
func (m *Requests) Add(pattern string) {
	if m.routes[pattern] == nil {
		m.routes[pattern] = new(route)
	}
}

// Count counts a response. pattern is the one that the route table has set in
// the request.
func (m *Requests) Count(pattern string, status int, took time.Duration) {
	c := m.routes[pattern]
	if c == nil {
		c = m.routes[noRoute]
	}
	at := max(0, slices.Index(statuses[:], status))
	c.statuses[at].Add(1)
	c.durations.Observe(took)
}

// Totals adds the number of requests to the last metric begun, by route and
// status.
func (m *Requests) Totals(p *Page) {
	for _, pattern := range slices.Sorted(maps.Keys(m.routes)) {
		for i, status := range statuses {
			name := "other"
			switch {
			case status == statusCut:
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

// Durations adds the durations of requests to the last metric begun, by route.
func (m *Requests) Durations(p *Page) {
	for _, pattern := range slices.Sorted(maps.Keys(m.routes)) {
		if h := &m.routes[pattern].durations; h.used() {
			p.Histogram(h, "route", pattern)
		}
	}
}
