package rows

import (
	"errors"
	"net/http"
	"net/url"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/reply"
)

// maxBody is how many bytes a body may have.
const maxBody = 10 << 20

// AnswerOptions answers OPTIONS for any path of the collections.
func AnswerOptions(w http.ResponseWriter) error {
	w.Header().Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Answer answers a visit to a collection.
func (s Service) Answer(w http.ResponseWriter, r *http.Request, v *Visit) error {
	reads := isRead(r)
	names := v.Names
	switch {
	case r.Method == http.MethodPost && r.Header["X-Http-Method-Override"] != nil:
		return reply.Fail(http.StatusBadRequest, "X-HTTP-Method-Override has no effect here: send the request with the method itself")
	case reads && len(names) == 2:
		return s.ReadRow(w, r, v, names[0], names[1])
	case reads:
		return s.ReadList(w, r, v)
	case r.Method == http.MethodPost && len(names) != 2:
		return s.createRow(w, r, v)
	case r.Method == http.MethodDelete && len(names) == 2:
		return s.deleteRow(w, r, v)
	case (r.Method == http.MethodPut || r.Method == http.MethodPatch) && len(names) < 3:
		return s.changeRow(w, r, v)
	}
	return ErrNoCollection
}

// AnswerWhole answers a visit to /db and what is below it.
func (s Service) AnswerWhole(w http.ResponseWriter, r *http.Request, v *Visit) error {
	switch {
	case len(v.Names) == 1 && isRead(r):
		return s.readWhole(w, r, v)
	case len(v.Names) == 2 && r.Method == http.MethodPost:
		return s.makeCollection(w, v)
	}
	return ErrNoCollection
}

func isRead(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// ReadList answers with a list, with the children of a row, or with a single resource.
func (s Service) ReadList(w http.ResponseWriter, r *http.Request, v *Visit) error {
	name := v.Names[len(v.Names)-1]
	var single bool
	s.DB.View(func(tx *db.Tx) {
		c, _ := s.Store.Collection(tx, name)
		single = c.Single
	})
	if single {
		return s.ReadRow(w, r, v, name, "")
	}
	var found Related
	var q *Query
	var total int
	var err error
	if busy := s.Scans.Do(r.Context(), v.Query != "", func() { q, found, total, err = s.query(v, name) }); busy != nil {
		return busy
	}
	if err != nil {
		return err
	}
	q.SetHeaders(w.Header(), v.Shown, total)
	return reply.Document{Status: http.StatusOK, Parts: found.List(), Pretty: q.Pretty}.Answer(w, r)
}

// query asks a collection what the visitor's address asks. What looks at every row runs
// outside of the View, as no write is committed while one is open.
func (s Service) query(v *Visit, name string) (q *Query, found Related, total int, err error) {
	var from Source
	var parents []string
	s.DB.View(func(tx *db.Tx) {
		if from, err = s.source(tx, v, name); err == nil && len(v.Names) == 3 {
			parents = s.parentIDs(tx, v)
		}
	})
	if err != nil {
		return nil, found, 0, err
	}
	if q, err = ParseQuery(v.Query, s.Lenient, from.Known); err != nil {
		return nil, found, 0, err
	}
	if len(v.Names) == 3 {
		q.Require(ForeignKey(v.Names[0]), parents...)
	}
	var among Candidates
	s.DB.View(func(*db.Tx) { among = q.Narrow(from) })
	chosen, err := q.Choose(among)
	if err != nil {
		return nil, found, 0, err
	}
	s.DB.View(func(tx *db.Tx) { found, err = q.Relate(name, chosen.Rows, s.related(tx, v)) })
	return q, found, chosen.Total, err
}

// ReadRow answers with one row. The id of a single resource is "".
func (s Service) ReadRow(w http.ResponseWriter, r *http.Request, v *Visit, name, id string) error {
	q, err := ParseRowQuery(v.Query, id)
	if err != nil {
		return err
	}
	var found Related
	s.DB.View(func(tx *db.Tx) {
		var row *Row
		if s.isMembers(name) {
			row, _, err = v.Member(tx, id)
		} else {
			row, err = s.Store.Get(tx, v.By, name, id)
		}
		if err == nil {
			found, err = q.Relate(name, []*Row{row}, s.related(tx, v))
		}
	})
	if err != nil {
		return err
	}
	return reply.Document{Status: http.StatusOK, Parts: found.First(), Pretty: q.Pretty}.Answer(w, r)
}

// readWhole handles GET /db: all that the visitor may read, for admins. Accounts are
// among it without their hashes, for admins alone.
func (s Service) readWhole(w http.ResponseWriter, r *http.Request, v *Visit) (err error) {
	var parts []Part
	s.DB.View(func(tx *db.Tx) {
		if parts, err = s.Store.Whole(tx, v.By); err == nil && v.By.Admin && !s.PlainUsers {
			from, _ := v.Members(tx)
			parts = append(parts, Part{Collection: Collection{Name: "users"}, Rows: from.Rows})
		}
	})
	if err != nil {
		return err
	}
	return reply.Document{Status: http.StatusOK, Parts: wholeOf(parts), Pretty: WantsPretty(r)}.Answer(w, r)
}

// makeCollection handles POST /db/NAME, for admins: a new collection without rows.
func (s Service) makeCollection(w http.ResponseWriter, v *Visit) error {
	name := v.Names[1]
	if err := s.CheckName(name); err != nil {
		return reply.Fail(http.StatusBadRequest, err.Error())
	}
	err := v.Update(func(tx *db.Tx, by Caller) error {
		switch {
		case !by.SignedIn:
			return &Denied{SignIn: true}
		case !by.Admin:
			return s.NotAdmin
		}
		return s.Store.Make(tx, name)
	})
	if err != nil {
		return err
	}
	return reply.Bytes(w, http.StatusCreated, []byte("[]"))
}

// readNew reads the body of a change to a collection, once the visitor may change
// something there.
func (s Service) readNew(w http.ResponseWriter, r *http.Request, v *Visit, name string) (o Object, err error) {
	s.DB.View(func(tx *db.Tx) { err = s.Store.CheckWrite(tx, v.By, name) })
	if err != nil {
		return o, err
	}
	o, err = ReadObject(w, r, maxBody, r.Method != http.MethodPatch)
	if _, secret := o.Get("password"); secret && name == "users" && err == nil {
		err = reply.Fail(http.StatusBadRequest, "users is a collection like any other here, and keeps no passwords: POST /register makes an account")
	}
	return o, err
}

// ReadObject reads a body that is an object. needed refuses no body at all.
func ReadObject(w http.ResponseWriter, r *http.Request, most int64, needed bool) (Object, error) {
	text, err := form.ReadObject(w, r, most)
	switch {
	case err != nil:
		return Object{}, err
	case text == nil && needed:
		return Object{}, reply.Fail(http.StatusBadRequest, "Invalid request body: there is none; send a JSON object with Content-Type: application/json")
	case text == nil:
		return Object{}, nil
	}
	o, err := ParseObject(text)
	if fault, ok := errors.AsType[*Error](err); ok {
		err = &Error{Kind: fault.Kind, Message: "Invalid request body: " + fault.Message}
	}
	return o, err
}

// WantsPretty reports whether the client wants an indented answer.
func WantsPretty(r *http.Request) bool { return r.URL.Query().Has("pretty") }

// createRow handles POST: a row, the child of a row, or a single resource anew.
func (s Service) createRow(w http.ResponseWriter, r *http.Request, v *Visit) error {
	name := v.Names[len(v.Names)-1]
	o, err := s.readNew(w, r, v, name)
	if err != nil {
		return err
	}
	var row *Row
	err = v.Update(func(tx *db.Tx, by Caller) (err error) {
		if err := v.Room(tx); err != nil {
			return err
		}
		switch {
		case len(v.Names) == 1:
			row, err = s.Store.Create(tx, by, name, o)
		case s.isMembers(v.Names[0]):
			of, _, err := v.Member(tx, v.Names[1])
			if err != nil {
				return err
			}
			id, _ := of.Field("id")
			o.Set(OwnerField, id)
			row, err = s.Store.Create(tx, by, name, o)
			return err
		default:
			row, err = s.Store.CreateIn(tx, by, v.Names[0], v.Names[1], name, o)
		}
		return err
	})
	if err != nil {
		return err
	}
	at := v.Base + s.Prefix + "/" + url.PathEscape(name)
	if row.ID != "" {
		at += "/" + url.PathEscape(row.ID)
	}
	w.Header().Set("Location", at)
	return reply.Document{Status: http.StatusCreated, Text: row.Text, Pretty: WantsPretty(r)}.Answer(w, r)
}

// changeRow handles PUT and PATCH of a row or of a single resource.
func (s Service) changeRow(w http.ResponseWriter, r *http.Request, v *Visit) error {
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
	var row *Row
	err = v.Update(func(tx *db.Tx, by Caller) (err error) {
		if r.Method == http.MethodPut {
			row, err = s.Store.Replace(tx, by, v.Names[0], id, o, on.Check)
		} else {
			row, err = s.Store.Patch(tx, by, v.Names[0], id, o, on.Check)
		}
		return err
	})
	if err != nil {
		return err
	}
	return reply.Document{Status: http.StatusOK, Text: row.Text, Pretty: WantsPretty(r)}.Answer(w, r)
}

// deleteRow handles DELETE.
func (s Service) deleteRow(w http.ResponseWriter, r *http.Request, v *Visit) error {
	on, err := reply.ReadConditions(r)
	if err != nil {
		return err
	}
	err = v.Update(func(tx *db.Tx, by Caller) error {
		_, err := s.Store.Delete(tx, by, v.Names[0], v.Names[1], on.Check)
		return err
	})
	if err != nil {
		return err
	}
	return reply.Bytes(w, http.StatusOK, []byte("{}"))
}
