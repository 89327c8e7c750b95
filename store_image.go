package main

import (
	"log/slog"
	"math"
	"time"
)

// An image is all that readers see of a store at one moment, and the last ids,
// for a lab to go back to. Rows never change, so it holds no more than pointers.
type image struct {
	ids    lastIDs
	users  []*user
	tokens []*tokenRecord
	items  []storedItem
	books  []*book
}

// image takes one, between two batches of changes.
func (s *store) image() *image {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return &image{
		lastIDs{s.users.lastID, s.tokens.lastID, s.items.lastID, s.books.lastID},
		s.users.rows.all(), s.tokens.rows.all(), s.items.rows.all(), s.books.rows.all(),
	}
}

// newStoreFrom is a store in memory that holds what the image does, and goes on
// from its ids: so those that were given out after it are given out again, for
// other rows. No ETag of a list is one of an earlier store's, but that of a row
// is made of the row alone. Its events begin after the number seq.
func newStoreFrom(img *image, seq int64, log *slog.Logger, now func() time.Time) *store {
	s := newStore(log, now)
	s.applyLocked(change{Op: opNext, Next: &img.ids})
	for _, u := range img.users { // first, as what they made names them
		s.applyLocked(change{Op: opPut, User: u})
	}
	for _, t := range img.tokens {
		s.applyLocked(change{Op: opPut, Token: t})
	}
	for _, row := range img.items {
		s.applyLocked(change{Op: opPut, Item: row.item()})
	}
	for _, b := range img.books {
		s.applyLocked(change{Op: opPut, Book: b})
	}
	s.seq, s.events.gone = seq, seq
	return s
}

// endEvents has all who follow the events be told that they are gone, now and
// from now on. It returns the number of the last that any of them can know.
func (s *store) endEvents() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events.gone = math.MaxInt64
	s.events.wake()
	return s.seq
}
