package limit

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A testClock stands still until a test moves it.
type testClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// A testLimiter is a limiter with its own test clock.
type testLimiter struct {
	*Limiter
	clock *testClock
}

func newTestLimiter() testLimiter {
	clock := &testClock{at: time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)}
	return testLimiter{New(clock.now, Rules{FreeTries: 10, InRow: 100, LongestWait: time.Minute, Failures: 100, SignUps: 20}), clock}
}

// attempt tries one password and returns the wait, 0 if the password was
// judged.
func (l testLimiter) attempt(account, from string, right bool) time.Duration {
	addr := netip.MustParseAddr(from)
	return waitOf(cmp.Or(l.Try(account, addr), l.Judge(account, addr, right)))
}

// wrong sends n wrong passwords, which must all be judged.
func (l testLimiter) wrong(t *testing.T, n int, account, from string) {
	t.Helper()
	for i := range n {
		if wait := l.attempt(account, from, false); wait != 0 {
			t.Fatalf("wrong password %d of %d for %s from %s: wait %v; want it judged", i+1, n, account, from, wait)
		}
	}
}

// waitOf returns the wait in an error, 0 for nil.
func waitOf(err error) time.Duration {
	if refused, ok := errors.AsType[TooMany](err); ok {
		return refused.Wait
	}
	if err != nil {
		panic(err)
	}
	return 0
}

const (
	here  = "192.0.2.1"
	there = "198.51.100.7"
)

func TestBackOff(t *testing.T) {
	t.Parallel()
	l := newTestLimiter()
	l.wrong(t, 10, "ann@example.com", here)
	for i, seconds := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		wait := seconds * time.Second
		if got := l.attempt("ann@example.com", here, true); got != wait {
			t.Errorf("after %d wrong passwords in a row: wait %v; want %v", 10+i, got, wait)
		}
		l.clock.advance(wait - time.Nanosecond)
		if got := l.attempt("ann@example.com", here, true); got != time.Nanosecond {
			t.Errorf("just before that is over: wait %v; want 1ns", got)
		}
		l.clock.advance(time.Nanosecond)
		l.wrong(t, 1, "ann@example.com", here)
	}
}

var pairTests = []struct {
	name      string
	before    func(t *testing.T, l testLimiter)
	then      [2]string // account and address of a right password
	wantWaits bool
}{
	{"nine wrong passwords cost nothing", func(t *testing.T, l testLimiter) {
		l.wrong(t, 9, "ann@example.com", here)
	}, [2]string{"ann@example.com", here}, false},
	{"ten wrong passwords cost a wait, whoever comes with the right one then", func(t *testing.T, l testLimiter) {
		l.wrong(t, 10, "ann@example.com", here)
	}, [2]string{"ann@example.com", here}, true},
	{"a right password from another address never waits", func(t *testing.T, l testLimiter) {
		l.wrong(t, 10, "ann@example.com", here)
	}, [2]string{"ann@example.com", there}, false},
	{"another account from the same address doesn't wait", func(t *testing.T, l testLimiter) {
		l.wrong(t, 10, "ann@example.com", here)
	}, [2]string{"ben@example.com", here}, false},
	{"a right password in between starts the count again", func(t *testing.T, l testLimiter) {
		l.wrong(t, 9, "ann@example.com", here)
		l.attempt("ann@example.com", here, true)
		l.wrong(t, 9, "ann@example.com", here)
	}, [2]string{"ann@example.com", here}, false},
	{"a right password for another account doesn't", func(t *testing.T, l testLimiter) {
		l.wrong(t, 9, "ann@example.com", here)
		l.attempt("eve@example.com", here, true)
		l.wrong(t, 1, "ann@example.com", here)
	}, [2]string{"ann@example.com", here}, true},
	{"nor one from another address", func(t *testing.T, l testLimiter) {
		l.wrong(t, 9, "ann@example.com", here)
		l.attempt("ann@example.com", there, true)
		l.wrong(t, 1, "ann@example.com", here)
	}, [2]string{"ann@example.com", here}, true},
	{"addresses of one IPv6 network are one", func(t *testing.T, l testLimiter) {
		for i := range 10 {
			l.wrong(t, 1, "ann@example.com", fmt.Sprintf("2001:db8:1:2:%x::1", i))
		}
	}, [2]string{"ann@example.com", "2001:db8:1:2:ffff::"}, true},
	{"those of the next network are not", func(t *testing.T, l testLimiter) {
		l.wrong(t, 10, "ann@example.com", "2001:db8:1:2::1")
	}, [2]string{"ann@example.com", "2001:db8:1:3::1"}, false},
	{"on loopback too a pair has to wait", func(t *testing.T, l testLimiter) {
		l.wrong(t, 10, "ann@example.com", "::1")
	}, [2]string{"ann@example.com", "::1"}, true},
	{"an hour later all is forgotten", func(t *testing.T, l testLimiter) {
		l.wrong(t, 9, "ann@example.com", here)
		l.clock.advance(time.Hour)
		l.wrong(t, 1, "ann@example.com", here)
	}, [2]string{"ann@example.com", here}, false},
	{"an hour is counted from the last one", func(t *testing.T, l testLimiter) {
		l.wrong(t, 1, "ann@example.com", here)
		for range 9 {
			l.clock.advance(59 * time.Minute)
			l.wrong(t, 1, "ann@example.com", here)
		}
	}, [2]string{"ann@example.com", here}, true},
	{"a hundred wrong passwords in a minute stop the address", func(t *testing.T, l testLimiter) {
		for i := range 100 {
			l.wrong(t, 1, fmt.Sprintf("user%d@example.com", i), here)
		}
	}, [2]string{"ann@example.com", here}, true},
	{"a minute later it may go on", func(t *testing.T, l testLimiter) {
		for i := range 100 {
			l.wrong(t, 1, fmt.Sprintf("user%d@example.com", i), here)
		}
		l.clock.advance(time.Minute)
	}, [2]string{"ann@example.com", here}, false},
	{"nobody else is stopped", func(t *testing.T, l testLimiter) {
		for i := range 100 {
			l.wrong(t, 1, fmt.Sprintf("user%d@example.com", i), here)
		}
	}, [2]string{"ann@example.com", there}, false},
	{"right passwords don't count towards a hundred", func(t *testing.T, l testLimiter) {
		for i := range 99 {
			l.wrong(t, 1, fmt.Sprintf("user%d@example.com", i), here)
			l.attempt("ann@example.com", here, true)
		}
	}, [2]string{"ann@example.com", here}, false},
	{"loopback is never stopped as an address", func(t *testing.T, l testLimiter) {
		for i := range 1000 {
			l.wrong(t, 1, fmt.Sprintf("user%d@example.com", i), "127.0.0.9")
		}
	}, [2]string{"ann@example.com", "127.0.0.9"}, false},
}

func TestPairsAndAddresses(t *testing.T) {
	t.Parallel()
	for _, tt := range pairTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newTestLimiter()
			tt.before(t, l)
			if wait := l.attempt(tt.then[0], tt.then[1], true); (wait > 0) != tt.wantWaits {
				t.Errorf("the right password of %s from %s: wait %v; want a wait: %v", tt.then[0], tt.then[1], wait, tt.wantWaits)
			}
		})
	}
}

func TestLimitSignUps(t *testing.T) {
	t.Parallel()
	signUps := func(l testLimiter, n int, from string) (wait time.Duration) {
		for range n {
			wait = waitOf(l.SignUp(netip.MustParseAddr(from)))
		}
		return wait
	}
	l := newTestLimiter()
	if wait := signUps(l, 20, here); wait != 0 {
		t.Errorf("the 20th sign-up: wait %v; want none", wait)
	}
	l.clock.advance(20 * time.Second)
	if wait := signUps(l, 1, here); wait != 40*time.Second {
		t.Errorf("the 21st sign-up, 20 s later: wait %v; want 40s", wait)
	}
	if wait := signUps(l, 1, there); wait != 0 {
		t.Errorf("another address: wait %v; want none", wait)
	}
	if wait := signUps(l, 100, "127.0.0.1") + signUps(l, 100, "::1"); wait != 0 {
		t.Errorf("loopback: wait %v; want none", wait)
	}
	l.clock.advance(40 * time.Second)
	if wait := signUps(l, 20, here); wait != 0 {
		t.Errorf("the next minute: wait %v; want none", wait)
	}
}

func TestLimitsInParallel(t *testing.T) {
	t.Parallel()
	attempts := func(right bool) (judged int64) {
		l := newTestLimiter()
		var n atomic.Int64
		var running sync.WaitGroup
		for range 200 {
			running.Go(func() {
				if l.attempt("ann@example.com", here, right) == 0 {
					n.Add(1)
				}
			})
		}
		running.Wait()
		return n.Load()
	}
	if n := attempts(false); n != 10 {
		t.Errorf("%d of 200 wrong passwords at once were judged; want 10", n)
	}
	if n := attempts(true); n != 200 {
		t.Errorf("%d of 200 right passwords at once were judged; want all", n)
	}

	// tries that were all allowed before the first was judged
	l, addr, judged := newTestLimiter(), netip.MustParseAddr(here), 0
	for range 50 {
		if err := l.Try("ann@example.com", addr); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 {
		if right := i == 49; waitOf(l.Judge("ann@example.com", addr, right)) == 0 {
			judged++
		}
	}
	if judged != 10 {
		t.Errorf("%d of 50 tries that were let in together were judged; want 10, and not the right one after them", judged)
	}
}

// It measures memory, so it is not parallel.
func TestLimitsMillionNames(t *testing.T) {
	l := newTestLimiter()
	heap := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	l.wrong(t, 10, "ann@example.com", there)
	l.clock.advance(time.Second)
	l.wrong(t, 1, "ann@example.com", there) // eleven

	before := heap()
	for i := range 1_000_000 {
		from := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		l.Judge(fmt.Sprintf("made-up-%d@example.com", i), from, false)
	}
	after := heap()
	if grown := after - before; grown > 1<<20 {
		t.Errorf("a million made-up names took %d bytes; want the table that was there", grown)
	}
	if wait := l.attempt("ann@example.com", there, true); wait != 2*time.Second {
		t.Errorf("the pair with eleven wrong passwords waits %v after that; want 2s as before", wait)
	}
	runtime.KeepAlive(l)
}

// An attacker with a thousand addresses is slowed down, and the owner is not
// locked out.
func TestInRow(t *testing.T) {
	t.Parallel()
	const ann, home, elsewhere = "ann@example.com", "192.0.2.200", "192.0.2.201"
	flooded := func(t *testing.T) testLimiter {
		l := newTestLimiter()
		l.attempt(ann, home, true)
		for i := range 100 {
			l.wrong(t, 1, ann, fmt.Sprintf("10.0.%d.1", i))
		}
		return l
	}
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, l testLimiter) time.Duration
		want time.Duration
	}{
		{"the next guess from a new address waits", func(t *testing.T, l testLimiter) time.Duration { return l.attempt(ann, "10.1.0.1", false) }, time.Minute},
		{"and the next from an old one", func(t *testing.T, l testLimiter) time.Duration { return l.attempt(ann, "10.0.0.1", false) }, time.Minute},
		{"the owner at home does not", func(t *testing.T, l testLimiter) time.Duration { return l.attempt(ann, home, true) }, 0},
		{"nor has the owner fewer free tries there", func(t *testing.T, l testLimiter) time.Duration {
			l.wrong(t, 9, ann, home)
			return l.attempt(ann, home, true)
		}, 0},
		{"the owner elsewhere waits once, whatever others do meanwhile", func(t *testing.T, l testLimiter) time.Duration {
			l.attempt(ann, elsewhere, true)
			for i := range 60 {
				l.attempt(ann, fmt.Sprintf("10.2.%d.1", i), false)
				l.clock.advance(time.Second)
			}
			return l.attempt(ann, elsewhere, true)
		}, 0},
		{"a guess that has waited is one a minute", func(t *testing.T, l testLimiter) time.Duration {
			l.attempt(ann, "10.1.0.1", false)
			l.clock.advance(time.Minute)
			l.wrong(t, 1, ann, "10.1.0.1")
			return l.attempt(ann, "10.1.0.1", false)
		}, time.Minute},
		{"other accounts are as before", func(t *testing.T, l testLimiter) time.Duration {
			return l.attempt("bob@example.com", "10.1.0.1", false)
		}, 0},
		{"a right password ends it", func(t *testing.T, l testLimiter) time.Duration {
			l.attempt(ann, home, true)
			return l.attempt(ann, "10.1.0.1", false)
		}, 0},
		{"to wait for a day does not", func(t *testing.T, l testLimiter) time.Duration {
			l.clock.advance(24 * time.Hour)
			return l.attempt(ann, "10.1.0.1", false)
		}, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if wait := tt.do(t, flooded(t)); wait != tt.want {
				t.Errorf("wait %v; want %v", wait, tt.want)
			}
		})
	}
}

// A site with a /48 has 65,536 networks, and they share the limits of an
// address.
func TestSites(t *testing.T) {
	t.Parallel()
	l := newTestLimiter()
	for i := range 100 {
		l.wrong(t, 1, fmt.Sprintf("user%d@example.com", i), fmt.Sprintf("2001:db8:0:%x::1", i))
	}
	if wait := l.attempt("ann@example.com", "2001:db8:0:ffff::1", true); wait != time.Minute {
		t.Errorf("wrong password 101 of a /48: wait %v; want a minute", wait)
	}
	if wait := l.attempt("ann@example.com", "2001:db8:1::1", true); wait != 0 {
		t.Errorf("another /48: wait %v; want none", wait)
	}
	for i := range 20 {
		if err := l.SignUp(netip.MustParseAddr(fmt.Sprintf("2001:db8:2:%x::1", i))); err != nil {
			t.Errorf("sign-up %d: %v", i, err)
		}
	}
	if err := l.SignUp(netip.MustParseAddr("2001:db8:2:ffff::1")); err == nil {
		t.Error("sign-up 21 of a /48 is allowed")
	}
}

// BenchmarkTallies compares the table with a map of the same size that evicts the
// smallest of eight entries: with a few keys, and with new keys all the time.
func BenchmarkTallies(b *testing.B) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, keys := range []uint64{100, 1 << 40} {
		b.Run(fmt.Sprintf("table/keys=%d", keys), func(b *testing.B) {
			table := new(tallies)
			for i := uint64(0); b.Loop(); i++ {
				table.add(i%keys*0x9e3779b97f4a7c15, now, time.Hour)
			}
		})
		b.Run(fmt.Sprintf("map/keys=%d", keys), func(b *testing.B) {
			table := map[uint64]*tally{}
			for i := uint64(0); b.Loop(); i++ {
				key := i % keys * 0x9e3779b97f4a7c15
				t := table[key]
				if t == nil {
					if len(table) == len(tallies{}.sets)*8 {
						n := 0
						var least *tally
						for _, other := range table {
							if least == nil || other.evictedBefore(least, now) {
								least = other
							}
							if n++; n == 8 {
								break
							}
						}
						delete(table, least.key)
					}
					t = &tally{key: key, until: now.Add(time.Hour)}
					table[key] = t
				}
				t.count++
				t.last = now
			}
		})
	}
}
