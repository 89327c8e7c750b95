package etcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"example.com/shelf/internal/history"
)

// Options are the settings of a Log.
type Options struct {
	Access

	Log *slog.Logger // nil: discard
	// Now is the clock by which batches are dated. Nil: the machine's clock.
	Now func() time.Time
	// Create makes Open write the format into an empty prefix. Without it, Open
	// fails with ErrNothing there.
	Create bool
	// AnyVersion accepts versions of etcd that have known faults.
	AnyVersion bool
	// ThroughLog makes Since write to etcd's own log, for an owner who doesn't
	// trust etcd's reads. It takes three times as long.
	ThroughLog bool
}

// A Log is a history.Shared in etcd. Open makes it.
type Log struct {
	client *client
	prefix string
	opt    Options
	clocks *clocks

	mu       sync.Mutex
	format   format
	failed   error // sticky; nil while the log works
	trouble  error // of the last call, if it says that the engine can't be used
	growth   growth
	usage    usage
	warned   bool      // the owner was told that etcd denies its compaction
	notUntil time.Time // when Compact is worth another try
}

var _ history.Shared = (*Log)(nil)

func (l *Log) key(name string) string { return l.prefix + name }

// noted remembers the outcome of a call, for Check and State. It returns err.
func (l *Log) noted(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil && errors.Is(err, history.ErrWentBack) {
		l.failed = err
	}
	l.trouble = nil
	if errors.Is(err, history.ErrUnavailable) || errors.Is(err, history.ErrUnanswered) || errors.Is(err, history.ErrReadOnly) {
		l.trouble = err
	}
	return err
}

// usable returns the error that makes every call fail.
func (l *Log) usable() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// State returns the size of what a start reads.
func (l *Log) State() history.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return history.State{Bytes: l.growth.snapshotBytes + l.growth.bytes, Lines: int(l.growth.rows + l.growth.lines), Failed: l.failed}
}

// Check returns the error of the last call, if the engine is out of reach or
// refuses this replica. It is nil while the engine is only full, so that a
// load balancer still sends requests that may make room.
func (l *Log) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return cmp.Or(l.failed, l.trouble)
}

// Close ends all calls. Every later one fails with history.ErrReadOnly.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.failed == nil {
		l.failed = fmt.Errorf("%w: %w", history.ErrReadOnly, errClosed)
	}
	l.mu.Unlock()
	l.client.close()
	l.client.http.CloseIdleConnections()
	return nil
}

// pageKeys is how many entries one request reads at most.
const pageKeys = 16

// tail reads the head, and the entries that follow on line number after.
func (l *Log) tail(after int64) []operation {
	return []operation{get(l.key(keyHead)), getAll(l.logKey(after+1), l.key(logEnd), pageKeys)}
}

const logEnd = "log0" // the first key behind all that begin with log/

// A page is an answer to tail.
type page struct {
	head     int64 // the number of the last line
	batches  []history.Batch
	revision int64
}

// readPage reads an answer to tail, which was asked for at that time. It fails with
// *history.Cut if the log no longer holds what follows on line number after.
func (l *Log) readPage(after int64, out *txnAnswer, asked time.Time) (p page, err error) {
	p.revision = out.Header.Revision
	if kv, found := out.ranged(0).first(); found {
		if p.head, err = parseHead(kv.Value); err != nil {
			return p, err
		}
	}
	next := after + 1
	for _, kv := range out.ranged(1).KVs {
		e, err := l.parseEntry(kv)
		if err != nil {
			return p, err
		}
		first := e.batch.Records[0].Seq
		if first != next {
			break
		}
		next += int64(len(e.batch.Records))
		l.grownBy(e)
		p.batches = append(p.batches, e.batch)
	}
	if p.head < next {
		l.clocks.ended(p.head, asked)
	}
	if p.head > after && len(p.batches) == 0 {
		return p, &history.Cut{After: after}
	}
	return p, nil
}

func parseHead(value []byte) (int64, error) {
	head, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || head < 0 {
		return 0, &history.Damage{What: fmt.Sprintf("the key head is %q and not a number", value)}
	}
	return head, nil
}

// reaches rejects an answer whose head is below line number least. This replica has
// read line number after, so the log did reach it. An append that was kept has no
// head in its answer.
func (l *Log) reaches(least, after int64) func(string, answer) error {
	return func(member string, a answer) error {
		out := a.(*txnAnswer)
		if least > after && out.Succeeded {
			return nil
		}
		if head, err := l.headOf(out); err == nil && head < least {
			return &otherPast{member, fmt.Sprintf("says that the log ends at line %d, and this replica has read line %d: was a backup restored?", head, after)}
		}
		return nil
	}
}

func (l *Log) headOf(out *txnAnswer) (int64, error) {
	kv, found := out.ranged(0).first()
	if !found {
		return 0, nil
	}
	return parseHead(kv.Value)
}

// Append adds a batch: see history.Shared. One transaction compares the head, and
// writes the batch and the new head. If the head is another one, the answer
// already holds what came first.
func (l *Log) Append(ctx context.Context, after int64, id string, now time.Time, batch [][]byte) error {
	if err := l.usable(); err != nil {
		return err
	}
	value, err := encodeEntry(id, after+1, now, batch)
	if err != nil {
		return l.noted(err)
	}
	head := l.key(keyHead)
	last := after + int64(len(batch))
	in := txnRequest{
		Compare: []compare{l.endsAt(after)},
		Success: []operation{put(head, strconv.AppendInt(nil, last, 10)), put(l.logKey(after+1), value)},
		Failure: l.tail(after),
	}
	unanswered, asked := false, l.clocks.now()
	out, err := ask[txnAnswer](ctx, l.client, request{path: pathTxn, in: in, once: true, unanswered: &unanswered, accept: l.reaches(after+1, after)})
	if err != nil {
		return l.noted(l.client.explained(err))
	}
	if out.Succeeded {
		l.grown(after+1, last, int64(len(value)))
		return l.noted(nil)
	}
	p, err := l.readPage(after, out, asked)
	if cut, ok := err.(*history.Cut); ok && unanswered {
		m, err := l.readManifest(ctx)
		cut.Unanswered = err != nil || m.Before != nil // if not, no entry was ever removed
	}
	if err != nil {
		return l.noted(err)
	}
	return l.noted(&history.Overtaken{Batches: p.batches})
}

// endsAt is true if line number after is the last one.
func (l *Log) endsAt(after int64) compare {
	if after == 0 {
		return isAbsent(l.key(keyHead))
	}
	return hasValue(l.key(keyHead), strconv.FormatInt(after, 10))
}

// Since is the barrier: see history.Shared. The first request reads the head and
// the first entries. It is linearizable, so the head is at least what any append
// that was answered before has made it.
func (l *Log) Since(ctx context.Context, after int64, each func([]history.Batch)) error {
	_, err := l.since(ctx, after, each)
	return l.noted(err)
}

// since returns the revision at which it read the last page, and the number of
// the last line.
func (l *Log) since(ctx context.Context, after int64, each func([]history.Batch)) (p page, err error) {
	for until := int64(-1); ; {
		if p, err = l.readTail(ctx, after, until); err != nil {
			return p, err
		}
		if len(p.batches) > 0 {
			last := p.batches[len(p.batches)-1].Records
			after = last[len(last)-1].Seq
			each(p.batches) // which may clear them, as a replay does
		}
		if until < 0 {
			until = p.head
		}
		if after >= until {
			return p, nil
		}
	}
}

// readTail makes one request for what follows on line number after. until is the number
// of the last line if this is not the first request. Then there is much to read.
func (l *Log) readTail(ctx context.Context, after, until int64) (p page, err error) {
	if err := l.usable(); err != nil {
		return p, err
	}
	in := txnRequest{Success: l.tail(after)}
	if l.opt.ThroughLog {
		// A transaction that may delete goes through etcd's log. It works without
		// room for a put. The key never exists.
		in.Success = append(in.Success, operation{Delete: &deleteRequest{Key: []byte(l.key(keyBarrier))}})
	}
	asked := l.clocks.now()
	out, err := ask[txnAnswer](ctx, l.client, request{path: pathTxn, in: in, bulk: until > after, accept: l.reaches(after, after)})
	if err != nil {
		return p, l.client.explained(err)
	}
	return l.readPage(after, out, asked)
}

// ID names the log: see history.Shared. A restored backup is in another cluster.
func (l *Log) ID() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%s-%x", l.format.Cluster, l.client.cluster.Load())
}
