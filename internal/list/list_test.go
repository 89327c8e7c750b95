package list

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// A cursor is the JSON of its type, and leads back to its position.
func TestCursor(t *testing.T) {
	t.Parallel()
	q := &Query{digest: "c0ffee"}
	for _, tt := range []struct {
		p    Position
		want string
	}{
		{Position{ID: 1}, `{"v":1,"query":"c0ffee","id":1}`},
		{Position{ID: math.MaxInt, Time: 1_790_000_000}, `{"v":1,"query":"c0ffee","time":1790000000,"id":9223372036854775807}`},
		{Position{ID: 2, Time: -1}, `{"v":1,"query":"c0ffee","time":-1,"id":2}`},
		{Position{ID: 3, Text: "plain"}, `{"v":1,"query":"c0ffee","text":"plain","id":3}`},
		{Position{ID: 4, Text: `"quoted" \ <b>&</b>`}, `{"v":1,"query":"c0ffee","text":"\"quoted\" \\ <b>&</b>","id":4}`},
		{Position{ID: 5, Text: "tab\t, é, \u2028, 😀"}, `{"v":1,"query":"c0ffee","text":"tab\t, é, \u2028, 😀","id":5}`},
	} {
		p := tt.p
		text, err := base64.RawURLEncoding.DecodeString(q.Cursor(p))
		if err != nil || string(text) != tt.want {
			t.Errorf("the cursor of %+v is %s, %v; want %s", p, text, err, tt.want)
		}
		if got := q.parseCursor(q.Cursor(p)); got == nil || *got != p {
			t.Errorf("the cursor of %+v leads to %+v", p, got)
		}
	}
}

// Every accepted cursor is one that the query could have created.
func FuzzParseCursor(f *testing.F) {
	q := &Query{digest: "c0ffee"}
	for _, text := range []string{`{"v":1,"query":"c0ffee","id":1}`, `{"v":1,"query":"c0ffee","text":"a","time":-1,"id":2}`, `{"v":2}`, "null", ""} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(text)))
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := q.parseCursor(s)
		if p == nil {
			return
		}
		if p.ID < 1 {
			t.Errorf("%q is a cursor behind the row %d", s, p.ID)
		}
		if again := q.parseCursor(q.Cursor(*p)); again == nil || again.compare(*p) != 0 {
			t.Errorf("%q leads to %+v, and its cursor to %+v", s, p, again)
		}
	})
}

func TestLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want int // 0: an error
	}{
		{"", 7}, {"1", 1}, {"01", 1}, {"1000", 1000}, {"1001", 0}, {"0", 0}, {"-1", 0}, {"+1", 0}, {"1.0", 0}, {"a", 0},
		{"٣", 0}, {"9223372036854775808", 0}, {strings.Repeat("0", 40) + "7", 7},
	} {
		n, err := Limit(Parameters{{"limit", tt.text}}, 7)
		if n != tt.want || (err == nil) != (tt.want != 0) {
			t.Errorf("limit %q = %d, %v; want %d", tt.text, n, err, tt.want)
		}
	}
}

// BenchmarkSort compares a page of 100 of 100,000 rows in another order with sorting
// all of them.
func BenchmarkSort(b *testing.B) {
	spec := Spec[int]{Orders: map[string]func(int) Position{"text": func(row int) Position {
		return Position{Text: fmt.Sprint("row ", row*7919%100_000), ID: row}
	}}}
	rows := make([]int, 100_000)
	for i := range rows {
		rows[i] = i + 1
	}
	for _, limit := range []int{100, 0} {
		b.Run(fmt.Sprint("limit=", limit), func(b *testing.B) {
			for b.Loop() {
				spec.sort(&Query{order: "text", limit: limit}, slices.Values(rows))
			}
		})
	}
}

// A row that matches a text has all that the text's hint asks for.
func FuzzHint(f *testing.F) {
	f.Add("Item 7 of many", "7 OF")
	f.Add("\u212Aelvin, \u0130stanbul", "kelvin, i")
	f.Add("\xff\xfe", "\xff")
	spec := Spec[string]{Text: func(row string) [2]string { return [2]string{row} }}
	f.Fuzz(func(t *testing.T, row, asked string) {
		asked = strings.ToLower(asked)
		if spec.matches(row, asked) && !(hint{}).with(asked).within(spec.hintOf(row)) {
			t.Errorf("%q has %q, and its hint says that it hasn't", row, asked)
		}
		if len(row) > 2 {
			if part := strings.ToLower(row)[1:]; !(hint{}).with(part).within(spec.hintOf(row)) {
				t.Errorf("%q has %q, and its hint says that it hasn't", row, part)
			}
		}
	})
}
