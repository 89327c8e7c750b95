package peers_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A generator makes requests at random, the same ones for the same seed.
type generator struct {
	*rand.Rand
	*model
	lenient bool // shelf ignores a filter on a field that no row has, as the real server does
}

// randomScenario is a pair of servers with n generated requests: reads of all kinds and
// writes, and at the end all that the data has become.
func randomScenario(t *testing.T, name, data string, seed uint64, n int) *scenario {
	t.Helper()
	s := &scenario{name: fmt.Sprintf("random/%s/%d", name, seed), data: data, flags: []string{"-open"}, generated: true}
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 17)), model: newModel(t, data), lenient: seed%2 == 1}
	if g.lenient {
		s.flags = append(s.flags, "-lenient")
	}
	for len(s.requests) < n {
		r := g.request()
		if r == nil {
			continue // a draw that both sides answer differently on purpose
		}
		if r.header == nil {
			r.header = http.Header{}
		}
		s.requests = append(s.requests, r)
	}
	s.requests = append(s.requests, &request{method: "GET", path: "/db", header: http.Header{}})
	return s
}

// one returns one of several, the zero value of none.
func one[T any](g *generator, of []T) (t T) {
	if len(of) == 0 {
		return t
	}
	return of[g.IntN(len(of))]
}

// chance is true once in n times.
func (g *generator) chance(n int) bool { return g.IntN(n) == 0 }

func (g *generator) request() *request {
	name := one(g, g.names)
	if strings.ContainsFunc(name, func(r rune) bool { return r > 'z' || r == ' ' }) {
		return nil // no address reaches it there
	}
	switch g.IntN(12) {
	case 0, 1, 2, 3, 4:
		return g.list("/"+name, name)
	case 5:
		return g.nested(name)
	case 6:
		return &request{method: one(g, []string{"GET", "GET", "HEAD"}), path: "/" + name + "/" + g.id(name) + g.related(name, "?")}
	case 7:
		if len(g.singles) > 0 && g.chance(2) {
			return g.write(one(g, []string{"PUT", "PATCH", "POST"}), "/"+one(g, g.singles), g.body("", nil))
		}
		return g.post(name)
	case 8:
		return g.post(name)
	case 9, 10:
		return g.change(name)
	}
	return g.delete(name)
}

func (g *generator) write(method, path string, body row) *request {
	return &request{method: method, path: path, body: body.text()}
}

// id returns the id of a row as it stands in an address, now and then one of no row.
func (g *generator) id(name string) string {
	if g.chance(8) || len(g.rows[name]) == 0 {
		return one(g, []string{"9999", "none", "0", "01", "1.0", "-1", "%20"})
	}
	return url.PathEscape(content(one(g, g.rows[name]).get("id")))
}

// list asks a list with parameters of all kinds.
func (g *generator) list(path, name string) *request {
	var asked []string
	add := func(name, value string) { asked = append(asked, url.QueryEscape(name)+"="+url.QueryEscape(value)) }
	for range g.IntN(3) {
		if !g.filter(name, add) {
			return nil
		}
	}
	if g.chance(5) {
		add("q", g.word(name))
	}
	if g.chance(2) && !g.sort(name, add) {
		return nil
	}
	g.page(add)
	g.Shuffle(len(asked), func(i, j int) { asked[i], asked[j] = asked[j], asked[i] })
	query := strings.Join(asked, "&")
	if query += g.related(name, "&"); query != "" {
		query = "?" + strings.TrimPrefix(query, "&")
	}
	return &request{method: one(g, []string{"GET", "GET", "GET", "GET", "HEAD"}), path: path + query}
}

// field returns a field of a row: a member, or a part of an object.
func (g *generator) field(name string) string {
	if len(g.rows[name]) == 0 || g.chance(12) {
		return one(g, []string{"id", "title", "nothing", "tags.0", "tags.1", "meta.lang"})
	}
	m := one(g, one(g, g.rows[name]))
	if m.raw[0] == '{' && m.raw != "{}" && g.chance(2) {
		return m.name + "." + one(g, mustRow(m.raw)).name
	}
	return m.name
}

// plain are the types whose filters both sides read alike.
var plain = []byte{'n', '"', 'b', '0', 0}

// oddValues are texts that JavaScript reads as numbers, or almost.
var oddValues = []string{"0x10", " 5 ", "1e1", "1E3", "-0", "+3", ".5", "5.", "05", "9.0", "Infinity", "-Infinity", "NaN", "1_000", "0b11", "0o7", "\t12\n", "1e400", "--1", "1,5"}

// filter adds a condition. It returns false for one that both sides read differently.
func (g *generator) filter(name string, add func(name, value string)) bool {
	field := g.field(name)
	if !g.all(name, field, plain...) {
		return false // an array or an object
	}
	value := g.word(name)
	if same := one(g, g.rows[name]).get(field); same != "" && same != "null" && g.chance(2) {
		value = content(same)
	}
	if g.chance(6) {
		value = one(g, oddValues)
	}
	switch op := one(g, []string{"", "", "", "_ne", "_gte", "_lte", "_like"}); op {
	case "":
		if value == "null" || !g.lenient && !g.has(name, field) {
			return false
		}
		form := one(g, []string{"", "", "", "[]"}) // qs mixes no two of them
		if strings.Contains(field, ".") {
			form = ""
		}
		add(field+form, value)
		if again := one(g, g.rows[name]).get(field); again != "" && again != "null" && again != `"null"` {
			add(field+form, content(again))
		}
	case "_ne":
		if !g.all(name, field, 'n', '"', 'b') {
			return false
		}
		add(field+op, value)
	case "_like":
		add(field+op, one(g, []string{"^", "", "[a-m]", "."})+one(g, []string{"o", "a", "1", "", "st", "É", "\\d", "s+", "e|i"})+one(g, []string{"", "", "$", ".*"}))
	default:
		add(field+op, value)
	}
	return true
}

// word returns a text that a row may have.
func (g *generator) word(name string) string {
	if text := content(one(g, one(g, g.rows[name])).raw); g.chance(2) && text != "" && text[0] < 0x80 && len(text) < 200 {
		from := g.IntN(len(text))
		return strings.ToValidUTF8(text[from:from+g.IntN(min(len(text)-from, 6))+1], "")
	}
	return one(g, []string{"a", "E", "on", "true", "1", "0", "10", "2.5", "é", "É", "ß", "🦊", "2024-01-05", " ", "", "Z", "%", "\"", "e"})
}

// sort adds _sort and _order. It returns false for fields that both sides sort differently.
func (g *generator) sort(name string, add func(name, value string)) bool {
	var fields, orders []string
	for range 1 + g.IntN(2) {
		field := g.field(name)
		if !g.has(name, field) && len(g.rows[name]) > 0 || !g.all(name, field, 'n', '0', 0) && !g.all(name, field, '"', '0', 0) && !g.all(name, field, 'b', '0', 0) {
			return false
		}
		fields = append(fields, field)
		orders = append(orders, one(g, []string{"asc", "desc", "DESC", "up"}))
	}
	add("_sort", strings.Join(fields, ","))
	if g.chance(2) {
		add("_order", strings.Join(orders[:1+g.IntN(len(orders))], ","))
	}
	return true
}

// page adds the parameters of a page or of a slice.
func (g *generator) page(add func(name, value string)) {
	if g.chance(2) {
		return
	}
	for _, p := range []struct {
		name  string
		least int
	}{{"_page", 1}, {"_limit", 1}, {"_start", 0}, {"_end", 0}} {
		if g.chance(3) {
			add(p.name, strconv.Itoa(p.least+g.IntN(5)))
		}
	}
}

// related returns _embed and _expand, behind between.
func (g *generator) related(name, between string) (query string) {
	if children, key := g.children(name); len(children) > 0 && g.chance(4) {
		child := one(g, children)
		if g.sameTypes(name, child, key) {
			query, between = query+between+"_embed="+child, "&"
		}
	}
	if rows := g.rows[name]; len(rows) > 0 && g.chance(4) {
		for _, m := range rows[0] {
			if parent, ok := g.parent(m.name); ok && g.all(name, m.name, 'n', '"') && len(g.rows[parent]) > 0 {
				query, between = query+between+"_expand="+strings.TrimSuffix(m.name, "Id"), "&"
			}
		}
	}
	return query
}

// sameTypes reports whether the keys of children have the type of their parents' ids. The
// real server embeds no others.
func (g *generator) sameTypes(parent, child, key string) bool {
	return g.all(parent, "id", 'n') && g.all(child, key, 'n', '0', 0) || g.all(parent, "id", '"') && g.all(child, key, '"', '0', 0)
}

// nested asks for the children of a row.
func (g *generator) nested(name string) *request {
	children, _ := g.children(name)
	if len(children) == 0 {
		return nil
	}
	child := one(g, children)
	return g.list("/"+name+"/"+g.id(name)+"/"+child, child)
}

// body returns members for a row. Keys of parents name parents that exist.
func (g *generator) body(name string, like row) (body row) {
	for _, m := range like {
		if m.name == "id" || !g.chance(2) {
			continue
		}
		if parent, ok := g.parent(m.name); ok {
			if len(g.rows[parent]) > 0 {
				body = body.set(m.name, one(g, g.rows[parent]).get("id"))
			}
			continue
		}
		body = body.set(m.name, g.value(2))
	}
	for range g.IntN(3) {
		body = body.set(one(g, []string{"title", "extra", "größe", "note", "a b"}), g.value(2))
	}
	return body
}

// value returns a value as JSON.
func (g *generator) value(depth int) string {
	switch g.IntN(12) {
	case 0, 1, 2, 3:
		return quoted(one(g, []string{"", "x", "Hello", "hello", "É", "<b>&</b>", "a\"b\\c", "tab\tline\n", "🦊", "null", "true", "12", "\u2028"}))
	case 4, 5, 6:
		return one(g, []string{"0", "1", "-3", "12", "2.5", "1000000", "0.1"})
	case 7:
		return one(g, []string{"true", "false"})
	case 8:
		return "null"
	case 9:
		if depth > 0 {
			return "[" + g.value(depth-1) + "," + g.value(depth-1) + "]"
		}
	case 10:
		if depth > 0 {
			return row{{"in", g.value(depth - 1)}, {"und", g.value(depth - 1)}}.text()
		}
	}
	return one(g, []string{"[]", "{}", "7"})
}

// post makes a row, and now and then wants an id.
func (g *generator) post(name string) *request {
	like := one(g, g.rows[name])
	body := g.body(name, like)
	id := ""
	switch {
	case !g.all(name, "id", 'n') || !g.makesSameID(name):
		id = quoted(fmt.Sprintf("id-%d", g.IntN(1e6)))
		if g.all(name, "id", 'n') {
			id = strconv.Itoa(g.highest[name] + 1 + g.IntN(3))
		}
	case g.chance(4):
		id = strconv.Itoa(g.highest[name] + 1 + g.IntN(3))
	}
	if id != "" {
		body = slices.Insert(body, g.IntN(len(body)+1), member{"id", id})
	}
	g.add(name, body)
	return g.write("POST", "/"+name, body)
}

// change replaces or changes a row.
func (g *generator) change(name string) *request {
	if len(g.rows[name]) == 0 || g.chance(10) {
		return g.write(one(g, []string{"PUT", "PATCH"}), "/"+name+"/9998", g.body(name, nil))
	}
	at := g.IntN(len(g.rows[name]))
	old := g.rows[name][at]
	body := g.body(name, old)
	if g.chance(4) {
		body = slices.Insert(body, g.IntN(len(body)+1), member{"id", old.get("id")})
	}
	method := one(g, []string{"PUT", "PATCH", "PATCH"})
	changed := body
	if method == "PATCH" {
		changed = old
		for _, m := range body {
			changed = changed.set(m.name, m.raw)
		}
	}
	g.rows[name] = slices.Clone(g.rows[name])
	g.rows[name][at] = changed.set("id", old.get("id"))
	return g.write(method, "/"+name+"/"+url.PathEscape(content(old.get("id"))), body)
}

// delete deletes a row.
func (g *generator) delete(name string) *request {
	switch {
	case len(g.rows[name]) == 0 || g.chance(5):
		return &request{method: "DELETE", path: "/" + name + "/9997"}
	}
	at := g.IntN(len(g.rows[name]))
	id := content(g.rows[name][at].get("id"))
	if !g.remove(name, at) {
		return nil
	}
	return &request{method: "DELETE", path: "/" + name + "/" + url.PathEscape(id)}
}
