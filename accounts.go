package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"

	"example.com/shelf/internal/form"
	"example.com/shelf/internal/list"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/reply"
)

// wrongPassword answers whoever has to show the password again and can't.
const wrongPassword = "Wrong password"

// getMe handles GET /api/v1/auth/me.
func (s *server) getMe(w http.ResponseWriter, r *http.Request, c *caller) error {
	return writeUser(w, c.user)
}

func writeUser(w http.ResponseWriter, u *user) error {
	return reply.JSON(w, http.StatusOK, success{Status: http.StatusOK, Data: []any{viewUser(u)}})
}

// patchMe handles PATCH /api/v1/auth/me: the caller's names, and nothing else
// that a body may hold (CWE-915). An empty first or last name clears it.
func (s *server) patchMe(w http.ResponseWriter, r *http.Request, c *caller) error {
	var username, firstname, lastname *string
	_, err := form.Read(w, r, form.Fields{"username": &username, "firstname": &firstname, "lastname": &lastname})
	if err != nil {
		return err
	}
	edit := func(u *user) {
		u.Username = or(username, u.Username)
		u.Firstname = or(firstname, u.Firstname)
		u.Lastname = or(lastname, u.Lastname)
	}
	edited := *c.user
	edit(&edited)
	if err := validNames(&edited); err != nil {
		return err
	}
	u, err := s.store.editUser(c.user.ID, edit)
	if err != nil {
		return err
	}
	return writeUser(w, u)
}

// changePassword handles POST /api/v1/auth/password. It takes the current
// password, so that a stolen access token doesn't become a stolen account
// (OWASP ASVS 5, 6.2.3), and ends every other sign-in, for one of them may be
// the reason for the change (7.4.3).
func (s *server) changePassword(w http.ResponseWriter, r *http.Request, c *caller) error {
	var current, changed form.Password
	if _, err := form.Read(w, r, form.Fields{"current_password": &current, "new_password": &changed}); err != nil {
		return err
	}
	if current == "" {
		return reply.Fail(http.StatusBadRequest, "Missing 'current_password' in body")
	}
	if why := passwordFault(c.user, changed); why != "" {
		return reply.Fail(http.StatusBadRequest, why)
	}
	if err := s.confirm(r, c, current); err != nil {
		return err
	}
	hash, err := s.hashes.Hash(r.Context(), string(changed))
	if err != nil {
		return err
	}
	if err := s.store.setPassword(c.user, hash, c.token.Session); err != nil {
		return err
	}
	return reply.JSON(w, http.StatusOK, success{Status: http.StatusOK, Message: "Password successfully changed"})
}

// passwordFault says why p can't be a password of u's, "" for no reason. The
// rule is that of the sign-up which makes such accounts: the book tutorial's
// has none.
func passwordFault(u *user, p form.Password) string {
	if u.Email != "" && !validPassword(p) {
		return badPassword
	}
	if p == "" {
		return "Invalid password. It should not be empty"
	}
	if why := password.Fault(string(p)); why != "" {
		return "Invalid password. It " + why
	}
	return ""
}

// confirm checks the password that the caller shows again. Wrong ones count
// like those of a sign-in: who stole a token must not guess faster here.
func (s *server) confirm(r *http.Request, c *caller, p form.Password) error {
	ok, err := s.checkPassword(r, c.user.identity(), c.user, p)
	if err == nil && !ok {
		err = reply.Fail(http.StatusForbidden, wrongPassword)
	}
	return err
}

// deleteMe handles DELETE /api/v1/auth/me: the account and its tokens go, what
// it made stays. Like a change of password it takes the password.
func (s *server) deleteMe(w http.ResponseWriter, r *http.Request, c *caller) error {
	var shown form.Password
	if _, err := form.Read(w, r, form.Fields{"password": &shown}); err != nil {
		return err
	}
	if shown == "" {
		return reply.Fail(http.StatusBadRequest, "Missing 'password' in body")
	}
	if err := s.confirm(r, c, shown); err != nil {
		return err
	}
	if err := s.store.deleteSelf(c.user); err != nil {
		return err
	}
	return userDeleted(w, c.user.ID)
}

func userDeleted(w http.ResponseWriter, id int) error {
	return reply.Rows(w, http.StatusOK, "", fmt.Appendf(nil, `{"id":%d,"message":"User has been deleted"}`, id))
}

// endSessions handles DELETE /api/v1/auth/sessions: log-out everywhere, here
// included (OWASP ASVS 5, 7.5.2).
func (s *server) endSessions(w http.ResponseWriter, r *http.Request, c *caller) error {
	if err := s.store.endSessions(c.user.ID, endedByLogout); err != nil {
		return err
	}
	return reply.JSON(w, http.StatusOK, success{Status: http.StatusOK, Message: "Successfully logged out everywhere"})
}

// A managedUser is a user as admins read it.
type managedUser struct {
	userView
	Disabled bool `json:"disabled"`
}

func manageUser(u *user) managedUser { return managedUser{viewUser(u), u.Disabled} }

// usersPage is how many users a page has if the client doesn't say.
const usersPage = 100

// listUsers handles GET /api/v1/users, for admins: a page of users by id. Where
// more follow, the next page is named as RFC 8288 §3 has it.
func (s *server) listUsers(w http.ResponseWriter, r *http.Request, _ *caller) error {
	values, err := list.ReadParameters(r, "limit", "after")
	if err != nil {
		return err
	}
	limit, err := list.Limit(values, usersPage)
	if err != nil {
		return err
	}
	after, ok := parseID(cmp.Or(values.Get("after"), "0"))
	switch {
	case !ok:
		return list.BadParameter("after", "must be the id of a user")
	case after < 0: // more than an int holds
		after = math.MaxInt
	}
	users, more := s.store.usersAfter(after, limit)
	if more {
		next := fmt.Sprintf("%s%s?limit=%d&after=%d", s.baseURL(r), r.URL.Path, limit, users[len(users)-1].ID)
		w.Header().Set("Link", "<"+next+`>; rel="next"`)
	}
	rows := make([]any, len(users))
	for i, u := range users {
		rows[i] = manageUser(u)
	}
	return reply.JSON(w, http.StatusOK, success{Status: http.StatusOK, Data: rows})
}

// userID reads the path's id.
func userID(r *http.Request) (int, error) {
	id, ok := parseID(r.PathValue("id"))
	if !ok {
		return 0, reply.Fail(http.StatusBadRequest, "User ID should be an integer")
	}
	return id, nil
}

// errNobody is for a user that the path names, where errNoUser alone would mean
// the caller.
var errNobody = reply.Fail(http.StatusNotFound, "User does not exist")

// patchUser handles PATCH /api/v1/users/{id}, for admins: who is an admin and
// who is disabled. It holds from the next request on, as each one looks its
// user up (OWASP ASVS 5, 8.3.2).
func (s *server) patchUser(w http.ResponseWriter, r *http.Request, c *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	var admin, disabled *bool
	if _, err := form.Read(w, r, form.Fields{"admin": &admin, "disabled": &disabled}); err != nil {
		return err
	}
	u, err := s.store.setAccess(c.user.ID, id, admin, disabled)
	if errors.Is(err, errNoUser) {
		return errNobody
	}
	if err != nil {
		return err
	}
	return reply.JSON(w, http.StatusOK, success{Status: http.StatusOK, Data: []any{manageUser(u)}})
}

// deleteUser handles DELETE /api/v1/users/{id}, for admins.
func (s *server) deleteUser(w http.ResponseWriter, r *http.Request, c *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	err = s.store.deleteUser(c.user.ID, id)
	if errors.Is(err, errNoUser) {
		return errNobody
	}
	if err != nil {
		return err
	}
	return userDeleted(w, id)
}
