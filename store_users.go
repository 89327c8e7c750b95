package main

import (
	"maps"
	"slices"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/rows"
	"example.com/shelf/internal/token"
)

// A user is an account of either API.
type user struct {
	ID        int       `json:"id"`
	PublicID  string    `json:"public_id"` // UUID v4; what tokens call the user, forever
	Username  string    `json:"username"`
	Email     string    `json:"email,omitempty"` // none: a book account
	Firstname string    `json:"firstname,omitempty"`
	Lastname  string    `json:"lastname,omitempty"`
	Admin     bool      `json:"admin,omitempty"`
	Disabled  bool      `json:"disabled,omitempty"`
	Hash      string    `json:"hash,omitempty"` // bcrypt; none: can't sign in
	Created   time.Time `json:"created"`

	OwnID   rows.Raw `json:"own_id,omitempty"`  // the id that it has in the file of the collections
	Role    rows.Raw `json:"role,omitempty"`    // of the file, or of an admin; it gives no right
	Profile rows.Raw `json:"profile,omitempty"` // see members.go
}

// newUser is an account of the catalog, or without an e-mail one of the book API.
func newUser(username, email string, now time.Time) *user {
	return &user{PublicID: token.NewUUID(), Username: username, Email: email, Created: now.UTC().Truncate(time.Second)}
}

// identity is what the token list calls the user.
func (u *user) identity() string {
	if u.Email != "" {
		return u.Email
	}
	return u.Username
}

// A tokenRecord is what the store knows of one token: enough to end it, too little to
// make it.
type tokenRecord struct {
	ID      int       `json:"id"`
	JTI     string    `json:"jti"`
	Type    string    `json:"type"` // token.Access or token.Refresh
	User    int       `json:"user"`
	Session int       `json:"session"` // the id of the sign-in's first token
	Expires time.Time `json:"expires"`
	EndedBy string    `json:"ended_by,omitempty"` // one of the endedBy constants; "" while it is good
	Ended   time.Time `json:"ended,omitzero"`
	Used    time.Time `json:"used,omitzero"`  // a refresh token that was rotated: when
	Next    int       `json:"next,omitempty"` // and the id of the one in its place
}

// What can end a token before its time. Only the first can be undone.
const (
	endedByOwner    = "revoked"
	endedByLogout   = "log-out"
	endedByPassword = "password change"
	endedByAdmin    = "admin"
	endedByReplay   = "a second use of a refresh token"
	endedByImport   = "import"
)

func (t *tokenRecord) expired(now time.Time) bool { return !now.Before(t.Expires) }

// endedForGood reports whether no one can restore the token.
func (t *tokenRecord) endedForGood() bool { return t.EndedBy != "" && t.EndedBy != endedByOwner }

// userWithToken finds the user of a token and the record of the token: two look-ups in
// memory. Either is nil if there is none.
func (s *store) userWithToken(publicID, jti string) (u *user, t *tokenRecord) {
	s.View(func(tx *db.Tx) {
		u, _ = s.byPublicID.Find(tx, publicID)
		t, _ = s.byJTI.Find(tx, jti)
	})
	return u, t
}

func (s *store) userByEmail(email string) (u *user) {
	s.View(func(tx *db.Tx) { u, _ = s.byEmail.Find(tx, emailKey(email)) })
	return u
}

func (s *store) userByUsername(name string) (u *user) {
	s.View(func(tx *db.Tx) { u, _ = s.byUsername.Find(tx, name) })
	return u
}

// userByName finds an account by its e-mail or else by its username; nil for none.
func (s *store) userByName(name string) *user {
	if u := s.userByEmail(name); u != nil {
		return u
	}
	return s.userByUsername(name)
}

// usersAfter returns the first limit users with an id above after, by id, and
// whether there are more.
func (s *store) usersAfter(after, limit int) (users []*user, more bool) {
	s.View(func(tx *db.Tx) { users, more = s.users.Page(tx, after, limit) })
	return users, more
}

// userTaken reports whether another user than u, who may be new, has u's
// e-mail or username.
func (s *store) userTaken(u *user) (taken bool) {
	s.View(func(tx *db.Tx) { taken = s.taken(tx, u) })
	return taken
}

// taken compares names byte by byte. So é as one character and é as e with an accent
// make two names: kept for the tutorials; a new API should normalize names first (RFC
// 8265).
func (s *store) taken(tx *db.Tx, u *user) bool {
	if other, ok := s.byUsername.Find(tx, u.Username); ok && other.ID != u.ID {
		return true
	}
	other, ok := s.byEmail.Find(tx, emailKey(u.Email))
	return ok && other.ID != u.ID
}

// signUp adds an account and the tokens of its first sign-in; a book account has none
// yet. It gives them their ids, or fails with errUserExists.
func (s *store) signUp(u *user, tokens ...*tokenRecord) error {
	return s.Update(func(tx *db.Tx) error {
		if u.ID = 0; s.taken(tx, u) { // the id is one of an earlier run of these rules, if any
			return errUserExists
		}
		if err := s.roomFor(tx, noOwner, 1); err != nil {
			return err
		}
		u.ID = s.users.NewID(tx)
		s.users.Put(tx, u)
		s.putNewTokens(tx, u.ID, noSession, tokens)
		return nil
	})
}

// defaultMaxTokens is how many token records an account may have: whoever has its
// password could otherwise sign in until the disk is full (CWE-770).
const defaultMaxTokens = 1000

// recordTokens stores an account's new tokens: (*store).signUp, or a sign-in.
type recordTokens func(u *user, tokens ...*tokenRecord) error

// signIn records the tokens of a sign-in of u, and removes expired records of the
// account and those over maxTokens. newHash takes the place of the hash, "" for no
// change. u is the user as the caller checked its password: signIn fails with
// errNoUser, errDisabled or errStaleHash if it has changed since.
func (s *store) signIn(u *user, newHash string, tokens ...*tokenRecord) error {
	return s.Update(func(tx *db.Tx) error {
		latest, err := s.unchanged(tx, u)
		if err != nil {
			return err
		}
		s.makeRoom(tx, u.ID, noSession, len(tokens))
		if newHash != "" {
			row := *latest
			row.Hash = newHash
			s.users.Put(tx, &row)
		}
		s.putNewTokens(tx, u.ID, noSession, tokens)
		return nil
	})
}

// refresh records a new access token of the caller's sign-in, and removes records over
// maxTokens.
func (s acting) refresh(access *tokenRecord) error {
	by := s.caller.token
	return s.Update(func(tx *db.Tx, _ *user) error {
		if s.tokensOf.AtMost(tx, by.User) >= s.maxTokens { // or else there is room for certain
			s.makeRoom(tx, by.User, by.Session, 1)
		}
		s.putNewTokens(tx, by.User, by.Session, []*tokenRecord{access})
		return nil
	})
}

// noSession is a session that no token is of.
const noSession = 0

// putNewTokens gives tokens their ids, their user and their session; noSession
// begins a new one.
func (s *store) putNewTokens(tx *db.Tx, userID, session int, tokens []*tokenRecord) {
	for _, t := range tokens {
		t.ID, t.User = s.tokens.NewID(tx), userID
		if session == noSession {
			session = t.ID
		}
		t.Session = session
		s.tokens.Put(tx, t)
	}
}

// makeRoom removes expired tokens of one account. If there are still more than
// maxTokens, it removes whole sign-ins, oldest first, then the oldest access tokens of
// the session in use. The refresh token in use stays.
func (s *store) makeRoom(tx *db.Tx, userID, inUse, more int) {
	var live []*tokenRecord
	sessions := map[int][]*tokenRecord{} // what can go together
	now := s.now()
	for _, t := range s.tokensOf.Rows(tx, userID) {
		if t.expired(now) {
			s.tokens.Delete(tx, t.ID)
			continue
		}
		live = append(live, t)
		if t.Session != inUse {
			sessions[t.Session] = append(sessions[t.Session], t)
		}
	}
	over := len(live) + more - s.maxTokens
	if over <= 0 {
		return
	}
	var going []*tokenRecord
	for _, session := range slices.Sorted(maps.Keys(sessions)) { // numbered as they began
		if len(going) < over {
			going = append(going, sessions[session]...)
		}
	}
	for _, t := range live {
		if len(going) < over && t.Session == inUse && (t.Type == token.Access || !t.Used.IsZero()) {
			going = append(going, t)
		}
	}
	for _, t := range going {
		s.tokens.Delete(tx, t.ID)
	}
}

// endTokens ends those tokens of a user that chosen picks; nil picks all. Tokens of a
// pending sign-in count too. by is one of the endedBy constants.
//
// A token that its owner revoked is ended again: a revocation can be undone, and a
// log-out must not be.
func (s *store) endTokens(tx *db.Tx, userID int, by string, chosen func(*tokenRecord) bool) {
	for _, t := range s.tokensOf.Rows(tx, userID) {
		if (chosen == nil || chosen(t)) && !t.endedForGood() {
			s.tokens.Put(tx, t.endedAs(by, s.now()))
		}
	}
}

// endedAs is t as by ends it. A record that was ended for good stays as it is.
func (t *tokenRecord) endedAs(by string, now time.Time) *tokenRecord {
	if t.endedForGood() {
		return t
	}
	ended := *t
	ended.EndedBy, ended.Ended = by, now.UTC().Truncate(time.Second)
	return &ended
}

// endSession ends every token of the caller's sign-in.
func (s acting) endSession() error {
	return s.Update(func(tx *db.Tx, me *user) error {
		tx.AllowWhenFull()
		s.endTokens(tx, me.ID, endedByLogout, func(t *tokenRecord) bool { return t.Session == s.caller.token.Session })
		return nil
	})
}

// endSessions ends every token of the caller's user.
func (s acting) endSessions() error {
	return s.Update(func(tx *db.Tx, me *user) error {
		tx.AllowWhenFull()
		s.endTokens(tx, me.ID, endedByLogout, nil)
		return nil
	})
}

// liveTokens returns the user's unexpired records, oldest first.
func (s *store) liveTokens(userID int) (tokens []*tokenRecord) {
	s.View(func(tx *db.Tx) { tokens = s.tokensOf.Rows(tx, userID) })
	now := s.now()
	return slices.DeleteFunc(tokens, func(t *tokenRecord) bool { return t.expired(now) })
}

// lastExpiry is when the last of all tokens ends, the zero time if there is none.
func (s *store) lastExpiry() (last time.Time) {
	s.View(func(tx *db.Tx) {
		for _, t := range s.tokens.All(tx) {
			if t.Expires.After(last) {
				last = t.Expires
			}
		}
	})
	return last
}

// setRevoked revokes or restores a token of the caller's user. errNoToken: the token is
// another's, or expired. errTokenEnded: something else ended it. errOwnSignIn: a
// token of the same sign-in would restore it, as a thief of both tokens could.
func (s acting) setRevoked(tokenID int, revoke bool) error {
	return s.Update(func(tx *db.Tx, me *user) error {
		t, ok := s.tokens.Get(tx, tokenID)
		switch {
		case !ok || t.User != me.ID || t.expired(s.now()):
			return errNoToken
		case revoke == (t.EndedBy != ""):
			return nil // so it is already
		case t.endedForGood():
			return errTokenEnded
		case !revoke && t.Session == s.caller.token.Session:
			return errOwnSignIn
		}
		if revoke {
			tx.AllowWhenFull()
		}
		row := *t
		row.EndedBy, row.Ended = "", time.Time{}
		if revoke {
			row.EndedBy, row.Ended = endedByOwner, s.now().UTC().Truncate(time.Second)
		}
		s.tokens.Put(tx, &row)
		return nil
	})
}

// pruneTokens drops every expired record and returns how many those were.
func (s acting) pruneTokens() (n int, err error) {
	err = s.Update(func(tx *db.Tx, _ *user) error {
		n = 0
		now := s.now()
		for id, t := range s.tokens.All(tx) {
			if t.expired(now) {
				s.tokens.Delete(tx, id)
				n++
			}
		}
		return nil
	})
	return n, err
}

// editUser changes the caller's user by edit, and returns it. It fails with
// errUserExists if the new username is another's.
func (s acting) editUser(edit func(*user)) (row *user, err error) {
	err = s.Update(func(tx *db.Tx, me *user) error {
		changed := *me
		row = &changed
		edit(row)
		switch {
		case *row == *me:
			return nil
		case s.taken(tx, row):
			return errUserExists
		}
		s.users.Put(tx, row)
		return nil
	})
	return row, err
}

// setPassword gives u a new hash and ends all other sign-ins of u. u is the user as the
// caller checked its password: setPassword fails with errNoUser, errDisabled or
// errStaleHash if it has changed since.
func (s acting) setPassword(u *user, hash string) error {
	keep := noSession
	if s.caller.token != nil {
		keep = s.caller.token.Session
	}
	return s.Update(func(tx *db.Tx, _ *user) error {
		tx.AllowWhenFull()
		latest, err := s.unchanged(tx, u)
		if err != nil {
			return err
		}
		row := *latest
		row.Hash = hash
		s.users.Put(tx, &row)
		s.endTokens(tx, u.ID, endedByPassword, func(t *tokenRecord) bool { return t.Session != keep })
		return nil
	})
}

// setAccess changes who is an admin and who is disabled; nil changes nothing. To
// disable a user ends its tokens for good (OWASP ASVS 5, 7.4.2). It fails with
// errNoAccount or errLastAdmin.
func (s acting) setAccess(id int, admin, disabled *bool) (row *user, err error) {
	err = s.Update(func(tx *db.Tx, _ *user) error {
		u, ok := s.users.Get(tx, id)
		if !ok {
			return errNoAccount
		}
		changed := *u
		row = &changed
		row.Admin, row.Disabled = form.Or(admin, u.Admin), form.Or(disabled, u.Disabled)
		if *row == *u {
			return nil
		}
		if s.caller != theOperator && s.lastAdmin(tx, u) { // either change would end that
			return errLastAdmin
		}
		if !(row.Admin && !u.Admin) && !(u.Disabled && !row.Disabled) { // nothing is granted
			tx.AllowWhenFull()
		}
		s.users.Put(tx, row)
		if row.Disabled {
			s.endTokens(tx, id, endedByAdmin, nil)
		}
		return nil
	})
	return row, err
}

// deleteUser removes the user; what it made stays, without an owner. It fails
// with errNoAccount or errLastAdmin.
func (s acting) deleteUser(id int) error {
	return s.Update(func(tx *db.Tx, _ *user) error {
		u, ok := s.users.Get(tx, id)
		if !ok {
			return errNoAccount
		}
		tx.AllowWhenFull()
		if s.caller != theOperator && s.lastAdmin(tx, u) {
			return errLastAdmin
		}
		s.rows.Disown(tx, s.idsOf(u)...)
		s.users.Delete(tx, id) // and its tokens: addTokens
		return nil
	})
}

// deleteSelf is deleteUser for the caller, who has shown the password. It fails with
// errStaleHash if the password has changed since, and with errLastAdmin.
func (s acting) deleteSelf() error {
	return s.Update(func(tx *db.Tx, me *user) error {
		tx.AllowWhenFull()
		switch {
		case me.Hash != s.caller.user.Hash:
			return errStaleHash
		case s.lastAdmin(tx, me):
			return errLastAdmin
		}
		s.rows.Disown(tx, s.idsOf(me)...)
		s.users.Delete(tx, me.ID)
		return nil
	})
}
