package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/rows"
	"example.com/shelf/internal/serve"
	"example.com/shelf/internal/token"
)

// collections is what a server with collections has more than others.
type collections struct {
	settings collectionSettings
	routes   rows.Routes
	users    rows.Guard    // of the accounts, 0 for none
	static   *serve.Folder // nil for none
}

// A visit is a request for collections: where to, and by whom.
type visit struct {
	rows.Address
	caller  *caller // nil: it came without a token
	by      rows.Caller
	shown   string // the address as the client knows it, with its query
	missing error  // why there is no caller
}

// maxRowsBody is how many bytes a body of a collection may have.
const maxRowsBody = 10 << 20

// serveCollections answers what no route of the table does: the accounts as rows,
// /db, and the collections. A slash at the end of a path changes nothing, for a
// redirect would break preflights. docs/collections.md is the manual.
func (s *server) serveCollections(w http.ResponseWriter, r *http.Request) error {
	if delay := s.collections.settings.delay; delay > 0 {
		select {
		case <-time.After(time.Duration(delay) * time.Millisecond):
		case <-r.Context().Done():
		}
	}
	reply.PlainTags(r)
	v, own, ok := s.find(r)
	if !own && s.collections.static.Serve(w, r) {
		return nil
	}
	switch {
	case !ok, !own && s.collections.settings.prefix == "" && slices.Contains(reservedNames, v.Names[0]):
		return rows.ErrNoCollection
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
		return nil
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
	err := s.answerVisit(w, r, v, own)
	if denied, is := errors.AsType[*rows.Denied](err); is && denied.SignIn {
		return v.missing
	}
	return err
}

// find tells what a request is for. own reports that it is for accounts or /db.
func (s *server) find(r *http.Request) (v *visit, own, ok bool) {
	sent := r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		sent += "?" + r.URL.RawQuery
	}
	target := s.collections.routes.Rewrite(sent)
	v = &visit{shown: s.origin.BaseURL(r) + sent}
	if v.Address, ok = rows.ParseAddress(target, ""); ok && s.isOwn(v.Names) {
		return v, true, true
	}
	if prefix := s.collections.settings.prefix; prefix != "" {
		v.Address, ok = rows.ParseAddress(target, prefix)
	}
	if v.Query != r.URL.RawQuery { // a rule has made it
		v.shown = s.origin.BaseURL(r) + target
	}
	return v, false, ok
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

// identify finds out who the visitor is. Without a token that is nobody. A token that
// is no good is refused, whatever it is sent for.
func (s *server) identify(r *http.Request, v *visit) error {
	v.by.Tighten = v.Guard
	text, err := token.Bearer(r.Header["Authorization"])
	if err != nil {
		v.missing = err
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return s.noForeignPage(func(http.ResponseWriter, *http.Request) error { return nil })(nil, r)
		}
		return nil
	}
	if v.caller, err = s.callerOf(text, token.Access); err == nil {
		form.Own(r, v.caller.user.ID)
		v.by = s.store.rowsCaller(v.caller.user)
		v.by.Tighten = v.Guard
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

// answerVisit answers a request when its visitor is known.
func (s *server) answerVisit(w http.ResponseWriter, r *http.Request, v *visit, own bool) error {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	names := v.Names
	switch {
	case own && len(names) < 3 && names[0] != "db":
		return s.answerMember(w, r, v)
	case own && names[0] == "db" && len(names) == 1 && reads:
		return s.readWhole(w, r, v)
	case own && names[0] == "db" && len(names) == 2 && r.Method == http.MethodPost:
		return s.makeCollection(w, v)
	case own && names[0] == "db":
		return rows.ErrNoCollection
	case r.Method == http.MethodPost && r.Header["X-Http-Method-Override"] != nil:
		return reply.Fail(http.StatusBadRequest, "X-HTTP-Method-Override has no effect here: send the request with the method itself")
	case reads && len(names) == 2:
		return s.readRow(w, r, v, names[0], names[1])
	case reads:
		return s.readList(w, r, v)
	case r.Method == http.MethodPost && len(names) != 2:
		return s.createRow(w, r, v)
	case r.Method == http.MethodDelete && len(names) == 2:
		return s.deleteRow(w, r, v)
	case (r.Method == http.MethodPut || r.Method == http.MethodPatch) && len(names) < 3:
		return s.changeRow(w, r, v)
	}
	return rows.ErrNoCollection
}

// source is a collection as the visitor may read it. The accounts are one.
func (s *server) source(tx *db.Tx, v *visit, name string) (rows.Source, error) {
	if name == "users" && !s.store.plainUsers {
		return s.store.members(tx, v.caller)
	}
	return s.store.rows.Source(tx, v.by, name)
}

// related is source for rows that are put into others.
func (s *server) related(tx *db.Tx, v *visit) func(name string) (rows.Source, bool) {
	return func(name string) (rows.Source, bool) {
		from, err := s.source(tx, v, name)
		return from, err == nil
	}
}

// readList answers with a list, with the children of a row, or with a single resource.
func (s *server) readList(w http.ResponseWriter, r *http.Request, v *visit) error {
	name := v.Names[len(v.Names)-1]
	var single bool
	s.store.View(func(tx *db.Tx) {
		c, _ := s.store.rows.Collection(tx, name)
		single = c.Single
	})
	if single {
		return s.readRow(w, r, v, name, "")
	}
	var texts []string
	var q *rows.Query
	var total int
	var err error
	if busy := s.scans.Do(r.Context(), v.Query != "", func() { q, texts, total, err = s.query(v, name) }); busy != nil {
		return busy
	}
	if err != nil {
		return err
	}
	q.SetHeaders(w.Header(), v.shown, total)
	return reply.Document{Status: http.StatusOK, Text: rows.AppendList(nil, texts), Pretty: q.Pretty}.Answer(w, r)
}

// query asks a collection what the visitor's address asks. What looks at every row runs
// outside of the View, as no write is committed while one is open.
func (s *server) query(v *visit, name string) (q *rows.Query, texts []string, total int, err error) {
	var from rows.Source
	var parents []string
	s.store.View(func(tx *db.Tx) {
		if from, err = s.source(tx, v, name); err == nil && len(v.Names) == 3 {
			parents = s.parentIDs(tx, v)
		}
	})
	if err != nil {
		return nil, nil, 0, err
	}
	if q, err = rows.ParseQuery(v.Query, s.collections.settings.lenient, from.Known); err != nil {
		return nil, nil, 0, err
	}
	if len(v.Names) == 3 {
		q.Require(rows.ForeignKey(v.Names[0]), parents...)
	}
	var among rows.Candidates
	s.store.View(func(*db.Tx) { among = q.Narrow(from) })
	found, err := q.Choose(among)
	if err != nil {
		return nil, nil, 0, err
	}
	s.store.View(func(tx *db.Tx) { texts, err = q.Relate(name, found.Rows, s.related(tx, v)) })
	return q, texts, found.Total, err
}

// parentIDs are the texts by which children name the parent in the visitor's path. An
// account has several, for those who may read it.
func (s *server) parentIDs(tx *db.Tx, v *visit) []string {
	if v.Names[0] == "users" && !s.store.plainUsers {
		if u, err := s.store.memberFor(tx, v.caller, v.Names[1]); err == nil {
			return s.store.idsOf(u)
		}
	}
	return v.Names[1:2]
}

// readRow answers with one row. The id of a single resource is "".
func (s *server) readRow(w http.ResponseWriter, r *http.Request, v *visit, name, id string) error {
	q, err := rows.ParseQuery(v.Query, true, func(string) bool { return true })
	if err != nil {
		return err
	}
	var texts []string
	s.store.View(func(tx *db.Tx) {
		var row *rows.Row
		if name == "users" && !s.store.plainUsers {
			row, err = s.store.member(tx, v.caller, id)
		} else {
			row, err = s.store.rows.Get(tx, v.by, name, id)
		}
		if err == nil {
			texts, err = q.Relate(name, []*rows.Row{row}, s.related(tx, v))
		}
	})
	if err != nil {
		return err
	}
	return reply.Document{Status: http.StatusOK, Text: []byte(texts[0]), Pretty: q.Pretty}.Answer(w, r)
}

// readWhole handles GET /db: all that the visitor may read, for admins. Accounts are
// among it without their hashes, for admins alone.
func (s *server) readWhole(w http.ResponseWriter, r *http.Request, v *visit) (err error) {
	text := []byte("{")
	add := func(name, raw string) {
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(append(append(text, rows.Quote(name)...), ':'), raw...)
	}
	list := func(of []*rows.Row) string {
		texts := make([]string, len(of))
		for i, row := range of {
			texts[i] = row.Text
		}
		return string(rows.AppendList(nil, texts))
	}
	s.store.View(func(tx *db.Tx) {
		var parts []rows.Part
		if parts, err = s.store.rows.Whole(tx, v.by); err != nil {
			return
		}
		for _, part := range parts {
			switch {
			case part.Raw != "":
				add(part.Name, part.Raw)
			case part.Single && len(part.Rows) > 0:
				add(part.Name, part.Rows[0].Text)
			default:
				add(part.Name, list(part.Rows))
			}
		}
		if v.by.Admin && !s.store.plainUsers {
			from, _ := s.store.members(tx, v.caller)
			add("users", list(from.Rows))
		}
	})
	if err != nil {
		return err
	}
	return reply.Document{Status: http.StatusOK, Text: append(text, '}'), Pretty: pretty(r)}.Answer(w, r)
}

// makeCollection handles POST /db/NAME, for admins: a new collection without rows.
func (s *server) makeCollection(w http.ResponseWriter, v *visit) error {
	name := v.Names[1]
	if err := s.collections.checkName(name, !s.store.plainUsers); err != nil {
		return reply.Fail(http.StatusBadRequest, err.Error())
	}
	err := s.change(v, func(tx *db.Tx, by rows.Caller) error {
		switch {
		case !by.SignedIn:
			return &rows.Denied{SignIn: true}
		case !by.Admin:
			return errNotAdmin
		}
		return s.store.rows.Make(tx, name)
	})
	if err != nil {
		return err
	}
	return reply.Bytes(w, http.StatusCreated, []byte("[]"))
}

// change has rules run for the visitor, who is judged again with the lock held.
func (s *server) change(v *visit, rules func(tx *db.Tx, by rows.Caller) error) error {
	if v.caller == nil {
		return s.store.Update(func(tx *db.Tx) error { return rules(tx, v.by) })
	}
	return s.store.as(v.caller).Update(func(tx *db.Tx, me *user) error {
		by := v.by
		by.Admin = me.Admin
		return rules(tx, by)
	})
}

// readNew reads the body of a change to a collection, once the visitor may change
// something there.
func (s *server) readNew(w http.ResponseWriter, r *http.Request, v *visit, name string) (o rows.Object, err error) {
	s.store.View(func(tx *db.Tx) { err = s.store.rows.CheckWrite(tx, v.by, name) })
	if err != nil {
		return o, err
	}
	o, err = readObject(w, r, maxRowsBody, r.Method != http.MethodPatch)
	if _, secret := o.Get("password"); secret && name == "users" && err == nil {
		err = reply.Fail(http.StatusBadRequest, "users is a collection like any other here, and keeps no passwords: POST /register makes an account")
	}
	return o, err
}

// readObject reads a body that is an object. needed refuses no body at all.
func readObject(w http.ResponseWriter, r *http.Request, most int64, needed bool) (rows.Object, error) {
	text, err := form.ReadObject(w, r, most)
	switch {
	case err != nil:
		return rows.Object{}, err
	case text == nil && needed:
		return rows.Object{}, reply.Fail(http.StatusBadRequest, "Invalid request body: there is none; send a JSON object with Content-Type: application/json")
	case text == nil:
		return rows.Object{}, nil
	}
	o, err := rows.ParseObject(text)
	if fault, ok := errors.AsType[*rows.Error](err); ok {
		err = &rows.Error{Kind: fault.Kind, Message: "Invalid request body: " + fault.Message}
	}
	return o, err
}

// pretty reports whether the client wants an indented answer.
func pretty(r *http.Request) bool { return r.URL.Query().Has("pretty") }

// createRow handles POST: a row, the child of a row, or a single resource anew.
func (s *server) createRow(w http.ResponseWriter, r *http.Request, v *visit) error {
	name := v.Names[len(v.Names)-1]
	o, err := s.readNew(w, r, v, name)
	if err != nil {
		return err
	}
	var row *rows.Row
	err = s.change(v, func(tx *db.Tx, by rows.Caller) (err error) {
		if err := s.store.roomFor(tx, v.owner(), 1); err != nil {
			return err
		}
		switch {
		case len(v.Names) == 1:
			row, err = s.store.rows.Create(tx, by, name, o)
		case v.Names[0] == "users" && !s.store.plainUsers:
			of, err := s.store.member(tx, v.caller, v.Names[1])
			if err != nil {
				return err
			}
			id, _ := of.Field("id")
			o.Set(rows.OwnerField, id)
			row, err = s.store.rows.Create(tx, by, name, o)
			return err
		default:
			row, err = s.store.rows.CreateIn(tx, by, v.Names[0], v.Names[1], name, o)
		}
		return err
	})
	if err != nil {
		return err
	}
	at := s.origin.BaseURL(r) + s.collections.settings.prefix + "/" + url.PathEscape(name)
	if row.ID != "" {
		at += "/" + url.PathEscape(row.ID)
	}
	w.Header().Set("Location", at)
	return reply.Document{Status: http.StatusCreated, Text: []byte(row.Text), Pretty: pretty(r)}.Answer(w, r)
}

// owner is the account that a new row counts for.
func (v *visit) owner() int {
	if v.caller == nil {
		return nobody
	}
	return v.caller.user.ID
}

// changeRow handles PUT and PATCH of a row or of a single resource.
func (s *server) changeRow(w http.ResponseWriter, r *http.Request, v *visit) error {
	o, err := s.readNew(w, r, v, v.Names[0])
	if err != nil {
		return err
	}
	on, err := reply.ReadConditions(r)
	if err != nil {
		return err
	}
	id := ""
	if len(v.Names) == 2 {
		id = v.Names[1]
	}
	var row *rows.Row
	err = s.change(v, func(tx *db.Tx, by rows.Caller) (err error) {
		if r.Method == http.MethodPut {
			row, err = s.store.rows.Replace(tx, by, v.Names[0], id, o, on.Check)
		} else {
			row, err = s.store.rows.Patch(tx, by, v.Names[0], id, o, on.Check)
		}
		return err
	})
	if err != nil {
		return err
	}
	return reply.Document{Status: http.StatusOK, Text: []byte(row.Text), Pretty: pretty(r)}.Answer(w, r)
}

// deleteRow handles DELETE.
func (s *server) deleteRow(w http.ResponseWriter, r *http.Request, v *visit) error {
	on, err := reply.ReadConditions(r)
	if err != nil {
		return err
	}
	err = s.change(v, func(tx *db.Tx, by rows.Caller) error {
		_, err := s.store.rows.Delete(tx, by, v.Names[0], v.Names[1], on.Check)
		return err
	})
	if err != nil {
		return err
	}
	return reply.Bytes(w, http.StatusOK, []byte("{}"))
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
	if c.settings.prefix == "" && (slices.Contains(reservedNames, name) || rows.IsGuard(name)) {
		return fmt.Errorf("the name %q is shelf's own: rename the collection, start with -skip %s, which gives it no route, or with -prefix /data, which moves all collections there", name, name)
	}
	return nil
}
