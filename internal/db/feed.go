package db

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"example.com/shelf/internal/history"
)

// A feed is a line at the end of a shared log's snapshot. A replica that starts from
// the snapshot can then resume the same streams, and gives lists the same tags, as a
// replica that has followed the log all along.
type feed struct {
	Begins  bool             `json:"begins,omitempty"`  // the first feed of the snapshot
	Gone    int64            `json:"gone,omitempty"`    // events up to this number are missing
	Changed map[string]int64 `json:"changed,omitempty"` // Table.Changes, by Schema.Name
	Events  []feedEvent      `json:"events,omitempty"`
}

// A feedEvent is an event of a feed.
type feedEvent struct {
	Seq   int64           `json:"seq"`
	Name  string          `json:"name"`
	Data  string          `json:"data"`
	By    string          `json:"by,omitempty"` // the table whose Schema.Tell made it
	About json.RawMessage `json:"about,omitempty"`

	told told // set by parseFeed
}

// feedSize is the number of events in a line.
const feedSize = 64

// feedsLocked are the feeds of a snapshot that is taken now.
func (d *DB) feedsLocked() []*feed {
	first := &feed{Begins: true, Gone: d.events.gone, Changed: map[string]int64{}}
	for _, t := range d.tables {
		if t.version() > 0 {
			first.Changed[t.name()] = int64(t.version())
		}
	}
	feeds := []*feed{first}
	events := slices.Concat(d.events.events[d.events.oldest:], d.events.events[:d.events.oldest])
	events = slices.DeleteFunc(events, func(e told) bool { return e.Seq <= d.events.gone })
	for some := range slices.Chunk(events, feedSize) {
		f := &feed{}
		for _, e := range some {
			f.Events = append(f.Events, feedEvent{told: e})
		}
		feeds = append(feeds, f)
	}
	return feeds
}

// encode renders a feed as a line of the snapshot. It fails for an About that
// encoding/json can't render.
func (f *feed) encode() ([]byte, error) {
	for i := range f.Events {
		e := &f.Events[i]
		e.Seq, e.Name, e.Data = e.told.Seq, e.told.Name, e.told.Data
		if e.told.About == nil {
			continue
		}
		about, err := json.Marshal(e.told.About)
		if err != nil {
			return nil, err
		}
		e.By, e.About = e.told.by.name(), about
	}
	return change{op: opFeed, feed: f}.encode(), nil
}

func (d *DB) parseFeed(text []byte) (*feed, error) {
	f := new(feed)
	if err := json.Unmarshal(text, f); err != nil {
		return nil, err
	}
	for i := range f.Events {
		e := &f.Events[i]
		e.told = told{Event: Event{Seq: e.Seq, Name: e.Name, Data: e.Data}}
		if e.By == "" {
			continue
		}
		var err error
		if e.told.by = d.tableNamed(e.By); e.told.by == nil {
			return nil, fmt.Errorf("an event is told by %q, which is no table", e.By)
		}
		if e.told.About, err = e.told.by.about(e.About); err != nil {
			return nil, fmt.Errorf("what an event is about: %w", err)
		}
	}
	return f, nil
}

// applyFeed continues with the events and tags of a feed.
func (d *DB) applyFeed(f *feed) {
	if f.Begins {
		d.events.empty()
		d.events.gone, d.events.feeds = f.Gone, true
	}
	for name, seq := range f.Changed {
		if t := d.tableNamed(name); t != nil {
			t.setVersion(int(seq))
		}
	}
	for _, e := range f.Events {
		d.events.add(e.told)
	}
}

func (r *ring) empty() { r.events, r.oldest, r.gone, r.feeds = nil, 0, 0, false }

// compactPause is how long a replica waits before it compacts again, for example
// because another replica does it at the moment.
const compactPause = 10 * time.Second

// compactIfWorthLocked starts a compaction if the log asks for one.
func (s *replica) compactIfWorthLocked() {
	d := s.db
	if d.compactRunning || d.closing || !s.log.WantsSnapshot() {
		return
	}
	d.compactRunning = true
	s.running.Go(func() {
		if err := protect("compacting", d.Compact); err != nil && s.ctx.Err() == nil {
			d.opt.Log.Warn("compacting the shared log failed; nothing of it is lost", "error", err)
		}
		pause(s.ctx, compactPause)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.compactRunning = false
	})
}

// compact has the log keep a snapshot.
func (s *replica) compact() error {
	image, feeds, at := s.freeze()
	if version := image.version(); version > 0 {
		if err := s.log.Need(version); err != nil {
			return err
		}
	}
	var lines [][]byte
	for _, f := range feeds {
		line, err := f.encode()
		if err != nil {
			return err
		}
		lines = append(lines, line)
	}
	all := func(yield func([]byte) bool) {
		for line := range image.encoded("compacting the data") {
			if !yield(line) {
				return
			}
		}
		slices.Values(lines)(yield)
	}
	return s.log.Compact(s.ctx, at, s.db.opt.Now(), image.lines()+len(lines), iter.Seq[[]byte](all), s.db.checkReadable)
}

// freeze takes a snapshot with its feeds, after line number at.
func (s *replica) freeze() (image *Snapshot, feeds []*feed, at int64) {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	return s.db.snapshotLocked(), s.db.feedsLocked(), s.db.seq
}

// begin is Fill.
func (s *replica) begin(image *Snapshot) error {
	if version := image.version(); version > 0 {
		if err := s.log.Need(version); err != nil {
			return err
		}
	}
	err := s.log.Begin(s.ctx, s.db.opt.Now(), image.lines(), image.encoded("copying the rows"))
	if errors.Is(err, history.ErrNotEmpty) {
		return ErrNotEmpty
	}
	if err != nil {
		return err
	}
	return s.askLog()
}

// stateLocked is the state of the log.
func (s *replica) stateLocked() history.State {
	state := s.log.State()
	if s.broken != nil {
		state.Failed = s.broken
	}
	return state
}
