package db

import (
	"cmp"
	"runtime"
	"slices"
	"sync"

	"example.com/shelf/internal/history"
)

// Read applies the lines that replay emits to d; see history.Log.Replay. No
// other goroutine may use d meanwhile. Read returns the number of lines applied
// and the first error: a *history.Damage for a line that breaks a rule, or
// replay's error. After an error d holds the lines before it.
func (d *DB) Read(replay func(emit func([]history.Record) error) error) (lines int, err error) {
	r := newReplay(d)
	err = r.finish(replay(r.emit))
	return r.applied, err
}

// A replay parses lines on all CPUs and applies them in the order of the log.
// Parsing takes most of the time.
type replay struct {
	db    *DB
	group *replayGroup      // being filled
	work  chan *replayGroup // groups to parse, for any worker
	order chan *replayGroup // the same groups, in order, to apply
	stop  chan struct{}     // closed at the first error
	ended sync.WaitGroup
	err   error // set before stop is closed

	take    func(history.Record, parsedLine) error // takes the lines, in order
	applied int                                    // number of lines
}

// A replayGroup is about a thousand lines, so that the channels cost little.
type replayGroup struct {
	records []history.Record
	lines   []parsedLine
	err     error
	failed  int           // index of the record that caused err
	done    chan struct{} // closed once lines and err are set
}

const replayGroupSize = 1000

func newReplay(d *DB) *replay {
	r := &replay{
		db: d, group: &replayGroup{done: make(chan struct{})},
		work: make(chan *replayGroup, 64), order: make(chan *replayGroup, 64), stop: make(chan struct{}),
	}
	r.take = d.takeLocked
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

// takeLocked commits a line of the log, unless it breaks a rule.
func (d *DB) takeLocked(rec history.Record, p parsedLine) error {
	if err := d.admit(p, rec.Manual); err != nil {
		return err
	}
	d.commitLocked(rec.Seq, p.change)
	return nil
}

// emit takes a batch. It clears the batch as it goes, so that a large import is
// not in memory twice.
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

// finish waits until all lines are applied. It returns the first error of
// applying them, or else readErr.
func (r *replay) finish(readErr error) error {
	r.send() // the error is r.err
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
			continue // keep receiving, so that no sender blocks
		}
		at := 0
		err := protect("applying a line", func() error {
			for ; at < len(g.lines); at++ {
				if g.err != nil && at == g.failed {
					return g.err
				}
				if err := r.take(g.records[at], g.lines[at]); err != nil {
					return err
				}
				r.applied++
			}
			return nil
		})
		if err != nil {
			rec := g.records[at]
			r.err = &history.Damage{Line: cmp.Or(rec.Line, int(rec.Seq)), What: err.Error()}
			close(r.stop)
		}
	}
}

func (g *replayGroup) parse(d *DB) {
	defer close(g.done)
	g.lines = make([]parsedLine, len(g.records))
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
