package attack

import (
	"net/http"
	"testing"
)

// There is one forger for each attack of the table.
func TestForgers(t *testing.T) {
	t.Parallel()
	rows, err := readRows()
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, row := range rows {
		if listed[row.ID] = true; forgers[row.ID] == nil {
			t.Errorf("%s: nothing forges it", row.ID)
		}
	}
	for id := range forgers {
		if !listed[id] {
			t.Errorf("%s is forged, but not in the table", id)
		}
	}
}

// A target on this machine needs no flag. Tests of the command cover further
// targets.
func TestTargetsOnThisMachine(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"http://localhost:8080", "http://LOCALHOST/", "http://127.0.0.1", "https://127.9.9.9:1", "http://[::1]:8080", "http://[::ffff:127.0.0.1]"} {
		if _, err := newAssault(target, false); err != nil {
			t.Errorf("%s: %v; want it taken for this machine", target, err)
		}
	}
}

// localhost is limited to loopback connections. Only there any certificate is
// accepted.
func TestConnections(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{"127.0.0.1:80": true, "[::1]:80": true, "192.0.2.1:80": false, "0.0.0.0:80": false, "": false} {
		if err := loopbackOnly("tcp", address, nil); (err == nil) != want {
			t.Errorf("a connection to %q: %v", address, err)
		}
	}
	local, err := newAssault("https://localhost", false)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := newAssault("https://192.0.2.1", true)
	if err != nil {
		t.Fatal(err)
	}
	if at := local.client.Transport.(*http.Transport); !at.TLSClientConfig.InsecureSkipVerify || at.Proxy != nil || at.DialContext == nil {
		t.Errorf("on this machine: %+v; want any certificate, no proxy, and loopback only", at)
	}
	if at := foreign.client.Transport.(*http.Transport); at.TLSClientConfig != nil || at.Proxy == nil {
		t.Errorf("beyond it: %+v; want good certificates only, and the environment's proxy", at)
	}
}
