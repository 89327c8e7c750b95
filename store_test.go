package main

import (
	"log/slog"
	"time"

	"example.com/shelf/internal/db"
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
