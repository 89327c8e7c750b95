package main

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/token"
)

var quiet = slog.New(slog.DiscardHandler)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	dataFile = "shelf.jsonl"
	putUser1 = `"op":"put","user":{"id":1,"public_id":"p1","username":"ann","email":"ann@example.com","created":"2026-11-22T12:00:00Z"}`
)

// allItems returns every item, by id.
func (s *store) allItems() []*item {
	rows, _, _ := s.selectItems(itemFilter{}, db.Range{})
	var items []*item
	for _, row := range rows {
		items = append(items, row.item())
	}
	return items
}

// allBooks returns every book, by id.
func (s *store) allBooks() []*book {
	books, _, _ := s.selectBooks(db.Range{})
	return books
}

// guardStore is a store in memory with one account.
func guardStore(t *testing.T) (*store, *user, *guardClock) {
	t.Helper()
	clock := &guardClock{at: tokenNow}
	st := newStore(slog.New(slog.DiscardHandler), clock.now)
	u := &user{PublicID: "ann", Username: "ann", Created: tokenNow}
	if err := st.signUp(u); err != nil {
		t.Fatal(err)
	}
	return st, u, clock
}

// guardSignIn records a sign-in whose tokens last an hour and a day.
func guardSignIn(t *testing.T, st *store, u *user) (access, refresh *tokenRecord) {
	t.Helper()
	access = &tokenRecord{JTI: token.NewUUID(), Type: token.Access, Expires: st.now().Add(time.Hour)}
	refresh = &tokenRecord{JTI: token.NewUUID(), Type: token.Refresh, Expires: st.now().Add(24 * time.Hour)}
	if err := st.signIn(u, "", access, refresh); err != nil {
		t.Fatal(err)
	}
	return access, refresh
}

func guardRefresh(t *testing.T, st *store, by *tokenRecord) *tokenRecord {
	t.Helper()
	access := &tokenRecord{JTI: token.NewUUID(), Type: token.Access, Expires: st.now().Add(time.Hour)}
	if err := st.refresh(by, access); err != nil {
		t.Fatal(err)
	}
	return access
}

// guardRecords is how many records the account has, and which of some are among
// them.
func guardRecords(st *store, u *user, some ...*tokenRecord) (n int, has []bool) {
	for _, t := range some {
		_, record := st.userWithToken(u.PublicID, t.JTI)
		has = append(has, record != nil)
	}
	st.View(func(tx *db.Tx) { n = len(st.tokensOf.Rows(tx, u.ID)) })
	return n, has
}

func TestTokenRecordsAreLimited(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   func(t *testing.T, st *store, u *user, clock *guardClock) []*tokenRecord
		want int
		has  string // of those that do returned
	}{
		{"a thousand records may be", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			first, refresh := guardSignIn(t, st, u)
			for range 499 {
				guardSignIn(t, st, u)
			}
			return []*tokenRecord{first, refresh}
		}, 1000, "[true true]"},
		{"the next sign-in ends the oldest, whole", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			first, refresh := guardSignIn(t, st, u)
			second, _ := guardSignIn(t, st, u)
			for range 498 {
				guardSignIn(t, st, u)
			}
			last, _ := guardSignIn(t, st, u)
			return []*tokenRecord{first, refresh, second, last}
		}, 1000, "[false false true true]"},
		{"a sign-in is as old as its beginning, whenever it was refreshed", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			_, refresh := guardSignIn(t, st, u)
			second, _ := guardSignIn(t, st, u)
			for range 497 {
				guardSignIn(t, st, u)
			}
			young := guardRefresh(t, st, refresh)
			guardRefresh(t, st, refresh)
			guardSignIn(t, st, u)
			return []*tokenRecord{refresh, young, second}
		}, 998, "[false false true]"},
		{"expired ones go first", func(t *testing.T, st *store, u *user, clock *guardClock) []*tokenRecord {
			access, refresh := guardSignIn(t, st, u)
			for range 499 {
				guardSignIn(t, st, u)
			}
			clock.advance(time.Hour)
			guardSignIn(t, st, u)
			return []*tokenRecord{access, refresh}
		}, 502, "[false true]"},
		{"a refresh ends the oldest sign-in", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			_, first := guardSignIn(t, st, u)
			for range 498 {
				guardSignIn(t, st, u)
			}
			_, last := guardSignIn(t, st, u)
			return []*tokenRecord{first, last, guardRefresh(t, st, last)}
		}, 999, "[false true true]"},
		{"but not the one that it refreshes", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			access, first := guardSignIn(t, st, u)
			_, second := guardSignIn(t, st, u)
			for range 498 {
				guardSignIn(t, st, u)
			}
			return []*tokenRecord{access, first, second, guardRefresh(t, st, first)}
		}, 999, "[true true false true]"},
		{"one that fills all the room loses its oldest access tokens", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			access, refresh := guardSignIn(t, st, u)
			next := guardRefresh(t, st, refresh)
			for range 997 {
				guardRefresh(t, st, refresh)
			}
			return []*tokenRecord{access, refresh, next, guardRefresh(t, st, refresh)}
		}, 1000, "[false true true true]"},
		{"expired ones go first at a refresh too", func(t *testing.T, st *store, u *user, clock *guardClock) []*tokenRecord {
			access, first := guardSignIn(t, st, u)
			for range 499 {
				guardSignIn(t, st, u)
			}
			clock.advance(time.Hour)
			return []*tokenRecord{access, first, guardRefresh(t, st, first)}
		}, 501, "[false true true]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			st, u, clock := guardStore(t)
			other := &user{PublicID: "ben", Username: "ben"}
			if err := st.signUp(other); err != nil {
				t.Fatal(err)
			}
			theirs, _ := guardSignIn(t, st, other)
			n, has := guardRecords(st, u, tt.do(t, st, u, clock)...)
			if n != tt.want || fmt.Sprint(has) != tt.has {
				t.Errorf("%d records, of ours %v; want %d and %s", n, has, tt.want, tt.has)
			}
			if _, has := guardRecords(st, other, theirs); !has[0] {
				t.Error("another account's record is gone")
			}
		})
	}
}
