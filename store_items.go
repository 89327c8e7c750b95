package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/strictjson"
)

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

// render makes the row's JSON. Who makes or changes an item calls it before
// the store gets the row. A start renders every row: with encoding/json it takes up to
// 1.7 times as long.
func (it *item) render() {
	b := strconv.AppendInt(append(make([]byte, 0, 512), `{"id":`...), int64(it.ID), 10)
	for i, text := range []string{it.Itemname, it.Category, it.Description} {
		b = strictjson.AppendString(append(b, itemTexts[i]...), text)
	}
	created := it.Created.UTC()
	b = created.AppendFormat(append(b, `,"createdon":"`...), wireTime)
	b = created.AppendFormat(append(b, `","created_at":"`...), time.RFC3339) // which JavaScript reads
	b = append(b, `","createdby":`...)
	if it.CreatedBy == 0 {
		b = append(b, `null}`...)
	} else {
		b = append(strconv.AppendInt(b, int64(it.CreatedBy), 10), '}')
	}
	it.wire = reply.Render(b)
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
// "%a, %d %b %Y %H:%M %p", of which the %p says PM after a 24-hour clock.
const wireTime = "Mon, 02 Jan 2006 15:04 PM"

// decodeItem is the item's row of a line or of an import.
func decodeItem(text []byte, strict bool) (storedItem, error) {
	var it item
	if strict || !it.decodeOwn(text) {
		var err error
		if it, err = db.DecodeJSON[item](text, strict); err != nil {
			return storedItem{}, err
		}
	}
	it.render()
	return it.stored(), nil
}

// decodeOwn reads a row as encoding/json writes it, with nothing escaped. It returns
// false for any other row, half read. With encoding/json in its place a start takes 2.2
// times as long.
func (it *item) decodeOwn(text []byte) bool {
	l := strictjson.Scanner{Rest: text}
	l.Expect(`{"id":`)
	it.ID = l.Number()
	l.Texts(itemTexts, &it.Itemname, &it.Category, &it.Description)
	l.Expect(`,"created":`)
	it.Created = l.Time()
	if l.Next(`,"createdby":`) {
		it.CreatedBy = l.Number()
	}
	l.Expect(`}`)
	return l.End()
}

// addItems declares the items.
func (s *store) addItems() {
	s.items = db.Add(s.DB, db.Schema[storedItem]{
		Name: "item", Plural: "items",
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
	db.Reference(s.itemsOf, s.users, func(row storedItem) storedItem {
		it := row.item()
		it.CreatedBy = 0
		it.render()
		return it.stored()
	})
}

// An itemFilter names items by what they have in common. The zero value names
// them all.
type itemFilter struct {
	category  string // "" for any
	createdBy *int   // a user's id, or 0 for items made by nobody; nil for any
}

// selectItems returns the items of f in a range of ids, the number of all items of f, and
// the number of changes that they show. It costs as much as the range is long; with
// both filters, as much as the shorter of the two would give.
func (s *store) selectItems(f itemFilter, r db.Range) (rows []storedItem, total, changes int) {
	s.View(func(tx *db.Tx) {
		changes = s.items.Changes(tx)
		var filters []db.IDs
		if f.category != "" {
			filters = append(filters, s.itemsIn.IDs(tx, f.category))
		}
		if f.createdBy != nil {
			filters = append(filters, s.itemsOf.IDs(tx, *f.createdBy))
		}
		rows, total = s.items.Select(tx, r, filters...)
	})
	return rows, total, changes
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
		it.ID, it.Created = s.items.NewID(tx), s.now().UTC().Truncate(time.Second)
		it.render()
		s.items.Put(tx, it.stored())
	}
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
