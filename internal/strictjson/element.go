package strictjson

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// An ElementError is what is wrong with one element of a list that a document has as
// a member. Its text names the element: items[3], from 0.
type ElementError struct {
	List  string
	Index int
	Err   error
}

func (e *ElementError) Error() string { return fmt.Sprintf("%s[%d]: %v", e.List, e.Index, e.Err) }
func (e *ElementError) Unwrap() error { return e.Err }

// Line returns the line of the document, from 1, on which the element begins; 0 if
// the document has no such element.
func (e *ElementError) Line(document []byte) int {
	d := json.NewDecoder(bytes.NewReader(document))
	d.Token() // the opening brace
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return 0
		}
		if name != e.List {
			if d.Decode(new(json.RawMessage)) != nil {
				return 0
			}
			continue
		}
		d.Token() // the opening bracket
		for i := 0; d.More(); i++ {
			at := int(d.InputOffset())
			at += len(document[at:]) - len(bytes.TrimLeft(document[at:], ","+jsonBlanks))
			if i == e.Index {
				return bytes.Count(document[:at], []byte("\n")) + 1
			}
			if d.Decode(new(json.RawMessage)) != nil {
				return 0
			}
		}
		return 0
	}
	return 0
}
