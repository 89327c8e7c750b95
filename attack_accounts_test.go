package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/serve"
	"example.com/shelf/internal/strictjson"
)

// Eve is who attacks. What she may do as anybody may, she does over loopback,
// where no limit counts all of an address together; at sends from elsewhere.

// at sends a request from that address.
func (c *client) at(address, request string, b body) *answer {
	c.api.t.Helper()
	method, target, _ := strings.Cut(request, " ")
	r := httptest.NewRequest(method, target, strings.NewReader(b.text))
	r.RemoteAddr = net.JoinHostPort(address, "1234")
	r.Host = "localhost:8080"
	r.Header.Set("Content-Type", b.contentType)
	return c.do(r)
}

// signingIn is a sign-in to the catalog, or a sign-up.
func signingIn(email, password string) body { return asForm("email", email, "password", password) }

const (
	signInPath  = "POST /api/v1/auth/signin"
	signUpPath  = "POST /api/v1/auth/signup"
	wrongGuess  = "wr0ng-worm"
	badSignIn   = "Bad email or password"
	tooManyText = "Too many attempts"
	adminsOnly  = "Only admins can access this endpoint"
	notOwner    = "Only the creator of an item or an admin can change it"
)

// guess tries n wrong passwords for an account of the catalog.
func (a *api) guess(n int, email, address string) {
	a.t.Helper()
	for range n {
		a.as("").at(address, signInPath, signingIn(email, wrongGuess)).want(401, badSignIn)
	}
}

// wantSame checks that nothing but their request ids tells two answers apart.
func wantSame(t *testing.T, what string, a, b *answer) {
	t.Helper()
	headers := func(a *answer) http.Header {
		h := maps.Clone(a.header)
		delete(h, serve.RequestID)
		return h
	}
	if a.status != b.status || a.body != b.body || !maps.EqualFunc(headers(a), headers(b), slices.Equal) {
		t.Errorf("%s:\n%v %v\n%v %v\nwant one answer", what, a, a.header, b, b.header)
	}
}

// wantAccounts checks how many there are.
func (a *api) wantAccounts(n int) {
	a.t.Helper()
	if users, _, _ := a.store.counts(); users != n {
		a.t.Errorf("there are %d accounts; want %d", users, n)
	}
}

// oneOfFifty sends fifty sign-ups. One of them must make an account. None goes
// on to bcrypt before all have seen that the name is free.
func oneOfFifty(t *testing.T, signUp func(a *api, i int) *answer) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		release := holdWorkers(a.hashes)
		statuses := make(chan int, 50)
		for i := range 50 {
			go func() { statuses <- signUp(a, i).status }()
		}
		synctest.Wait() // until all wait for a worker
		release()
		got := map[int]int{}
		for range 50 {
			got[<-statuses]++
		}
		if got[201] != 1 || got[400]+got[409] != 49 {
			t.Errorf("the statuses are %v; want one 201, and 49 times that the name is taken", got)
		}
		a.wantAccounts(1)
	})
}

// A lateBody does something when it is read, which is after its request's token
// was judged.
type lateBody struct {
	do func()
	io.Reader
}

func (b lateBody) Read(p []byte) (int, error) {
	b.do()
	return b.Reader.Read(p)
}

// An endlessBody is blanks, and counts how many were taken.
type endlessBody struct{ read int }

func (b *endlessBody) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	b.read += len(p)
	return len(p), nil
}

// A thing is an item as it is on the wire.
type thing struct {
	ID                                         int
	Itemname, Category, Description, Createdon string
	Createdby                                  *int
}

// wantMaker checks who made item 1.
func (a *api) wantMaker(name string) {
	a.t.Helper()
	got := row[thing](a.as(name).send("GET /api/v1/items/1"))
	if want := a.session(name).User.ID; got.Createdby == nil || *got.Createdby != want {
		a.t.Errorf("item 1 is %+v; want it made by %s, user %d", got, name, want)
	}
}

// Each of the fields that are not for clients to set, as anybody could call it.
const (
	privileges = `"admin": true, "is_admin": true, "isAdmin": true, "role": "admin", "user": {"admin": true}`
	identities = `"id": 1, "user_id": 1, "public_id": "11111111-1111-4111-8111-111111111111", "sub": "11111111-1111-4111-8111-111111111111", "createdon": "Mon, 01 Jan 2001 00:00 AM", "created": "2001-01-01T00:00:00Z"`
	makers     = `"createdby": 1, "created_by": 1, "owner": 1, "id": 7, "createdon": "Mon, 01 Jan 2001 00:00 AM", "uri": "https://evil.example"`
)

// adminRequests are all that take an admin.
var adminRequests = []struct{ request, body string }{
	{"GET /api/v1/users", ""},
	{"GET /api/v1/users?limit=1&after=0", ""},
	{"PATCH /api/v1/users/1", `{"disabled": true}`},
	{"PATCH /api/v1/users/2", `{"admin": true}`},
	{"DELETE /api/v1/users/1", ""},
	{"DELETE /api/v1/auth/tokens", ""},
}

// eveLeaves checks that ann's item is as it was after what eve has tried, also
// with its ETag.
func eveLeaves(t *testing.T, a *api, try func(eve *client)) {
	t.Helper()
	tag := a.as("ann").send("POST /api/v1/items", ball).want(201, "Created a new item").header.Get("ETag")
	before := a.as("ann").send("GET /api/v1/items/1").body
	for _, eve := range []*client{a.as("eve"), a.as("eve").with("If-Match", tag), a.as("eve").with("If-Match", "*")} {
		try(eve)
	}
	if after := a.as("ann").send("GET /api/v1/items/1").body; after != before {
		t.Errorf("the item is %s; want %s", after, before)
	}
}

// accountAttacks are the rows about accounts, what belongs to them, what clients
// send and what they get to see.
var accountAttacks = []attackCase{
	// Who has an account.
	{"sign-in doesn't tell an unknown account from a wrong password", "OWASP ASVS 5, 6.3.8; CWE-204", func(t *testing.T, a *api) {
		a.session("ann")
		known := a.as("").send(signInPath, signingIn("ann@example.com", wrongGuess)).want(401, badSignIn)
		unknown := a.as("").send(signInPath, signingIn("eve@example.com", wrongGuess))
		wantSame(t, "a wrong password and an unknown account", known, unknown)
	}},
	{"sign-in tells that an account is disabled only to who has its password", "OWASP ASVS 5, 6.3.8; CWE-204", func(t *testing.T, a *api) {
		a.session("ann")
		a.disable("ann@example.com")
		disabled := a.as("").send(signInPath, signingIn("ann@example.com", wrongGuess))
		unknown := a.as("").send(signInPath, signingIn("eve@example.com", wrongGuess)).want(401, badSignIn)
		wantSame(t, "a disabled and an unknown account", disabled, unknown)
		a.as("").send(signInPath, signingIn("ann@example.com", annPassword)).want(401, "Account is disabled")
	}},
	{"/login takes a catalog account for none, even with its right password", "CWE-204", func(t *testing.T, a *api) {
		a.session("ann")
		eve := a.as("").send("POST /login", asForm("username", "eve@example.com", "password", annPassword)).
			want(401, "Could not verify user, Please signup!")
		ann := a.as("").send("POST /login", asForm("username", "ann@example.com", "password", annPassword))
		wantSame(t, "an unknown and a catalog account", eve, ann)
	}},
	{"/login takes a catalog account that has a reader's sort of name for none", "CWE-204", func(t *testing.T, a *api) {
		a.as("").send(signUpPath, asForm("email", "ann@example.com", "password", annPassword, "username", "ann")).want(201, "")
		a.as("").send("POST /login", asForm("username", "ann", "password", annPassword)).
			want(401, "Could not verify user, Please signup!")
	}},
	{"every sign-in costs a bcrypt hash, whatever account it names", "OWASP ASVS 5, 6.3.8; CWE-208", func(t *testing.T, a *api) {
		a.session("ann")
		a.reader("rae")
		fillLine(a.t, a.hashes)
		const busy = "Too many sign-ins at once"
		for _, email := range []string{"ann@example.com", "eve@example.com"} {
			a.as("").send(signInPath, signingIn(email, wrongGuess)).want(503, busy)
		}
		for _, username := range []string{"rae", "eve", "ann@example.com"} {
			a.as("").send("POST /login", asForm("username", username, "password", wrongGuess)).want(503, busy)
		}
	}},
	{"back-off sets in for unknown accounts as for known ones", "OWASP ASVS 5, 6.3.8; CWE-204", func(t *testing.T, a *api) {
		a.session("ann")
		a.guess(10, "ann@example.com", guardHere)
		a.guess(10, "eve@example.com", guardHere)
		known := a.as("").at(guardHere, signInPath, signingIn("ann@example.com", wrongGuess)).want(429, tooManyText)
		unknown := a.as("").at(guardHere, signInPath, signingIn("eve@example.com", wrongGuess))
		wantSame(t, "a known and an unknown account", known, unknown)
	}},
	{"sign-up, which has to tell who has an account, tells it twenty times a minute", "OWASP API6:2023; CWE-799", func(t *testing.T, a *api) {
		a.session("ann")
		for range 20 {
			a.as("").at(guardHere, signUpPath, signingIn("ann@example.com", annPassword)).want(400, "User already exists")
		}
		a.as("").at(guardHere, signUpPath, signingIn("ann@example.com", annPassword)).want(429, tooManyText)
		a.as("").at(guardHere, "POST /signup", asForm("username", "rae", "password", "secret")).want(429, tooManyText)
	}},

	// Fields that are not for clients to set.
	{"admin-at-signup", "", func(t *testing.T, a *api) {
		a.session("ann")
		eve := row[session](a.as("").send(signUpPath, asJSON(`{"email": "eve@example.com", "password": "`+annPassword+`", `+privileges+`}`)).want(201, ""))
		a.as("").bearing(eve.Access).send("GET /api/v1/users").want(403, adminsOnly)
		for contentType, b := range allForms("email", "eve2@example.com", "password", annPassword, "admin", "1") {
			got := a.as("").send(signUpPath, b)
			if got.status == 201 {
				a.as("").bearing(row[session](got).Access).send("GET /api/v1/users").want(403, adminsOnly)
				a.remove("eve2@example.com")
			} else {
				t.Errorf("%v with %s; want an account", got, contentType)
			}
		}
	}},
	{"a book sign-up can't make itself an admin or a catalog account", "OWASP API3:2023; CWE-915", func(t *testing.T, a *api) {
		a.as("").send("POST /signup", asJSON(`{"username": "eve", "password": "secret", "email": "bob@example.com", `+privileges+`}`)).want(201, "registered successfully")
		if eve := a.store.userByUsername("eve"); eve.Admin || eve.Email != "" {
			t.Errorf("the account is %+v; want neither an admin nor an e-mail", eve)
		}
		a.session("bob") // no account has his e-mail
	}},
	{"a sign-up can't choose its id or its public id", "OWASP API3:2023; CWE-915", func(t *testing.T, a *api) {
		a.session("ann")
		a.as("").send(signUpPath, asJSON(`{"email": "eve@example.com", "password": "`+annPassword+`", `+identities+`}`)).want(201, "")
		eve := a.store.userByEmail("eve@example.com")
		if eve.ID != 2 || strings.HasPrefix(eve.PublicID, "1111") || !eve.Created.Equal(tokenNow) {
			t.Errorf("the account is %+v; want ids and a date of the server's own", eve)
		}
	}},
	{"PATCH me changes names and nothing else", "OWASP API3:2023; CWE-915", func(t *testing.T, a *api) {
		a.session("ann")
		a.session("eve")
		before := *a.store.userByEmail("eve@example.com")
		a.as("eve").send("PATCH /api/v1/auth/me", asJSON(`{"firstname": "Eve", "email": "ann2@example.com", "password": "m1ne-now", "hash": "", "disabled": true, `+privileges+`, `+identities+`}`)).want(200, "")
		before.Firstname = "Eve"
		if after := a.store.userByEmail("eve@example.com"); after == nil || *after != before {
			t.Errorf("the account is %+v; want %+v", after, before)
		}
	}},
	{"an admin's PATCH of an account changes its rights and nothing else", "OWASP API3:2023; CWE-915", func(t *testing.T, a *api) {
		root := a.asAdmin("root")
		a.session("bob")
		before := *a.store.userByEmail("bob@example.com")
		root.send("PATCH /api/v1/users/2", asJSON(`{"email": "mine@example.com", "password": "m1ne-now", "hash": "", "username": "mine", `+identities+`}`)).want(200, "")
		if after := a.store.userByEmail("bob@example.com"); after == nil || *after != before {
			t.Errorf("the account is %+v; want %+v", after, before)
		}
	}},
	{"no caller adds an item in another's name", "OWASP API3:2023; CWE-915", func(t *testing.T, a *api) {
		a.session("ann")
		one := `{"itemname": "ball", "category": "soccer", "description": "round", ` + makers + `}`
		for _, text := range []string{one, "[" + one + "]"} {
			for _, got := range dataOf[thing](a.as("eve").send("POST /api/v1/items", asJSON(text))) {
				if *got.Createdby != 2 || got.ID > 2 || strings.Contains(got.Createdon, "2001") {
					t.Errorf("the item is %+v; want it made by user 2, today, with the next id", got)
				}
			}
		}
	}},
	{"no way to change an item changes who made it", "OWASP API3:2023; CWE-915", func(t *testing.T, a *api) {
		a.session("ann")
		eve := a.as("eve")
		eve.send("POST /api/v1/items", ball).want(201, "Created a new item")
		eve.send("PUT /api/v1/items/1", asJSON(`{"itemname": "ball", "category": "soccer", "description": "round", `+makers+`}`)).want(200, "successfully updated item")
		eve.send("PATCH /api/v1/items/1", body{"application/merge-patch+json", `{"itemname": "bat", ` + makers + `}`}).want(200, "successfully updated item")
		eve.send("PATCH /api/v1/items/1/createdby", asJSON(`{"createdby": "1"}`)).want(400, "Invalid field name")
		eve.send("PATCH /api/v1/items/1/itemname", asJSON(`{"itemname": "rag", "createdby": 1}`)).want(400, onlyItemname)
		a.wantMaker("eve")
	}},
	{"no caller adds a book in another's name", "OWASP API3:2023; CWE-915", func(t *testing.T, a *api) {
		rae, eve := a.reader("rae"), a.reader("eve")
		eve.send("POST /bookapi/addbook", asJSON(`{"title": "Dune", "author": "Frank Herbert", `+makers+`}`)).want(200, "new book created")
		rae.send("DELETE /bookapi/books/1").want(403, "Only the creator of a book or an admin can delete it")
		eve.send("DELETE /bookapi/books/1").want(200, "Book deleted")
	}},

	// What takes an admin.
	{"what is for admins is refused to everybody else", "OWASP API5:2023; OWASP ASVS 5, 8.2.1; CWE-862", func(t *testing.T, a *api) {
		eve, rae := a.session("eve"), a.reader("rae").headers[1]
		for _, r := range adminRequests {
			a.as("").send(r.request, asJSON(r.body)).want(401, "Missing Authorization Header")
			a.as("").bearing(eve.Access).send(r.request, asJSON(r.body)).want(403, adminsOnly)
			a.as("").bearing(rae).send(r.request, asJSON(r.body)).want(403, adminsOnly)
			a.as("").bearing(eve.Refresh).send(r.request, asJSON(r.body)).want(422, "Only non-refresh tokens are allowed")
		}
		a.wantAccounts(2)
	}},
	{"who is not an admin can't find out which ids there are", "OWASP API5:2023; CWE-204", func(t *testing.T, a *api) {
		a.session("ann")
		for _, method := range []string{"PATCH", "DELETE"} {
			there := a.as("eve").send(method+" /api/v1/users/1", asJSON(`{"admin": true}`))
			nowhere := a.as("eve").send(method+" /api/v1/users/99", asJSON(`{"admin": true}`))
			faulty := a.as("eve").send(method+" /api/v1/users/x", asJSON(`{`))
			wantSame(t, "an account and none", there, nowhere)
			wantSame(t, "an account and a faulty request", there, faulty)
		}
	}},
	{"a demoted admin's next request is that of anybody", "OWASP ASVS 5, 8.3.2; CWE-613", func(t *testing.T, a *api) {
		root, eve := a.asAdmin("root"), a.asAdmin("eve")
		eve.send("GET /api/v1/users").want(200, "")
		root.send("PATCH /api/v1/users/2", asJSON(`{"admin": false}`)).want(200, "")
		eve.send("GET /api/v1/users").want(403, adminsOnly)
		eve.send("PATCH /api/v1/users/2", asJSON(`{"admin": true}`)).want(403, adminsOnly)
	}},
	{"an admin who is demoted while a request's body is on its way is none", "CWE-367", func(t *testing.T, a *api) {
		root, eve := a.asAdmin("root"), a.asAdmin("eve")
		demote := sync.OnceFunc(func() {
			root.send("PATCH /api/v1/users/2", asJSON(`{"admin": false}`)).want(200, "")
		})
		r := httptest.NewRequest("PATCH", "/api/v1/users/1", lateBody{demote, strings.NewReader(`{"disabled": true}`)})
		r.Host = "localhost"
		r.Header.Set("Content-Type", jsonType)
		eve.do(r).want(403, adminsOnly)
		root.send("GET /api/v1/auth/me").want(200, "")
	}},
	{"a disabled account's next request is refused, with either token", "OWASP ASVS 5, 7.4.2; CWE-613", func(t *testing.T, a *api) {
		root, eve := a.asAdmin("root"), a.session("eve")
		root.send("PATCH /api/v1/users/2", asJSON(`{"disabled": true}`)).want(200, "")
		a.as("eve").send("GET /api/v1/items").want(401, "Account is disabled")
		a.as("").bearing(eve.Refresh).send("POST /api/v1/auth/refresh").want(401, "Account is disabled")
		a.as("").with("X-Access-Token", eve.Access).send("GET /bookapi/books").want(401, "Invalid token!")
	}},
	{"an account that is enabled again brings back no sign-in", "OWASP ASVS 5, 7.4.2; CWE-613", func(t *testing.T, a *api) {
		root, eve := a.asAdmin("root"), a.session("eve")
		for _, disabled := range []string{"true", "false"} {
			root.send("PATCH /api/v1/users/2", asJSON(`{"disabled": `+disabled+`}`)).want(200, "")
		}
		a.as("eve").send("GET /api/v1/items").want(401, "Token has been revoked")
		a.as("").bearing(eve.Refresh).send("POST /api/v1/auth/refresh").want(401, "Token has been revoked")
		again := a.as("").bearing(a.signIn("signin", "eve").Access)
		for _, id := range []string{"3", "4"} { // the old ones
			again.send("PUT /api/v1/auth/tokens/"+id, asJSON(`{"revoke": false}`)).want(409, "The specified token has ended and can't be restored")
		}
	}},
	{"the last admin can't be demoted, disabled or deleted", "CWE-840", func(t *testing.T, a *api) {
		root := a.asAdmin("root")
		a.session("bob")
		const last = "This is the last enabled admin: make another account an admin first"
		root.send("PATCH /api/v1/users/1", asJSON(`{"admin": false}`)).want(409, last)
		root.send("PATCH /api/v1/users/1", asJSON(`{"disabled": true}`)).want(409, last)
		root.send("DELETE /api/v1/users/1").want(409, last)
		root.send("DELETE /api/v1/auth/me", asForm("password", annPassword)).want(409, last)
		root.send("GET /api/v1/users").want(200, "")
	}},
	{"of two admins who demote each other at once one stays", "OWASP ASVS 5, 15.4.2; CWE-367", func(t *testing.T, a *api) {
		root, eve := a.asAdmin("root"), a.asAdmin("eve")
		var both sync.WaitGroup
		answers := make([]*answer, 2)
		both.Go(func() { answers[0] = root.send("PATCH /api/v1/users/2", asJSON(`{"admin": false}`)) })
		both.Go(func() { answers[1] = eve.send("PATCH /api/v1/users/1", asJSON(`{"admin": false}`)) })
		both.Wait()
		if (answers[0].status == 200) == (answers[1].status == 200) {
			t.Errorf("%v\n%v\nwant one to succeed", answers[0], answers[1])
		}
	}},

	// What was allowed when a request began, and no longer is when its body arrives.
	{"held-past-logout", "", func(t *testing.T, a *api) {
		eve := a.as("eve")
		eve.heldBack("PATCH /api/v1/auth/me", `{"firstname": "Eve"}`, func() { eve.send("DELETE /api/v1/auth/logout").wantStatus(200) }).want(401, revoked)
		if name := a.store.userByEmail("eve@example.com").Firstname; name != "" {
			t.Errorf("her name is %q; want nothing changed", name)
		}
	}},
	{"held-past-deletion", "", func(t *testing.T, a *api) {
		eve := a.as("eve")
		eve.heldBack("PATCH /api/v1/auth/me", `{"firstname": "Eve"}`, func() {
			eve.send("DELETE /api/v1/auth/me", asForm("password", annPassword)).want(200, "")
		}).want(401, userGone)
		if a.store.userByEmail("eve@example.com") != nil {
			t.Error("the account is back")
		}
	}},
	{"a body that is held back until its admin is demoted makes no admin", "CWE-367", func(t *testing.T, a *api) {
		root := a.asAdmin("root")
		ann := a.asAdmin("ann")
		ann.heldBack("PATCH /api/v1/users/2", `{"admin": true}`, func() {
			root.send("PATCH /api/v1/users/2", asJSON(`{"admin": false}`)).want(200, "")
		}).want(403, adminsOnly)
	}},
	{"restores-itself", "", func(t *testing.T, a *api) {
		eve := a.as("eve") // tokens 1 and 2
		for range 2 {      // by the thief, and again
			eve.send("PUT /api/v1/auth/tokens/2", asJSON(`{"revoke": true}`)).wantStatus(200)
			eve.send("PUT /api/v1/auth/tokens/2", asJSON(`{"revoke": false}`)).want(409, "A token of the same sign-in can't restore it: sign in again")
		}
		a.as("").bearing(a.session("eve").Refresh).send("POST /api/v1/auth/refresh").want(401, revoked)
		a.as("").bearing(a.signIn("signin", "eve").Access).send("PUT /api/v1/auth/tokens/2", asJSON(`{"revoke": false}`)).wantStatus(200)
	}},
	{"refresh-replayed", "", func(t *testing.T, a *api) {
		a.config.rotateRefresh = true
		use := func(text string) *answer { return a.as("").bearing(text).send("POST /api/v1/auth/refresh") }
		owners := a.session("ann").Refresh
		thief := row[session](use(owners).want(200, ""))
		thief = row[session](use(thief.Refresh).want(200, ""))
		use(owners).want(401, revoked)
		use(thief.Refresh).want(401, revoked)
		a.as("").bearing(thief.Access).send("GET /api/v1/items").want(401, revoked)
	}},
	{"renamed-by-thief", "", func(t *testing.T, a *api) {
		a.reader("rae")
		thief := a.as("").bearing(a.logIn("rae"))
		thief.send("PATCH /api/v1/auth/me", asForm("username", "mine")).want(400, "Missing 'current_password' in body")
		thief.send("PATCH /api/v1/auth/me", asForm("username", "mine", "current_password", wrongGuess)).want(403, wrongPassword)
		a.logIn("rae")
	}},

	// What belongs to others.
	{"another's token is not there to be revoked", "OWASP API1:2023; OWASP ASVS 5, 8.2.2; CWE-639", func(t *testing.T, a *api) {
		a.session("ann") // tokens 1 and 2
		for _, revoke := range []string{"true", "false"} {
			anns := a.as("eve").send("PUT /api/v1/auth/tokens/1", asJSON(`{"revoke": `+revoke+`}`)).want(404, "The specified token was not found")
			nobodys := a.as("eve").send("PUT /api/v1/auth/tokens/99", asJSON(`{"revoke": `+revoke+`}`))
			wantSame(t, "another's token and none", anns, nobodys)
		}
		a.asAdmin("root").send("PUT /api/v1/auth/tokens/1", asJSON(`{"revoke": true}`)).want(404, "The specified token was not found")
		a.as("ann").send("GET /api/v1/items").want(200, "")
	}},
	{"the list of tokens is the caller's own", "OWASP API1:2023; CWE-639", func(t *testing.T, a *api) {
		a.session("ann")
		for _, query := range []string{"", "?user=1", "?user_identity=ann@example.com", "?user_id=1"} {
			got := dataOf[tokenView](a.as("eve").send("GET /api/v1/auth/tokens"+query).want(200, ""))
			if len(got) != 2 || got[0].Identity != "eve@example.com" || got[1].Identity != "eve@example.com" {
				t.Errorf("with %q it is %+v; want eve's two tokens", query, got)
			}
		}
	}},
	{"others-item-changed", "", func(t *testing.T, a *api) {
		eveLeaves(t, a, func(eve *client) {
			eve.send("PUT /api/v1/items/1", asForm("itemname", "bat", "category", "c", "description", "d")).want(403, notOwner)
			eve.send("PATCH /api/v1/items/1", asForm("itemname", "bat")).want(403, notOwner)
			eve.send("PATCH /api/v1/items/1/itemname", asForm("itemname", "bat")).want(403, notOwner)
		})
	}},
	{"others-item-deleted", "", func(t *testing.T, a *api) {
		eveLeaves(t, a, func(eve *client) { eve.send("DELETE /api/v1/items/1").want(403, notOwner) })
	}},
	{"another's book is not deleted by its id", "OWASP API1:2023; OWASP ASVS 5, 8.2.2; CWE-639", func(t *testing.T, a *api) {
		a.reader("rae").send("POST /bookapi/addbook", dune).want(200, "new book created")
		for _, token := range []string{a.reader("eve").headers[1], a.session("bob").Access} {
			a.as("").with("X-Access-Token", token).send("DELETE /bookapi/books/1").want(403, "Only the creator of a book or an admin can delete it")
		}
		a.as("").with("X-Access-Token", a.logIn("rae")).send("GET /bookapi/books/1").want(200, "")
	}},
	{"who signs up with a deleted account's e-mail inherits nothing of it", "CWE-672", func(t *testing.T, a *api) {
		ann := a.as("ann")
		ann.send("POST /api/v1/items", ball).want(201, "Created a new item")
		ann.send("DELETE /api/v1/auth/me", asForm("password", annPassword)).want(200, "")
		eve := a.as("").bearing(a.signIn("signup", "ann").Access)
		if me := row[userView](eve.send("GET /api/v1/auth/me")); me.ID == 1 {
			t.Error("the new account has the old one's id")
		}
		eve.send("DELETE /api/v1/items/1").want(403, notOwner)
		ann.send("GET /api/v1/items").want(401, "User not found") // the old token
	}},
	{"an id that no int holds doesn't come round to another's", "CWE-190", func(t *testing.T, a *api) {
		a.as("ann").send("POST /api/v1/items", ball).want(201, "Created a new item")
		for _, id := range []string{"4294967297", "18446744073709551617", "36893488147419103233", strings.Repeat("9", 400)} {
			a.as("ann").send("GET /api/v1/items/"+id).want(404, "Requested item does not exist")
			a.as("ann").send("DELETE /api/v1/items/"+id).want(404, "Item does not exist")
		}
	}},
	{"an id with a sign, a slash, a dot or another script's digits is none", "CWE-22; CWE-177", func(t *testing.T, a *api) {
		a.as("ann").send("POST /api/v1/items", ball).want(201, "Created a new item")
		for _, id := range []string{
			"+1", "-1", "1.0", "1e0", "0x1", "1_0", "1%20", "1%00", "%D9%A1", "%EF%BC%91", "1,2", "1;1", "1%2F", "%2F1", "1%2F2",
			"..%2Fitems%2F1", "%2e%2e%2fusers", "%2e%2e", "1%3Fx", "1%23", "1%5C", "1%0d%0a", "null", "*",
		} {
			a.as("ann").send("GET /api/v1/items/"+id).want(400, "Item ID should be an integer")
			a.as("ann").send("DELETE /api/v1/items/"+id).want(400, "Item ID should be an integer")
			a.asAdmin("root").send("DELETE /api/v1/users/"+id).want(400, "User ID should be an integer")
		}
		a.wantMaker("ann")
	}},
	{"no other spelling of a path gets around its rule", "OWASP API5:2023; CWE-41", func(t *testing.T, a *api) {
		for _, path := range []string{
			"/API/v1/users", "/api/V1/users", "/api/v1/Users", "/api/v1/users/", "//api/v1/users", "/api//v1/users", "/api/v1/./users",
			"/api/v1/items/../users", "/api/v1/users%2F", "/api/v1/users%00", "/api/v1/users%20", "/api/v1/users;a=b", "/api/v1/users.json",
			"/api/v1/%75sers", "/api/v1/auth/%2e%2e/users", "/bookapi/%2e%2e/api/v1/users", "/api%2Fv1%2Fusers", "/./api/v1/users", "/api/v1/users/1/..",
		} {
			for _, eve := range []*client{a.as(""), a.as("eve")} {
				if got := eve.send("GET " + path); got.status < 300 || strings.Contains(got.body, "eve@") {
					t.Errorf("%v; want it refused", got)
				}
			}
		}
	}},
	{"a stolen access token changes no password and deletes no account", "OWASP ASVS 5, 6.2.3; CWE-620", func(t *testing.T, a *api) {
		thief := a.as("ann")
		thief.send("POST /api/v1/auth/password", asForm("new_password", "m1ne-now")).want(400, "Missing 'current_password' in body")
		thief.send("POST /api/v1/auth/password", asForm("current_password", wrongGuess, "new_password", "m1ne-now")).want(403, wrongPassword)
		thief.send("DELETE /api/v1/auth/me").want(400, "Missing 'password' in body")
		thief.send("DELETE /api/v1/auth/me", asForm("password", wrongGuess)).want(403, wrongPassword)
		a.signIn("signin", "ann")
	}},
	{"a changed password ends the old one and every other sign-in", "OWASP ASVS 5, 7.4.3; CWE-613", func(t *testing.T, a *api) {
		a.session("ann")
		thief := a.signIn("signin", "ann")
		a.as("ann").send("POST /api/v1/auth/password", asForm("current_password", annPassword, "new_password", "n3w-worm")).want(200, "Password successfully changed")
		a.as("").bearing(thief.Access).send("GET /api/v1/items").want(401, "Token has been revoked")
		a.as("").bearing(thief.Refresh).send("POST /api/v1/auth/refresh").want(401, "Token has been revoked")
		a.as("").send(signInPath, signingIn("ann@example.com", annPassword)).want(401, badSignIn)
		a.as("ann").send("GET /api/v1/items").want(200, "")
	}},
	{"no route but the sign-ins and what is public opens without a token", "OWASP API2:2023; CWE-306", func(t *testing.T, _ *api) {
		public := []string{"GET /{$}", "GET /console/{file}", "GET /docs", "GET /.well-known/jwks.json", "GET /openapi.json", "GET /healthz", "GET /readyz", "GET /metrics", signUpPath, signInPath, "POST /signup", "POST /login"}
		a := newLabAPI(t) // which has the most routes
		for _, rt := range a.routes() {
			if slices.Contains(public, rt.pattern) {
				continue
			}
			request := strings.NewReplacer("{id}", "1", "{field}", "itemname").Replace(rt.pattern)
			if got := a.as("").send(request, asJSON(`{}`)); got.status != 401 {
				t.Errorf("%v; want 401", got)
			}
			if path, ok := strings.CutPrefix(request, "GET "); ok {
				if got := a.as("").send("HEAD " + path); got.status != 401 {
					t.Errorf("%v; want 401", got)
				}
			}
		}
	}},

	// Guessing.
	{"after ten wrong passwords the right one has to wait too", "OWASP ASVS 5, 6.3.1; OWASP API2:2023; CWE-307", func(t *testing.T, a *api) {
		a.session("ann")
		a.guess(10, "ann@example.com", guardHere)
		a.as("").at(guardHere, signInPath, signingIn("ann@example.com", annPassword)).want(429, tooManyText).wantHeader("Retry-After", "1")
		a.clock.advance(time.Second)
		a.as("").at(guardHere, signInPath, signingIn("ann@example.com", annPassword)).want(200, "")
	}},
	{"each further guess doubles the wait, up to a minute", "OWASP ASVS 5, 6.3.1; CWE-307", func(t *testing.T, a *api) {
		a.session("ann")
		a.guess(10, "ann@example.com", guardHere)
		for _, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			a.as("").at(guardHere, signInPath, signingIn("ann@example.com", wrongGuess)).want(429, tooManyText)
			a.clock.advance(wait*time.Second - 1)
			a.as("").at(guardHere, signInPath, signingIn("ann@example.com", wrongGuess)).want(429, tooManyText)
			a.clock.advance(1)
			a.guess(1, "ann@example.com", guardHere)
		}
	}},
	{"an attacker does not lock out an owner who signs in from elsewhere", "CWE-645", func(t *testing.T, a *api) {
		a.session("ann")
		a.guess(10, "ann@example.com", guardHere)
		a.as("").at(guardHere, signInPath, signingIn("ann@example.com", annPassword)).want(429, tooManyText)
		a.as("").at(guardThere, signInPath, signingIn("ann@example.com", annPassword)).want(200, "")
		a.as("").at(guardHere, signInPath, signingIn("ann@example.com", annPassword)).want(429, tooManyText)
	}},
	{"a made-up X-Forwarded-For is no new address", "CWE-348; CWE-307", func(t *testing.T, a *api) {
		a.session("ann")
		a.guess(10, "ann@example.com", guardHere)
		for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Forwarded-Host"} {
			for _, value := range []string{guardThere, "127.0.0.1", "for=" + guardThere, "::1"} {
				a.as("").with(name, value).at(guardHere, signInPath, signingIn("ann@example.com", annPassword)).want(429, tooManyText)
			}
		}
	}},
	{"behind a trusted proxy a client can't put another address in front of its own", "CWE-348; CWE-307", func(t *testing.T, _ *api) {
		a := newAPI(t, "-trusted-proxies=10.0.0.1")
		a.session("ann")
		from := func(i int) *client {
			return a.as("").with("X-Forwarded-For", fmt.Sprintf("203.0.113.%d, %s", i, guardHere))
		}
		for i := range 10 {
			from(i).at("10.0.0.1", signInPath, signingIn("ann@example.com", wrongGuess)).want(401, badSignIn)
		}
		from(10).at("10.0.0.1", signInPath, signingIn("ann@example.com", annPassword)).want(429, tooManyText)
		a.as("").with("X-Forwarded-For", guardThere).at("10.0.0.1", signInPath, signingIn("ann@example.com", annPassword)).want(200, "")
	}},
	{"the addresses of one IPv6 network are one", "RFC 4291 §2.5.1; CWE-307", func(t *testing.T, a *api) {
		a.session("ann")
		for i := range 10 {
			a.guess(1, "ann@example.com", fmt.Sprintf("2001:db8::%x", i+1))
		}
		a.as("").at("2001:db8::dead:beef", signInPath, signingIn("ann@example.com", annPassword)).want(429, tooManyText)
		a.as("").at("2001:db8:0:1::1", signInPath, signingIn("ann@example.com", annPassword)).want(200, "")
	}},
	{"the spellings of one e-mail have ten tries together", "CWE-178; CWE-307", func(t *testing.T, a *api) {
		a.session("ann")
		for i := range 10 {
			name := []byte("ann@example.com")
			name[i] = bytes.ToUpper(name[i : i+1])[0]
			a.guess(1, string(name), guardHere)
		}
		a.as("").at(guardHere, signInPath, signingIn("ann@example.com", annPassword)).want(429, tooManyText)
	}},
	{"one password tried on many accounts is stopped at a hundred", "OWASP ASVS 5, 6.3.1; CWE-307", func(t *testing.T, a *api) {
		a.session("ann")
		for i := range 100 {
			a.guess(1, fmt.Sprintf("user%d@example.com", i), guardHere)
		}
		a.as("").at(guardHere, signInPath, signingIn("ann@example.com", wrongGuess)).want(429, tooManyText)
		a.as("").at(guardHere, "POST /login", asForm("username", "rae", "password", wrongGuess)).want(429, tooManyText)
	}},
	{"thirty guesses at once are no more than ten in turn", "CWE-362; CWE-307", func(t *testing.T, _ *api) {
		a := newAPI(t, "-bcrypt-cost=8") // slow enough for all to be under way together
		a.hashes = password.NewWith(8, 30)
		a.hashes.Patience = time.Hour
		a.session("ann")
		var judged atomic.Int64
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() {
				if a.as("").at(guardHere, signInPath, signingIn("ann@example.com", wrongGuess)).status == 401 {
					judged.Add(1)
				}
			})
		}
		all.Wait()
		if n := judged.Load(); n != 10 {
			t.Errorf("%d of 30 guesses at once were judged; want 10", n)
		}
	}},
	{"signing in to an account of one's own earns no tries at another's", "CWE-307", func(t *testing.T, a *api) {
		a.session("ann")
		a.session("eve")
		for range 10 {
			a.guess(1, "ann@example.com", guardHere)
			a.as("").at(guardHere, signInPath, signingIn("eve@example.com", annPassword)).want(200, "")
		}
		a.as("").at(guardHere, signInPath, signingIn("ann@example.com", annPassword)).want(429, tooManyText)
	}},
	{"a stolen token doesn't help to guess the password behind it", "OWASP ASVS 5, 6.3.1; CWE-307", func(t *testing.T, a *api) {
		a.session("ann")
		for _, request := range []string{"POST /api/v1/auth/password", "DELETE /api/v1/auth/me"} {
			for range 5 {
				a.as("ann").at(guardHere, request, asForm("password", wrongGuess, "current_password", wrongGuess, "new_password", "n3w-worm")).want(403, wrongPassword)
			}
		}
		for _, request := range []string{"POST /api/v1/auth/password", "DELETE /api/v1/auth/me", signInPath} {
			a.as("ann").at(guardHere, request, asForm("email", "ann@example.com", "password", annPassword, "current_password", annPassword, "new_password", "n3w-worm")).want(429, tooManyText)
		}
	}},
	{"a refresh token doesn't fill the disk with records", "OWASP API4:2023; CWE-770", func(t *testing.T, a *api) {
		refresh := a.session("ann").Refresh
		var newest *answer
		for range 1100 {
			newest = a.as("").bearing(refresh).send("POST /api/v1/auth/refresh").want(200, "")
		}
		if n := len(a.store.liveTokens(1)); n > 1000 {
			t.Errorf("the account has %d token records; want no more than 1000", n)
		}
		a.as("").bearing(row[session](newest).Access).send("GET /api/v1/items").want(200, "")
	}},

	// Whose name it is.
	{"fifty parallel sign-ups of one e-mail make one account", "OWASP ASVS 5, 15.4.2; CWE-362", func(t *testing.T, _ *api) {
		oneOfFifty(t, func(a *api, i int) *answer {
			name := []byte("ann@example.com")
			name[i%3] = bytes.ToUpper(name[i%3 : i%3+1])[0]
			return a.as("").send(signUpPath, signingIn(string(name), annPassword))
		})
	}},
	{"fifty sign-ups of one e-mail make one account while the disk is slow, too", "OWASP ASVS 5, 15.4.2; CWE-362", func(t *testing.T, a *api) {
		got := a.together(func(int) *answer { return a.as("").send(signUpPath, signingIn("ann@example.com", annPassword)) })
		if got[201] != 1 || got[400]+got[503] != 49 { // 503 where bcrypt is slow
			t.Errorf("the statuses are %v; want one 201, and 49 times 400", got)
		}
		a.wantAccounts(1)
	}},
	{"fifty parallel sign-ups of one username, in both APIs, make one account", "OWASP ASVS 5, 15.4.2; CWE-362", func(t *testing.T, _ *api) {
		oneOfFifty(t, func(a *api, i int) *answer {
			if i%2 == 0 {
				return a.as("").send("POST /signup", asForm("username", "rae", "password", "secret"))
			}
			return a.as("").send(signUpPath, asForm("email", fmt.Sprintf("u%d@example.com", i), "username", "rae", "password", annPassword))
		})
	}},
	{"no caller takes another's e-mail for a username, to keep its owner out", "CWE-283", func(t *testing.T, a *api) {
		a.as("").send(signUpPath, asForm("email", "eve@example.com", "username", "bob@example.com", "password", annPassword)).want(400, "Invalid username")
		a.as("eve").send("PATCH /api/v1/auth/me", asForm("username", "Bob@example.com")).want(400, "Invalid username")
		a.as("").send("POST /signup", asForm("username", "bob@example.com", "password", "secret")).want(400, "Invalid input!")
		a.as("").bearing(a.reader("rae").headers[1]).send("PATCH /api/v1/auth/me", asForm("username", "bob@example.com")).want(400, "Invalid username")
		a.session("bob")
	}},
	{"a new name is no way around the wait for guesses", "CWE-307", func(t *testing.T, a *api) {
		rae := a.reader("rae").headers[1]
		rename := func(name string) {
			a.change(func(tx *db.Tx) {
				row, _ := a.store.users.Get(tx, 1)
				renamed := *row
				renamed.Username = name
				a.store.users.Put(tx, &renamed)
			})
		}
		name := "rae"
		for i := range a.config.limits.FreeTries { // on each of the ways in turn to guess, each time under another name
			switch i % 4 {
			case 0:
				a.as("").at(guardHere, "POST /login", asForm("username", name, "password", wrongGuess)).want(403, "Could not verify password!")
			case 1:
				a.as("").bearing(rae).at(guardHere, "POST /api/v1/auth/password", asForm("current_password", wrongGuess, "new_password", "new")).want(403, "Wrong password")
			case 2:
				a.as("").bearing(rae).at(guardHere, "DELETE /api/v1/auth/me", asForm("password", wrongGuess)).want(403, "Wrong password")
			case 3:
				a.as("").bearing(rae).at(guardHere, "PATCH /api/v1/auth/me", asForm("current_password", wrongGuess, "username", "eve")).want(403, "Wrong password")
			}
			name = fmt.Sprint("rae", i)
			rename(name)
		}
		a.as("").at(guardHere, "POST /login", asForm("username", name, "password", annPassword)).want(429, tooManyText)
		a.as("").bearing(rae).at(guardHere, "PATCH /api/v1/auth/me", asForm("current_password", annPassword, "username", "eve")).want(429, tooManyText)
		a.as("").bearing(rae).at(guardHere, "PATCH /api/v1/auth/me", asForm("firstname", "Rae")).want(200, "")
	}},
	{"who asks by PATCH which usernames are taken has to wait as at sign-up", "CWE-204", func(t *testing.T, a *api) {
		a.reader("rae")
		for i := range 20 {
			a.as("ann").at(guardHere, "PATCH /api/v1/auth/me", asForm("username", []string{"rae", fmt.Sprint("ann", i)}[i%2]))
		}
		a.as("ann").at(guardHere, "PATCH /api/v1/auth/me", asForm("username", "rae")).want(429, tooManyText)
		a.as("").at(guardHere, signUpPath, signingIn("bob@example.com", annPassword)).want(429, tooManyText)
		a.as("ann").at(guardHere, "PATCH /api/v1/auth/me", asForm("firstname", "Ann")).want(200, "")
	}},
	{"no name holds what can't be seen", "Unicode TR 36 §2; CWE-1007; CWE-117", func(t *testing.T, a *api) {
		ann, rae := a.as("ann"), a.as("").bearing(a.reader("rae").headers[1])
		for _, r := range "\x00\x1b\n\r\t\x7f\u0085\u00ad\u034f\u061c\u115f\u200b\u200d\u200e\u2028\u2029\u202e\u2060\u2066\u2800\u3164\ufe0f\ufeff\uffa0\U000e0041\U000e0100" {
			text := "a" + string(r) + "b"
			field := func(more string) body { return asJSON(`{` + more + `:` + string(strictjson.Encode(text)) + `}`) }
			const account = `"email":"cat@example.com","password":"` + annPassword + `",`
			a.as("").send("POST /signup", field(`"password":"worm","username"`)).want(400, "Invalid input!")
			a.as("").send(signUpPath, field(account+`"username"`)).want(400, "Invalid username")
			a.as("").send(signUpPath, field(account+`"firstname"`)).want(400, "Invalid firstname")
			a.as("").send(signUpPath, field(account+`"lastname"`)).want(400, "Invalid lastname")
			a.as("").send(signUpPath, asJSON(`{"password":"`+annPassword+`","email":`+string(strictjson.Encode(text+"@example.com"))+`}`)).want(400, "Invalid email format")
			ann.send("PATCH /api/v1/auth/me", field(`"username"`)).want(400, "Invalid username")
			rae.send("PATCH /api/v1/auth/me", field(`"current_password":"`+annPassword+`","username"`)).want(400, "Invalid username")
			ann.send("PATCH /api/v1/auth/me", field(`"firstname"`)).want(400, "Invalid firstname")
			ann.send("PATCH /api/v1/auth/me", field(`"lastname"`)).want(400, "Invalid lastname")
		}
		ann.send("PATCH /api/v1/auth/me", asJSON(`{"firstname":"Ann Kathrin","lastname":"O’Brien-Ñuñez 日本 🙂"}`)).want(200, "")
		a.wantAccounts(2)
	}},
	{"a username that is taken is not to be had by PATCH", "CWE-283", func(t *testing.T, a *api) {
		a.reader("rae")
		for _, name := range []string{"rae", " rae ", "rae\t"} {
			a.as("eve").send("PATCH /api/v1/auth/me", asJSON(string(strictjson.Encode(map[string]string{"username": name})))).want(400, "User already exists")
		}
	}},
	{"e-mails that differ in case are one account", "CWE-178", func(t *testing.T, a *api) {
		a.as("").send(signUpPath, signingIn("Kate@Example.com", annPassword)).want(201, "")
		for _, email := range []string{"kate@example.com", "KATE@EXAMPLE.COM", "\u212aate@example.com"} { // the last has a Kelvin sign
			a.as("").send(signUpPath, signingIn(email, annPassword)).want(400, "User already exists")
			a.as("").send(signInPath, signingIn(email, annPassword)).want(200, "")
		}
		a.wantAccounts(1)
	}},
	{"blanks around an e-mail or a username make no second account", "CWE-156", func(t *testing.T, a *api) {
		a.session("ann")
		a.reader("rae")
		for _, blank := range []string{" ", "\t", "\r\n", "\u00a0", "\u2003", "\u3000"} {
			a.as("").send(signUpPath, signingIn(blank+"ann@example.com"+blank, annPassword)).want(400, "User already exists")
			a.as("").send("POST /signup", asForm("username", blank+"rae"+blank, "password", "secret")).want(409, "User already exists!")
		}
		a.wantAccounts(2)
	}},
	{"an e-mail with a name, a comment or a second address in it is none", "RFC 5322 §3.4; CWE-20", func(t *testing.T, a *api) {
		for _, email := range []string{
			"Ann <ann@example.com>", "<ann@example.com>", "ann@example.com (ann)", "ann@example.com, eve@example.com", "ann@example.com\neve@example.com",
			"ann@[127.0.0.1]", "ann@localhost", "\"ann\"@example.com", "ann@example.com\u0000", "ann@example.com\r\nBcc: eve@example.com",
		} {
			b := asJSON(string(strictjson.Encode(map[string]string{"email": email, "password": annPassword})))
			a.as("").send(signUpPath, b).want(400, badEmail)
		}
	}},

	// Passwords.
	{"a password that is longer than bcrypt reads is refused, not cut", "OWASP ASVS 5, 6.2.8; CWE-222", func(t *testing.T, a *api) {
		long := "b00k-" + strings.Repeat("w", 72-5)
		a.as("").send(signUpPath, signingIn("ann@example.com", long+"x")).want(400, "Invalid password. It should be at most 72 bytes long")
		a.as("").send("POST /signup", asForm("username", "rae", "password", long+"x")).want(400, "Invalid input! The password should be at most 72 bytes long")
		a.as("").send(signUpPath, signingIn("ann@example.com", long)).want(201, "")
		a.as("").send(signInPath, signingIn("ann@example.com", long+"x")).want(401, badSignIn)
		a.as("").send(signInPath, signingIn("ann@example.com", long)).want(200, "")
	}},
	{"a password can't hide behind a NUL", "OWASP ASVS 5, 6.2.8; CWE-158", func(t *testing.T, a *api) {
		a.as("").send(signUpPath, asJSON(`{"email": "eve@example.com", "password": "b00k-worm\u0000rest"}`)).want(400, "Invalid password. It should not contain a NUL character")
		a.session("ann")
		a.reader("rae")
		for _, rest := range []string{`\u0000`, `\u0000b00k-worm`, `\u0000b00k-worm\u0000b00k-worm`, `\u0000x`} {
			a.as("").send(signInPath, asJSON(`{"email": "ann@example.com", "password": "b00k-worm`+rest+`"}`)).want(401, badSignIn)
			a.as("").send("POST /login", asJSON(`{"username": "rae", "password": "b00k-worm`+rest+`"}`)).want(403, "Could not verify password!")
		}
	}},
	{"a password counts as it was typed: no blank and no case is dropped", "OWASP ASVS 5, 6.2.8; CWE-178", func(t *testing.T, a *api) {
		a.session("ann")
		for _, other := range []string{" b00k-worm", "b00k-worm ", "b00k-worm\n", "B00K-WORM", "b00k-worm\u200b"} {
			a.as("").send(signInPath, signingIn("ann@example.com", other)).want(401, badSignIn)
		}
	}},
	{"an account without a hash has no password", "CWE-258", func(t *testing.T, a *api) {
		a.session("ann")
		imported := *a.store.userByEmail("ann@example.com")
		imported.Hash = ""
		a.change(func(tx *db.Tx) { a.store.users.Put(tx, &imported) })
		for _, p := range []string{annPassword, "0.000", strings.Repeat("0", 53) + "."} {
			a.as("").send(signInPath, signingIn("ann@example.com", p)).want(401, badSignIn)
		}
	}},

	// What a body can say.
	{"a field given twice counts neither time", "RFC 7493 §2.3; CWE-235", func(t *testing.T, a *api) {
		for contentType, b := range allForms("email", "eve@example.com", "password", annPassword, "email", "ann@example.com") {
			if got := a.as("").send(signUpPath, b); got.status != 400 || got.says() != "Invalid request body: 'email' must be given only once" {
				t.Errorf("%v as %s", got, contentType)
			}
		}
		for _, text := range []string{
			`{"email": "eve@example.com", "password": "` + annPassword + `", "\u0065mail": "ann@example.com"}`,
			`{"email": "eve@example.com", "email": null, "password": "` + annPassword + `"}`,
			`{"other": 1, "other": 2, "email": "eve@example.com", "password": "` + annPassword + `"}`,
		} {
			if got := a.as("").send(signUpPath, asJSON(text)); got.status != 400 || !strings.HasSuffix(got.says(), "must be given only once") {
				t.Errorf("%v with %s", got, text)
			}
		}
		a.wantAccounts(0)
	}},
	{"a field in another case is pointed out, as others would read it", "CWE-178; CWE-436", func(t *testing.T, a *api) {
		a.as("").send(signUpPath, asForm("email", "eve@example.com", "Email", "ann@example.com", "password", annPassword)).want(400, "Invalid request body: 'Email' must be written 'email'")
		a.as("").send(signUpPath, asJSON(`{"Email": "eve@example.com", "PASSWORD": "`+annPassword+`"}`)).want(400, "Invalid request body: 'Email' must be written 'email'")
		a.asAdmin("root").send("PATCH /api/v1/users/1", asJSON(`{"Admin": true}`)).want(400, "Invalid request body: 'Admin' must be written 'admin'")
	}},
	{"a field that is an operator, a list or a number is no text", "CWE-943; CWE-843", func(t *testing.T, a *api) {
		a.session("ann")
		for _, value := range []string{`{"$ne": ""}`, `{"$gt": null}`, `["` + annPassword + `"]`, `true`, `0`, `1e999`} {
			a.as("").send(signInPath, asJSON(`{"email": "ann@example.com", "password": `+value+`}`)).want(400, "Invalid request body: 'password' must be a string")
			a.as("").send(signInPath, asJSON(`{"email": `+value+`, "password": "`+annPassword+`"}`)).want(400, "Invalid request body: 'email' must be a string")
			a.as("").send("POST /login", asJSON(`{"username": "ann", "password": `+value+`}`)).want(400, "Invalid request body: 'password' must be a string")
		}
	}},
	{"a body is read as the type that it is sent as, and as no other", "RFC 9110 §8.3; CWE-436", func(t *testing.T, a *api) {
		bodies := allForms("email", "eve@example.com", "password", annPassword)
		for claimed := range bodies {
			for real, b := range bodies {
				if got := a.as("").send(signUpPath, body{claimed, b.text}); claimed != real && got.status != 400 {
					t.Errorf("%v for %s sent as %s; want 400", got, real, claimed)
				} else if claimed == real {
					got.want(201, "")
					a.remove("eve@example.com")
				}
			}
		}
	}},
	{"a content type that only resembles JSON or a form is neither", "RFC 9110 §8.3; CWE-436", func(t *testing.T, a *api) {
		for _, contentType := range []string{
			"", "text/plain", "text/json", "text/html", "application/xml", "application/octet-stream", "application/jsonx", "application/json+xml", "json",
			"application/x-json", "application/json, text/plain", "text/plain; application/json", "text/plain;charset=application/json", "application\\json",
			"multipart/mixed; boundary=cut", "application/x-www-form-urlencoded2", "*/*", "application/*",
		} {
			for _, text := range []string{`{"email": "eve@example.com", "password": "` + annPassword + `"}`, "email=eve@example.com&password=" + annPassword} {
				if got := a.as("").send(signUpPath, body{contentType, text}); got.status != 415 {
					t.Errorf("%v for %q; want 415", got, contentType)
				}
			}
		}
		a.wantAccounts(0)
	}},
	{"JSON that nests without end is refused", "OWASP API4:2023; CWE-674", func(t *testing.T, a *api) {
		for _, deep := range []int{33, 1000, 100_000} {
			for _, nest := range []string{strings.Repeat("[", deep) + strings.Repeat("]", deep), strings.Repeat(`{"a":`, deep) + "1" + strings.Repeat("}", deep), strings.Repeat("[", deep)} {
				for _, text := range []string{`{"email": ` + nest + `}`, `{"other": ` + nest + `}`, nest} {
					for _, request := range []string{signUpPath, "POST /api/v1/items"} { // the latter takes a list
						if request == signUpPath && len(text) > form.MaxSmall {
							continue
						}
						if got := a.as("ann").send(request, asJSON(text)); got.status != 400 || !strings.HasPrefix(got.says(), "Invalid request body: ") {
							t.Errorf("%v for %.20s… of depth %d; want 400", got, text, deep)
						}
					}
				}
			}
		}
	}},
	{"a body without end is read no further than 16 KiB", "OWASP API4:2023; CWE-770", func(t *testing.T, a *api) {
		for _, contentType := range []string{jsonType, formType, multipartType, "text/plain"} {
			endless := &endlessBody{}
			r := httptest.NewRequest("POST", "/api/v1/auth/signup", endless)
			r.Host = "localhost"
			r.Header.Set("Content-Type", contentType)
			a.as("").do(r).want(413, "The body must be at most 16 KiB long")
			if endless.read > 32<<10 {
				t.Errorf("%d bytes of it were read; want no more than a buffer beyond 16 KiB", endless.read)
			}
		}
	}},
	{"a body has no more than a hundred fields, and a list no more than a thousand items", "OWASP API4:2023; CWE-770", func(t *testing.T, a *api) {
		var many []string
		for i := range 101 {
			many = append(many, fmt.Sprintf("f%d", i), "x")
		}
		for contentType, b := range allForms(many...) {
			if got := a.as("").send(signUpPath, b); got.status != 400 || got.says() != "Invalid request body: must not have more than 100 fields" {
				t.Errorf("%v as %s", got, contentType)
			}
		}
		a.as("ann").send("POST /api/v1/items", asJSON("["+strings.Repeat(`{},`, 1000)+`{}]`)).want(400, "Invalid request body: must hold from 1 to 1000 items")
	}},
	{"a byte order mark, a comment or a second value is no JSON", "RFC 8259 §8.1; CWE-436", func(t *testing.T, a *api) {
		good := `{"email": "eve@example.com", "password": "` + annPassword + `"}`
		for _, text := range []string{"\ufeff" + good, good + good, good + "\x00", good + "//", "/**/" + good, good[:len(good)-1] + ",}", strings.ReplaceAll(good, `"`, `'`), "\u00a0" + good, ")]}'," + good} {
			if got := a.as("").send(signUpPath, asJSON(text)); got.status != 400 || !strings.HasPrefix(got.says(), "Invalid request body: ") {
				t.Errorf("%v for %q; want 400", got, text)
			}
		}
		a.wantAccounts(0)
	}},
	{"invalid UTF-8 doesn't become another text", "RFC 8259 §8.1; CWE-176", func(t *testing.T, a *api) {
		for _, bad := range []string{"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"} {
			for contentType, b := range allForms("email", "eve@example.com", "password", annPassword+bad) {
				if contentType == formType {
					b.text = strings.ReplaceAll(b.text, bad, "%"+fmt.Sprintf("%x", bad))
				}
				if got := a.as("").send(signUpPath, b); got.status != 400 || got.says() != "Invalid request body: 'password' must be valid UTF-8" {
					t.Errorf("%v for %q as %s", got, b.text, contentType)
				}
			}
		}
		a.wantAccounts(0)
	}},
	{"half a surrogate pair doesn't make two passwords one", "RFC 7493 §2.1; CWE-176", func(t *testing.T, a *api) {
		const message = "Invalid request body: 'password' must not hold half of a surrogate pair"
		a.as("").send(signUpPath, signingIn("ann@example.com", annPassword+"\ufffd")).want(201, "")
		for _, half := range []string{`\ud800`, `\uDFFF`, `\ud800\ud800`, `\udc00\ud800`, `\ud800x`} {
			a.as("").send(signInPath, asJSON(`{"email": "ann@example.com", "password": "`+annPassword+half+`"}`)).want(400, message)
		}
	}},
	{"credentials in a query string are not read, and not logged", "CWE-598; CWE-532", func(t *testing.T, _ *api) {
		a, log := logging(t, journal.OS{})
		a.session("ann")
		a.reader("rae")
		const query = "?email=ann@example.com&username=rae&password=" + annPassword + "&revoke=true&access_token="
		for _, b := range []body{{}, asForm("other", "1"), asJSON(`{}`)} {
			a.as("").send(signInPath+query, b).want(400, badEmail)
			a.as("").send(signUpPath+query, b).want(400, badEmail)
			a.as("").send("POST /login"+query, b).want(401, "Could not verify!")
			a.as("").send("POST /signup"+query, b).want(400, "Invalid input!")
			a.as("ann").send("PUT /api/v1/auth/tokens/1"+query, b).want(400, "Missing 'revoke' in body")
		}
		token := a.session("ann").Access
		a.as("").send("GET /api/v1/auth/me?access_token="+token+"&token="+token+"&jwt="+token).want(401, "Missing Authorization Header")
		a.as("").send("GET /bookapi/books?x-access-token="+token).want(401, "A valid token is missing!")
		for _, secret := range []string{annPassword, token, "ann@example.com"} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	}},
	{"no header or field makes one method another", "CWE-650", func(t *testing.T, a *api) {
		ann := a.as("ann")
		ann.send("POST /api/v1/items", ball).want(201, "Created a new item")
		for _, header := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
			ann.with(header, "DELETE").send("POST /api/v1/items/1", asForm("_method", "DELETE")).want(405, "The method is not allowed for the requested URL")
			ann.with(header, "DELETE").send("GET /api/v1/items/1?_method=DELETE").want(200, "")
			ann.with(header, "DELETE").send("PATCH /api/v1/items/1", asForm("_method", "DELETE", "itemname", "bat")).want(200, "successfully updated item")
		}
		a.wantMaker("ann")
	}},
	{"no header leads a request to another path", "CWE-436; CWE-348", func(t *testing.T, a *api) {
		for _, header := range []string{"X-Original-Url", "X-Rewrite-Url", "X-Forwarded-Path", "X-Forwarded-Prefix", "X-Original-Uri"} {
			wantSame(t, header, a.asAdmin("root").send("GET /"), a.asAdmin("root").with(header, "/api/v1/users").send("GET /"))
			a.as("eve").with(header, "/").send("GET /api/v1/users").want(403, adminsOnly)
		}
	}},

	// Web pages.
	{"a page that points its own name here is sent away", "RFC 9110 §15.5.20; CWE-350", func(t *testing.T, a *api) {
		a.as("ann").send("POST /api/v1/items", ball)
		for _, host := range []string{
			"evil.example", "evil.example:8080", "localhost.evil.example", "evillocalhost", "127.0.0.1.nip.io", "127.0.0.1.evil.example:8080", "", "0.0.0.0", "0",
			"2130706433", "0x7f000001", "017700000001", "127.1", "localhost@evil.example", "localhost:80@evil.example", "evil.example#localhost", "evil.example?.localhost",
			"[::1].evil.example", "[::]", "[fe80::1]", "192.168.0.1", "localhost/evil.example", "localhost\x00.evil.example", "localhost,evil.example", "evil.example\\.localhost/",
		} {
			rebound := a.as("ann").with("Host", host).with("X-Forwarded-Host", "localhost")
			for _, got := range []*answer{
				rebound.send("GET /api/v1/items"),
				rebound.with("Sec-Fetch-Site", "same-origin").send(signInPath, annDetails),
			} {
				if got.status != 421 {
					t.Errorf("%v for the Host %q; want 421", got, host)
				}
			}
		}
	}},
	{"a foreign page may not read an answer", "OWASP ASVS 5, 3.4.2; CWE-942", func(t *testing.T, a *api) {
		for _, origin := range []string{
			"https://evil.example", "null", "http://localhost.evil.example", "http://evillocalhost", "http://127.0.0.1.evil.example", "http://localhost@evil.example",
			"http://evil.example/localhost", "http://evil.example#localhost", "file://", "chrome-extension://localhost", "http://[::1].evil.example", "http://[::2]",
			"https://evil.example https://localhost", "localhost", "*", "http://192.168.0.1", "javascript://localhost",
		} {
			page := a.as("ann").with("Origin", origin)
			for _, request := range []string{"GET /api/v1/auth/me", "GET /", "GET /nothing"} {
				page.send(request).wantHeader("Access-Control-Allow-Origin", "").wantHeader("Access-Control-Expose-Headers", "")
			}
			page.with("Access-Control-Request-Method", "DELETE").with("Access-Control-Request-Headers", "authorization").send("OPTIONS /api/v1/items/1").
				wantHeader("Access-Control-Allow-Origin", "").wantHeader("Access-Control-Allow-Methods", "").wantHeader("Access-Control-Allow-Headers", "")
		}
	}},
	{"no page may send credentials of the browser's own, whatever -cors says", "OWASP ASVS 5, 3.4.2; CWE-942", func(t *testing.T, _ *api) {
		for _, flag := range []string{"-cors=*", "-cors=loopback", "-cors=https://evil.example"} {
			a := newAPI(t, flag)
			for _, origin := range []string{"https://evil.example", "http://localhost:3000", "null"} {
				for _, request := range []string{"GET /api/v1/auth/me", "OPTIONS /api/v1/auth/me", signInPath} {
					a.as("ann").with("Origin", origin).with("Access-Control-Request-Method", "GET").send(request).
						wantHeader("Access-Control-Allow-Credentials", "")
				}
			}
		}
	}},
	{"a token in a cookie opens nothing, and no answer sets one", "CWE-352", func(t *testing.T, a *api) {
		token := a.session("ann").Access
		cookie := a.as("").with("Cookie", "access_token_cookie="+token+"; access_token="+token+"; token="+token+"; Authorization=Bearer "+token+"; x-access-token="+token)
		cookie.send("GET /api/v1/auth/me").want(401, "Missing Authorization Header")
		cookie.send("GET /bookapi/books").want(401, "A valid token is missing!")
		cookie.send(signInPath, annDetails).want(200, "").wantHeader("Set-Cookie", "")
	}},
	{"a foreign page's form signs no one in and no one up", "CWE-352", func(t *testing.T, a *api) {
		a.session("eve")
		a.reader("rae")
		bodies := slices.Collect(maps.Values(allForms("email", "eve@example.com", "username", "rae", "password", annPassword)))
		bodies = append(bodies, body{"text/plain", bodies[0].text})
		for _, b := range bodies {
			for _, page := range []*client{
				a.as("").with("Origin", "https://evil.example").with("Sec-Fetch-Site", "cross-site"),
				a.as("").with("Origin", "https://evil.example"), // an older browser
				a.as("").with("Origin", "null").with("Sec-Fetch-Site", "cross-site"),
				a.as("").with("Origin", "null"),
				a.as("").with("Sec-Fetch-Site", "cross-site"),
				a.as("").with("Sec-Fetch-Site", "same-site"),
			} {
				for _, request := range []string{signInPath, signUpPath, "POST /login", "POST /signup"} {
					page.send(request, b).want(403, "Web pages of other origins may not do this here; -cors names those that may")
				}
			}
		}
		a.wantAccounts(2)
	}},
	{"HTML in what people write is never served as HTML", "OWASP ASVS 5, 3.4.4; CWE-79", func(t *testing.T, a *api) {
		const html = `<script>alert(1)</script>`
		ann := a.as("ann").with("Accept", "text/html").with("X-Access-Token", a.session("ann").Access)
		ann.send("POST /api/v1/items", asForm("itemname", html, "category", html, "description", html)).want(201, "Created a new item")
		ann.send("POST /bookapi/books", asForm("title", html, "author", html)).want(200, "new book created")
		ann.send("PATCH /api/v1/auth/me", asForm("firstname", html, "username", html)).want(200, "")
		in := url.QueryEscape(html)
		for _, request := range []string{
			"GET /api/v1/items", "GET /api/v1/items/1", "GET /api/v1/items.html", "GET /api/v1/categories", "GET /bookapi/books", "GET /bookapi/books/1", "GET /api/v1/auth/me",
			"GET /api/v1/auth/tokens", "GET /" + in, "GET //" + in, "GET /api/v1/items?" + in, "GET /api/v1/items?q=" + in, "GET /api/v1/items?sort=" + in, "GET /bookapi/books/" + in,
			signInPath, "POST /login", "POST /signup", "PATCH /api/v1/items/1/" + in, "DELETE /api/v1/items/" + in,
		} {
			got := ann.send(request, asJSON(`{"`+html+`": 1, "`+html+`": 2}`))
			if mediaType, _, err := mime.ParseMediaType(got.header.Get("Content-Type")); err != nil || mediaType != "application/json" && mediaType != "text/plain" {
				t.Errorf("%v is %q; want JSON or plain text", got, got.header.Get("Content-Type"))
			}
			got.wantHeader("X-Content-Type-Options", "nosniff")
		}
	}},
	{"line ends in what clients send stay out of every header", "CWE-113", func(t *testing.T, a *api) {
		const split, quoted = "a\r\nSet-Cookie: a=b\r\n\r\n>; rel=\"evil\", <", "a%0d%0aSet-Cookie:%20a=b%0d%0a%0d%0a%3e%3b+rel=%22evil%22,+%3c"
		ann := a.as("ann")
		for range 2 {
			ann.send("POST /api/v1/items", asForm("itemname", split, "category", split, "description", split)).want(201, "Created a new item")
		}
		for _, request := range []string{
			"GET /api/v1/items?limit=1&category=" + quoted, "GET /api/v1/items?limit=1&q=" + quoted, "GET //" + quoted, "GET /api/v1/./items?" + quoted, "GET /api/v1/items/" + quoted,
			"GET /api/v1/items?limit=1&sort=itemname",
		} {
			got := ann.send(request)
			for name, values := range got.header {
				for _, value := range values {
					if strings.ContainsAny(name+value, "\r\n") || strings.Contains(value, `"evil"`) {
						t.Errorf("%v has the header %q: %q", got, name, value)
					}
				}
			}
			if strings.Contains(request, "limit") && got.header.Get("Link") == "" || strings.Contains(request, "/./") && got.header.Get("Location") == "" {
				t.Errorf("%v has neither Link nor Location: this row shows nothing", got)
			}
		}
	}},
	{"a redirect leads to no other server", "CWE-601", func(t *testing.T, a *api) {
		for _, path := range []string{"//evil.example", "///evil.example", "/\\evil.example", "//\\evil.example", "/./%2fevil.example", "/.//evil.example", "//%5cevil.example", "/api/..//evil.example", "//https://evil.example"} {
			r := httptest.NewRequest("GET", "/", nil)
			u, err := url.Parse("http://localhost" + path)
			if err != nil {
				t.Fatal(err)
			}
			r.URL, r.Host = &url.URL{Path: u.Path, RawPath: u.RawPath}, "localhost"
			to, err := url.Parse("http://localhost:8080/")
			if err != nil {
				t.Fatal(err)
			}
			location := a.as("").do(r).header.Get("Location")
			if to, err = to.Parse(location); err != nil || to.Host != "localhost:8080" || strings.HasPrefix(location, "/\\") {
				t.Errorf("GET %s leads to %q", path, location)
			}
		}
	}},
	{"a stranger's X-Forwarded headers don't choose where a Location leads", "CWE-348", func(t *testing.T, a *api) {
		a.as("ann").with("X-Forwarded-Host", "evil.example").with("X-Forwarded-Proto", "https").with("Forwarded", "host=evil.example;proto=https").
			send("POST /api/v1/items", ball).want(201, "Created a new item").wantHeader("Location", "http://localhost:8080/api/v1/items/1")
	}},

	// What gets out.
	{"an account is shown without its hash and its public id", "OWASP API3:2023; CWE-213", func(t *testing.T, a *api) {
		root := a.asAdmin("root")
		wantFields := func(got *answer, fields string) {
			t.Helper()
			for _, view := range dataOf[map[string]any](got) {
				if names := strings.Join(slices.Sorted(maps.Keys(view)), " "); names != fields {
					t.Errorf("%v shows %s; want %s", got, names, fields)
				}
			}
		}
		const all = "admin created_at createdon email firstname id lastname username"
		wantFields(root.send("GET /api/v1/auth/me"), all)
		wantFields(root.send("PATCH /api/v1/auth/me", asForm("firstname", "R")), all)
		wantFields(root.send("GET /api/v1/users"), "admin created_at createdon disabled email firstname id lastname username")
		wantFields(root.send("PATCH /api/v1/users/1", asJSON(`{}`)), "admin created_at createdon disabled email firstname id lastname username")
		wantFields(root.send("GET /api/v1/auth/tokens"), "expires jti revoked token_id token_type user_identity")
	}},
	{"no answer, no log line and no export holds a password, a hash, a token or a key", "OWASP API3:2023; CWE-532; CWE-200", func(t *testing.T, _ *api) {
		a, log := logging(t, journal.OS{}, "-lab")
		root, rae := a.asAdmin("root"), a.reader("rae")
		refresh := a.session("root").Refresh
		secrets := []string{a.config.labToken, annPassword, wrongGuess, tokenSecret, "$2a$", a.store.userByUsername("rae").Hash, a.store.userByUsername("rae").PublicID}
		tokens := []string{a.session("root").Access, refresh, rae.headers[1]}
		names := strings.NewReplacer("{id}", "2", "{field}", "itemname", "{$}", "")
		for _, rt := range a.routes() {
			request := names.Replace(rt.pattern)
			switch path := request[strings.LastIndexByte(request, '/'):]; {
			case path == "/jwks.json", path == "/openapi.json": // the same for everybody
				continue
			case path == "/events", path == "/logout", path == "/sessions", rt.pattern == "PATCH /api/v1/users/{id}", rt.pattern == "DELETE /api/v1/users/{id}":
				continue // the first has no end, the others would end the tokens and the accounts
			}
			for _, c := range []*client{a.as(""), root, rae, a.as("").bearing(refresh), root.with("X-Access-Token", tokens[0]), a.as("").bearing(tokens[0] + "x")} {
				for _, b := range []body{
					{}, ball, dune, asJSON(`{"`), asJSON(`{"password": ["` + annPassword + `"]}`), asJSON(`{"password": "` + annPassword + `", "password": ""}`),
					asForm("email", "root@example.com", "username", "rae", "password", wrongGuess, "current_password", wrongGuess, "new_password", annPassword),
				} {
					got := c.send(request, b)
					text := got.body + fmt.Sprint(got.header)
					for _, secret := range append(secrets, tokens...) {
						if strings.Contains(text, secret) {
							t.Errorf("%v holds %.20s…", got, secret)
						}
					}
				}
			}
		}
		for _, secret := range append(secrets, append(tokens, "eyJ", "Bearer ")...) {
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log holds %.20s…", secret)
			}
		}
		for _, bare := range []bool{true, false} {
			export := string(a.store.Snapshot().Export(tokenNow, !bare))
			for _, secret := range append(tokens, annPassword, tokenSecret) {
				if strings.Contains(export, secret) {
					t.Errorf("the export holds %.20s…", secret)
				}
			}
			if strings.Contains(export, "$2a$") == bare {
				t.Errorf("the export with -secrets %v has hashes: %v", !bare, bare)
			}
		}
	}},
	{"a panic shows a client nothing but an id", "CWE-209", func(t *testing.T, _ *api) {
		a, log := logging(t, journal.OS{})
		for _, path := range []string{"/api/v1/panic", "/bookapi/panic"} {
			a.mux.Handle("GET "+path, a.answering(func(http.ResponseWriter, *http.Request) error {
				panic("hush at /srv/shelf.jsonl")
			}))
			a.mux.Handle("POST "+path, a.answering(func(http.ResponseWriter, *http.Request) error {
				return errors.New("hush at /srv/shelf.jsonl")
			}))
			for _, method := range []string{"GET ", "POST "} {
				got := a.as("ann").send(method + path)
				text := got.body + fmt.Sprint(got.header)
				for _, inside := range []string{"hush", "/srv", "shelf.jsonl", ".go", "goroutine", "runtime", "0x"} {
					if got.status != 500 || strings.Contains(text, inside) {
						t.Errorf("%v shows %q", got, inside)
					}
				}
				if id := got.header.Get(serve.RequestID); id == "" || !strings.Contains(log.String(), id) {
					t.Errorf("the log has nothing of %q", id)
				}
			}
		}
		a.as("ann").send("GET /api/v1/items").want(200, "")
	}},
	{"a failing disk shows a client nothing of the machine", "CWE-209", func(t *testing.T, _ *api) {
		fault := &diskFault{}
		a := startAPI(t, &stoppedClock{at: tokenNow}, fault.disk(), slog.DiscardHandler, onDisk(t))
		rae := a.reader("rae")
		a.session("ann")
		inside := &os.PathError{Op: "write", Path: "/srv/hush/shelf.jsonl", Err: errors.New("input/output error")}
		for _, fail := range []func(){func() { fault.set(noRoom(), nil) }, func() { fault.set(inside, nil) }, func() { fault.set(nil, inside) }} {
			fail()
			for _, got := range []*answer{
				a.as("").send(signUpPath, signingIn("bob@example.com", annPassword)), a.as("ann").send("POST /api/v1/items", ball), a.as("").send("POST /login", raeDetails),
				a.as("").send("POST /signup", asForm("username", "kim", "password", "secret")), rae.send("POST /bookapi/addbook", dune), a.as("ann").send("DELETE /api/v1/auth/logout"),
			} {
				for _, word := range []string{"hush", "/srv", "jsonl", "input/output", "no space", "write ", "sync", "errno", a.config.data} {
					if got.status != 503 && got.status != 507 || strings.Contains(got.body, word) {
						t.Errorf("%v; want 503 or 507 without %q", got, word)
					}
				}
			}
		}
		fault.set(nil, nil)
	}},
	{"nothing that a client sends forges a line of the log", "CWE-117", func(t *testing.T, _ *api) {
		log := &capture{}
		a := startAPI(t, &stoppedClock{at: tokenNow}, journal.OS{}, slog.NewTextHandler(log, nil))
		const forged = "x\r\nlevel=ERROR msg=forged\x1b[2J\u2028"
		ann := a.as("ann").with("X-Request-Id", forged).with("User-Agent", forged).with("Referer", forged).with("Origin", forged)
		a.mux.Handle("GET /panic", a.answering(func(_ http.ResponseWriter, r *http.Request) error { panic(r.Header.Get("User-Agent")) }))
		for _, path := range []string{"/api/v1/items", "/panic", "/nothing", "/api/v1/auth/signin", "/login"} {
			for _, method := range []string{"GET", "POST", forged} {
				r := httptest.NewRequest("GET", path, strings.NewReader(asForm("email", forged, "username", forged, "password", forged).text))
				r.Method, r.Host = method, "localhost"
				r.Header.Set("Content-Type", formType)
				r.URL.Path, r.URL.RawQuery = path+"/"+forged, forged
				if method != forged {
					r.URL.Path = path
				}
				ann.do(r)
			}
		}
		for line := range strings.Lines(log.String()) {
			rest, ok := strings.CutPrefix(line, "time=")
			if i := strings.IndexFunc(strings.TrimSuffix(rest, "\n"), func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' }); !ok || i >= 0 {
				t.Errorf("the log has the line %q", line)
			}
		}
		if !strings.Contains(log.String(), `panic="x\r\nlevel=ERROR`) {
			t.Error("the log has no panic: this row shows nothing")
		}
	}},
	{"a client's X-Request-Id names nothing in the log", "CWE-345; CWE-117", func(t *testing.T, _ *api) {
		a, log := logging(t, journal.OS{})
		const theirs = "AAAAAAAAAAAAAAAAAAAAAAAAAA"
		for _, name := range []string{"X-Request-Id", "X-Correlation-Id", "Traceparent"} {
			if got := a.as("").with(name, theirs).send("GET /"); got.header.Get(serve.RequestID) == theirs || got.header.Get(serve.RequestID) == "" {
				t.Errorf("%v has the %s %q", got, serve.RequestID, got.header.Get(serve.RequestID))
			}
		}
		if strings.Contains(log.String(), theirs) {
			t.Errorf("the log has it: %s", log)
		}
	}},

	// Lists, changes and streams.
	{"a forged cursor reads nothing that its list doesn't have", "CWE-345; CWE-20", func(t *testing.T, a *api) {
		ann := a.as("ann")
		for i := range 4 {
			ann.send("POST /api/v1/items", asForm("itemname", "i"+strconv.Itoa(i), "category", strconv.Itoa(i%2), "description", "d")).want(201, "Created a new item")
			a.as("ann").with("X-Access-Token", a.session("ann").Access).send("POST /bookapi/books", asForm("title", "t"+strconv.Itoa(i), "author", "a"))
		}
		const list = "/api/v1/items?category=0&limit=1"
		_, rest, _ := strings.Cut(ann.send("GET "+list).header.Get("Link"), "after=")
		good, _, _ := strings.Cut(rest, "&")
		text, err := base64.RawURLEncoding.DecodeString(good)
		if err != nil || !strings.Contains(string(text), `"id":1`) {
			t.Fatalf("the cursor is %q, %v", text, err)
		}
		forgedID := func(id string) string {
			return base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(text), `"id":1`, `"id":`+id, 1)))
		}
		ann.send("GET "+list+"&after="+good).want(200, "")
		for _, got := range dataOf[thing](ann.send("GET /api/v1/items?category=0&limit=9&after=" + forgedID("2"))) {
			if got.Category != "0" || got.ID < 3 {
				t.Errorf("a forged cursor reads %+v, which its list doesn't have there", got)
			}
		}
		for _, request := range []string{
			"/api/v1/items?category=1&limit=1&after=" + good, "/api/v1/items?limit=1&after=" + good, "/api/v1/items?category=0&limit=1&sort=itemname&after=" + good, "/bookapi/books?limit=1&after=" + good,
			list + "&after=" + forgedID("0"), list + "&after=" + forgedID("-1"), list + "&after=" + forgedID(`"1"`), list + "&after=" + forgedID("1e3"), list + "&after=" + forgedID("99999999999999999999"),
			list + "&after=" + good[1:], list + "&after=" + good + "%3d", list + "&after=1", list + "&after=../../etc/passwd", list + "&after=" + strings.Repeat("A", 10_000), list + "&after=" + good + "&after=" + good,
		} {
			if got := ann.with("X-Access-Token", a.session("ann").Access).send("GET " + request); got.status != 400 || !strings.Contains(got.says(), "'after'") {
				t.Errorf("%v; want 400 for its after", got)
			}
		}
	}},
	{"a forged page of users is refused or empty, and never for who is no admin", "OWASP API5:2023; CWE-20", func(t *testing.T, a *api) {
		root := a.asAdmin("root")
		for _, after := range []string{"-1", "0x0", "1e9", "%00", "null", "%D9%A1", "%2B0"} {
			root.send("GET /api/v1/users?after="+after).want(400, "Invalid query: 'after' must be the id of a user")
			a.as("eve").send("GET /api/v1/users?after="+after).want(403, adminsOnly)
		}
		for _, after := range []string{"9223372036854775807", "99999999999999999999"} {
			root.send("GET /api/v1/users?after="+after).wantBody(200, `{"status":200,"data":[]}`)
		}
		root.send("GET /api/v1/users?limit=100000").want(400, "Invalid query: 'limit' must be a number from 1 to 1000")
	}},
	{"a change made on what was read too long ago is refused", "RFC 9110 §13.1.1; CWE-367", func(t *testing.T, a *api) {
		ann := a.as("ann")
		tag := ann.send("POST /api/v1/items", ball).want(201, "Created a new item").header.Get("ETag")
		ann.with("If-Match", tag).send("PATCH /api/v1/items/1", asForm("itemname", "first")).want(200, "successfully updated item")
		const (
			stale = "If-Match names another ETag: this was changed since you read it"
			weak  = `If-Match takes no weak ETag, and this one was made weak on its way, as proxies do that compress: read it again with "Accept-Encoding: identity"`
		)
		late := ann.with("If-Match", tag)
		late.send("PATCH /api/v1/items/1", asForm("itemname", "late")).want(412, stale)
		late.send("PATCH /api/v1/items/1/itemname", asForm("itemname", "late")).want(412, stale)
		late.send("PUT /api/v1/items/1", ball).want(412, stale)
		late.send("DELETE /api/v1/items/1").want(412, stale)
		for _, malformed := range []string{"", tag[1:], strings.Trim(tag, `"`), "'x'", tag + " x", "W/x", "* ," + tag} {
			if got := ann.with("If-Match", malformed).send("DELETE /api/v1/items/1"); got.status != 400 && got.status != 412 {
				t.Errorf("%v with If-Match: %s; want it refused", got, malformed)
			}
		}
		ann.with("If-Match", "W/"+ann.send("GET /api/v1/items/1").header.Get("ETag")).send("DELETE /api/v1/items/1").want(412, weak) // which matches nothing here
		if got := row[thing](ann.send("GET /api/v1/items/1")); got.Itemname != "first" {
			t.Errorf("the item is %+v; want it as it was changed first", got)
		}
	}},
	{"of fifty changes at once on one reading one is made", "RFC 9110 §13.1.1; CWE-362", func(t *testing.T, a *api) {
		ann := a.as("ann")
		late := ann.with("If-Match", ann.send("POST /api/v1/items", ball).header.Get("ETag"))
		got := a.together(func(i int) *answer {
			return late.send("PATCH /api/v1/items/1", asForm("itemname", "name"+strconv.Itoa(i)))
		})
		if got[200] != 1 || got[412] != 49 {
			t.Errorf("the statuses are %v; want one 200 and 49 times 412", got)
		}
	}},
	{"a stream of events ends with the log-out of its sign-in", "OWASP ASVS 5, 7.4.1; CWE-613", func(t *testing.T, _ *api) {
		synctest.Test(t, func(t *testing.T) {
			a := newAPI(t)
			listening, w := a.session("ann"), httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/api/v1/events", nil).WithContext(t.Context())
			r.Host = "localhost"
			r.Header.Set("Authorization", "Bearer "+listening.Access)
			ended := make(chan struct{})
			go func() { a.ServeHTTP(w, r); close(ended) }()
			synctest.Wait()
			a.as("bob").send("POST /api/v1/items", asForm("itemname", "before", "category", "c", "description", "d")).want(201, "Created a new item")
			synctest.Wait()
			a.as("").bearing(listening.Refresh).send("DELETE /api/v1/auth/logout").want(200, "Successfully logged out")
			a.as("bob").send("POST /api/v1/items", asForm("itemname", "after", "category", "c", "description", "d")).want(201, "Created a new item")
			select {
			case <-ended:
			case <-time.After(time.Second):
				t.Fatal("the stream goes on a second after the log-out")
			}
			if text := w.Body.String(); !strings.Contains(text, "before") || strings.Contains(text, "after") {
				t.Errorf("the stream told %q; want what was before the log-out alone", text)
			}
		})
	}},
	{"an account holds no more than eight streams of events", "OWASP API4:2023; CWE-770", func(t *testing.T, _ *api) {
		synctest.Test(t, func(t *testing.T) {
			a := newAPI(t)
			first, later := a.session("eve"), a.signIn("signin", "eve")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			follow := func(token string) *http.Request {
				r := httptest.NewRequest("GET", "/api/v1/events", nil).WithContext(ctx)
				r.Host = "localhost"
				r.Header.Set("Authorization", "Bearer "+token)
				return r
			}
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() { a.ServeHTTP(httptest.NewRecorder(), follow(first.Access)) })
			}
			synctest.Wait()
			for _, token := range []string{first.Access, later.Access} {
				a.as("").do(follow(token)).want(429, "Too many event streams: an account may have 8 at a time")
			}
			cancel()
			all.Wait()
		})
	}},
}

// heldBack sends a request whose body arrives after something else has happened.
func (c *client) heldBack(request, text string, meanwhile func()) *answer {
	method, path, _ := strings.Cut(request, " ")
	r := httptest.NewRequest(method, path, &bodyAfter{Reader: strings.NewReader(text), first: meanwhile})
	r.Host = "localhost"
	r.Header.Set("Content-Type", "application/json")
	return c.do(r)
}
