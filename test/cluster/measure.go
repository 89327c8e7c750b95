package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// A measurement is one run of -only measure.
type measurement struct {
	o       *options
	floor   string   // the address of the floor: net/http and nothing else
	file    *replica // a shelf with a file
	alone   *replica // one of the replicas
	all     *cluster
	token   map[*replica]string
	figures map[string][]float64 // by name, one for each round
	order   []string
}

// measure compares a cluster with a shelf with a file and with floors, one after the other
// in each round, so that other work of the machine affects all of them.
func measure(ctx context.Context, o *options) error {
	m := &measurement{o: o, token: map[*replica]string{}, figures: map[string][]float64{}}
	var err error
	if m.floor, err = (&ports{19000 + int(o.seed%50)}).free(); err != nil {
		return err
	}
	floor, err := startFloor(m.floor)
	if err != nil {
		return err
	}
	defer floor.Process.Kill()
	single, err := startCluster(ctx, &options{dir: filepath.Join(o.dir, "file"), shelf: o.shelf, seed: o.seed + 1}, 0, 1, "-max-owned", "10000000")
	defer single.stop()
	if err != nil {
		return err
	}
	m.all, err = startCluster(ctx, o, 3, 3, append(o.flags, "-max-owned", "10000000")...)
	defer m.all.stop()
	if err != nil {
		return err
	}
	m.file, m.alone = single.replicas[0], m.all.replicas[0]
	for _, r := range []*replica{m.file, m.alone} {
		if m.token[r], err = prepare(ctx, r); err != nil {
			return err
		}
	}
	for range 5 {
		if err := m.round(); err != nil {
			return err
		}
	}
	m.print()
	if err := m.failover(ctx); err != nil || m.o.items == 0 {
		return err
	}
	m.figures, m.order = map[string][]float64{}, nil
	if err := m.starts(ctx, m.o.items); err != nil {
		return err
	}
	m.print()
	return nil
}

// startFloor starts this program again, as the floor.
func startFloor(addr string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = []string{"CLUSTER_FLOOR=" + addr}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for range 100 {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return cmd, conn.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, errors.New("the floor does not listen")
}

func serveFloor(addr string) error {
	body := []byte(`{"status":200,"data":[{"id":1,"itemname":"Item","category":"cluster","description":"A plain description of this item, as long as most are."}]}`)
	return http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(body)
	}))
}

// prepare makes an account and item 1, and returns the account's token.
func prepare(ctx context.Context, r *replica) (string, error) {
	t := newTarget(r.name, r.url, r.process)
	a := t.send(ctx, "POST /api/v1/auth/signup", "", account("ann@example.com"))
	in, ok := first[session](a)
	if !ok {
		return "", fmt.Errorf("%v", a)
	}
	if a := t.send(ctx, "POST /api/v1/items", in.Access, itemForm("Item", "read by all")); a.status != http.StatusCreated {
		return "", fmt.Errorf("%v", a)
	}
	return in.Access, nil
}

func (m *measurement) add(name string, figure float64) {
	if m.figures[name] == nil {
		m.order = append(m.order, name)
	}
	m.figures[name] = append(m.figures[name], figure)
}

// round measures everything once.
func (m *measurement) round() error {
	fsync, err := m.fsync()
	if err != nil {
		return err
	}
	m.add("floor: append and fsync, p50 ms", fsync)
	turn := m.o.turn
	key := base64.StdEncoding.EncodeToString([]byte("floor"))
	put := gateway("/v3/kv/put", fmt.Sprintf(`{"key":%q,"value":%q}`, key, strings.Repeat("dmFs", 100)))
	get := gateway("/v3/kv/range", fmt.Sprintf(`{"key":%q}`, key))
	member := m.all.clients[max(0, m.all.leader())]
	steps := []struct {
		name, addr, request string
		connections         int
	}{
		{"floor: HTTP round trip", m.floor, getting("", 1), 1},
		{"floor: HTTP round trip", m.floor, getting("", 1), 128},
		{"etcd alone: put", member, put, 1},
		{"etcd alone: range", member, get, 1},
		{"file: POST", m.file.url, posting(m.token[m.file]), 1},
		{"replica: POST", m.alone.url, posting(m.token[m.alone]), 1},
		{"file: POST", m.file.url, posting(m.token[m.file]), 32},
		{"replica: POST", m.alone.url, posting(m.token[m.alone]), 32},
		{"replica: POST", m.alone.url, posting(m.token[m.alone]), 96},
		{"file: GET", m.file.url, getting(m.token[m.file], 1), 1},
		{"replica: GET", m.alone.url, getting(m.token[m.alone], 1), 1},
		{"file: GET", m.file.url, getting(m.token[m.file], 1), 128},
		{"replica: GET", m.alone.url, getting(m.token[m.alone], 1), 128},
	}
	rates := map[string]rate{}
	for _, s := range steps {
		r, err := hammer(s.addr, s.request, s.connections, turn)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		name := fmt.Sprintf("%s, %d waiting", s.name, s.connections)
		rates[name] = r
		m.add(name+", a second", r.a)
		m.add(name+", p50 ms", r.p50)
		m.add(name+", p99 ms", r.p99)
	}
	m.add("GOAL append against fsync (at most 8)", rates["replica: POST, 1 waiting"].p50/fsync)
	m.add("GOAL reads with 128 waiting, against a file (at least 0.5)", rates["replica: GET, 128 waiting"].a/rates["file: GET, 128 waiting"].a)
	return m.shares(rates["replica: POST, 32 waiting"].a, rates["replica: POST, 96 waiting"].a)
}

// fsync is the time that an append and its fsync take, in ms.
func (m *measurement) fsync() (float64, error) {
	f, err := os.OpenFile(filepath.Join(m.o.dir, "floor"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	line := []byte(strings.Repeat("x", 300) + "\n")
	var ms []float64
	for end := time.Now().Add(m.o.turn); time.Now().Before(end); {
		began := time.Now()
		if _, err := f.Write(line); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		ms = append(ms, time.Since(began).Seconds()*1e3)
	}
	return rateOf(ms, 1).p50, nil
}

// shares has all replicas write at once, and compares what each of them gets. one is
// the throughput of one replica with as many writers, many with the writers of all.
func (m *measurement) shares(one, many float64) error {
	rates := make([]rate, len(m.all.replicas))
	errs := make([]error, len(rates))
	var all sync.WaitGroup
	for i, r := range m.all.replicas {
		all.Go(func() { rates[i], errs[i] = hammer(r.url, posting(m.token[m.alone]), 32, 2*m.o.turn) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	sum, least, most := 0.0, rates[0].a, rates[0].a
	for _, r := range rates {
		sum, least, most = sum+r.a, min(least, r.a), max(most, r.a)
	}
	m.add("three replicas: POST, 32 waiting at each, a second in all", sum)
	m.add("three replicas: POST, 32 waiting at each, p99 ms", max(rates[0].p99, rates[1].p99, rates[2].p99))
	m.add("GOAL the largest share against the smallest (at most 1.2)", most/least)
	m.add("GOAL three replicas against one with 32 (at least 0.8)", sum/one)
	m.add("three replicas against one with 96", sum/many)
	return nil
}

// print shows the median of each figure, and the least and the most.
func (m *measurement) print() {
	fmt.Printf("\n%d processors, %s, load %s; medians, and the least and the most\n", runtime.NumCPU(), runtime.Version(), load())
	for _, name := range m.order {
		all := slices.Sorted(slices.Values(m.figures[name]))
		fmt.Printf("%-70s %10.2f  (%.2f to %.2f)\n", name, all[len(all)/2], all[0], all[len(all)-1])
	}
}

// load is how busy the machine was in the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
