package main

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// A subject is the item that all clients read and write for two seconds. Then comes
// another one, because operations of unknown outcome make a history hard to judge.
type subject struct {
	id    int
	token string // of its creator
	sync.Mutex
	tag map[string]string // the ETag of each value that a client has seen
}

// changeSubjects makes the subjects.
func (c *caller) changeSubjects() {
	a, err := c.insist("POST /api/v1/auth/signup", "", account("subjects@example.com"))
	if err != nil {
		return
	}
	in, ok := first[session](a)
	if !ok {
		c.fault("a sign-up: %v", a)
		return
	}
	for n := 0; c.ctx.Err() == nil; n++ {
		name := fmt.Sprintf("subject %d", n)
		call := time.Now()
		a, err := c.insist("POST /api/v1/items", in.Access, itemForm(name, "new"))
		if err != nil {
			return
		}
		made, ok := c.made(a, name)
		if !ok {
			continue
		}
		c.history.add(0, input{kind: write, key: made.ID, new: "new"}, call, output{known: true})
		s := &subject{id: made.ID, token: in.Access, tag: map[string]string{}}
		c.current.Store(s)
		c.ledger.subjects = append(c.ledger.subjects, s)
		c.pause(2 * time.Second)
	}
}

// useRegister reads and writes the subject, each time at another replica.
func (c *caller) useRegister() {
	var mine *subject
	value := "" // that the client has last seen
	for n := 0; c.ctx.Err() == nil; n++ {
		s := c.current.Load()
		if s != mine {
			mine, value = s, ""
		}
		if s == nil {
			c.pause(20 * time.Millisecond)
			continue
		}
		next := fmt.Sprintf("%d-%d", c.number, n)
		switch dice := c.rand.IntN(20); {
		case dice < 8 || value == "" && dice >= 13:
			value = c.readSubject(s, c.anywhere(), value)
		case dice < 13:
			value = c.writeSubject(s, next, value)
		default:
			value = c.swapSubject(s, value, next)
		}
		c.pause(c.o.pace)
	}
}

func (s *subject) path() string { return fmt.Sprintf("/api/v1/items/%d", s.id) }

// readSubject returns the value that is known now.
func (c *caller) readSubject(s *subject, at *target, known string) string {
	call := time.Now()
	a := c.send(at, "GET "+s.path(), s.token, nil)
	if a.silent() {
		return known
	}
	it, ok := first[item](a)
	if a.status != http.StatusOK || !ok {
		c.fault("the subject is not there: %v", a)
		return known
	}
	c.history.add(c.number, input{kind: read, key: s.id}, call, output{known: true, value: it.Description})
	s.saw(it.Description, a.header.Get("ETag"))
	return it.Description
}

func (s *subject) saw(value, tag string) {
	s.Lock()
	defer s.Unlock()
	if tag != "" {
		s.tag[value] = tag
	}
}

func (s *subject) tagOf(value string) string {
	s.Lock()
	defer s.Unlock()
	return s.tag[value]
}

func (c *caller) writeSubject(s *subject, value, known string) string {
	call := time.Now()
	a := c.send(c.anywhere(), "PATCH "+s.path()+"/description", s.token, url.Values{"description": {value}})
	switch {
	case a.unsent:
		return known
	case a.silent():
		c.history.add(c.number, input{kind: write, key: s.id, new: value}, call, output{})
		return known
	case a.status != http.StatusOK:
		c.fault("the subject is not written: %v", a)
		return known
	}
	c.history.add(c.number, input{kind: write, key: s.id, new: value}, call, output{known: true})
	s.saw(value, a.header.Get("ETag"))
	return value
}

func (c *caller) swapSubject(s *subject, old, value string) string {
	tag := s.tagOf(old)
	if tag == "" {
		return ""
	}
	call := time.Now()
	a := c.send(c.anywhere(), "PATCH "+s.path()+"/description", s.token, url.Values{"description": {value}}, "If-Match", tag)
	in := input{kind: swap, key: s.id, old: old, new: value}
	switch {
	case a.unsent:
		return old
	case a.silent():
		c.history.add(c.number, in, call, output{})
		return old
	case a.status == http.StatusPreconditionFailed:
		c.history.add(c.number, in, call, output{known: true})
		return ""
	case a.status != http.StatusOK:
		c.fault("the subject is not written: %v", a)
		return old
	}
	c.history.add(c.number, in, call, output{known: true, done: true})
	s.saw(value, a.header.Get("ETag"))
	return value
}

// race sends the same request to every target at once.
func (c *caller) race(request, token string, form url.Values) []answer {
	answers := make([]answer, len(c.targets))
	var all sync.WaitGroup
	for i, t := range c.targets {
		all.Go(func() { answers[i] = c.send(t, request, token, form) })
	}
	all.Wait()
	return answers
}

// winner is the one answer with the status won. All others must have the status lost
// or be silent. ok is false if there is no winner.
func (c *caller) winner(what string, answers []answer, won, lost int) (w answer, ok bool) {
	open := c.ctx.Err() != nil
	for _, a := range answers {
		switch {
		case a.status == won && ok:
			c.fault("%s has two winners: %v and %v", what, w, a)
		case a.status == won:
			w, ok = a, true
		case a.silent():
			open = true
		case a.status != lost:
			c.fault("%s: %v", what, a)
		}
	}
	if !ok && !open {
		c.fault("%s has no winner, and all lost: %v", what, answers[0])
	}
	return w, ok
}

// raceForEmails has one e-mail sign up everywhere at once. One sign-up may work. Who
// has signed up can sign in at any replica at once.
func (c *caller) raceForEmails() {
	for n := 0; c.ctx.Err() == nil; n++ {
		email := fmt.Sprintf("racer%d@example.com", n)
		w, ok := c.winner("the race for "+email, c.race("POST /api/v1/auth/signup", "", account(email)), http.StatusCreated, http.StatusBadRequest)
		if in, found := first[session](w); ok && found {
			c.ledger.id(c.run, "account", in.User.ID, email)
			c.ledger.account(email)
			if a := c.send(c.elsewhere(w.from), "POST /api/v1/auth/signin", "", account(email)); !a.silent() && a.status != http.StatusOK {
				c.fault("%s was signed up at %s, and then: %v", email, w.from.name, a)
			}
		}
		c.pause(300 * time.Millisecond)
	}
}

// raceForTitles does the like with the titles of books, and deletes some.
func (c *caller) raceForTitles() {
	form := url.Values{"username": {"reader"}, "password": {"password"}}
	if _, err := c.insist("POST /signup", "", form); err != nil {
		return
	}
	a, err := c.insist("POST /login", "", form)
	if err != nil {
		return
	}
	token := field(a, "token")
	if token == "" {
		c.fault("the reader can't log in: %v", a)
		return
	}
	for n := 0; c.ctx.Err() == nil; n++ {
		title := fmt.Sprintf("Book %d", n)
		w, ok := c.winner("the race for "+title, c.race("POST /bookapi/addbook", token, url.Values{"title": {title}, "author": {"Ann"}}),
			http.StatusOK, http.StatusConflict)
		if ok {
			c.checkBooks(token, title, w)
		}
		c.pause(300 * time.Millisecond)
	}
}

// checkBooks looks for a book at another replica than the one that has it.
func (c *caller) checkBooks(token, title string, w answer) {
	a := c.send(c.elsewhere(w.from), "GET /bookapi/books", token, nil)
	if a.silent() {
		return
	}
	id := 0
	for _, b := range booksOf(a) {
		c.ledger.id(c.run, "book", b.ID, b.Title)
		if b.Title == title {
			id = b.ID
		}
	}
	if id == 0 {
		c.fault("%s was added at %s, and then: GET /bookapi/books at %s lacks it (%d)", title, w.from.name, a.from.name, a.status)
		return
	}
	if c.rand.IntN(4) > 0 {
		c.ledger.keep("book "+title, id)
		return
	}
	if a := c.send(c.anywhere(), fmt.Sprintf("DELETE /bookapi/books/%d", id), token, nil); a.status == http.StatusOK {
		c.ledger.drop("book "+title, id)
	}
}
