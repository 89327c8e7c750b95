package db

import (
	"context"
	"strings"
	"sync"
	"time"

	"example.com/shelf/internal/clock"
)

const (
	// heardLately is how long another replica counts as one that writes.
	heardLately = 2 * time.Second
	longestWait = 100 * time.Millisecond
)

// manners keep replicas fair. Appends compete: the replica nearest to the log would
// win nearly all of them. So a replica that has appended a batch lets each other
// replica that writes append one, before it appends the next. It waits twice the
// time that an append usually takes for each of them, at most.
type manners struct {
	heard chan struct{} // a batch of another replica was applied; room for one signal

	mu     sync.Mutex
	others map[string]time.Time // by name: when its last batch was applied
	count  int                  // of batches of other replicas
	usual  time.Duration        // an append
}

// hear notes that a batch of another replica was applied.
func (m *manners) hear(id string) {
	name, _, _ := strings.Cut(id, "-")
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.others == nil {
		m.others = map[string]time.Time{}
	}
	m.others[name] = clock.Real()
	m.count++
	signal(m.heard)
}

// took notes the duration of an append.
func (m *manners) took(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.usual == 0 {
		m.usual = d
	}
	m.usual += (d - m.usual) / 8
}

// wait returns once the other replicas had their turn. It costs nothing if no other
// replica writes.
func (m *manners) wait(ctx context.Context) {
	until, most := m.turn()
	if most == 0 {
		return
	}
	patience := time.NewTimer(most)
	defer patience.Stop()
	for m.counted() < until {
		select {
		case <-m.heard:
		case <-patience.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// turn returns the count to wait for, and how long.
func (m *manners) turn() (until int, most time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, at := range m.others {
		if clock.Since(at) > heardLately {
			delete(m.others, name)
		}
	}
	n := len(m.others)
	return m.count + n, min(2*m.usual*time.Duration(n), longestWait)
}

func (m *manners) counted() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count
}
