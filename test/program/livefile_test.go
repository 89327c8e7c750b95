package program_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestKillLiveFile kills a server of a file while clients write and an editor saves the
// file, again and again. Nothing that was acknowledged is lost, and each save is in the
// data or in FILE.mine. More rounds:
//
//	go test -run TestKillLiveFile -rounds 100 -timeout 0 -v ./test/program
func TestKillLiveFile(t *testing.T) {
	t.Parallel()
	e := &editor{t: t, file: filepath.Join(t.TempDir(), "db.json")}
	writeTestFile(t, filepath.Dir(e.file), "db.json", "{\n  \"posts\": [],\n  \"notes\": []\n}\n")
	var acked []string
	for round := range *killRounds {
		p := startShelf(t, filepath.Dir(e.file), "-open", "-take=journal", "db.json")
		first := fmt.Sprintf("post %d", round) // so that each round has something to lose
		p.send("POST /posts", "", fmt.Sprintf(`{"title":%q}`, first)).want(http.StatusCreated)
		acked = append(acked, first)
		var clients sync.WaitGroup
		var mu sync.Mutex
		for c := range 2 {
			clients.Go(func() {
				for n := 0; ; n++ {
					title := fmt.Sprintf("post %d-%d-%d", round, c, n)
					r, err := p.try("POST /posts", "", fmt.Sprintf(`{"title":%q}`, title))
					if err != nil {
						return // the server has gone
					}
					if r.status == http.StatusCreated {
						mu.Lock()
						acked = append(acked, title)
						mu.Unlock()
					}
					if n%8 == 7 {
						pause(rand.IntN(600))
					}
				}
			})
		}
		deadline := time.Now().Add(time.Duration(500+rand.IntN(2000)) * time.Millisecond)
		for time.Now().Before(deadline) {
			e.save(round)
			pause(rand.IntN(500))
		}
		p.kill()
		clients.Wait()

		p = startShelf(t, filepath.Dir(e.file), "-open", "-take=journal", "db.json")
		rows := p.send("GET /posts", "", "").want(http.StatusOK).body + p.send("GET /notes", "", "").want(http.StatusOK).body
		for _, title := range acked {
			if !strings.Contains(rows, `"`+title+`"`) {
				t.Fatalf("round %d: the acknowledged %s is lost", round, title)
			}
		}
		kept := e.kept()
		for _, title := range e.saved {
			if !strings.Contains(rows, `"`+title+`"`) && !strings.Contains(kept, `"`+title+`"`) {
				t.Fatalf("round %d: the save of %s is lost", round, title)
			}
		}
		waitUntil(t, "the file shows the data", func() bool {
			var file struct{ Posts, Notes []json.RawMessage }
			text, _ := os.ReadFile(e.file)
			return json.Unmarshal(text, &file) == nil && len(file.Posts)+len(file.Notes) == strings.Count(rows, `"title"`)
		})
		p.kill()
	}
	t.Logf("%d acknowledged writes, %d saves", len(acked), len(e.saved))
}

// pause lets milliseconds pass, in which a person thinks and other programs run.
func pause(milliseconds int) { <-time.After(time.Duration(milliseconds) * time.Millisecond) }

// An editor adds rows to a file, as editors save it.
type editor struct {
	t     *testing.T
	file  string
	saved []string
}

// save reads the file, adds a note and saves it. It may save over a newer version, as a
// person may.
func (e *editor) save(round int) {
	e.t.Helper()
	text, err := os.ReadFile(e.file)
	if e.refused(err) {
		return
	}
	var file struct {
		Posts []json.RawMessage `json:"posts"`
		Notes []json.RawMessage `json:"notes"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		e.t.Errorf("the file is broken: %v: %s", err, text)
		return
	}
	title := fmt.Sprintf("note %d-%d", round, len(e.saved))
	file.Notes = append(file.Notes, json.RawMessage(fmt.Sprintf(`{"id":%q,"title":%q}`, title, title)))
	text, err = json.MarshalIndent(file, "", "  ")
	if err != nil {
		e.t.Error(err)
		return
	}
	pause(rand.IntN(100))
	switch rand.IntN(4) {
	case 0: // as vim does
		err = os.WriteFile(e.file+"~", text, 0o600)
		if err == nil {
			err = os.Rename(e.file+"~", e.file)
		}
	case 1: // in two halves
		var out *os.File
		if out, err = os.OpenFile(e.file, os.O_WRONLY|os.O_TRUNC, 0); err == nil {
			out.Write(text[:len(text)/2])
			pause(20)
			out.Write(text[len(text)/2:])
			err = out.Close()
		}
	case 2: // and touches it
		if err = os.WriteFile(e.file, text, 0o600); err == nil {
			err = os.Chtimes(e.file, time.Now(), time.Now())
		}
	default: // as nano and VS Code do
		err = os.WriteFile(e.file, text, 0o600)
	}
	if !e.refused(err) {
		e.saved = append(e.saved, title)
	}
}

// refused reports whether the system did not let the editor read or save. Windows refuses
// it while another program has the file open; the person then saves again later.
func (e *editor) refused(err error) bool {
	if err != nil && runtime.GOOS != "windows" {
		e.t.Error(err)
	}
	return err != nil
}

// kept is all that the copies of edits hold.
func (e *editor) kept() string {
	copies, err := filepath.Glob(e.file + ".mine*")
	if err != nil {
		e.t.Fatal(err)
	}
	all := ""
	for _, name := range copies {
		text, err := os.ReadFile(name)
		if err != nil {
			e.t.Fatal(err)
		}
		all += string(text)
	}
	return all
}
