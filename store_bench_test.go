package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
)

// benchItem is an item like those that people make.
func benchItem(i int) *item {
	return &item{
		Itemname: fmt.Sprint("Item number ", i), Category: "Category " + fmt.Sprint(i%20),
		Description: "A plain description of this item, as long as most are.", CreatedBy: 1,
	}
}

// benchFile writes a data file of n items.
func benchFile(b *testing.B, n int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "shelf.jsonl")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	w.WriteString(journaltest.Header(0, 0))
	w.WriteString(journaltest.Line(1, noon, putUser1, 1))
	for i := range n {
		it := benchItem(i + 1)
		it.ID, it.Created = i+1, noon
		w.WriteString(journaltest.Line(int64(i)+2, noon, `"op":"put","item":`+string(it.appendTo(nil)), 1))
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

func benchStore(b *testing.B, d journal.Disk, path string) *store {
	b.Helper()
	s, err := openStore(d, path, quiet, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// benchSizes are the numbers of items to measure at.
func benchSizes(all ...int) []int {
	if testing.Short() {
		return all[:len(all)-1]
	}
	return all
}

func BenchmarkAppend(b *testing.B) {
	// What one write costs that shares its fsync with nobody.
	b.Run("alone", func(b *testing.B) {
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
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint("writers=", writers), func(b *testing.B) {
			var syncs atomic.Int64
			s := benchStore(b, hookedDisk{sync: func(f journal.File) error { syncs.Add(1); return f.Sync() }}, benchFile(b, 0))
			var left atomic.Int64
			left.Store(int64(b.N))
			syncs.Store(0)
			b.ResetTimer()
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						if err := s.addItem(benchItem(1)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(syncs.Load())/float64(b.N), "fsyncs/write")
		})
	}
}

func BenchmarkGet(b *testing.B) {
	s := benchStore(b, journal.OS{}, benchFile(b, 100_000))
	id := 0
	for b.Loop() {
		id = id%100_000 + 1
		if _, err := s.item(id); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList100(b *testing.B) {
	s := benchStore(b, journal.OS{}, benchFile(b, 100))
	for b.Loop() {
		if len(s.allItems()) != 100 {
			b.Fatal("not all are there")
		}
	}
}

// BenchmarkReplay measures a start, and what is in memory after it.
func BenchmarkReplay(b *testing.B) {
	for _, n := range benchSizes(1_000, 100_000, 1_000_000) {
		b.Run(fmt.Sprint("items=", n), func(b *testing.B) {
			path := benchFile(b, n)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			b.ReportAllocs()
			var s *store
			for b.Loop() {
				b.StopTimer()
				if s != nil {
					s.Close()
				}
				s = nil
				runtime.GC()
				b.StartTimer()
				var err error
				if s, err = openStore(journal.OS{}, path, quiet, time.Now); err != nil {
					b.Fatal(err)
				}
			}
			if len(s.allItems()) != n {
				b.Fatal("not all are there")
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB-live")
			b.ReportMetric(float64(after.Sys-after.HeapReleased)/(1<<20), "MB-resident")
			s.Close()
		})
	}
}

// BenchmarkWrite measures one writer in stores of different sizes.
func BenchmarkWrite(b *testing.B) {
	for _, n := range benchSizes(1_000, 100_000, 1_000_000) {
		b.Run(fmt.Sprint("items=", n), func(b *testing.B) {
			s := benchStore(b, journal.OS{}, benchFile(b, n))
			runtime.GC()
			for b.Loop() {
				if err := s.addItem(benchItem(1)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCompaction measures how long reads and writes take while the store
// is compacted.
func BenchmarkCompaction(b *testing.B) {
	sizes := benchSizes(10_000, 1_000_000)
	n := sizes[len(sizes)-1]
	s := benchStore(b, journal.OS{}, benchFile(b, n))
	var reads, writes []time.Duration
	for b.Loop() {
		for i := range 10 { // so that there is some history
			if _, err := s.changeItem(i+1, actor{all: true}, func(it *item) { it.Category += "x" }); err != nil {
				b.Fatal(err)
			}
		}
		var done atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			for id := 1; !done.Load(); id = id%n + 1 {
				start := time.Now()
				s.item(id)
				reads = append(reads, time.Since(start))
				if id%64 == 0 {
					runtime.Gosched()
				}
			}
		})
		wg.Go(func() {
			for !done.Load() {
				start := time.Now()
				if err := s.addItem(benchItem(1)); err != nil {
					b.Error(err)
				}
				writes = append(writes, time.Since(start))
			}
		})
		if err := s.Compact(); err != nil {
			b.Fatal(err)
		}
		done.Store(true)
		wg.Wait()
	}
	for name, all := range map[string][]time.Duration{"read": reads, "write": writes} {
		slices.Sort(all)
		if len(all) > 0 {
			b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds())/1e3, name+"-p99-µs")
			b.ReportMetric(float64(all[len(all)-1].Nanoseconds())/1e6, name+"-max-ms")
		}
	}
}
