package strictjson

import (
	"bytes"
	"math"
	"strings"
	"time"
)

// A Scanner takes JSON of a known shape apart from the front, without a copy. It is
// for JSON that this program wrote itself, where encoding/json takes six times as
// long; a reader falls back on that for all else. Once something isn't as expected,
// the Scanner is Bad, and what it returns means nothing.
type Scanner struct {
	Rest []byte // what is still to be read
	Bad  bool
}

// Expect takes a literal.
func (s *Scanner) Expect(literal string) {
	if !s.Next(literal) {
		s.Bad = true
	}
}

// Next takes a literal if it is there.
func (s *Scanner) Next(literal string) bool {
	if len(s.Rest) < len(literal) || string(s.Rest[:len(literal)]) != literal {
		return false
	}
	s.Rest = s.Rest[len(literal):]
	return true
}

// Number takes a whole number. It takes 18 digits at most, which can't overflow.
func (s *Scanner) Number() int {
	n, i := int64(0), 0
	for ; i < len(s.Rest) && s.Rest[i] >= '0' && s.Rest[i] <= '9' && i < 18; i++ {
		n = 10*n + int64(s.Rest[i]-'0')
	}
	s.Bad = s.Bad || i == 0 || n > math.MaxInt
	s.Rest = s.Rest[i:]
	return int(n)
}

// Text takes what stands before the next quote. Text with an escape is Bad.
func (s *Scanner) Text() []byte {
	i := bytes.IndexByte(s.Rest, '"')
	if i < 0 || bytes.IndexByte(s.Rest[:i], '\\') >= 0 {
		s.Bad = true
		return nil
	}
	text := s.Rest[:i]
	s.Rest = s.Rest[i:]
	return text
}

// Texts takes string members, and puts what they say into variables. names are as
// those of the function Texts. One string holds all of them, with what stands between
// them: that is one allocation.
func (s *Scanner) Texts(names []string, variables ...*string) {
	from := s.Rest
	type part struct{ begin, end int }
	parts := make([]part, 0, 8)
	for _, name := range names {
		s.Expect(name)
		s.Expect(`"`)
		begin := len(from) - len(s.Rest)
		text := s.Text()
		parts = append(parts, part{begin, begin + len(text)})
		s.Expect(`"`)
	}
	all := string(from[:len(from)-len(s.Rest)])
	for i, p := range parts {
		*variables[i] = all[p.begin:p.end]
	}
}

// Time takes a time (RFC 3339), with its quotes.
func (s *Scanner) Time() time.Time {
	s.Expect(`"`)
	t, err := time.Parse(time.RFC3339, string(s.Text()))
	s.Expect(`"`)
	s.Bad = s.Bad || err != nil
	return t
}

// End reports whether all was as expected, and nothing is left.
func (s *Scanner) End() bool { return !s.Bad && len(s.Rest) == 0 }

// Texts returns the last of some string members that text begins with. names are
// those members as they are written, with what stands before the value:
// `,"itemname":`. text must be well-formed and begin so.
func Texts(text string, names ...string) string {
	var raw string
	for _, name := range names {
		raw, text = cutString(text[len(name):])
	}
	if strings.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	return Unquote([]byte(raw))
}

// cutString cuts the JSON string that text begins with from what follows it.
func cutString(text string) (raw, rest string) {
	end := 1 + strings.IndexByte(text[1:], '"')
	if strings.IndexByte(text[1:end], '\\') >= 0 {
		for end = 1; text[end] != '"'; end++ {
			if text[end] == '\\' {
				end++
			}
		}
	}
	return text[:end+1], text[end+1:]
}
