package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// importItems is how many items are imported at once.
const importItems = 100_000

// importRound imports a file into an empty store, as a command of its own.
func (h *harness) importRound() error {
	folder, err := os.MkdirTemp(h.folder, "data")
	if err != nil {
		return err
	}
	file, text := filepath.Join(folder, "import.json"), document(importItems)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	p := &program{cmd: exec.Command(h.shelf, "import", file, "-data", filepath.Join(folder, "shelf.jsonl"))}
	var said bytes.Buffer
	p.cmd.Stdout, p.cmd.Stderr = &said, &said
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return err
	}
	// After the end of a program, the system counts the memory of the program that started
	// it as well. So the peak is read while the import runs.
	highest := 0.0
	for {
		peak, err := p.peak()
		if err != nil {
			break // it has ended
		}
		highest = max(highest, peak)
		time.Sleep(time.Millisecond)
	}
	err = p.cmd.Wait()
	took := time.Since(began)
	if err != nil {
		return fmt.Errorf("import: %w: %s", err, &said)
	}
	h.note("import ms", took.Seconds()*1e3)
	h.note("import cpu ms", (p.cmd.ProcessState.UserTime()+p.cmd.ProcessState.SystemTime()).Seconds()*1e3)
	h.note("import peak", highest)
	h.note("import file", float64(len(text)))
	return nil
}

func (h *harness) importGoals(goal goalFunc) {
	goal("Import of "+thousands(importItems)+" items: memory at its peak, against the file's size", h.figureRatio("import peak", "import file"), "≤", 2.5, "x")
}

func (h *harness) printImport(w io.Writer) {
	if len(h.figures["import ms"]) == 0 {
		return
	}
	of := func(figure string) float64 { return median(h.figures["import "+figure]) }
	fmt.Fprint(w, "\n| import of | ms | processor ms | memory at its peak, MB | file, MB |\n| --- | ---: | ---: | ---: | ---: |\n")
	fmt.Fprintf(w, "| %s items | %.0f | %.0f | %.1f | %.1f |\n", thousands(importItems), of("ms"), of("cpu ms"), of("peak")/1e6, of("file")/1e6)
}
