package strictjson

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// A Document is a JSON object in a file, which is read piece by piece. It takes little
// memory, however long the lists in it are.
type Document struct {
	file  io.ReaderAt
	size  int64
	parts []part
}

// A part is a member of a Document.
type part struct {
	name     string
	from, to int64 // its value begins with a colon, or with the bracket of a list
	list     bool
	elements int
}

// ReadDocument reads the first size bytes of file once, to check that they are one JSON
// object and to find its members. It calls told with the number of bytes that are read.
// It fails with a *Slip for a syntax error. Like Decode, it rejects duplicate names and
// more than MaxFields members. What stands in the values is for their reader to check.
func ReadDocument(file io.ReaderAt, size int64, told func(done int64)) (*Document, error) {
	d := &Document{file: file, size: size}
	err := d.findParts(told)
	if _, isSyntax := errors.AsType[*json.SyntaxError](err); isSyntax || err == io.EOF || err == io.ErrUnexpectedEOF {
		text := make([]byte, size)
		if _, err := io.ReadFull(d.section(0, size), text); err != nil {
			return nil, err
		}
		if slip := FindSlip(text); slip != nil {
			return nil, slip
		}
	}
	return d, err
}

func (d *Document) section(from, to int64) *io.SectionReader {
	return io.NewSectionReader(d.file, from, to-from)
}

// readEach is the size of the pieces in which a Document is read.
const readEach = 256 << 10

func (d *Document) decoder(from, to int64) *json.Decoder {
	return json.NewDecoder(bufio.NewReaderSize(d.section(from, to), readEach))
}

func (d *Document) findParts(told func(int64)) error {
	in := d.decoder(0, d.size)
	begin, err := in.Token()
	if err != nil {
		return err
	}
	isObject := begin == json.Delim('{')
	if !isObject { // a syntax error further on is told first
		if delim, opens := begin.(json.Delim); opens && delim == '[' {
			err = skipElements(in, new(part), told)
		}
	}
	for isObject && err == nil && in.More() {
		err = d.findPart(in, told)
	}
	if err == nil && isObject {
		_, err = in.Token() // the closing brace
	}
	if err == nil {
		if _, err = in.Token(); err == nil {
			err = new(json.SyntaxError) // something follows
		} else if err == io.EOF {
			err = nil
		}
	}
	if err == nil && !isObject {
		err = errNoObject
	}
	return err
}

var errNoObject = errors.New("must be a JSON object")

// findPart reads the next member.
func (d *Document) findPart(in *json.Decoder, told func(int64)) error {
	name, err := in.Token()
	if err != nil {
		return err
	}
	p := part{name: name.(string), from: in.InputOffset()}
	if len(d.parts) == MaxFields {
		return ErrTooManyFields
	}
	if d.part(p.name) != nil {
		return Member{Name: p.name}.Fault("duplicate", "must be given only once")
	}
	value, err := in.Token()
	if err == nil && value == json.Delim('[') {
		p.list, p.from = true, in.InputOffset()-1
		err = skipElements(in, &p, told)
	} else if err == nil && value == json.Delim('{') {
		err = skipObject(in)
	}
	p.to = in.InputOffset()
	d.parts = append(d.parts, p)
	return err
}

// skipElements reads the rest of a list, and counts its elements.
func skipElements(in *json.Decoder, p *part, told func(int64)) error {
	var element json.RawMessage // one memory for all elements
	for at := in.InputOffset(); in.More(); p.elements++ {
		if err := in.Decode(&element); err != nil {
			return err
		}
		if now := in.InputOffset(); now-at > readEach {
			at = now
			told(now)
		}
	}
	_, err := in.Token() // the closing bracket
	return err
}

// skipObject reads the rest of an object.
func skipObject(in *json.Decoder) error {
	var value json.RawMessage
	for in.More() {
		if _, err := in.Token(); err != nil {
			return err
		}
		if err := in.Decode(&value); err != nil {
			return err
		}
	}
	_, err := in.Token()
	return err
}

func (d *Document) part(name string) *part {
	i := slices.IndexFunc(d.parts, func(p part) bool { return p.name == name })
	if i < 0 {
		return nil
	}
	return &d.parts[i]
}

// Names returns the names of the members, in order.
func (d *Document) Names() (names []string) {
	for _, p := range d.parts {
		names = append(names, p.name)
	}
	return names
}

// Has reports whether there is a member name.
func (d *Document) Has(name string) bool { return d.part(name) != nil }

// Value returns the value of member name, or nil if there is none.
func (d *Document) Value(name string) (json.RawMessage, error) {
	p := d.part(name)
	if p == nil {
		return nil, nil
	}
	text := make([]byte, p.to-p.from)
	_, err := io.ReadFull(d.section(p.from, p.to), text)
	return bytes.TrimLeft(text, ":"+jsonBlanks), err
}

// Len is the number of elements of the list name.
func (d *Document) Len(name string) int {
	if p := d.part(name); p != nil {
		return p.elements
	}
	return 0
}

// Each calls f with each element of the list name. The text may be used until f
// returns. It was JSON when ReadDocument read it; f has to check that it still is. Each
// returns f's error as an *ElementError. There may be no such list, or null.
func (d *Document) Each(name string, f func(text []byte) error) error {
	p := d.part(name)
	if p == nil {
		return nil
	}
	if !p.list {
		if value, err := d.Value(name); err != nil || string(value) == "null" {
			return err
		}
		return fmt.Errorf("%s: must be a list", name)
	}
	in := bufio.NewReaderSize(d.section(p.from+1, p.to), readEach)
	var text []byte // one memory for all elements
	for i := range p.elements {
		var err error
		if text, err = readElement(in, text[:0]); err != nil {
			return fmt.Errorf("the file was changed while it was read: %w", err)
		}
		if err := f(bytes.Trim(text, jsonBlanks)); err != nil {
			return &ElementError{List: name, Index: i, Err: err}
		}
	}
	return nil
}

// readElement appends the next element of a list, with the blanks around it. It reads
// the comma or the bracket behind it too. json.Decoder takes three times as long.
func readElement(in *bufio.Reader, text []byte) ([]byte, error) {
	depth, inString := 0, false
	for {
		c, err := in.ReadByte()
		if err != nil {
			return text, err
		}
		switch {
		case inString && c == '\\':
			text = append(text, c)
			if c, err = in.ReadByte(); err != nil {
				return text, err
			}
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == ',' || c == ']'):
			return text, nil
		case c == '}' || c == ']':
			depth--
		}
		text = append(text, c)
	}
}

// Sound checks a value as Decode checks the values of an object.
func Sound(value []byte) error {
	if !json.Valid(value) {
		return json.Unmarshal(value, new(json.RawMessage))
	}
	text := append(append([]byte(`"":`), value...), '}')
	if _, _, _, what := cutMember(text); what != "" {
		return errors.New(what)
	}
	return nil
}
