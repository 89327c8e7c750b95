package rows

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// SetHeaders tells the client of a part of a list how many rows there are on all
// pages, and of a page where the others are. It lets scripts of other origins read
// these headers. Of a whole list it says nothing.
//
// address is that of the list as the client sees it, with scheme, host, path and
// query: https://example.com/posts?_page=2. Behind a proxy the server has to be told
// of it.
func (q *Query) SetHeaders(h http.Header, address string, total int) {
	if !q.counted {
		return
	}
	exposed := "X-Total-Count"
	h.Set("X-Total-Count", strconv.Itoa(total))
	if q.page > 0 {
		exposed += ", Link"
		h.Set("Link", q.links(address, total)) // empty if there is no other page
	}
	before := h.Get("Access-Control-Expose-Headers")
	for name := range strings.SplitSeq(exposed, ", ") {
		if !slices.Contains(strings.Split(before, ", "), name) {
			before += ", " + name
		}
	}
	h.Set("Access-Control-Expose-Headers", strings.TrimPrefix(before, ", "))
}

// links returns the links to other pages (RFC 8288). A page beyond the end has none.
func (q *Query) links(address string, total int) string {
	if q.span.from >= total {
		return ""
	}
	last := (total-1)/q.limit + 1
	var links []string
	for _, l := range []struct {
		rel  string
		page int
		due  bool
	}{
		{"first", 1, last > 1},
		{"prev", q.page - 1, q.page > 1},
		{"next", q.page + 1, q.page < last},
		{"last", last, last > 1},
	} {
		if l.due {
			links = append(links, fmt.Sprintf(`<%s>; rel="%s"`, withPage(address, l.page), l.rel))
		}
	}
	return strings.Join(links, ", ")
}

// withPage returns the address with another _page. The rest stays as it was sent, but
// for characters that no address may hold.
func withPage(address string, page int) string {
	path, query, _ := strings.Cut(address, "?")
	parts := strings.Split(query, "&")
	for i, part := range parts {
		raw, _, _ := strings.Cut(part, "=")
		if name, err := url.QueryUnescape(raw); err == nil && withoutIndex(name) == "_page" {
			parts[i] = raw + "=" + strconv.Itoa(page)
		}
	}
	var b []byte
	for _, c := range []byte(path + "?" + strings.Join(parts, "&")) {
		if c <= ' ' || c >= 0x7f || c == '<' || c == '>' || c == '"' {
			b = fmt.Appendf(b, "%%%02X", c)
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}
