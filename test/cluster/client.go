package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// patience is how long a client waits for an answer. A server answers a write within
// 10 s, or says that it does not know.
const patience = 14 * time.Second

// A target is where clients send requests: a replica, or a balancer before several.
type target struct {
	name   string
	url    string
	p      *process // nil for a balancer
	client *http.Client
}

func newTarget(name, url string, p *process) *target {
	return &target{name: name, url: url, p: p, client: &http.Client{
		Timeout:   patience,
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	}}
}

// An answer is what came of a request.
type answer struct {
	request string
	from    *target
	status  int // 0 for none
	header  http.Header
	body    []byte
	err     error
	unsent  bool // it never left, so nothing came of it
}

// send sends a request such as "GET /api/v1/items". A token goes into the header that
// the API reads. Headers are pairs.
func (t *target) send(ctx context.Context, request, token string, form url.Values, headers ...string) answer {
	if len(form) > 0 {
		headers = append(headers, "Content-Type", "application/x-www-form-urlencoded")
	}
	return t.sendBody(ctx, request, token, form.Encode(), headers...)
}

// sendBody is send with any body.
func (t *target) sendBody(ctx context.Context, request, token, body string, headers ...string) answer {
	a := answer{request: request, from: t}
	method, path, _ := strings.Cut(request, " ")
	r, err := http.NewRequestWithContext(ctx, method, t.url+path, strings.NewReader(body))
	if err != nil {
		a.err, a.unsent = err, true
		return a
	}
	switch {
	case token == "":
	case strings.HasPrefix(path, "/api/"):
		r.Header.Set("Authorization", "Bearer "+token)
	default:
		r.Header.Set("x-access-token", token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := t.client.Do(r)
	if err != nil {
		var op *net.OpError
		a.err, a.unsent = err, errors.As(err, &op) && op.Op == "dial"
		return a
	}
	defer resp.Body.Close()
	a.body, a.err = io.ReadAll(resp.Body)
	if a.err == nil {
		a.status, a.header = resp.StatusCode, resp.Header
	}
	return a
}

// silent reports whether the answer says nothing about the data: there was none, or
// the server or a balancer had no contact. A write may have been done anyway.
func (a answer) silent() bool {
	switch a.status {
	case 0, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func (a answer) String() string {
	if a.err != nil {
		return fmt.Sprintf("%s at %s: %v", a.request, a.from.name, a.err)
	}
	return fmt.Sprintf("%s at %s = %d %.300s", a.request, a.from.name, a.status, a.body)
}

// An item is an item as clients read it.
type item struct {
	ID          int    `json:"id"`
	Itemname    string `json:"itemname"`
	Category    string `json:"category"`
	Description string `json:"description"`
}

// first is the first element of data in an answer of the catalog.
func first[T any](a answer) (v T, ok bool) {
	var body struct{ Data []T }
	if json.Unmarshal(a.body, &body) != nil || len(body.Data) == 0 {
		return v, false
	}
	return body.Data[0], true
}

// A session is what a sign-up or a sign-in answers.
type session struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	User    struct {
		ID    int    `json:"id"`
		Email string `json:"email"`
	} `json:"user"`
}

const password = "youcantguess#4"

func account(email string) url.Values { return url.Values{"email": {email}, "password": {password}} }

func itemForm(name, description string) url.Values {
	return url.Values{"itemname": {name}, "category": {"cluster"}, "description": {description}}
}

// A caller is one client. Its choices come from the seed alone.
type caller struct {
	*run
	number int
	rand   *rand.Rand
}

func (r *run) newCaller(number int) *caller {
	return &caller{r, number, rand.New(rand.NewPCG(uint64(r.o.seed), uint64(number)))}
}

// anywhere is a target by chance.
func (c *caller) anywhere() *target { return c.targets[c.rand.IntN(len(c.targets))] }

// elsewhere is another target than t, where there is one.
func (c *caller) elsewhere(t *target) *target {
	if len(c.targets) == 1 {
		return t
	}
	for {
		if other := c.anywhere(); other != t {
			return other
		}
	}
}

// send sends a request, and counts what came of it.
func (c *caller) send(t *target, request, token string, form url.Values, headers ...string) answer {
	began := time.Now()
	a := t.send(c.ctx, request, token, form, headers...)
	c.count(a, began)
	return a
}

// insist sends a request to one target after the other until it is answered. So the
// request may be done more than once.
func (c *caller) insist(request, token string, form url.Values) (a answer, err error) {
	for c.ctx.Err() == nil {
		if a = c.send(c.anywhere(), request, token, form); !a.silent() {
			return a, nil
		}
		c.pause(50 * time.Millisecond)
	}
	return a, c.ctx.Err()
}

// pause waits d, give or take half of it.
func (c *caller) pause(d time.Duration) {
	select {
	case <-time.After(d/2 + time.Duration(c.rand.Int64N(int64(d)))):
	case <-c.ctx.Done():
	}
}
