package origin

import (
	"net"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestClient(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, proxies, peer string
		forwarded           []string // lines of X-Forwarded-For
		want                string
	}{
		{"a client is its connection", "", "192.0.2.1:1234", nil, "192.0.2.1"},
		{"what it says of itself doesn't count", "", "192.0.2.1:1234", []string{"127.0.0.1"}, "192.0.2.1"},
		{"on loopback neither", "", "127.0.0.1:1234", []string{"192.0.2.9"}, "127.0.0.1"},
		{"nor beside a proxy that is another", "198.51.100.1", "192.0.2.1:1234", []string{"127.0.0.1"}, "192.0.2.1"},
		{"a trusted proxy names its client", "198.51.100.1", "198.51.100.1:1234", []string{"192.0.2.9"}, "192.0.2.9"},
		{"what the client put there before stands left of that", "198.51.100.1", "198.51.100.1:1234", []string{"127.0.0.1, 192.0.2.9"}, "192.0.2.9"},
		{"lines are one list", "198.51.100.1", "198.51.100.1:1234", []string{"127.0.0.1", "192.0.2.9"}, "192.0.2.9"},
		{"trusted proxies behind each other are skipped", "198.51.100.0/24,10.0.0.0/8", "198.51.100.1:1234", []string{"1.1.1.1,192.0.2.9, 10.1.2.3 ,198.51.100.2"}, "192.0.2.9"},
		{"a request that begins at a proxy is the proxy's", "198.51.100.0/24", "198.51.100.1:1234", []string{"198.51.100.9"}, "198.51.100.9"},
		{"a proxy that says nothing is the client", "198.51.100.1", "198.51.100.1:1234", nil, "198.51.100.1"},
		{"what is no address ends the reading", "198.51.100.0/24", "198.51.100.1:1234", []string{"192.0.2.9, unknown, 198.51.100.2"}, "198.51.100.2"},
		{"some proxies write ports", "198.51.100.1", "198.51.100.1:1234", []string{"192.0.2.9:5555"}, "192.0.2.9"},
		{"IPv6 may stand in brackets", "::1", "[::1]:1234", []string{"[2001:db8::9]"}, "2001:db8::9"},
		{"with a port too", "::1", "[::1]:1234", []string{"[2001:db8::9]:5555"}, "2001:db8::9"},
		{"IPv4 in IPv6 clothes is IPv4", "198.51.100.1", "[::ffff:198.51.100.1]:1234", []string{"::ffff:192.0.2.9"}, "192.0.2.9"},
		{"a zone is no part of an address", "fe80::1", "[fe80::1%eth0]:1234", []string{"192.0.2.9"}, "192.0.2.9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := New(nil, Policy{Proxies: networks(t, tt.proxies)})
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tt.peer
			for _, line := range tt.forwarded {
				r.Header.Add("X-Forwarded-For", line)
			}
			if got := p.Client(r).String(); got != tt.want {
				t.Errorf("%s, X-Forwarded-For %q: the client is %s; want %s", tt.peer, tt.forwarded, got, tt.want)
			}
		})
	}
}

// networks parses addresses or networks, comma separated.
func networks(t *testing.T, list string) (networks []netip.Prefix) {
	t.Helper()
	for text := range strings.SplitSeq(list, ",") {
		if addr, err := netip.ParseAddr(text); err == nil {
			networks = append(networks, netip.PrefixFrom(addr, addr.BitLen()))
		} else if text != "" {
			networks = append(networks, netip.MustParsePrefix(text))
		}
	}
	return networks
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	p := New(nil, Policy{Proxies: networks(t, "192.0.2.1")})
	for _, tt := range []struct {
		name, peer, proto string
		want              bool
	}{
		{"a trusted proxy says so", "192.0.2.1:1234", "https", true},
		{"in capitals", "192.0.2.1:1234", "HTTPS", true},
		{"a trusted proxy says that it was http", "192.0.2.1:1234", "http", false},
		{"it says nothing", "192.0.2.1:1234", "", false},
		{"a stranger says so", "192.0.2.2:1234", "https", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tt.peer
		r.Header.Set("X-Forwarded-Proto", tt.proto)
		if got := p.HTTPS(r); got != tt.want {
			t.Errorf("%s: %v; want %v", tt.name, got, tt.want)
		}
	}
	if !p.HTTPS(httptest.NewRequest("GET", "https://localhost/", nil)) {
		t.Error("a request by TLS didn't come by https")
	}
}

func TestAnswersTo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, addr, named, host string
		want                    bool
	}{
		{"localhost", "127.0.0.1:8080", "", "localhost", true},
		{"with a port", "127.0.0.1:8080", "", "localhost:8080", true},
		{"with another port, as of a tunnel", "127.0.0.1:8080", "", "localhost:9999", true},
		{"in capitals", "127.0.0.1:8080", "", "LocalHost", true},
		{"with the root's dot", "127.0.0.1:8080", "", "localhost.", true},
		{"a name below", "127.0.0.1:8080", "", "app.localhost:8080", true},
		{"127.0.0.1", "127.0.0.1:8080", "", "127.0.0.1:8080", true},
		{"all of 127.0.0.0/8", "127.0.0.1:8080", "", "127.255.0.3", true},
		{"IPv6", "127.0.0.1:8080", "", "[::1]:8080", true},
		{"IPv6 without a port", "127.0.0.1:8080", "", "[::1]", true},
		{"none", "127.0.0.1:8080", "", "", false},
		{"another name", "127.0.0.1:8080", "", "evil.example", false},
		{"another name with our port", "127.0.0.1:8080", "", "evil.example:8080", false},
		{"a name that begins like ours", "127.0.0.1:8080", "", "localhost.evil.example", false},
		{"a name that ends like ours", "127.0.0.1:8080", "", "evillocalhost", false},
		{"a name that begins like our address", "127.0.0.1:8080", "", "127.0.0.1.evil.example", false},
		{"an address of the network", "127.0.0.1:8080", "", "192.168.0.7:8080", false},
		{"every address", "127.0.0.1:8080", "", "0.0.0.0:8080", false},
		{"a named one", "127.0.0.1:8080", "shelf.example", "shelf.example", true},
		{"a named one in capitals, with a port", "127.0.0.1:8080", "shelf.example", "Shelf.Example:443", true},
		{"loopback beside a named one", "127.0.0.1:8080", "shelf.example", "localhost", true},
		{"a name below the named one", "127.0.0.1:8080", "shelf.example", "a.shelf.example", false},
		{"any name beyond loopback", "0.0.0.0:8080", "", "shelf.example", true},
		{"one on IPv6 loopback is on loopback", "[::1]:8080", "", "evil.example", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := New(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(tt.addr)), Policy{Hosts: strings.Fields(tt.named)})
			if got := p.AnswersTo(tt.host); got != tt.want {
				t.Errorf("a server on %s answers to Host %q: %v; want %v", tt.addr, tt.host, got, tt.want)
			}
		})
	}
}

func TestCheckPage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method, origins string
		origin, site          string // Origin and Sec-Fetch-Site; "": not sent
		want                  bool   // the request may continue
	}{
		{"what is no browser sends neither header", "POST", "loopback", "", "", true},
		{"a page of our own", "POST", "loopback", "http://example.com", "same-origin", true},
		{"an address typed by the user", "POST", "loopback", "", "none", true},
		{"a page on this machine", "POST", "loopback", "http://localhost:3000", "cross-site", true},
		{"a foreign page", "POST", "loopback", "https://evil.example", "cross-site", false},
		{"a foreign page that only reads", "GET", "loopback", "https://evil.example", "cross-site", true},
		{"one in an old browser", "POST", "loopback", "https://evil.example", "", false},
		{"one that hides its origin", "POST", "loopback", "null", "cross-site", false},
		{"an origin that is named", "POST", "https://app.example", "https://App.example", "cross-site", true},
		{"any, where all may", "POST", "*", "https://evil.example", "cross-site", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(tt.method, "/", nil)
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin)
			}
			if tt.site != "" {
				r.Header.Set("Sec-Fetch-Site", tt.site)
			}
			if err := New(nil, Policy{Origins: strings.Fields(tt.origins)}).CheckPage(r); (err == nil) != tt.want {
				t.Errorf("%v; want to go on: %v", err, tt.want)
			}
		})
	}
}

// The report of a trusted proxy is used as a whole. A report from another
// client, or one that makes no valid address, is ignored.
func TestBaseURL(t *testing.T) {
	t.Parallel()
	const proxy, other = "198.51.100.1:1234", "192.0.2.1:1234"
	for _, tt := range []struct {
		name, peer string
		headers    []string
		want       string
	}{
		{"no proxy", other, nil, "http://inner:8080"},
		{"a proxy that keeps the Host", proxy, []string{"X-Forwarded-Proto", "https"}, "https://inner:8080"},
		{"scheme and host", proxy, []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "shelf.example"}, "https://shelf.example"},
		{"a port of its own", proxy, []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "shelf.example", "X-Forwarded-Port", "8443"}, "https://shelf.example:8443"},
		{"the scheme's own port", proxy, []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "shelf.example", "X-Forwarded-Port", "443"}, "https://shelf.example"},
		{"the port in the host", proxy, []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "shelf.example:8443", "X-Forwarded-Port", "443"}, "https://shelf.example:8443"},
		{"IPv6", proxy, []string{"X-Forwarded-Host", "[2001:db8::1]", "X-Forwarded-Port", "81"}, "http://[2001:db8::1]:81"},
		{"a prefix", proxy, []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "a.example", "X-Forwarded-Prefix", "/tools/shelf/"}, "https://a.example/tools/shelf"},
		{"the root as a prefix", proxy, []string{"X-Forwarded-Host", "a.example", "X-Forwarded-Prefix", "/"}, "http://a.example"},
		{"Forwarded", proxy, []string{"Forwarded", `for=192.0.2.9;proto=https;host="shelf.example:8443"`}, "https://shelf.example:8443"},
		{"Forwarded in capitals, with blanks", proxy, []string{"Forwarded", `For="[2001:db8::9]:4711"; Proto=HTTPS; Host=a.example`}, "https://a.example"},
		{"Forwarded of two proxies", proxy, []string{"Forwarded", "for=192.0.2.9;host=outer.example;proto=https, for=198.51.100.2;host=inner.example"}, "https://outer.example"},
		{"Forwarded of a client and a proxy", proxy, []string{"Forwarded", "for=10.0.0.1;host=evil.example", "Forwarded", "for=192.0.2.9;host=a.example"}, "http://a.example"},
		{"a client's Forwarded beside the proxy's headers", proxy, []string{"Forwarded", "host=evil.example", "X-Forwarded-For", "192.0.2.9"}, "http://inner:8080"},
		{"a client's host before the proxy's", proxy, []string{"X-Forwarded-For", "192.0.2.9", "X-Forwarded-Host", "evil.example, a.example"}, "http://a.example"},
		{"two proxies", proxy, []string{"X-Forwarded-For", "192.0.2.9, 198.51.100.2", "X-Forwarded-Host", "evil.example, outer.example, mid.example", "X-Forwarded-Proto", "https, http"}, "https://outer.example"},
		{"a stranger", other, []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil.example", "X-Forwarded-Prefix", "/a", "Forwarded", "host=evil.example"}, "http://inner:8080"},
		{"a host that is none", proxy, []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "a.example/b"}, "http://inner:8080"},
		{"a scheme that is none", proxy, []string{"X-Forwarded-Proto", "javascript", "X-Forwarded-Host", "a.example"}, "http://inner:8080"},
		{"a port that is none", proxy, []string{"X-Forwarded-Host", "a.example", "X-Forwarded-Port", "99999"}, "http://inner:8080"},
		{"a prefix that is none", proxy, []string{"X-Forwarded-Host", "a.example", "X-Forwarded-Prefix", "//evil.example"}, "http://inner:8080"},
		{"a prefix with a line end", proxy, []string{"X-Forwarded-Host", "a.example", "X-Forwarded-Prefix", "/a>;b"}, "http://inner:8080"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := New(nil, Policy{Proxies: networks(t, "198.51.100.0/24")})
			r := httptest.NewRequest("GET", "http://inner:8080/", nil)
			r.RemoteAddr = tt.peer
			for i := 0; i < len(tt.headers); i += 2 {
				r.Header.Add(tt.headers[i], tt.headers[i+1])
			}
			if got := p.BaseURL(r); got != tt.want {
				t.Errorf("BaseURL = %s; want %s", got, tt.want)
			}
			if got, want := p.Stranger(r), tt.peer == other && tt.headers != nil; got != want {
				t.Errorf("Stranger = %v; want %v", got, want)
			}
		})
	}
}

// Forwarded names the client if no X-Forwarded-For does.
func TestClientByForwarded(t *testing.T) {
	t.Parallel()
	p := New(nil, Policy{Proxies: networks(t, "198.51.100.0/24")})
	for header, want := range map[string]string{
		"for=192.0.2.9":                                 "192.0.2.9",
		`for="[2001:db8::9]:4711"`:                      "2001:db8::9",
		"for=10.0.0.1, for=192.0.2.9;by=198.51.100.1":   "192.0.2.9",
		`for="a, b";x="c;d", for=192.0.2.9`:             "192.0.2.9",
		"for=192.0.2.9, for=198.51.100.2;proto=https":   "192.0.2.9",
		"for=unknown":                                   "198.51.100.1",
		"proto=https":                                   "198.51.100.1",
		"for=_hidden, for=198.51.100.7;host=shelf.test": "198.51.100.7",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "198.51.100.1:1234"
		r.Header.Set("Forwarded", header)
		if got := p.Client(r).String(); got != want {
			t.Errorf("Forwarded: %s: the client is %s; want %s", header, got, want)
		}
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	p := New(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, Policy{
		Hosts:   []string{".ngrok-free.app"},
		Origins: []string{"https://*.example.com", "http://*.dev.test:3000"},
	})
	for origin, want := range map[string]bool{
		"https://app.example.com": true, "https://a.b.example.com": true, "HTTPS://APP.Example.com": true, "http://x.dev.test:3000": true,
		"https://example.com": false, "https://.example.com": false, "http://app.example.com": false, "https://app.example.com:444": false,
		"https://evilexample.com": false, "https://example.com.evil.net": false, "https://evil.net/.example.com": false,
		"https://evil.net?.example.com": false, "https://evil.net:443#.example.com": false, "https://a@b.example.com": false,
		"http://x.dev.test": false, "null": false,
	} {
		if got := p.allowed(origin); got != want {
			t.Errorf("pages of %s may call: %v; want %v", origin, got, want)
		}
	}
	for host, want := range map[string]bool{
		"abc123.ngrok-free.app": true, "A.B.Ngrok-Free.App:8080": true, "abc.ngrok-free.app.": true,
		"ngrok-free.app": false, ".ngrok-free.app": false, "evil-ngrok-free.app": false, "a.ngrok-free.app.evil.net": false,
	} {
		if got := p.AnswersTo(host); got != want {
			t.Errorf("the server answers to %s: %v; want %v", host, got, want)
		}
	}
}

// A page of an allowed origin may send the headers that it asks for.
func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	p := New(nil, Policy{Origins: []string{"https://app.example"}, RequestHeaders: "Authorization, Content-Type"})
	for asked, want := range map[string]string{
		"":                           "Authorization, Content-Type",
		"authorization,content-type": "Authorization, Content-Type",
		"x-requested-with, sentry-trace,traceparent,baggage": "Authorization, Content-Type, x-requested-with, sentry-trace, traceparent, baggage",
		"X-A, x-a, x-A":   "Authorization, Content-Type, x-a",
		"x-b, a b, x\"c":  "Authorization, Content-Type, x-b",
		"x-forwarded-for": "Authorization, Content-Type",
	} {
		for origin, want := range map[string]string{"https://app.example": want, "https://evil.example": ""} {
			r := httptest.NewRequest("OPTIONS", "/", nil)
			r.Header.Set("Origin", origin)
			r.Header.Set("Access-Control-Request-Method", "GET")
			r.Header.Set("Access-Control-Request-Headers", asked)
			w := httptest.NewRecorder()
			p.Allow(w, r)
			if got := w.Header().Get("Access-Control-Allow-Headers"); got != want {
				t.Errorf("%s may send %q of %q; want %q", origin, got, asked, want)
			}
		}
	}
}
