package etcd

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
)

// The keys below the prefix.
const (
	keyFormat    = "format"
	keyHead      = "head"
	keySnapshot  = "snapshot"
	keyKeys      = "keys"
	keyCompactor = "compactor"
	keyBarrier   = "barrier" // never exists
	dirLog       = "log/"
	dirSnapshots = "snap/"
)

// layout is the version of the keys below the prefix.
const layout = 1

// A format is the content of the key format, the first that is written.
type format struct {
	Format  string `json:"format"`
	Version int    `json:"version"` // of the keys
	Cluster string `json:"cluster"` // random
	Reads   int    `json:"reads"`   // the version of the lines that a reader has to know

	revision int64 // of the key
}

const formatName = "shelf"

// parseFormat reads the key. Its errors are one line for a person.
func parseFormat(kv keyValue) (f format, err error) {
	if json.Unmarshal(kv.Value, &f) != nil || f.Format != formatName || f.Version < 1 {
		return f, errForeign
	}
	if f.Version > layout {
		return f, fmt.Errorf("layout %d: written by a newer shelf; this shelf reads %d, so use a newer shelf", f.Version, layout)
	}
	f.revision = kv.ModRevision
	return f, journal.CheckVersion(f.Reads)
}

// errForeign means that the prefix holds something else.
var errForeign = errors.New("this prefix holds keys that are not shelf's: name another prefix, as in etcd://HOST/OTHER/")

// ErrNothing means that the prefix holds nothing yet.
var ErrNothing = errors.New("there is no data yet: start shelf with this -data first")

// openFormat reads the format, and writes it if the prefix is empty and create is
// set. Several replicas may do so at the same time.
func (l *Log) openFormat(ctx context.Context, create bool) error {
	out, err := l.client.txn(ctx, txnRequest{Success: []operation{
		get(l.key(keyFormat)),
		{Range: &rangeRequest{Key: []byte(l.prefix), RangeEnd: []byte(after(l.prefix)), Limit: 1, KeysOnly: true}},
	}})
	if err != nil {
		return err
	}
	kv, found := out.ranged(0).first()
	_, taken := out.ranged(1).first()
	switch {
	case !found && taken:
		return errForeign
	case !found && !create:
		return ErrNothing
	case !found:
		text, err := json.Marshal(format{Format: formatName, Version: layout, Cluster: rand.Text(), Reads: journal.FirstVersion})
		if err != nil {
			return err
		}
		if kv, err = l.putOnce(ctx, keyFormat, text); err != nil {
			return err
		}
	}
	return l.takeFormat(kv)
}

func (l *Log) takeFormat(kv keyValue) error {
	f, err := parseFormat(kv)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.format = f
	return nil
}

// putOnce writes a key that is absent. It returns the key as it then is, written
// by this replica or by another.
func (l *Log) putOnce(ctx context.Context, name string, value []byte) (keyValue, error) {
	key := l.key(name)
	if _, err := l.client.txn(ctx, txnRequest{
		Compare: []compare{isAbsent(key)},
		Success: []operation{put(key, value)},
	}); err != nil {
		return keyValue{}, err
	}
	out, err := l.client.txn(ctx, txnRequest{Success: []operation{get(key)}})
	if err != nil {
		return keyValue{}, err
	}
	kv, found := out.ranged(0).first()
	if !found {
		return kv, fmt.Errorf("%w: the key %s was removed", history.ErrReadOnly, key)
	}
	return kv, nil
}

// Need makes the format say that a reader has to know the version of the lines.
func (l *Log) Need(version int) error {
	ctx := context.Background()
	for {
		l.mu.Lock()
		f, failed := l.format, l.failed
		l.mu.Unlock()
		switch {
		case failed != nil:
			return failed
		case f.Reads >= version:
			return nil
		}
		f.Reads = version
		text, err := json.Marshal(f)
		if err != nil {
			return err
		}
		key := l.key(keyFormat)
		if _, err = l.client.txn(ctx, txnRequest{
			Compare: []compare{isUnchanged(key, f.revision)},
			Success: []operation{put(key, text)},
		}); err != nil {
			return l.noted(err)
		}
		out, err := l.client.txn(ctx, txnRequest{Success: []operation{get(key)}})
		if err != nil {
			return l.noted(err)
		}
		kv, _ := out.ranged(0).first()
		if err := l.takeFormat(kv); err != nil {
			return fmt.Errorf("%w: %w", history.ErrReadOnly, err)
		}
	}
}
