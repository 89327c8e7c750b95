package rows_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"example.com/shelf/internal/rows"
)

func TestSetHeaders(t *testing.T) {
	t.Parallel()
	const total, link, both = "X-Total-Count", "Link", "X-Total-Count, Link"
	for _, c := range []struct {
		name, query string
		total       int
		link        string // "none" for no header; a link is its page and its rel
		exposed     string
	}{
		{"a whole list", "a=1", 25, "none", ""},
		{"_start alone", "_start=3", 25, "none", ""},
		{"empty ones", "_page=&_end=&_limit=", 25, "none", ""},
		{"_end", "_end=3", 25, "none", total},
		{"_start and _end", "_start=2&_end=3", 25, "none", total},
		{"_limit", "_limit=3", 25, "none", total},
		{"_start and _limit", "_start=2&_limit=3", 25, "none", total},
		{"the first page", "_page=1", 25, "1 first, 2 next, 3 last", both},
		{"a page in the middle", "_page=2", 25, "1 first, 1 prev, 3 next, 3 last", both},
		{"the last page", "_page=3", 25, "1 first, 2 prev, 3 last", both},
		{"the last page is full", "_page=2", 20, "1 first, 1 prev, 2 last", both},
		{"one page", "_page=1", 10, "", both},
		{"one short page", "_page=1&_limit=11", 10, "", both},
		{"an empty list", "_page=1", 0, "", both},
		{"beyond the end", "_page=4", 25, "", both},
		{"far beyond the end", "_page=9223372036854775807", 25, "", both},
		{"another size", "_page=2&_limit=12", 25, "1 first, 1 prev, 3 next, 3 last", both},
	} {
		q, err := rows.ParseQuery(c.query, false, func(string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		q.SetHeaders(h, "http://a/x?"+c.query, c.total)
		page, _, _ := strings.Cut(c.query, "&")
		for part := range strings.SplitSeq(c.query, "&") {
			if strings.HasPrefix(part, "_page=") {
				page = part
			}
		}
		var links []string
		for l := range strings.SplitSeq(c.link, ", ") {
			if number, rel, ok := strings.Cut(l, " "); ok {
				links = append(links, fmt.Sprintf(`<http://a/x?%s>; rel="%s"`, strings.Replace(c.query, page, "_page="+number, 1), rel))
			}
		}
		want := http.Header{}
		if c.exposed != "" {
			want.Set(total, fmt.Sprint(c.total))
			want.Set("Access-Control-Expose-Headers", c.exposed)
		}
		if c.link != "none" {
			want.Set(link, strings.Join(links, ", "))
		}
		if !reflect.DeepEqual(h, want) {
			t.Errorf("%s: got %q; want %q", c.name, h, want)
		}
	}
}

func TestLinksKeepTheAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, address, want string }{
		{"what else is asked", "https://example.com/api/posts?title=a+b%20c&_page=2&_limit=1&tag=ü", "https://example.com/api/posts?title=a+b%20c&_page=3&_limit=1&tag=%C3%BC"},
		{"a parameter that ends in page", "http://a/posts?homepage=2&_page=2&_limit=1", "http://a/posts?homepage=2&_page=3&_limit=1"},
		{"a number with zeros", "http://a/posts?_page=02&_limit=1", "http://a/posts?_page=3&_limit=1"},
		{"an encoded name", "http://a/posts?_limit=1&%5Fpage=%32", "http://a/posts?_limit=1&%5Fpage=3"},
		{"what would end the link", `http://a/posts?_page=2&_limit=1&x=>;rel="evil`, `http://a/posts?_page=3&_limit=1&x=%3E;rel=%22evil`},
	} {
		_, query, _ := strings.Cut(c.address, "?")
		q, err := rows.ParseQuery(query, false, func(string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{"Access-Control-Expose-Headers": {"ETag, X-Total-Count"}}
		q.SetHeaders(h, c.address, 9)
		if got := h.Get("Link"); !strings.Contains(got, "<"+c.want+`>; rel="next"`) {
			t.Errorf("%s: got %s; want %s", c.name, got, c.want)
		}
		if got := h.Get("Access-Control-Expose-Headers"); got != "ETag, X-Total-Count, Link" {
			t.Errorf("exposed: %s", got)
		}
	}
}

func TestPretty(t *testing.T) {
	t.Parallel()
	list := `[{"id":1,"n":1.10,"big":9007199254740993,"t":"<\u0000>"},{},{"a":[],"b":[1,{"c":null}]}]`
	want := `[
  {
    "id": 1,
    "n": 1.10,
    "big": 9007199254740993,
    "t": "<\u0000>"
  },
  {},
  {
    "a": [],
    "b": [
      1,
      {
        "c": null
      }
    ]
  }
]`
	if got := string(rows.Pretty([]byte(list))); got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}
