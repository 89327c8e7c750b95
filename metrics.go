package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/limit"
	"example.com/shelf/internal/reply"
)

// health handles GET /healthz: whoever reads it knows that the process is alive
// and answers.
func (s *server) health(w http.ResponseWriter, r *http.Request) error {
	return writeHealth(w, "alive")
}

// ready handles GET /readyz: whether a client should come here at all. It answers
// 503, with the reason, while no write can work, and once the server was asked to
// stop. A full disk is not such a reason: reads go on, and writes too as soon as
// there is room.
func (s *server) ready(w http.ResponseWriter, r *http.Request) error {
	select {
	case <-s.streams.Stopping():
		return reply.Fail(http.StatusServiceUnavailable, "The server is shutting down")
	default:
	}
	if s.store.Writable() != nil { // the log says why, which may name the file
		return reply.Fail(http.StatusServiceUnavailable, "The store can't be written; reads go on")
	}
	return writeHealth(w, "ready")
}

func writeHealth(w http.ResponseWriter, is string) error {
	w.Header().Set("Cache-Control", "no-store")
	return reply.JSON(w, http.StatusOK, message{is})
}

// histogramBounds are the buckets of every histogram, from what a read takes to
// what no request takes but a stream of events. On the page they are seconds.
var histogramBounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// A histogram counts durations. The zero value is empty. Counting takes no lock
// and allocates nothing.
type histogram struct {
	counts [len(histogramBounds) + 1]atomic.Uint64 // each without those of the buckets before; the last is for the rest
	nanos  atomic.Int64                            // all durations together; 292 years fit
}

func (h *histogram) observe(d time.Duration) {
	i := 0
	for i < len(histogramBounds) && d > histogramBounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.nanos.Add(int64(d))
}

// used reports whether h has counted anything.
func (h *histogram) used() bool {
	for i := range h.counts {
		if h.counts[i].Load() > 0 {
			return true
		}
	}
	return false
}

// countedStatuses are those that the server answers with. The 0 in front stands
// for any other.
var countedStatuses = [...]int{
	0, 200, 201, 204, 304, 308, 400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 421, 422, 428, 429, 500, 503, 507,
}

// statusIndex is the place of each status in countedStatuses.
var statusIndex = func() (index [600]uint8) {
	for i, status := range countedStatuses {
		index[status] = uint8(i)
	}
	return index
}()

// A routeCount counts the requests of one route.
type routeCount struct {
	statuses  [len(countedStatuses)]atomic.Uint64
	durations histogram
}

// What came of sign-ins. An unknown account and a wrong password are one: any
// user of the machine can read the metrics, and could else learn from them who
// has an account.
const (
	signInOK       = iota
	signInWrong    // no such account, or not its password
	signInDisabled // the right password of a disabled account
	signInLimited  // too many wrong ones before
	signInBusy     // no bcrypt worker was free in time
	signInFailed   // all else, such as a full disk
	signInResults
)

var signInNames = [signInResults]string{"ok", "wrong", "disabled", "limited", "busy", "failed"}

// serverMetrics are what the server counts of itself. All of it is there from
// the start: to count is a few atomic additions, and nothing that a client
// sends makes another series.
type serverMetrics struct {
	started time.Time              // by the real clock
	routes  map[string]*routeCount // by pattern; no more of them once the server serves
	signIns [signInResults]atomic.Uint64
}

// elsewhere is the route of requests that none got: another Host, a preflight, a
// path that is written in no plain way.
const elsewhere = ""

func newServerMetrics() *serverMetrics {
	m := &serverMetrics{started: clock.Real(), routes: map[string]*routeCount{}}
	m.add(elsewhere)
	return m
}

// add begins to count the requests of a pattern, unless it did so already. No new
// pattern may come once the server serves.
func (m *serverMetrics) add(pattern string) {
	if m.routes[pattern] == nil {
		m.routes[pattern] = new(routeCount)
	}
}

// request counts an answer. pattern is what the route table put into the request.
func (m *serverMetrics) request(pattern string, status int, took time.Duration) {
	c := m.routes[pattern]
	if c == nil {
		c = m.routes[elsewhere]
	}
	at := uint8(0)
	if status < len(statusIndex) {
		at = statusIndex[status]
	}
	c.statuses[at].Add(1)
	c.durations.observe(took)
}

// signIn counts what authenticate came to.
func (m *serverMetrics) signIn(err error) {
	result := signInFailed
	refusal, _ := errors.AsType[*reply.Error](err)
	_, limited := errors.AsType[limit.TooMany](err)
	switch {
	case err == nil:
		result = signInOK
	case errors.Is(err, errNoUser), errors.Is(err, errWrongPassword):
		result = signInWrong
	case errors.Is(err, errDisabled):
		result = signInDisabled
	case limited:
		result = signInLimited
	case refusal != nil && refusal.Status == http.StatusServiceUnavailable:
		result = signInBusy
	}
	m.signIns[result].Add(1)
}

// forwarded are headers that tell that a request does not come from whom the
// connection comes from: proxies add the first six (RFC 7239 §4, RFC 9110
// §7.6.3), browsers the last for a page of another origin.
var forwarded = []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Origin"}

// local reports whether r comes from this very machine, through nothing. Behind
// a proxy on this machine everybody comes from loopback. So a proxy's client is
// never local, whatever -trusted-proxies says; a proxy that neither keeps the
// Host nor adds any of those headers has to leave /metrics out itself.
func local(r *http.Request) bool {
	return peerAddr(r).IsLoopback() && loopbackName(hostOf(r.Host)) &&
		!slices.ContainsFunc(forwarded, func(name string) bool { return r.Header.Values(name) != nil })
}

// showMetrics handles GET /metrics: what operators watch, in Prometheus' text
// format 0.0.4. No label ever holds what a client sent, so there are never more
// series than routes and statuses, and no names and no secrets among them.
func (s *server) showMetrics(w http.ResponseWriter, r *http.Request) error {
	switch {
	case s.config.metrics == "off":
		return reply.Fail(http.StatusNotFound, "Not found")
	case s.config.metrics == "loopback" && !local(r):
		return reply.Fail(http.StatusForbidden, "Metrics are for this machine only, unless -metrics says otherwise")
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.Write(s.appendMetrics(nil))
	return nil
}

// appendMetrics appends all there is. A scrape sees each number as it is at some
// moment, not all at the same.
func (s *server) appendMetrics(text []byte) []byte {
	p := exposition{text: text}
	m := s.metrics
	patterns := slices.Sorted(maps.Keys(m.routes))

	p.begin("shelf_http_requests_total", "counter", "Requests answered, by route as in the log and by status. Of \"/\" is what no route knows.")
	for _, pattern := range patterns {
		c := m.routes[pattern]
		for i, status := range countedStatuses {
			name := "other"
			if status > 0 {
				name = strconv.Itoa(status)
			}
			if n := c.statuses[i].Load(); n > 0 {
				p.value("", float64(n), "route", pattern, "status", name)
			}
		}
	}
	p.begin("shelf_http_request_duration_seconds", "histogram", "From a request's headers to the end of its answer. A stream of events is one request.")
	for _, pattern := range patterns {
		if h := &m.routes[pattern].durations; h.used() {
			p.histogram(h, "route", pattern)
		}
	}
	p.begin("shelf_sign_ins_total", "counter", "Sign-ins to either API, by what came of them. Wrong is an unknown account, too.")
	for i, name := range signInNames {
		p.value("", float64(m.signIns[i].Load()), "result", name)
	}

	running := len(s.hashes.workers)
	p.single("shelf_bcrypt_workers", "gauge", "How many passwords may be hashed at a time.", float64(cap(s.hashes.workers)))
	p.single("shelf_bcrypt_running", "gauge", "How many are being hashed.", float64(running))
	p.single("shelf_bcrypt_waiting", "gauge", "How many wait for a worker.", float64(max(0, len(s.hashes.line)-running)))

	p.begin("shelf_rows", "gauge", "What is in the store. Tokens are records, expired ones included until they are dropped.")
	for _, c := range s.store.Counts() {
		p.value("", float64(c.Rows), "kind", c.Plural)
	}
	log := s.store.State()
	p.single("shelf_journal_bytes", "gauge", "Size of the data file, 0 in memory.", float64(log.Bytes))
	p.begin("shelf_journal_fsync_duration_seconds", "histogram", "What it takes to have a batch of changes on disk, for all who wait for it together.")
	p.histogram(&s.store.fsyncs)
	p.single("shelf_store_writable", "gauge", "1, or 0 once writes are refused until a restart.", oneIf(log.Failed == nil))
	p.single("shelf_event_streams", "gauge", "Streams of events that are open.", float64(s.streams.Open()))

	p.begin("shelf_build_info", "gauge", "1, with what is running in its labels.")
	b := thisBuild()
	p.value("", 1, "version", b.version, "commit", b.commit, "goversion", b.goes)
	p.single("shelf_uptime_seconds", "gauge", "Time since the start.", clock.Since(m.started).Seconds())
	p.single("process_start_time_seconds", "gauge", "When that was, as Unix time.", float64(m.started.UnixMilli())/1000)

	// These three have the names that Prometheus' own client gives them, for
	// dashboards. Unlike runtime.ReadMemStats this doesn't stop the world.
	samples := []metrics.Sample{{Name: "/sched/goroutines:goroutines"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}}
	metrics.Read(samples)
	p.single("go_goroutines", "gauge", "Goroutines.", float64(samples[0].Value.Uint64()))
	p.single("go_memstats_heap_alloc_bytes", "gauge", "Memory in live objects, and in dead ones not yet swept.", float64(samples[1].Value.Uint64()))
	p.single("go_memstats_sys_bytes", "gauge", "Address space taken from the system.", float64(samples[2].Value.Uint64()))
	return p.text
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// An exposition is a page in Prometheus' text format, in the making.
type exposition struct {
	text []byte
	name string // of the metric that was begun last
}

// begin begins a metric. help holds no backslash and no line break.
func (p *exposition) begin(name, kind, help string) {
	p.name = name
	p.text = fmt.Appendf(p.text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// single is a metric of one value.
func (p *exposition) single(name, kind, help string, v float64) {
	p.begin(name, kind, help)
	p.value("", v)
}

// labelEscape is how the format writes a label's value.
var labelEscape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// value adds a line to the metric that was begun last. labels are names and
// values by turns.
func (p *exposition) value(suffix string, v float64, labels ...string) {
	p.text = append(append(p.text, p.name...), suffix...)
	between := byte('{')
	for label := range slices.Chunk(labels, 2) {
		p.text = append(append(append(p.text, between), label[0]...), `="`...)
		p.text = append(append(p.text, labelEscape.Replace(label[1])...), '"')
		between = ','
	}
	if between == ',' {
		p.text = append(p.text, '}')
	}
	p.text = strconv.AppendFloat(append(p.text, ' '), v, 'g', -1, 64)
	p.text = append(p.text, '\n')
}

// histogram adds the lines of h. Its count is that of the buckets as they were
// read, so they always go together.
func (p *exposition) histogram(h *histogram, labels ...string) {
	labels = slices.Clip(labels)
	count := uint64(0)
	for i := range h.counts {
		bound := "+Inf"
		if i < len(histogramBounds) {
			bound = strconv.FormatFloat(histogramBounds[i].Seconds(), 'g', -1, 64)
		}
		count += h.counts[i].Load()
		p.value("_bucket", float64(count), append(labels, "le", bound)...)
	}
	p.value("_sum", time.Duration(h.nanos.Load()).Seconds(), labels...)
	p.value("_count", float64(count), labels...)
}
