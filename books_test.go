package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var dune = asJSON(`{"title": "Dune", "author": "Frank Herbert"}`)

// TestTutorialBooks is what the second tutorial prints of its
// tests/test_book_api.py; each subtest has the name of its function there. The
// tutorial sends JSON.
func TestTutorialBooks(t *testing.T) {
	t.Parallel()
	inEveryEncoding(t, func(t *testing.T, in func(...string) body) {
		// getLoginToken is the tutorial's, as is an account without a digit.
		getLoginToken := func(nobody *client) string {
			userDetails := in("username", "test_user", "password", "password")
			nobody.send("POST /signup", userDetails).wantBody(201, `{"message":"registered successfully"}`)
			var got struct{ Token string }
			nobody.send("POST /login", userDetails).want(201, "").decode(&got)
			return got.Token
		}
		t.Run("test_user_logged_in_user_can_get_books", func(t *testing.T) {
			t.Parallel()
			nobody := newAPI(t).as("")
			nobody.with("X-Access-Token", getLoginToken(nobody)).send("GET /bookapi/books").wantBody(200, `{"Books":[]}`)
		})
		t.Run("test_user_without_valid_token_cannot_get_books", func(t *testing.T) {
			t.Parallel()
			newAPI(t).as("").with("X-Access-Token", "invalid-token").send("GET /bookapi/books").want(401, "Invalid token!")
		})
		t.Run("create and delete a book", func(t *testing.T) {
			t.Parallel()
			nobody := newAPI(t).as("")
			user := nobody.with("X-Access-Token", getLoginToken(nobody))
			user.send("POST /bookapi/addbook", in("title", "Dune", "author", "Frank Herbert")).wantBody(200, `{"message":"new book created"}`)
			emma := user.send("POST /bookapi/books", in("title", "Emma", "author", "Jane Austen")).wantHeader("Location", "http://localhost:8080/bookapi/books/2")
			user.send("GET /bookapi/books/2").wantHeader("ETag", emma.header.Get("ETag"))
			user.send("DELETE /bookapi/books/2").want(200, "Book deleted")
			user.send("GET /bookapi/books").wantBody(200, `{"Books":[{"id":1,"title":"Dune","author":"Frank Herbert"}]}`)
			user.send("DELETE /bookapi/books/1").wantBody(200, `{"message":"Book deleted"}`)
			user.send("DELETE /bookapi/books/1").wantBody(200, `{"message":"book does not exist"}`)
		})
	})
}

// bookTests begin with book 1, rae's Dune. Bob is another reader, and root a
// catalog account and an admin.
var bookTests = []struct {
	name, user, request string
	body                body
	wantStatus          int
	wantSays            string
}{
	{"listing takes a token", "", "GET /bookapi/books", body{}, 401, "A valid token is missing!"},
	{"reading takes a token", "", "GET /bookapi/books/1", body{}, 401, "A valid token is missing!"},
	{"adding takes a token", "", "POST /bookapi/addbook", dune, 401, "A valid token is missing!"},
	{"deleting takes a token", "", "DELETE /bookapi/books/1", body{}, 401, "A valid token is missing!"},

	{"anybody may read anybody's book", "bob", "GET /bookapi/books/1", body{}, 200, ""},
	{"no such book", "rae", "GET /bookapi/books/2", body{}, 404, "book does not exist"},
	{"a word is no book's number", "rae", "GET /bookapi/books/dune", body{}, 404, "book does not exist"},
	{"nor is too large a number", "rae", "GET /bookapi/books/99999999999999999999", body{}, 404, "book does not exist"},

	{"another title", "bob", "POST /bookapi/addbook", asForm("title", "Emma", "author", "Jane Austen"), 200, "new book created"},
	{"the other name of the path", "bob", "POST /bookapi/books", asForm("title", "Emma", "author", "Jane Austen"), 200, "new book created"},
	{"a title that is there", "bob", "POST /bookapi/addbook", asForm("title", "Dune", "author", "somebody"), 409, "Book with same title already exists!"},
	{"a title that is there, with blanks", "bob", "POST /bookapi/addbook", asForm("title", " Dune ", "author", "somebody"), 409, "Book with same title already exists!"},
	{"no body", "rae", "POST /bookapi/addbook", body{}, 400, "Invalid input!"},
	{"JSON null", "rae", "POST /bookapi/addbook", asJSON("null"), 400, "Invalid input!"},
	{"no title", "rae", "POST /bookapi/addbook", asForm("author", "somebody"), 400, "Invalid input!"},
	{"no author", "rae", "POST /bookapi/addbook", asForm("title", "Emma"), 400, "Invalid input!"},
	{"a blank title", "rae", "POST /bookapi/addbook", asForm("title", " ", "author", "somebody"), 400, "Invalid input!"},
	{"a blank author", "rae", "POST /bookapi/addbook", asForm("title", "Emma", "author", " "), 400, "Invalid input!"},
	{"a null title", "rae", "POST /bookapi/addbook", asJSON(`{"title": null, "author": "somebody"}`), 400, "Invalid input!"},
	{"values as long as may be", "rae", "POST /bookapi/addbook", asForm("title", strings.Repeat("é", 200), "author", strings.Repeat("é", 200)), 200, "new book created"},
	{"a title too long", "rae", "POST /bookapi/addbook", asForm("title", strings.Repeat("é", 201), "author", "somebody"), 400, "Invalid input!"},
	{"an author too long", "rae", "POST /bookapi/addbook", asForm("title", "Emma", "author", strings.Repeat("é", 201)), 400, "Invalid input!"},
	{"the rules before the title's being taken", "rae", "POST /bookapi/addbook", asForm("title", "Dune", "author", ""), 400, "Invalid input!"},
	{"the query string is no body", "rae", "POST /bookapi/addbook?title=Emma&author=Austen", body{}, 400, "Invalid input!"},

	{"its creator may delete a book", "rae", "DELETE /bookapi/books/1", body{}, 200, "Book deleted"},
	{"an admin may delete anybody's", "root", "DELETE /bookapi/books/1", body{}, 200, "Book deleted"},
	{"no other account may", "bob", "DELETE /bookapi/books/1", body{}, 403, "Only the creator of a book or an admin can delete it"},
	{"no such book to delete", "rae", "DELETE /bookapi/books/2", body{}, 200, "book does not exist"},
	{"no number to delete", "rae", "DELETE /bookapi/books/dune", body{}, 200, "book does not exist"},
	{"too large a number to delete", "rae", "DELETE /bookapi/books/99999999999999999999", body{}, 200, "book does not exist"},
	{"existence before ownership", "bob", "DELETE /bookapi/books/2", body{}, 200, "book does not exist"},

	{"the path before the method", "", "PUT /bookapi/things", body{}, 404, "Not found"},
	{"the method before the token", "", "PUT /bookapi/books", body{}, 405, "The method is not allowed for the requested URL"},
	{"the token before the id", "", "GET /bookapi/books/dune", body{}, 401, "A valid token is missing!"},
	{"the token before the body", "", "POST /bookapi/addbook", tooLarge, 401, "A valid token is missing!"},
}

func TestBooks(t *testing.T) {
	t.Parallel()
	for _, tt := range bookTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			rae := a.reader("rae")
			rae.send("POST /bookapi/addbook", dune).want(200, "new book created")
			client := a.as("")
			switch tt.user {
			case "rae":
				client = rae
			case "bob":
				client = a.reader("bob")
			case "root":
				a.asAdmin("root")
				client = client.with("X-Access-Token", a.session("root").Access)
			}
			client.send(tt.request, tt.body).want(tt.wantStatus, tt.wantSays)
		})
	}
}

func TestBooksSharedWrites(t *testing.T) {
	t.Parallel()
	a := newAPI(t, "-shared-writes")
	a.reader("rae").send("POST /bookapi/addbook", dune).want(200, "new book created")
	a.reader("bob").send("DELETE /bookapi/books/1").want(200, "Book deleted")
}

func TestBookTitlesAndIDs(t *testing.T) {
	t.Parallel()
	a := newAPI(t, onDisk(t))
	rae := a.reader("rae")
	rae.send("POST /bookapi/addbook", dune).want(200, "new book created")
	rae.send("DELETE /bookapi/books/1").want(200, "Book deleted")
	rae.api = a.restart()
	rae.send("POST /bookapi/addbook", dune).want(200, "new book created") // the title is free again, the id isn't
	rae.send("GET /bookapi/books/2").wantBody(200, `{"id":2,"title":"Dune","author":"Frank Herbert"}`)
	rae.send("POST /bookapi/addbook", asForm("title", "DUNE", "author", `<"é">`)).want(200, "new book created")
	rae.send("GET /bookapi/books").wantBody(200, `{"Books":[{"id":2,"title":"Dune","author":"Frank Herbert"},{"id":3,"title":"DUNE","author":"<\"é\">"}]}`)
	rae.api.remove("rae")
	rae.api.reader("bob").send("DELETE /bookapi/books/2").want(403, "Only the creator of a book or an admin can delete it")
}

func TestAddsOfOneTitle(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"-data=memory", onDisk(t)} {
		a := newAPI(t, data)
		rae := a.reader("rae")
		got := a.together(func(int) *answer { return rae.send("POST /bookapi/addbook", dune) })
		if want := map[int]int{200: 1, 409: 49}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("50 adds of one title = %v; want %v", got, want)
		}
		rae.send("GET /bookapi/books").wantBody(200, `{"Books":[{"id":1,"title":"Dune","author":"Frank Herbert"}]}`)
	}
}

var bookSignUpTests = []struct {
	name       string
	body       body
	wantStatus int
	wantSays   string
}{
	{"a username and a password", asForm("username", "bob", "password", "secret"), 201, "registered successfully"},
	{"a password of one letter", asForm("username", "bob", "password", "x"), 201, "registered successfully"},
	{"a password that is a blank", asForm("username", "bob", "password", " "), 201, "registered successfully"},
	{"a taken username", asForm("username", "rae", "password", "secret"), 409, "User already exists!"},
	{"a taken username with blanks", asForm("username", " rae ", "password", "secret"), 409, "User already exists!"},
	{"the username of a catalog account", asForm("username", "annie", "password", "secret"), 409, "User already exists!"},
	{"an e-mail, which is for catalog accounts", asForm("username", "bob@example.com", "password", "secret"), 400, "Invalid input!"},
	{"no username", asForm("password", "secret"), 400, "Invalid input!"},
	{"no password", asForm("username", "bob"), 400, "Invalid input!"},
	{"an empty username", asForm("username", " ", "password", "secret"), 400, "Invalid input!"},
	{"an empty password", asForm("username", "bob", "password", ""), 400, "Invalid input!"},
	{"no body", body{}, 400, "Invalid input!"},
	{"null", asJSON(`{"username": null, "password": null}`), 400, "Invalid input!"},
	{"120 characters", asForm("username", strings.Repeat("é", 120), "password", "secret"), 201, "registered successfully"},
	{"121 characters", asForm("username", strings.Repeat("é", 121), "password", "secret"), 400, "Invalid input!"},
	{"72 bytes", asForm("username", "bob", "password", strings.Repeat("é", 36)), 201, "registered successfully"},
	{"73 bytes", asForm("username", "bob", "password", strings.Repeat("é", 36)+"x"), 400, "Invalid input! The password should be at most 72 bytes long"},
	{"a NUL", asForm("username", "bob", "password", "a\x00b"), 400, "Invalid input! The password should not contain a NUL character"},
	{"the rules before the name's being taken", asForm("username", "rae", "password", ""), 400, "Invalid input!"},
	{"a number for a password", asJSON(`{"username": "bob", "password": 12345}`), 400, "Invalid request body: 'password' must be a string"},
}

func TestBookSignUp(t *testing.T) {
	t.Parallel()
	for _, tt := range bookSignUpTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			a.reader("rae")
			a.as("").send("POST /api/v1/auth/signup", asForm("email", "ann@example.com", "password", annPassword, "username", "annie")).want(201, "")
			a.as("").send("POST /signup", tt.body).want(tt.wantStatus, tt.wantSays)
		})
	}
}

// The tutorial's challenges, to the letter.
const (
	loginRequired     = `Basic-realm= "Login required!"`
	noUserFound       = `Basic-realm= "No user found!"`
	wrongBookPassword = `Basic-realm= "Wrong Password!"`
)

// loginTests are about the book accounts rae and dan, who is disabled, and the
// catalog account ann@example.com, who is called annie too.
var loginTests = []struct {
	name          string
	body          body
	wantStatus    int
	wantSays      string
	wantChallenge string
}{
	{"the right password", raeDetails, 201, "", ""},
	{"blanks around the name", asForm("username", " rae ", "password", annPassword), 201, "", ""},
	{"no body", body{}, 401, "Could not verify!", loginRequired},
	{"no username", asForm("password", annPassword), 401, "Could not verify!", loginRequired},
	{"no password", asForm("username", "rae"), 401, "Could not verify!", loginRequired},
	{"an empty username", asForm("username", "", "password", annPassword), 401, "Could not verify!", loginRequired},
	{"a blank username", asForm("username", " ", "password", annPassword), 401, "Could not verify!", loginRequired},
	{"an empty password", asForm("username", "rae", "password", ""), 401, "Could not verify!", loginRequired},
	{"null", asJSON(`{"username": "rae", "password": null}`), 401, "Could not verify!", loginRequired},
	{"an unknown name", asForm("username", "bob", "password", annPassword), 401, "Could not verify user, Please signup!", noUserFound},
	{"the name in another case", asForm("username", "Rae", "password", annPassword), 401, "Could not verify user, Please signup!", noUserFound},
	{"a catalog account by its e-mail", asForm("username", "ann@example.com", "password", annPassword), 401, "Could not verify user, Please signup!", noUserFound},
	{"a catalog account by its name", asForm("username", "annie", "password", annPassword), 401, "Could not verify user, Please signup!", noUserFound},
	{"a wrong password", asForm("username", "rae", "password", "b00k-worn"), 403, "Could not verify password!", wrongBookPassword},
	{"a blank behind the password", asForm("username", "rae", "password", annPassword+" "), 403, "Could not verify password!", wrongBookPassword},
	{"a NUL and the password again", asForm("username", "rae", "password", annPassword+"\x00"+annPassword), 403, "Could not verify password!", wrongBookPassword},
	{"a disabled account", asForm("username", "dan", "password", annPassword), 401, "Could not verify!", loginRequired},
	{"a disabled account with a wrong password", asForm("username", "dan", "password", "b00k-worn"), 403, "Could not verify password!", wrongBookPassword},
	{"broken JSON", asJSON(`{`), 400, "Invalid request body: unexpected end of JSON input", ""},
	{"a number for a password", asJSON(`{"username": "rae", "password": 5}`), 400, "Invalid request body: 'password' must be a string", ""},
	{"the query string is no body", body{}, 401, "Could not verify!", loginRequired},
}

func TestLogin(t *testing.T) {
	t.Parallel()
	for _, tt := range loginTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			a.reader("rae")
			a.reader("dan")
			a.disable("dan")
			a.as("").send("POST /api/v1/auth/signup", asForm("email", "ann@example.com", "password", annPassword, "username", "annie")).want(201, "")
			got := a.as("").send("POST /login?username=rae&password="+annPassword, tt.body).want(tt.wantStatus, tt.wantSays)
			got.wantHeader("WWW-Authenticate", tt.wantChallenge)
			if tt.wantStatus == 201 {
				var v struct{ Token string }
				got.decode(&v)
				got.wantBody(201, `{"token":"`+v.Token+`"}`)
			}
		})
	}
}

// accessTokenTests are values of x-access-token, written as in bearerTests.
var accessTokenTests = []struct {
	name, token string
	wantStatus  int
	wantSays    string
}{
	{"a good one", "TOKEN", 200, ""},
	{"none", "", 401, "A valid token is missing!"},
	{"expired", `{"exp": "1795356300"}`, 401, "Token has expired!"},
	{"an unknown user", `{"sub": "\"x\"", "public_id": "\"x\""}`, 404, "User not found!"},
	{"garbage", "invalid-token", 401, "Invalid token!"},
	{"a scheme before it", "Bearer TOKEN", 401, "Invalid token!"},
	{"one letter appended", "TOKENk", 401, "Invalid token!"},
	{"a refresh token", "REFRESH", 401, "Invalid token!"},
	{"alg none", `none:{}`, 401, "Invalid token!"},
	{"another key", `other:{}`, 401, "Invalid token!"},
	{"another key, and expired", `other:{"exp": "1"}`, 401, "Invalid token!"},
	{"no exp", `{"exp": ""}`, 401, "Invalid token!"},
	{"no jti", `{"jti": ""}`, 401, "Invalid token!"},
	{"an audience", `{"aud": "1"}`, 401, "Invalid token!"},
	{"not yet good", `{"nbf": "1795356306"}`, 401, "Invalid token!"},
	{"a list for public_id", `{"public_id": "[1]"}`, 401, "Invalid token!"},
	{"a jti that the store doesn't know", `{"jti": "\"x\""}`, 401, "Invalid token!"},
	{"another's jti", `{"jti": "BOBSJTI"}`, 401, "Invalid token!"},
}

func TestAccessTokenHeader(t *testing.T) {
	t.Parallel()
	for _, tt := range accessTokenTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			a.as("").with("X-Access-Token", a.tokenOf(t, tt.token)).send("GET /bookapi/books").want(tt.wantStatus, tt.wantSays)
		})
	}
}

func TestBookTokensThatEnd(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	rae, dan, eve := a.reader("rae"), a.reader("dan"), a.reader("eve")
	a.disable("dan")
	dan.send("GET /bookapi/books").want(401, "Invalid token!")
	a.remove("eve")
	eve.send("GET /bookapi/books").want(404, "User not found!")
	a.clock.advance(24*time.Hour - time.Second)
	rae.send("GET /bookapi/books").want(200, "")
	a.clock.advance(time.Second)
	for _, c := range []*client{rae, dan, eve} { // the times go before the user
		c.send("GET /bookapi/books").want(401, "Token has expired!")
	}
}

// TestTokensOpenBothAPIs: one server, one token format; but each API reads its
// own header only.
func TestTokensOpenBothAPIs(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	rae := a.reader("rae").headers[1]
	ann := a.session("ann").Access
	nobody := a.as("")
	for _, token := range []string{rae, ann} {
		nobody.bearing(token).send("GET /api/v1/items").want(200, "")
		nobody.with("X-Access-Token", token).send("GET /bookapi/books").want(200, "")
		nobody.bearing(token).send("GET /bookapi/books").want(401, "A valid token is missing!")
		nobody.with("X-Access-Token", token).send("GET /api/v1/items").want(401, "Missing Authorization Header")
		nobody.with("Cookie", "access_token_cookie="+token).send("GET /api/v1/items?jwt="+token).want(401, "Missing Authorization Header")
	}
	nobody.bearing(rae).send("POST /api/v1/items", ball).want(201, "Created a new item")
	nobody.with("X-Access-Token", ann).send("POST /bookapi/books", dune).want(200, "new book created")
	nobody.bearing(rae).send("POST /api/v1/auth/logout").want(200, "Successfully logged out")
	nobody.with("X-Access-Token", rae).send("GET /bookapi/books").want(401, "Invalid token!")
}
