package etcd_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/etcd"
	"example.com/shelf/internal/etcd/etcdtest"
)

// warnings returns an option that collects what is logged, and the lines so far.
func warnings() (change func(*etcd.Options), lines func() []string) {
	var b bytes.Buffer
	return func(o *etcd.Options) { o.Log = slog.New(slog.NewTextHandler(&b, nil)) }, func() []string {
		return strings.Split(strings.TrimSpace(b.String()), "\n")
	}
}

// Clocks that are more than 10 s apart give one warning and a metric. Nothing else
// happens: batches are kept and read.
func TestClocks(t *testing.T) {
	t.Parallel()
	const apart = 30 * time.Second
	for _, tt := range []struct {
		name    string
		members time.Duration // how far the clocks of the members are ahead
		peer    time.Duration // … and the clock of the other replica
		pause   time.Duration // between the other replica's batches and the start of this one
		want    string
	}{
		{name: "all clocks agree"},
		{name: "nearly", members: 8 * time.Second, peer: -8 * time.Second},
		{name: "the members are ahead", members: apart, want: "the clock of the member m0:2379 is 30s ahead of the clock of this machine: set both by NTP"},
		{name: "the members are behind", members: -apart, want: "the clock of the member m0:2379 is 29s behind the clock of this machine: set both by NTP"}, // a Date has seconds only
		{name: "another replica is ahead", peer: apart, want: "the clock of replica peer is 30s ahead of the clock of this machine"},
		{name: "another replica is behind", peer: -apart, want: "the clock of replica peer is 20s behind the clock of this machine"}, // a batch may take 10 s
		{name: "another replica wrote long ago", pause: time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := etcdtest.New(3)
				peer, last := connect(t, g), int64(0)
				write := func() {
					if err := peer.Append(t.Context(), last, "peer-1", time.Now().Add(tt.peer), bodies("x", 1)); err != nil {
						t.Error(err)
					}
					last++
				}
				if tt.peer <= 0 {
					write()
				}
				elapse(tt.pause)
				g.Clock = func(member int) time.Time {
					if member > 0 {
						elapse(time.Millisecond) // so that the first member answers first
					}
					return time.Now().Add(tt.members)
				}
				log, lines := warnings()
				l := connect(t, g, log)
				load(t, l)
				for range 3 {
					write()
					since(t, l, last-1)
				}
				got := lines()
				if len(got) != 1 || !strings.Contains(got[0], tt.want) || (got[0] == "") != (tt.want == "") {
					t.Errorf("the log has %q; want one line with %q", got, tt.want)
				}
				if d := l.Engine().ClockDifference; (d > 10*time.Second) != (tt.want != "") {
					t.Errorf("the difference is %v", d)
				}
			})
		})
	}
}

// There is another warning only if the clocks have agreed meanwhile.
func TestClocksAgreeAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := etcdtest.New(1)
		ahead := time.Duration(0)
		g.Clock = func(int) time.Time { return time.Now().Add(ahead) }
		log, lines := warnings()
		l := connect(t, g, log)
		for i, now := range []time.Duration{30 * time.Second, 9 * time.Second, 40 * time.Second, 0, -50 * time.Second} {
			ahead = now
			since(t, l, 0)
			if got, want := strings.Join(lines(), "\n"), []int{1, 1, 1, 1, 2}[i]; strings.Count(got, "NTP") != want {
				t.Errorf("%v ahead: %d warnings\n%s", now, want, got)
			}
		}
		elapse(2 * time.Minute)
		if d := l.Engine().ClockDifference; d != 0 {
			t.Errorf("after two minutes without an answer the difference is %v", d)
		}
	})
}

// The owner is warned once when a member uses three quarters of its quota.
func TestUsage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := etcdtest.New(3)
		log, lines := warnings()
		l := connect(t, g, log)
		g.SetSize(100<<20, 0)
		_, end := follow(t, l, 0)
		for i, tt := range []struct {
			size, quota int64 // MiB
			warnings    int
		}{{100, 0, 0}, {1400, 2048, 0}, {1536, 2048, 1}, {1900, 2048, 1}, {1900, 8192, 1}, {7000, 8192, 2}} {
			if i > 0 {
				g.SetSize(tt.size<<20, tt.quota<<20)
				elapse(31 * time.Second)
			}
			synctest.Wait()
			if e := l.Engine(); e.Bytes != tt.size<<20 || e.Quota != tt.quota<<20 {
				t.Errorf("%d of %d MiB: Engine = %+v", tt.size, tt.quota, e)
			}
			if got := strings.Join(lines(), "\n"); strings.Count(got, "etcd uses") != tt.warnings {
				t.Errorf("%d of %d MiB: want %d warnings\n%s", tt.size, tt.quota, tt.warnings, got)
			}
		}
		if got := lines()[0]; !strings.Contains(got, "etcd uses 75 % of its quota of 2048 MiB") {
			t.Error(got)
		}
		end()
	})
}
