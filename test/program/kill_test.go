package program_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

var killRounds = flag.Int("rounds", 5, "how often TestKill kills a server under load")

// TestKill kills the real server with SIGKILL while clients write, looks for
// every write that it had acknowledged, and does so again and again:
//
//	go test -run TestKill -rounds 1000 -timeout 0 -v ./test/program
//
// Every fourth kill aims at the middle of a compaction, and every fourth at its
// end.
func TestKill(t *testing.T) {
	t.Parallel()
	var sum killCount
	for left := *killRounds; left > 0 && !t.Failed(); left -= killsOfOne {
		sum.add(killOne(t, min(left, killsOfOne)))
	}
	t.Logf("%d rounds: %d acknowledged writes, %d lost; %d kills inside a compaction, %d data files replaced by one, %d torn tails",
		sum.rounds, sum.acked, sum.lost, sum.compacting, sum.compacted, sum.torn)
}

// TestKillStarting kills servers while they make their files. Whatever is there
// then, the next start goes on from it.
func TestKillStarting(t *testing.T) {
	t.Parallel()
	for range 10 {
		dir := t.TempDir()
		for range 3 {
			p := launch(t, shelfCommand(t, dir, nil))
			spin(time.Duration(rand.IntN(15_000)) * time.Microsecond)
			p.kill()
		}
		p := startShelf(t, dir)
		token := p.signUpAnn()
		p.kill()
		p = startShelf(t, dir)
		p.send("POST /api/v1/items", token, ballForm).want(http.StatusCreated)
		p.kill()
	}
}

// TestKillRotation kills a server whose clients have used one refresh token fifty
// times at once: after the fifty answers, or amid them. There is one successor,
// whatever was answered when. A later use of the token ends the sign-in, and no
// kill undoes that.
func TestKillRotation(t *testing.T) {
	t.Parallel()
	for _, amid := range []bool{false, true} {
		t.Run(fmt.Sprintf("amid=%v", amid), func(t *testing.T) {
			t.Parallel()
			const refresh = "POST /api/v1/auth/refresh"
			dir := t.TempDir()
			p := startShelf(t, dir, "-rotate-refresh")
			_, first := p.send("POST /api/v1/auth/signup", "", annSecret).want(http.StatusCreated).tokens()
			var uses sync.WaitGroup
			answered := make(chan string, 50)
			for range 50 {
				uses.Go(func() {
					if r, err := p.try(refresh, first, ""); err == nil && r.status == http.StatusOK {
						_, next := r.tokens()
						answered <- next
					} else if !amid {
						t.Errorf("%d, %v; want a successor", r.status, err)
					}
				})
			}
			if !amid {
				uses.Wait()
			}
			p.kill()
			uses.Wait()
			close(answered)

			p = startShelf(t, dir, "-rotate-refresh")
			_, second := p.send(refresh, first, "").want(http.StatusOK).tokens()
			for next := range answered {
				if next != second {
					t.Fatal("an answer before the kill had another successor than one after it")
				}
			}
			access, third := p.send(refresh, second, "").want(http.StatusOK).tokens()
			p.send(refresh, first, "").want(http.StatusUnauthorized)
			for range 2 {
				p.send(refresh, third, "").want(http.StatusUnauthorized)
				p.send("GET /api/v1/items", access, "").want(http.StatusUnauthorized)
				p.kill()
				p = startShelf(t, dir, "-rotate-refresh")
			}
		})
	}
}

// killsOfOne is how often one data file goes through it. Then a new one begins,
// or the books and sessions of all rounds would outgrow what changes.
const killsOfOne = 25

type killCount struct{ rounds, acked, lost, compacting, compacted, torn int }

func (k *killCount) add(o killCount) {
	k.rounds += o.rounds
	k.acked += o.acked
	k.lost += o.lost
	k.compacting += o.compacting
	k.compacted += o.compacted
	k.torn += o.torn
}

// killOne puts one data file through a number of rounds.
func killOne(t *testing.T, rounds int) (sum killCount) {
	dir, l := t.TempDir(), newLedger()
	path := filepath.Join(dir, "shelf.jsonl")
	s := sessions{books: map[string]bool{}}
	p := startShelf(t, dir, "-access-ttl", "12h")
	token := p.signUpAnn()
	// A file that is worth compacting soon, with enough alive in it that it takes a while.
	filling, filled := context.WithCancel(t.Context())
	go func() {
		defer filled()
		untilDone(filling, func() bool { return fileSize(path) > 1<<20*3/4 })
	}()
	l.load(filling, p, token, "first", 8, 60, false)

	for round := range rounds {
		where := fmt.Sprintf("round %d", round)
		was, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		// What this round waits for: some time, the beginning of a compaction,
		// or its end.
		var (
			wait = time.Second
			met  = func() bool { return exists(path + ".new") }
			late = time.Duration(rand.IntN(8000)) * time.Microsecond
		)
		switch round % 4 {
		case 1, 3:
			wait, met = time.Duration(20+rand.IntN(180))*time.Millisecond, func() bool { return false }
		case 2:
			met, late = func() bool { is, err := os.Stat(path); return err == nil && !os.SameFile(was, is) }, late/10
		}
		var running sync.WaitGroup
		running.Go(func() { l.load(t.Context(), p, token, fmt.Sprint("r", round), 8, 6, true) })
		running.Go(func() { s.load(p, round) })
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		if untilDone(ctx, met) {
			spin(late)
		}
		cancel()
		p.kill()
		running.Wait()

		sum.rounds++
		if exists(path + ".new") {
			sum.compacting++
		}
		if is, err := os.Stat(path); err == nil && !os.SameFile(was, is) {
			sum.compacted++
		}
		p = startShelf(t, dir, "-access-ttl", "12h")
		sum.lost += l.check(where, l.snapshot(), p.items(token), true)
		sum.lost += s.check(t, where, p, token)
		if t.Failed() {
			break
		}
	}
	p.kill()
	for _, fault := range l.faults {
		t.Error(fault)
	}
	sum.acked = l.acked + s.acked
	if exists(path + ".torn") {
		sum.torn++
	}
	return sum
}

// sessions are the writes beside items: sign-ins, log-outs and books.
type sessions struct {
	acked int
	live  []string // tokens whose log-out was never asked for
	ended []string // … and those whose log-out was acknowledged
	books map[string]bool
}

// load signs in, adds books and logs out until p gives no answer.
func (s *sessions) load(p *program, round int) {
	send := func(request, token, body string, status int) (programReply, bool) {
		r, err := p.try(request, token, body)
		if err != nil {
			return r, false
		}
		if r.status != status {
			p.t.Errorf("%s = %d %s; want %d", request, r.status, r.body, status)
			return r, false
		}
		s.acked++
		return r, true
	}
	for n := 0; ; n++ {
		r, ok := send("POST /api/v1/auth/signin", "", annSecret, http.StatusOK)
		if !ok {
			return
		}
		token, _ := r.tokens()
		title := fmt.Sprintf("book %d-%d", round, n)
		if _, ok = send("POST /bookapi/books", token, fmt.Sprintf(`{"title":%q,"author":"Ann"}`, title), http.StatusOK); ok {
			s.books[title] = true
		}
		if !ok || n%2 == 0 {
			s.live = append(s.live, token)
			continue
		}
		if _, ok = send("DELETE /api/v1/auth/logout", token, "", http.StatusOK); ok {
			s.ended = append(s.ended, token)
		}
	}
}

// check asks p about every book and this round's sessions.
func (s *sessions) check(t *testing.T, where string, p *program, token string) (lost int) {
	var v struct {
		Books []struct {
			ID    int
			Title string
		}
	}
	p.send("GET /bookapi/books", token, "").want(http.StatusOK).decode(&v)
	found, ids := map[string]bool{}, map[int]bool{}
	for _, b := range v.Books {
		if ids[b.ID] {
			t.Errorf("%s: two books have the id %d", where, b.ID)
		}
		found[b.Title], ids[b.ID] = true, true
	}
	for title := range s.books {
		if !found[title] {
			lost++
			t.Errorf("%s: %s is lost", where, title)
		}
	}
	for _, token := range s.live {
		if r := p.send("GET /api/v1/items/1", token, ""); r.status == http.StatusUnauthorized {
			lost++
			t.Errorf("%s: a sign-in is lost: %s", where, r.body)
		}
	}
	for _, token := range s.ended {
		if r := p.send("GET /api/v1/items/1", token, ""); r.status != http.StatusUnauthorized {
			lost++
			t.Errorf("%s: a log-out is lost: %d %s", where, r.status, r.body)
		}
	}
	s.live, s.ended = nil, nil
	return lost
}
