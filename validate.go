package main

import (
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

// accountKey is what an account is counted as. Spellings of one e-mail are one
// name. Of a username they are not: that could be an account of the attacker's
// own, to sign in to and have the count reset.
func accountKey(name string) string {
	if strings.Contains(name, "@") {
		return emailKey(name)
	}
	return name
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
