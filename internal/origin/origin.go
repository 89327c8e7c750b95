// Package origin checks where a request comes from: the Host it was sent to,
// the client's address, the proxies in between, and whether a web page of
// another origin made it. It answers preflights (CORS, the Fetch standard
// §3.2). All other answers are the server's.
package origin

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// A Policy defines who may call a server. [New] makes one, and it doesn't
// change afterwards.
type Policy struct {
	Hosts   []string       // host names to accept in addition to loopback: in lower case, without port or brackets; .name for all names below name
	Origins []string       // of web pages that may call: "loopback", "*", origins as browsers write them, and https://*.name
	Proxies []netip.Prefix // proxies whose forwarding headers are trusted

	RequestHeaders  string // headers that web pages may always send, comma separated
	Forbidden       string // a header that they may not send, in lower case
	ResponseHeaders string // headers that web pages may read

	usualHosts []string // usual Host headers of a server on loopback; nil: accept any
	protection *http.CrossOriginProtection
}

// New returns policy p for a server on addr, which decides the hosts that the
// server accepts.
func New(addr net.Addr, p Policy) *Policy {
	p.protection = http.NewCrossOriginProtection()
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		_, port, _ := net.SplitHostPort(addr.String())
		p.usualHosts = []string{addr.String(), "localhost:" + port}
	}
	return &p
}

// AnswersTo reports whether the server accepts a Host header. A server on
// loopback accepts loopback names and the names in Hosts, for a proxy in front.
// Any other name may be the domain of a web page that points to this machine,
// to read its data (DNS rebinding). The same-origin policy doesn't stop that. A
// server on another address accepts any name.
func (p *Policy) AnswersTo(hostport string) bool {
	if p.usualHosts == nil || slices.Contains(p.usualHosts, hostport) {
		return true // most requests have a usual Host, which needs no parsing
	}
	host := Host(hostport)
	return Loopback(host) || slices.ContainsFunc(p.Hosts, func(name string) bool {
		if strings.HasPrefix(name, ".") { // any name below it
			return len(host) > len(name) && strings.HasSuffix(strings.ToLower(host), name)
		}
		return strings.EqualFold(name, host)
	})
}

// Allow lets web pages of allowed origins read the response (CORS, the Fetch
// standard §3.2). It reports whether it has answered: it answers preflights,
// which browsers send without a token. It never sends
// Access-Control-Allow-Credentials, because tokens travel in headers and not in
// cookies. The response depends on Origin: see [Vary].
func (p *Policy) Allow(w http.ResponseWriter, r *http.Request) (answered bool) {
	h := w.Header()
	origin := r.Header.Get("Origin")
	if origin == "" { // not from a web page
		return false
	}
	allowed := p.allowed(origin)
	if allowed {
		if slices.Contains(p.Origins, "*") {
			origin = "*"
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", p.ResponseHeaders)
	}
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" { // not a preflight
		return false
	}
	if allowed {
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
		h.Set("Access-Control-Allow-Headers", p.allowedHeaders(r.Header["Access-Control-Request-Headers"]))
		h.Set("Access-Control-Max-Age", "600") // seconds
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

var varyOrigin = []string{"Origin"} // made once; nothing may write into it

// Vary says that a response depends on Origin. It replaces the header.
func Vary(h http.Header) { h["Vary"] = varyOrigin }

// KeepTLS tells browsers to call by https for a year (OWASP ASVS 5, 3.4.1). Only
// TLS may say so (RFC 6797 §7.2), and localhost belongs to other programs too.
func KeepTLS(w http.ResponseWriter, r *http.Request) {
	if r.TLS != nil && !Loopback(Host(r.Host)) {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// allowed reports whether web pages of an origin may call.
func (p *Policy) allowed(origin string) bool {
	for _, allowed := range p.Origins {
		switch allowed {
		case "*":
			return true
		case "loopback":
			u, err := url.Parse(origin)
			if err == nil && (u.Scheme == "http" || u.Scheme == "https") && Loopback(u.Hostname()) {
				return true
			}
		default:
			if strings.EqualFold(allowed, origin) || matchesWildcard(allowed, strings.ToLower(origin)) {
				return true
			}
		}
	}
	return false
}

// matchesWildcard reports whether an origin matches a pattern such as
// https://*.example.com, where * stands for one or several names.
func matchesWildcard(pattern, origin string) bool {
	start, end, ok := strings.Cut(pattern, "*")
	if !ok || len(origin) <= len(start)+len(end) || !strings.HasPrefix(origin, start) || !strings.HasSuffix(origin, end) {
		return false
	}
	names := origin[len(start) : len(origin)-len(end)]
	return strings.Trim(names, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == "" && names[0] != '.'
}

// allowedHeaders returns the headers that a page of an allowed origin may send:
// those that the server reads, and the ones it asks for. Tracing libraries have
// their own. Headers that say who sent a request are left out. Browsers
// themselves forbid others (the Fetch standard §2.2.2).
func (p *Policy) allowedHeaders(asked []string) string {
	headers := p.RequestHeaders
	known := strings.Split(strings.ToLower(headers), ", ")
	for name := range strings.SplitSeq(strings.ToLower(strings.Join(asked, ",")), ",") {
		name = strings.TrimSpace(name)
		foreign := slices.ContainsFunc(forwardingHeaders, func(f string) bool { return strings.EqualFold(f, name) })
		if name == "" || name == p.Forbidden || foreign || strings.Trim(name, tokenLetters) != "" || slices.Contains(known, name) {
			continue
		}
		known = append(known, name)
		headers += ", " + name
	}
	return headers
}

// tokenLetters are the characters of a header name, in lower case (RFC 9110
// §5.6.2).
const tokenLetters = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"

// CheckPage fails if the request comes from a web page of an origin that is not
// allowed, and would change something. Clients other than browsers send neither
// Sec-Fetch-Site nor Origin, and pass.
//
// It is for requests without a token. A browser adds cookies to what a foreign page
// sends, but never an Authorization or x-access-token header.
func (p *Policy) CheckPage(r *http.Request) error {
	if err := p.protection.Check(r); err != nil && !p.allowed(r.Header.Get("Origin")) {
		return err
	}
	return nil
}

// Host returns a Host header without its port (RFC 9110 §7.2). It returns "" if
// the header is no host of a URL: evil.example?.localhost only ends like one.
func Host(hostport string) string {
	u, err := url.Parse("http://" + hostport)
	if err != nil || u.Host != hostport {
		return ""
	}
	return strings.TrimSuffix(u.Hostname(), ".")
}

// Loopback reports whether a host is always this machine (RFC 6761 §6.3, RFC
// 1122 §3.2.1.3).
func Loopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
