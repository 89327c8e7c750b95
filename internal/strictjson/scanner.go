package strictjson

import (
	"bytes"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// A Scanner reads JSON of a known form from the front, without copying it. It
// is for JSON that this program has written: encoding/json would take six times
// as long. After a mismatch Bad is set and further results are meaningless; the
// caller then falls back on encoding/json.
type Scanner struct {
	Rest []byte // the part not read yet
	Bad  bool
}

// Expect reads literal. Bad is set if the input doesn't continue with it.
func (s *Scanner) Expect(literal string) {
	if !s.Next(literal) {
		s.Bad = true
	}
}

// Next reads literal if the input continues with it.
func (s *Scanner) Next(literal string) bool {
	if len(s.Rest) < len(literal) || string(s.Rest[:len(literal)]) != literal {
		return false
	}
	s.Rest = s.Rest[len(literal):]
	return true
}

// Number reads a whole number of up to 18 digits, which can't overflow.
func (s *Scanner) Number() int {
	n, i := int64(0), 0
	for ; i < len(s.Rest) && s.Rest[i] >= '0' && s.Rest[i] <= '9' && i < 18; i++ {
		n = 10*n + int64(s.Rest[i]-'0')
	}
	s.Bad = s.Bad || i == 0 || n > math.MaxInt
	s.Rest = s.Rest[i:]
	return int(n)
}

// Text reads up to the next quote. Bad is set if the text has an escape.
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

// SkipTexts reads string members. names are as in the function Texts. Bad is set if a
// string has an escape or is not UTF-8.
func (s *Scanner) SkipTexts(names []string) {
	from := s.Rest
	for _, name := range names {
		s.Expect(name)
		s.Expect(`"`)
		s.Text()
		s.Expect(`"`)
	}
	s.Bad = s.Bad || !utf8.Valid(from[:len(from)-len(s.Rest)])
}

// Time reads a time (RFC 3339) with its quotes.
func (s *Scanner) Time() time.Time {
	s.Expect(`"`)
	t, err := time.Parse(time.RFC3339, string(s.Text()))
	s.Expect(`"`)
	s.Bad = s.Bad || err != nil
	return t
}

// End reports whether everything matched and nothing is left.
func (s *Scanner) End() bool { return !s.Bad && len(s.Rest) == 0 }

// Texts returns the last of the string members at the beginning of text. names
// are the members up to their values, as they are written: `,"itemname":`. text
// must be well-formed and begin with these members. encoding/json takes 40
// times as long (BenchmarkTexts), which a list by name would pay for each row.
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

// cutString splits text after the JSON string at its beginning.
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
