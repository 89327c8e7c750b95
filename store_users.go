package main

import (
	"maps"
	"slices"
	"time"
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
}

// identity is what the token list calls the user.
func (u *user) identity() string {
	if u.Email != "" {
		return u.Email
	}
	return u.Username
}

// A tokenRecord is what the store knows of one token: enough to end it, too
// little to make it.
type tokenRecord struct {
	ID      int       `json:"id"`
	JTI     string    `json:"jti"`
	Type    string    `json:"type"` // accessToken or refreshToken
	User    int       `json:"user"`
	Session int       `json:"session"` // the id of the sign-in's first token
	Expires time.Time `json:"expires"`
	EndedBy string    `json:"ended_by,omitempty"` // one of the endedBy constants; empty while it is good
	Ended   time.Time `json:"ended,omitzero"`
}

// What can end a token before its time. Only the first can be undone.
const (
	endedByOwner    = "revoked"
	endedByLogout   = "log-out"
	endedByPassword = "password change"
	endedByAdmin    = "admin"
)

func (t *tokenRecord) expired(now time.Time) bool { return !now.Before(t.Expires) }

func (s *store) putUserLocked(u *user) {
	if old, ok := s.users.rows.get(u.ID); ok {
		s.forgetUserLocked(old)
	}
	s.users.put(u.ID, u)
	if u.Email != "" {
		s.byEmail[emailKey(u.Email)] = u
	}
	s.byUsername[u.Username] = u
	s.byPublicID[u.PublicID] = u
}

func (s *store) forgetUserLocked(u *user) {
	delete(s.byEmail, emailKey(u.Email))
	delete(s.byUsername, u.Username)
	delete(s.byPublicID, u.PublicID)
}

// deleteUserLocked takes the user's tokens too, and leaves what the user made,
// as made by nobody.
func (s *store) deleteUserLocked(id int) {
	u, ok := s.users.rows.get(id)
	if !ok {
		return
	}
	s.forgetUserLocked(u)
	s.users.delete(id)
	for _, token := range slices.Clone(s.tokensOf[id]) {
		s.deleteTokenLocked(token) // a token of nobody would be damage to the next replay
	}
	for _, made := range s.itemsOf.of(id).ids() {
		row, _ := s.items.rows.get(made)
		orphan := row.item()
		orphan.CreatedBy = 0
		orphan.render()
		s.putItemLocked(orphan)
	}
	for _, b := range s.books.rows.after(0) {
		if b.CreatedBy == id {
			orphan := *b
			orphan.CreatedBy = 0
			s.putBookLocked(&orphan)
		}
	}
}

func (s *store) putTokenLocked(t *tokenRecord) {
	if s.byJTI[t.JTI] == nil {
		s.tokensOf[t.User] = append(s.tokensOf[t.User], t.ID)
	}
	s.tokens.put(t.ID, t)
	s.byJTI[t.JTI] = t
}

func (s *store) deleteTokenLocked(id int) {
	t, ok := s.tokens.rows.get(id)
	if !ok {
		return
	}
	s.tokens.delete(id)
	delete(s.byJTI, t.JTI)
	ids := s.tokensOf[t.User]
	ids = slices.DeleteFunc(ids, func(of int) bool { return of == id })
	if len(ids) == 0 {
		delete(s.tokensOf, t.User)
	} else {
		s.tokensOf[t.User] = ids
	}
}

// userWithToken finds whom a token speaks for and what became of the token;
// either is nil if the store knows nothing of it.
func (s *store) userWithToken(publicID, jti string) (*user, *tokenRecord) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byPublicID[publicID], s.byJTI[jti]
}

func (s *store) userByEmail(email string) *user {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byEmail[emailKey(email)]
}

func (s *store) userByUsername(name string) *user {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byUsername[name]
}

// userTaken reports whether another user than u, who may be new, has u's
// e-mail or username, now or soon.
func (s *store) userTaken(u *user) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.userTakenLocked(u)
}

func (s *store) userTakenLocked(u *user) bool {
	clash := func(other *user) bool {
		return other != nil && other.ID != u.ID &&
			(other.Username == u.Username || u.Email != "" && emailKey(other.Email) == emailKey(u.Email))
	}
	for _, other := range []*user{s.byEmail[emailKey(u.Email)], s.byUsername[u.Username]} {
		if other != nil && clash(s.users.latest(other.ID)) {
			return true
		}
	}
	for _, w := range s.users.waiting {
		if clash(w.row) {
			return true
		}
	}
	return false
}

// signUp adds an account and its first sign-in's tokens, none for a book
// account. It gives them their ids, or fails with errUserExists.
func (s *store) signUp(u *user, tokens ...*tokenRecord) error {
	return s.write(func() ([]change, error) {
		if s.userTakenLocked(u) {
			return nil, errUserExists
		}
		u.ID = s.users.next()
		return append([]change{{Op: opPut, User: u}}, s.newTokensLocked(u.ID, 0, tokens)...), nil
	})
}

// maxTokens is how many token records an account may have: whoever has its
// password could otherwise sign in until the disk is full (CWE-770).
const maxTokens = 1000

// signIn records the tokens of a sign-in of u as the caller knew u when it
// checked the password, and drops the account's expired records and those over
// maxTokens. A newHash, "" for none, takes the place of u's hash. It fails with
// errNoUser, errDisabled or errStaleHash if u is no longer so.
func (s *store) signIn(u *user, newHash string, tokens ...*tokenRecord) error {
	return s.write(func() ([]change, error) {
		if err := s.changedLocked(u); err != nil {
			return nil, err
		}
		changes := s.makeRoomLocked(s.tokensOfLocked(u.ID), 0, len(tokens))
		if newHash != "" {
			row := *s.users.latest(u.ID)
			row.Hash = newHash
			changes = append(changes, change{Op: opPut, User: &row})
		}
		return append(changes, s.newTokensLocked(u.ID, 0, tokens)...), nil
	})
}

// refresh records a new access token of the sign-in that the refresh token by
// belongs to, and drops records over maxTokens. It fails with errNoToken if the
// sign-in has ended meanwhile.
func (s *store) refresh(by *tokenRecord, access *tokenRecord) error {
	return s.write(func() ([]change, error) {
		if latest := s.tokens.latest(by.ID); latest == nil || latest.EndedBy != "" || s.users.latest(by.User) == nil {
			return nil, errNoToken
		}
		var changes []change
		if len(s.tokensOf[by.User])+len(s.tokens.waiting) >= maxTokens { // or else there is room for certain
			changes = s.makeRoomLocked(s.tokensOfLocked(by.User), by.Session, 1)
		}
		return append(changes, s.newTokensLocked(by.User, by.Session, []*tokenRecord{access})...), nil
	})
}

// newTokensLocked gives tokens their ids, their user and their session; session
// 0 is a new one.
func (s *store) newTokensLocked(userID, session int, tokens []*tokenRecord) []change {
	var changes []change
	for _, t := range tokens {
		t.ID, t.User = s.tokens.next(), userID
		if session == 0 {
			session = t.ID
		}
		t.Session = session
		changes = append(changes, change{Op: opPut, Token: t})
	}
	return changes
}

// tokensOfLocked returns the user's token records, what waits included, oldest
// first.
func (s *store) tokensOfLocked(userID int) []*tokenRecord {
	var tokens []*tokenRecord
	for _, id := range s.tokensOf[userID] {
		if t := s.tokens.latest(id); t != nil {
			tokens = append(tokens, t)
		}
	}
	for id, w := range s.tokens.waiting {
		t := w.row
		if _, visible := s.tokens.rows.get(id); !visible && t != nil && t.User == userID {
			tokens = append(tokens, t)
		}
	}
	slices.SortFunc(tokens, func(a, b *tokenRecord) int { return a.ID - b.ID })
	return tokens
}

// expiredLocked drops those of tokens that have expired.
func (s *store) expiredLocked(tokens []*tokenRecord) []change {
	var changes []change
	now := s.now()
	for _, t := range tokens {
		if t.expired(now) && s.tokens.latest(t.ID) != nil {
			changes = append(changes, change{Op: opDelete, Kind: "token", ID: t.ID})
		}
	}
	return changes
}

// makeRoomLocked drops what has expired of the tokens of one account, and then
// what it takes for more of them to stay within maxTokens: whole sign-ins,
// oldest first, but not the session in use; then, where that alone is too many,
// its oldest access tokens. The refresh token that it lives by stays.
func (s *store) makeRoomLocked(tokens []*tokenRecord, inUse, more int) []change {
	changes := s.expiredLocked(tokens)
	now := s.now()
	live := slices.DeleteFunc(tokens, func(t *tokenRecord) bool {
		return t.expired(now)
	})
	over := len(live) + more - maxTokens
	if over <= 0 {
		return changes
	}
	sessions := map[int][]*tokenRecord{} // what can go together
	for _, t := range live {
		if t.Session != inUse {
			sessions[t.Session] = append(sessions[t.Session], t)
		}
	}
	var going []*tokenRecord
	for _, session := range slices.Sorted(maps.Keys(sessions)) { // numbered as they began
		if len(going) < over {
			going = append(going, sessions[session]...)
		}
	}
	for _, t := range live {
		if len(going) < over && t.Session == inUse && t.Type == accessToken {
			going = append(going, t)
		}
	}
	for _, t := range going {
		changes = append(changes, change{Op: opDelete, Kind: "token", ID: t.ID})
	}
	return changes
}

// endLocked ends those of tokens that which names, by one of the endedBy
// constants.
func (s *store) endLocked(tokens []*tokenRecord, by string, which func(*tokenRecord) bool) []change {
	var changes []change
	now := s.now().UTC().Truncate(time.Second)
	for _, t := range tokens {
		if which(t) && (t.EndedBy == "" || t.EndedBy == endedByOwner) {
			ended := *t
			ended.EndedBy, ended.Ended = by, now
			changes = append(changes, change{Op: opPut, Token: &ended})
		}
	}
	return changes
}

// endSession ends every token of t's sign-in.
func (s *store) endSession(t *tokenRecord, by string) error {
	return s.write(func() ([]change, error) {
		return s.endLocked(s.tokensOfLocked(t.User), by, func(other *tokenRecord) bool {
			return other.Session == t.Session
		}), nil
	})
}

// liveTokens returns the user's unexpired records, oldest first.
func (s *store) liveTokens(userID int) []*tokenRecord {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var tokens []*tokenRecord
	now := s.now()
	for _, id := range s.tokensOf[userID] {
		if t, ok := s.tokens.rows.get(id); ok && !t.expired(now) {
			tokens = append(tokens, t)
		}
	}
	return tokens
}

// setRevoked revokes or restores the user's token. It fails with errNoToken for
// another's or an expired one, and with errTokenEnded when it would restore
// what something else ended.
func (s *store) setRevoked(userID, tokenID int, revoke bool) error {
	return s.write(func() ([]change, error) {
		t := s.tokens.latest(tokenID)
		if t == nil || t.User != userID || t.expired(s.now()) {
			return nil, errNoToken
		}
		switch {
		case revoke == (t.EndedBy != ""):
			return nil, nil // so it is already
		case t.EndedBy != "" && t.EndedBy != endedByOwner:
			return nil, errTokenEnded
		}
		row := *t
		row.EndedBy, row.Ended = "", time.Time{}
		if revoke {
			row.EndedBy, row.Ended = endedByOwner, s.now().UTC().Truncate(time.Second)
		}
		return []change{{Op: opPut, Token: &row}}, nil
	})
}

// pruneTokens drops every expired record and returns how many those were.
func (s *store) pruneTokens() (int, error) {
	var n int
	err := s.write(func() ([]change, error) {
		changes := s.expiredLocked(s.tokens.rows.all())
		n = len(changes)
		return changes, nil
	})
	return n, err
}

// userByName finds an account by its e-mail or else by its username; nil for none.
func (s *store) userByName(name string) *user {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if u := s.byEmail[emailKey(name)]; u != nil {
		return u
	}
	return s.byUsername[name]
}

// usersAfter returns the first limit users with an id above after, by id, and
// whether there are more.
func (s *store) usersAfter(after, limit int) (users []*user, more bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, u := range s.users.rows.after(after) {
		if len(users) == limit {
			return users, true
		}
		users = append(users, u)
	}
	return users, false
}

// editUser stores what edit makes of a copy of the user, and returns that. It
// fails with errNoUser, with errDisabled, or with errUserExists if the new
// username is another's.
func (s *store) editUser(id int, edit func(*user)) (*user, error) {
	var row user
	err := s.write(func() ([]change, error) {
		u := s.users.latest(id)
		switch {
		case u == nil:
			return nil, errNoUser
		case u.Disabled:
			return nil, errDisabled
		}
		row = *u
		edit(&row)
		if row == *u {
			return nil, nil
		}
		if s.userTakenLocked(&row) {
			return nil, errUserExists
		}
		return []change{{Op: opPut, User: &row}}, nil
	})
	return &row, err
}

// noSession is a session that no token is of.
const noSession = 0

// setPassword gives u, as the caller knew u when it checked the old password,
// a new hash, and ends all of u's sign-ins but the session keep. A sign-in that
// checked the old password and has still to be recorded finds that it is
// stale. It fails with errNoUser, errDisabled or errStaleHash if u is no longer
// as it was.
func (s *store) setPassword(u *user, hash string, keep int) error {
	return s.write(func() ([]change, error) {
		if err := s.changedLocked(u); err != nil {
			return nil, err
		}
		row := *s.users.latest(u.ID)
		row.Hash = hash
		ended := s.endLocked(s.tokensOfLocked(u.ID), endedByPassword, func(t *tokenRecord) bool {
			return t.Session != keep
		})
		return append([]change{{Op: opPut, User: &row}}, ended...), nil
	})
}

// changedLocked says what has happened to u, as the caller knew it when it
// checked the password: errNoUser if it has gone, errDisabled if it has been
// disabled since, errStaleHash if its password is another one.
func (s *store) changedLocked(u *user) error {
	latest := s.users.latest(u.ID)
	switch {
	case latest == nil:
		return errNoUser
	case latest.Disabled && !u.Disabled:
		return errDisabled
	case latest.Hash != u.Hash:
		return errStaleHash
	}
	return nil
}

// endSessions ends every token of the user, those of a sign-in that still waits
// for the disk included.
func (s *store) endSessions(userID int, by string) error {
	return s.write(func() ([]change, error) {
		return s.endLocked(s.tokensOfLocked(userID), by, anyRecord), nil
	})
}

func anyRecord(*tokenRecord) bool { return true }

// operator stands in the place of an admin's id for whoever has the data file
// in hand. The rule about the last admin doesn't bind them: they can make
// another at any time, in the same way.
const operator = 0

// setAccess makes the user an admin or not, and disabled or not, and returns
// it; nil leaves either as it is. Disabling ends the user's tokens for good, so
// that enabling brings back an account but not whatever was signed in (OWASP
// ASVS 5, 7.4.2). It fails with errNotAdmin if by isn't an admin any more, and
// with errNoUser or errLastAdmin.
func (s *store) setAccess(by, id int, admin, disabled *bool) (*user, error) {
	var row user
	err := s.write(func() ([]change, error) {
		u, err := s.administeredLocked(by, id)
		if err != nil {
			return nil, err
		}
		row = *u
		row.Admin, row.Disabled = or(admin, u.Admin), or(disabled, u.Disabled)
		if row == *u {
			return nil, nil
		}
		if by != operator && s.lastAdminLocked(u) { // either change would end that
			return nil, errLastAdmin
		}
		changes := []change{{Op: opPut, User: &row}}
		if row.Disabled {
			changes = append(changes, s.endLocked(s.tokensOfLocked(id), endedByAdmin, anyRecord)...)
		}
		return changes, nil
	})
	return &row, err
}

// or is what was given, or else what was there.
func or[T any](given *T, was T) T {
	if given == nil {
		return was
	}
	return *given
}

// deleteUser removes the user; what it made stays, as made by nobody. It fails
// with errNotAdmin if by isn't an admin any more, and with errNoUser or
// errLastAdmin.
func (s *store) deleteUser(by, id int) error {
	return s.write(func() ([]change, error) {
		u, err := s.administeredLocked(by, id)
		if err != nil {
			return nil, err
		}
		if by != operator && s.lastAdminLocked(u) {
			return nil, errLastAdmin
		}
		return s.removalLocked(u), nil
	})
}

// deleteSelf is deleteUser for the user itself, as the caller knew it when it
// checked the password. It fails with errNoUser, errDisabled or errStaleHash if
// u is no longer as it was, and with errLastAdmin.
func (s *store) deleteSelf(u *user) error {
	return s.write(func() ([]change, error) {
		if err := s.changedLocked(u); err != nil {
			return nil, err
		}
		if s.lastAdminLocked(s.users.latest(u.ID)) {
			return nil, errLastAdmin
		}
		return s.removalLocked(u), nil
	})
}

// removalLocked is what has to go with a user, in one batch: no token record
// may be left that speaks for nobody.
func (s *store) removalLocked(u *user) []change {
	var changes []change
	for _, t := range s.tokensOfLocked(u.ID) {
		changes = append(changes, change{Op: opDelete, Kind: "token", ID: t.ID})
	}
	return append(changes, change{Op: opDelete, Kind: "user", ID: u.ID})
}

// administeredLocked returns the user that by wants to change. Whoever was an
// admin when a request began may have been demoted while its body was on its
// way (CWE-367), so that is asked again here: errNotAdmin.
func (s *store) administeredLocked(by, id int) (*user, error) {
	if by != operator {
		if admin := s.users.latest(by); admin == nil || !admin.administers() {
			return nil, errNotAdmin
		}
	}
	u := s.users.latest(id)
	if u == nil {
		return nil, errNoUser
	}
	return u, nil
}

// administers reports whether u is an admin who can act as one.
func (u *user) administers() bool { return u.Admin && !u.Disabled }

// lastAdminLocked reports whether without u nobody would be left to administer.
// It looks at what waits for the disk too: of two admins who demote each other
// at once, one stays.
func (s *store) lastAdminLocked(u *user) bool {
	if !u.administers() {
		return false
	}
	// Nobody is an admin at sign-up, so who only waits to be added needs no look.
	for _, other := range s.users.rows.after(0) {
		if latest := s.users.latest(other.ID); latest != nil && latest.ID != u.ID && latest.administers() {
			return false
		}
	}
	return true
}
