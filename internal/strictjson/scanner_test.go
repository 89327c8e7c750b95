package strictjson

import (
	"encoding/json"
	"testing"
)

// BenchmarkTexts compares Texts with encoding/json, for the last of three texts.
func BenchmarkTexts(b *testing.B) {
	const text = `,"itemname":"Item number 1","category":"Category 7","description":"A plain description of this item, as long as most are.","createdby":1}`
	b.Run("Texts", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if Texts(text, `,"itemname":`, `,"category":`, `,"description":`) == "" {
				b.Fatal("no text")
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		row := []byte("{" + text[1:])
		b.ReportAllocs()
		for b.Loop() {
			var r struct{ Description string }
			if json.Unmarshal(row, &r) != nil || r.Description == "" {
				b.Fatal("no text")
			}
		}
	})
}

// BenchmarkScanner compares a Scanner with encoding/json, for a row of a data file.
func BenchmarkScanner(b *testing.B) {
	row := []byte(`{"id":1,"itemname":"Item number 1","category":"Category 7","description":"A plain description of this item, as long as most are.","created":"2026-11-22T12:00:00Z"}`)
	names := []string{`,"itemname":`, `,"category":`, `,"description":`}
	b.Run("Scanner", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s := Scanner{Rest: row}
			s.Expect(`{"id":`)
			s.Number()
			s.SkipTexts(names)
			s.Expect(`,"created":`)
			s.Time()
			s.Expect(`}`)
			if !s.End() {
				b.Fatal("not as expected")
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var r struct {
				ID                              int
				Itemname, Category, Description string
				Created                         string
			}
			if err := json.Unmarshal(row, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
