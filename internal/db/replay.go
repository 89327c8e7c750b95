package db

import (
	"runtime"
	"slices"
	"sync"

	"example.com/shelf/internal/history"
)

// Read applies what replay emits (see history.Log.Replay) to d, which nobody else
// may use meanwhile. It returns how many lines it applied, and what went wrong
// first: a *history.Damage for a line that breaks a rule, or replay's error.
// Then d holds what stood before it.
func (d *DB) Read(replay func(emit func([]history.Record) error) error) (lines int, err error) {
	r := newReplay(d)
	err = r.finish(replay(r.emit))
	return r.applied, err
}

// A replay reads lines, understands them and applies them, side by side, as
// understanding takes most of the time. They are applied in the order of the log.
type replay struct {
	db    *DB
	group *replayGroup      // being filled
	work  chan *replayGroup // to be parsed, by whichever worker is free
	order chan *replayGroup // to be applied, in order
	stop  chan struct{}     // closed at the first error
	ended sync.WaitGroup
	err   error // set before stop is closed

	applied int // lines
}

// A replayGroup is a thousand lines or so, enough to make handing them on cheap.
type replayGroup struct {
	records []history.Record
	lines   []parsed
	err     error
	failed  int           // the record that err is about
	done    chan struct{} // closed when lines and err are there
}

const replayGroupSize = 1000

func newReplay(d *DB) *replay {
	r := &replay{
		db: d, group: &replayGroup{done: make(chan struct{})},
		work: make(chan *replayGroup, 64), order: make(chan *replayGroup, 64), stop: make(chan struct{}),
	}
	for range runtime.GOMAXPROCS(0) {
		r.ended.Go(func() {
			for g := range r.work {
				g.parse(d)
			}
		})
	}
	r.ended.Go(r.apply)
	return r
}

// emit takes a batch. It forgets a large one as it goes, so that the whole of an
// import is not in memory twice.
func (r *replay) emit(batch []history.Record) error {
	for records := range slices.Chunk(batch, replayGroupSize) {
		r.group.records = append(r.group.records, records...)
		clear(records)
		if len(r.group.records) >= replayGroupSize {
			if err := r.send(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *replay) send() error {
	g := r.group
	r.group = &replayGroup{done: make(chan struct{})}
	select {
	case <-r.stop:
		return r.err
	case r.order <- g:
		r.work <- g
		return nil
	}
}

// finish waits until everything emitted is applied. It returns what went wrong
// first: while applying, or else readErr.
func (r *replay) finish(readErr error) error {
	r.send() // its error is r.err
	close(r.work)
	close(r.order)
	r.ended.Wait()
	if r.err != nil {
		return r.err
	}
	return readErr
}

func (r *replay) apply() {
	for g := range r.order {
		<-g.done
		if r.err != nil {
			continue // drain, so that no sender waits
		}
		at := 0
		err := protect("applying a line", func() error {
			for ; at < len(g.lines); at++ {
				if g.err != nil && at == g.failed {
					return g.err
				}
				p, rec := g.lines[at], g.records[at]
				if err := r.db.admit(p, rec.Manual); err != nil {
					return err
				}
				r.db.commitLocked(rec.Seq, p.change)
				r.applied++
			}
			return nil
		})
		if err != nil {
			r.err = &history.Damage{Line: g.records[at].Line, What: err.Error()}
			close(r.stop)
		}
	}
}

func (g *replayGroup) parse(d *DB) {
	defer close(g.done)
	g.lines = make([]parsed, len(g.records))
	g.err = protect("reading a line", func() (err error) {
		for i, rec := range g.records {
			g.failed = i
			if g.lines[i], err = d.parse(rec); err != nil {
				return err
			}
		}
		return nil
	})
}
