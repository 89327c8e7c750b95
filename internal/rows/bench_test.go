package rows_test

import (
	"fmt"
	"strings"
	"testing"

	"example.com/shelf/internal/rows"
)

// posts returns a collection of n rows of about 250 bytes.
func posts(n int) *rows.Source {
	words := strings.Fields("lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor")
	s := &rows.Source{}
	for i := range n {
		title := words[i*7%len(words)] + " " + words[i*5%11] + fmt.Sprint(" ", i*7919%n)
		s.Rows = append(s.Rows, &rows.Row{Seat: i + 1, ID: fmt.Sprint(i + 1), Text: fmt.Sprintf(
			`{"id":%d,"title":%q,"body":%q,"views":%d,"price":%d.%02d,"tags":["a%d","b"],"author":{"name":"n%d"},"userId":%d,"published":%t}`,
			i+1, title, strings.Repeat(title+" ", 6), i*104729%n, i%100, i%97+1, i%7, i%50, i%100, i%3 == 0)})
	}
	return s
}

func BenchmarkSelect(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		s := posts(n)
		for _, c := range []struct{ name, query string }{
			{"list", ""},
			{"page", "_page=2"},
			{"equal", "userId=7"},
			{"equal-by-text", "title=lorem+ipsum+0"},
			{"ids", "id=1&id=20&id=300&id=4&id=5&id=6&id=7&id=8&id=9&id=10"},
			{"deep", "author.name=n3"},
			{"range", "views_gte=10&views_lt=20"},
			{"like", "title_like=IPSUM"},
			{"like-expression", "title_like=^l.*9$"},
			{"q", "q=eiusmod+tempor+1"},
			{"sort-number", "_sort=views"},
			{"sort-text", "_sort=title"},
			{"sort-two", "_sort=author.name,views&_order=asc,desc"},
			{"sort-page", "_sort=views&_order=desc&_page=1"},
			{"all-of-it", "title_like=dolor&userId_lt=50&_sort=title&_page=1&_limit=20"},
		} {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					q, err := rows.ParseQuery(c.query, false, s.Known)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := q.Select(*s); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
