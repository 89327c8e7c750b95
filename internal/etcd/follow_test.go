package etcd_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/etcd/etcdtest"
	"example.com/shelf/internal/history"
)

// A follower gets every batch once, in order, whatever happens to its watch.
func TestFollow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		hurt func(*etcdtest.Gateway) // before the second batch
		mend func(*etcdtest.Gateway) // after it
		most time.Duration           // until it arrives
	}{
		{name: "a watch that works"},
		{name: "a watch that is canceled", hurt: (*etcdtest.Gateway).CancelWatches, most: time.Second},
		{
			name: "watches that fail",
			hurt: func(g *etcdtest.Gateway) {
				g.Fail(func(c etcdtest.Call) (f etcdtest.Fault) {
					if c.Path == "/v3/watch" {
						f = etcdtest.Fault{Status: 503, Code: 14}
					}
					return f
				})
				g.CancelWatches()
			},
			most: time.Second,
		},
		{
			name: "a member that takes watches and says nothing",
			hurt: func(g *etcdtest.Gateway) {
				g.Fail(func(c etcdtest.Call) (f etcdtest.Fault) {
					if c.Path == "/v3/watch" {
						f = etcdtest.Fault{Status: 200, Raw: true, Text: `{"result":{"created":true}}`}
					}
					return f
				})
				g.CancelWatches()
			},
			most: 6 * time.Second,
		},
		{
			name: "no member for a minute",
			hurt: func(g *etcdtest.Gateway) {
				g.CancelWatches()
				g.Fail(func(c etcdtest.Call) etcdtest.Fault { return etcdtest.Fault{Down: c.Body != "" && !c.Writes()} })
			},
			mend: func(g *etcdtest.Gateway) { elapse(time.Minute); g.Fail(nil) },
			most: time.Minute + time.Second,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := etcdtest.New(3)
				l, other := connect(t, g), connect(t, g)
				last := appendAll(t, other, 0, "a")
				got, end := follow(t, l, 0)
				synctest.Wait()
				if tt.hurt != nil {
					tt.hurt(g)
				}
				start := time.Now()
				last = appendAll(t, other, last, "b")
				if tt.mend != nil {
					tt.mend(g)
				}
				for _, want := range []string{"1 a", "2 b"} {
					if b := <-got; b != want {
						t.Errorf("Follow calls each with %s; want %s", b, want)
					}
				}
				if took := time.Since(start); took > tt.most {
					t.Errorf("it took %v; want %v at most", took, tt.most)
				}
				g.Fail(nil)
				appendAll(t, other, last, "c")
				if b := <-got; b != "3 c" {
					t.Errorf("then Follow calls each with %s", b)
				}
				if err := end(); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		})
	}
}

// A follower that is too slow for what was cut starts over.
func TestFollowCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := etcdtest.New(3)
		l, other := connect(t, g), connect(t, g)
		last := appendAll(t, other, 0, "a", "b", "c")
		g.Fail(func(c etcdtest.Call) (f etcdtest.Fault) { return f })
		for range 2 {
			if err := other.Compact(t.Context(), last, noon, 2, snapshotOf(2), func([]history.Record) error { return nil }); err != nil {
				t.Fatal(err)
			}
			last = appendAll(t, other, last, "d")
		}
		for name, err := range map[string]error{
			"Follow": l.Follow(t.Context(), 1, nil),
			"Since":  l.Since(t.Context(), 1, nil),
			"Append": l.Append(t.Context(), 1, "x", noon, bodies("x", 1)),
		} {
			if cut, ok := errors.AsType[*history.Cut](err); !ok || cut.After != 1 {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, last, snapshot := load(t, l); last != 5 || snapshot != 4 {
			t.Errorf("Load: up to %d, a snapshot up to %d", last, snapshot)
		}
		if got := since(t, l, 3); got != "4 d, 5 d" {
			t.Errorf("behind the snapshot before, the log holds %s", got)
		}
	})
}
