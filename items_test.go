package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/form"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
	"example.com/shelf/internal/list"
	"example.com/shelf/internal/strictjson"
)

// ball is the first tutorial's TEST_ITEM.
var ball = asForm("itemname", "ball", "category", "soccer", "description", "something to kick")

// ballRow is the same as clients read it.
const ballRow = `"itemname":"ball","category":"soccer","description":"something to kick","createdon":"Sun, 22 Nov 2026 14:05 PM","created_at":"2026-11-22T14:05:00Z","createdby":1`

// TestTutorialItems is tests/v1/test_items.py of the first tutorial, step by
// step; each subtest has the name of its function there. The tutorial sends
// forms.
func TestTutorialItems(t *testing.T) {
	t.Parallel()
	const (
		noToken  = "Missing Authorization Header"
		badToken = "Signature verification failed"
	)
	// fixture is the tutorial's client and auth: a server, its user's client,
	// nobody's, and one with an invalid token.
	fixture := func(t *testing.T) (user, nobody, invalid *client) {
		a := newAPI(t)
		a.as("").send("POST /api/v1/auth/signup", asForm("email", "user@example.com", "password", "r@78hy")).want(201, "")
		token := row[session](a.as("").send("POST /api/v1/auth/signin", asForm("email", "user@example.com", "password", "r@78hy"))).Access
		return a.as("").bearing(token), a.as(""), a.as("").bearing(token + "k")
	}
	type encoder = func(namesAndValues ...string) body
	item := func(in encoder) body {
		return in("itemname", "ball", "category", "soccer", "description", "something to kick")
	}

	t.Run("test_create_item", func(t *testing.T) {
		inEveryEncoding(t, func(t *testing.T, in func(...string) body) {
			user, nobody, invalid := fixture(t)
			nobody.send("POST /api/v1/items", item(in)).want(401, noToken)
			invalid.send("POST /api/v1/items", item(in)).want(422, badToken)
			user.send("POST /api/v1/items", item(in)).want(201, "Created a new item").
				wantHeader("Location", "http://localhost:8080/api/v1/items/1")
			user.send("POST /api/v1/items", in("itemname", "", "category", "", "description", "")).want(400, "Invalid item name")
			user.send("POST /api/v1/items", in("itemname", " ", "category", " ", "description", " ")).want(400, "Invalid item name")
			user.send("POST /api/v1/items", in("itemname", "ball", "category", "soccer")).want(400, "Invalid description")
			user.send("POST /api/v1/items", in("itemname", "jersey")).want(400, "Invalid category name")
		})
	})
	t.Run("test_get_an_item", func(t *testing.T) {
		t.Parallel()
		user, nobody, invalid := fixture(t)
		nobody.send("POST /api/v1/items", ball).want(401, noToken)
		invalid.send("POST /api/v1/items", ball).want(422, badToken)
		user.send("POST /api/v1/items", ball).want(201, "Created a new item")
		user.send("GET /api/v1/items/1").wantBody(200, `{"status":200,"data":[{"id":1,`+ballRow+`}]}`)
		user.send("GET /api/v1/items/99999").want(404, "Requested item does not exist")
		user.send("GET /api/v1/items/item1").want(400, "Item ID should be an integer")
	})
	t.Run("test_get_item_collection", func(t *testing.T) {
		t.Parallel()
		user, nobody, invalid := fixture(t)
		nobody.send("GET /api/v1/items").want(401, noToken)
		invalid.send("GET /api/v1/items").want(422, badToken)
		user.send("GET /api/v1/items").wantBody(200, `{"status":200,"data":[]}`)
		user.send("POST /api/v1/items", ball).want(201, "Created a new item")
		user.send("POST /api/v1/items", ball).want(201, "Created a new item")
		user.send("GET /api/v1/items").wantBody(200, `{"status":200,"data":[{"id":1,`+ballRow+`},{"id":2,`+ballRow+`}]}`)
	})
	for _, tt := range []struct{ field, value, invalidField, invalidValue string }{
		{"itemname", "new-name", "category", "new-category"},
		{"category", "new-category", "itemname", "new-name"},
		{"description", "new-description", "category", "new-category"},
	} {
		t.Run("test_patch_an_item/"+tt.field, func(t *testing.T) {
			inEveryEncoding(t, func(t *testing.T, in func(...string) body) {
				path := "PATCH /api/v1/items/1/" + tt.field
				data := in(tt.field, tt.value)
				only := "Invalid input data. Only " + tt.field + " field should be provided"
				user, nobody, invalid := fixture(t)
				nobody.send(path, data).want(401, noToken)
				invalid.send(path, data).want(422, badToken)
				user.send(path, data).want(404, "Item does not exist")
				user.send("POST /api/v1/items", ball).want(201, "Created a new item")
				patched := row[map[string]any](user.send(path, data).want(200, "successfully updated item "+tt.field))
				if patched[tt.field] != tt.value {
					t.Errorf("%s: the item is %v; want %s %q", path, patched, tt.field, tt.value)
				}
				user.send(path, in(tt.invalidField, tt.invalidValue)).want(400, only)
				user.send(path, in("category", "cricket", "description", "bowling game")).want(400, only)
				user.send(path, in("category", "cricket", "itemname", "bat", "description", "blowling game")).want(400, only)
				user.send("PATCH /api/v1/items/9999/"+tt.field, data).want(404, "Item does not exist")
				user.send("PATCH /api/v1/items/1/product", data).want(400, "Invalid field name")
			})
		})
	}
	t.Run("test_delete_item", func(t *testing.T) {
		t.Parallel()
		user, nobody, invalid := fixture(t)
		nobody.send("DELETE /api/v1/items/1").want(401, noToken)
		invalid.send("DELETE /api/v1/items/1").want(422, badToken)
		user.send("DELETE /api/v1/items/1").want(404, "Item does not exist")
		user.send("POST /api/v1/items", ball).want(201, "Created a new item")
		user.send("DELETE /api/v1/items/1").wantBody(200, `{"status":200,"data":[{"id":1,"message":"Item has been deleted"}]}`)
		user.send("DELETE /api/v1/items/99999").want(404, "Item does not exist")
		user.send("DELETE /api/v1/items/item-1").want(400, "Item ID should be an integer")
	})
}

// itemTests begin with item 1, ann's ball. Bob is another user, and root an
// admin.
var itemTests = []struct {
	name, user, request string
	body                body
	wantStatus          int
	wantSays            string
}{
	// Reading.
	{"anybody may read anybody's item", "bob", "GET /api/v1/items/1", body{}, 200, ""},
	{"anybody may list all items", "bob", "GET /api/v1/items", body{}, 200, ""},
	{"a zero in front changes nothing", "ann", "GET /api/v1/items/01", body{}, 200, ""},
	{"there is no item 0", "ann", "GET /api/v1/items/0", body{}, 404, "Requested item does not exist"},
	{"an id too large is no item's", "ann", "GET /api/v1/items/99999999999999999999999", body{}, 404, "Requested item does not exist"},
	{"a word is no id", "ann", "GET /api/v1/items/item1", body{}, 400, "Item ID should be an integer"},
	{"a sign is no digit", "ann", "GET /api/v1/items/-1", body{}, 400, "Item ID should be an integer"},
	{"a fraction is no id", "ann", "GET /api/v1/items/1.0", body{}, 400, "Item ID should be an integer"},
	{"a blank is no digit", "ann", "GET /api/v1/items/1%20", body{}, 400, "Item ID should be an integer"},
	{"an escaped digit is one", "ann", "GET /api/v1/items/%31", body{}, 200, ""},
	{"an escaped slash is no id", "ann", "GET /api/v1/items/1%2F1", body{}, 400, "Item ID should be an integer"},
	{"digits of other scripts are none", "ann", "GET /api/v1/items/%D9%A1", body{}, 400, "Item ID should be an integer"},
	{"bytes that are no text are no id", "ann", "GET /api/v1/items/%ff", body{}, 400, "Item ID should be an integer"},
	{"a query string changes nothing", "ann", "GET /api/v1/items/1?id=2", body{}, 200, ""},

	// Adding.
	{"all three fields make an item", "bob", "POST /api/v1/items", ball, 201, "Created a new item"},
	{"no body is an empty one", "ann", "POST /api/v1/items", body{}, 400, "Invalid item name"},
	{"JSON null is an empty one", "ann", "POST /api/v1/items", asJSON(`null`), 400, "Invalid item name"},
	{"the name is judged first", "ann", "POST /api/v1/items", asForm("itemname", " "), 400, "Invalid item name"},
	{"the category second", "ann", "POST /api/v1/items", asForm("itemname", "a", "category", "\t"), 400, "Invalid category name"},
	{"the description last", "ann", "POST /api/v1/items", asForm("itemname", "a", "category", "b", "description", "\u00a0"), 400, "Invalid description"},
	{"null is missing", "ann", "POST /api/v1/items", asJSON(`{"itemname": null, "category": "b", "description": "c"}`), 400, "Invalid item name"},
	{"values as long as may be", "ann", "POST /api/v1/items", itemOf(64, 64, 300), 201, "Created a new item"},
	{"a name too long", "ann", "POST /api/v1/items", itemOf(65, 65, 301), 400, "Invalid item name"},
	{"a category too long", "ann", "POST /api/v1/items", itemOf(64, 65, 301), 400, "Invalid category name"},
	{"a description too long", "ann", "POST /api/v1/items", itemOf(64, 64, 301), 400, "Invalid description"},
	{"unknown fields are ignored", "ann", "POST /api/v1/items", asJSON(`{"itemname":"a","category":"b","description":"c","id":7,"createdby":9}`), 201, "Created a new item"},
	{"the query string is no body", "ann", "POST /api/v1/items?itemname=a&category=b&description=c", body{}, 400, "Invalid item name"},

	// Changing.
	{"its creator may change an item", "ann", "PATCH /api/v1/items/1/itemname", asForm("itemname", "bat"), 200, "successfully updated item itemname"},
	{"an admin may change anybody's", "root", "PATCH /api/v1/items/1/category", asForm("category", "cricket"), 200, "successfully updated item category"},
	{"no other account may", "bob", "PATCH /api/v1/items/1/itemname", asForm("itemname", "bat"), 403, "Only the creator of an item or an admin can change it"},
	{"a value as long as may be", "ann", "PATCH /api/v1/items/1/description", asForm("description", strings.Repeat("é", 300)), 200, "successfully updated item description"},
	{"a description too long", "ann", "PATCH /api/v1/items/1/description", asForm("description", strings.Repeat("é", 301)), 400, "description field is invalid"},
	{"a name too long", "ann", "PATCH /api/v1/items/1/itemname", asForm("itemname", strings.Repeat("é", 65)), 400, "itemname field is invalid"},
	{"a category too long", "ann", "PATCH /api/v1/items/1/category", asForm("category", strings.Repeat("é", 65)), 400, "category field is invalid"},
	{"a blank value", "ann", "PATCH /api/v1/items/1/category", asForm("category", " "), 400, "category field is invalid"},
	{"an empty value", "ann", "PATCH /api/v1/items/1/category", asForm("category", ""), 400, "category field is invalid"},
	{"a field of the item that can't be changed", "ann", "PATCH /api/v1/items/1/createdby", asForm("createdby", "2"), 400, "Invalid field name"},
	{"the field in another case", "ann", "PATCH /api/v1/items/1/Itemname", asForm("itemname", "bat"), 400, "Invalid field name"},

	// A PATCH answers every fault of its body in its own words.
	{"PATCH without a body", "ann", "PATCH /api/v1/items/1/itemname", body{}, 400, onlyItemname},
	{"PATCH with null", "ann", "PATCH /api/v1/items/1/itemname", asJSON(`{"itemname": null}`), 400, onlyItemname},
	{"PATCH with a number", "ann", "PATCH /api/v1/items/1/itemname", asJSON(`{"itemname": 5}`), 400, onlyItemname},
	{"PATCH with a list", "ann", "PATCH /api/v1/items/1/itemname", asJSON(`[]`), 400, onlyItemname},
	{"PATCH with broken JSON", "ann", "PATCH /api/v1/items/1/itemname", asJSON(`{"itemname": "a"`), 400, onlyItemname},
	{"PATCH with the field twice", "ann", "PATCH /api/v1/items/1/itemname", asJSON(`{"itemname": "a", "itemname": "b"}`), 400, onlyItemname},
	{"PATCH with a field too many", "ann", "PATCH /api/v1/items/1/itemname", asJSON(`{"itemname": "a", "other": 1}`), 400, onlyItemname},
	{"PATCH with the field in another case", "ann", "PATCH /api/v1/items/1/itemname", asForm("Itemname", "a"), 400, onlyItemname},
	{"PATCH with the field in the query string", "ann", "PATCH /api/v1/items/1/itemname?itemname=a", body{}, 400, onlyItemname},
	{"PATCH with another content type", "ann", "PATCH /api/v1/items/1/itemname", body{"text/plain", `{"itemname":"a"}`}, 415, onlyItemname},
	{"PATCH with a body too large", "ann", "PATCH /api/v1/items/1/itemname", tooLarge, 413, onlyItemname},

	// Deleting.
	{"its creator may delete an item", "ann", "DELETE /api/v1/items/1", body{}, 200, ""},
	{"an admin may delete anybody's", "root", "DELETE /api/v1/items/1", body{}, 200, ""},
	{"no other account may", "bob", "DELETE /api/v1/items/1", body{}, 403, "Only the creator of an item or an admin can change it"},
	{"an id too large is no item's", "ann", "DELETE /api/v1/items/9223372036854775808", body{}, 404, "Item does not exist"},

	// The order: path, method, token, id, body, existence, ownership.
	{"the path before the method", "", "PUT /api/v1/things", body{}, 404, "Not found"},
	{"the method before the token", "", "POST /api/v1/items/item1", body{}, 405, "The method is not allowed for the requested URL"},
	{"the token before the id", "", "GET /api/v1/items/item1", body{}, 401, "Missing Authorization Header"},
	{"the token before the body", "", "POST /api/v1/items", tooLarge, 401, "Missing Authorization Header"},
	{"the id before the field", "ann", "PATCH /api/v1/items/item1/product", body{}, 400, "Item ID should be an integer"},
	{"the field before the body", "ann", "PATCH /api/v1/items/9/product", tooLarge, 400, "Invalid field name"},
	{"the body before existence", "ann", "PATCH /api/v1/items/9/itemname", body{}, 400, onlyItemname},
	{"the value before existence", "ann", "PATCH /api/v1/items/9/itemname", asForm("itemname", ""), 400, "itemname field is invalid"},
	{"existence before ownership", "bob", "PATCH /api/v1/items/9/itemname", asForm("itemname", "bat"), 404, "Item does not exist"},
	{"the value before ownership", "bob", "PATCH /api/v1/items/1/itemname", asForm("itemname", ""), 400, "itemname field is invalid"},
}

const onlyItemname = "Invalid input data. Only itemname field should be provided"

// tooLarge is a body of 1 MiB and a byte.
var tooLarge = asJSON(strings.Repeat(" ", form.MaxBody+1))

// itemOf is an item whose values are that many characters long.
func itemOf(name, category, description int) body {
	long := func(n int) string { return strings.Repeat("é", n) }
	return asForm("itemname", long(name), "category", long(category), "description", long(description))
}

func TestItems(t *testing.T) {
	t.Parallel()
	for _, tt := range itemTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			a.as("ann").send("POST /api/v1/items", ball).want(201, "Created a new item")
			client := a.as(tt.user)
			if tt.user == "root" {
				client = a.asAdmin("root")
			}
			client.send(tt.request, tt.body).want(tt.wantStatus, tt.wantSays)
		})
	}
}

func TestItemShape(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	ann := a.as("ann")
	const uri = "http://localhost:8080/api/v1/items/1"
	ann.send("POST /api/v1/items", ball).wantHeader("Location", uri).
		wantBody(201, `{"status":201,"message":"Created a new item","data":[{"id":1,`+ballRow+`,"uri":"`+uri+`"}]}`)
	a.clock.advance(10 * time.Minute) // createdon is not when it changed
	patched := strings.Replace(ballRow, "ball", "a <b> & é\u2028😀", 1)
	patched = strings.Replace(patched, "\u2028", `\u2028`, 1)
	ann.send("PATCH /api/v1/items/1/itemname", asForm("itemname", " a <b> & é\u2028😀 ")).
		wantBody(200, `{"status":200,"data":[{"id":1,`+patched+`,"message":"successfully updated item itemname"}]}`)
	ann.send("GET /api/v1/items/1").wantBody(200, `{"status":200,"data":[{"id":1,`+patched+`}]}`)
	for _, request := range []string{"PUT /api/v1/items/1", "PATCH /api/v1/items/1"} { // of no tutorial
		ann.send(request, ball).wantBody(200, `{"status":200,"message":"successfully updated item","data":[{"id":1,`+ballRow+`}]}`)
	}
	ann.send("PATCH /api/v1/items/1/itemname", asForm("itemname", "a <b> & é\u2028😀")).want(200, "successfully updated item itemname")
	a.remove("ann@example.com")
	orphan := strings.Replace(patched, `"createdby":1`, `"createdby":null`, 1)
	a.as("bob").send("GET /api/v1/items").wantBody(200, `{"status":200,"data":[{"id":1,`+orphan+`}]}`)
	a.as("bob").send("DELETE /api/v1/items/1").want(403, "Only the creator of an item or an admin can change it")
}

func TestItemLocationIsTheClientsAddress(t *testing.T) {
	t.Parallel()
	a := newAPI(t, "-hosts=shelf.example")
	a.as("ann").with("Host", "shelf.example").send("POST /api/v1/items", ball).
		wantHeader("Location", "http://shelf.example/api/v1/items/1")
}

func TestItemsSharedWrites(t *testing.T) {
	t.Parallel()
	a := newAPI(t, "-shared-writes")
	a.as("ann").send("POST /api/v1/items", ball).want(201, "Created a new item")
	a.as("bob").send("PATCH /api/v1/items/1/itemname", asForm("itemname", "bat")).want(200, "successfully updated item itemname")
	a.as("bob").send("DELETE /api/v1/items/1").want(200, "")
}

// An account owns no more rows, and the store holds no more, than the settings say.
func TestRowLimits(t *testing.T) {
	t.Parallel()
	const (
		owned = "An account may own at most 3 items and books (-max-owned)"
		all   = "The server keeps at most 5 accounts, items and books (-max-rows)"
	)
	book := func(title string) body { return asForm("title", title, "author", "a") }
	const one = `{"itemname":"a","category":"b","description":"c"}`
	item, two := asJSON(one), asJSON(`[`+one+`,`+one+`]`)
	for _, tt := range []struct {
		name, flag string
		says       string
	}{
		{"what an account owns", "-max-owned=3", owned},
		{"what the store holds, its one account included", "-max-rows=5", all},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, tt.flag)
			ann := a.as("ann").with("X-Access-Token", a.session("ann").Access)
			if tt.says == all {
				a.as("bob") // an account is a row, too
			}
			ann.send("POST /api/v1/items", two).want(201, "Created 2 new items")
			ann.send("POST /api/v1/items", two).want(403, tt.says)
			ann.send("POST /bookapi/books", book("first")).want(200, "new book created")
			ann.send("POST /bookapi/addbook", book("second")).want(403, tt.says)
			ann.send("POST /bookapi/books", book("first")).want(403, tt.says)
			ann.send("POST /api/v1/items", item).want(403, tt.says)
			if tt.says == all {
				a.as("").send("POST /signup", asForm("username", "carl", "password", "p")).want(403, all)
				a.as("").send("POST /api/v1/auth/signup", asForm("email", "eve@example.com", "password", annPassword)).want(403, all)
			}
			ann.send("PATCH /api/v1/items/1/itemname", asForm("itemname", "other")).want(200, "successfully updated item itemname")
			ann.send("DELETE /api/v1/items/1").want(200, "")
			ann.send("POST /api/v1/items", item).want(201, "Created a new item")
			if tt.says == owned {
				a.as("bob").send("POST /api/v1/items", two).want(201, "Created 2 new items")
			}
		})
	}
}

// Rows that are still on their way to the disk count.
func TestRowLimitsAtOnce(t *testing.T) {
	t.Parallel()
	a := newAPI(t, "-max-owned=5")
	ann := a.as("ann")
	release := slow(t, a.store)
	statuses := make(chan int)
	for range 20 {
		go func() { statuses <- ann.send("POST /api/v1/items", ball).status }()
	}
	for a.store.Waiting() < 20 { // five wait for the disk, and the others for them
		runtime.Gosched()
	}
	release(nil)
	got := map[int]int{}
	for range 20 {
		got[<-statuses]++
	}
	if got[201] != 5 || got[403] != 15 {
		t.Errorf("by status: %v; want five times 201 and else 403", got)
	}
}

// Lists that look at every row take turns; the others don't wait for them.
func TestScansTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t, "-max-scans=1")
		ann := a.as("ann").with("X-Access-Token", a.session("ann").Access)
		begun, end := make(chan bool), make(chan bool)
		go a.scans.Do(t.Context(), true, func() { close(begun); <-end })
		<-begun
		for _, request := range []string{
			"GET /api/v1/items?q=a", "GET /api/v1/items?sort=itemname", "GET /api/v1/items?sort=-createdon&limit=1",
			"GET /api/v1/items?category=a&createdby=1", "GET /api/v1/categories",
			"GET /bookapi/books?q=a", "GET /bookapi/books?sort=author",
		} {
			ann.send(request).want(503, "Too many searches at once").wantHeader("Retry-After", "2").wantHeader("ETag", "")
		}
		for _, request := range []string{
			"GET /api/v1/items", "GET /api/v1/items?sort=-id&limit=1", "GET /api/v1/items?category=a", "GET /bookapi/books",
		} {
			ann.send(request).want(200, "")
		}
		ann.send("GET /healthz").want(200, "alive")
		close(end)
		synctest.Wait()
		ann.send("GET /api/v1/items?q=a").want(200, "")
	})
}

func TestItemIDsAreNeverReused(t *testing.T) {
	t.Parallel()
	a := newAPI(t, onDisk(t))
	ann := a.as("ann")
	add := func(id int) {
		t.Helper()
		got := row[struct{ ID int }](ann.send("POST /api/v1/items", ball).want(201, "Created a new item"))
		if got.ID != id {
			t.Errorf("POST /api/v1/items = item %d; want %d", got.ID, id)
		}
	}
	add(1)
	add(2)
	ann.send("DELETE /api/v1/items/2").want(200, "")
	add(3)
	ann.send("DELETE /api/v1/items/3").want(200, "")
	ann.api = a.restart()
	add(4)
}

// TestItemOfAVanishedUser deletes an account while its request is being read,
// between the judgement of its token and the write.
func TestItemOfAVanishedUser(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		request, body string
		client        func(*api) *client
		username      string
		wantStatus    int
		wantSays      string
	}{
		{"POST /api/v1/items", `{"itemname":"a","category":"b","description":"c"}`, func(a *api) *client { return a.as("ann") }, "ann@example.com", 401, "User not found"},
		{"POST /bookapi/books", `{"title":"a","author":"b"}`, func(a *api) *client { return a.reader("rae") }, "rae", 404, "User not found!"},
	} {
		t.Run(tt.request, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			client := tt.client(a)
			method, path, _ := strings.Cut(tt.request, " ")
			r := httptest.NewRequest(method, path, &bodyAfter{Reader: strings.NewReader(tt.body), first: func() { a.remove(tt.username) }})
			r.Host = "localhost"
			r.Header.Set("Content-Type", jsonType)
			client.do(r).want(tt.wantStatus, tt.wantSays)
		})
	}
}

// A bodyAfter does something when it is first read.
type bodyAfter struct {
	*strings.Reader
	first func()
}

func (b *bodyAfter) Read(p []byte) (int, error) {
	if b.first != nil {
		b.first()
		b.first = nil
	}
	return b.Reader.Read(p)
}

// FuzzStoredItem: what is read out of a rendered item is what was rendered.
func FuzzStoredItem(f *testing.F) {
	for _, texts := range [][3]string{
		{"ball", "soccer", "something to kick"},
		{"", "", ""},
		{`","category":"`, `\`, `","createdon":"`},
		{`ends in \`, `"`, `\\"`},
		{"a\nb", "\x00\x7f", "<&>"},
		{"Käse", "\u2028\u2029", "😀"},
	} {
		f.Add(texts[0], texts[1], texts[2], 7, 3, int64(1_764_000_000))
	}
	f.Fuzz(func(t *testing.T, itemname, category, description string, id, by int, created int64) {
		clean := func(s string) string { return string([]rune(s)) } // a body is valid UTF-8
		it := &item{
			ID: id, itemInput: itemInput{clean(itemname), clean(category), clean(description)},
			Created: time.Unix(created, 0).UTC(), CreatedBy: by,
		}
		if id < 1 || by < 0 || it.Created.Year() < 0 || it.Created.Year() > 9999 {
			return
		}
		it.render()
		if got := it.stored().item(); *got != *it {
			t.Errorf("%+v is kept as %+v", it, got)
		}
	})
}

// BenchmarkListItems reads lists out of 1,000 items and out of a million. What
// should not depend on the number of items: a page by id, of a category or of a
// creator, all 500 items of a category, and hearing that nothing has changed.
func BenchmarkListItems(b *testing.B) {
	for _, size := range []int{1_000, 1_000_000} {
		ann := benchItems(b, size)
		q, err := itemList.Parse(httptest.NewRequest("GET", "/api/v1/items", nil))
		if err != nil {
			b.Fatal(err)
		}
		middle := q.Cursor(list.Position{ID: size / 2})
		byName, err := itemList.Parse(httptest.NewRequest("GET", "/api/v1/items?sort=itemname", nil))
		if err != nil {
			b.Fatal(err)
		}
		middleName := byName.Cursor(list.Position{Text: fmt.Sprint("item ", size/2), ID: size / 2})
		tag := ann.send("GET /api/v1/items", "").Header().Get("ETag")
		for _, bench := range []struct{ name, target, tag string }{
			{"page by id", "/api/v1/items?limit=100", ""},
			{"page by id reversed", "/api/v1/items?limit=100&sort=-id", ""},
			{"page by id from the middle", "/api/v1/items?limit=100&after=" + middle, ""},
			{"page of a category", "/api/v1/items?limit=100&category=large", ""},
			{"page of a creator", "/api/v1/items?limit=100&createdby=1", ""},
			{"all of a category", "/api/v1/items?category=large", ""},
			{"all but not modified", "/api/v1/items", tag},
			{"categories", "/api/v1/categories", ""},
			{"page by name", "/api/v1/items?limit=100&sort=itemname", ""},
			{"page by name reversed", "/api/v1/items?limit=100&sort=-itemname", ""},
			{"page by name from the middle", "/api/v1/items?limit=100&sort=itemname&after=" + middleName, ""},
			{"page by time", "/api/v1/items?limit=100&sort=createdon", ""},
			{"page of a search", "/api/v1/items?limit=100&q=item+1", ""},
			{"search in vain", "/api/v1/items?limit=100&q=nothing", ""},
			{"search by name in vain", "/api/v1/items?limit=100&sort=itemname&q=nothing", ""},
			{"search of one letter in vain", "/api/v1/items?limit=100&q=z", ""},
			{"all", "/api/v1/items", ""},
			{"all by name", "/api/v1/items?sort=itemname", ""},
		} {
			b.Run(fmt.Sprintf("%s/of %d", strings.ReplaceAll(bench.name, " ", "_"), size), func(b *testing.B) {
				r := httptest.NewRequest("GET", bench.target, nil)
				r.Host = "localhost:8080"
				r.Header.Set("Authorization", "Bearer "+ann.token)
				if bench.tag != "" {
					r.Header.Set("If-None-Match", bench.tag)
				}
				b.ReportAllocs()
				for b.Loop() {
					w := &benchWriter{header: http.Header{}}
					ann.server.ServeHTTP(w, r)
					if w.status != 200 && bench.tag == "" || w.status != 304 && bench.tag != "" {
						b.Fatalf("GET %s = %d", bench.target, w.status)
					}
				}
			})
		}
	}
}

// benchItems is a server with so many items: 500 in the category large, the
// others in up to 1,000 more.
func benchItems(b *testing.B, size int) *queryClient {
	ann := newQueryServer(b, new(queryClock), nil, "ann")[0]
	s := ann.server.store
	s.maxOwned = 0
	items := make([]*item, size)
	for i := range items {
		id := i + 1
		it := &item{itemInput: itemInput{
			fmt.Sprint("item ", id*7919%size), fmt.Sprint("category ", id%1000),
			"something to kick",
		}, CreatedBy: ann.user.ID}
		if id%(size/500) == 0 {
			it.Category = "large"
		}
		items[i] = it
	}
	if err := s.as(theOperator).addItem(items...); err != nil {
		b.Fatal(err)
	}
	return ann
}

// BenchmarkPutItem changes one item of a million: what the indexes cost.
func BenchmarkPutItem(b *testing.B) {
	for _, size := range []int{1_000, 1_000_000} {
		s := benchItems(b, size).server.store
		b.Run(fmt.Sprint("of ", size), func(b *testing.B) {
			n := 0
			for b.Loop() {
				n++
				_, err := s.as(theOperator).changeItem(1+n%size, terms{}, func(it *item) { it.Category = []string{"large", "small"}[n%2] })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A benchWriter throws an answer away.
type benchWriter struct {
	header http.Header
	status int
}

func (w *benchWriter) Header() http.Header         { return w.header }
func (w *benchWriter) WriteHeader(status int)      { w.status = status }
func (w *benchWriter) Write(b []byte) (int, error) { return len(b), nil }

// benchItem is an item like those that people make.
func benchItem(i int) *item {
	return &item{itemInput: itemInput{
		fmt.Sprint("Item number ", i), "Category " + fmt.Sprint(i%20),
		"A plain description of this item, as long as most are.",
	}, CreatedBy: 1}
}

// benchFile writes a data file of n items.
func benchFile(b *testing.B, n int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "shelf.jsonl")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	w.WriteString(journaltest.Header(0, 0))
	w.WriteString(journaltest.Line(1, noon, putUser1, 1))
	for i := range n {
		it := benchItem(i + 1)
		it.ID, it.Created = i+1, noon
		w.WriteString(journaltest.Line(int64(i)+2, noon, `"op":"put","item":`+string(strictjson.Encode(it)), 1))
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

func benchStore(b *testing.B, d journal.Disk, path string) *store {
	b.Helper()
	s, err := openStore(d, path, quiet, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// benchSizes are the numbers of items to measure at.
func benchSizes(all ...int) []int {
	if testing.Short() {
		return all[:len(all)-1]
	}
	return all
}

func BenchmarkAppend(b *testing.B) {
	// What one write costs that shares its fsync with no other.
	b.Run("alone", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "plain"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		line := make([]byte, 250)
		for b.Loop() {
			if _, err := f.Write(line); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint("writers=", writers), func(b *testing.B) {
			var syncs atomic.Int64
			s := benchStore(b, hookedDisk{sync: func(f journal.File) error { syncs.Add(1); return f.Sync() }}, benchFile(b, 0))
			var left atomic.Int64
			left.Store(int64(b.N))
			syncs.Store(0)
			b.ResetTimer()
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						if err := s.as(theOperator).addItem(benchItem(1)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(syncs.Load())/float64(b.N), "fsyncs/write")
		})
	}
}

func BenchmarkGet(b *testing.B) {
	s := benchStore(b, journal.OS{}, benchFile(b, 100_000))
	id := 0
	for b.Loop() {
		id = id%100_000 + 1
		if _, ok := s.items.Row(id); !ok {
			b.Fatal("gone")
		}
	}
}

func BenchmarkList100(b *testing.B) {
	s := benchStore(b, journal.OS{}, benchFile(b, 100))
	for b.Loop() {
		if len(s.allItems()) != 100 {
			b.Fatal("not all are there")
		}
	}
}

// BenchmarkReplay measures a start, and what is in memory after it.
func BenchmarkReplay(b *testing.B) {
	for _, n := range benchSizes(1_000, 100_000, 1_000_000) {
		b.Run(fmt.Sprint("items=", n), func(b *testing.B) {
			path := benchFile(b, n)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			b.ReportAllocs()
			var s *store
			for b.Loop() {
				b.StopTimer()
				if s != nil {
					s.Close()
				}
				s = nil
				runtime.GC()
				b.StartTimer()
				var err error
				if s, err = openStore(journal.OS{}, path, quiet, time.Now); err != nil {
					b.Fatal(err)
				}
			}
			if len(s.allItems()) != n {
				b.Fatal("not all are there")
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB-live")
			b.ReportMetric(float64(after.Sys-after.HeapReleased)/(1<<20), "MB-resident")
			s.Close()
		})
	}
}

// BenchmarkWrite measures one writer in stores of different sizes.
func BenchmarkWrite(b *testing.B) {
	for _, n := range benchSizes(1_000, 100_000, 1_000_000) {
		b.Run(fmt.Sprint("items=", n), func(b *testing.B) {
			s := benchStore(b, journal.OS{}, benchFile(b, n))
			runtime.GC()
			for b.Loop() {
				if err := s.as(theOperator).addItem(benchItem(1)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCompaction measures how long reads and writes take while the store
// is compacted.
func BenchmarkCompaction(b *testing.B) {
	sizes := benchSizes(10_000, 1_000_000)
	n := sizes[len(sizes)-1]
	s := benchStore(b, journal.OS{}, benchFile(b, n))
	var reads, writes []time.Duration
	for b.Loop() {
		for i := range 10 { // so that there is some history
			if _, err := s.as(theOperator).changeItem(i+1, terms{}, func(it *item) { it.Category += "x" }); err != nil {
				b.Fatal(err)
			}
		}
		var done atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			for id := 1; !done.Load(); id = id%n + 1 {
				start := time.Now()
				s.items.Row(id)
				reads = append(reads, time.Since(start))
				if id%64 == 0 {
					runtime.Gosched()
				}
			}
		})
		wg.Go(func() {
			for !done.Load() {
				start := time.Now()
				if err := s.as(theOperator).addItem(benchItem(1)); err != nil {
					b.Error(err)
				}
				writes = append(writes, time.Since(start))
			}
		})
		if err := s.Compact(); err != nil {
			b.Fatal(err)
		}
		done.Store(true)
		wg.Wait()
	}
	for name, all := range map[string][]time.Duration{"read": reads, "write": writes} {
		slices.Sort(all)
		if len(all) > 0 {
			b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds())/1e3, name+"-p99-µs")
			b.ReportMetric(float64(all[len(all)-1].Nanoseconds())/1e6, name+"-max-ms")
		}
	}
}

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
	{"PUT by another account", "bob", "PUT /api/v1/items/1", "", `{"itemname":"bat","category":"c","description":"d"}`, 403, "Only the creator of an item or an admin can change it"},
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
	{"a patch by another account", "bob", "PATCH /api/v1/items/1", editMerge, `{"itemname":"a"}`, 403, "Only the creator of an item or an admin can change it"},
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

// editArray is a JSON array of n good items. The last of them is replaced.
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
	// What an account leaves behind is made by no account from then on.
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
			late := make(chan int)
			go func() { late <- ann.send(second, body, "If-Match", tag).Code }()
			for s.Waiting() < 2 {
				runtime.Gosched()
			}
			ann.want(304, "", "GET /api/v1/items/1", "", "If-None-Match", tag) // no client sees it yet
			release(nil)
			if status := <-first; status != 200 {
				t.Errorf("the first edit = %d; want 200", status)
			}
			if status := <-late; status != 412 {
				t.Errorf("the second edit = %d; want 412", status)
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
