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

// A log and an export without collections are what they were before there were any.
func TestWithoutCollections(t *testing.T) {
	t.Parallel()
	disk := journaltest.New(1)
	s := openTill(t, disk, rows.Options{})
	want(t, "no such collection", outcome(s.create(owner, "posts", object(t, `{}`))), "404")
	text, _ := disk.Content(tillFile)
	if text != journaltest.Header(0, 0) {
		t.Errorf("the log is %s", text)
	}
	if got := string(s.Snapshot().Export(journaltest.Noon, true)); !strings.HasSuffix(got, `"last_ids":{}}`+"\n") {
		t.Errorf("the export is %s", got)
	}
	s.with(t, "posts")
	if text, _ = disk.Content(tillFile); !strings.HasPrefix(text, `{"format":"shelf","version":2,`) {
		t.Errorf("with a collection the log is %s", text)
	}
}

// A person may edit the log: what is wrong is said, and what is right is taken over.
func TestByHand(t *testing.T) {
	t.Parallel()
	const posts = `"op":"put","collection":{"id":1,"name":"posts"}`
	const me = `"op":"put","collection":{"id":2,"name":"me","single":true}`
	const kept = `"op":"put","collection":{"id":3,"name":"$schema","kept":"x"}`
	for _, tt := range []struct{ name, line, want string }{
		{"a row with blanks", `"op":"put","row":{"id":5, "in":1, "row":{ "id" : 7, "a": "\u00e9" }}`, `{"id":7,"a":"é"}`},
		{"no id", `"op":"put","row":{"id":5,"in":1,"row":{"a":1}}`, "error: line 5: id must be a number or a text, not nothing"},
		{"a collection that isn't there", `"op":"put","row":{"id":5,"in":9,"row":{"id":7}}`, "error: line 5: collection 9 does not exist"},
		{"a member without rows", `"op":"put","row":{"id":5,"in":3,"row":{"id":7}}`, `error: line 5: the collection "$schema" keeps no rows`},
		{"a slip of the pen", `"op":"put","row":{"id":5,"in":1,"roww":{"id":7}}`, `error: line 5: json: unknown field "roww"`},
		{"no object", `"op":"put","row":{"id":5,"in":1,"row":[]}`, "error: line 5: row: must be a JSON object"},
		{"a member twice", `"op":"put","row":{"id":5,"in":1,"row":{"id":7,"a":1,"a":2}}`, "error: line 5: row: 'a' must be given only once"},
		{"a name with a slash", `"op":"put","collection":{"id":9,"name":"a/b"}`, `error: line 5: the name "a/b" has a slash`},
		{"another type", `"op":"put","collection":{"id":1,"name":"posts","single":true}`, "error: line 5: collection 1 can't become"},
		{"a name that is taken", `"op":"put","collection":{"id":9,"name":"me"}`, "error: line 5: collection 2 already has this name"},
	} {
		disk := journaltest.New(1)
		disk.Put(tillFile, journaltest.File(posts, me, kept, "{\"seq\":4,"+tt.line+"}"))
		s := newTill(rows.Options{})
		j, err := journal.Open(disk, tillFile, journal.Options{})
		must(t, err)
		if err := s.Open(j); err != nil {
			want(t, tt.name, "error: "+err.Error(), tt.want)
			continue
		}
		want(t, tt.name, outcome(s.list(owner, "posts")), tt.want)
	}
}

// A single resource has one row, which has no id of its own.
func TestSingle(t *testing.T) {
	t.Parallel()
	f, err := rows.ParseFile([]byte(`{"profile":{"name":"x"},"posts":[{"id":1}]}`), rows.FileOptions{})
	must(t, err)
	s := newTill(rows.Options{})
	must(t, s.Update(func(tx *db.Tx) error { return s.AddFile(tx, f) }))
	want(t, "GET", outcome(s.get(ann, "profile", "")), `{"name":"x"}`)
	want(t, "GET of a row in it", outcome(s.get(ann, "profile", "1")), "404")
	want(t, "PATCH", outcome(s.patch(ann, "profile", "", object(t, `{"a":1}`))), `{"name":"x","a":1}`)
	want(t, "PUT", outcome(s.replace(ann, "profile", "", object(t, `{"b":1}`))), `{"b":1}`)
	want(t, "POST replaces it", outcome(s.create(ann, "profile", object(t, `{"c":1}`))), `{"c":1}`)
	want(t, "POST by nobody", outcome(s.create(anyone, "profile", object(t, `{"c":1}`))), "401")
	want(t, "its owner can't be taken", outcome(s.create(ann, "profile", object(t, `{"userId":1}`))), replacement)
	want(t, "DELETE", outcome("", s.delete(admin, "profile", "")), "404")
	want(t, "a list has no row without an id", outcome(s.get(ann, "posts", "")), "404")
}

// A row that has changed meanwhile is not changed again.
func TestExpectation(t *testing.T) {
	t.Parallel()
	s := newTill(rows.Options{}).with(t, "posts", `{"id":1}`)
	stale := errors.New("stale")
	var tag string
	s.View(func(tx *db.Tx) {
		row, err := s.Get(tx, owner, "posts", "1")
		must(t, err)
		tag = row.Tag()
	})
	expects := func(got string) error {
		if got != tag {
			return stale
		}
		return nil
	}
	patch := func(tx *db.Tx) error {
		_, err := s.Patch(tx, owner, "posts", "1", object(t, `{"a":1}`), expects)
		return err
	}
	must(t, s.Update(patch))
	if err := s.Update(patch); err != stale {
		t.Errorf("a second PATCH: %v", err)
	}
	if err := s.Update(func(tx *db.Tx) error {
		_, err := s.Delete(tx, owner, "posts", "1", expects)
		return err
	}); err != stale {
		t.Errorf("a DELETE: %v", err)
	}
	// A row that stays what it is makes no line.
	before := s.LastSeq()
	_, err := s.patch(owner, "posts", "1", object(t, `{"a":1}`))
	must(t, err)
	if s.LastSeq() != before {
		t.Error("a change of nothing is a change")
	}
}

// What a disk refuses is not there, and neither readers nor later rules see it.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	disk := journaltest.New(1)
	s := openTill(t, disk, rows.Options{}).with(t, "posts", `{"postId":7}`)
	text, _ := disk.Content(tillFile)
	disk.SetRoom(int64(len(text)) + 10)
	if _, err := s.create(owner, "posts", object(t, `{}`)); err == nil {
		t.Fatal("there is room")
	}
	if err := s.delete(owner, "posts", "1"); err == nil {
		t.Fatal("there is room for a deletion")
	}
	want(t, "the list", outcome(s.list(owner, "posts")), `{"postId":7,"id":1}`)
	disk.SetRoom(0)
	must(t, s.delete(owner, "posts", "1"))
	must(t, s.Close())
	s = openTill(t, disk, rows.Options{})
	text, err := s.create(owner, "posts", object(t, `{}`))
	must(t, err)
	if text != `{"id":2}` && text != `{"id":3}` {
		t.Errorf("after a restart the row is %s", text)
	}
}

func BenchmarkFilter(b *testing.B) {
	s := newTill(rows.Options{}).with(b, "comments")
	for from := 0; from < 100_000; from += 1000 {
		must(b, s.Update(func(tx *db.Tx) error {
			for i := range 1000 {
				if _, err := s.Create(tx, owner, "comments", object(b, fmt.Sprintf(`{"postId":%d,"text":"a comment of some length, as people write them"}`, (from+i)%10_000))); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	for _, query := range []string{"postId=77", "_sort=postId&_page=1", "_page=5"} {
		b.Run(query, func(b *testing.B) {
			for b.Loop() {
				s.View(func(tx *db.Tx) {
					from, err := s.Source(tx, owner, "comments")
					must(b, err)
					q, err := rows.ParseQuery(query, false, from.Known)
					must(b, err)
					_, err = q.Select(from)
					must(b, err)
				})
			}
		})
	}
	b.Run("delete with children", func(b *testing.B) {
		s.with(b, "posts")
		for b.Loop() {
			text, err := s.create(owner, "posts", object(b, `{}`))
			must(b, err)
			id := strings.TrimSuffix(strings.TrimPrefix(text, `{"id":`), "}")
			must(b, s.delete(owner, "posts", id))
		}
	})
}

func BenchmarkAddFile(b *testing.B) {
	var text strings.Builder
	text.WriteString(`{"comments":[`)
	for i := range 100_000 {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"id":%d,"postId":%d,"text":"a comment of some length, as people write them"}`, i+1, i%100)
	}
	text.WriteString(`]}`)
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		f, err := rows.ParseFile([]byte(text.String()), rows.FileOptions{})
		must(b, err)
		s := newTill(rows.Options{})
		must(b, s.Update(func(tx *db.Tx) error { return s.AddFile(tx, f) }))
	}
}
