package metrics

import (
	"errors"
	"time"

	"example.com/shelf/internal/history"
)

// Shared counts what goes to a log that other programs append to too.
type Shared struct {
	appends, barriers Histogram
	results           *Counters
}

// NewShared returns a Shared of a log to which nothing went yet.
func NewShared() *Shared { return &Shared{results: NewCounters("kept", "overtaken", "failed")} }

// Appended counts an append, by its result.
func (s *Shared) Appended(took time.Duration, err error) {
	result := "failed"
	if _, late := errors.AsType[*history.Overtaken](err); late {
		result = "overtaken"
	} else if err == nil {
		result = "kept"
		s.appends.Observe(took)
	}
	s.results.Add(result)
}

// Checked counts a barrier that succeeded.
func (s *Shared) Checked(took time.Duration, err error) {
	if err == nil {
		s.barriers.Observe(took)
	}
}

// Show writes all of it. silence is the time since the log last confirmed that the
// program is up to date.
func (s *Shared) Show(p *Page, silence time.Duration, engine history.Engine) {
	p.Begin("shelf_shared_appends_total", "counter", "Batches sent to the shared log. An overtaken one is judged anew and sent again.")
	s.results.Values(p, "result")
	p.Begin("shelf_shared_append_duration_seconds", "histogram", "What it takes to have a batch kept by a quorum, for all who wait for it together.")
	p.Histogram(&s.appends)
	p.Begin("shelf_shared_barrier_duration_seconds", "histogram", "What it takes to learn what other replicas have changed, for all requests that wait for it together.")
	p.Histogram(&s.barriers)
	p.Single("shelf_shared_silence_seconds", "gauge", "Time since the shared log last confirmed that this replica is up to date.", silence.Seconds())
	p.Single("shelf_shared_clock_difference_seconds", "gauge", "The largest difference lately between the clock of this machine and those of etcd's members and other replicas.", engine.ClockDifference.Seconds())
	p.Single("shelf_shared_engine_bytes", "gauge", "Size of all that etcd keeps, at the member where it is largest; 0 if it is not known.", float64(engine.Bytes))
	p.Single("shelf_shared_engine_quota_bytes", "gauge", "The size at which etcd takes no more (--quota-backend-bytes); 0 before etcd 3.6, which does not tell.", float64(engine.Quota))
}
