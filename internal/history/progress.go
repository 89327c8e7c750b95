package history

// A Progress is told how much of something long is done, of total, in a unit such as
// bytes or rows. what says what is being done: "reading shelf.jsonl". It has ended when
// done is total. A nil Progress is told nothing.
type Progress func(what string, done, total int64, unit string)

// eachRows is how many rows there are between two calls of a Progress. Fewer rows in all
// are not worth a call.
const eachRows = 4096

// Rows returns what to call for each of total rows, and at the end, also after an error.
func (p Progress) Rows(what string, total int) (next, end func()) {
	if p == nil || total < eachRows {
		return func() {}, func() {}
	}
	done := 0
	next = func() {
		if done++; done%eachRows == 0 && done < total {
			p(what, int64(done), int64(total), "rows")
		}
	}
	return next, func() { p(what, 0, 0, "rows") }
}

// Bytes returns what to call when that many bytes of total are done, and at the end.
func (p Progress) Bytes(what string, total int64) (at func(done int64), end func()) {
	if p == nil {
		return func(int64) {}, func() {}
	}
	return func(done int64) {
		if done < total {
			p(what, done, total, "bytes")
		}
	}, func() { p(what, 0, 0, "bytes") }
}
