package main

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"example.com/shelf/internal/form"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/rows"
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

// passwordFault returns why p can't be a new password of u. field is its name in the
// body.
//
// A password of 5 characters is kept for the tutorial; a new API should ask for 8 at
// least, and refuse common ones, as -password-policy nist does.
func (c settings) passwordFault(u *user, field string, p form.Password) error {
	if u.Email != "" && c.passwordPolicy != password.NIST {
		if err := c.tutorialFault(field, p); err != nil {
			return err
		}
	}
	return c.weakness(u, field, "Invalid password. It ", p)
}

// tutorialFault returns how p breaks the tutorial's rule. With -password-policy nist p
// only has to be there.
func (c settings) tutorialFault(field string, p form.Password) error {
	flaw := password.TutorialFlaw(string(p))
	if flaw.Rule == "" || p != "" && c.passwordPolicy == password.NIST {
		return nil
	}
	return reply.Fail(http.StatusBadRequest, badPassword, reply.Detail{Field: field, Rule: flaw.Rule, Limit: flaw.Limit})
}

// weakness returns why p can't be a password by any other rule.
func (c settings) weakness(u *user, field, words string, p form.Password) error {
	flaw := password.Weakness(c.passwordPolicy, string(p), u.Username, u.Email)
	if flaw.Rule == "" {
		return nil
	}
	return reply.Fail(http.StatusBadRequest, words+flaw.Says, reply.Detail{Field: field, Rule: flaw.Rule, Limit: flaw.Limit})
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

// missing is the refusal of a body without that field.
func missing(field string) error {
	return reply.Fail(http.StatusBadRequest, "Missing '"+field+"' in body", reply.Detail{Field: field, Rule: "required"})
}

// email is what holds for the e-mail of an account of the catalog.
func email(s string, isNew bool) form.Text {
	return form.Text{Field: "email", Value: s, Max: maxEmail, Words: badEmail, Visible: isNew, Bad: !form.Email(s, maxEmail)}
}

// newNames checks the names of an account that take the place of others. What has been
// in use stays. An e-mail as a username has to be the account's own: another's would
// keep its owner out.
func newNames(u, was *user) error {
	called := "username"
	if u.Username == u.Email {
		called = "email" // a client that sends no username has sent that
	}
	return form.Check(
		form.Text{Field: called, Value: u.Username, Max: maxUsername, Words: "Invalid username", Visible: u.Username != was.Username,
			Bad: strings.Contains(u.Username, "@") && emailKey(u.Username) != emailKey(u.Email)},
		form.Text{Field: "firstname", Value: u.Firstname, Max: maxName, Words: "Invalid firstname", Visible: u.Firstname != was.Firstname, Optional: true},
		form.Text{Field: "lastname", Value: u.Lastname, Max: maxName, Words: "Invalid lastname", Visible: u.Lastname != was.Lastname, Optional: true},
	)
}

// texts are the fields of an item, with all that holds for them.
func (it *itemInput) texts() []form.Text {
	return []form.Text{
		{Field: "itemname", Value: it.Itemname, Max: maxItemname, Words: "Invalid item name"},
		{Field: "category", Value: it.Category, Max: maxCategory, Words: "Invalid category name"},
		{Field: "description", Value: it.Description, Max: maxDescription, Words: "Invalid description"},
	}
}

// texts are the fields of a book, with all that holds for them.
func (b *bookInput) texts() []form.Text {
	return []form.Text{
		{Field: "title", Value: b.Title, Max: maxTitle, Words: "Invalid input!"},
		{Field: "author", Value: b.Author, Max: maxAuthor, Words: "Invalid input!"},
	}
}

func (it *itemInput) validate() error { return form.Check(it.texts()...) }
func (b *bookInput) validate() error  { return form.Check(b.texts()...) }

// lengths is validate for an import: it names the field and says what is wrong.
func (it *itemInput) lengths() error { return form.CheckRow(it.texts()...) }
func (b *bookInput) lengths() error  { return form.CheckRow(b.texts()...) }

// validUser checks the fields of an imported account.
func validUser(u *user) error {
	switch {
	case u.Email != "" && !form.Email(u.Email, maxEmail) && !rows.IsEmail(u.Email):
		return errors.New("not an e-mail address")
	case u.Email == "" && strings.Contains(u.Username, "@"):
		return errors.New("a username with an @ belongs to a catalog account, which needs an e-mail")
	}
	return newNames(u, u)
}
