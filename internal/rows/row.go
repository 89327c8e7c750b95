// Package rows holds collections: lists of JSON objects that nobody has declared
// beforehand, and the questions that clients of json-server ask of them.
//
// A Row is one object of a collection. It is kept as compact JSON with the exact
// numbers and the order of members that the client sent, and it is never decoded
// as a whole: what a question needs is read from the text.
//
// The dialect is pure. It knows no table and no request:
//
//   - ParseObject reads a body. Object changes its members and writes it again.
//   - ParseQuery reads a query string: filters, q, sort, page, relations.
//   - Query.Select answers it from a Source: a collection as the caller may read it,
//     with the indexes that there are.
//   - Query.SetHeaders writes the total and the links of a page.
//   - Query.Relate embeds children and expands parents, and Related yields what a client
//     reads, in parts. ForeignKey is the member by which a row names its parent.
//
// An error that a client may read is an *Error. It says what is wrong, then what
// to do.
//
// Where the dialect differs from json-server 0.17, it is safer: equality with a field
// that no row has matches nothing, and what makes no sense fails, in the place of an
// answer with all rows. null is a value that can be asked for, and its opposite too:
//
//	note=null        rows whose note is null or absent, or the text null
//	note_ne=null     rows with any other note
//	note_ne=done     rows whose note isn't done, rows without a note included
//
// The words: a collection is a list of rows, or a single resource, which is one
// row without a list. A field is what a path names in a row: a member, or a part
// of one. The raw JSON of a field is its value as it stands in the row. The text
// of a field is what a filter compares: hello for "hello", 1.5 for 1.50.
package rows

import (
	"slices"
	"strings"

	"example.com/shelf/internal/reply"
)

// A Row is one row of a collection.
type Row struct {
	Seat int    // its place in the list, and its id in the table of all rows
	In   int    // the collection that the row is in
	Text string // a compact JSON object, as Object.Text writes it
	ID   string // the row's id as text: "5" for 5 and for "5"
}

// Field returns the raw JSON of the field that path names, such as "title",
// "author.name" or "tags.0". A member whose own name is the whole path comes
// first. ok is false if the row has no such field. A field may be null.
func (r *Row) Field(path string) (raw string, ok bool) { return NewPath(path).In(r.Text) }

// OwnerField is the member that names the account that a row belongs to.
const OwnerField = "userId"

// Owner returns the text of the row's userId, "" for a row that belongs to nobody.
func (r *Row) Owner() string {
	raw, _ := memberOf(r.Text, OwnerField)
	return KeyText(raw)
}

// Tag returns the row's strong entity tag, which is made of its text.
func (r *Row) Tag() string { return string(reply.AppendTag(nil, []byte(r.Text))) }

// A Path names a field. It is made once, and then looked up in many rows.
type Path struct {
	whole string   // as it stands in a row, escaped
	parts []string // of a path with dots; nil for a path without
}

// NewPath reads a path: "a", "a.b", or "a.0" for an element of an array.
func NewPath(path string) Path {
	if !strings.Contains(path, ".") {
		return Path{whole: escaped(path)}
	}
	parts := strings.Split(path, ".")
	for i, part := range parts {
		parts[i] = escaped(part)
	}
	return Path{escaped(path), parts}
}

// In returns the raw JSON of the field that p names in a row's text.
func (p Path) In(text string) (raw string, ok bool) {
	if raw, ok = memberOf(text, p.whole); ok || p.parts == nil {
		return raw, ok
	}
	raw = text
	for _, part := range p.parts {
		switch raw[0] {
		case '{':
			raw, ok = memberOf(raw, part)
		case '[':
			raw, ok = elementOf(raw, part)
		default:
			return "", false
		}
		if !ok {
			return "", false
		}
	}
	return raw, true
}

// memberOf returns the raw JSON of a member. name is escaped, as it stands in the
// object between its quotes.
func memberOf(object, name string) (raw string, ok bool) {
	for w := walk(object); w.more(); {
		key := w.cut()
		w.at++ // the colon
		end := valueEnd(w.text, w.at)
		if len(key) == len(name)+2 && key[1:len(key)-1] == name {
			return w.text[w.at:end], true
		}
		w.at = end
	}
	return "", false
}

// elementOf returns the raw JSON of an element. index is a whole number as
// JavaScript prints it, so "01" names none.
func elementOf(array, index string) (raw string, ok bool) {
	n := 0
	for i := range len(index) {
		if c := index[i]; c < '0' || c > '9' || n > maxRow || i > 0 && index[0] == '0' {
			return "", false
		}
		n = 10*n + int(index[i]-'0')
	}
	for w := walk(array); index != "" && w.more(); n-- {
		if raw = w.cut(); n == 0 {
			return raw, true
		}
	}
	return "", false
}

// A walker goes over the parts of a compact object or array, in their order. It
// copies nothing. The text must be well-formed: every row's is.
type walker struct {
	text string
	at   int
}

func walk(text string) walker { return walker{text, 0} }

// more steps over the bracket or the comma before the next part, and reports
// whether there is a part.
func (w *walker) more() bool {
	w.at++
	return w.at < len(w.text)-1
}

// cut returns the raw JSON of a value or of a member's name, and steps over it.
func (w *walker) cut() string {
	from := w.at
	w.at = valueEnd(w.text, from)
	return w.text[from:w.at]
}

// valueEnd returns the index behind the value that begins at i.
func valueEnd(text string, i int) int {
	switch text[i] {
	case '"':
		return stringEnd(text, i)
	case '{', '[':
	default:
		for i < len(text) && text[i] != ',' && text[i] != '}' && text[i] != ']' {
			i++
		}
		return i
	}
	for depth := 0; ; {
		switch text[i] {
		case '"':
			i = stringEnd(text, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
}

// stringEnd returns the index behind the string that begins at i. Names and many
// texts are so short that a call would cost more than the loop.
func stringEnd(text string, i int) int {
	i++
	for short := min(i+24, len(text)); i < short; i++ {
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	for {
		n := strings.IndexByte(text[i:], '"')
		escape := strings.IndexByte(text[i:i+n], '\\')
		if escape < 0 {
			return i + n + 1
		}
		i += escape + 2
	}
}

// An Object is a parsed body, or a row's text taken apart. The order of its
// members is kept.
type Object struct{ members []member }

// A member is a name, escaped as it stands between the quotes, and a value.
type member struct{ name, raw string }

// Members takes a row's text apart. It doesn't check it: every row's text was
// written by Object.Text.
func Members(text string) Object {
	var o Object
	for w := walk(text); w.more(); {
		key := w.cut()
		w.at++
		o.members = append(o.members, member{key[1 : len(key)-1], w.cut()})
	}
	return o
}

func (o *Object) find(name string) int {
	name = escaped(name)
	return slices.IndexFunc(o.members, func(m member) bool { return m.name == name })
}

// Get returns the raw JSON of the member called name. ok is false if there is none.
func (o *Object) Get(name string) (raw string, ok bool) {
	if i := o.find(name); i >= 0 {
		return o.members[i].raw, true
	}
	return "", false
}

// Set gives a member a value, which is compact JSON as Object.Get returns it or
// Quote makes it. A new member is the last one.
func (o *Object) Set(name, raw string) {
	if i := o.find(name); i >= 0 {
		o.members[i].raw = raw
		return
	}
	o.members = append(o.members, member{escaped(name), raw})
}

// Delete removes the member called name, if there is one.
func (o *Object) Delete(name string) {
	if i := o.find(name); i >= 0 {
		o.members = slices.Delete(o.members, i, i+1)
	}
}

// Merge sets all members of patch. Objects and arrays are replaced, not merged,
// and null is kept as null.
func (o *Object) Merge(patch Object) {
	at := make(map[string]int, len(o.members))
	for i, m := range o.members {
		at[m.name] = i
	}
	for _, m := range patch.members {
		if i, ok := at[m.name]; ok {
			o.members[i].raw = m.raw
		} else {
			o.members = append(o.members, m)
		}
	}
}

// Len returns the number of members.
func (o *Object) Len() int { return len(o.members) }

// Names returns the names of the members, in their order.
func (o *Object) Names() []string {
	names := make([]string, len(o.members))
	for i, m := range o.members {
		names[i] = unescaped(m.name)
	}
	return names
}

// Text returns the object as compact JSON.
func (o *Object) Text() string {
	size := len("{}")
	for _, m := range o.members {
		size += len(m.name) + len(m.raw) + len(`"":,`)
	}
	b := append(make([]byte, 0, size), '{')
	for i, m := range o.members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), m.name...), `":`...)
		b = append(b, m.raw...)
	}
	return string(append(b, '}'))
}

// Fits fails for an object that is too large for a row. ParseObject checks what it
// reads. An object that was changed since is checked again.
func (o *Object) Fits() error {
	size := len("{}")
	for _, m := range o.members {
		size += len(m.name) + len(m.raw) + len(`"":,`)
	}
	return fits(size)
}

// fits fails for a size in bytes that no row can have.
func fits(size int) error {
	if size > maxRow {
		return &Error{TooLarge, "the row is larger than 1 MiB: keep less in it, or split it into several rows"}
	}
	return nil
}
