package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/shelf/internal/db"
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
			return form.In("items", i, err)
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
	filters, err := s.store.itemFilters(q.Get("category"), q.Get("createdby"))
	if err != nil {
		return err
	}
	known := s.store.items.Version()
	if done, err := reply.NotModified(w, r, s.listTag(known)); done || err != nil {
		return err
	}
	var page list.Page[storedItem]
	err = s.scans.Do(r.Context(), q.Scans() || len(filters) > 1, func() { page = s.store.itemList.Find(q, filters...) })
	if err != nil {
		return err
	}
	if page.Changes != known { // there are more by now
		w.Header().Set("ETag", s.listTag(page.Changes))
	}
	page.SetHeaders(w, s.origin.BaseURL(r)+r.URL.EscapedPath(), q)
	return reply.List(w, http.StatusOK, "", page.Rows, func(row storedItem) string { return row.wire.Row() })
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
	return reply.List(w, http.StatusOK, "", slices.Values(all), func(c category) []byte { return strictjson.Encode(c) })
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
	edit(&trial)
	if refused, ok := trial.validate().(*reply.Error); ok {
		return reply.Fail(http.StatusBadRequest, field+" field is invalid", refused.Details...)
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

// An itemInput is what a client sets of an item.
type itemInput struct {
	Itemname    string `json:"itemname"`
	Category    string `json:"category"`
	Description string `json:"description"`
}

// An item is a row of the catalog, as people write and change it.
type item struct {
	ID int `json:"id"`
	itemInput
	Created   time.Time `json:"created"`             // kept to the second
	CreatedBy int       `json:"createdby,omitempty"` // a user's id; 0 once that account is deleted

	wire reply.Rendered
}

// render makes the row's JSON. It is called after every change of an item, before the
// store gets the row.
func (it *item) render() {
	b := strconv.AppendInt(append(make([]byte, 0, 512), `{"id":`...), int64(it.ID), 10)
	for i, text := range []string{it.Itemname, it.Category, it.Description} {
		b = strictjson.AppendString(append(b, itemTexts[i]...), text)
	}
	it.wire = renderRest(b, it.Created, it.CreatedBy)
}

// renderRest makes the row's JSON of what stands before its times.
func renderRest(b []byte, created time.Time, createdBy int) reply.Rendered {
	b = created.UTC().AppendFormat(append(b, `,"createdon":"`...), wireTime)
	b = created.UTC().AppendFormat(append(b, `","created_at":"`...), time.RFC3339) // which JavaScript reads
	if b = append(b, `","createdby":`...); createdBy == 0 {
		return reply.Render(append(b, `null}`...))
	}
	return reply.Render(append(strconv.AppendInt(b, int64(createdBy), 10), '}'))
}

// stored is the item as the store keeps it.
func (it *item) stored() storedItem { return storedItem{it.wire, it.Created.Unix()} }

// A storedItem is an item as the store keeps it: rendered, and what that leaves out.
// There may be a million of them, so fields are read out of the rendered row.
type storedItem struct {
	wire    reply.Rendered
	created int64 // seconds since 1970; wire stops at minutes
}

// item takes the row apart.
func (r storedItem) item() *item {
	return &item{
		ID: r.id(), itemInput: itemInput{r.itemname(), r.category(), r.description()},
		Created: time.Unix(r.created, 0).UTC(), CreatedBy: r.createdBy(), wire: r.wire,
	}
}

func (r storedItem) id() int             { return r.wire.First() }
func (r storedItem) itemname() string    { return r.wire.Text(itemTexts[:1]...) }
func (r storedItem) category() string    { return r.wire.Text(itemTexts[:2]...) }
func (r storedItem) description() string { return r.wire.Text(itemTexts...) }
func (r storedItem) createdBy() int      { return r.wire.Last() }

// itemTexts are the first members behind the id, as they are written.
var itemTexts = []string{`,"itemname":`, `,"category":`, `,"description":`}

// wireTime is how both tutorials' clients read a time: strftime's
// "%a, %d %b %Y %H:%M %p". The %p writes PM after the hours of a 24-hour clock.
const wireTime = "Mon, 02 Jan 2006 15:04 PM"

// decodeItem is the item's row of a line or of an import.
func decodeItem(text []byte, strict bool) (storedItem, error) {
	if row, ok := decodeOwn(text); ok {
		return row, nil
	}
	it, err := db.DecodeJSON[item](text, strict)
	it.render()
	return it.stored(), err
}

// decodeOwn reads a row as encoding/json writes it, with nothing escaped. Such a row
// begins as clients read it. ok is false for any other row.
func decodeOwn(text []byte) (row storedItem, ok bool) {
	l := strictjson.Scanner{Rest: text}
	l.Expect(`{"id":`)
	l.Number()
	l.SkipTexts(itemTexts)
	begin := text[:len(text)-len(l.Rest)]
	l.Expect(`,"created":`)
	created, createdBy := l.Time(), 0
	if l.Next(`,"createdby":`) {
		createdBy = l.Number()
	}
	if l.Expect(`}`); l.End() {
		row = storedItem{renderRest(append(make([]byte, 0, 512), begin...), created, createdBy), created.Unix()}
	}
	return row, l.End()
}

// addItems declares the items.
func (s *store) addItems() {
	s.items = db.Add(s.DB, db.Schema[storedItem]{
		Name: "item", Plural: "items", KeysSuffice: true,
		ID:     storedItem.id,
		Append: func(b []byte, row storedItem) []byte { return append(b, strictjson.Encode(row.item())...) },
		Decode: decodeItem,
		Times:  func(row storedItem) []time.Time { return []time.Time{time.Unix(row.created, 0).UTC()} },
		Valid:  func(row storedItem) error { return row.item().lengths() },
		Event:  db.EventsOf("item"),
		Show:   func(row storedItem) string { return row.wire.Row() },
	})
	s.itemsOf = db.NewMulti(s.items, storedItem.createdBy)
	s.itemsIn = db.NewMulti(s.items, storedItem.category)
	s.itemList = list.Of(s.DB, s.items, itemList)
	db.Reference(s.itemsOf, s.users, func(row storedItem) storedItem {
		it := row.item()
		it.CreatedBy = 0
		it.render()
		return it.stored()
	})
}

// itemFilters are the filters of a list of items, by the texts of their parameters, ""
// for any.
func (s *store) itemFilters(category, createdBy string) (filters []list.Filter, err error) {
	if category != "" {
		filters = append(filters, func(tx *db.Tx) db.IDs { return s.itemsIn.IDs(tx, category) })
	}
	if createdBy != "" {
		id, ok := form.ID(createdBy)
		if createdBy != "null" && (!ok || id == 0) {
			return nil, list.BadParameter("createdby", "type", "must be the id of a user, or null for items whose creator is gone")
		}
		filters = append(filters, func(tx *db.Tx) db.IDs { return s.itemsOf.IDs(tx, id) })
	}
	return filters, nil
}

// A category is one that items have, and how many have it.
type category struct {
	Name  string `json:"category"`
	Items int    `json:"items"`
}

// categories returns the categories by name, and the number of changes to items
// that they show.
func (s *store) categories() (all []category, changes int) {
	all = []category{}
	s.View(func(tx *db.Tx) {
		changes = s.items.Changes(tx)
		for name, items := range s.itemsIn.Keys(tx) {
			all = append(all, category{name, items})
		}
	})
	slices.SortFunc(all, func(a, b category) int { return strings.Compare(a.Name, b.Name) })
	return all, changes
}

// addItem gives items their ids and their time, and stores them, all or none. It
// fails with tooManyRows.
func (s acting) addItem(items ...*item) error {
	return s.Update(func(tx *db.Tx, _ *user) error {
		if err := s.roomFor(tx, items[0].CreatedBy, len(items)); err != nil {
			return err
		}
		s.putNewItems(tx, items)
		return nil
	})
}

func (s *store) putNewItems(tx *db.Tx, items []*item) {
	for _, it := range items {
		it.fresh(s.items.NewID(tx), s.now())
		s.items.Put(tx, it.stored())
	}
}

// fresh makes it a new item.
func (it *item) fresh(id int, now time.Time) {
	it.ID, it.Created = id, now.UTC().Truncate(time.Second)
	it.render()
}

// changeItem stores what edit makes of a copy of the item, and returns that. It
// fails with errNoItem, errNotOwner or as the terms do.
func (s acting) changeItem(id int, on terms, edit func(*item)) (it *item, err error) {
	err = s.Update(func(tx *db.Tx, me *user) error {
		row, err := s.itemFor(tx, id, me, on)
		if err != nil {
			return err
		}
		it = row.item()
		edit(it)
		if it.render(); it.wire != row.wire {
			s.items.Put(tx, it.stored())
		}
		return nil
	})
	return it, err
}

// deleteItem fails with errNoItem, errNotOwner or as the terms do.
func (s acting) deleteItem(id int, on terms) error {
	return s.Update(func(tx *db.Tx, me *user) error {
		if _, err := s.itemFor(tx, id, me, on); err != nil {
			return err
		}
		s.items.Delete(tx, id)
		return nil
	})
}

// itemFor returns the item that a user wants to change, if the user may.
func (s *store) itemFor(tx *db.Tx, id int, me *user, on terms) (storedItem, error) {
	row, ok := s.items.Get(tx, id)
	if !ok {
		return row, errNoItem
	}
	return row, on.check(me, row.createdBy(), row.wire)
}
