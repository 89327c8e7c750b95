package rows

import (
	"cmp"
	"slices"
)

// An Order is one field of a sort: first booleans, then numbers, texts, arrays and
// objects, then rows in which the field is null, then rows without it. Texts are in
// the order of UTF-16 code units, which is no language's.
type Order struct {
	field string
	path  Path
	desc  bool
}

// NewOrder makes the order by a field. desc turns all of it round.
func NewOrder(field string, desc bool) Order { return Order{field, NewPath(field), desc} }

// Compare returns a negative number if a comes before b, a positive one if it comes
// after b, and 0 if the order doesn't tell them apart.
func (o Order) Compare(a, b *Row) int {
	x, y := o.key(a), o.key(b)
	return o.compare(&x, &y)
}

func (o Order) key(r *Row) sortKey {
	raw, _ := o.path.In(r.Text)
	return keyOf(raw)
}

func (o Order) compare(a, b *sortKey) int {
	if o.desc {
		a, b = b, a
	}
	return a.compare(b)
}

// Sort returns the rows in that order, in a slice of its own. Rows that the order
// doesn't tell apart stay as they were.
func Sort(rows []*Row, by ...Order) []*Row { return sorted(rows, by, len(rows)) }

// sorted returns the first rows of those that Sort returns, as many as most. Each
// value is read once.
func sorted(rows []*Row, by []Order, most int) []*Row {
	keys := make([]sortKey, 0, len(rows)*len(by))
	for _, r := range rows {
		for _, o := range by {
			keys = append(keys, o.key(r))
		}
	}
	compare := func(a, b int32) int {
		for i, o := range by {
			if order := o.compare(&keys[int(a)*len(by)+i], &keys[int(b)*len(by)+i]); order != 0 {
				return order
			}
		}
		return cmp.Compare(a, b)
	}
	places := first(len(rows), most, compare)
	found := make([]*Row, len(places))
	for i, at := range places {
		found[i] = rows[at]
	}
	return found
}

// first returns the first of the numbers below n in an order, as many as most.
//
// A page is a small part of most lists. A heap of its size, whose root is the last
// of the best so far, finds it four times as fast as a sort of 100,000 rows.
func first(n, most int, compare func(a, b int32) int) []int32 {
	size := most
	if most > n/8 {
		size = n
	}
	best := make([]int32, 0, size)
	for i := range int32(n) {
		switch {
		case len(best) < size:
			if best = append(best, i); len(best) == size && size < n {
				slices.SortFunc(best, func(a, b int32) int { return compare(b, a) }) // a heap as well
			}
		case size > 0 && compare(i, best[0]) < 0:
			best[0] = i
			sink(best, compare)
		}
	}
	slices.SortFunc(best, compare)
	return best[:most]
}

// sink moves the root of a heap down to its place.
func sink(heap []int32, compare func(a, b int32) int) {
	for at := 0; ; {
		last := 2*at + 1
		if last+1 < len(heap) && compare(heap[last+1], heap[last]) > 0 {
			last++
		}
		if last >= len(heap) || compare(heap[last], heap[at]) <= 0 {
			return
		}
		heap[at], heap[last] = heap[last], heap[at]
		at = last
	}
}

// backward returns the last rows first, as many as most or more. rows are sorted
// ascending by an order. Rows that it doesn't tell apart stay as they were.
func backward(rows []*Row, by Order, most int) []*Row {
	var found []*Row
	for end := len(rows); len(found) < most; {
		begin := end - 1
		for begin > 0 && by.Compare(rows[begin-1], rows[begin]) == 0 {
			begin--
		}
		found = append(found, rows[begin:end]...)
		end = begin
	}
	return found
}
