package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/rows"
	"example.com/shelf/internal/token"
)

// With collections, accounts are rows at /users as well, as json-server-auth has them:
// see rows.Member.

// member is u as a row. An account of the tutorials has its names for a profile.
func (u *user) member() rows.Member {
	m := rows.Member{ID: u.OwnID, Role: u.Role, Profile: u.Profile, Email: u.Email}
	if m.ID == "" {
		m.ID = rows.Raw(strconv.Itoa(u.ID))
	}
	if m.Profile == "" {
		var o rows.Object
		for _, n := range [][2]string{{"username", u.Username}, {"firstname", u.Firstname}, {"lastname", u.Lastname}} {
			if n[1] != "" && n[1] != u.Email {
				o.Set(n[0], rows.Quote(n[1]))
			}
		}
		m.Profile = rows.SignUpProfile(o)
	}
	return m
}

// row is u as a row. It never has a hash.
func (u *user) row() *rows.Row { return u.member().Row(u.ID) }

// fileRow is u as a row of the file of collections, with its hash.
func (u *user) fileRow() string { return u.member().WithPassword(u.Hash) }

// fileRows are the accounts as rows of that file, with or without their hashes. A store
// whose users are a plain collection has none.
func (s *store) fileRows(tx *db.Tx, secrets bool) (texts []string) {
	if _, plain := s.rows.Collection(tx, "users"); plain {
		return nil
	}
	for _, u := range s.users.All(tx) {
		if secrets {
			texts = append(texts, u.fileRow())
		} else {
			texts = append(texts, u.row().Text)
		}
	}
	return texts
}

// idsOf are the texts by which userId names u.
func (s *store) idsOf(u *user) []string {
	if s.plainUsers {
		return []string{u.PublicID}
	}
	return []string{rows.KeyText(string(u.member().ID)), strconv.Itoa(u.ID), u.PublicID}
}

// memberNamed finds the account that /users/{id} names, by any of its ids.
func (s *store) memberNamed(tx *db.Tx, id string) *user {
	if u, ok := s.byOwnID.Find(tx, id); ok {
		return u
	}
	if n, ok := form.ID(id); ok {
		if u, ok := s.users.Get(tx, n); ok {
			return u
		}
	}
	u, _ := s.byPublicID.Find(tx, id)
	return u
}

// isOwner reports whether a userId names an account.
func (s *store) isOwner(tx *db.Tx, id string) bool {
	u := s.memberNamed(tx, id)
	return u != nil && (!s.plainUsers || id == u.PublicID)
}

// errNotYours is the refusal of a row that another account owns.
var errNotYours = &rows.Denied{Text: "Private resource access: entity must have a reference to the owner id"}

// member is the row of the account of that id, if the caller may read it.
func (s *store) member(tx *db.Tx, c *caller, id string) (*rows.Row, error) {
	u, err := s.memberFor(tx, c, id)
	if err != nil {
		return nil, err
	}
	return u.row(), nil
}

// memberFor is the account of that id, if it is the caller's or the caller is an admin.
func (s *store) memberFor(tx *db.Tx, c *caller, id string) (*user, error) {
	if c == nil {
		return nil, &rows.Denied{SignIn: true}
	}
	u := s.memberNamed(tx, id)
	switch {
	case u != nil && u.ID == c.user.ID:
		return u, nil
	case !c.user.Admin:
		return nil, errNotYours
	case u == nil:
		return nil, rows.ErrNoRow
	}
	return u, nil
}

// members are the accounts that the caller may read: its own, or for an admin all.
func (s *store) members(tx *db.Tx, c *caller) (from rows.Source, err error) {
	if c == nil {
		return from, &rows.Denied{SignIn: true}
	}
	for _, u := range s.users.All(tx) {
		if c.user.Admin || u.ID == c.user.ID {
			from.Rows = append(from.Rows, u.row())
		}
	}
	from.ByID = func(id string) *rows.Row {
		row, _ := s.member(tx, c, id)
		return row
	}
	return from, nil
}

// memberSignedIn is the answer to sign-up and sign-in.
type memberSignedIn struct {
	AccessToken string          `json:"accessToken"`
	User        json.RawMessage `json:"user"`
}

// register handles POST /register, and its other names: a new account, signed in.
func (s *server) register(w http.ResponseWriter, r *http.Request) error {
	sent, err := rows.ReadObject(w, r, rows.MaxMemberBody, false)
	if err != nil {
		return err
	}
	email, p, err := rows.SignUpCredentials(sent)
	if err != nil {
		return err
	}
	u := newUser(email, email, s.now())
	if u.Profile = rows.SignUpProfile(rows.WithoutRepeats(sent)); len(u.Profile) > rows.MaxProfile {
		return rows.ErrProfileTooLarge
	}
	if err := s.config.weakness(u, "password", "The password ", p); err != nil {
		return err
	}
	if err := s.hashNew(r, u, p); err != nil {
		return err
	}
	return s.startMember(w, http.StatusCreated, u, s.store.signUp)
}

// startMember issues a token to u and has record store it, before it is shown.
func (s *server) startMember(w http.ResponseWriter, status int, u *user, record recordTokens) error {
	text, made, err := s.issue(u, token.Access, s.config.tokenTTL, true)
	if err != nil {
		return err
	}
	if err := record(u, made); err != nil {
		return err
	}
	return reply.Secret(w, status, memberSignedIn{text, json.RawMessage(u.row().Text)})
}

// signInMember handles POST /signin and /login. Unknown accounts and wrong passwords
// get the same answer in the same time.
func (s *server) signInMember(w http.ResponseWriter, r *http.Request) error {
	sent, err := rows.ReadObject(w, r, rows.MaxMemberBody, false)
	if err != nil {
		return err
	}
	name, p, err := rows.SignInCredentials(sent)
	if err != nil {
		return err
	}
	find := func(name string) *user {
		if u := s.store.userByEmail(name); u != nil || strings.Contains(name, "@") {
			return u
		}
		if u := s.store.userByUsername(name); u != nil && u.Email == "" {
			return u
		}
		return nil
	}
	err = s.authenticate(r, name, p, find, func(u *user, record recordTokens) error {
		return s.startMember(w, http.StatusOK, u, record)
	})
	if errors.Is(err, errNoUser) || errors.Is(err, errWrongPassword) {
		return reply.Fail(http.StatusBadRequest, "Incorrect email or password")
	}
	return err
}

// orMember is a handler of the book API that leaves bodies with an e-mail to the
// accounts of collections.
func (s *server) orMember(member, book handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if s.collections != nil {
			o, err := rows.ParseObject(form.Peek(r, rows.MaxMemberBody))
			if _, has := o.Get("email"); has && err == nil {
				speak(r, ofMembers)
				return member(w, r)
			}
		}
		return book(w, r)
	}
}

// answerMember answers what is asked about accounts, but for sign-up and sign-in.
func (s *server) answerMember(w http.ResponseWriter, r *http.Request, v *visit) error {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	isUsers := v.Names[0] == "users"
	writes := r.Method == http.MethodPut || r.Method == http.MethodPatch || r.Method == http.MethodDelete
	switch {
	case v.Names[0] == "logout" && (r.Method == http.MethodPost || r.Method == http.MethodDelete):
		if v.caller == nil {
			return v.missing
		}
		if err := s.store.as(v.caller).endSession(); err != nil {
			return err
		}
		return reply.JSON(w, http.StatusOK, "Logged out")
	case isUsers && reads && len(v.Names) == 1:
		return s.rowService().ReadList(w, r, &v.Visit)
	case isUsers && reads:
		return s.rowService().ReadRow(w, r, &v.Visit, "users", v.Names[1])
	case isUsers && writes && len(v.Names) == 2:
		if v.caller == nil {
			return v.missing
		}
		if rows.Guard(0o600).And(s.collections.Users).And(v.Guard).ReadOnly() {
			return &rows.Denied{Text: "Read only"}
		}
		var u *user
		var err error
		s.store.View(func(tx *db.Tx) { u, err = s.store.memberFor(tx, v.caller, v.Names[1]) })
		switch {
		case err != nil:
			return err
		case r.Method == http.MethodDelete:
			return s.deleteMember(w, r, v.caller, u)
		}
		return s.changeMember(w, r, v.caller, u)
	}
	return rows.ErrNoCollection
}

// changeMember handles PUT and PATCH of /users/{id}.
func (s *server) changeMember(w http.ResponseWriter, r *http.Request, c *caller, u *user) error {
	sent, err := rows.ReadObject(w, r, rows.MaxMemberBody, r.Method == http.MethodPut)
	if err != nil {
		return err
	}
	on, err := reply.ReadConditions(r)
	if err != nil {
		return err
	}
	edited, signsIn, err := s.newSignIn(r, c, u, sent)
	if err != nil {
		return err
	}
	sent = rows.WithoutRepeats(sent)
	row, err := s.store.as(c.on(u)).editMember(u, signsIn, func(latest *user) error {
		if err := on.Check(latest.row().Tag()); err != nil {
			return err
		}
		if signsIn {
			latest.Email, latest.Username, latest.Hash = edited.Email, edited.Username, edited.Hash
		}
		if raw, has := sent.Get("role"); has && c.user.Admin {
			latest.Role = rows.Raw(raw)
		}
		if r.Method == http.MethodPatch {
			latest.Profile = latest.member().Patched(sent)
		} else {
			latest.Profile = latest.member().Replaced(sent)
		}
		if len(latest.Profile) > rows.MaxProfile {
			return rows.ErrProfileTooLarge
		}
		return nil
	})
	if err != nil {
		return err
	}
	if signsIn {
		s.note(r, "sign-in changed", row)
	}
	return reply.Document{Status: http.StatusOK, Text: row.row().Text, Pretty: rows.WantsPretty(r)}.Answer(w, r)
}

// newSignIn is u with the e-mail, the sign-in name and the password that were sent.
// changed is false if u signs in as before. How an account signs in changes only with
// the password of the caller.
func (s *server) newSignIn(r *http.Request, c *caller, u *user, sent rows.Object) (edited user, changed bool, err error) {
	edited = *u
	in, err := rows.ReadSignInChange(sent, u.Email)
	if err != nil {
		return edited, false, err
	}
	if in.Email != "" {
		if edited.Email = in.Email; u.Username == u.Email {
			edited.Username = in.Email
		}
	}
	if name, has, ok := sent.Texts("username"); has && ok && u.Email == "" && u.Username != u.PublicID {
		edited.Username = name
		if err := newNames(&edited, u); err != nil {
			return edited, false, err
		}
	}
	if in.Password == "" && edited == *u {
		return edited, false, nil
	}
	if err := in.Check(); err != nil {
		return edited, true, err
	}
	if in.Password != "" {
		if err := s.config.weakness(&edited, "password", "The password ", in.Password); err != nil {
			return edited, true, err
		}
	}
	if err := s.confirm(r, c, in.Current); err != nil {
		return edited, true, err
	}
	if in.Password != "" {
		edited.Hash, err = s.hashes.Hash(r.Context(), s.network(r), string(in.Password))
	}
	return edited, true, err
}

// on is c, who must still be an admin when it changes u, another's account.
func (c *caller) on(u *user) *caller {
	on := *c
	on.asAdmin = u.ID != c.user.ID
	return &on
}

// editMember changes u, as the caller knew it when it checked the password. If that
// changes how u signs in, all of u's sign-ins end but the caller's own.
func (s acting) editMember(u *user, ends bool, edit func(*user) error) (row *user, err error) {
	err = s.Update(func(tx *db.Tx, _ *user) error {
		latest, err := s.unchanged(tx, u)
		if err != nil {
			return err
		}
		changed := *latest
		row = &changed
		if err := edit(row); err != nil {
			return err
		}
		if s.taken(tx, row) {
			return errUserExists
		}
		if *row != *latest {
			s.users.Put(tx, row)
		}
		if ends {
			s.endTokens(tx, u.ID, endedByPassword, func(t *tokenRecord) bool { return t.Session != s.caller.token.Session })
		}
		return nil
	})
	return row, err
}

// deleteMember handles DELETE /users/{id}. An account that deletes itself shows its
// password. Its rows stay, and lose their owner.
func (s *server) deleteMember(w http.ResponseWriter, r *http.Request, c *caller, u *user) error {
	if u.ID == c.user.ID {
		var in struct {
			Password form.Password `json:"password"`
		}
		if err := form.ReadSmall(w, r, &in); err != nil {
			return err
		}
		if in.Password == "" {
			return reply.Fail(http.StatusBadRequest, "password is required to delete an account")
		}
		if err := s.confirm(r, c, in.Password); err != nil {
			return err
		}
		if err := s.store.as(c).deleteSelf(); err != nil {
			return err
		}
		s.note(r, "account deleted", c.user)
	} else {
		err := s.store.as(c.on(u)).deleteUser(u.ID)
		if errors.Is(err, errNoUser) {
			return rows.ErrNoRow
		}
		if err != nil {
			return err
		}
		s.note(r, "account deleted by an admin", c.user, "account", u.ID)
	}
	return reply.Bytes(w, http.StatusOK, []byte("{}"))
}
