package etcd

// The messages of etcd's JSON gateway, as far as shelf uses them. The gateway
// ignores a member that it doesn't know, and answers 200. So a mistake in a name
// makes a condition disappear: test/cluster has a test against the real etcd.
// Bytes are base64, 64-bit numbers are strings, and zero values are left out.

// An answer has the header of every answer about keys.
type answer interface{ head() *header }

type header struct {
	Cluster  uint64 `json:"cluster_id,string"`
	Revision int64  `json:"revision,string"`
}

type keyValue struct {
	Key         []byte `json:"key"`
	Value       []byte `json:"value"`
	ModRevision int64  `json:"mod_revision,string"`
}

type rangeRequest struct {
	Key          []byte `json:"key"`
	RangeEnd     []byte `json:"range_end,omitempty"`
	Limit        int64  `json:"limit,omitempty,string"`
	KeysOnly     bool   `json:"keys_only,omitempty"`
	Serializable bool   `json:"serializable,omitempty"`
}

type rangeAnswer struct {
	Header header     `json:"header"`
	KVs    []keyValue `json:"kvs"`
	More   bool       `json:"more"`
}

func (r *rangeAnswer) head() *header { return &r.Header }

// first returns the only key of an answer, or a zero keyValue.
func (r *rangeAnswer) first() (kv keyValue, found bool) {
	if r == nil || len(r.KVs) == 0 {
		return kv, false
	}
	return r.KVs[0], true
}

type putRequest struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value,omitempty"`
	Lease int64  `json:"lease,omitempty,string"`
}

type deleteRequest struct {
	Key      []byte `json:"key"`
	RangeEnd []byte `json:"range_end,omitempty"`
}

// A statusAnswer is what one member says about itself.
type statusAnswer struct {
	headOnly

	Size  int64 `json:"dbSize,string"`
	Quota int64 `json:"dbSizeQuota,string"` // 0 before etcd 3.6
}

// A headOnly is an answer whose header is all that counts.
type headOnly struct {
	Header header `json:"header"`
}

func (h *headOnly) head() *header { return &h.Header }

// A compare is a condition of a transaction.
type compare struct {
	Key     []byte `json:"key"`
	Target  string `json:"target"` // VALUE, CREATE, MOD
	Result  string `json:"result"` // EQUAL
	Value   []byte `json:"value,omitempty"`
	Created *int64 `json:"create_revision,omitempty,string"`
	Mod     *int64 `json:"mod_revision,omitempty,string"`
}

// hasValue is true for a key with that value.
func hasValue(key, value string) compare {
	return compare{Key: []byte(key), Target: "VALUE", Result: "EQUAL", Value: []byte(value)}
}

// isAbsent is true if there is no such key.
func isAbsent(key string) compare {
	return compare{Key: []byte(key), Target: "CREATE", Result: "EQUAL", Created: new(int64)}
}

// isUnchanged is true for a key that was last changed at the revision. 0 stands
// for a key that is absent.
func isUnchanged(key string, revision int64) compare {
	return compare{Key: []byte(key), Target: "MOD", Result: "EQUAL", Mod: &revision}
}

// An operation is one step of a transaction. One field is set.
type operation struct {
	Range  *rangeRequest  `json:"request_range,omitempty"`
	Put    *putRequest    `json:"request_put,omitempty"`
	Delete *deleteRequest `json:"request_delete_range,omitempty"`
}

type txnRequest struct {
	Compare []compare   `json:"compare,omitempty"`
	Success []operation `json:"success,omitempty"`
	Failure []operation `json:"failure,omitempty"`
}

type txnAnswer struct {
	Header    header `json:"header"`
	Succeeded bool   `json:"succeeded"`
	Responses []struct {
		Range *rangeAnswer `json:"response_range"`
	} `json:"responses"`
}

func (t *txnAnswer) head() *header { return &t.Header }

// ranged returns the answer of the operation number i, a range.
func (t *txnAnswer) ranged(i int) *rangeAnswer {
	if i >= len(t.Responses) || t.Responses[i].Range == nil {
		return &rangeAnswer{}
	}
	return t.Responses[i].Range
}

func get(key string) operation {
	return operation{Range: &rangeRequest{Key: []byte(key)}}
}

// getAll reads the keys that begin with from or stand behind it, up to end.
func getAll(from, end string, limit int64) operation {
	return operation{Range: &rangeRequest{Key: []byte(from), RangeEnd: []byte(end), Limit: limit}}
}

func put(key string, value []byte) operation {
	return operation{Put: &putRequest{Key: []byte(key), Value: value}}
}

func remove(from, end string) operation {
	return operation{Delete: &deleteRequest{Key: []byte(from), RangeEnd: []byte(end)}}
}

// after is the end of a range of all keys that begin with prefix, which must not
// end in 0xff.
func after(prefix string) string {
	last := len(prefix) - 1
	return prefix[:last] + string(rune(prefix[last]+1))
}

type tokenAnswer struct {
	headOnly

	Token string `json:"token"`
}

type leaseAnswer struct {
	headOnly

	ID int64 `json:"ID,string"`
}

type watchRequest struct {
	Create struct {
		Key      []byte   `json:"key"`
		RangeEnd []byte   `json:"range_end"`
		Start    int64    `json:"start_revision,string"`
		Filters  []string `json:"filters"`
		Fragment bool     `json:"fragment"`
	} `json:"create_request"`
}

// A watchLine is one line of a watch's endless answer.
type watchLine struct {
	Error  *failure `json:"error"`
	Result struct {
		Header    header `json:"header"`
		Created   bool   `json:"created"`
		Canceled  bool   `json:"canceled"`
		Compacted int64  `json:"compact_revision,string"`
		Events    []struct {
			KV keyValue `json:"kv"`
		} `json:"events"`
	} `json:"result"`
}

// A failure is the body of an answer that is no success.
type failure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}
