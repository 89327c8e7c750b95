package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/history"
)

// The log wants a snapshot at that size.
const (
	worthBytes = 8 << 20
	worthKeys  = 100_000
	// busyTime is how long a replica leaves the work to another one.
	busyTime = 2 * time.Minute
)

// growth is how much the log holds behind its snapshot, as far as this replica
// has read it.
type growth struct {
	snapshotBytes int64
	rows          int64 // lines of the snapshot
	counted       int64 // lines up to this number are in the sums below
	bytes         int64 // of entries
	keys          int64 // entries
	lines         int64
}

// grownBy counts an entry that this replica has read, perhaps not for the first time.
func (l *Log) grownBy(e entry) {
	first := e.batch.Records[0].Seq
	if l.grown(first, first+int64(len(e.batch.Records))-1, e.size) {
		l.clocks.read(e)
	}
}

// grown counts an entry. It returns false if the entry is counted already.
func (l *Log) grown(first, last, size int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first <= l.growth.counted {
		return false
	}
	l.growth.counted = last
	l.growth.bytes += size
	l.growth.keys++
	l.growth.lines += last - first + 1
	return true
}

// snapshotIs starts the count anew behind a snapshot.
func (l *Log) snapshotIs(m manifest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.growth = growth{snapshotBytes: m.Bytes, rows: int64(m.Rows), counted: max(m.Seq, l.growth.counted)}
}

// WantsSnapshot reports whether Compact pays: see history.Shared.
func (l *Log) WantsSnapshot() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.growth
	big := g.keys >= worthKeys || g.bytes > max(worthBytes, 2*g.snapshotBytes)
	return big && l.failed == nil && !clock.Real().Before(l.notUntil)
}

// pauseCompaction makes WantsSnapshot wait.
func (l *Log) pauseCompaction() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notUntil = clock.Real().Add(busyTime)
}

// Compact keeps a snapshot and cuts the log: see history.Shared.
func (l *Log) Compact(ctx context.Context, at int64, now time.Time, n int, snapshot iter.Seq[[]byte], check func([]history.Record) error) error {
	if err := l.usable(); err != nil {
		return err
	}
	if at < 1 || int64(n) > at {
		l.pauseCompaction()
		return nil
	}
	old, err := l.readManifest(ctx)
	if err != nil {
		return err
	}
	if old.Seq >= at {
		l.snapshotIs(old)
		return nil
	}
	release, claimed, err := l.claim(ctx)
	if err != nil {
		return err
	}
	if !claimed {
		l.pauseCompaction()
		return nil
	}
	defer release()
	m, err := l.writeChunks(ctx, at, now, n, snapshot)
	if err == nil {
		if err = l.readSnapshot(ctx, m, check); err != nil {
			l.dropChunks(m.Dir)
		}
	}
	if err != nil {
		l.pauseCompaction()
		return fmt.Errorf("keeping a snapshot: %w", err)
	}
	if old.Seq > 0 {
		m.Before = &manifestBefore{Seq: old.Seq, Dir: old.Dir, Revision: old.revision}
	}
	ours, err := l.publish(ctx, m, old.revision, nil)
	if err != nil || !ours {
		return err
	}
	l.snapshotIs(m)
	if err := l.cut(ctx, m); err != nil {
		return fmt.Errorf("a new snapshot is kept, and the next one will remove what is left of older lines: %w", err)
	}
	return nil
}

// publish makes m the newest snapshot, if the key is still at the revision. more
// are further conditions and steps.
func (l *Log) publish(ctx context.Context, m manifest, revision int64, more *txnRequest) (ours bool, err error) {
	text, err := json.Marshal(m)
	if err != nil {
		return false, err
	}
	key := l.key(keySnapshot)
	in := txnRequest{
		Compare: []compare{isUnchanged(key, revision)},
		Success: []operation{put(key, text)},
		Failure: []operation{get(key)},
	}
	if more != nil {
		in.Compare, in.Success = append(in.Compare, more.Compare...), append(in.Success, more.Success...)
	}
	out, err := ask[txnAnswer](ctx, l.client, request{path: pathTxn, in: in, once: true})
	if err != nil {
		if !errors.Is(err, history.ErrUnanswered) {
			l.dropChunks(m.Dir)
		}
		return false, l.client.explained(err)
	}
	if out.Succeeded {
		return true, nil
	}
	kv, _ := out.ranged(0).first()
	now, err := parseManifest(kv)
	if err == nil && now.Dir == m.Dir {
		return true, nil // an earlier attempt was kept
	}
	l.dropChunks(m.Dir)
	return false, err
}

// claim makes this replica the one that compacts. The claim only saves work: no
// promise rests on it. It ends by itself if the replica does.
func (l *Log) claim(ctx context.Context) (release func(), claimed bool, err error) {
	lease, err := ask[leaseAnswer](ctx, l.client, request{path: "/v3/lease/grant", in: map[string]string{"TTL": strconv.Itoa(int(busyTime / time.Second))}})
	if _, refused := err.(*refusal); refused {
		return func() {}, true, nil // without leases all replicas may work
	}
	if err != nil {
		return nil, false, err
	}
	release = func() {
		ctx, cancel := context.WithTimeout(context.Background(), attemptTime)
		defer cancel()
		_, _ = ask[headOnly](ctx, l.client, request{path: "/v3/lease/revoke", in: map[string]string{"ID": strconv.FormatInt(lease.ID, 10)}})
	}
	key := l.key(keyCompactor)
	claim := put(key, []byte(strconv.FormatInt(lease.ID, 10)))
	claim.Put.Lease = lease.ID
	out, err := l.client.txn(ctx, txnRequest{Compare: []compare{isAbsent(key)}, Success: []operation{claim}, Failure: []operation{get(key)}})
	if err != nil {
		release()
		return nil, false, err
	}
	if kv, _ := out.ranged(0).first(); !out.Succeeded && string(kv.Value) != string(claim.Put.Value) {
		release()
		return nil, false, nil
	}
	return release, true, nil
}

// cut removes what no replica needs any more: the entries up to the snapshot
// before m, all other snapshots, and etcd's own history of the keys.
func (l *Log) cut(ctx context.Context, m manifest) error {
	keep := map[string]bool{m.Dir: true}
	if m.Before != nil {
		keep[m.Before.Dir] = true
		if err := l.client.delete(ctx, l.key(dirLog), l.logKey(m.Before.Seq+1)); err != nil {
			return err
		}
	}
	dirs, err := l.snapshotDirs(ctx)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if keep[dir] {
			continue
		}
		if err := l.client.delete(ctx, l.chunkDir(dir), after(l.chunkDir(dir))); err != nil {
			return err
		}
	}
	if m.Before == nil {
		return nil
	}
	return l.compactHistory(ctx, m.Before.Revision)
}

// snapshotDirs lists the directories below snap/.
func (l *Log) snapshotDirs(ctx context.Context) (dirs []string, err error) {
	from, end := l.key(dirSnapshots), after(l.key(dirSnapshots))
	for {
		out, err := l.client.txn(ctx, txnRequest{Success: []operation{{Range: &rangeRequest{Key: []byte(from), RangeEnd: []byte(end), Limit: 1, KeysOnly: true}}}})
		if err != nil {
			return nil, err
		}
		kv, found := out.ranged(0).first()
		if !found {
			return dirs, nil
		}
		dir, _, _ := strings.Cut(strings.TrimPrefix(string(kv.Key), l.key(dirSnapshots)), "/")
		dirs = append(dirs, dir)
		from = after(l.chunkDir(dir))
	}
}

// compactHistory makes etcd forget what the keys were before the revision. With
// etcd's authentication on, only a root user may do that.
func (l *Log) compactHistory(ctx context.Context, revision int64) error {
	_, err := ask[headOnly](ctx, l.client, request{path: "/v3/kv/compaction", in: map[string]string{"revision": strconv.FormatInt(revision, 10)}})
	refused, _ := err.(*refusal)
	switch {
	case refused == nil:
		return err
	case refused.compacted():
		return nil
	case refused.Code == codePermission:
		l.mu.Lock()
		warned := l.warned
		l.warned = true
		l.mu.Unlock()
		if !warned {
			l.opt.Log.Warn("etcd lets only a root user compact its history: start etcd with --auto-compaction-mode=periodic --auto-compaction-retention=1h")
		}
		return nil
	}
	return refused.explain(l.client.user)
}

// Begin makes a snapshot the first content: see history.Shared.
func (l *Log) Begin(ctx context.Context, now time.Time, n int, snapshot iter.Seq[[]byte]) error {
	if err := l.usable(); err != nil {
		return err
	}
	if n == 0 {
		return nil
	}
	out, err := l.client.txn(ctx, txnRequest{Success: []operation{get(l.key(keyHead))}})
	if err != nil {
		return l.noted(err)
	}
	if _, found := out.ranged(0).first(); found {
		return history.ErrNotEmpty
	}
	m, err := l.writeChunks(ctx, int64(n), now, n, snapshot)
	if err != nil {
		return l.noted(err)
	}
	head := l.key(keyHead)
	ours, err := l.publish(ctx, m, 0, &txnRequest{
		Compare: []compare{isAbsent(head)},
		Success: []operation{put(head, strconv.AppendInt(nil, int64(n), 10))},
	})
	if err == nil && !ours {
		return history.ErrNotEmpty
	}
	return l.noted(err)
}
