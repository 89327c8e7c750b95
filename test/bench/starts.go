package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// A startKind is a program that is started, so many times in a round.
type startKind struct {
	name  string
	times int
	start func() (*program, error)
	items int // that GETs are sent for after the last start, 0 for none
}

// startKinds are shelf with stores of each size, and what it is compared with: hello and
// PocketBase, and plain loops over the same data files.
func (h *harness) startKinds() []startKind {
	shelf := func(n, times int) startKind {
		return startKind{fmt.Sprint("shelf ", n), times, func() (*program, error) { return h.startShelf(h.shelf, n) }, n}
	}
	loop := func(n, times int) startKind {
		return startKind{fmt.Sprint("loop ", n), times, func() (*program, error) { return h.startFloor("loop", h.master(n)) }, 0}
	}
	kinds := []startKind{
		{"hello", 10, func() (*program, error) { return h.startFloor("hello", "") }, 0}, shelf(0, 10),
		loop(medium, 5), shelf(medium, 5),
	}
	if h.large > 0 {
		kinds = append(kinds, loop(h.large, 1), shelf(h.large, 1))
	}
	if h.pocketBase != "" {
		kinds = append(kinds, startKind{"pocketbase", 5, h.startPocketBase, 0}, shelf(items, 5))
	}
	return kinds
}

// starts measures, in turns, how long starts take, and the memory after each, at its
// peak, and after the reads that follow.
func (h *harness) starts() error {
	kinds := h.startKinds()
	for i := range 10 {
		for _, k := range kinds {
			if i >= k.times {
				continue
			}
			if err := h.startOnce(k, i == k.times-1); err != nil {
				return fmt.Errorf("start of %s: %w", k.name, err)
			}
		}
	}
	return nil
}

func (h *harness) startOnce(k startKind, last bool) error {
	p, err := k.start()
	if err != nil {
		return err
	}
	defer p.stop()
	h.note("start/"+k.name, p.start.Seconds()*1e3)
	memory, err := p.resident()
	if err != nil {
		return err
	}
	h.note("memory/"+k.name, memory)
	peak, err := p.peak()
	if err != nil {
		return err
	}
	h.note("peak/"+k.name, peak)
	if !last || k.items == 0 {
		return nil
	}
	if _, err := h.wrk(p, "get", k.items, time.Second); err != nil {
		return err
	}
	busy, err := p.resident()
	h.note("busy/"+k.name, busy)
	return err
}

// readPlainly reads a data file of shelf as a program would that was written in an hour,
// into a map, one line after the other. It checks nothing.
func readPlainly(name string) (map[int]storedItem, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stored, lines := map[int]storedItem{}, bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Op   string      `json:"op"`
			Item *storedItem `json:"item"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, err
		}
		if line.Op == "put" && line.Item != nil {
			stored[line.Item.ID] = *line.Item
		}
	}
	return stored, lines.Err()
}

// A storedItem is an item as shelf keeps it in its data file.
type storedItem struct {
	ID          int       `json:"id"`
	Itemname    string    `json:"itemname"`
	Category    string    `json:"category"`
	Description string    `json:"description"`
	Created     time.Time `json:"created"`
	CreatedBy   int       `json:"createdby"`
}

func (h *harness) startGoals(goal goalFunc) {
	for _, g := range []struct {
		what, shelf, against, name string
		time, memory               float64
	}{
		{"an empty store", "shelf 0", "hello", "*hello*", 2, 2},
		{thousands(medium) + " items", fmt.Sprint("shelf ", medium), fmt.Sprint("loop ", medium), "a plain loop", 1, 2},
		{thousands(h.large) + " items", fmt.Sprint("shelf ", h.large), fmt.Sprint("loop ", h.large), "a plain loop", 0.4, 1},
	} {
		goal("Start with "+g.what+": time, against "+g.name, h.figureRatio("start/"+g.shelf, "start/"+g.against), "≤", g.time, "x")
		goal("Start with "+g.what+": memory after it, against "+g.name, h.figureRatio("memory/"+g.shelf, "memory/"+g.against), "≤", g.memory, "x")
	}
	if h.large == 0 {
		return
	}
	n := fmt.Sprint("shelf ", h.large)
	goal("Start with "+thousands(h.large)+" items: memory at its peak, against after it", h.figureRatio("peak/"+n, "memory/"+n), "≤", 1.2, "x")
	if all := h.figures["busy/"+n]; len(all) > 0 {
		each := (median(all) - median(h.figures["memory/shelf 0"])) / float64(h.large)
		goal("Resident memory: bytes an item, with "+thousands(h.large)+" items", each, "≤", 500, "")
	}
}

func (h *harness) printStarts(w io.Writer) {
	if len(h.figures["start/hello"]) == 0 {
		return
	}
	fmt.Fprint(w, "\n| start of | ms | memory after it, MB | at its peak, MB | and after some reads, MB |\n| --- | ---: | ---: | ---: | ---: |\n")
	row := func(name, key string) {
		if len(h.figures["start/"+key]) == 0 {
			return
		}
		busy := ""
		if all := h.figures["busy/"+key]; len(all) > 0 {
			busy = fmt.Sprintf("%.1f", median(all)/1e6)
		}
		fmt.Fprintf(w, "| %s | %.0f | %.1f | %.1f | %s |\n", name, median(h.figures["start/"+key]), median(h.figures["memory/"+key])/1e6, median(h.figures["peak/"+key])/1e6, busy)
	}
	row("hello", "hello")
	row("shelf, empty", "shelf 0")
	for _, n := range slices.Compact([]int{items, medium, h.large}) {
		row("shelf, "+thousands(n)+" items", fmt.Sprint("shelf ", n))
		row("a plain loop, "+thousands(n)+" items", fmt.Sprint("loop ", n))
	}
	row("PocketBase, "+thousands(items)+" items", "pocketbase")
}
