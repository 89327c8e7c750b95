package rows

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/strictjson"
)

// What a Store refuses, beside what a *Denied and an *Error say.
var (
	ErrNoCollection = errors.New("no such collection")
	ErrNoRow        = errors.New("no such row")
	// ErrTaken: the id of a new row, or the name of a new collection, is taken.
	ErrTaken error = &Error{Conflict, "the id is taken by another row: send another id, or none"}
)

// defaultMaxCollections is how many collections there may be.
const defaultMaxCollections = 1000

// format is the version of the log's format that added collections.
const format = 2

// Options are what the owner of a Store may choose.
type Options struct {
	Guards Guards
	// KeepChildren has Delete keep the rows that name the deleted row.
	KeepChildren bool
	// MaxCollections is how many there may be, 0 for 1,000.
	MaxCollections int
}

// A Store keeps collections in tables of a db.DB. Its methods take a transaction:
// reads one of View, rules one of Update. Reads return only what the caller may read.
// Rules check that the caller may change the row. When one fails, the caller's rules
// must fail too.
type Store struct {
	opt       Options
	isAccount func(tx *db.Tx, owner string) bool // nil: none is

	collections *db.Table[*collection]
	byName      *db.Unique[*collection, string]

	rows    *db.Table[*Row]
	byID    *db.Unique[*Row, rowKey]
	rowsIn  *db.Multi[*Row, int]
	byKind  *db.Multi[*Row, idKind]
	byOwner *db.Multi[*Row, string] // by the text of userId, "" for none

	sources *db.Table[source]

	lists map[int]*list // committed rows by the collection's id
	given map[int]int   // by the collection's id: the highest number given out since the start
}

// A rowKey is a collection's id and a row's id.
type rowKey struct {
	in int
	id string
}

// An idKind is a collection's id and whether the ids are texts.
type idKind struct {
	in   int
	text bool
}

// A collection is a member of the file at its top level: a list of rows, a single
// row, or a member that shelf keeps and gives no route.
type collection struct {
	ID       int             `json:"id"`
	Name     string          `json:"name"`
	Single   bool            `json:"single,omitempty"`
	Accounts bool            `json:"accounts,omitempty"` // the place of the accounts among the members
	Kept     json.RawMessage `json:"kept,omitempty"`     // of a member without a route
	// Last is the highest number that a deleted row had as its id, so that it is not
	// used again.
	Last int `json:"last,omitempty"`
}

// routed reports whether the collection has a route.
func (c *collection) routed() bool { return c.Kept == nil && !c.Accounts }

// New declares the tables of collections, before d is opened.
func New(d *db.DB, opt Options) *Store {
	if opt.MaxCollections == 0 {
		opt.MaxCollections = defaultMaxCollections
	}
	s := &Store{opt: opt, lists: map[int]*list{}, given: map[int]int{}}
	s.collections = db.Add(d, db.Schema[*collection]{
		Name: "collection", Plural: "collections", Since: format,
		ID:    func(c *collection) int { return c.ID },
		Check: s.checkCollection,
	})
	s.byName = db.NewUnique(s.collections, "name", func(c *collection) (string, bool) { return c.Name, true })
	s.collections.Follow(s.followCollection)
	s.rows = db.Add(d, db.Schema[*Row]{
		Name: "row", Plural: "rows", Since: format,
		ID:     func(r *Row) int { return r.Seat },
		Append: func(b []byte, r *Row) []byte { return r.appendLine(b) },
		Decode: decodeLine,
		Check:  s.checkRow,
		Tell:   s.tell,
		About:  func(text []byte) (any, error) { return db.DecodeJSON[Told](text, false) },
	})
	s.byID = db.NewUnique(s.rows, "id in its collection", func(r *Row) (rowKey, bool) { return rowKey{r.In, r.ID}, r.ID != "" })
	s.rowsIn = db.NewMulti(s.rows, func(r *Row) int { return r.In })
	s.byKind = db.NewMulti(s.rows, func(r *Row) idKind { return idKind{r.In, r.hasTextID()} })
	s.byOwner = db.NewMulti(s.rows, (*Row).Owner)
	db.Reference(s.rowsIn, s.collections, nil)
	s.rows.Follow(s.followRow)
	d.Provisional(func() func() {
		given := maps.Clone(s.given)
		return func() { s.given = maps.Clone(given) }
	})
	s.sources = db.Add(d, db.Schema[source]{
		Name: "source", Plural: "sources", Since: format,
		ID: func(f source) int { return f.ID },
	})
	return s
}

// A source says what a file was when it was loaded or written.
type source struct {
	ID     int    `json:"id"`
	SHA256 string `json:"sha256"`          // of its bytes, in hex
	State  string `json:"state,omitempty"` // Image.State of what it shows; "" for a file that was loaded
}

// sourcesKept is how many sources are kept. After a crash, the file or a copy that was
// not removed yet may hold one of the versions before.
const sourcesKept = 16

// NoteSource keeps the hash of a file that was loaded, or is about to be written.
// state is what it shows, "" for what was loaded and nothing else.
func (s *Store) NoteSource(tx *db.Tx, sha256, state string) {
	id := s.sources.NewID(tx)
	s.sources.Put(tx, source{id, sha256, state})
	for old := range s.sources.All(tx) {
		if old <= id-sourcesKept {
			s.sources.Delete(tx, old)
		}
	}
}

// Noted returns the state that a file with that hash shows. ok is false for a file that
// was neither loaded nor written.
func (s *Store) Noted(tx *db.Tx, sha256 string) (state string, ok bool) {
	for _, f := range s.sources.All(tx) {
		if f.SHA256 == sha256 {
			state, ok = f.State, true
		}
	}
	return state, ok
}

// LastNoted returns the state of the file that was noted last.
func (s *Store) LastNoted(tx *db.Tx) (state string) {
	for _, f := range s.sources.All(tx) {
		state = f.State
	}
	return state
}

// checkCollection judges a collection from a log line or an import.
func (s *Store) checkCollection(tx *db.Tx, c *collection) error {
	if c.routed() {
		if err := CheckName(c.Name); err != nil {
			return err
		}
	}
	if old, ok := s.collections.Get(tx, c.ID); ok && (old.Single != c.Single || old.routed() != c.routed()) {
		return fmt.Errorf("collection %d can't become one of another type", c.ID)
	}
	return nil
}

// checkRow judges a row from a log line or an import.
func (s *Store) checkRow(tx *db.Tx, r *Row) error {
	c, _ := s.collections.Get(tx, r.In) // it exists: it is a reference
	if !c.routed() {
		return fmt.Errorf("the collection %q keeps no rows", c.Name)
	}
	if old, ok := s.rows.Get(tx, r.Seat); ok && old.In != r.In {
		return fmt.Errorf("row %d is in another collection", r.Seat)
	}
	if c.Single {
		if list := s.lists[c.ID]; list != nil && list.len() > 0 && list.first().Seat != r.Seat {
			return fmt.Errorf("%q is a single resource, and has a row already", c.Name)
		}
		return nil
	}
	raw, _ := memberOf(r.Text, "id")
	return checkID(raw)
}

// appendLine appends the row as the log keeps it.
func (r *Row) appendLine(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"id":`...), int64(r.Seat), 10)
	b = strconv.AppendInt(append(b, `,"in":`...), int64(r.In), 10)
	return append(append(append(b, `,"row":`...), r.Text...), '}')
}

// decodeLine reads a row as the log keeps it.
func decodeLine(line []byte, strict bool) (*Row, error) {
	if !strict {
		// Most lines are as appendLine writes them. Their text is as it was written,
		// so it is only checked for being JSON.
		s := strictjson.Scanner{Rest: line}
		s.Expect(`{"id":`)
		seat := s.Number()
		s.Expect(`,"in":`)
		in := s.Number()
		s.Expect(`,"row":`)
		if n := len(s.Rest); !s.Bad && n > 2 && s.Rest[0] == '{' && s.Rest[n-1] == '}' && json.Valid(s.Rest[:n-1]) && compact(s.Rest[:n-1]) {
			return newRow(seat, in, string(s.Rest[:n-1])), nil
		}
	}
	parts, err := db.DecodeJSON[struct {
		ID  int             `json:"id"`
		In  int             `json:"in"`
		Row json.RawMessage `json:"row"`
	}](line, strict)
	if err != nil {
		return nil, err
	}
	o, err := ParseObject(parts.Row)
	if err != nil {
		return nil, fmt.Errorf("row: %w", err)
	}
	return newRow(parts.ID, parts.In, o.Text()), nil
}

// compact reports whether no blank stands between the parts of well-formed JSON.
func compact(text []byte) bool {
	inText := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			inText = !inText
		case c == '\\':
			i++
		case !inText && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			return false
		}
	}
	return true
}

// newRow makes a row. text is a compact JSON object.
func newRow(seat, in int, text string) *Row {
	raw, _ := memberOf(text, "id")
	return &Row{Seat: seat, In: in, Text: text, ID: KeyText(raw)}
}

// schemaName is the member of a file that editors read.
const schemaName = "$schema"

// maxName is the most bytes of a collection's name.
const maxName = 100

// CheckName fails for a name that no collection can have.
func CheckName(name string) error {
	switch {
	case name == "", name == ".", name == "..":
		return &Error{Invalid, fmt.Sprintf("the name %q can't stand in an address", name)}
	case strings.Contains(name, "/"):
		return &Error{Invalid, fmt.Sprintf("the name %.100q has a slash in it", name)}
	case name == schemaName:
		return &Error{Invalid, fmt.Sprintf("the name %q is kept for editors, and is no collection", name)}
	case len(name) > maxName:
		return &Error{Invalid, fmt.Sprintf("the name %.40q… is longer than %d bytes", name, maxName)}
	}
	return nil
}
