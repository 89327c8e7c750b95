package metrics

import (
	"slices"
	"testing"
	"time"
)

// Each request is counted.
func TestCountingAllocatesNothing(t *testing.T) {
	m := NewRequests()
	m.Add("GET /hello/{name}")
	if n := testing.AllocsPerRun(100, func() { m.Count("GET /hello/{name}", 200, time.Millisecond) }); n != 0 {
		t.Errorf("it allocates %v times; want never", n)
	}
}

// BenchmarkCounting measures the counting of a request.
func BenchmarkCounting(b *testing.B) {
	m := NewRequests()
	m.Add("GET /hello/{name}")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Count("GET /hello/{name}", 200, 30*time.Microsecond)
		}
	})
}

// A page with all kinds of metrics, as Prometheus reads it.
func TestPage(t *testing.T) {
	t.Parallel()
	m := NewRequests()
	m.Add("GET /hello/{name}")
	m.Count("GET /hello/{name}", 200, time.Millisecond)
	m.Count("GET /hello/{name}", 200, time.Hour)
	m.Count("GET /hello/{name}", 418, time.Hour)
	m.Count("GET /bye", 404, time.Millisecond)
	m.Add("GET /hello/{name}") // keeps the counter that exists
	var p Page
	p.Begin("requests_total", "counter", "Requests.")
	m.Totals(&p)
	p.Single("pi", "gauge", "A number.", 3.25)
	p.Begin("labels", "gauge", "What a label may hold.")
	p.Value(1, "a", "\\", "b", "\"\n")
	var h Histogram
	for _, took := range []time.Duration{0, 50 * time.Microsecond, 50*time.Microsecond + 1, 30 * time.Millisecond, 10 * time.Second, 24 * time.Hour} {
		h.Observe(took)
	}
	p.Begin("took_seconds", "histogram", "How long it took.")
	p.Histogram(&h)
	const want = `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{route="",status="404"} 1
requests_total{route="GET /hello/{name}",status="other"} 1
requests_total{route="GET /hello/{name}",status="200"} 2
# HELP pi A number.
# TYPE pi gauge
pi 3.25
# HELP labels What a label may hold.
# TYPE labels gauge
labels{a="\\",b="\"\n"} 1
# HELP took_seconds How long it took.
# TYPE took_seconds histogram
took_seconds_bucket{le="5e-05"} 2
took_seconds_bucket{le="0.0001"} 3
took_seconds_bucket{le="0.00025"} 3
took_seconds_bucket{le="0.0005"} 3
took_seconds_bucket{le="0.001"} 3
took_seconds_bucket{le="0.0025"} 3
took_seconds_bucket{le="0.005"} 3
took_seconds_bucket{le="0.01"} 3
took_seconds_bucket{le="0.025"} 3
took_seconds_bucket{le="0.05"} 4
took_seconds_bucket{le="0.1"} 4
took_seconds_bucket{le="0.25"} 4
took_seconds_bucket{le="0.5"} 4
took_seconds_bucket{le="1"} 4
took_seconds_bucket{le="2.5"} 4
took_seconds_bucket{le="5"} 4
took_seconds_bucket{le="10"} 5
took_seconds_bucket{le="+Inf"} 6
took_seconds_sum 86410.030100001
took_seconds_count 6
`
	if got := string(p.Text); got != want {
		t.Errorf("the page is\n%s\nwant\n%s", got, want)
	}
}

// every listed status has its counter
func TestStatuses(t *testing.T) {
	t.Parallel()
	if !slices.IsSorted(statuses[:]) {
		t.Error("statuses are in no order")
	}
}
