package rows_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/journal/journaltest"
	"example.com/shelf/internal/rows"
)

func reserved(name string) bool { return name == "login" }

// loaded is the text of a file, loaded and written again, or what is wrong with it.
func loaded(text string, opt rows.FileOptions) string {
	f, err := rows.ParseFile([]byte(text), opt)
	if err != nil {
		return "error: " + err.Error()
	}
	s := newTill(rows.Options{})
	if err := s.Update(func(tx *db.Tx) error { return s.AddFile(tx, f) }); err != nil {
		return "error: " + err.Error()
	}
	var image rows.Image
	s.View(func(tx *db.Tx) { image = s.Image(tx) })
	var users []string
	for _, u := range f.Users {
		users = append(users, u.Text())
	}
	return string(image.JSON(users))
}

// A file is loaded, and written again, with all that is in it in its order.
func TestFile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "{}"},
		{"an empty object", " {} ", "{}"},
		{"lists and single resources", `{"posts": [ {"id": 2, "b":1.10}, {"id":1} ], "profile": {"name":"x"}, "none":[]}`, `{"posts":[{"id":2,"b":1.10},{"id":1}],"profile":{"name":"x"},"none":[]}`},
		{"a byte order mark", "\ufeff{\"a\":[]}", `{"a":[]}`},
		{"names with blanks and escapes", `{"a\u0020b":[],"\u00fc":[]}`, `{"a b":[],"ü":[]}`},
		{"$schema stays", `{"$schema":"./x.json","a":[]}`, `{"$schema":"./x.json","a":[]}`},
		{"a skipped member stays", `{"a":[],"old":[1,{"x":[]}],"b":[]}`, `{"a":[],"old":[1,{"x":[]}],"b":[]}`},
		{"rows without an id get one", `{"a":[{"x":1},{"id":7},{"id":null},{"id":"","y":2}]}`, `{"a":[{"x":1,"id":8},{"id":7},{"id":9},{"id":10,"y":2}]}`},
		{"0 is an id", `{"a":[{"id":0},{}]}`, `{"a":[{"id":0},{"id":1}]}`},
		{"a number that a text has is left out", `{"a":[{"id":1},{"id":"2"},{}]}`, `{"a":[{"id":1},{"id":"2"},{"id":3}]}`},
		{"any numbers", `{"a":[{"id":-1.5},{"id":9007199254740993},{"id":1e30},{"id":2000000}]}`, `{"a":[{"id":-1.5},{"id":9007199254740993},{"id":1e30},{"id":2000000}]}`},
		{"users with a password are accounts", `{"a":[],"users":[{"id":1},{"id":2,"password":"x"}],"b":[]}`, `{"a":[],"users":[{"id":1},{"id":2,"password":"x"}],"b":[]}`},
		{"no JSON", "{\"a\": [1,]}", "error: line 1, column 9: a comma with nothing behind it"},
		{"an array", `[]`, "error: the top level is an array"},
		{"a value", `{"version": 1}`, `error: "version" is a number`},
		{"a name twice", `{"a":[],"\u0061":[]}`, `error: "a" stands twice`},
		{"a reserved name", `{"login":[]}`, `error: "login" is the name of a route of shelf: rename the member, keep it without a route with -skip login, or serve`},
		{"an object called users", `{"users":{}}`, `error: "users" is the name of a route`},
		{"no name", `{"":[]}`, `error: the name "" can't stand`},
		{"a dot", `{".":[]}`, `error: the name "."`},
		{"two dots", `{"..":[]}`, `error: the name ".."`},
		{"a slash", `{"a/b":[]}`, `error: the name "a/b" has a slash`},
		{"a long name", `{"` + strings.Repeat("x", 101) + `":[]}`, `error: the name`},
		{"a value as a row", `{"a":[{"id":1},5]}`, `error: a[1] is a number: a row must be an object`},
		{"an array as a row", `{"a":[[]]}`, `error: a[0] is an array`},
		{"two rows of one id", `{"a":[{"id":1},{"id":2},{"id":"1"}]}`, `error: a[0] and a[2] have the same id, "1"`},
		{"two accounts of one id", `{"users":[{"id":1,"password":""},{"id":1}]}`, `error: users[0] and users[1] have the same id`},
		{"an id that is an object", `{"a":[{"id":{}}]}`, `error: a[0]: id must be a number or a text, not an object`},
		{"an id that can't stand in an address", `{"a":[{"id":".."}]}`, `error: a[0]: the id ".." can't`},
		{"a member twice", `{"a":[{"b":1,"b":2}]}`, `error: a[0]: 'b' must be given only once`},
		{"too deep", `{"a":[{"b":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}]}`, `error: a[0]: must not nest deeper than 32`},
		{"too large", `{"a":[{"b":"` + strings.Repeat("x", 1<<20) + `"}]}`, `error: a[0]: the row is larger than 1 MiB`},
		{"half a pair", `{"a":[{"b":"\ud800"}]}`, `error: a[0]: must not hold half`},
		{"not UTF-8", "{\"a\":[{\"b\":\"\xff\"}]}", `error: the file is not in UTF-8`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want(t, tt.name, loaded(tt.text, rows.FileOptions{Reserved: reserved, Skip: []string{"old"}}), tt.want)
		})
	}
}

// Where accounts live depends on the file's users.
func TestFileAccounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		accounts   bool
		users, max int
	}{
		{"no users", `{"posts":[{"id":1,"userId":40},{"id":2,"userId":"77"}]}`, true, 0, 77},
		{"empty users", `{"users":[]}`, true, 0, 0},
		{"one has a password", `{"users":[{"id":5},{"id":"9","password":null}],"p":[]}`, true, 2, 9},
		{"none has a password", `{"users":[{"id":5},{"id":6}],"me":{"userId":3}}`, false, 0, 6},
		{"a number that no account can have", `{"posts":[{"userId":9007199254740993}]}`, true, 0, 0},
	} {
		f, err := rows.ParseFile([]byte(tt.text), rows.FileOptions{})
		must(t, err)
		if f.Accounts != tt.accounts || len(f.Users) != tt.users || f.MaxUserID != tt.max {
			t.Errorf("%s: %t, %d users, highest %d", tt.name, f.Accounts, len(f.Users), f.MaxUserID)
		}
	}
}

// A file that is too large is refused before it is in memory.
func TestFileTooLarge(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "db.json")
	must(t, os.WriteFile(name, []byte(`{"a":[]}`), 0o600))
	must(t, os.Truncate(name, 500<<20))
	if _, err := rows.ReadFile(name, rows.FileOptions{}); err == nil || !strings.Contains(err.Error(), "larger than 104857600 bytes") {
		t.Errorf("500 MiB: %v", err)
	}
	must(t, os.Truncate(name, 8))
	if _, err := rows.ReadFile(name, rows.FileOptions{MaxBytes: 7}); err == nil {
		t.Error("8 bytes of 7 are read")
	}
	if f, err := rows.ReadFile(name, rows.FileOptions{MaxBytes: 8}); err != nil || f.Rows() != 0 {
		t.Errorf("8 bytes of 8: %v", err)
	}
}

// A file is in the log as a whole, and its hash with it.
func TestLoadOnce(t *testing.T) {
	t.Parallel()
	disk := journaltest.New(1)
	s := openTill(t, disk, rows.Options{})
	f, err := rows.ParseFile([]byte(`{"posts":[{"id":3}],"users":[],"$schema":1}`), rows.FileOptions{})
	must(t, err)
	must(t, s.Update(func(tx *db.Tx) error { return s.AddFile(tx, f) }))
	want(t, "again", outcome("", s.Update(func(tx *db.Tx) error { return s.AddFile(tx, f) })), `error: there is a collection "posts" already`)
	must(t, s.Close())
	text, _ := disk.Content(tillFile)
	want(t, "the log", text, `{"format":"shelf","version":2,`)
	s = openTill(t, disk, rows.Options{})
	want(t, "the rows", outcome(s.list(owner, "posts")), `{"id":3}`)
	want(t, "a new row", outcome(s.create(owner, "posts", object(t, `{}`))), `{"id":4}`)
	want(t, "what has no route", outcome(s.list(owner, "users")), "404")
	s.View(func(tx *db.Tx) {
		if _, ok := s.Noted(tx, f.SHA256); !ok || s.Empty(tx) {
			t.Error("the file isn't noted")
		}
		if _, ok := s.Noted(tx, "other"); ok {
			t.Error("another file is noted")
		}
	})
	must(t, s.Update(func(tx *db.Tx) error {
		for range 16 {
			s.NoteSource(tx, "other", "7")
		}
		return nil
	}))
	s.View(func(tx *db.Tx) {
		if _, ok := s.Noted(tx, f.SHA256); ok {
			t.Error("the file is noted for ever")
		}
		if state, ok := s.Noted(tx, "other"); !ok || state != "7" {
			t.Errorf("the other file: %q, %t", state, ok)
		}
	})
}

// A file that is read says what encoding/json reads in it, and is read again as the
// same.
func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"posts":[{"id":1,"a":[1,{"b":"\u00e9\\\""}]}],"profile":{},"$schema":"x"}`))
	f.Add([]byte("\ufeff{\r\n\t\"a\" : [ { } , {\"id\" : \"x\"} ] }"))
	f.Add([]byte(`{"users":[{"id":1,"password":"x"}],"a":[{"id":-0},{"id":1e400}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		once := loaded(string(text), rows.FileOptions{Skip: []string{"old"}})
		if strings.HasPrefix(once, "error: ") {
			return
		}
		if twice := loaded(once, rows.FileOptions{Skip: []string{"old"}}); twice != once {
			t.Fatalf("%q is loaded as %s, and that as %s", text, once, twice)
		}
		text = bytes.TrimPrefix(text, []byte("\ufeff"))
		if len(bytes.TrimSpace(text)) == 0 {
			return
		}
		var sent, kept map[string]any
		if err := json.Unmarshal(text, &sent); err != nil {
			if strings.Contains(err.Error(), "cannot unmarshal number") {
				return // 1e400 is a number all the same
			}
			t.Fatalf("%q is loaded, and encoding/json says %v", text, err)
		}
		must(t, json.Unmarshal([]byte(once), &kept))
		for name, value := range sent {
			if list, ok := value.([]any); ok && name != "old" && name != "$schema" {
				for i, row := range list {
					other := kept[name].([]any)[i].(map[string]any)
					if id := row.(map[string]any)["id"]; id == nil || id == "" || id == false {
						delete(other, "id")
						delete(row.(map[string]any), "id")
					}
				}
			}
			if !reflect.DeepEqual(value, kept[name]) {
				t.Fatalf("%q: %s is %v; want %v", text, name, kept[name], value)
			}
		}
	})
}
