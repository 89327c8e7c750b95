package etcd

import (
	"context"
	"errors"
)

// ErrKeysChanged means that another program has replaced the keys meanwhile.
var ErrKeysChanged = errors.New("the keys have changed meanwhile: try again")

// Keys returns the signing keys that the replicas share, as text. The revision is
// for ReplaceKeys. Both are zero if there are none yet.
func (l *Log) Keys(ctx context.Context) (text []byte, revision int64, err error) {
	out, err := l.client.txn(ctx, txnRequest{Success: []operation{get(l.key(keyKeys))}})
	if err != nil {
		return nil, 0, l.noted(err)
	}
	kv, _ := out.ranged(0).first()
	return kv.Value, kv.ModRevision, nil
}

// CreateKeys keeps the text if there are no keys yet. It returns the keys that the
// replicas then share: these, or those that another replica has made first.
func (l *Log) CreateKeys(ctx context.Context, text []byte) (shared []byte, err error) {
	kv, err := l.putOnce(ctx, keyKeys, text)
	return kv.Value, l.noted(err)
}

// ReplaceKeys replaces the keys that Keys returned with the revision. It fails
// with ErrKeysChanged if they have changed since.
func (l *Log) ReplaceKeys(ctx context.Context, text []byte, revision int64) error {
	key := l.key(keyKeys)
	out, err := ask[txnAnswer](ctx, l.client, request{path: pathTxn, once: true, in: txnRequest{
		Compare: []compare{isUnchanged(key, revision)},
		Success: []operation{put(key, text)},
		Failure: []operation{get(key)},
	}})
	if err != nil {
		return l.noted(l.client.explained(err))
	}
	if kv, _ := out.ranged(0).first(); !out.Succeeded && string(kv.Value) != string(text) {
		return ErrKeysChanged
	}
	return nil
}
