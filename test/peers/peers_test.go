package peers_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const recordedFile = "testdata/recorded.json"

// maxRecorded is how many bytes of a body are recorded.
const maxRecorded = 1000

// A recorded is a request of a scenario and what the real server answered.
type recorded struct {
	Request string
	Answer  answer
}

// TestPeers sends every request to both sides.
func TestPeers(t *testing.T) {
	scenarios := append(readScenarios(t), randomScenarios(t)...)
	answers := map[string][]recorded{}
	if !*live && !*record {
		text, err := os.ReadFile(recordedFile)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &answers); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	used, sent := map[string]int{}, 0
	t.Run("scenario", func(t *testing.T) {
		for _, s := range scenarios {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				mu.Lock()
				known := answers[s.name]
				mu.Unlock()
				theirs := compare(t, s, known)
				mu.Lock()
				defer mu.Unlock()
				if !s.fresh {
					answers[s.name] = theirs
				}
				for _, r := range s.requests {
					sent++
					for _, why := range r.differs {
						used[why]++
					}
				}
			})
		}
	})
	for _, key := range slices.Sorted(maps.Keys(reasons)) {
		if used[key] == 0 && flag.Lookup("test.run").Value.String() == "" {
			t.Errorf("no request differs by the reason %q; delete it", key)
		}
	}
	t.Logf("%d requests", sent)
	if *record && !t.Failed() {
		writeRecorded(t, answers)
	}
}

// compare sends the requests to both sides, and reports what differs but must not, and
// what must differ but doesn't. It returns the answers of the real server, which are
// those of known unless it runs.
func compare(t *testing.T, s *scenario, known []recorded) (theirs []recorded) {
	t.Helper()
	var peer *server
	if *live || *record {
		peer = s.startPeer(t)
	}
	shelf := s.startShelf(t)
	for i, r := range s.requests {
		switch {
		case peer != nil:
			theirs = append(theirs, recorded{r.String(), peer.ask(t, r)})
		case i >= len(known) || known[i].Request != r.String():
			t.Fatalf("%s was not recorded: test/peers/run -record", r)
		default:
			theirs = append(theirs, known[i])
		}
		got, want := shelf.ask(t, r), theirs[i].Answer
		if peer == nil {
			got = got.condensed()
		}
		faults := r.judge(got, want)
		for _, fault := range faults {
			t.Errorf("%d: %s: %s", i, r, fault)
		}
		if len(faults) > 0 && peer != nil && s.generated {
			t.Logf("the least that differs is %s", shrink(t, shelf, peer, r))
		}
	}
	return theirs
}

// judge compares two answers to r.
func (r *request) judge(got, want answer) (faults []string) {
	// shelf names the same headers in every answer. All that the peer names must be there.
	if exposed := "Access-Control-Expose-Headers"; hasAll(got[exposed], want[exposed]) {
		got[exposed] = want[exposed]
	}
	for _, part := range append([]string{"status", "body"}, parts...) {
		why, known := r.differs[part]
		switch {
		case known && reasons[why] == "":
			faults = append(faults, fmt.Sprintf("%q is no reason", why))
		case known && got[part] == want[part]:
			faults = append(faults, fmt.Sprintf("%s no longer differs (%s): delete that line", part, why))
		case !known && got[part] != want[part]:
			faults = append(faults, fmt.Sprintf("%s\n shelf %s\n peer  %s", part, got[part], want[part]))
		}
	}
	return faults
}

// condensed is an answer as it is recorded: of a long body only the beginning, the length
// and the hash.
func (a answer) condensed() answer {
	body := a["body"]
	if len(body) <= maxRecorded {
		return a
	}
	a = maps.Clone(a)
	a["body"] = fmt.Sprintf("%s… (%d bytes, SHA-256 %x)", strings.ToValidUTF8(body[:100], ""), len(body), sha256.Sum256([]byte(body)))
	return a
}

// shrink leaves out parameters of a read as long as the answers differ.
func shrink(t *testing.T, shelf, peer *server, r *request) *request {
	t.Helper()
	path, query, _ := strings.Cut(r.path, "?")
	if r.method != http.MethodGet && r.method != http.MethodHead || query == "" {
		return r
	}
	asked := strings.Split(query, "&")
	for i := range asked {
		smaller := *r
		smaller.path = path + "?" + strings.Join(slices.Delete(slices.Clone(asked), i, i+1), "&")
		if len(smaller.judge(shelf.ask(t, &smaller), peer.ask(t, &smaller))) > 0 {
			return shrink(t, shelf, peer, &smaller)
		}
	}
	return r
}

// hasAll reports whether the comma list has every word of the comma list words.
func hasAll(list, words string) bool {
	for word := range strings.SplitSeq(words, ", ") {
		if word != "" && !slices.Contains(strings.Split(list, ", "), word) {
			return false
		}
	}
	return true
}

func writeRecorded(t *testing.T, answers map[string][]recorded) {
	t.Helper()
	for _, of := range answers {
		for i := range of {
			of[i].Answer = of[i].Answer.condensed()
		}
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(answers)
	if err == nil {
		err = os.WriteFile(recordedFile, text.Bytes(), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// readScenarios reads testdata/requests/*.txt. A line "server" starts a new pair of
// servers; other lines are requests; a line that begins with blanks belongs to
// the request above it: a header, "save NAME", or "differs PART,PART: REASON".
//
//	server json-server library.json -open
//	GET /books?author=ann
//	  Origin: http://localhost:5173
//	POST /books {"title":"x"}
//	  differs body: ids are never reused
func readScenarios(t *testing.T) (scenarios []*scenario) {
	t.Helper()
	names, err := filepath.Glob("testdata/requests/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no testdata/requests/*.txt: %v", err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, "\r\n")
			switch area := strings.TrimSuffix(filepath.Base(name), ".txt"); {
			case line == "", strings.HasPrefix(line, "#"):
			case strings.HasPrefix(line, "server "):
				scenarios = append(scenarios, readServer(t, area, strings.Fields(line)[1:]))
			case strings.HasPrefix(line, " "):
				of := scenarios[len(scenarios)-1].requests
				of[len(of)-1].read(t, strings.TrimSpace(line))
			default:
				s := scenarios[len(scenarios)-1]
				words := append(strings.SplitN(line, " ", 3), "")
				s.requests = append(s.requests, &request{method: words[0], path: words[1], body: words[2], header: http.Header{}, differs: map[string]string{}})
			}
		}
	}
	return scenarios
}

// randomScenarios are generated: some that are always the same, and as many others as
// -fresh says.
func randomScenarios(t *testing.T) (scenarios []*scenario) {
	t.Helper()
	texts := map[string]string{"placeholder": placeholder()}
	for _, name := range []string{"blog", "shop", "library"} {
		text, err := os.ReadFile("testdata/data/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	names := slices.Sorted(maps.Keys(texts))
	for i, name := range names {
		for seed := range uint64(2) {
			scenarios = append(scenarios, randomScenario(t, name, texts[name], seed+10*uint64(i), 60))
		}
	}
	for range *fresh {
		name := names[rand.IntN(len(names))]
		s := randomScenario(t, name, texts[name], rand.Uint64N(1e9), 200)
		s.fresh = true
		scenarios = append(scenarios, s)
	}
	return scenarios
}

// readServer reads the words of a line "server": the program, the file in
// testdata/data or the word placeholder, perhaps a routes file, a folder static=NAME,
// and flags of shelf.
func readServer(t *testing.T, area string, words []string) *scenario {
	t.Helper()
	s := &scenario{name: area + "/" + strings.Join(words, " "), auth: words[0] == "json-server-auth"}
	for _, word := range words[1:] {
		if folder, ok := strings.CutPrefix(word, "static="); ok {
			s.static = "testdata/data/" + folder
			continue
		}
		if word == "placeholder" {
			s.data = placeholder()
			continue
		}
		if !strings.HasSuffix(word, ".json") {
			s.flags = append(s.flags, word)
			continue
		}
		text, err := os.ReadFile("testdata/data/" + word)
		if err != nil {
			t.Fatal(err)
		}
		if s.data == "" {
			s.data = string(text)
		} else {
			s.routes = string(text)
		}
	}
	return s
}

func (r *request) read(t *testing.T, line string) {
	t.Helper()
	if name, ok := strings.CutPrefix(line, "save "); ok {
		r.save = name
		return
	}
	name, value, ok := strings.Cut(line, ": ")
	if !ok {
		t.Fatalf("%q is no header, no save and no differs", line)
	}
	if which, ok := strings.CutPrefix(name, "differs "); ok {
		for part := range strings.SplitSeq(which, ",") {
			r.differs[part] = value
		}
		return
	}
	r.header.Set(name, value)
}
