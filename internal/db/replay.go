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
	free  chan *replayGroup // groups that are applied, to be filled again
	stop  chan struct{}     // closed at the first error
	ended sync.WaitGroup
	err   error // set before stop is closed

	take    func(history.Record, parsedLine) error // takes the lines, in order
	applied int                                    // number of lines
}

// A replayGroup is up to a thousand lines, so that the channels cost little. It holds
// copies of their bodies. A few groups are filled again and again: memory that is
// used for the first time costs as much as reading a line.
type replayGroup struct {
	records []history.Record
	text    []byte // the bodies
	lines   []parsedLine
	err     error
	failed  int           // index of the record that caused err
	done    chan struct{} // gets a value once lines and err are set
}

const (
	replayGroupSize  = 1000
	replayGroupBytes = 256 << 10
	replayGroups     = 4 // at most, that wait to be parsed or applied
)

func newReplay(d *DB) *replay {
	r := &replay{
		db: d, work: make(chan *replayGroup, replayGroups), order: make(chan *replayGroup, replayGroups),
		free: make(chan *replayGroup, replayGroups), stop: make(chan struct{}),
	}
	r.group, r.take = r.newGroup(), d.takeLocked
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

// newGroup returns an empty group.
func (r *replay) newGroup() *replayGroup {
	select {
	case g := <-r.free:
		clear(g.lines) // which refer to rows
		g.records, g.text, g.err = g.records[:0], g.text[:0], nil
		return g
	default:
	}
	g := &replayGroup{done: make(chan struct{}, 1)}
	if r.group != nil { // it will most likely be filled as the group before
		g.records, g.text = make([]history.Record, 0, cap(r.group.records)), make([]byte, 0, cap(r.group.text))
	}
	return g
}

// emit takes lines, in order. It copies them.
func (r *replay) emit(lines []history.Record) error {
	for _, rec := range lines {
		g := r.group
		begin := len(g.text)
		g.text = append(g.text, rec.Body...) // bodies before a growth stay in the old array
		rec.Body = g.text[begin:len(g.text):len(g.text)]
		g.records = append(g.records, rec)
		if len(g.records) == replayGroupSize || len(g.text) >= replayGroupBytes {
			if err := r.send(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *replay) send() error {
	g := r.group
	r.group = r.newGroup()
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
		select {
		case r.free <- g:
		default:
		}
	}
}

func (g *replayGroup) parse(d *DB) {
	defer func() { g.done <- struct{}{} }()
	g.lines = slices.Grow(g.lines[:0], len(g.records))[:len(g.records)]
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
