// Package openapi holds openapi.json: what the server takes and answers, for
// people and for generators of clients. It is OpenAPI 3.1, written by hand. docs/api.md
// is the short form. A server with collections has more: collections.json, accounts.json,
// and what the collections are.
package openapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

// Text is openapi.json, byte for byte. It must not be changed.
//
//go:embed openapi.json
var Text []byte

//go:embed collections.json
var collections []byte

// accounts is what there is at /users, where accounts live.
//
//go:embed accounts.json
var accounts []byte

var (
	withCollections = sync.OnceValues(func() ([]byte, error) { return merge(Text, collections) })
	withAccounts    = sync.OnceValues(func() ([]byte, error) {
		text, err := withCollections()
		if err != nil {
			return nil, err
		}
		return merge(text, accounts)
	})
)

// WithCollections returns the document of a server with collections, compact. more is
// the part about the collections themselves. hasUsers tells that accounts live at
// /users. It fails for a part that is no JSON.
func WithCollections(more []byte, hasUsers bool) ([]byte, error) {
	base := withCollections
	if hasUsers {
		base = withAccounts
	}
	text, err := base()
	if err == nil {
		text, err = merge(text, more)
	}
	if err == nil {
		text, err = orderTags(text)
	}
	var compact bytes.Buffer
	if err == nil {
		err = json.Compact(&compact, text)
	}
	return compact.Bytes(), err
}

// orderTags puts the tags into the order of use: accounts, each collection, all
// collections together, and then the rest.
func orderTags(text []byte) ([]byte, error) {
	all, err := members(text)
	if err != nil {
		return nil, err
	}
	for i, m := range all {
		if m.name != "tags" {
			continue
		}
		type tag struct {
			Name        string `json:"name"`
			Description string `json:"description,omitempty"`
		}
		var tags []tag
		if err := json.Unmarshal(m.value, &tags); err != nil {
			return nil, err
		}
		rank := func(name string) int {
			switch {
			case name == "accounts":
				return 0
			case strings.HasPrefix(name, "/"):
				return 1
			case name == "collections":
				return 2
			}
			return 3
		}
		slices.SortStableFunc(tags, func(a, b tag) int { return rank(a.Name) - rank(b.Name) })
		if all[i].value, err = json.Marshal(tags); err != nil {
			return nil, err
		}
	}
	return join(all), nil
}

// Names returns the names of all operations and components of the documents, which a
// collection's may not have.
func Names() []string { return names() }

var names = sync.OnceValue(func() (found []string) {
	text, err := withAccounts()
	if err != nil {
		panic(err) // the documents are part of the program
	}
	var document struct {
		Paths      map[string]map[string]json.RawMessage
		Components map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &document); err != nil {
		panic(err)
	}
	for _, path := range document.Paths {
		for _, text := range path {
			var operation struct{ OperationID string }
			if json.Unmarshal(text, &operation) == nil && operation.OperationID != "" {
				found = append(found, operation.OperationID)
			}
		}
	}
	for _, kind := range document.Components {
		for name := range kind {
			found = append(found, name)
		}
	}
	return found
})

// merge returns a document with all that a and b have. Arrays are joined. Objects are
// merged, but a reference is replaced, as all else is.
func merge(a, b []byte) ([]byte, error) {
	if isArray(a) && isArray(b) {
		return mergeArrays(a, b)
	}
	if !isObject(a) || !isObject(b) {
		return b, nil
	}
	all, err := members(a)
	if err != nil {
		return nil, err
	}
	more, err := members(b)
	if err != nil {
		return nil, err
	}
	if has(all, "$ref") || has(more, "$ref") {
		return b, nil
	}
	at := make(map[string]int, len(all))
	for i, m := range all {
		at[m.name] = i
	}
	for _, m := range more {
		i, known := at[m.name]
		if !known {
			all = append(all, m)
			continue
		}
		if all[i].value, err = merge(all[i].value, m.value); err != nil {
			return nil, err
		}
	}
	return join(all), nil
}

// join returns the object of members.
func join(all []member) []byte {
	out := []byte{'{'}
	for i, m := range all {
		if i > 0 {
			out = append(out, ',')
		}
		name, _ := json.Marshal(m.name)
		out = append(append(append(out, name...), ':'), m.value...)
	}
	return append(out, '}')
}

func mergeArrays(a, b []byte) ([]byte, error) {
	var all, more []json.RawMessage
	if err := json.Unmarshal(a, &all); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &more); err != nil {
		return nil, err
	}
	return json.Marshal(append(all, more...))
}

func isObject(text []byte) bool { return bytes.HasPrefix(text, []byte{'{'}) }
func isArray(text []byte) bool  { return bytes.HasPrefix(text, []byte{'['}) }

// A member is one of an object.
type member struct {
	name  string
	value json.RawMessage
}

func has(all []member, name string) bool {
	return slices.ContainsFunc(all, func(m member) bool { return m.name == name })
}

// members returns the members of an object in their order.
func members(text []byte) (all []member, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.Token() // the bracket
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: name.(string)}
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	_, err = d.Token()
	return all, err
}
