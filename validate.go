package main

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"example.com/shelf/internal/form"
	"example.com/shelf/internal/password"
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

// passwordFault returns why p can't be a new password of u, or "".
//
// A password of 5 characters is kept for the tutorial; a new API should ask for 8 at
// least, and refuse common ones, as -password-policy nist does.
func (c settings) passwordFault(u *user, p form.Password) string {
	if c.passwordPolicy != password.NIST && u.Email != "" && !password.FitsTutorial(string(p)) {
		return badPassword
	}
	if p == "" {
		return "Invalid password. It should not be empty"
	}
	if why := password.Weakness(c.passwordPolicy, string(p), u.Username, u.Email); why != "" {
		return "Invalid password. It " + why
	}
	return ""
}

// emailKey is what two spellings of one e-mail address have in common.
func emailKey(s string) string { return strings.ToLower(s) }

// accountKey is the key under which wrong passwords of an account are counted: its id,
// or what the client called an account that isn't there.
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

// validNames checks the names of an account. An e-mail as a username has to be the
// account's own: another's would keep its owner out.
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

// validate checks the texts.
func (it *itemInput) validate() error {
	switch {
	case !form.Within(it.Itemname, maxItemname):
		return reply.Fail(http.StatusBadRequest, "Invalid item name")
	case !form.Within(it.Category, maxCategory):
		return reply.Fail(http.StatusBadRequest, "Invalid category name")
	case !form.Within(it.Description, maxDescription):
		return reply.Fail(http.StatusBadRequest, "Invalid description")
	}
	return nil
}

// lengths is validate for an import: it names the field and says what is wrong.
func (it *itemInput) lengths() error {
	return cmp.Or(form.CheckLength("itemname", it.Itemname, maxItemname), form.CheckLength("category", it.Category, maxCategory), form.CheckLength("description", it.Description, maxDescription))
}

// validate checks the texts.
func (b *bookInput) validate() error {
	if !form.Within(b.Title, maxTitle) || !form.Within(b.Author, maxAuthor) {
		return reply.Fail(http.StatusBadRequest, "Invalid input!")
	}
	return nil
}

// lengths is validate for an import: it names the field and says what is wrong.
func (b *bookInput) lengths() error {
	return cmp.Or(form.CheckLength("title", b.Title, maxTitle), form.CheckLength("author", b.Author, maxAuthor))
}
