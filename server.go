package main

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/lab"
	"example.com/shelf/internal/limit"
	"example.com/shelf/internal/origin"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/serve"
	"example.com/shelf/internal/token"
)

// A server answers requests. Everything it needs is in it; nothing is global.
type server struct {
	config   settings
	store    *store
	keys     token.Keys     // sign
	verifier token.Verifier // the same keys, behind a cache
	hashes   *password.Hasher
	limits   *limit.Limiter
	scans    *limit.Gate // for lists that look at every row
	bodies   *form.Bounds
	log      *slog.Logger
	now      func() time.Time
	origin   *origin.Policy // who may call

	elsewhere *serve.Seldom // the log's line about other Hosts
	once      *sync.Once    // and that about a proxy that is not trusted
	mux       *serve.Router

	collections *collections // nil: there are none

	trail   *serve.Trail
	streams *reply.Streams
	metrics *serverMetrics
	lab     *lab.Lab // nil: no -lab
	present *present // what answers now; nil: no -lab
}

// A route is one line of the tables below.
type route struct {
	pattern string // as net/http.ServeMux reads it
	handler handler
}

// A handler answers a request or returns an error, never both.
type handler func(w http.ResponseWriter, r *http.Request) error

// routes is every route that the server has: a slice for each API. What a route needs is
// said around its handler: bearer takes a token of the catalog's, bookToken one of the
// book API's, private the lab's secret, and noForeignPage stands where there is no token.
func (s *server) routes() []route {
	routes := slices.Concat(s.ownRoutes(), s.catalogRoutes(), s.bookRoutes())
	if s.collections != nil { // collections.go, members.go: every other path
		routes = append(routes, route{"/", s.serveCollections})
	}
	if s.hasPage() {
		routes = append(routes, route{"GET /console/{$}", s.consolePage})
	}
	if l := s.lab; l != nil { // internal/lab
		routes = append(routes, []route{
			{"POST /lab/reset", l.Private(l.Reset)},
			{"POST /lab/snapshot", l.Private(l.Snapshot)},
			{"POST /lab/restore/{id}", l.Private(l.Restore)},
			{"GET /lab/clock", l.Private(l.ShowClock)},
			{"POST /lab/clock", l.Private(l.SetClock)},
		}...)
	}
	return routes
}

// ownRoutes are those about the server itself: pages.go.
func (s *server) ownRoutes() []route {
	return []route{
		{"GET /{$}", s.index},
		{"GET /console/{file}", s.consoleFile},
		{"GET /docs", s.consolePage},
		{"GET /openapi.json", s.openAPI},
		{"GET /.well-known/jwks.json", s.publicKeys},

		{"GET /healthz", s.health},
		{"GET /readyz", s.ready},
		{"GET /metrics", s.showMetrics},
	}
}

// catalogRoutes are the catalog API.
func (s *server) catalogRoutes() []route {
	return []route{
		// auth.go
		{"POST /api/v1/auth/signup", s.noForeignPage(s.fresh(s.signUp))},
		{"POST /api/v1/auth/signin", s.noForeignPage(s.fresh(s.signIn))},
		{"POST /api/v1/auth/refresh", s.bearer(token.Refresh, s.rotating(s.refresh))},
		{"DELETE /api/v1/auth/logout", s.bearer(anyToken, s.logOut)},
		{"POST /api/v1/auth/logout", s.bearer(anyToken, s.logOut)},
		{"GET /api/v1/auth/tokens", s.bearer(token.Access, s.listTokens)},
		{"PUT /api/v1/auth/tokens/{id}", s.bearer(token.Access, byID(errNoToken, s.revokeToken))},
		{"DELETE /api/v1/auth/tokens", s.bearer(token.Access, requireAdmin(s.pruneTokens))},

		// accounts.go
		{"GET /api/v1/auth/me", s.bearer(token.Access, s.getMe)},
		{"PATCH /api/v1/auth/me", s.bearer(token.Access, s.patchMe)},
		{"DELETE /api/v1/auth/me", s.bearer(token.Access, s.deleteMe)},
		{"POST /api/v1/auth/password", s.bearer(token.Access, s.changePassword)},
		{"DELETE /api/v1/auth/sessions", s.bearer(token.Access, s.endSessions)},
		{"GET /api/v1/users", s.bearer(token.Access, requireAdmin(s.listUsers))},
		{"PATCH /api/v1/users/{id}", s.bearer(token.Access, requireAdmin(byID(errUserID, s.patchUser)))},
		{"DELETE /api/v1/users/{id}", s.bearer(token.Access, requireAdmin(byID(errUserID, s.deleteUser)))},

		// items.go
		{"POST /api/v1/items", s.bearer(token.Access, s.createItem)},
		{"GET /api/v1/items", s.bearer(token.Access, s.listItems)},
		{"GET /api/v1/items/{id}", s.bearer(token.Access, byID(errItemID, s.getItem))},
		{"PUT /api/v1/items/{id}", s.bearer(token.Access, byID(errItemID, s.putItem))},
		{"PATCH /api/v1/items/{id}", s.bearer(token.Access, byID(errItemID, s.mergeItem))},
		{"PATCH /api/v1/items/{id}/{field}", s.bearer(token.Access, byID(errItemID, s.patchItem))},
		{"DELETE /api/v1/items/{id}", s.bearer(token.Access, byID(errItemID, s.deleteItem))},
		{"GET /api/v1/categories", s.bearer(token.Access, s.listCategories)},

		// pages.go
		{"GET /api/v1/events", s.bearer(token.Access, s.streamEvents)},
	}
}

// bookRoutes are the book API: auth.go, books.go.
func (s *server) bookRoutes() []route {
	return []route{
		{"POST /signup", s.noForeignPage(s.fresh(s.orMember(s.register, s.bookSignUp)))},
		{"POST /login", s.noForeignPage(s.fresh(s.orMember(s.signInMember, s.bookLogin)))},
		{"GET /bookapi/books", s.bookToken(s.listBooks)},
		{"GET /bookapi/books/{id}", s.bookToken(byID(errNoBook, s.getBook))},
		{"POST /bookapi/addbook", s.bookToken(s.addBook)},
		{"POST /bookapi/books", s.bookToken(s.addBook)},
		{"DELETE /bookapi/books/{id}", s.bookToken(s.deleteBook)},
	}
}

// newServer builds a server that listens on addr, which decides the hosts that
// it answers to.
func newServer(c settings, st *store, keys token.Keys, log *slog.Logger, now func() time.Time, addr net.Addr) *server {
	s := &server{
		config: c, store: st, keys: keys, verifier: token.NewCache(keys), log: log, now: now,
		hashes: password.New(c.bcryptCost).Bound(c.hashQueue, c.hashWait), limits: limit.New(now, c.limits), scans: limit.NewGate(c.maxScans),
		bodies: form.NewBounds(c.maxBody, c.maxLarge),
		origin: origin.New(addr, origin.Policy{
			Hosts: c.hosts, Origins: c.cors, Proxies: c.proxies,
			RequestHeaders:  "Authorization, Content-Type, x-access-token, If-Match, If-None-Match, Last-Event-ID",
			Forbidden:       "x-lab-token",
			ResponseHeaders: "Location, ETag, Link, X-Total-Count, Retry-After, WWW-Authenticate",
		}),
		elsewhere: new(serve.Seldom), once: new(sync.Once), trail: new(serve.Trail),
		streams: reply.NewStreams(c.maxStreams, c.maxAccountStreams), metrics: newServerMetrics(),
	}
	st.maxOwned, st.maxRows = c.maxOwned, c.maxRows
	st.maxTokens = c.maxTokens
	s.mux = s.newMux()
	return s
}

// A present is the server that answers now, of those that a lab has made.
type present struct{ atomic.Pointer[server] }

// newLab puts s, which goes by the clock c, into a lab.
func newLab(s *server, c *clock.Clock) {
	s.present = new(present)
	s.present.Store(s)
	s.lab = lab.New(s.config.labToken, c, s.present)
	s.mux = s.newMux() // now with the lab's routes
}

// Snapshot is all data that is there now.
func (p *present) Snapshot() *db.Snapshot { return p.Load().store.Snapshot() }

// Restore replaces the server by a copy with the clock c, new limits, and a store that
// holds the snapshot. Streams of events end. None can go on from an id that it was
// given: its client has to read the lists again.
func (p *present) Restore(to *db.Snapshot, c *clock.Clock) {
	was := p.Load()
	is := *was
	is.now = c.Now
	is.store = newStore(was.log, c.Now)
	is.store.rows.Like(was.store.rows)
	is.store.plainUsers = was.store.plainUsers
	is.store.Load(to, was.store.EndEvents()+1)
	is.store.maxOwned, is.store.maxRows, is.store.maxTokens = was.store.maxOwned, was.store.maxRows, was.store.maxTokens
	is.limits = limit.New(c.Now, was.config.limits)
	is.mux = is.newMux()
	p.Store(&is)
}

// newMux makes the route table one that can be searched.
func (s *server) newMux() *serve.Router {
	handlers := map[string]http.Handler{}
	for _, rt := range s.routes() {
		handlers[rt.pattern] = s.answering(rt.handler)
	}
	mux := serve.NewRouter(handlers, acceptPatch, s.origin.Prefix, s.refuse)
	for _, pattern := range mux.Patterns {
		s.metrics.requests.Add(pattern)
	}
	return mux
}

// acceptPatch is the types that every PATCH takes.
const acceptPatch = "application/merge-patch+json, application/json, application/x-www-form-urlencoded, multipart/form-data"

// refuse answers a request that has no handler.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, status int, message string) {
	writeError(w, r, s.log, reply.Fail(status, message))
}

// answering makes a handler an http.Handler, by answering with its error.
func (s *server) answering(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			if _, many := errors.AsType[limit.TooMany](err); many {
				s.note(r, "too many attempts", nil)
			}
			if s.config.badTokenStatus == "401" {
				err = refusedBy401(err, dialectFor(r))
			}
			writeError(w, r, s.log, err)
		}
	})
}

// note logs what matters to the security of u's account, nil for none that is known.
func (s *server) note(r *http.Request, event string, u *user, attrs ...any) {
	if u != nil {
		attrs = append([]any{"user", u.ID}, attrs...)
	}
	s.trail.Note(s.log, s.origin.Client(r), event, attrs...)
}

// ServeHTTP logs each request, recovers from panics, checks its host and origin, and
// hands it to the route table.
func (s *server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if s.present != nil {
		s = s.present.Load() // whose store may be another one by now
	}
	if r.Method != http.MethodPost { // as sign-ins are
		s.hashes.MakeRoom()
	}
	w := serve.Begin(rw, r, s.log)
	defer w.End(s.metrics.requests.Count)
	defer w.Recover(func(message string) { s.refuse(w, r, http.StatusInternalServerError, message) })
	if s.origin.Stranger(r) {
		s.once.Do(func() {
			s.log.Warn("X-Forwarded-For or Forwarded came from an address that -trusted-proxies does not name: if this is your proxy, name it, or all its clients count as one", "address", s.origin.Client(r))
		})
	}
	if !s.origin.AnswersTo(r.Host) {
		if due, left := s.elsewhere.Due(); due {
			s.log.Warn("a request named a host that this server does not answer to; -hosts adds names", "host", r.Host[:min(len(r.Host), 255)], "left_out", left)
		}
		s.refuse(w, r, http.StatusMisdirectedRequest, "This server does not answer to that Host; -hosts names more")
		return
	}
	origin.KeepTLS(w, r)
	if s.allowOrigin(w, r) {
		return
	}
	s.bodies.Hold(r)
	if s.collections != nil && dialectOf(r.URL.Path) == books && !strings.HasPrefix(r.URL.Path, "/bookapi/") && !s.mux.Knows(r, r.URL.EscapedPath()) {
		speak(r, ofRows)
	}
	s.mux.ServeHTTP(w, r)
}

// allowOrigin lets web pages of allowed origins read the answer. It reports
// whether it has answered.
func (s *server) allowOrigin(w http.ResponseWriter, r *http.Request) (answered bool) {
	origin.Vary(w.Header())
	if s.lab.IsFor(r) { // whatever -cors says
		if err := s.lab.CheckPage(r); err != nil {
			writeError(w, r, s.log, err)
			return true
		}
		return false
	}
	return s.origin.Allow(w, r)
}

// noForeignPage calls next unless the request comes from a web page of another
// origin that -cors doesn't allow: see [origin.Policy.CheckPage]. It is for changes
// without a token. Otherwise a page could have a browser sign in here to an account
// of the page's choosing (CWE-352).
func (s *server) noForeignPage(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := s.origin.CheckPage(r); err != nil {
			return &reply.Error{Status: http.StatusForbidden, Message: "Web pages of other origins may not do this here; -cors names those that may", Err: err}
		}
		return next(w, r)
	}
}

// byID calls next with the id in the path, and fails with bad if that is no number.
func byID(bad error, next func(w http.ResponseWriter, r *http.Request, c *caller, id int) error) callerHandler {
	return func(w http.ResponseWriter, r *http.Request, c *caller) error {
		id, ok := form.ID(r.PathValue("id"))
		if !ok {
			return bad
		}
		return next(w, r, c, id)
	}
}

var (
	errItemID = reply.Fail(http.StatusBadRequest, "Item ID should be an integer")
	errUserID = reply.Fail(http.StatusBadRequest, "User ID should be an integer")
)
