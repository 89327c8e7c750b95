package journal_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
)

// A batch is in the file when Append returns. The next start reads it again.
func Example() {
	folder, err := os.MkdirTemp("", "shelf")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "shelf.jsonl")

	// open reads the batches of the file, and gets it ready for more.
	open := func(each func(batch []history.Record)) *journal.Journal {
		j, err := journal.Open(journal.OS{}, path, journal.Options{})
		if err != nil {
			log.Fatal(err)
		}
		if err := j.Replay(func(batch []history.Record) error { each(batch); return nil }); err != nil {
			log.Fatal(err)
		}
		if err := j.Start(); err != nil {
			log.Fatal(err)
		}
		return j
	}

	j := open(func([]history.Record) {}) // nothing yet
	at := time.Date(2026, time.November, 22, 14, 5, 0, 0, time.UTC)
	batch := [][]byte{[]byte(`"op":"put","book":{"id":1}`), []byte(`"op":"put","book":{"id":2}`)}
	if err := j.Append(at, batch); err != nil { // all of it, or nothing
		log.Fatal(err)
	}
	j.Close()

	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(text))
	open(func(batch []history.Record) {
		for _, line := range batch {
			fmt.Println("replayed:", line.Seq, string(line.Body))
		}
	}).Close()
	// Output:
	// {"format":"shelf","version":1,"after":0,"snapshot":0,"crc":"89ff7d92"}
	// {"seq":1,"time":"2026-11-22T14:05:00.000Z","op":"put","book":{"id":1},"crc":"b4165d18"}
	// {"seq":2,"time":"2026-11-22T14:05:00.000Z","op":"put","book":{"id":2},"closes":2,"crc":"60ab42cb"}
	// replayed: 1 "op":"put","book":{"id":1}
	// replayed: 2 "op":"put","book":{"id":2}
}

// A crash leaves a batch whose end is missing. It was never acknowledged, so it does
// not count.
func ExampleReadFile() {
	folder, err := os.MkdirTemp("", "shelf")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "shelf.jsonl")
	const text = `{"format":"shelf","version":1,"after":0,"snapshot":0}
{"seq":1,"time":"2026-11-22T14:05:00Z","op":"put","book":{"id":1},"closes":1}
{"seq":2,"time":"2026-11-22T14:05:01Z","op":"pu`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}
	found, err := journal.ReadFile(path, func(batch []history.Record) error {
		fmt.Println(len(batch), "line:", string(batch[0].Body))
		return nil
	})
	fmt.Println(found.Torn, "bytes torn;", err)
	// Output:
	// 1 line: "op":"put","book":{"id":1}
	// 47 bytes torn; <nil>
}
