package main

import (
	"fmt"
	"net/http"
	"net/mail"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"example.com/shelf/internal/form"
	"example.com/shelf/internal/reply"
)

// The longest values, in code points: what the tutorials' database columns hold.
const (
	maxEmail       = 120
	maxUsername    = 120
	maxName        = 64
	maxItemname    = 64
	maxCategory    = 64
	maxDescription = 300
	maxTitle       = 200
	maxAuthor      = 200
)

// within reports whether s is neither blank nor longer than max code points.
func within(s string, max int) bool {
	return strings.TrimSpace(s) != "" && utf8.RuneCountInString(s) <= max
}

// checkLength words what within finds.
func checkLength(name, s string, max int) error {
	switch n := utf8.RuneCountInString(s); {
	case within(s, max):
		return nil
	case n <= max:
		return fmt.Errorf("%s is missing or blank", name)
	default:
		return fmt.Errorf("%s has %d characters, %d are the most", name, n, max)
	}
}

// validEmail reports whether s is a bare address, as RFC 5322 §3.4.1 writes
// them, in a domain with a dot. net/mail reads more than that: in what it
// returns, a display name, a comment or quotes are gone.
func validEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || !within(s, maxEmail) {
		return false
	}
	domain := s[strings.LastIndexByte(s, '@')+1:]
	return strings.Contains(domain, ".") && domain[0] != '[' // [127.0.0.1] is an address literal
}

// emailKey is what two spellings of one e-mail address have in common.
func emailKey(s string) string { return strings.ToLower(s) }

// accountKey is what wrong passwords of an account are counted under: its id, as
// its names are the account's to change. One that isn't there has a name only, of
// which the spellings of an e-mail are one.
func accountKey(u *user, name string) string {
	switch {
	case u != nil:
		return "id " + strconv.Itoa(u.ID)
	case strings.Contains(name, "@"):
		return "name " + emailKey(name)
	}
	return "name " + name
}

// visible reports whether s holds nothing but characters that can be seen, and
// spaces: no control characters, line breaks, zero-width characters or marks that
// turn the direction of text around. With those two names look alike (Unicode
// TR 36 §2, CWE-1007), or a log line is broken in two (CWE-117). Names that look alike
// otherwise, as by accents that are written in two ways, stay different.
func visible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2800' || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp,
			unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
	})
}

// newNames is validNames for names that take the place of others. What has been
// in use stays.
func newNames(u, was *user) error {
	for _, n := range []struct{ name, was, called string }{
		{u.Username, was.Username, "username"}, {u.Firstname, was.Firstname, "firstname"}, {u.Lastname, was.Lastname, "lastname"},
	} {
		if n.name != n.was && !visible(n.name) {
			return reply.Fail(http.StatusBadRequest, "Invalid "+n.called)
		}
	}
	return validNames(u)
}

// validNames checks the names that an account may choose. An e-mail address
// as a username is fine if it is the account's own; another's would keep its
// owner out.
func validNames(u *user) error {
	switch {
	case !within(u.Username, maxUsername) || strings.Contains(u.Username, "@") && emailKey(u.Username) != emailKey(u.Email):
		return reply.Fail(http.StatusBadRequest, "Invalid username")
	case u.Firstname != "" && !within(u.Firstname, maxName):
		return reply.Fail(http.StatusBadRequest, "Invalid firstname")
	case u.Lastname != "" && !within(u.Lastname, maxName):
		return reply.Fail(http.StatusBadRequest, "Invalid lastname")
	}
	return nil
}

// validPassword is the catalog tutorial's rule: at least 5 characters with a
// digit and a special character, which are those of Python's string.punctuation.
func validPassword(p form.Password) bool {
	s := string(p)
	return utf8.RuneCountInString(s) >= 5 &&
		strings.ContainsFunc(s, unicode.IsDigit) &&
		strings.ContainsAny(s, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
}

// parseID reads an id from a path. ok is false unless s is made of ASCII
// digits. A number too large for an int is an id all the same, and -1 stands
// for it: no row has that, so that it isn't found rather than wrong.
func parseID(s string) (id int, ok bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	id, err := strconv.Atoi(s)
	if err != nil {
		return -1, true
	}
	return id, true
}
