package operator

import (
	"errors"
	"log/slog"
	"testing"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/journal/journaltest"
	"example.com/shelf/internal/livefile"
	"example.com/shelf/internal/rows"
)

// newLive is a store with what the file holds, that has shown it.
func newLive(t *testing.T, text string) *Live[int] {
	t.Helper()
	d := db.New(db.Options{Now: journaltest.Noon.UTC})
	l := &Live[int]{
		Collections: &Collections[int]{File: "db.json", Log: slog.New(slog.DiscardHandler), DB: d, Rows: rows.New(d, rows.Options{}),
			Users: func(*rows.File) ([]*int, []int, error) { return nil, nil, nil }},
		UserRows:    func(*db.Tx) []string { return nil },
		UserChanges: func(*db.Tx) (int, bool) { return 0, false },
		TakeUsers:   func(*db.Tx, *rows.File, []*int) (int, int, error) { return 0, 0, nil },
	}
	f, err := rows.ParseFile([]byte(text), rows.FileOptions{})
	if err == nil {
		err = d.Update(func(tx *db.Tx) error { return l.Rows.AddFile(tx, f) })
	}
	if err != nil {
		t.Fatal(err)
	}
	l.State()
	return l
}

// call changes a row as a client does, and has the file show that.
func (l *Live[U]) call(t *testing.T, id, body string) {
	t.Helper()
	o, err := rows.ParseObject([]byte(body))
	if err == nil {
		err = l.DB.Update(func(tx *db.Tx) error {
			admin := rows.Caller{SignedIn: true, Admin: true}
			if id == "" {
				_, err = l.Rows.Create(tx, admin, "a", o)
			} else {
				_, err = l.Rows.Patch(tx, admin, "a", id, o, nil)
			}
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	l.Show([]byte("{}"))
	l.Shown()
}

// An edit that began from an older version than the file showed is a conflict: the
// editor had the file open while a client changed rows.
func TestEditOfAnOldVersion(t *testing.T) {
	t.Parallel()
	const first = `{"a":[{"id":1,"x":1},{"id":2,"x":1}]}`
	for _, tt := range []struct {
		name     string
		calls    [][2]string
		edit     string
		conflict bool
	}{
		{"of the newest version", [][2]string{{"1", `{"x":2}`}}, `{"a":[{"id":1,"x":2},{"id":2,"x":9}]}`, false},
		{"of the row that a client changed", [][2]string{{"1", `{"x":2}`}}, `{"a":[{"id":1,"x":3},{"id":2,"x":1}]}`, false},
		{"from before a change", [][2]string{{"1", `{"x":2}`}}, `{"a":[{"id":1,"x":1},{"id":2,"x":9}]}`, true},
		{"from before a new row", [][2]string{{"", `{"x":2}`}}, `{"a":[{"id":1,"x":1},{"id":2,"x":9}]}`, true},
		{"from two versions before", [][2]string{{"1", `{"x":2}`}, {"", `{"x":2}`}}, `{"a":[{"id":1,"x":1},{"id":2,"x":9}]}`, true},
		{"from the version before", [][2]string{{"1", `{"x":2}`}, {"", `{"x":2}`}}, `{"a":[{"id":1,"x":2},{"id":2,"x":9}]}`, true},
		{"without a row that a client made earlier", [][2]string{{"", `{"x":2}`}, {"1", `{"x":2}`}}, `{"a":[{"id":1,"x":2},{"id":2,"x":1}]}`, false},
		{"of a member of the row that a client changed", [][2]string{{"1", `{"x":2}`}}, `{"a":[{"id":1,"x":2,"y":5},{"id":2,"x":1}]}`, false},
		{"from before a change, of another member of its row", [][2]string{{"1", `{"x":2}`}}, `{"a":[{"id":1,"x":1,"y":5},{"id":2,"x":1}]}`, true},
		{"from before two changes, of one of their members", [][2]string{{"1", `{"x":2}`}, {"2", `{"x":2}`}}, `{"a":[{"id":1,"x":3},{"id":2,"x":1}]}`, true},
		{"of a new row", [][2]string{{"", `{"x":2}`}}, `{"a":[{"id":1,"x":1},{"id":2,"x":1},{"id":3,"x":5}]}`, false},
		{"of one of a new row's members", [][2]string{{"", `{"x":2,"y":2,"z":2}`}}, `{"a":[{"id":1,"x":1},{"id":2,"x":1},{"x":2,"y":2,"z":5,"id":3}]}`, false},
		{"from before a new row, of a row with its id", [][2]string{{"", `{"x":2,"y":2,"z":2}`}}, `{"a":[{"id":1,"x":1},{"id":2,"x":1},{"id":3,"x":5,"y":5,"z":5}]}`, true},
		{"a change that came back", [][2]string{{"1", `{"x":2}`}, {"1", `{"x":1}`}}, `{"a":[{"id":1,"x":1},{"id":2,"x":9}]}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLive(t, first)
			for _, call := range tt.calls {
				l.call(t, call[0], call[1])
			}
			_, err := l.Take(t.Context(), []byte(tt.edit), livefile.Edit{})
			if conflict := errors.Is(err, livefile.ErrConflict); conflict != tt.conflict || err != nil && !conflict {
				t.Errorf("the edit: %v; want a conflict: %t", err, tt.conflict)
			}
			if tt.conflict {
				if _, err := l.Take(t.Context(), []byte(tt.edit), livefile.Edit{}); !errors.Is(err, livefile.ErrConflict) {
					t.Errorf("saved again: %v", err)
				}
				if _, err := l.Take(t.Context(), []byte(tt.edit), livefile.Edit{Any: true}); err != nil {
					t.Errorf("saved at the owner's word: %v", err)
				}
			}
			if text, _, _ := l.Show([]byte(tt.edit)); string(text) != tt.edit {
				t.Errorf("then the file is %s; want %s", text, tt.edit)
			}
		})
	}
}

// A person who has put the newest version into the file may take back what clients did.
func TestEditThatTakesBack(t *testing.T) {
	t.Parallel()
	const first = `{"a":[{"id":1,"x":1}]}`
	for name, put := range map[string]func(l *Live[int], newest []byte) error{
		"the file as it was": func(l *Live[int], newest []byte) error { l.Holds(newest); return nil },
		"in another manner": func(l *Live[int], newest []byte) error {
			_, err := l.Take(t.Context(), rows.Pretty(newest), livefile.Edit{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLive(t, first)
			l.call(t, "", `{"x":2}`)
			newest, _, _ := l.Show([]byte("{}"))
			if _, err := l.Take(t.Context(), []byte(first), livefile.Edit{}); !errors.Is(err, livefile.ErrConflict) {
				t.Errorf("at once: %v", err)
			}
			if err := put(l, newest); err != nil {
				t.Errorf("the newest version: %v", err)
			}
			if done, err := l.Take(t.Context(), []byte(first), livefile.Edit{}); err != nil || done != "0 rows added, 0 rows changed, 1 row removed" {
				t.Errorf("then: %q, %v", done, err)
			}
		})
	}
}

// A person can go back to what was before an edit.
func TestEditUndone(t *testing.T) {
	t.Parallel()
	const first, second = `{"a":[{"id":1,"x":1}]}`, `{"a":[{"id":1,"x":2}]}`
	l := newLive(t, first)
	for _, text := range []string{second, first, second} {
		done, err := l.Take(t.Context(), []byte(text), livefile.Edit{})
		if err != nil || done != "0 rows added, 1 row changed, 0 rows removed" {
			t.Errorf("the edit: %q, %v", done, err)
		}
	}
}
