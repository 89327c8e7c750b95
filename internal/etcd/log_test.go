package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/etcd"
	"example.com/shelf/internal/etcd/etcdtest"
	"example.com/shelf/internal/history"
)

// What one replica appends, another one reads.
func TestAppendAndSince(t *testing.T) {
	t.Parallel()
	g := etcdtest.New(3)
	a, b := connect(t, g), connect(t, g)
	if err := a.Append(t.Context(), 0, "a1", noon, bodies("a1", 1)); err != nil {
		t.Fatal(err)
	}
	if err := b.Append(t.Context(), 1, "b1", noon, bodies("b1", 2)); err != nil {
		t.Fatal(err)
	}
	if got, want := since(t, a, 0), "1 a1, 2-3 b1"; got != want {
		t.Errorf("a reads %q; want %q", got, want)
	}
	if got, want := since(t, b, 1), "2-3 b1"; got != want {
		t.Errorf("b reads %q; want %q", got, want)
	}
	if got := since(t, a, 3); got != "" {
		t.Errorf("nothing follows on the last line, but a reads %q", got)
	}
}

// The value of an entry is the lines as they would stand in a file.
func TestEntryIsLines(t *testing.T) {
	t.Parallel()
	g := etcdtest.New(1)
	appendAll(t, connect(t, g), 0, "a1")
	want := `{"batch":"a1"}
{"seq":1,"time":"2026-11-28T12:00:00.000Z","op":"put","note":{"id":1,"text":"a1"},"closes":1,"crc":"`
	if got := g.Get("/shelf/log/00000000000000000001"); !strings.HasPrefix(got, want) {
		t.Errorf("the entry is %s", got)
	}
	if got := g.Get("/shelf/head"); got != "1" {
		t.Errorf("head is %s", got)
	}
}

// Who comes too late gets what came first.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	g := etcdtest.New(3)
	a, b := connect(t, g), connect(t, g)
	appendAll(t, a, 0, "a1")
	appendAll(t, b, 1, "b2", "b3")
	for after, want := range map[int64]string{0: "1 a1, 2 b2, 3 b3", 1: "2 b2, 3 b3", 2: "3 b3"} {
		err := a.Append(t.Context(), after, "late", noon, bodies("late", 1))
		if late, ok := errors.AsType[*history.Overtaken](err); !ok || words(late.Batches) != want {
			t.Errorf("behind %d: %v; want %s", after, err, want)
		}
	}
	if got, want := since(t, a, 0), "1 a1, 2 b2, 3 b3"; got != want {
		t.Errorf("the log holds %s; want %s", got, want)
	}
}

// More follows than one request reads.
func TestSincePages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := connect(t, etcdtest.New(1))
		var ids []string
		for i := range 40 {
			ids = append(ids, fmt.Sprintf("b%d", i+1))
		}
		appendAll(t, l, 0, ids...)
		got := since(t, l, 0)
		if n := strings.Count(got, ", ") + 1; n != 40 || !strings.HasSuffix(got, "40 b40") {
			t.Errorf("Since calls each with %d batches: %s", n, got)
		}
		err := l.Append(t.Context(), 0, "late", noon, bodies("late", 1))
		if late, ok := errors.AsType[*history.Overtaken](err); !ok || len(late.Batches) != 16 {
			t.Errorf("an append behind line 0: %v", err)
		}
	})
}

// An append without an answer is sent again, and kept once.
func TestAmbiguousAppend(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		faults []etcdtest.Fault // of the attempts, in order
		want   error            // nil: kept, or overtaken by itself
		after  time.Duration    // about what it takes
	}{
		{name: "no fault"},
		{name: "one member is down", faults: []etcdtest.Fault{{Down: true}}},
		{name: "all members are down once", faults: []etcdtest.Fault{{Down: true}, {Down: true}, {Down: true}}},
		{name: "kept, but the answer is lost", faults: []etcdtest.Fault{{Lose: true}}},
		{name: "kept late, after the next attempt", faults: []etcdtest.Fault{{Delay: 3 * time.Second}}, after: 2 * time.Second},
		{name: "503", faults: []etcdtest.Fault{{Status: 503, Code: 14, Text: "etcdserver: request timed out"}}},
		{name: "504", faults: []etcdtest.Fault{{Status: 504, Code: 4, Text: "context deadline exceeded"}}},
		{name: "too many requests", faults: []etcdtest.Fault{{Status: 429, Code: 8, Text: "etcdserver: too many requests"}}},
		{name: "a proxy's page", faults: []etcdtest.Fault{{Status: 502, Raw: true, Text: "<html>"}}},
		{name: "a success that is no JSON", faults: []etcdtest.Fault{{Status: 200, Raw: true, Text: "hello"}}},
		{name: "full", faults: []etcdtest.Fault{{Status: 429, Code: 8, Text: "etcdserver: mvcc: database space exceeded"}}, want: history.ErrQuota},
		{name: "lost, then full, then kept", faults: []etcdtest.Fault{{Lose: true}, {Status: 429, Code: 8, Text: "etcdserver: mvcc: database space exceeded"}}},
		{name: "too large", faults: []etcdtest.Fault{{Status: 400, Code: 3, Text: "etcdserver: request is too large"}}, want: history.ErrTooLarge},
		{name: "too large for gRPC", faults: []etcdtest.Fault{{Status: 429, Code: 8, Text: "grpc: received message larger than max (2097165 vs. 2097152)"}}, want: history.ErrTooLarge},
		{name: "denied", faults: []etcdtest.Fault{{Status: 403, Code: 7, Text: "etcdserver: permission denied"}}, want: history.ErrReadOnly},
		{name: "lost, then denied, then kept", faults: []etcdtest.Fault{{Status: 504, Code: 4}, {Status: 403, Code: 7, Text: "etcdserver: permission denied"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := etcdtest.New(3)
				l := connect(t, g)
				appendAll(t, l, 0, "first")
				attempts := 0
				g.Fail(func(c etcdtest.Call) (f etcdtest.Fault) {
					if c.Writes() && attempts < len(tt.faults) {
						f = tt.faults[attempts]
						attempts++
					}
					return f
				})
				start := time.Now()
				err := l.Append(t.Context(), 1, "x", noon, bodies("x", 1))
				late, overtaken := errors.AsType[*history.Overtaken](err)
				switch {
				case overtaken && late.Batches[0].ID != "x":
					t.Errorf("overtaken by %s", words(late.Batches))
				case !overtaken && !errors.Is(err, tt.want):
					t.Errorf("%v; want %v", err, tt.want)
				}
				if took := time.Since(start); took < tt.after || took > tt.after+time.Second {
					t.Errorf("it took %v; want about %v", took, tt.after)
				}
				elapse(10 * time.Second) // for an attempt that is carried out late
				want := "2 x"
				if tt.want != nil {
					want = ""
				}
				if got := since(t, l, 1); got != want {
					t.Errorf("the log holds %q; want %q", got, want)
				}
			})
		})
	}
}

// When the time ends without an answer, the outcome is unknown only if an attempt
// was sent.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		fault  etcdtest.Fault
		append error
		since  error
	}{
		{"down", etcdtest.Fault{Down: true}, history.ErrUnavailable, history.ErrUnavailable},
		{"silent", etcdtest.Fault{Delay: time.Hour}, history.ErrUnanswered, history.ErrUnavailable},
		{"no leader", etcdtest.Fault{Status: 503, Code: 14, Text: "etcdserver: no leader"}, history.ErrUnanswered, history.ErrUnavailable},
		{"too many requests", etcdtest.Fault{Status: 429, Code: 8, Text: "etcdserver: too many requests"}, history.ErrUnavailable, history.ErrUnavailable},
		{"gateway off", etcdtest.Fault{Status: 404, Raw: true, Text: "404 page not found"}, history.ErrUnavailable, history.ErrUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := etcdtest.New(3)
				l := connect(t, g)
				last := appendAll(t, l, 0, "a")
				g.Fail(func(etcdtest.Call) etcdtest.Fault { return tt.fault })
				start := time.Now()
				if err := l.Append(t.Context(), last, "b", noon, bodies("b", 1)); !errors.Is(err, tt.append) {
					t.Errorf("Append: %v; want %v", err, tt.append)
				}
				if took := time.Since(start); took < 10*time.Second || took > 11*time.Second {
					t.Errorf("Append took %v", took)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				if err := l.Since(ctx, last, nil); !errors.Is(err, tt.since) {
					t.Errorf("Since: %v; want %v", err, tt.since)
				}
				if err := l.Check(); err == nil {
					t.Error("Check finds no fault")
				}
				g.Fail(nil)
				since(t, l, last)
				if err := l.Check(); err != nil {
					t.Errorf("Check still says %v", err)
				}
				elapse(2 * time.Hour) // for the calls that are still delayed
			})
		})
	}
}

// A token that has expired is replaced, and the call goes on.
func TestTokens(t *testing.T) {
	t.Parallel()
	g := etcdtest.New(3)
	g.User, g.Password = "ann", "secret"
	as := func(user, password string) func(*etcd.Options) {
		return func(o *etcd.Options) { o.User, o.Password = user, password }
	}
	l := connect(t, g, as("ann", "secret"))
	last := appendAll(t, l, 0, "a")
	g.ExpireTokens()
	last = appendAll(t, l, last, "b")
	g.ExpireTokens()
	since(t, l, last)
	a, err := etcd.ParseAddress(g.Address())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ user, password, want string }{
		{"", "", "etcd://m0:2379,m1:2379,m2:2379/shelf/: etcd wants a user (m0:2379 answers 400: etcdserver: user name is empty): set SHELF_ETCD_USER and SHELF_ETCD_PASSWORD"},
		{"ann", "wrong", "/shelf/: etcd rejects the password of the user ann"},
	} {
		_, err := etcd.Open(t.Context(), a, etcd.Options{Access: etcd.Access{User: tt.user, Password: tt.password, Transport: g}})
		if !errors.Is(err, history.ErrReadOnly) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s: %v", tt.user, err)
		}
	}
	g.User = ""
	_, err = etcd.Open(t.Context(), a, etcd.Options{Access: etcd.Access{User: "ann", Password: "secret", Transport: g}})
	if err == nil || !strings.Contains(err.Error(), "/shelf/: SHELF_ETCD_USER is set") {
		t.Errorf("a user that etcd does not want: %v", err)
	}
}

// After a backup was restored, a replica that has read more stops.
func TestWentBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		cluster uint64
		more    int // lines that others append to the restored log
		want    string
	}{
		{"the same cluster", 0, 0, "at revision"},
		{"another cluster", 0xc2, 0, "belongs to the cluster c2, and not to c1"},
		{"another cluster that went on", 0xc2, 9, "belongs to the cluster c2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := etcdtest.New(3)
				l := connect(t, g)
				appendAll(t, l, 0, "a", "b")
				b := g.Backup()
				last := appendAll(t, l, 2, "c", "d")
				g.Restore(b, tt.cluster)
				other := connect(t, g)
				for i := range tt.more {
					appendAll(t, other, int64(2+i), "e")
				}
				for name, err := range map[string]error{
					"Since":  l.Since(t.Context(), last, func([]history.Batch) {}),
					"Append": l.Append(t.Context(), last, "f", noon, bodies("f", 1)),
					"Check":  l.Check(),
					"Follow": l.Follow(t.Context(), last, func([]history.Batch) {}),
				} {
					if !errors.Is(err, history.ErrWentBack) || strings.Contains(err.Error(), "\n") || name == "Since" && !strings.Contains(err.Error(), tt.want) {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		})
	}
}

// One stale answer of a member is not used, and does no harm.
func TestStaleMember(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := etcdtest.New(3)
		l := connect(t, g)
		last := appendAll(t, l, 0, "a", "b")
		stale := `{"header":{"cluster_id":"193","revision":"2"},"succeeded":true,"responses":[{"response_range":{}},{"response_range":{}}]}`
		g.Fail(func(c etcdtest.Call) (f etcdtest.Fault) {
			if c.Member == 0 {
				f = etcdtest.Fault{Status: 200, Raw: true, Text: stale}
			}
			return f
		})
		if got := since(t, l, 1); got != "2 b" {
			t.Errorf("Since says %q", got)
		}
		appendAll(t, l, last, "c")
	})
}

// After Close every call fails.
func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := etcdtest.New(3)
		l := connect(t, g)
		last := appendAll(t, l, 0, "a")
		got, end := follow(t, l, 0)
		<-got
		g.Fail(func(etcdtest.Call) etcdtest.Fault { return etcdtest.Fault{Delay: time.Hour} })
		waiting := make(chan error)
		go func() { waiting <- l.Append(t.Context(), last, "b", noon, bodies("b", 1)) }()
		synctest.Wait()
		l.Close()
		if err := <-waiting; !errors.Is(err, history.ErrUnanswered) {
			t.Errorf("an append that was sent: %v", err)
		}
		if err := end(); !errors.Is(err, history.ErrReadOnly) {
			t.Errorf("Follow: %v", err)
		}
		for name, err := range map[string]error{
			"Append": l.Append(t.Context(), last, "c", noon, bodies("c", 1)),
			"Since":  l.Since(t.Context(), last, nil),
			"Need":   l.Need(2),
			"Check":  l.Check(),
		} {
			if !errors.Is(err, history.ErrReadOnly) {
				t.Errorf("%s: %v", name, err)
			}
		}
		elapse(2 * time.Hour)
	})
}
