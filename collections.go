package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/operator"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/rows"
	"example.com/shelf/internal/token"
)

// collections is what a server with collections has more than others.
type collections struct {
	settings operator.CollectionSettings
	operator.Served
}

// A visit is a request for collections, and its visitor.
type visit struct {
	rows.Visit
	server  *server
	caller  *caller // nil: it came without a token
	missing error   // why there is no caller
}

// serveCollections answers what no route of the table does: the accounts as rows,
// /db, and the collections. A slash at the end of a path changes nothing, for a
// redirect would break preflights. docs/collections.md is the manual.
func (s *server) serveCollections(w http.ResponseWriter, r *http.Request) error {
	service := s.rowService()
	service.Wait(r)
	reply.PlainTags(r)
	found, own, ok := service.Find(r, s.origin.BaseURL(r), s.isOwn)
	v := &visit{Visit: *found}
	if !own && s.collections.Static.Serve(w, r) {
		return nil
	}
	switch {
	case !ok, !own && s.collections.settings.Prefix == "" && slices.Contains(reservedNames, v.Names[0]):
		return rows.ErrNoCollection
	case r.Method == http.MethodOptions:
		return rows.AnswerOptions(w)
	case own && v.Names[0] != "db" && len(v.Names) < 3:
		speak(r, ofMembers)
	}
	if own && r.Method == http.MethodPost && len(v.Names) == 1 {
		switch v.Names[0] {
		case "register", "users", "signup":
			return s.noForeignPage(s.register)(w, r)
		case "signin", "login":
			return s.noForeignPage(s.signInMember)(w, r)
		}
	}
	if err := s.identify(r, v); err != nil {
		return err
	}
	var err error
	switch {
	case own && v.Names[0] == "db":
		err = service.AnswerWhole(w, r, &v.Visit)
	case own && len(v.Names) < 3:
		err = s.answerMember(w, r, v)
	default:
		err = service.Answer(w, r, &v.Visit)
	}
	if denied, is := errors.AsType[*rows.Denied](err); is && denied.SignIn {
		return v.missing
	}
	return err
}

// rowService is what answers requests for the collections.
func (s *server) rowService() rows.Service {
	in := s.collections.settings
	return rows.Service{
		DB: s.store.DB, Store: s.store.rows, Scans: s.scans,
		Routes: s.collections.Routes, Prefix: in.Prefix, Lenient: in.Lenient, Delay: time.Duration(in.Delay) * time.Millisecond,
		PlainUsers: s.store.plainUsers, NotAdmin: errNotAdmin,
		CheckName: func(name string) error { return s.collections.checkName(name, !s.store.plainUsers) },
	}
}

// isOwn reports whether a path is that of accounts or of /db.
func (s *server) isOwn(names []string) bool {
	switch names[0] {
	case "register", "signup", "signin", "login", "logout":
		return len(names) == 1
	case "users":
		return !s.store.plainUsers
	}
	return names[0] == "db"
}

// identify finds out who the visitor is. Without a token that is no account. A token that
// is no good is refused, whatever it is sent for.
func (s *server) identify(r *http.Request, v *visit) error {
	v.server, v.Visitor = s, v
	v.By.Tighten = v.Guard
	text, err := token.Bearer(r.Header["Authorization"])
	if err != nil {
		v.missing = err
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			if err := s.noForeignPage(func(http.ResponseWriter, *http.Request) error { return nil })(nil, r); err != nil {
				return err
			}
		}
		return s.store.Fresh(r.Context())
	}
	if v.caller, err = s.callerOf(r.Context(), text, token.Access); err == nil {
		form.Own(r, v.caller.user.ID)
		v.By = s.store.rowsCaller(v.caller.user)
		v.By.Tighten = v.Guard
	}
	return err
}

// rowsCaller is u as the collections know it.
func (s *store) rowsCaller(u *user) rows.Caller {
	by := rows.Caller{IDs: s.idsOf(u), SignedIn: true, Admin: u.Admin}
	if u.OwnID != "" && !s.plainUsers {
		by.UserID = string(u.OwnID)
	}
	return by
}

// Members are the accounts that the visitor may read.
func (v *visit) Members(tx *db.Tx) (rows.Source, error) { return v.server.store.members(tx, v.caller) }

// Member is one of these, and the texts by which rows name it.
func (v *visit) Member(tx *db.Tx, id string) (*rows.Row, []string, error) {
	u, err := v.server.store.memberFor(tx, v.caller, id)
	if err != nil {
		return nil, nil, err
	}
	return u.row(), v.server.store.idsOf(u), nil
}

// Update has rules run for the visitor, who is judged again with the lock held.
func (v *visit) Update(rules func(tx *db.Tx, by rows.Caller) error) error {
	if v.caller == nil {
		return v.server.store.Update(func(tx *db.Tx) error { return rules(tx, v.By) })
	}
	return v.server.store.as(v.caller).Update(func(tx *db.Tx, me *user) error {
		by := v.By
		by.Admin = me.Admin
		return rules(tx, by)
	})
}

// Room fails if the account that a new row counts for can't have it.
func (v *visit) Room(tx *db.Tx) error {
	owner := noOwner
	if v.caller != nil {
		owner = v.caller.user.ID
	}
	return v.server.store.roomFor(tx, owner, 1)
}

// reservedNames are the first segments of shelf's own paths. Later routes of shelf go
// below these.
var reservedNames = []string{
	"api", "bookapi", "login", "logout", "signin", "signup", "register", "console", "docs", "lab", "db",
	"openapi.json", "favicon.ico", "healthz", "readyz", "metrics", ".well-known",
}

// checkName fails for a name that no collection can have beside shelf's own paths.
func (c *collections) checkName(name string, accounts bool) error {
	if err := rows.CheckName(name); err != nil {
		return err
	}
	if accounts && name == "users" {
		return errors.New("accounts live at /users: POST /register makes one")
	}
	if c.settings.Prefix == "" && (slices.Contains(reservedNames, name) || rows.IsGuard(name)) {
		return fmt.Errorf("the name %q is shelf's own: rename the collection, start with -skip %s, which gives it no route, or with -prefix /data, which moves all collections there", name, name)
	}
	return nil
}
