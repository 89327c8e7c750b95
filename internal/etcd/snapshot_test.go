package etcd_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"example.com/shelf/internal/etcd"
	"example.com/shelf/internal/etcd/etcdtest"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
)

func accept([]history.Record) error { return nil }

// noise yields n lines that gzip can shorten only to half. Each has 2*size digits.
func noise(n, size int) iter.Seq[[]byte] {
	random := rand.NewChaCha8([32]byte{})
	return func(yield func([]byte) bool) {
		text := make([]byte, size)
		for i := range n {
			random.Read(text)
			if !yield(fmt.Appendf(nil, `"op":"put","note":{"id":%d,"text":"%x"}`, i+1, text)) {
				return
			}
		}
	}
}

// A snapshot in chunks, and the log behind it, are what Load finds. The chunks are a
// data file.
func TestCompact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := etcdtest.New(3)
		l, other := connect(t, g), connect(t, g)
		if err := l.Append(t.Context(), 0, "a", noon, bodies("a", 3000)); err != nil {
			t.Fatal(err)
		}
		const rows = 1500 // about 1 MB, so several chunks
		checked := 0
		if err := l.Compact(t.Context(), 3000, noon, rows, noise(rows, 500), func(batch []history.Record) error {
			checked += len(batch)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if checked != rows {
			t.Errorf("check saw %d lines; want %d", checked, rows)
		}
		appendAll(t, other, 3000, "b")
		lines, last, snapshot := load(t, other)
		if len(lines) != rows+1 || last != 3001 || snapshot != 3000 || !strings.HasPrefix(lines[0], "1501 ") {
			t.Errorf("Load emits %d lines up to %d, a snapshot up to %d, from %.40s", len(lines), last, snapshot, lines[0])
		}
		chunks := g.Keys("/shelf/snap/")
		if len(chunks) < 3 {
			t.Errorf("the chunks are %v", chunks)
		}
		var zipped bytes.Buffer
		for _, key := range chunks {
			zipped.WriteString(g.Get(key))
		}
		r, err := gzip.NewReader(&zipped)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		found, err := journal.Read(bytes.NewReader(text), int64(len(text)), accept)
		if err != nil || found.Seq != 3000 || found.Torn != 0 {
			t.Errorf("as a data file: %+v, %v", found, err)
		}
		if keys := g.Keys("/shelf/compactor"); len(keys) > 0 {
			t.Error("the claim was not released")
		}
	})
}

// A generation of the log and one older snapshot stay. What is older goes.
func TestCut(t *testing.T) {
	t.Parallel()
	g := etcdtest.New(3)
	l := connect(t, g)
	last := int64(0)
	for i := range 4 {
		last = appendAll(t, l, last, "a", "b")
		if err := l.Compact(t.Context(), last, noon, 1, snapshotOf(1), accept); err != nil {
			t.Fatal(err)
		}
		entries, chunks := g.Keys("/shelf/log/"), g.Keys("/shelf/snap/")
		if want := min(2*(i+1), 2); len(entries) != want || len(chunks) != min(i+1, 2) {
			t.Errorf("after %d snapshots: %d entries, want %d; %d snapshots", i+1, len(entries), want, len(chunks))
		}
	}
	if g.Compacted() == 0 {
		t.Error("etcd keeps all old values")
	}
	if got := l.State(); got.Lines != 1 {
		t.Errorf("%+v", got)
	}
}

// A snapshot that fails leaves everything as it was.
func TestCompactFails(t *testing.T) {
	t.Parallel()
	bad := errors.New("bad line")
	for _, tt := range []struct {
		name  string
		hurt  func(*etcdtest.Gateway, *etcd.Log)
		n     int
		check error
		want  error
	}{
		{name: "the lines can't be read back", n: 1, check: bad, want: bad},
		{name: "too few lines", n: 2},
		{name: "no room", n: 1, want: history.ErrFull, hurt: func(g *etcdtest.Gateway, _ *etcd.Log) { g.SetFull(true) }},
		{name: "no member", n: 1, want: history.ErrUnavailable, hurt: func(g *etcdtest.Gateway, _ *etcd.Log) {
			g.Fail(func(etcdtest.Call) etcdtest.Fault { return etcdtest.Fault{Down: true} })
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := etcdtest.New(3)
				l := connect(t, g)
				last := appendAll(t, l, 0, "a", "b", "c")
				if tt.hurt != nil {
					tt.hurt(g, l)
				}
				err := l.Compact(t.Context(), last, noon, tt.n, snapshotOf(1), func([]history.Record) error { return tt.check })
				if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("%v; want %v", err, tt.want)
				}
				g.Fail(nil)
				g.SetFull(false)
				if keys := g.Keys("/shelf/snap"); len(keys) > 0 {
					t.Errorf("it leaves %v", keys)
				}
				if got := since(t, l, 0); got != "1 a, 2 b, 3 c" {
					t.Errorf("the log holds %s", got)
				}
			})
		})
	}
}

// A snapshot whose answer was lost counts once. One replica compacts at a time.
func TestCompactTogether(t *testing.T) {
	t.Parallel()
	t.Run("the answer is lost", func(t *testing.T) {
		t.Parallel()
		g := etcdtest.New(3)
		l := connect(t, g)
		last := appendAll(t, l, 0, "a", "b")
		lost := false
		g.Fail(func(c etcdtest.Call) etcdtest.Fault {
			if c.Writes() && strings.Contains(c.Body, `"MOD"`) && !lost {
				lost = true
				return etcdtest.Fault{Lose: true}
			}
			return etcdtest.Fault{}
		})
		if err := l.Compact(t.Context(), last, noon, 1, snapshotOf(1), accept); err != nil || !lost {
			t.Fatal(err, lost)
		}
		if _, _, snapshot := load(t, l); snapshot != 2 {
			t.Errorf("a snapshot up to %d", snapshot)
		}
	})
	t.Run("another replica compacts", func(t *testing.T) {
		t.Parallel()
		g := etcdtest.New(3)
		l := connect(t, g)
		last := appendAll(t, l, 0, "a", "b")
		g.Put("/shelf/compactor", "7")
		if err := l.Compact(t.Context(), last, noon, 1, snapshotOf(1), accept); err != nil {
			t.Fatal(err)
		}
		if keys := g.Keys("/shelf/snap"); len(keys) > 0 {
			t.Errorf("both have made a snapshot: %v", keys)
		}
	})
	t.Run("another replica has a newer one", func(t *testing.T) {
		t.Parallel()
		g := etcdtest.New(3)
		l, other := connect(t, g), connect(t, g)
		last := appendAll(t, l, 0, "a", "b")
		for _, log := range []*etcd.Log{other, l} {
			if err := log.Compact(t.Context(), last, noon, 1, snapshotOf(1), accept); err != nil {
				t.Fatal(err)
			}
		}
		if keys := g.Keys("/shelf/snap/"); len(keys) != 1 {
			t.Errorf("there are %v", keys)
		}
	})
}

// With etcd's authentication on, only root may compact etcd's history. Shelf's own
// snapshots work all the same.
func TestCompactDenied(t *testing.T) {
	t.Parallel()
	g := etcdtest.New(1)
	g.OnlyRoot = true
	l := connect(t, g)
	last := int64(0)
	for range 3 {
		last = appendAll(t, l, last, "a")
		if err := l.Compact(t.Context(), last, noon, 1, snapshotOf(1), accept); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(g.Keys("/shelf/log/")); got != 1 {
		t.Errorf("%d entries are left", got)
	}
}

// Damage stops a start, and says which key it is.
func TestDamage(t *testing.T) {
	t.Parallel()
	entry := "/shelf/log/00000000000000000004"
	for _, tt := range []struct {
		name string
		hurt func(g *etcdtest.Gateway)
		want string
	}{
		{"an entry that was edited", func(g *etcdtest.Gateway) { g.Put(entry, strings.Replace(g.Get(entry), "note", "nope", 1)) }, "the checksum does not match"},
		{"a line without a checksum", func(g *etcdtest.Gateway) { g.Put(entry, "{\"batch\":\"b\"}\n{\"seq\":4,\"op\":\"x\"}\n") }, "no checksum"},
		{"an entry that is no text", func(g *etcdtest.Gateway) { g.Put(entry, "hello") }, "names no batch"},
		{"an entry without lines", func(g *etcdtest.Gateway) { g.Put(entry, "{\"batch\":\"b\"}\n") }, "closes 0 lines"},
		{"an entry that is bad gzip", func(g *etcdtest.Gateway) { g.Put(entry, "\x1f\x8bhello") }, "gzip"},
		{"a key that is no number", func(g *etcdtest.Gateway) { g.Put("/shelf/log/00000000000000000004x", "hello") }, "is not the key of an entry"},
		{"an entry that is missing", func(g *etcdtest.Gateway) { g.Delete(entry) }, "no longer holds what follows on line 3"},
		{"a head that is no number", func(g *etcdtest.Gateway) { g.Put("/shelf/head", "x") }, "the key head"},
		{"a manifest that is none", func(g *etcdtest.Gateway) { g.Put("/shelf/snapshot", "{}") }, "is no manifest"},
		{"a chunk that is missing", func(g *etcdtest.Gateway) { g.Delete(g.Keys("/shelf/snap/")[0]) }, "is missing"},
		{"a chunk that is not gzip", func(g *etcdtest.Gateway) { g.Put(g.Keys("/shelf/snap/")[0], "hello") }, "the snapshot 3-"},
		{"a chunk that is cut", func(g *etcdtest.Gateway) {
			key := g.Keys("/shelf/snap/")[0]
			g.Put(key, g.Get(key)[:len(g.Get(key))-3])
		}, "does not end where"},
		{"a chunk of another snapshot", func(g *etcdtest.Gateway) {
			g.Put("/shelf/snapshot", strings.Replace(g.Get("/shelf/snapshot"), `"sha256":"`, `"sha256":"00`, 1))
		}, "the checksum does not match"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := etcdtest.New(1)
			l := connect(t, g)
			last := appendAll(t, l, 0, "a", "b", "c")
			if err := l.Compact(t.Context(), last, noon, 1, snapshotOf(1), accept); err != nil {
				t.Fatal(err)
			}
			appendAll(t, l, last, "d")
			tt.hurt(g)
			_, _, err := connect(t, g).Load(t.Context(), accept)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want %q", err, tt.want)
			}
		})
	}
}

// Of several replicas that fill an empty log, one does.
func TestBegin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := etcdtest.New(3)
		const replicas = 3
		won := make(chan bool, replicas)
		var wait sync.WaitGroup
		for range replicas {
			l := connect(t, g)
			wait.Go(func() {
				err := l.Begin(t.Context(), noon, 1500, noise(1500, 500))
				if err != nil && !errors.Is(err, history.ErrNotEmpty) {
					t.Error(err)
				}
				won <- err == nil
			})
		}
		wait.Wait()
		winners := 0
		for range replicas {
			if <-won {
				winners++
			}
		}
		if winners != 1 {
			t.Errorf("%d replicas have filled the log", winners)
		}
		l := connect(t, g)
		if lines, last, snapshot := load(t, l); len(lines) != 1500 || last != 1500 || snapshot != 1500 {
			t.Errorf("Load emits %d lines up to %d, a snapshot up to %d", len(lines), last, snapshot)
		}
		appendAll(t, l, 1500, "a")
		if err := l.Begin(t.Context(), noon, 1, snapshotOf(1)); !errors.Is(err, history.ErrNotEmpty) {
			t.Error(err)
		}
		if dirs := g.Keys("/shelf/snap/"); len(dirs) > 10 {
			t.Errorf("the others leave their chunks: %d", len(dirs))
		}
	})
}

// The log wants a snapshot when it is larger than the last one.
func TestWantsSnapshot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := etcdtest.New(1)
		l, other := connect(t, g), connect(t, g)
		last := int64(0)
		wants := func(want bool) {
			t.Helper()
			for _, log := range []*etcd.Log{l, other} {
				if log.WantsSnapshot() != want {
					t.Errorf("at line %d: WantsSnapshot is %v", last, !want)
				}
			}
		}
		wants(false)
		for range 9 { // about 1 MiB each
			if err := l.Append(t.Context(), last, "n", noon, slices.Collect(noise(1, 1<<20))); err != nil {
				t.Fatal(err)
			}
			since(t, other, last)
			last++
		}
		since(t, other, last-1)
		wants(true)
		if err := l.Compact(t.Context(), last, noon, 1, noise(1, 1<<20), accept); err != nil {
			t.Fatal(err)
		}
		if l.WantsSnapshot() {
			t.Error("WantsSnapshot is true after a snapshot")
		}
		if err := other.Compact(t.Context(), last, noon, 1, noise(1, 1<<20), accept); err != nil || other.WantsSnapshot() {
			t.Error("the other replica does not notice", err)
		}
	})
}
