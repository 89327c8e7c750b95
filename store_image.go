package main

import (
	"iter"
	"log/slog"
	"math"
	"time"
)

// An image is all that readers see of a store at one moment, and the last ids.
// Rows never change, so it holds no more than pointers.
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

// changes yields what makes all of it out of nothing: the last ids, then the
// rows, users first as the others name them.
func (img *image) changes() iter.Seq[change] {
	return func(yield func(change) bool) {
		if !yield(change{Op: opNext, Next: &img.ids}) {
			return
		}
		for _, u := range img.users {
			if !yield(change{Op: opPut, User: u}) {
				return
			}
		}
		for _, t := range img.tokens {
			if !yield(change{Op: opPut, Token: t}) {
				return
			}
		}
		for _, row := range img.items {
			if !yield(change{Op: opPut, Item: row.item()}) {
				return
			}
		}
		for _, b := range img.books {
			if !yield(change{Op: opPut, Book: b}) {
				return
			}
		}
	}
}

// rows is how many there are.
func (img *image) rows() int {
	return len(img.users) + len(img.tokens) + len(img.items) + len(img.books)
}

// newStoreFrom is a store in memory that holds what the image does, and goes on
// from its ids: so those that were given out after it are given out again, for
// other rows. No ETag of a list is one of an earlier store's, but that of a row
// is made of the row alone. Its events begin after the number seq.
func newStoreFrom(img *image, seq int64, log *slog.Logger, now func() time.Time) *store {
	s := newStore(log, now)
	for c := range img.changes() {
		s.applyLocked(c)
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
