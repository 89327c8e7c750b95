package main

import (
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"sync"
	"time"
)

// slowClients read all items at slowRate each, for slowFor.
const (
	slowClients = 8
	slowRate    = 1 << 20 // bytes a second
	slowFor     = 10 * time.Second
)

// listRound measures what lists of the large store cost: the memory while slow clients
// read all of it, and the processor time of a search, and of pages by id and by name
// behind the middle.
func (h *harness) listRound() error {
	for _, build := range []struct{ server, program string }{{"shelf", h.shelf}, {"before", h.before}} {
		if build.program == "" || h.large == 0 {
			continue
		}
		p, err := h.startShelf(build.program, h.large)
		if err != nil {
			return err
		}
		err = h.lists(p, build.server)
		p.stop()
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *harness) lists(p *program, server string) error {
	above, err := slowReaders(p)
	if err != nil {
		return err
	}
	h.figures["slow/"+server] = append(h.figures["slow/"+server], above/1e6)
	for name, query := range map[string]string{
		"search": "q=needle", "deep": "sort=id&after=" + h.middle("id"), "deep by name": "sort=itemname&after=" + h.middle("itemname"),
	} {
		each, err := processorTime(p, "/api/v1/items?limit=100&"+query)
		if err != nil {
			return err
		}
		h.figures[name+"/"+server] = append(h.figures[name+"/"+server], each)
	}
	return nil
}

// middle is the cursor behind an item in the middle of an order. To follow the links to
// it would take a build that sorts for each page minutes.
func (h *harness) middle(order string) string {
	n, text := h.large/2, ""
	if order == "itemname" {
		text = fmt.Sprintf(`"text":"Item number %d",`, n)
	}
	query := crc32.ChecksumIEEE([]byte("/api/v1/items?sort=" + order))
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"v":1,"query":"%x",%s"id":%d}`, query, text, n))
}

// slowReaders returns by how much the memory of the server rises meanwhile.
func slowReaders(p *program) (above float64, err error) {
	idle, err := p.resident()
	if err != nil {
		return 0, err
	}
	var readers sync.WaitGroup
	for range slowClients {
		readers.Go(func() {
			r, err := http.NewRequest("GET", p.url+"/api/v1/items", nil)
			if err != nil {
				return
			}
			r.Header.Set("Authorization", "Bearer "+p.token)
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				return
			}
			defer answer.Body.Close()
			for range slowFor / (100 * time.Millisecond) {
				io.CopyN(io.Discard, answer.Body, slowRate/10)
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	for range slowFor / (100 * time.Millisecond) {
		now, err := p.resident()
		if err != nil {
			return 0, err
		}
		above = max(above, now-idle)
		time.Sleep(100 * time.Millisecond)
	}
	readers.Wait()
	return above, nil
}

// processorTime returns the milliseconds of processor time that a GET takes, once what
// the first one makes is there.
func processorTime(p *program, path string) (float64, error) {
	get := func() error { _, err := send(http.DefaultClient, "GET", p.url+path, p.token, ""); return err }
	if err := get(); err != nil {
		return 0, err
	}
	before, err := p.cpu()
	count, began := 0, time.Now()
	for ; err == nil && (count < 5 || time.Since(began) < 2*time.Second); count++ {
		err = get()
	}
	after, lost := p.cpu()
	if err == nil {
		err = lost
	}
	return float64((after - before).Microseconds()) / 1e3 / float64(count), err
}

// listGoals are the goals of lists.
func (h *harness) listGoals(goal goalFunc) {
	if len(h.figures["slow/shelf"]) == 0 {
		return
	}
	goal(fmt.Sprintf("%d clients read %s items at 1 MB/s: MB of memory above idle", slowClients, thousands(h.large)), max(1, median(h.figures["slow/shelf"])), "≤", 64, "")
	over := func(a, b string) float64 { return median(h.figures[a]) / max(median(h.figures[b]), 0.001) }
	goal("Page of 100 by name, from the middle: processor time, against by id", over("deep by name/shelf", "deep/shelf"), "≤", 1.5, "x")
	if h.before != "" {
		goal("Search in vain: processor time, against the build before", over("search/shelf", "search/before"), "≤", 0.2, "x")
		goal("Page of 100 by name, from the middle: processor time, against the build before", over("deep by name/shelf", "deep by name/before"), "≤", 0.2, "x")
	}
}
