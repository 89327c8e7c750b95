package rows_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
	"example.com/shelf/internal/rows"
)

// A till is a Store with its DB, on a disk or in memory.
type till struct {
	*db.DB
	*rows.Store
}

func newTill(opt rows.Options) till {
	d := db.New(db.Options{Now: journaltest.Noon.UTC})
	return till{d, rows.New(d, opt)}
}

const tillFile = "db.jsonl"

// openTill opens a till on a disk.
func openTill(t testing.TB, disk journal.Disk, opt rows.Options) till {
	t.Helper()
	s := newTill(opt)
	j, err := journal.Open(disk, tillFile, journal.Options{})
	must(t, err)
	must(t, s.Open(j))
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The callers of these tests.
var (
	anyone = rows.Caller{}
	ann    = rows.Caller{IDs: []string{"1", "ann-uuid"}, SignedIn: true}
	bob    = rows.Caller{IDs: []string{"2", "bob-uuid"}, SignedIn: true}
	admin  = rows.Caller{IDs: []string{"9"}, SignedIn: true, Admin: true}
	owner  = rows.Caller{Admin: true} // a command
)

func object(t testing.TB, text string) rows.Object {
	t.Helper()
	o, err := rows.ParseObject([]byte(text))
	must(t, err)
	return o
}

// with makes collections with rows, as the owner.
func (s till) with(t testing.TB, name string, texts ...string) till {
	t.Helper()
	must(t, s.Update(func(tx *db.Tx) error {
		if _, ok := s.Collection(tx, name); !ok {
			if err := s.Make(tx, name); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, text := range texts {
		if _, err := s.create(owner, name, object(t, text)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s till) create(by rows.Caller, name string, o rows.Object) (text string, err error) {
	err = s.Update(func(tx *db.Tx) error {
		row, err := s.Create(tx, by, name, o)
		if err == nil {
			text = row.Text
		}
		return err
	})
	return text, err
}

func (s till) replace(by rows.Caller, name, id string, o rows.Object) (text string, err error) {
	err = s.Update(func(tx *db.Tx) error {
		row, err := s.Replace(tx, by, name, id, o, nil)
		if err == nil {
			text = row.Text
		}
		return err
	})
	return text, err
}

func (s till) patch(by rows.Caller, name, id string, o rows.Object) (text string, err error) {
	err = s.Update(func(tx *db.Tx) error {
		row, err := s.Patch(tx, by, name, id, o, nil)
		if err == nil {
			text = row.Text
		}
		return err
	})
	return text, err
}

func (s till) delete(by rows.Caller, name, id string) error {
	return s.Update(func(tx *db.Tx) error {
		_, err := s.Delete(tx, by, name, id, nil)
		return err
	})
}

func (s till) get(by rows.Caller, name, id string) (text string, err error) {
	s.View(func(tx *db.Tx) {
		var row *rows.Row
		if row, err = s.Get(tx, by, name, id); err == nil {
			text = row.Text
		}
	})
	return text, err
}

// list is the texts of the rows that the caller may read, a blank between them.
func (s till) list(by rows.Caller, name string) (text string, err error) {
	s.View(func(tx *db.Tx) {
		var found []*rows.Row
		found, err = s.Rows(tx, by, name)
		var texts []string
		for _, r := range found {
			texts = append(texts, r.Text)
		}
		text = strings.Join(texts, " ")
	})
	return text, err
}

// outcome words a text or an error.
func outcome(text string, err error) string {
	var denied *rows.Denied
	switch {
	case errors.As(err, &denied) && denied.SignIn:
		return "401"
	case errors.As(err, &denied):
		return "403 " + denied.Text
	case errors.Is(err, rows.ErrNoRow), errors.Is(err, rows.ErrNoCollection):
		return "404"
	case err != nil:
		return "error: " + err.Error()
	}
	return text
}

func want(t testing.TB, what, got, want string) {
	t.Helper()
	if !strings.HasPrefix(got, want) || want == "" && got != "" {
		t.Errorf("%s: %s; want %s", what, got, want)
	}
}

// A new row gets an id that no row has had.
func TestNewIDs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, rows, send, want string }{
		{"the first row gets 1", ``, `{"a":1}`, `{"a":1,"id":1}`},
		{"numbers go up by one", `{"id":4} {"id":2}`, `{}`, `{"id":5}`},
		{"an id that is no id is made anew, at the end", `{"id":4}`, `{"id":null,"a":1}`, `{"a":1,"id":5}`},
		{"0 is no id", ``, `{"id":0}`, `{"id":1}`},
		{"an empty text is no id", ``, `{"id":""}`, `{"id":1}`},
		{"a free number is taken, and keeps its place", `{"id":4}`, `{"id":2,"a":1}`, `{"id":2,"a":1}`},
		{"a free text is taken", `{"id":4}`, `{"id":"x y/z"}`, `{"id":"x y/z"}`},
		{"a taken id", `{"id":4}`, `{"id":4}`, `error: the id is taken`},
		{"a text that is a taken number", `{"id":4}`, `{"id":"4"}`, `error: the id is taken`},
		{"a number that is written otherwise", `{"id":4}`, `{"id":4.0}`, `error: the id is taken`},
		{"texts among numbers: a number", `{"id":"a"} {"id":3}`, `{}`, `{"id":4}`},
		{"a number that a text looks like is left out", `{"id":3} {"id":"4"}`, `{}`, `{"id":5}`},
		{"half a number", ``, `{"id":1.5}`, `error: the id 1.5 must be a whole number`},
		{"a number beyond what JavaScript keeps", ``, `{"id":9007199254740993}`, `error: the id 9007199254740993 must be`},
		{"a number a million above", `{"id":4}`, `{"id":1000004}`, `{"id":1000004}`},
		{"a number further above", `{"id":4}`, `{"id":1000005}`, `error: the id 1000005 is more than 1000000 above`},
		{"a number below 0", ``, `{"id":-5}`, `{"id":-5}`},
		{"a dot can't stand in an address", ``, `{"id":"."}`, `error: the id "." can't`},
		{"nor can two", ``, `{"id":".."}`, `error: the id ".." can't`},
		{"an object is no id", ``, `{"id":{}}`, `error: id must be a number or a text, not an object`},
		{"a long text", ``, `{"id":"` + strings.Repeat("x", 256) + `"}`, `error: the id is longer than 255 bytes`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newTill(rows.Options{}).with(t, "posts", strings.Fields(tt.rows)...)
			want(t, tt.name, outcome(s.create(owner, "posts", object(t, tt.send))), tt.want)
		})
	}
}

// Where every row's id is a text, new ids are texts too.
func TestTextIDs(t *testing.T) {
	t.Parallel()
	s := newTill(rows.Options{}).with(t, "posts", `{"id":"a"}`)
	text, err := s.create(owner, "posts", object(t, `{}`))
	must(t, err)
	if id := strings.TrimSuffix(strings.TrimPrefix(text, `{"id":"`), `"}`); len(id) != 10 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		t.Errorf("the row is %s", text)
	}
}

// No id comes back, whatever is deleted, after restarts and compactions.
func TestIDsAreNeverReused(t *testing.T) {
	t.Parallel()
	disk := journaltest.New(1)
	s := openTill(t, disk, rows.Options{}).with(t, "posts", `{}`, `{}`, `{}`)
	must(t, s.delete(owner, "posts", "2"))
	must(t, s.delete(owner, "posts", "3"))
	must(t, s.delete(owner, "posts", "1"))
	for round := range 3 {
		must(t, s.Update(func(tx *db.Tx) error { s.Tidy(tx); return nil }))
		must(t, s.Compact())
		must(t, s.Close())
		s = openTill(t, disk, rows.Options{})
		id := fmt.Sprint(4 + round)
		want(t, "a new row", outcome(s.create(owner, "posts", object(t, `{}`))), `{"id":`+id+`}`)
		must(t, s.delete(owner, "posts", id))
	}
}

// A change that was refused leaves nothing behind, but the number that it was given.
func TestRollback(t *testing.T) {
	t.Parallel()
	s := newTill(rows.Options{}).with(t, "posts", `{}`)
	second := errors.New("second thoughts")
	if err := s.Update(func(tx *db.Tx) error {
		if _, err := s.Create(tx, owner, "posts", object(t, `{}`)); err != nil {
			return err
		}
		if _, err := s.Delete(tx, owner, "posts", "1", nil); err != nil {
			return err
		}
		return second
	}); err != second {
		t.Fatal(err)
	}
	want(t, "the list", outcome(s.list(owner, "posts")), `{"id":1}`)
	want(t, "a new row", outcome(s.create(owner, "posts", object(t, `{}`))), `{"id":3}`)
}
