package main

import (
	"net/http"
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

// newNames is validNames for names that take the place of others. What has been
// in use stays.
func newNames(u, was *user) error {
	for _, n := range []struct{ name, was, called string }{
		{u.Username, was.Username, "username"}, {u.Firstname, was.Firstname, "firstname"}, {u.Lastname, was.Lastname, "lastname"},
	} {
		if n.name != n.was && !form.Visible(n.name) {
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
	case !form.Within(u.Username, maxUsername) || strings.Contains(u.Username, "@") && emailKey(u.Username) != emailKey(u.Email):
		return reply.Fail(http.StatusBadRequest, "Invalid username")
	case u.Firstname != "" && !form.Within(u.Firstname, maxName):
		return reply.Fail(http.StatusBadRequest, "Invalid firstname")
	case u.Lastname != "" && !form.Within(u.Lastname, maxName):
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
