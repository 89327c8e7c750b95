package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A turn is a scenario, and the servers that are measured in it one after the
// other. "large" is shelf with the large store, "before" the other build of it,
// "bcrypt" nothing but bcrypt, "peer cost" shelf with the bcrypt cost that PocketBase has.
type turn struct {
	scenario string
	servers  []string
}

// turns are what a round measures, in this order: what reads before what writes,
// as the stores grow by that. Of the reads, each is measured for a second, and
// then all of them again, and so the writes: what a machine does meanwhile hits all
// alike. Of sign-ins there are too few in a second, so these are measured at a
// stretch.
var (
	turns = slices.Concat(passwordTurns, reads, writes)

	passwordTurns = []turn{
		{"signin", []string{"bcrypt", "shelf", "pocketbase", "peer cost"}},
	}
	reads = []turn{
		{"get", []string{"hello", "bare", "shelf", "before", "large", "pocketbase"}},
		{"page", []string{"shelf", "before", "large", "pocketbase"}},
		{"flood", []string{"shelf", "before"}},
	}
	writes = []turn{
		{"post", []string{"bare", "shelf", "before", "large", "pocketbase"}},
		{"mixed", []string{"bare", "shelf", "before"}},
	}
)

// round measures all turns once. Each round has servers and files of its own.
func (h *harness) round() (err error) {
	programs := map[string]*program{}
	defer func() {
		for _, p := range programs {
			p.stop()
		}
	}()
	for name, start := range h.servers() {
		if !slices.ContainsFunc(turns, func(t turn) bool { return h.wants(t.scenario) && slices.Contains(t.servers, name) }) {
			continue
		}
		p, err := start()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		programs[name] = p
	}
	if err := h.measure(passwordTurns, programs, 1, h.stretch()); err != nil {
		return err
	}
	if err := h.measure(reads, programs, h.seconds, time.Second); err != nil {
		return err
	}
	return h.measure(writes, programs, h.seconds, time.Second)
}

// servers are what the turns measure, by name, and how each is started.
func (h *harness) servers() map[string]func() (*program, error) {
	servers := map[string]func() (*program, error){
		"hello": func() (*program, error) { return h.startFloor("hello", "") },
		"bare":  func() (*program, error) { return h.startFloor("bare", filepath.Join(h.folder, "bare.jsonl")) },
		"shelf": func() (*program, error) { return h.startShelf(h.shelf, items) },
	}
	if h.before != "" {
		servers["before"] = func() (*program, error) { return h.startShelf(h.before, items) }
	}
	if h.large > 0 {
		servers["large"] = func() (*program, error) { return h.startShelf(h.shelf, h.large) }
	}
	if h.pocketBase != "" {
		servers["pocketbase"] = h.signedInPocketBase
		servers["peer cost"] = h.startPeerCost
	}
	return servers
}

// startPeerCost starts shelf with the bcrypt cost of the peers, and makes ann's account,
// whose hash has that cost.
func (h *harness) startPeerCost() (*program, error) {
	p, err := h.startShelf(h.shelf, 0, "-bcrypt-cost", peerCost)
	if err != nil {
		return nil, err
	}
	if _, err := signUp(p); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// stretch is how long at a time what is slow or uneven is measured: five seconds, but
// with -quick. These are sign-ins, and POSTs of rows, as shelf writes db.json meanwhile.
func (h *harness) stretch() time.Duration {
	if h.seconds < 2 {
		return time.Duration(h.seconds) * time.Second
	}
	return 5 * time.Second
}

// measure measures turns so many times, one after the other and then again, each so long.
func (h *harness) measure(turns []turn, programs map[string]*program, times int, long time.Duration) error {
	for range times {
		for _, t := range turns {
			if !h.wants(t.scenario) {
				continue
			}
			for _, server := range t.servers {
				p := programs[server]
				if p == nil && server != "bcrypt" {
					continue
				}
				s, err := h.sample(t.scenario, p, long)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", t.scenario, server, err)
				}
				h.samples[t.scenario+"/"+server] = append(h.samples[t.scenario+"/"+server], s)
			}
		}
	}
	return nil
}

// sample is one measurement; without a server it is of bcrypt.
func (h *harness) sample(scenario string, p *program, long time.Duration) (sample, error) {
	switch {
	case p == nil:
		return bcryptAlone(after(long))
	case scenario == "signin":
		return signIns(p, after(long))
	case scenario == "flood":
		stop := make(chan struct{})
		var flooded error
		var wg sync.WaitGroup
		wg.Go(func() { _, flooded = signIns(p, stop) })
		time.Sleep(500 * time.Millisecond) // by then all of them wait for bcrypt
		s, err := h.wrk(p, "get", items, long)
		close(stop)
		wg.Wait()
		return s, errors.Join(err, flooded)
	}
	return h.wrk(p, scenario, items, long)
}

func after(d time.Duration) chan struct{} {
	done := make(chan struct{})
	time.AfterFunc(d, func() { close(done) })
	return done
}

var allocationLine = regexp.MustCompile(`(?m)^BenchmarkRequest/(\w+)\S*\s.*?(\d+) B/op\s+(\d+) allocs/op`)

// allocations asks the benchmark in shelf's own module what a request allocates
// in shelf, on top of what net/http does for every request.
func (h *harness) allocations(root string) error {
	out, err := exec.Command("go", "-C", root, "test", "-run", "^$", "-bench", "^BenchmarkRequest$", "-benchmem", "-benchtime", "5000x", ".").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go test -bench BenchmarkRequest: %w: %s", err, out)
	}
	for _, line := range allocationLine.FindAllStringSubmatch(string(out), -1) {
		for i, name := range []string{"bytes", "allocs"} {
			n, err := strconv.Atoi(line[2+i])
			if err != nil {
				return err
			}
			h.figures[name+"/"+line[1]] = []float64{float64(n)}
		}
	}
	return nil
}
