package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/serve"
	"example.com/shelf/internal/strictjson"
	"example.com/shelf/internal/token"
)

// A stoppedClock stands still until a test moves it.
type stoppedClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *stoppedClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *stoppedClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// An api is a server of a test's own. It starts at tokenNow and signs with
// tokenSecret, so that a test can forge what it likes.
type api struct {
	t testing.TB
	*server
	clock    *stoppedClock      // what the server goes by, but for one with -lab
	labTime  *clock.Clock       // and what one with -lab goes by
	sessions map[string]session // by name, of those who have come through as
	restart  func() *api        // closes the store and starts again on the same file
	uses     int                // the id of the token in a request, for the tests of meanwhile
	first    func(token string) // called with each token before it is sent; nil for nothing
	uncached bool               // whether it verifies every token anew
}

// newAPI starts a server with the program's own flags, in memory unless they
// say otherwise.
func newAPI(t testing.TB, flags ...string) *api {
	t.Helper()
	return startAPI(t, &stoppedClock{at: tokenNow}, journal.OS{}, slog.DiscardHandler, flags...)
}

// onDisk is the flag for a data file of the test's own.
func onDisk(t testing.TB) string { return "-data=" + filepath.Join(t.TempDir(), "shelf.jsonl") }

func startAPI(t testing.TB, stopped *stoppedClock, d journal.Disk, log slog.Handler, flags ...string) *api {
	t.Helper()
	c, err := settingsFrom("-data=memory -bcrypt-cost=4 "+strings.Join(flags, " "), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.prepareLab(); err != nil {
		t.Fatal(err)
	}
	addr, err := net.ResolveTCPAddr("tcp", c.addr)
	if err != nil {
		t.Fatal(err)
	}
	now, labClock := stopped.now, &clock.Clock{}
	if c.lab {
		now = labClock.Now
	}
	st := newStore(slog.New(log), now)
	if c.data != inMemory {
		if st, err = openStore(d, c.data, slog.New(log), now); err != nil {
			t.Fatal(err)
		}
	}
	closeStore := sync.OnceFunc(func() {
		if err := st.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	t.Cleanup(closeStore)
	a := &api{t: t, clock: stopped, labTime: labClock, sessions: map[string]session{}}
	a.server = newServer(c, st, tokenRing(t), slog.New(log), now, addr)
	a.hashes.Patience = time.Hour // a busy machine is no fault of the server
	if a.collections, err = openCollections(t.Context(), c, st, shell{stderr: io.Discard}, slog.New(log)); err != nil {
		t.Fatal(err)
	}
	if a.collections != nil {
		a.mux = a.newMux()
	}
	if c.lab {
		newLab(a.server, labClock)
	}
	a.restart = func() *api {
		t.Helper()
		closeStore()
		return startAPI(t, stopped, d, log, flags...)
	}
	return a
}

// signBy gives the server those keys, from now on. The first signs.
func (a *api) signBy(keys ...*token.Key) {
	a.keys = token.NewKeyring(keys...)
	a.verifier = token.NewCache(a.keys)
	if a.uncached {
		a.verifier = a.keys
	}
}

// A session is what sign-up gave.
type session struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	User    struct {
		ID       int    `json:"id"`
		Username string `json:"username"`
		Email    string `json:"email"`
	} `json:"user"`
}

// annPassword is everybody's.
const annPassword = "b00k-worm"

// session signs name up in the catalog, the first time it is asked for.
func (a *api) session(name string) session {
	a.t.Helper()
	if _, ok := a.sessions[name]; !ok {
		a.sessions[name] = a.signIn("signup", name)
	}
	return a.sessions[name]
}

// signIn is a new sign-in of name's; how is signin or signup.
func (a *api) signIn(how, name string) session {
	a.t.Helper()
	ans := a.as("").send("POST /api/v1/auth/"+how, asForm("email", name+"@example.com", "password", annPassword))
	if ans.status >= 300 {
		a.t.Fatalf("%v; want success", ans)
	}
	return row[session](ans)
}

// as is a client of the catalog with name's access token; "" has no token.
func (a *api) as(name string) *client {
	a.t.Helper()
	c := &client{api: a}
	if name == "" {
		return c
	}
	return c.bearing(a.session(name).Access)
}

// asAdmin is as for a user who is made an admin first.
func (a *api) asAdmin(name string) *client {
	a.t.Helper()
	c := a.as(name)
	admin := true
	if _, err := a.store.as(theOperator).setAccess(a.store.userByName(name+"@example.com").ID, &admin, nil); err != nil {
		a.t.Fatal(err)
	}
	return c
}

// reader is a client of the book API, with the token of a new book account of
// that name.
func (a *api) reader(name string) *client {
	a.t.Helper()
	details := asJSON(`{"username": "` + name + `", "password": "` + annPassword + `"}`)
	a.as("").send("POST /signup", details).want(201, "registered successfully")
	return a.as("").with("X-Access-Token", a.logIn(name))
}

// logIn is a new token of a book account.
func (a *api) logIn(name string) string {
	a.t.Helper()
	ans := a.as("").send("POST /login", asForm("username", name, "password", annPassword)).want(201, "")
	var got struct{ Token string }
	ans.decode(&got)
	return got.Token
}

// change changes the store in a way that no request could.
func (a *api) change(rules func(tx *db.Tx)) {
	a.t.Helper()
	if err := a.store.Update(func(tx *db.Tx) error { rules(tx); return nil }); err != nil {
		a.t.Fatal(err)
	}
}

// asUser is the store as a user changes it, with the oldest token that they have.
func (s *store) asUser(id int) acting {
	u, _ := s.users.Row(id)
	return s.as(&caller{user: u, token: s.liveTokens(id)[0]})
}

// counts are how many rows readers see.
func (s *store) counts() (users, items, books int) {
	s.View(func(tx *db.Tx) { users, items, books = s.users.Len(tx), s.items.Len(tx), s.books.Len(tx) })
	return users, items, books
}

// rowsOf is how many rows a table has, and how many changes to any table are
// pending.
func (s *store) rowsOf(plural string) (rows, pending int) {
	for _, c := range s.Counts() {
		if c.Plural == plural {
			rows = c.Rows
		}
		pending += c.Pending
	}
	return rows, pending
}

// A gate is a disk that is busy while it is shut.
type gate struct{ mu sync.RWMutex }

func (g *gate) disk() journal.Disk {
	return hookedDisk{sync: func(f journal.File) error {
		g.mu.RLock()
		defer g.mu.RUnlock()
		return f.Sync()
	}}
}

// A slowLog is a log in memory that keeps those waiting who write, and then gives
// them its error.
type slowLog struct {
	history.Memory
	seq  int64
	open chan struct{}
	err  error
}

// slow has a store in memory keep all who write waiting, until release is called
// with what they are to be told.
func slow(t testing.TB, s *store) (release func(err error)) {
	t.Helper()
	l := &slowLog{seq: s.LastSeq(), open: make(chan struct{})}
	if err := s.Open(l); err != nil {
		t.Fatal(err)
	}
	return func(err error) { l.err = err; close(l.open) }
}

func (l *slowLog) Last() (seq, snapshot int64) { return l.seq, 0 }

func (l *slowLog) Append(time.Time, [][]byte) error {
	<-l.open
	return l.err
}

// A hookedDisk is the real disk, but for the writes and fsyncs that a test wants to
// see or to fail. Nil is the real thing.
type hookedDisk struct {
	journal.OS
	write func(f journal.File, p []byte, at int64) (int, error)
	sync  func(f journal.File) error
}

type hookedFile struct {
	journal.File
	hooks hookedDisk
}

func (d hookedDisk) Open(name string, create bool) (journal.File, error) {
	f, err := d.OS.Open(name, create)
	if err != nil {
		return nil, err
	}
	return hookedFile{f, d}, nil
}

func (d hookedDisk) Names(name string, f journal.File) (int64, bool, error) {
	return d.OS.Names(name, f.(hookedFile).File)
}

func (d hookedDisk) Replace(f journal.File, from, to string, old journal.File) (journal.File, error) {
	now, err := d.OS.Replace(f.(hookedFile).File, from, to, old.(hookedFile).File)
	if now == nil {
		return nil, err
	}
	return hookedFile{now, d}, err
}

func (f hookedFile) WriteAt(p []byte, at int64) (int, error) {
	if f.hooks.write == nil {
		return f.File.WriteAt(p, at)
	}
	return f.hooks.write(f.File, p, at)
}

func (f hookedFile) Sync() error {
	if f.hooks.sync == nil {
		return f.File.Sync()
	}
	return f.hooks.sync(f.File)
}

// disable disables the account that is called username.
func (a *api) disable(username string) {
	a.t.Helper()
	row := *a.store.userByUsername(username)
	row.Disabled = true
	a.change(func(tx *db.Tx) { a.store.users.Put(tx, &row) })
}

// remove deletes the account that is called username.
func (a *api) remove(username string) {
	a.t.Helper()
	id := a.store.userByUsername(username).ID
	a.change(func(tx *db.Tx) { a.store.users.Delete(tx, id) })
}

// A client sends requests that have some headers in common.
type client struct {
	api     *api
	headers []string // name, value, name, value …
}

// with is c with one more header line.
func (c *client) with(name, value string) *client {
	return &client{c.api, append(slices.Clip(c.headers), name, value)}
}

func (c *client) bearing(token string) *client { return c.with("Authorization", "Bearer "+token) }

// A body is what a request carries. The zero body is none.
type body struct{ contentType, text string }

func asJSON(text string) body { return body{jsonType, text} }

// asForm is an urlencoded body of alternating names and values, as the tutorials'
// test client sends them.
func asForm(namesAndValues ...string) body { return allForms(namesAndValues...)[formType] }

// allForms is the same body in every encoding, by content type. The values must
// be fit to stand between quotes in JSON.
func allForms(namesAndValues ...string) map[string]body {
	var pairs []pair
	for p := range slices.Chunk(namesAndValues, 2) {
		pairs = append(pairs, pair{p[0], p[1]})
	}
	bodies := map[string]body{}
	for _, e := range encodings {
		bodies[e.contentType] = body{e.contentType, e.encode(pairs)}
	}
	return bodies
}

// inEveryEncoding runs a test for a body as a form, as multipart and as JSON.
func inEveryEncoding(t *testing.T, test func(t *testing.T, in func(namesAndValues ...string) body)) {
	for name, contentType := range map[string]string{"form": formType, "multipart": multipartType, "JSON": jsonType} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, func(namesAndValues ...string) body { return allForms(namesAndValues...)[contentType] })
		})
	}
}

// send sends a request such as "POST /api/v1/items". It fails the test if the
// answer breaks a rule that holds for all answers.
func (c *client) send(request string, bodies ...body) *answer {
	c.api.t.Helper()
	method, target, _ := strings.Cut(request, " ")
	var content io.Reader
	if len(bodies) > 0 {
		content = strings.NewReader(bodies[0].text)
	}
	r := httptest.NewRequest(method, target, content)
	r.RemoteAddr = "127.0.0.1:1234" // where no limit counts all of an address together
	r.Host = "localhost:8080"
	if len(bodies) > 0 && bodies[0].contentType != "" {
		r.Header.Set("Content-Type", bodies[0].contentType)
	}
	return c.do(r)
}

// do sends a request that has been made by hand.
func (c *client) do(r *http.Request) *answer {
	c.api.t.Helper()
	for line := range slices.Chunk(c.headers, 2) {
		if line[0] == "Host" {
			r.Host = line[1]
		} else {
			r.Header.Add(line[0], line[1])
		}
	}
	if c.api.first != nil {
		for _, line := range slices.Concat(r.Header["Authorization"], r.Header["X-Access-Token"]) {
			c.api.first(strings.TrimPrefix(line, "Bearer "))
		}
	}
	w := ask(c.api.server, r)
	a := &answer{
		t: c.api.t, request: r.Method + " " + r.RequestURI, dialect: dialectOf(r.URL.Path),
		status: w.Code, header: w.Result().Header, body: w.Body.String(),
	}
	a.wantDecent()
	a.wantDescribed(c.api.routeOf(r))
	return a
}

// An answer is what came back.
type answer struct {
	t       testing.TB
	request string
	dialect dialect
	status  int
	header  http.Header
	body    string
}

func (a *answer) String() string { return fmt.Sprintf("%s = %d %q", a.request, a.status, a.says()) }

// says is the answer's sentence: its error, or its message, or the whole body
// if that is no answer in the words of the path's API.
func (a *answer) says() string {
	var v struct {
		Status         int
		Error, Message string
		Data           []json.RawMessage
		Details        []reply.Detail
	}
	if a.dialect == plain && a.status >= 400 || a.body == "" {
		return a.body
	}
	err := json.Unmarshal([]byte(a.body), &v)
	details := ""
	if (a.status == 400 || a.status == 409) && len(v.Details) > 0 {
		details = `,"details":` + string(strictjson.Encode(v.Details))
	}
	switch {
	case err != nil, a.dialect == catalog && v.Status != a.status:
		return a.body
	case a.status >= 300 && a.dialect == catalog:
		if a.body != fmt.Sprintf("{\"status\":%d,\"error\":%s%s}\n", a.status, strictjson.AppendString(nil, v.Error), details) {
			return a.body
		}
		return v.Error
	case a.status >= 300 && a.body != fmt.Sprintf("{\"message\":%s%s}\n", strictjson.AppendString(nil, v.Message), details):
		return a.body
	}
	if strings.HasPrefix(a.request, "PATCH ") && v.Message == "" && len(v.Data) == 1 { // where the tutorial has the message in the row
		json.Unmarshal(v.Data[0], &v)
	}
	return v.Message
}

// tokenText is what every token of ours begins with.
var tokenText = regexp.MustCompile(`eyJ[\w-]+\.eyJ`)

// wantDecent checks what holds for every answer.
func (a *answer) wantDecent() {
	a.t.Helper()
	if got := a.header.Get("X-Content-Type-Options"); got != "nosniff" {
		a.t.Errorf("%v: X-Content-Type-Options is %q; want nosniff", a, got)
	}
	if a.status != http.StatusMisdirectedRequest && !slices.Contains(a.header.Values("Vary"), "Origin") {
		a.t.Errorf("%v: Vary is %q; want Origin", a, a.header.Values("Vary"))
	}
	wantType := "application/json"
	switch {
	case a.dialect == plain && a.status >= 400:
		wantType = "text/plain; charset=utf-8"
	case strings.HasSuffix(a.request, "/jwks.json") && a.status == http.StatusOK:
		wantType = "application/jwk-set+json"
	case strings.HasSuffix(a.request, "/metrics") && a.status == http.StatusOK:
		wantType = "text/plain; version=0.0.4; charset=utf-8"
	case a.header.Get("Content-Security-Policy") != "" && a.status == http.StatusOK:
		wantType = a.header.Get("Content-Type") // of the console's files, see TestConsoleFiles
	}
	if got := a.header.Get("Content-Type"); a.body != "" && got != wantType {
		a.t.Errorf("%v: Content-Type is %q; want %q", a, got, wantType)
	}
	if tokenText.MatchString(a.body) && a.header.Get("Cache-Control") != "no-store" {
		a.t.Errorf("%v: Cache-Control is %q where a token is; want no-store", a, a.header.Get("Cache-Control"))
	}
	if a.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") == "" {
		a.t.Errorf("%v: no WWW-Authenticate (RFC 9110 §15.5.2)", a)
	}
	if a.status == http.StatusMethodNotAllowed && a.header.Get("Allow") == "" {
		a.t.Errorf("%v: no Allow (RFC 9110 §15.5.6)", a)
	}
	if a.header.Get("Access-Control-Allow-Credentials") != "" || a.header.Get("Set-Cookie") != "" {
		a.t.Errorf("%v: tokens travel in headers, never in cookies", a)
	}
}

// want checks the status and the sentence, "" for none.
func (a *answer) want(status int, says string) *answer {
	a.t.Helper()
	if a.status != status || a.says() != says {
		a.t.Fatalf("%v; want %d %q", a, status, says)
	}
	return a
}

// wantBody checks the whole body but for its last newline.
func (a *answer) wantBody(status int, body string) *answer {
	a.t.Helper()
	if got := strings.TrimSuffix(a.body, "\n"); a.status != status || got != body {
		a.t.Fatalf("%s = %d %s; want %d %s", a.request, a.status, got, status, body)
	}
	return a
}

// wantHeader checks one header, "" for none.
func (a *answer) wantHeader(name, value string) *answer {
	a.t.Helper()
	if got := strings.Join(a.header.Values(name), " | "); got != value {
		a.t.Errorf("%v: %s is %q; want %q", a, name, got, value)
	}
	return a
}

func (a *answer) decode(v any) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		a.t.Fatalf("%s = %d %q: %v", a.request, a.status, a.body, err)
	}
}

// dataOf are the elements of a catalog answer's data.
func dataOf[R any](a *answer) []R {
	a.t.Helper()
	var v struct{ Data []R }
	a.decode(&v)
	if v.Data == nil {
		a.t.Fatalf("%s = %d %s; want data", a.request, a.status, a.body)
	}
	return v.Data
}

// row is the only element.
func row[R any](a *answer) R {
	a.t.Helper()
	all := dataOf[R](a)
	if len(all) != 1 {
		a.t.Fatalf("%s = %d %s; want one element of data", a.request, a.status, a.body)
	}
	return all[0]
}

// sortedList puts a comma separated list in order.
func sortedList(list string) string {
	elements := strings.Split(list, ", ")
	slices.Sort(elements)
	return strings.Join(elements, ", ")
}

const (
	jsonType      = "application/json"
	formType      = "application/x-www-form-urlencoded"
	multipartType = "multipart/form-data; boundary=cut"
)

// A pair is a field of a body in any encoding. Its text is fit to stand between
// the quotes of a JSON string.
type pair struct{ name, text string }

var encodings = []struct {
	contentType string
	encode      func([]pair) string
}{
	{jsonType, func(pairs []pair) string {
		var members []string
		for _, p := range pairs {
			members = append(members, `"`+p.name+`": "`+p.text+`"`)
		}
		return "{" + strings.Join(members, ", ") + "}"
	}},
	{formType, func(pairs []pair) string {
		var parts []string
		for _, p := range pairs {
			parts = append(parts, url.QueryEscape(p.name)+"="+url.QueryEscape(p.text))
		}
		return strings.Join(parts, "&")
	}},
	{multipartType, asMultipart},
}

func asMultipart(pairs []pair) string {
	var body strings.Builder
	for _, p := range pairs {
		fmt.Fprintf(&body, "--cut\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", p.name, p.text)
	}
	return body.String() + "--cut--\r\n"
}

// holdWorkers has all workers of h work until release is called.
func holdWorkers(h *password.Hasher) (release func()) {
	workers, _, _ := h.State()
	begun, end := make(chan struct{}), make(chan struct{})
	for range workers {
		go h.Work(context.Background(), netip.Prefix{}, func() error {
			begun <- struct{}{}
			<-end
			return nil
		})
		<-begun
	}
	return sync.OnceFunc(func() { close(end) })
}

// fillLine has all workers of h work and its line full until the test ends:
// a request that needs a worker is refused at once.
func fillLine(t testing.TB, h *password.Hasher) {
	t.Helper()
	const line = 1000
	ctx, leave := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range line {
		all.Go(func() { h.Work(ctx, netip.Prefix{}, func() error { <-ctx.Done(); return nil }) })
	}
	t.Cleanup(func() { leave(); all.Wait() })
	for {
		if _, working, waiting := h.State(); working+waiting == line {
			return
		}
		runtime.Gosched()
	}
}

// wantText checks that text holds every part.
func wantText(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("want %q in:\n%s", part, text)
		}
	}
}

// rejectText checks that text holds none of the parts.
func rejectText(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("want no %q in:\n%s", part, text)
		}
	}
}

// writeTestFile makes a file in dir.
func writeTestFile(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// readTestFile returns what a file in dir holds, "" if there is none.
func readTestFile(t testing.TB, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

// A guardClock stands still until a test moves it.
type guardClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *guardClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *guardClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

const (
	guardHere  = "192.0.2.1"
	guardThere = "198.51.100.7"
)

// A guardServer is a server of a test's own.
type guardServer struct {
	*server
	t     testing.TB
	clock *guardClock
	log   *bytes.Buffer // to be read when no request runs
}

// newGuardServer starts one with the program's flags, in memory unless they say
// otherwise.
func newGuardServer(t testing.TB, flags string) guardServer {
	t.Helper()
	c, err := settingsFrom("-data=memory -bcrypt-cost=4 -log=requests "+flags, "", "")
	if err != nil {
		t.Fatal(err)
	}
	g := guardServer{t: t, clock: &guardClock{at: tokenNow}, log: new(bytes.Buffer)}
	log := serve.NewLog(g.log, c.log, c.logFormat)
	st := newStore(log, g.clock.now)
	if c.data != inMemory {
		if st, err = openStore(journal.OS{}, c.data, log, g.clock.now); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
	}
	g.server = newServer(c, st, tokenRing(t), log, g.clock.now, &net.TCPAddr{IP: net.IPv4zero, Port: 80})
	g.hashes.Patience = time.Hour // as in startAPI
	return g
}

// post sends a form from an address, with headers as alternating names and values.
func (g guardServer) post(path, from, form string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(form))
	r.RemoteAddr = net.JoinHostPort(from, "1234")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return ask(g.server, r)
}

// want fails the test unless the answer has the status and the text in it.
func (g guardServer) want(w *httptest.ResponseRecorder, status int, text string) {
	g.t.Helper()
	if w.Code != status || !strings.Contains(w.Body.String(), text) {
		g.t.Errorf("got %d %s; want %d %s", w.Code, w.Body, status, text)
	}
}

const (
	guardRight = "email=ann@example.com&password=b00k-worm"
	guardWrong = "email=ann@example.com&password=n0t-that!"
)

// ask has s answer r, and keeps a record of that for test/openapi/answers_test.go,
// which holds it against openapi.json.
func ask(s *server, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	keep(s, r, w)
	return w
}

// records is the file that SHELF_RECORD names, nil for none.
var records = sync.OnceValue(func() *os.File {
	path := os.Getenv("SHELF_RECORD")
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	return f
})

// keep appends an answer to the file as one line of JSON. One write is one
// line, also while others write.
func keep(s *server, r *http.Request, w *httptest.ResponseRecorder) {
	f := records()
	if f == nil {
		return
	}
	answer := w.Result()
	line, err := json.Marshal(struct {
		Method string      `json:"method"`
		Path   string      `json:"path"`
		Route  string      `json:"route"` // empty for none
		Status int         `json:"status"`
		Header http.Header `json:"header"`
		Body   string      `json:"body"`
	}{r.Method, r.URL.Path, s.routeOf(r), answer.StatusCode, answer.Header, w.Body.String()})
	if err == nil {
		_, err = f.Write(append(line, '\n'))
	}
	if err != nil {
		panic(err)
	}
}

const (
	tokenSecret  = "a secret for tests, of more than thirty-two bytes"
	formerSecret = "the secret before that one, it only verifies now"
)

// tokenNow is when the tokens below are judged. They were made a minute before.
var tokenNow = time.Date(2026, time.November, 22, 14, 5, 0, 0, time.UTC)

// tokenClaims is what the good token says.
var tokenClaims = func() token.Claims {
	c := token.NewClaims("0f8fad5b-d9cb-469f-a165-70867728950e", token.Access, tokenNow.Add(-time.Minute), tokenEnd)
	c.ID, c.Fresh = "7c9e6679-7425-40de-944b-e07fc1f90ae7", true
	return c
}()

// tokenEnd is when the good token ends.
var tokenEnd = tokenNow.Add(14 * time.Minute)

// payload writes the good token's claims in the order of the library, each of
// the changes, name and JSON value, put in the place of what was there. The
// value "" takes the claim away.
func payload(changes ...string) string {
	members := [][2]string{
		{"exp", "1795357140"},
		{"fresh", "true"},
		{"iat", "1795356240"},
		{"iss", `"shelf"`},
		{"jti", `"7c9e6679-7425-40de-944b-e07fc1f90ae7"`},
		{"nbf", "1795356240"},
		{"public_id", `"0f8fad5b-d9cb-469f-a165-70867728950e"`},
		{"sub", `"0f8fad5b-d9cb-469f-a165-70867728950e"`},
		{"type", `"access"`},
	}
	for ; len(changes) > 0; changes = changes[2:] {
		added := true
		for i := range members {
			if members[i][0] == changes[0] {
				members[i][1], added = changes[1], false
			}
		}
		if added {
			members = append(members, [2]string{changes[0], changes[1]})
		}
	}
	var texts []string
	for _, m := range members {
		if m[1] != "" {
			texts = append(texts, fmt.Sprintf("%q:%s", m[0], m[1]))
		}
	}
	return "{" + strings.Join(texts, ",") + "}"
}

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// forge makes a token by hand, with nothing but RFC 7515's own recipe (§5.1).
func forge(header, payload, secret string) string {
	return forgeWith(sha256.New, header, payload, secret)
}

func forgeWith(h func() hash.Hash, header, payload, secret string) string {
	return seal(h, b64(header)+"."+b64(payload), secret)
}

// seal adds the signature to a text.
func seal(h func() hash.Hash, text, secret string) string {
	mac := hmac.New(h, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + b64(string(mac.Sum(nil)))
}

// tokenRing is a ring of tokenSecret, with formerSecret as fallback.
func tokenRing(t testing.TB) *token.Keyring {
	t.Helper()
	ring, err := token.SecretKeys(tokenSecret, []string{formerSecret})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// claimToken makes a token that is signed well and says something else than the
// good one, see payload.
func claimToken(changes ...string) string {
	return forge(`{"alg":"HS256"}`, payload(changes...), tokenSecret)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// nextLetter replaces a token's last character by its neighbour, which differs
// in the lowest bit only.
func nextLetter(text string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" // RFC 4648 §5
	last := strings.IndexByte(letters, text[len(text)-1])
	return text[:len(text)-1] + letters[last^1:last^1+1]
}

func loadKeyFile(t *testing.T, path, alg string, now time.Time) *token.Keyring {
	t.Helper()
	ring, warning, err := token.LoadKeys(path, alg, now)
	if err != nil || warning != "" {
		t.Fatalf("loadKeys = %q, %v; want no warning and no error", warning, err)
	}
	return ring
}
