package main

import (
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
	if made := s.itemsOf[id]; made != nil {
		for _, it := range made.all() {
			orphan := *it
			orphan.CreatedBy = 0
			orphan.render()
			s.items.rows.put(it.ID, &orphan)
		}
		delete(s.itemsOf, id)
	}
	for b := range s.books.rows.after(0) {
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
	for _, other := range s.users.waiting {
		if clash(other) {
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

// signIn records the tokens of a sign-in of u as the caller knew u when it
// checked the password, and drops the account's expired records. It fails with
// errNoUser, errDisabled or errStaleHash if u is no longer so.
func (s *store) signIn(u *user, tokens ...*tokenRecord) error {
	return s.write(func() ([]change, error) {
		latest := s.users.latest(u.ID)
		switch {
		case latest == nil:
			return nil, errNoUser
		case latest.Disabled:
			return nil, errDisabled
		case latest.Hash != u.Hash:
			return nil, errStaleHash
		}
		return append(s.expiredLocked(s.tokensOfLocked(u.ID)), s.newTokensLocked(u.ID, 0, tokens)...), nil
	})
}

// refresh records a new access token of the sign-in that the refresh token by
// belongs to. It fails with errNoToken if that has ended meanwhile.
func (s *store) refresh(by *tokenRecord, access *tokenRecord) error {
	return s.write(func() ([]change, error) {
		if latest := s.tokens.latest(by.ID); latest == nil || latest.EndedBy != "" || s.users.latest(by.User) == nil {
			return nil, errNoToken
		}
		return s.newTokensLocked(by.User, by.Session, []*tokenRecord{access}), nil
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
	for id, t := range s.tokens.waiting {
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
		if t.EndedBy != "" && t.EndedBy != endedByOwner {
			if revoke {
				return nil, nil // it has ended, for good
			}
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

// setAdmin makes the account of that e-mail or username an admin.
func (s *store) setAdmin(name string) (*user, error) {
	var row user
	err := s.write(func() ([]change, error) {
		u := s.byEmail[emailKey(name)]
		if u == nil {
			u = s.byUsername[name]
		}
		if u == nil {
			return nil, errNoUser
		}
		if u = s.users.latest(u.ID); u == nil {
			return nil, errNoUser // about to go
		}
		row = *u
		row.Admin = true
		return []change{{Op: opPut, User: &row}}, nil
	})
	return &row, err
}
