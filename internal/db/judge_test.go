package db_test

import (
	"fmt"
	"strings"
	"testing"

	"example.com/shelf/internal/db"
)

// JudgeTwice finds rules that can't run again, and lets all others be.
func TestJudgeTwice(t *testing.T) {
	t.Parallel()
	h := newHome(db.Options{})
	h.JudgeTwice(true)
	must(t, h.Update(h.addOwner("ann")))
	if err := h.Update(h.addOwner("ann")); err != errTaken {
		t.Errorf("Update = %v", err)
	}
	must(t, h.Update(h.addOwner("bob")))
	if o, ok := h.owners.Row(2); !ok || o.Name != "bob" {
		t.Errorf("the rows are %v: rules that ran twice used up an id", h.visible())
	}
	var names []string
	tried := 0
	for _, tt := range []struct {
		name, want string
		rules      func(*db.Tx) error
	}{
		{"append to what they captured", "rules gave put note 1, <nil>, and then put note 1, put note 2, <nil>", func(tx *db.Tx) error {
			names = append(names, "x")
			for i := range names {
				h.notes.Put(tx, &note{ID: i + 1, Title: fmt.Sprint(i)})
			}
			return nil
		}},
		{"count", "rules gave the key is taken, and then <nil>", func(*db.Tx) error {
			if tried++; tried > 1 {
				return nil
			}
			return errTaken
		}},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, tt.want) {
					t.Errorf("rules that %s: %s", tt.name, got)
				}
			}()
			h.Update(tt.rules)
		}()
	}
	if len(h.visible()) != 2 {
		t.Errorf("the rows are %v", h.visible())
	}
}
