package rows_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/rows"
)

// A person is a caller who may do anything.
var person = rows.Caller{SignedIn: true, Admin: true}

// rewritten is the file text, loaded, changed and written again in its manner.
func rewritten(t *testing.T, text string, change func(tx *db.Tx, s till) error) string {
	t.Helper()
	f, err := rows.ParseFile([]byte(text), rows.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := newTill(rows.Options{})
	if err := s.Update(func(tx *db.Tx) error { return s.AddFile(tx, f) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(func(tx *db.Tx) error { return change(tx, s) }); err != nil {
		t.Fatal(err)
	}
	var image rows.Image
	s.View(func(tx *db.Tx) { image = s.Image(tx) })
	var users []string
	for _, u := range f.Users {
		users = append(users, u.Text())
	}
	got := image.Like([]byte(text), users)
	var compact bytes.Buffer
	if err := json.Compact(&compact, bytes.TrimPrefix(got, []byte("\ufeff"))); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if again := image.Like(got, users); !bytes.Equal(again, got) {
		t.Errorf("written once more it is\n%s\nand was\n%s", again, got)
	}
	return string(got)
}

func patch(name, id, body string) func(*db.Tx, till) error {
	return func(tx *db.Tx, s till) error {
		o, err := rows.ParseObject([]byte(body))
		if err == nil {
			_, err = s.Patch(tx, person, name, id, o, nil)
		}
		return err
	}
}

func create(name, body string) func(*db.Tx, till) error {
	return func(tx *db.Tx, s till) error {
		o, err := rows.ParseObject([]byte(body))
		if err == nil {
			_, err = s.Create(tx, person, name, o)
		}
		return err
	}
}

func remove(name, id string) func(*db.Tx, till) error {
	return func(tx *db.Tx, s till) error {
		_, err := s.Delete(tx, person, name, id, nil)
		return err
	}
}

// blog is a file as an editor and as JSON.stringify write it.
const blog = `{
  "posts": [
    {
      "id": 1,
      "title": "Hello",
      "tags": [
        "a",
        "b"
      ]
    },
    {
      "id": 2,
      "title": "World",
      "tags": []
    }
  ],
  "profile": {
    "name": "x"
  },
  "none": []
}
`

// A change changes its own lines and no others, whatever the file looks like.
func TestLayoutKeepsWhatIsUnchanged(t *testing.T) {
	t.Parallel()
	manners := map[string]func(string) string{
		"2 blanks":          func(s string) string { return s },
		"4 blanks":          func(s string) string { return strings.ReplaceAll(s, "  ", "    ") },
		"tabs":              func(s string) string { return strings.ReplaceAll(s, "  ", "\t") },
		"CRLF":              func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"a byte order mark": func(s string) string { return "\ufeff" + s },
		"no last line end":  func(s string) string { return strings.TrimSuffix(s, "\n") },
	}
	for _, tt := range []struct {
		name     string
		change   func(*db.Tx, till) error
		old, new string // a part of blog, and what it becomes
	}{
		{"nothing", patch("posts", "1", `{"title":"Hello"}`), "", ""},
		{"a member", patch("posts", "2", `{"title":"World!"}`), `"World"`, `"World!"`},
		{"a new member", patch("posts", "1", `{"n":1}`), "        \"b\"\n      ]\n", "        \"b\"\n      ],\n      \"n\": 1\n"},
		{"an element", patch("posts", "1", `{"tags":["a","c"]}`), `"b"`, `"c"`},
		{"one element more", patch("posts", "1", `{"tags":["a","b","c"]}`), "\"b\"\n", "\"b\",\n        \"c\"\n"},
		{"one element less", patch("posts", "1", `{"tags":["a"]}`), "\"a\",\n        \"b\"\n", "\"a\"\n"},
		{"the first element", patch("posts", "2", `{"tags":["x"]}`), "\"tags\": []", "\"tags\": [\n        \"x\"\n      ]"},
		{"a nested object", patch("posts", "2", `{"tags":{"x":[1]}}`), "\"tags\": []", "\"tags\": {\n        \"x\": [\n          1\n        ]\n      }"},
		{"a row", create("posts", `{"title":"New"}`), "\"tags\": []\n    }\n", "\"tags\": []\n    },\n    {\n      \"title\": \"New\",\n      \"id\": 3\n    }\n"},
		{"a row less", remove("posts", "2"), ",\n    {\n      \"id\": 2,\n      \"title\": \"World\",\n      \"tags\": []\n    }", ""},
		{"the first row of a list", create("none", `{"x":{}}`), "\"none\": []", "\"none\": [\n    {\n      \"x\": {},\n      \"id\": 1\n    }\n  ]"},
		{"a single resource", patch("profile", "", `{"name":"y"}`), `"x"`, `"y"`},
		{"a collection", func(tx *db.Tx, s till) error { return s.Make(tx, "more") }, "\"none\": []\n", "\"none\": [],\n  \"more\": []\n"},
	} {
		for name, manner := range manners {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				t.Parallel()
				if strings.Count(blog, tt.old) != 1 && tt.old != "" {
					t.Fatal("the part is not once in the file")
				}
				want := manner(strings.Replace(blog, tt.old, tt.new, 1))
				if got := rewritten(t, manner(blog), tt.change); got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		}
	}
}

// A file that was formatted by hand keeps its form.
func TestLayoutOfHandFormattedFiles(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		change     func(*db.Tx, till) error
		want       string
	}{
		{"one line", `{"a":[{"id":1,"x":[]}]}`, create("a", `{"x":[1,2]}`), `{"a":[{"id":1,"x":[]},{"x":[1,2],"id":2}]}`},
		{"one line with blanks", `{"a": [{"id": 1}]}`, create("a", `{"x":[1,2]}`), `{"a": [{"id": 1}, {"x": [1, 2], "id": 2}]}`},
		{"a row a line", "{\n \"a\": [\n  { \"id\": 1, \"x\": \"y\" }\n ]\n}", create("a", `{"x":["z"]}`), "{\n \"a\": [\n  { \"id\": 1, \"x\": \"y\" },\n  { \"x\": [\"z\"], \"id\": 2 }\n ]\n}"},
		{"short arrays in a line", "{\n  \"a\": [\n    {\n      \"id\": 1,\n      \"t\": [1, 2]\n    }\n  ]\n}\n", patch("a", "1", `{"t":[1,2,3]}`), "{\n  \"a\": [\n    {\n      \"id\": 1,\n      \"t\": [1, 2, 3]\n    }\n  ]\n}\n"},
		{"blank lines", "{\n\n  \"a\": [],\n\n  \"b\": { \"x\": 1 }\n}\n", patch("b", "", `{"x":2}`), "{\n\n  \"a\": [],\n\n  \"b\": { \"x\": 2 }\n}\n"},
		{"escapes", `{"a":[{"id":1,"x":"\u00e9","y":1},{"id":2,"x":"\/"}]}`, patch("a", "1", `{"y":2}`), `{"a":[{"id":1,"x":"\u00e9","y":2},{"id":2,"x":"\/"}]}`},
		{"escaped names", `{"\u0061":[{"id":1,"\u0062":1}]}`, patch("a", "1", `{"b":2}`), `{"\u0061":[{"id":1,"\u0062":2}]}`},
		{"numbers", `{"a":[{"id":1,"x":1.10,"y":1},{"id":2,"x":1e3}]}`, patch("a", "1", `{"y":2}`), `{"a":[{"id":1,"x":1.10,"y":2},{"id":2,"x":1e3}]}`},
		{"rows without an id", `{"a":[{"x":1},{"id":5},{"x":2}]}`, patch("a", "5", `{"y":2}`), `{"a":[{"x":1,"id":6},{"id":5,"y":2},{"x":2,"id":7}]}`},
		{"users stay where they are", `{"users":[{"id":1,"password":"x"}],"a":[]}`, create("a", `{}`), `{"users":[{"id":1,"password":"x"}],"a":[{"id":1}]}`},
		{"an empty file", "", func(tx *db.Tx, s till) error { return s.Make(tx, "a") }, "{\n  \"a\": []\n}\n"},
		{"an empty object", "{}\n", func(tx *db.Tx, s till) error { return s.Make(tx, "a") }, "{\n  \"a\": []\n}\n"},
		{"a skipped member", "{\n  \"$schema\": \"x\",\n  \"a\": []\n}\n", create("a", `{}`), "{\n  \"$schema\": \"x\",\n  \"a\": [\n    {\n      \"id\": 1\n    }\n  ]\n}\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := rewritten(t, tt.text, tt.change); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// Whatever the old text looks like, the new one holds what the store holds.
func FuzzLayout(f *testing.F) {
	for _, text := range []string{blog, `{"a":[{"x":1},{"id":"é"}],"b":{"c":[{}]}}`, "{ \"a\" : [ ] }"} {
		f.Add(text, "{\"a\":[{\"id\":2,\"x\":[1,{}]}],\"posts\":[{\"id\":1}]}")
	}
	f.Fuzz(func(t *testing.T, old, now string) {
		was, err := rows.ParseFile([]byte(old), rows.FileOptions{})
		if err != nil || was == nil {
			return
		}
		file, err := rows.ParseFile([]byte(now), rows.FileOptions{})
		if err != nil {
			return
		}
		s := newTill(rows.Options{})
		if err := s.Update(func(tx *db.Tx) error { return s.AddFile(tx, file) }); err != nil {
			return
		}
		var image rows.Image
		s.View(func(tx *db.Tx) { image = s.Image(tx) })
		var users []string
		for _, u := range file.Users {
			users = append(users, u.Text())
		}
		got := image.Like([]byte(old), users)
		again, err := rows.ParseFile(got, rows.FileOptions{})
		if err != nil {
			t.Fatalf("%v in %q", err, got)
		}
		if again.Rows() != file.Rows() || len(again.Users) != len(file.Users) {
			t.Errorf("%d rows and %d users became %d and %d: %q", file.Rows(), len(file.Users), again.Rows(), len(again.Users), got)
		}
		if edit, err := image.Edit(again); err != nil || edit.Any() {
			t.Errorf("what was written is read as an edit: %+v, %v: %q", edit, err, got)
		}
	})
}

// A person's edit of a file is an edit of the collections, and nothing else changes.
func TestEdit(t *testing.T) {
	t.Parallel()
	many := `{"id":1}`
	for i := 2; i <= 22; i++ {
		many += `,{"id":` + strconv.Itoa(i) + `}`
	}
	for _, tt := range []struct{ name, was, is, want, then string }{
		{"nothing", `{"a":[{"id":1,"x":1}]}`, `{ "a": [ {"x": 1, "id": 1} ] }`, "0+ 0~ 0-", `{"a":[{"id":1,"x":1}]}`},
		{"a row", `{"a":[{"id":1}]}`, `{"a":[{"id":1,"x":1}]}`, "0+ 1~ 0-", `{"a":[{"id":1,"x":1}]}`},
		{"rows more and less", `{"a":[{"id":1},{"id":2}]}`, `{"a":[{"id":3},{"id":2}]}`, "1+ 0~ 1-", `{"a":[{"id":2},{"id":3}]}`},
		{"a row without an id", `{"a":[{"id":1}]}`, `{"a":[{"x":1},{"id":1}]}`, "1+ 0~ 0-", `{"a":[{"id":1},{"x":1,"id":2}]}`},
		{"an id as text", `{"a":[{"id":1}]}`, `{"a":[{"id":"1"}]}`, "0+ 1~ 0-", `{"a":[{"id":"1"}]}`},
		{"a single resource", `{"p":{"x":1}}`, `{"p":{"x":2}}`, "0+ 1~ 0-", `{"p":{"x":2}}`},
		{"a collection more", `{"a":[]}`, `{"b":[{"id":1}],"a":[]}`, "1+ 0~ 0-", `{"a":[],"b":[{"id":1}]}`},
		{"a collection less", `{"a":[{"id":1}],"b":[]}`, `{"b":[]}`, "0+ 0~ 1- lost a", `{"b":[]}`},
		{"a kept member", `{"$schema":"a"}`, `{"$schema":"b"}`, "0+ 1~ 0-", `{"$schema":"b"}`},
		{"more than half of many rows", `{"a":[` + many + `]}`, `{"a":[{"id":1}]}`, "0+ 0~ 21- lost a", `{"a":[{"id":1}]}`},
		{"half of few rows", `{"a":[{"id":1},{"id":2}]}`, `{"a":[]}`, "0+ 0~ 2-", `{"a":[]}`},
		{"rows that moved", `{"a":[{"id":1},{"id":2},{"id":3},{"id":4}]}`, `{"a":[{"id":4},{"id":2},{"id":1,"x":[1]},{"id":3}]}`, "0+ 1~ 0-", `{"a":[{"id":1,"x":[1]},{"id":2},{"id":3},{"id":4}]}`},
		{"rows that are gone one after the other", `{"a":[{"id":1},{"id":2},{"id":3},{"id":4},{"id":5}]}`, `{"a":[{"id":1},{"id":5}]}`, "0+ 0~ 3-", `{"a":[{"id":1},{"id":5}]}`},
		{"a list that is none", `{"a":[]}`, `{"a":{}}`, `"a" was a list and is a single resource now: give it another name`, `{"a":[]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newTill(rows.Options{})
			must(t, s.Update(func(tx *db.Tx) error { return s.AddFile(tx, parsed(t, tt.was)) }))
			var image rows.Image
			s.View(func(tx *db.Tx) { image = s.Image(tx) })
			f, err := rows.ParseFile([]byte(tt.is), rows.FileOptions{Known: image})
			must(t, err)
			if plain := parsed(t, tt.is); !reflect.DeepEqual(f.Version(), plain.Version()) {
				t.Errorf("read with what is known it says %v; want %v", f.Version(), plain.Version())
			}
			edit, err := image.Edit(f)
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = fmt.Sprintf("%d+ %d~ %d-", edit.Added, edit.Changed, edit.Removed)
				if len(edit.Lost) > 0 {
					got += " lost " + strings.Join(edit.Lost, ",")
				}
				must(t, s.Update(func(tx *db.Tx) error { return s.Apply(tx, edit) }))
			}
			if got != tt.want {
				t.Errorf("the edit is %q; want %q", got, tt.want)
			}
			s.View(func(tx *db.Tx) { image = s.Image(tx) })
			if then := string(image.JSON(nil)); then != tt.then {
				t.Errorf("then it is %s; want %s", then, tt.then)
			}
		})
	}
}

func parsed(t *testing.T, text string) *rows.File {
	t.Helper()
	f, err := rows.ParseFile([]byte(text), rows.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The id of a row that a person removed isn't used again.
func TestEditKeepsIDs(t *testing.T) {
	t.Parallel()
	s := newTill(rows.Options{})
	must(t, s.Update(func(tx *db.Tx) error { return s.AddFile(tx, parsed(t, `{"a":[{"id":1},{"id":7}]}`)) }))
	var image rows.Image
	s.View(func(tx *db.Tx) { image = s.Image(tx) })
	edit, err := image.Edit(parsed(t, `{"a":[{"id":1}]}`))
	must(t, err)
	must(t, s.Update(func(tx *db.Tx) error { return s.Apply(tx, edit) }))
	want(t, "a new row", outcome(s.create(owner, "a", object(t, `{}`))), `{"id":8}`)
	must(t, s.delete(owner, "a", "8"))
	s.View(func(tx *db.Tx) { image = s.Image(tx) })
	edit, err = image.Edit(parsed(t, `{"a":[{"x":1},{"id":1},{"id":"10"},{"x":2}]}`))
	must(t, err)
	must(t, s.Update(func(tx *db.Tx) error { return s.Apply(tx, edit) }))
	want(t, "rows of the file without an id", outcome(s.list(owner, "a")), `{"id":1} {"x":1,"id":9} {"id":"10"} {"x":2,"id":11}`)
}
