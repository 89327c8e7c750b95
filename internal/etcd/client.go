package etcd

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/history"
)

// The times of a request.
const (
	attemptTime = 2 * time.Second  // of one attempt at one member
	bulkTime    = 8 * time.Second  // of an attempt that reads much
	patience    = 10 * time.Second // of all attempts
	firstPause  = 10 * time.Millisecond
	lastPause   = 500 * time.Millisecond

	maxAnswer = 64 << 20
)

// A client sends requests to the members of one cluster, one after the other
// until one answers. Any goroutine may call it at any time.
type client struct {
	address Address
	http    *http.Client
	user    string
	secret  string
	clocks  *clocks
	closed  context.Context // done after close
	close   context.CancelFunc

	at       atomic.Uint32 // the member that answered last
	cluster  atomic.Uint64 // 0: not known yet
	revision atomic.Int64  // the highest that a member has answered

	authenticating sync.Mutex
	token          atomic.Pointer[string]
}

func newClient(a Address, access Access, clocks *clocks) *client {
	transport := access.Transport
	if transport == nil {
		own := &http.Transport{
			DialContext:         (&net.Dialer{Timeout: attemptTime, KeepAlive: 15 * time.Second}).DialContext,
			TLSClientConfig:     access.TLS,
			TLSHandshakeTimeout: attemptTime,
			MaxIdleConnsPerHost: 32,
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true,
			Protocols:           new(http.Protocols),
			// With TLS, HTTP/2 and gRPC on one port, a watch was starved by other
			// requests (etcd issue 15402).
			TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
		}
		own.Protocols.SetHTTP1(true)
		transport = own
	}
	c := &client{address: a, user: access.User, secret: access.Password, clocks: clocks}
	c.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	c.closed, c.close = context.WithCancel(context.Background())
	return c
}

// A request is one call of the gateway.
type request struct {
	path string
	in   any
	// parse reads an answer. It starts anew for each attempt, because the gateway
	// leaves out what is false or 0.
	parse func(text []byte) (answer, error)
	// once is set for a request whose outcome must be known. If one attempt has
	// no answer, then a refusal of the next one is not the outcome: the first may
	// still be carried out.
	once bool
	// unanswered, if not nil, is set if an attempt may have been carried out without
	// an answer.
	unanswered *bool
	bulk       bool // the answer may be large
	// accept, if not nil, may reject an answer with an *otherPast.
	accept func(member string, a answer) error
}

// ask is do for a request whose answer is a T.
func ask[T any, P interface {
	*T
	answer
}](ctx context.Context, c *client, r request) (out P, err error) {
	r.parse = func(text []byte) (answer, error) {
		out = new(T)
		return out, json.Unmarshal(text, out)
	}
	if err := c.do(ctx, r); err != nil {
		return nil, err
	}
	return out, nil
}

// do sends the request until a member answers it, or ctx ends. Each attempt has
// its own time, and the next one goes to the next member. do fails with an error
// of package history, or with a *refusal that tells nothing about the request's
// outcome but that it was refused.
func (c *client) do(ctx context.Context, r request) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer context.AfterFunc(c.closed, cancel)()
	body, err := json.Marshal(r.in)
	if err != nil {
		return fmt.Errorf("%w: %w", history.ErrReadOnly, err)
	}
	open := false // an attempt without an answer may be carried out
	strange := 0  // answers from another past
	pause := firstPause
	var last error
	for {
		at := c.at.Load()
		if open && r.unanswered != nil {
			*r.unanswered = true
		}
		err := c.attempt(ctx, c.member(at), r, body)
		lost, isLost := errors.AsType[*lostAnswer](err)
		refused, isRefusal := errors.AsType[*refusal](err)
		_, isStrange := errors.AsType[*otherPast](err)
		switch {
		case err == nil:
			return nil
		case isStrange:
			if strange++; strange >= 3*len(c.address.Members) {
				return fmt.Errorf("%w: %w", history.ErrWentBack, err)
			}
			open = open || r.once
		case isLost:
			open = open || lost.sent
		case isRefusal:
			temporary, mayBeDone := refused.temporary()
			if !temporary && (!open || !r.once) {
				return err
			}
			open = open || mayBeDone
		default:
			return err
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		c.at.CompareAndSwap(at, at+1) // unless another goroutine has
		if !sleep(ctx, pause) {
			return c.ended(last, open && r.once, strange > 0 && isStrange)
		}
		pause = min(2*pause, lastPause)
	}
}

// ended returns the error of a request that had no answer until its time ended.
func (c *client) ended(last error, unknown, strange bool) error {
	kind := history.ErrUnavailable
	switch {
	case unknown:
		kind = history.ErrUnanswered
	case c.closed.Err() != nil:
		kind, last = history.ErrReadOnly, errClosed
	case strange:
		kind = history.ErrWentBack
	}
	return fmt.Errorf("%w: %w", kind, last)
}

func (c *client) member(at uint32) string {
	return c.address.Members[int(at)%len(c.address.Members)]
}

// sleep waits, and reports whether ctx still runs.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// A lostAnswer is an attempt without an answer. If it was sent, it may be carried
// out, now or later.
type lostAnswer struct {
	member string
	sent   bool
	err    error
}

func (l *lostAnswer) Error() string {
	if at, ok := errors.AsType[*net.OpError](l.err); ok {
		return fmt.Sprintf("%s: %s: %v", l.member, at.Op, at.Err)
	}
	if errors.Is(l.err, context.DeadlineExceeded) || errors.Is(l.err, context.Canceled) {
		return fmt.Sprintf("%s: no answer", l.member)
	}
	if at, ok := errors.AsType[*url.Error](l.err); ok {
		return fmt.Sprintf("%s: %v", l.member, at.Err)
	}
	return fmt.Sprintf("%s: %v", l.member, l.err)
}

func (l *lostAnswer) Unwrap() error { return l.err }

// attempt sends the request to one member, and once more if the member wants
// another token.
func (c *client) attempt(ctx context.Context, member string, r request, body []byte) error {
	token := c.token.Load()
	if token == nil && c.user != "" {
		var err error
		if token, err = c.authenticate(ctx, member, nil); err != nil {
			return err
		}
	}
	err := c.send(ctx, member, r, token, body)
	if refused, ok := errors.AsType[*refusal](err); ok && refused.wantsToken() && c.user != "" {
		if token, err = c.authenticate(ctx, member, token); err != nil {
			return err
		}
		err = c.send(ctx, member, r, token, body)
	}
	return err
}

// authenticate returns a new token, which all members accept. old is the token
// that a member has rejected.
func (c *client) authenticate(ctx context.Context, member string, old *string) (*string, error) {
	c.authenticating.Lock()
	defer c.authenticating.Unlock()
	if now := c.token.Load(); now != old && now != nil {
		return now, nil // another goroutine was here first
	}
	body, err := json.Marshal(map[string]string{"name": c.user, "password": c.secret})
	if err != nil {
		return nil, err
	}
	var out tokenAnswer
	parse := func(text []byte) (answer, error) { return &out, json.Unmarshal(text, &out) }
	if err := c.send(ctx, member, request{path: "/v3/auth/authenticate", parse: parse}, nil, body); err != nil {
		if lost, ok := errors.AsType[*lostAnswer](err); ok {
			lost.sent = false // the request itself was not sent
		}
		return nil, err
	}
	c.token.Store(&out.Token)
	return &out.Token, nil
}

// send makes one exchange with one member.
func (c *client) send(ctx context.Context, member string, r request, token *string, body []byte) error {
	limit := attemptTime
	if r.bulk {
		limit = bulkTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	before, began := c.revision.Load(), clock.Real()
	answer, sent, err := c.post(ctx, member, r.path, token, body)
	if err != nil {
		return &lostAnswer{member, sent, err}
	}
	defer answer.Body.Close()
	c.clocks.answered(member, answer.Header.Get("Date"), began)
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return &lostAnswer{member, true, err}
	}
	if answer.StatusCode != http.StatusOK {
		return refusalOf(member, answer.StatusCode, text)
	}
	out, err := r.parse(text)
	if err != nil {
		return &lostAnswer{member, true, noGateway(member, answer.StatusCode)}
	}
	if err := c.check(member, out.head(), before); err != nil {
		return err
	}
	if r.accept != nil {
		return r.accept(member, out)
	}
	return nil
}

// post sends a body. sent reports whether the member may have received it. The
// caller closes the body of the answer.
func (c *client) post(ctx context.Context, member, path string, token *string, body []byte) (answer *http.Response, sent bool, err error) {
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url(member, path), bytes.NewReader(body))
	if err != nil {
		return nil, false, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != nil {
		req.Header.Set("Authorization", *token)
	}
	answer, err = c.http.Do(req)
	return answer, connected.Load(), err
}

func (c *client) url(member, path string) string {
	if c.address.TLS {
		return "https://" + member + path
	}
	return "http://" + member + path
}

// refusalOf reads an answer that is no success.
func refusalOf(member string, status int, text []byte) error {
	refused := &refusal{member: member, status: status}
	if json.Unmarshal(text, &refused.failure) != nil || refused.Code == 0 {
		refused.failure = failure{Message: http.StatusText(status)}
		switch {
		case bytes.HasPrefix(text, []byte("CommonName ")):
			refused.Message = member + ": " + commonName
		case status < 500:
			refused.Message = noGateway(member, status).Error()
		}
	}
	return refused
}

// check compares the header of an answer with what is known of the cluster.
// before is the revision that was known when the request was sent.
func (c *client) check(member string, h *header, before int64) error {
	if h.Cluster == 0 {
		return nil // an answer without a header
	}
	if !c.cluster.CompareAndSwap(0, h.Cluster) {
		if known := c.cluster.Load(); known != h.Cluster {
			return &otherPast{member, fmt.Sprintf("belongs to the cluster %x, and not to %x", h.Cluster, known)}
		}
	}
	if h.Revision < before && h.Revision != 0 {
		return &otherPast{member, fmt.Sprintf("is at revision %d, and was at %d", h.Revision, before)}
	}
	for known := c.revision.Load(); h.Revision > known; known = c.revision.Load() {
		if c.revision.CompareAndSwap(known, h.Revision) {
			break
		}
	}
	return nil
}

// explained returns err as one of package history, with words for a person.
func (c *client) explained(err error) error {
	if refused, ok := err.(*refusal); ok {
		return refused.explain(c.user)
	}
	return err
}

// txn makes a transaction that changes nothing, or that may be made twice.
func (c *client) txn(ctx context.Context, in txnRequest) (*txnAnswer, error) {
	out, err := ask[txnAnswer](ctx, c, request{path: pathTxn, in: in})
	return out, c.explained(err)
}

// delete removes keys.
func (c *client) delete(ctx context.Context, from, end string) error {
	_, err := c.txn(ctx, txnRequest{Success: []operation{remove(from, end)}})
	return err
}

const pathTxn = "/v3/kv/txn"

// An Access says how to reach a cluster.
type Access struct {
	TLS            *tls.Config
	User, Password string
	Transport      http.RoundTripper // for tests; nil: a transport that uses TLS
}
