package etcd_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/etcd"
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

// An append that finds the lines behind it cut away says whether it may be in the
// snapshot.
func TestAppendCut(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T, other *etcd.Log) {
		if err := other.Begin(t.Context(), noon, 3, snapshotOf(3)); err != nil {
			t.Error(err)
		}
	}
	compact := func(t *testing.T, other *etcd.Log) {
		_, last, _ := load(t, other)
		last = appendAll(t, other, last, "a", "b")
		for range 2 {
			if err := other.Compact(t.Context(), last, noon, 1, snapshotOf(1), accept); err != nil {
				t.Error(err)
			}
			last = appendAll(t, other, last, "c")
		}
	}
	for _, tt := range []struct {
		name       string
		first      etcdtest.Fault // of the first attempt
		meanwhile  func(*testing.T, *etcd.Log)
		unanswered bool
	}{
		{"another replica has filled the log", etcdtest.Fault{}, begin, false},
		{"another replica has filled the log, after an attempt without an answer", etcdtest.Fault{Status: 503, Code: 14}, begin, false},
		{"the log was cut", etcdtest.Fault{}, compact, false},
		{"the log was cut, after an attempt that never reached a member", etcdtest.Fault{Down: true}, compact, false},
		{"the log was cut, after an attempt without an answer", etcdtest.Fault{Status: 503, Code: 14}, compact, true},
		{"the log was cut, after an attempt that was kept", etcdtest.Fault{Lose: true}, compact, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := etcdtest.New(3)
				l, other := connect(t, g), connect(t, g)
				attempts := 0
				g.Fail(func(c etcdtest.Call) (f etcdtest.Fault) {
					if !c.Writes() || attempts > 1 {
						return f
					}
					if attempts++; attempts == 1 && tt.first != f {
						return tt.first
					}
					attempts = 2
					tt.meanwhile(t, other)
					return f
				})
				err := l.Append(t.Context(), 0, "x", noon, bodies("x", 1))
				if cut, ok := errors.AsType[*history.Cut](err); !ok || cut.After != 0 || cut.Unanswered != tt.unanswered {
					t.Errorf("%#v", err)
				}
			})
		})
	}
}
