package main

import (
	"strconv"

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

func (s *store) putBookLocked(b *book) {
	if _, ok := s.users.rows.get(b.CreatedBy); b.CreatedBy != 0 && !ok {
		// Its creator was deleted between the decision and now.
		orphan := *b
		orphan.CreatedBy = 0
		b = &orphan
	}
	if old, ok := s.books.rows.get(b.ID); ok {
		delete(s.byTitle, old.Title)
	}
	s.books.put(b.ID, b)
	s.byTitle[b.Title] = b
}

func (s *store) deleteBookLocked(id int) {
	b, ok := s.books.rows.get(id)
	if !ok {
		return
	}
	s.books.delete(id)
	delete(s.byTitle, b.Title)
}

// book returns the book of that id, or errNoBook.
func (s *store) book(id int) (*book, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, ok := s.books.rows.get(id)
	if !ok {
		return nil, errNoBook
	}
	return b, nil
}

// bookChanges is how often books have changed since the start.
func (s *store) bookChanges() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.books.changes
}

// selectBooks returns the books in a stretch of ids, the number of all books, and
// the number of changes that they show.
func (s *store) selectBooks(p stretch) (rows []*book, total, changes int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.books.rows.stretch(p), s.books.rows.len(), s.books.changes
}

// titleTakenLocked reports whether another book than that of id has the title,
// now or soon.
func (s *store) titleTakenLocked(title string, id int) bool {
	if b := s.byTitle[title]; b != nil && b.ID != id {
		if b = s.books.latest(b.ID); b != nil && b.Title == title {
			return true
		}
	}
	for _, w := range s.books.waiting {
		if b := w.row; b != nil && b.ID != id && b.Title == title {
			return true
		}
	}
	return false
}

// addBook gives b its id and stores it. It fails with errTitleTaken, or with
// errNoUser if its creator has gone.
func (s *store) addBook(b *book) error {
	return s.write(func() ([]change, error) {
		if s.users.latest(b.CreatedBy) == nil {
			return nil, errNoUser
		}
		if s.titleTakenLocked(b.Title, 0) {
			return nil, errTitleTaken
		}
		b.ID = s.books.next()
		b.render()
		return []change{{Op: opPut, Book: b}}, nil
	})
}

// deleteBook fails with errNoBook, errNotOwner or as by expects.
func (s *store) deleteBook(id int, by actor) error {
	return s.write(func() ([]change, error) {
		b := s.books.latest(id)
		if b == nil {
			return nil, errNoBook
		}
		if err := by.check(b.CreatedBy, b.wire); err != nil {
			return nil, err
		}
		return []change{{Op: opDelete, Kind: "book", ID: id}}, nil
	})
}
