package rows

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// Like returns the image as a file that looks like old, the text of the file before:
// what has not changed stands there byte by byte. So a diff of the two texts shows
// what changed and nothing else. Indent, line ends, a byte order mark and the order of
// members and rows stay. A new row is written as the row before it is. A blank old is
// written with two blanks of indent. old must be a file that [ParseFile] accepts.
// users are as in JSON.
func (image Image) Like(old []byte, users []string) []byte {
	body := bytes.TrimPrefix(old, bom)
	l := layout{out: make([]byte, 0, len(old)+len(old)/8), indent: "  ", eol: "\n"}
	l.out = append(l.out, old[:len(old)-len(body)]...)
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}\n")
	}
	from := bytes.IndexByte(body, '{')
	to := bytes.LastIndexByte(body, '}') + 1
	l.learn(body[from:to])
	l.out = append(l.out, body[:from]...)
	l.members(body[from:to], image.asFile(users))
	return append(l.out, body[to:]...)
}

var bom = []byte("\ufeff")

// A layout writes values in the manner of a text.
type layout struct {
	out    []byte
	indent string // of one level
	eol    string
	flat   bool // what is new is written in one line
	tight  bool // without blanks
	sample bool // the old text is another row
}

// learn takes the indent and the line ends from the text of the whole object.
func (l *layout) learn(object []byte) {
	parts, _ := takeApart(object)
	if len(parts) == 0 {
		return
	}
	first := string(parts[0].pre)
	if strings.Contains(first, "\r\n") {
		l.eol = "\r\n"
	}
	_, indent, broken := strings.Cut(first, "\n")
	switch {
	case broken && indent != "" && !strings.Contains(indent, "\n"):
		l.indent = indent
	case !broken:
		l.flat = bytes.IndexByte(object, '\n') < 0
		l.tight = l.flat && !bytes.HasSuffix(parts[0].head, []byte(" "))
	}
}

// A part is a member of an object, or an element of an array, as it stands in a text.
type part struct {
	pre   []byte // the blanks before it
	head  []byte // of a member: its name, the colon and the blanks around it
	value []byte
	post  []byte // the blanks behind it
}

// takeApart returns the parts of an object or array, and the blanks before the bracket
// that ends it.
func takeApart(text []byte) (parts []part, end []byte) {
	c := cutter{text: text}
	isObject := c.next() == '{'
	for c.at++; ; c.at++ {
		from := c.at
		if b := c.next(); b == '}' || b == ']' {
			return parts, text[from:c.at]
		}
		p := part{pre: text[from:c.at]}
		if from = c.at; isObject {
			c.value()
			c.next()
			c.at++ // the colon
			c.next()
			p.head = text[from:c.at]
		}
		p.value = c.value()
		from = c.at
		last := c.next() != ','
		p.post = text[from:c.at]
		parts = append(parts, p)
		if last {
			return parts, p.post
		}
	}
}

// name returns the name of a member.
func (p part) name() string {
	c := cutter{text: p.head}
	quoted := c.value()
	name, err := ParseValue(quoted)
	if err != nil {
		return ""
	}
	return unescaped(name[1 : len(name)-1])
}

// A partSet is the parts of a text, for a writer that keeps some of them.
type partSet struct {
	parts []part
	first []byte // the blanks before the first part
	more  []byte // and before the others
	end   []byte // and before the bracket that ends all
	outer string // the indent of the line that the text begins in
	flat  bool   // all is one line
}

// set takes text apart. outer is the indent of the line that it begins in.
func (l *layout) set(text []byte, outer string) partSet {
	s := partSet{outer: outer, flat: bytes.IndexByte(text, '\n') < 0}
	s.parts, s.end = takeApart(text)
	n := len(s.parts)
	if n > 0 {
		s.first = s.parts[0].pre
	}
	switch {
	case n > 1:
		s.more = s.parts[n-1].pre
	case n == 1 && bytes.IndexByte(s.first, '\n') >= 0:
		s.more = s.first
	case n == 0 && !l.flat:
		s.flat = false
		s.first = []byte(l.eol + outer + l.indent)
		s.more = s.first
		s.end = []byte(l.eol + outer)
	case !l.tight:
		s.more = []byte(" ")
	}
	return s
}

// before returns the blanks before the part at index i of those that are written. was
// is its index in the text, -1 for a new one.
func (s *partSet) before(i, was int) []byte {
	switch {
	case was > 0 && i > 0:
		return s.parts[was].pre
	case i == 0:
		return s.first
	}
	return s.more
}

// open begins the part at index i, and returns the indent of its line.
func (l *layout) open(s *partSet, i, was int) (outer string) {
	l.flat = s.flat
	if i > 0 {
		l.out = append(l.out, ',')
	}
	pre := s.before(i, was)
	l.out = append(l.out, pre...)
	if at := bytes.LastIndexByte(pre, '\n'); at >= 0 {
		return string(pre[at+1:])
	}
	return s.outer
}

// close ends an object or array of n written parts.
func (l *layout) close(s *partSet, n int, bracket byte) {
	if n > 0 {
		l.out = append(l.out, s.end...)
	}
	l.out = append(l.out, bracket)
}

// members writes the top level.
func (l *layout) members(old []byte, all []memberOfFile) {
	s := l.set(old, "")
	at := map[string]int{}
	for i, m := range all {
		at[m.name] = i
	}
	type place struct{ m, was int }
	var order []place
	for was, p := range s.parts { // the file's order goes before
		if i, ok := at[p.name()]; ok {
			order = append(order, place{i, was})
			delete(at, all[i].name)
		}
	}
	for i, m := range all {
		if _, left := at[m.name]; left {
			order = append(order, place{i, -1})
		}
	}
	l.out = append(l.out, '{')
	for i, o := range order {
		m := all[o.m]
		outer := l.open(&s, i, o.was)
		value := []byte(nil)
		if o.was >= 0 {
			l.out = append(l.out, s.parts[o.was].head...)
			value = s.parts[o.was].value
		} else {
			l.head(&s, Quote(m.name))
		}
		if !m.list {
			l.value(value, m.value, outer)
		} else {
			l.rows(value, m.rows, outer)
		}
	}
	l.close(&s, len(order), '}')
}

// head writes the name of a new member, as the last one of the text is written.
func (l *layout) head(s *partSet, quoted string) {
	l.out = append(l.out, quoted...)
	switch n := len(s.parts); {
	case n > 0:
		head := s.parts[n-1].head
		c := cutter{text: head}
		c.value()
		l.out = append(l.out, head[c.at:]...)
	case l.tight:
		l.out = append(l.out, ':')
	default:
		l.out = append(l.out, ": "...)
	}
}

// rows writes a list of rows. Rows keep the place that they have in the old list, new
// ones follow.
func (l *layout) rows(old []byte, texts []string, outer string) {
	if len(old) == 0 || old[0] != '[' {
		old = []byte("[]")
	}
	defer func(flat bool) { l.flat = flat }(l.flat)
	s := l.set(old, outer)
	was := placesOf(s.parts, texts)
	next := make([]int, 0, len(texts)) // indexes of texts in the order of the file
	for _, i := range was {
		if i >= 0 {
			next = append(next, i)
		}
	}
	placed := make([]int, len(texts)) // index in the old list, from 1
	for p, i := range was {
		if i >= 0 {
			placed[i] = p + 1
		}
	}
	for i := range texts {
		if placed[i] == 0 {
			next = append(next, i)
		}
	}
	l.out = append(l.out, '[')
	for n, i := range next {
		at := placed[i] - 1
		inner := l.open(&s, n, at)
		switch {
		case at >= 0:
			l.value(s.parts[at].value, texts[i], inner)
		case len(s.parts) > 0:
			l.sample = true
			l.value(s.parts[len(s.parts)-1].value, texts[i], inner)
			l.sample = false
		default:
			l.value(nil, texts[i], inner)
		}
	}
	l.close(&s, len(next), ']')
}

// placesOf returns for each old row the index of the row that has its id, -1 for none.
// A file's row without an id was given one when it was loaded. So it is the next of the
// rows whose id the file doesn't have.
func placesOf(parts []part, texts []string) []int {
	index := make(map[string]int, len(texts))
	for i, text := range texts {
		raw, _ := memberOf(text, "id")
		index[KeyText(raw)] = i
	}
	was := make([]int, len(parts))
	var without []int
	for p := range parts {
		raw := idIn(parts[p].value)
		if isMissing(raw) {
			without = append(without, p)
			was[p] = -1
			continue
		}
		i, ok := index[KeyText(raw)]
		if was[p] = -1; ok {
			was[p] = i
			delete(index, KeyText(raw))
		}
	}
	if len(without) == 0 {
		return was
	}
	for i, text := range texts {
		raw, _ := memberOf(text, "id")
		if _, left := index[KeyText(raw)]; left && len(without) > 0 {
			was[without[0]] = i
			without = without[1:]
		}
	}
	return was
}

// idIn returns the raw id of a row as it stands in a file.
func idIn(row []byte) string {
	c := cutter{text: row}
	for c.enter(); c.more('}'); {
		name := c.value()
		c.next()
		c.at++ // the colon
		c.next()
		value := c.value()
		if string(name) == `"id"` {
			if raw, err := ParseValue(value); err == nil {
				return raw
			}
			return ""
		}
	}
	return ""
}

// value writes a compact value in the manner of old, which is nil for none.
func (l *layout) value(old []byte, value, outer string) {
	switch {
	case len(old) > 0 && isCompactOf(value, old):
		l.out = append(l.out, old...)
	case len(old) > 0 && old[0] == '{' && value[0] == '{':
		l.object(old, value, outer)
	case len(old) > 0 && old[0] == '[' && value[0] == '[':
		l.array(old, value, outer)
	case value[0] == '{':
		l.object([]byte("{}"), value, outer)
	case value[0] == '[':
		l.array([]byte("[]"), value, outer)
	default:
		if raw, err := ParseValue(old); err == nil && raw == value {
			l.out = append(l.out, old...) // another way to write the same text
			return
		}
		l.out = append(l.out, value...)
	}
}

// object writes an object. Members keep the order of the old text, and new ones follow,
// unless the old text is only a sample.
func (l *layout) object(old []byte, object, outer string) {
	defer func(flat bool) { l.flat = flat }(l.flat)
	s := l.set(old, outer)
	o := Members(object)
	at := make(map[string]int, len(s.parts)) // index in the old text, from 1
	for i, p := range s.parts {
		at[escaped(p.name())] = i + 1
	}
	if !l.sample {
		slices.SortStableFunc(o.members, func(a, b member) int {
			switch i, j := at[a.name], at[b.name]; {
			case i == 0 && j == 0:
				return 0
			case i == 0 || j == 0:
				return cmp.Compare(j, i) // a new one is last
			default:
				return cmp.Compare(i, j)
			}
		})
	}
	l.out = append(l.out, '{')
	for n, m := range o.members {
		was := at[m.name] - 1
		inner := l.open(&s, n, was)
		if was >= 0 {
			l.out = append(l.out, s.parts[was].head...)
			l.value(s.parts[was].value, m.raw, inner)
			continue
		}
		l.head(&s, `"`+m.name+`"`)
		l.value(nil, m.raw, inner)
	}
	l.close(&s, len(o.members), '}')
}

func (l *layout) array(old []byte, array, outer string) {
	defer func(flat bool) { l.flat = flat }(l.flat)
	s := l.set(old, outer)
	l.out = append(l.out, '[')
	n := 0
	for w := walk(array); w.more(); n++ {
		was, like := n, n
		if n >= len(s.parts) {
			was, like = -1, len(s.parts)-1
		}
		inner := l.open(&s, n, was)
		if like >= 0 {
			l.value(s.parts[like].value, w.cut(), inner)
		} else {
			l.value(nil, w.cut(), inner)
		}
	}
	l.close(&s, n, ']')
}

// isCompactOf reports whether text without the blanks between its parts is compact.
func isCompactOf(compact string, text []byte) bool {
	i := 0
	for at := 0; at < len(text); at++ {
		b := text[at]
		if b == ' ' || b == '\t' || b == '\r' || b == '\n' {
			continue
		}
		if i == len(compact) || compact[i] != b {
			return false
		}
		i++
		if b != '"' {
			continue
		}
		end := quoteEnd(text, at+1) + 1
		n := end - at - 1
		if len(compact)-i < n || compact[i:i+n] != string(text[at+1:end]) {
			return false
		}
		i, at = i+n, end-1
	}
	return i == len(compact)
}
