// Bench measures shelf beside two floors and beside other people's servers, on this
// machine and in one run, and prints the tables of docs/performance.md. It takes Linux, Go
// and wrk. PocketBase comes from the Go module proxy, json-server and json-server-auth from
// npm; a peer that can't be had here is left out, by name.
//
//	apt-get install wrk
//	go -C test/bench run .
//	go -C test/bench run . -only collections
//
// Every server is a process of its own, with its settings as they are by
// default (but a token outlasts the run) and its data in a file. The load comes
// from another process, over loopback. All are measured in turns, in several
// rounds, and what is printed is the median: what else the machine does hits all
// alike.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if name := os.Getenv("BENCH_FLOOR"); name != "" {
		fmt.Fprintln(os.Stderr, serveFloor(name))
		os.Exit(1)
	}
	if err := bench(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// How many items a store has: most, and one that is only started. The number of
// the large one is a flag.
const (
	items  = 1000
	medium = 10_000
)

// The secret that all tokens are signed with.
const secret = "a secret for measurements only, 32 bytes or more"

// A harness is one run.
type harness struct {
	folder  string // for all files
	shelf   string // the program
	before  string // another build of it, to compare with; "" for none
	large   int    // how many items the large store has
	rounds  int
	seconds int
	only    []string // the scenarios to run, none for all
	peers
	tokens map[int]string // ann's, by the number of items in the data file
	body   []byte         // the answer to a GET of one item

	samples map[string][]sample  // by scenario/server
	figures map[string][]float64 // by figure/server or figure/items
}

func bench(args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "a rough idea in three minutes: shorter and fewer rounds, and 100,000 items for a million")
	seconds := flags.Int("seconds", 3, "how long each server is measured in a round")
	rounds := flags.Int("rounds", 5, "how often everything is measured")
	large := flags.Int("items", 1_000_000, "how many items the large store has; 0 for no large store")
	root := flags.String("root", "../..", "the folder with shelf's source")
	before := flags.String("before", "", "another build of shelf, to be measured in the same turns")
	only := flags.String("only", "", "scenarios, comma separated: "+strings.Join(scenarios, ", ")+"; all if not set")
	withPeers := flags.Bool("peers", true, "measure PocketBase, json-server and json-server-auth as well")
	raw := flags.String("raw", "", "a file to write every single measurement to, for benchstat -col /server")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *quick {
		*seconds, *rounds, *large = 1, 2, min(*large, 100_000)
	}
	folder, err := os.MkdirTemp("", "shelf-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	h := &harness{
		folder: folder, shelf: filepath.Join(folder, "shelf"), before: *before, large: *large, rounds: *rounds, seconds: *seconds,
		tokens: map[int]string{}, samples: map[string][]sample{}, figures: map[string][]float64{},
	}
	if *only != "" {
		h.only = strings.Split(*only, ",")
		for _, name := range h.only {
			if !slices.Contains(scenarios, name) {
				return fmt.Errorf("-only %s: there is no such scenario; there are: %s", name, strings.Join(scenarios, ", "))
			}
		}
	}
	if out, err := exec.Command("go", "-C", *root, "build", "-buildvcs=false", "-o", h.shelf, ".").CombinedOutput(); err != nil {
		return fmt.Errorf("building shelf: %w: %s", err, out)
	}
	if *withPeers {
		if err := h.findPeers(*root); err != nil {
			return err
		}
	}
	failed := h.measureAll()
	if failed == nil && h.wants("allocs") {
		failed = h.allocations(*root)
	}
	if *raw != "" {
		failed = errors.Join(failed, os.WriteFile(*raw, h.raw(), 0o644))
	}
	h.report(os.Stdout) // what was measured until then, if something failed
	return failed
}

// scenarios are what -only may name.
var scenarios = []string{"get", "page", "flood", "signin", "post", "mixed", "start", "lists", "import", "events", "allocs", "collections", "accounts"}

// findPeers builds and installs the peers that what is wanted needs.
func (h *harness) findPeers(root string) error {
	if h.wants("get", "page", "signin", "post", "start") {
		if err := h.buildPocketBase(root); err != nil {
			return err
		}
	}
	if h.wants("collections", "accounts") {
		return h.installNode(root)
	}
	return nil
}

// measureAll runs the rounds.
func (h *harness) measureAll() error {
	for n, wanted := range map[int]bool{
		items:   h.wants("get", "page", "flood", "signin", "post", "mixed", "start", "events"),
		medium:  h.wants("start"),
		h.large: h.wants("get", "page", "post", "start", "lists"),
	} {
		if wanted {
			if err := h.prepare(n); err != nil {
				return err
			}
		}
	}
	parts := []struct {
		wanted  bool
		rounds  int
		measure func() error
	}{
		{h.wants("get", "page", "flood", "signin", "post", "mixed"), h.rounds, h.round},
		{h.wants("start"), h.rounds, h.starts},
		{h.wants("import"), h.rounds, h.importRound},
		{h.wants("events"), h.rounds, h.eventRound},
		{h.wants("lists"), h.fewer(), h.listRound},
		{h.wants("collections"), h.fewer(), h.collectionRound},
		{h.wants("accounts"), h.fewer(), h.accountRound},
	}
	for round := range h.rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, h.rounds)
		for _, part := range parts {
			if !part.wanted || round >= part.rounds {
				continue
			}
			if err := errors.Join(part.measure(), h.removeData()); err != nil {
				return err
			}
		}
	}
	return nil
}

// fewer is how often the parts are measured that take minutes: unless -only names them,
// three times at most, so that all takes less than 20 minutes.
func (h *harness) fewer() int {
	if len(h.only) > 0 {
		return h.rounds
	}
	return min(h.rounds, 3)
}

// removeData removes what the servers of one part kept.
func (h *harness) removeData() error {
	old, err := filepath.Glob(filepath.Join(h.folder, "data*"))
	for _, folder := range old {
		err = errors.Join(err, os.RemoveAll(folder))
	}
	return err
}

// wants reports whether any of the scenarios is to be measured.
func (h *harness) wants(names ...string) bool {
	return len(h.only) == 0 || slices.ContainsFunc(names, func(name string) bool { return slices.Contains(h.only, name) })
}

// note adds one measurement of a figure.
func (h *harness) note(figure string, value float64) {
	h.figures[figure] = append(h.figures[figure], value)
}

// master is the data file with n items that servers get copies of.
func (h *harness) master(n int) string { return filepath.Join(h.folder, fmt.Sprintf("%d.jsonl", n)) }

// prepare makes a data file of n items as a user would: by import, and then by
// ann's signing up.
func (h *harness) prepare(n int) error {
	if h.tokens[n] != "" || n == 0 {
		return nil
	}
	file := filepath.Join(h.folder, "import.json")
	if err := os.WriteFile(file, document(n), 0o600); err != nil {
		return err
	}
	defer os.Remove(file)
	if out, err := exec.Command(h.shelf, "import", file, "-data", h.master(n)).CombinedOutput(); err != nil {
		return fmt.Errorf("importing %d items: %w: %s", n, err, out)
	}
	p, err := h.runShelf(h.shelf, h.master(n))
	if err != nil {
		return err
	}
	defer p.stop()
	if h.tokens[n], err = signUp(p); err != nil {
		return err
	}
	if n == items {
		h.body, err = send(http.DefaultClient, "GET", p.url+"/api/v1/items/500", h.tokens[n], "")
	}
	return err
}

// signUp makes ann's account, and returns her token.
func signUp(p *program) (token string, err error) {
	answer, err := send(http.DefaultClient, "POST", p.url+"/api/v1/auth/signup", "", account)
	if err != nil {
		return "", err
	}
	var in struct {
		Data []struct {
			AccessToken string `json:"access_token"`
		}
	}
	if err := json.Unmarshal(answer, &in); err != nil {
		return "", err
	}
	return in.Data[0].AccessToken, nil
}

// document is n items to import.
func document(n int) []byte {
	b := []byte(`{"items":[`)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "\n{%s}", itemText(i))
	}
	return append(b, "]}\n"...)
}

// itemText is an item as clients send it, without its braces.
func itemText(i int) string {
	return fmt.Sprintf(`"itemname":"Item number %d","category":"Category %d","description":"A plain description of this item, as long as most are."`, i+1, i%20)
}

// runShelf starts a build of shelf. Its token lasts, and its account may add items,
// longer than the run takes.
func (h *harness) runShelf(build, data string, flags ...string) (*program, error) {
	p, err := run([]string{"SECRET_KEY=" + secret, "SHELF_MAX_OWNED=10000000"}, build, append([]string{"-addr", "127.0.0.1:0", "-data", data, "-access-ttl", "24h"}, flags...)...)
	if p != nil {
		p.signIn = signIn{"/api/v1/auth/signin", account}
	}
	return p, err
}

// startShelf starts a build of shelf on a copy of the data file of n items.
func (h *harness) startShelf(build string, n int, flags ...string) (*program, error) {
	folder, err := os.MkdirTemp(h.folder, "data")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(folder, "shelf.jsonl")
	if n > 0 {
		if err := copyDurably(data, h.master(n)); err != nil {
			return nil, err
		}
	}
	p, err := h.runShelf(build, data, flags...)
	if p != nil {
		p.token = h.tokens[n]
	}
	return p, err
}

// copyDurably copies a file and syncs the copy, so that no fsync of a
// measurement has to.
func copyDurably(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// startFloor starts a floor. file is what it reads or writes.
func (h *harness) startFloor(name, file string) (*program, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := run([]string{
		"BENCH_FLOOR=" + name, "BENCH_BODY=" + string(h.body), "BENCH_ITEMS=" + strconv.Itoa(items), "BENCH_FILE=" + file, "SECRET_KEY=" + secret,
	}, self)
	if p != nil {
		p.token = h.tokens[items]
	}
	return p, err
}
