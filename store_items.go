package main

import (
	"bytes"
	"encoding/json"
	"strconv"
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

func (s *store) putItemLocked(it *item) {
	decided := it
	if _, ok := s.users.rows.get(it.CreatedBy); it.CreatedBy != 0 && !ok {
		// Its creator was deleted between the decision and now.
		orphan := *it
		orphan.CreatedBy = 0
		orphan.render()
		it = &orphan
	}
	s.items.putInstead(it.ID, it, decided)
	if it.CreatedBy != 0 {
		if s.itemsOf[it.CreatedBy] == nil {
			s.itemsOf[it.CreatedBy] = &sorted[*item]{}
		}
		s.itemsOf[it.CreatedBy].put(it.ID, it)
	}
}

func (s *store) deleteItemLocked(id int) {
	it, ok := s.items.rows.get(id)
	if !ok {
		return
	}
	s.items.delete(id)
	if made := s.itemsOf[it.CreatedBy]; made != nil {
		made.remove(id)
		if made.len() == 0 {
			delete(s.itemsOf, it.CreatedBy)
		}
	}
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

// allItems returns every item, by id.
func (s *store) allItems() []*item {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.items.rows.all()
}

// addItem gives it its id and its time, and stores it. It fails with errNoUser
// if its creator has gone.
func (s *store) addItem(it *item) error {
	return s.write(func() ([]change, error) {
		if s.users.latest(it.CreatedBy) == nil {
			return nil, errNoUser
		}
		it.ID, it.Created = s.items.next(), s.now().UTC().Truncate(time.Second)
		it.render()
		return []change{{Op: opPut, Item: it}}, nil
	})
}

// changeItem stores what edit makes of a copy of the item, and returns that. It
// fails with errNoItem or errNotOwner.
func (s *store) changeItem(id int, by actor, edit func(*item)) (*item, error) {
	var row item
	err := s.write(func() ([]change, error) {
		it := s.items.latest(id)
		if it == nil {
			return nil, errNoItem
		}
		if !by.may(it.CreatedBy) {
			return nil, errNotOwner
		}
		row = *it
		edit(&row)
		row.render()
		return []change{{Op: opPut, Item: &row}}, nil
	})
	return &row, err
}

// deleteItem fails with errNoItem or errNotOwner.
func (s *store) deleteItem(id int, by actor) error {
	return s.write(func() ([]change, error) {
		it := s.items.latest(id)
		if it == nil {
			return nil, errNoItem
		}
		if !by.may(it.CreatedBy) {
			return nil, errNotOwner
		}
		return []change{{Op: opDelete, Kind: "item", ID: id}}, nil
	})
}
