// Package list implements the query parameters of lists: pages (limit, after),
// orders (sort), a search (q) and the list's own filters.
//
// A Spec defines the parameters of one list. Parse reads the query of a
// request. Of makes a List of a Spec and a table. Its Find returns the Page that a
// query asks for: the rows, and the headers that tell how many there are and where the
// next page is. The link to the next page has a cursor: the position of the page's last
// row. The next page begins after that position, even if the row no longer exists.
package list

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/strictjson"
)

// A Spec defines what a list can be asked for. All lists have limit, after,
// sort and q.
type Spec[R any] struct {
	Filters []string                    // names of the list's own parameters
	Orders  map[string]func(R) Position // by the names for sort; id is the default
	Text    func(R) [2]string           // the texts that q searches
}

// maxLimit is the most rows on a page.
const maxLimit = 1000

// A Position is the position of a row in one of the orders. Every order ends
// with the id, so no two rows have the same position.
type Position struct {
	Text string `json:"text,omitempty"`
	Time int64  `json:"time,omitempty"`
	ID   int    `json:"id"`
}

func (p Position) compare(other Position) int {
	return cmp.Or(strings.Compare(p.Text, other.Text), cmp.Compare(p.Time, other.Time), cmp.Compare(p.ID, other.ID))
}

// A Query is the parsed query of a list.
type Query struct {
	values Parameters
	order  string    // name in the Spec's Orders
	desc   bool      // the reverse order, including ids
	text   string    // in lower case; "": any
	limit  int       // 0: all rows
	after  *Position // position of the last row of the previous page; nil: first page
	digest string    // of the parameters that a cursor must match
}

// Parse reads the query string of r. It fails with a 400 that names the
// parameter.
func (l Spec[R]) Parse(r *http.Request) (*Query, error) {
	values, err := ReadParameters(r, append([]string{"limit", "after", "sort", "q"}, l.Filters...)...)
	if err != nil {
		return nil, err
	}
	q := &Query{values: values, text: strings.ToLower(values.Get("q"))}
	sort := cmp.Or(values.Get("sort"), "id")
	q.order, q.desc = strings.CutPrefix(sort, "-")
	if l.Orders[q.order] == nil {
		names := strings.Join(slices.Sorted(maps.Keys(l.Orders)), ", ")
		return nil, BadParameter("sort", "enum", "must be one of "+names+", with a - in front for the reverse")
	}
	if q.limit, err = Limit(values, 0); err != nil {
		return nil, err
	}
	// The parameters that are the same on all pages. A checksum is enough to
	// notice a mistake, and a client gains nothing by forging it.
	same := r.URL.Path + "?sort=" + sort + values.encode("sort", "limit", "after")
	q.digest = strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(same))), 16)
	if after := values.Get("after"); after != "" {
		if q.after = q.parseCursor(after); q.after == nil {
			return nil, BadParameter("after", "pattern", "must be from a Link of the same list, with the same other parameters")
		}
	}
	return q, nil
}

// Get returns a parameter, or "" if it isn't given.
func (q *Query) Get(name string) string { return q.values.Get(name) }

// Parameters are the given, trimmed parameters of a query string, in the order
// of the names passed to ReadParameters.
type Parameters []queryParameter

type queryParameter struct{ name, text string }

// Get returns a parameter, or "" if it isn't given.
func (p Parameters) Get(name string) string {
	for _, given := range p {
		if given.name == name {
			return given.text
		}
	}
	return ""
}

// encode returns the given parameters, without some names, as the end of a
// query string.
func (p Parameters) encode(without ...string) string {
	var b []byte
	for _, given := range p {
		if !slices.Contains(without, given.name) {
			b = append(append(b, '&'), given.name...)
			b = append(append(b, '='), url.QueryEscape(given.text)...)
		}
	}
	return string(b)
}

// ReadParameters reads a query string that may have each of the named
// parameters once, and no others. The values are trimmed. Only q may be empty,
// because an empty search box sends it. ReadParameters fails with a 400 that
// names the parameter.
func ReadParameters(r *http.Request, names ...string) (Parameters, error) {
	values, unknown, err := form.ReadQuery(r.URL.RawQuery, names...)
	for _, name := range unknown {
		if name == "_" { // sent by jQuery to avoid caches; no meaning
			continue
		}
		err = errors.Join(err, strictjson.Member{Name: name}.Fault("unknown", "is no parameter here"))
	}
	if err != nil {
		return nil, form.Refuse("query", err)
	}
	var given Parameters
	for _, name := range names {
		switch text, ok := values[name]; {
		case !ok:
		case text != "":
			given = append(given, queryParameter{name, text})
		case name != "q":
			return nil, BadParameter(name, "required", "must not be empty")
		}
	}
	return given, nil
}

// Limit returns the parameter limit, or unset if it isn't given.
func Limit(values Parameters, unset int) (int, error) {
	text := values.Get("limit")
	if text == "" {
		return unset, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || strings.Trim(text, "0123456789") != "" || n < 1 || n > maxLimit {
		return 0, BadParameter("limit", "range", fmt.Sprintf("must be a number from 1 to %d", maxLimit))
	}
	return n, nil
}

// BadParameter returns the 400 for a parameter that breaks a rule.
func BadParameter(name, rule, what string) error {
	return form.Refuse("query", strictjson.Member{Name: name}.Fault(rule, what))
}

// A cursor is the value of the parameter after. A client that forges one gets
// another part of a list that it may read anyway.
type cursor struct {
	Version int    `json:"v"`
	Query   string `json:"query"` // digest of the query that the cursor belongs to
	Position
}

const cursorVersion = 1

// Cursor returns the cursor for a position.
func (q *Query) Cursor(p Position) string {
	return base64.RawURLEncoding.EncodeToString(strictjson.Encode(cursor{cursorVersion, q.digest, p}))
}

// parseCursor returns nil if s is no cursor for this query.
func (q *Query) parseCursor(s string) *Position {
	text, err := base64.RawURLEncoding.DecodeString(s)
	var c cursor
	if err != nil || strictjson.Unmarshal(text, &c) != nil {
		return nil
	}
	if c.Version != cursorVersion || c.Query != q.digest || c.ID < 1 {
		return nil
	}
	return &c.Position
}

// Scans reports whether the query may have to read every row.
func (q *Query) Scans() bool { return q.order != "id" || q.text != "" }

// idRange is the range of rows that a store has to go over for the query, in the order
// of ids.
func (q *Query) idRange() db.Range {
	p := db.Range{Desc: q.desc}
	if q.order != "id" {
		return db.Range{}
	}
	if q.after != nil {
		p.From = q.after.ID
	}
	if q.text == "" {
		p.Max = q.most()
	}
	return p
}

// most is how many rows the query needs: one more than a page has, which shows whether
// another page follows. 0 is all.
func (q *Query) most() int {
	if q.limit == 0 {
		return 0
	}
	return q.limit + 1
}
