package clock

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Code that reads the machine's time elsewhere would ignore the lab's clock.
func TestClockIsAskedInOnePlace(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	var files []string // of this module; a folder with its own go.mod belongs to a different module
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root {
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil || strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
		}
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var asks []string
	for _, name := range files {
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if at, ok := n.(*ast.SelectorExpr); ok && slices.Contains([]string{"Now", "Since", "Until"}, at.Sel.Name) {
				if in, ok := at.X.(*ast.Ident); ok && in.Name == "time" {
					asks = append(asks, filepath.Base(name)+": time."+at.Sel.Name)
				}
			}
			return true
		})
	}
	if want := []string{"clock.go: time.Now", "clock.go: time.Since"}; !slices.Equal(asks, want) {
		t.Errorf("the machine's time is read in %q; want %q", asks, want)
	}
}

// The ways in which tests change a clock.
func clockAt(at time.Time) func(time.Time, bool) (time.Time, bool) {
	return func(_ time.Time, frozen bool) (time.Time, bool) { return at, frozen }
}

func clockAhead(d time.Duration) func(time.Time, bool) (time.Time, bool) {
	return func(now time.Time, frozen bool) (time.Time, bool) { return now.Add(d), frozen }
}

func clockFreezes(now time.Time, _ bool) (time.Time, bool) { return now, true }

func clockRuns(now time.Time, _ bool) (time.Time, bool) { return now, false }

func TestClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now() // 2000-01-01 in this test
		c := &Clock{}
		at := func(why string, want time.Time, frozen bool) {
			t.Helper()
			if got := c.Now(); !got.Equal(want) || c.IsFrozen() != frozen {
				t.Errorf("%s: %v, frozen %v; want %v, %v", why, got, c.IsFrozen(), want, frozen)
			}
		}
		to := func(change func(time.Time, bool) (time.Time, bool)) {
			t.Helper()
			if err := c.Change(change); err != nil {
				t.Error(err)
			}
		}
		pass := func() { <-time.After(time.Hour) }

		at("a new clock shows the machine's time", start, false)
		pass()
		at("and runs", start.Add(time.Hour), false)
		to(clockAhead(30 * 24 * time.Hour))
		at("advanced", start.Add(721*time.Hour), false)
		pass()
		at("it runs on", start.Add(722*time.Hour), false)
		to(clockFreezes)
		pass()
		at("frozen it stands still", start.Add(722*time.Hour), true)
		to(clockAhead(time.Minute))
		pass()
		at("also once it was moved", start.Add(722*time.Hour+time.Minute), true)
		to(clockRuns)
		at("let go, it goes on from there", start.Add(722*time.Hour+time.Minute), false)
		pass()
		at("and runs", start.Add(723*time.Hour+time.Minute), false)
		to(clockAt(start.Add(time.Minute)))
		at("it may go back", start.Add(time.Minute), false)
		for _, far := range []time.Time{First.Add(-1), Last.Add(1)} {
			if c.Change(clockAt(far)) == nil {
				t.Errorf("it can be set to %v; want an error", far)
			}
		}
		at("refused, it is left alone", start.Add(time.Minute), false)
		c.Reset()
		at("reset, it shows the machine's time", time.Now(), false)
	})
}

// Goroutines that change a clock at the same time all take effect.
func TestClockMovesAtOnce(t *testing.T) {
	t.Parallel()
	c := &Clock{}
	if err := c.Change(clockFreezes); err != nil {
		t.Fatal(err)
	}
	before := c.Now()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if err := c.Change(clockAhead(time.Second)); err != nil {
					t.Error(err)
				}
				c.Now()
			}
		})
	}
	all.Wait()
	if got := c.Now().Sub(before); got != 800*time.Second {
		t.Errorf("advanced by a second 800 times: %v later", got)
	}
}
