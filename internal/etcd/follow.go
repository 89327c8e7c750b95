package etcd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"example.com/shelf/internal/history"
)

const (
	// quietTime is how long a watch may say nothing before Follow asks for what it
	// may have missed. A watch says nothing too if its member lost the cluster.
	quietTime = 5 * time.Second
)

// Follow calls each with what follows on line number after: see history.Shared.
// It reads what there is by key, and then watches. Whatever breaks the watch, it
// begins again so. It never watches the past: etcd would load it into memory.
func (l *Log) Follow(ctx context.Context, after int64, each func([]history.Batch)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.client.closed, cancel)()
	go l.watchUsage(ctx)
	f := &follower{log: l, after: after, each: each}
	pause := firstPause
	for {
		p, err := l.since(ctx, f.after, f.take)
		if ctx.Err() == nil {
			l.noted(err)
		}
		if err == nil {
			pause = firstPause
			err = f.watch(ctx, p.revision+1)
		}
		switch {
		case ctx.Err() != nil && l.client.closed.Err() == nil:
			return ctx.Err()
		case ends(err), l.usable() != nil:
			return cmp.Or(l.usable(), err)
		}
		if err != nil {
			sleep(ctx, pause)
			pause = min(2*pause, lastPause)
		}
	}
}

// ends reports whether an error of Follow won't pass.
func ends(err error) bool {
	if _, cut := errors.AsType[*history.Cut](err); cut {
		return true
	}
	_, damaged := errors.AsType[*history.Damage](err)
	return damaged || errors.Is(err, history.ErrWentBack)
}

// A follower is one call of Follow.
type follower struct {
	log   *Log
	after int64 // the last line that each has had
	each  func([]history.Batch)
}

// take passes on batches that follow on one another.
func (f *follower) take(batches []history.Batch) {
	last := batches[len(batches)-1].Records
	f.after = last[len(last)-1].Seq // each may clear the records
	f.each(batches)
}

// watch passes on what is appended from the revision on. It returns nil if the
// watch may have missed something.
func (f *follower) watch(ctx context.Context, from int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	at := f.log.client.at.Load()
	answer, err := f.open(ctx, cancel, f.log.client.member(at), from)
	if err != nil {
		f.log.client.at.CompareAndSwap(at, at+1)
		return err
	}
	lines, failed := readLines(ctx, answer)
	for {
		select {
		case line := <-lines:
			if missed, err := f.takeLine(f.log.client.member(at), line); missed || err != nil {
				return err
			}
		case err := <-failed:
			f.log.client.at.CompareAndSwap(at, at+1)
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(quietTime):
			before := f.after
			if _, err := f.log.since(ctx, f.after, f.take); err != nil || f.after > before {
				return err
			}
		}
	}
}

// open starts a watch at a member, and waits until the member has confirmed it.
func (f *follower) open(ctx context.Context, cancel context.CancelFunc, member string, from int64) (*json.Decoder, error) {
	timer := time.AfterFunc(attemptTime, cancel)
	defer timer.Stop()
	var in watchRequest
	in.Create.Key, in.Create.RangeEnd = []byte(f.log.key(dirLog)), []byte(f.log.key(logEnd))
	in.Create.Start, in.Create.Filters, in.Create.Fragment = from, []string{"NODELETE"}, true
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	answer, sent, err := f.log.client.post(ctx, member, "/v3/watch", f.log.client.token.Load(), body)
	if err != nil {
		return nil, &lostAnswer{member, sent, err}
	}
	context.AfterFunc(ctx, func() { answer.Body.Close() })
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
		return nil, refusalOf(member, answer.StatusCode, text)
	}
	lines := json.NewDecoder(answer.Body)
	var line watchLine
	if err := lines.Decode(&line); err != nil {
		return nil, &lostAnswer{member, true, err}
	}
	if line.Error != nil || !line.Result.Created || line.Result.Canceled {
		return nil, fmt.Errorf("%s rejects a watch", member)
	}
	return lines, nil
}

// readLines decodes the lines of a watch until the watch ends or ctx does.
func readLines(ctx context.Context, answer *json.Decoder) (lines <-chan watchLine, failed <-chan error) {
	read, ended := make(chan watchLine), make(chan error, 1)
	go func() {
		for {
			var line watchLine
			if err := answer.Decode(&line); err != nil {
				ended <- err
				return
			}
			select {
			case read <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	return read, ended
}

// takeLine passes on the entries of one line. missed reports that the watch has
// ended, or has a gap.
func (f *follower) takeLine(member string, line watchLine) (missed bool, err error) {
	if line.Error != nil || line.Result.Canceled || line.Result.Compacted > 0 {
		return true, nil
	}
	if err := f.log.client.check(member, &line.Result.Header, 0); err != nil {
		return true, err
	}
	var batches []history.Batch
	next := f.after + 1
	for _, event := range line.Result.Events {
		e, err := f.log.parseEntry(event.KV)
		if err != nil {
			return true, err
		}
		records := e.batch.Records
		first, last := records[0].Seq, records[len(records)-1].Seq
		if last < next {
			continue // read by key before
		}
		if missed = first != next; missed {
			break
		}
		next = last + 1
		f.log.grownBy(e)
		batches = append(batches, e.batch)
	}
	if len(batches) > 0 {
		f.take(batches)
	}
	return missed, nil
}
