package etcdtest

import (
	"encoding/json"
	"net/http"
)

type watchRequest struct {
	Create struct {
		Key      []byte   `json:"key"`
		RangeEnd []byte   `json:"range_end"`
		Start    int64    `json:"start_revision,string"`
		Filters  []string `json:"filters"`
		Fragment bool     `json:"fragment"`
	} `json:"create_request"`
}

// watch answers with one line for each change.
func (m member) watch(w http.ResponseWriter, r *http.Request, body []byte) {
	var in watchRequest
	if status, out := decode(body, func(w watchRequest) (int, any) { in = w; return 0, nil }); status != 0 {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(out)
		return
	}
	flush := w.(http.Flusher).Flush
	encode := json.NewEncoder(w)
	m.mu.Lock()
	cancels, next := m.cancels, in.Create.Start
	m.mu.Unlock()
	send := func(result map[string]any) bool {
		err := encode.Encode(map[string]any{"result": result})
		flush()
		return err == nil
	}
	if !send(map[string]any{"created": true}) {
		return
	}
	for {
		m.mu.Lock()
		result := map[string]any{"header": m.headerLocked()}
		var events []any
		for _, e := range m.events {
			if e.Mod >= next && e.in(in.Create.Key, in.Create.RangeEnd) {
				events = append(events, map[string]any{"kv": e.value})
			}
		}
		canceled := m.cancels != cancels || next <= m.compacted && next > 0 && next < m.compacted
		if canceled {
			result["canceled"], result["compact_revision"] = true, "3"
		}
		next = max(next, m.revision+1)
		more := m.more
		m.mu.Unlock()
		if canceled {
			if send(result) {
				<-r.Context().Done() // etcd says nothing more, and does not hang up
			}
			return
		}
		result["events"] = events
		if len(events) > 0 && !send(result) {
			return
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return
		}
	}
}
