package main

import (
	"testing"
	"time"

	"example.com/shelf/internal/strictjson"
)

// FuzzStoredItem: what is read out of a rendered item is what was rendered.
func FuzzStoredItem(f *testing.F) {
	for _, texts := range [][3]string{
		{"ball", "soccer", "something to kick"},
		{"", "", ""},
		{`","category":"`, `\`, `","createdon":"`},
		{`ends in \`, `"`, `\\"`},
		{"a\nb", "\x00\x7f", "<&>"},
		{"Käse", "\u2028\u2029", "😀"},
	} {
		f.Add(texts[0], texts[1], texts[2], 7, 3, int64(1_764_000_000))
	}
	f.Fuzz(func(t *testing.T, itemname, category, description string, id, by int, created int64) {
		clean := func(s string) string { return string([]rune(s)) } // a body is valid UTF-8
		it := &item{
			ID: id, Itemname: clean(itemname), Category: clean(category), Description: clean(description),
			Created: time.Unix(created, 0).UTC(), CreatedBy: by,
		}
		if id < 1 || by < 0 || it.Created.Year() < 0 || it.Created.Year() > 9999 {
			return
		}
		it.render()
		if got := it.stored().item(); *got != *it {
			t.Errorf("%+v is kept as %+v", it, got)
		}
		if got, want := it.appendTo(nil), strictjson.Encode(it); string(got) != string(want) {
			t.Errorf("the data file has it as %s; want %s", got, want)
		}
	})
}
