package rows_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/shelf/internal/rows"
)

// library is a function for Relate.
func library(t testing.TB, collections map[string]string) func(string) (rows.Source, bool) {
	sources := map[string]*rows.Source{}
	for name, text := range collections {
		sources[name] = source(t, text)
	}
	return func(name string) (rows.Source, bool) {
		if s := sources[name]; s != nil {
			return *s, true
		}
		return rows.Source{}, false
	}
}

func relate(t testing.TB, query, collection string, of func(string) (rows.Source, bool)) (string, error) {
	t.Helper()
	q, err := rows.ParseQuery(query, false, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	s, _ := of(collection)
	result, err := q.Select(s)
	if err != nil {
		t.Fatal(err)
	}
	found, err := q.Relate(collection, result.Rows, of)
	return textOf(t, found), err
}

// textOf is a line for each row.
func textOf(t testing.TB, found rows.Related) string {
	t.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(strings.Join(slices.Collect(found.List()), "")), &list); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, row := range list {
		lines = append(lines, string(row))
	}
	return strings.Join(lines, "\n")
}

func TestRelate(t *testing.T) {
	t.Parallel()
	of := library(t, map[string]string{
		"posts": `
			{"id":1,"userId":7}
			{"id":"b","userId":"8","user":"Ann"}
			{"id":3,"userId":null,"comments":2}
			{"id":4}
			{"id":5,"userId":99}
			{"id":6,"userId":{"id":7}}`,
		"comments": `
			{"id":1,"postId":1}
			{"id":2,"postId":"1","text":"as text"}
			{"id":3,"postId":"b"}
			{"id":4,"postId":null}
			{"id":5}
			{"id":6,"postId":[1]}
			{"id":7,"postId":9}`,
		"users":      `{"id":7,"name":"Ann"}` + "\n" + `{"id":8,"name":"Bob"}`,
		"people":     `{"id":1}`,
		"dogs":       `{"id":1,"personId":1}`,
		"categories": `{"id":1}`,
		"news":       `{"id":1,"categoryId":1,"newId":2}`,
		"links":      `{"id":1,"newsId":1}`,
		"keyless":    `{"name":"x"}` + "\n{}",
		"children":   `{"id":1,"keylessId":""}`,
	})
	for _, c := range []struct{ name, collection, query, want string }{
		{"nothing asked", "users", "", `{"id":7,"name":"Ann"}` + "\n" + `{"id":8,"name":"Bob"}`},
		{"_embed finds children by text, and puts them last", "posts", "_embed=comments&_end=2", `
			{"id":1,"userId":7,"comments":[{"id":1,"postId":1},{"id":2,"postId":"1","text":"as text"}]}
			{"id":"b","userId":"8","user":"Ann","comments":[{"id":3,"postId":"b"}]}`},
		{"a member of that name gets the children", "posts", "_embed=comments&id=3", `{"id":3,"userId":null,"comments":[]}`},
		{"_embed is repeatable", "users", "_embed=posts&_embed=dogs&id=8", `
			{"id":8,"name":"Bob","posts":[{"id":"b","userId":"8","user":"Ann"}],"dogs":[]}`},
		{"an unknown collection is an empty list", "users", "_embed=likes&id=7", `{"id":7,"name":"Ann","likes":[]}`},
		{"but leaves a member alone", "users", "_embed=name&id=7", `{"id":7,"name":"Ann"}`},
		{"a comma list is one name", "users", "_embed=posts,dogs&id=7", `{"id":7,"name":"Ann","posts,dogs":[]}`},
		{"people and person", "people", "_embed=dogs", `{"id":1,"dogs":[{"id":1,"personId":1}]}`},
		{"categories and category", "categories", "_embed=news", `{"id":1,"news":[{"id":1,"categoryId":1,"newId":2}]}`},
		{"news and news", "news", "_embed=links", `{"id":1,"categoryId":1,"newId":2,"links":[{"id":1,"newsId":1}]}`},
		{"rows without an id have no children", "keyless", "_embed=children", `
			{"name":"x","children":[]}
			{"children":[]}`},
		{"_expand puts the parent in, and leaves out what names none", "posts", "_expand=user&_start=0&_end=6", `
			{"id":1,"userId":7,"user":{"id":7,"name":"Ann"}}
			{"id":"b","userId":"8","user":{"id":8,"name":"Bob"}}
			{"id":3,"userId":null,"comments":2}
			{"id":4}
			{"id":5,"userId":99}
			{"id":6,"userId":{"id":7}}`},
		{"_expand of people", "dogs", "_expand=person", `{"id":1,"personId":1,"person":{"id":1}}`},
		{"_expand of an unknown collection is ignored", "posts", "_expand=editor&id=1", `{"id":1,"userId":7}`},
		{"a member is put in once, and the last one stays", "dogs", "_embed=person&_expand=person", `{"id":1,"personId":1,"person":{"id":1}}`},
		{"both", "posts", "_expand=user&_embed=comments&id=1", `
			{"id":1,"userId":7,"comments":[{"id":1,"postId":1},{"id":2,"postId":"1","text":"as text"}],"user":{"id":7,"name":"Ann"}}`},
	} {
		got, err := relate(t, c.query, c.collection, of)
		want := strings.ReplaceAll(strings.TrimSpace(c.want), "\t", "")
		if err != nil || got != want {
			t.Errorf("%s: %s?%s: got %s, %v; want %s", c.name, c.collection, c.query, got, err, want)
		}
	}
}

// What a caller may not read is neither embedded nor expanded, whatever an index says.
func TestRelateShowsWhatTheCallerMayRead(t *testing.T) {
	t.Parallel()
	all := library(t, map[string]string{
		"posts": `{"id":1,"userId":7}` + "\n" + `{"id":2,"userId":8}`,
		"users": `{"id":7}` + "\n" + `{"id":8}`,
	})
	asked := 0
	of := func(name string) (rows.Source, bool) {
		s, ok := all(name)
		s.May = func(r *rows.Row) bool { return r.ID != "8" && r.ID != "2" }
		s.Where = func(string, []string) ([]*rows.Row, bool) { asked++; return s.Rows, true }
		s.ByID = func(id string) *rows.Row {
			asked++
			for _, r := range s.Rows {
				if r.ID == id {
					return r
				}
			}
			return nil
		}
		return s, ok
	}
	q, err := rows.ParseRowQuery("_embed=posts&_expand=user", "1")
	if err != nil {
		t.Fatal(err)
	}
	users, _ := all("users")
	got, err := q.Relate("users", users.Rows, of)
	if want := `{"id":7,"posts":[{"id":1,"userId":7}]}` + "\n" + `{"id":8,"posts":[]}`; textOf(t, got) != want || err != nil {
		t.Errorf("got %s, %v; want %s", textOf(t, got), err, want)
	}
	posts, _ := all("posts")
	got, err = q.Relate("posts", posts.Rows, of)
	if want := `{"id":1,"userId":7,"posts":[],"user":{"id":7}}` + "\n" + `{"id":2,"userId":8,"posts":[]}`; textOf(t, got) != want || err != nil {
		t.Errorf("got %s, %v; want %s", textOf(t, got), err, want)
	}
	if asked == 0 {
		t.Error("no index was asked")
	}
}

func TestRelateHasALimit(t *testing.T) {
	t.Parallel()
	parent := row(t, `{"id":1,"x":"`+strings.Repeat("x", 2000)+`"}`)
	children := make([]*rows.Row, 100_001)
	for i := range children {
		children[i] = &rows.Row{Seat: i, ID: fmt.Sprint(i), Text: `{"parentId":1}`}
	}
	of := func(name string) (rows.Source, bool) {
		return map[string]rows.Source{"parents": {Rows: []*rows.Row{parent}}, "children": {Rows: children}}[name], true
	}
	for _, c := range []struct {
		query, collection string
		rows              []*rows.Row
		want              string
	}{
		{"_embed=children", "parents", []*rows.Row{parent}, "_embed would put more than 100000 rows into the answer: ask for a page"},
		{"_expand=parent", "children", children, "_expand would put more than 100 MiB into the answer: ask for a page"},
	} {
		q, err := rows.ParseRowQuery(c.query, "1")
		if err != nil {
			t.Fatal(err)
		}
		var readable *rows.Error
		if _, err := q.Relate(c.collection, c.rows, of); !errors.As(err, &readable) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v; want %q", c.query, err, c.want)
		}
		children = children[1:]
		if _, err := q.Relate(c.collection, c.rows[:1], of); err != nil {
			t.Errorf("%s of one fewer: %v", c.query, err)
		}
	}
}

// A list is written from the texts that are in memory anyway: however long it is, it takes
// no memory of its own.
func TestListsTakeNoMemory(t *testing.T) { // not in parallel, as it counts allocations
	for _, query := range []string{"", "_embed=comments&_expand=user"} {
		counts := map[int]float64{}
		for _, n := range []int{10, 10_000} {
			posts, comments := make([]*rows.Row, n), make([]*rows.Row, n)
			for i := range n {
				posts[i] = &rows.Row{Seat: i, ID: fmt.Sprint(i), Text: fmt.Sprintf(`{"id":%d,"userId":1}`, i)}
				comments[i] = &rows.Row{Seat: i, ID: fmt.Sprint(i), Text: fmt.Sprintf(`{"id":%d,"postId":%d}`, i, i)}
			}
			of := func(name string) (rows.Source, bool) {
				s, ok := map[string]rows.Source{"posts": {Rows: posts}, "comments": {Rows: comments}, "users": {Rows: []*rows.Row{row(t, `{"id":1}`)}}}[name]
				return s, ok
			}
			q, err := rows.ParseRowQuery(query, "1")
			if err != nil {
				t.Fatal(err)
			}
			found, err := q.Relate("posts", posts, of)
			if err != nil {
				t.Fatal(err)
			}
			size := 0
			counts[n] = testing.AllocsPerRun(3, func() {
				for part := range found.List() {
					size += len(part)
				}
			})
			if size < 4*n*len(posts[0].Text) {
				t.Errorf("?%s of %d rows has %d bytes", query, n, size)
			}
		}
		if counts[10_000] > counts[10]+1 {
			t.Errorf("?%s: %v allocations, by the number of rows", query, counts)
		}
	}
}
