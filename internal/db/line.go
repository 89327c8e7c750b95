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
//	"op":"put","book":{"id":1,…}             adds or replaces a row
//	"op":"delete","kind":"book","id":1       deletes a row
//	"op":"ids","last_ids":{"book":7,…}       the highest ids ever given out
//
// A snapshot begins with an ids line, so that compaction doesn't free the ids
// of deleted rows.
const (
	opPut    = "put"
	opDelete = "delete"
	opIDs    = "ids"
	opFeed   = "feed" // only in the snapshots of a shared log: see feed.go
)

// A change is a decoded line.
type change struct {
	op    string
	table table // nil for opIDs and opFeed
	id    int
	row   any      // the new row, for opPut
	was   any      // the pendingRow that c replaced; nil if there was none
	ids   []lastID // for opIDs
	feed  *feed    // for opFeed
}

// A lastID is the highest id ever given out in a table.
type lastID struct {
	table string
	id    int
}

func (c change) unpend() {
	if c.table != nil {
		c.table.unpend(c)
	}
}

// encodeLines renders changes as log lines.
func (d *DB) encodeLines(changes []change) ([][]byte, error) {
	lines := make([][]byte, len(changes))
	next, end := d.opt.Progress.Rows("preparing the rows", len(changes))
	defer end()
	for i, c := range changes {
		line, err := c.appendReadable(make([]byte, 0, 256))
		if err != nil {
			return nil, err
		}
		lines[i] = line
		next()
	}
	return lines, nil
}

// appendReadable appends the line of c. It fails for a row that a later start could
// not read.
func (c change) appendReadable(b []byte) ([]byte, error) {
	if c.op == opPut {
		if err := c.table.readable(c.row); err != nil {
			return nil, fmt.Errorf("%s %d: %w", c.table.name(), c.id, err)
		}
	}
	return c.append(b), nil
}

func (c change) encode() []byte { return c.append(make([]byte, 0, 256)) }

// append appends the line of c.
func (c change) append(b []byte) []byte {
	switch c.op {
	case opPut:
		return c.table.appendRow(appendPut(b, c.table.name()), c.row)
	case opDelete:
		return fmt.Appendf(b, `"op":"delete","kind":%q,"id":%d`, c.table.name(), c.id)
	case opFeed:
		return append(append(b, `"op":"feed","feed":`...), strictjson.Encode(c.feed)...)
	}
	return appendIDs(append(b, `"op":"ids","last_ids":`...), c.ids)
}

// appendPut appends the part of a put line before its row.
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

// version returns the version of the log's format that changes need, 0 for any.
func (d *DB) version(changes []change) (version int) {
	for _, c := range changes {
		if c.table != nil {
			version = max(version, c.table.since())
		}
		for _, last := range c.ids {
			version = max(version, d.tableNamed(last.table).since())
		}
	}
	return version
}

// A parsedLine is a decoded line that admit has not checked yet.
type parsedLine struct {
	change
	kind string // "kind" of a delete line
	rows int    // number of rows, kinds and last_ids in the line; admit requires 1
}

// parse decodes a line. A line written by hand may hold known members only, so
// that a typing error is not ignored.
func (d *DB) parse(r history.Record) (parsedLine, error) {
	if !r.Manual {
		if p, ok := d.parsePut(r.Body); ok {
			return p, nil
		}
	}
	return d.parseAny(r)
}

// parsePut decodes a put line with exactly the spacing and order of encode.
// Nearly all lines are such. ok is false for any other line. Without parsePut a
// start takes three times as long (BenchmarkRead has one line).
func (d *DB) parsePut(body []byte) (p parsedLine, ok bool) {
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
		return parsedLine{change: change{op: opPut, table: t, id: id, row: row}, rows: 1}, err == nil
	}
	return p, false
}

// parseAny decodes any line.
func (d *DB) parseAny(r history.Record) (p parsedLine, err error) {
	text := append(append(append(make([]byte, 0, len(r.Body)+2), '{'), r.Body...), '}')
	members, err := members(text)
	if err != nil {
		return p, err
	}
	deletedID := 0 // "id" of a delete line
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
			err = json.Unmarshal(m.value, &deletedID)
		case strings.EqualFold(m.name, "last_ids"):
			p.rows++
			p.ids, err = d.parseIDs(m.value, r.Manual)
		case r.Manual:
			err = fmt.Errorf("json: unknown field %q", m.name)
		case m.name == opFeed:
			p.rows++
			p.feed, err = d.parseFeed(m.value)
		}
		if err != nil {
			return p, err
		}
	}
	if p.kind != "" {
		p.rows++
		p.table, p.id = d.tableNamed(p.kind), deletedID
	}
	return p, nil
}

// parseIDs reads the last ids of all tables. A table that text doesn't name
// gets 0.
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

// tableNamed returns the table whose rows have that name, ignoring case as
// encoding/json does for fields. It returns nil if there is none.
func (d *DB) tableNamed(name string) table {
	i := slices.IndexFunc(d.tables, func(t table) bool { return strings.EqualFold(t.name(), name) })
	if i < 0 {
		return nil
	}
	return d.tables[i]
}

// MaxID is the highest id that a hand-written line or an import may use. It
// leaves as many ids for rows that come later.
const MaxID = int(^uint(0)>>1) / 2

// admit checks a line against the rules that applied when its change was
// decided. A hand-written or repaired line may break them. byHand also limits
// the ids, so that free ones remain.
func (d *DB) admit(p parsedLine, byHand bool) error {
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
	case p.op == opFeed && p.feed != nil:
		return nil
	case p.op != opPut || p.row == nil:
		return fmt.Errorf("op %q does not go with what the line holds", p.op)
	}
	if p.id < 1 || byHand && p.id > MaxID {
		return fmt.Errorf("%s %d: ids go from 1 to %d", p.table.name(), p.id, MaxID)
	}
	return p.table.check(&d.reader, p.id, p.row)
}

// anyRow lists the kinds of rows: "a user, a token or an item".
func (d *DB) anyRow() string {
	var names []string
	for _, t := range d.tables {
		if !t.used() {
			continue
		}
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

// applyLocked applies c to the tables that readers see. New changes and
// replayed lines both come through applyLocked, so log and memory agree. It is
// deterministic and never fails.
func (d *DB) applyLocked(c change) {
	switch c.op {
	case opPut:
		c.table.apply(c.id, c.row)
	case opDelete:
		c.table.remove(c.id)
	case opIDs:
		for _, last := range c.ids {
			d.tableNamed(last.table).reserve(last.id)
		}
	case opFeed:
		d.applyFeed(c.feed)
	}
}

// A member is one name and value of a JSON object.
type member struct {
	name  string
	value []byte
}

// members splits a JSON object into its members, in order.
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
		return nil, errors.New("text follows the object")
	}
	return all, nil
}

// isNull reports whether a JSON value is null.
func isNull(value []byte) bool { return string(bytes.TrimSpace(value)) == "null" }

// DecodeJSON is a Schema.Decode that uses encoding/json. It reads null as {},
// because encoding/json would leave a nil pointer.
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
