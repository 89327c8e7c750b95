package explain

import (
	"strings"
	"testing"
	"time"
)

func TestArgument(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, args, text, rest string }{
		{"nothing", "", "", ""},
		{"a token alone", "a.b.c", "a.b.c", ""},
		{"a token before the flags", "a.b.c -data x", "a.b.c", "-data x"},
		{"a token behind them", "-data x eyJh.b.c", "eyJh.b.c", "-data x"},
		{"flags alone", "-data x", "", "-data x"},
	} {
		text, rest := Argument(strings.Fields(tt.args))
		if text != tt.text || strings.Join(rest, " ") != tt.rest {
			t.Errorf("%s: Argument(%s) = %q, %q; want %q, %q", tt.name, tt.args, text, rest, tt.text, tt.rest)
		}
	}
}

func TestBare(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a.b.c":                         "a.b.c",
		" a.b.c\r\n":                    "a.b.c",
		"'Authorization: Bearer a.b.c'": "a.b.c",
		"authorization:bearer   a.b.c":  "a.b.c",
		`"X-Access-Token: a.b.c"`:       "a.b.c",
		"Basic a.b.c":                   "Basic a.b.c",
		"":                              "",
	} {
		if got := Bare(text); got != want {
			t.Errorf("Bare(%q) = %q; want %q", text, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                           "0s",
		59999 * time.Millisecond:    "59s",
		time.Minute:                 "1m",
		time.Hour - time.Second:     "59m",
		3*time.Hour + 5*time.Minute: "3h 5m",
		24 * time.Hour:              "1d 0h",
		720*time.Hour - time.Second: "29d 23h",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q; want %q", d, got, want)
		}
	}
}
