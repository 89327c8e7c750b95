package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/token"
)

// The first tutorial's sample data, in tests/v1/test_auth.py: names, what they
// hold, and what sign-up says to it.
var invalidUserData = []struct {
	name   string
	fields []string
	says   string
}{
	{"INVALID_USER_EMAIL_1", []string{"email", "", "password", "youcantguess#4"}, invalidEmail},
	{"INVALID_USER_EMAIL_2", []string{"email", " ", "password", "youcantguess#4"}, invalidEmail},
	{"INVALID_USER_EMAIL_3", []string{"email", "example.com", "password", "youcantguess#4"}, invalidEmail},
	{"INVALID_USER_EMAIL_4", []string{"password", "youcantguess#4"}, invalidEmail},
	{"INVALID_USER_PASSWORD_1", []string{"email", "user@example.com", "password", ""}, invalidPassword},
	{"INVALID_USER_PASSWORD_2", []string{"email", "user@example.com", "password", " "}, invalidPassword},
	{"INVALID_USER_PASSWORD_3", []string{"email", "user@example.com", "password", "abc"}, invalidPassword},
	{"INVALID_USER_PASSWORD_4", []string{"email", "user@example.com", "password", "secret"}, invalidPassword},
	{"INVALID_USER_PASSWORD_5", []string{"email", "user@example.com", "password", "93secret"}, invalidPassword},
	{"INVALID_USER_PASSWORD_6", []string{"email", "user@example.com", "password", "#sec%ret"}, invalidPassword},
	{"INVALID_USER_PASSWORD_7", []string{"email", "user@example.com"}, invalidPassword},
}

// What the tutorial's tests expect, written out.
const (
	invalidEmail    = "Invalid email format"
	invalidPassword = "Invalid password. Should be at least 5 characters long and include a number and a special character"
)

// TestTutorialAuth is tests/v1/test_auth.py of the first tutorial; each subtest
// has the name of its function and of its parameters there.
func TestTutorialAuth(t *testing.T) {
	t.Parallel()
	validUserData := []string{"email", "user@example.com", "password", "youcantguess#4"}
	// fixture is a server that knows the user.
	fixture := func(t *testing.T) *client {
		nobody := newAPI(t).as("")
		nobody.send("POST /api/v1/auth/signup", asForm(validUserData...)).want(201, "")
		return nobody
	}
	inEveryEncoding(t, func(t *testing.T, in func(...string) body) {
		t.Run("test_authentication_with_valid_data/signup", func(t *testing.T) {
			t.Parallel()
			got := row[session](newAPI(t).as("").send("POST /api/v1/auth/signup", in(validUserData...)).want(201, ""))
			if got.Access == "" || got.User.Email != "user@example.com" {
				t.Errorf("POST /api/v1/auth/signup gave %+v; want a token and the user", got)
			}
		})
		t.Run("test_authentication_with_valid_data/signin", func(t *testing.T) {
			t.Parallel()
			got := row[session](fixture(t).send("POST /api/v1/auth/signin", in(validUserData...)).want(200, ""))
			if got.Access == "" || got.User.Email != "user@example.com" {
				t.Errorf("POST /api/v1/auth/signin gave %+v; want a token and the user", got)
			}
		})
		for _, tt := range invalidUserData {
			t.Run("test_signup_with_invalid_data/"+tt.name, func(t *testing.T) {
				t.Parallel()
				fixture(t).send("POST /api/v1/auth/signup", in(tt.fields...)).want(400, tt.says)
			})
			t.Run("test_signin_with_invalid_data/"+tt.name, func(t *testing.T) {
				t.Parallel()
				fixture(t).send("POST /api/v1/auth/signin", in(tt.fields...)).want(400, tt.says)
			})
		}
		t.Run("test_signup_with_invalid_data/USER_ALREADY_EXISTS", func(t *testing.T) {
			t.Parallel()
			fixture(t).send("POST /api/v1/auth/signup", in(validUserData...)).want(400, "User already exists")
		})
		t.Run("test_signin_with_invalid_credentials", func(t *testing.T) {
			t.Parallel()
			fixture(t).send("POST /api/v1/auth/signin", in("email", "sneakyuser@example.com", "password", "iamsneaky#9")).
				want(401, "Bad email or password")
		})
	})
}

// signUpTests are about a server that knows ann@example.com and the book
// account rae.
var signUpTests = []struct {
	name       string
	body       body
	wantStatus int
	wantSays   string
}{
	{"no body", body{}, 400, invalidEmail},
	{"JSON null", asJSON(`null`), 400, invalidEmail},
	{"the e-mail is judged first", asForm("email", "x", "password", ""), 400, invalidEmail},
	{"then the password", asForm("email", "ann@example.com", "password", "short"), 400, invalidPassword},
	{"then whether it is taken", asForm("email", "ann@example.com", "password", "other#77"), 400, "User already exists"},
	{"the case of an e-mail makes no other", asForm("email", "Ann@Example.COM", "password", annPassword), 400, "User already exists"},
	{"blanks make no other", asForm("email", "  ann@example.com ", "password", annPassword), 400, "User already exists"},
	{"a null e-mail is missing", asJSON(`{"email": null, "password": "b00k-worm"}`), 400, invalidEmail},
	{"a null password is missing", asJSON(`{"email": "bob@example.com", "password": null}`), 400, invalidPassword},
	{"a domain with a dash is fine", asForm("email", "user@my-site.com", "password", annPassword), 201, ""},
	{"text behind the address is not", asForm("email", "a@b.c anything", "password", annPassword), 400, invalidEmail},
	{"a display name is not", asForm("email", "Bob <bob@example.com>", "password", annPassword), 400, invalidEmail},
	{"an e-mail of 120 characters", asForm("email", strings.Repeat("b", 111)+"@b.cdefg", "password", annPassword), 201, ""},
	{"an e-mail of 121 characters", asForm("email", strings.Repeat("b", 113)+"@b.cdefg", "password", annPassword), 400, invalidEmail},
	{"blanks belong to a password", asForm("email", "bob@example.com", "password", " 1# "), 400, invalidPassword},
	{"a password of 72 bytes", asForm("email", "bob@example.com", "password", "1#"+strings.Repeat("é", 35)), 201, ""},
	{"a password of 73 bytes", asForm("email", "bob@example.com", "password", "1#a"+strings.Repeat("é", 35)), 400, "Invalid password. It should be at most 72 bytes long"},
	{"a password with a NUL", asForm("email", "bob@example.com", "password", "abc1#\x00"), 400, "Invalid password. It should not contain a NUL character"},
	{"all names", asForm("email", "bob@example.com", "password", annPassword, "username", "bob", "firstname", "Bob", "lastname", "B"), 201, ""},
	{"a username that a book account has", asForm("email", "bob@example.com", "password", annPassword, "username", "rae"), 400, "User already exists"},
	{"its own e-mail as username", asForm("email", "bob@example.com", "password", annPassword, "username", "bob@example.com"), 201, ""},
	{"another's e-mail as username", asForm("email", "bob@example.com", "password", annPassword, "username", "eve@example.com"), 400, "Invalid username"},
	{"a username of 121 characters", asForm("email", "bob@example.com", "password", annPassword, "username", strings.Repeat("é", 121)), 400, "Invalid username"},
	{"a username of 120 characters", asForm("email", "bob@example.com", "password", annPassword, "username", strings.Repeat("é", 120)), 201, ""},
	{"a first name of 65 characters", asForm("email", "bob@example.com", "password", annPassword, "firstname", strings.Repeat("é", 65)), 400, "Invalid firstname"},
	{"a last name of 65 characters", asForm("email", "bob@example.com", "password", annPassword, "lastname", strings.Repeat("é", 65)), 400, "Invalid lastname"},
	{"names of 64 characters", asForm("email", "bob@example.com", "password", annPassword, "firstname", strings.Repeat("é", 64), "lastname", strings.Repeat("é", 64)), 201, ""},
	{"a fault of the body before any rule", asJSON(`{"email": "x", "password": 5}`), 400, "Invalid request body: 'password' must be a string"},
	{"a field in another case", asForm("Email", "bob@example.com", "password", annPassword), 400, "Invalid request body: 'Email' must be written 'email'"},
}

func TestSignUp(t *testing.T) {
	t.Parallel()
	for _, tt := range signUpTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			a.session("ann")
			a.reader("rae")
			a.as("").send("POST /api/v1/auth/signup", tt.body).want(tt.wantStatus, tt.wantSays)
		})
	}
}

func TestSignUpAnswer(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	got := a.as("").send("POST /api/v1/auth/signup", asForm("email", " Ann@Example.com ", "password", annPassword,
		"firstname", " Ann ", "lastname", "O'Neill", "admin", "true", "disabled", "true", "id", "7"))
	s := row[session](got)
	const user = `"user":{"id":1,"username":"Ann@Example.com","email":"Ann@Example.com","firstname":"Ann","lastname":"O'Neill","admin":false,"createdon":"Sun, 22 Nov 2026 14:05 PM","created_at":"2026-11-22T14:05:00Z"}`
	got.wantBody(201, `{"status":201,"data":[{"access_token":"`+s.Access+`","refresh_token":"`+s.Refresh+`",`+user+`}]}`)
	again := a.as("").send("POST /api/v1/auth/signin", asForm("email", "ann@example.COM", "password", annPassword))
	s = row[session](again)
	again.wantBody(200, `{"status":200,"data":[{"access_token":"`+s.Access+`","refresh_token":"`+s.Refresh+`",`+user+`}]}`)
}

var uuid4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestTokensThatAreGiven(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	ann := a.session("ann")
	again := a.signIn("signin", "ann")
	renewed := row[session](a.as("").bearing(ann.Refresh).send("POST /api/v1/auth/refresh").want(200, ""))
	a.reader("rae")
	publicID := a.store.userByUsername("ann@example.com").PublicID
	seen := map[string]bool{}
	for _, tt := range []struct {
		name, token, subject, typ string
		fresh                     bool
		lifetime                  time.Duration
	}{
		{"access token of a sign-up", ann.Access, publicID, token.Access, true, 15 * time.Minute},
		{"refresh token of a sign-up", ann.Refresh, publicID, token.Refresh, false, 30 * 24 * time.Hour},
		{"access token of a sign-in", again.Access, publicID, token.Access, true, 15 * time.Minute},
		{"refresh token of a sign-in", again.Refresh, publicID, token.Refresh, false, 30 * 24 * time.Hour},
		{"access token of a refresh", renewed.Access, publicID, token.Access, false, 15 * time.Minute},
		{"token of a log-in", a.logIn("rae"), a.store.userByUsername("rae").PublicID, token.Access, true, 24 * time.Hour},
	} {
		got, err := a.keys.Verify(tt.token, a.clock.now())
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !uuid4.MatchString(got.ID) || seen[got.ID] || !uuid4.MatchString(got.Subject) {
			t.Errorf("%s: jti %q and sub %q; want UUIDs of version 4, the jti its own", tt.name, got.ID, got.Subject)
		}
		seen[got.ID] = true
		want := token.NewClaims(tt.subject, tt.typ, tokenNow, tokenNow.Add(tt.lifetime))
		want.ID, want.Fresh = got.ID, tt.fresh
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("%s says %+v; want %+v", tt.name, *got, want)
		}
	}
}

func TestTokenLifetimesAreFlags(t *testing.T) {
	t.Parallel()
	a := newAPI(t, "-access-ttl=1m -refresh-ttl=2m -book-ttl=3m")
	ann, rae := a.session("ann"), a.reader("rae")
	a.clock.advance(time.Minute)
	a.as("ann").send("GET /api/v1/items").want(401, "Token has expired")
	a.clock.advance(59 * time.Second)
	a.as("").bearing(ann.Refresh).send("POST /api/v1/auth/refresh").want(200, "")
	a.clock.advance(time.Second)
	a.as("").bearing(ann.Refresh).send("POST /api/v1/auth/refresh").want(401, "Token has expired")
	rae.send("GET /bookapi/books").want(200, "")
	a.clock.advance(time.Minute)
	rae.send("GET /bookapi/books").want(401, "Token has expired!")
}

// signInTests are about a server that knows ann, dan, who is disabled, and the
// book account rae.
var signInTests = []struct {
	name       string
	body       body
	wantStatus int
	wantSays   string
}{
	{"no body", body{}, 400, invalidEmail},
	{"the e-mail is judged first", asForm("email", "x"), 400, invalidEmail},
	{"then the password", asForm("email", "ann@example.com", "password", "x"), 400, invalidPassword},
	{"the right password", asForm("email", "ann@example.com", "password", annPassword), 200, ""},
	{"the e-mail in another case", asForm("email", "ANN@example.com", "password", annPassword), 200, ""},
	{"a wrong password", asForm("email", "ann@example.com", "password", "b00k-worn"), 401, "Bad email or password"},
	{"an unknown account", asForm("email", "bob@example.com", "password", annPassword), 401, "Bad email or password"},
	{"a password with a NUL and the right one behind it", asForm("email", "ann@example.com", "password", annPassword+"\x00"+annPassword), 401, "Bad email or password"},
	{"a password that is too long", asForm("email", "ann@example.com", "password", annPassword+strings.Repeat("x", 72)), 401, "Bad email or password"},
	{"a password with a blank behind it", asForm("email", "ann@example.com", "password", annPassword+" "), 401, "Bad email or password"},
	{"a disabled account", asForm("email", "dan@example.com", "password", annPassword), 401, "Account is disabled"},
	{"a disabled account with a wrong password", asForm("email", "dan@example.com", "password", "b00k-worn"), 401, "Bad email or password"},
	{"a book account has no e-mail", asForm("email", "rae", "password", annPassword), 400, invalidEmail},
	{"a fault of the body before any rule", asJSON(`{"email": []}`), 400, "Invalid request body: 'email' must be a string"},
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	for _, tt := range signInTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			a.session("ann")
			a.session("dan")
			a.disable("dan@example.com")
			a.reader("rae")
			a.as("").send("POST /api/v1/auth/signin", tt.body).want(tt.wantStatus, tt.wantSays)
		})
	}
}

// TestSignInMeanwhile changes the account while its password is being checked.
func TestSignInMeanwhile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		meanwhile  func(*api)
		request    string
		body       body
		wantStatus int
		wantSays   string
	}{
		{"deleted", func(a *api) { a.remove("ann@example.com") }, "POST /api/v1/auth/signin", annDetails, 401, "Bad email or password"},
		{"disabled", func(a *api) { a.disable("ann@example.com") }, "POST /api/v1/auth/signin", annDetails, 401, "Account is disabled"},
		{"another password", func(a *api) { a.newHash("ann@example.com") }, "POST /api/v1/auth/signin", annDetails, 401, "Bad email or password"},
		{"deleted reader", func(a *api) { a.remove("rae") }, "POST /login", raeDetails, 401, "Could not verify user, Please signup!"},
		{"disabled reader", func(a *api) { a.disable("rae") }, "POST /login", raeDetails, 401, "Could not verify!"},
		{"reader with another password", func(a *api) { a.newHash("rae") }, "POST /login", raeDetails, 403, "Could not verify password!"},
		{"taken e-mail", func(a *api) { a.session("bob") }, "POST /api/v1/auth/signup", asForm("email", "bob@example.com", "password", annPassword), 400, "User already exists"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAPI(t)
				a.session("ann")
				a.reader("rae")
				idle, busy := a.hashes, password.New(password.MinCost)
				release := holdWorkers(busy)
				a.hashes = busy
				done := make(chan *answer)
				go func() { done <- a.as("").send(tt.request, tt.body) }()
				synctest.Wait() // until the request waits for a worker
				a.hashes = idle
				tt.meanwhile(a)
				release()
				(<-done).want(tt.wantStatus, tt.wantSays)
			})
		})
	}
}

var (
	annDetails = asForm("email", "ann@example.com", "password", annPassword)
	raeDetails = asForm("username", "rae", "password", annPassword)
)

// newHash gives an account another password's hash.
func (a *api) newHash(username string) {
	row := *a.store.userByUsername(username)
	row.Hash = "$2a$04$" + strings.Repeat("0", 53)
	a.change(func(tx *db.Tx) { a.store.users.Put(tx, &row) })
}

func TestTooManySignIns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		a.session("ann")
		defer holdWorkers(a.hashes)() // all are busy, and stay so
		const busy = "Too many sign-ins at once"
		a.as("").send("POST /api/v1/auth/signin", annDetails).want(503, busy).wantHeader("Retry-After", "5")
		a.as("").send("POST /api/v1/auth/signup", asForm("email", "bob@example.com", "password", annPassword)).want(503, busy)
		a.as("").send("POST /login", raeDetails).want(503, busy).wantHeader("Retry-After", "5")
		a.as("ann").send("GET /api/v1/items").want(200, "") // those who have signed in don't wait
	})
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	ann := a.session("ann")
	refresh := func() string {
		t.Helper()
		got := a.as("").bearing(ann.Refresh).send("POST /api/v1/auth/refresh")
		token := row[session](got).Access
		got.wantBody(200, `{"status":200,"data":[{"access_token":"`+token+`"}]}`)
		return token
	}
	first := refresh()
	a.as("").bearing(first).send("GET /api/v1/items").want(200, "")
	a.clock.advance(29 * 24 * time.Hour)
	a.as("").bearing(first).send("GET /api/v1/items").want(401, "Token has expired")
	a.as("").bearing(refresh()).send("GET /api/v1/items").want(200, "") // not rotated
}

func TestLogOut(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"DELETE", "POST"} {
		for _, typ := range []string{token.Access, token.Refresh} {
			t.Run(method+" with the "+typ+" token", func(t *testing.T) {
				t.Parallel()
				a := newAPI(t, onDisk(t))
				out, stays := a.session("ann"), a.signIn("signin", "ann")
				renewed := row[session](a.as("").bearing(out.Refresh).send("POST /api/v1/auth/refresh")).Access
				token := map[string]string{token.Access: out.Access, token.Refresh: out.Refresh}[typ]
				a.as("").bearing(token).send(method+" /api/v1/auth/logout").
					wantBody(200, `{"status":200,"message":"Successfully logged out"}`)
				for range 2 { // before a restart, and after
					a.as("").bearing(out.Access).send("GET /api/v1/items").want(401, "Token has been revoked")
					a.as("").bearing(renewed).send("GET /api/v1/items").want(401, "Token has been revoked")
					a.as("").bearing(out.Refresh).send("POST /api/v1/auth/refresh").want(401, "Token has been revoked")
					a.as("").bearing(token).send(method+" /api/v1/auth/logout").want(401, "Token has been revoked")
					a.as("").with("X-Access-Token", out.Access).send("GET /bookapi/books").want(401, "Invalid token!")
					a.as("").bearing(stays.Access).send("GET /api/v1/items").want(200, "")
					a.as("").bearing(stays.Refresh).send("POST /api/v1/auth/refresh").want(200, "")
					a = a.restart()
				}
			})
		}
	}
}

func TestTokenList(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.session("ann")
	rae := a.reader("rae")
	a.signIn("signin", "ann")
	jti := func(id int) (jti string) {
		a.change(func(tx *db.Tx) { t, _ := a.store.tokens.Get(tx, id); jti = t.JTI })
		return jti
	}
	line := func(id int, typ, identity string, revoked bool, expires string) string {
		return fmt.Sprintf(`{"token_id":%d,"jti":"%s","token_type":"%s","user_identity":"%s","revoked":%v,"expires":"%s"}`,
			id, jti(id), typ, identity, revoked, expires)
	}
	const soon, late = "Sun, 22 Nov 2026 14:20 PM", "Tue, 22 Dec 2026 14:05 PM"
	list := func(lines ...string) string { return `{"status":200,"data":[` + strings.Join(lines, ",") + `]}` }
	a.as("ann").send("PUT /api/v1/auth/tokens/4", asForm("revoke", "true")).want(200, "Token successfully revoked")
	a.as("ann").send("GET /api/v1/auth/tokens").wantBody(200, list(
		line(1, "access", "ann@example.com", false, soon), line(2, "refresh", "ann@example.com", false, late),
		line(4, "access", "ann@example.com", true, soon), line(5, "refresh", "ann@example.com", false, late)))
	token := rae.headers[1]
	a.as("").bearing(token).send("GET /api/v1/auth/tokens").
		wantBody(200, list(line(3, "access", "rae", false, "Mon, 23 Nov 2026 14:05 PM")))

	// The expired are not listed any more.
	a.clock.advance(15 * time.Minute)
	renewed := row[session](a.as("").bearing(a.session("ann").Refresh).send("POST /api/v1/auth/refresh")).Access
	a.as("").bearing(renewed).send("GET /api/v1/auth/tokens").wantBody(200, list(
		line(2, "refresh", "ann@example.com", false, late), line(5, "refresh", "ann@example.com", false, late),
		line(6, "access", "ann@example.com", false, "Sun, 22 Nov 2026 14:35 PM")))
}

// revokeTests are about tokens 1 and 2, of ann's first sign-in, 3 and 4 of her
// second, which has logged out, and 5 and 6, of bob's. Each is sent with token 1.
var revokeTests = []struct {
	name, id   string
	body       body
	wantStatus int
	wantSays   string
}{
	{"revoke", "2", asJSON(`{"revoke": true}`), 200, "Token successfully revoked"},
	{"revoke by form", "2", asForm("revoke", "true"), 200, "Token successfully revoked"},
	{"True, as Python writes it", "2", asForm("revoke", "True"), 200, "Token successfully revoked"},
	{"1", "2", asForm("revoke", "1"), 200, "Token successfully revoked"},
	{"restore", "2", asJSON(`{"revoke": false}`), 200, "Token successfully restored"},
	{"restore by form", "2", asForm("revoke", "false"), 200, "Token successfully restored"},
	{"False, as Python writes it", "2", asForm("revoke", "False"), 200, "Token successfully restored"},
	{"0", "2", asForm("revoke", "0"), 200, "Token successfully restored"},
	{"the token that it is sent with", "1", asForm("revoke", "1"), 200, "Token successfully revoked"},
	{"a zero in front", "02", asForm("revoke", "1"), 200, "Token successfully revoked"},

	{"no body", "2", body{}, 400, "Missing 'revoke' in body"},
	{"an empty object", "2", asJSON(`{}`), 400, "Missing 'revoke' in body"},
	{"null", "2", asJSON(`{"revoke": null}`), 400, "Missing 'revoke' in body"},
	{"a word for true in JSON", "2", asJSON(`{"revoke": "true"}`), 400, "Invalid request body: 'revoke' must be a boolean"},
	{"a number in JSON", "2", asJSON(`{"revoke": 1}`), 400, "Invalid request body: 'revoke' must be a boolean"},
	{"another word", "2", asForm("revoke", "yes"), 400, "Invalid request body: 'revoke' must be a boolean"},
	{"no word", "2", asForm("revoke", ""), 400, "Invalid request body: 'revoke' must be a boolean"},

	{"no such token", "7", asForm("revoke", "1"), 404, "The specified token was not found"},
	{"another's token", "5", asForm("revoke", "1"), 404, "The specified token was not found"},
	{"another's token, to restore it", "5", asForm("revoke", "0"), 404, "The specified token was not found"},
	{"an id too large", "99999999999999999999", asForm("revoke", "1"), 404, "The specified token was not found"},
	{"a word for an id", "two", asForm("revoke", "1"), 404, "The specified token was not found"},

	{"a token that log-out ended can't be restored", "3", asForm("revoke", "0"), 409, "The specified token has ended and can't be restored"},
	{"but revoked all the same", "3", asForm("revoke", "1"), 200, "Token successfully revoked"},

	{"the body before existence", "7", body{}, 400, "Missing 'revoke' in body"},
	{"the id before the body", "two", body{}, 404, "The specified token was not found"},
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	for _, tt := range revokeTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			ann := a.as("ann")
			a.as("").bearing(a.signIn("signin", "ann").Access).send("POST /api/v1/auth/logout").want(200, "Successfully logged out")
			a.session("bob")
			ann.send("PUT /api/v1/auth/tokens/"+tt.id, tt.body).want(tt.wantStatus, tt.wantSays)
		})
	}
}

func TestRevokeAndRestore(t *testing.T) {
	t.Parallel()
	a := newAPI(t, onDisk(t))
	ann := a.as("ann")
	other := a.signIn("signin", "ann") // tokens 3 and 4
	revoke := func(id, value string) {
		t.Helper()
		says := map[string]string{"true": "Token successfully revoked", "false": "Token successfully restored"}[value]
		ann.send("PUT /api/v1/auth/tokens/"+id, asJSON(`{"revoke":`+value+`}`)).want(200, says)
	}
	revoke("3", "true")
	revoke("3", "true")
	a.as("").bearing(other.Access).send("GET /api/v1/items").want(401, "Token has been revoked")
	a.as("").bearing(other.Refresh).send("POST /api/v1/auth/refresh").want(200, "") // it alone is revoked

	a = a.restart()
	ann.api = a
	a.as("").bearing(other.Access).send("GET /api/v1/items").want(401, "Token has been revoked")
	revoke("3", "false")
	a.as("").bearing(other.Access).send("GET /api/v1/items").want(200, "")

	// What its owner has revoked, log-out ends for good.
	revoke("4", "true")
	a.as("").bearing(other.Access).send("POST /api/v1/auth/logout").want(200, "Successfully logged out")
	ann.send("PUT /api/v1/auth/tokens/4", asForm("revoke", "0")).want(409, "The specified token has ended and can't be restored")

	// An expired token is none of its owner's any more.
	a.clock.advance(30 * 24 * time.Hour)
	fresh := a.as("").bearing(a.signIn("signin", "ann").Access)
	fresh.send("PUT /api/v1/auth/tokens/1", asForm("revoke", "1")).want(404, "The specified token was not found")
}

func TestPruneTokens(t *testing.T) {
	t.Parallel()
	a := newAPI(t, onDisk(t))
	a.session("bob")
	const onlyAdmins = "Only admins can access this endpoint"
	a.as("").send("DELETE /api/v1/auth/tokens").want(401, "Missing Authorization Header")
	a.as("bob").send("DELETE /api/v1/auth/tokens").want(403, onlyAdmins)
	a.asAdmin("root").send("DELETE /api/v1/auth/tokens").wantBody(200, `{"status":200,"data":[{"pruned":0}]}`)
	a.clock.advance(15 * time.Minute) // the access tokens of bob and root
	root := func() *client { return a.as("").bearing(a.signIn("signin", "root").Access) }
	// Root's own goes at root's sign-in.
	root().send("DELETE /api/v1/auth/tokens").wantBody(200, `{"status":200,"data":[{"pruned":1}]}`)
	root().send("DELETE /api/v1/auth/tokens").wantBody(200, `{"status":200,"data":[{"pruned":0}]}`)
	a = a.restart()
	root().send("DELETE /api/v1/auth/tokens").wantBody(200, `{"status":200,"data":[{"pruned":0}]}`) // an admin still
	ids := dataOf[struct {
		ID int `json:"token_id"`
	}](root().send("GET /api/v1/auth/tokens"))
	if last := ids[len(ids)-1].ID; last != 12 {
		t.Errorf("the next sign-in's refresh token has id %d; want 12, as ids are never reused", last)
	}
}

func TestAdminsAreMadeByTheCommandOnly(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, b := range allForms("email", "eve@example.com", "password", annPassword, "admin", "true") {
		a := newAPI(t)
		s := row[session](a.as("").send("POST /api/v1/auth/signup", b))
		a.as("").bearing(s.Access).send("DELETE /api/v1/auth/tokens").want(403, "Only admins can access this endpoint")
	}
	a.as("").send("POST /signup", asJSON(`{"username": "eve", "password": "p", "admin": true}`)).want(201, "registered successfully")
	if a.store.userByUsername("eve").Admin {
		t.Error("POST /signup made an admin")
	}
}

// bearerTests are headers of requests for the items, or for what stands at the
// beginning of the name. TOKEN is ann's access token, REFRESH her refresh token.
// A JSON object stands for a token of ann's, well signed, with these claims
// changed; one after alg: for one that is not, by that algorithm.
var bearerTests = []struct {
	name, authorization string
	wantStatus          int
	wantSays            string
	wantError           bool // whether the challenge names an error
}{
	{"a good token", "Bearer TOKEN", 200, "", false},
	{"the scheme in small letters", "bearer TOKEN", 200, "", false},
	{"several blanks", "Bearer   TOKEN", 200, "", false},
	{"a token without public_id and iss", `{"public_id": "", "iss": ""}`, 200, "", false},
	{"no header", "", 401, "Missing Authorization Header", false},
	{"a blank header", " ", 401, "Missing Authorization Header", false},
	{"another scheme", "Basic YTpi", 401, noBearer, false},
	{"a bare token", "TOKEN", 401, noBearer, false},
	{"two parts", "Bearer TOKEN TOKEN", 422, "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'", true},
	{"garbage", "Bearer garbage", 422, "Not enough segments", true},
	{"one letter appended", "Bearer TOKENk", 422, "Signature verification failed", true},
	{"alg none", `none:{}`, 422, "The specified alg value is not allowed", true},
	{"another algorithm", `HS512:{}`, 422, "The specified alg value is not allowed", true},
	{"another key", `other:{}`, 422, "Signature verification failed", true},
	{"no exp", `{"exp": ""}`, 422, "Missing claim: exp", true},
	{"no jti", `{"jti": ""}`, 422, "Missing claim: jti", true},
	{"no type", `{"type": ""}`, 422, "Missing claim: type", true},
	{"no sub", `{"sub": ""}`, 422, "Missing claim: sub", true},
	{"another public_id", `{"public_id": "\"somebody\""}`, 422, "Invalid claim: public_id", true},
	{"another issuer", `{"iss": "\"bookshop\""}`, 422, "Invalid claim: iss", true},
	{"an audience", `{"aud": "\"shelf\""}`, 422, "Invalid claim: aud", true},
	{"issued in the future", `{"iat": "1795356306"}`, 422, "The token is not yet valid (iat)", true},
	{"not yet good", `{"nbf": "1795356306"}`, 422, "The token is not yet valid (nbf)", true},
	{"expired", `{"exp": "1795356300"}`, 401, "Token has expired", true},
	{"a jti that the store doesn't know", `{"jti": "\"7c9e6679-7425-40de-944b-e07fc1f90ae7\""}`, 401, "Token has been revoked", true},
	{"a user whom it doesn't know", `{"sub": "\"x\"", "public_id": "\"x\""}`, 401, "User not found", true},
	{"a refresh token", "Bearer REFRESH", 422, "Only non-refresh tokens are allowed", true},
	{"an access token made of a refresh token's jti", `{"jti": "REFRESHJTI"}`, 401, "Token has been revoked", true},
	{"a token made of another's jti", `{"jti": "BOBSJTI"}`, 401, "Token has been revoked", true},

	// The order: header, token text, algorithm, signature, times, claims, type,
	// user, revocation.
	{"the text before the algorithm", "Bearer eyJhbGciOiJub25lIn0.e30.a.b", 422, "Invalid payload padding", true},
	{"the algorithm before the signature", `none:{"exp": "1"}`, 422, "The specified alg value is not allowed", true},
	{"the signature before the times", `other:{"exp": "1"}`, 422, "Signature verification failed", true},
	{"the times before the claims", `{"exp": "1795356300", "aud": "1", "jti": ""}`, 401, "Token has expired", true},
	{"the claims before the type", `{"type": "\"refresh\"", "aud": "1"}`, 422, "Invalid claim: aud", true},
	{"the type before the user", `{"type": "\"refresh\"", "sub": "\"x\"", "public_id": "\"x\""}`, 422, "Only non-refresh tokens are allowed", true},
	{"the user before revocation", `{"sub": "\"x\"", "public_id": "\"x\"", "jti": "\"y\""}`, 401, "User not found", true},
}

const noBearer = "Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'"

// tokenOf makes what stands in a table's column into a token.
func (a *api) tokenOf(t *testing.T, text string) string {
	t.Helper()
	ann, bob := a.session("ann"), a.session("bob")
	jti := func(token string) string {
		c, err := a.keys.Verify(token, a.clock.now())
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%q", c.ID)
	}
	how, changes, isClaims := strings.Cut(text, "{")
	if !isClaims {
		return strings.NewReplacer("TOKEN", ann.Access, "REFRESH", ann.Refresh).Replace(text)
	}
	sub := fmt.Sprintf("%q", a.store.userByUsername("ann@example.com").PublicID)
	list := []string{"sub", sub, "public_id", sub, "jti", jti(ann.Access)}
	var members map[string]string // to JSON values, as payload takes them
	if err := json.Unmarshal([]byte("{"+changes), &members); err != nil {
		t.Fatal(err)
	}
	for name, value := range members {
		switch value {
		case "REFRESHJTI":
			value = jti(ann.Refresh)
		case "BOBSJTI":
			value = jti(bob.Access)
		}
		list = append(list, name, value)
	}
	switch claims := payload(list...); how {
	case "none:":
		return b64(`{"alg":"none"}`) + "." + b64(claims) + "."
	case "HS512:":
		return forge(`{"alg":"HS512"}`, claims, tokenSecret)
	case "other:":
		return forge(`{"alg":"HS256"}`, claims, "another secret of more than thirty-two bytes")
	default:
		return forge(`{"alg":"HS256"}`, claims, tokenSecret)
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	for _, tt := range bearerTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			client := a.as("")
			switch header := a.tokenOf(t, tt.authorization); {
			case strings.HasSuffix(tt.authorization, "}"):
				client = client.bearing(header)
			case header != "":
				client = client.with("Authorization", header)
			}
			got := client.send("GET /api/v1/items").want(tt.wantStatus, tt.wantSays)
			challenge := ""
			if tt.wantStatus != 200 {
				challenge = `Bearer realm="shelf"`
			}
			if tt.wantError {
				// Where the description can say more than the body, it does.
				description, more := map[string]string{
					"Token has expired":                   "expired 0s ago",
					"The token is not yet valid (nbf)":    "not valid for another 6s (nbf)",
					"The token is not yet valid (iat)":    "issued 6s in the future (iat)",
					"Only non-refresh tokens are allowed": "this is a refresh token; it is good for a new access token and for log-out only",
					"Token has been revoked":              "this server has no record of the token",
				}[tt.wantSays]
				if !more {
					description = tt.wantSays
				}
				challenge += `, error="invalid_token", error_description="` + description + `"`
			}
			got.wantHeader("WWW-Authenticate", challenge)
		})
	}
}

func TestBearerWithoutAToken(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"Bearer", "Bearer "} {
		newAPI(t).as("").with("Authorization", header).send("GET /api/v1/items").
			want(422, "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'").
			wantHeader("WWW-Authenticate", `Bearer realm="shelf"`) // no token was sent, so none is invalid
	}
}

func TestTokensOfUsersThatChange(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	ann, bob := a.session("ann"), a.session("bob")
	a.disable("ann@example.com")
	a.remove("bob@example.com")
	everywhere := func(s session, says string) {
		t.Helper()
		a.as("").bearing(s.Access).send("GET /api/v1/items").want(401, says)
		a.as("").bearing(s.Access).send("GET /api/v1/auth/tokens").want(401, says)
		a.as("").bearing(s.Access).send("DELETE /api/v1/auth/logout").want(401, says)
		a.as("").bearing(s.Refresh).send("POST /api/v1/auth/refresh").want(401, says)
		a.as("").bearing(s.Refresh).send("GET /api/v1/items").want(422, "Only non-refresh tokens are allowed")
	}
	everywhere(ann, "Account is disabled")
	everywhere(bob, "User not found")
}

func TestDisabledBeforeRevoked(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.as("ann").send("POST /api/v1/auth/logout").want(200, "Successfully logged out")
	a.as("ann").send("GET /api/v1/items").want(401, "Token has been revoked")
	a.disable("ann@example.com")
	a.as("ann").send("GET /api/v1/items").want(401, "Account is disabled")
	a.clock.advance(time.Hour)
	a.as("ann").send("GET /api/v1/items").want(401, "Token has expired")
}

// With -bad-token-status 401 a token that is no valid one, or of the wrong type, is a 401
// in the same words. The book API's answers stay.
func TestBadTokenStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"422", "401"} {
		a := newAPI(t)
		a.server.config.badTokenStatus = status
		want, _ := strconv.Atoi(status)
		ann := a.session("ann")
		a.as("").bearing(ann.Access+"x").send("GET /api/v1/items").want(want, "Signature verification failed").
			wantHeader("WWW-Authenticate", `Bearer realm="shelf", error="invalid_token", error_description="Signature verification failed"`)
		a.as("").bearing("x").send("GET /api/v1/items").want(want, "Not enough segments")
		a.as("").bearing(ann.Refresh).send("GET /api/v1/items").want(want, "Only non-refresh tokens are allowed")
		a.as("").bearing(ann.Access).send("POST /api/v1/auth/refresh").want(want, "Only refresh tokens are allowed")
		a.as("").with("Authorization", "Bearer").send("GET /api/v1/items").want(want, "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'")
		a.as("").send("GET /api/v1/items").want(401, "Missing Authorization Header")
		a.as("").with("X-Access-Token", "x").send("GET /bookapi/books").want(401, "Invalid token!")
		a.as("ann").send("GET /api/v1/items/9").want(404, "Requested item does not exist")
	}
}

// TestTypesOfTokens sends both types to every endpoint behind a token.
func TestTypesOfTokens(t *testing.T) {
	t.Parallel()
	const onlyAccess, onlyRefresh = "Only non-refresh tokens are allowed", "Only refresh tokens are allowed"
	for _, tt := range []struct{ request, access, refresh string }{
		{"POST /api/v1/auth/refresh", onlyRefresh, ""},
		{"DELETE /api/v1/auth/logout", "Successfully logged out", "Successfully logged out"},
		{"POST /api/v1/auth/logout", "Successfully logged out", "Successfully logged out"},
		{"GET /api/v1/auth/tokens", "", onlyAccess},
		{"PUT /api/v1/auth/tokens/1", "Missing 'revoke' in body", onlyAccess},
		{"DELETE /api/v1/auth/tokens", "Only admins can access this endpoint", onlyAccess},
		{"POST /api/v1/items", "Invalid item name", onlyAccess},
		{"GET /api/v1/items", "", onlyAccess},
		{"GET /api/v1/items/1", "Requested item does not exist", onlyAccess},
		{"PATCH /api/v1/items/1/itemname", onlyItemname, onlyAccess},
		{"DELETE /api/v1/items/1", "Item does not exist", onlyAccess},
	} {
		for token, says := range map[string]string{"TOKEN": tt.access, "REFRESH": tt.refresh} {
			a := newAPI(t)
			got := a.as("").bearing(a.tokenOf(t, token)).send(tt.request)
			if got.says() != says || (got.status == 422) != strings.HasPrefix(says, "Only ") && got.status != 403 {
				t.Errorf("%v with the %s; want %q", got, token, says)
			}
		}
		newAPI(t).as("").send(tt.request).want(401, "Missing Authorization Header").
			wantHeader("WWW-Authenticate", `Bearer realm="shelf"`)
	}
}

// together sends 50 requests at once and returns how often each status came
// back. The disk takes its time: it is done with the first write only when all
// requests wait for it.
func (a *api) together(send func(i int) *answer) map[int]int {
	a.t.Helper()
	letGo := slow(a.t, a.store)
	answers := make(chan *answer, 50)
	for i := range 50 {
		go func() { answers <- send(i) }()
	}
	for a.store.Waiting()+len(answers) < 50 { // some may be answered before they get so far
		runtime.Gosched()
	}
	letGo(nil)
	got := map[int]int{}
	for range 50 {
		got[(<-answers).status]++
	}
	return got
}

func TestSignUpsOfOneEmail(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"-data=memory", onDisk(t)} {
		a := newAPI(t, data)
		nobody := a.as("")
		got := a.together(func(i int) *answer {
			email := []string{"ann@example.com", "Ann@Example.COM"}
			return nobody.send("POST /api/v1/auth/signup", asForm("email", email[i%2], "password", annPassword))
		})
		if want := map[int]int{201: 1, 400: 49}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("50 sign-ups of one e-mail = %v; want %v", got, want)
		}
		if users, _, _ := a.store.counts(); users != 1 {
			t.Errorf("50 sign-ups of one e-mail made %d accounts; want 1", users)
		}
	}
}

func TestSignUpsOfOneUsername(t *testing.T) {
	t.Parallel()
	a := newAPI(t, onDisk(t))
	nobody := a.as("")
	got := a.together(func(i int) *answer {
		if i%2 == 0 {
			return nobody.send("POST /signup", asForm("username", "ann", "password", annPassword))
		}
		return nobody.send("POST /api/v1/auth/signup", asForm("email", fmt.Sprintf("ann%d@example.com", i), "username", "ann", "password", annPassword))
	})
	if got[201] != 1 || got[409]+got[400] != 49 {
		t.Errorf("50 sign-ups of one username in both APIs = %v; want one 201", got)
	}
}

func TestAccountsOutliveARestart(t *testing.T) {
	t.Parallel()
	a := newAPI(t, onDisk(t))
	ann := a.as("ann")
	ann.send("POST /api/v1/items", ball).want(201, "Created a new item")
	rae := a.reader("rae")
	rae.send("POST /bookapi/addbook", dune).want(200, "new book created")
	a = a.restart()
	ann.api, rae.api = a, a
	ann.send("GET /api/v1/items").wantBody(200, `{"status":200,"data":[{"id":1,`+ballRow+`}]}`)
	rae.send("GET /bookapi/books").wantBody(200, `{"Books":[{"id":1,"title":"Dune","author":"Frank Herbert"}]}`)
	a.signIn("signin", "ann")
	a.logIn("rae")
	a.as("").send("POST /api/v1/auth/signup", annDetails).want(400, "User already exists")
	a.as("").send("POST /signup", raeDetails).want(409, "User already exists!")
	bob := a.session("bob")
	if bob.User.ID != 3 {
		t.Errorf("the next account has id %d; want 3", bob.User.ID)
	}
	a.remove("bob@example.com")
	a = a.restart()
	if eve := a.session("eve"); eve.User.ID != 4 {
		t.Errorf("the account after a deleted one has id %d; want 4", eve.User.ID)
	}
	a.as("").bearing(bob.Access).send("GET /api/v1/items").want(http.StatusUnauthorized, "User not found")
}

func TestTooManyAttempts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path, form    string
		before              int // requests that are answered otherwise
		want, retryAfter    string
		contentType, answer string
	}{
		{"sign-in answers as the catalog", "/api/v1/auth/signin", guardWrong, 10, "401", "1", "application/json", `{"status":429,"error":"Too many attempts"}` + "\n"},
		{"an unknown account is counted alike", "/api/v1/auth/signin", "email=nobody@example.com&password=n0t-that!", 10, "401", "1", "application/json", `{"status":429,"error":"Too many attempts"}` + "\n"},
		{"/login answers in plain text", "/login", "username=ann&password=wrong", 10, "403", "1", "text/plain; charset=utf-8", "Too many attempts"},
		{"an unknown book account is counted alike", "/login", "username=nobody&password=wrong", 10, "401", "1", "text/plain; charset=utf-8", "Too many attempts"},
		{"sign-up answers as the catalog", "/api/v1/auth/signup", guardRight, 18, "400", "60", "application/json", `{"status":429,"error":"Too many attempts"}` + "\n"},
		{"/signup answers as the book API", "/signup", "username=ann&password=right", 18, "409", "60", "application/json", `{"message":"Too many attempts"}` + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuardServer(t, "")
			g.want(g.post("/api/v1/auth/signup", guardHere, guardRight), 201, "")
			g.want(g.post("/signup", guardHere, "username=ann&password=right"), 201, "")
			for range tt.before {
				if w := g.post(tt.path, guardHere, tt.form); fmt.Sprint(w.Code) != tt.want {
					t.Fatalf("%d %s; want %s", w.Code, w.Body, tt.want)
				}
			}
			w := g.post(tt.path, guardHere, tt.form)
			g.want(w, 429, "")
			h := w.Header()
			if h.Get("Retry-After") != tt.retryAfter || h.Get("Content-Type") != tt.contentType || w.Body.String() != tt.answer || h.Get("WWW-Authenticate") != "" {
				t.Errorf("%v %q; want Retry-After %s and, as %s, %q", h, w.Body, tt.retryAfter, tt.contentType, tt.answer)
			}
			for _, path := range []string{"/api/v1/auth/signin", "/login"} { // with a right password, from elsewhere
				if w := g.post(path, guardThere, guardRight+"&username=ann&password=right"); w.Code == 429 {
					t.Errorf("POST %s from another address = 429", path)
				}
			}
		})
	}
}

func TestTooManyAttemptsComesAfterTheRules(t *testing.T) {
	t.Parallel()
	g := newGuardServer(t, "")
	for range 20 {
		g.post("/api/v1/auth/signup", guardHere, guardRight)
		g.post("/api/v1/auth/signin", guardHere, guardWrong)
	}
	g.want(g.post("/api/v1/auth/signin", guardHere, guardRight), 429, "Too many attempts")
	g.want(g.post("/api/v1/auth/signup", guardHere, guardRight), 429, "Too many attempts")
	g.want(g.post("/api/v1/auth/signin", guardHere, "email=ann&password=b00k-worm"), 400, badEmail)
	g.want(g.post("/api/v1/auth/signin", guardHere, "email=ann@example.com&password=1"), 400, badPassword)
	g.want(g.post("/api/v1/auth/signup", guardHere, "email=ann@example.com&password=1"), 400, badPassword)
	g.want(g.post("/signup", guardHere, ""), 400, "Invalid input!")
	g.want(g.post("/login", guardHere, "username=ann"), 401, "Could not verify!")
	g.want(g.post("/api/v1/auth/signin", guardHere, guardRight, "Content-Type", "text/xml"), 415, "")

	g.clock.advance(time.Second)
	g.want(g.post("/api/v1/auth/signin", guardHere, guardRight), 200, "access_token")
	for range 9 {
		g.want(g.post("/api/v1/auth/signin", guardHere, guardWrong), 401, "Bad email or password")
	}
}

// What is one account to sign in to is one to the limits.
func TestTooManyAttemptsBySpelling(t *testing.T) {
	t.Parallel()
	g := newGuardServer(t, "")
	g.want(g.post("/api/v1/auth/signup", guardHere, guardRight), 201, "")
	for range 5 {
		g.want(g.post("/api/v1/auth/signin", guardHere, guardWrong), 401, "")
		g.want(g.post("/api/v1/auth/signin", guardHere, "email=Ann@Example.COM&password=n0t-that!"), 401, "")
	}
	g.want(g.post("/api/v1/auth/signin", guardHere, "email=ANN@example.com&password=b00k-worm"), 429, "Too many attempts")

	// A username in other case is another's, who can't reset the count.
	g.want(g.post("/signup", guardHere, "username=bob&password=right"), 201, "")
	g.want(g.post("/signup", guardHere, "username=BOB&password=eves"), 201, "")
	for range 9 {
		g.want(g.post("/login", guardHere, "username=bob&password=wrong"), 403, "")
	}
	g.want(g.post("/login", guardHere, "username=BOB&password=eves"), 201, "token")
	g.want(g.post("/login", guardHere, "username=bob&password=wrong"), 403, "")
	g.want(g.post("/login", guardHere, "username=bob&password=right"), 429, "Too many attempts")
}

// Faults that are not the password's must not count as if they were.
func TestTooManyAttemptsCountsWrongPasswordsOnly(t *testing.T) {
	t.Parallel()
	g := newGuardServer(t, "")
	g.want(g.post("/api/v1/auth/signup", guardHere, guardRight), 201, "")
	for range 30 {
		g.want(g.post("/api/v1/auth/signin", guardHere, "email=ann@example.com&password=1"), 400, badPassword)
		r := httptest.NewRequest("POST", "/api/v1/auth/signin", strings.NewReader(guardWrong))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		gone, leave := context.WithCancel(r.Context())
		leave()
		release := holdWorkers(g.hashes)
		w := ask(g.server, r.WithContext(gone))
		g.want(w, 503, "Too many sign-ins at once")
		release()
	}
	g.want(g.post("/api/v1/auth/signin", guardHere, guardRight), 200, "access_token")
}

// A stolen token must not be a way around the count.
func TestTooManyAttemptsBehindAToken(t *testing.T) {
	t.Parallel()
	for _, request := range []string{
		"POST /api/v1/auth/password current_password=n0t-that!&new_password=n3w-worm",
		"DELETE /api/v1/auth/me password=n0t-that!",
	} {
		method, rest, _ := strings.Cut(request, " ")
		path, form, _ := strings.Cut(rest, " ")
		g := newGuardServer(t, "")
		w := g.post("/api/v1/auth/signup", guardHere, guardRight)
		var in struct{ Data []signedIn }
		if err := json.Unmarshal(w.Body.Bytes(), &in); err != nil || len(in.Data) != 1 {
			t.Fatalf("%s: %v", w.Body, err)
		}
		for i := range 11 {
			r := httptest.NewRequest(method, path, strings.NewReader(form))
			r.RemoteAddr = net.JoinHostPort(guardHere, "1234")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Authorization", "Bearer "+in.Data[0].AccessToken)
			if w := g.send(r); i < 10 {
				g.want(w, 403, "Wrong password")
			} else {
				g.want(w, 429, "Too many attempts")
			}
		}
		g.want(g.post("/api/v1/auth/signin", guardHere, guardRight), 429, "Too many attempts")
		g.want(g.post("/api/v1/auth/signin", guardThere, guardRight), 200, "access_token")
	}
}

func TestSignInsInParallel(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, form  string
		want        int
		least, most int // answers with that status, of fifty
	}{
		{"fifty right passwords at once all come in", guardRight, 200, 50, 50},
		{"of fifty wrong ones ten are judged", guardWrong, 401, 10, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuardServer(t, "-log=off")
			g.want(g.post("/api/v1/auth/signup", guardHere, guardRight), 201, "")
			var n atomic.Int64
			var running sync.WaitGroup
			for range 50 {
				running.Go(func() {
					if g.post("/api/v1/auth/signin", guardHere, tt.form).Code == tt.want {
						n.Add(1)
					}
				})
			}
			running.Wait()
			if got := int(n.Load()); got < tt.least || got > tt.most {
				t.Errorf("%d answers of fifty were %d; want %d", got, tt.want, tt.least)
			}
		})
	}
}

// hashCost is what a hash cost: $2a$12$ cost 12.
func hashCost(t *testing.T, hash string) int {
	t.Helper()
	cost, err := strconv.Atoi(hash[4:6])
	if err != nil {
		t.Fatal(err)
	}
	return cost
}

// costOf is what the account's stored hash cost.
func costOf(t *testing.T, st *store, email string) int {
	t.Helper()
	return hashCost(t, st.userByEmail(email).Hash)
}

func TestHashUpgrade(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name         string
		stored       int // the cost at sign-up
		form         string
		status, want int // the answer, and the stored cost after it
	}{
		{"a weaker hash is made anew at sign-in", 4, guardRight, 200, 5},
		{"one of the configured cost stays", 5, guardRight, 200, 5},
		{"a stronger one stays", 6, guardRight, 200, 6},
		{"a wrong password changes nothing", 4, guardWrong, 401, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuardServer(t, "-bcrypt-cost=5")
			g.hashes = password.New(tt.stored)
			g.want(g.post("/api/v1/auth/signup", guardHere, guardRight), 201, "")
			g.hashes = password.New(5)
			g.want(g.post("/api/v1/auth/signin", guardHere, tt.form), tt.status, "")
			if got := costOf(t, g.store, "ann@example.com"); got != tt.want {
				t.Errorf("the stored hash has cost %d; want %d", got, tt.want)
			}
			g.want(g.post("/api/v1/auth/signin", guardHere, guardRight), 200, "access_token")
			g.want(g.post("/api/v1/auth/signin", guardHere, guardWrong), 401, "Bad email or password")
		})
	}
}

func TestHashUpgradeAtLogin(t *testing.T) {
	t.Parallel()
	g := newGuardServer(t, "")
	g.want(g.post("/signup", guardHere, "username=ann&password=right"), 201, "")
	g.hashes = password.New(5)
	g.want(g.post("/login", guardHere, "username=ann&password=right"), 201, "token")
	if cost := hashCost(t, g.store.userByUsername("ann").Hash); cost != 5 {
		t.Errorf("the stored hash has cost %d; want 5", cost)
	}
	g.want(g.post("/login", guardHere, "username=ann&password=right"), 201, "token")
}

// A crash between the two would leave a sign-in that was not recorded, or a
// password that was not checked.
func TestHashUpgradeIsOneBatchWithTheSignIn(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "shelf.jsonl")
	g := newGuardServer(t, "-data="+file)
	g.want(g.post("/api/v1/auth/signup", guardHere, guardRight), 201, "")
	g.hashes = password.New(5)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g.want(g.post("/api/v1/auth/signin", guardHere, guardRight), 200, "")
	after, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(after[len(before):])), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], `"hash":"$2a$05$`) || !strings.Contains(lines[2], `"closes":3`) {
		t.Errorf("the sign-in wrote\n%s\nwant the user with a hash of cost 5 and two tokens in one batch", strings.Join(lines, "\n"))
	}
}

func TestHashUpgradeNeverStopsASignIn(t *testing.T) {
	t.Parallel()
	g := newGuardServer(t, "-log=off")
	g.want(g.post("/api/v1/auth/signup", guardHere, guardRight), 201, "")
	g.hashes = password.New(5)
	var running sync.WaitGroup
	for range 30 {
		running.Go(func() { g.want(g.post("/api/v1/auth/signin", guardHere, guardRight), 200, "access_token") })
	}
	running.Wait()
}

// BenchmarkSignInTiming shows whether the time of an answer tells who has an
// account (OWASP ASVS 5, 6.3.8; CWE-208): one sign-in with a wrong password and
// one to an account that there isn't, by turns, so that whatever else the
// machine does slows both alike. What matters is unknown/wrong, the ratio of
// the medians: within 5 % of 1 is the aim. A clock is no judge of a build, so
// it is reported and not asserted; that both do the same work is asserted in
// the table of attacks.
//
//	go test -run '^$' -bench SignInTiming -benchtime 200x
func BenchmarkSignInTiming(b *testing.B) {
	for _, bench := range []struct {
		name, request string
		sign          func(a *api) // up, those who have an account
		wrong         body
		unknown       body
	}{
		{
			"catalog", "POST /api/v1/auth/signin", func(a *api) { a.session("ann") },
			asForm("email", "ann@example.com", "password", "wr0ng-worm"),
			asForm("email", "eve@example.com", "password", "wr0ng-worm"),
		},
		{ // where a catalog account has to count as none
			"book_API", "POST /login", func(a *api) { a.session("ann"); a.reader("rae") },
			asForm("username", "ann@example.com", "password", "wr0ng-worm"),
			asForm("username", "eve@example.com", "password", "wr0ng-worm"),
		},
	} {
		b.Run(bench.name, func(b *testing.B) {
			a := newAPI(b, "-bcrypt-cost=10")
			bench.sign(a)
			try := func(details body) time.Duration {
				a.clock.advance(2 * time.Hour) // past what the limiter remembers
				start := time.Now()
				got := a.as("").send(bench.request, details)
				took := time.Since(start)
				if got.status != 401 {
					b.Fatalf("%v; want 401", got)
				}
				return took
			}
			var wrong, unknown []time.Duration
			for b.Loop() {
				// Who goes first changes too: the second may find warmer caches.
				if len(wrong)%2 == 0 {
					wrong, unknown = append(wrong, try(bench.wrong)), append(unknown, try(bench.unknown))
				} else {
					unknown, wrong = append(unknown, try(bench.unknown)), append(wrong, try(bench.wrong))
				}
			}
			median := func(all []time.Duration) float64 {
				slices.Sort(all)
				return float64(all[len(all)/2])
			}
			b.ReportMetric(median(wrong)/1e6, "wrong-ms")
			b.ReportMetric(median(unknown)/1e6, "unknown-ms")
			b.ReportMetric(median(unknown)/median(wrong), "unknown/wrong")
		})
	}
}

// getJWKS asks a server with that ring for its public keys.
func getJWKS(t *testing.T, ring *token.Keyring, method string) *httptest.ResponseRecorder {
	t.Helper()
	now := func() time.Time { return tokenNow }
	log := slog.New(slog.DiscardHandler)
	s := newServer(defaultSettings, newStore(log, now), ring, log, now, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080})
	r := httptest.NewRequest(method, "http://localhost:8080/.well-known/jwks.json", nil)
	r.Header.Set("Origin", "http://localhost:3000")
	return ask(s, r)
}

func TestJWKSHeaders(t *testing.T) {
	t.Parallel()
	w := getJWKS(t, tokenRing(t), "GET")
	if w.Code != 200 || w.Body.String() != "{\"keys\":[]}\n" {
		t.Errorf("of HS256 keys: %d %q; want none", w.Code, w.Body.String())
	}
	for name, want := range map[string]string{
		"Content-Type":                "application/jwk-set+json",
		"Cache-Control":               "public, max-age=300",
		"X-Content-Type-Options":      "nosniff",
		"Access-Control-Allow-Origin": "http://localhost:3000",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s = %q; want %q", name, got, want)
		}
	}
	if w := getJWKS(t, tokenRing(t), "POST"); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("POST = %d, Allow %q; want 405", w.Code, w.Header().Get("Allow"))
	}
}

// goodWrites is a good request of ann, an admin, to each route that changes
// something and wants a token. TestWritesJudgeAgain fails for a route that the
// table lacks.
var goodWrites = map[string]struct {
	request string
	body    body
}{
	"POST /api/v1/auth/refresh":        {"POST /api/v1/auth/refresh", body{}},
	"DELETE /api/v1/auth/logout":       {"DELETE /api/v1/auth/logout", body{}},
	"POST /api/v1/auth/logout":         {"POST /api/v1/auth/logout", body{}},
	"PUT /api/v1/auth/tokens/{id}":     {"PUT /api/v1/auth/tokens/1", asJSON(`{"revoke": false}`)}, // its own
	"DELETE /api/v1/auth/tokens":       {"DELETE /api/v1/auth/tokens", body{}},
	"PATCH /api/v1/auth/me":            {"PATCH /api/v1/auth/me", asJSON(`{"firstname": "Eve"}`)},
	"DELETE /api/v1/auth/me":           {"DELETE /api/v1/auth/me", asJSON(`{"password": "` + annPassword + `"}`)},
	"POST /api/v1/auth/password":       {"POST /api/v1/auth/password", asJSON(`{"current_password": "` + annPassword + `", "new_password": "st0len-worm"}`)},
	"DELETE /api/v1/auth/sessions":     {"DELETE /api/v1/auth/sessions", body{}},
	"PATCH /api/v1/users/{id}":         {"PATCH /api/v1/users/3", asJSON(`{"admin": true}`)},
	"DELETE /api/v1/users/{id}":        {"DELETE /api/v1/users/3", body{}},
	"POST /api/v1/items":               {"POST /api/v1/items", asJSON(`{"itemname":"a","category":"b","description":"c"}`)},
	"PUT /api/v1/items/{id}":           {"PUT /api/v1/items/1", asJSON(`{"itemname":"a","category":"b","description":"c"}`)},
	"PATCH /api/v1/items/{id}":         {"PATCH /api/v1/items/1", asJSON(`{"itemname":"a"}`)},
	"PATCH /api/v1/items/{id}/{field}": {"PATCH /api/v1/items/1/itemname", asJSON(`{"itemname":"a"}`)},
	"DELETE /api/v1/items/{id}":        {"DELETE /api/v1/items/1", body{}},
	"POST /bookapi/addbook":            {"POST /bookapi/addbook", asJSON(`{"title":"a","author":"b"}`)},
	"POST /bookapi/books":              {"POST /bookapi/books", asJSON(`{"title":"a","author":"b"}`)},
	"DELETE /bookapi/books/{id}":       {"DELETE /bookapi/books/1", body{}},
}

// meanwhile is what can happen to a caller, ann, between the moment that her token
// is judged and the moment that her request changes something.
var meanwhile = []struct {
	name string
	do   func(a *api) error
	said string // to her, in the words of the catalog
	lone string // why no write of another's brings it about; "" for one that does
}{
	{"her token is revoked", func(a *api) error { return a.store.asUser(1).setRevoked(a.uses, true) }, "Token has been revoked", ""},
	{"she logs out", func(a *api) error { return a.store.asUser(1).endSession() }, "Token has been revoked", ""},
	{"she logs out everywhere", func(a *api) error { return a.store.asUser(1).endSessions() }, "Token has been revoked", ""},
	{"she changes her password elsewhere", func(a *api) error {
		ann, _ := a.store.users.Row(1)
		elsewhere := a.store.liveTokens(1)[2]
		return a.store.as(&caller{user: ann, token: elsewhere}).setPassword(ann, "")
	}, "Token has been revoked", ""},
	{"she is disabled", func(a *api) error {
		yes := true
		_, err := a.store.as(theOperator).setAccess(1, nil, &yes)
		return err
	}, "Account is disabled", ""},
	{"her account is deleted", func(a *api) error { return a.store.as(theOperator).deleteUser(1) }, "User not found", ""},
	{"she is demoted", func(a *api) error {
		no := false
		_, err := a.store.as(theOperator).setAccess(1, &no, nil)
		return err
	}, "Only admins can access this endpoint", ""},
	{"her token expires", func(a *api) error { a.clock.advance(31 * 24 * time.Hour); return nil }, "Token has expired", "time alone does"},
}

// guardedWrites are the routes that change something and want a token.
func guardedWrites(a *api) (patterns []string) {
	for _, rt := range a.routes() {
		if method, path, _ := strings.Cut(rt.pattern, " "); method != "GET" {
			switch ans := a.as("").send(method + " " + strings.NewReplacer("{id}", "1", "{field}", "itemname").Replace(path)); ans.says() {
			case "Missing Authorization Header", "A valid token is missing!":
				patterns = append(patterns, rt.pattern)
			}
		}
	}
	return patterns
}

// annWrites is a server whose users are ann and root, who are admins, and bob. ann
// has an item and a book. The request is a good one of hers.
func annWrites(t *testing.T, pattern string) (a *api, c *client, r *http.Request, body string) {
	t.Helper()
	write, ok := goodWrites[pattern]
	if !ok {
		t.Fatalf("goodWrites has no request to %s", pattern)
	}
	a = newAPI(t)
	a.asAdmin("ann") // tokens 1 and 2
	a.asAdmin("root")
	a.session("bob")
	a.signIn("signin", "ann")
	a.as("ann").send("POST /api/v1/items", asForm("itemname", "ball", "category", "c", "description", "d")).wantStatus(201)
	text := a.session("ann").Access
	a.as("").with("X-Access-Token", text).send("POST /bookapi/books", asForm("title", "Dune", "author", "Herbert")).wantStatus(200)
	a.uses = 1
	if pattern == "POST /api/v1/auth/refresh" {
		text, a.uses = a.session("ann").Refresh, 2
	}
	method, path, _ := strings.Cut(write.request, " ")
	r = httptest.NewRequest(method, path, strings.NewReader(write.body.text))
	r.Host = "localhost"
	if write.body.text != "" {
		r.Header.Set("Content-Type", write.body.contentType)
	}
	c = a.as("").bearing(text)
	if strings.HasPrefix(path, "/bookapi") {
		c = a.as("").with("X-Access-Token", text)
	}
	return a, c, r, write.body.text
}

// wantRefused says what the refusal has to be: in the dialect of the path.
func wantRefused(ans *answer, path, said string) {
	ans.t.Helper()
	status := map[string]int{"Only admins can access this endpoint": 403}[said]
	if strings.HasPrefix(path, "/bookapi") {
		switch said {
		case "User not found":
			status, said = 404, "User not found!"
		case "Token has expired":
			said = "Token has expired!"
		default:
			said = "Invalid token!"
		}
	}
	ans.want(cmp.Or(status, 401), said)
}

// A request was begun with a good token, and something happens to its caller
// before it changes anything: it changes nothing (CWE-367, CWE-613).
func TestWritesJudgeAgain(t *testing.T) {
	t.Parallel()
	patterns := guardedWrites(newAPI(t))
	if len(patterns) < 19 {
		t.Fatalf("only %d routes change something: %q", len(patterns), patterns)
	}
	for _, pattern := range patterns {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			_, c, r, text := annWrites(t, pattern)
			if ans := c.do(r); ans.status >= 300 {
				t.Fatalf("%v; want success", ans)
			}
			for _, m := range meanwhile {
				if m.said == "Only admins can access this endpoint" && !forAdminsOnly(newAPI(t), pattern) {
					continue // who is no admin may do it as well
				}
				heldBack := func(t *testing.T) {
					a, c, r, text := annWrites(t, pattern)
					r.Body = io.NopCloser(&bodyAfter{Reader: strings.NewReader(text), first: func() {
						if err := m.do(a); err != nil {
							t.Error(err)
						}
					}})
					wantRefused(c.do(r), r.URL.Path, m.said)
				}
				notOnDisk := func(t *testing.T) {
					a, c, r, _ := annWrites(t, pattern)
					release := slow(t, a.store)
					ended := make(chan error)
					go func() { ended <- m.do(a) }()
					for pending := 0; pending == 0; _, pending = a.store.rowsOf("") {
						runtime.Gosched()
					}
					answers := make(chan *answer, 1)
					go func() { answers <- c.do(r) }()
					for a.store.Waiting() < 2 && len(answers) == 0 {
						runtime.Gosched()
					}
					release(nil)
					wantRefused(<-answers, r.URL.Path, m.said)
					if err := <-ended; err != nil {
						t.Error(err)
					}
				}
				if text != "" { // a request without a body has nothing to hold back
					t.Run(m.name+" while the body is on its way", heldBack)
				}
				if m.lone == "" {
					t.Run(m.name+" in a write that is not yet on disk", notOnDisk)
				}
			}
		})
	}
}

// forAdminsOnly reports whether a route is for admins only.
func forAdminsOnly(a *api, pattern string) bool {
	write := goodWrites[pattern]
	return a.as("eve").send(write.request, write.body).status == 403
}

// What matters to the security of an account leaves one line, with who and from
// where, and without anything that a client typed (CWE-778, CWE-532).
func TestSecurityEvents(t *testing.T) {
	t.Parallel()
	const typed = "typ3d-by-mistake"
	for _, tt := range []struct {
		name string
		do   func(a *api)
		want string
	}{
		{"a wrong password", func(a *api) { a.as("").at(guardHere, signInPath, signingIn("ann@example.com", typed)) }, "sign-in failed user=1"},
		{"an unknown account", func(a *api) { a.as("").at(guardHere, signInPath, signingIn(typed+"@example.com", wrongGuess)) }, "sign-in failed"},
		{"a password in the place of a username", func(a *api) { a.as("").at(guardHere, "POST /login", asForm("username", typed, "password", typed)) }, "sign-in failed"},
		{"a disabled account", func(a *api) {
			a.disable("ann@example.com")
			a.as("").at(guardHere, signInPath, signingIn("ann@example.com", annPassword))
		}, "sign-in failed user=1"},
		{"a wrong password to confirm", func(a *api) {
			a.as("ann").at(guardHere, "DELETE /api/v1/auth/me", asForm("password", typed))
		}, "wrong password user=1"},
		{"too many sign-ups", func(a *api) {
			a.session("ann")
			for range 21 {
				a.as("").at(guardHere, signUpPath, signingIn("ann@example.com", annPassword))
			}
		}, "too many attempts"},
		{"a revocation", func(a *api) { a.as("ann").at(guardHere, "PUT /api/v1/auth/tokens/2", asForm("revoke", "1")) }, "token revoked user=1 token=2"},
		{"a restored token", func(a *api) { a.as("ann").at(guardHere, "PUT /api/v1/auth/tokens/2", asForm("revoke", "0")) }, "token restored user=1 token=2"},
		{"a log-out everywhere", func(a *api) { a.as("ann").at(guardHere, "DELETE /api/v1/auth/sessions", asForm()) }, "logged out everywhere user=1"},
		{"a change of password", func(a *api) {
			a.as("ann").at(guardHere, "POST /api/v1/auth/password", asForm("current_password", annPassword, "new_password", typed))
		}, "password changed user=1"},
		{"a change of username", func(a *api) { a.as("ann").at(guardHere, "PATCH /api/v1/auth/me", asForm("username", typed)) }, "username changed user=1"},
		{"a deleted account", func(a *api) { a.as("ann").at(guardHere, "DELETE /api/v1/auth/me", asForm("password", annPassword)) }, "account deleted user=1"},
		{"a new admin", func(a *api) {
			a.asAdmin("ann").at(guardHere, "PATCH /api/v1/users/2", asForm("admin", "1"))
		}, "account changed by an admin user=1 account=2 admin=true disabled=false"},
		{"an account that an admin deletes", func(a *api) {
			a.asAdmin("ann").at(guardHere, "DELETE /api/v1/users/2", asForm())
		}, "account deleted by an admin user=1 account=2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			a := startAPI(t, &stoppedClock{at: tokenNow}, journal.OS{}, slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
			a.session("ann")
			a.session("bob")
			tt.do(a)
			event, attrs, _ := strings.Cut(tt.want, " user=")
			want := fmt.Sprintf("event=%q client=%s", event, guardHere)
			if attrs != "" {
				want += " user=" + attrs
			}
			want += "\n"
			if n := strings.Count(log.String(), want); n != 1 {
				t.Errorf("the log is\n%s\nwant one line that ends in %s", &log, want)
			}
			if strings.Contains(log.String(), typed) || strings.Contains(log.String(), "example.com") {
				t.Errorf("the log has what a client typed:\n%s", &log)
			}
		})
	}
}

func TestSecurityEventsAreSampled(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	a := startAPI(t, &stoppedClock{at: tokenNow}, journal.OS{}, slog.NewTextHandler(&log, nil), "-log=problems")
	a.session("ann")
	log.Reset()
	for i := range 100 {
		a.as("").at(fmt.Sprintf("192.0.2.%d", i), signInPath, signingIn("ann@example.com", wrongGuess))
	}
	a.as("ann").at(guardHere, "DELETE /api/v1/auth/sessions", asForm())
	if failed, ended := strings.Count(log.String(), `"sign-in failed"`), strings.Count(log.String(), `"logged out everywhere"`); failed != 10 || ended != 1 {
		t.Errorf("%d lines of failed sign-ins and %d of a log-out everywhere; want 10 and one", failed, ended)
	}
}

// With -password-policy nist every way to a new password has the same rule, and
// every way to sign in takes what was allowed (NIST SP 800-63B §5.1.1.2).
func TestPasswordPolicy(t *testing.T) {
	t.Parallel()
	const worm, phrase, digits = "worms & all", "correct horse", "ß-ünïcödé"
	a := newAPI(t, "-password-policy=nist")
	for i, good := range []string{worm, phrase, digits, strings.Repeat("w0rm", 17) + "!"} {
		email, name := fmt.Sprintf("u%d@example.com", i), fmt.Sprint("reader", i)
		a.as("").send("POST /api/v1/auth/signup", asForm("email", email, "password", good)).want(201, "")
		a.as("").send("POST /api/v1/auth/signin", asForm("email", email, "password", good)).want(200, "")
		a.as("").send("POST /signup", asForm("username", name, "password", good)).want(201, "registered successfully")
		a.as("").send("POST /login", asForm("username", name, "password", good)).want(201, "")
	}
	ann, rae := a.as("ann"), a.as("").bearing(a.reader("rae").headers[1])
	for bad, why := range map[string]string{
		"w0rm-ab":                "should be at least 8 characters long",
		"Password123!":           "is one of those that are tried first",
		"12345678":               "is one of those that are tried first",
		strings.Repeat("é1", 25): "should be at most 72 bytes long",
	} {
		a.as("").send("POST /api/v1/auth/signup", asForm("email", "new@example.com", "password", bad)).want(400, "Invalid password. It "+why)
		a.as("").send("POST /signup", asForm("username", "new", "password", bad)).want(400, "Invalid input! The password "+why)
		for _, c := range []*client{ann, rae} {
			c.send("POST /api/v1/auth/password", asForm("current_password", annPassword, "new_password", bad)).want(400, "Invalid password. It "+why)
		}
	}
	a.as("").send("POST /api/v1/auth/signup", asForm("email", "new-worm@example.com", "password", "New-Worm")).want(400, "Invalid password. It should not be a name of the account")
	ann.send("POST /api/v1/auth/password", asForm("current_password", annPassword, "new_password", phrase)).want(200, "Password successfully changed")
}

// The owner sets each limit. The flag of one row makes its last request too much.
func TestLimitsAreFlags(t *testing.T) {
	t.Parallel()
	const signIn, wrong = "/api/v1/auth/signin", "email=ann@example.com&password=n0t-that!"
	for _, tt := range []struct {
		flag, path, form string
		from             [2]string // of the first requests, and of the last
		times            int       // that go through
	}{
		{"-sign-ups=3", "/signup", "username=ann&password=x", [2]string{guardHere, guardHere}, 3},
		{"-sign-ups=40", "/signup", "username=ann&password=x", [2]string{guardHere, guardHere}, 40},
		{"-free-tries=2", signIn, wrong, [2]string{guardHere, guardHere}, 2},
		{"-free-tries=20", signIn, wrong, [2]string{guardHere, guardHere}, 20},
		{"-failures=4", signIn, wrong, [2]string{guardHere, guardHere}, 4},
	} {
		t.Run(tt.flag, func(t *testing.T) {
			t.Parallel()
			g := newGuardServer(t, tt.flag)
			for i := range tt.times {
				if w := g.post(tt.path, tt.from[0], tt.form); w.Code == 429 {
					t.Fatalf("request %d = 429 %s", i+1, w.Body)
				}
			}
			g.want(g.post(tt.path, tt.from[1], tt.form), 429, "Too many attempts")
		})
	}
	g := newGuardServer(t, "-longest-wait=3s")
	for range 20 {
		g.clock.advance(time.Hour / 20)
		g.post(signIn, guardHere, wrong)
	}
	if w := g.post(signIn, guardHere, wrong); w.Code != 429 || w.Header().Get("Retry-After") != "3" {
		t.Errorf("with -longest-wait=3s: %d, Retry-After %q; want 429 and 3", w.Code, w.Header().Get("Retry-After"))
	}
	a := newAPI(t, "-max-batch=2", "-max-body=20000", "-max-account-streams=1", "-max-tokens=2")
	row := `{"itemname":"n","category":"c","description":"d"}`
	a.as("ann").send("POST /api/v1/items", asJSON("["+row+","+row+"]")).want(201, "Created 2 new items")
	a.as("ann").send("POST /api/v1/items", asJSON(row+strings.Repeat(" ", 20_000))).want(413, "The body must be at most 20000 bytes long")
	a.as("ann").send("POST /api/v1/items", asJSON(row+strings.Repeat(" ", 19_000))).want(201, "Created a new item")
	a.as("ann").send("POST /api/v1/items", asJSON("["+row+","+row+","+row+"]")).want(400, "Invalid request body: must hold from 1 to 2 items")
}

// With -rotate-refresh a refresh token is good for one use. A lost answer is given
// again, and a replay ends the sign-in (RFC 9700 §4.14.2).
func TestRotateRefresh(t *testing.T) {
	t.Parallel()
	a := newAPI(t, onDisk(t), "-rotate-refresh")
	use := func(text string) *answer {
		t.Helper()
		return a.as("").bearing(text).send("POST /api/v1/auth/refresh")
	}
	first := a.session("ann").Refresh
	answers := make([]*answer, 50)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = use(first) })
	}
	all.Wait()
	second := row[session](answers[0].want(200, ""))
	for _, ans := range answers {
		if got := row[session](ans.want(200, "")); got.Refresh != second.Refresh {
			t.Fatal("fifty uses at once gave two successors")
		}
	}
	a.clock.advance(10 * time.Second)
	a = a.restart()
	if again := row[session](use(first).want(200, "")); again.Refresh != second.Refresh {
		t.Error("after a restart the lost answer has another successor")
	}
	a.as("").bearing(second.Access).send("GET /api/v1/items").want(200, "")
	third := row[session](use(second.Refresh).want(200, ""))
	a.clock.advance(11 * time.Second)
	other := a.signIn("signin", "ann")
	use(second.Refresh).want(401, "Token has been revoked")
	for range 2 { // the whole sign-in has ended, and no other
		use(third.Refresh).want(401, "Token has been revoked")
		a.as("").bearing(third.Access).send("GET /api/v1/items").want(401, "Token has been revoked")
		a.as("").bearing(other.Access).send("GET /api/v1/items").want(200, "")
		a = a.restart()
	}
}

// Who uses a refresh token whose successor is in use is a second one who has it.
func TestRotateRefreshReplayAtOnce(t *testing.T) {
	t.Parallel()
	a := newAPI(t, "-rotate-refresh")
	first := a.session("ann").Refresh
	second := row[session](a.as("").bearing(first).send("POST /api/v1/auth/refresh").want(200, ""))
	a.as("").bearing(second.Refresh).send("POST /api/v1/auth/refresh").want(200, "")
	a.as("").bearing(first).send("POST /api/v1/auth/refresh").want(401, "Token has been revoked")
	a.as("ann").send("GET /api/v1/items").want(401, "Token has been revoked")
}

// A server that is started without the flag again makes no used token good.
func TestRotateRefreshNoMore(t *testing.T) {
	t.Parallel()
	a := newAPI(t, "-rotate-refresh")
	first := a.session("ann").Refresh
	second := row[session](a.as("").bearing(first).send("POST /api/v1/auth/refresh").want(200, ""))
	a.config.rotateRefresh = false
	for range 2 {
		a.as("").bearing(second.Refresh).send("POST /api/v1/auth/refresh").want(200, "")
	}
	a.clock.advance(11 * time.Second)
	a.as("").bearing(first).send("POST /api/v1/auth/refresh").want(401, "Token has been revoked")
	a.as("").bearing(second.Refresh).send("POST /api/v1/auth/refresh").want(401, "Token has been revoked")
}
