package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"example.com/shelf/internal/form"
	"example.com/shelf/internal/limit"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/token"
)

// A caller is the sender of a request, as its token says: the user, and the store's
// record of the token.
type caller struct {
	user    *user
	token   *tokenRecord
	asAdmin bool // the route is for admins only
}

// A callerHandler is a handler behind a token.
type callerHandler func(w http.ResponseWriter, r *http.Request, c *caller) error

// fresh calls next once the store shows what other replicas have changed. It is for
// requests without a token; callerOf does the same for the others.
func (s *server) fresh(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := s.store.Fresh(r.Context()); err != nil {
			return err
		}
		return next(w, r)
	}
}

// anyToken is for log-out, which takes either type of token.
const anyToken = ""

// bearer calls next only for a request with a good token of the type typ in its
// Authorization header (RFC 6750 §2.1). The first tutorial calls this @jwt_required.
func (s *server) bearer(typ string, next callerHandler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		text, err := token.Bearer(r.Header["Authorization"])
		if err != nil {
			return err
		}
		c, err := s.callerOf(r.Context(), text, typ)
		if err != nil {
			return err
		}
		form.Own(r, c.user.ID)
		return next(w, r, c)
	}
}

// bookToken calls next only for a request with a good access token in its
// x-access-token header. The second tutorial calls this @token_required.
//
// A header of its own is kept for the tutorial; a new API should read Authorization
// only, which proxies and logs know as a secret.
func (s *server) bookToken(next callerHandler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		lines := r.Header["X-Access-Token"]
		switch {
		case len(lines) > 1: // a proxy in front may have checked the other line
			return &token.Error{Reason: token.BadHeader, Message: "More than one x-access-token header"}
		case len(lines) == 0 || lines[0] == "":
			return token.ErrMissing
		}
		c, err := s.callerOf(r.Context(), lines[0], token.Access)
		if err != nil {
			return err
		}
		form.Own(r, c.user.ID)
		return next(w, r, c)
	}
}

// callerOf judges a token: first what it says, then its type, then what the store knows
// of it. s.verifier is a token.Cache in front of the token.Keyring. callerOf asks the
// store for every request, as a server with session ids does: so a log-out holds at
// once, and a stolen key alone opens nothing. With other replicas, Fresh waits for what
// they have changed, so a log-out at one of them holds at once here too.
func (s *server) callerOf(ctx context.Context, text, typ string) (*caller, error) {
	now := s.now()
	claims, err := s.verifier.Verify(text, now)
	if err != nil {
		return nil, err
	}
	if typ != anyToken && claims.Type != typ {
		if typ == token.Refresh {
			return nil, errOnlyRefresh
		}
		return nil, errOnlyAccess
	}
	if err := s.store.Fresh(ctx); err != nil {
		return nil, err
	}
	return s.knownCaller(claims.Subject, claims.ID, claims.Type, now)
}

// knownCaller finds the user and the record of a verified token, and judges them.
func (s *server) knownCaller(publicID, jti, typ string, now time.Time) (*caller, error) {
	u, record := s.store.userWithToken(publicID, jti)
	if err := judge(u, record, typ, now); err != nil {
		return nil, err
	}
	return &caller{user: u, token: record}, nil
}

// judge refuses a token by what the store knows: u is the user that the token names,
// record is the record of its jti. Each is nil if the store has none.
//
// errTokenUnknown says that the store has no record for this user and this type that
// has not expired. judge asks the record for its expiry, not only the token: a thief of
// the key could write a later exp into an old token. And an expired record may be
// removed at any time, so it counts as none.
func judge(u *user, record *tokenRecord, typ string, now time.Time) error {
	switch {
	case u == nil:
		return errTokenUserGone
	case u.Disabled:
		return errTokenDisabled
	case record == nil || record.User != u.ID || record.Type != typ || record.expired(now):
		return errTokenUnknown
	case record.EndedBy != "":
		revoked := *errTokenRevoked
		revoked.Detail = endedText(record, now)
		return &revoked
	}
	return nil
}

// stillGood judges the caller again, after some time.
func (s *server) stillGood(c *caller) error {
	now := s.now()
	if c.token.expired(now) {
		return errTokenExpired
	}
	_, err := s.knownCaller(c.user.PublicID, c.token.JTI, c.token.Type, now)
	return err
}

// endedText says when a token was ended, and by what.
func endedText(t *tokenRecord, now time.Time) string {
	by := t.EndedBy
	switch by {
	case endedByOwner:
		by = "its owner"
	case endedByAdmin:
		by = "an admin"
	}
	if t.Ended.IsZero() { // a person edited the data file
		return "revoked by " + by
	}
	return "revoked " + token.Ago(t.Ended, now) + " by " + by
}

// requireAdmin calls next only for an admin. Sign-up makes no admins.
func requireAdmin(next callerHandler) callerHandler {
	return func(w http.ResponseWriter, r *http.Request, c *caller) error {
		if !c.user.Admin {
			return errNotAdmin
		}
		c.asAdmin = true // the store asks again when the caller changes something
		return next(w, r, c)
	}
}

// publicKeys handles GET /.well-known/jwks.json: the public keys, with which others can
// verify tokens. HS256 has none. A restart can drop a key that has leaked; others may
// trust it for five minutes more.
func (s *server) publicKeys(w http.ResponseWriter, r *http.Request) error {
	text, err := json.Marshal(s.keys.JWKS(s.now()))
	if err != nil {
		return fmt.Errorf("rendering the public keys: %w", err)
	}
	w.Header().Set("Content-Type", "application/jwk-set+json") // RFC 7517 §8.5
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Write(append(text, '\n'))
	return nil
}

// A userView is a user as clients read it.
type userView struct {
	ID        int    `json:"id"`
	Username  string `json:"username"`
	Email     string `json:"email"`
	Firstname string `json:"firstname"`
	Lastname  string `json:"lastname"`
	Admin     bool   `json:"admin"`
	CreatedOn string `json:"createdon"`
	CreatedAt string `json:"created_at"` // the same, as JavaScript reads it
}

func viewUser(u *user) userView {
	return userView{u.ID, u.Username, u.Email, u.Firstname, u.Lastname, u.Admin, u.Created.UTC().Format(wireTime), u.Created.UTC().Format(time.RFC3339)}
}

// A signedIn is what sign-up and sign-in give, and for a part refresh.
type signedIn struct {
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token,omitempty"`
	User         *userView `json:"user,omitempty"`
}

const (
	badEmail    = "Invalid email format"
	badPassword = "Invalid password. Should be at least 5 characters long and include a number and a special character"
)

// credentials are what sign-up and sign-in read alike.
type credentials struct {
	Email    string        `json:"email"`
	Password form.Password `json:"password"`
}

// signUp handles POST /api/v1/auth/signup: it makes an account and signs it in.
//
// The answer tells whether an e-mail has an account: kept for the tutorial; a new API
// should send an e-mail and give the same answer for both.
func (s *server) signUp(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		credentials
		Username  string `json:"username"`
		Firstname string `json:"firstname"`
		Lastname  string `json:"lastname"`
	}
	if err := form.ReadSmall(w, r, &in); err != nil {
		return err
	}
	u := newUser(cmp.Or(in.Username, in.Email), in.Email, s.now())
	u.Firstname, u.Lastname = in.Firstname, in.Lastname
	err := reply.First(form.Check(email(in.Email, true)), s.config.passwordFault(u, "password", in.Password), newNames(u, new(user)))
	if err != nil {
		return err
	}
	if err := s.hashNew(r, u, in.Password); err != nil {
		return err
	}
	return s.startSession(w, http.StatusCreated, u, s.store.signUp)
}

// hashNew gives a new account the hash of its password. It fails if the client signs up
// too often (429), or if the name is taken. Only the hash is kept.
func (s *server) hashNew(r *http.Request, u *user, p form.Password) (err error) {
	if err := s.limits.SignUp(s.origin.Client(r)); err != nil {
		return err
	}
	if s.store.userTaken(u) { // store.signUp asks again; this saves the hashing
		return errUserExists
	}
	u.Hash, err = s.hashes.Hash(r.Context(), s.network(r), string(p))
	return err
}

// network is the range of addresses that the client of r has for itself.
func (s *server) network(r *http.Request) netip.Prefix { return limit.Network(s.origin.Client(r)) }

// signIn handles POST /api/v1/auth/signin. An unknown account and a wrong password get
// the same answer in the same time (OWASP ASVS 5, 6.3.8; CWE-204, CWE-208).
//
// The 400 for a password that sign-up would refuse is kept for the tutorial; a new API
// should check the password only, as rules for passwords change.
func (s *server) signIn(w http.ResponseWriter, r *http.Request) error {
	var in credentials
	if err := form.ReadSmall(w, r, &in); err != nil {
		return err
	}
	err := reply.First(form.Check(email(in.Email, false)), s.config.tutorialFault("password", in.Password))
	if err != nil {
		return err
	}
	err = s.authenticate(r, in.Email, in.Password, s.store.userByEmail, func(u *user, record recordTokens) error {
		return s.startSession(w, http.StatusOK, u, record)
	})
	switch {
	case errors.Is(err, errNoUser), errors.Is(err, errWrongPassword):
		return reply.Fail(http.StatusUnauthorized, "Bad email or password")
	case errors.Is(err, errDisabled):
		return reply.Fail(http.StatusUnauthorized, "Account is disabled")
	}
	return err
}

var errWrongPassword = errors.New("wrong password")

// authenticate finds the account called name, and calls signIn with it if p is its
// password. signIn makes the tokens and calls record, which stores them. If the hash is
// weaker than the configured cost, record also stores a new hash of p. authenticate
// fails with errNoUser, errWrongPassword or errDisabled, or as checkPassword does.
func (s *server) authenticate(r *http.Request, name string, p form.Password, find func(name string) *user, signIn func(u *user, record recordTokens) error) (err error) {
	defer func() { s.metrics.signIn(err) }()
	// The hash may change while the password is checked: by a new password, or by
	// another sign-in that stored a new hash. Then record fails with errStaleHash, and
	// the loop looks again.
	for {
		u := find(name)
		ok, err := s.checkPassword(r, name, u, p)
		switch {
		case err != nil:
			return err
		case u == nil || !ok || u.Disabled:
			s.note(r, "sign-in failed", u)
		}
		switch {
		case u == nil:
			return errNoUser
		case !ok:
			return errWrongPassword
		case u.Disabled:
			return errDisabled
		}
		newHash := s.hashes.Upgrade(u.Hash, string(p)) // "" if the old one is strong enough
		record := func(u *user, tokens ...*tokenRecord) error { return s.store.signIn(u, newHash, tokens...) }
		if err := signIn(u, record); !errors.Is(err, errStaleHash) {
			return err
		}
	}
}

// checkPassword reports whether p is the password of u, which is nil for an account
// that doesn't exist; name is what the client called it. It fails with 429 after too
// many wrong passwords, and with 503 if no worker is free in time.
func (s *server) checkPassword(r *http.Request, name string, u *user, p form.Password) (ok bool, err error) {
	account, client := accountKey(u, name), s.origin.Client(r)
	if err := s.limits.Try(account, client); err != nil {
		return false, err
	}
	if password.Fault(string(p)) != "" { // no account has such a password
		return false, s.limits.Judge(account, client, false)
	}
	hash := "" // no account: Matches takes as long for it
	if u != nil {
		hash = u.Hash
	}
	err = s.hashes.Work(r.Context(), limit.Network(client), func() error {
		// Others may have used up the tries while this request waited.
		if err := s.limits.Try(account, client); err != nil {
			return err
		}
		ok = s.hashes.Matches(hash, string(p))
		return s.limits.Judge(account, client, ok)
	})
	return ok && err == nil, err
}

// startSession makes an access and a refresh token for u. record stores their records;
// then the tokens are sent.
func (s *server) startSession(w http.ResponseWriter, status int, u *user, record recordTokens) error {
	access, accessRecord, err := s.issue(u, token.Access, s.config.accessTTL, byPassword)
	if err != nil {
		return err
	}
	refresh, refreshRecord, err := s.issue(u, token.Refresh, s.config.refreshTTL, byToken)
	if err != nil {
		return err
	}
	if err := record(u, accessRecord, refreshRecord); err != nil {
		return err
	}
	view := viewUser(u)
	return reply.Secret(w, status, success{Status: status, Data: []any{signedIn{access, refresh, &view}}})
}

// What a client gave to get a token: the claim fresh says which.
const (
	byPassword = true
	byToken    = false
)

// issue makes a token for u, and its record. The token opens nothing until its record
// is stored.
func (s *server) issue(u *user, typ string, ttl time.Duration, fresh bool) (string, *tokenRecord, error) {
	now := s.now().UTC().Truncate(time.Second)
	c := token.NewClaims(u.PublicID, typ, now, now.Add(ttl))
	c.Fresh = fresh
	text, err := s.keys.Sign(c)
	return text, &tokenRecord{JTI: c.ID, Type: typ, Expires: now.Add(ttl)}, err
}

// refresh handles POST /api/v1/auth/refresh: a new access token, for the same sign-in.
//
// A refresh token that stays good is kept for the tutorial. Its thief can use it for as
// long as it lives, unnoticed, until its owner logs out. A new API should give a new
// refresh token with each use, see rotating, or bind the token to its client (RFC 9700
// §4.14.2).
func (s *server) refresh(w http.ResponseWriter, r *http.Request, c *caller) error {
	access, record, err := s.issue(c.user, token.Access, s.config.accessTTL, byToken)
	if err != nil {
		return err
	}
	if err := s.store.as(c).refresh(record); err != nil {
		return err
	}
	return reply.Secret(w, http.StatusOK, success{Status: http.StatusOK, Data: []any{signedIn{AccessToken: access}}})
}

// logOut handles DELETE and POST /api/v1/auth/logout. It ends all tokens of the sign-in,
// access and refresh (OWASP ASVS 5, 7.4.1).
func (s *server) logOut(w http.ResponseWriter, r *http.Request, c *caller) error {
	if err := s.store.as(c).endSession(); err != nil {
		return err
	}
	return reply.JSON(w, http.StatusOK, success{Status: http.StatusOK, Message: "Successfully logged out"})
}

// bookCredentials are what sign-up and sign-in of the book API read.
type bookCredentials struct {
	Username string        `json:"username"`
	Password form.Password `json:"password"`
}

// bookSignUp handles POST /signup: an account of the book API, without an e-mail.
//
// A password of one letter is kept for the tutorial; a new API should ask for 8
// characters at least, as -password-policy nist does. The answer also tells whether a
// name is taken; a new API should have e-mails as names, and answer alike.
func (s *server) bookSignUp(w http.ResponseWriter, r *http.Request) error {
	var in bookCredentials
	if err := form.ReadSmall(w, r, &in); err != nil {
		return err
	}
	u := newUser(in.Username, "", s.now())
	err := reply.First(form.Check(
		form.Text{Field: "username", Value: in.Username, Max: maxUsername, Words: "Invalid input!", Visible: true, Bad: strings.Contains(in.Username, "@")},
		form.Text{Field: "password", Value: string(in.Password), Max: math.MaxInt, Words: "Invalid input!", AsIs: true},
	), s.config.weakness(u, "password", "Invalid input! The password ", in.Password))
	if err != nil {
		return err
	}
	if err := s.hashNew(r, u, in.Password); err != nil {
		return err
	}
	if err := s.store.signUp(u); err != nil {
		return err
	}
	return reply.JSON(w, http.StatusCreated, message{Message: "registered successfully"})
}

// bookLogin handles POST /login. An account of the catalog counts as none here, in the
// same time.
//
// To tell an unknown account from a wrong password is kept for the tutorial; a new API
// should give one answer for both, as signIn does.
func (s *server) bookLogin(w http.ResponseWriter, r *http.Request) error {
	// The challenge Basic-realm= is kept for the tutorial; a new API should name a
	// scheme that is registered, as Bearer. No browser knows this one.
	refuse := func(status int, text, challenge string) error {
		return &reply.Error{Status: status, Message: text, Challenge: `Basic-realm= "` + challenge + `"`}
	}
	unverified := refuse(http.StatusUnauthorized, "Could not verify!", "Login required!")

	var in bookCredentials
	if err := form.ReadSmall(w, r, &in); err != nil {
		return err
	}
	if in.Username == "" || in.Password == "" {
		return unverified
	}
	bookAccount := func(username string) *user {
		if u := s.store.userByUsername(username); u != nil && u.Email == "" {
			return u
		}
		return nil
	}
	var signed string
	err := s.authenticate(r, in.Username, in.Password, bookAccount, func(u *user, record recordTokens) error {
		text, made, err := s.issue(u, token.Access, s.config.tokenTTL, byPassword)
		if err != nil {
			return err
		}
		signed = text
		return record(u, made)
	})
	switch {
	case errors.Is(err, errNoUser):
		return refuse(http.StatusUnauthorized, "Could not verify user, Please signup!", "No user found!")
	case errors.Is(err, errWrongPassword):
		return refuse(http.StatusForbidden, "Could not verify password!", "Wrong Password!")
	case errors.Is(err, errDisabled):
		return unverified
	case err != nil:
		return err
	}
	return reply.Secret(w, http.StatusCreated, struct {
		Token string `json:"token"`
	}{signed})
}
