package main

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"time"

	"example.com/shelf/console"
	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/limit"
	"example.com/shelf/internal/metrics"
	"example.com/shelf/internal/origin"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/rows"
	"example.com/shelf/internal/serve"
	"example.com/shelf/openapi"
)

// index handles GET /: the console for a browser, else the endpoints by name.
func (s *server) index(w http.ResponseWriter, r *http.Request) error {
	if s.hasPage() && s.collections.Static.Serve(w, r) {
		return nil
	}
	w.Header().Add("Vary", "Accept")
	if reply.WantsHTML(r) {
		return serveConsole(w, r, "index.html")
	}
	var patterns []string
	for _, rt := range s.routes() {
		patterns = append(patterns, strings.TrimSuffix(rt.pattern, "{$}"))
	}
	return reply.JSON(w, http.StatusOK, struct {
		Name      string   `json:"name"`
		Endpoints []string `json:"endpoints"`
	}{"shelf", patterns})
}

// hasPage reports whether -static has a page of its own, so that the console is at
// /console/.
func (s *server) hasPage() bool {
	return s.collections != nil && s.collections.Static != nil && s.collections.Static.Index()
}

// consolePage handles GET /docs, and GET /console/ where the page at / is another.
func (s *server) consolePage(w http.ResponseWriter, r *http.Request) error {
	return serveConsole(w, r, "index.html")
}

// consoleFile handles GET /console/{file}: what the page consists of.
func (s *server) consoleFile(w http.ResponseWriter, r *http.Request) error {
	return serveConsole(w, r, r.PathValue("file"))
}

// serveConsole answers with one of the console's files.
func serveConsole(w http.ResponseWriter, r *http.Request, name string) error {
	content, err := console.Files.ReadFile(name)
	if err != nil {
		return reply.Fail(http.StatusNotFound, "Not found")
	}
	h := w.Header()
	h.Set("Content-Security-Policy", console.Policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	return reply.File(w, r, console.Type(name), content)
}

// openAPI handles GET /openapi.json.
func (s *server) openAPI(w http.ResponseWriter, r *http.Request) error {
	if s.collections != nil {
		speak(r, ofRows)
		return s.describeCollections(w, r)
	}
	return reply.File(w, r, "application/json", openapi.Text)
}

// describeCollections answers with openapi.json and what the collections are. It tells
// the types of the rows that the caller may read.
func (s *server) describeCollections(w http.ResponseWriter, r *http.Request) error {
	reply.PlainTags(r)
	var v visit
	if err := s.identify(r, &v); err != nil {
		return err
	}
	var text []byte
	var err error
	busy := s.scans.Do(r.Context(), true, func() {
		var d rows.Description
		s.store.View(func(tx *db.Tx) { d = s.store.rows.Describe(tx, v.By) })
		text, err = openapi.WithCollections(d.OpenAPI(s.collections.settings.Prefix, !s.store.plainUsers, openapi.Names()...), !s.store.plainUsers)
	})
	if err := cmp.Or(busy, err); err != nil {
		return err
	}
	return reply.Document{Status: http.StatusOK, Text: string(text)}.Answer(w, r)
}

// streamEvents handles GET /api/v1/events: changes of items and books that are on disk,
// as server-sent events (HTML standard §9.2). A client that sends the last id that it
// has seen as Last-Event-ID misses nothing and gets nothing twice. The stream ends
// with the token, and when the account is disabled or gone.
func (s *server) streamEvents(w http.ResponseWriter, r *http.Request, c *caller) error {
	from, err := s.resumeFrom(r)
	if err != nil {
		return err
	}
	return s.streams.Serve(w, r, reply.Feed{
		Account: c.user.ID,
		Next: func(text []byte, after int64) ([]byte, int64, <-chan struct{}, error) {
			events, last, more, err := s.store.EventsAfter(after)
			for _, e := range events {
				if about, ok := e.About.(rows.Told); ok && !s.mayHear(c, about) {
					continue
				}
				text = reply.AppendEvent(text, e.Seq, e.Name, e.Data)
			}
			return text, last, more, err
		},
		Good: func() bool { return s.stillGood(c) == nil && !s.store.OutOfTouch() },
	}, from)
}

// mayHear reports whether the caller may read the row that an event is about.
func (s *server) mayHear(c *caller, about rows.Told) bool {
	u, _ := s.store.users.Row(c.user.ID)
	return u != nil && s.store.rows.MayHear(s.store.rowsCaller(u), about)
}

// resumeFrom is the number of the change to go on behind. Without a Last-Event-ID
// a stream begins now.
func (s *server) resumeFrom(r *http.Request) (int64, error) {
	seq, given, err := reply.LastEventID(r)
	switch {
	case err != nil:
		return 0, err
	case !given:
		return s.store.LastSeq(), nil
	}
	_, _, _, err = s.store.EventsAfter(seq)
	return seq, err
}

// health handles GET /healthz: the answer shows that the process is alive and answers.
func (s *server) health(w http.ResponseWriter, r *http.Request) error {
	return writeHealth(w, "alive")
}

// ready handles GET /readyz: whether clients should come here. It answers 503, with the
// reason, while no write can work, and once the server stops. A full disk is no such
// reason: reads go on, and writes as soon as there is room.
func (s *server) ready(w http.ResponseWriter, r *http.Request) error {
	select {
	case <-s.streams.Stopping():
		return reply.Fail(http.StatusServiceUnavailable, "The server is shutting down")
	default:
	}
	switch err := s.store.Writable(); { // the log says why, which may name the file
	case errors.Is(err, history.ErrUnavailable):
		return reply.Fail(http.StatusServiceUnavailable, "The store is out of reach")
	case err != nil:
		return reply.Fail(http.StatusServiceUnavailable, "The store can't be written; reads go on")
	}
	return writeHealth(w, "ready")
}

func writeHealth(w http.ResponseWriter, is string) error {
	w.Header().Set("Cache-Control", "no-store")
	return reply.JSON(w, http.StatusOK, message{Message: is})
}

// serverMetrics are what the server counts of itself.
type serverMetrics struct {
	started  time.Time // by the real clock
	requests *metrics.Requests
	signIns  *metrics.Counters // by what came of them
}

func newServerMetrics() *serverMetrics {
	return &serverMetrics{
		started: clock.Real(), requests: metrics.NewRequests(),
		signIns: metrics.NewCounters("ok", "wrong", "disabled", "limited", "busy", "failed"),
	}
}

// signIn counts what authenticate came to. An unknown account counts as a wrong
// password: who reads the metrics must not learn who has an account.
func (m *serverMetrics) signIn(err error) {
	_, busy := errors.AsType[password.Busy](err) // no bcrypt worker was free in time
	_, limited := errors.AsType[limit.TooMany](err)
	switch {
	case err == nil:
		m.signIns.Add("ok")
	case errors.Is(err, errNoUser), errors.Is(err, errWrongPassword):
		m.signIns.Add("wrong")
	case errors.Is(err, errDisabled): // with the right password
		m.signIns.Add("disabled")
	case limited:
		m.signIns.Add("limited")
	case busy:
		m.signIns.Add("busy")
	default:
		m.signIns.Add("failed") // such as on a full disk
	}
}

// showMetrics handles GET /metrics, in Prometheus' text format 0.0.4. No label holds
// what a client sent, so the number of series is bounded and no secret is in them.
func (s *server) showMetrics(w http.ResponseWriter, r *http.Request) error {
	switch {
	case s.config.metrics == "off":
		return reply.Fail(http.StatusNotFound, "Not found")
	case s.config.metrics == "loopback" && !origin.Local(r):
		return reply.Fail(http.StatusForbidden, "Metrics are for this machine only, unless -metrics says otherwise")
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.Write(s.metricsPage())
	return nil
}

// metricsPage is all there is. A scrape sees each number as it is at some moment,
// not all at the same.
func (s *server) metricsPage() []byte {
	var p metrics.Page
	m := s.metrics

	p.Begin("shelf_http_requests_total", "counter", "Requests answered, by route as in the log and by status. Of \"/\" is what no route knows.")
	m.requests.Totals(&p)
	p.Begin("shelf_http_request_duration_seconds", "histogram", "From a request's headers to the end of its answer. A stream of events is one request.")
	m.requests.Durations(&p)
	p.Begin("shelf_sign_ins_total", "counter", "Sign-ins to either API, by what came of them. Wrong is an unknown account, too.")
	m.signIns.Values(&p, "result")

	workers, working, waiting := s.hashes.State()
	p.Single("shelf_bcrypt_workers", "gauge", "How many passwords may be hashed at a time.", float64(workers))
	p.Single("shelf_bcrypt_running", "gauge", "How many are being hashed.", float64(working))
	p.Single("shelf_bcrypt_waiting", "gauge", "How many wait for a worker.", float64(waiting))

	p.Begin("shelf_rows", "gauge", "What is in the store. Tokens are records, expired ones included until they are dropped.")
	for _, c := range s.store.Counts() {
		p.Value(float64(c.Rows), "kind", c.Plural)
	}
	log := s.store.State()
	p.Single("shelf_journal_bytes", "gauge", "Size of the data file, 0 in memory.", float64(log.Bytes))
	p.Begin("shelf_journal_fsync_duration_seconds", "histogram", "What it takes to have a batch of changes on disk, for all who wait for it together.")
	p.Histogram(&s.store.fsyncs)
	p.Single("shelf_writes_waiting", "gauge", "Requests that wait until a change is durable: their own, or the one that they were denied for.", float64(s.store.Waiting()))
	p.Single("shelf_store_writable", "gauge", "1, or 0 once writes are refused until a restart.", metrics.OneIf(log.Failed == nil))
	if s.store.Shared() {
		s.store.traffic.Show(&p, s.store.Silence(), s.store.Engine())
	}
	p.Single("shelf_event_streams", "gauge", "Streams of events that are open.", float64(s.streams.Open()))

	p.Begin("shelf_build_info", "gauge", "1, with what is running in its labels.")
	b := serve.ThisBuild(version)
	p.Value(1, "version", b.Version, "commit", b.Commit, "goversion", b.Go)
	p.Single("shelf_uptime_seconds", "gauge", "Time since the start.", clock.Since(m.started).Seconds())
	p.Single("process_start_time_seconds", "gauge", "When that was, as Unix time.", float64(m.started.UnixMilli())/1000)

	p.Process()
	return p.Text
}

// watch counts what the store appends to a log that it shares.
func (s *store) watch() {
	s.Observe(s.traffic.Appended, s.traffic.Checked)
	s.JudgeTwice(judgeTwice)
}

// judgeTwice is set by tests: see [db.DB.JudgeTwice].
var judgeTwice = false
