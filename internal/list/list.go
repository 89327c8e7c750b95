// Package list answers for lists what a client asks in the query string: pages
// (limit, after), orders (sort), a search (q) and the list's own filters.
//
// A Spec says what one list can be asked. Parse reads a request's query. The caller
// gets the rows of Range from its store, and Page picks those that belong on the
// page, puts them in order and writes the Link header to the next page. That link
// holds a cursor: the position of the page's last row. A list goes on behind that
// position even if the row is gone by then.
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
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/strictjson"
)

// A Spec is what can be asked of one of the lists. All lists take limit and
// after, sort and q.
type Spec[R any] struct {
	Filters []string                    // parameters of its own
	Orders  map[string]func(R) Position // by the names that sort has for them; id is the default
	Text    func(R) [2]string           // what q looks in
}

// maxLimit is the most rows in a page.
const maxLimit = 1000

// A Position is where a row stands in one of the orders. Every order ends in the
// id, so no two rows have one position, and a list can go on behind a row that is
// gone by then.
type Position struct {
	Text string `json:"text,omitempty"`
	Time int64  `json:"time,omitempty"`
	ID   int    `json:"id"`
}

func (p Position) compare(other Position) int {
	return cmp.Or(strings.Compare(p.Text, other.Text), cmp.Compare(p.Time, other.Time), cmp.Compare(p.ID, other.ID))
}

// A Query is what a request asks of a list.
type Query struct {
	values Parameters
	order  string    // a name in the Spec's Orders
	desc   bool      // the order reversed, ids included
	text   string    // in lower case; "" for any
	limit  int       // 0 for all rows
	after  *Position // of the last row of the page before; nil at the start
	digest string    // of what a cursor has to agree with
}

// Parse reads r's query string. It fails with 400, naming the parameter.
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
		return nil, BadParameter("sort", "must be one of "+names+", with a - in front for the reverse")
	}
	if q.limit, err = Limit(values, 0); err != nil {
		return nil, err
	}
	// What stays the same from page to page. A checksum is enough to notice a
	// mistake; there is nothing to be had by making one up.
	same := r.URL.Path + "?sort=" + sort + values.encode("sort", "limit", "after")
	q.digest = strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(same))), 16)
	if after := values.Get("after"); after != "" {
		if q.after = q.parseCursor(after); q.after == nil {
			return nil, BadParameter("after", "must be from a Link of the same list, with the same other parameters")
		}
	}
	return q, nil
}

// Get returns the parameter of that name, "" if it isn't given.
func (q *Query) Get(name string) string { return q.values.Get(name) }

// Parameters are those of a query string that say something, trimmed, in the
// order in which ReadParameters was given their names.
type Parameters []queryParameter

type queryParameter struct{ name, text string }

// Get returns "" for a parameter that isn't given.
func (p Parameters) Get(name string) string {
	for _, given := range p {
		if given.name == name {
			return given.text
		}
	}
	return ""
}

// encode writes what is given, but for some names, as the end of a query string.
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

// ReadParameters reads a query string that may have each of the named parameters
// once, and no other. Like a form it is trimmed; only q may be blank, as a
// search box is at first. It fails with 400, naming the parameter.
func ReadParameters(r *http.Request, names ...string) (Parameters, error) {
	values, unknown, err := form.ReadQuery(r.URL.RawQuery, names...)
	for _, name := range unknown {
		if name == "_" { // jQuery's, against caches; it says nothing
			continue
		}
		err = errors.Join(err, strictjson.Member{Name: name}.Fault("is no parameter here"))
	}
	if err != nil {
		return nil, reply.Fail(http.StatusBadRequest, "Invalid query: "+strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	var given Parameters
	for _, name := range names {
		switch text, ok := values[name]; {
		case !ok:
		case text != "":
			given = append(given, queryParameter{name, text})
		case name != "q":
			return nil, BadParameter(name, "must not be empty")
		}
	}
	return given, nil
}

// Limit reads the parameter limit, which is unset where it isn't given.
func Limit(values Parameters, unset int) (int, error) {
	text := values.Get("limit")
	if text == "" {
		return unset, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || strings.Trim(text, "0123456789") != "" || n < 1 || n > maxLimit {
		return 0, BadParameter("limit", fmt.Sprintf("must be a number from 1 to %d", maxLimit))
	}
	return n, nil
}

// BadParameter is the 400 for a parameter, which says what is wrong with it.
func BadParameter(name, what string) error {
	return reply.Fail(http.StatusBadRequest, "Invalid query: "+strictjson.Member{Name: name}.Fault(what).Error())
}

// A cursor is what an after parameter holds. A client can make one up: then it
// gets another part of the list that it may read anyway.
type cursor struct {
	Version int    `json:"v"`
	Query   string `json:"query"` // the digest of the query it belongs to
	Position
}

const cursorVersion = 1

// Cursor is what encoding/json would make of one, in half the time for most.
func (q *Query) Cursor(p Position) string {
	b := strconv.AppendInt(append(make([]byte, 0, 128), `{"v":`...), cursorVersion, 10)
	b = strictjson.AppendString(append(b, `,"query":`...), q.digest)
	if p.Text != "" {
		b = strictjson.AppendString(append(b, `,"text":`...), p.Text)
	}
	if p.Time != 0 {
		b = strconv.AppendInt(append(b, `,"time":`...), p.Time, 10)
	}
	b = append(strconv.AppendInt(append(b, `,"id":`...), int64(p.ID), 10), '}')
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor returns nil for what is no cursor of this query.
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

// Scans reports whether any row may have to be looked at, rather than a page's.
func (q *Query) Scans() bool { return q.order != "id" || q.text != "" }

// Range is the rows that the store has to give for this query. In the order of
// ids that is no more than a page, and one row that tells whether there is
// another page; otherwise any row may have to be seen.
func (q *Query) Range() db.Range {
	if q.order != "id" {
		return db.Range{}
	}
	p := db.Range{Desc: q.desc}
	if q.after != nil {
		p.From = q.after.ID
	}
	if q.limit > 0 && q.text == "" {
		p.Max = q.limit + 1
	}
	return p
}

// Page returns the rows that q asks for, out of those in its range, and sends
// what the answer's headers say: how many rows the list has in all, and where
// the next page is (RFC 8288); here is the URL of the list.
func (l Spec[R]) Page(w http.ResponseWriter, here string, q *Query, rows []R, total int) []R {
	if q.text == "" { // else it would take a look at every row
		w.Header().Set("X-Total-Count", strconv.Itoa(total))
	}
	rows = l.choose(q, rows)
	if q.limit == 0 || len(rows) <= q.limit {
		return rows
	}
	rows = rows[:q.limit]
	after := q.Cursor(l.Orders[q.order](rows[q.limit-1]))
	w.Header().Set("Link", "<"+here+"?after="+after+q.values.encode("after")+`>; rel="next"`)
	return rows
}

// choose returns the rows of the page in order, and one more if there is one. It
// overwrites rows.
func (l Spec[R]) choose(q *Query, rows []R) []R {
	enough := len(rows)
	if q.limit > 0 {
		enough = q.limit + 1
	}
	if q.order != "id" {
		return l.sort(q, rows, enough)
	}
	if q.text == "" { // the store gave them in this order, from the right one on
		return rows[:min(enough, len(rows))]
	}
	chosen := rows[:0]
	for _, row := range rows {
		if len(chosen) == enough {
			break
		}
		if l.holds(row, q.text) {
			chosen = append(chosen, row)
		}
	}
	return chosen
}

// sort is choose for the other orders.
func (l Spec[R]) sort(q *Query, rows []R, enough int) []R {
	type placed struct {
		at  Position
		row R
	}
	compare := func(a, b Position) int {
		if q.desc {
			a, b = b, a
		}
		return a.compare(b)
	}
	byPosition := func(a, b placed) int { return compare(a.at, b.at) }
	chosen := make([]placed, 0, min(2*enough, len(rows)))
	var last *Position // none behind it is on the page
	for _, row := range rows {
		at := l.Orders[q.order](row)
		switch {
		case q.after != nil && compare(at, *q.after) <= 0:
			continue
		case last != nil && compare(at, *last) > 0:
			continue
		case q.text != "" && !l.holds(row, q.text):
			continue
		}
		if chosen = append(chosen, placed{at, row}); len(chosen) == 2*enough {
			// Now and then what can't be on the page goes, which takes less
			// time than to sort everything.
			slices.SortFunc(chosen, byPosition)
			chosen = chosen[:enough]
			last = new(chosen[enough-1].at)
		}
	}
	slices.SortFunc(chosen, byPosition)
	rows = rows[:0]
	for _, p := range chosen[:min(enough, len(chosen))] {
		rows = append(rows, p.row)
	}
	return rows
}

// holds reports whether a text of the row has q in it, in any case.
func (l Spec[R]) holds(row R, q string) bool {
	for _, text := range l.Text(row) {
		if strings.Contains(strings.ToLower(text), q) {
			return true
		}
	}
	return false
}
