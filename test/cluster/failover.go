package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"
)

// failover kills each member and each replica in turn, while clients read and write.
// A client that gets no answer, or a 503, goes to the next replica.
func (m *measurement) failover(ctx context.Context) error {
	victims := slices.Clone(m.all.members)
	for _, r := range m.all.replicas {
		victims = append(victims, r.process)
	}
	fmt.Println("\nfailover: the longest time in which a client had no success; the slowest answer of a replica that lives")
	for _, p := range victims {
		if err := m.kill(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// kill kills one process under traffic, starts it again and prints what clients saw.
func (m *measurement) kill(ctx context.Context, victim *process) error {
	name := victim.name
	if i := m.all.leader(); i >= 0 && m.all.members[i] == victim {
		name += ", the leader"
	}
	w := &watch{slowest: map[string]time.Duration{}, gap: map[string]time.Duration{}}
	probing, stop := context.WithCancel(ctx)
	defer stop()
	var probers sync.WaitGroup
	for range 4 {
		probers.Go(func() { w.probe(probing, m, "GET", victim) })
		probers.Go(func() { w.probe(probing, m, "PATCH", victim) })
	}
	time.Sleep(2 * time.Second)
	victim.kill()
	time.Sleep(8 * time.Second)
	if err := victim.start(); err != nil {
		return err
	}
	time.Sleep(4 * time.Second)
	stop()
	probers.Wait()
	fmt.Printf("kill -9 %-22s read %5.2f s, write %5.2f s; slowest read %5.2f s (aim 3), write %5.2f s (aim 10)\n", name,
		w.gap["GET"].Seconds(), w.gap["PATCH"].Seconds(), w.slowest["GET"].Seconds(), w.slowest["PATCH"].Seconds())
	return m.all.awaitReplicas(ctx)
}

// A watch keeps the longest times.
type watch struct {
	mu      sync.Mutex
	gap     map[string]time.Duration
	slowest map[string]time.Duration
}

// probe sends requests of one kind until ctx ends.
func (w *watch) probe(ctx context.Context, m *measurement, method string, victim *process) {
	request, form := "GET /api/v1/items/1", url.Values(nil)
	if method == "PATCH" {
		request, form = "PATCH /api/v1/items/1/category", url.Values{"category": {"failover"}}
	}
	targets := m.all.targets()
	at, success := 0, time.Now()
	for ctx.Err() == nil {
		t := targets[at%len(targets)]
		began := time.Now()
		a := t.send(context.Background(), request, m.token[m.alone], form)
		now := time.Now()
		w.mu.Lock()
		if t.p != victim {
			w.slowest[method] = max(w.slowest[method], now.Sub(began))
		}
		if !a.silent() {
			w.gap[method] = max(w.gap[method], now.Sub(success))
			success = now
		}
		w.mu.Unlock()
		if a.silent() {
			at++
		}
		time.Sleep(5 * time.Millisecond)
	}
}
