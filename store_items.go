package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An item is a row of the catalog.
type item struct {
	ID          int       `json:"id"`
	Itemname    string    `json:"itemname"`
	Category    string    `json:"category"`
	Description string    `json:"description"`
	Created     time.Time `json:"created"`
	CreatedBy   int       `json:"createdby,omitempty"` // a user's id; 0 once that account is deleted

	wire []byte // the row as clients read it: rendered once, when it changes
}

// render makes the row's JSON. Who makes or changes an item calls it before
// the store gets the row.
func (it *item) render() {
	b := make([]byte, 0, 128+len(it.Itemname)+len(it.Category)+len(it.Description))
	b = strconv.AppendInt(append(b, `{"id":`...), int64(it.ID), 10)
	b = appendJSONString(append(b, `,"itemname":`...), it.Itemname)
	b = appendJSONString(append(b, `,"category":`...), it.Category)
	b = appendJSONString(append(b, `,"description":`...), it.Description)
	b = it.Created.UTC().AppendFormat(append(b, `,"createdon":"`...), wireTime)
	b = append(b, `","createdby":`...)
	if it.CreatedBy == 0 {
		b = append(b, `null}`...)
	} else {
		b = append(strconv.AppendInt(b, int64(it.CreatedBy), 10), '}')
	}
	it.wire = b
}

// wireTime is how both tutorials' clients read a time: strftime's
// "%a, %d %b %Y %H:%M %p", of which the %p says PM after a 24-hour clock.
const wireTime = "Mon, 02 Jan 2006 15:04 PM"

// appendJSONString appends s as a JSON string (RFC 8259 §7).
func appendJSONString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			var quoted bytes.Buffer
			enc := json.NewEncoder(&quoted)
			enc.SetEscapeHTML(false)
			enc.Encode(s) // a string can't fail
			return append(b, bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// An itemIndex is the items that have something in common, by that.
type itemIndex[K comparable] map[K]*sorted[*item]

func (x itemIndex[K]) put(key K, it *item) {
	if x[key] == nil {
		x[key] = &sorted[*item]{}
	}
	x[key].put(it.ID, it)
}

func (x itemIndex[K]) remove(key K, id int) {
	if x[key].remove(id); x[key].len() == 0 {
		delete(x, key)
	}
}

// of returns the items of that key, if only to read them.
func (x itemIndex[K]) of(key K) *sorted[*item] {
	if rows, ok := x[key]; ok {
		return rows
	}
	return &sorted[*item]{}
}

func (s *store) putItemLocked(it *item) {
	decided := it
	if _, ok := s.users.rows.get(it.CreatedBy); it.CreatedBy != 0 && !ok {
		// Its creator was deleted between the decision and now.
		orphan := *it
		orphan.CreatedBy = 0
		orphan.render()
		it = &orphan
	}
	if old, ok := s.items.rows.get(it.ID); ok && (old.Category != it.Category || old.CreatedBy != it.CreatedBy) {
		s.unindexItemLocked(old)
	}
	if same, ok := s.itemsIn[it.Category]; ok {
		it.Category = same.runs[0].rows[0].Category // the same text, kept once for all rows
	}
	s.items.putInstead(it.ID, it, decided)
	s.itemsOf.put(it.CreatedBy, it)
	s.itemsIn.put(it.Category, it)
}

// unindexItemLocked takes a visible item out of the indexes.
func (s *store) unindexItemLocked(it *item) {
	s.itemsOf.remove(it.CreatedBy, it.ID)
	s.itemsIn.remove(it.Category, it.ID)
}

func (s *store) deleteItemLocked(id int) {
	it, ok := s.items.rows.get(id)
	if !ok {
		return
	}
	s.items.delete(id)
	s.unindexItemLocked(it)
}

// item returns the item of that id, or errNoItem.
func (s *store) item(id int) (*item, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	it, ok := s.items.rows.get(id)
	if !ok {
		return nil, errNoItem
	}
	return it, nil
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
func (s *store) selectItems(f itemFilter, p stretch) (rows []*item, total, changes int) {
	s.mu.RLock()
	from := &s.items.rows
	if f.category != "" {
		from = s.itemsIn.of(f.category)
	}
	if f.createdBy != nil {
		if of := s.itemsOf.of(*f.createdBy); f.category == "" || of.len() < from.len() {
			from = of
		}
	}
	if f.category == "" || f.createdBy == nil {
		defer s.mu.RUnlock()
		return from.stretch(p), from.len(), s.items.changes
	}
	rows, changes = from.stretch(stretch{desc: p.desc}), s.items.changes
	s.mu.RUnlock()
	rows = slices.DeleteFunc(rows, func(it *item) bool {
		return it.Category != f.category || it.CreatedBy != *f.createdBy
	})
	return rows, len(rows), changes
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
	for name, items := range s.itemsIn {
		all = append(all, category{name, items.len()})
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
	var row item
	err := s.write(func() ([]change, error) {
		it := s.items.latest(id)
		if it == nil {
			return nil, errNoItem
		}
		if err := by.check(it.CreatedBy, it.wire); err != nil {
			return nil, err
		}
		row = *it
		edit(&row)
		row.render()
		return []change{{Op: opPut, Item: &row}}, nil
	})
	return &row, err
}

// deleteItem fails with errNoItem, errNotOwner or as by expects.
func (s *store) deleteItem(id int, by actor) error {
	return s.write(func() ([]change, error) {
		it := s.items.latest(id)
		if it == nil {
			return nil, errNoItem
		}
		if err := by.check(it.CreatedBy, it.wire); err != nil {
			return nil, err
		}
		return []change{{Op: opDelete, Kind: "item", ID: id}}, nil
	})
}
