package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/shelf/internal/list"
)

// BenchmarkListItems reads lists out of 1,000 items and out of a million. What
// should not depend on the number of items: a page by id, of a category or of a
// creator, all 500 items of a category, and hearing that nothing has changed.
func BenchmarkListItems(b *testing.B) {
	for _, size := range []int{1_000, 1_000_000} {
		ann := benchItems(b, size)
		q, err := itemList.Parse(httptest.NewRequest("GET", "/api/v1/items", nil))
		if err != nil {
			b.Fatal(err)
		}
		middle := q.Cursor(list.Position{ID: size / 2})
		tag := ann.send("GET /api/v1/items", "").Header().Get("ETag")
		for _, bench := range []struct{ name, target, tag string }{
			{"page by id", "/api/v1/items?limit=100", ""},
			{"page by id reversed", "/api/v1/items?limit=100&sort=-id", ""},
			{"page by id from the middle", "/api/v1/items?limit=100&after=" + middle, ""},
			{"page of a category", "/api/v1/items?limit=100&category=large", ""},
			{"page of a creator", "/api/v1/items?limit=100&createdby=1", ""},
			{"all of a category", "/api/v1/items?category=large", ""},
			{"all but not modified", "/api/v1/items", tag},
			{"categories", "/api/v1/categories", ""},
			{"page by name", "/api/v1/items?limit=100&sort=itemname", ""},
			{"page of a search", "/api/v1/items?limit=100&q=item+1", ""},
			{"search in vain", "/api/v1/items?limit=100&q=nothing", ""},
		} {
			b.Run(fmt.Sprintf("%s/of %d", strings.ReplaceAll(bench.name, " ", "_"), size), func(b *testing.B) {
				r := httptest.NewRequest("GET", bench.target, nil)
				r.Host = "localhost:8080"
				r.Header.Set("Authorization", "Bearer "+ann.token)
				if bench.tag != "" {
					r.Header.Set("If-None-Match", bench.tag)
				}
				b.ReportAllocs()
				for b.Loop() {
					w := &benchWriter{header: http.Header{}}
					ann.server.ServeHTTP(w, r)
					if w.status != 200 && bench.tag == "" || w.status != 304 && bench.tag != "" {
						b.Fatalf("GET %s = %d", bench.target, w.status)
					}
				}
			})
		}
	}
}

// benchItems is a server with so many items: 500 in the category large, the
// others in up to 1,000 more.
func benchItems(b *testing.B, size int) *queryClient {
	ann := newQueryServer(b, new(queryClock), nil, "ann")[0]
	s := ann.server.store
	items := make([]*item, size)
	for i := range items {
		id := i + 1
		it := &item{
			Itemname: fmt.Sprint("item ", id*7919%size), Category: fmt.Sprint("category ", id%1000),
			Description: "something to kick", CreatedBy: ann.user.ID,
		}
		if id%(size/500) == 0 {
			it.Category = "large"
		}
		items[i] = it
	}
	if err := s.addItem(items...); err != nil {
		b.Fatal(err)
	}
	return ann
}

// BenchmarkPutItem changes one item of a million: what the indexes cost.
func BenchmarkPutItem(b *testing.B) {
	for _, size := range []int{1_000, 1_000_000} {
		s := benchItems(b, size).server.store
		b.Run(fmt.Sprint("of ", size), func(b *testing.B) {
			n := 0
			for b.Loop() {
				n++
				_, err := s.changeItem(1+n%size, actor{all: true}, func(it *item) { it.Category = []string{"large", "small"}[n%2] })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A benchWriter throws an answer away.
type benchWriter struct {
	header http.Header
	status int
}

func (w *benchWriter) Header() http.Header         { return w.header }
func (w *benchWriter) WriteHeader(status int)      { w.status = status }
func (w *benchWriter) Write(b []byte) (int, error) { return len(b), nil }
