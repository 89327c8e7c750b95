package form

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"example.com/shelf/internal/strictjson"
	"example.com/shelf/internal/term"
)

// Rows reads the rows of that name. input is the part of a row that a client sets, as
// for [Read]. add takes each row that validate accepts, and returns its id. An error
// names the row. begin is told what is being done to how many rows. It returns what is
// called for each row, and at the end.
func Rows[T any](from *strictjson.Document, name string, begin func(what string, rows int) (next, end func()), input func(*T) any, validate func(*T) error, add func(*T) (id int, err error)) (*RowChanges, error) {
	changes := &RowChanges{name: name, dropped: map[string]int{}}
	next, end := begin("checking the "+name, from.Len(name))
	defer end()
	err := from.Each(name, func(text []byte) error {
		next()
		row := new(T)
		members, err := strictjson.Decode(text)
		if err != nil {
			return err
		}
		unknown, err := set(members, input(row), false)
		if err == nil {
			err = validate(row)
		}
		if err != nil {
			return err
		}
		id, err := add(row)
		changes.add(string(members.Value("id")), id, unknown)
		return err
	})
	return changes, err
}

// RowChanges are what the import of rows of one name has changed in them.
type RowChanges struct {
	Rows int // how many there are

	name       string
	dropped    map[string]int // by field: how many rows had it
	renumbered int            // how many rows had another id
}

// add counts a row that had the id was, "" for none, and the unknown fields.
func (p *RowChanges) add(was string, id int, unknown []string) {
	p.Rows++
	if was != "" && was != strconv.Itoa(id) {
		p.renumbered++
	}
	for _, field := range unknown {
		if field != "id" {
			p.dropped[field]++
		}
	}
}

// Words says what was changed, "" for nothing.
func (p *RowChanges) Words() (text string) {
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(p.dropped)) {
		fields = append(fields, fmt.Sprintf("%s (%s)", term.Printable(name), term.Count(p.dropped[name], "row")))
	}
	if fields != nil {
		text = "; dropped from " + p.name + ": " + strings.Join(fields, ", ")
	}
	if p.renumbered > 0 {
		text += fmt.Sprintf("; new ids for %d of %d %s", p.renumbered, p.Rows, p.name)
	}
	return text
}
