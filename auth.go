package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
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

// A caller is who sent a request: whom the token speaks for, and the store's
// record of the token.
type caller struct {
	user    *user
	token   *tokenRecord
	asAdmin bool // what it asks for is for admins only
}

// A callerHandler is a handler behind a token.
type callerHandler func(w http.ResponseWriter, r *http.Request, c *caller) error

// anyToken is for log-out, which takes either type of token.
const anyToken = ""

// bearer calls next only for a request with a good token of the given type in
// its Authorization header (RFC 6750 §2.1): this is what the first tutorial
// calls @jwt_required.
func (s *server) bearer(typ string, next callerHandler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		text, err := token.Bearer(r.Header["Authorization"])
		if err != nil {
			return err
		}
		c, err := s.callerOf(text, typ)
		if err != nil {
			return err
		}
		form.Own(r, c.user.ID)
		return next(w, r, c)
	}
}

// bookToken calls next only for a request with a good access token in its
// x-access-token header: this is what the second tutorial calls @token_required.
func (s *server) bookToken(next callerHandler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		lines := r.Header["X-Access-Token"]
		switch {
		case len(lines) > 1: // a proxy in front may have judged the other one
			return &token.Error{Reason: token.BadHeader, Message: "More than one x-access-token header"}
		case len(lines) == 0 || lines[0] == "":
			return token.ErrMissing
		}
		c, err := s.callerOf(lines[0], token.Access)
		if err != nil {
			return err
		}
		form.Own(r, c.user.ID)
		return next(w, r, c)
	}
}

// callerOf judges a token: first what it says of itself (token.Keyring), then its
// type, then what the store knows. A token is good only while the store holds
// its jti unrevoked, so a stolen SECRET_KEY alone opens nothing.
func (s *server) callerOf(text, typ string) (*caller, error) {
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
	return s.knownCaller(claims.Subject, claims.ID, claims.Type, now)
}

// knownCaller judges a token that says the right things of itself by what the
// store knows of it. An expired record counts as none, as it may go at any time:
// a thief of SECRET_KEY could write a later exp into an old token.
func (s *server) knownCaller(publicID, jti, typ string, now time.Time) (*caller, error) {
	u, record := s.store.userWithToken(publicID, jti)
	if err := judge(u, record, typ, now); err != nil {
		return nil, err
	}
	return &caller{user: u, token: record}, nil
}

// judge judges a token by what the store holds: its user and its record, nil for
// one that isn't there.
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

// stillGood judges the caller once more: time has passed since.
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
	if t.Ended.IsZero() { // a person wrote the line
		return "revoked by " + by
	}
	return "revoked " + token.Ago(t.Ended, now) + " by " + by
}

// requireAdmin calls next only for an admin. Nobody becomes one at sign-up.
func requireAdmin(next callerHandler) callerHandler {
	return func(w http.ResponseWriter, r *http.Request, c *caller) error {
		if !c.user.Admin {
			return errNotAdmin
		}
		c.asAdmin = true // asked again when it changes something
		return next(w, r, c)
	}
}

// publicKeys handles GET /.well-known/jwks.json: the keys by which others can
// check tokens, none for HS256. Nothing but habit gave it this path. What it
// says doesn't change while the server runs, but for keys that end; five minutes
// are how long others may trust a key that a restart has dropped as leaked.
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

// signUp handles POST /api/v1/auth/signup: a new account, signed in. It has to
// tell whether an e-mail is taken, and so who has an account; sign-in doesn't.
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
	if !form.Email(in.Email, maxEmail) || !form.Visible(in.Email) {
		return reply.Fail(http.StatusBadRequest, badEmail)
	}
	u := newUser(cmp.Or(in.Username, in.Email), in.Email, s.now())
	u.Firstname, u.Lastname = in.Firstname, in.Lastname
	if why := s.config.passwordFault(u, in.Password); why != "" {
		return reply.Fail(http.StatusBadRequest, why)
	}
	if err := newNames(u, new(user)); err != nil {
		return err
	}
	if err := s.hashNew(r, u, in.Password); err != nil {
		return err
	}
	return s.startSession(w, http.StatusCreated, u, s.store.signUp)
}

// hashNew gives a new account the hash of its password, unless too many sign up or
// its name is taken.
func (s *server) hashNew(r *http.Request, u *user, p form.Password) (err error) {
	if err := s.limits.SignUp(s.origin.Client(r)); err != nil {
		return err
	}
	if s.store.userTaken(u) { // asked again with the lock held; here it saves the hashing
		return errUserExists
	}
	u.Hash, err = s.hashes.Hash(r.Context(), s.network(r), string(p))
	return err
}

// network is what the client of r has to itself.
func (s *server) network(r *http.Request) netip.Prefix { return limit.Network(s.origin.Client(r)) }

// signIn handles POST /api/v1/auth/signin. Unknown accounts and wrong passwords
// get the same answer in the same time (OWASP ASVS 5, 6.3.8; CWE-204, CWE-208).
func (s *server) signIn(w http.ResponseWriter, r *http.Request) error {
	var in credentials
	if err := form.ReadSmall(w, r, &in); err != nil {
		return err
	}
	switch {
	case !form.Email(in.Email, maxEmail):
		return reply.Fail(http.StatusBadRequest, badEmail)
	case in.Password == "", s.config.passwordPolicy != password.NIST && !password.FitsTutorial(string(in.Password)):
		return reply.Fail(http.StatusBadRequest, badPassword)
	}
	err := s.authenticate(r, in.Email, in.Password, s.store.userByEmail, func(u *user, newHash string) error {
		return s.startSession(w, http.StatusOK, u, func(u *user, tokens ...*tokenRecord) error {
			return s.store.signIn(u, newHash, tokens...)
		})
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

// authenticate finds the account of that name and hands it to signIn once p has
// proved to be its password, with a new hash of p to be stored in the place of
// one that is weaker than the configured cost, else "". It fails with
// errNoUser, errWrongPassword or errDisabled, or as checkPassword does.
func (s *server) authenticate(r *http.Request, name string, p form.Password, find func(name string) *user, signIn func(u *user, newHash string) error) (err error) {
	defer func() { s.metrics.signIn(err) }()
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
		if err := signIn(u, s.hashes.Upgrade(u.Hash, string(p))); !errors.Is(err, errStaleHash) {
			return err
		}
		// The password was changed since u was read, or another sign-in stored
		// its upgraded hash first: only another look can tell.
	}
}

// checkPassword reports whether p is u's password, which for no user it never
// is. name is what the client calls an account that isn't there. It fails with 429
// where there were too many wrong ones, and with 503 if no worker is free in time.
func (s *server) checkPassword(r *http.Request, name string, u *user, p form.Password) (ok bool, err error) {
	account, client := accountKey(u, name), s.origin.Client(r)
	if err := s.limits.Try(account, client); err != nil {
		return false, err
	}
	if password.Fault(string(p)) != "" { // no password is like that, so no bcrypt is needed to tell
		return false, s.limits.Judge(account, client, false)
	}
	hash := "" // of nobody's: that takes as long
	if u != nil {
		hash = u.Hash
	}
	err = s.hashes.Work(r.Context(), limit.Network(client), func() error {
		// Those ahead in the line may have used up what was left.
		if err := s.limits.Try(account, client); err != nil {
			return err
		}
		ok = s.hashes.Matches(hash, string(p))
		return s.limits.Judge(account, client, ok)
	})
	return ok && err == nil, err
}

// startSession issues an access and a refresh token to u, has record store
// them, and only then shows them.
func (s *server) startSession(w http.ResponseWriter, status int, u *user, record func(*user, ...*tokenRecord) error) error {
	access, accessRecord, err := s.issue(u, token.Access, s.config.accessTTL, true)
	if err != nil {
		return err
	}
	refresh, refreshRecord, err := s.issue(u, token.Refresh, s.config.refreshTTL, false)
	if err != nil {
		return err
	}
	if err := record(u, accessRecord, refreshRecord); err != nil {
		return err
	}
	view := viewUser(u)
	return reply.Secret(w, status, success{Status: status, Data: []any{signedIn{access, refresh, &view}}})
}

// issue makes a token for u. It is worth nothing until its record is stored.
// fresh says that the user has just shown a password for it.
func (s *server) issue(u *user, typ string, ttl time.Duration, fresh bool) (string, *tokenRecord, error) {
	now := s.now().UTC().Truncate(time.Second)
	c := token.NewClaims(u.PublicID, typ, now, now.Add(ttl))
	c.Fresh = fresh
	text, err := s.keys.Sign(c)
	return text, &tokenRecord{JTI: c.ID, Type: typ, Expires: now.Add(ttl)}, err
}

// rotate answers a refresh with a new refresh token in the place of the one used.
// The store keeps no token. But the text of one follows from its record, its time
// and the key, so a lost answer is made again, and also after a restart.
func (s *server) rotate(w http.ResponseWriter, r *http.Request, c *caller, access string, record *tokenRecord) error {
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

// refresh handles POST /api/v1/auth/refresh. Without -rotate-refresh the refresh
// token stays good, as in the tutorials' series: whoever steals one can use it
// for as long as it lives, unnoticed, until its owner logs out. RFC 9700
// §4.14.2 asks for rotation, or for binding the token to its client, where
// clients are public; a server beyond your own machine wants one of the two. A token
// that was used while the flag was on stays one of one use.
func (s *server) refresh(w http.ResponseWriter, r *http.Request, c *caller) error {
	access, record, err := s.issue(c.user, token.Access, s.config.accessTTL, false)
	if err != nil {
		return err
	}
	if s.config.rotateRefresh || !c.token.Used.IsZero() {
		return s.rotate(w, r, c, access, record)
	}
	if err := s.store.as(c).refresh(record); err != nil {
		return err
	}
	return reply.Secret(w, http.StatusOK, success{Status: http.StatusOK, Data: []any{signedIn{AccessToken: access}}})
}

// logOut handles DELETE and POST /api/v1/auth/logout. It ends the whole
// sign-in: an access token that outlived its refresh token, or the reverse,
// would make it a promise half kept (OWASP ASVS 5, 7.4.1).
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

// bookSignUp handles POST /signup: an account of the book API. It has no
// e-mail, and no rule for passwords but bcrypt's own.
func (s *server) bookSignUp(w http.ResponseWriter, r *http.Request) error {
	var in bookCredentials
	if err := form.ReadSmall(w, r, &in); err != nil {
		return err
	}
	if !form.Within(in.Username, maxUsername) || !form.Visible(in.Username) || strings.Contains(in.Username, "@") || in.Password == "" {
		return reply.Fail(http.StatusBadRequest, "Invalid input!")
	}
	u := newUser(in.Username, "", s.now())
	if why := password.Weakness(s.config.passwordPolicy, string(in.Password), in.Username); why != "" {
		return reply.Fail(http.StatusBadRequest, "Invalid input! The password "+why)
	}
	if err := s.hashNew(r, u, in.Password); err != nil {
		return err
	}
	if err := s.store.signUp(u); err != nil {
		return err
	}
	return reply.JSON(w, http.StatusCreated, message{"registered successfully"})
}

// bookLogin handles POST /login. It says whether a book account exists, as the
// tutorial does, but nothing about catalog accounts: those count as none, in
// the same time.
func (s *server) bookLogin(w http.ResponseWriter, r *http.Request) error {
	// The tutorial's challenges. They name no scheme that a browser knows, so
	// none pops up a dialog.
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
	err := s.authenticate(r, in.Username, in.Password, bookAccount, func(u *user, newHash string) error {
		text, record, err := s.issue(u, token.Access, s.config.tokenTTL, true)
		if err != nil {
			return err
		}
		signed = text
		return s.store.signIn(u, newHash, record)
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
