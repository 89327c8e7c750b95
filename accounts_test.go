package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/token"
)

const (
	accountPassword = "b00k-worm"
	accountAnew     = "n3w-worm!"
)

// An accountKit is a server on a file of its own. Every account's password is
// accountPassword.
type accountKit struct {
	gate   gate // of the disk
	t      *testing.T
	path   string
	keys   *token.Keyring
	now    time.Time // to be set between requests only
	server *server
}

func newAccountKit(t *testing.T) *accountKit {
	t.Helper()
	k := &accountKit{
		t: t, path: filepath.Join(t.TempDir(), "shelf.jsonl"), keys: token.MemoryKeys(token.HS256),
		now: time.Date(2026, 11, 22, 14, 5, 0, 0, time.UTC),
	}
	k.open()
	t.Cleanup(func() { k.server.store.Close() })
	return k
}

func (k *accountKit) open() {
	k.t.Helper()
	log := slog.New(slog.DiscardHandler)
	clock := func() time.Time { return k.now }
	st, err := openStore(k.gate.disk(), k.path, log, clock)
	if err != nil {
		k.t.Fatal(err)
	}
	c := defaultSettings
	c.bcryptCost, c.refreshTTL, c.tokenTTL = password.MinCost, 24*time.Hour, time.Hour
	k.server = newServer(c, st, k.keys, log, clock, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080})
	k.server.hashes.Patience = time.Hour // as in startAPI
}

// restart closes the file and reads it again.
func (k *accountKit) restart() {
	k.t.Helper()
	if err := k.server.store.Close(); err != nil {
		k.t.Fatal(err)
	}
	k.open()
}

// An accountReply is an answer of either API.
type accountReply struct {
	status  int
	text    string // the whole body
	said    string // its error or message
	header  http.Header
	request string
}

// send makes a request like "GET /api/v1/auth/me". A body is JSON if it begins
// with a brace, else a form.
func (k *accountKit) send(token, request, body string) accountReply {
	method, target, _ := strings.Cut(request, " ")
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost:8080"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(body, "{") {
		r.Header.Set("Content-Type", "application/json")
	}
	switch {
	case token == "":
	case strings.HasPrefix(target, "/bookapi"):
		r.Header.Set("X-Access-Token", token)
	default:
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := ask(k.server, r)
	reply := accountReply{status: w.Code, text: w.Body.String(), header: w.Header(), request: request + " " + body}
	var told struct{ Error, Message string }
	if json.Unmarshal(w.Body.Bytes(), &told) != nil {
		told.Message = reply.text // /login's
	}
	reply.said = told.Error + told.Message
	return reply
}

// must sends a request that has to be answered like that; said "" is any.
func (k *accountKit) must(status int, said, token, request, body string) accountReply {
	k.t.Helper()
	got := k.send(token, request, body)
	if got.status != status || said != "" && got.said != said {
		k.t.Errorf("%s = %d %s; want %d %s", got.request, got.status, strings.TrimSpace(got.text), status, said)
	}
	return got
}

// An accountLogin is a sign-in.
type accountLogin struct {
	ID              int
	access, refresh string
}

func (k *accountKit) login(status int, path, name, password string) accountLogin {
	k.t.Helper()
	reply := k.send("", "POST "+path, fmt.Sprintf(`{"email":"%s@example.com","password":%q}`, name, password))
	if reply.status != status {
		k.t.Fatalf("%s for %s = %d %s", path, name, reply.status, reply.text)
	}
	return accountLoginOf(reply)
}

func accountLoginOf(reply accountReply) accountLogin {
	var body struct {
		Data []struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
			User    struct{ ID int }
		}
	}
	if json.Unmarshal([]byte(reply.text), &body) != nil || len(body.Data) != 1 {
		return accountLogin{}
	}
	return accountLogin{body.Data[0].User.ID, body.Data[0].Access, body.Data[0].Refresh}
}

func (k *accountKit) signUp(name string) accountLogin {
	k.t.Helper()
	return k.login(http.StatusCreated, "/api/v1/auth/signup", name, accountPassword)
}

func (k *accountKit) signIn(name string) accountLogin {
	k.t.Helper()
	return k.login(http.StatusOK, "/api/v1/auth/signin", name, accountPassword)
}

// admin signs an admin up.
func (k *accountKit) admin(name string) accountLogin {
	k.t.Helper()
	u, yes := k.signUp(name), true
	if _, err := k.server.store.as(theOperator).setAccess(u.ID, &yes, nil); err != nil {
		k.t.Fatal(err)
	}
	return u
}

// bookLogin signs a book account up and in.
func (k *accountKit) bookLogin(name string) string {
	k.t.Helper()
	credentials := "username=" + name + "&password=" + accountPassword
	k.must(http.StatusCreated, "", "", "POST /signup", credentials)
	var token struct{ Token string }
	json.Unmarshal([]byte(k.must(http.StatusCreated, "", "", "POST /login", credentials).text), &token)
	return token.Token
}

// good and ended say what a bearer token has to be worth now.
func (k *accountKit) good(tokens ...string) {
	k.t.Helper()
	for i, token := range tokens {
		if got := k.send(token, "GET /api/v1/auth/me", ""); got.status != http.StatusOK {
			k.t.Errorf("token %d: %d %s; want a good one", i+1, got.status, got.said)
		}
	}
}

func (k *accountKit) ended(said string, tokens ...string) {
	k.t.Helper()
	for i, token := range tokens {
		got := k.send(token, "POST /api/v1/auth/refresh", "")
		if got.status == http.StatusUnprocessableEntity { // an access token
			got = k.send(token, "GET /api/v1/auth/me", "")
		}
		if got.status != http.StatusUnauthorized || got.said != said {
			k.t.Errorf("token %d: %d %s; want 401 %s", i+1, got.status, got.said, said)
		}
	}
}

const accountRevoked = "Token has been revoked"

// Each of these goes to a server with an admin (1), a catalog account, ann (2),
// and a book account, bob (3).
var accountRequests = []struct {
	name, as, request, body string
	status                  int
	want                    string // the error or message, or a part of the body if it starts with a quote
}{
	{"an account reads itself", "ann", "GET /api/v1/auth/me", "", 200,
		`"data":[{"id":2,"username":"ann@example.com","email":"ann@example.com","firstname":"","lastname":"","admin":false,"createdon":"Sun, 22 Nov 2026 14:05 PM","created_at":"2026-11-22T14:05:00Z"}]`},
	{"a book account is one like any other", "bob", "GET /api/v1/auth/me", "", 200, `"id":3,"username":"bob","email":""`},
	{"a call without a token has no account", "", "GET /api/v1/auth/me", "", 401, "Missing Authorization Header"},
	{"a refresh token is not enough", "ann's refresh token", "GET /api/v1/auth/me", "", 422, "Only non-refresh tokens are allowed"},
	{"a refresh token doesn't log out everywhere", "ann's refresh token", "DELETE /api/v1/auth/sessions", "", 422, "Only non-refresh tokens are allowed"},
	{"another method is refused", "ann", "PUT /api/v1/auth/me", "", 405, "The method is not allowed for the requested URL"},

	{"an account changes its names", "ann", "PATCH /api/v1/auth/me", `{"username":" annie ","firstname":"Ann","lastname":"Øst"}`, 200,
		`"id":2,"username":"annie","email":"ann@example.com","firstname":"Ann","lastname":"Øst"`},
	{"nothing given changes nothing", "ann", "PATCH /api/v1/auth/me", "", 200, `"username":"ann@example.com"`},
	{"null is not given", "ann", "PATCH /api/v1/auth/me", `{"username":null}`, 200, `"username":"ann@example.com"`},
	{"no account makes itself an admin", "ann", "PATCH /api/v1/auth/me", `{"admin":true,"id":1,"email":"root@example.com"}`, 200, `"id":2,"username":"ann@example.com","email":"ann@example.com","firstname":"","lastname":"","admin":false`},
	{"a blank username is none", "ann", "PATCH /api/v1/auth/me", "username=+", 400, "Invalid username"},
	{"a username has at most 120 characters", "ann", "PATCH /api/v1/auth/me", "username=" + strings.Repeat("x", 121), 400, "Invalid username"},
	{"a firstname has at most 64 characters", "ann", "PATCH /api/v1/auth/me", "firstname=" + strings.Repeat("x", 65), 400, "Invalid firstname"},
	{"a lastname has at most 64 characters", "ann", "PATCH /api/v1/auth/me", "lastname=" + strings.Repeat("x", 65), 400, "Invalid lastname"},
	{"another's e-mail is no username", "ann", "PATCH /api/v1/auth/me", "username=root@example.com", 400, "Invalid username"},
	{"an e-mail is no username of a book account", "bob", "PATCH /api/v1/auth/me", "username=bob@example.com", 400, "Invalid username"},
	{"one's own e-mail is one in any case", "ann", "PATCH /api/v1/auth/me", "username=Ann@example.com", 200, `"username":"Ann@example.com"`},
	{"a username that is taken is refused", "ann", "PATCH /api/v1/auth/me", "username=bob", 400, "User already exists"},
	{"one's own username is not taken", "bob", "PATCH /api/v1/auth/me", "username=bob&firstname=Bob", 200, `"firstname":"Bob"`},
	{"a name is text", "ann", "PATCH /api/v1/auth/me", `{"firstname":5}`, 400, "Invalid request body: 'firstname' must be a string"},

	{"a password is changed by its owner, who knows it", "ann", "POST /api/v1/auth/password", "current_password=b00k-worm&new_password=n3w-worm!", 200, "Password successfully changed"},
	{"a stolen token doesn't change the password", "ann", "POST /api/v1/auth/password", "current_password=guess-1&new_password=n3w-worm!", 403, "Wrong password"},
	{"the current password has to be given", "ann", "POST /api/v1/auth/password", "new_password=n3w-worm!", 400, "Missing 'current_password' in body"},
	{"a new password has to be given", "ann", "POST /api/v1/auth/password", "current_password=b00k-worm", 400, badPassword},
	{"the new password keeps the rule of sign-up", "ann", "POST /api/v1/auth/password", "current_password=guess-1&new_password=worm", 400, badPassword},
	{"no password is cut off silently", "ann", "POST /api/v1/auth/password", "current_password=b00k-worm&new_password=1-" + strings.Repeat("x", 71), 400, "Invalid password. It should be at most 72 bytes long"},
	{"a password is never trimmed", "ann", "POST /api/v1/auth/password", "current_password=+b00k-worm&new_password=n3w-worm!", 403, "Wrong password"},
	{"a book account keeps the rule of its own sign-up", "bob", "POST /api/v1/auth/password", "current_password=b00k-worm&new_password=worm", 200, "Password successfully changed"},
	{"an empty password is none", "bob", "POST /api/v1/auth/password", "current_password=b00k-worm", 400, "Invalid password. It should not be empty"},

	{"an account goes with its password", "ann", "DELETE /api/v1/auth/me", `{"password":"b00k-worm"}`, 200, `"data":[{"id":2,"message":"User has been deleted"}]`},
	{"a stolen token doesn't delete the account", "ann", "DELETE /api/v1/auth/me", `{"password":"guess-1"}`, 403, "Wrong password"},
	{"deleting oneself takes a password", "ann", "DELETE /api/v1/auth/me", "", 400, "Missing 'password' in body"},
	{"the last admin can't go", "root", "DELETE /api/v1/auth/me", `{"password":"b00k-worm"}`, 409, "This is the last enabled admin: make another account an admin first"},

	{"everywhere means everywhere", "ann", "DELETE /api/v1/auth/sessions", "", 200, "Successfully logged out everywhere"},

	{"admins see all accounts", "root", "GET /api/v1/users", "", 200, `"id":3,"username":"bob","email":"","firstname":"","lastname":"","admin":false,"createdon":"Sun, 22 Nov 2026 14:05 PM","created_at":"2026-11-22T14:05:00Z","disabled":false}]}`},
	{"no answer has a hash", "root", "GET /api/v1/users", "", 200, `"admin":true,"createdon":"Sun, 22 Nov 2026 14:05 PM","created_at":"2026-11-22T14:05:00Z","disabled":false},{`},
	{"others don't", "ann", "GET /api/v1/users?limit=zero", "", 403, "Only admins can access this endpoint"},
	{"a page has a size", "root", "GET /api/v1/users?limit=1&after=1", "", 200, `"data":[{"id":2,`},
	{"an empty page is a list", "root", "GET /api/v1/users?after=3", "", 200, `"data":[]`},
	{"no id is too large to come after", "root", "GET /api/v1/users?after=99999999999999999999", "", 200, `"data":[]`},
	{"not even the largest", "root", "GET /api/v1/users?after=9223372036854775807", "", 200, `"data":[]`},
	{"a page has at least one account", "root", "GET /api/v1/users?limit=0", "", 400, "Invalid query: 'limit' must be a number from 1 to 1000"},
	{"a page has at most a thousand", "root", "GET /api/v1/users?limit=1001", "", 400, "Invalid query: 'limit' must be a number from 1 to 1000"},
	{"an empty limit is none", "root", "GET /api/v1/users?limit=", "", 400, "Invalid query: 'limit' must not be empty"},
	{"after takes an id", "root", "GET /api/v1/users?after=-1", "", 400, "Invalid query: 'after' must be the id of a user"},
	{"a parameter is given once", "root", "GET /api/v1/users?limit=1&limit=2", "", 400, "Invalid query: 'limit' must be given only once"},
	{"a parameter that there isn't is named", "root", "GET /api/v1/users?Limit=1", "", 400, "Invalid query: 'Limit' must be written 'limit'"},
	{"a broken query string is refused", "root", "GET /api/v1/users?limit=%zz", "", 400, `"Invalid query: 'limit' has an invalid URL escape \"%zz\""`},

	{"an admin makes another", "root", "PATCH /api/v1/users/2", `{"admin":true}`, 200, `"admin":true,"createdon":"Sun, 22 Nov 2026 14:05 PM","created_at":"2026-11-22T14:05:00Z","disabled":false}]}`},
	{"a form says it in its own words", "root", "PATCH /api/v1/users/2", "disabled=True", 200, `"disabled":true}]}`},
	{"an admin without a change to make reads", "root", "PATCH /api/v1/users/2", `{"password":"x","hash":"y"}`, 200, `"id":2,"username":"ann@example.com"`},
	{"others change no account", "ann", "PATCH /api/v1/users/2", `{"admin":true}`, 403, "Only admins can access this endpoint"},
	{"others delete no account", "ann", "DELETE /api/v1/users/2", "", 403, "Only admins can access this endpoint"},
	{"the token comes before the id", "", "PATCH /api/v1/users/x", "", 401, "Missing Authorization Header"},
	{"the id comes before the body", "root", "PATCH /api/v1/users/x", `{`, 400, "User ID should be an integer"},
	{"the body comes before existence", "root", "PATCH /api/v1/users/99", `{"admin":"yes"}`, 400, "Invalid request body: 'admin' must be a boolean"},
	{"only who exists is changed", "root", "PATCH /api/v1/users/99", `{"admin":true}`, 404, "User does not exist"},
	{"an id can be too large to exist", "root", "DELETE /api/v1/users/99999999999999999999", "", 404, "User does not exist"},
	{"an id is made of digits", "root", "DELETE /api/v1/users/-1", "", 400, "User ID should be an integer"},
	{"an admin deletes another account", "root", "DELETE /api/v1/users/3", "", 200, `"data":[{"id":3,"message":"User has been deleted"}]`},
	{"the last admin can't be demoted", "root", "PATCH /api/v1/users/1", `{"admin":false}`, 409, "This is the last enabled admin: make another account an admin first"},
	{"the last admin can't be disabled", "root", "PATCH /api/v1/users/1", `{"disabled":true}`, 409, "This is the last enabled admin: make another account an admin first"},
	{"the last admin can't be deleted", "root", "DELETE /api/v1/users/1", "", 409, "This is the last enabled admin: make another account an admin first"},
	{"what the last admin is already it may be told", "root", "PATCH /api/v1/users/1", `{"admin":true,"disabled":false}`, 200, `"admin":true`},
}

func TestAccountRequests(t *testing.T) {
	t.Parallel()
	for _, tt := range accountRequests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := newAccountKit(t)
			root, ann := k.admin("root"), k.signUp("ann")
			tokens := map[string]string{"": "", "root": root.access, "ann": ann.access, "ann's refresh token": ann.refresh, "bob": k.bookLogin("bob")}
			got := k.send(tokens[tt.as], tt.request, tt.body)
			right := got.said == tt.want
			if strings.HasPrefix(tt.want, `"`) {
				right = strings.Contains(got.text, tt.want)
			}
			if got.status != tt.status || !right {
				t.Errorf("%s = %d %s\nwant %d %s", got.request, got.status, got.text, tt.status, tt.want)
			}
			if strings.Contains(got.text, "$2a$") || strings.Contains(got.text, "public_id") {
				t.Errorf("%s shows too much: %s", got.request, got.text)
			}
		})
	}
}

func TestAccountPages(t *testing.T) {
	t.Parallel()
	k := newAccountKit(t)
	root := k.admin("root")
	for i := range 4 {
		k.signUp(fmt.Sprintf("reader%d", i))
	}
	var ids []int
	request := "GET http://localhost:8080/api/v1/users?limit=2"
	for range 3 {
		reply := k.must(http.StatusOK, "", root.access, request, "")
		var page struct{ Data []struct{ ID int } }
		if err := json.Unmarshal([]byte(reply.text), &page); err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Data {
			ids = append(ids, u.ID)
		}
		next, ok := strings.CutSuffix(reply.header.Get("Link"), `>; rel="next"`)
		if !ok {
			break
		}
		request = "GET " + strings.TrimPrefix(next, "<")
	}
	if fmt.Sprint(ids) != "[1 2 3 4 5]" {
		t.Errorf("following the links gave users %v; want 1 to 5, each once", ids)
	}
}

// What follows takes more than one request to tell.
var accountStories = []struct {
	name string
	tell func(k *accountKit)
}{
	{"a password change ends every other sign-in, and this one goes on", func(k *accountKit) {
		here, there := k.signUp("ann"), k.signIn("ann")
		k.must(200, "", here.access, "POST /api/v1/auth/password", "current_password="+accountPassword+"&new_password="+accountAnew)
		for range 2 { // the second time after a restart
			k.good(here.access)
			k.must(200, "", here.refresh, "POST /api/v1/auth/refresh", "")
			k.ended(accountRevoked, there.access, there.refresh)
			k.must(401, "Bad email or password", "", "POST /api/v1/auth/signin", "email=ann@example.com&password="+accountPassword)
			k.must(200, "", "", "POST /api/v1/auth/signin", "email=ann@example.com&password="+accountAnew)
			k.restart()
		}
	}},
	{"what a password change ended is not restored", func(k *accountKit) {
		here, there := k.signUp("ann"), k.signIn("ann")
		k.must(200, "", here.access, "PUT /api/v1/auth/tokens/3", "revoke=true")
		k.must(200, "", here.access, "POST /api/v1/auth/password", "current_password="+accountPassword+"&new_password="+accountAnew)
		k.must(409, "", here.access, "PUT /api/v1/auth/tokens/3", "revoke=false")
		k.ended(accountRevoked, there.access)
	}},
	{"a book account's password change ends its other sign-ins", func(k *accountKit) {
		there := k.bookLogin("bob")
		var here struct{ Token string }
		json.Unmarshal([]byte(k.must(201, "", "", "POST /login", "username=bob&password="+accountPassword).text), &here)
		k.must(200, "", here.Token, "POST /api/v1/auth/password", "current_password="+accountPassword+"&new_password="+accountAnew)
		k.must(401, "Invalid token!", there, "GET /bookapi/books", "")
		k.must(200, "", here.Token, "GET /bookapi/books", "")
	}},
	{"logging out everywhere ends all of one's sign-ins and no one else's", func(k *accountKit) {
		here, there, other := k.signUp("ann"), k.signIn("ann"), k.signUp("eve")
		k.must(200, "", here.access, "DELETE /api/v1/auth/sessions", "")
		k.ended(accountRevoked, here.access, here.refresh, there.access, there.refresh)
		k.good(other.access)
		k.restart()
		k.ended(accountRevoked, here.access, here.refresh, there.access, there.refresh)
		k.good(other.access, k.signIn("ann").access)
	}},
	{"a demotion holds from the next request on", func(k *accountKit) {
		root, ann := k.admin("root"), k.admin("ann")
		k.must(200, "", ann.access, "GET /api/v1/users", "")
		k.must(200, "", root.access, "PATCH /api/v1/users/2", `{"admin":false}`)
		k.must(403, "Only admins can access this endpoint", ann.access, "GET /api/v1/users", "")
		k.good(ann.access)
	}},
	{"a promotion holds from the next request on, and after a restart", func(k *accountKit) {
		root, ann := k.admin("root"), k.signUp("ann")
		k.must(200, "", root.access, "PATCH /api/v1/users/2", `{"admin":true}`)
		k.must(200, "", ann.access, "GET /api/v1/users", "")
		k.restart()
		k.must(200, "", ann.access, "PATCH /api/v1/users/1", `{"admin":false}`)
		k.must(403, "", root.access, "GET /api/v1/users", "")
	}},
	{"a disabled account is out at the next request, and can't come in", func(k *accountKit) {
		root, ann, bob := k.admin("root"), k.signUp("ann"), k.bookLogin("bob")
		k.must(200, "", root.access, "PATCH /api/v1/users/2", `{"disabled":true}`)
		k.must(200, "", root.access, "PATCH /api/v1/users/3", `{"disabled":true}`)
		for range 2 {
			k.ended("Account is disabled", ann.access, ann.refresh)
			k.must(401, "Account is disabled", "", "POST /api/v1/auth/signin", "email=ann@example.com&password="+accountPassword)
			k.must(401, "Bad email or password", "", "POST /api/v1/auth/signin", "email=ann@example.com&password=guess-1")
			k.must(401, "Invalid token!", bob, "GET /bookapi/books", "")
			k.must(401, "Could not verify!", "", "POST /login", "username=bob&password="+accountPassword)
			k.restart()
		}
	}},
	{"enabling an account doesn't bring its old tokens back", func(k *accountKit) {
		root, ann := k.admin("root"), k.signUp("ann")
		k.must(200, "", ann.access, "PUT /api/v1/auth/tokens/4", "revoke=true")
		k.must(200, "", root.access, "PATCH /api/v1/users/2", `{"disabled":true}`)
		k.must(200, "", root.access, "PATCH /api/v1/users/2", `{"disabled":false}`)
		k.ended(accountRevoked, ann.access, ann.refresh)
		again := k.signIn("ann")
		k.good(again.access)
		for _, id := range []string{"3", "4"} {
			k.must(409, "The specified token has ended and can't be restored", again.access, "PUT /api/v1/auth/tokens/"+id, "revoke=false")
		}
	}},
	{"a disabled admin is no other admin", func(k *accountKit) {
		root, ann := k.admin("root"), k.admin("ann")
		k.must(200, "", root.access, "PATCH /api/v1/users/2", `{"disabled":true}`)
		k.must(409, "", root.access, "PATCH /api/v1/users/1", `{"admin":false}`)
		k.must(200, "", root.access, "PATCH /api/v1/users/2", `{"disabled":false}`)
		k.must(200, "", root.access, "PATCH /api/v1/users/1", `{"admin":false}`)
		k.ended(accountRevoked, ann.access)
		k.must(200, "", k.signIn("ann").access, "GET /api/v1/users", "")
	}},
	{"an admin may go when there is another", func(k *accountKit) {
		root, _ := k.admin("root"), k.admin("ann")
		k.must(200, "", root.access, "DELETE /api/v1/auth/me", "password="+accountPassword)
		k.ended("User not found", root.access, root.refresh)
	}},
	{"what a deleted account made stays, made by no account", func(k *accountKit) {
		root, ann, bob := k.admin("root"), k.signUp("ann"), k.bookLogin("bob")
		k.must(201, "", ann.access, "POST /api/v1/items", "itemname=ball&category=soccer&description=round")
		k.must(201, "", root.access, "POST /api/v1/items", "itemname=bat&category=cricket&description=long")
		k.must(200, "", bob, "POST /bookapi/books", "title=Dune&author=Herbert")
		k.must(200, "", ann.access, "DELETE /api/v1/auth/me", "password="+accountPassword)
		k.must(200, "", root.access, "DELETE /api/v1/users/3", "")
		for range 3 { // then after a restart, then after a compaction and a restart
			k.ended("User not found", ann.access, ann.refresh)
			k.must(404, "User not found!", bob, "GET /bookapi/books", "")
			items := k.must(200, "", root.access, "GET /api/v1/items", "").text
			if !strings.Contains(items, `"description":"round","createdon":"Sun, 22 Nov 2026 14:05 PM","created_at":"2026-11-22T14:05:00Z","createdby":null}`) || !strings.Contains(items, `"createdby":1}`) {
				k.t.Errorf("items = %s; want ann's with createdby null and root's with 1", items)
			}
			if books := k.must(200, "", root.access, "GET /bookapi/books", "").text; !strings.Contains(books, "Dune") {
				k.t.Errorf("books = %s; want Dune still there", books)
			}
			if book, ok := k.server.store.books.Row(1); !ok || book.CreatedBy != 0 {
				k.t.Errorf("book 1 = %v, %v; want one made by no account", book, ok)
			}
			if err := k.server.store.Compact(); err != nil {
				k.t.Fatal(err)
			}
			k.restart()
		}
		if other := k.signUp("ann"); other.ID != 4 {
			k.t.Errorf("the next user is %d; want 4: no id is used twice", other.ID)
		}
		k.ended("User not found", ann.access, ann.refresh) // the new ann is another user
	}},
	{"no token record of a deleted account is left", func(k *accountKit) {
		root, ann := k.admin("root"), k.signUp("ann")
		k.signIn("ann")
		k.must(200, "", ann.access, "POST /api/v1/auth/logout", "")
		k.must(200, "", root.access, "DELETE /api/v1/users/2", "")
		for range 2 {
			if n, _ := k.server.store.rowsOf("tokens"); n != 2 {
				k.t.Errorf("%d token records are left; want root's two", n)
			}
			k.restart()
		}
	}},
	{"a username that was given up can be taken", func(k *accountKit) {
		ann, eve := k.signUp("ann"), k.signUp("eve")
		k.must(200, "", ann.access, "PATCH /api/v1/auth/me", "username=reader")
		k.must(400, "User already exists", eve.access, "PATCH /api/v1/auth/me", "username=reader")
		k.must(200, "", ann.access, "PATCH /api/v1/auth/me", "username=annie")
		k.must(200, "", eve.access, "PATCH /api/v1/auth/me", "username=reader")
		k.restart()
		k.must(409, "User already exists!", "", "POST /signup", "username=reader&password=worm")
	}},
	{"an empty name clears it", func(k *accountKit) {
		ann := k.signUp("ann")
		k.must(200, "", ann.access, "PATCH /api/v1/auth/me", "firstname=Ann&lastname=Lee")
		reply := k.must(200, "", ann.access, "PATCH /api/v1/auth/me", `{"firstname":""}`)
		if !strings.Contains(reply.text, `"firstname":"","lastname":"Lee"`) {
			k.t.Errorf("%s = %s; want no firstname, and the lastname as it was", reply.request, reply.text)
		}
	}},
	{"a book account signs in under its new username", func(k *accountKit) {
		bob := k.bookLogin("bob")
		k.must(400, "Missing 'current_password' in body", bob, "PATCH /api/v1/auth/me", "username=robert")
		k.must(403, "Wrong password", bob, "PATCH /api/v1/auth/me", "username=robert&current_password=guess")
		k.must(200, "", bob, "PATCH /api/v1/auth/me", "firstname=Bob")
		k.must(200, "", bob, "PATCH /api/v1/auth/me", "username=robert&current_password="+accountPassword)
		k.must(401, "", "", "POST /login", "username=bob&password="+accountPassword)
		k.must(201, "", "", "POST /login", "username=robert&password="+accountPassword)
	}},
}

func TestAccountStories(t *testing.T) {
	t.Parallel()
	for _, tt := range accountStories {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.tell(newAccountKit(t))
		})
	}
}

// An accountGate is a body that arrives when it is opened.
type accountGate struct {
	asked chan struct{} // closed when the handler wants to read
	open  chan struct{}
	body  io.Reader
	once  sync.Once
}

func (g *accountGate) Read(b []byte) (int, error) {
	g.once.Do(func() { close(g.asked) })
	<-g.open
	return g.body.Read(b)
}

// slow starts a request whose body is yet to come. finish lets it come, and
// returns the status.
func (k *accountKit) slow(token, request, body string) (finish func() int) {
	method, target, _ := strings.Cut(request, " ")
	g := &accountGate{asked: make(chan struct{}), open: make(chan struct{}), body: strings.NewReader(body)}
	r := httptest.NewRequest(method, target, g)
	r.Host = "localhost"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	status := make(chan int, 1)
	go func() {
		w := ask(k.server, r)
		status <- w.Code
	}()
	<-g.asked
	return func() int { close(g.open); return <-status }
}

// The token of each of these requests was good when it was judged.
func TestAccountSlowBodies(t *testing.T) {
	t.Parallel()
	const change = `{"current_password":"` + accountPassword + `","new_password":"` + accountAnew + `"}`
	tests := []struct {
		name, request, body   string
		meanwhile, meanwhile2 string // what root does to user 2
		want                  int
	}{
		{"a demoted admin makes no admin", "PATCH /api/v1/users/3", `{"admin":true}`, "PATCH /api/v1/users/2", `{"admin":false}`, 403},
		{"a disabled admin enables no account", "PATCH /api/v1/users/2", `{"disabled":false}`, "PATCH /api/v1/users/2", `{"disabled":true}`, 401},
		{"a deleted admin makes no admin", "PATCH /api/v1/users/3", `{"admin":true}`, "DELETE /api/v1/users/2", "", 401},
		{"a deleted account has no names", "PATCH /api/v1/auth/me", `{"firstname":"Ann"}`, "DELETE /api/v1/users/2", "", 401},
		{"a disabled account keeps its names", "PATCH /api/v1/auth/me", `{"firstname":"Ann"}`, "PATCH /api/v1/users/2", `{"disabled":true}`, 401},
		{"a disabled account keeps its password", "POST /api/v1/auth/password", change, "PATCH /api/v1/users/2", `{"disabled":true}`, 401},
		{"a deleted account has no password", "POST /api/v1/auth/password", change, "DELETE /api/v1/users/2", "", 401},
		{"a disabled account stays", "DELETE /api/v1/auth/me", `{"password":"` + accountPassword + `"}`, "PATCH /api/v1/users/2", `{"disabled":true}`, 401},
		{"a deleted account makes no item", "POST /api/v1/items", `{"itemname":"a","category":"b","description":"c"}`, "DELETE /api/v1/users/2", "", 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := newAccountKit(t)
			root, ann := k.admin("root"), k.admin("ann")
			k.signUp("eve")
			finish := k.slow(ann.access, tt.request, tt.body)
			k.must(200, "", root.access, tt.meanwhile, tt.meanwhile2)
			if got := finish(); got != tt.want {
				t.Errorf("%s = %d; want %d", tt.request, got, tt.want)
			}
			if u := k.server.store.userByName("eve@example.com"); u.Admin {
				t.Error("eve is an admin")
			}
		})
	}
}

func TestAccountOldPassword(t *testing.T) {
	t.Parallel()
	k := newAccountKit(t)
	here := k.signUp("ann")
	const body = `{"current_password":"` + accountPassword + `","new_password":"sn4tched!"}`
	finish := k.slow(here.access, "POST /api/v1/auth/password", body)
	k.must(200, "", here.access, "POST /api/v1/auth/password", "current_password="+accountPassword+"&new_password="+accountAnew)
	if got := finish(); got != http.StatusForbidden {
		t.Errorf("a change with the password before last = %d; want 403", got)
	}
}

// Two admins turn against each other at once, over and over: one always stays.
func TestAccountAdminsAtOdds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, method, body string }{
		{"two demote each other", "PATCH", `{"admin":false}`},
		{"two disable each other", "PATCH", `{"disabled":true}`},
		{"two delete each other", "DELETE", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for range 5 {
				k := newAccountKit(t)
				admins := []accountLogin{k.admin("root"), k.admin("ann")}
				var statuses [2]int
				var both sync.WaitGroup
				for i := range admins {
					both.Go(func() {
						request := fmt.Sprintf("%s /api/v1/users/%d", tt.method, admins[1-i].ID)
						statuses[i] = k.send(admins[i].access, request, tt.body).status
					})
				}
				both.Wait()
				if (statuses[0] == 200) == (statuses[1] == 200) {
					t.Errorf("statuses %v; want one 200", statuses)
				}
				if n := k.admins(); n != 1 {
					t.Fatalf("%d enabled admins are left; want one", n)
				}
			}
		})
	}
}

func TestAccountAdminsAllLeave(t *testing.T) {
	t.Parallel()
	k := newAccountKit(t)
	var admins []accountLogin
	for i := range 12 {
		admins = append(admins, k.admin(fmt.Sprintf("admin%d", i)))
	}
	var all sync.WaitGroup
	for i, a := range admins {
		all.Go(func() {
			me := fmt.Sprintf("/api/v1/users/%d", a.ID)
			switch i % 4 {
			case 0:
				k.send(a.access, "PATCH "+me, `{"admin":false}`)
			case 1:
				k.send(a.access, "PATCH "+me, `{"disabled":true}`)
			case 2:
				k.send(a.access, "DELETE "+me, "")
			case 3:
				k.send(a.access, "DELETE /api/v1/auth/me", "password="+accountPassword)
			}
		})
	}
	all.Wait()
	for range 2 {
		if n := k.admins(); n != 1 {
			t.Errorf("%d enabled admins are left; want one", n)
		}
		k.restart()
	}
}

func TestAccountLastAdminWaits(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	demote := func(s *store, id int) error { _, err := s.asUser(id).setAccess(id, &no, nil); return err }
	tests := []struct {
		name   string
		before func(s *store) error // by or for user 2
		want   error                // for user 1's demoting itself
	}{
		{"an admin whose demotion waits is none", func(s *store) error { return demote(s, 2) }, errLastAdmin},
		{"an admin whose deletion waits is none", func(s *store) error { return s.asUser(2).deleteUser(2) }, errLastAdmin},
		{"an account whose promotion waits is one", func(s *store) error { _, err := s.asUser(1).setAccess(3, &yes, nil); return err }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := newAccountKit(t)
			k.admin("root")
			s := k.server.store
			if tt.want != nil {
				k.admin("ann")
			} else {
				k.signUp("ann")
				k.signUp("eve")
			}
			k.held(func(begin func(func() error)) {
				begin(func() error { return tt.before(s) })
				begin(func() error {
					if err := demote(s, 1); !errors.Is(err, tt.want) {
						return fmt.Errorf("setAccess = %v; want %v", err, tt.want)
					}
					return nil
				})
			})
			if n := k.admins(); n != 1 {
				t.Errorf("%d enabled admins are left; want one", n)
			}
		})
	}
}

// admins counts the enabled ones.
func (k *accountKit) admins() (n int) {
	users, _ := k.server.store.usersAfter(0, 1000)
	for _, u := range users {
		if u.administers() {
			n++
		}
	}
	return n
}

// A client that signs in with the old password while it is changed is out afterwards,
// whichever came first.
func TestAccountSignInRacesPasswordChange(t *testing.T) {
	t.Parallel()
	for range 3 {
		k := newAccountKit(t)
		here := k.signUp("ann")
		replies := make([]accountReply, 8)
		var all sync.WaitGroup
		for i := range replies {
			all.Go(func() {
				replies[i] = k.send("", "POST /api/v1/auth/signin", "email=ann@example.com&password="+accountPassword)
			})
		}
		all.Go(func() {
			k.must(200, "", here.access, "POST /api/v1/auth/password", "current_password="+accountPassword+"&new_password="+accountAnew)
		})
		all.Wait()
		for range 2 {
			for _, reply := range replies {
				switch reply.status {
				case http.StatusOK:
					thief := accountLoginOf(reply)
					k.ended(accountRevoked, thief.access, thief.refresh)
				case http.StatusUnauthorized:
				default:
					t.Errorf("sign-in = %d %s", reply.status, reply.text)
				}
			}
			k.good(here.access)
			k.restart()
		}
	}
}

// held runs do while no write reaches the disk, so that all it decides waits in
// one batch; begin starts a write and returns when it waits, or has failed.
func (k *accountKit) held(do func(begin func(write func() error))) {
	k.t.Helper()
	s := k.server.store
	var all sync.WaitGroup
	k.gate.mu.Lock()
	do(func(write func() error) {
		before := s.Waiting()
		var over atomic.Bool
		all.Go(func() {
			if err := write(); err != nil {
				k.t.Error(err)
			}
			over.Store(true)
		})
		for s.Waiting() == before && !over.Load() {
			runtime.Gosched()
		}
	})
	k.gate.mu.Unlock()
	all.Wait()
}

func TestAccountWaitingSignIn(t *testing.T) {
	t.Parallel()
	yes := true
	for _, tt := range []struct {
		name string
		end  func(s *store, u *user) error
		said string
	}{
		{"a password change", func(s *store, u *user) error { return s.asUser(u.ID).setPassword(u, "") }, accountRevoked},
		{"a log-out everywhere", func(s *store, u *user) error { return s.asUser(u.ID).endSessions() }, accountRevoked},
		{"disabling", func(s *store, u *user) error { _, err := s.as(theOperator).setAccess(u.ID, nil, &yes); return err }, "Account is disabled"},
		{"deletion", func(s *store, u *user) error { return s.as(theOperator).deleteUser(u.ID) }, "User not found"},
	} {
		t.Run(tt.name+" ends a sign-in that waits for the disk", func(t *testing.T) {
			t.Parallel()
			k := newAccountKit(t)
			k.signUp("ann")
			s := k.server.store
			u := s.userByName("ann@example.com")
			token, record, err := k.server.issue(u, token.Access, time.Hour, true)
			if err != nil {
				t.Fatal(err)
			}
			k.held(func(begin func(func() error)) {
				begin(func() error { return s.signIn(u, "", record) })
				begin(func() error { return tt.end(s, u) })
			})
			k.ended(tt.said, token)
			k.restart()
			k.ended(tt.said, token)
			if got, _ := k.server.store.rowsOf("tokens"); tt.said == "User not found" && got != 0 {
				t.Errorf("%d token records are left; want none", got)
			}
		})
	}
}

// Two log-outs at once: the second finds every token ended, by a write that is
// then refused. Neither may say that it worked.
func TestAccountNothingToWrite(t *testing.T) {
	t.Parallel()
	k := newAccountKit(t)
	ann := k.signUp("ann")
	s := k.server.store
	errs := make(chan error, 2)
	release := slow(t, s)
	for range 2 {
		decided := make(chan struct{})
		decide := sync.OnceFunc(func() { close(decided) }) // rules run twice here
		go func() {
			errs <- s.Update(func(tx *db.Tx) error {
				defer decide()
				s.endTokens(tx, ann.ID, endedByLogout, nil)
				return nil
			})
		}()
		<-decided
		s.counts() // takes the lock, so it returns when the write has joined
	}
	release(history.ErrReadOnly)
	for range 2 {
		if err := <-errs; !errors.Is(err, history.ErrReadOnly) {
			t.Errorf("write = %v; want history.ErrReadOnly", err)
		}
	}
	k.good(ann.access)
}

// What is known of accounts and tokens stays in no cache.
func TestAccountsAreInNoCache(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	root := a.asAdmin("root")
	for request, b := range map[string]body{
		"GET /api/v1/auth/me": {}, "PATCH /api/v1/auth/me": asForm("firstname", "R"), "GET /api/v1/auth/tokens": {},
		"GET /api/v1/users": {}, "PATCH /api/v1/users/1": asForm("admin", "true"),
	} {
		root.send(request, b).want(200, "").wantHeader("Cache-Control", "no-store")
	}
}
