package rows

import "encoding/json"

// A subject is a collection whose operations are described.
type subject struct {
	*describer
	part      *describedPart
	tag       string
	row, body string // names of schemas
}

// refs are references to components of a kind.
func refs(kind string, names ...string) []node {
	found := make([]node, len(names))
	for i, name := range names {
		found[i] = node{"$ref": "#/components/" + kind + "/" + name}
	}
	return found
}

// ref is a reference to one component.
func ref(kind, name string) node { return refs(kind, name)[0] }

// content is a JSON content of that schema, with an invented example.
func content(schema node, example string) node {
	return node{"application/json": node{"schema": schema, "example": json.RawMessage(example)}}
}

// example is an invented row, as its types are, or what a client sends for it.
func (s subject) example(sent bool) string {
	is := s.part.shape()
	if len(is.members) == 0 && !s.part.Single && !sent {
		return `{"id":1}`
	}
	return string(is.appendExample([]byte{}, sent))
}

// readErrors and writeErrors are the refusals, as components by their status.
var (
	readErrors = map[string]string{
		"304": "NotModified", "400": "RowsRefused", "401": "RowsUnauthorized", "403": "RowsForbidden", "404": "RowsNotFound",
		"412": "RowsRefused", "421": "BookMisdirected", "503": "RowsUnavailable",
	}
	writeErrors = map[string]string{
		"400": "RowsRefused", "401": "RowsUnauthorized", "403": "RowsForbidden", "404": "RowsNotFound", "409": "RowsRefused",
		"412": "RowsRefused", "413": "RowsRefused", "415": "RowsRefused", "421": "BookMisdirected", "429": "RowsUnavailable",
		"503": "RowsUnavailable", "507": "RowsRefused",
	}
)

// operation describes one. open tells that it needs no token.
func (s subject) operation(id, summary string, open bool, status string, answer node, errors map[string]string) node {
	responses := node{status: answer}
	for status, name := range errors {
		responses[status] = ref("responses", name)
	}
	op := node{"operationId": s.name(id), "tags": []string{s.tag}, "summary": summary, "responses": responses}
	if open {
		op["security"] = []node{}
	}
	return op
}

// reads is an operation that reads. headers are components by the header's name.
func (s subject) reads(id, summary string, answers node, headers map[string]string, parameters []node) node {
	all := node{"ETag": ref("headers", "ETag"), "Cache-Control": ref("headers", "AskEachTime")}
	for name, component := range headers {
		all[name] = ref("headers", component)
	}
	answer := node{"description": "What is there", "headers": all, "content": answers}
	op := s.operation(id, summary, s.part.guard&anyoneReads != 0, "200", answer, readErrors)
	op["parameters"] = append(parameters, refs("parameters", "IfNoneMatch", "IfMatch")...)
	return op
}

// writes is an operation that writes.
func (s subject) writes(id, summary, status string, answer node, hasBody bool) node {
	op := s.operation(id, summary, s.part.guard&anyoneWrites != 0, status, answer, writeErrors)
	if hasBody {
		schema := node{"schema": ref("schemas", s.body)}
		op["requestBody"] = node{"required": true, "content": node{
			"application/json": node{"schema": ref("schemas", s.body), "example": json.RawMessage(s.example(true))}, "application/x-www-form-urlencoded": schema, "multipart/form-data": schema,
		}}
	}
	return op
}

// answer is the row that a write answers with. A new one has an address.
func (s subject) answer(description string, isNew bool) node {
	all := node{"ETag": ref("headers", "ETag")}
	if isNew {
		all["Location"] = ref("headers", "RowLocation")
	}
	return node{"description": description, "headers": all, "content": content(ref("schemas", s.row), s.example(false))}
}

// list describes a list, at an address of its own or below a parent.
func (s subject) list(name string, filters []node) node {
	parameters := append(refs("parameters", "RowsSearch", "RowsSort", "RowsOrder", "RowsPage", "RowsLimit", "RowsStart", "RowsEnd",
		"RowsEmbed", "RowsExpand", "RowsPretty"), filters...)
	schema := node{"type": "array", "items": ref("schemas", s.row)}
	path := node{"get": s.reads("list_"+name, "The rows, all or by filter, order and page", content(schema, "["+s.example(false)+"]"), map[string]string{"Link": "RowsLink", "X-Total-Count": "RowsTotal"}, parameters)}
	if !s.part.guard.ReadOnly() {
		path["post"] = s.writes("create_"+name, "Make a row", "201", s.answer("The new row", true), true)
	}
	return path
}

// byID describes one row of a list.
func (s subject) byID() node {
	name := s.part.Name
	path := s.one(name)
	path["parameters"] = refs("parameters", "RowID")
	if !s.part.guard.ReadOnly() {
		gone := node{"description": "The row is gone, with the rows that named it", "content": content(node{"type": "object", "maxProperties": 0}, "{}")}
		remove := s.writes("delete_"+name, "Delete a row, and the rows of other collections that name it", "200", gone, false)
		remove["parameters"] = refs("parameters", "IfMatch", "IfNoneMatch")
		path["delete"] = remove
	}
	return path
}

// one describes what a row and a single resource have in common.
func (s subject) one(name string) node {
	path := node{"get": s.reads("get_"+name, "One row", content(ref("schemas", s.row), s.example(false)), nil, refs("parameters", "RowsEmbed", "RowsExpand", "RowsPretty"))}
	if s.part.guard.ReadOnly() {
		return path
	}
	for _, change := range [][3]string{{"put", "replace_", "Replace a row"}, {"patch", "change_", "Set members of a row"}} {
		op := s.writes(change[1]+name, change[2], "200", s.answer("The row as it is now", false), true)
		op["parameters"] = refs("parameters", "IfMatch", "IfNoneMatch")
		path[change[0]] = op
	}
	return path
}

// single describes a single resource.
func (s subject) single() node {
	path := s.one(s.part.Name)
	if !s.part.guard.ReadOnly() {
		path["post"] = s.writes("create_"+s.part.Name, "Replace the resource", "201", s.answer("The resource as it is now", true), true)
	}
	return path
}
