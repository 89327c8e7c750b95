package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"example.com/shelf/internal/journal"
)

// newEditItems has an item of ann's, number 1, and a book of hers.
func newEditItems(t *testing.T) (ann, bob *queryClient) {
	t.Helper()
	clients := newQueryServer(t, new(queryClock), nil, "ann", "bob")
	clients[0].want(201, "Created a new item", "POST /api/v1/items", `{"itemname":"ball","category":"soccer","description":"to kick"}`)
	clients[0].want(200, "new book created", "POST /bookapi/books", `{"title":"Dune","author":"Herbert"}`)
	return clients[0], clients[1]
}

// editRow is item 1 with these fields, as clients read it.
func editRow(itemname, category, description string) string {
	return fmt.Sprintf(`{"id":1,"itemname":%q,"category":%q,"description":%q,"createdon":"Sun, 22 Nov 2026 14:05 PM","created_at":"2026-11-22T14:05:00Z","createdby":1}`, itemname, category, description)
}

const (
	editForm  = "application/x-www-form-urlencoded"
	editMerge = "application/merge-patch+json"
)

var editTests = []struct {
	name, user, request, contentType, body string
	wantStatus                             int
	want                                   string
}{
	{"PUT replaces all three fields", "ann", "PUT /api/v1/items/1", "", `{"itemname":" bat ","category":"cricket","description":"to hit"}`,
		200, `{"status":200,"message":"successfully updated item","data":[` + editRow("bat", "cricket", "to hit") + `]}`},
	{"PUT takes a form", "ann", "PUT /api/v1/items/1", editForm, "itemname=bat&category=cricket&description=to+hit", 200, editRow("bat", "cricket", "to hit")},
	{"PUT takes back what GET gave, and ignores what isn't the client's", "ann", "PUT /api/v1/items/1", "", strings.Replace(editRow("bat", "c", "d"), `"createdby":1`, `"createdby":2`, 1), 200, editRow("bat", "c", "d")},
	{"PUT needs all three", "ann", "PUT /api/v1/items/1", "", `{"itemname":"bat","category":"cricket"}`, 400, "Invalid description"},
	{"PUT without a body", "ann", "PUT /api/v1/items/1", "", ``, 400, "Invalid item name"},
	{"PUT with a blank category", "ann", "PUT /api/v1/items/1", "", `{"itemname":"bat","category":" ","description":"d"}`, 400, "Invalid category name"},
	{"PUT with a list", "ann", "PUT /api/v1/items/1", "", `[]`, 400, "Invalid request body: must be a JSON object"},
	{"PUT makes no item", "ann", "PUT /api/v1/items/7", "", `{"itemname":"bat","category":"c","description":"d"}`, 404, "Item does not exist"},
	{"PUT by somebody else", "bob", "PUT /api/v1/items/1", "", `{"itemname":"bat","category":"c","description":"d"}`, 403, "Only the creator of an item or an admin can change it"},
	{"PUT to a word", "ann", "PUT /api/v1/items/ball", "", `{}`, 400, "Item ID should be an integer"},

	{"a merge patch changes what it names", "ann", "PATCH /api/v1/items/1", editMerge, `{"category":" cricket "}`,
		200, `{"status":200,"message":"successfully updated item","data":[` + editRow("ball", "cricket", "to kick") + `]}`},
	{"it may say it is plain JSON", "ann", "PATCH /api/v1/items/1", "", `{"itemname":"a","description":"b"}`, 200, editRow("a", "soccer", "b")},
	{"it may be a form", "ann", "PATCH /api/v1/items/1", editForm, "description=b", 200, editRow("ball", "soccer", "b")},
	{"it may name nothing", "ann", "PATCH /api/v1/items/1", editMerge, `{}`, 200, editRow("ball", "soccer", "to kick")},
	{"no body names nothing", "ann", "PATCH /api/v1/items/1", "", ``, 200, editRow("ball", "soccer", "to kick")},
	{"what shelf has no field for is ignored", "ann", "PATCH /api/v1/items/1", editMerge, `{"id":9,"createdby":2,"colour":null,"size":[1]}`, 200, editRow("ball", "soccer", "to kick")},
	{"null takes away the name, which an item needs", "ann", "PATCH /api/v1/items/1", editMerge, `{"itemname":null}`, 400, "Invalid item name"},
	{"null for the category", "ann", "PATCH /api/v1/items/1", editMerge, `{"itemname":"a","category":null}`, 400, "Invalid category name"},
	{"null for the description", "ann", "PATCH /api/v1/items/1", editMerge, `{"description":null}`, 400, "Invalid description"},
	{"a blank value", "ann", "PATCH /api/v1/items/1", editMerge, `{"itemname":" "}`, 400, "Invalid item name"},
	{"a value too long", "ann", "PATCH /api/v1/items/1", editMerge, `{"category":"` + strings.Repeat("é", 65) + `"}`, 400, "Invalid category name"},
	{"a number", "ann", "PATCH /api/v1/items/1", editMerge, `{"itemname":5}`, 400, "Invalid request body: 'itemname' must be a string"},
	{"an object for a field", "ann", "PATCH /api/v1/items/1", editMerge, `{"itemname":{"a":1}}`, 400, "Invalid request body: 'itemname' must be a string"},
	{"a patch that is no object would replace the item", "ann", "PATCH /api/v1/items/1", editMerge, `["a"]`, 400, "must be a JSON object"},
	{"a field twice", "ann", "PATCH /api/v1/items/1", editMerge, `{"itemname":"a","itemname":"b"}`, 400, "'itemname' must be given only once"},
	{"a field in another case", "ann", "PATCH /api/v1/items/1", editMerge, `{"Itemname":"a"}`, 400, "'Itemname' must be written 'itemname'"},
	{"another kind of patch", "ann", "PATCH /api/v1/items/1", "text/x-diff", `-a`, 415, "The body must be application/json"},
	{"the body before existence", "ann", "PATCH /api/v1/items/7", editMerge, `{"itemname":null}`, 400, "Invalid item name"},
	{"no such item", "ann", "PATCH /api/v1/items/7", editMerge, `{"itemname":"a"}`, 404, "Item does not exist"},
	{"a patch by somebody else", "bob", "PATCH /api/v1/items/1", editMerge, `{"itemname":"a"}`, 403, "Only the creator of an item or an admin can change it"},
	{"the tutorial's PATCH has the message in the row", "ann", "PATCH /api/v1/items/1/itemname", editForm, "itemname=bat",
		200, `{"status":200,"data":[` + strings.TrimSuffix(editRow("bat", "soccer", "to kick"), "}") + `,"message":"successfully updated item itemname"}]}`},
	{"with its own words for null", "ann", "PATCH /api/v1/items/1/itemname", "", `{"itemname":null}`, 400, "Invalid input data. Only itemname field should be provided"},
}

func TestItemEdit(t *testing.T) {
	t.Parallel()
	for _, tt := range editTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ann, bob := newEditItems(t)
			client := map[string]*queryClient{"ann": ann, "bob": bob}[tt.user]
			before := ann.send("GET /api/v1/items/1", "")
			var headers []string
			if tt.contentType != "" {
				headers = []string{"Content-Type", tt.contentType}
			}
			w := client.want(tt.wantStatus, tt.want, tt.request, tt.body, headers...)
			after := ann.send("GET /api/v1/items/1", "")
			if tt.wantStatus != 200 && after.Body.String() != before.Body.String() {
				t.Errorf("the item is %s after a refusal", after.Body)
			}
			if tt.wantStatus == 200 && w.Header().Get("ETag") != after.Header().Get("ETag") {
				t.Errorf("%s: ETag is %s; GET has %s", tt.request, w.Header().Get("ETag"), after.Header().Get("ETag"))
			}
		})
	}
}

func TestItemOptions(t *testing.T) {
	t.Parallel()
	ann, _ := newEditItems(t)
	w := ann.want(204, "", "OPTIONS /api/v1/items/1", "")
	if got := w.Header().Get("Allow"); got != "DELETE, GET, HEAD, PATCH, PUT, OPTIONS" {
		t.Errorf("Allow is %q", got)
	}
	if got := w.Header().Get("Accept-Patch"); !strings.HasPrefix(got, editMerge) {
		t.Errorf("Accept-Patch is %q", got)
	}
	if got := ann.send("OPTIONS /api/v1/items", "").Header().Get("Accept-Patch"); got != "" {
		t.Errorf("Accept-Patch of a list, which has no PATCH, is %q", got)
	}
}

// editArray is a JSON array of n good items, of which the last is replaced.
func editArray(n int, last string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`{"itemname":"n%d","category":"c","description":"d"}`, i)
	}
	if last != "" {
		items[n-1] = last
	}
	return "[" + strings.Join(items, ",") + "]"
}

var editArrayTests = []struct {
	name, body string
	want       string // the error
}{
	{"a missing name", editArray(4, `{"category":"c","description":"d"}`), "items[3]: Invalid item name"},
	{"a blank category", editArray(4, `{"itemname":"n","category":" ","description":"d"}`), "items[3]: Invalid category name"},
	{"the first of two faults", `[{"itemname":"n","category":"c"},{}]`, "items[0]: Invalid description"},
	{"a number", editArray(2, `{"itemname":5,"category":"c","description":"d"}`), "Invalid request body: items[1]: 'itemname' must be a string"},
	{"a field twice", editArray(2, `{"itemname":"a","itemname":"b"}`), "Invalid request body: items[1]: 'itemname' must be given only once"},
	{"a list in the list", editArray(2, `[]`), "Invalid request body: items[1]: must be a JSON object"},
	{"null in the list", editArray(2, `null`), "Invalid request body: items[1]: must be a JSON object"},
	{"invalid UTF-8", editArray(2, "{\"itemname\":\"\xff\"}"), "Invalid request body: items[1]: 'itemname' must be valid UTF-8"},
	{"an empty list", "[]", "Invalid request body: must hold from 1 to 1000 items"},
	{"too many", editArray(1001, ""), "Invalid request body: must hold from 1 to 1000 items"},
	{"broken JSON", `[{"itemname":"n"}`, "Invalid request body: unexpected end of JSON input"},
	{"something behind it", editArray(1, "") + "{}", "Invalid request body: invalid character"},
}

func TestItemArrayErrors(t *testing.T) {
	t.Parallel()
	ann, _ := newEditItems(t)
	for _, tt := range editArrayTests {
		t.Run(tt.name, func(t *testing.T) {
			ann.want(400, `{"status":400,"error":"`+tt.want, "POST /api/v1/items", tt.body)
			if ids, _, _ := ann.list("/api/v1/items"); len(ids) != 1 {
				t.Errorf("there are items %v after a refusal; want none but 1", ids)
			}
		})
	}
	ann.want(415, "", "POST /api/v1/items", editArray(1, ""), "Content-Type", "text/plain")
	ann.want(400, "must be a JSON object", "POST /bookapi/books", `[{"title":"a","author":"b"}]`)
}

func TestItemArray(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shelf.jsonl")
	clock := new(queryClock)
	s, err := openStore(journal.OS{}, path, slog.New(slog.DiscardHandler), clock.now)
	if err != nil {
		t.Fatal(err)
	}
	ann := newQueryServer(t, clock, s, "ann")[0]
	w := ann.want(201, `{"status":201,"message":"Created 2 new items","data":[{"id":1,"itemname":"n0","category":"c","description":"d",`+
		`"createdon":"Sun, 22 Nov 2026 14:05 PM","created_at":"2026-11-22T14:05:00Z","createdby":1,"uri":"http://localhost:8080/api/v1/items/1"},{"id":2,`,
		"POST /api/v1/items", " \n"+editArray(2, ""))
	if w.Header().Get("Location") != "" || w.Header().Get("ETag") != "" {
		t.Errorf("POST of many has Location %q and ETag %q; want none", w.Header().Get("Location"), w.Header().Get("ETag"))
	}
	ann.want(201, "Created 1 new item\"", "POST /api/v1/items", editArray(1, ""))
	ann.want(201, "Created 1000 new items\"", "POST /api/v1/items", editArray(1000, ""))
	ids, _, _ := ann.list("/api/v1/items")
	if len(ids) != 1003 || ids[1002] != 1003 {
		t.Errorf("there are %d items, the last is %d; want 1003", len(ids), ids[len(ids)-1])
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), `"closes":1000`) != 1 {
		t.Errorf("the data file has %d batches of 1000 lines (%v); want 1", strings.Count(string(text), `"closes":1000`), err)
	}
}

// In conditionTests TAG is the ETag of what the path names.
var conditionTests = []struct {
	name, user, request, header, value string
	wantStatus                         int
	want                               string
}{
	{"the tag that the client has", "ann", "GET /api/v1/items/1", "If-None-Match", "TAG", 304, ""},
	{"marked as weak", "ann", "GET /api/v1/items/1", "If-None-Match", "W/TAG", 304, ""},
	{"one of several", "ann", "GET /api/v1/items/1", "If-None-Match", `"a", W/"b",TAG`, 304, ""},
	{"with empty elements between", "ann", "GET /api/v1/items/1", "If-None-Match", ` ,, "a,b" ,	, TAG,`, 304, ""},
	{"any tag", "ann", "GET /api/v1/items/1", "If-None-Match", "*", 304, ""},
	{"another tag", "ann", "GET /api/v1/items/1", "If-None-Match", `"a"`, 200, `"ball"`},
	{"the tag inside another", "ann", "GET /api/v1/items/1", "If-None-Match", `"a TAG"`, 400, "If-None-Match must be * or a list of entity tags in double quotes"},
	{"any tag of no item", "ann", "GET /api/v1/items/7", "If-None-Match", "*", 404, "Requested item does not exist"},
	{"a list that the client has", "ann", "GET /api/v1/items?limit=1", "If-None-Match", "TAG", 304, ""},
	{"any list", "ann", "GET /api/v1/items", "If-None-Match", "*", 304, ""},
	{"another list", "ann", "GET /api/v1/items", "If-None-Match", `"a"`, 200, "data"},
	{"a faulty list is no list", "ann", "GET /api/v1/items?limit=0", "If-None-Match", `*`, 400, "limit"},
	{"categories that the client has", "ann", "GET /api/v1/categories", "If-None-Match", "TAG", 304, ""},
	{"a book that the client has", "bob", "GET /bookapi/books/1", "If-None-Match", "TAG", 304, ""},
	{"books that the client has", "bob", "GET /bookapi/books?sort=title", "If-None-Match", "TAG", 304, ""},
	{"HEAD of an item", "ann", "HEAD /api/v1/items/1", "If-None-Match", "TAG", 304, ""},
	{"HEAD of a list", "ann", "HEAD /api/v1/items", "If-None-Match", "TAG", 304, ""},
	{"a tag without quotes", "ann", "GET /api/v1/items/1", "If-None-Match", "abc", 400, "If-None-Match must be"},
	{"no tag at all", "ann", "GET /api/v1/items/1", "If-None-Match", "", 400, "If-None-Match must be"},
	{"a star among tags", "ann", "GET /api/v1/items/1", "If-None-Match", `*, "a"`, 400, "If-None-Match must be"},
	{"tags without a comma", "ann", "GET /api/v1/items/1", "If-None-Match", `"a" "b"`, 400, "If-None-Match must be"},
	{"a tag without its end", "ann", "GET /api/v1/items/1", "If-None-Match", `"a`, 400, "If-None-Match must be"},
	{"a small w", "ann", "GET /api/v1/items/1", "If-None-Match", `w/"a"`, 400, "If-None-Match must be"},
	{"a malformed one in the books' words", "ann", "GET /bookapi/books", "If-None-Match", `a`, 400, `{"message":"If-None-Match must be`},
	{"reading only what is so still", "ann", "GET /api/v1/items/1", "If-Match", "TAG", 200, "ball"},
	{"reading what is otherwise by now", "ann", "GET /api/v1/items/1", "If-Match", `"a"`, 412, editStale},

	{"PUT of what the client read", "ann", "PUT /api/v1/items/1", "If-Match", "TAG", 200, ""},
	{"PUT of one of several", "ann", "PUT /api/v1/items/1", "If-Match", `"a", TAG`, 200, ""},
	{"PUT of any", "ann", "PUT /api/v1/items/1", "If-Match", `*`, 200, ""},
	{"PUT of another", "ann", "PUT /api/v1/items/1", "If-Match", `"a"`, 412, `{"status":412,"error":"` + editStale},
	{"a weak tag never matches", "ann", "PUT /api/v1/items/1", "If-Match", `W/TAG`, 412, "If-Match takes no weak ETag"},
	{"PUT with a malformed one", "ann", "PUT /api/v1/items/1", "If-Match", `a`, 400, "If-Match must be * or a list"},
	{"PUT with an empty one", "ann", "PUT /api/v1/items/1", "If-Match", ` , `, 400, "If-Match must be * or a list"},
	{"a merge patch of what the client read", "ann", "PATCH /api/v1/items/1", "If-Match", "TAG", 200, ""},
	{"a merge patch of another", "ann", "PATCH /api/v1/items/1", "If-Match", `"a"`, 412, editStale},
	{"the tutorial's PATCH of what the client read", "ann", "PATCH /api/v1/items/1/itemname", "If-Match", "TAG", 200, ""},
	{"the tutorial's PATCH of another", "ann", "PATCH /api/v1/items/1/itemname", "If-Match", `"a"`, 412, editStale},
	{"DELETE of what the client read", "ann", "DELETE /api/v1/items/1", "If-Match", "TAG", 200, ""},
	{"DELETE of another", "ann", "DELETE /api/v1/items/1", "If-Match", `"a"`, 412, editStale},
	{"existence comes first", "ann", "DELETE /api/v1/items/7", "If-Match", `"a"`, 404, "Item does not exist"},
	{"existence comes first, for a star too", "ann", "PUT /api/v1/items/7", "If-Match", `*`, 404, "Item does not exist"},
	{"then ownership", "bob", "PUT /api/v1/items/1", "If-Match", `"a"`, 403, "Only the creator"},
	{"PUT only where nothing is", "ann", "PUT /api/v1/items/1", "If-None-Match", `*`, 412, "If-None-Match names what is there"},
	{"PUT unless it is so already", "ann", "PUT /api/v1/items/1", "If-None-Match", `W/TAG`, 412, "If-None-Match names what is there"},
	{"PUT unless it is otherwise", "ann", "PUT /api/v1/items/1", "If-None-Match", `"a"`, 200, ""},
	{"a book that the client read", "ann", "DELETE /bookapi/books/1", "If-Match", "TAG", 200, "Book deleted"},
	{"another book", "ann", "DELETE /bookapi/books/1", "If-Match", `"a"`, 412, `{"message":"` + editStale},
	{"another's book", "bob", "DELETE /bookapi/books/1", "If-Match", `"a"`, 403, "Only the creator"},
	{"no book: that is what the client wants", "ann", "DELETE /bookapi/books/7", "If-Match", `"a"`, 200, "book does not exist"},
	{"a book with a malformed one", "ann", "DELETE /bookapi/books/1", "If-Match", `a`, 400, "If-Match must be"},
}

const editStale = "If-Match names another ETag: this was changed since you read it"

func TestConditions(t *testing.T) {
	t.Parallel()
	for _, tt := range conditionTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ann, bob := newEditItems(t)
			client := map[string]*queryClient{"ann": ann, "bob": bob}[tt.user]
			_, target, _ := strings.Cut(tt.request, " ")
			tag := ann.send("GET "+strings.TrimSuffix(target, "/itemname"), "").Header().Get("ETag")
			body := `{"itemname":"bat","category":"c","description":"d"}`
			if strings.HasSuffix(target, "/itemname") {
				body = `{"itemname":"bat"}`
			}
			w := client.want(tt.wantStatus, tt.want, tt.request, body, tt.header, strings.ReplaceAll(tt.value, "TAG", tag))
			if tt.wantStatus == 304 && (w.Body.Len() > 0 || w.Header().Get("ETag") != tag || w.Header().Get("Vary") != "Origin" || w.Header().Get("Content-Type") != "") {
				t.Errorf("304 with %v and %q; want ETag, Vary and nothing else", w.Header(), w.Body)
			}
			if tt.wantStatus >= 400 && w.Header().Get("ETag") != "" {
				t.Errorf("%d with an ETag", w.Code)
			}
		})
	}
}

// TestConditionOnTwoLines: a header may be split over lines (RFC 9110 §5.3).
func TestConditionOnTwoLines(t *testing.T) {
	t.Parallel()
	ann, _ := newEditItems(t)
	tag := ann.send("GET /api/v1/items/1", "").Header().Get("ETag")
	ann.want(304, "", "GET /api/v1/items/1", "", "If-None-Match", `"a"`, "If-None-Match", tag)
	ann.want(412, "", "GET /api/v1/items/1", "", "If-None-Match", tag, "If-Match", `"a"`) // RFC 9110 §13.2.2
}

// TestListTag changes one thing after the other and looks which lists got
// another tag.
func TestListTag(t *testing.T) {
	t.Parallel()
	ann, _ := newEditItems(t)
	const (
		items = "/api/v1/items"
		page  = "/api/v1/items?limit=1"
		kinds = "/api/v1/categories"
		books = "/bookapi/books"
	)
	targets := []string{items, page, kinds, books}
	seen := map[[2]string]bool{} // target and tag: a tag is one of a URL, so lists may share theirs
	tags := func() (now map[string]string) {
		now = map[string]string{}
		for _, target := range targets {
			now[target] = ann.send("GET "+target, "").Header().Get("ETag")
		}
		return now
	}
	before := tags()
	for target, tag := range before {
		if !strings.HasPrefix(tag, `"`) {
			t.Errorf("%s has the tag %s; want a strong one", target, tag)
		}
		seen[[2]string{target, tag}] = true
	}
	for _, tt := range []struct{ request, body, changes string }{
		{"GET /api/v1/items/1", "", ""},
		{"PUT /api/v1/items/1", `{"itemname":"","category":"c","description":"d"}`, ""},
		{"PUT /api/v1/items/7", `{"itemname":"n","category":"c","description":"d"}`, ""},
		{"POST /api/v1/items", editArray(2, ""), items + " " + page + " " + kinds},
		{"PATCH /api/v1/items/3", `{"itemname":"n"}`, items + " " + page + " " + kinds},
		{"PATCH /api/v1/items/3/category", `{"category":"n"}`, items + " " + page + " " + kinds},
		{"DELETE /api/v1/items/1", "", items + " " + page + " " + kinds},
		{"DELETE /api/v1/items/1", "", ""},
		{"POST /bookapi/books", `{"title":"Emma","author":"Austen"}`, books},
		{"POST /bookapi/books", `{"title":"Emma","author":"Austen"}`, ""},
		{"DELETE /bookapi/books/1", "", books},
	} {
		ann.send(tt.request, tt.body)
		now := tags()
		for _, target := range targets {
			want := strings.Contains(" "+tt.changes+" ", " "+target+" ")
			if got := now[target] != before[target]; got != want {
				t.Errorf("%s %s: the tag of %s has changed: %t; want %t", tt.request, tt.body, target, got, want)
			}
			at := [2]string{target, now[target]}
			if want && seen[at] {
				t.Errorf("%s: the tag %s of %s was there before", tt.request, now[target], target)
			}
			seen[at] = true
		}
		before = now
	}
	// What an account leaves behind is made by nobody from then on.
	err := ann.server.store.as(theOperator).deleteUser(ann.user.ID)
	if err != nil {
		t.Fatal(err)
	}
	carl := queryClientOf(t, ann.server, "carl")
	carl.want(200, `"createdby":null`, "GET "+items, "", "If-None-Match", before[items])
}

// TestTagsAfterRestart: an item's tag stays what it is while the item does, a
// list's never comes back.
func TestTagsAfterRestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shelf.jsonl")
	clock := new(queryClock)
	start := func(name string) (*store, *queryClient) {
		s, err := openStore(journal.OS{}, path, slog.New(slog.DiscardHandler), clock.now)
		if err != nil {
			t.Fatal(err)
		}
		c := newQueryServer(t, clock, s, name)[0]
		c.server.config.sharedWrites = true
		return s, c
	}
	tag := func(c *queryClient, target string) string { return c.send("GET "+target, "").Header().Get("ETag") }

	s, ann := start("ann")
	ann.want(201, "", "POST /api/v1/items", editArray(2, ""))
	item, list := tag(ann, "/api/v1/items/1"), map[string]bool{}
	for n := range 5 {
		ann.want(200, "", "PATCH /api/v1/items/2", fmt.Sprintf(`{"description":"version %d"}`, n))
		list[tag(ann, "/api/v1/items")] = true
		if n == 3 {
			if err := s.Compact(); err != nil {
				t.Fatal(err)
			}
		}
		if got := tag(ann, "/api/v1/items"); !list[got] {
			t.Errorf("the list's tag has changed without the list")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, ann = start(fmt.Sprint("ann", n))
		if got := tag(ann, "/api/v1/items"); list[got] {
			t.Errorf("after a restart the list has the tag %s again", got)
		} else {
			list[got] = true
		}
		if got := tag(ann, "/api/v1/items/1"); got != item {
			t.Errorf("after a restart item 1 has the tag %s; want %s", got, item)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestEditOfTwoClients lets two change what both have read. The first change is
// still on its way to the disk when the second is judged.
func TestEditOfTwoClients(t *testing.T) {
	t.Parallel()
	for _, second := range []string{"PUT /api/v1/items/1", "PATCH /api/v1/items/1", "PATCH /api/v1/items/1/itemname", "DELETE /api/v1/items/1"} {
		t.Run(second, func(t *testing.T) {
			t.Parallel()
			ann, _ := newEditItems(t)
			s := ann.server.store
			read := ann.send("GET /api/v1/items/1", "")
			tag := read.Header().Get("ETag")

			release := slow(t, s) // the disk is busy
			first := make(chan int)
			go func() {
				first <- ann.send("PATCH /api/v1/items/1", `{"category":"cricket"}`, "If-Match", tag).Code
			}()
			for waits := false; !waits; runtime.Gosched() {
				_, pending := s.rowsOf("items")
				waits = pending > 0
			}
			body := `{"itemname":"bat","category":"c","description":"d"}`
			if strings.HasSuffix(second, "/itemname") {
				body = `{"itemname":"bat"}`
			}
			ann.want(412, editStale, second, body, "If-Match", tag)
			ann.want(304, "", "GET /api/v1/items/1", "", "If-None-Match", tag) // nobody sees it yet
			release(nil)
			if status := <-first; status != 200 {
				t.Errorf("the first edit = %d; want 200", status)
			}
			again := ann.want(200, editRow("ball", "cricket", "to kick"), "GET /api/v1/items/1", "", "If-None-Match", tag)
			ann.want(200, "", second, body, "If-Match", again.Header().Get("ETag"))
		})
	}
}

// TestEditOfManyClients lets eight clients count in one item's description, each
// with what it has read: no count is lost.
func TestEditOfManyClients(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shelf.jsonl")
	clock := new(queryClock)
	s, err := openStore(journal.OS{}, path, slog.New(slog.DiscardHandler), clock.now)
	if err != nil {
		t.Fatal(err)
	}
	ann := newQueryServer(t, clock, s, "ann")[0]
	ann.want(201, "", "POST /api/v1/items", `{"itemname":"n","category":"c","description":"0"}`)
	const clients, edits = 8, 20
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for done := 0; done < edits; {
				read := ann.send("GET /api/v1/items/1", "")
				var answer struct{ Data []queryRow }
				if err := json.Unmarshal(read.Body.Bytes(), &answer); err != nil {
					t.Error(err)
					return
				}
				n, err := strconv.Atoi(answer.Data[0].Description)
				if err != nil {
					t.Error(err)
					return
				}
				switch w := ann.send("PATCH /api/v1/items/1", fmt.Sprintf(`{"description":"%d"}`, n+1), "If-Match", read.Header().Get("ETag")); w.Code {
				case 200:
					done++
				case 412:
				default:
					t.Errorf("PATCH = %d %s; want 200 or 412", w.Code, w.Body)
					return
				}
			}
		})
	}
	all.Wait()
	ann.want(200, fmt.Sprintf(`"description":"%d"`, clients*edits), "GET /api/v1/items/1", "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
