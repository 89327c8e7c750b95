package rows

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"example.com/shelf/internal/form"
	"example.com/shelf/internal/reply"
)

// The rules of json-server-auth for what an account sends about itself.
const (
	MaxMemberBody = 32 << 10
	MaxProfile    = 16 << 10
	MinPassword   = 4 // code points
	maxEmail      = 120
)

var (
	ErrProfileTooLarge = reply.Fail(http.StatusBadRequest, "An account may have 16 KiB of members at most: keep the rest in a collection")
	ErrShortPassword   = reply.Fail(http.StatusBadRequest, "Password is too short")
	errEmail           = reply.Fail(http.StatusBadRequest, "Email format is invalid")
)

// IsEmail reports whether an account of a collection may have that e-mail.
func IsEmail(s string) bool { return form.PlainEmail(s, maxEmail) && form.Visible(s) }

// SignUpCredentials returns the e-mail and the password of a body, and judges them in
// the order of json-server-auth.
func SignUpCredentials(o Object) (email string, p form.Password, err error) {
	m := MemberOf(o)
	return checkCredentials(m.Email, m.Password, IsEmail)
}

// SignInCredentials is SignUpCredentials for a sign-in, where a username may stand in
// the place of the e-mail.
func SignInCredentials(o Object) (name string, p form.Password, err error) {
	m := MemberOf(o)
	if m.Email == "" {
		return checkCredentials(m.Username, m.Password, func(string) bool { return true })
	}
	return checkCredentials(m.Email, m.Password, IsEmail)
}

func checkCredentials(name, p string, good func(name string) bool) (string, form.Password, error) {
	switch {
	case strings.TrimSpace(name) == "" || strings.TrimSpace(p) == "":
		return "", "", reply.Fail(http.StatusBadRequest, "Email and password are required")
	case !good(name):
		return "", "", errEmail
	case utf8.RuneCountInString(p) < MinPassword:
		return "", "", ErrShortPassword
	}
	return name, form.Password(p), nil
}

// A SignInChange is what a body wants to change of how its account signs in. "" changes
// nothing.
type SignInChange struct {
	Email    string
	Password form.Password
	Current  form.Password // the password that is good now
}

// ReadSignInChange reads a SignInChange for an account that has an e-mail, or none.
func ReadSignInChange(sent Object, email string) (c SignInChange, err error) {
	given := map[string]string{}
	for _, name := range []string{"email", "password", "current_password"} {
		text, _, ok := sent.Texts(name)
		if !ok {
			return c, reply.Fail(http.StatusBadRequest, name+" must be a text")
		}
		given[name] = text
	}
	c.Password, c.Current = form.Password(given["password"]), form.Password(given["current_password"])
	if text := given["email"]; text != "" && text != email {
		if !IsEmail(text) {
			return c, errEmail
		}
		c.Email = text
	}
	return c, nil
}

// Check fails if the change shows no password, or if its new password is too short.
func (c SignInChange) Check() error {
	switch {
	case c.Current == "":
		return reply.Fail(http.StatusBadRequest, "current_password is required to change the email, the sign-in name or the password")
	case c.Password != "" && utf8.RuneCountInString(string(c.Password)) < MinPassword:
		return ErrShortPassword
	}
	return nil
}

// SignsInAs returns the name by which a member of a file signs in: its email, else its
// username. One that has neither is kept under the name otherwise, and can't sign in:
// why says so, if it was meant to. An email that is none moves into the profile.
func (m *Member) SignsInAs(otherwise string) (name, why string, err error) {
	if m.Email != "" && !IsEmail(m.Email) {
		why = fmt.Sprintf("%.100q is no e-mail address", m.Email)
		profile := Members(string(m.Profile))
		profile.Set("email", Quote(m.Email)) // as it is: the account doesn't hold it
		m.Email, m.Profile = "", Raw(profile.Text())
	}
	switch {
	case len(m.Profile) > MaxProfile:
		return otherwise, why, ErrProfileTooLarge
	case m.Email != "":
		return m.Email, why, nil
	case m.Username == "":
		return otherwise, why, nil
	case strings.Contains(m.Username, "@"):
		return otherwise, cmp.Or(why, "a username with an @ is no email"), nil
	}
	return m.Username, "", nil
}
