package etcd

import (
	"cmp"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"strings"
	"time"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
)

const (
	chunkSize  = 256 << 10 // bytes of a key below snap/
	pageChunks = 8         // chunks that one request reads
)

// A manifest is the content of the key snapshot: which chunks are the newest
// snapshot. The chunks together are the gzip of a data file without a history.
type manifest struct {
	Seq    int64  `json:"seq"` // the state after this line
	Dir    string `json:"dir"`
	Chunks int    `json:"chunks"`
	Rows   int    `json:"rows"`
	Text   int64  `json:"text"`  // bytes before gzip
	Bytes  int64  `json:"bytes"` // bytes of all chunks
	SHA256 string `json:"sha256"`
	// Before is the snapshot before this one. What a slow replica needs to follow
	// on it is kept.
	Before *manifestBefore `json:"before,omitempty"`

	revision int64 // of the key; 0: there is none
}

type manifestBefore struct {
	Seq      int64  `json:"seq"`
	Dir      string `json:"dir"`
	Revision int64  `json:"revision"`
}

func (l *Log) chunkDir(dir string) string { return l.key(dirSnapshots + dir + "/") }

func (l *Log) chunkKey(dir string, i int) string {
	return l.chunkDir(dir) + fmt.Sprintf("%06d", i)
}

func parseManifest(kv keyValue) (m manifest, err error) {
	if len(kv.Value) == 0 {
		return m, nil
	}
	if err := json.Unmarshal(kv.Value, &m); err != nil || m.Seq < 1 || m.Chunks < 1 || m.Text < 1 || m.Dir == "" || strings.Contains(m.Dir, "/") {
		return m, &history.Damage{What: fmt.Sprintf("the key %s is no manifest", kv.Key)}
	}
	m.revision = kv.ModRevision
	return m, nil
}

func (l *Log) readManifest(ctx context.Context) (m manifest, err error) {
	out, err := l.client.txn(ctx, txnRequest{Success: []operation{get(l.key(keySnapshot))}})
	if err != nil {
		return m, err
	}
	kv, _ := out.ranged(0).first()
	return parseManifest(kv)
}

// A chunkWriter writes its input below snap/dir/, in pieces.
type chunkWriter struct {
	log   *Log
	ctx   context.Context
	dir   string
	piece []byte
	sum   hash.Hash
	n     int   // chunks
	bytes int64 // of all chunks
}

func (w *chunkWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		room := min(chunkSize-len(w.piece), len(p))
		w.piece, p = append(w.piece, p[:room]...), p[room:]
		if len(w.piece) == chunkSize {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (w *chunkWriter) flush() error {
	if len(w.piece) == 0 {
		return nil
	}
	if _, err := w.log.client.txn(w.ctx, txnRequest{Success: []operation{put(w.log.chunkKey(w.dir, w.n), w.piece)}}); err != nil {
		return err
	}
	w.sum.Write(w.piece)
	w.n, w.bytes, w.piece = w.n+1, w.bytes+int64(len(w.piece)), w.piece[:0]
	return nil
}

// writeChunks writes a snapshot of n lines up to number at. It doesn't count until
// a manifest names it.
func (l *Log) writeChunks(ctx context.Context, at int64, now time.Time, n int, snapshot iter.Seq[[]byte]) (m manifest, err error) {
	w := &chunkWriter{log: l, ctx: ctx, dir: fmt.Sprintf("%d-%s", at, rand.Text()[:10]), sum: sha256.New(), piece: make([]byte, 0, chunkSize)}
	defer func() {
		if err != nil {
			l.dropChunks(w.dir)
		}
	}()
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return m, err
	}
	l.mu.Lock()
	reads := l.format.Reads
	l.mu.Unlock()
	seq := at - int64(n)
	text := journal.AppendHeader(nil, reads, seq, at)
	rows, size := 0, int64(0)
	write := func() error {
		size += int64(len(text))
		_, err := zip.Write(text)
		text = text[:0]
		return err
	}
	for body := range snapshot {
		rows, seq = rows+1, seq+1
		text = journal.AppendBatch(text, seq, now, [][]byte{body})
		if len(text) < 1<<16 {
			continue
		}
		if err := write(); err != nil {
			return m, err
		}
	}
	if rows != n {
		return m, fmt.Errorf("the snapshot does not have the announced %d lines", n)
	}
	if err := errors.Join(write(), zip.Close()); err != nil {
		return m, err
	}
	if err := w.flush(); err != nil {
		return m, err
	}
	return manifest{Seq: at, Dir: w.dir, Chunks: w.n, Rows: n, Text: size, Bytes: w.bytes, SHA256: hex.EncodeToString(w.sum.Sum(nil))}, nil
}

// dropChunks removes a snapshot that no manifest names. What it leaves behind is
// removed after the next snapshot.
func (l *Log) dropChunks(dir string) {
	ctx, cancel := context.WithTimeout(context.Background(), attemptTime)
	defer cancel()
	_ = l.client.delete(ctx, l.chunkDir(dir), after(l.chunkDir(dir)))
}

// A chunkReader is the chunks of a snapshot, as a reader of their bytes. The next
// page is requested while the last one is read.
type chunkReader struct {
	log    *Log
	m      manifest
	pages  chan [][]byte
	err    error // why pages was closed early; read it after that
	page   [][]byte
	failed error // what Read returned
	sum    hash.Hash
	chunks int // read so far
}

// newChunkReader returns a reader that works until ctx ends.
func (l *Log) newChunkReader(ctx context.Context, m manifest) *chunkReader {
	r := &chunkReader{log: l, m: m, pages: make(chan [][]byte, 1), sum: sha256.New()}
	go func() {
		defer close(r.pages)
		for i := 0; i < m.Chunks; {
			page, err := r.load(ctx, i)
			if err != nil {
				r.err = err
				return
			}
			i += len(page)
			select {
			case r.pages <- page:
			case <-ctx.Done():
				r.err = ctx.Err()
				return
			}
		}
	}()
	return r
}

// load reads the chunks from number i on.
func (r *chunkReader) load(ctx context.Context, i int) (page [][]byte, err error) {
	op := getAll(r.log.chunkKey(r.m.Dir, i), after(r.log.chunkDir(r.m.Dir)), pageChunks)
	out, err := ask[txnAnswer](ctx, r.log.client, request{path: pathTxn, in: txnRequest{Success: []operation{op}}, bulk: true})
	if err != nil {
		return nil, r.log.client.explained(err)
	}
	for _, kv := range out.ranged(0).KVs {
		if string(kv.Key) != r.log.chunkKey(r.m.Dir, i+len(page)) {
			break
		}
		page = append(page, kv.Value)
	}
	if len(page) > 0 {
		return page, nil
	}
	// Only a replica that removed the snapshot for newer ones is no damage.
	if now, err := r.log.readManifest(ctx); err != nil || now.Dir != r.m.Dir {
		return nil, errors.Join(err, &history.Cut{})
	}
	return nil, &history.Damage{What: fmt.Sprintf("the key %s is missing", r.log.chunkKey(r.m.Dir, i))}
}

func (r *chunkReader) Read(p []byte) (int, error) {
	for len(r.page) == 0 {
		page, ok := <-r.pages
		if !ok {
			if r.failed = r.err; r.failed != nil {
				return 0, r.failed
			}
			return 0, io.EOF
		}
		r.page = page
	}
	n := copy(p, r.page[0])
	r.sum.Write(p[:n])
	if r.page[0] = r.page[0][n:]; len(r.page[0]) == 0 {
		r.page, r.chunks = r.page[1:], r.chunks+1
	}
	return n, nil
}

// readSnapshot calls emit with the lines of a snapshot.
func (l *Log) readSnapshot(ctx context.Context, m manifest, emit func([]history.Record) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	damaged := func(what any) error {
		return &history.Damage{What: fmt.Sprintf("the snapshot %s: %v", m.Dir, what)}
	}
	chunks := l.newChunkReader(ctx, m)
	zip, err := gzip.NewReader(chunks)
	if err != nil {
		return cmp.Or(chunks.failed, damaged(err))
	}
	found, err := journal.ReadStream(zip, m.Text, emit)
	if err != nil {
		return cmp.Or(chunks.failed, err)
	}
	if n, err := io.Copy(io.Discard, zip); n > 0 || err != nil {
		return cmp.Or(chunks.failed, damaged("its text does not end where the manifest says"))
	}
	switch {
	case hex.EncodeToString(chunks.sum.Sum(nil)) != m.SHA256 || chunks.chunks != m.Chunks:
		return damaged("the checksum does not match")
	case found.Seq != m.Seq || found.Lines != m.Rows:
		return damaged(fmt.Sprintf("it has %d lines up to number %d", found.Lines, found.Seq))
	}
	return nil
}

// Load reads the newest snapshot and what follows: see history.Shared.
func (l *Log) Load(ctx context.Context, emit func([]history.Record) error) (last, snapshot int64, err error) {
	last, snapshot, err = l.load(ctx, emit)
	return last, snapshot, l.noted(err)
}

func (l *Log) load(ctx context.Context, emit func([]history.Record) error) (last, snapshot int64, err error) {
	if err := l.usable(); err != nil {
		return 0, 0, err
	}
	out, err := l.client.txn(ctx, txnRequest{Success: []operation{get(l.key(keyFormat)), get(l.key(keySnapshot))}})
	if err != nil {
		return 0, 0, err
	}
	kv, _ := out.ranged(0).first()
	if err := l.takeFormat(kv); err != nil {
		return 0, 0, err
	}
	kv, _ = out.ranged(1).first()
	m, err := parseManifest(kv)
	if err != nil {
		return 0, 0, err
	}
	l.snapshotIs(m)
	if m.Seq > 0 {
		if err := l.readSnapshot(ctx, m, emit); err != nil {
			return 0, 0, err
		}
	}
	last = m.Seq
	var emitted error
	_, err = l.since(ctx, m.Seq, func(batches []history.Batch) {
		for _, b := range batches {
			last = b.Records[len(b.Records)-1].Seq
			if emitted == nil {
				emitted = emit(b.Records)
			}
		}
	})
	return last, m.Seq, cmp.Or(emitted, err)
}
