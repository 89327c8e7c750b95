package main

import (
	"errors"
	"net/http"

	"example.com/shelf/internal/form"
	"example.com/shelf/internal/list"
	"example.com/shelf/internal/reply"
)

// bookList is what GET /bookapi/books can be asked.
var bookList = list.Spec[*book]{
	Orders: map[string]func(*book) list.Position{
		"id":     func(b *book) list.Position { return list.Position{ID: b.ID} },
		"title":  func(b *book) list.Position { return list.Position{Text: b.Title, ID: b.ID} },
		"author": func(b *book) list.Position { return list.Position{Text: b.Author, ID: b.ID} },
	},
	Text: func(b *book) [2]string { return [2]string{b.Title, b.Author} },
}

// listBooks handles GET /bookapi/books.
func (s *server) listBooks(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q, err := bookList.Parse(r)
	if err != nil {
		return err
	}
	if done, err := reply.NotModified(w, r, s.listTag(s.store.bookChanges())); done || err != nil {
		return err
	}
	books, total, changes := s.store.selectBooks(q.Range())
	w.Header().Set("ETag", s.listTag(changes)) // there may be more by now
	books = bookList.Page(w, s.baseURL(r)+r.URL.EscapedPath(), q, books, total)
	body := reply.AppendList([]byte(`{"Books":`), books, func(b *book) string { return b.wire.Row() })
	return reply.Bytes(w, http.StatusOK, append(body, '}', '\n'))
}

// getBook handles GET /bookapi/books/{id}. What is no number names no book.
func (s *server) getBook(w http.ResponseWriter, r *http.Request, _ *caller) error {
	id, ok := parseID(r.PathValue("id"))
	if !ok {
		return errNoBook
	}
	b, err := s.store.book(id)
	if err != nil {
		return err
	}
	if done, err := reply.NotModified(w, r, b.wire.Tag()); done || err != nil {
		return err
	}
	return reply.Bytes(w, http.StatusOK, append([]byte(b.wire.Row()), '\n'))
}

// addBook handles POST /bookapi/addbook, the tutorial's name for it, and POST
// /bookapi/books: the caller adds a book and owns it. The answer is a 200, as
// the tutorial has it.
func (s *server) addBook(w http.ResponseWriter, r *http.Request, c *caller) error {
	b := book{CreatedBy: c.user.ID}
	if _, err := form.Read(w, r, form.Fields{"title": &b.Title, "author": &b.Author}); err != nil {
		return err
	}
	if err := b.validate(); err != nil {
		return err
	}
	if err := s.store.addBook(&b); err != nil {
		return err
	}
	return reply.JSON(w, http.StatusOK, message{"new book created"})
}

// validate checks the fields that a client sets.
func (b *book) validate() error {
	if !within(b.Title, maxTitle) || !within(b.Author, maxAuthor) {
		return reply.Fail(http.StatusBadRequest, "Invalid input!")
	}
	return nil
}

// deleteBook handles DELETE /bookapi/books/{id}. Deleting what is not there is
// a 200 that says so, as in the tutorial; RFC 9110 §13.1.1 allows that with an
// If-Match too, as the client has what it asks for.
func (s *server) deleteBook(w http.ResponseWriter, r *http.Request, c *caller) error {
	id, ok := parseID(r.PathValue("id"))
	by, err := s.actor(r, c)
	if err != nil {
		return err
	}
	err = errNoBook
	if ok {
		err = s.store.deleteBook(id, by)
	}
	if errors.Is(err, errNoBook) {
		return reply.JSON(w, http.StatusOK, message{"book does not exist"})
	}
	if err != nil {
		return err
	}
	return reply.JSON(w, http.StatusOK, message{"Book deleted"})
}
