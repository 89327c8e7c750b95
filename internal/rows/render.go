package rows

import (
	"bytes"
	"encoding/json"
	"iter"
)

// What clients read is made of parts, which are the rows' own texts and what stands
// between them. So it takes no memory, however long it is, and numbers stay exact.

// yieldAll yields the parts of an array or object: its two brackets, and what each yields
// for the n elements, which is to return false once yield has. yieldAll does so too.
func yieldAll(brackets string, n int, yield func(string) bool, each func(i int) bool) bool {
	if !yield(brackets[:1]) {
		return false
	}
	for i := range n {
		if i > 0 && !yield(",") || !each(i) {
			return false
		}
	}
	return yield(brackets[1:])
}

// yieldList yields the parts of a JSON array of rows.
func yieldList(rows []*Row, yield func(string) bool) bool {
	return yieldAll("[]", len(rows), yield, func(i int) bool { return yield(rows[i].Text) })
}

// wholeOf yields the parts of a JSON object with these members.
func wholeOf(members []Part) iter.Seq[string] {
	return func(yield func(string) bool) {
		yieldAll("{}", len(members), yield, func(i int) bool {
			m := &members[i]
			return yield(Quote(m.Name)) && yield(":") && m.yield(yield)
		})
	}
}

// yield yields the parts of the member's value.
func (p *Part) yield(yield func(string) bool) bool {
	switch {
	case p.Raw != "":
		return yield(p.Raw)
	case p.Single && len(p.Rows) > 0:
		return yield(p.Rows[0].Text)
	}
	return yieldList(p.Rows, yield)
}

// Pretty returns JSON with two blanks of indent, and no line end behind it.
func Pretty(compact []byte) []byte {
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		panic(err) // it is made of rows, which are well-formed
	}
	return b.Bytes()
}
