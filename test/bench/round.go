package main

import (
	"errors"
	"fmt"
	"os"
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
// "bcrypt" nothing but bcrypt.
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
	turns = slices.Concat(signIn, reads, writes)

	signIn = []turn{
		{"signin", []string{"bcrypt", "shelf"}},
	}
	reads = []turn{
		{"get", []string{"hello", "bare", "shelf", "before", "large"}},
		{"page", []string{"shelf", "before", "large"}},
		{"flood", []string{"shelf", "before"}},
	}
	writes = []turn{
		{"post", []string{"bare", "shelf", "before", "large"}},
		{"mixed", []string{"bare", "shelf", "before"}},
	}
)

// round measures everything once. Each round has servers and files of its own.
func (h *harness) round() (err error) {
	programs := map[string]*program{}
	defer func() {
		for _, p := range programs {
			p.stop()
		}
		old, _ := filepath.Glob(filepath.Join(h.folder, "data*"))
		for _, folder := range old {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}()
	start := map[string]func() (*program, error){
		"hello": func() (*program, error) { return h.startFloor("hello") },
		"bare":  func() (*program, error) { return h.startFloor("bare") },
		"shelf": func() (*program, error) { return h.startShelf(h.shelf, items) },
	}
	if h.before != "" {
		start["before"] = func() (*program, error) { return h.startShelf(h.before, items) }
	}
	if h.large > 0 {
		start["large"] = func() (*program, error) { return h.startShelf(h.shelf, h.large) }
	}
	for name, f := range start {
		if programs[name], err = f(); err != nil {
			delete(programs, name)
			return err
		}
	}
	if h.wants("start") {
		if err := h.starts(); err != nil {
			return err
		}
	}
	if err := h.measure(signIn, programs, 1); err != nil {
		return err
	}
	if err := h.measure(reads, programs, h.seconds); err != nil {
		return err
	}
	return h.measure(writes, programs, h.seconds)
}

// measure measures turns so many times, one after the other and then again, each
// for its part of the seconds.
func (h *harness) measure(turns []turn, programs map[string]*program, times int) error {
	long := time.Duration(h.seconds/times) * time.Second
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

// starts measures how long a start takes, and the memory after it, at its peak, and
// after the reads that follow.
func (h *harness) starts() error {
	for _, n := range slices.Compact([]int{0, medium, h.large}) {
		p, err := h.startShelf(h.shelf, n)
		if err != nil {
			return err
		}
		memory, err := p.resident()
		var peak float64
		if err == nil {
			peak, err = p.peak()
		}
		if err == nil && n > 0 {
			_, err = h.wrk(p, "get", n, time.Second)
		}
		var busy float64
		if err == nil {
			busy, err = p.resident()
		}
		p.stop()
		if err != nil {
			return err
		}
		for name, figure := range map[string]float64{"start": p.start.Seconds() * 1e3, "memory": memory, "peak": peak, "busy": busy} {
			key := fmt.Sprintf("%s/%d", name, n)
			h.figures[key] = append(h.figures[key], figure)
		}
	}
	return nil
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
