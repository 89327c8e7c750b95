package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/list"
	"example.com/shelf/internal/operator"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/token"
)

// wrongPassword answers a caller who has to show the password again and can't.
const wrongPassword = "Wrong password"

// getMe handles GET /api/v1/auth/me.
func (s *server) getMe(w http.ResponseWriter, r *http.Request, c *caller) error {
	return writeUser(w, c.user)
}

func writeUser(w http.ResponseWriter, u *user) error {
	return reply.Secret(w, http.StatusOK, success{Status: http.StatusOK, Data: []any{viewUser(u)}})
}

// patchMe handles PATCH /api/v1/auth/me: the caller's names, and nothing else that a
// body may hold (CWE-915). An empty first or last name clears it. A book account signs
// in under its username, so a new username needs the password. The answer tells
// whether a username is taken, so it counts as a sign-up.
func (s *server) patchMe(w http.ResponseWriter, r *http.Request, c *caller) error {
	var in struct {
		Username  *string       `json:"username"`
		Firstname *string       `json:"firstname"`
		Lastname  *string       `json:"lastname"`
		Current   form.Password `json:"current_password"`
	}
	if err := form.ReadSmall(w, r, &in); err != nil {
		return err
	}
	edit := func(u *user) {
		u.Username = form.Or(in.Username, u.Username)
		u.Firstname = form.Or(in.Firstname, u.Firstname)
		u.Lastname = form.Or(in.Lastname, u.Lastname)
	}
	edited := *c.user
	edit(&edited)
	if err := newNames(&edited, c.user); err != nil {
		return err
	}
	if edited.Username != c.user.Username {
		switch {
		case c.user.Email == "" && in.Current == "":
			return missing("current_password")
		case c.user.Email == "":
			if err := s.confirm(r, c, in.Current); err != nil {
				return err
			}
		}
		if err := s.limits.SignUp(s.origin.Client(r)); err != nil {
			return err
		}
	}
	u, err := s.store.as(c).editUser(edit)
	if err != nil {
		return err
	}
	if u.Username != c.user.Username {
		s.note(r, "username changed", c.user)
	}
	return writeUser(w, u)
}

// changePassword handles POST /api/v1/auth/password. It needs the current password, so
// that a stolen token doesn't become a stolen account (OWASP ASVS 5, 6.2.3), and ends
// all other sign-ins (7.4.3).
func (s *server) changePassword(w http.ResponseWriter, r *http.Request, c *caller) error {
	var in struct {
		Current form.Password `json:"current_password"`
		New     form.Password `json:"new_password"`
	}
	if err := form.ReadSmall(w, r, &in); err != nil {
		return err
	}
	if in.Current == "" {
		return missing("current_password")
	}
	if err := s.config.passwordFault(c.user, "new_password", in.New); err != nil {
		return err
	}
	if err := s.confirm(r, c, in.Current); err != nil {
		return err
	}
	hash, err := s.hashes.Hash(r.Context(), s.network(r), string(in.New))
	if err != nil {
		return err
	}
	if err := s.store.as(c).setPassword(c.user, hash); err != nil {
		return err
	}
	s.note(r, "password changed", c.user)
	return reply.JSON(w, http.StatusOK, success{Status: http.StatusOK, Message: "Password successfully changed"})
}

// confirm checks the password that the caller shows again. Wrong ones count like those
// of a sign-in. A token that was revoked since the request began can't guess.
func (s *server) confirm(r *http.Request, c *caller, p form.Password) error {
	if err := s.stillGood(c); err != nil {
		return err
	}
	ok, err := s.checkPassword(r, "", c.user, p)
	if err == nil && !ok {
		s.note(r, "wrong password", c.user)
		err = reply.Fail(http.StatusForbidden, wrongPassword)
	}
	return err
}

// deleteMe handles DELETE /api/v1/auth/me: the account and its tokens go, what
// it made stays. Like a change of password it takes the password.
func (s *server) deleteMe(w http.ResponseWriter, r *http.Request, c *caller) error {
	var in struct {
		Password form.Password `json:"password"`
	}
	if err := form.ReadSmall(w, r, &in); err != nil {
		return err
	}
	if in.Password == "" {
		return missing("password")
	}
	if err := s.confirm(r, c, in.Password); err != nil {
		return err
	}
	if err := s.store.as(c).deleteSelf(); err != nil {
		return err
	}
	s.note(r, "account deleted", c.user)
	return userDeleted(w, c.user.ID)
}

func userDeleted(w http.ResponseWriter, id int) error {
	return reply.Rows(w, http.StatusOK, "", fmt.Appendf(nil, `{"id":%d,"message":"User has been deleted"}`, id))
}

// endSessions handles DELETE /api/v1/auth/sessions: log-out everywhere, here
// included (OWASP ASVS 5, 7.5.2).
func (s *server) endSessions(w http.ResponseWriter, r *http.Request, c *caller) error {
	if err := s.store.as(c).endSessions(); err != nil {
		return err
	}
	s.note(r, "logged out everywhere", c.user)
	return reply.JSON(w, http.StatusOK, success{Status: http.StatusOK, Message: "Successfully logged out everywhere"})
}

// A tokenView is a token's record as its owner reads it.
type tokenView struct {
	ID       int    `json:"token_id"`
	JTI      string `json:"jti"`
	Type     string `json:"token_type"`
	Identity string `json:"user_identity"`
	Revoked  bool   `json:"revoked"`
	Expires  string `json:"expires"`
}

// listTokens handles GET /api/v1/auth/tokens.
func (s *server) listTokens(w http.ResponseWriter, r *http.Request, c *caller) error {
	views := []any{}
	for _, t := range s.store.liveTokens(c.user.ID) {
		views = append(views, tokenView{t.ID, t.JTI, t.Type, c.user.identity(), t.EndedBy != "", t.Expires.UTC().Format(wireTime)})
	}
	return reply.Secret(w, http.StatusOK, success{Status: http.StatusOK, Data: views})
}

// revokeToken handles PUT /api/v1/auth/tokens/{id}: it revokes a token of the caller, or
// restores one that was revoked this way.
//
// To restore a token is kept for the tutorial; a new API should revoke for good, and
// have the user sign in again.
func (s *server) revokeToken(w http.ResponseWriter, r *http.Request, c *caller, id int) error {
	var in struct {
		Revoke *bool `json:"revoke"`
	}
	if err := form.Read(w, r, &in); err != nil {
		return err
	}
	if in.Revoke == nil {
		return missing("revoke")
	}
	if err := s.store.as(c).setRevoked(id, *in.Revoke); err != nil {
		return err
	}
	done, event := "Token successfully restored", "token restored"
	if *in.Revoke {
		done, event = "Token successfully revoked", "token revoked"
	}
	s.note(r, event, c.user, "token", id)
	return reply.JSON(w, http.StatusOK, success{Status: http.StatusOK, Message: done})
}

// pruneTokens handles DELETE /api/v1/auth/tokens, for admins.
func (s *server) pruneTokens(w http.ResponseWriter, r *http.Request, c *caller) error {
	n, err := s.store.as(c).pruneTokens()
	if err != nil {
		return err
	}
	return reply.Rows(w, http.StatusOK, "", fmt.Appendf(nil, `{"pruned":%d}`, n))
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
	after, ok := form.ID(cmp.Or(values.Get("after"), "0"))
	switch {
	case !ok:
		return list.BadParameter("after", "type", "must be the id of a user")
	case after < 0: // more than an int holds
		after = math.MaxInt
	}
	users, more := s.store.usersAfter(after, limit)
	if more {
		next := fmt.Sprintf("%s%s?limit=%d&after=%d", s.origin.BaseURL(r), r.URL.Path, limit, users[len(users)-1].ID)
		w.Header().Set("Link", "<"+next+`>; rel="next"`)
	}
	rows := make([]any, len(users))
	for i, u := range users {
		rows[i] = manageUser(u)
	}
	return reply.Secret(w, http.StatusOK, success{Status: http.StatusOK, Data: rows})
}

// patchUser handles PATCH /api/v1/users/{id}, for admins: who is an admin and who is
// disabled. It holds from the next request on (OWASP ASVS 5, 8.3.2).
func (s *server) patchUser(w http.ResponseWriter, r *http.Request, c *caller, id int) error {
	var in struct {
		Admin    *bool `json:"admin"`
		Disabled *bool `json:"disabled"`
	}
	if err := form.Read(w, r, &in); err != nil {
		return err
	}
	u, err := s.store.as(c).setAccess(id, in.Admin, in.Disabled)
	if err != nil {
		return err
	}
	s.note(r, "account changed by an admin", c.user, "account", id, "admin", u.Admin, "disabled", u.Disabled)
	return reply.Secret(w, http.StatusOK, success{Status: http.StatusOK, Data: []any{manageUser(u)}})
}

// deleteUser handles DELETE /api/v1/users/{id}, for admins.
func (s *server) deleteUser(w http.ResponseWriter, r *http.Request, c *caller, id int) error {
	if err := s.store.as(c).deleteUser(id); err != nil {
		return err
	}
	s.note(r, "account deleted by an admin", c.user, "account", id)
	return userDeleted(w, id)
}

// userCommand is the commands shelf user. Beside a running server they go to it.
func userCommand(ctx context.Context, sh shell, args []string) error {
	return operator.Run(ctx, args, sh.streams(), func(flags []string, adding bool) (*operator.Accounts, error) {
		c, err := sh.parse(flags)
		if err == nil && c.data == inMemory {
			err = config.Misused(errors.New("-data memory has no file with accounts; name the data file with -data FILE"))
		}
		if err != nil {
			return nil, err
		}
		accounts, err := operator.Reach(c.data, adding, func() (*operator.Accounts, error) {
			st, err := openStoreForCommand(ctx, c, sh)
			if err != nil {
				return nil, err
			}
			return st.forOperator(c), nil
		})
		if err != nil {
			return nil, err
		}
		c.passwordPolicy = accounts.Policy // a running server's
		accounts.Fault = func(a operator.Account, text string) error {
			return c.passwordFault(&user{Username: a.Username, Email: a.Email}, "password", form.Password(text))
		}
		return accounts, nil
	})
}

// newAccount is an account of that name, as yet without a password: the
// catalog's if the name is an e-mail, else the book API's.
func newAccount(name string, now time.Time) (*user, error) {
	u := newUser(name, "", now)
	if strings.Contains(name, "@") {
		u.Email = name
	}
	switch {
	case u.Email != "" && !(form.Email(u.Email, maxEmail) && form.Visible(u.Email)):
		return nil, fmt.Errorf("%q is not a valid e-mail address", name)
	case !utf8.ValidString(u.Username) || !form.Within(u.Username, maxUsername):
		return nil, fmt.Errorf("the username is too long or not UTF-8; use at most %d characters", maxUsername)
	case !form.Visible(u.Username):
		return nil, errors.New("the username has control characters or invisible characters; leave them out")
	}
	return u, nil
}

// rotating is the wrapper of refresh that -rotate-refresh asks for: each use of a
// refresh token gives a new one in its place (RFC 9700 §4.14.2). A token that was used
// while the flag was on stays a token for one use.
//
// The store keeps no token. But the text of a token follows from its record, its time
// and the key. So an answer that got lost can be given again, also after a restart.
func (s *server) rotating(refresh callerHandler) callerHandler {
	return func(w http.ResponseWriter, r *http.Request, c *caller) error {
		if !s.config.rotateRefresh && c.token.Used.IsZero() {
			return refresh(w, r, c)
		}
		access, record, err := s.issue(c.user, token.Access, s.config.accessTTL, byToken)
		if err != nil {
			return err
		}
		now := s.now().UTC().Truncate(time.Second)
		next := &tokenRecord{JTI: token.NewUUID(), Type: token.Refresh, Expires: now.Add(s.config.refreshTTL)}
		next, made, replay, err := s.store.as(c).rotate(record, next)
		switch {
		case err != nil:
			return err
		case replay:
			s.note(r, "refresh token used twice", c.user, "token", c.token.ID)
			return errTokenRevoked
		}
		claims := token.NewClaims(c.user.PublicID, token.Refresh, made, next.Expires)
		claims.ID = next.JTI
		text, err := s.keys.Sign(claims)
		if err != nil {
			return err
		}
		return reply.Secret(w, http.StatusOK, success{Status: http.StatusOK, Data: []any{signedIn{access, text, nil}}})
	}
}

// reuseTime is how long a lost answer can be asked for again.
const reuseTime = 10 * time.Second

// rotate is refresh for a refresh token that is good for one use. It records the
// successor too and returns its record: next, or the one that an earlier use made. The
// use may be repeated for reuseTime, as long as the successor was not used. Any later
// use is a replay: two have the token, and one of them is a thief. A replay ends the
// whole sign-in.
func (s acting) rotate(access, next *tokenRecord) (successor *tokenRecord, made time.Time, replay bool, err error) {
	err = s.Update(func(tx *db.Tx, me *user) error {
		by, _ := s.tokens.Get(tx, s.caller.token.ID)
		if s.tokensOf.AtMost(tx, me.ID) >= s.maxTokens-1 {
			s.makeRoom(tx, me.ID, by.Session, 2)
		}
		if !by.Used.IsZero() {
			given, ok := s.tokens.Get(tx, by.Next)
			replay = !ok || given.EndedBy != "" || !given.Used.IsZero() || s.now().Sub(by.Used) > reuseTime
			if replay {
				tx.AllowWhenFull()
				s.endTokens(tx, me.ID, endedByReplay, func(t *tokenRecord) bool { return t.Session == by.Session })
				return nil
			}
			successor, made = given, by.Used
			s.putNewTokens(tx, me.ID, by.Session, []*tokenRecord{access})
			return nil
		}
		s.putNewTokens(tx, me.ID, by.Session, []*tokenRecord{access, next})
		used := *by
		used.Used, used.Next = s.now().UTC(), next.ID
		s.tokens.Put(tx, &used)
		successor, made = next, used.Used
		return nil
	})
	return successor, made, replay, err
}
