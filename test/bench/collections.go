package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// How many rows the collection has. Collections are measured beside json-server, on the
// same db.json.
var collectionRows = []int{1000, 100_000}

// collectionKinds are what is asked of both sides, in the words of the tables.
var collectionKinds = []struct{ kind, what string }{
	{"row", "GET of a row"},
	{"filter", "`?userId=N`, 10 rows"},
	{"group", "`?groupId=N`, 100 rows"},
	{"sorted", "sorted page of 10"},
	{"new", "POST of a row"},
}

// collection is a db.json with n rows, as json-server writes it.
func collection(n int) []byte {
	words := strings.Fields("lorem ipsum dolor sit amet consectetur adipisicing elit sed do eiusmod tempor")
	text := func(i, count int) string {
		said := make([]string, count)
		for j := range said {
			said[j] = words[(i*7+j)%len(words)]
		}
		return strings.Join(said, " ")
	}
	b := []byte("{\n  \"todos\": [")
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "\n    {\n      \"id\": %d,\n      \"userId\": %d,\n      \"groupId\": %d,\n      \"title\": %q,\n      \"body\": %q,\n      \"completed\": %t\n    }",
			i+1, i%(n/10)+1, i%(n/100)+1, fmt.Sprintf("%s %d", text(i, 5), i*7919%n), text(i/3, 20), i%2 == 0)
	}
	return append(b, "\n  ],\n  \"profile\": {}\n}\n"...)
}

// collectionRound measures all once. All servers run, and take turns for each kind.
func (h *harness) collectionRound() error {
	servers := map[string]*program{}
	defer func() {
		for _, p := range servers {
			p.stop()
		}
	}()
	begin := func(key string, text []byte, peer bool) error {
		if peer && h.node == "" {
			return nil
		}
		p, err := h.startCollections(text, peer)
		if err != nil {
			return err
		}
		servers[key] = p
		return h.noteMemory(key, p)
	}
	if err := begin("empty", []byte(`{"todos": []}`), false); err != nil {
		return err
	}
	for _, n := range collectionRows {
		text := collection(n)
		h.figures[fmt.Sprintf("file/%d", n)] = []float64{float64(len(text))}
		if err := errors.Join(begin(fmt.Sprintf("shelf %d", n), text, false), begin(fmt.Sprintf("json-server %d", n), text, true)); err != nil {
			return err
		}
	}
	for _, k := range collectionKinds {
		if k.kind == "new" {
			key := fmt.Sprintf("shelf %d", collectionRows[1])
			if err := h.noteMemory(key+", after reads", servers[key]); err != nil {
				return err
			}
		}
		for _, name := range []string{"shelf", "json-server"} {
			for _, n := range collectionRows {
				key := fmt.Sprintf("%s %d", name, n)
				p := servers[key]
				if p == nil {
					continue
				}
				s, err := h.collectionSample(p, k.kind, n, name == "json-server")
				if err != nil {
					return fmt.Errorf("%s, %s: %w", k.kind, key, err)
				}
				h.samples[k.kind+"/"+key] = append(h.samples[k.kind+"/"+key], s)
			}
		}
	}
	return nil
}

// collectionSample is one measurement. What takes the real server seconds is asked one
// request after the other: wrk counts only what is answered in its time.
func (h *harness) collectionSample(p *program, kind string, n int, peer bool) (sample, error) {
	long := time.Duration(h.seconds) * time.Second
	if kind == "new" {
		long = h.stretch()
	}
	if peer && n > 1000 && kind != "row" {
		return slowly(p, kind, n, long)
	}
	// The first questions make the indexes.
	for range 3 {
		if _, err := slowly(p, kind, n, 0); err != nil {
			return sample{}, err
		}
	}
	return h.wrk(p, kind, n, long)
}

// slowly asks one request after the other, three of them at least.
func slowly(p *program, kind string, n int, long time.Duration) (s sample, err error) {
	path, method, body := map[string]string{
		"row": "/todos/7", "filter": "/todos?userId=7", "group": "/todos?groupId=7", "sorted": "/todos?_sort=title&_page=3&_limit=10", "new": "/todos",
	}[kind], "GET", ""
	if kind == "new" {
		method, body = "POST", `{"userId":7,"groupId":7,"title":"lorem ipsum dolor sit amet","completed":false}`
	}
	before, err := p.cpu()
	if err != nil {
		return s, err
	}
	began, count := time.Now(), 0.0
	for count < 3 || time.Since(began) < long {
		if _, err := send(http.DefaultClient, method, p.url+path, "", body); err != nil {
			return s, err
		}
		count++
	}
	took := time.Since(began)
	after, err := p.cpu()
	each := took.Seconds() * 1e3 / count
	return sample{rate: count / took.Seconds(), p50: each, p99: each, cpu: float64((after - before).Microseconds()) / count}, err
}

func (h *harness) noteMemory(name string, p *program) error {
	memory, err := p.resident()
	h.figures["memory "+name] = append(h.figures["memory "+name], memory)
	return err
}

// startCollections starts shelf, or json-server, on a db.json of its own.
func (h *harness) startCollections(text []byte, peer bool) (*program, error) {
	folder, err := os.MkdirTemp(h.folder, "data")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(folder, "db.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	if !peer {
		return run([]string{"SECRET_KEY=" + secret}, h.shelf, "-addr", "127.0.0.1:0", "-open", file)
	}
	return h.startNode("json-server/lib/cli/bin.js", folder, file)
}

// collectionGoals prints what is to be reached with collections.
func (h *harness) collectionGoals(goal goalFunc) {
	for _, n := range collectionRows {
		against := fmt.Sprintf(", %s rows: throughput, against json-server", thousands(n))
		for _, g := range []struct {
			kind string
			aim  float64
		}{{"row", 20}, {"filter", 50}, {"sorted", 50}, {"new", 20}} {
			goal(kindName(g.kind)+against, h.ratio(rate, g.kind, fmt.Sprintf("shelf %d", n), g.kind, fmt.Sprintf("json-server %d", n)), "≥", g.aim, "x")
		}
	}
	few, many := fmt.Sprintf("shelf %d", collectionRows[0]), fmt.Sprintf("shelf %d", collectionRows[1])
	goal("`?userId=N`: processor time with 100,000 rows, against 1,000", h.ratio(cpu, "filter", many, "filter", few), "≤", 1.2, "x")
	goal("100 rows found of 100,000: processor time, against 10 found", h.ratio(cpu, "group", many, "filter", many), "≤", 10, "x")
	goal("POST of a row: processor time with 100,000 rows, against 1,000", h.ratio(cpu, "new", many, "new", few), "≤", 1.2, "x")
	if file := median(h.figures[fmt.Sprintf("file/%d", collectionRows[1])]); file > 0 {
		empty := median(h.figures["memory empty"])
		for _, when := range []struct{ what, name string }{{"the start", many}, {"the reads", many + ", after reads"}} {
			goal("Memory after "+when.what+", 100,000 rows, above an empty server: against db.json's size", (median(h.figures["memory "+when.name])-empty)/file, "≤", 2.5, "x")
		}
	}
}

func kindName(kind string) string {
	for _, k := range collectionKinds {
		if k.kind == kind {
			return k.what
		}
	}
	return kind
}

// printCollections prints the figures behind the goals.
func (h *harness) printCollections(w io.Writer) {
	rows := 0
	for _, k := range collectionKinds {
		for _, n := range collectionRows {
			for _, name := range []string{"shelf", "json-server"} {
				key := fmt.Sprintf("%s %d", name, n)
				if len(h.samples[k.kind+"/"+key]) == 0 {
					continue
				}
				if rows++; rows == 1 {
					fmt.Fprint(w, "\n| collections | rows | server | a second | p50 ms | p99 ms | processor µs |\n| --- | ---: | --- | ---: | ---: | ---: | ---: |\n")
				}
				fmt.Fprintf(w, "| %s | %s | %s | %s | %.1f |\n", k.what, thousands(n), name, h.answers(k.kind, key), h.of(k.kind, key, cpu))
			}
		}
	}
	if rows == 0 {
		return
	}
	fmt.Fprint(w, "\n| collections | memory, MB |\n| --- | ---: |\n")
	many := collectionRows[1]
	for _, m := range []struct{ what, name string }{
		{"shelf, no rows", "empty"}, {"shelf, 100,000 rows", fmt.Sprintf("shelf %d", many)},
		{"shelf, 100,000 rows, after the reads", fmt.Sprintf("shelf %d, after reads", many)}, {"json-server, 100,000 rows", fmt.Sprintf("json-server %d", many)},
	} {
		if memory := h.figures["memory "+m.name]; len(memory) > 0 {
			fmt.Fprintf(w, "| %s | %.1f |\n", m.what, median(memory)/1e6)
		}
	}
	fmt.Fprintf(w, "\nThe db.json with 100,000 rows has %.1f MB.\n", median(h.figures[fmt.Sprintf("file/%d", many)])/1e6)
}
