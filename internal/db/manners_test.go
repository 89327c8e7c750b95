package db_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history/historytest"
)

// Of two replicas that write all the time, the one that is nearer to the log doesn't
// get more than the other. Without manners it gets twenty times as much.
func TestSharedIsFair(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := historytest.New()
		a, ra := joinWith(t, log, db.Options{}, false)
		b, rb := joinWith(t, log, db.Options{}, false)
		slowly(ra, time.Millisecond, 1)
		slowly(rb, 1500*time.Microsecond, 2)
		kept := [2]int{}
		end := time.Now().Add(2 * time.Second)
		var all sync.WaitGroup
		for i, h := range []*home{a, b} {
			all.Go(func() {
				for time.Now().Before(end) {
					must(t, h.Update(h.addLate("x")))
					kept[i]++
				}
			})
		}
		all.Wait()
		if near, far := kept[0], kept[1]; near > far*12/10 {
			t.Errorf("the near replica has %d batches, the far one %d", near, far)
		}
	})
}

// A replica that writes alone doesn't wait for others.
func TestSharedWaitsForNoneThatIsQuiet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b, ra, _ := pair(t)
		must(t, b.Update(b.addLate("x")))
		a.fresh(t)
		elapse(3 * time.Second)
		slowly(ra, time.Millisecond, 1)
		began := time.Now()
		for range 100 {
			must(t, a.Update(a.addLate("x")))
		}
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("100 batches took %v", took)
		}
	})
}

// slowly has the attempts of a replica reach the log after a time that is about d.
func slowly(r *historytest.Replica, d time.Duration, seed uint64) {
	chance := rand.New(rand.NewPCG(seed, 0))
	r.OnAppend = func(int, int64) historytest.Fault {
		late := d/2 + time.Duration(chance.Int64N(int64(d)))
		return historytest.Fault{Before: func() { elapse(late) }}
	}
}
