package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// streamCount streams of events are open at a time, each on a connection of its own.
// A round sends eventCount events.
const (
	streamCount = 1000
	eventCount  = 100
)

// streams are the readers of all streams.
type streams struct {
	left  atomic.Int64   // readers that have not had the newest event
	last  chan time.Time // when the last of them had it
	ended atomic.Bool    // the measurement is over, so streams may end
	lost  chan error
	wg    sync.WaitGroup
}

// eventRound opens the streams, and then posts one item after the other. The next item
// is posted once all readers have had the event of the one before.
func (h *harness) eventRound() error {
	most := fmt.Sprint(streamCount)
	p, err := h.startShelf(h.shelf, items, "-max-streams", most, "-max-account-streams", most)
	if err != nil {
		return err
	}
	s := &streams{last: make(chan time.Time, 1), lost: make(chan error, streamCount)}
	defer func() {
		s.ended.Store(true)
		p.stop()
		s.wg.Wait()
	}()
	client := &http.Client{Transport: &http.Transport{}}
	// The first event of a stream says where it begins.
	s.left.Store(streamCount)
	for range streamCount {
		if err := s.open(client, p); err != nil {
			return fmt.Errorf("a stream of events (%d need as many open files, see ulimit -n): %w", streamCount, err)
		}
	}
	if _, err := s.wait(); err != nil {
		return err
	}
	before, err := p.cpu()
	if err != nil {
		return err
	}
	var took []float64
	for i := range eventCount {
		s.left.Store(streamCount)
		began := time.Now()
		if _, err := send(http.DefaultClient, "POST", p.url+"/api/v1/items", p.token, "{"+itemText(i)+"}"); err != nil {
			return err
		}
		answered := time.Now()
		last, err := s.wait()
		if err != nil {
			return err
		}
		took = append(took, last.Sub(began).Seconds()*1e3)
		h.note("event commit ms", answered.Sub(began).Seconds()*1e3)
	}
	after, err := p.cpu()
	if err != nil {
		return err
	}
	slices.Sort(took)
	h.note("event p50 ms", took[len(took)/2])
	h.note("event p99 ms", took[len(took)*99/100])
	h.note("event cpu", float64((after-before).Microseconds())/eventCount/streamCount)
	return nil
}

// open opens a stream and reads its events until the server ends.
func (s *streams) open(client *http.Client, p *program) error {
	r, err := http.NewRequest("GET", p.url+"/api/v1/events", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return errors.New(answer.Status)
	}
	s.wg.Go(func() {
		defer answer.Body.Close()
		lines := bufio.NewReader(answer.Body)
		for {
			line, err := lines.ReadSlice('\n')
			if err != nil {
				if !s.ended.Load() {
					s.lost <- fmt.Errorf("a stream ended: %w", err)
				}
				return
			}
			// Each event has one line of data, its last.
			if len(line) > 5 && string(line[:5]) == "data:" && s.left.Add(-1) == 0 {
				s.last <- time.Now()
			}
		}
	})
	return nil
}

// wait returns when the last reader had the event that all wait for.
func (s *streams) wait() (time.Time, error) {
	select {
	case at := <-s.last:
		return at, nil
	case err := <-s.lost:
		return time.Time{}, err
	case <-time.After(time.Minute):
		return time.Time{}, fmt.Errorf("%d of %d streams have not had an event after a minute", s.left.Load(), streamCount)
	}
}

func (h *harness) eventGoals(goal goalFunc) {
	each, one := median(h.figures["event cpu"]), h.of("get", "hello", cpu)
	if one > 0 {
		goal("One event to one of "+thousands(streamCount)+" streams: processor time, against an answer of *hello*", each/one, "≤", 1, "x")
	}
	goal("One event to "+thousands(streamCount)+" streams: p99 from sending the POST to the last reader, ms", median(h.figures["event p99 ms"]), "≤", 100, "")
}

func (h *harness) printEvents(w io.Writer) {
	if len(h.figures["event cpu"]) == 0 {
		return
	}
	of := func(figure string) float64 { return median(h.figures["event "+figure]) }
	fmt.Fprint(w, "\n| one event to | the POST, p50 ms | until the last reader, p50 ms | p99 ms | processor µs for each stream |\n| --- | ---: | ---: | ---: | ---: |\n")
	fmt.Fprintf(w, "| %s streams | %.2f | %.1f | %.1f | %.1f |\n", thousands(streamCount), of("commit ms"), of("p50 ms"), of("p99 ms"), of("cpu"))
}
