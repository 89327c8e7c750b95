package main

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// createItem handles POST /api/v1/items: the caller adds an item and owns it.
func (s *server) createItem(w http.ResponseWriter, r *http.Request, c *caller) error {
	it := item{CreatedBy: c.user.ID}
	if _, err := readBody(w, r, fields{"itemname": &it.Itemname, "category": &it.Category, "description": &it.Description}); err != nil {
		return err
	}
	if err := it.validate(); err != nil {
		return err
	}
	if err := s.store.addItem(&it); err != nil {
		return err
	}
	uri := s.baseURL(r) + "/api/v1/items/" + strconv.Itoa(it.ID)
	w.Header().Set("Location", uri)
	row := append([]byte(nil), it.wire[:len(it.wire)-1]...)
	row = append(appendJSONString(append(row, `,"uri":`...), uri), '}')
	return writeRows(w, http.StatusCreated, "Created a new item", row)
}

// validate checks the fields that a client sets.
func (it *item) validate() error {
	switch {
	case !within(it.Itemname, maxItemname):
		return fail(http.StatusBadRequest, "Invalid item name")
	case !within(it.Category, maxCategory):
		return fail(http.StatusBadRequest, "Invalid category name")
	case !within(it.Description, maxDescription):
		return fail(http.StatusBadRequest, "Invalid description")
	}
	return nil
}

// baseURL is the address that the client used.
func (s *server) baseURL(r *http.Request) string {
	if r.TLS != nil || s.forwardedHTTPS(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// listItems handles GET /api/v1/items.
func (s *server) listItems(w http.ResponseWriter, r *http.Request, _ *caller) error {
	items := s.store.allItems()
	rows := make([][]byte, len(items))
	for i, it := range items {
		rows[i] = it.wire
	}
	return writeRows(w, http.StatusOK, "", rows...)
}

// getItem handles GET /api/v1/items/{id}.
func (s *server) getItem(w http.ResponseWriter, r *http.Request, _ *caller) error {
	id, err := itemID(r)
	if err != nil {
		return err
	}
	it, err := s.store.item(id)
	if errors.Is(err, errNoItem) {
		return fail(http.StatusNotFound, "Requested item does not exist")
	}
	if err != nil {
		return err
	}
	return writeRows(w, http.StatusOK, "", it.wire)
}

// itemID reads the path's id.
func itemID(r *http.Request) (int, error) {
	id, ok := parseID(r.PathValue("id"))
	if !ok {
		return 0, fail(http.StatusBadRequest, "Item ID should be an integer")
	}
	return id, nil
}

// patchItem handles PATCH /api/v1/items/{id}/{field}: one field, named twice.
func (s *server) patchItem(w http.ResponseWriter, r *http.Request, c *caller) error {
	id, err := itemID(r)
	if err != nil {
		return err
	}
	var (
		field = r.PathValue("field")
		limit int
		set   func(*item, string)
	)
	switch field {
	case "itemname":
		limit, set = maxItemname, func(it *item, v string) { it.Itemname = v }
	case "category":
		limit, set = maxCategory, func(it *item, v string) { it.Category = v }
	case "description":
		limit, set = maxDescription, func(it *item, v string) { it.Description = v }
	default:
		return fail(http.StatusBadRequest, "Invalid field name")
	}
	var value *string
	unknown, err := readBody(w, r, fields{field: &value})
	if err != nil || len(unknown) > 0 || value == nil {
		only := fmt.Sprintf("Invalid input data. Only %s field should be provided", field)
		refused := &apiError{status: http.StatusBadRequest, message: only, err: err}
		if fault, ok := errors.AsType[*apiError](err); ok {
			refused.status = fault.status // 413 and 415 stay what they are
		}
		return refused
	}
	if !within(*value, limit) {
		return fail(http.StatusBadRequest, field+" field is invalid")
	}
	it, err := s.store.changeItem(id, s.actor(c), func(it *item) { set(it, *value) })
	if err != nil {
		return err
	}
	return writeRows(w, http.StatusOK, "successfully updated item "+field, it.wire)
}

// deleteItem handles DELETE /api/v1/items/{id}.
func (s *server) deleteItem(w http.ResponseWriter, r *http.Request, c *caller) error {
	id, err := itemID(r)
	if err != nil {
		return err
	}
	if err := s.store.deleteItem(id, s.actor(c)); err != nil {
		return err
	}
	return writeRows(w, http.StatusOK, "", fmt.Appendf(nil, `{"id":%d,"message":"Item has been deleted"}`, id))
}

// actor is the caller as the store's rules of ownership see it.
func (s *server) actor(c *caller) actor {
	return actor{id: c.user.ID, all: c.user.Admin || s.config.sharedWrites}
}

// writeRows answers in the catalog's way, {"status":…,"message":…,"data":[…]},
// with rows that are JSON already. No message is no member.
func writeRows(w http.ResponseWriter, status int, message string, rows ...[]byte) error {
	size := 48 + len(message) + len(rows)
	for _, row := range rows {
		size += len(row)
	}
	b := make([]byte, 0, size)
	b = strconv.AppendInt(append(b, `{"status":`...), int64(status), 10)
	if message != "" {
		b = appendJSONString(append(b, `,"message":`...), message)
	}
	b = append(b, `,"data":[`...)
	for i, row := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, row...)
	}
	return writeBytes(w, status, append(b, ']', '}', '\n'))
}

// writeBytes answers with JSON that is rendered already.
func writeBytes(w http.ResponseWriter, status int, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // an error means that the client has gone; there is nobody left to tell
	return nil
}
