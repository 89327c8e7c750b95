package journal_test

import (
	"bufio"
	"bytes"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
)

// benchBody is as long as a typical body.
func benchBody(n int) string {
	return fmt.Sprintf(`"op":"put","item":{"id":%d,"itemname":"Item number %d","category":"Category %d","description":"A plain description of this item, as long as most are.","created":"2026-11-22T12:00:00Z","createdby":1}`, n, n, n%20)
}

// benchFile writes a data file of n lines.
func benchFile(b *testing.B, n int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), dataFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	w.WriteString(journaltest.Header(0, 0))
	for i := range n {
		w.WriteString(journaltest.Line(int64(i+1), journaltest.Noon, benchBody(i+1), 1))
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkAppend measures a write with its fsync. plain is the same on a bare
// file: the lowest cost on this disk.
func BenchmarkAppend(b *testing.B) {
	b.Run("plain", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "plain"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		line := make([]byte, 250)
		for b.Loop() {
			if _, err := f.Write(line); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, n := range []int{1, 8, 64} {
		b.Run(fmt.Sprint("lines=", n), func(b *testing.B) {
			j, _ := mustOpenAny(b, benchFile(b, 0))
			batch := make([][]byte, n)
			for i := range batch {
				batch[i] = []byte(benchBody(i))
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := j.Append(journaltest.Noon, batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// mustOpenAny opens a journal with bodies of other tests.
func mustOpenAny(b *testing.B, path string) (j *journal.Journal, lines int) {
	b.Helper()
	j, err := journal.Open(journal.OS{}, path, journal.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { j.Close() })
	if err := j.Replay(func(batch []history.Record) error { lines += len(batch); return nil }); err != nil {
		b.Fatal(err)
	}
	if err := j.Start(); err != nil {
		b.Fatal(err)
	}
	return j, lines
}

// BenchmarkRead measures reading lines and removing their frames. The frame of a
// line with a checksum is read at fixed positions, that of an edited line by
// encoding/json.
func BenchmarkRead(b *testing.B) {
	const n = 100_000
	written, err := os.ReadFile(benchFile(b, n))
	if err != nil {
		b.Fatal(err)
	}
	edited := regexp.MustCompile(`(?m),"crc":"[0-9a-f]{8}"}$`).ReplaceAll(written, []byte("}"))
	for _, file := range []struct {
		name string
		text []byte
	}{{"written", written}, {"edited", edited}} {
		b.Run(file.name, func(b *testing.B) {
			b.SetBytes(int64(len(file.text)))
			b.ReportAllocs()
			for b.Loop() {
				found, err := journal.Read(bytes.NewReader(file.text), int64(len(file.text)), func([]history.Record) error { return nil })
				if err != nil || found.Lines != n {
					b.Fatal(found, err)
				}
			}
		})
	}
}

// BenchmarkCompact measures the compaction of a file with half of its lines
// outdated.
func BenchmarkCompact(b *testing.B) {
	const n = 100_000
	j, _ := mustOpenAny(b, benchFile(b, n))
	var half iter.Seq[[]byte] = func(yield func([]byte) bool) {
		for i := range n / 2 {
			if !yield([]byte(benchBody(i))) {
				return
			}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		write, err := j.Compact(time.Now(), n/2, anyLine)
		if err == nil {
			err = write(half)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
