package db_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
)

// A film is a row. A row in a table never changes: an update puts another.
type film struct {
	ID    int    `json:"id"`
	Title string `json:"title"`
	Year  int    `json:"year"`
}

var errTitleTaken = errors.New("title taken")

// A cinema is a DB with one table and two indexes.
type cinema struct {
	*db.DB
	films   *db.Table[*film]
	byTitle *db.Unique[*film, string]
	ofYear  *db.Multi[*film, int]
}

func newCinema() *cinema {
	c := &cinema{DB: db.New(db.Options{Now: time.Now})}
	c.films = db.Add(c.DB, db.Schema[*film]{
		Name: "film", Plural: "films",
		ID:    func(f *film) int { return f.ID },
		Event: db.EventsOf("film"), // film.created, film.changed, film.deleted
		Show:  func(f *film) string { return fmt.Sprintf(`{"id":%d,"title":%q}`, f.ID, f.Title) },
	})
	c.byTitle = db.NewUnique(c.films, "title", func(f *film) (string, bool) { return f.Title, true })
	c.ofYear = db.NewMulti(c.films, func(f *film) int { return f.Year })
	return c
}

// addFilm is a rule: a function over a transaction that checks, then puts rows.
func (c *cinema) addFilm(f *film) error {
	return c.Update(func(tx *db.Tx) error {
		if _, taken := c.byTitle.Find(tx, f.Title); taken {
			return errTitleTaken
		}
		f.ID = c.films.NewID(tx)
		c.films.Put(tx, f)
		return nil
	})
}

// A table is declared once. Changes are rules, and reads see what is committed.
func Example() {
	c := newCinema()
	if err := c.Open(new(history.Memory)); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.addFilm(&film{Title: "Metropolis", Year: 1927}))
	fmt.Println(c.addFilm(&film{Title: "Sunrise", Year: 1927}))
	fmt.Println(c.addFilm(&film{Title: "Metropolis", Year: 2001}))
	c.View(func(tx *db.Tx) {
		for _, f := range c.ofYear.Rows(tx, 1927) {
			fmt.Println(f.ID, f.Title)
		}
	})
	// Output:
	// <nil>
	// <nil>
	// title taken
	// 1 Metropolis
	// 2 Sunrise
}

// A rule that fails changes nothing, also if it has put rows already.
func ExampleDB_Update() {
	c := newCinema()
	if err := c.Open(new(history.Memory)); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	err := c.Update(func(tx *db.Tx) error {
		c.films.Put(tx, &film{ID: c.films.NewID(tx), Title: "Nosferatu", Year: 1922})
		return errors.New("no room for it")
	})
	fmt.Println(err)
	c.View(func(tx *db.Tx) { fmt.Println(c.films.Len(tx), "films") })
	// Output:
	// no room for it
	// 0 films
}

// A follower asks for the events after the last one that it has.
func ExampleDB_EventsAfter() {
	c := newCinema()
	if err := c.Open(new(history.Memory)); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	c.addFilm(&film{Title: "Metropolis", Year: 1927})
	c.addFilm(&film{Title: "Sunrise", Year: 1927})
	events, next, _, err := c.EventsAfter(1)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range events {
		fmt.Println(e.Seq, e.Name, e.Data)
	}
	fmt.Println("next:", next)
	// Output:
	// 2 film.created {"id":2,"title":"Sunrise"}
	// next: 2
}
