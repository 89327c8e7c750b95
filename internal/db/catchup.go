package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/shelf/internal/history"
)

// retryPause is the pause after a follow that failed.
const retryPause = time.Second

// catchUp applies the batches that the tables lack. It is the only way by which
// anything of another replica gets into the tables. Several goroutines call it with
// the same batches: the answer of an append, a barrier, and follow. Whichever is
// first applies a batch; the others find that the tables have it.
//
// One batch may be the flight of this replica. The log then has kept it, whatever
// became of the answer.
func (s *replica) catchUp(batches []history.Batch) {
	lines := s.parseNew(batches) // without the lock, as it takes the most time
	d := s.db
	d.mu.Lock()
	defer d.mu.Unlock()
	applied := false
	for i, b := range batches {
		if s.broken != nil {
			return
		}
		if b.Records[0].Seq != d.seq+1 {
			continue // the tables have it
		}
		if s.flight != nil && s.flight.id == b.ID {
			s.commitFlightLocked()
			continue
		}
		s.requeueLocked()
		if err := s.applyLocked(b, lines[i]); err != nil {
			s.breakLocked(err)
			return
		}
		s.manners.hear(b.ID)
		applied = true
	}
	if applied {
		s.committedLocked()
	}
}

// parseNew decodes the batches that the tables lack. It leaves the flight out.
func (s *replica) parseNew(batches []history.Batch) [][]parsedLine {
	s.db.mu.RLock()
	seq, own := s.db.seq, ""
	if s.flight != nil {
		own = s.flight.id
	}
	s.db.mu.RUnlock()
	lines := make([][]parsedLine, len(batches))
	for i, b := range batches {
		if b.Records[0].Seq > seq && b.ID != own {
			lines[i], _ = s.parseBatch(b) // applyLocked meets the error again
		}
	}
	return lines
}

func (s *replica) parseBatch(b history.Batch) ([]parsedLine, error) {
	lines := make([]parsedLine, len(b.Records))
	for i, rec := range b.Records {
		err := protect("reading a line", func() (err error) { lines[i], err = s.db.parse(rec); return err })
		if err != nil {
			return nil, damaged(rec, err)
		}
	}
	return lines, nil
}

func damaged(rec history.Record, err error) error {
	return &history.Damage{Line: int(rec.Seq), What: err.Error() + " (written by a newer shelf?)"}
}

// applyLocked applies a batch of another replica.
func (s *replica) applyLocked(b history.Batch, lines []parsedLine) (err error) {
	if lines == nil {
		if lines, err = s.parseBatch(b); err != nil {
			return err
		}
	}
	for i, p := range lines {
		rec := b.Records[i]
		if rec.Seq != s.db.seq+1 {
			return damaged(rec, fmt.Errorf("line %d should follow", s.db.seq+1))
		}
		if err := protect("applying a line", func() error { return s.db.takeLocked(rec, p) }); err != nil {
			return damaged(rec, err)
		}
	}
	return nil
}

// follow applies what other replicas append, as it comes, until the replica is
// closed.
func (s *replica) follow() {
	for s.ctx.Err() == nil {
		err := protect("following the log", func() error { return s.log.Follow(s.ctx, s.db.LastSeq(), s.catchUp) })
		if cut, ok := errors.AsType[*history.Cut](err); ok {
			err = s.reload(s.ctx, cut.After)
		}
		if err == nil || s.ctx.Err() != nil {
			continue
		}
		s.check(err)
		s.db.opt.Log.Warn("following the shared log failed", "error", err)
		pause(s.ctx, retryPause)
	}
}

// pause waits, at most until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// reload replaces the content of the tables by what the log holds, for a replica
// that was out of reach while the lines after number after became part of a
// snapshot. Streams go on if the snapshot still has the events that they lack.
func (s *replica) reload(ctx context.Context, after int64) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	d := s.db
	if d.LastSeq() > after {
		return nil // another goroutine has done it
	}
	var lines []parsedLine
	var records []history.Record
	r := newReplay(d)
	r.take = func(rec history.Record, p parsedLine) error {
		lines, records = append(lines, p), append(records, history.Record{Seq: rec.Seq})
		return nil
	}
	last, snapshot, err := s.log.Load(ctx, r.emit)
	if err = r.finish(err); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if last < d.seq {
		return fmt.Errorf("%w: its last line is %d, and this replica has line %d", history.ErrWentBack, last, d.seq)
	}
	if f := s.flight; f != nil { // land says what became of it
		s.dropPendingLocked()
		f.reloaded, s.flight = true, nil
	}
	d.emptyLocked()
	for i, p := range lines {
		if err := protect("applying a line", func() error { return d.takeLocked(records[i], p) }); err != nil {
			err = damaged(records[i], err)
			s.breakLocked(err)
			return err
		}
	}
	d.seq = last
	d.events.loaded(snapshot)
	s.committedLocked()
	return nil
}

// emptyLocked removes all rows, as if the DB were new.
func (d *DB) emptyLocked() {
	for i := range d.tables {
		d.tables[len(d.tables)-1-i].empty() // children before their parents
	}
	d.events.empty()
	d.forgetIDs()
}
