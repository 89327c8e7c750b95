package peers_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const recordedFile = "testdata/recorded.json"

// A recorded is a request of a scenario and what the real server answered.
type recorded struct {
	Request string
	Answer  answer
}

// TestPeers sends every request to both sides.
func TestPeers(t *testing.T) {
	scenarios := readScenarios(t)
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
				theirs := recordedAnswers(t, s, answers[s.name])
				compare(t, s, theirs)
				mu.Lock()
				defer mu.Unlock()
				answers[s.name] = theirs
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
		t.Logf("%s: %d parts of answers differ", key, used[key])
		if used[key] == 0 {
			t.Errorf("no request differs by the reason %q; delete it", key)
		}
	}
	t.Logf("%d requests", sent)
	if *record && !t.Failed() {
		writeRecorded(t, answers)
	}
}

// recordedAnswers returns what the real server answers to s, now or when it was recorded.
func recordedAnswers(t *testing.T, s *scenario, known []recorded) []recorded {
	t.Helper()
	if *live || *record {
		peer := s.startPeer(t)
		var answers []recorded
		for _, r := range s.requests {
			answers = append(answers, recorded{r.String(), peer.ask(t, r)})
		}
		return answers
	}
	for i, r := range s.requests {
		if i >= len(known) || known[i].Request != r.String() {
			t.Fatalf("%s was not recorded: test/peers/run -record", r)
		}
	}
	return known
}

// compare asks shelf, and reports what differs but must not, and what must differ but doesn't.
func compare(t *testing.T, s *scenario, theirs []recorded) {
	t.Helper()
	shelf := s.startShelf(t)
	for i, r := range s.requests {
		got, want := shelf.ask(t, r), theirs[i].Answer
		// shelf names the same headers in every answer. All that the peer names must be there.
		if exposed := "Access-Control-Expose-Headers"; hasAll(got[exposed], want[exposed]) {
			got[exposed] = want[exposed]
		}
		for _, part := range append([]string{"status", "body"}, parts...) {
			why, known := r.differs[part]
			switch {
			case known && reasons[why] == "":
				t.Errorf("%s: %q is no reason", r, why)
			case known && got[part] == want[part]:
				t.Errorf("%s: %s no longer differs (%s): delete that line", r, part, why)
			case !known && got[part] != want[part]:
				t.Errorf("%s: %s\n shelf %s\n peer  %s", r, part, got[part], want[part])
			}
		}
	}
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
	text, err := json.MarshalIndent(answers, "", " ")
	if err == nil {
		err = os.WriteFile(recordedFile, append(text, '\n'), 0o644)
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

// readServer reads the words of a line "server": the program, the file in
// testdata/data, perhaps a routes file there, and flags of shelf.
func readServer(t *testing.T, area string, words []string) *scenario {
	t.Helper()
	s := &scenario{name: area + "/" + strings.Join(words, " "), auth: words[0] == "json-server-auth"}
	for _, word := range words[1:] {
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
