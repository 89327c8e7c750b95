package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A ledger is what clients were told, and what must stay so.
type ledger struct {
	subjects []*subject // by changeSubjects alone

	mu       sync.Mutex
	ids      map[string]string // who has an id: "item 7" → its name
	accounts []string          // e-mails that were signed up
	there    map[string]int    // rows that were acknowledged, with their ids
	gone     map[string]int    // … and those whose deletion was
	live     []string          // tokens that never logged out
	ended    []string          // … and those that did
}

func newLedger() ledger {
	return ledger{ids: map[string]string{}, there: map[string]int{}, gone: map[string]int{}}
}

func (l *ledger) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("laws: %d ids, %d accounts, %d rows kept, %d deleted, %d tokens alive, %d logged out",
		len(l.ids), len(l.accounts), len(l.there), len(l.gone), len(l.live), len(l.ended))
}

// id notes who has an id, which no other may have.
func (l *ledger) id(r *run, what string, id int, name string) {
	key := fmt.Sprintf("%s %d", what, id)
	l.mu.Lock()
	other, taken := l.ids[key]
	l.ids[key] = name
	l.mu.Unlock()
	if taken && other != name {
		r.fault("the id of %s is given twice: to %q and to %q", key, other, name)
	}
}

func (l *ledger) account(email string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accounts = append(l.accounts, email)
}

func (l *ledger) keep(name string, id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.there[name] = id
}

func (l *ledger) drop(name string, id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone[name] = id
}

func (l *ledger) token(token string, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ended {
		l.ended = append(l.ended, token)
	} else if len(l.live) < 50 {
		l.live = append(l.live, token)
	}
}

type book struct {
	ID    int    `json:"id"`
	Title string `json:"title"`
}

func booksOf(a answer) []book {
	var v struct{ Books []book }
	json.Unmarshal(a.body, &v) // an empty list is what is missed then
	return v.Books
}

// field is a text in an answer that is one object.
func field(a answer, name string) string {
	var v map[string]any
	json.Unmarshal(a.body, &v)
	text, _ := v[name].(string)
	return text
}

// logOut signs in at one replica, uses the token at another, logs out at a third, and
// uses the token again: it must be refused everywhere from the answer on.
func (c *caller) logOut() {
	email := fmt.Sprintf("leaver%d@example.com", c.rand.Int32())
	if _, err := c.insist("POST /api/v1/auth/signup", "", account(email)); err != nil {
		return
	}
	for c.ctx.Err() == nil {
		c.pause(150 * time.Millisecond)
		a := c.send(c.anywhere(), "POST /api/v1/auth/signin", "", account(email))
		in, ok := first[session](a)
		if a.silent() {
			continue
		}
		if !ok {
			c.fault("%s can't sign in: %v", email, a)
			continue
		}
		if use := c.send(c.elsewhere(a.from), "GET /api/v1/auth/me", in.Access, nil); !use.silent() && use.status != http.StatusOK {
			c.fault("a token made at %s is refused: %v", a.from.name, use)
		}
		if c.rand.IntN(20) == 0 {
			c.ledger.token(in.Access, false)
			continue
		}
		out := c.send(c.anywhere(), "DELETE /api/v1/auth/logout", in.Access, nil)
		if out.silent() || out.status == http.StatusUnauthorized {
			continue
		}
		if out.status != http.StatusOK {
			c.fault("log-out: %v", out)
			continue
		}
		c.ledger.token(in.Access, true)
		for _, t := range c.targets {
			use := c.send(t, "GET /api/v1/items?limit=1", in.Access, nil)
			if !use.silent() && use.status != http.StatusUnauthorized {
				c.fault("a token that logged out at %s is good: %v", out.from.name, use)
			}
		}
	}
}

// made is the item that an answer says it has made.
func (c *caller) made(a answer, name string) (it item, ok bool) {
	if it, ok = first[item](a); a.status != http.StatusCreated || !ok {
		c.fault("an item is not created: %v", a)
		return it, false
	}
	c.ledger.id(c.run, "item", it.ID, name)
	return it, true
}

// keepItems adds items at one replica, reads them at another and deletes some.
func (c *caller) keepItems() {
	me := fmt.Sprintf("keeper%d", c.rand.Int32())
	a, err := c.insist("POST /api/v1/auth/signup", "", account(me+"@example.com"))
	if err != nil {
		return
	}
	in, ok := first[session](a)
	if !ok { // an earlier try of it may have worked
		if a, err = c.insist("POST /api/v1/auth/signin", "", account(me+"@example.com")); err != nil {
			return
		}
		in, _ = first[session](a)
	}
	for n := 0; c.ctx.Err() == nil; n++ {
		c.pause(100 * time.Millisecond)
		name := fmt.Sprintf("%s %d", me, n)
		a := c.send(c.anywhere(), "POST /api/v1/items", in.Access, itemForm(name, "kept"))
		if a.silent() {
			continue
		}
		it, ok := c.made(a, name)
		if !ok {
			continue
		}
		path := fmt.Sprintf("/api/v1/items/%d", it.ID)
		if use := c.send(c.elsewhere(a.from), "GET "+path, in.Access, nil); !use.silent() && use.status != http.StatusOK {
			c.fault("item %d was made at %s, and then: %v", it.ID, a.from.name, use)
		}
		if c.rand.IntN(3) > 0 {
			c.ledger.keep(name, it.ID)
			continue
		}
		if d := c.send(c.anywhere(), "DELETE "+path, in.Access, nil); d.status == http.StatusOK {
			c.ledger.drop(name, it.ID)
			if use := c.send(c.elsewhere(d.from), "GET "+path, in.Access, nil); !use.silent() && use.status != http.StatusNotFound {
				c.fault("item %d was deleted at %s, and then: %v", it.ID, d.from.name, use)
			}
		}
	}
}

// check holds every replica against the ledger when all is quiet, and the replicas
// against each other.
func (r *run) check() {
	c := r.newCaller(100)
	a, err := c.insist("POST /api/v1/auth/signup", "", account("checker@example.com"))
	if err != nil {
		r.fault("the last sign-up: %v", err)
		return
	}
	in, ok := first[session](a)
	if !ok {
		r.fault("the last sign-up: %v", a)
		return
	}
	for _, s := range r.ledger.subjects {
		c.readSubject(s, c.anywhere(), "")
	}
	var bodies [][]byte
	for _, t := range r.targets {
		items := c.send(t, "GET /api/v1/items", in.Access, nil)
		books := c.send(t, "GET /bookapi/books", in.Access, nil)
		if items.status != http.StatusOK || books.status != http.StatusOK {
			r.fault("all is quiet, and: %v; %v", items, books)
			continue
		}
		r.checkRows(c, t, items, books)
		r.checkTokens(c, t)
		bodies = append(bodies, slices.Concat(items.body, books.body))
	}
	for i, body := range bodies {
		if !bytes.Equal(body, bodies[0]) {
			r.fault("%s and %s have other lists", r.targets[0].name, r.targets[i].name)
		}
	}
	r.checkStreams(c, in.Access)
	r.checkExports()
}

// checkRows looks for what was acknowledged.
func (r *run) checkRows(c *caller, t *target, items, books answer) {
	var all struct{ Data []item }
	if err := json.Unmarshal(items.body, &all); err != nil {
		r.fault("%v: %v", items, err)
	}
	found := map[string]int{}
	for _, it := range all.Data {
		r.ledger.id(r, "item", it.ID, it.Itemname)
		found[it.Itemname] = it.ID
	}
	for _, b := range booksOf(books) {
		r.ledger.id(r, "book", b.ID, b.Title)
		found["book "+b.Title] = b.ID
	}
	l := &r.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, id := range l.there {
		if found[name] != id {
			r.fault("%q with id %d was acknowledged; %s has %d", name, id, t.name, found[name])
		}
	}
	for name, id := range l.gone {
		if found[name] == id {
			r.fault("the deletion of %q was acknowledged; %s has it", name, t.name)
		}
	}
}

// checkTokens uses tokens and accounts, as many as take a moment.
func (r *run) checkTokens(c *caller, t *target) {
	l := &r.ledger
	for _, token := range last(l.live, 200) {
		if a := c.send(t, "GET /api/v1/auth/me", token, nil); a.status != http.StatusOK {
			r.fault("a token that never logged out: %v", a)
		}
	}
	for _, token := range last(l.ended, 200) {
		if a := c.send(t, "GET /api/v1/auth/me", token, nil); a.status != http.StatusUnauthorized {
			r.fault("a token that logged out: %v", a)
		}
	}
	for _, email := range last(l.accounts, 100) {
		if a := c.send(t, "POST /api/v1/auth/signin", "", account(email)); a.status != http.StatusOK {
			r.fault("%s was signed up, and then: %v", email, a)
		}
	}
}

func last[T any](all []T, n int) []T { return all[max(0, len(all)-n):] }

// checkExports compares what shelf export reads from each member.
func (r *run) checkExports() {
	if r.cluster == nil || len(r.cluster.clients) == 0 {
		return
	}
	var before []byte
	for _, addr := range r.cluster.clients {
		text, err := r.cluster.export(addr)
		if err != nil {
			r.fault("%v", err)
			return
		}
		if before != nil && !bytes.Equal(before, text) {
			r.fault("the export by way of %s is another", addr)
		}
		before = text
	}
}
