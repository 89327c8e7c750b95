package peers_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// placeholder is a database of the size and shape that jsonplaceholder.typicode.com has:
// users, their posts, albums and todos, and the comments and photos in these.
func placeholder() string {
	r := rand.New(rand.NewPCG(1, 1))
	text := func(words int) string {
		const latin = "sunt aut facere repellat provident occaecati excepturi optio reprehenderit qui est esse ea molestias quasi Exercitationem eum et quia nostrum"
		known := strings.Fields(latin)
		said := make([]string, words)
		for i := range said {
			said[i] = known[r.IntN(len(known))]
		}
		return strings.Join(said, " ")
	}
	var b strings.Builder
	list := func(name string, n int, row func(i int) string) {
		fmt.Fprintf(&b, "%q: [\n", name)
		for i := range n {
			comma := ","
			if i == n-1 {
				comma = ""
			}
			fmt.Fprintf(&b, "  { \"id\": %d, %s }%s\n", i+1, row(i), comma)
		}
		b.WriteString("],\n")
	}
	b.WriteString("{\n")
	list("posts", 100, func(i int) string {
		return fmt.Sprintf(`"userId": %d, "title": %q, "body": %q`, i/10+1, text(6), text(20))
	})
	list("comments", 500, func(i int) string {
		return fmt.Sprintf(`"postId": %d, "name": %q, "email": "user%d@example.com", "body": %q`, i/5+1, text(4), r.IntN(40), text(12))
	})
	list("albums", 100, func(i int) string { return fmt.Sprintf(`"userId": %d, "title": %q`, i/10+1, text(4)) })
	list("photos", 600, func(i int) string {
		return fmt.Sprintf(`"albumId": %d, "title": %q, "url": "https://example.com/600/%06x"`, i/6+1, text(5), r.IntN(1<<24))
	})
	list("todos", 200, func(i int) string {
		return fmt.Sprintf(`"userId": %d, "title": %q, "completed": %t`, i/20+1, text(5), r.IntN(2) == 0)
	})
	list("users", 10, func(i int) string {
		return fmt.Sprintf(`"name": %q, "username": "user%d", "address": { "city": %q, "geo": { "lat": "%d.%d", "lng": "-%d" } }, "company": { "name": %q }`,
			text(2), i, text(1), r.IntN(90), r.IntN(1000), r.IntN(180), text(3))
	})
	b.WriteString("\"profile\": { \"name\": \"placeholder\" }\n}\n")
	return b.String()
}
