package main

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"

	"example.com/shelf/internal/form"
	"example.com/shelf/internal/list"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/strictjson"
	"example.com/shelf/internal/term"
)

// createItem handles POST /api/v1/items: the caller adds an item and owns it.
// With a JSON array in the body it is many, all or none.
func (s *server) createItem(w http.ResponseWriter, r *http.Request, c *caller) error {
	in, many, err := form.ReadRows[itemInput](w, r, "items", s.config.maxBatch)
	if err != nil {
		return err
	}
	items := make([]*item, len(in))
	for i, texts := range in {
		if err := texts.validate(); err != nil && many {
			return reply.Fail(http.StatusBadRequest, fmt.Sprintf("items[%d]: %s", i, err))
		} else if err != nil {
			return err
		}
		items[i] = &item{itemInput: texts, CreatedBy: c.user.ID}
	}
	if err := s.store.as(c).addItem(items...); err != nil {
		return err
	}
	rows := make([][]byte, len(items))
	var uri string
	for i, it := range items {
		uri = s.origin.BaseURL(r) + "/api/v1/items/" + strconv.Itoa(it.ID)
		rows[i] = it.wire.With("uri", uri)
	}
	if many {
		return reply.Rows(w, http.StatusCreated, "Created "+term.Count(len(items), "new item"), rows...)
	}
	w.Header().Set("Location", uri)
	w.Header().Set("ETag", items[0].wire.Tag())
	return reply.Rows(w, http.StatusCreated, "Created a new item", rows...)
}

// validate checks the texts.
func (it *itemInput) validate() error {
	switch {
	case !form.Within(it.Itemname, maxItemname):
		return reply.Fail(http.StatusBadRequest, "Invalid item name")
	case !form.Within(it.Category, maxCategory):
		return reply.Fail(http.StatusBadRequest, "Invalid category name")
	case !form.Within(it.Description, maxDescription):
		return reply.Fail(http.StatusBadRequest, "Invalid description")
	}
	return nil
}

// lengths is validate for an import: it names the field and says what is wrong.
func (it *itemInput) lengths() error {
	return cmp.Or(form.CheckLength("itemname", it.Itemname, maxItemname), form.CheckLength("category", it.Category, maxCategory), form.CheckLength("description", it.Description, maxDescription))
}

// itemList is what GET /api/v1/items can be asked. Texts are in the order of
// their code points, so capital letters come first.
var itemList = list.Spec[storedItem]{
	Filters: []string{"category", "createdby"},
	Orders: map[string]func(storedItem) list.Position{
		"id":        func(row storedItem) list.Position { return list.Position{ID: row.id()} },
		"itemname":  func(row storedItem) list.Position { return list.Position{Text: row.itemname(), ID: row.id()} },
		"category":  func(row storedItem) list.Position { return list.Position{Text: row.category(), ID: row.id()} },
		"createdon": func(row storedItem) list.Position { return list.Position{Time: row.created, ID: row.id()} },
	},
	Text: func(row storedItem) [2]string {
		return [2]string{row.itemname(), row.description()}
	},
}

// listItems handles GET /api/v1/items.
func (s *server) listItems(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q, err := itemList.Parse(r)
	if err != nil {
		return err
	}
	filter := itemFilter{category: q.Get("category")}
	if by := q.Get("createdby"); by != "" {
		id, ok := form.ID(by)
		if by != "null" && (!ok || id == 0) {
			return list.BadParameter("createdby", "must be the id of a user, or null for items whose creator is gone")
		}
		filter.createdBy = &id
	}
	known := s.store.items.Version()
	if done, err := reply.NotModified(w, r, s.listTag(known)); done || err != nil {
		return err
	}
	var items []storedItem
	scans := q.Scans() || filter.category != "" && filter.createdBy != nil
	err = s.scans.Do(r.Context(), scans, func() {
		found, total, changes := s.store.selectItems(filter, q.Range())
		if changes != known { // there are more by now
			w.Header().Set("ETag", s.listTag(changes))
		}
		items = itemList.Page(w, s.origin.BaseURL(r)+r.URL.EscapedPath(), q, found, total)
	})
	if err != nil {
		return err
	}
	return reply.List(w, http.StatusOK, "", items, func(row storedItem) string { return row.wire.Row() })
}

// listCategories handles GET /api/v1/categories.
func (s *server) listCategories(w http.ResponseWriter, r *http.Request, _ *caller) error {
	if _, err := list.ReadParameters(r); err != nil {
		return err
	}
	if done, err := reply.NotModified(w, r, s.listTag(s.store.items.Version())); done || err != nil {
		return err
	}
	var all []category
	var changes int
	if err := s.scans.Do(r.Context(), true, func() { all, changes = s.store.categories() }); err != nil {
		return err
	}
	w.Header().Set("ETag", s.listTag(changes)) // there may be more by now
	return reply.List(w, http.StatusOK, "", all, func(c category) []byte { return strictjson.Encode(c) })
}

// getItem handles GET /api/v1/items/{id}.
func (s *server) getItem(w http.ResponseWriter, r *http.Request, _ *caller, id int) error {
	row, ok := s.store.items.Row(id)
	if !ok {
		return reply.Fail(http.StatusNotFound, "Requested item does not exist")
	}
	if done, err := reply.NotModified(w, r, row.wire.Tag()); done || err != nil {
		return err
	}
	return reply.Rows(w, http.StatusOK, "", row.wire.Row())
}

// putItem handles PUT /api/v1/items/{id}: all three fields anew. It makes no
// items: their ids are the store's to give.
func (s *server) putItem(w http.ResponseWriter, r *http.Request, c *caller, id int) error {
	var in itemInput
	if err := form.Read(w, r, &in); err != nil {
		return err
	}
	if err := in.validate(); err != nil {
		return err
	}
	it, err := s.changeItem(w, r, c, id, func(it *itemInput) { *it = in })
	if err != nil {
		return err
	}
	return reply.Rows(w, http.StatusOK, "successfully updated item", it.wire.Row())
}

// mergeItem handles PATCH /api/v1/items/{id}: a JSON merge patch (RFC 7396), or a form
// with the fields to change. null would remove a field, so it is refused as blank.
func (s *server) mergeItem(w http.ResponseWriter, r *http.Request, c *caller, id int) error {
	var in struct {
		Itemname    form.Optional[string] `json:"itemname"`
		Category    form.Optional[string] `json:"category"`
		Description form.Optional[string] `json:"description"`
	}
	if err := form.Read(w, r, &in); err != nil {
		return err
	}
	edit := func(it *itemInput) {
		in.Itemname.Into(&it.Itemname)
		in.Category.Into(&it.Category)
		in.Description.Into(&it.Description)
	}
	trial := itemInput{"good", "good", "good"}
	edit(&trial)
	if err := trial.validate(); err != nil {
		return err
	}
	it, err := s.changeItem(w, r, c, id, edit)
	if err != nil {
		return err
	}
	return reply.Rows(w, http.StatusOK, "successfully updated item", it.wire.Row())
}

// changeItem has the store edit an item, and returns the new item, whose tag it sends.
// RFC 9110 §9.3.4 wants no ETag after a PUT unless the body is the row. This body holds
// the row, and without the tag an editor would have to read the row again.
func (s *server) changeItem(w http.ResponseWriter, r *http.Request, c *caller, id int, edit func(*itemInput)) (*item, error) {
	on, err := s.terms(r)
	if err != nil {
		return nil, err
	}
	it, err := s.store.as(c).changeItem(id, on, func(it *item) { edit(&it.itemInput) })
	if err == nil {
		w.Header().Set("ETag", it.wire.Tag())
	}
	return it, err
}

// itemFields are the fields of an itemInput by name.
var itemFields = map[string]func(*itemInput) *string{
	"itemname":    func(it *itemInput) *string { return &it.Itemname },
	"category":    func(it *itemInput) *string { return &it.Category },
	"description": func(it *itemInput) *string { return &it.Description },
}

// patchItem handles PATCH /api/v1/items/{id}/{field}: one field, named twice. The
// message is a member of the row, as in the tutorial.
func (s *server) patchItem(w http.ResponseWriter, r *http.Request, c *caller, id int) error {
	field := r.PathValue("field")
	text, ok := itemFields[field]
	if !ok {
		return reply.Fail(http.StatusBadRequest, "Invalid field name")
	}
	value, err := form.ReadOnly(w, r, field)
	if err != nil {
		return err
	}
	edit := func(it *itemInput) { *text(it) = value }
	trial := itemInput{"good", "good", "good"}
	if edit(&trial); trial.validate() != nil {
		return reply.Fail(http.StatusBadRequest, field+" field is invalid")
	}
	it, err := s.changeItem(w, r, c, id, edit)
	if err != nil {
		return err
	}
	return reply.Rows(w, http.StatusOK, "", it.wire.With("message", "successfully updated item "+field))
}

// deleteItem handles DELETE /api/v1/items/{id}.
func (s *server) deleteItem(w http.ResponseWriter, r *http.Request, c *caller, id int) error {
	on, err := s.terms(r)
	if err != nil {
		return err
	}
	if err := s.store.as(c).deleteItem(id, on); err != nil {
		return err
	}
	return reply.Rows(w, http.StatusOK, "", fmt.Appendf(nil, `{"id":%d,"message":"Item has been deleted"}`, id))
}

// terms are those on which a request may change a row.
func (s *server) terms(r *http.Request) (terms, error) {
	conditions, err := reply.ReadConditions(r)
	return terms{s.config.sharedWrites, conditions.Check}, err
}

// listTag is the entity tag of a list after so many changes to its rows. Lists may share
// a tag, as a tag belongs to one URL (RFC 9110 §8.8.3).
func (s *server) listTag(changes int) string {
	return `"` + s.store.Run() + "-" + strconv.Itoa(changes) + `"`
}
