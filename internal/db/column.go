package db

import "iter"

// A Column keeps one small value of each row. Going over the values of all rows reads
// much less memory than going over the rows. It is made on first use (Make).
type Column[R, V any] struct {
	*lazy[R]
	value  func(R) V
	values sorted[V]
}

// NewColumn declares a column.
func NewColumn[R, V any](t *Table[R], value func(R) V) *Column[R, V] {
	c := &Column[R, V]{value: value}
	c.lazy = &lazy[R]{table: t, maker: c}
	t.indexes = append(t.indexes, c.lazy)
	return c
}

func (c *Column[R, V]) fill(rows *sorted[R]) {
	c.values = sorted[V]{}
	for id, row := range rows.in(Range{}) {
		c.values.put(id, c.value(row))
	}
}

func (c *Column[R, V]) add(id int, row R, _ *sorted[R]) { c.values.put(id, c.value(row)) }
func (c *Column[R, V]) drop(id int, _ R, _ *sorted[R])  { c.values.remove(id) }
func (c *Column[R, V]) alike(R, R) bool                 { return false }

// Select returns the committed rows of r whose value keep accepts. It ignores r.Max.
// They are of one moment, and may be read after the View. ok is false if Make has to be
// called first.
func (c *Column[R, V]) Select(tx *Tx, r Range, keep func(V) bool) (found iter.Seq[R], ok bool) {
	if c.state != ready {
		return nil, false
	}
	rows, values := c.table.rows.freeze(), c.values.freeze()
	r.Max = 0
	return func(yield func(R) bool) {
		for id, value := range values.in(r) {
			if !keep(value) {
				continue
			}
			if row, _ := rows.get(id); !yield(row) {
				return
			}
		}
	}, true
}
