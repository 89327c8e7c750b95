package main

import (
	"fmt"
	"strconv"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/strictjson"
)

// A book is a row of the library.
type book struct {
	ID        int    `json:"id"`
	Title     string `json:"title"` // unique
	Author    string `json:"author"`
	CreatedBy int    `json:"createdby,omitempty"` // a user's id; 0 once that account is deleted

	wire reply.Rendered
}

func (b *book) render() {
	w := make([]byte, 0, 48+len(b.Title)+len(b.Author)+reply.TagLength)
	w = strconv.AppendInt(append(w, `{"id":`...), int64(b.ID), 10)
	w = strictjson.AppendString(append(w, `,"title":`...), b.Title)
	w = strictjson.AppendString(append(w, `,"author":`...), b.Author)
	b.wire = reply.Render(append(w, '}'))
}

// addBooks declares the books.
func (s *store) addBooks() {
	s.books = db.Add(s.DB, db.Schema[*book]{
		Name: "book", Plural: "books",
		ID: func(b *book) int { return b.ID },
		Decode: func(text []byte, strict bool) (*book, error) {
			b, err := db.DecodeJSON[*book](text, strict)
			if err == nil {
				b.render()
			}
			return b, err
		},
		Valid: (*book).validate,
		Event: eventOf("book"),
		Show:  func(b *book) string { return b.wire.Row() },
	})
	s.byTitle = db.NewUnique(s.books, "title", func(b *book) (string, bool) { return b.Title, true })
	s.booksOf = db.NewMulti(s.books, func(b *book) int { return b.CreatedBy })
	db.Reference(s.booksOf, s.users, func(b *book) *book {
		orphan := *b
		orphan.CreatedBy = 0 // which clients don't see
		return &orphan
	})
}

// book returns the book of that id, or errNoBook.
func (s *store) book(id int) (b *book, err error) {
	ok := false
	s.View(func(tx *db.Tx) { b, ok = s.books.Get(tx, id) })
	if !ok {
		return nil, errNoBook
	}
	return b, nil
}

// bookChanges is how often books have changed since the start.
func (s *store) bookChanges() (n int) {
	s.View(func(tx *db.Tx) { n = s.books.Changes(tx) })
	return n
}

// selectBooks returns the books in a range of ids, the number of all books, and
// the number of changes that they show.
func (s *store) selectBooks(r db.Range) (rows []*book, total, changes int) {
	s.View(func(tx *db.Tx) { rows, total, changes = s.books.Range(tx, r), s.books.Len(tx), s.books.Changes(tx) })
	return rows, total, changes
}

// addBook gives b its id and stores it. It fails with errTitleTaken, or with
// errNoUser if its creator has gone.
func (s *store) addBook(b *book) error {
	return s.Update(func(tx *db.Tx) error {
		if _, ok := s.users.Get(tx, b.CreatedBy); !ok {
			return errNoUser
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

// deleteBook fails with errNoBook, errNotOwner or as by expects.
func (s *store) deleteBook(id int, by actor) error {
	return s.Update(func(tx *db.Tx) error {
		b, ok := s.books.Get(tx, id)
		if !ok {
			return errNoBook
		}
		if err := by.check(b.CreatedBy, b.wire); err != nil {
			return err
		}
		s.books.Delete(tx, id)
		return nil
	})
}

// addAll adds items and books made by nobody, in one batch. It fails with
// errTitleTaken, wrapped in the book's place.
func (s *store) addAll(items []*item, books []*book) error {
	return s.Update(func(tx *db.Tx) error {
		s.putNewItems(tx, items)
		for i, b := range books {
			if err := s.putNewBook(tx, b); err != nil {
				return fmt.Errorf("books[%d]: %w", i, err)
			}
		}
		return nil
	})
}
