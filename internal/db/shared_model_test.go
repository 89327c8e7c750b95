package db_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/history/historytest"
)

// TestSharedModel runs random writers at three replicas whose log loses requests and
// answers, is out of reach, compacts and cuts, while replicas restart. Then it checks
// what was promised:
//
//   - an acknowledged change is there once, a rejected one never was, and one whose
//     outcome was unknown is there once at most;
//   - another replica shows an acknowledged change to a request that begins later;
//   - no change is lost by two writers who change the same row at once;
//   - a unique name is given once, and no id twice;
//   - all replicas are the same in the end, and a new one too.
func TestSharedModel(t *testing.T) {
	t.Parallel()
	if *modelSeed != 0 {
		synctest.Test(t, func(t *testing.T) { runSharedModel(t, *modelSeed) })
		return
	}
	until := time.Now().Add(*longRuns)
	for round := 0; round < 6 || time.Now().Before(until); round++ {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) { runSharedModel(t, seed) })
		if t.Failed() {
			return
		}
	}
}

// A place is where a replica runs. A restart replaces the replica.
type place struct {
	mu   sync.RWMutex // held to restart
	home *home
	log  *historytest.Replica
}

type sharedModel struct {
	t      *testing.T
	log    *historytest.Log
	places []*place

	mu      sync.Mutex
	outcome map[string]error // by the title of a note
	counted [2]int           // acknowledged changes of the counter, and unknown ones
}

func runSharedModel(t *testing.T, seed uint64) {
	m := &sharedModel{t: t, log: historytest.New(), outcome: map[string]error{}}
	m.log.Size = 150
	for range 3 {
		p := new(place)
		p.start(t, m.log, seed)
		m.places = append(m.places, p)
	}
	must(t, m.places[0].home.Update(m.places[0].home.addOwner("counter")))
	must(t, m.places[0].home.Update(m.places[0].home.addThing("counter", 1)))
	var all sync.WaitGroup
	for i := range 9 {
		chance := rand.New(rand.NewPCG(seed, uint64(i)))
		all.Go(func() {
			for step := range 60 {
				m.step(chance, m.places[i%3], fmt.Sprintf("note %d-%d", i, step))
			}
		})
	}
	all.Wait()
	m.judge()
	if t.Failed() {
		t.Logf("-model.seed=%d (and luck)", seed)
	}
	for _, p := range m.places {
		p.home.Close()
	}
}

// start opens a replica whose log loses one request and one answer in twenty.
func (p *place) start(t *testing.T, log *historytest.Log, seed uint64) {
	p.home, p.log = newHome(db.Options{}), log.Replica()
	chance := rand.New(rand.NewPCG(seed, 100))
	p.log.OnAppend = func(int, int64) historytest.Fault {
		return historytest.Fault{Drop: chance.IntN(20) == 0, Lost: chance.IntN(20) == 0}
	}
	must(t, p.home.OpenShared(t.Context(), p.log))
}

func (m *sharedModel) step(chance *rand.Rand, p *place, title string) {
	elapse(time.Duration(chance.IntN(3)) * time.Millisecond)
	if chance.IntN(100) == 0 && p.mu.TryLock() { // nothing waits for p.mu: the clock would stand still
		defer p.mu.Unlock()
		p.home.Close()
		p.start(m.t, m.log, chance.Uint64())
		return
	}
	if !p.mu.TryRLock() {
		return
	}
	defer p.mu.RUnlock()
	switch n := chance.IntN(100); {
	case n < 3:
		p.log.Partition()
		elapse(time.Duration(chance.IntN(100)) * time.Millisecond)
		if n == 0 {
			elapse(11 * time.Second)
		}
		p.log.Heal()
		return
	case n < 4:
		m.log.CutAll()
		return
	}
	h := p.home
	if h.Fresh(m.t.Context()) != nil {
		return
	}
	switch chance.IntN(4) {
	case 0:
		m.count(h.Update(func(tx *db.Tx) error {
			row, ok := h.things.Get(tx, 1)
			if !ok {
				return errNone
			}
			r := row.row()
			r.Weight++
			h.things.Put(tx, r.thing())
			return nil
		}))
	case 1:
		name := fmt.Sprint("owner ", chance.IntN(30))
		switch err := h.Update(h.addOwner(name)); {
		case err == nil, errors.Is(err, errTaken):
			h.View(func(tx *db.Tx) {
				if _, there := h.byName.Find(tx, name); !there {
					m.t.Errorf("%s: Update = %v, and the name isn't there", name, err)
				}
			})
		case !known(err):
			m.t.Errorf("adding an owner: %v", err)
		}
	default:
		err := h.Update(h.addNote(title, 0))
		m.note(title, err)
		if err == nil {
			m.look(m.places[chance.IntN(3)], title)
		}
	}
}

// known reports whether an error is one that the faults explain.
func known(err error) bool {
	return errors.Is(err, history.ErrUnanswered) || errors.Is(err, history.ErrUnavailable) || errors.Is(err, history.ErrReadOnly)
}

// look checks that a request to a place, which begins now, sees a note.
func (m *sharedModel) look(p *place, title string) {
	if !p.mu.TryRLock() {
		return
	}
	defer p.mu.RUnlock()
	if err := p.home.Fresh(m.t.Context()); err != nil {
		return
	}
	p.home.View(func(tx *db.Tx) {
		if _, there := p.home.byTitle.Find(tx, title); !there {
			m.t.Errorf("%s was acknowledged, and another replica doesn't show it", title)
		}
	})
}

func (m *sharedModel) note(title string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outcome[title] = err
}

func (m *sharedModel) count(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err == nil:
		m.counted[0]++
	case errors.Is(err, history.ErrUnanswered):
		m.counted[1]++
	case !known(err):
		m.t.Errorf("counting: %v", err)
	}
}

func (m *sharedModel) judge() {
	t := m.t
	for _, p := range m.places {
		p.log.Heal()
		must(t, p.home.Fresh(t.Context()))
	}
	first := m.places[0].home
	for _, p := range m.places[1:] {
		same(t, "another replica", p.home, first)
	}
	fresh, _ := join(t, m.log)
	same(t, "a new replica", fresh, first)

	var ever strings.Builder
	for _, b := range m.log.Ever() {
		for _, r := range b.Records {
			ever.Write(r.Body)
			ever.WriteByte('\n')
		}
	}
	for title, err := range m.outcome {
		n := strings.Count(ever.String(), `"`+title+`"`)
		switch {
		case err == nil && n != 1, errors.Is(err, history.ErrUnanswered) && n > 1,
			err != nil && !errors.Is(err, history.ErrUnanswered) && n > 0:
			t.Errorf("%s is in the log %d times; Update = %v", title, n, err)
		case err != nil && !known(err):
			t.Errorf("%s: Update = %v", title, err)
		}
	}
	thing, _ := first.things.Row(1)
	if n := int(thing.row().Weight); n < m.counted[0] || n > m.counted[0]+m.counted[1] {
		t.Errorf("the counter is %d; want %d, and up to %d more", n, m.counted[0], m.counted[1])
	}
}
