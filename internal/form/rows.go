package form

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"example.com/shelf/internal/strictjson"
	"example.com/shelf/internal/term"
)

// Rows takes the rows of that name out of parts. input is the part of a row that a
// client sets, as for [Read]. An error names the row. begin is told what is being done to
// how many rows. It returns what is called for each row, and at the end.
func Rows[T any](parts map[string]json.RawMessage, name string, begin func(what string, rows int) (next, end func()), input func(*T) any, validate func(*T) error) (rows []*T, changes *RowChanges, err error) {
	changes = &RowChanges{name: name, dropped: map[string]int{}}
	var texts []json.RawMessage
	if list, given := parts[name]; given && json.Unmarshal(list, &texts) != nil {
		return nil, nil, fmt.Errorf("%s: must be a list", name)
	}
	next, end := begin("checking the "+name, len(texts))
	defer end()
	for i, text := range texts {
		next()
		row := new(T)
		members, err := strictjson.Decode(text)
		var unknown []string
		if err == nil {
			unknown, err = set(members, input(row), false)
		}
		if err == nil {
			err = validate(row)
		}
		if err != nil {
			return nil, nil, &strictjson.ElementError{List: name, Index: i, Err: err}
		}
		rows = append(rows, row)
		changes.ids = append(changes.ids, string(members.Value("id")))
		for _, field := range unknown {
			if field != "id" {
				changes.dropped[field]++
			}
		}
	}
	delete(parts, name)
	return rows, changes, nil
}

// RowChanges are what the import of rows of one name has changed in them.
type RowChanges struct {
	name    string
	dropped map[string]int // by field: how many rows had it
	ids     []string       // as the rows have them, "" for none
}

// Words says what was changed, "" for nothing; newID is the id of a row now.
func (p *RowChanges) Words(newID func(i int) int) (text string) {
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(p.dropped)) {
		fields = append(fields, fmt.Sprintf("%s (%s)", term.Printable(name), term.Count(p.dropped[name], "row")))
	}
	if fields != nil {
		text = "; dropped from " + p.name + ": " + strings.Join(fields, ", ")
	}
	renumbered := 0
	for i, id := range p.ids {
		if id != "" && id != strconv.Itoa(newID(i)) {
			renumbered++
		}
	}
	if renumbered > 0 {
		text += fmt.Sprintf("; new ids for %d of %d %s", renumbered, len(p.ids), p.name)
	}
	return text
}
