package rows_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/shelf/internal/rows"
)

func TestSort(t *testing.T) {
	t.Parallel()
	s := source(t, `
		{"id":1,"n":10,"t":"b","m":"x","o":{"p":2},"u":"\uffff"}
		{"id":2,"n":9,"t":"Z","m":5,"o":{"p":1},"u":"😀"}
		{"id":3,"n":9,"t":"a","m":null,"o":{"p":1.5},"u":"\ue000"}
		{"id":4,"n":-1,"t":"É","m":true,"u":"\\"}
		{"id":5,"n":9007199254740993,"t":"aa","m":[1]}
		{"id":6,"n":9007199254740992,"t":"","m":{"a":1}}
		{"id":7,"n":1e400,"t":"10","u":"]"}
		{"id":8,"n":-9007199254740993,"t":"9","m":false,"u":"[","z":null}
		{"id":9,"n":-9007199254740992,"t":"a","m":"10","o":null}`)
	for _, c := range []struct{ name, query, want string }{
		{"numbers", "_sort=n", "8 9 4 2 3 1 6 5 7"},
		{"desc keeps the order of equal rows", "_sort=n&_order=desc", "7 5 6 1 2 3 4 9 8"},
		{"texts by code unit: digits, capitals, small letters, accents", "_sort=t", "6 7 8 2 3 9 5 1 4"},
		{"mixed types: boolean, number, text, array, object, null, absent", "_sort=m", "8 4 2 9 1 5 6 3 7"},
		{"desc turns all of it round", "_sort=m&_order=desc", "7 3 6 5 1 9 2 4 8"},
		{"deep, then null, then absent", "_sort=o.p", "2 3 1 4 5 6 7 8 9"},
		{"null before absent", "_sort=z,id", "8 1 2 3 4 5 6 7 9"},
		{"UTF-16 code units", "_sort=u&_end=7", "8 4 7 2 3 1 5"},
		{"two fields", "_sort=n,t&_order=asc,desc", "8 9 4 3 2 1 6 5 7"},
		{"missing orders are ascending", "_sort=n,t&_order=desc", "7 5 6 1 2 3 4 9 8"},
		{"any case of desc, all else is ascending", "_sort=n&_order=DESC", "7 5 6 1 2 3 4 9 8"},
		{"another word", "_sort=n&_order=down", "8 9 4 2 3 1 6 5 7"},
		{"blanks around a name", "_sort=n,+t", "8 9 4 2 3 1 6 5 7"},
		{"empty names", "_sort=,n,", "8 9 4 2 3 1 6 5 7"},
		{"an empty sort", "_sort=&_order=desc", "1 2 3 4 5 6 7 8 9"},
		{"the first page of a sort", "_sort=n&_page=1&_limit=1", "8"},
	} {
		if got, _ := ask(t, s, c.query); got != c.want {
			t.Errorf("%s: %s answers %q; want %q", c.name, c.query, got, c.want)
		}
	}
}

func TestSliceAndTotal(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 25 {
		fmt.Fprintf(&text, "{\"id\":%d,\"odd\":%t}\n", i+1, i%2 == 0)
	}
	s := source(t, text.String())
	for _, c := range []struct {
		name, query string
		first, last string // ids; "" for no row
		total       int
	}{
		{"a page has ten rows", "_page=2", "11", "20", 25},
		{"the last page", "_page=3", "21", "25", 25},
		{"beyond the end", "_page=4", "", "", 25},
		{"far beyond the end", "_page=9223372036854775807&_limit=9223372036854775807", "", "", 25},
		{"a number larger than any", "_page=99999999999999999999", "", "", 25},
		{"a page of another size", "_page=2&_limit=3", "4", "6", 25},
		{"_start and _end don't count on a page", "_page=1&_start=5&_end=6", "1", "10", 25},
		{"_start and _end", "_start=20&_end=22", "21", "22", 25},
		{"_end alone", "_end=3", "1", "3", 25},
		{"_end before _start", "_start=5&_end=3", "", "", 25},
		{"_limit doesn't count with _end", "_start=1&_end=3&_limit=1", "2", "3", 25},
		{"_start and _limit", "_start=23&_limit=5", "24", "25", 25},
		{"_limit alone", "_limit=4", "1", "4", 25},
		{"a start beyond the end", "_start=30&_limit=5", "", "", 25},
		{"a large limit", "_start=3&_limit=9223372036854775807", "4", "25", 25},
		{"_start alone", "_start=5", "1", "25", 25},
		{"empty ones are not given", "_page=&_limit=&_start=&_end=", "1", "25", 25},
		{"what follows the point", "_page=2.9&_limit=3.0", "4", "6", 25},
		{"blanks", "_page=+2+", "11", "20", 25},
		{"filters count before", "odd=true&_page=2", "21", "25", 13},
		{"sort comes before the page", "_sort=id&_order=desc&_page=2&_limit=5", "20", "16", 25},
		{"sort and a small page", "_sort=id&_order=desc&_start=1&_limit=2", "24", "23", 25},
		{"sort beyond the end", "_sort=id&_start=30&_limit=2", "", "", 25},
		{"an empty slice of a sort", "_sort=id&_end=0", "", "", 25},
	} {
		ids, total := ask(t, s, c.query)
		got := append(strings.Fields(ids), "")
		first, last := got[0], got[max(0, len(got)-2)]
		if first != c.first || last != c.last || total != c.total {
			t.Errorf("%s: %s answers %q to %q of %d; want %q to %q of %d", c.name, c.query, first, last, total, c.first, c.last, c.total)
		}
	}
}

// What a caller may not read is not there: not in lists, totals, fields.
func TestMay(t *testing.T) {
	t.Parallel()
	s := source(t, shop)
	s.May = func(r *rows.Row) bool { return r.ID == "2" || r.ID == "3" }
	for _, c := range []struct {
		query, want string
		total       int
	}{
		{"", "2 3", 2},
		{"_limit=1", "2", 2},
		{"q=ann", "", 0},
		{"id=1", "", 0},
		{"_sort=price&_order=desc", "2 3", 2},
		{"note=null", "2 3", 2},
	} {
		if got, total := ask(t, s, c.query); got != c.want || total != c.total {
			t.Errorf("%s answers %q of %d; want %q of %d", c.query, got, total, c.want, c.total)
		}
	}
	for _, query := range []string{"_rank=1", "_sort=size.w"} {
		if _, err := rows.ParseQuery(query, false, s.Known); err == nil {
			t.Errorf("%s tells of a field that only another's row has", query)
		}
	}
}

// Indexes change how long an answer takes, and nothing else.
func TestIndexesAnswerTheSame(t *testing.T) {
	t.Parallel()
	plain := source(t, shop)
	indexed := *plain
	asked := map[string]int{}
	indexed.Where = func(field string, texts []string) (found []*rows.Row, ok bool) {
		asked["where "+field]++
		for _, r := range plain.Rows {
			raw, _ := r.Field(field)
			if text, ok := rows.Text(raw); ok && slices.Contains(texts, text) || r.ID == "5" { // one too many
				found = append(found, r)
			}
		}
		return found, field != "slow"
	}
	indexed.Ordered = func(field string) ([]*rows.Row, bool) {
		asked["ordered "+field]++
		return rows.Sort(plain.Rows, rows.NewOrder(field, false)), true
	}
	for _, query := range []string{
		"", "id=1", "price=9", "price=9&id=d&title=", "price=9&_sort=id&_order=desc", "slow=1", "note=null",
		"_sort=price", "_sort=price&_order=desc", "_sort=fresh&_order=desc", "_sort=note&_order=desc&_page=1&_limit=2",
		"_sort=price&_start=1&_end=3", "_sort=price,id&_order=desc", "_sort=by.age&_order=desc&title_ne=Apple&_limit=2",
		"_sort=note&_order=desc&_start=4&_limit=9", "q=apple&_sort=price",
		"id=x1&id=x2&id=x3&id=x4&id=x5&id=x6&id=x7&id=x8&id=x9&id=1&id=2",
	} {
		want, wantTotal := ask(t, plain, query)
		if got, total := ask(t, &indexed, query); got != want || total != wantTotal {
			t.Errorf("%s answers %q of %d with indexes, %q of %d without", query, got, total, want, wantTotal)
		}
	}
	for _, c := range []string{"where id", "where price", "ordered price", "ordered note"} {
		if asked[c] == 0 {
			t.Errorf("the index was not asked: %s", c)
		}
	}
}

func TestSortKeepsItsInput(t *testing.T) {
	t.Parallel()
	s := source(t, shop)
	before := slices.Clone(s.Rows)
	ask(t, s, "_sort=price&_order=desc")
	rows.Sort(s.Rows, rows.NewOrder("title", true))
	if !slices.Equal(before, s.Rows) {
		t.Error("a sort changed the source")
	}
}

// A heap finds the first rows of a long list. They are those of the whole sort.
func TestFirstRowsOfASort(t *testing.T) {
	t.Parallel()
	s := posts(3000)
	for _, sort := range []string{"_sort=views", "_sort=title&_order=desc", "_sort=author.name,views&_order=asc,desc", "_sort=published"} {
		all, _ := ask(t, s, sort)
		for _, limit := range []int{1, 2, 3, 10, 374, 375, 376, 3000} {
			got, total := ask(t, s, fmt.Sprint(sort, "&_limit=", limit))
			if want := strings.Join(strings.Fields(all)[:limit], " "); got != want || total != 3000 {
				t.Errorf("%s: the first %d are others than those of the whole list", sort, limit)
			}
		}
	}
}
