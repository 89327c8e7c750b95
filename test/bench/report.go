package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
)

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	if n := len(values); n%2 == 0 && n > 0 {
		return (values[n/2-1] + values[n/2]) / 2
	} else if n > 0 {
		return values[n/2]
	}
	return 0
}

// of is the median of one figure of a scenario's samples, 0 where there are none.
func (h *harness) of(scenario, server string, figure func(sample) float64) float64 {
	var values []float64
	for _, s := range h.samples[scenario+"/"+server] {
		values = append(values, figure(s))
	}
	return median(values)
}

func rate(s sample) float64 { return s.rate }
func cpu(s sample) float64  { return s.cpu }
func p50(s sample) float64  { return s.p50 }
func p99(s sample) float64  { return s.p99 }

// report prints what was measured as Markdown: what was to be reached, and then
// the figures behind it.
func (h *harness) report(w io.Writer) {
	fmt.Fprintf(w, "%d processors, Linux %s, %s; medians of %d rounds (lists, collections and accounts: %d), of %d seconds for each server in each row (sign-ins and POSTs of rows: %.0f).\n",
		runtime.NumCPU(), kernel(), runtime.Version(), h.rounds, h.fewer(), h.seconds, h.stretch().Seconds())
	h.printGoals(w)
	h.printLeftOut(w)
	h.printSamples(w)
	h.printStarts(w)
	h.printImport(w)
	h.printEvents(w)
	h.printAllocations(w)
	h.printCollections(w)
	h.printAccounts(w)
}

func kernel() string {
	text, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	release, _, _ := strings.Cut(strings.TrimSpace(string(text)), "-") // what follows names a build
	return release
}

// ratio is the median of one figure divided by another: each two were measured
// within seconds of each other, so what slows the machine down for longer falls
// out.
func (h *harness) ratio(figure func(sample) float64, scenario, server, byScenario, byServer string) float64 {
	of, by := h.samples[scenario+"/"+server], h.samples[byScenario+"/"+byServer]
	var values []float64
	for i := range min(len(of), len(by)) {
		if d := figure(by[i]); d > 0 {
			values = append(values, figure(of[i])/d)
		}
	}
	return median(values)
}

// figureRatio is ratio for figures that are no sample.
func (h *harness) figureRatio(figure, by string) float64 {
	of, others := h.figures[figure], h.figures[by]
	var values []float64
	for i := range min(len(of), len(others)) {
		values = append(values, of[i]/others[i])
	}
	return median(values)
}

// A goalFunc prints what is to be reached, what was measured and whether it is enough.
type goalFunc func(what string, is float64, sign string, aim float64, unit string)

func (h *harness) printGoals(w io.Writer) {
	rows := 0
	goal := func(what string, is float64, sign string, aim float64, unit string) {
		if is == 0 {
			return // not measured
		}
		if rows++; rows == 1 {
			fmt.Fprintf(w, "\n| what | measured | aim | |\n| --- | ---: | ---: | --- |\n")
		}
		verdict := "missed"
		if sign == "≤" && is <= aim || sign == "≥" && is >= aim {
			verdict = "met"
		}
		digits := 2
		if unit != "x" {
			digits = 0
		}
		fmt.Fprintf(w, "| %s | %.*f%s | %s %.*f%s | %s |\n", what, digits, is, unit, sign, digits, aim, unit, verdict)
	}
	goal("GET of an item: processor time, against *hello*", h.ratio(cpu, "get", "shelf", "get", "hello"), "≤", 1.25, "x")
	goal("GET of an item: throughput, against *bare*", h.ratio(rate, "get", "shelf", "get", "bare"), "≥", 1, "x")
	goal("Page of 100: throughput, against a GET of an item", h.ratio(rate, "page", "shelf", "get", "shelf"), "≥", 0.6, "x")
	goal("POST of an item, synced: throughput, against *bare*", h.ratio(rate, "post", "shelf", "post", "bare"), "≥", 0.9, "x")
	goal("Sign-in: throughput, against bcrypt alone on all processors", h.ratio(rate, "signin", "shelf", "signin", "bcrypt"), "≥", 0.95, "x")
	if beside := h.of("flood", "shelf", p99); beside > 0 {
		goal("GET while 8 connections sign in: p99, ms; the aim is 25, or twice that of GET alone", beside, "≤", max(25, 2*h.of("get", "shelf", p99)), "")
	}
	large := fmt.Sprintf("%s items, against 1,000", thousands(h.large))
	goal("GET: processor time with "+large, h.ratio(cpu, "get", "large", "get", "shelf"), "≤", 1.1, "x")
	goal("POST: processor time with "+large, h.ratio(cpu, "post", "large", "post", "shelf"), "≤", 1.2, "x")
	h.startGoals(goal)
	h.importGoals(goal)
	h.eventGoals(goal)
	h.listGoals(goal)
	h.collectionGoals(goal)
	h.accountGoals(goal)
	h.pocketBaseGoals(goal)
}

func (h *harness) printSamples(w io.Writer) {
	names := map[string]string{
		"get": "GET of an item", "page": "page of 100 items", "flood": "GET, 8 more connections sign in",
		"signin": "sign-in", "post": "POST of an item, synced", "mixed": "9 GET, 1 POST",
		"large": "shelf, " + thousands(h.large) + " items", "bcrypt": "bcrypt alone", "pocketbase": "PocketBase", "peer cost": "shelf, bcrypt cost " + peerCost,
	}
	name := func(s string) string {
		if names[s] != "" {
			return names[s]
		}
		return s
	}
	rows := 0
	for _, t := range turns {
		for _, server := range t.servers {
			if len(h.samples[t.scenario+"/"+server]) == 0 {
				continue
			}
			if rows++; rows == 1 {
				fmt.Fprint(w, "\n| request | server | a second | p50 ms | p99 ms | processor µs |\n| --- | --- | ---: | ---: | ---: | ---: |\n")
			}
			each := fmt.Sprintf("%.1f", h.of(t.scenario, server, cpu))
			if t.scenario == "flood" {
				each = "" // most of it is bcrypt's
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s |\n", name(t.scenario), name(server), h.answers(t.scenario, server), each)
		}
	}
}

// answers are the cells of a table that say how many answers a server gave a second, and
// how long they took.
func (h *harness) answers(scenario, server string) string {
	each, digits := h.of(scenario, server, rate), 0
	if each < 100 {
		digits = 2
	}
	return fmt.Sprintf("%.*f | %.2f | %.2f", digits, each, h.of(scenario, server, p50), h.of(scenario, server, p99))
}

func (h *harness) printAllocations(w io.Writer) {
	if !h.wants("allocs") {
		return
	}
	fmt.Fprint(w, "\n| request | allocations | bytes |\n| --- | ---: | ---: |\n")
	for _, name := range []string{"get", "page", "post", "signin"} {
		fmt.Fprintf(w, "| %s | %.0f | %.0f |\n", name, median(h.figures["allocs/"+name]), median(h.figures["bytes/"+name]))
	}
}

// raw is every sample in the form of Go's benchmarks.
func (h *harness) raw() []byte {
	var b []byte
	for _, t := range turns {
		for _, server := range t.servers {
			for _, s := range h.samples[t.scenario+"/"+server] {
				b = fmt.Appendf(b, "Benchmark%s/server=%s 1 %.0f cpu-ns/op %.1f req/s %.3f p99-ms\n", strings.ToUpper(t.scenario), server, s.cpu*1e3, s.rate, s.p99)
			}
		}
	}
	return b
}

// thousands writes a number with its thousands apart.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
