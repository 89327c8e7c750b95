package etcd_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/shelf/internal/etcd"
	"example.com/shelf/internal/etcd/etcdtest"
	"example.com/shelf/internal/history"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// connect opens a log of the fake cluster.
func connect(t testing.TB, g *etcdtest.Gateway, change ...func(*etcd.Options)) *etcd.Log {
	t.Helper()
	a, err := etcd.ParseAddress(g.Address())
	if err != nil {
		t.Fatal(err)
	}
	opt := etcd.Options{Create: true}
	opt.Transport = g
	for _, f := range change {
		f(&opt)
	}
	l, err := etcd.Open(t.Context(), a, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// elapse waits until d has passed on the clock of the bubble, which takes no real time.
func elapse(d time.Duration) { <-time.After(d) }

// bodies are n bodies that name the batch.
func bodies(id string, n int) (all [][]byte) {
	for i := range n {
		all = append(all, fmt.Appendf(nil, `"op":"put","note":{"id":%d,"text":%q}`, i+1, id))
	}
	return all
}

// appendAll appends batches one after the other, one line each.
func appendAll(t testing.TB, l *etcd.Log, after int64, ids ...string) int64 {
	t.Helper()
	for _, id := range ids {
		if err := l.Append(t.Context(), after, id, noon, bodies(id, 1)); err != nil {
			t.Fatalf("appending %s behind %d: %v", id, after, err)
		}
		after++
	}
	return after
}

// since is the batches behind after, as words: "1 a, 2-3 b".
func since(t testing.TB, l *etcd.Log, after int64) string {
	t.Helper()
	var got []string
	if err := l.Since(t.Context(), after, func(batches []history.Batch) { got = append(got, words(batches)) }); err != nil {
		t.Fatalf("what follows on %d: %v", after, err)
	}
	return strings.Join(got, ", ")
}

func words(batches []history.Batch) string {
	var all []string
	for _, b := range batches {
		first, last := b.Records[0].Seq, b.Records[len(b.Records)-1].Seq
		switch {
		case first == last:
			all = append(all, fmt.Sprintf("%d %s", first, b.ID))
		default:
			all = append(all, fmt.Sprintf("%d-%d %s", first, last, b.ID))
		}
	}
	return strings.Join(all, ", ")
}

// load is the lines that Load emits, as words: the number of each and its text.
func load(t testing.TB, l *etcd.Log) (lines []string, last, snapshot int64) {
	t.Helper()
	last, snapshot, err := l.Load(t.Context(), func(batch []history.Record) error {
		for _, rec := range batch {
			lines = append(lines, fmt.Sprintf("%d %s", rec.Seq, rec.Body))
		}
		clear(batch) // as a replay does
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines, last, snapshot
}

// follow calls Follow in the background until the test ends. The channel gets each
// batch, as words.
func follow(t testing.TB, l *etcd.Log, after int64) (batches <-chan string, end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	got, ended := make(chan string, 1000), make(chan error, 1)
	go func() {
		ended <- l.Follow(ctx, after, func(batches []history.Batch) {
			for _, b := range batches {
				got <- words([]history.Batch{b})
			}
		})
	}()
	return got, func() error { cancel(); return <-ended }
}

// snapshotOf yields n lines.
func snapshotOf(n int) func(func([]byte) bool) {
	return slices.Values(bodies("snapshot", n))
}
