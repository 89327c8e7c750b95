package rows

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The most that a query string may ask.
const (
	maxParameters = 1000 // react-admin asks for a hundred ids in one
	maxConditions = 50   // each is looked up in every row
	maxOrders     = 10   // fields of a sort
	maxRelations  = 10   // names of _embed and of _expand
)

// A Query is what a client asks of a list, or of one row.
type Query struct {
	Embed  []string // collections whose rows are put into the rows that they name
	Expand []string // the rows that a row names are put into it, by singular names
	Pretty bool     // indented

	filters []*filter
	search  string // q in lower case, "" for none
	orders  []Order
	counted bool // the client asked for a part of the list: it is told how many rows there are
	span    span // that part
	page    int  // the page that the span is, from 1; 0 for no page
	limit   int  // rows in a page
}

// ParseQuery reads a query string, as it stands in the address. It fails with an
// *Error that names the parameter.
//
//	author=Ann&author=Bob     rows whose author is one of these
//	price_gte=5&price_lt=10   also _lte, _gt, _ne, _like
//	q=fox                     rows that have the text anywhere
//	_sort=author,year&_order=asc,desc
//	_page=2&_limit=10         or _start and _end, or _start and _limit
//	_embed=comments, _expand=user, pretty
//
// known reports whether a row that the caller may read has a field, as Source.Known
// does. Equality with a field that no row has matches nothing, or if
// lenient is true isn't asked at all. The operators ask it in any case, so
// done_ne=true matches rows that never had a field done.
func ParseQuery(raw string, lenient bool, known func(field string) bool) (*Query, error) {
	given, err := readParameters(raw)
	if err != nil {
		return nil, err
	}
	q := &Query{}
	p := queryParser{q: q, known: known, once: map[string]string{}}
	for _, g := range given {
		if err := p.take(g.name, g.value); err != nil {
			return nil, err
		}
	}
	if err := cmp.Or(p.order(), p.paging()); err != nil {
		return nil, err
	}
	p.judgeUnknown(lenient)
	return q, nil
}

// ParseRowQuery reads the query string of a request for the row of that id: _embed,
// _expand and pretty. All else says nothing about one row, and is ignored. The id of a
// single resource is "". It has no relations, so only pretty is read.
func ParseRowQuery(raw, id string) (*Query, error) {
	given, err := readParameters(raw)
	if err != nil {
		return nil, err
	}
	q := &Query{}
	p := queryParser{q: q}
	for _, g := range given {
		if g.name == "pretty" || id != "" && (g.name == "_embed" || g.name == "_expand") {
			if err := p.take(g.name, g.value); err != nil {
				return nil, err
			}
		}
	}
	return q, nil
}

// Require narrows the query to rows whose field names one of keys, as KeyText has it.
// It takes the place of what the client asked of that field. A nested list asks so for
// the rows of one parent.
func (q *Query) Require(field string, keys ...string) {
	q.filters = slices.DeleteFunc(q.filters, func(f *filter) bool { return f.field == field && f.op == opEqual })
	f := newFilter(field, opEqual)
	f.key = true
	for _, key := range keys {
		f.add(key)
	}
	q.filters = append(q.filters, f)
}

// A parameter is one name and its value, decoded.
type parameter struct{ name, value string }

// readParameters takes a query string apart. Names may have the forms by which other
// libraries write arrays: id[]=1 and id[0]=1 are id=1.
func readParameters(raw string) (given []parameter, err error) {
	for part := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		if name == "" {
			continue
		}
		if len(given) == maxParameters {
			return nil, badQuery("has more than %d parameters: ask several times for fewer", maxParameters)
		}
		var p parameter
		for _, text := range []struct {
			to   *string
			from string
		}{{&p.name, name}, {&p.value, value}} {
			if *text.to, err = url.QueryUnescape(text.from); err != nil {
				return nil, badQuery("%.64q has a percent sign that begins no character: write %%25 for a percent sign", part)
			}
			*text.to = strings.ToValidUTF8(*text.to, "\uFFFD")
		}
		p.name = withoutIndex(p.name)
		given = append(given, p)
	}
	return given, nil
}

// withoutIndex removes [] or [0] from the end of a name.
func withoutIndex(name string) string {
	open := strings.LastIndexByte(name, '[')
	if open > 0 && strings.HasSuffix(name, "]") && strings.Trim(name[open+1:len(name)-1], "0123456789") == "" {
		return name[:open]
	}
	return name
}

func badQuery(format string, values ...any) error {
	return &Error{Invalid, "Invalid query: " + fmt.Sprintf(format, values...)}
}

// badParameter says what is wrong with one parameter.
func badParameter(name, format string, values ...any) error {
	return badQuery("%s %s", name, fmt.Sprintf(format, values...))
}

// A queryParser puts parameters into a Query.
type queryParser struct {
	q          *Query
	known      func(field string) bool
	once       map[string]string // the parameters that may be given once
	conditions int
}

// parameterNames are those that begin with an underscore, operators those that
// end a field's name.
var (
	parameterNames = []string{"_embed", "_end", "_expand", "_limit", "_order", "_page", "_sort", "_start"}
	operators      = []operatorName{{"_gte", opAtLeast}, {"_lte", opAtMost}, {"_gt", opAbove}, {"_lt", opBelow}, {"_ne", opDiffers}, {"_like", opLike}}
)

// An operatorName is what ends a field's name.
type operatorName struct {
	suffix string
	op     operator
}

// instead is what to use in the place of parameters that other servers have.
var instead = map[string]string{
	"_per_page": "use _page with _limit",
	"_delay":    "start shelf with -delay",
	"_fields":   "all fields are answered",
	"callback":  "call with fetch in the place of JSONP",
}

// take reads one parameter.
func (p *queryParser) take(name, value string) error {
	switch name {
	case "", "_": // "_" is jQuery's, against caches
	case "q":
		p.q.search = cmp.Or(p.q.search, strings.ToLower(value))
	case "pretty":
		p.q.Pretty = value != "false" && value != "0"
	case "_embed":
		return addName(&p.q.Embed, name, value)
	case "_expand":
		return addName(&p.q.Expand, name, value)
	case "_end", "_limit", "_order", "_page", "_sort", "_start":
		if _, again := p.once[name]; again {
			return badParameter(name, "must be given only once: separate fields by commas")
		}
		p.once[name] = value
	default:
		return p.filter(name, value)
	}
	return nil
}

func addName(names *[]string, parameter, name string) error {
	if name == "" || slices.Contains(*names, name) {
		return nil
	}
	if len(*names) == maxRelations {
		return badParameter(parameter, "must not be given more than %d times", maxRelations)
	}
	*names = append(*names, name)
	return nil
}

// filter reads a parameter that names a field.
func (p *queryParser) filter(name, value string) error {
	field, op := name, opEqual
	for _, o := range operators {
		if before, ok := strings.CutSuffix(name, o.suffix); ok && before != "" {
			field, op = before, o.op
			break
		}
	}
	if (name[0] == '_' || name == "callback") && !p.known(field) {
		if hint := instead[name]; hint != "" {
			return badQuery("%s is no parameter here: %s", name, hint)
		}
		return badQuery("%.64q is no parameter here, and no row has such a field: the parameters are %s; after a field's name may stand %s",
			name, strings.Join(parameterNames, ", "), operatorNames())
	}
	i := slices.IndexFunc(p.q.filters, func(f *filter) bool { return f.field == field && f.op == op })
	if i < 0 || op.isCostly() { // a further text to be equal to costs nothing
		if p.conditions++; p.conditions > maxConditions {
			return badQuery("has more than %d conditions: ask for fewer", maxConditions)
		}
	}
	if i < 0 {
		i = len(p.q.filters)
		p.q.filters = append(p.q.filters, newFilter(field, op))
	}
	if err := p.q.filters[i].add(value); err != nil {
		return badParameter(name, "%v", err)
	}
	return nil
}

func operatorNames() string {
	names := make([]string, len(operators))
	for i, o := range operators {
		names[i] = o.suffix
	}
	return strings.Join(names, ", ")
}

// judgeUnknown decides about equality with fields that no row has. Few queries need
// it: such a filter matches nothing by itself, but for null.
func (p *queryParser) judgeUnknown(lenient bool) {
	kept := p.q.filters[:0]
	for _, f := range p.q.filters {
		if f.op == opEqual && (lenient || f.null) && !p.known(f.field) {
			if lenient {
				continue
			}
			f.null = false
		}
		kept = append(kept, f)
	}
	p.q.filters = kept
}

// order reads _sort and _order.
func (p *queryParser) order() error {
	directions := strings.Split(p.once["_order"], ",")
	for i, field := range strings.Split(p.once["_sort"], ",") {
		if field = strings.TrimSpace(field); field == "" {
			continue
		}
		if len(p.q.orders) == maxOrders {
			return badParameter("_sort", "must not name more than %d fields", maxOrders)
		}
		if !p.known(field) {
			if plain, ok := strings.CutPrefix(field, "-"); ok && p.known(plain) {
				return badParameter("_sort", "names a field that no row has: for the reverse order write _sort=%.64s&_order=desc", plain)
			}
			return badParameter("_sort", "names a field that no row has: %.64q", field)
		}
		desc := i < len(directions) && strings.EqualFold(strings.TrimSpace(directions[i]), "desc")
		p.q.orders = append(p.q.orders, NewOrder(field, desc))
	}
	return nil
}

// paging reads _page, _limit, _start and _end. One that is empty is not given.
func (p *queryParser) paging() error {
	page, limit, start, end := -1, -1, -1, -1
	for _, n := range []struct {
		name  string
		least int
		to    *int
	}{{"_page", 1, &page}, {"_limit", 1, &limit}, {"_start", 0, &start}, {"_end", 0, &end}} {
		value := p.once[n.name]
		if value == "" {
			continue
		}
		var ok bool
		if *n.to, ok = wholeNumber(value); !ok || *n.to < n.least {
			return badParameter(n.name, "must be a whole number from %d on, not %.64q", n.least, value)
		}
	}
	q := p.q
	q.counted = true
	switch {
	case page > 0:
		q.page, q.limit = page, limit
		if limit < 0 {
			q.limit = 10
		}
		q.span = span{product(page-1, q.limit), product(page, q.limit)}
	case end >= 0:
		start = max(start, 0)
		q.span = span{min(start, end), end}
	case limit > 0:
		start = max(start, 0)
		q.span = span{start, start + min(limit, math.MaxInt-start)}
	default:
		q.counted = false
	}
	return nil
}

// wholeNumber reads a number, and leaves out what follows its point. A number that is
// too large is the largest.
func wholeNumber(text string) (n int, ok bool) {
	whole, fraction, _ := strings.Cut(strings.TrimSpace(text), ".")
	n, err := strconv.Atoi(whole)
	ok = err == nil || errors.Is(err, strconv.ErrRange)
	return n, ok && strings.Trim(fraction, "0123456789") == ""
}

// product returns a·b, or the largest number. b is above 0.
func product(a, b int) int {
	if a > math.MaxInt/b {
		return math.MaxInt
	}
	return a * b
}
