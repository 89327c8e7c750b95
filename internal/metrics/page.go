// Package metrics counts what a server does and writes it as a page in
// Prometheus' text format 0.0.4. No label contains text from a client, so
// clients can't create new series.
//
//	requests := metrics.NewRequests()
//	requests.Add("GET /hello")
//	…
//	requests.Count("GET /hello", 200, took)
//	…
//	var page metrics.Page
//	page.Begin("requests_total", "counter", "Requests answered.")
//	requests.Totals(&page)
//	w.Write(page.Text)
package metrics

import (
	"fmt"
	runtime "runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Page is a page in Prometheus' text format, under construction.
type Page struct {
	Text []byte // the lines so far
	name string // of the last metric begun
}

// Begin begins a metric. help must not contain a backslash or a line break.
func (p *Page) Begin(name, kind, help string) {
	p.name = name
	p.Text = fmt.Appendf(p.Text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// Single adds a metric with one value.
func (p *Page) Single(name, kind, help string, v float64) {
	p.Begin(name, kind, help)
	p.Value(v)
}

// labelEscape escapes the value of a label.
var labelEscape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// Value adds a line to the last metric begun. labels are pairs of name and
// value.
func (p *Page) Value(v float64, labels ...string) { p.line("", v, labels...) }

func (p *Page) line(suffix string, v float64, labels ...string) {
	p.Text = append(append(p.Text, p.name...), suffix...)
	between := byte('{')
	for label := range slices.Chunk(labels, 2) {
		p.Text = append(append(append(p.Text, between), label[0]...), `="`...)
		p.Text = append(append(p.Text, labelEscape.Replace(label[1])...), '"')
		between = ','
	}
	if between == ',' {
		p.Text = append(p.Text, '}')
	}
	p.Text = strconv.AppendFloat(append(p.Text, ' '), v, 'g', -1, 64)
	p.Text = append(p.Text, '\n')
}

// Histogram adds the lines of h. The count is the sum of the buckets as they
// were read, so both always agree.
func (p *Page) Histogram(h *Histogram, labels ...string) {
	labels = slices.Clip(labels)
	count := uint64(0)
	for i := range h.counts {
		bound := "+Inf"
		if i < len(bounds) {
			bound = strconv.FormatFloat(bounds[i].Seconds(), 'g', -1, 64)
		}
		count += h.counts[i].Load()
		p.line("_bucket", float64(count), append(labels, "le", bound)...)
	}
	p.line("_sum", time.Duration(h.nanos.Load()).Seconds(), labels...)
	p.line("_count", float64(count), labels...)
}

// Process adds three metrics of the Go runtime, under the names of Prometheus'
// own client, which dashboards expect. Unlike runtime.ReadMemStats it doesn't
// stop the world.
func (p *Page) Process() {
	samples := []runtime.Sample{{Name: "/sched/goroutines:goroutines"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}}
	runtime.Read(samples)
	p.Single("go_goroutines", "gauge", "Goroutines.", float64(samples[0].Value.Uint64()))
	p.Single("go_memstats_heap_alloc_bytes", "gauge", "Memory in live objects, and in dead ones not yet swept.", float64(samples[1].Value.Uint64()))
	p.Single("go_memstats_sys_bytes", "gauge", "Address space taken from the system.", float64(samples[2].Value.Uint64()))
}
