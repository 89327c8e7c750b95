package rows

import "strings"

// The most that is looked at to learn the types of a collection.
const (
	maxShapeRows    = 1000
	maxShapeBytes   = 256 << 10 // of the rows' JSON
	maxShapeMembers = 100       // an object with more is taken for a dictionary
	maxShapeDepth   = 8
)

// A shape is what values have in common: their types, the members of objects, the
// elements of arrays. It holds no value.
type shape struct {
	seen     [kindAbsent]int // number of values of each type
	fraction bool            // some number isn't whole
	members  []shapeMember
	at       map[string]int // the place of a member by its name
	loose    bool           // the objects have too many members to name
	element  *shape
}

// A shapeMember is a member of objects. name is escaped, as it stands in a row.
type shapeMember struct {
	name  string
	shape *shape
	count int // number of objects that have the member
}

// shapeOf returns the shape of rows. Of many rows it looks at some, evenly spread.
func shapeOf(rows []*Row) *shape {
	s := &shape{}
	step := (len(rows)-1)/maxShapeRows + 1
	for i, size := 0, 0; i < len(rows) && size < maxShapeBytes; i += step {
		s.add(rows[i].Text, maxShapeDepth)
		size += len(rows[i].Text)
	}
	return s
}

// add adds a value. Of its parts, it adds depth levels.
func (s *shape) add(raw string, depth int) {
	k := kindOf(raw)
	s.seen[k]++
	switch {
	case k == kindNumber:
		s.fraction = s.fraction || !isWhole(raw)
	case k == kindArray && depth > 0:
		for w := walk(raw); w.more(); {
			if s.element == nil {
				s.element = &shape{}
			}
			s.element.add(w.cut(), depth-1)
		}
	case k == kindObject && depth > 0 && !s.loose:
		for w := walk(raw); w.more(); {
			key := w.cut()
			w.at++ // the colon
			s.addMember(key[1:len(key)-1], w.cut(), depth-1)
		}
	case k == kindObject:
		s.loose = true
	}
}

func (s *shape) addMember(name, raw string, depth int) {
	i, known := s.at[name]
	switch {
	case s.loose:
		return
	case !known && len(s.members) == maxShapeMembers:
		s.loose, s.members, s.at = true, nil, nil
		return
	case !known:
		if s.at == nil {
			s.at = map[string]int{}
		}
		i = len(s.members)
		s.at[name] = i
		s.members = append(s.members, shapeMember{name: name, shape: &shape{}})
	}
	s.members[i].count++
	s.members[i].shape.add(raw, depth)
}

// types are the names of the types that were seen, as JSON Schema has them.
func (s *shape) types() (names []string) {
	for k, name := range [...]string{"boolean", "number", "string", "array", "object", "null"} {
		if s.seen[k] == 0 {
			continue
		}
		if kind(k) == kindNumber && !s.fraction {
			name = "integer"
		}
		names = append(names, name)
	}
	return names
}

// appendSchema appends the JSON Schema that all values keep which were added. A member
// that every object has is required.
func (s *shape) appendSchema(b []byte) []byte {
	names := s.types()
	isNull := len(names) > 0 && names[len(names)-1] == "null"
	switch {
	case len(names) == 0:
		return append(b, "{}"...)
	case len(names) == 1:
		return s.appendType(b, names[0], `"`+names[0]+`"`)
	case len(names) == 2 && isNull:
		return s.appendType(b, names[0], `["`+names[0]+`","null"]`)
	}
	// Many a tool knows no list of types but one with null.
	for i, name := range names {
		if i == 0 {
			b = append(b, `{"anyOf":[`...)
		} else {
			b = append(b, ',')
		}
		b = s.appendType(b, name, `"`+name+`"`)
	}
	return append(b, "]}"...)
}

// appendType appends the schema of the values of one type. is that type in JSON.
func (s *shape) appendType(b []byte, name, is string) []byte {
	b = append(append(b, `{"type":`...), is...)
	switch {
	case name == "array" && s.element != nil:
		b = s.element.appendSchema(append(b, `,"items":`...))
	case name == "array":
		b = append(b, `,"items":{}`...)
	case name == "object":
		b = s.appendMembers(append(b, ','), true)
	}
	return append(b, '}')
}

// appendExample appends an invented value of the types that were seen. It tells of no
// value that was added. without tells to leave out the id of a row.
func (s *shape) appendExample(b []byte, without bool) []byte {
	switch {
	case s.seen[kindObject] > 0 || s.isNothing():
		b = append(b, '{')
		for _, m := range s.members {
			if without && m.name == "id" {
				continue
			}
			if b[len(b)-1] != '{' {
				b = append(b, ',')
			}
			b = append(append(append(b, '"'), m.name...), `":`...)
			b = m.shape.appendExample(b, false)
		}
		return append(b, '}')
	case s.seen[kindText] > 0:
		return append(b, `"text"`...)
	case s.seen[kindNumber] > 0 && s.fraction:
		return append(b, "1.5"...)
	case s.seen[kindNumber] > 0:
		return append(b, '1')
	case s.seen[kindBoolean] > 0:
		return append(b, "true"...)
	case s.seen[kindArray] > 0 && s.element != nil:
		return append(s.element.appendExample(append(b, '['), false), ']')
	case s.seen[kindArray] > 0:
		return append(b, "[]"...)
	}
	return append(b, "null"...)
}

// isNothing reports whether no value was added.
func (s *shape) isNothing() bool { return s.seen == [kindAbsent]int{} }

// appendMembers appends what a schema says of the members of objects. Where nothing is
// strict, no member is required, and there may be others.
func (s *shape) appendMembers(b []byte, strict bool) []byte {
	if s.loose || len(s.members) == 0 {
		return append(b, `"additionalProperties":true`...)
	}
	b = append(b, `"properties":{`...)
	var required []string
	for i, m := range s.members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), m.name...), `":`...)
		b = m.shape.appendSchema(b)
		if m.count == s.seen[kindObject] {
			required = append(required, `"`+m.name+`"`)
		}
	}
	b = append(b, '}')
	switch {
	case !strict:
		b = append(b, `,"additionalProperties":true`...)
	case len(required) > 0:
		b = append(append(append(b, `,"required":[`...), strings.Join(required, ",")...), ']')
	}
	return b
}
