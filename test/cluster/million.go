package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// starts imports many items into a file, copies the file into the cluster, below a
// prefix of its own, and compares how long a start takes until clients may come.
func (m *measurement) starts(ctx context.Context, n int) error {
	document := filepath.Join(m.o.dir, "items.json")
	if err := writeItems(document, n); err != nil {
		return err
	}
	defer os.Remove(document)
	file := newCluster(&options{dir: filepath.Join(m.o.dir, "many"), shelf: m.o.shelf, seed: m.o.seed + 2}, "-max-owned", "10000000")
	shared := newCluster(&options{dir: filepath.Join(m.o.dir, "many"), shelf: m.o.shelf, seed: m.o.seed + 3}, append(m.o.flags, "-max-owned", "10000000")...)
	shared.clients, shared.prefix = m.all.clients, "/many/"
	defer file.stop()
	defer shared.stop()
	data := ""
	for _, c := range []*cluster{file, shared} {
		name := "a file"
		if c == shared {
			name = "the cluster"
		}
		r, err := c.newReplica("start from " + name)
		if err != nil {
			return err
		}
		c.replicas = append(c.replicas, r)
		fill := exec.Command(m.o.shelf, "copy", data, c.address(c.clients...))
		if c == file {
			data = filepath.Join(r.folder, "shelf.jsonl")
			fill = exec.Command(m.o.shelf, "import", document, "-data", data)
		}
		began := time.Now()
		if out, err := fill.CombinedOutput(); err != nil {
			return fmt.Errorf("filling %s: %w: %s", name, err, out)
		}
		m.add(fmt.Sprintf("shelf %s of %d items into %s, s", fill.Args[1], n, name), time.Since(began).Seconds())
		for range 3 {
			began := time.Now()
			if err := r.start(); err != nil {
				return err
			}
			if err := r.await(ctx); err != nil {
				return err
			}
			m.add(fmt.Sprintf("start with %d items from %s, s", n, name), time.Since(began).Seconds())
			r.kill()
		}
	}
	return nil
}

// writeItems writes a document to import.
func writeItems(path string, n int) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	w.WriteString(`{"items":[`)
	for i := range n {
		if i > 0 {
			w.WriteByte(',')
		}
		fmt.Fprintf(w, "\n"+`{"itemname":"Item number %d","category":"Category %d","description":"A plain description of this item, as long as most are."}`, i+1, i%20)
	}
	w.WriteString("]}\n")
	return w.Flush() // has the errors of all before it
}
