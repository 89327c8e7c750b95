package peers_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A model is the data of both sides as far as a generator of requests must know it. It
// follows the writes, so that no generated request runs into a difference that stands
// in reasons: a sort by a field of several types, say.
type model struct {
	names   []string         // of the collections, in order
	rows    map[string][]row // by collection
	singles []string
	highest map[string]int // the highest number that a row of a collection ever had as its id
}

// A row is its members in order.
type row []member

type member struct{ name, raw string }

// get returns the JSON of a field such as "title" or "meta.lang", "" for none.
func (r row) get(path string) string {
	name, rest, deep := strings.Cut(path, ".")
	i := slices.IndexFunc(r, func(m member) bool { return m.name == name })
	switch {
	case i < 0:
		return ""
	case !deep:
		return r[i].raw
	case r[i].raw[0] != '{':
		return ""
	}
	return mustRow(r[i].raw).get(rest)
}

// set returns the row with another value of a member, or with one more.
func (r row) set(name, raw string) row {
	r = slices.Clone(r)
	if i := slices.IndexFunc(r, func(m member) bool { return m.name == name }); i >= 0 {
		r[i].raw = raw
		return r
	}
	return append(r, member{name, raw})
}

// text is the row as JSON.
func (r row) text() string {
	parts := make([]string, len(r))
	for i, m := range r {
		parts[i] = quoted(m.name) + ":" + m.raw
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// quoted is a text as JSON, as JavaScript writes it.
func quoted(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(text)
	return strings.TrimSuffix(b.String(), "\n")
}

// content is what a JSON value says in an address: hello for "hello".
func content(raw string) string {
	var text string
	if json.Unmarshal([]byte(raw), &text) == nil {
		return text
	}
	return raw
}

// typeOf is the type of a JSON value: n for a number, and else its first letter.
func typeOf(raw string) byte {
	switch {
	case raw == "":
		return 0
	case raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9':
		return 'n'
	case raw == "null":
		return '0'
	case raw == "true" || raw == "false":
		return 'b'
	}
	return raw[0]
}

// mustRow reads an object of the test data, which is well-formed.
func mustRow(text string) (r row) {
	d := json.NewDecoder(strings.NewReader(text))
	d.Token()
	for d.More() {
		name, _ := d.Token()
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			panic(err)
		}
		r = append(r, member{name.(string), string(raw)})
	}
	return r
}

func newModel(t *testing.T, data string) *model {
	t.Helper()
	m := &model{rows: map[string][]row{}, highest: map[string]int{}}
	for _, top := range mustRow(data) {
		if top.raw[0] != '[' {
			m.singles = append(m.singles, top.name)
			continue
		}
		var texts []json.RawMessage
		if err := json.Unmarshal([]byte(top.raw), &texts); err != nil {
			t.Fatal(err)
		}
		m.names = append(m.names, top.name)
		for _, text := range texts {
			m.add(top.name, mustRow(string(text)))
		}
	}
	return m
}

// add adds a row. A row without an id gets one as both sides do it.
func (m *model) add(name string, r row) {
	if r.get("id") == "" {
		r = r.set("id", strconv.Itoa(m.highest[name]+1))
	}
	if n, err := strconv.Atoi(r.get("id")); err == nil {
		m.highest[name] = max(m.highest[name], n)
	}
	m.rows[name] = append(m.rows[name], r)
}

// makesSameID reports whether both sides make the same id for a new row: the highest
// number ever given out must still be there.
func (m *model) makesSameID(name string) bool {
	top := strconv.Itoa(m.highest[name])
	return m.all(name, "id", 'n') && (m.highest[name] == 0 || slices.ContainsFunc(m.rows[name], func(r row) bool { return r.get("id") == top }))
}

// all reports whether a field has a value of one of these types in each row.
func (m *model) all(name, field string, types ...byte) bool {
	return !slices.ContainsFunc(m.rows[name], func(r row) bool { return !slices.Contains(types, typeOf(r.get(field))) })
}

// has reports whether some row has a field. null is a value.
func (m *model) has(name, field string) bool {
	return slices.ContainsFunc(m.rows[name], func(r row) bool { return r.get(field) != "" })
}

// parentOf are the collections that keys of the test data name, where the plural isn't
// made with an s alone.
var parentOf = map[string]string{"personId": "people", "categoryId": "categories"}

// parent returns the collection whose rows a key names.
func (m *model) parent(key string) (name string, ok bool) {
	singular, ok := strings.CutSuffix(key, "Id")
	if name = parentOf[key]; name == "" {
		name = singular + "s"
	}
	_, exists := m.rows[name]
	return name, ok && exists
}

// children returns the collections that have rows with a key to a collection, and the key.
func (m *model) children(of string) (names []string, key string) {
	for _, name := range m.names {
		for _, r := range m.rows[name] {
			for _, member := range r {
				if parent, ok := m.parent(member.name); ok && parent == of {
					key = member.name
					names = append(names, name)
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), key
}

// remove removes a row and the rows that name it. It returns false, and changes nothing,
// if one of these has rows that name it: the real server removes them with the next
// DELETE of anything, and shelf never.
func (m *model) remove(name string, at int) bool {
	gone := m.rows[name][at]
	names, key := m.children(name)
	names = slices.DeleteFunc(names, func(child string) bool { return child == name })
	isGone := func(r row) bool { return content(r.get(key)) == content(gone.get("id")) }
	for _, child := range names {
		grandchildren, childKey := m.children(child)
		for _, r := range m.rows[child] {
			for _, of := range grandchildren {
				if isGone(r) && slices.ContainsFunc(m.rows[of], func(g row) bool { return content(g.get(childKey)) == content(r.get("id")) }) {
					return false
				}
			}
		}
	}
	for _, child := range names {
		m.rows[child] = slices.DeleteFunc(slices.Clone(m.rows[child]), isGone)
	}
	m.rows[name] = slices.Delete(slices.Clone(m.rows[name]), at, at+1)
	return true
}
