package password

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func TestLine(t *testing.T) {
	t.Parallel()
	// with every worker busy for an hour
	tests := []struct {
		name  string
		stays time.Duration // how long the client waits
		jobs  int           // jobs that already run or wait
		want  time.Duration
	}{
		{"no job waits longer than five seconds", time.Hour, 0, 5 * time.Second},
		{"a client that is gone leaves the queue", 2 * time.Second, 0, 2 * time.Second},
		{"a full queue rejects at once", time.Hour, maxJobs, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := New(bcrypt.MinCost)
				for range h.workers {
					go h.Work(t.Context(), self, func() error { <-time.After(time.Hour); return nil })
				}
				synctest.Wait()
				for range tt.jobs - h.workers {
					go h.Work(t.Context(), self, func() error { t.Error("worked"); return nil })
				}
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), tt.stays)
				defer cancel()
				began := time.Now()
				err := h.Work(ctx, self, func() error { t.Error("worked"); return nil })
				refused, ok := errors.AsType[Busy](err)
				if !ok || time.Since(began) != tt.want {
					t.Errorf("after %v: %v; want to be refused after %v", time.Since(began), err, tt.want)
				}
				if ok && refused.RetryAfter != 5*time.Second {
					t.Errorf("Retry-After: %v; want 5s", refused.RetryAfter)
				}
				<-time.After(2 * time.Hour)
				synctest.Wait()
				if _, working, waiting := h.State(); working+waiting != 0 || len(h.queues)+len(h.order) != 0 {
					t.Errorf("%d wait and %d work when all is over; want none", waiting, working)
				}
			})
		})
	}
}

// self is the program itself, which has no network.
var self netip.Prefix

// Three hundred jobs of one network delay another network by one job. The jobs
// of each network run in order.
func TestNetworksTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewWith(bcrypt.MinCost, 1).Bound(1000, time.Hour)
		var order []string
		work := func(network string, n int) {
			for i := range n {
				go h.Work(t.Context(), netip.MustParsePrefix(network), func() error {
					order = append(order, fmt.Sprint(network, i))
					<-time.After(time.Second)
					return nil
				})
				synctest.Wait()
			}
		}
		const flood, ann, bob = "192.0.2.1/32 ", "198.51.100.7/32 ", "2001:db8::/64 "
		work(strings.TrimSpace(flood), 300)
		work(strings.TrimSpace(ann), 2)
		work(strings.TrimSpace(bob), 1)
		<-time.After(time.Hour)
		synctest.Wait()
		want := "192.0.2.1/320 192.0.2.1/321 198.51.100.7/320 2001:db8::/640 192.0.2.1/322 198.51.100.7/321 192.0.2.1/323"
		if got := strings.Join(order[:7], " "); got != want || len(order) != 303 {
			t.Errorf("%d worked, in the order %s …; want %s …", len(order), got, want)
		}
	})
}

// A network with half of the queue is rejected; other networks are not.
func TestShareOfTheLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewWith(bcrypt.MinCost, 1).Bound(10, time.Minute)
		var refused [2]int
		for i, n := range []int{20, 3} {
			network := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 32)
			for range n {
				go func() {
					if h.Work(t.Context(), network, func() error { <-time.After(time.Second); return nil }) != nil {
						refused[i]++
					}
				}()
				synctest.Wait()
			}
		}
		<-time.After(time.Hour)
		synctest.Wait()
		if refused != [2]int{14, 0} { // of the first network one job runs and five wait
			t.Errorf("%v were turned away; want 14 and none", refused)
		}
	})
}

func TestWorksInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewWith(bcrypt.MinCost, 1)
		var order []int
		for i := range 4 {
			go h.Work(t.Context(), self, func() error {
				order = append(order, i)
				<-time.After(time.Second)
				return nil
			})
			synctest.Wait()
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if fmt.Sprint(order) != "[0 1 2 3]" {
			t.Errorf("worked in the order %v; want that of their coming", order)
		}
	})
}

// TestUnknownAccountsCostTheSame checks bcrypt's own result, because times
// vary.
func TestUnknownAccountsCostTheSame(t *testing.T) {
	t.Parallel()
	for _, configured := range []int{MinCost, 12, MaxCost} {
		if cost, err := bcrypt.Cost(New(configured).noHash); cost != configured || err != nil {
			t.Errorf("an unknown account's hash has cost %d, %v; want %d", cost, err, configured)
		}
	}
	// bcrypt returns another error for a hash that it could not work on
	if err := bcrypt.CompareHashAndPassword(New(MinCost).noHash, []byte("b00k-worm")); err != bcrypt.ErrMismatchedHashAndPassword {
		t.Errorf("bcrypt says %v to an unknown account's hash; want a mismatch", err)
	}
}

func TestWeakerHashesCostTheSame(t *testing.T) {
	t.Parallel()
	for configured := MinCost; configured <= MaxCost; configured++ {
		for cost := MinCost; cost <= configured; cost++ {
			sum := 1 << cost
			for _, more := range padding(cost, configured) {
				sum += 1 << more
			}
			if sum != 1<<configured {
				t.Errorf("cost %d with %v is %d rounds; want those of cost %d, %d", cost, padding(cost, configured), sum, configured, 1<<configured)
			}
		}
	}
}

func TestWeakness(t *testing.T) {
	t.Parallel()
	const short, tried, name = "should be at least 8 characters long", "is one of those that are tried first", "should not be a name of the account"
	for password, want := range map[string]string{
		"b00k-wo": short, "pässwör": short, "": "should not be empty",
		"password": tried, "PassWord123": tried, "P@ssw0rd": tried, "iloveyou": tried, "qwertyuiop": tried,
		"aaaaaaaaaa": tried, "abababab": tried, "abcdefghijk": tried, "87654321": tried, "worm worm worm": "",
		"wormwormworm": tried,
		"ann.smith":    name, "Ann.Smith@example.com": name, "ann-the-worm": "",
		"b00k-worm": "", "correct horse": "", "ßßüüööää": "", "        x": "",
	} {
		if got := Weakness(NIST, password, "Ann.Smith@Example.com", "").Says; got != want {
			t.Errorf("%q: %q; want %q", password, got, want)
		}
	}
}

func TestFault(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		secret string
		want   string
	}{
		{"a short one", "youcantguess#4", ""},
		{"72 bytes", (strings.Repeat("é", 36)), ""},
		{"73 bytes in 37 characters", (strings.Repeat("é", 36) + "a"), "should be at most 72 bytes long"},
		{"a NUL at the end", "abc1#\x00", "should not contain a NUL character"},
		{"a NUL in the middle", "abc\x001#", "should not contain a NUL character"},
		{"the digit zero", "abc0#", ""},
	} {
		if got := Fault(tt.secret); got != tt.want {
			t.Errorf("%s: Fault(%q) = %q; want %q", tt.name, tt.secret, got, tt.want)
		}
	}
}

func TestMatchesAndUpgrade(t *testing.T) {
	t.Parallel()
	const typed = "b00k-worm"
	h := New(5)
	for _, tt := range []struct {
		name    string
		cost    int
		upgrade bool
	}{
		{"a weaker hash is made anew", 4, true},
		{"one of the configured cost stays", 5, false},
		{"a stronger one stays", 6, false},
	} {
		hash, err := New(tt.cost).Hash(t.Context(), self, typed)
		if err != nil || CheckHash(hash) != nil || !h.Matches(hash, typed) || h.Matches(hash, typed+"!") {
			t.Errorf("%s: %q, %v; want a hash that matches its password alone", tt.name, hash, err)
		}
		upgraded := h.Upgrade(hash, typed)
		if cost, _ := bcrypt.Cost([]byte(upgraded)); tt.upgrade != (upgraded != "") || tt.upgrade && (cost != 5 || !h.Matches(upgraded, typed)) {
			t.Errorf("%s: the upgrade is %q", tt.name, upgraded)
		}
	}
	if h.Matches("", typed) || h.Matches("", "") || h.Upgrade("", typed) != "" {
		t.Error("no hash matches, or is made anew")
	}
}

// A sign-in doesn't wait for an upgrade.
func TestUpgradeWaitsForNoWorker(t *testing.T) {
	t.Parallel()
	weak, err := New(4).Hash(t.Context(), self, "b00k-worm")
	if err != nil {
		t.Fatal(err)
	}
	h := NewWith(5, 1)
	begun, end := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() { h.Work(t.Context(), self, func() error { close(begun); <-end; return nil }) })
	<-begun
	if hash := h.Upgrade(weak, "b00k-worm"); hash != "" {
		t.Errorf("the hash was made anew; want it left for the next sign-in")
	}
	for range 2 {
		all.Go(func() { h.Work(t.Context(), self, func() error { return nil }) })
	}
	for waiting := 0; waiting < 2; _, _, waiting = h.State() {
		runtime.Gosched()
	}
	defer all.Wait()
	defer close(end)
	if workers, working, waiting := h.State(); workers != 1 || working != 1 || waiting != 2 {
		t.Errorf("of %d workers %d work, and %d wait; want 1, 1, 2: who is being served doesn't wait", workers, working, waiting)
	}
}

func TestCheckHash(t *testing.T) {
	t.Parallel()
	digits := strings.Repeat("x", 53)
	for _, good := range []string{"", "$2b$12$" + digits, "$2a$04$" + digits, "$2y$15$" + digits} {
		if err := CheckHash(good); err != nil {
			t.Errorf("CheckHash(%q): %v", good, err)
		}
	}
	for _, bad := range []string{"b00k-worm", "$2b$03$" + digits, "$2b$16$" + digits, "$2b$12$" + digits[1:], "$1b$12$" + digits, "$2b$1x$" + digits} {
		if CheckHash(bad) == nil {
			t.Errorf("CheckHash(%q) takes it", bad)
		}
	}
}

var tutorialTests = []struct {
	name   string
	secret string
	want   bool
}{
	{"the tutorial's own", "youcantguess#4", true},
	{"the tutorial's other", "iamsneaky#9", true},
	{"the tutorial's fixture", "r@78hy", true},
	{"empty", "", false},
	{"blank", " ", false},
	{"three letters", "abc", false},
	{"letters alone", "secret", false},
	{"no special character", "93secret", false},
	{"no digit", "#sec%ret", false},
	{"five characters", "abc1#", true},
	{"four characters", "ab1#", false},
	{"four characters in more bytes", "éé1#", false},
	{"a digit of another script", "abcd٣#", true},
	{"a superscript is no digit", "abcd²#", false},
	{"a special character beyond ASCII is none", "abcd1§", false},
	{"a blank is not special", "abcd 1", false},
}

func TestTutorialFlaw(t *testing.T) {
	t.Parallel()
	for _, tt := range tutorialTests {
		if got := TutorialFlaw(tt.secret); (got == Flaw{}) != tt.want {
			t.Errorf("%s: TutorialFlaw(%q) = %v; want none: %v", tt.name, tt.secret, got, tt.want)
		}
	}
	for _, special := range "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" {
		if p := "abc1" + string(special); TutorialFlaw(p) != (Flaw{}) {
			t.Errorf("TutorialFlaw(%q) = %v; want none", p, TutorialFlaw(p))
		}
	}
}

// While hashes run and other requests come, Go may run twice as many threads, so that
// the requests need not wait for the hashes.
func TestThreads(t *testing.T) {
	if !canShare() {
		t.Log("a quota leaves fewer threads than there are processors")
		return
	}
	usual := runtime.GOMAXPROCS(0)
	want := func(n int, when string) {
		t.Helper()
		if got := runtime.GOMAXPROCS(0); got != n {
			t.Errorf("%s: %d threads; want %d", when, got, n)
		}
	}
	begin := func(h *Hasher) (end func()) {
		begun, ending, ended := make(chan bool), make(chan bool), make(chan bool)
		go func() {
			h.Work(t.Context(), self, func() error { begun <- true; <-ending; return nil })
			close(ended)
		}()
		<-begun
		return func() { close(ending); <-ended }
	}
	long, short := NewWith(shortCost+1, 3), NewWith(shortCost, 3)
	for range 2 { // the second time begins as the first
		long.MakeRoom()
		want(usual, "a request alone")
		shared.set(true) // by a request that saw a hash
		want(usual, "that hash has ended meanwhile")
		first := begin(long)
		want(usual, "a hash alone")
		long.MakeRoom()
		want(2*usual, "a hash and another request")
		second, third := begin(long), begin(long)
		first()
		want(2*usual, "a hash has ended beside another request")
		second()
		want(usual, "a hash has ended without another request")
		long.MakeRoom()
		want(2*usual, "one more request")
		third()
		want(usual, "no hash is left")
		end := begin(short)
		short.MakeRoom()
		want(usual, "a hash of some milliseconds")
		end()
	}
}
