package rows

// The most that is embedded in one answer. A large row can be the parent of many.
const (
	maxEmbedded      = 100_000   // rows
	maxEmbeddedBytes = 100 << 20 // of their JSON
)

// Relate returns the JSON of rows of a collection, with what _embed and _expand put
// into them: at the end of each row, or in the place of a member of that name. It
// leaves the rows themselves as they are.
//
//   - _embed=comments in posts: all comments whose postId names the post, as text
//   - _expand=user: the row of users that userId names, if there is one
//
// of returns a collection as the caller may read it, and false if there is none, or
// if it is a single resource. Of such a collection no row is embedded. Relate fails
// with an *Error if that would be too many rows.
func (q *Query) Relate(collection string, rows []*Row, of func(collection string) (Source, bool)) ([]string, error) {
	texts := make([]string, len(rows))
	for i, r := range rows {
		texts[i] = r.Text
	}
	r := relater{rows: rows, texts: texts, of: of}
	if len(q.Embed) > 0 {
		r.key = ForeignKey(collection)
	}
	for _, name := range q.Embed {
		if err := r.embed(name); err != nil {
			return nil, err
		}
	}
	for _, name := range q.Expand {
		if err := r.expand(name); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// A relater puts related rows into texts.
type relater struct {
	rows        []*Row
	texts       []string
	key         string // the member by which children name the rows
	of          func(collection string) (Source, bool)
	count, size int // of what was embedded
}

// embed puts the children in a collection into the rows. A collection that isn't
// there has no children; then a member of that name stays.
func (r *relater) embed(name string) error {
	children, ok := r.of(name)
	if !ok {
		for i, text := range r.texts {
			if _, isMember := memberOf(text, escaped(name)); !isMember {
				r.texts[i] = withMember(text, name, "[]")
			}
		}
		return nil
	}
	ids := make([]string, 0, len(r.rows))
	families := make(map[string][]string, len(r.rows)) // the children's JSON by their parent's id
	for _, row := range r.rows {
		if _, again := families[row.ID]; !again && row.ID != "" {
			ids, families[row.ID] = append(ids, row.ID), nil
		}
	}
	key := escaped(r.key)
	for _, child := range children.where(r.key, ids) {
		raw, _ := memberOf(child.Text, key)
		id := KeyText(raw)
		family, wanted := families[id]
		if !wanted || !children.may(child) {
			continue
		}
		if err := r.add("_embed", child); err != nil {
			return err
		}
		families[id] = append(family, child.Text)
	}
	for i, row := range r.rows {
		r.texts[i] = withMember(r.texts[i], name, string(AppendList(nil, families[row.ID])))
	}
	return nil
}

// expand puts the row of a collection that a row names into that row.
func (r *relater) expand(name string) error {
	parents, ok := r.of(Plural(name))
	if !ok {
		return nil
	}
	key := escaped(name + "Id")
	find := parents.byID()
	for i, row := range r.rows {
		raw, _ := memberOf(row.Text, key)
		id := KeyText(raw)
		if id == "" {
			continue
		}
		parent := find(id)
		if parent == nil {
			continue
		}
		if err := r.add("_expand", parent); err != nil {
			return err
		}
		r.texts[i] = withMember(r.texts[i], name, parent.Text)
	}
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
// a member that it has.
func withMember(text, name, raw string) string {
	if _, isMember := memberOf(text, escaped(name)); isMember || text == "{}" {
		o := Members(text)
		o.Set(name, raw)
		return o.Text()
	}
	return text[:len(text)-1] + `,"` + escaped(name) + `":` + raw + "}"
}
