package etcd

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
)

const (
	// gzipFrom is the size in bytes from which an entry is kept as gzip. etcd keeps
	// its latest requests in memory, so large ones are dear.
	gzipFrom = 64 << 10
	// maxEntry is the size of an entry in bytes that every etcd takes: its default
	// limit of a request is 1.5 MiB.
	maxEntry = 1400 << 10
	// maxText is the most bytes that an entry may have without gzip.
	maxText = 256 << 20
)

// An entry is one batch as a key and its value: a line {"batch":"ID"}, and the
// lines as they would stand in a file.
type entry struct {
	batch history.Batch
	size  int64  // of the value
	first []byte // the first line of the batch
}

// time is when the batch was made, by the clock of the replica that made it.
func (e entry) time() (at time.Time, ok bool) {
	_, rest, _ := bytes.Cut(e.first[:min(len(e.first), 100)], []byte(`,"time":"`))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	at, err := time.Parse(time.RFC3339, string(text))
	return at, err == nil
}

// logKey is the key of the entry whose first line has that number.
func (l *Log) logKey(first int64) string {
	return l.prefix + dirLog + fmt.Sprintf("%020d", first)
}

type batchLine struct {
	Batch string `json:"batch"`
}

// encodeEntry renders a batch.
func encodeEntry(id string, first int64, now time.Time, bodies [][]byte) ([]byte, error) {
	text, err := json.Marshal(batchLine{id})
	if err != nil {
		return nil, err
	}
	text = journal.AppendBatch(append(text, '\n'), first, now, bodies)
	if len(text) > maxText {
		return nil, fmt.Errorf("%w: %d bytes", history.ErrTooLarge, len(text))
	}
	if len(text) >= gzipFrom {
		if text, err = compress(text); err != nil {
			return nil, err
		}
	}
	if len(text) > maxEntry {
		return nil, fmt.Errorf("%w: %d bytes after gzip, and at most %d can be kept: split it", history.ErrTooLarge, len(text), maxEntry)
	}
	return text, nil
}

func compress(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err = w.Write(text); err == nil {
		err = w.Close()
	}
	return b.Bytes(), err
}

// gzipMark is the first byte of gzip, which no JSON begins with.
const gzipMark = 0x1f

// parseEntry reads a key below log/. It fails with a *history.Damage.
func (l *Log) parseEntry(kv keyValue) (e entry, err error) {
	name := strings.TrimPrefix(string(kv.Key), l.prefix+dirLog)
	first, err := strconv.ParseInt(name, 10, 64)
	if err != nil || len(name) != 20 || first < 1 {
		return e, &history.Damage{What: fmt.Sprintf("%q is not the key of an entry", kv.Key)}
	}
	damaged := func(what string, err error) error {
		return &history.Damage{Line: int(first), What: fmt.Sprintf("the key %s: %s: %v", kv.Key, what, err)}
	}
	text := kv.Value
	if len(text) > 0 && text[0] == gzipMark {
		if text, err = decompress(text); err != nil {
			return e, damaged("gzip", err)
		}
	}
	head, lines, _ := bytes.Cut(text, []byte("\n"))
	var named batchLine
	if err := json.Unmarshal(head, &named); err != nil {
		return e, damaged("the first line names no batch", err)
	}
	e.batch.ID, e.size, e.first = named.Batch, int64(len(kv.Value)), lines
	e.batch.Records, err = journal.ParseBatch(lines, first)
	return e, err
}

func decompress(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err == nil && len(text) > maxText {
		err = fmt.Errorf("more than %d bytes", maxText)
	}
	return text, err
}
