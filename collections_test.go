package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/rows"
)

// A shop is a server of collections, for the tests.
type shop struct {
	t *testing.T
	*api
	file   string
	tokens map[string]string // by the name in an e-mail
}

// open serves the collections in a file that holds text. A flag may name the file by
// its folder, DIR.
func open(t *testing.T, text string, flags ...string) *shop {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "db.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range flags {
		flags[i] = strings.ReplaceAll(flags[i], "DIR", dir)
	}
	return &shop{t, newAPI(t, append([]string{"-collections=" + file}, flags...)...), file, map[string]string{}}
}

// do sends a request such as "ann POST /posts {}": who, what, where, and a body.
func (s *shop) do(request string, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	who, rest, _ := strings.Cut(request, " ")
	method, rest, _ := strings.Cut(rest, " ")
	target, body, _ := strings.Cut(rest, " ")
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host, r.RemoteAddr = "localhost:8080", "127.0.0.1:1234"
	switch {
	case strings.HasPrefix(body, "{") || strings.HasPrefix(body, "["):
		r.Header.Set("Content-Type", "application/json")
	case body != "":
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if who != "-" {
		r.Header.Set("Authorization", "Bearer "+s.token(who))
	}
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	return w
}

// token is one of the account of that name, which is made if there is none. ann/2 is
// another sign-in of ann's.
func (s *shop) token(who string) string {
	s.t.Helper()
	if s.tokens[who] == "" {
		name, _, _ := strings.Cut(who, "/")
		body := `{"email":"` + name + `@example.com","password":"secret"}`
		w := s.do("- POST /signin " + body)
		if w.Code != http.StatusOK {
			w = s.do("- POST /register " + body)
		}
		var in struct{ AccessToken string }
		if json.Unmarshal(w.Body.Bytes(), &in); in.AccessToken == "" {
			s.t.Fatalf("%s can't sign in: %d %s", who, w.Code, w.Body)
		}
		s.tokens[who] = in.AccessToken
	}
	return s.tokens[who]
}

const blog = `{
	"posts": [{"id": 1, "title": "first", "n": 1.10}, {"id": 2, "title": "of ann", "userId": 1}],
	"comments": [{"id": "c1", "body": "x", "postId": 1}, {"id": "c2", "body": "y", "postId": 2}],
	"users": [{"id": 1, "email": "ann@example.com", "password": "secret", "name": "Ann", "role": "boss"}],
	"profile": {"name": "typicode"}
}`

// Each step is answered in the dialect of json-server and json-server-auth.
func TestCollections(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		flags string
		steps [][3]string // a request, a status, and what the body is, or begins with before "…"
	}{
		{"rows", "-guard=posts=664 -guard=comments=664", [][3]string{
			{"- GET /posts", "200", `[{"id":1,"title":"first","n":1.10},{"id":2,"title":"of ann","userId":1}]`},
			{"- GET /posts/", "200", `[{"id":1…`},
			{"- GET /posts/1", "200", `{"id":1,"title":"first","n":1.10}`},
			{"- GET /posts?title=first&pretty", "200", "[\n  {\n    \"id\": 1…"},
			{"- GET /posts?titel=first", "200", `[]`},
			{"- GET /posts?_limit=0", "400", `{"error":"…`},
			{"- GET /posts/9", "404", `{}`},
			{"- GET /nothing", "404", `{}`},
			{"- GET /posts/1/comments", "200", `[{"id":"c1","body":"x","postId":1}]`},
			{"- GET /a/b/c/d", "404", `{}`},
			{"- OPTIONS /posts", "204", ""},
			{"- OPTIONS /api/v1/nothing", "404", `{"status":404,"error":"Not found"}`},
			{"- OPTIONS /bookapi/nothing", "404", `{"message":"Not found"}`},
			{"- POST /posts {}", "401", `"Missing authorization header"`},
			{"bob POST /posts {\"title\":\"<b>\"}", "201", `{"title":"<b>","id":3}`},
			{"bob POST /posts {\"id\":3}", "409", `{"error":"the id is taken…`},
			{"bob POST /posts", "400", `{"error":"Invalid request body: there is none…`},
			{"bob POST /posts [1]", "400", `{"error":"Invalid request body: must be a JSON object…`},
			{"bob POST /posts {\"a\":1,\"a\":2}", "400", `{"error":"Invalid request body: 'a' must be given only once…`},
			{"bob POST /posts a=1&b=x+y&a=2", "201", `{"a":["1","2"],"b":"x y","id":4}`},
			{"bob PUT /posts/3 {\"x\":1,\"id\":77}", "200", `{"x":1,"id":3}`},
			{"bob PATCH /posts/3 {\"y\":null}", "200", `{"x":1,"id":3,"y":null}`},
			{"bob PUT /posts/9 {}", "404", `{}`},
			{"bob POST /posts/1/comments {\"body\":\"z\"}", "201", `{"body":"z","postId":1,"id":"…`},
			{"bob POST /posts/9/comments {}", "404", `{}`},
			{"bob DELETE /posts/1", "200", `{}`},
			{"bob DELETE /posts/1", "404", `{}`},
			{"- GET /posts/1/comments", "200", `[]`},
			{"bob PATCH /posts {}", "404", `{}`},
			{"bob POST /posts {\"b\":1}", "201", `{"b":1,"id":5}`},
		}},
		{"the default guard", "", [][3]string{
			{"- GET /posts", "401", `"Missing authorization header"`},
			{"bob GET /posts", "200", `[{"id":1…`},
			{"bob PATCH /posts/2 {\"title\":\"mine\"}", "403", `"Private resource access: entity must have a reference to the owner id"`},
			{"bob PATCH /posts/1 {\"title\":\"ours\"}", "200", `{"id":1,"title":"ours","n":1.10}`},
			{"bob POST /posts {\"title\":\"b\"}", "201", `{"title":"b","userId":3,"id":3}`},
			{"bob POST /posts {\"userId\":1}", "403", `"Private resource creation…`},
			{"bob PUT /posts/3 {\"title\":\"c\"}", "200", `{"title":"c","userId":3,"id":3}`},
			{"bob GET /600/posts", "200", `[{"title":"c","userId":3,"id":3}]`},
			{"bob GET /posts/2?_expand=user", "200", `{"id":2,"title":"of ann","userId":1}`},
			{"ann GET /posts/2?_expand=user", "200", `{"id":2,"title":"of ann","userId":1,"user":{"id":1,"email":"ann@example.com","name":"Ann","role":"boss"}}`},
			{"ann PATCH /posts/2 {\"title\":\"mine\"}", "200", `{"id":2,"title":"mine","userId":1}`},
			{"ann PATCH /posts/2 {\"userId\":3}", "403", `"Private resource replacement…`},
			{"bob PATCH /profile {\"name\":\"b\"}", "200", `{"name":"b"}`},
			{"- GET /db", "401", `"Missing…`},
			{"bob GET /db", "403", `"Private…`},
			{"bob POST /db/things", "403", `"Only admins can access this endpoint"`},
			{"bob GET /444/posts", "200", `[…`},
			{"bob POST /444/posts {}", "403", `"Read only"`},
			{"bob GET /604/posts", "404", `{}`},
		}},
		{"open", "-open", [][3]string{
			{"- POST /posts {\"a\":1}", "201", `{"a":1,"id":3}`},
			{"- GET /db", "200", `{"posts":[{"id":1…`},
			{"- GET /users", "401", `"Missing authorization header"`},
			{"- PUT /profile {\"a\":1}", "200", `{"a":1}`},
			{"- GET /users/1", "401", `"Missing…`},
		}},
		{"accounts", "", [][3]string{
			{"- POST /register", "400", `"Email and password are required"`},
			{"- POST /register {\"email\":\"x\",\"password\":\"secret\"}", "400", `"Email format is invalid"`},
			{"- POST /users {\"email\":\"x@b\",\"password\":\"sec\"}", "400", `"Password is too short"`},
			{"- POST /signup {\"email\":\"ANN@example.com\",\"password\":\"secret\"}", "400", `"Email already exists"`},
			{"- POST /signup {\"email\":\"eve@b\",\"password\":\"secret\",\"age\":7,\"role\":\"root\",\"id\":9}", "201", `{"accessToken":"…`},
			{"- POST /login {\"email\":\"\"}", "400", `"Email and password are required"`},
			{"- POST /login {\"email\":\"no@b\",\"password\":\"secret\"}", "400", `"Incorrect email or password"`},
			{"- POST /signin {\"email\":\"ann@example.com\",\"password\":\"wrong\"}", "400", `"Incorrect email or password"`},
			{"- POST /login {\"email\":\"eve@b\",\"password\":\"secret\"}", "200", `{"accessToken":"…`},
			{"- POST /login {\"username\":\"x\"}", "401", `Could not verify!`},
			{"- POST /signup {\"username\":\"bookworm\",\"password\":\"x\"}", "201", `{"message":"registered successfully"}`},
			{"bob GET /users", "200", `[{"email":"bob@example.com","id":5}]`},
			{"bob GET /users/1", "403", `"Private…`},
			{"ann GET /users/1", "200", `{"id":1,"email":"ann@example.com","name":"Ann","role":"boss"}`},
			{"ann GET /users?password_like=.", "200", `[]`},
			{"ann PATCH /users/1 {\"name\":\"A\",\"role\":\"god\",\"admin\":true,\"id\":5}", "200", `{"id":1,"email":"ann@example.com","name":"A","role":"boss"}`},
			{"ann PUT /users/1 {\"x\":1}", "200", `{"x":1,"email":"ann@example.com","id":1,"role":"boss"}`},
			{"ann PATCH /users/1 {\"password\":\"other\"}", "400", `"current_password is required…`},
			{"ann PATCH /users/1 {\"password\":\"other\",\"current_password\":\"no\"}", "403", `"Wrong password"`},
			{"ann PATCH /users/1 {\"password\":\"other\",\"current_password\":\"secret\"}", "200", `{"x":1…`},
			{"- POST /login {\"email\":\"ann@example.com\",\"password\":\"other\"}", "200", `{"accessToken":"…`},
			{"ann GET /users/1/posts", "200", `[{"id":2,"title":"of ann","userId":1}]`},
			{"ann POST /users/1/posts {\"title\":\"new\"}", "201", `{"title":"new","userId":1,"id":3}`},
			{"ann DELETE /users/1", "400", `"password is required…`},
			{"ann DELETE /users/1 {\"password\":\"other\"}", "200", `{}`},
			{"ann GET /posts", "401", `"jwt revoked"`},
			{"bob GET /posts/2", "200", `{"id":2,"title":"of ann"}`},
			{"bob DELETE /logout", "200", `"Logged out"`},
			{"bob GET /posts", "401", `"jwt revoked"`},
		}},
		{"names and prefixes", "-prefix=/data -skip=comments -open", [][3]string{
			{"- GET /data/posts/1", "200", `{"id":1…`},
			{"- GET /444/data/posts/1", "200", `{"id":1…`},
			{"- GET /posts", "404", `{}`},
			{"- GET /data/comments", "404", `{}`},
			{"- POST /data/posts {}", "201", `{"id":3}`},
			{"ann GET /users/1", "200", `{"id":1…`},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, blog, strings.Fields(tt.flags)...)
			for _, step := range tt.steps {
				w := s.do(step[0])
				body := strings.TrimSuffix(w.Body.String(), "\n")
				begin, _, isBegin := strings.Cut(step[2], "…")
				if http.StatusText(w.Code) == "" || step[1] != statusText(w.Code) || isBegin && !strings.HasPrefix(body, begin) || !isBegin && body != begin {
					t.Errorf("%s = %d %s\nwant %s %s", step[0], w.Code, body, step[1], step[2])
				}
				if w.Code == 401 && !strings.Contains(step[0], "username") && !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer ") {
					t.Errorf("%s has no challenge", step[0])
				}
			}
		})
	}
}

func statusText(code int) string { b, _ := json.Marshal(code); return string(b) }

// Rows count among what an account may own, and an account's rows are found by each of
// its ids.
func TestCollectionsHaveLimits(t *testing.T) {
	t.Parallel()
	s := open(t, blog, "-max-owned=2", "-max-rows=9")
	public := s.store.userByEmail("ann@example.com").PublicID
	for _, step := range [][2]string{
		{`ann POST /posts {"userId":"` + public + `"}`, `{"userId":"` + public + `","id":3}`},
		{"ann GET /users/" + public + "/posts", `[{"id":2,"title":"of ann","userId":1},{"userId":"` + public + `","id":3}]`},
		{"ann POST /posts {}", `"An account may own at most 2 items and books and rows of collections (-max-owned)"`},
		{"bob POST /posts {}", `{"userId":3,"id":4}`},
		{"bob POST /posts {}", `"The server keeps at most 9 accounts, items and books and rows of collections (-max-rows)"`},
	} {
		if w := s.do(step[0]); strings.TrimSpace(w.Body.String()) != step[1] {
			t.Errorf("%s = %d %s; want %s", step[0], w.Code, w.Body, step[1])
		}
	}
}

// A change names the version that it is of.
func TestCollectionVersions(t *testing.T) {
	t.Parallel()
	s := open(t, blog, "-open")
	first := s.do("- GET /posts/1")
	tag := first.Header().Get("ETag")
	if w := s.do("- GET /posts/1", "If-None-Match", tag); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("a row that the client has = %d %s", w.Code, w.Body)
	}
	gzipped := strings.TrimSuffix(tag, `"`) + `-gzip"`
	if w := s.do(`- PATCH /posts/1 {"title":"a"}`, "If-Match", gzipped); w.Code != 200 {
		t.Errorf("with the tag of the compressed row = %d %s", w.Code, w.Body)
	}
	if w := s.do(`- PATCH /posts/1 {"title":"b"}`, "If-Match", tag); w.Code != 412 {
		t.Errorf("with an old tag = %d %s", w.Code, w.Body)
	}
	if w := s.do("- POST /posts {}"); w.Header().Get("Location") != "http://localhost:8080/posts/3" {
		t.Errorf("a new row is at %q", w.Header().Get("Location"))
	}
	if w := s.do("- GET /posts?_page=2&_limit=2"); w.Header().Get("X-Total-Count") != "3" || !strings.Contains(w.Header().Get("Link"), `_page=1&_limit=2>; rel="first"`) {
		t.Errorf("a page has %v", w.Header())
	}
	if w := s.do("- POST /posts {}", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); w.Code != 403 {
		t.Errorf("a page of another origin adds a row: %d %s", w.Code, w.Body)
	}
	if w := s.do("- POST /posts {}", "X-HTTP-Method-Override", "DELETE"); w.Code != 400 {
		t.Errorf("X-HTTP-Method-Override = %d %s", w.Code, w.Body)
	}
}

// keep keeps the file in step, as a server that runs does, until stop is called.
func (s *shop) keep() (stop func()) {
	s.t.Helper()
	stop, err := s.server.collections.keepFile(s.t.Context(), s.server.config, s.server.store, shell{stderr: io.Discard}, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	return stop
}

// holds fails unless the file holds text.
func (s *shop) holds(text string) {
	s.t.Helper()
	if got, err := os.ReadFile(s.file); err != nil || string(got) != text {
		s.t.Errorf("the file holds %s, %v; want %s", got, err, text)
	}
}

// What is in the file and in the data file is the same after a restart.
func TestCollectionsOnDisk(t *testing.T) {
	t.Parallel()
	s := open(t, blog, "-data=DIR/db.jsonl", "-open")
	s.keep()()
	text, err := os.ReadFile(s.file)
	if err != nil || strings.Contains(string(text), "secret") || !strings.Contains(string(text), `"password": "$2`) {
		t.Fatalf("the file holds %s, %v", text, err)
	}
	s.do(`- POST /posts {"a":1}`)
	s.do("- DELETE /posts/3")
	if err := os.WriteFile(s.file, []byte(blog), 0o600); err != nil { // as a crash right behind the load leaves it
		t.Fatal(err)
	}
	s.api = s.restart()
	s.keep()()
	s.holds(string(text))
	s.token("bob")
	s.do(`- PATCH /posts/1 {"title":"1st"}`)
	s.keep()()
	bob := s.server.store.userByEmail("bob@example.com")
	s.holds(strings.NewReplacer(`"first"`, `"1st"`, `"role": "boss"}]`, `"role": "boss"}, {"email": "bob@example.com", "password": "`+bob.Hash+`", "id": 3}]`).Replace(string(text)))
	s.do(`- PATCH /posts/1 {"title":"first"}`)
	for request, want := range map[string]string{
		"- GET /posts/2":            `{"id":2,"title":"of ann","userId":1}`,
		`- POST /posts {"b":1}`:     `{"b":1,"id":4}`,
		"bob GET /users":            `[{"email":"bob@example.com","id":3}]`,
		"ann GET /users":            `[{"id":1,"email":"ann@example.com","name":"Ann","role":"boss"}]`,
		"- GET /comments?postId=1":  `[{"id":"c1","body":"x","postId":1}]`,
		"- GET /profile":            `{"name":"typicode"}`,
		"- GET /posts?_embed=users": `[{"id":1…`,
	} {
		begin, _, _ := strings.Cut(want, "…")
		if w := s.do(request); !strings.HasPrefix(w.Body.String(), begin) {
			t.Errorf("%s = %d %s; want %s", request, w.Code, w.Body, want)
		}
	}
}

// A person's edit of the file is an edit of the data: rows and accounts.
func TestCollectionsEdited(t *testing.T) {
	t.Parallel()
	const ann = `{"id": 1, "email": "ann@example.com", "password": "secret", "name": "Ann", "role": "boss"}`
	for _, tt := range []struct {
		name     string
		old, new string // a part of blog, and what it becomes
		request  string
		want     string // the answer then
	}{
		{"a row", `"first"`, `"1st"`, "ann GET /posts/1", `{"id":1,"title":"1st","n":1.10}`},
		{"a new row", `"userId": 1}]`, `"userId": 1}, {"title": "new"}]`, "ann GET /posts/3", `{"title":"new","id":3}`},
		{"a row less", `{"id": "c1", "body": "x", "postId": 1}, `, ``, "ann GET /comments", `[{"id":"c2","body":"y","postId":2}]`},
		{"a single resource", `"typicode"`, `"x"`, "ann GET /profile", `{"name":"x"}`},
		{"a new collection", `"comments": [`, `"tags": [{"id": "t"}], "comments": [`, "ann GET /tags/t", `{"id":"t"}`},
		{"a member of an account", `"name": "Ann"`, `"name": "Anne"`, "ann GET /users/1", `{"id":1,"email":"ann@example.com","name":"Anne","role":"boss"}`},
		{"an account without its password", `"password": "secret", "name": "Ann"`, `"name": "Anne"`, "ann GET /users/1", `{"id":1,"email":"ann@example.com","name":"Anne","role":"boss"}`},
		{"a new password", `"secret"`, `"other-secret"`, `- POST /login {"email":"ann@example.com","password":"other-secret"}`, `{"accessToken":"…`},
		{"a new e-mail", `ann@example.com`, `anne@example.com`, `- POST /login {"email":"anne@example.com","password":"secret"}`, `{"accessToken":"…`},
		{"a new account", ann, ann + `, {"email": "cat@example.com", "password": "secret"}`, `- POST /login {"email":"cat@example.com","password":"secret"}`, `{"accessToken":"…`},
		{"an account less", ann, ``, `- POST /login {"email":"ann@example.com","password":"secret"}`, `"Incorrect email or password"`},
		{"no accounts", `"users": [` + ann + `],`, ``, `- POST /login {"email":"ann@example.com","password":"secret"}`, `{"accessToken":"…`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, blog, "-data=DIR/db.jsonl")
			s.keep()()
			hash := s.server.store.userByEmail("ann@example.com").Hash
			edited := strings.Replace(blog, tt.old, tt.new, 1)
			if edited == blog {
				t.Fatal("the part isn't in the file")
			}
			text := []byte(edited)
			if !strings.Contains(tt.name, "password") {
				text = []byte(strings.Replace(edited, `"secret"`, `"`+hash+`"`, 1))
			}
			if err := os.WriteFile(s.file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			s.keep()()
			begin, _, more := strings.Cut(tt.want, "…")
			if got := strings.TrimSpace(s.do(tt.request).Body.String()); got != tt.want && !(more && strings.HasPrefix(got, begin)) {
				t.Errorf("%s = %s; want %s", tt.request, got, tt.want)
			}
			if now, _ := os.ReadFile(s.file); strings.Contains(string(now), `"password": "secret"`) || strings.Contains(string(now), "other-secret") {
				t.Errorf("the file holds a clear password: %s", now)
			}
		})
	}
}

// A file that is gone is made anew from the data with -new, and refused without.
func TestCollectionsFileGone(t *testing.T) {
	t.Parallel()
	s := open(t, `{"a":[{"id":1}]}`, "-data=DIR/db.jsonl")
	s.keep()()
	if err := os.Remove(s.file); err != nil {
		t.Fatal(err)
	}
	loader := s.server.collections.loader(s.server.config, s.server.store, shell{stderr: io.Discard}, slog.New(slog.DiscardHandler))
	if err := loader.Load(t.Context()); err == nil || !strings.Contains(err.Error(), "-new makes the file") {
		t.Errorf("without -new: %v", err)
	}
	loader.New = true
	if err := loader.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.keep()()
	s.holds("{\n  \"a\": [\n    {\n      \"id\": 1\n    }\n  ]\n}\n")
}

// A password in the file that is new ends the sign-ins of its account.
func TestCollectionsEditedPassword(t *testing.T) {
	t.Parallel()
	s := open(t, blog, "-data=DIR/db.jsonl")
	s.keep()()
	s.token("ann")
	if w := s.do("ann GET /users"); w.Code != http.StatusOK {
		t.Errorf("a good token = %d %s", w.Code, w.Body)
	}
	if err := os.WriteFile(s.file, []byte(strings.Replace(blog, "secret", "other-secret", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.keep()()
	if w := s.do("ann GET /users"); w.Code != http.StatusUnauthorized {
		t.Errorf("a token from before = %d %s", w.Code, w.Body)
	}
}

// A file that can't be served says why, and where.
func TestCollectionsRefused(t *testing.T) {
	t.Parallel()
	many := `{"c0":[]`
	for i := range 10_000 {
		many += fmt.Sprintf(`,"c%d":[]`, i+1)
	}
	many += "}"
	for _, tt := range []struct{ name, text, flags, want string }{
		{"a reserved name", `{"login":[]}`, "", `-skip login`},
		{"three digits", `{"600":[]}`, "", `-skip 600`},
		{"a number", `{"a":1}`, "", `"a" is a number`},
		{"no JSON at all", "hello", "", "line 1, column 1: a text without quotes"},
		{"cut off", `{"a": [{"id": 1}]`, "", "is the file whole?"},
		{"an array", `[{"id":1}]`, "", `the top level is an array: it must be an object, such as {"posts": []}`},
		{"rows that are no objects", `{"a":[1]}`, "", "a[0] is a number: a row must be an object"},
		{"two rows of one id", `{"a":[{"id":1},{"id":"1"}]}`, "", `a[0] and a[1] have the same id, "1": give one of them another`},
		{"a long name", `{"` + strings.Repeat("n", 10_000) + `":[]}`, "", `… is longer than 100 bytes: rename the member`},
		{"many collections", many, "", "more than 1000 collections"},
		{"deep", `{"a":[{"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}]}`, "", "a[0]: must not nest deeper than 32 levels"},
		{"a large row", `{"a":[{"x":"` + strings.Repeat("y", 2<<20) + `"}]}`, "", "a[0]: the row is larger than 1 MiB"},
		{"a large file", "500 MB", "", "the file is larger than 104857600 bytes: split it"},
		{"broken JSON", "{\n \"a\": [,]}", "", "line 2"},
		{"two users of one e-mail", `{"users":[{"email":"a@b","password":"xxxx"},{"email":"A@b","password":"xxxx"}]}`, "", "users[1]: it signs in as users[0] does"},
		{"a hash of another kind", `{"users":[{"email":"a@b","password":"$2b$31$xxxx"}]}`, "", "users[0]: the hash is not"},
		{"a guard of nothing", `{"a":[]}`, "-guard=b=640", `there is no collection "b"`},
		{"a guard that is none", `{"a":[]}`, "-guard=a=650", `"650" is no guard`},
	} {
		c, err := settingsFrom("-data=memory -bcrypt-cost=4 "+tt.flags, "", "")
		if err != nil {
			t.Fatal(err)
		}
		c.collections.File = filepath.Join(t.TempDir(), "db.json")
		if err := os.WriteFile(c.collections.File, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if tt.text == "500 MB" { // of nothing: it takes no room
			if err := os.Truncate(c.collections.File, 500<<20); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := openCollections(t.Context(), c, newStore(slog.New(slog.DiscardHandler), tokenNow.UTC), shell{stderr: io.Discard}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 1000 {
			t.Errorf("%s: %.1000v; want %s", tt.name, err, tt.want)
		}
	}
}

// A change is an event for those who may read the row.
func TestCollectionEvents(t *testing.T) {
	t.Parallel()
	s := open(t, blog, "-guard=posts=600")
	s.token("ann")
	s.token("bob")
	from := s.store.LastSeq()
	s.do(`ann POST /posts {"title":"mine"}`)
	s.do(`ann PATCH /posts/3 {"title":"still mine"}`)
	s.do("ann DELETE /posts/3")
	s.do(`bob POST /comments {"body":"for all"}`)
	events, _, _, err := s.store.EventsAfter(from)
	if err != nil {
		t.Fatal(err)
	}
	told := func(email string) (all string) {
		c := &caller{user: s.store.userByEmail(email)}
		for _, e := range events {
			if about, ok := e.About.(rows.Told); ok && s.mayHear(c, about) {
				all += e.Name + " " + e.Data + "\n"
			}
		}
		return all
	}
	const forAll = "comments.created "
	want := "posts.created {\"title\":\"mine\",\"userId\":1,\"id\":3}\nposts.changed {\"title\":\"still mine\",\"userId\":1,\"id\":3}\nposts.deleted {\"id\":3}\n" + forAll
	if got := told("ann@example.com"); !strings.HasPrefix(got, want) {
		t.Errorf("ann hears\n%s\nwant\n%s", got, want)
	}
	if got := told("bob@example.com"); !strings.HasPrefix(got, forAll) {
		t.Errorf("bob hears\n%s", got)
	}
}

// A lab puts collections back, and goes on under the same guards.
func TestCollectionsInALab(t *testing.T) {
	t.Parallel()
	s := open(t, blog, "-lab", "-open")
	lab := func(request string) {
		t.Helper()
		if w := s.do(request, "X-Lab-Token", s.config.labToken); w.Code != 200 && w.Code != 201 {
			t.Fatalf("%s = %d %s", request, w.Code, w.Body)
		}
	}
	lab("- POST /lab/snapshot")
	s.do("- DELETE /posts/1")
	lab("- POST /lab/restore/1")
	if w := s.do("- GET /posts/1/comments"); w.Body.String() != `[{"id":"c1","body":"x","postId":1}]` {
		t.Errorf("after the restore the comments are %d %s", w.Code, w.Body)
	}
	if w := s.do(`- POST /posts {"a":1}`); w.Code != 201 {
		t.Errorf("after the restore a row = %d %s", w.Code, w.Body)
	}
}

// What is exported in the form of the file can be loaded again.
func TestCollectionsInAndOut(t *testing.T) {
	t.Parallel()
	s := open(t, blog, "-data=DIR/db.jsonl")
	s.token("bob")
	s.do(`bob POST /posts {"a":1.10}`)
	data := s.config.data
	export := func(data string, flags ...string) string {
		t.Helper()
		out, err := runArgs(t, append([]string{"export", data, "-collections"}, flags...)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := export(data); strings.Contains(out, "$2a$") || !strings.Contains(out, `"email": "bob@example.com"`) || !strings.Contains(out, "1.10") {
		t.Errorf("without hashes the file is\n%s", out)
	}
	whole := export(data, "-secrets")
	file, again := filepath.Join(t.TempDir(), "again.json"), filepath.Join(t.TempDir(), "again.jsonl")
	if err := os.WriteFile(file, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := runArgs(t, "import", "-collections", file, "-data", again); err != nil || !strings.Contains(out, "2 users") {
		t.Fatalf("the import says %q, %v", out, err)
	}
	if got := export(again, "-secrets"); got != whole {
		t.Errorf("after the import the file is\n%s\nwant\n%s", got, whole)
	}
	if _, err := runArgs(t, "import", "-collections", file, "-data", again); err == nil || !strings.Contains(err.Error(), "nothing was imported") {
		t.Errorf("a second import = %v", err)
	}
}

// Files come behind shelf's own paths and before the collections.
func TestStaticFiles(t *testing.T) {
	t.Parallel()
	page := t.TempDir()
	for name, text := range map[string]string{"index.html": "<p>home", "posts": "a file", "users": "no", "healthz": "no", ".env": "no"} {
		if err := os.WriteFile(filepath.Join(page, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, blog, "-open", "-static="+page)
	for request, want := range map[string]string{
		"- GET /":           "<p>home",
		"- GET /posts":      "a file",
		"- GET /posts/1":    `{"id":1…`,
		"- GET /users":      `"Missing…`,
		"- GET /healthz":    `{"message":"alive"}`,
		"- GET /.env":       "{}",
		"- GET /console/":   "<!doctype html>…",
		"- POST /posts {}":  `{"id":3}`,
		"- GET /index.html": "<p>home",
	} {
		begin, _, _ := strings.Cut(want, "…")
		if w := s.do(request); !strings.HasPrefix(w.Body.String(), begin) {
			t.Errorf("%s = %d %.200s; want %s", request, w.Code, w.Body, want)
		}
	}
}

// Where users is a plain collection, accounts are apart from it.
func TestPlainUsers(t *testing.T) {
	t.Parallel()
	s := open(t, `{"users":[{"id":1,"name":"Ann"}],"posts":[{"id":1,"userId":1}]}`)
	for _, step := range [][2]string{
		{"- GET /users", `"Missing…`},
		{"bob GET /users", `[{"id":1,"name":"Ann"}]`},
		{"bob GET /posts?_expand=user", `[{"id":1,"userId":1,"user":{"id":1,"name":"Ann"}}]`},
		{`bob POST /users {"name":"Eve","password":"x"}`, `{"error":"users is a collection like any other…`},
		{`bob PATCH /posts/1 {"a":1}`, `"Private…`},
		{`bob POST /posts {"a":1}`, `{"a":1,"userId":"`},
	} {
		begin, _, _ := strings.Cut(step[1], "…")
		if w := s.do(step[0]); !strings.HasPrefix(w.Body.String(), begin) {
			t.Errorf("%s = %d %s; want %s", step[0], w.Code, w.Body, step[1])
		}
	}
}

// A stranger's body is not read, where no stranger may write.
func TestStrangersBodyIsNotRead(t *testing.T) {
	t.Parallel()
	s := open(t, blog)
	r := httptest.NewRequest("POST", "/posts", iotest.ErrReader(errors.New("it was read")))
	r.Host, r.ContentLength = "localhost:8080", 5_000_000
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("a stranger's row = %d %s; want 401", w.Code, w.Body)
	}
}

// openapi.json describes the collections to each caller as far as it may read them.
func TestCollectionsOpenAPI(t *testing.T) {
	t.Parallel()
	s := open(t, blog, "-guard=comments=644")
	for _, tt := range []struct {
		who                 string
		ofPosts, ofComments bool // whether it is told the types of these
	}{
		{"-", false, true},
		{"ann", true, true},
	} {
		w := s.do(tt.who + " GET /openapi.json")
		text := w.Body.String()
		ofPosts, ofComments := strings.Contains(text, `"title":{"type":"string"}`), strings.Contains(text, `"postId":{"type":"integer"}`)
		if w.Code != http.StatusOK || ofPosts != tt.ofPosts || ofComments != tt.ofComments || strings.Contains(text, "typicode") {
			t.Errorf("%s GET /openapi.json = %d, with the types of posts: %v, of comments: %v; want 200, %v, %v and no value", tt.who, w.Code, ofPosts, ofComments, tt.ofPosts, tt.ofComments)
		}
		known := []string{"If-None-Match", w.Header().Get("ETag")}
		if again := s.do(tt.who+" GET /openapi.json", known...); again.Code != http.StatusNotModified {
			t.Errorf("%s GET /openapi.json with its ETag = %d; want 304", tt.who, again.Code)
		}
		s.do(`ann POST /posts {"title":null}`)
		want := http.StatusNotModified
		if tt.ofPosts {
			want = http.StatusOK
		}
		if changed := s.do(tt.who+" GET /openapi.json", known...); changed.Code != want {
			t.Errorf("%s GET /openapi.json after posts got another type = %d; want %d", tt.who, changed.Code, want)
		}
		s.do("ann DELETE /posts/3")
	}
	if w := s.do("- GET /openapi.json", "Authorization", "Bearer x"); w.Code != http.StatusUnauthorized || w.Body.String() != "\"jwt malformed\"\n" {
		t.Errorf("GET /openapi.json with a bad token = %d %q; want 401", w.Code, w.Body)
	}
	plain := open(t, `{"users":[{"id":1,"nick":"x"}]}`, "-open").do("- GET /openapi.json").Body.String()
	if !strings.Contains(plain, `"nick"`) || strings.Contains(plain, `"readMembers"`) {
		t.Error("users of a plain collection are described as accounts")
	}
}

// The document with collections has what that without has: each reference leads
// somewhere, each operation has a name of its own, and each parameter of an address is
// described.
func TestCollectionsOpenAPIIsWhole(t *testing.T) {
	t.Parallel()
	s := open(t, blog, "-open", "-prefix=/data")
	var document map[string]any
	text := s.do("- GET /openapi.json").Body.Bytes()
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, element := range v {
				walk(element)
			}
		case map[string]any:
			for _, member := range v {
				walk(member)
			}
			if ref, is := v["$ref"].(string); is {
				at := any(document)
				for _, step := range strings.Split(ref, "/")[1:] {
					in, _ := at.(map[string]any)
					at = in[step]
				}
				if at == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
		}
	}
	walk(document)
	var d apiDescription
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for path, item := range d.Paths {
		for method, op := range item.operations() {
			if op.OperationID == "" || ids[op.OperationID] != "" || op.Summary == "" || len(op.Responses) < 2 {
				t.Errorf("%s %s has the operationId %q, as has %q, and the summary %q", method, path, op.OperationID, ids[op.OperationID], op.Summary)
			}
			ids[op.OperationID] = path
		}
	}
	for _, path := range []string{"/data/posts", "/data/posts/{id}", "/data/posts/{id}/comments", "/users/{id}/posts", "/data/profile", "/users", "/register", "/bookapi/books"} {
		if _, ok := d.Paths[path]; !ok {
			t.Errorf("%s is not described", path)
		}
	}
}

// A user of a file who can't sign in is kept with all that the file has of it, and a
// number is as good a password as its digits.
func TestCollectionUsers(t *testing.T) {
	t.Parallel()
	s := open(t, `{"users": [
		{"id": 1, "email": "herogmail.com", "password": "secret", "name": "A"},
		{"id": 2, "username": "x@example.com", "password": "secret"},
		{"id": 3, "name": "B", "email": ""},
		{"id": 4, "username": "kim", "email": "kim", "password": "secret"},
		{"id": 5, "email": "lee@example.com", "password": 1234}]}`)
	for _, step := range [][3]string{
		{`- POST /login {"email":"herogmail.com","password":"secret"}`, "400", `"Email format is invalid"`},
		{`- POST /signin {"username":"herogmail.com","password":"secret"}`, "400", `"Incorrect email or password"`},
		{`- POST /signin {"username":"x@example.com","password":"secret"}`, "400", `"Incorrect email or password"`},
		{`- POST /signin {"username":"kim","password":"secret"}`, "200", `{"accessToken":"…`},
		{`- POST /signin {"email":"lee@example.com","password":"1234"}`, "200", `{"accessToken":"…`},
	} {
		w := s.do(step[0])
		if begin, _, _ := strings.Cut(step[2], "…"); statusText(w.Code) != step[1] || !strings.HasPrefix(w.Body.String(), begin) {
			t.Errorf("%s = %d %s; want %s %s", step[0], w.Code, w.Body, step[1], step[2])
		}
	}
	u := s.store.userByEmail("lee@example.com")
	s.change(func(tx *db.Tx) { admin := *u; admin.Admin = true; s.store.users.Put(tx, &admin) })
	s.tokens["lee"] = s.do(`- POST /signin {"email":"lee@example.com","password":"1234"}`).Body.String()
	s.tokens["lee"] = strings.Split(s.tokens["lee"], `"`)[3]
	want := `[{"id":1,"email":"herogmail.com","name":"A"},{"id":2,"username":"x@example.com"},{"id":3,"name":"B","email":""},{"id":4,"username":"kim","email":"kim"},{"id":5,"email":"lee@example.com"}]`
	if w := s.do("lee GET /users"); strings.TrimSpace(w.Body.String()) != want {
		t.Errorf("the users are %s\nwant %s", w.Body, want)
	}
}

// Each user of a file who can't sign in is named by its row, with the reason.
func TestCollectionUsersWhoCannotSignIn(t *testing.T) {
	t.Parallel()
	f, err := rows.ParseFile([]byte(`{"users":[{"id":1,"email":"a@b.cc","password":"abc"},{"id":2,"email":"c@d.ee","password":"abcd"},{"id":3,"email":"x","password":"abcd"}]}`), rows.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	if _, _, err := membersOf(f, time.Now(), slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"users=2", "users[0]: its password is shorter than 4 characters; users[2]: ", "is no e-mail address"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, &log)
		}
	}
}

// What a client sends wrong gets one clear answer, and nothing is changed.
func TestCollectionsBadInput(t *testing.T) {
	t.Parallel()
	s := open(t, blog, "-open")
	before := s.do("- GET /db").Body.String()
	for _, tt := range []struct {
		request string
		status  int
		says    string
	}{
		{"- GET /posts?_page=0", 400, `_page must be a whole number from 1 on, not \"0\"`},
		{"- GET /posts?_page=x", 400, `_page must be a whole number`},
		{"- GET /posts?_limit=-1", 400, `_limit must be a whole number from 1 on, not \"-1\"`},
		{"- GET /posts?_start=-1", 400, `_start must be a whole number from 0 on`},
		{"- GET /posts?title_like=[", 400, `title_like must be a regular expression`},
		{"- GET /posts?title_like=" + strings.Repeat("a", 1025), 400, `title_like must not be longer than 1024 bytes`},
		{"- GET /posts?_sort=nope", 400, `_sort names a field that no row has: \"nope\"`},
		{"- GET /posts?_sort=-n", 400, `write _sort=n&_order=desc`},
		{"- GET /posts?_per_page=5", 400, `_per_page is no parameter here: use _page with _limit`},
		{"- GET /posts?_nope=5", 400, `the parameters are _embed, _end, _expand, _limit, _order, _page, _sort, _start`},
		{"- GET /posts?callback=f", 400, `call with fetch in the place of JSONP`},
		{"- GET /posts?title=%zz", 400, `write %25 for a percent sign`},
		{"- POST /posts", 400, "there is none; send a JSON object with Content-Type: application/json"},
		{"- PUT /posts/1", 400, "there is none"},
		{"- POST /posts [1]", 400, `must be a JSON object: write {\"name\": value}, not an array`},
		{"- POST /posts {\"a\":1,}", 400, "a comma with nothing behind it"},
		{"- POST /posts {\"a\":" + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}", 400, "must not nest deeper than 32 levels"},
		{"- POST /posts {\"a\":\"" + strings.Repeat("y", 2<<20) + "\"}", 413, "the row is larger than 1 MiB"},
		{"- PATCH /posts/1 {\"a\":\"" + strings.Repeat("y", 2<<20) + "\"}", 413, "the row is larger than 1 MiB"},
		{"- POST /posts {\"a\":\"" + strings.Repeat("y", 11<<20) + "\"}", 413, "10"},
		{"- POST /posts {\"id\":1}", 409, "the id is taken by another row: send another id, or none"},
		{"- POST /posts {\"id\":true}", 400, "id must be a number or a text"},
		{"- POST /nothing {}", 404, "{}"},
		{"- POST /" + strings.Repeat("n", 10_000) + " {}", 404, "{}"},
		{"- PATCH /posts/1 a=1&a[", 200, ""}, // a[ is a name like another
		{"- PATCH /posts/1 {\"a\":null,\"a[\":null}", 200, ""},
	} {
		w := s.do(tt.request)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) || tt.status != 200 && w.Body.Len() > 600 {
			t.Errorf("%.60s = %d %.300s; want %d %s", tt.request, w.Code, w.Body, tt.status, tt.says)
		}
	}
	if w := s.do("- POST /posts a=1", "Content-Type", "text/plain"); w.Code != 415 {
		t.Errorf("a body of plain text = %d %s; want 415", w.Code, w.Body)
	}
	s.do(`- PUT /posts/1 {"id":1,"title":"first","n":1.10}`)
	if after := s.do("- GET /db").Body.String(); after != before {
		t.Errorf("bad input has changed\n%s to\n%s", before, after)
	}
}

// Files of the shapes that people have: each starts, answers all that it holds, takes
// a new row in each collection, and after a restart is written as it was given.
func TestCollectionShapes(t *testing.T) {
	t.Parallel()
	hash := "$2a$04$abcdefghijklmnopqrstuuKZ6nGpmQbX0LPnLUc9oPHrtO1yWUpkW"
	large := `{"logs":[{"id":0,"line":"x"}`
	for i := range 9_999 {
		large += fmt.Sprintf(`,{"id":%d,"line":"%d %s","at":{"n":[%d,null]}}`, i+1, i, strings.Repeat("é", 40), i)
	}
	large += `]}`
	for name, text := range map[string]string{
		"ids as numbers":         `{"films":[{"id":1,"title":"M"},{"id":5,"title":"Z"},{"id":2,"title":"Pi"}]}`,
		"ids as texts":           `{"films":[{"id":"tt01","title":"M"},{"id":"3f9a","title":"Z"},{"title":"Pi","id":"a b/é"}]}`,
		"ids as both":            `{"films":[{"id":1,"title":"M"},{"id":"5","title":"Z"},{"id":"x","title":"Pi"},{"id":-3},{"id":1.5},{"id":0}]}`,
		"no ids":                 `{"films":[{"title":"M"},{"title":"Z"}],"moods":[{"a":1}]}`,
		"nested":                 `{"carts":[{"id":1,"lines":[{"sku":"a","n":2,"tags":["x",null,true]}],"to":{"city":{"zip":"01067"}}}],"config":{"deep":{"er":{"est":[[],{},""]}}}}`,
		"relations":              `{"authors":[{"id":1}],"books":[{"id":1,"authorId":1},{"id":2,"authorId":"1"}],"reviews":[{"id":1,"bookId":2,"authorId":1},{"id":2,"bookId":99}]}`,
		"single resources":       `{"profile":{"name":"x"},"settings":{},"about":{"id":7,"text":""}}`,
		"users with bcrypt":      `{"users":[{"email":"a@b.c","password":"` + hash + `","id":1,"role":"admin","nick":"A"}],"posts":[{"id":1,"userId":1}]}`,
		"users with a clear one": `{"posts":[{"id":1,"userId":"u1"}],"users":[{"id":"u1","username":"ann","password":"secret","address":{"city":"X"}},{"id":"u2","email":"b@c","password":"12345"}],"end":[]}`,
		"users without one":      `{"users":[{"id":1,"name":"A","email":"a@b"},{"id":2,"name":"B"}],"posts":[{"id":1,"userId":1}]}`,
		"odd names":              `{"größen":[{"id":1,"ключ":"значение","📚":"🚲"}],"to do":[{"id":1,"a.b":1,"a b":2,"":3}],"__proto__":[{"id":1,"constructor":1}],"Posts":[],"posts":[],"x;y":[]}`,
		"exact numbers":          `{"$schema":"./s.json","prices":[{"id":9007199254740000,"n":1.10,"m":9007199254740993,"o":1E400,"p":-0,"q":1e-8}]}`,
		"a megabyte":             large,
		"nothing":                `{}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, text, "-data=DIR/db.jsonl", "-open")
			given, err := rows.ParseObject([]byte(`{}`))
			if name == "a megabyte" {
				given.Set("logs", text[len(`{"logs":`):len(text)-1])
			} else {
				given, err = rows.ParseObject([]byte(text))
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, member := range given.Names() {
				raw, _ := given.Get(member)
				at := "/" + url.PathEscape(member)
				switch w := s.do("- GET " + at); {
				case member == "$schema", w.Code == 401 && member == "users":
					continue
				case w.Code != 200 || name != "no ids" && w.Body.String() != raw:
					t.Errorf("GET %s = %d %.2000s; want %.2000s", at, w.Code, w.Body, raw)
				}
				method, status := "POST", 201
				if raw[0] == '{' {
					method, status = "PATCH", 200
				}
				if w := s.do(`- ` + method + ` ` + at + ` {"new":"é"}`); w.Code != status {
					t.Errorf("%s %s = %d %s", method, at, w.Code, w.Body)
				} else if place := w.Header().Get("Location"); method == "POST" && s.do("- GET "+strings.TrimPrefix(place, "http://localhost:8080")).Body.String() != w.Body.String() {
					t.Errorf("the new row isn't at %s", place)
				}
			}
			before, err := exportCollections(settings{data: s.file + "l"}, true)
			if err != nil {
				t.Fatal(err)
			}
			s.api = s.restart()
			after, _ := exportCollections(settings{data: s.file + "l"}, true)
			if string(before) != string(after) {
				t.Errorf("after a restart the file is\n%.2000s\nand was\n%.2000s", after, before)
			}
			exported, err := rows.ParseFile(after, rows.FileOptions{})
			if err != nil || exported.Rows() == 0 && strings.Contains(text, "id") {
				t.Errorf("the export can't be served: %v", err)
			}
			if name == "a megabyte" {
				return // the list was as it was given, and after is as before
			}
			compact := strings.Join(strings.Fields(strings.ReplaceAll(string(after), `": `, `":`)), "")
			for row := range strings.SplitSeq(strings.Join(strings.Fields(text), ""), "},{") {
				row = strings.Trim(row[strings.LastIndexAny(row, "[{")+1:], "[]{}")
				if !strings.Contains(row, "secret") && !strings.Contains(row, "12345") && !strings.Contains(compact, row) && len(row) > 2 {
					t.Errorf("the export lacks %s", row)
				}
			}
		})
	}
}
