package rows

// A Source is a collection, as a query sees it. Rows is all that it needs; the
// functions save work, and each may be nil. A query changes nothing in a source.
type Source struct {
	// Rows are all rows, in the order of the list.
	Rows []*Row

	// May reports whether the caller may read a row. Other rows are as if they
	// weren't there.
	May func(*Row) bool

	// Where returns all rows whose field has one of these texts, as Text has
	// them, in the order of the list. There may be others among them. ok is false if
	// that isn't quicker than going over all rows.
	Where func(field string, texts []string) (found []*Row, ok bool)

	// Ordered returns all rows in the order of Sort by that field, ascending. ok is
	// false if that would take a sort.
	Ordered func(field string) (sorted []*Row, ok bool)

	// ByID returns the row that has that id, as text, nil if there is none.
	ByID func(id string) *Row
}

func (s *Source) may(r *Row) bool { return s.May == nil || s.May(r) }

// where returns the rows that may be those whose field has one of these texts.
func (s *Source) where(field string, texts []string) []*Row {
	if s.Where != nil {
		if found, ok := s.Where(field, texts); ok {
			return found
		}
	}
	return s.Rows
}

// byID returns the function that finds a row by its id, or nil if the caller may not
// read it.
func (s *Source) byID() func(id string) *Row {
	find := s.ByID
	if find == nil {
		rows := make(map[string]*Row, len(s.Rows))
		for _, r := range s.Rows {
			rows[r.ID] = r
		}
		find = func(id string) *Row { return rows[id] }
	}
	return func(id string) *Row {
		if r := find(id); r != nil && s.may(r) {
			return r
		}
		return nil
	}
}

// Known reports whether a row that the caller may read has a field. ParseQuery takes
// it as a function. Where the caller can read no row at all, every field is known,
// so that the questions about a list don't fail as long as the list is empty.
func (s *Source) Known(field string) bool {
	path, any := NewPath(field), false
	for _, r := range s.Rows {
		if s.may(r) {
			any = true
			if _, ok := path.In(r.Text); ok {
				return true
			}
		}
	}
	return !any
}

// A Result is the answer to a query.
type Result struct {
	Rows  []*Row // belongs to the source: it must not be changed
	Total int    // how many rows there are on all pages
}

// Select returns what a query asks of a source. It is Narrow and Choose.
func (q *Query) Select(from Source) (Result, error) { return q.Choose(q.Narrow(from)) }

// Candidates are rows among which the answer to a query is.
type Candidates struct {
	rows    []*Row
	inOrder bool // they are sorted as the query wants it, but for the direction
	may     func(*Row) bool
}

// Narrow returns the rows that Choose has to go over. It asks the indexes of the
// source and looks at no row: it is the part of Select that wants the View.
func (q *Query) Narrow(from Source) Candidates {
	c := Candidates{rows: from.Rows, may: from.May}
	narrowed := false
	for _, f := range q.filters {
		if f.op != opEqual || f.null || from.Where == nil {
			continue
		}
		if found, ok := from.Where(f.field, f.values); ok && (!narrowed || len(found) < len(c.rows)) {
			c.rows, narrowed = found, true
		}
	}
	if !narrowed && len(q.orders) == 1 && from.Ordered != nil {
		if sorted, ok := from.Ordered(q.orders[0].field); ok {
			c.rows, c.inOrder = sorted, true
		}
	}
	return c
}

// Choose returns what a query asks of the candidates. The order of work is: q and
// filters, sort, count, page. It needs no View, so no write waits for it. It fails
// with an *Error if _like would take too long.
func (q *Query) Choose(from Candidates) (Result, error) {
	found, err := q.matching(from)
	if err != nil {
		return Result{}, err
	}
	total := len(found)
	first, most := 0, total
	if q.counted {
		most = min(q.span.to, total)
		first = min(q.span.from, most)
	}
	switch {
	case len(q.orders) == 0, from.inOrder && !q.orders[0].desc:
	case from.inOrder:
		found = backward(found, q.orders[0], most)
	default:
		found = sorted(found, q.orders, most)
	}
	return Result{found[first:most], total}, nil
}

// matching returns the rows that the caller may read and that meet all conditions, in
// their order.
func (q *Query) matching(from Candidates) (found []*Row, err error) {
	if len(q.filters) == 0 && q.search == "" && from.may == nil {
		return from.rows, nil
	}
	text := newSearch(q.search)
	work := int64(0)
	for _, r := range from.rows {
		if from.may != nil && !from.may(r) || !matchAll(q.filters, r.Text, &work) || q.search != "" && !text.in(r.Text) {
			continue
		}
		found = append(found, r)
	}
	if work > maxLikeWork {
		return nil, badQuery("_like would take too long on so many rows: use a simpler expression, or narrow the list by other filters")
	}
	return found, nil
}

// matchAll reports whether a row meets all conditions. Once _like has cost too much,
// no row does.
func matchAll(filters []*filter, text string, work *int64) bool {
	for _, f := range filters {
		if *work > maxLikeWork || !f.match(text, work) {
			return false
		}
	}
	return true
}
