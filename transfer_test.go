package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/token"
)

// filledStore makes a data file with a user, a token, items and a book, of
// which some have gone, and returns its path.
func filledStore(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shelf.jsonl")
	s, err := openStore(journal.OS{}, path, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := password.New(password.MinCost).Hash(t.Context(), "b00k-worm")
	if err != nil {
		t.Fatal(err)
	}
	ann := &user{PublicID: token.NewUUID(), Username: "ann", Email: "ann@example.com", Hash: hash, Created: time.Now()}
	record := &tokenRecord{JTI: token.NewUUID(), Type: token.Access, Expires: time.Now().Add(time.Hour)}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(s.signUp(ann, record))
	for _, name := range []string{"ball", "<b>&\"ü\u2028", "bat"} {
		check(s.addItem(&item{Itemname: name, Category: "sports", Description: "d", CreatedBy: ann.ID}))
	}
	check(s.deleteItem(3, actor{all: true}))
	check(s.addBook(&book{Title: "Dune", Author: "Herbert", CreatedBy: ann.ID}))
	check(s.Close())
	return path
}

func TestExportImport(t *testing.T) {
	t.Parallel()
	from := filledStore(t)
	dir := t.TempDir()
	document, copied := filepath.Join(dir, "out.json"), filepath.Join(dir, "copy.jsonl")
	if _, err := runArgs(t, "export", "-secrets", from, "-o", document); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(document); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("mode of the export = %v, %v; want 0600", info.Mode(), err)
	}
	if _, err := runArgs(t, "import", document, "-data", copied); err != nil {
		t.Fatal(err)
	}
	want, _ := runArgs(t, "export", from, "-secrets")
	got, err := runArgs(t, "export", copied, "-secrets")
	withoutTime := func(s string) string { _, rest, _ := strings.Cut(s, "last_ids"); return rest }
	if err != nil || withoutTime(got) != withoutTime(want) {
		t.Errorf("an export, imported and exported again:\n%s\nwant\n%s (%v)", got, want, err)
	}

	if !json.Valid([]byte(want)) || !strings.Contains(want, "$2a$04$") {
		t.Errorf("export -secrets = %s; want JSON with the hash", want)
	}
	if bare, _ := runArgs(t, "export", from); strings.Contains(bare, "$2a$") || !json.Valid([]byte(bare)) {
		t.Errorf("export without -secrets = %s; want JSON without the hash", bare)
	}

	s, err := openStore(journal.OS{}, copied, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	next := &item{Itemname: "n", Category: "c", Description: "d", CreatedBy: 1}
	if err := s.addItem(next); err != nil || next.ID != 4 {
		t.Errorf("the first item after an import has id %d (%v); want 4, as 3 was used", next.ID, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := runArgs(t, "import", document, "-data", copied); err == nil || !strings.Contains(err.Error(), db.ErrNotEmpty.Error()) {
		t.Errorf("import of an export into a store that holds rows = %v; want %v", err, db.ErrNotEmpty)
	}
}

// An export never takes the place of what it is an export of.
func TestExportOverTheStore(t *testing.T) {
	t.Parallel()
	path := filledStore(t)
	dir := filepath.Dir(path)
	link := filepath.Join(dir, "link")
	writeTestFile(t, dir, "shelf.key", "a key")
	if err := os.Link(path, link); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ out, want string }{
		{path, "an export doesn't replace " + path},
		{filepath.Join(dir, "..", filepath.Base(dir), "shelf.jsonl"), "an export doesn't replace " + path},
		{link, "an export doesn't replace " + path},
		{token.KeyPath(path), "an export doesn't replace " + token.KeyPath(path)},
		{dir, dir + " is no file"},
	} {
		before := readTestFile(t, dir, "shelf.jsonl") + readTestFile(t, dir, "shelf.key")
		if _, err := runArgs(t, "export", path, "-o", tt.out); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("export -o %s = %v; want %q", tt.out, err, tt.want)
		}
		if after := readTestFile(t, dir, "shelf.jsonl") + readTestFile(t, dir, "shelf.key"); after != before {
			t.Errorf("export -o %s changed the files", tt.out)
		}
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	const ids = `"format":"shelf-export","version":1,"last_ids":{}`
	for _, tt := range []struct{ name, document, want string }{
		{"what is not JSON", `{"items":[`, "unexpected end of JSON input"},
		{"what is not an object", `[]`, "must be a JSON object"},
		{"an empty object", `{}`, "nothing to import"},
		{"items that are no list", `{"items":{}}`, "items: must be a list"},
		{"an item without a name", `{"items":[{"itemname":"a","category":"b","description":"c"},{"category":"b","description":"c"}]}`, "items[1]: Invalid item name"},
		{"an item whose name is a number", `{"items":[{"itemname":5}]}`, "items[0]: 'itemname' must be a string"},
		{"an item that is no object", `{"items":["ball"]}`, "items[0]: must be a JSON object"},
		{"a book without an author", `{"books":[{"title":"Dune"}]}`, "books[0]: Invalid input!"},
		{"one title twice", `{"books":[{"title":"Dune","author":"h"},{"title":"Dune","author":"h"}]}`, "books[1]: title taken"},
		{"another format", `{"format":"x"}`, "this shelf reads"},
		{"a later version", `{"format":"shelf-export","version":2}`, "this shelf reads"},
		{"an export without its last ids", `{"format":"shelf-export","version":1}`, "last_ids"},
		{"last ids that leave none for others", `{"format":"shelf-export","version":1,"last_ids":{"item":9223372036854775807}}`, "last_ids: an id is above"},
		{"an id given twice", `{` + ids + `,"items":[{"id":1,"itemname":"a","category":"b","description":"c"},{"id":1,"itemname":"a","category":"b","description":"c"}]}`, "items[1]: id 1 is another item's too"},
		{"an id below 1", `{` + ids + `,"books":[{"id":0,"title":"a","author":"b"}]}`, "books[0]: book 0: ids go from 1 to"},
		{"an e-mail given twice", `{` + ids + `,"users":[{"id":1,"public_id":"a","username":"a","email":"a@b.cd"},{"id":2,"public_id":"b","username":"b","email":"A@b.cd"}]}`, "users[1]: user 1 already has this e-mail"},
		{"a hash that is not bcrypt's", `{` + ids + `,"users":[{"id":1,"public_id":"a","username":"a","hash":"plain"}]}`, "users[0]: the hash is not bcrypt's"},
		{"a hash of a cost beyond bearing", `{` + ids + `,"users":[{"id":1,"public_id":"a","username":"a","hash":"$2a$31$` + strings.Repeat("0", 53) + `"}]}`, "users[0]: the hash is not bcrypt's"},
		{"a token of nobody's", `{` + ids + `,"tokens":[{"id":1,"jti":"a","type":"access","user":7}]}`, "tokens[0]: user 7 does not exist"},
		{"a member that no row has", `{` + ids + `,"books":[{"id":1,"titel":"a"}]}`, `books[0]: json: unknown field "titel"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(slog.New(slog.DiscardHandler), time.Now)
			_, err := importDocument(s, []byte(tt.document))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("import of %s = %v; want %q", tt.document, err, tt.want)
			}
			if users, items, books := s.counts(); users+items+books > 0 {
				t.Error("a refused import left rows behind")
			}
		})
	}
}

func TestImportPlain(t *testing.T) {
	t.Parallel()
	s := newStore(slog.New(slog.DiscardHandler), time.Now)
	const document = `{"items":[{"id":"x7","itemname":" ball ","category":"b","description":"c","price":3}],"books":[{"title":"Dune","author":"h"}],"posts":[]}`
	for i, id := range []int{1, 2} {
		done, err := importDocument(s, []byte(strings.ReplaceAll(document, "Dune", "Dune"+strings.Repeat("!", i))))
		if want := "imported 1 item, 1 book; left out what shelf has no place for: posts"; err != nil || done != want {
			t.Fatalf("import = %q, %v; want %q", done, err, want)
		}
		row, err := s.item(id)
		if err != nil || row.itemname() != "ball" || row.createdBy() != 0 || !strings.HasSuffix(row.wire.Row(), `"createdby":null}`) {
			t.Errorf("item %d = %+v, %v; want the ball, created by nobody", id, row, err)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	sound, err := os.ReadFile(filledStore(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, file string
		status     int
		want       string
	}{
		{"a sound file", string(sound), 0, "alive      1 user, 1 token, 2 items, 1 book"},
		{"a new file", "", 0, "sound"},
		{"a torn tail is no damage", string(sound) + `{"seq":8,"ti`, 0, "torn tail  12 bytes"},
		{"a line that a person added", string(sound) + `{"seq":8,"op":"put","book":{"id":2,"title":"a","author":"b"}}` + "\n", 0, "2 books"},
		{"a refused write in between", strings.Replace(string(sound), "\n{\"seq\":3", "\n{\"seq\":3,\"x #refused\n{\"seq\":3", 1), 0, ""},
		{"a changed letter", strings.Replace(string(sound), "Dune", "June", 1), 1, "damaged at line 8: the checksum does not match"},
		{"a line that breaks a rule, before others", string(sound) + `{"seq":8,"op":"delete","kind":"item","id":7}` + "\n" + `{"seq":9,"op":"delete","kind":"item","id":1}` + "\n", 1, "changes    7, up to seq 7"},
		{"a lost line", strings.Replace(string(sound), "\n{\"seq\":4,", "\n#{\"seq\":4,", 1), 1, "damaged at line 5"},
		{"another program's file", `{"items":[]}`, 2, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "shelf.jsonl")
			if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := runArgs(t, "check", path)
			status := 0
			if err != nil {
				status = err.(*config.Status).Code
			}
			if status != tt.status || !strings.Contains(out, tt.want) {
				t.Errorf("shelf check = %d (%v)\n%swant %d and %q", status, err, out, tt.status, tt.want)
			}
			if after, _ := os.ReadFile(path); string(after) != tt.file {
				t.Error("check changed the file")
			}
		})
	}
}
