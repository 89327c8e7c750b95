package rows

import (
	"slices"
	"strings"
)

// A Member is an account as json-server-auth has it: a row with an email, a password,
// and whatever else was sent. The account holds some members of the row itself. Its
// Profile keeps all others, and null in the place of those, so that their order stays.
type Member struct {
	ID       Raw // a number or a text
	Role     Raw // "" for none
	Profile  Raw // an object
	Email    string
	Username string // "" for none
	Password string // in clear or a hash, of a file or a request; a Row never has it
}

// held are the members that the account holds, and ignored those that it can't set.
var (
	held    = []string{"id", "email", "password", "role"}
	ignored = []string{"admin", "disabled", "current_password"}
)

// MemberOf reads a row of a file. Its id may be "".
func MemberOf(o Object) Member {
	m := Member{Email: o.text("email"), Username: o.text("username"), Password: o.text("password")}
	if raw, _ := o.Get("password"); kindOf(raw) == kindNumber {
		m.Password = KeyText(raw) // a form would send it as a text
	}
	if raw, _ := o.Get("id"); KeyText(raw) != "" {
		m.ID = Raw(raw)
	}
	if raw, has := o.Get("role"); has {
		m.Role = Raw(raw)
	}
	profile := o.clone()
	for _, name := range held {
		if _, has := profile.Get(name); has && (name != "email" || m.Email != "") {
			profile.Set(name, "null")
		}
	}
	m.Profile = Raw(profile.Text())
	return m
}

// text returns a member that is a text, "" for any other value.
func (o *Object) text(name string) string {
	if raw, _ := o.Get(name); strings.HasPrefix(raw, `"`) {
		return unescaped(raw[1 : len(raw)-1])
	}
	return ""
}

// Texts returns a member if it is a text. has is false if it is missing or null; ok is
// false if it is something else.
func (o *Object) Texts(name string) (text string, has, ok bool) {
	raw, there := o.Get(name)
	switch {
	case !there || raw == "null":
		return "", false, true
	case raw[0] != '"':
		return "", true, false
	}
	return o.text(name), true, true
}

// SignUpProfile is the profile of an account that was made by a request: the email
// first, the id last.
func SignUpProfile(sent Object) Raw {
	profile := Members(`{"email":null,"password":null}`)
	profile.Merge(free(sent))
	profile.Set("id", "null")
	return Raw(profile.Text())
}

// free is what an account that sends an object may set of its profile.
func free(sent Object) Object {
	o := sent.clone()
	for _, name := range slices.Concat(held, ignored) {
		o.Delete(name)
	}
	return o
}

// WithoutRepeats is sent without the members that repeat its password, as many a form
// has one: confirmPassword, password_confirmation. They would be kept in clear.
func WithoutRepeats(sent Object) Object {
	password := sent.text("password")
	if password == "" {
		return sent
	}
	o := sent.clone()
	for _, name := range o.Names() {
		lower := strings.ToLower(name)
		if name != "password" && (strings.Contains(lower, "pass") || strings.Contains(lower, "pwd")) && o.text(name) == password {
			o.Delete(name)
		}
	}
	return o
}

// Patched is the profile after a PATCH.
func (m Member) Patched(sent Object) Raw {
	profile := Members(string(m.Profile))
	profile.Merge(free(sent))
	return Raw(profile.Text())
}

// Replaced is the profile after a PUT. What the account holds stays, in the place that
// the body gives it, else last.
func (m Member) Replaced(sent Object) Raw {
	profile := sent.clone()
	for _, name := range ignored {
		profile.Delete(name)
	}
	for _, name := range []string{"email", "password", "id"} {
		profile.Set(name, "null")
	}
	if _, has := profile.Get("role"); has {
		profile.Set("role", "null")
	}
	return Raw(profile.Text())
}

// Row is the account as a row, without its password. seat is its place among the rows.
func (m Member) Row(seat int) *Row {
	o := Members(string(m.Profile))
	o.Delete("password")
	o.Set("id", string(m.ID))
	for _, p := range []struct{ name, raw string }{{"email", Quote(m.Email)}, {"role", string(m.Role)}} {
		if p.raw == "" || p.raw == `""` {
			if raw, _ := o.Get(p.name); raw == "null" {
				o.Delete(p.name)
			}
		} else {
			o.Set(p.name, p.raw)
		}
	}
	return &Row{Seat: seat, Text: o.Text(), ID: KeyText(string(m.ID))}
}

// WithPassword is the row of the file that the account is written to, with a hash.
func (m Member) WithPassword(hash string) string {
	o := Members(m.Row(0).Text)
	if hash == "" {
		return o.Text()
	}
	full := Members(string(m.Profile))
	for _, name := range full.Names() {
		if raw, has := o.Get(name); has {
			full.Set(name, raw)
		} else if name != "password" {
			full.Delete(name)
		}
	}
	for _, name := range o.Names() {
		raw, _ := o.Get(name)
		full.Set(name, raw)
	}
	full.Set("password", Quote(hash))
	return full.Text()
}
