package etcdtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// The fake has types of its own for the messages. A mistake in those of package etcd
// would otherwise be the same on both sides, and no test would find it.

type header struct {
	Cluster  uint64 `json:"cluster_id,string"`
	Member   uint64 `json:"member_id,string"`
	Revision int64  `json:"revision,omitempty,string"`
	Term     int64  `json:"raft_term,string"`
}

type rangeRequest struct {
	Key          []byte `json:"key"`
	RangeEnd     []byte `json:"range_end"`
	Limit        int64  `json:"limit,string"`
	KeysOnly     bool   `json:"keys_only"`
	Serializable bool   `json:"serializable"`
}

type putRequest struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
	Lease int64  `json:"lease,string"`
}

type deleteRequest struct {
	Key      []byte `json:"key"`
	RangeEnd []byte `json:"range_end"`
}

type operation struct {
	Range  *rangeRequest  `json:"request_range"`
	Put    *putRequest    `json:"request_put"`
	Delete *deleteRequest `json:"request_delete_range"`
}

type compare struct {
	Key     []byte  `json:"key"`
	Target  string  `json:"target"`
	Result  string  `json:"result"`
	Value   *[]byte `json:"value"`
	Created int64   `json:"create_revision,string"`
	Mod     int64   `json:"mod_revision,string"`
}

type txnRequest struct {
	Compare []compare   `json:"compare"`
	Success []operation `json:"success"`
	Failure []operation `json:"failure"`
}

type ranged struct {
	Header header  `json:"header"`
	KVs    []value `json:"kvs,omitempty"`
	More   bool    `json:"more,omitempty"`
	Count  int     `json:"count,omitempty,string"`
}

// The codes of gRPC.
const (
	invalid         = 3
	permission      = 7
	exhausted       = 8
	outOfRange      = 11
	unauthenticated = 16
)

// answer carries out a call.
func (m member) answer(r *http.Request, body []byte) (status int, out any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.URL.Path == "/version" {
		return http.StatusOK, map[string]string{"etcdserver": m.Version, "etcdcluster": m.Version}
	}
	if r.URL.Path == "/v3/auth/authenticate" {
		return m.authenticateLocked(body)
	}
	if m.User != "" {
		switch r.Header.Get("Authorization") {
		case m.tokenLocked():
		case "":
			return http.StatusBadRequest, problem(invalid, "etcdserver: user name is empty")
		default:
			return http.StatusUnauthorized, problem(unauthenticated, "etcdserver: invalid auth token")
		}
	}
	defer m.wakeLocked()
	switch r.URL.Path {
	case "/v3/kv/range":
		return decode(body, func(in rangeRequest) (int, any) { return http.StatusOK, m.rangeLocked(in) })
	case "/v3/kv/txn":
		return decode(body, m.txnLocked)
	case "/v3/kv/compaction":
		return decode(body, m.compactLocked)
	case "/v3/maintenance/status":
		status := map[string]any{"header": m.headerLocked(), "version": m.Version, "dbSize": fmt.Sprint(m.size), "dbSizeInUse": fmt.Sprint(m.size)}
		if m.quota > 0 {
			status["dbSizeQuota"] = fmt.Sprint(m.quota)
		}
		return http.StatusOK, status
	case "/v3/lease/grant":
		return decode(body, func(struct {
			TTL int64 `json:"TTL,string"`
		}) (int, any) {
			id := int64(1000 + len(m.leases))
			m.leases[id] = true
			return http.StatusOK, map[string]any{"header": m.headerLocked(), "ID": fmt.Sprint(id), "TTL": "1"}
		})
	case "/v3/lease/revoke":
		return decode(body, func(in struct {
			ID int64 `json:"ID,string"`
		}) (int, any) {
			m.revokeLocked(in.ID)
			return http.StatusOK, map[string]any{"header": m.headerLocked()}
		})
	}
	return http.StatusNotFound, problem(5, "Not Found")
}

func decode[T any](body []byte, carryOut func(T) (int, any)) (int, any) {
	var in T
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return http.StatusBadRequest, problem(invalid, err.Error())
	}
	return carryOut(in)
}

func (g *Gateway) headerLocked() header {
	return header{Cluster: g.cluster, Member: 1, Revision: g.revision, Term: 2}
}

func (g *Gateway) tokenLocked() string { return fmt.Sprintf("token.%d", g.tokens) }

func (m member) authenticateLocked(body []byte) (int, any) {
	var in struct{ Name, Password string }
	if err := json.Unmarshal(body, &in); err != nil {
		return http.StatusBadRequest, problem(invalid, err.Error())
	}
	switch {
	case m.User == "":
		return http.StatusBadRequest, problem(9, "etcdserver: authentication is not enabled")
	case in.Name != m.User || in.Password != m.Password:
		return http.StatusBadRequest, problem(invalid, "etcdserver: authentication failed, invalid user ID or password")
	}
	return http.StatusOK, map[string]any{"header": m.headerLocked(), "token": m.tokenLocked()}
}

// between lists the keys of a range in order.
func (g *Gateway) between(key, end string) (keys []string) {
	for k := range g.keys {
		if k == key || end != "" && k >= key && k < end {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

func (g *Gateway) rangeLocked(in rangeRequest) ranged {
	out := ranged{Header: g.headerLocked()}
	keys := g.between(string(in.Key), string(in.RangeEnd))
	out.Count = len(keys)
	if in.Limit > 0 && len(keys) > int(in.Limit) {
		keys, out.More = keys[:in.Limit], true
	}
	for _, key := range keys {
		v := g.keys[key]
		if in.KeysOnly {
			v.Value = nil
		}
		out.KVs = append(out.KVs, v)
	}
	return out
}

// maxRequest is etcd's default limit.
const maxRequest = 1.5 * (1 << 20)

func (g *Gateway) txnLocked(in txnRequest) (int, any) {
	all := slices.Concat(in.Success, in.Failure)
	size := 0
	for _, op := range all {
		if op.Put != nil {
			size += len(op.Put.Value)
			if g.full {
				return http.StatusTooManyRequests, problem(exhausted, "etcdserver: mvcc: database space exceeded")
			}
		}
	}
	if size > maxRequest {
		return http.StatusBadRequest, problem(invalid, "etcdserver: request is too large")
	}
	succeeded := !slices.ContainsFunc(in.Compare, func(c compare) bool { return !g.holdsLocked(c) })
	ops := in.Success
	if !succeeded {
		ops = in.Failure
	}
	if slices.ContainsFunc(ops, func(op operation) bool { return op.Put != nil }) {
		g.revision++
	}
	answers := []any{}
	for _, op := range ops {
		switch {
		case op.Range != nil:
			answers = append(answers, map[string]any{"response_range": g.rangeLocked(*op.Range)})
		case op.Put != nil:
			g.putLocked(string(op.Put.Key), op.Put.Value, op.Put.Lease)
			answers = append(answers, map[string]any{"response_put": struct{}{}})
		case op.Delete != nil:
			if len(g.between(string(op.Delete.Key), string(op.Delete.RangeEnd))) > 0 {
				g.revision++
			}
			g.deleteLocked(string(op.Delete.Key), string(op.Delete.RangeEnd))
			answers = append(answers, map[string]any{"response_delete_range": struct{}{}})
		}
	}
	out := map[string]any{"header": g.headerLocked(), "responses": answers}
	if succeeded { // the gateway leaves out what is false
		out["succeeded"] = true
	}
	return http.StatusOK, out
}

func (g *Gateway) holdsLocked(c compare) bool {
	v, found := g.keys[string(c.Key)]
	if c.Result != "EQUAL" {
		return false
	}
	switch c.Target {
	case "VALUE":
		return found && c.Value != nil && bytes.Equal(v.Value, *c.Value)
	case "CREATE":
		return v.Created == c.Created
	case "MOD":
		return v.Mod == c.Mod
	}
	return false
}

func (g *Gateway) putLocked(key string, text []byte, lease int64) {
	v := g.keys[key]
	if v.Version == 0 {
		v = value{Key: []byte(key), Created: g.revision}
	}
	v.Mod, v.Version, v.Value, v.Lease = g.revision, v.Version+1, text, lease
	g.keys[key] = v
	g.events = append(g.events, event{value: v})
}

func (g *Gateway) deleteLocked(key, end string) {
	for _, k := range g.between(key, end) {
		delete(g.keys, k)
		g.events = append(g.events, event{value{Key: []byte(k), Mod: g.revision}, true})
	}
}

func (g *Gateway) revokeLocked(lease int64) {
	delete(g.leases, lease)
	for key, v := range g.keys {
		if v.Lease == lease {
			g.revision++
			g.deleteLocked(key, "")
		}
	}
}

func (g *Gateway) compactLocked(in struct {
	Revision int64 `json:"revision,string"`
}) (int, any) {
	switch {
	case g.OnlyRoot:
		return http.StatusForbidden, problem(permission, "etcdserver: permission denied")
	case in.Revision <= g.compacted:
		return http.StatusBadRequest, problem(outOfRange, "etcdserver: mvcc: required revision has been compacted")
	}
	g.compacted = in.Revision
	g.events = slices.DeleteFunc(g.events, func(e event) bool { return e.Mod < in.Revision })
	return http.StatusOK, map[string]any{"header": g.headerLocked()}
}

// ExpireLease ends all leases, as time does.
func (g *Gateway) ExpireLease() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for lease := range g.leases {
		g.revokeLocked(lease)
	}
	g.wakeLocked()
}

func (e event) in(key, end []byte) bool {
	k := string(e.Key)
	return !e.deleted && strings.Compare(k, string(key)) >= 0 && k < string(end)
}
