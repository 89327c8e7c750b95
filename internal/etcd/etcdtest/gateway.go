// Package etcdtest has a fake of etcd's JSON gateway, for tests. It keeps the keys
// in memory, and a test decides what goes wrong: an answer that is lost after the
// transaction was made, a delay, an error, a watch that ends.
//
// Unlike etcd, the fake rejects members of a request that it doesn't know, so that
// a test finds a mistake in a name.
package etcdtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Call is one request to a member.
type Call struct {
	Member int // from 0
	Path   string
	Body   string // as it was sent: keys and values are base64
}

// Writes reports whether the call is a transaction that may put.
func (c Call) Writes() bool {
	return c.Path == "/v3/kv/txn" && strings.Contains(c.Body, "request_put")
}

// A Fault is what goes wrong with a call. The zero value is none.
type Fault struct {
	Down   bool          // the member can't be reached, so nothing is sent
	Delay  time.Duration // before the call is carried out
	Lose   bool          // the call is carried out, and its answer is lost
	Status int           // the call is not carried out, and answered with this status
	Code   int           // of gRPC
	Text   string        // the message of the error
	Raw    bool          // Text is the whole body
}

// A Gateway is the cluster. New makes it. Set the fields before the first call.
type Gateway struct {
	Version        string // of all members
	User, Password string // if set, calls need a token
	OnlyRoot       bool   // compaction is denied
	// Clock, if set, dates the answers of a member.
	Clock func(member int) time.Time

	mu        sync.Mutex
	members   int
	fault     func(Call) Fault
	cluster   uint64
	revision  int64
	compacted int64
	keys      map[string]value
	events    []event
	leases    map[int64]bool
	full      bool
	size      int64
	quota     int64
	tokens    int // number of the valid token
	more      chan struct{}
	cancels   int // raised to end all watches
}

type value struct {
	Key     []byte `json:"key"`
	Created int64  `json:"create_revision,string"`
	Mod     int64  `json:"mod_revision,string"`
	Version int64  `json:"version,string"`
	Value   []byte `json:"value,omitempty"`
	Lease   int64  `json:"lease,omitempty,string"`
}

type event struct {
	value
	deleted bool
}

// New makes a cluster of that many members.
func New(members int) *Gateway {
	return &Gateway{
		Version: "3.6.14", members: members, cluster: 0xc1, revision: 1,
		keys: map[string]value{}, leases: map[int64]bool{}, more: make(chan struct{}),
	}
}

// Fail makes fault decide about each call from now on. nil: nothing fails.
func (g *Gateway) Fail(fault func(Call) Fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fault = fault
}

// CancelWatches ends all watches, as etcd does after a compaction.
func (g *Gateway) CancelWatches() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cancels++
	g.wakeLocked()
}

// SetFull sets the alarm NOSPACE, or disarms it.
func (g *Gateway) SetFull(full bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.full = full
}

// SetSize sets the size of the data at each member, and the quota. A quota of 0 is not
// told, as before etcd 3.6.
func (g *Gateway) SetSize(size, quota int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.size, g.quota = size, quota
}

// ExpireTokens makes all tokens invalid.
func (g *Gateway) ExpireTokens() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tokens++
}

// A Backup is the keys at one moment.
type Backup struct {
	revision int64
	keys     map[string]value
}

// Backup copies the keys.
func (g *Gateway) Backup() Backup {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := Backup{g.revision, map[string]value{}}
	for key, v := range g.keys {
		b.keys[key] = v
	}
	return b
}

// Restore brings a backup back. cluster is the identity of the restored cluster, 0
// for the old one.
func (g *Gateway) Restore(b Backup, cluster uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.revision, g.keys = b.revision, map[string]value{}
	for key, v := range b.keys {
		g.keys[key] = v
	}
	if cluster != 0 {
		g.cluster = cluster
	}
	g.events = slices.DeleteFunc(g.events, func(e event) bool { return e.Mod > b.revision })
	g.cancels++
	g.wakeLocked()
}

// Keys lists the keys that begin with prefix, in order.
func (g *Gateway) Keys(prefix string) (keys []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for key := range g.keys {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Get returns the value of a key, "" if there is none.
func (g *Gateway) Get(key string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return string(g.keys[key].Value)
}

// Put writes a key, as an owner may with etcdctl. Delete removes one.
func (g *Gateway) Put(key, text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.revision++
	g.putLocked(key, []byte(text), 0)
	g.wakeLocked()
}

// Delete removes a key, as an owner may with etcdctl.
func (g *Gateway) Delete(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.revision++
	g.deleteLocked(key, "")
	g.wakeLocked()
}

// Compacted returns the revision of the last compaction, 0 for none.
func (g *Gateway) Compacted() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.compacted
}

func (g *Gateway) wakeLocked() {
	close(g.more)
	g.more = make(chan struct{})
}

// A member is the handler of one member.
type member struct {
	*Gateway

	number int
}

// Member returns the handler of a member, from 0.
func (g *Gateway) Member(number int) http.Handler { return member{g, number} }

// decide returns what goes wrong with a call.
func (m member) decide(r *http.Request, body []byte) Fault {
	m.mu.Lock()
	fault := m.fault
	m.mu.Unlock()
	if fault == nil {
		return Fault{}
	}
	return fault(Call{m.number, r.URL.Path, string(body)})
}

func (m member) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := new(bytes.Buffer)
	if _, err := body.ReadFrom(r.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
	m.serve(w, r, body.Bytes(), m.decide(r, body.Bytes()))
}

// serve answers a call. It panics if there is no answer.
func (m member) serve(w http.ResponseWriter, r *http.Request, body []byte, f Fault) {
	if f.Down {
		panic(http.ErrAbortHandler)
	}
	if m.Clock != nil {
		w.Header().Set("Date", m.Clock(m.number).UTC().Format(http.TimeFormat))
	}
	<-time.After(f.Delay) // a client that hangs up meanwhile doesn't take back what it has sent
	switch {
	case f.Raw:
		w.WriteHeader(f.Status)
		fmt.Fprint(w, f.Text)
		return
	case f.Status != 0:
		fail(w, f.Status, f.Code, f.Text)
		return
	}
	if r.URL.Path == "/v3/watch" {
		m.watch(w, r, body)
		return
	}
	status, out := m.answer(r, body)
	if f.Lose {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(out) // the client may have gone
}

func fail(w http.ResponseWriter, status, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(problem(code, text)) // the client may have gone
}

func problem(code int, text string) any {
	return map[string]any{"code": code, "message": text, "details": []any{}}
}
