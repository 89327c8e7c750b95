package program_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The first tutorial's sample data, by its names.
const (
	validUserData          = `{"email":"user@example.com","password":"youcantguess#4"}`
	invalidUserCredentials = `{"email":"sneakyuser@example.com","password":"iamsneaky#9"}`

	badEmail    = "Invalid email format"
	badPassword = "Invalid password. Should be at least 5 characters long and include a number and a special character"
)

// TestTutorials follows both tutorials against the real binary, kills it
// without warning, starts it again and goes on.
func TestTutorials(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startShelf(t, dir)

	// The catalog: sign up, sign in.
	p.send("POST /api/v1/auth/signup", "", validUserData).
		want(http.StatusCreated, `"status":201`, `"data":[{`, `"access_token":"`, `"user":{"id":1,`, `"email":"user@example.com"`)
	refused := []struct{ name, body, message string }{
		{"INVALID_USER_EMAIL_1", "email=&password=youcantguess%234", badEmail},
		{"INVALID_USER_EMAIL_2", "email=+&password=youcantguess%234", badEmail},
		{"INVALID_USER_EMAIL_3", "email=example.com&password=youcantguess%234", badEmail},
		{"INVALID_USER_EMAIL_4", "password=youcantguess%234", badEmail},
		{"INVALID_USER_PASSWORD_1", "email=user@example.com&password=", badPassword},
		{"INVALID_USER_PASSWORD_2", "email=user@example.com&password=+", badPassword},
		{"INVALID_USER_PASSWORD_3", "email=user@example.com&password=abc", badPassword},
		{"INVALID_USER_PASSWORD_4", "email=user@example.com&password=secret", badPassword},
		{"INVALID_USER_PASSWORD_5", "email=user@example.com&password=93secret", badPassword},
		{"INVALID_USER_PASSWORD_6", "email=user@example.com&password=%23sec%25ret", badPassword},
		{"INVALID_USER_PASSWORD_7", "email=user@example.com", badPassword},
	}
	for _, tt := range refused {
		t.Log(tt.name)
		p.send("POST /api/v1/auth/signup", "", tt.body).want(http.StatusBadRequest, `"status":400`, `"error":"`+tt.message+`"`)
		p.send("POST /api/v1/auth/signin", "", tt.body).want(http.StatusBadRequest, `"status":400`, `"error":"`+tt.message+`"`)
	}
	p.send("POST /api/v1/auth/signup", "", validUserData).want(http.StatusBadRequest, "User already exists")
	p.send("POST /api/v1/auth/signin", "", invalidUserCredentials).want(http.StatusUnauthorized, `"status":401`, `"error":`)
	access, refresh := p.send("POST /api/v1/auth/signin", "", validUserData).want(http.StatusOK, `"user":{"id":1,`).tokens()

	// The catalog: items.
	p.send("POST /api/v1/items", "", ballForm).want(http.StatusUnauthorized, `"error":"Missing Authorization Header"`)
	p.send("GET /api/v1/items", access, "").want(http.StatusOK, `{"status":200,"data":[]}`)
	r := p.send("POST /api/v1/items", access, ballForm).
		want(http.StatusCreated, `"message":"Created a new item"`, `"id":1,`, `"itemname":"ball"`, `"createdby":1`, `"uri":"`+p.url+`/api/v1/items/1"`)
	if got, want := r.header.Get("Location"), p.url+"/api/v1/items/1"; got != want {
		t.Errorf("Location = %q; want %q", got, want)
	}
	p.send("POST /api/v1/items", access, "itemname=+&category=soccer&description=it").want(http.StatusBadRequest, "Invalid item name")
	p.send("GET /api/v1/items/1", access, "").want(http.StatusOK, `"itemname":"ball"`)
	p.send("GET /api/v1/items/one", access, "").want(http.StatusBadRequest, "Item ID should be an integer")
	p.send("GET /api/v1/items/2", access, "").want(http.StatusNotFound, "Requested item does not exist")
	p.send("PATCH /api/v1/items/1/category", access, `{"category":"football"}`).want(http.StatusOK, "successfully updated item category", `"category":"football"`)
	p.send("PATCH /api/v1/items/1/price", access, `{"price":"5"}`).want(http.StatusBadRequest, "Invalid field name")
	p.send("PATCH /api/v1/items/1/itemname", access, `{"itemname":" "}`).want(http.StatusBadRequest, "itemname field is invalid")
	p.send("POST /api/v1/items", access, ballForm).want(http.StatusCreated, `"id":2,`)
	p.send("DELETE /api/v1/items/2", access, "").want(http.StatusOK, `"data":[{"id":2,"message":"Item has been deleted"}]`)
	p.send("DELETE /api/v1/items/2", access, "").want(http.StatusNotFound, "Item does not exist")

	// The catalog: refresh, and a sign-in that ends.
	p.send("POST /api/v1/auth/refresh", refresh, "").want(http.StatusOK, `"data":[{"access_token":"`)
	leaving, leavingRefresh := p.send("POST /api/v1/auth/signin", "", validUserData).want(http.StatusOK).tokens()
	p.send("DELETE /api/v1/auth/logout", leaving, "").want(http.StatusOK, "Successfully logged out")
	p.send("GET /api/v1/items", leaving, "").want(http.StatusUnauthorized, "Token has been revoked")
	p.send("GET /api/v1/items", access, "").want(http.StatusOK)

	// The books.
	const reader = `{"username":"test user","password":"password"}`
	p.send("POST /signup", "", reader).want(http.StatusCreated, `{"message":"registered successfully"}`)
	p.send("POST /signup", "", reader).want(http.StatusConflict, "User already exists!")
	r = p.send("POST /login", "", `{"username":"test user"}`).want(http.StatusUnauthorized, "Could not verify!")
	if got, want := r.header.Get("WWW-Authenticate"), `Basic-realm= "Login required!"`; got != want {
		t.Errorf("WWW-Authenticate = %q; want %q", got, want)
	}
	p.send("POST /login", "", `{"username":"nobody","password":"password"}`).want(http.StatusUnauthorized, "Could not verify user, Please signup!")
	p.send("POST /login", "", `{"username":"test user","password":"wrong"}`).want(http.StatusForbidden, "Could not verify password!")
	var login struct{ Token string }
	p.send("POST /login", "", reader).want(http.StatusCreated).decode(&login)
	p.send("GET /bookapi/books", login.Token, "").want(http.StatusOK, `{"Books":[]}`)
	p.send("GET /bookapi/books", "", "").want(http.StatusUnauthorized, "A valid token is missing!")
	p.send("GET /bookapi/books", "invalid-token", "").want(http.StatusUnauthorized, "Invalid token!")
	const dune = `{"title":"Dune","author":"Frank Herbert"}`
	p.send("POST /bookapi/addbook", login.Token, dune).want(http.StatusOK, `{"message":"new book created"}`)
	p.send("POST /bookapi/books", login.Token, dune).want(http.StatusConflict, "Book with same title already exists!")
	p.send("GET /bookapi/books/1", login.Token, "").want(http.StatusOK, `{"id":1,"title":"Dune","author":"Frank Herbert"}`)
	p.send("DELETE /bookapi/books/1", login.Token, "").want(http.StatusOK, "Book deleted")
	p.send("DELETE /bookapi/books/1", login.Token, "").want(http.StatusOK, "book does not exist")
	p.send("POST /bookapi/addbook", login.Token, `{"title":"Emma","author":"Jane Austen"}`).want(http.StatusOK)

	p.kill()
	p = startShelf(t, dir)

	// Accounts, items, books, sign-ins and their ends have outlived it.
	p.send("GET /api/v1/items", access, "").want(http.StatusOK, `"data":[{"id":1,"itemname":"ball","category":"football"`)
	p.send("GET /api/v1/items", leaving, "").want(http.StatusUnauthorized, "Token has been revoked")
	p.send("POST /api/v1/auth/refresh", leavingRefresh, "").want(http.StatusUnauthorized, "Token has been revoked")
	p.send("POST /api/v1/auth/refresh", refresh, "").want(http.StatusOK)
	p.send("POST /api/v1/auth/signup", "", validUserData).want(http.StatusBadRequest, "User already exists")
	p.send("GET /bookapi/books", login.Token, "").want(http.StatusOK, `{"Books":[{"id":2,"title":"Emma","author":"Jane Austen"}]}`)
	// Ids go on: those of the deleted item and book are not used again.
	access, _ = p.send("POST /api/v1/auth/signin", "", validUserData).want(http.StatusOK).tokens()
	p.send("POST /api/v1/items", access, ballForm).want(http.StatusCreated, `"id":3,`)
	p.send("POST /bookapi/addbook", login.Token, dune).want(http.StatusOK)
	p.send("GET /bookapi/books/3", login.Token, "").want(http.StatusOK, `"title":"Dune"`)
	p.send("POST /api/v1/auth/signup", "", annSecret).want(http.StatusCreated, `"user":{"id":3,`)

	// What it kept is where it says and nowhere else.
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		switch name := e.Name(); name {
		case "shelf.jsonl", "shelf.key", "shelf.jsonl.sock", "shelf.jsonl.port": // the last two while the server runs
		default:
			t.Errorf("left behind: %s", filepath.Join(dir, name))
		}
	}
	if got := p.stdout.String(); got != "listening on "+p.url+"\n" {
		t.Errorf("standard output = %q; want one line", got)
	}
	if text := p.stderr.String(); strings.Contains(text, access) || strings.Contains(text, "youcantguess") {
		t.Errorf("standard error holds a secret:\n%s", text)
	}
}

// The highest id is not given out again when its row was deleted, even if a
// compaction has dropped all that told of it.
func TestIDsAfterCompaction(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "shelf.jsonl")
	p := startShelf(t, dir)
	token := p.signUpAnn()
	p.send("POST /api/v1/items", token, ballForm).want(http.StatusCreated, `"id":1,`)
	p.send("POST /api/v1/items", token, ballForm).want(http.StatusCreated, `"id":2,`)
	p.send("DELETE /api/v1/items/2", token, "").want(http.StatusOK)
	p.send("POST /bookapi/books", token, `{"title":"Dune","author":"Frank Herbert"}`).want(http.StatusOK)
	p.send("DELETE /bookapi/books/1", token, "").want(http.StatusOK)
	p.compacted(t, path, token)
	p.kill()
	if text := readTestFile(t, dir, "shelf.jsonl"); strings.Contains(text, "Dune") {
		t.Fatal("the data file still tells of what was deleted")
	}
	p = startShelf(t, dir)
	p.send("POST /api/v1/items", token, ballForm).want(http.StatusCreated, `"id":3,`)
	p.send("POST /bookapi/books", token, `{"title":"Emma","author":"Jane Austen"}`).want(http.StatusOK)
	p.send("GET /bookapi/books/2", token, "").want(http.StatusOK, "Emma")
}
