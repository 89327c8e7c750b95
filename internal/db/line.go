package db

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/strictjson"
)

// A line of the log is one change. Its body is the members of a JSON object:
//
//	"op":"put","book":{"id":1,…}             a row as it is from now on
//	"op":"delete","kind":"book","id":1       a row that goes
//	"op":"ids","last_ids":{"book":7,…}       the highest ids ever given out
//
// The last stands in front of a snapshot, so that compaction doesn't bring the
// ids of what has gone into use again.
const (
	opPut    = "put"
	opDelete = "delete"
	opIDs    = "ids"
)

// A change is a line, understood.
type change struct {
	op    string
	table table // of the row; nil for opIDs
	id    int
	row   any      // of opPut
	was   any      // the pendingRow that the change found, nil for none
	ids   []lastID // of opIDs
}

// A lastID is the highest id ever given out in a table.
type lastID struct {
	table string
	id    int
}

func (c change) settle() {
	if c.table != nil {
		c.table.settle(c)
	}
}

// encodeLines renders changes as the log wants them. It fails for a row that could
// not be read again.
func encodeLines(changes []change) ([][]byte, error) {
	lines := make([][]byte, len(changes))
	for i, c := range changes {
		if c.op == opPut {
			if err := c.table.readable(c.row); err != nil {
				return nil, fmt.Errorf("%s %d: %w", c.table.name(), c.id, err)
			}
		}
		lines[i] = c.encode()
	}
	return lines, nil
}

func (c change) encode() []byte {
	b := make([]byte, 0, 256)
	switch c.op {
	case opPut:
		return c.table.appendRow(appendPut(b, c.table.name()), c.row)
	case opDelete:
		return fmt.Appendf(b, `"op":"delete","kind":%q,"id":%d`, c.table.name(), c.id)
	}
	return appendIDs(append(b, `"op":"ids","last_ids":`...), c.ids)
}

// appendPut appends what stands before the row.
func appendPut(b []byte, table string) []byte {
	return append(append(append(b, `"op":"put","`...), table...), `":`...)
}

// appendIDs appends last ids as a JSON object.
func appendIDs(b []byte, ids []lastID) []byte {
	b = append(b, '{')
	for i, last := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), last.table...), `":`...)
		b = strconv.AppendInt(b, int64(last.id), 10)
	}
	return append(b, '}')
}

// A parsed is a line taken apart, and not yet judged.
type parsed struct {
	change
	kind string // of the row that goes
	rows int    // how many members of the line are something to change
}

// parse takes a line apart. A person's line may hold nothing that no table
// knows, as a slip of the pen would look like that.
func (d *DB) parse(r history.Record) (parsed, error) {
	if !r.Manual {
		if p, ok := d.parsePut(r.Body); ok {
			return p, nil
		}
	}
	return d.parseAny(r)
}

// parsePut reads a line that puts a row, if it is written just as encode writes
// it. Most lines are: so each is decoded once, and not first taken apart.
func (d *DB) parsePut(body []byte) (p parsed, ok bool) {
	rest, ok := bytes.CutPrefix(body, []byte(`"op":"put","`))
	if !ok {
		return p, false
	}
	for _, t := range d.tables {
		text, ok := bytes.CutPrefix(rest, []byte(t.name()))
		if !ok {
			continue
		}
		if text, ok = bytes.CutPrefix(text, []byte(`":`)); !ok {
			continue
		}
		if isNull(text) {
			return p, false
		}
		row, id, err := t.decode(text, false)
		return parsed{change: change{op: opPut, table: t, id: id, row: row}, rows: 1}, err == nil
	}
	return p, false
}

// parseAny reads any line.
func (d *DB) parseAny(r history.Record) (p parsed, err error) {
	text := append(append(append(make([]byte, 0, len(r.Body)+2), '{'), r.Body...), '}')
	members, err := members(text)
	if err != nil {
		return p, err
	}
	goes := 0 // the id of the row that goes
	for _, m := range members {
		switch t := d.tableNamed(m.name); {
		case string(m.value) == "null":
		case t != nil:
			p.rows++
			p.table = t
			p.row, p.id, err = t.decode(m.value, r.Manual)
		case strings.EqualFold(m.name, "op"):
			err = json.Unmarshal(m.value, &p.op)
		case strings.EqualFold(m.name, "kind"):
			err = json.Unmarshal(m.value, &p.kind)
		case strings.EqualFold(m.name, "id"):
			err = json.Unmarshal(m.value, &goes)
		case strings.EqualFold(m.name, "last_ids"):
			p.rows++
			p.ids, err = d.parseIDs(m.value, r.Manual)
		case r.Manual:
			err = fmt.Errorf("json: unknown field %q", m.name)
		}
		if err != nil {
			return p, err
		}
	}
	if p.kind != "" {
		p.rows++
		p.table, p.id = d.tableNamed(p.kind), goes
	}
	return p, nil
}

// parseIDs reads last ids: those of all tables, 0 where the line names none.
func (d *DB) parseIDs(text []byte, strict bool) (ids []lastID, err error) {
	var named map[string]int
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&named); err != nil {
		return nil, err
	}
	for _, t := range d.tables {
		ids = append(ids, lastID{table: t.name()})
	}
	for name, id := range named {
		i := slices.IndexFunc(ids, func(last lastID) bool { return strings.EqualFold(last.table, name) })
		switch {
		case i >= 0:
			ids[i].id = max(ids[i].id, id)
		case strict:
			return nil, fmt.Errorf("json: unknown field %q", name)
		}
	}
	return ids, nil
}

// tableNamed finds a table by the name of its rows, in any case, as encoding/json
// finds fields; nil for none.
func (d *DB) tableNamed(name string) table {
	i := slices.IndexFunc(d.tables, func(t table) bool { return strings.EqualFold(t.name(), name) })
	if i < 0 {
		return nil
	}
	return d.tables[i]
}

// MaxID is the highest id that a person's line or an import may give to a row.
// There is as much room again behind it.
const MaxID = int(^uint(0)>>1) / 2

// admit checks that a line of the log keeps the rules that every change had to
// keep when it was decided; a person's, or a mended one, may not. The ids of a
// person have to leave room for others besides.
func (d *DB) admit(p parsed, byHand bool) error {
	if p.rows != 1 {
		return fmt.Errorf("a line changes one row: %s", d.anyRow())
	}
	switch {
	case p.op == opDelete && p.kind != "":
		if p.table == nil || !p.table.has(p.id) {
			return fmt.Errorf("deletes %s %d, which does not exist", p.kind, p.id)
		}
		return nil
	case p.op == opIDs && p.ids != nil:
		for _, last := range p.ids {
			if byHand && last.id > MaxID {
				return fmt.Errorf("an id is above %d", MaxID)
			}
		}
		return nil
	case p.op != opPut || p.row == nil:
		return fmt.Errorf("op %q does not go with what the line holds", p.op)
	}
	if p.id < 1 || byHand && p.id > MaxID {
		return fmt.Errorf("%s %d: ids go from 1 to %d", p.table.name(), p.id, MaxID)
	}
	return p.table.check(&d.reader, p.id, p.row)
}

// anyRow words what a row can be: "a user, a token or an item".
func (d *DB) anyRow() string {
	var names []string
	for _, t := range d.tables {
		article := "a "
		if strings.ContainsRune("aeio", rune(t.name()[0])) {
			article = "an "
		}
		names = append(names, article+t.name())
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return strings.Join(names, "")
}

// applyLocked makes c part of what readers see. A change that was just made
// durable and one that is replayed come through here alike, so log and memory
// can't disagree. It is deterministic and can't fail.
func (d *DB) applyLocked(c change) {
	switch c.op {
	case opPut:
		c.table.apply(c.id, c.row)
	case opDelete:
		c.table.remove(c.id)
	case opIDs:
		for _, last := range c.ids {
			d.tableNamed(last.table).raise(last.id)
		}
	}
}

// A member is one name and value of a JSON object.
type member struct {
	name  string
	value []byte
}

// members takes a JSON object apart, in its order.
func members(text []byte) (all []member, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		all = append(all, member{name.(string), value})
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("something follows the object")
	}
	return all, nil
}

// isNull reports whether a JSON value is null.
func isNull(value []byte) bool { return string(bytes.TrimSpace(value)) == "null" }

// DecodeJSON is Schema.Decode for rows that encoding/json reads. It reads null as
// a row without members, where encoding/json would leave a nil pointer.
func DecodeJSON[R any](text []byte, strict bool) (row R, err error) {
	if isNull(text) {
		text = []byte("{}")
	}
	if strict {
		err = strictjson.Unmarshal(text, &row)
	} else {
		err = json.Unmarshal(text, &row)
	}
	return row, err
}
