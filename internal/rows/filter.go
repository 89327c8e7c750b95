package rows

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// The most that _like may cost.
const (
	maxLike     = 1 << 10 // bytes of an expression
	maxLikeSize = 2000    // steps of its program
	maxLikeWork = 1 << 28 // steps of the program, times bytes of the texts: about two seconds at worst
)

// An operator is how a filter compares.
type operator int

const (
	opEqual operator = iota
	opDiffers
	opAtLeast
	opAtMost
	opAbove
	opBelow
	opLike
)

// isCostly reports whether each further value of a filter costs time in each row.
func (o operator) isCostly() bool { return o != opEqual && o != opDiffers }

// A filter is one condition of a query. A row meets it if its field compares so with
// any of the values, or with all of them for _ne.
type filter struct {
	field string
	path  Path
	op    operator

	values []string            // of = and _ne
	texts  []string            // the values, escaped as they stand in rows
	set    map[string]struct{} // the texts, once they are many
	null   bool                // "null" is one of the values: it also means null and absent
	key    bool                // the value names a row, as KeyText has it

	bounds []bound
	likes  []*like
}

func newFilter(field string, op operator) *filter {
	return &filter{field: field, path: NewPath(field), op: op}
}

// add gives the filter one more value.
func (f *filter) add(value string) error {
	switch f.op {
	case opEqual, opDiffers:
		f.values, f.texts = append(f.values, value), append(f.texts, escaped(value))
		f.null = f.null || value == "null" && !f.key
		if f.set != nil {
			f.set[escaped(value)] = struct{}{}
		} else if len(f.texts) > 8 {
			f.set = map[string]struct{}{}
			for _, text := range f.texts {
				f.set[text] = struct{}{}
			}
		}
	case opLike:
		l, err := newLike(value)
		if err != nil {
			return err
		}
		f.likes = append(f.likes, l)
	default:
		f.bounds = append(f.bounds, newBound(value))
	}
	return nil
}

// match reports whether a row meets the condition. It adds to work what _like costs.
func (f *filter) match(text string, work *int64) bool {
	raw, _ := f.path.In(text)
	switch f.op {
	case opEqual:
		return f.has(raw)
	case opDiffers:
		return !f.has(raw)
	case opLike:
		content, ok := Text(raw)
		return ok && slices.ContainsFunc(f.likes, func(l *like) bool {
			*work += l.size * int64(len(content))
			return l.match(content)
		})
	}
	for i := range f.bounds {
		if order, ok := f.bounds[i].compare(raw); ok {
			switch {
			case order > 0 && (f.op == opAtLeast || f.op == opAbove),
				order < 0 && (f.op == opAtMost || f.op == opBelow),
				order == 0 && (f.op == opAtLeast || f.op == opAtMost):
				return true
			}
		}
	}
	return false
}

// has reports whether the text of a value is one of the filter's texts.
func (f *filter) has(raw string) bool {
	switch kindOf(raw) {
	case kindNull, kindAbsent:
		return f.null
	case kindText:
		raw = raw[1 : len(raw)-1]
	case kindNumber:
		raw = numberText(raw)
	case kindArray, kindObject:
		if f.key {
			return false
		}
		raw = escaped(raw)
	}
	if f.set != nil {
		_, ok := f.set[raw]
		return ok
	}
	return slices.Contains(f.texts, raw)
}

// A like is an expression of _like. It is found anywhere in a text, without regard to
// case. RE2 has no look-around and no back references. Its time grows with the size
// of the expression times the length of the text, and no further.
type like struct {
	lower string // what is looked for, if the expression is plain ASCII
	re    *regexp.Regexp
	size  int64 // steps of the program
}

func newLike(expression string) (*like, error) {
	if len(expression) > maxLike {
		return nil, errors.New("must not be longer than 1024 bytes")
	}
	if regexp.QuoteMeta(expression) == expression && isASCII(expression) {
		return &like{lower: strings.ToLower(expression), size: 1}, nil
	}
	bad := func(err error) error {
		return errors.New("must be a regular expression (RE2; look-around and back references are not supported): " +
			strings.TrimPrefix(err.Error(), "error parsing regexp: ") + `: write \ before a character that is meant as it is`)
	}
	tree, err := syntax.Parse(expression, syntax.Perl|syntax.FoldCase)
	if err != nil {
		return nil, bad(err)
	}
	size := programSize(tree)
	if size > maxLikeSize {
		return nil, errors.New("is too large an expression: repeat less")
	}
	re, err := regexp.Compile("(?i)" + expression)
	if err != nil {
		return nil, bad(err)
	}
	return &like{re: re, size: size}, nil
}

// programSize returns about how many steps an expression has once it is compiled.
// Repetitions in repetitions multiply: that is known before it costs memory.
func programSize(tree *syntax.Regexp) int64 {
	size := 1 + int64(len(tree.Rune))
	for _, sub := range tree.Sub {
		size = min(size+programSize(sub), maxLikeSize+1)
	}
	if tree.Op == syntax.OpRepeat {
		size *= int64(max(tree.Min, tree.Max, 1))
	}
	return min(size, maxLikeSize+1)
}

func (l *like) match(text string) bool {
	if l.re == nil {
		return containsFold(text, l.lower)
	}
	return l.re.MatchString(text)
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// containsFold reports whether text holds lower, which is lower-case ASCII, in upper
// or lower case.
func containsFold(text, lower string) bool {
	for from := 0; from+len(lower) <= len(text); from++ {
		n := 0
		for n < len(lower) && lowerASCII(text[from+n]) == lower[n] {
			n++
		}
		if n == len(lower) {
			return true
		}
	}
	return false
}

func lowerASCII(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// A search is the text of q. It is found in any value at any depth, without regard to
// case. Names of members are not searched, and 0, false and null are never found.
type search struct {
	lower string
	ascii bool
}

func newSearch(lower string) search { return search{lower, isASCII(lower)} }

func (s search) in(raw string) bool {
	switch kindOf(raw) {
	case kindText:
		content := unescaped(raw[1 : len(raw)-1])
		if s.ascii {
			return containsFold(content, s.lower)
		}
		return strings.Contains(strings.ToLower(content), s.lower)
	case kindNumber:
		content := numberText(raw)
		return content != "0" && strings.Contains(content, s.lower)
	case kindBoolean:
		return raw == "true" && strings.Contains(raw, s.lower)
	case kindObject, kindArray:
		isObject := raw[0] == '{'
		for w := walk(raw); w.more(); {
			if isObject {
				w.cut()
				w.at++ // the colon
			}
			if s.in(w.cut()) {
				return true
			}
		}
	}
	return false
}
