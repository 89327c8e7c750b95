package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/shelf/internal/list"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/token"
)

// A queryClient sends requests to a server of a test's own, as one account.
type queryClient struct {
	t      testing.TB
	server *server
	user   *user
	token  string
}

// queryClock begins at a full minute, and goes on when a test says so.
type queryClock struct{ minutes atomic.Int64 }

func (c *queryClock) now() time.Time {
	return time.Date(2026, 11, 22, 14, 5, 0, 0, time.UTC).Add(time.Duration(c.minutes.Load()) * time.Minute)
}

// newQueryServer has one client for each name. st nil is a store in memory.
func newQueryServer(t testing.TB, clock *queryClock, st *store, names ...string) []*queryClient {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	if st == nil {
		st = newStore(log, clock.now)
	}
	c := defaultSettings
	c.bcryptCost, c.accessTTL = password.MinCost, 24*time.Hour
	s := newServer(c, st, token.MemoryKeys(token.HS256), log, clock.now, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080})
	clients := make([]*queryClient, len(names))
	for i, name := range names {
		clients[i] = queryClientOf(t, s, name)
	}
	return clients
}

// queryClientOf signs name up without the cost of a password.
func queryClientOf(t testing.TB, s *server, name string) *queryClient {
	t.Helper()
	u := &user{PublicID: token.NewUUID(), Username: name, Created: s.now()}
	token, record, err := s.issue(u, token.Access, s.config.accessTTL, true)
	if err == nil {
		err = s.store.signUp(u, record)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &queryClient{t, s, u, token}
}

// send sends a request such as "GET /api/v1/items". Headers are names and
// values in turn; a body is JSON unless they say otherwise.
func (c *queryClient) send(request, body string, headers ...string) *httptest.ResponseRecorder {
	c.t.Helper()
	method, target, _ := strings.Cut(request, " ")
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost:8080"
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("X-Access-Token", c.token)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	if len(headers) > 0 && headers[0] == "Content-Type" {
		r.Header.Set(headers[0], headers[1])
	}
	return ask(c.server, r)
}

// want sends a request and fails the test unless the answer has the status and
// says so in its body.
func (c *queryClient) want(status int, says, request, body string, headers ...string) *httptest.ResponseRecorder {
	c.t.Helper()
	w := c.send(request, body, headers...)
	if w.Code != status || !strings.Contains(w.Body.String(), says) {
		c.t.Errorf("%s %s %q = %d %s; want %d %s", request, body, headers, w.Code, w.Body, status, says)
	}
	return w
}

// queryRow is a row of either list.
type queryRow struct {
	ID          int
	Itemname    string
	Category    string
	Description string
}

// list reads a list and returns the ids in it, and the target of its Link.
func (c *queryClient) list(target string) (ids []int, next string, w *httptest.ResponseRecorder) {
	c.t.Helper()
	w = c.send("GET "+target, "")
	var answer struct {
		Data, Books []queryRow
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
		c.t.Fatalf("GET %s = %d %s; want a list", target, w.Code, w.Body)
	}
	for _, row := range append(answer.Data, answer.Books...) {
		ids = append(ids, row.ID)
	}
	if link := w.Header().Get("Link"); link != "" {
		text, ok := strings.CutSuffix(strings.TrimPrefix(link, "<http://localhost:8080"), `>; rel="next"`)
		if !ok {
			c.t.Fatalf("GET %s: Link is %q; want <URL>; rel=\"next\"", target, link)
		}
		next = text
	}
	return ids, next, w
}

// walk follows the links from target on and returns the ids of all pages.
func (c *queryClient) walk(target string) (ids []int) {
	c.t.Helper()
	for target != "" {
		page, next, _ := c.list(target)
		ids, target = append(ids, page...), next
	}
	return ids
}

// newQueryItems has six items and five books. Of these, ann (user 1) and bob
// (user 2) made some, and carl, who is gone, the others.
func newQueryItems(t *testing.T) *queryClient {
	t.Helper()
	clock := new(queryClock)
	clients := newQueryServer(t, clock, nil, "ann", "bob", "carl")
	for i, row := range []struct {
		by                    int
		name, category, about string
	}{
		{0, "ball", "soccer", "something to kick"},
		{1, "bat", "cricket", "to HIT with"},
		{0, "Glove", "cricket", "leather, für die Hand"},
		{1, "ball", "cricket", "red, to throw"},
		{0, "net", "soccer", "catches the ball"},
		{2, "flag", "corner & more", "100% <b>"},
	} {
		clock.minutes.Store(int64(i / 2)) // two items a minute
		clients[row.by].want(201, "", "POST /api/v1/items", fmt.Sprintf(`{"itemname":%q,"category":%q,"description":%q}`, row.name, row.category, row.about))
	}
	for i, title := range []string{"Dune", "Emma", "Ulysses", "Beloved", "dubliners"} {
		author := []string{"Herbert", "Austen", "Joyce", "Morrison", "Joyce"}[i]
		clients[2].want(200, "", "POST /bookapi/books", fmt.Sprintf(`{"title":%q,"author":%q}`, title, author))
	}
	carl := clients[2].user.ID
	err := clients[0].server.store.as(theOperator).deleteUser(carl)
	if err != nil {
		t.Fatal(err)
	}
	return clients[0]
}

var queryListTests = []struct {
	name, target string
	want         string // ids
	wantTotal    string // X-Total-Count
}{
	{"no parameter gives all, by id", "/api/v1/items", "1 2 3 4 5 6", "6"},
	{"by id", "/api/v1/items?sort=id", "1 2 3 4 5 6", "6"},
	{"by id, the last first", "/api/v1/items?sort=-id", "6 5 4 3 2 1", "6"},
	{"by name: capitals first, ties by id", "/api/v1/items?sort=itemname", "3 1 4 2 6 5", "6"},
	{"the reverse of that, ties and all", "/api/v1/items?sort=-itemname", "5 6 2 4 1 3", "6"},
	{"by category", "/api/v1/items?sort=category", "6 2 3 4 1 5", "6"},
	{"by category, reversed", "/api/v1/items?sort=-category", "5 1 4 3 2 6", "6"},
	{"jQuery's way past caches says nothing", "/api/v1/items?_=1700000000000", "1 2 3 4 5 6", "6"},
	{"by time", "/api/v1/items?sort=createdon", "1 2 3 4 5 6", "6"},
	{"by time, the last first", "/api/v1/items?sort=-createdon", "6 5 4 3 2 1", "6"},
	{"of one category", "/api/v1/items?category=cricket", "2 3 4", "3"},
	{"a category is text like any other", "/api/v1/items?category=corner+%26%20more", "6", "1"},
	{"a category is matched in its own case", "/api/v1/items?category=Cricket", "", "0"},
	{"a category that no item has", "/api/v1/items?category=golf", "", "0"},
	{"blanks around a value don't count", "/api/v1/items?category=+cricket+", "2 3 4", "3"},
	{"of one user", "/api/v1/items?createdby=2", "2 4", "2"},
	{"of nobody", "/api/v1/items?createdby=null", "6", "1"},
	{"of a user who never was", "/api/v1/items?createdby=99", "", "0"},
	{"of a user beyond all numbers", "/api/v1/items?createdby=99999999999999999999", "", "0"},
	{"of a user and a category", "/api/v1/items?createdby=1&category=cricket", "3", "1"},
	{"of a user and a category, reversed", "/api/v1/items?createdby=2&category=cricket&sort=-id", "4 2", "2"},
	{"text in a name, in any case", "/api/v1/items?q=BAL", "1 4 5", ""},
	{"text in a description, in any case", "/api/v1/items?q=hit+WITH", "2", ""},
	{"case is not only that of ASCII", "/api/v1/items?q=F%C3%9CR", "3", ""},
	{"text in a category doesn't count", "/api/v1/items?q=soccer", "", ""},
	{"text is no pattern", "/api/v1/items?q=100%25+%3Cb%3E", "6", ""},
	{"text and a filter", "/api/v1/items?q=ball&category=soccer&sort=-itemname", "5 1", ""},
	{"a search box that is still empty", "/api/v1/items?q=", "1 2 3 4 5 6", "6"},
	{"a page", "/api/v1/items?limit=2", "1 2", "6"},
	{"a page as large as the list", "/api/v1/items?limit=6", "1 2 3 4 5 6", "6"},
	{"the largest page", "/api/v1/items?limit=1000", "1 2 3 4 5 6", "6"},
	{"a page from the end", "/api/v1/items?limit=2&sort=-id", "6 5", "6"},
	{"a page in another order", "/api/v1/items?sort=itemname&limit=3", "3 1 4", "6"},
	{"a page of a search", "/api/v1/items?q=ball&limit=2", "1 4", ""},

	{"no parameter gives all books, by id", "/bookapi/books", "1 2 3 4 5", "5"},
	{"books by title", "/bookapi/books?sort=title", "4 1 2 3 5", "5"},
	{"books by title, reversed", "/bookapi/books?sort=-title", "5 3 2 1 4", "5"},
	{"books by author, ties by id", "/bookapi/books?sort=author", "2 1 3 5 4", "5"},
	{"books by author, reversed", "/bookapi/books?sort=-author", "4 5 3 1 2", "5"},
	{"text in a title", "/bookapi/books?q=du", "1 5", ""},
	{"text in an author", "/bookapi/books?q=JOYCE&sort=title", "3 5", ""},
	{"a page of books", "/bookapi/books?limit=2&sort=-id", "5 4", "5"},
}

func TestListQuery(t *testing.T) {
	t.Parallel()
	ann := newQueryItems(t)
	for _, tt := range queryListTests {
		t.Run(tt.name, func(t *testing.T) {
			ids, _, w := ann.list(tt.target)
			if got := strings.Trim(fmt.Sprint(ids), "[]"); got != tt.want {
				t.Errorf("GET %s = %s; want %s", tt.target, got, tt.want)
			}
			if got := w.Header().Get("X-Total-Count"); got != tt.wantTotal {
				t.Errorf("GET %s: X-Total-Count is %q; want %q", tt.target, got, tt.wantTotal)
			}
			head := ann.send("HEAD "+tt.target, "")
			for _, name := range []string{"Link", "X-Total-Count", "ETag", "Content-Length", "Content-Type"} {
				if got, want := head.Header().Get(name), w.Header().Get(name); got != want || name == "ETag" && got == "" {
					t.Errorf("HEAD %s: %s is %q; GET has %q", tt.target, name, got, want)
				}
			}
		})
	}
}

func TestListBodyStays(t *testing.T) {
	t.Parallel()
	ann := newQueryServer(t, new(queryClock), nil, "ann")[0]
	ann.want(200, `{"status":200,"data":[]}`+"\n", "GET /api/v1/items", "")
	ann.want(200, `{"status":200,"data":[]}`+"\n", "GET /api/v1/items?category=a&limit=3", "")
	ann.want(200, `{"Books":[]}`+"\n", "GET /bookapi/books?limit=3", "")
	ann.want(200, `{"status":200,"data":[]}`+"\n", "GET /api/v1/categories", "")
}

var queryErrorTests = []struct{ name, target, want string }{
	{"two underscores are a parameter", "/api/v1/items?__=1", "'__' is no parameter here"},
	{"an unknown parameter", "/api/v1/items?colour=red", "'colour' is no parameter here"},
	{"all that are unknown", "/api/v1/items?colour=red&size=3&limit=1", "'colour' is no parameter here; 'size' is no parameter here"},
	{"a parameter of another list", "/bookapi/books?category=a", "'category' is no parameter here"},
	{"a parameter without a name", "/api/v1/items?=3", "'' is no parameter here"},
	{"another case", "/api/v1/items?Limit=3", "'Limit' must be written 'limit'"},
	{"twice", "/api/v1/items?limit=3&limit=3", "'limit' must be given only once"},
	{"twice, in two writings", "/api/v1/items?limit=3&%6cimit=3", "'limit' must be given only once"},
	{"a broken escape", "/api/v1/items?category=%zz", `'category' has an invalid URL escape \"%zz\"`},
	{"no UTF-8", "/api/v1/items?category=%ff", "'category' must be valid UTF-8"},
	{"an empty category", "/api/v1/items?category=", "'category' must not be empty"},
	{"a blank order", "/api/v1/items?sort=+", "'sort' must not be empty"},
	{"a limit of nothing", "/api/v1/items?limit", "'limit' must not be empty"},
	{"an empty cursor", "/api/v1/items?after=", "'after' must not be empty"},
	{"limit 0", "/api/v1/items?limit=0", "'limit' must be a number from 1 to 1000"},
	{"a limit too high", "/api/v1/items?limit=1001", "'limit' must be a number from 1 to 1000"},
	{"a limit beyond all numbers", "/api/v1/items?limit=99999999999999999999", "'limit' must be a number from 1 to 1000"},
	{"a limit with a sign", "/api/v1/items?limit=%2B5", "'limit' must be a number from 1 to 1000"},
	{"a limit in words", "/bookapi/books?limit=ten", "'limit' must be a number from 1 to 1000"},
	{"an unknown order", "/api/v1/items?sort=description", "'sort' must be one of category, createdon, id, itemname"},
	{"an order of the other list", "/bookapi/books?sort=itemname", "'sort' must be one of author, id, title"},
	{"two orders", "/api/v1/items?sort=id,itemname", "'sort' must be one of"},
	{"a minus too many", "/api/v1/items?sort=--id", "'sort' must be one of"},
	{"a creator that is no number", "/api/v1/items?createdby=ann", "'createdby' must be the id of a user, or null"},
	{"user 0", "/api/v1/items?createdby=0", "'createdby' must be the id of a user, or null"},
	{"a negative user", "/api/v1/items?createdby=-1", "'createdby' must be the id of a user, or null"},
	{"categories take no parameters", "/api/v1/categories?limit=3", "'limit' is no parameter here"},
}

func TestListQueryErrors(t *testing.T) {
	t.Parallel()
	ann := newQueryItems(t)
	for _, tt := range queryErrorTests {
		t.Run(tt.name, func(t *testing.T) {
			says := `{"status":400,"error":"Invalid query: ` + tt.want
			if strings.HasPrefix(tt.target, "/bookapi") {
				says = `{"message":"Invalid query: ` + tt.want
			}
			w := ann.want(400, says, "GET "+tt.target, "")
			if w.Header().Get("ETag") != "" {
				t.Errorf("GET %s: an error with an ETag", tt.target)
			}
			ann.want(400, "", "HEAD "+tt.target, "")
		})
	}
}

// TestListPages follows the links of every query there is, with pages of every
// size: together they are the list without a limit.
func TestListPages(t *testing.T) {
	t.Parallel()
	ann := newQueryItems(t)
	for _, tt := range queryListTests {
		u, err := url.Parse(tt.target)
		if err != nil {
			t.Fatal(err)
		}
		values := u.Query()
		values.Del("limit")
		u.RawQuery = values.Encode()
		whole, _, _ := ann.list(u.String())
		for limit := 1; limit <= 7; limit++ {
			values.Set("limit", strconv.Itoa(limit))
			u.RawQuery = values.Encode()
			if got := ann.walk(u.String()); !slices.Equal(got, whole) {
				t.Errorf("the pages of GET %s have %v; want %v", u, got, whole)
			}
		}
	}
}

func TestListCursor(t *testing.T) {
	t.Parallel()
	ann := newQueryItems(t)
	ids, next, _ := ann.list("/api/v1/items?category=cricket&sort=itemname&limit=1")
	u, err := url.Parse(next)
	if err != nil || fmt.Sprint(ids) != "[3]" {
		t.Fatalf("the first page has %v, %v", ids, err)
	}
	after := u.Query().Get("after")
	for _, tt := range []struct {
		name, target, want string // ids, or the status
	}{
		{"the same query goes on", "/api/v1/items?category=cricket&sort=itemname&limit=1", "[4]"},
		{"in another order of the parameters", "/api/v1/items?limit=1&sort=itemname&category=cricket", "[4]"},
		{"pages may change in size", "/api/v1/items?category=cricket&sort=itemname&limit=2", "[4 2]"},
		{"no limit gives the rest", "/api/v1/items?category=cricket&sort=itemname", "[4 2]"},
		{"another order", "/api/v1/items?category=cricket&sort=-itemname&limit=1", "400"},
		{"the order by default", "/api/v1/items?category=cricket&limit=1", "400"},
		{"another filter", "/api/v1/items?category=soccer&sort=itemname&limit=1", "400"},
		{"no filter", "/api/v1/items?sort=itemname&limit=1", "400"},
		{"a filter more", "/api/v1/items?category=cricket&sort=itemname&createdby=1&limit=1", "400"},
		{"a search", "/api/v1/items?category=cricket&sort=itemname&q=a&limit=1", "400"},
		{"another list", "/bookapi/books?limit=1", "400"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target := tt.target + "&after=" + after
			if tt.want == "400" {
				ann.want(400, "'after' must be from a Link", "GET "+target, "")
			} else if ids, _, _ := ann.list(target); fmt.Sprint(ids) != tt.want {
				t.Errorf("GET %s = %v; want %s", target, ids, tt.want)
			}
		})
	}

	q, err := itemList.Parse(httptest.NewRequest("GET", "/api/v1/items?sort=id", nil))
	if err != nil {
		t.Fatal(err)
	}
	encode := func(v string) string { return base64.RawURLEncoding.EncodeToString([]byte(v)) }
	text, err := base64.RawURLEncoding.DecodeString(q.Cursor(list.Position{ID: 1}))
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ Query string }
	if err := json.Unmarshal(text, &made); err != nil || made.Query == "" {
		t.Fatalf("the cursor %s names no query: %v", text, err)
	}
	for name, bad := range map[string]string{
		"no base64":         "*",
		"an offset":         "100",
		"padded":            after + "=",
		"cut off":           after[:len(after)-4],
		"no JSON":           encode("x"),
		"null":              encode("null"),
		"another version":   encode(`{"v":2,"query":"` + made.Query + `","id":1}`),
		"no version":        encode(`{"query":"` + made.Query + `","id":1}`),
		"no query":          encode(`{"v":1,"id":1}`),
		"no id":             encode(`{"v":1,"query":"` + made.Query + `"}`),
		"a negative id":     encode(`{"v":1,"query":"` + made.Query + `","id":-1}`),
		"an id too large":   encode(`{"v":1,"query":"` + made.Query + `","id":99999999999999999999}`),
		"an id in words":    encode(`{"v":1,"query":"` + made.Query + `","id":"1"}`),
		"a member too many": encode(`{"v":1,"query":"` + made.Query + `","id":1,"offset":3}`),
	} {
		t.Run(name, func(t *testing.T) {
			ann.want(400, "'after' must be from a Link", "GET /api/v1/items?limit=1&after="+url.QueryEscape(bad), "")
		})
	}
	// One that is made up reads what its maker may read anyway.
	for text, want := range map[string]string{
		fmt.Sprintf(`{"v":1,"query":%q,"id":4}`, made.Query):                   "[5 6]",
		fmt.Sprintf(`{"v":1,"query":%q,"id":9223372036854775807}`, made.Query): "[]",
		fmt.Sprintf(`{"v":1,"query":%q,"id":77}`, made.Query):                  "[]",
	} {
		if ids, _, _ := ann.list("/api/v1/items?after=" + encode(text)); fmt.Sprint(ids) != want {
			t.Errorf("after %s come %v; want %s", text, ids, want)
		}
	}
}

func TestCategories(t *testing.T) {
	t.Parallel()
	ann := newQueryItems(t)
	const target = "GET /api/v1/categories"
	first := ann.want(200, `{"status":200,"data":[{"category":"corner & more","items":1},{"category":"cricket","items":3},{"category":"soccer","items":2}]}`, target, "")
	// A category comes and goes with its items.
	ann.want(200, "", "PATCH /api/v1/items/1/category", `{"category":"cricket"}`)
	ann.want(200, "", "DELETE /api/v1/items/5", "")
	ann.want(200, `"data":[{"category":"corner & more","items":1},{"category":"cricket","items":4}]}`, target, "", "If-None-Match", first.Header().Get("ETag"))
	ann.want(405, "", "POST /api/v1/categories", "")
	ann.token = ""
	ann.want(422, "", target, "")
}

// TestIndexes lets items come, change and go, and compares what the indexes say
// with a look at every item.
func TestIndexes(t *testing.T) {
	t.Parallel()
	clock := new(queryClock)
	clients := newQueryServer(t, clock, nil, "ann", "bob", "carl")
	s := clients[0].server.store
	random := rand.New(rand.NewPCG(5, 22))
	categories := []string{"a", "b", "c", "d"}
	for range 3000 {
		category := strings.Clone(categories[random.IntN(len(categories))])
		id := 1 + random.IntN(400)
		switch random.IntN(4) {
		case 0:
			s.as(theOperator).deleteItem(id, terms{})
		case 1:
			s.as(theOperator).changeItem(id, terms{}, func(it *item) { it.Category = category })
		default:
			s.as(theOperator).addItem(&item{itemInput: itemInput{"n", category, "d"}, CreatedBy: clients[random.IntN(3)].user.ID})
		}
	}
	s.as(theOperator).deleteUser(clients[2].user.ID)
	all := s.allItems()
	if len(all) < 500 {
		t.Fatalf("there are %d items", len(all))
	}
	for _, category := range append(categories, "") {
		for _, by := range []string{"", "null", "1", "2", "3"} {
			var want []int
			for _, it := range all {
				if (category == "" || it.Category == category) && (by == "" || by == fmt.Sprint(it.CreatedBy) || by == "null" && it.CreatedBy == 0) {
					want = append(want, it.ID)
				}
			}
			if by == "null" && category == "" && len(want) == 0 {
				t.Error("nothing is left by the user who is gone")
			}
			query := url.Values{}
			if category != "" {
				query.Set("category", category)
			}
			if by != "" {
				query.Set("createdby", by)
			}
			got, _, w := clients[0].list("/api/v1/items?" + query.Encode())
			if total := w.Header().Get("X-Total-Count"); !slices.Equal(got, want) || total != fmt.Sprint(len(want)) {
				t.Errorf("items of category %q by %q = %v (%s); want %v", category, by, got, total, want)
			}
		}
	}
}

// TestListPagesWhileOthersWrite walks through 10,000 items while others insert
// and delete around every page, the last row of it included.
func TestListPagesWhileOthersWrite(t *testing.T) {
	t.Parallel()
	const batches = 250 // of ten items that stay and ten that go
	for _, target := range []string{
		"/api/v1/items?limit=100", "/api/v1/items?limit=100&sort=-id", "/api/v1/items?limit=100&category=stays&sort=-id",
		"/api/v1/items?limit=250&sort=itemname", "/api/v1/items?limit=250&sort=-createdon", "/api/v1/items?limit=250&q=Thing",
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			clock := new(queryClock)
			ann := newQueryServer(t, clock, nil, "ann")[0]
			s := ann.server.store
			thing := func(n int, category string) *item {
				return &item{itemInput: itemInput{fmt.Sprintf("thing %d", n*7919%101), category, "d"}, CreatedBy: ann.user.ID}
			}
			add := func(items ...*item) {
				if err := s.as(theOperator).addItem(items...); err != nil {
					t.Error(err)
				}
			}
			stays := map[int]bool{} // the odd ids
			for n := range batches {
				clock.minutes.Store(int64(n))
				var items []*item
				for i := range 10 {
					items = append(items, thing(10*n+i, "stays"), thing(10*n+i, "goes"))
				}
				add(items...)
				for _, it := range items {
					stays[it.ID] = it.Category == "stays"
				}
			}
			var others sync.WaitGroup
			done := make(chan struct{})
			for other := range 2 {
				others.Go(func() {
					for n := other; ; n += 2 {
						select {
						case <-done:
							return
						default:
							s.as(theOperator).deleteItem(2+2*(n*31%(10*batches)), terms{})
							added := thing(n, "goes")
							add(added)
							s.as(theOperator).deleteItem(added.ID, terms{})
						}
					}
				})
			}
			seen := map[int]int{}
			pages := 0
			for next := target; next != ""; pages++ {
				var ids []int
				ids, next, _ = ann.list(next)
				for _, id := range ids {
					seen[id]++
				}
				if last := ids[len(ids)-1]; !stays[last] {
					s.as(theOperator).deleteItem(last, terms{}) // the cursor's own row goes
				}
				add(thing(pages, "goes"))
			}
			close(done)
			others.Wait()
			for id, there := range stays {
				if there && seen[id] != 1 {
					t.Errorf("item %d, there all the time, was shown %d times", id, seen[id])
				}
			}
			for id, n := range seen {
				if n > 1 {
					t.Errorf("item %d was shown %d times", id, n)
				}
			}
			if pages < batches*10/250 { // more if the others are slow to delete what goes
				t.Errorf("the walk took %d pages", pages)
			}
		})
	}
}

// TestListHead asks a real server, which is what drops the body of a HEAD.
func TestListHead(t *testing.T) {
	t.Parallel()
	ann := newQueryItems(t)
	server := httptest.NewServer(ann.server)
	t.Cleanup(server.Close)
	ask := func(method, target, tag string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequest(method, server.URL+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+ann.token)
		r.Header.Set("X-Access-Token", ann.token)
		r.Header.Set("If-None-Match", tag)
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer, string(body)
	}
	for _, target := range []string{"/api/v1/items", "/api/v1/items?limit=2", "/api/v1/items/1", "/api/v1/categories", "/bookapi/books", "/bookapi/books/1"} {
		get, body := ask("GET", target, `"other"`)
		head, none := ask("HEAD", target, `"other"`)
		if get.StatusCode != 200 || head.StatusCode != 200 || body == "" || none != "" || get.ContentLength != head.ContentLength {
			t.Errorf("%s: GET = %d, %d bytes; HEAD = %d, %d bytes and %q", target, get.StatusCode, get.ContentLength, head.StatusCode, head.ContentLength, none)
		}
		for _, method := range []string{"GET", "HEAD"} {
			answer, body := ask(method, target, get.Header.Get("ETag"))
			if answer.StatusCode != 304 || body != "" || answer.Header.Get("ETag") != get.Header.Get("ETag") || answer.Header.Get("Vary") != "Origin" {
				t.Errorf("%s %s = %d %v %q; want 304", method, target, answer.StatusCode, answer.Header, body)
			}
		}
	}
}
