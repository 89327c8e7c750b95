package rows_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"example.com/shelf/internal/rows"
)

// source returns a collection with one row for each line of text.
func source(t testing.TB, text string) *rows.Source {
	t.Helper()
	s := &rows.Source{}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		r := row(t, line)
		r.Seat = len(s.Rows) + 1
		s.Rows = append(s.Rows, r)
	}
	return s
}

// ask returns the ids of the rows that a query answers, and how many there are.
func ask(t testing.TB, s *rows.Source, query string) (ids string, total int) {
	t.Helper()
	q, err := rows.ParseQuery(query, false, s.Known)
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return "", 0
	}
	return answer(t, s, q)
}

func answer(t testing.TB, s *rows.Source, q *rows.Query) (ids string, total int) {
	t.Helper()
	result, err := q.Select(*s)
	if err != nil {
		t.Error(err)
	}
	var all []string
	for _, r := range result.Rows {
		all = append(all, r.ID)
	}
	return strings.Join(all, " "), result.Total
}

const shop = `
	{"id":1,"title":"Apple","price":9,"tags":["red","round"],"by":{"name":"Ann","age":30},"fresh":true,"note":null,"big":1e21,"date":"2024-01-05"}
	{"id":2,"title":"apple pie","price":10,"tags":[],"by":{"name":"Bob"},"fresh":false,"by.name":"literal","date":"2024-02-01"}
	{"id":3,"title":"Éclair","price":9.50,"tags":["brown"],"fresh":"true","note":"null","big":9007199254740993}
	{"id":"d","title":"","price":"9","by":[{"name":"Ann"}],"note":"say \"hi\" \\ bye","big":-0,"_rank":1}
	{"id":5,"price":1.10,"title":"null","size":{"w":1,"h":[2]},"a[b]":1,"x y":"p+q","callback":"f","big":1e-7}`

func TestFilters(t *testing.T) {
	t.Parallel()
	s := source(t, shop)
	for _, c := range []struct{ name, query, want string }{
		{"no parameter", "", "1 2 3 d 5"},
		{"equal to the text, in the same case", "title=Apple", "1"},
		{"a number and a text of one spelling", "price=9", "1 d"},
		{"a number as JavaScript prints it", "price=9.5", "3"},
		{"another spelling of a number is another text", "price=9.50", ""},
		{"trailing zeros", "price=1.1", "5"},
		{"a large number", "big=1e%2B21", "1"},
		{"a small number", "big=1e-7", "5"},
		{"minus zero", "big=0", "d"},
		{"a whole number beyond 2^53 is exact", "big=9007199254740993", "3"},
		{"its neighbour is another number", "big=9007199254740992", ""},
		{"booleans", "fresh=true", "1 3"},
		{"false", "fresh=false", "2"},
		{"an array is its JSON text", `tags=["red","round"]`, "1"},
		{"an empty array", "tags=[]", "2"},
		{"an object is its JSON text", `by={"name":"Bob"}`, "2"},
		{"the empty text", "title=", "d"},
		{"a name alone is the empty text", "title", "d"},
		{"a text with escapes", `note=say+%22hi%22+\+bye`, "d"},
		{"null matches null, absent and the text", "note=null", "1 2 3 5"},
		{"any of several", "id=1&id=5&id=d", "1 d 5"},
		{"the array forms of other libraries", "id[]=1&id[]=2&id[7]=3", "1 2 3"},
		{"the same, encoded", "id%5B%5D=1&id%5B0%5D=2", "1 2"},
		{"all of several fields", "price=9&title=Apple", "1"},
		{"one repeated, one not", "id=1&title=Apple&id=2", "1"},
		{"deep", "by.age=30", "1"},
		{"a literal name comes before a deep one", "by.name=literal", "2"},
		{"deep where there is no literal name", "by.name=Ann", "1"},
		{"an element of an array", "tags.0=red", "1"},
		{"deep in an element", "by.0.name=Ann", "d"},
		{"the last element", "tags.1=round", "1"},
		{"deep in an array in an object", "size.h.0=2", "5"},
		{"a name in brackets is that name", "a[b]=1", "5"},
		{"a plus is a blank, %2B a plus", "x+y=p%2Bq", "5"},
		{"a field that no row has matches nothing", "tittle=Apple", ""},
		{"not even null", "tittle=null", ""},
		{"not even by an empty text", "tittle=", ""},
		{"names are exact", "Title=Apple", ""},
		{"a field that begins with _", "_rank=1", "d"},
		{"a field called callback", "callback=f", "5"},
		{"a bare _ is ignored", "_=1700000000000&title=Apple", "1"},
		{"empty parts are ignored", "&&=5&title=Apple&", "1"},
		{"pretty is no filter", "pretty&title=Apple", "1"},
		{"more than a few values", "id=x1&id=x2&id=x3&id=x4&id=x5&id=x6&id=x7&id=x8&id=x9&id=1&id=2", "1 2"},
	} {
		if got, _ := ask(t, s, c.query); got != c.want {
			t.Errorf("%s: %s answers %q; want %q", c.name, c.query, got, c.want)
		}
	}
}

func TestOperators(t *testing.T) {
	t.Parallel()
	s := source(t, shop+`
		{"id":"e","price":null,"date":"2023-12-31","z":"\uffff"}
		{"id":"f","z":"😀","price":true}`)
	for _, c := range []struct{ name, query, want string }{
		{"_gte", "price_gte=9.5", "2 3"},
		{"_lte compares texts as texts", "price_lte=9", "1 d 5 f"},
		{"_gt", "price_gt=9", "2 3"},
		{"_lt", "price_lt=9.5", "1 d 5 f"},
		{"a range", "price_gte=5&price_lt=10", "1 3"},
		{"a text that is a longer number", "price_gt=10&price_gt=100", "d"},
		{"ISO dates are texts", "date_gte=2024-01-05&date_lte=2024-01-31", "1"},
		{"repeated: any", "price_gte=100&price_gte=10", "2 d"},
		{"a bound that is no number", "big_gte=abc", ""},
		{"an empty bound is 0", "big_lte=", "d"},
		{"0x10 is 16", "price_lt=0x9", "5 f"},
		{"0b and 0o", "price_lte=0b1&price_lte=0o1", "f"},
		{"no sign before 0x", "big_gt=-0x5", ""},
		{"blanks around a bound", "big_gte=+1e21+", "1"},
		{"Infinity", "big_lt=Infinity", "1 3 d 5"},
		{"minus Infinity", "big_gt=-Infinity", "1 3 d 5"},
		{"inf and nan are no numbers", "big_lt=inf&big_gt=nan&big_lt=1_000", ""},
		{"true is 1", "fresh_gte=1", "1 3"},
		{"false is 0", "fresh_lte=0", "2"},
		{"beyond 2^53 exactly", "big_gt=9007199254740992", "1 3"},
		{"beyond 2^53 exactly, equal", "big_gte=9007199254740993", "1 3"},
		{"beyond 2^53 exactly, below", "big_gte=9007199254740994", "1"},
		{"texts by UTF-16 code unit", "z_lt=%EF%BF%BF", "f"},
		{"_ne=null wants a value", "note_ne=null", "d"},
		{"_ne keeps null and absent", "title_ne=Apple", "2 3 d 5 e f"},
		{"_ne of the empty text", "title_ne=", "1 2 3 5 e f"},
		{"repeated _ne: all", "title_ne=Apple&title_ne=", "2 3 5 e f"},
		{"_ne as text", "price_ne=9", "2 3 5 e f"},
		{"_ne of a field that no row has keeps all", "tittle_ne=Apple", "1 2 3 d 5 e f"},
		{"_like anywhere, without regard to case", "title_like=PLE", "1 2"},
		{"_like with an expression", "title_like=^apple$", "1"},
		{"_like of a letter that isn't ASCII", "title_like=é", "3"},
		{"_like with a class and a count", `title_like=p{2}l[a-e]\s`, "2"},
		{"_like= matches every row with a value", "note_like=", "3 d"},
		{"repeated _like: any", "title_like=^a.*e$&title_like=clair", "1 2 3"},
		{"_like of numbers", `price_like=^9\.5$`, "3"},
		{"_like of an array", "tags_like=ROUND", "1"},
		{"_like of a text with escapes", `note_like=\\ b`, "d"},
		{"operators on deep fields", "by.age_gt=29", "1"},
		{"an operator on a field that no row has", "tittle_gte=0", ""},
		{"_like on a field that no row has", "tittle_like=", ""},
	} {
		if got, _ := ask(t, s, strings.ReplaceAll(c.query, " ", "%20")); got != c.want {
			t.Errorf("%s: %s answers %q; want %q", c.name, c.query, got, c.want)
		}
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	s := source(t, shop)
	for _, c := range []struct{ name, query, want string }{
		{"any field, without regard to case", "q=APPLE", "1 2"},
		{"nested objects", "q=bob", "2"},
		{"arrays", "q=round", "1"},
		{"objects in arrays", "q=ann", "1 d"},
		{"names of members are not searched", "q=title", ""},
		{"numbers", "q=9.5", "3"},
		{"numbers as JavaScript prints them", "q=1.10", ""},
		{"0 is never found, nor minus zero", "q=0&price=9&id=d", ""},
		{"false is never found", "q=false", ""},
		{"true is found", "q=true", "1 3"},
		{"null is never found, a text null is", "q=null", "3 5"},
		{"letters that aren't ASCII", "q=É", "3"},
		{"in the other case", "q=éCLAIR", "3"},
		{"escapes", "q=%22HI%22+\\", "d"},
		{"q= is none", "q=", "1 2 3 d 5"},
		{"repeated q counts once", "q=apple&q=pie", "1 2"},
		{"with a filter", "q=apple&price=10", "2"},
	} {
		if got, _ := ask(t, s, c.query); got != c.want {
			t.Errorf("%s: %s answers %q; want %q", c.name, c.query, got, c.want)
		}
	}
}

func TestBadQueries(t *testing.T) {
	t.Parallel()
	s := source(t, shop)
	many := func(format string, n int) string {
		var parts []string
		for i := range n {
			parts = append(parts, fmt.Sprintf(format, i))
		}
		return strings.Join(parts, "&")
	}
	for _, c := range []struct{ name, query, want string }{
		{"_page below 1", "_page=0", `_page must be a whole number from 1 on, not "0"`},
		{"a negative _page", "_page=-1", "_page must be"},
		{"a _page that is no number", "_page=abc", `not "abc"`},
		{"a number with something behind it", "_page=5x", "_page must be"},
		{"_limit below 1", "_limit=0", "_limit must be a whole number from 1 on"},
		{"_limit on a page below 1", "_page=1&_limit=0", "_limit must be"},
		{"a _limit that is no number", "_limit=all", `_limit must be a whole number from 1 on, not "all"`},
		{"a _limit that doesn't count", "_end=3&_limit=0", "_limit must be"},
		{"a negative _start", "_start=-3&_end=2", "_start must be a whole number from 0 on"},
		{"an _end that is no number", "_end=x", "_end must be"},
		{"a long value is cut", "_page=" + strings.Repeat("9x", 500), `9x9x"`},
		{"_sort by a field that no row has", "_sort=tittle", `_sort names a field that no row has: "tittle"`},
		{"_sort with a minus", "_sort=-price", "write _sort=price&_order=desc"},
		{"repeated _sort", "_sort=price&_sort=title", "_sort must be given only once: separate fields by commas"},
		{"repeated _order", "_order=asc&_order=desc", "_order must be given only once"},
		{"repeated _page", "_page=1&_page=2", "_page must be given only once"},
		{"an unknown parameter", "_foo=1", `"_foo" is no parameter here, and no row has such a field: the parameters are _embed, _end, _expand, _limit, _order, _page, _sort, _start; after a field's name may stand _gte, _lte, _gt, _lt, _ne, _like`},
		{"an unknown parameter with an operator", "_foo_gte=1", `"_foo_gte" is no parameter`},
		{"an operator without a field", "_gte=1", `"_gte" is no parameter`},
		{"json-server 1's pages", "_per_page=10", "use _page with _limit"},
		{"_delay", "_delay=300", "_delay is no parameter here: start shelf with -delay"},
		{"a bad expression", "title_like=(", "title_like must be a regular expression (RE2; look-around and back references are not supported): missing closing ): `(`: write \\ before"},
		{"look-around", "title_like=(%3F=a)", "title_like must be a regular expression"},
		{"a back reference", `title_like=(a)\1`, "title_like must be a regular expression"},
		{"a long expression", "title_like=" + strings.Repeat("a", 1025), "title_like must not be longer than 1024 bytes"},
		{"an expression that repeats repetitions", "title_like=((a{1,30}){1,30}){1,30}", "title_like"},
		{"a percent sign", "title=50%", "write %25 for a percent sign"},
		{"a percent sign in a name", "ti%zztle=5", "write %25 for a percent sign"},
		{"too many parameters", many("id=%d", 1001), "more than 1000 parameters"},
		{"too many conditions", many("f%d=1", 51), "more than 50 conditions"},
		{"too many bounds", many("price_gte=%d", 51), "more than 50 conditions"},
		{"too many fields to sort by", "_sort=" + strings.TrimSuffix(strings.Repeat("id,", 11), ","), "_sort must not name more than 10 fields"},
		{"too many relations", many("_embed=c%d", 11), "_embed must not be given more than 10 times"},
	} {
		_, err := rows.ParseQuery(c.query, false, s.Known)
		var readable *rows.Error
		if !errors.As(err, &readable) || readable.Kind != rows.Invalid || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 500 {
			t.Errorf("%s: got %v; want an *Error with %q", c.name, err, c.want)
		}
	}
	if _, err := rows.ParseQuery(many("id=%d", 1000), false, s.Known); err != nil {
		t.Errorf("1000 ids: %v", err)
	}
	if _, err := rows.ParseQuery("callback=f", false, func(string) bool { return false }); err == nil || !strings.Contains(err.Error(), "JSONP") {
		t.Errorf("JSONP: %v", err)
	}
}

// An expression can't keep the server busy.
func TestLikeHasABudget(t *testing.T) {
	t.Parallel()
	text := `{"id":1,"t":"` + strings.Repeat("a", 1<<17) + `"}`
	s := source(t, strings.Repeat(text+"\n", 20))
	q, err := rows.ParseQuery("t_like=^b{600}", false, s.Known)
	if err != nil {
		t.Fatal(err)
	}
	var readable *rows.Error
	if _, err = q.Select(*s); !errors.As(err, &readable) || !strings.Contains(err.Error(), "_like would take too long") {
		t.Errorf("got %v", err)
	}
}

func TestLenientIgnoresUnknownFields(t *testing.T) {
	t.Parallel()
	s := source(t, shop)
	for _, c := range []struct{ query, want string }{
		{"tittle=Apple", "1 2 3 d 5"},
		{"tittle=null", "1 2 3 d 5"},
		{"tittle=Apple&id=5", "5"},
		{"tittle_gte=5", ""},
		{"tittle_like=5", ""},
		{"tittle_ne=5", "1 2 3 d 5"},
		{"title=Apple", "1"},
	} {
		q, err := rows.ParseQuery(c.query, true, s.Known)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := answer(t, s, q); got != c.want {
			t.Errorf("%s answers %q; want %q", c.query, got, c.want)
		}
	}
}

// A list is empty at first. Its page works nevertheless.
func TestAnEmptyListKnowsEveryField(t *testing.T) {
	t.Parallel()
	s := &rows.Source{}
	if got, total := ask(t, s, "title=x&_sort=title,year&_id=5&_page=1"); got != "" || total != 0 {
		t.Errorf("got %q of %d", got, total)
	}
}

func TestRequire(t *testing.T) {
	t.Parallel()
	s := source(t, `
		{"id":1,"postId":3}
		{"id":2,"postId":"3"}
		{"id":3,"postId":3.0}
		{"id":4,"postId":null}
		{"id":5}
		{"id":6,"postId":[3]}
		{"id":7,"postId":"null"}
		{"id":8,"postId":"[3]"}`)
	for _, c := range []struct{ name, query, key, want string }{
		{"as text", "", "3", "1 2 3"},
		{"an own one in the query loses", "postId=1&postId=null", "3", "1 2 3"},
		{"other parameters work", "postId=1&id_gt=1", "3", "2 3"},
		{"null names no row", "", "null", "7"},
		{"nor does an array", "", "[3]", "8"},
		{"no child", "", "9", ""},
	} {
		q, err := rows.ParseQuery(c.query, false, s.Known)
		if err != nil {
			t.Fatal(err)
		}
		q.Require("postId", c.key)
		if got, _ := answer(t, s, q); got != c.want {
			t.Errorf("%s: got %q; want %q", c.name, got, c.want)
		}
	}
	empty := source(t, `{"id":1}`)
	q, err := rows.ParseQuery("", true, empty.Known)
	if err != nil {
		t.Fatal(err)
	}
	q.Require("postId", "3")
	if got, _ := answer(t, empty, q); got != "" {
		t.Errorf("where no child has the key, all children are answered: %s", got)
	}
}

func TestParseRowQuery(t *testing.T) {
	t.Parallel()
	q, err := rows.ParseRowQuery("_embed=comments&_embed=likes&_embed=comments&_expand=user&title=x&_page=abc&_foo=1&pretty&_embed=", "1")
	if err != nil || !slices.Equal(q.Embed, []string{"comments", "likes"}) || !slices.Equal(q.Expand, []string{"user"}) || !q.Pretty {
		t.Errorf("got %+v, %v", q, err)
	}
	if q, err = rows.ParseRowQuery("pretty=false", "1"); err != nil || q.Pretty {
		t.Errorf("pretty=false: %+v, %v", q, err)
	}
	if _, err = rows.ParseRowQuery("_embed=%", "1"); err == nil {
		t.Error("a percent sign is accepted")
	}
	if got, total := answer(t, source(t, shop), q); got != "1 2 3 d 5" || total != 5 {
		t.Errorf("a query without conditions answers %q of %d", got, total)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw, want string
		ok        bool
	}{
		{`"a\n\"b"`, "a\n\"b", true},
		{"true", "true", true},
		{"null", "", false},
		{"", "", false},
		{`[1, 2]`, "[1, 2]", true},
		{"5", "5", true}, {"-5", "-5", true}, {"5.0", "5", true}, {"5.10", "5.1", true}, {"0.1", "0.1", true},
		{"-0", "0", true}, {"-0.0", "0", true}, {"0e5", "0", true}, {"1E2", "100", true}, {"1e21", "1e+21", true},
		{"123456789012345678901", "123456789012345678901", true}, {"1234567890123456789012", "1.2345678901234568e+21", true},
		{"0.000001", "0.000001", true}, {"0.0000001", "1e-7", true}, {"1e-10", "1e-10", true}, {"1.5e300", "1.5e+300", true},
		{"0.30000000000000004", "0.30000000000000004", true}, {"0.1000000000000000055511151231257827", "0.1", true},
		{"1e400", "Infinity", true}, {"-1e400", "-Infinity", true}, {fmt.Sprint(math.MaxInt64), fmt.Sprint(math.MaxInt64), true},
	} {
		if got, ok := rows.Text(c.raw); got != c.want || ok != c.ok {
			t.Errorf("%s: got %q, %t; want %q, %t", c.raw, got, ok, c.want, c.ok)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{"", "a=1&a=2", "_sort=id,title&_order=desc&_page=1&_limit=2", "title_like=^a", "price_gte=0x5&price_lt=+9+", "id[]=1&q=%C3%A9",
		"_start=1&_end=9", "by.name_ne=null&tags.0=red", "%zz", "_embed=a&_expand=b&pretty"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	plain := source(f, shop)
	indexed := *plain
	indexed.Ordered = func(field string) ([]*rows.Row, bool) {
		return rows.Sort(plain.Rows, rows.NewOrder(field, false)), true
	}
	f.Fuzz(func(t *testing.T, query string, lenient bool) {
		q, err := rows.ParseQuery(query, lenient, plain.Known)
		if err != nil {
			var readable *rows.Error
			if !errors.As(err, &readable) || len(err.Error()) > 2000 {
				t.Fatalf("%q: %v", query, err)
			}
			return
		}
		result, err := q.Select(*plain)
		if err != nil {
			t.Fatalf("%q: %v", query, err)
		}
		again, err := q.Select(indexed)
		if err != nil || !slices.Equal(result.Rows, again.Rows) || result.Total != again.Total {
			t.Fatalf("%q answers otherwise with an index: %v", query, err)
		}
		if len(result.Rows) > result.Total || result.Total > len(plain.Rows) {
			t.Fatalf("%q answers %d of %d rows", query, len(result.Rows), result.Total)
		}
	})
}
