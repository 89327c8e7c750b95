package main

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"example.com/shelf/internal/form"
)

var emailTests = []struct {
	name, email string
	want        bool
}{
	{"the tutorial's own", "user@example.com", true},
	{"the tutorial's other", "sneakyuser@example.com", true},
	{"empty", "", false},
	{"blank", " ", false},
	{"no at", "example.com", false},
	{"a dash in the domain, which the tutorial refuses", "user@my-site.com", true},
	{"capitals", "User@Example.COM", true},
	{"a tag", "user+tag@example.com", true},
	{"letters beyond ASCII", "jürgen@bücher.example", true},
	{"a subdomain", "user@mail.example.co.uk", true},
	{"no dot in the domain", "user@localhost", false},
	{"only a dot before the at", "first.last@localhost", false},
	{"a dot at the end", "user@example.", false},
	{"a dot at the start of the domain", "user@.example", false},
	{"two dots", "user@example..com", false},
	{"no local part", "@example.com", false},
	{"no domain", "user@", false},
	{"two ats", "a@b@c.de", false},
	{"anything behind it, which the tutorial accepts", "a@b.c anything", false},
	{"a blank before it", " a@b.c", false},
	{"a line end", "a@b.c\r\nBcc: x@y.z", false},
	{"a display name", "Ann <a@b.c>", false},
	{"angle brackets", "<a@b.c>", false},
	{"a comment", "a@b.c (Ann)", false},
	{"two addresses", "a@b.c, d@e.f", false},
	{"a group", "g: a@b.c;", false},
	{"an address literal", "a@[127.0.0.1]", false},
	{"quotes that go away", `"a b"@c.de`, false},
	{"as long as may be", strings.Repeat("é", 112) + "@b.cdefg", true},
	{"one too long", strings.Repeat("é", 113) + "@b.cdefg", false},
}

func TestValidEmail(t *testing.T) {
	t.Parallel()
	for _, tt := range emailTests {
		if got := validEmail(tt.email); got != tt.want {
			t.Errorf("%s: validEmail(%q) = %v; want %v", tt.name, tt.email, got, tt.want)
		}
	}
}

func TestEmailKey(t *testing.T) {
	t.Parallel()
	if a, b := emailKey("User@Example.COM"), emailKey("user@example.com"); a != b {
		t.Errorf("emailKey = %q and %q; want the same", a, b)
	}
}

var passwordTests = []struct {
	name   string
	secret form.Password
	want   bool
}{
	{"the tutorial's own", "youcantguess#4", true},
	{"the tutorial's other", "iamsneaky#9", true},
	{"the tutorial's fixture", "r@78hy", true},
	{"empty", "", false},
	{"blank", " ", false},
	{"three letters", "abc", false},
	{"letters alone", "secret", false},
	{"no special character", "93secret", false},
	{"no digit", "#sec%ret", false},
	{"five characters", "abc1#", true},
	{"four characters", "ab1#", false},
	{"four characters in more bytes", "éé1#", false},
	{"a digit of another script", "abcd٣#", true},
	{"a superscript is no digit", "abcd²#", false},
	{"a special character beyond ASCII is none", "abcd1§", false},
	{"a blank is not special", "abcd 1", false},
}

func TestValidPassword(t *testing.T) {
	t.Parallel()
	for _, tt := range passwordTests {
		if got := validPassword(tt.secret); got != tt.want {
			t.Errorf("%s: validPassword(%q) = %v; want %v", tt.name, tt.secret, got, tt.want)
		}
	}
	for _, special := range "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" {
		if p := "abc1" + form.Password(special); !validPassword(p) {
			t.Errorf("validPassword(%q) = false; want true", p)
		}
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		max        int
		want       bool
	}{
		{"empty", "", 3, false},
		{"blank", " \t\u00a0", 9, false},
		{"the limit", "abc", 3, true},
		{"one too long", "abcd", 3, false},
		{"the limit in more bytes", "éé😀", 3, true},
		{"one too long in more bytes", "ééé😀", 3, false},
	} {
		if got := within(tt.text, tt.max); got != tt.want {
			t.Errorf("%s: within(%q, %d) = %v; want %v", tt.name, tt.text, tt.max, got, tt.want)
		}
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		id         int
		ok         bool
	}{
		{"a number", "42", 42, true},
		{"a zero in front", "01", 1, true},
		{"zero", "0", 0, true},
		{"the largest int", strconv.Itoa(math.MaxInt), math.MaxInt, true},
		{"one more", "9223372036854775808", -1, true},
		{"far too large", "9999999999999999999999", -1, true},
		{"zeros in front don't make it large", strings.Repeat("0", 40) + "7", 7, true},
		{"empty", "", 0, false},
		{"a word", "item1", 0, false},
		{"a word in between", "1a2", 0, false},
		{"a minus", "-1", 0, false},
		{"a plus", "+1", 0, false},
		{"a fraction", "1.0", 0, false},
		{"a blank", "1 ", 0, false},
		{"an underscore", "1_0", 0, false},
		{"a digit of another script", "٣", 0, false},
		{"a superscript", "²", 0, false},
	} {
		if id, ok := parseID(tt.text); id != tt.id || ok != tt.ok {
			t.Errorf("%s: parseID(%q) = %d, %v; want %d, %v", tt.name, tt.text, id, ok, tt.id, tt.ok)
		}
	}
}

func FuzzEmail(f *testing.F) {
	for _, tt := range emailTests {
		f.Add(tt.email)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !validEmail(s) {
			return
		}
		at := strings.LastIndex(s, "@")
		switch {
		case at <= 0, !strings.Contains(s[at+1:], "."):
			t.Errorf("validEmail(%q) = true; want a local part and a dotted domain", s)
		case !utf8.ValidString(s), utf8.RuneCountInString(s) > maxEmail:
			t.Errorf("validEmail(%q) = true; want at most %d code points of UTF-8", s, maxEmail)
		case strings.ContainsAny(s, " \t\r\n\"(),:;<>[]\\\x00"):
			t.Errorf("validEmail(%q) = true; want a bare address", s)
		case emailKey(emailKey(s)) != emailKey(s):
			t.Errorf("emailKey(%q) is not its own key", s)
		}
	})
}
