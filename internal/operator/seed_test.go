package operator

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/shelf/internal/strictjson"
)

// A store is seeded once. Later starts say that the seed has no effect, but for one
// with the very file that the store was seeded with.
func TestSeed(t *testing.T) {
	t.Parallel()
	const none, changed = "-seed has no effect: the store already has data", "-seed has no effect: the file has changed"
	for _, tt := range []struct {
		name    string
		starts  []string // the member that the file has at each start, "" for no file
		memory  bool
		foreign bool   // the store was filled by something else before
		want    string // what the last start says, "" for nothing
	}{
		{name: "an empty store", starts: []string{"a"}, want: "level=INFO msg=seeded file=db.json done=all"},
		{name: "a seed that is changed on its way in", starts: []string{"odd"}, want: `level=WARN msg=seeded file=db.json done="all; dropped one"`},
		{name: "the same file again", starts: []string{"a", "a"}},
		{name: "another file", starts: []string{"a", "b"}, want: changed},
		{name: "the first file after another", starts: []string{"a", "b", "a"}},
		{name: "a store that was never seeded", starts: []string{"a"}, foreign: true, want: none},
		{name: "a file that has gone", starts: []string{"a", ""}, want: none},
		{name: "a store in memory", starts: []string{"a"}, memory: true, want: "msg=seeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file, full := filepath.Join(dir, "db.json"), tt.foreign
			var log bytes.Buffer
			seed := Seed{
				File: file, Data: filepath.Join(dir, "shelf.jsonl"),
				Empty: func() bool { return !full }, Holds: func() string { return "something" },
				Import: func(from *strictjson.Document) (string, error) {
					full = true
					if from.Has("odd") {
						return "all; dropped one", nil
					}
					return "all", nil
				},
				Log: slog.New(slog.NewTextHandler(&log, nil)),
			}
			if tt.memory {
				seed.Data = ""
			}
			for _, text := range tt.starts {
				log.Reset()
				if os.Remove(file); text != "" {
					if err := os.WriteFile(file, []byte(`{"`+text+`":[]}`), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if err := seed.Sow(); err != nil {
					t.Fatal(err)
				}
			}
			said := strings.ReplaceAll(log.String(), file, "db.json")
			if !strings.Contains(said, tt.want) || strings.Count(said, "\n") != min(1, len(tt.want)) {
				t.Errorf("the last start says %q; want %q", said, tt.want)
			}
			if files, _ := os.ReadDir(dir); tt.memory && len(files) > 1 {
				t.Errorf("a store in memory leaves %v", files)
			}
		})
	}
}

func TestSeedRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seed := Seed{
		File: filepath.Join(dir, "db.json"), Data: filepath.Join(dir, "shelf.jsonl"),
		Empty: func() bool { return true },
		Import: func(*strictjson.Document) (string, error) {
			return "", &strictjson.ElementError{List: "rows", Index: 1, Err: errors.New("bad")}
		},
	}
	if err := seed.Sow(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: %v; want os.ErrNotExist", err)
	}
	if err := os.WriteFile(seed.File, []byte("{\"rows\":[\n1,\n2]}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err, want := seed.Sow(), "-seed "+seed.File+", line 3: rows[1]: bad"; err == nil || err.Error() != want {
		t.Errorf("a bad row: %v; want %s", err, want)
	}
	if files, _ := os.ReadDir(dir); len(files) > 1 {
		t.Errorf("a refused seed leaves %v", files)
	}
}

// A person finds the place in a file by its line.
func TestInDocument(t *testing.T) {
	t.Parallel()
	document := []byte("{\n\"a\":[1,\n,]}")
	for _, tt := range []struct {
		err  error
		want string
	}{
		{errors.New("bad"), "f: bad; tail"},
		{&strictjson.ElementError{List: "a", Err: errors.New("bad")}, "f, line 2: a[0]: bad; tail"},
		{&strictjson.ElementError{List: "b", Err: errors.New("bad")}, "f: b[0]: bad; tail"},
		{strictjson.FindSlip(document), "f, line 3, column 1: a comma with nothing before it: remove it; tail\n    ,]}\n    ^"},
	} {
		if got := InDocument("f", document, tt.err, "; tail").Error(); got != tt.want {
			t.Errorf("%q; want %q", got, tt.want)
		}
	}
}
