package main

import (
	"errors"
	"net/http"
	"strconv"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/list"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/strictjson"
)

// A bookInput is what a client sets of a book.
type bookInput struct {
	Title  string `json:"title"` // unique
	Author string `json:"author"`
}

// A book is a row of the library.
type book struct {
	ID int `json:"id"`
	bookInput
	CreatedBy int `json:"createdby,omitempty"` // a user's id; 0 once that account is deleted

	wire reply.Rendered
}

func (b *book) render() {
	b.wire = reply.Render(strictjson.Encode(struct {
		ID int `json:"id"`
		bookInput
	}{b.ID, b.bookInput}))
}

// addBooks declares the books.
func (s *store) addBooks() {
	s.books = db.Add(s.DB, db.Schema[*book]{
		Name: "book", Plural: "books", KeysSuffice: true,
		ID: func(b *book) int { return b.ID },
		Decode: func(text []byte, strict bool) (*book, error) {
			b, err := db.DecodeJSON[*book](text, strict)
			if err == nil {
				b.render()
			}
			return b, err
		},
		Valid: (*book).lengths,
		Event: db.EventsOf("book"),
		Show:  func(b *book) string { return b.wire.Row() },
	})
	s.byTitle = db.NewUnique(s.books, "title", func(b *book) (string, bool) { return b.Title, true })
	s.booksOf = db.NewMulti(s.books, func(b *book) int { return b.CreatedBy })
	s.bookList = list.Of(s.DB, s.books, bookList)
	db.Reference(s.booksOf, s.users, func(b *book) *book {
		orphan := *b
		orphan.CreatedBy = 0 // which clients don't see
		return &orphan
	})
}

// addBook gives b its id and stores it. It fails with errTitleTaken or tooManyRows.
func (s acting) addBook(b *book) error {
	return s.Update(func(tx *db.Tx, _ *user) error {
		if err := s.roomFor(tx, b.CreatedBy, 1); err != nil {
			return err
		}
		return s.putNewBook(tx, b)
	})
}

// putNewBook gives b its id and stores it, or fails with errTitleTaken.
func (s *store) putNewBook(tx *db.Tx, b *book) error {
	if _, taken := s.byTitle.Find(tx, b.Title); taken {
		return errTitleTaken
	}
	b.ID = s.books.NewID(tx)
	b.render()
	s.books.Put(tx, b)
	return nil
}

// deleteBook fails with errNoBook, errNotOwner or as the terms do.
func (s acting) deleteBook(id int, on terms) error {
	return s.Update(func(tx *db.Tx, me *user) error {
		b, ok := s.books.Get(tx, id)
		if !ok {
			return errNoBook
		}
		if err := on.check(me, b.CreatedBy, b.wire); err != nil {
			return err
		}
		s.books.Delete(tx, id)
		return nil
	})
}

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
	if done, err := reply.NotModified(w, r, s.listTag(s.store.books.Version())); done || err != nil {
		return err
	}
	var page list.Page[*book]
	if err := s.scans.Do(r.Context(), q.Scans(), func() { page = s.store.bookList.Find(q) }); err != nil {
		return err
	}
	w.Header().Set("ETag", s.listTag(page.Changes)) // there may be more by now
	page.SetHeaders(w, s.origin.BaseURL(r)+r.URL.EscapedPath(), q)
	return reply.Array(w, http.StatusOK, `{"Books":`, page.Rows, func(b *book) string { return b.wire.Row() })
}

// getBook handles GET /bookapi/books/{id}.
func (s *server) getBook(w http.ResponseWriter, r *http.Request, _ *caller, id int) error {
	b, ok := s.store.books.Row(id)
	if !ok {
		return errNoBook
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
	if err := form.Read(w, r, &b.bookInput); err != nil {
		return err
	}
	if err := b.validate(); err != nil {
		return err
	}
	if err := s.store.as(c).addBook(&b); err != nil {
		return err
	}
	// The tutorial's client looks at neither of these.
	w.Header().Set("Location", s.origin.BaseURL(r)+"/bookapi/books/"+strconv.Itoa(b.ID))
	w.Header().Set("ETag", b.wire.Tag())
	return reply.JSON(w, http.StatusOK, message{Message: "new book created"})
}

// deleteBook handles DELETE /bookapi/books/{id}. Deleting what is not there is
// a 200 that says so, as in the tutorial; RFC 9110 §13.1.1 allows that with an
// If-Match too, as the client has what it asks for.
func (s *server) deleteBook(w http.ResponseWriter, r *http.Request, c *caller) error {
	id, ok := form.ID(r.PathValue("id"))
	on, err := s.terms(r)
	if err != nil {
		return err
	}
	err = errNoBook
	if ok {
		err = s.store.as(c).deleteBook(id, on)
	}
	if errors.Is(err, errNoBook) {
		return reply.JSON(w, http.StatusOK, message{Message: "book does not exist"})
	}
	if err != nil {
		return err
	}
	return reply.JSON(w, http.StatusOK, message{Message: "Book deleted"})
}
