package form

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"example.com/shelf/internal/strictjson"
)

// A Password is text that is never trimmed.
type Password string

// An Optional is a field that tells null from missing, as a merge patch needs it
// (RFC 7396 §1). The Value of null is the zero value.
type Optional[T any] struct {
	Given bool
	Value T
}

// Into replaces v, if a value was given.
func (o Optional[T]) Into(v *T) {
	if o.Given {
		*v = o.Value
	}
}

// given returns a pointer to the value, which the body has.
func (o *Optional[T]) given() any {
	o.Given = true
	return &o.Value
}

// Or returns what a pointer field was given, or else what was there.
func Or[T any](given *T, was T) T {
	if given == nil {
		return was
	}
	return *given
}

// Unknown is the names of a body that the struct lacks, in the order of the body.
type Unknown []string

// fields are those of a struct that a body can fill.
type fields struct {
	names   []string // as the tags have them
	at      [][]int  // where the fields are, as reflect counts
	unknown []int    // where the field of the type Unknown is, nil for none
}

var knownFields sync.Map // of the struct types so far: fields by reflect.Type

func fieldsOf(t reflect.Type) fields {
	if known, ok := knownFields.Load(t); ok {
		return known.(fields)
	}
	var found fields
	for _, f := range reflect.VisibleFields(t) {
		switch name, _, _ := strings.Cut(f.Tag.Get("json"), ","); {
		case f.Type == reflect.TypeFor[Unknown]():
			found.unknown = f.Index
		case name != "":
			found.names, found.at = append(found.names, name), append(found.at, f.Index)
		}
	}
	knownFields.Store(t, found)
	return found
}

// set puts the members into the fields of the struct that in points to, or into a
// map[string]*string, and returns the names that the struct lacks.
func set(members strictjson.Object, in any, form bool) (unknown []string, err error) {
	if texts, ok := in.(map[string]*string); ok {
		for _, m := range members {
			var text *string
			if err := assign(m, &text, form); err != nil {
				return nil, err
			}
			texts[m.Name] = text
		}
		return nil, nil
	}
	v := reflect.ValueOf(in).Elem()
	fields := fieldsOf(v.Type())
	for _, m := range members {
		i, err := find(m, fields.names)
		if err == nil && i >= 0 {
			err = assign(m, v.FieldByIndex(fields.at[i]).Addr().Interface(), form)
		}
		if err != nil {
			return nil, err
		}
		if i < 0 {
			unknown = append(unknown, m.Name)
		}
	}
	if fields.unknown != nil {
		v.FieldByIndex(fields.unknown).Set(reflect.ValueOf(Unknown(unknown)))
	}
	return unknown, nil
}

// find returns the place of the member's name among the names, -1 for none. A name
// that differs from one of them only in case is a slip to point out, not a field to
// ignore.
func find(m strictjson.Member, names []string) (int, error) {
	if i := slices.Index(names, m.Name); i >= 0 {
		return i, nil
	}
	for _, name := range names {
		if strings.EqualFold(m.Name, name) {
			return -1, m.Fault("unknown", "must be written '"+name+"'")
		}
	}
	return -1, nil
}

// assign puts m's value into one field, as [Read] has it.
func assign(m strictjson.Member, field any, form bool) error {
	if m.Value == nil {
		return m.Fault("type", "must not be a file")
	}
	if o, ok := field.(interface{ given() any }); ok {
		field = o.given()
	}
	if string(m.Value) == "null" {
		return nil
	}
	switch f := field.(type) {
	case **string:
		*f = new(string)
		return assign(m, *f, form)
	case **bool:
		*f = new(bool)
		return assign(m, *f, form)
	case *bool:
		truth, ok := boolean(m, form)
		if !ok {
			return m.Fault("type", "must be a boolean")
		}
		*f = truth
		return nil
	}
	if m.Value[0] != '"' {
		return m.Fault("type", "must be a string")
	}
	switch f := field.(type) {
	case *string:
		*f = strings.TrimSpace(strictjson.Unquote(m.Value))
	case *Password:
		*f = Password(strictjson.Unquote(m.Value))
	default:
		panic(fmt.Sprintf("form: the field %s has the type %T", m.Name, field))
	}
	return nil
}

// boolean reads true and false. A form has only text, so there the words for
// them count as well: str(True) in a Python client is True.
func boolean(m strictjson.Member, form bool) (truth, ok bool) {
	switch string(m.Value) {
	case "true":
		return true, true
	case "false":
		return false, true
	case `"true"`, `"True"`, `"1"`:
		return true, form
	case `"false"`, `"False"`, `"0"`:
		return false, form
	}
	return false, false
}

// ReadQuery reads a query string, which is a form, and returns the values by the
// given names, trimmed, and the names that are not among those. Its errors are fit
// to follow "Invalid something: ".
func ReadQuery(query string, names ...string) (values map[string]string, unknown []string, err error) {
	members, err := decodeURLEncoded(query)
	values = map[string]string{}
	for _, m := range members {
		i, err := find(m, names)
		switch {
		case err != nil:
			return nil, nil, err
		case i < 0:
			unknown = append(unknown, m.Name)
		default:
			values[m.Name] = strings.TrimSpace(strictjson.Unquote(m.Value))
		}
	}
	return values, unknown, err
}
