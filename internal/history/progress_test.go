package history_test

import (
	"fmt"
	"slices"
	"testing"

	"example.com/shelf/internal/history"
)

// Progress is told of a batch of rows at a time, and that it has ended. Few rows are not
// worth a word.
func TestProgress(t *testing.T) {
	t.Parallel()
	var told []string
	tell := history.Progress(func(what string, done, total int64, unit string) {
		told = append(told, fmt.Sprint(what, " ", done, " ", total, " ", unit))
	})
	for _, rows := range []int{100, 10_000} {
		next, end := tell.Rows("adding", rows)
		for range rows {
			next()
		}
		end()
	}
	at, end := tell.Bytes("reading", 7)
	at(3)
	at(7) // the end says so
	end()
	want := []string{"adding 4096 10000 rows", "adding 8192 10000 rows", "adding 0 0 rows", "reading 3 7 bytes", "reading 0 0 bytes"}
	if !slices.Equal(told, want) {
		t.Errorf("it was told %q; want %q", told, want)
	}
	next, end := history.Progress(nil).Rows("adding", 10_000)
	next()
	end()
}
