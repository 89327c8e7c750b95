package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/strictjson"
)

// An item is a row of the catalog, as people write and change it.
type item struct {
	ID          int       `json:"id"`
	Itemname    string    `json:"itemname"`
	Category    string    `json:"category"`
	Description string    `json:"description"`
	Created     time.Time `json:"created"`             // kept to the second
	CreatedBy   int       `json:"createdby,omitempty"` // a user's id; 0 once that account is deleted

	wire reply.Rendered
}

// render makes the row's JSON. Who makes or changes an item calls it before
// the store gets the row.
func (it *item) render() {
	b := it.appendTexts(make([]byte, 0, 512)) // longer than most, and on the stack
	b = it.Created.UTC().AppendFormat(append(b, `,"createdon":"`...), wireTime)
	b = append(b, `","createdby":`...)
	if it.CreatedBy == 0 {
		b = append(b, `null}`...)
	} else {
		b = append(strconv.AppendInt(b, int64(it.CreatedBy), 10), '}')
	}
	it.wire = reply.Render(b)
}

// appendTo appends the item as the data file has it: what encoding/json would
// make of it, in a fifth of the time.
func (it *item) appendTo(b []byte) []byte {
	b = it.appendTexts(b)
	b = it.Created.AppendFormat(append(b, `,"created":"`...), time.RFC3339Nano)
	b = append(b, '"')
	if it.CreatedBy != 0 {
		b = strconv.AppendInt(append(b, `,"createdby":`...), int64(it.CreatedBy), 10)
	}
	return append(b, '}')
}

func (it *item) appendTexts(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"id":`...), int64(it.ID), 10)
	b = strictjson.AppendString(append(b, `,"itemname":`...), it.Itemname)
	b = strictjson.AppendString(append(b, `,"category":`...), it.Category)
	return strictjson.AppendString(append(b, `,"description":`...), it.Description)
}

// stored is the item as the store keeps it.
func (it *item) stored() storedItem { return storedItem{it.wire, it.Created.Unix()} }

// A storedItem is an item as the store keeps it: rendered, and what that leaves
// out. There may be a million of them, so nothing is there twice: what the rules
// or a list want to know is read out of the rendered row.
type storedItem struct {
	wire    reply.Rendered
	created int64 // seconds since 1970; wire stops at minutes
}

// item takes the row apart.
func (r storedItem) item() *item {
	return &item{
		ID: r.id(), Itemname: r.itemname(), Category: r.category(), Description: r.description(),
		Created: time.Unix(r.created, 0).UTC(), CreatedBy: r.createdBy(), wire: r.wire,
	}
}

// MarshalJSON is the item as the data file has it.
func (r storedItem) MarshalJSON() ([]byte, error) { return strictjson.Encode(r.item()), nil }

func (r storedItem) id() int {
	digits, _, _ := strings.Cut(string(r.wire[len(`{"id":`):]), ",")
	id, _ := strconv.Atoi(digits)
	return id
}

func (r storedItem) itemname() string { return r.text(`,"itemname":`) }
func (r storedItem) category() string { return r.text(`,"itemname":`, `,"category":`) }
func (r storedItem) description() string {
	return r.text(`,"itemname":`, `,"category":`, `,"description":`)
}

// text is what the last of the named members says. They are the first behind the
// id, in that order.
func (r storedItem) text(names ...string) string {
	var raw string
	rest := r.wire.Row()
	rest = rest[strings.IndexByte(rest, ','):]
	for _, name := range names {
		raw, rest = cutString(rest[len(name):])
	}
	if strings.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	return strictjson.Unquote([]byte(raw))
}

// cutString cuts the JSON string that text begins with from what follows it.
func cutString(text string) (raw, rest string) {
	end := 1 + strings.IndexByte(text[1:], '"')
	if strings.IndexByte(text[1:end], '\\') >= 0 {
		for end = 1; text[end] != '"'; end++ {
			if text[end] == '\\' {
				end++
			}
		}
	}
	return text[:end+1], text[end+1:]
}

// createdBy is the last number; null is no number, and so 0.
func (r storedItem) createdBy() int {
	row := r.wire.Row()
	id, _ := strconv.Atoi(row[strings.LastIndexByte(row, ':')+1 : len(row)-1])
	return id
}

// wireTime is how both tutorials' clients read a time: strftime's
// "%a, %d %b %Y %H:%M %p", of which the %p says PM after a 24-hour clock.
const wireTime = "Mon, 02 Jan 2006 15:04 PM"

// An itemIndex is the ids of the items that have something in common, by that.
type itemIndex[K comparable] map[K]*sorted[struct{}]

func (x itemIndex[K]) put(key K, id int) {
	if x[key] == nil {
		x[key] = &sorted[struct{}]{}
	}
	x[key].put(id, struct{}{})
}

func (x itemIndex[K]) remove(key K, id int) {
	if x[key].remove(id); x[key].len() == 0 {
		delete(x, key)
	}
}

// of returns the ids of that key, if only to read them.
func (x itemIndex[K]) of(key K) *sorted[struct{}] {
	if ids, ok := x[key]; ok {
		return ids
	}
	return &sorted[struct{}]{}
}

func (s *store) putItemLocked(it *item) {
	if _, ok := s.users.rows.get(it.CreatedBy); it.CreatedBy != 0 && !ok {
		// Its creator was deleted between the decision and now.
		orphan := *it
		orphan.CreatedBy = 0
		orphan.render()
		it = &orphan
	}
	old, ok := s.items.rows.get(it.ID)
	s.items.put(it.ID, it.stored())
	if ok {
		if old.category() == it.Category && old.createdBy() == it.CreatedBy {
			return
		}
		s.unindexItemLocked(it.ID, old)
	}
	category := it.Category
	if s.itemsIn[category] == nil {
		category = strings.Clone(category) // which may be a small part of a line, or of a request
	}
	s.itemsIn.put(category, it.ID)
	s.itemsOf.put(it.CreatedBy, it.ID)
}

// unindexItemLocked takes what was a visible item out of the indexes.
func (s *store) unindexItemLocked(id int, row storedItem) {
	s.itemsOf.remove(row.createdBy(), id)
	s.itemsIn.remove(row.category(), id)
}

func (s *store) deleteItemLocked(id int) {
	row, ok := s.items.rows.get(id)
	if !ok {
		return
	}
	s.items.delete(id)
	s.unindexItemLocked(id, row)
}

// item returns the item of that id, or errNoItem.
func (s *store) item(id int) (storedItem, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	row, ok := s.items.rows.get(id)
	if !ok {
		return row, errNoItem
	}
	return row, nil
}

// itemChanges is how often items have changed since the start.
func (s *store) itemChanges() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.items.changes
}

// An itemFilter names items by what they have in common. The zero value names
// them all.
type itemFilter struct {
	category  string // "" for any
	createdBy *int   // a user's id, or 0 for items made by nobody; nil for any
}

// selectItems returns the items of f in a stretch of ids, the number of all items
// of f, and the number of changes that they show. It costs as much as the
// stretch is long; with both filters, as much as the shorter of the two would give.
func (s *store) selectItems(f itemFilter, p stretch) (rows []storedItem, total, changes int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var ids *sorted[struct{}]
	if f.category != "" {
		ids = s.itemsIn.of(f.category)
	}
	if f.createdBy != nil {
		if of := s.itemsOf.of(*f.createdBy); ids == nil || of.len() < ids.len() {
			ids = of
		}
	}
	if ids == nil {
		return s.items.rows.stretch(p), s.items.rows.len(), s.items.changes
	}
	if f.category == "" || f.createdBy == nil {
		rows = make([]storedItem, 0, ids.size(p))
		for id := range ids.in(p) {
			row, _ := s.items.rows.get(id)
			rows = append(rows, row)
		}
		return rows, ids.len(), s.items.changes
	}
	for id := range ids.in(stretch{desc: p.desc}) { // all, to count them
		row, _ := s.items.rows.get(id)
		if row.category() != f.category || row.createdBy() != *f.createdBy {
			continue
		}
		total++
		if p.has(id) && (p.max == 0 || len(rows) < p.max) {
			rows = append(rows, row)
		}
	}
	return rows, total, s.items.changes
}

// A category is one that items have, and how many have it.
type category struct {
	Name  string `json:"category"`
	Items int    `json:"items"`
}

// categories returns the categories by name, and the number of changes to items
// that they show.
func (s *store) categories() (all []category, changes int) {
	s.mu.RLock()
	all, changes = make([]category, 0, len(s.itemsIn)), s.items.changes
	for name, ids := range s.itemsIn {
		all = append(all, category{name, ids.len()})
	}
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b category) int { return strings.Compare(a.Name, b.Name) })
	return all, changes
}

// addItem gives items their ids and their time, and stores them, all or none. It
// fails with errNoUser if a creator has gone.
func (s *store) addItem(items ...*item) error {
	return s.write(func() ([]change, error) {
		for _, it := range items {
			if s.users.latest(it.CreatedBy) == nil {
				return nil, errNoUser
			}
		}
		var changes []change
		for _, it := range items {
			it.ID, it.Created = s.items.next(), s.now().UTC().Truncate(time.Second)
			it.render()
			changes = append(changes, change{Op: opPut, Item: it})
		}
		return changes, nil
	})
}

// changeItem stores what edit makes of a copy of the item, and returns that. It
// fails with errNoItem, errNotOwner or as by expects.
func (s *store) changeItem(id int, by actor, edit func(*item)) (*item, error) {
	var it *item
	err := s.write(func() ([]change, error) {
		row := s.items.latest(id)
		if row == (storedItem{}) {
			return nil, errNoItem
		}
		if err := by.check(row.createdBy(), row.wire); err != nil {
			return nil, err
		}
		it = row.item()
		edit(it)
		if it.render(); it.wire == row.wire {
			return nil, nil
		}
		return []change{{Op: opPut, Item: it}}, nil
	})
	return it, err
}

// deleteItem fails with errNoItem, errNotOwner or as by expects.
func (s *store) deleteItem(id int, by actor) error {
	return s.write(func() ([]change, error) {
		row := s.items.latest(id)
		if row == (storedItem{}) {
			return nil, errNoItem
		}
		if err := by.check(row.createdBy(), row.wire); err != nil {
			return nil, err
		}
		return []change{{Op: opDelete, Kind: "item", ID: id}}, nil
	})
}
