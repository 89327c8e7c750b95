//go:build unix

package program_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Each limit is the owner's to set. A server with the flag of a row shows from
// outside that the limit acts, and one with the other flag that nothing else did.
func TestLimitsAct(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		tight, ample  string // flags
		also          string // for both
		within, acted func(t *testing.T, p *program)
	}{
		{"how many passwords wait", "-hash-queue=1", "-hash-queue=1000", "-hash-wait=1h -bcrypt-cost=8",
			signedIn(http.StatusOK), signedIn(http.StatusOK, http.StatusServiceUnavailable)},
		{"how long a password waits", "-hash-wait=1s", "-hash-wait=1h", "-bcrypt-cost=11",
			signedIn(http.StatusOK), signedIn(http.StatusOK, http.StatusServiceUnavailable)},
		{"the tokens of an account", "-max-tokens=4", "-max-tokens=6", "",
			firstTokenAfterThreeSignIns(http.StatusOK), firstTokenAfterThreeSignIns(http.StatusUnauthorized)},
		{"all streams", "-max-streams=1", "-max-streams=2", "",
			secondStream("bob", http.StatusOK), secondStream("bob", http.StatusServiceUnavailable)},
		{"the streams of an account", "-max-account-streams=1", "-max-account-streams=2", "",
			secondStream("ann", http.StatusOK), secondStream("ann", http.StatusTooManyRequests)},
		{"large bodies of an account", "-max-large=4", "-max-large=8", "",
			secondLargeBody(http.StatusCreated), secondLargeBody(http.StatusTooManyRequests)},
		{"the time of requests at a stop", "-drain=1s", "-drain=1h", "",
			stopped(func(t *testing.T, p *program, r *slowRequest) {
				p.refusesCalls(t)
				if status, body := r.goOn(); status != http.StatusCreated {
					t.Errorf("the request that was running = %d %s; want 201", status, body)
				}
			}),
			stopped(func(t *testing.T, p *program, r *slowRequest) {
				p.wait() // though the request never goes on
				if n, _ := r.in.Read(make([]byte, 1)); n > 0 {
					t.Error("the request that never went on was answered")
				}
			})},
	} {
		for flag, see := range map[string]func(*testing.T, *program){tt.ample: tt.within, tt.tight: tt.acted} {
			t.Run(tt.name+" "+flag, func(t *testing.T) {
				t.Parallel()
				// One processor, so that passwords have to wait for each other.
				cmd := shelfCommand(t, t.TempDir(), []string{"GOMAXPROCS=1"}, append(strings.Fields(tt.also), flag)...)
				see(t, launch(t, cmd).listening())
			})
		}
	}
}

// signedIn sees that many sign-ins at once get these statuses, each of them at least
// once, and no other.
func signedIn(statuses ...int) func(*testing.T, *program) {
	return func(t *testing.T, p *program) {
		p.signUpAnn()
		got := map[int]int{}
		var all sync.WaitGroup
		var mu sync.Mutex
		for range 20 {
			all.Go(func() {
				r := p.send("POST /api/v1/auth/signin", "", annSecret)
				if r.status == http.StatusServiceUnavailable && (r.header.Get("Retry-After") == "" || !strings.Contains(r.body, "Too many sign-ins at once")) {
					t.Errorf("%d %s without a word about the queue", r.status, r.body)
				}
				mu.Lock()
				defer mu.Unlock()
				got[r.status]++
			})
		}
		all.Wait()
		for _, status := range statuses {
			if got[status] == 0 {
				t.Errorf("the statuses are %v; want some %d", got, status)
			}
			delete(got, status)
		}
		if len(got) > 0 {
			t.Errorf("there are also the statuses %v", got)
		}
	}
}

// firstTokenAfterThreeSignIns sees what an account's first token is worth then.
func firstTokenAfterThreeSignIns(status int) func(*testing.T, *program) {
	return func(t *testing.T, p *program) {
		token := p.signUpAnn()
		for range 2 {
			p.send("POST /api/v1/auth/signin", "", annSecret).want(http.StatusOK)
		}
		p.send("GET /api/v1/auth/me", token, "").want(status)
	}
}

// secondStream sees what a stream of that account gets beside one of ann's.
func secondStream(name string, status int) func(*testing.T, *program) {
	return func(t *testing.T, p *program) {
		tokens := map[string]string{"ann": p.signUpAnn()}
		tokens["bob"], _ = p.send("POST /api/v1/auth/signup", "", strings.Replace(annSecret, "ann", "bob", 1)).want(http.StatusCreated).tokens()
		for i, want := range []int{http.StatusOK, status} {
			r, err := http.NewRequestWithContext(t.Context(), "GET", p.url+"/api/v1/events", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+tokens[[]string{"ann", name}[i]])
			resp, err := p.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != want {
				t.Fatalf("stream %d = %s; want %d", i+1, resp.Status, want)
			}
		}
	}
}

// secondLargeBody sees what a large body gets while another of that account is held
// back, and that it is nothing to bob.
func secondLargeBody(status int) func(*testing.T, *program) {
	return func(t *testing.T, p *program) {
		token := p.signUpAnn()
		bob, _ := p.send("POST /api/v1/auth/signup", "", strings.Replace(annSecret, "ann", "bob", 1)).want(http.StatusCreated).tokens()
		large := `{"itemname":"ball","category":"c","description":"d"}` + strings.Repeat(" ", 20_000)
		held := p.slowly(t, token, large)
		io.WriteString(held.conn, large[:20_000])
		waitUntil(t, "the server has a place for the first", func() bool {
			r := p.send("POST /api/v1/items", token, large)
			return r.status == status
		})
		p.send("POST /api/v1/items", token, large).want(status)
		p.send("POST /api/v1/items", bob, large).want(http.StatusCreated)
		held.body = large[20_000:]
		if status, body := held.goOn(); status != http.StatusCreated {
			t.Errorf("the one that was held back = %d %s; want 201", status, body)
		}
	}
}

// stopped asks for a stop while a request waits for its body, and then for the
// process to end with status 0.
func stopped(meanwhile func(*testing.T, *program, *slowRequest)) func(*testing.T, *program) {
	return func(t *testing.T, p *program) {
		request := p.slowly(t, p.signUpAnn(), ballForm)
		p.cmd.Process.Signal(syscall.SIGTERM)
		meanwhile(t, p, request)
		if status := p.wait(); status != 0 {
			t.Errorf("exit status %d; want 0", status)
		}
	}
}
