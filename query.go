package main

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

// A listing is what can be asked of one of the lists. All lists take limit and
// after, sort and q.
type listing[R any] struct {
	filters []string                    // parameters of its own
	orders  map[string]func(R) position // by the names that sort has for them; id is the default
	text    func(R) [2]string           // what q looks in
}

// maxLimit is the most rows in a page.
const maxLimit = 1000

// A position is where a row stands in one of the orders. Every order ends in the
// id, so no two rows have one position, and a list can go on behind a row that is
// gone by then.
type position struct {
	Text string `json:"text,omitempty"`
	Time int64  `json:"time,omitempty"`
	ID   int    `json:"id"`
}

func (p position) compare(other position) int {
	return cmp.Or(strings.Compare(p.Text, other.Text), cmp.Compare(p.Time, other.Time), cmp.Compare(p.ID, other.ID))
}

// A query is what a request asks of a list.
type query struct {
	values parameters
	order  string    // a name in the listing's orders
	desc   bool      // the order reversed, ids included
	text   string    // in lower case; "" for any
	limit  int       // 0 for all rows
	after  *position // of the last row of the page before; nil at the start
	digest string    // of what a cursor has to agree with
}

// parse reads r's query string. It fails with 400, naming the parameter.
func (l listing[R]) parse(r *http.Request) (*query, error) {
	values, err := readParameters(r, append([]string{"limit", "after", "sort", "q"}, l.filters...)...)
	if err != nil {
		return nil, err
	}
	q := &query{values: values, text: strings.ToLower(values.get("q"))}
	sort := cmp.Or(values.get("sort"), "id")
	q.order, q.desc = strings.CutPrefix(sort, "-")
	if l.orders[q.order] == nil {
		names := strings.Join(slices.Sorted(maps.Keys(l.orders)), ", ")
		return nil, badParameter("sort", "must be one of "+names+", with a - in front for the reverse")
	}
	if q.limit, err = limitOf(values, 0); err != nil {
		return nil, err
	}
	// What stays the same from page to page. A checksum is enough to notice a
	// mistake; there is nothing to be had by making one up.
	same := r.URL.Path + "?sort=" + sort + values.encode("sort", "limit", "after")
	q.digest = strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(same))), 16)
	if after := values.get("after"); after != "" {
		if q.after = q.parseCursor(after); q.after == nil {
			return nil, badParameter("after", "must be from a Link of the same list, with the same other parameters")
		}
	}
	return q, nil
}

// parameters are those of a query string that say something, trimmed, in the
// order in which readParameters was given their names.
type parameters []queryParameter

type queryParameter struct{ name, text string }

// get returns "" for a parameter that isn't given.
func (p parameters) get(name string) string {
	for _, given := range p {
		if given.name == name {
			return given.text
		}
	}
	return ""
}

// encode writes what is given, but for some names, as the end of a query string.
func (p parameters) encode(without ...string) string {
	var b []byte
	for _, given := range p {
		if !slices.Contains(without, given.name) {
			b = append(append(b, '&'), given.name...)
			b = append(append(b, '='), url.QueryEscape(given.text)...)
		}
	}
	return string(b)
}

// readParameters reads a query string that may have each of the named parameters
// once, and no other. Like a form it is trimmed; only q may be blank, as a
// search box is at first. It fails with 400, naming the parameter.
func readParameters(r *http.Request, names ...string) (parameters, error) {
	texts, f := make([]*string, len(names)), form.Fields{}
	for i, name := range names {
		f[name] = &texts[i]
	}
	unknown, err := form.ReadQuery(r.URL.RawQuery, f)
	for _, name := range unknown {
		err = errors.Join(err, strictjson.Member{Name: name}.Fault("is no parameter here"))
	}
	if err != nil {
		return nil, reply.Fail(http.StatusBadRequest, "Invalid query: "+strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	var given parameters
	for i, name := range names {
		switch {
		case texts[i] == nil:
		case *texts[i] != "":
			given = append(given, queryParameter{name, *texts[i]})
		case name != "q":
			return nil, badParameter(name, "must not be empty")
		}
	}
	return given, nil
}

// limitOf reads the parameter limit, which is unset where it isn't given.
func limitOf(values parameters, unset int) (int, error) {
	text := values.get("limit")
	if text == "" {
		return unset, nil
	}
	n, ok := parseID(text)
	if !ok || n < 1 || n > maxLimit {
		return 0, badParameter("limit", fmt.Sprintf("must be a number from 1 to %d", maxLimit))
	}
	return n, nil
}

func badParameter(name, what string) error {
	return reply.Fail(http.StatusBadRequest, "Invalid query: "+strictjson.Member{Name: name}.Fault(what).Error())
}

// A cursor is what an after parameter holds. A client can make one up: then it
// gets another part of the list that it may read anyway.
type cursor struct {
	Version int    `json:"v"`
	Query   string `json:"query"` // the digest of the query it belongs to
	position
}

const cursorVersion = 1

// cursor is what encoding/json would make of one, in half the time for most.
func (q *query) cursor(p position) string {
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
func (q *query) parseCursor(s string) *position {
	text, err := base64.RawURLEncoding.DecodeString(s)
	var c cursor
	if err != nil || strictjson.Unmarshal(text, &c) != nil {
		return nil
	}
	if c.Version != cursorVersion || c.Query != q.digest || c.ID < 1 {
		return nil
	}
	return &c.position
}

// idRange is the rows that the store has to give for this query. In the order of
// ids that is no more than a page, and one row that tells whether there is
// another page; otherwise any row may have to be seen.
func (q *query) idRange() db.Range {
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

// page returns the rows that q asks for, out of those in its range, and sends
// what the answer's headers say: how many rows the list has in all, and where
// the next page is (RFC 8288); here is the URL of the list.
func (l listing[R]) page(w http.ResponseWriter, here string, q *query, rows []R, total int) []R {
	if q.text == "" { // else it would take a look at every row
		w.Header().Set("X-Total-Count", strconv.Itoa(total))
	}
	rows = l.choose(q, rows)
	if q.limit == 0 || len(rows) <= q.limit {
		return rows
	}
	rows = rows[:q.limit]
	after := q.cursor(l.orders[q.order](rows[q.limit-1]))
	w.Header().Set("Link", "<"+here+"?after="+after+q.values.encode("after")+`>; rel="next"`)
	return rows
}

// choose returns the rows of the page in order, and one more if there is one. It
// overwrites rows.
func (l listing[R]) choose(q *query, rows []R) []R {
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
func (l listing[R]) sort(q *query, rows []R, enough int) []R {
	type placed struct {
		at  position
		row R
	}
	compare := func(a, b position) int {
		if q.desc {
			a, b = b, a
		}
		return a.compare(b)
	}
	byPosition := func(a, b placed) int { return compare(a.at, b.at) }
	chosen := make([]placed, 0, min(2*enough, len(rows)))
	var last *position // none behind it is on the page
	for _, row := range rows {
		at := l.orders[q.order](row)
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
func (l listing[R]) holds(row R, q string) bool {
	for _, text := range l.text(row) {
		if strings.Contains(strings.ToLower(text), q) {
			return true
		}
	}
	return false
}
