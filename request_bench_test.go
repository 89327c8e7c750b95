package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkRequest is what a request costs in shelf, on top of what net/http and
// the network cost: the requests that test/bench sends, with the log that a server
// has by default and a store in memory.
func BenchmarkRequest(b *testing.B) {
	for _, bench := range []struct {
		name, request, body string
		status              int
	}{
		{"get", "GET /api/v1/items/500", "", 200},
		{"page", "GET /api/v1/items?limit=100", "", 200},
		{"post", "POST /api/v1/items", `{"itemname":"Item number 1234567","category":"Category 7","description":"A plain description of this item, as long as most are."}`, 201},
		{"signin", "POST /api/v1/auth/signin", `{"email":"ann@example.com","password":"` + annPassword + `"}`, 200},
	} {
		b.Run(bench.name, func(b *testing.B) {
			a := newAPI(b)
			a.log = newLog(a.config, b.Output())
			token := a.session("ann").Access
			for i := range 1000 {
				if err := a.store.addItem(benchItem(i)); err != nil {
					b.Fatal(err)
				}
			}
			method, target, _ := strings.Cut(bench.request, " ")
			r := httptest.NewRequest(method, target, nil)
			r.Host = "127.0.0.1:8080"
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/json")
			r.ContentLength = int64(len(bench.body))
			w := &benchWriter{header: http.Header{}}
			var body strings.Reader
			r.Body = benchBody{&body}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header) // net/http makes it, and the request, and the body
				body.Reset(bench.body)
				if a.ServeHTTP(w, r); w.status != bench.status {
					b.Fatalf("%s = %d; want %d", bench.request, w.status, bench.status)
				}
			}
		})
	}
}

// A benchBody is a body that can be sent again.
type benchBody struct{ *strings.Reader }

func (benchBody) Close() error { return nil }
