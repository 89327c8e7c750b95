package rows

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"example.com/shelf/internal/db"
)

// A Description is what a caller may know of the collections: their names, who may
// read and write them, and the types of the rows that the caller may read.
type Description struct{ parts []describedPart }

type describedPart struct {
	Collection
	guard Guard
	rows  []*Row
	list  *list // keeps the shape of the rows; nil if these are only some of its rows
}

// A knownShape is the shape of a list when it had that version.
type knownShape struct {
	version int
	*shape
}

// Describe collects what a Description is made of. The work is done after the View.
func (s *Store) Describe(tx *db.Tx, by Caller) Description {
	var d Description
	for _, c := range s.collections.All(tx) {
		if !c.routed() {
			continue
		}
		part := describedPart{Collection: s.describe(c), guard: s.Access(c.Name, by.Tighten)}
		// Rows that the caller may not read are none.
		part.rows, _ = s.readable(tx, by, c)
		if l := s.lists[c.ID]; l != nil && len(part.rows) == l.len() {
			part.list = l
		}
		d.parts = append(d.parts, part)
	}
	return d
}

// shape is that of the rows. It is made anew only when the rows have changed.
func (p *describedPart) shape() *shape {
	if p.list == nil || len(p.rows) == 0 {
		return shapeOf(p.rows)
	}
	if known := p.list.shape.Load(); known != nil && known.version == p.Version {
		return known.shape
	}
	made := &knownShape{p.Version, shapeOf(p.rows)}
	p.list.shape.Store(made)
	return made.shape
}

// A node is an object of an OpenAPI document.
type node = map[string]any

// A describer makes a part of an OpenAPI document.
type describer struct {
	tags    []node
	paths   map[string]node
	schemas map[string]json.RawMessage
	names   map[string]bool // of operations and of components, as plainName has them
}

// OpenAPI returns the tags, paths and schemas of the collections, for a document that
// has the other components: parameters, headers and responses. The paths begin with
// prefix. accounts tells that accounts are rows at /users. taken are the names of the
// operations and components that the document has.
func (d Description) OpenAPI(prefix string, accounts bool, taken ...string) []byte {
	w := describer{paths: map[string]node{}, schemas: map[string]json.RawMessage{}, names: map[string]bool{}}
	for _, name := range taken {
		w.names[plainName(name)] = true
	}
	parents := map[string][]string{} // by the member that names them, their address and their name
	if accounts {
		parents[OwnerField] = []string{"/users", "users"}
	}
	for _, p := range d.parts {
		if !p.Single {
			parents[ForeignKey(p.Name)] = []string{prefix + "/" + url.PathEscape(p.Name), p.Name}
		}
	}
	for _, p := range d.parts {
		w.add(&p, prefix, parents)
	}
	text, err := json.Marshal(node{"tags": w.tags, "paths": w.paths, "components": node{"schemas": w.schemas}})
	if err != nil {
		panic(err) // it is made of texts, and of rows, which are well-formed
	}
	return text
}

// add adds one collection.
func (w *describer) add(p *describedPart, prefix string, parents map[string][]string) {
	tag := "/" + p.Name
	is := p.shape()
	w.tags = append(w.tags, node{"name": tag, "description": "A collection. Its types are those of the rows that the caller may read now; nothing holds a client to them."})
	sub := subject{describer: w, part: p, tag: tag, row: w.name(p.Name + "_row"), body: w.name(p.Name + "_new")}
	w.schemas[sub.row] = rowSchema(is, !p.Single)
	w.schemas[sub.body] = append(is.appendMembers([]byte(`{"type":"object",`), false), '}')
	at := prefix + "/" + url.PathEscape(p.Name)
	if p.Single {
		w.paths[at] = sub.single()
		return
	}
	w.paths[at] = sub.list(p.Name, filterParameters(is))
	w.paths[at+"/{id}"] = sub.byID()
	for _, m := range is.members {
		parent, ok := parents[unescaped(m.name)]
		if !ok {
			continue
		}
		nested := sub.list(parent[1]+"_"+p.Name, nil)
		nested["parameters"] = refs("parameters", "RowID")
		w.paths[parent[0]+"/{id}/"+url.PathEscape(p.Name)] = nested
	}
}

// rowSchema is the schema of a row. Of rows that nobody has seen, it knows the id.
func rowSchema(is *shape, hasID bool) json.RawMessage {
	if len(is.members) == 0 && hasID {
		return json.RawMessage(`{"type":"object","required":["id"],"properties":{"id":{"$ref":"#/components/schemas/RowKey"}},"additionalProperties":true}`)
	}
	return append(is.appendMembers([]byte(`{"type":"object",`), true), '}')
}

// name returns a name that no other has: letters, digits and lines below. Generators of
// clients write list_posts as ListPosts or listPosts, so these are the same name.
func (w *describer) name(wanted string) string {
	plain := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z' {
			return '_'
		}
		return r
	}, wanted)
	name := plain
	for n := 2; w.names[plainName(name)]; n++ {
		name = fmt.Sprint(plain, "_", n)
	}
	w.names[plainName(name)] = true
	return name
}

// plainName is what the writings of a name have in common.
func plainName(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), "_", "")
}

// maxFilters is how many fields are described as parameters. All can be asked for.
const maxFilters = 20

// filterParameters are the parameters by which a list is filtered.
func filterParameters(is *shape) (found []node) {
	for i, m := range is.members {
		name, types := unescaped(m.name), m.shape.types()
		types = slices.DeleteFunc(types, func(name string) bool { return name == "null" })
		if i >= maxFilters || len(types) != 1 || types[0] == "array" || types[0] == "object" || !isPlainField(name) {
			continue
		}
		suffixes := map[string][]string{
			"boolean": {""}, "number": {"", "_ne", "_gte", "_lte"}, "integer": {"", "_ne", "_gte", "_lte"},
			"string": {"", "_ne", "_gte", "_lte", "_like"},
		}[types[0]]
		for _, suffix := range suffixes {
			found = append(found, node{"name": name + suffix, "in": "query", "schema": node{"type": types[0]}})
		}
	}
	return found
}

// isPlainField reports whether a parameter of that name is a filter by that field.
func isPlainField(name string) bool {
	if name == "" || name[0] == '_' || name == "q" || name == "pretty" || name == "callback" || withoutIndex(name) != name {
		return false
	}
	return !slices.ContainsFunc(operators, func(o operatorName) bool { return strings.HasSuffix(name, o.suffix) })
}
