package attack

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/strictjson"
	"example.com/shelf/internal/term"
)

// An assault is one run against one server. Only one goroutine uses it.
type assault struct {
	base   string // scheme and host of the server
	client *http.Client
	eve    throwaway // the attacker
	ann    throwaway // the victim
	item   int       // id of an item of ann
	token  int       // id of a token of eve
	others []*throwaway

	labSecret string // "": don't change the clock
}

// A throwaway is an account for one run.
type throwaway struct {
	email, password string // email is "" while there is no such account
	username        string // of a book API account, which has no e-mail
	access, refresh string
}

func (t *throwaway) name() string { return cmp.Or(t.email, t.username) }

// newAssault prepares a run against a server. The server must be on this
// machine, unless owned says that it is the user's own. The only host name that
// counts as this machine is localhost; the owner of any other name can change
// its address. With localhost, connections are limited to loopback, whatever
// the name resolves to.
//
// On loopback any certificate is accepted, because most are self-signed.
// Elsewhere the certificate must be valid for the name, and the proxy from the
// environment is used.
func newAssault(target string, owned bool) (*assault, error) {
	u, err := url.Parse(target)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, errors.New("URL is no address of a server: want http://HOST:PORT, such as http://127.0.0.1:8080") // the address may contain a password
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("give the server's address alone, %s://%s", u.Scheme, u.Host)
	}
	ip, err := netip.ParseAddr(u.Hostname())
	local := err == nil && ip.IsLoopback() || strings.EqualFold(u.Hostname(), "localhost")
	transport := &http.Transport{TLSHandshakeTimeout: 10 * time.Second, ExpectContinueTimeout: 10 * time.Second}
	switch {
	case local:
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		transport.DialContext = (&net.Dialer{Timeout: 10 * time.Second, Control: loopbackOnly}).DialContext
	case !owned:
		return nil, fmt.Errorf("%s is not this machine: attack only what is yours, and say so with -yes-i-own-it", u.Host)
	default:
		transport.Proxy = http.ProxyFromEnvironment
	}
	client := &http.Client{
		Transport: transport,
		Timeout:   30 * time.Second, // a sign-in may wait for a worker to hash
		// A redirect may lead to a server that the user has not named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &assault{base: u.Scheme + "://" + u.Host, client: client}, nil
}

// loopbackOnly is a Control of net.Dialer.
func loopbackOnly(_, address string, _ syscall.RawConn) error {
	if to, err := netip.ParseAddrPort(address); err != nil || !to.Addr().IsLoopback() {
		return fmt.Errorf("%s is not this machine", address)
	}
	return nil
}

// prepare creates the two accounts and an item of ann. Ann's sign-up asks to be
// an admin, which is one of the attacks.
func (a *assault) prepare(ctx context.Context) error {
	if err := a.signUp(ctx, &a.eve, nil); err != nil {
		return err
	}
	if err := a.signUp(ctx, &a.ann, map[string]any{"admin": true}); err != nil {
		return err
	}
	s := bearerShot(a.ann.access)
	s.body = `{"itemname":"ball","category":"soccer","description":"something to kick"}`
	made, err := a.need(ctx, "POST /api/v1/items", s)
	if err != nil {
		return err
	}
	var item struct{ ID int }
	err = made.element(&item)
	a.item = item.ID
	return err
}

// unprepared words an error of prepare.
func (a *assault) unprepared(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		reason := op.Err
		if system, ok := errors.AsType[syscall.Errno](err); ok {
			reason = system // without the name of the call
		}
		return fmt.Errorf("no server answers at %s (%w): start one with shelf, or give the address of one: shelf attack URL", a.base, reason)
	}
	return fmt.Errorf("%s: %w", a.base, err)
}

// signUp creates an account. more are further fields of its sign-up.
func (a *assault) signUp(ctx context.Context, who *throwaway, more map[string]any) error {
	*who = throwaway{
		email:    "attack-" + strings.ToLower(rand.Text()) + "@throwaway.invalid", // .invalid is reserved (RFC 2606 §2)
		password: rand.Text() + "-1",
	}
	err := a.enter(ctx, "POST /api/v1/auth/signup", who, more)
	_, refused := errors.AsType[response](err)
	if op, ok := errors.AsType[*net.OpError](err); refused || ok && op.Op == "dial" {
		who.email = "" // the account doesn't exist
	}
	return err
}

// another signs up a third account. tidy deletes it.
func (a *assault) another(ctx context.Context) (*throwaway, error) {
	who := new(throwaway)
	a.others = append(a.others, who)
	return who, a.signUp(ctx, who, nil)
}

// reader signs up a book API account and signs it in. tidy deletes it.
func (a *assault) reader(ctx context.Context) (*throwaway, error) {
	who := &throwaway{username: "attack-" + strings.ToLower(rand.Text()), password: rand.Text() + "-1"}
	a.others = append(a.others, who)
	if _, err := a.need(ctx, "POST /signup", who.credentials()); err != nil {
		return nil, err
	}
	return who, a.logIn(ctx, who)
}

// credentials returns a body with the name and password of a book API account.
func (t *throwaway) credentials() shot {
	return shot{body: string(strictjson.Encode(map[string]string{"username": t.username, "password": t.password}))}
}

// logIn signs in a book API account.
func (a *assault) logIn(ctx context.Context, who *throwaway) error {
	in, err := a.need(ctx, "POST /login", who.credentials())
	if err != nil {
		return err
	}
	var got struct{ Token string }
	if json.Unmarshal(in.body, &got); got.Token == "" {
		return fmt.Errorf("POST /login returned no token: %w", in)
	}
	who.access = got.Token
	return nil
}

// enter signs an account up or in, and stores its tokens.
func (a *assault) enter(ctx context.Context, request string, who *throwaway, more map[string]any) error {
	details := map[string]any{"email": who.email, "password": who.password}
	maps.Copy(details, more)
	in, err := a.need(ctx, request, shot{body: string(strictjson.Encode(details))})
	if err != nil {
		return err
	}
	var got struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	err = in.element(&got)
	who.access, who.refresh = got.Access, got.Refresh
	_, badAccess := Dismantle(who.access)
	_, badRefresh := Dismantle(who.refresh)
	if err != nil || badAccess != nil || badRefresh != nil {
		return fmt.Errorf("%s does not return two tokens: %w", request, in)
	}
	return nil
}

// tidyTime is the longest time for deleting the accounts.
const tidyTime = 30 * time.Second

// tidy deletes everything that prepare has created, even after ctx has ended.
// It signs in first, because attacks may have ended the tokens. Its error names
// the accounts that remain.
func (a *assault) tidy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTime)
	defer cancel()
	var left []error
	for _, who := range append(a.others, &a.ann, &a.eve) {
		if who.name() == "" {
			continue
		}
		if err := a.remove(ctx, who); err != nil {
			left = append(left, fmt.Errorf("the throw-away account %s may still be there: %w", who.name(), err))
		}
	}
	return errors.Join(left...)
}

// remove deletes an account. It deletes ann's item first, because items outlive
// their owner.
func (a *assault) remove(ctx context.Context, who *throwaway) error {
	var err error
	switch {
	case who.email != "":
		err = a.enter(ctx, "POST /api/v1/auth/signin", who, nil)
	case who.access == "": // an attack may have changed the name, but the token works
		err = a.logIn(ctx, who)
	}
	if refusal, ok := errors.AsType[response](err); ok && refusal.status == http.StatusUnauthorized {
		return nil // the sign-up never arrived
	}
	if err != nil {
		return err
	}
	s := bearerShot(who.access)
	if who == &a.ann && a.item != 0 {
		_, err := a.need(ctx, a.path("DELETE /api/v1/items/{item}"), s)
		if refusal, ok := errors.AsType[response](err); err != nil && !(ok && refusal.status == http.StatusNotFound) {
			return err // 404: an attack has already deleted it
		}
	}
	return a.delete(ctx, who, s)
}

// delete deletes an account with its own token.
func (a *assault) delete(ctx context.Context, who *throwaway, s shot) error {
	s.body = string(strictjson.Encode(map[string]string{"password": who.password}))
	_, err := a.need(ctx, "DELETE /api/v1/auth/me", s)
	if err == nil {
		who.email, who.username = "", ""
	}
	return err
}

// path replaces {item} and {token} in a request.
func (a *assault) path(request string) string {
	return strings.NewReplacer("{item}", fmt.Sprint(a.item), "{token}", fmt.Sprint(a.token)).Replace(request)
}

// A shot is what an attack sends, in addition to its row's request.
type shot struct {
	bearers []string // one Authorization line each
	query   string   // including the question mark
	cookie  string   // "NAME=VALUE"
	body    string   // JSON

	// Called after the server has verified the token and asked for the body,
	// and before the body is sent; nil: nothing.
	meanwhile func() error
	// The time of the lab's clock at which the shot is sent; zero: any time.
	at time.Time
	// A request that must succeed first, as otherwise a refusal proves nothing.
	// By default, whoAmI with the attacker's access token.
	control struct{ request, token string }
}

// run makes one attack: first its control, then its shot.
func (a *assault) run(ctx context.Context, row Row) Result {
	r := Result{ID: row.ID, Title: row.Title, Verdict: Unexpected}
	if row.Lab && a.labSecret == "" {
		r.Verdict = NeedsLab
		return r
	}
	s, err := forgers[row.ID](ctx, a)
	if errors.Is(err, errNotRotated) {
		r.Verdict = NotRotated
		return r
	}
	if err != nil {
		r.Detail = "it could not be prepared: " + err.Error()
		return r
	}
	request, token := cmp.Or(s.control.request, whoAmI), cmp.Or(s.control.token, a.eve.access)
	if _, err := a.need(ctx, a.path(request), bearerShot(token)); err != nil {
		r.Detail = "the control failed (the same request with a good token): " + err.Error()
		return r
	}
	putBack := func() error { return nil }
	if !s.at.IsZero() {
		if putBack, err = a.setClock(ctx, s.at); err != nil {
			r.Detail = "the lab's clock could not be set: " + err.Error()
			return r
		}
	}
	got, err := a.send(ctx, a.path(row.Request), s)
	back := putBack()
	switch {
	case err != nil:
		r.Detail = "no answer: " + err.Error()
	case back != nil:
		r.Detail = "the lab's clock could not be restored: " + back.Error()
	case row.isAnsweredBy(got.status) && got.says == row.Expect.Error && strings.Contains(got.description, row.Expect.Description):
		r.Verdict = Refused
	case got.status >= 200 && got.status < 300:
		r.Verdict, r.Detail = GotThrough, "the server accepted it"
	default:
		r.Detail = "it was refused, but not by the expected defence"
	}
	r.Status, r.Error = got.status, got.says
	return r
}

// whoAmI succeeds for any valid access token.
const whoAmI = "GET /api/v1/auth/me"

// setClock freezes the lab's clock at a time. putBack restores the clock, even
// after ctx has ended: frozen, or running, as before. A running clock that
// differed from the machine's time is then late by the time that the answers
// took.
func (a *assault) setClock(ctx context.Context, at time.Time) (putBack func() error, err error) {
	got, err := a.need(ctx, "GET /lab/clock", shot{})
	start := clock.Real()
	var was struct {
		Now    time.Time
		Frozen bool
		Offset string
	}
	if err == nil {
		err = json.Unmarshal(got.body, &was)
	}
	if err != nil {
		return nil, err
	}
	set := func(ctx context.Context, to string) error {
		_, err := a.need(ctx, "POST /lab/clock", shot{body: to})
		return err
	}
	putBack = func() error {
		to := fmt.Sprintf(`{"now":%q,"run":true}`, was.Now.Add(clock.Since(start)).Format(time.RFC3339Nano))
		switch {
		case was.Frozen:
			to = fmt.Sprintf(`{"now":%q,"freeze":true}`, was.Now.Format(time.RFC3339Nano))
		case was.Offset == "0s":
			to = `{"now":"real"}`
		}
		return set(context.WithoutCancel(ctx), to)
	}
	if err := set(ctx, fmt.Sprintf(`{"now":%q,"freeze":true}`, at.Format(time.RFC3339))); err != nil {
		return nil, errors.Join(err, putBack()) // the clock may have changed nevertheless
	}
	return putBack, nil
}

// A response is the server's answer. As an error, it means that another answer
// was needed.
type response struct {
	status      int
	says        string // error in the body; "" if there is none
	description string // error_description in WWW-Authenticate
	body        []byte // at most 1 MiB
}

func (r response) Error() string {
	return strings.TrimSpace(fmt.Sprint("the server answers ", r.status, " ", r.says))
}

// element decodes the only element of "data" in a catalog response into v.
func (r response) element(v any) error {
	var all struct{ Data []json.RawMessage }
	if json.Unmarshal(r.body, &all) != nil || len(all.Data) != 1 {
		return r
	}
	return json.Unmarshal(all.Data[0], v)
}

// need is send, and fails for any status but 2xx. Its error is a response if
// there was one.
func (a *assault) need(ctx context.Context, request string, s shot) (response, error) {
	got, err := a.send(ctx, request, s)
	if err == nil && (got.status < 200 || got.status > 299) {
		err = got
	}
	if err != nil {
		return got, fmt.Errorf("%s: %w", request, err)
	}
	return got, nil
}

// send sends a request such as "GET /api/v1/items". Its errors contain no
// token.
func (a *assault) send(ctx context.Context, request string, s shot) (response, error) {
	method, path, _ := strings.Cut(request, " ")
	r, err := http.NewRequestWithContext(ctx, method, a.base+path+s.query, strings.NewReader(s.body))
	if err != nil {
		return response{}, errors.New("the request can't be made")
	}
	for _, token := range s.bearers {
		r.Header.Add("Authorization", "Bearer "+token)
	}
	if s.cookie != "" {
		r.Header.Set("Cookie", s.cookie)
	}
	if s.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if strings.HasPrefix(path, "/lab/") {
		r.Header.Set("X-Lab-Token", a.labSecret)
	}
	if s.meanwhile != nil {
		r = holdBack(r, s.meanwhile)
	}
	resp, err := a.client.Do(r)
	held, _ := r.Body.(*heldBody)
	if held != nil && held.fault.Load() != nil {
		if err == nil {
			resp.Body.Close()
		}
		err = *held.fault.Load()
	}
	if err != nil {
		if whole, ok := errors.AsType[*url.Error](err); ok {
			err = whole.Err // the rest is the URL, which may contain a token
		}
		return response{}, err
	}
	defer resp.Body.Close()
	if held != nil && !(held.asked.Load() && held.sent.Load()) {
		return response{}, errors.New("the server never asked for the body (100 Continue), so it could not be held back")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return response{}, err
	}
	var v struct{ Error string }
	json.Unmarshal(body, &v) // a body that is not JSON has no error
	_, description, _ := strings.Cut(resp.Header.Get("WWW-Authenticate"), `error_description="`)
	return response{resp.StatusCode, presentable(v.Error), description, body}, nil
}

// A heldBody is a request body that is sent only after first has been called.
type heldBody struct {
	io.Reader
	first func() error
	asked atomic.Bool // the server has asked for it
	sent  atomic.Bool
	fault atomic.Pointer[error] // error of first
}

func (b *heldBody) Read(p []byte) (int, error) {
	if !b.sent.Swap(true) {
		if err := b.first(); err != nil {
			b.fault.Store(&err)
			return 0, err
		}
	}
	return b.Reader.Read(p)
}

func (b *heldBody) Close() error { return nil }

// holdBack makes a request ask whether it may send its body (RFC 9110 §10.1.1).
// When the server agrees, it has verified the token. Then first is called, and
// then the body is sent.
func holdBack(r *http.Request, first func() error) *http.Request {
	body := &heldBody{Reader: r.Body, first: first}
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got100Continue: func() { body.asked.Store(true) }}))
	r.Body, r.GetBody = body, nil // it can't be sent twice
	r.Header.Set("Expect", "100-continue")
	return r
}

// presentable makes an error from the server safe to print. A malicious server
// could send control characters, or our own tokens.
func presentable(says string) string {
	if strings.Contains(says, "eyJ") { // {"
		return "(an error with a token in it)"
	}
	return term.Clip(term.Printable(says), 100)
}
