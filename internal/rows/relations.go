package rows

import (
	"iter"
	"slices"
	"strings"
)

// The most that is embedded in one answer. A large row can be the parent of many.
const (
	maxEmbedded      = 100_000   // rows
	maxEmbeddedBytes = 100 << 20 // of their JSON
)

// A Related is rows of a collection, with what _embed and _expand put into them. The
// rows' JSON is made while it is written, of the texts that are in memory anyway. It may
// be used after the View.
type Related struct {
	rows  []*Row
	added []relation
}

// A relation is a member that rows get.
type relation struct {
	name   string // escaped
	list   bool   // its value is an array
	yields bool   // a row's own member of that name stays
	rows   []*Row // the values for all rows
	ends   []int  // by index of the row that gets them: where its values end in rows
}

// List yields the rows as a JSON array, in parts.
func (a Related) List() iter.Seq[string] {
	return func(yield func(string) bool) {
		yieldAll("[]", len(a.rows), yield, func(i int) bool { return a.row(i, yield) })
	}
}

// First yields the JSON of the first row, in parts.
func (a Related) First() iter.Seq[string] {
	return func(yield func(string) bool) { a.row(0, yield) }
}

// row yields the JSON of the row at index i. It returns false once yield has.
func (a *Related) row(i int, yield func(string) bool) bool {
	text := a.rows[i].Text
	if len(a.added) == 0 {
		return yield(text)
	}
	if a.replaces(text) {
		return yield(a.replaced(i))
	}
	if !yield(text[:len(text)-1]) {
		return false
	}
	for n := range a.added {
		m := &a.added[n]
		if m.gives(i) && !(yield(`,"`) && yield(m.name) && yield(`":`) && m.value(i, yield)) {
			return false
		}
	}
	return yield("}")
}

// replaces reports whether the row of that text may have one of the new members already.
func (a *Related) replaces(text string) bool {
	for n, m := range a.added {
		_, isMember := memberOf(text, m.name)
		if isMember || text == "{}" || slices.ContainsFunc(a.added[:n], func(o relation) bool { return o.name == m.name }) {
			return true
		}
	}
	return false
}

// replaced returns the JSON of such a row.
func (a *Related) replaced(i int) string {
	text := a.rows[i].Text
	for n := range a.added {
		m := &a.added[n]
		if _, isMember := memberOf(text, m.name); !m.gives(i) || isMember && m.yields {
			continue
		}
		var b strings.Builder
		m.value(i, func(part string) bool { b.WriteString(part); return true })
		text = withMember(text, m.name, b.String())
	}
	return text
}

// of returns the values for the row at index i.
func (m *relation) of(i int) []*Row {
	switch {
	case m.ends == nil:
		return nil
	case i == 0:
		return m.rows[:m.ends[0]]
	}
	return m.rows[m.ends[i-1]:m.ends[i]]
}

// gives reports whether the row at index i gets the member.
func (m *relation) gives(i int) bool { return m.list || len(m.of(i)) > 0 }

// value yields the parts of the member's value in the row at index i.
func (m *relation) value(i int, yield func(string) bool) bool {
	if m.list {
		return yieldList(m.of(i), yield)
	}
	return yield(m.of(i)[0].Text)
}

// Relate puts into rows of a collection what _embed and _expand ask for: at the end of
// each row, or in the place of a member of that name.
//
//   - _embed=comments in posts: all comments whose postId names the post, as text
//   - _expand=user: the row of users that userId names, if there is one
//
// of returns a collection as the caller may read it, and false if there is none, or
// if it is a single resource. Of such a collection no row is embedded. Relate fails
// with an *Error if that would be too many rows.
func (q *Query) Relate(collection string, rows []*Row, of func(collection string) (Source, bool)) (Related, error) {
	r := relater{Related: Related{rows: rows}, of: of}
	if len(q.Embed) > 0 {
		r.key = ForeignKey(collection)
	}
	for _, name := range q.Embed {
		if err := r.embed(name); err != nil {
			return Related{}, err
		}
	}
	for _, name := range q.Expand {
		if err := r.expand(name); err != nil {
			return Related{}, err
		}
	}
	return r.Related, nil
}

// A relater finds related rows.
type relater struct {
	Related
	key         string // the member by which children name the rows
	of          func(collection string) (Source, bool)
	count, size int // of what was embedded
}

// embed puts the children in a collection into the rows. A collection that isn't
// there has no children; then a member of that name stays.
func (r *relater) embed(name string) error {
	children, ok := r.of(name)
	m := relation{name: escaped(name), list: true, yields: !ok}
	if !ok {
		r.added = append(r.added, m)
		return nil
	}
	ids := make([]string, 0, len(r.rows))
	at := make(map[string]int, len(r.rows)) // index of the row that has the id
	for i, row := range r.rows {
		if _, again := at[row.ID]; !again && row.ID != "" {
			ids = append(ids, row.ID)
			at[row.ID] = i
		}
	}
	type child struct {
		row *Row
		of  int // index of its parent
	}
	var found []child
	key := escaped(r.key)
	for _, row := range children.where(r.key, ids) {
		raw, _ := memberOf(row.Text, key)
		i, wanted := at[KeyText(raw)]
		if !wanted || !children.may(row) {
			continue
		}
		if err := r.add("_embed", row); err != nil {
			return err
		}
		found = append(found, child{row, i})
	}
	m.ends = make([]int, len(r.rows))
	for _, c := range found {
		m.ends[c.of]++
	}
	sum := 0
	for i, n := range m.ends {
		m.ends[i], sum = sum, sum+n // where the children begin
	}
	m.rows = make([]*Row, sum)
	for _, c := range found {
		m.rows[m.ends[c.of]] = c.row
		m.ends[c.of]++
	}
	r.added = append(r.added, m)
	return nil
}

// expand puts the row of a collection that a row names into that row.
func (r *relater) expand(name string) error {
	parents, ok := r.of(Plural(name))
	if !ok {
		return nil
	}
	m := relation{name: escaped(name)}
	key := escaped(name + "Id")
	find := parents.byID()
	for _, row := range r.rows {
		raw, _ := memberOf(row.Text, key)
		if id := KeyText(raw); id != "" {
			if parent := find(id); parent != nil {
				if err := r.add("_expand", parent); err != nil {
					return err
				}
				m.rows = append(m.rows, parent)
			}
		}
		m.ends = append(m.ends, len(m.rows))
	}
	r.added = append(r.added, m)
	return nil
}

// add counts a row that is embedded.
func (r *relater) add(parameter string, row *Row) error {
	r.count++
	r.size += len(row.Text)
	switch {
	case r.count > maxEmbedded:
		return badParameter(parameter, "would put more than %d rows into the answer: ask for a page", maxEmbedded)
	case r.size > maxEmbeddedBytes:
		return badParameter(parameter, "would put more than %d MiB into the answer: ask for a page", maxEmbeddedBytes>>20)
	}
	return nil
}

// withMember returns the text of a row with one more member, or with another value of
// a member that it has. name is escaped.
func withMember(text, name, raw string) string {
	o := Members(text)
	o.Set(unescaped(name), raw)
	return o.Text()
}
