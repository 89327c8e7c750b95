package rows_test

import (
	"fmt"
	"strings"
	"testing"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/rows"
)

// A deletion takes the rows of other collections that name the row, and no others.
func TestCascade(t *testing.T) {
	t.Parallel()
	shop := func(opt rows.Options) till {
		return newTill(rows.Options{Guards: rows.Guards{Open: true}}).
			with(t, "posts", `{"id":1,"postId":2}`, `{"id":2,"postId":1}`).
			with(t, "comments", `{"id":1,"postId":1,"userId":2}`, `{"id":2,"postId":"1"}`, `{"id":3,"postId":2}`, `{"id":4}`, `{"id":5,"postId":null}`, `{"id":6,"postId":[1]}`).
			with(t, "replies", `{"id":1,"commentId":1}`).copied(t, opt)
	}
	ids := func(s till, name string) (ids string) {
		s.View(func(tx *db.Tx) {
			found, err := s.Rows(tx, owner, name)
			must(t, err)
			for _, r := range found {
				ids += r.ID
			}
		})
		return ids
	}
	for _, tt := range []struct {
		name                     string
		opt                      rows.Options
		want                     string
		posts, comments, replies string
	}{
		{"children go, whoever owns them, and theirs stay", rows.Options{}, "", "2", "3456", "1"},
		{"children stay", rows.Options{KeepChildren: true}, "", "2", "123456", "1"},
		{"a read-only child keeps its parent", rows.Options{Guards: rows.Guards{ByName: map[string]rows.Guard{"comments": guard(t, "444")}}},
			`error: rows of "comments" name this row, and their guard 444`, "12", "123456", "1"},
	} {
		s := shop(tt.opt)
		want(t, tt.name, outcome("", s.delete(owner, "posts", "1")), tt.want)
		want(t, tt.name+": posts", ids(s, "posts"), tt.posts)
		want(t, tt.name+": comments", ids(s, "comments"), tt.comments)
		want(t, tt.name+": replies", ids(s, "replies"), tt.replies)
	}
	s := newTill(rows.Options{Guards: rows.Guards{Open: true}}).with(t, "user", `{"id":1}`, `{"id":2}`).with(t, "posts", `{"id":1,"userId":1}`, `{"id":2,"userId":2}`)
	s.Accounts(func(_ *db.Tx, id string) bool { return id == "1" })
	want(t, "a row with the id of an account", outcome("", s.delete(owner, "user", "1")), "")
	want(t, "what the account owns stays", ids(s, "posts"), "12")
	want(t, "a row with the id of no account", outcome("", s.delete(owner, "user", "2")), "")
	want(t, "its children go", ids(s, "posts"), "1")
	s = shop(rows.Options{})
	want(t, "a row that isn't there", outcome("", s.delete(owner, "posts", "7")), "404")
	want(t, "a collection that isn't there", outcome("", s.delete(owner, "pots", "1")), "404")
	want(t, "nothing else is swept", ids(s, "comments"), "123456")
}

// A nested POST sets the key, with the parent's own type.
func TestCreateIn(t *testing.T) {
	t.Parallel()
	s := newTill(rows.Options{}).with(t, "posts", `{"id":1,"userId":2}`, `{"id":"x"}`).with(t, "comments")
	in := func(by rows.Caller, id, body string) string {
		text := ""
		err := s.Update(func(tx *db.Tx) error {
			row, err := s.CreateIn(tx, by, "posts", id, "comments", object(t, body))
			if err == nil {
				text = row.Text
			}
			return err
		})
		return outcome(text, err)
	}
	want(t, "a number", in(ann, "1", `{"postId":7,"a":1}`), `{"postId":1,"a":1,"userId":1,"id":1}`)
	want(t, "a text", in(ann, "x", `{}`), `{"postId":"x","userId":1,"id":2}`)
	want(t, "no parent", in(ann, "3", `{}`), "404")
	want(t, "nobody", in(anyone, "1", `{}`), "401")
}

// More children than a batch should hold keep their parent.
func TestTooManyChildren(t *testing.T) {
	t.Parallel()
	s := newTill(rows.Options{}).with(t, "posts", `{}`).with(t, "comments")
	must(t, s.Update(func(tx *db.Tx) error {
		for range 10_001 {
			if _, err := s.Create(tx, owner, "comments", object(t, `{"postId":1}`)); err != nil {
				return err
			}
		}
		return nil
	}))
	want(t, "10,001 children", outcome("", s.delete(owner, "posts", "1")), "error: more than 10000 rows")
	must(t, s.delete(owner, "comments", "7"))
	must(t, s.delete(owner, "posts", "1"))
	want(t, "the list", outcome(s.list(owner, "comments")), "")
}

// /db is for admins, and for anyone where all is open; each sees what they may read.
func TestWhole(t *testing.T) {
	t.Parallel()
	s := newTill(rows.Options{}).with(t, "posts", `{"id":1}`).with(t, "notes", `{"id":1,"userId":1}`, `{"id":2,"userId":2}`)
	whole := func(s till, by rows.Caller) (text string, err error) {
		s.View(func(tx *db.Tx) {
			var parts []rows.Part
			parts, err = s.Whole(tx, by)
			for _, p := range parts {
				text += fmt.Sprint(p.Name, len(p.Rows), " ")
			}
		})
		return strings.TrimSpace(text), err
	}
	want(t, "an admin", outcome(whole(s, admin)), "posts1 notes2")
	want(t, "an account", outcome(whole(s, ann)), access)
	want(t, "anyone", outcome(whole(s, anyone)), "401")
	open := rows.Options{Guards: rows.Guards{Open: true, ByName: map[string]rows.Guard{"notes": guard(t, "600")}}}
	want(t, "ann, where all is open", outcome(whole(s.copied(t, open), ann)), "posts1 notes1")
	want(t, "anyone, where all is open", outcome(whole(s.copied(t, open), anyone)), "posts1")
}
