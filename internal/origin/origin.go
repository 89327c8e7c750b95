// Package origin judges where a request comes from: to which Host it was sent,
// from which address, through which proxies, and whether a web page of another
// origin made it. It answers nothing but preflights (CORS, the Fetch standard
// §3.2); what to say to the others is the server's business.
package origin

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// A Policy says who may call a server. It is made by [New], and then doesn't
// change.
type Policy struct {
	Hosts   []string       // names to answer to beside those of loopback: in lower case, without port or brackets; .name for all below it
	Origins []string       // of web pages that may call: "loopback", "*", origins as browsers write them, and https://*.name
	Proxies []netip.Prefix // whose forwarded headers are believed

	RequestHeaders  string // which web pages may send, comma separated, without being asked
	Forbidden       string // one that they may not, in lower case
	ResponseHeaders string // which web pages may read

	usual      []string // Host headers, on loopback; nil: any will do
	protection *http.CrossOriginProtection
}

// New makes the policy p that of a server on addr, which decides the hosts that
// it answers to.
func New(addr net.Addr, p Policy) *Policy {
	p.protection = http.NewCrossOriginProtection()
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		_, port, _ := net.SplitHostPort(addr.String())
		p.usual = []string{addr.String(), "localhost:" + port}
	}
	return &p
}

// AnswersTo reports whether the server answers to a Host header. One on loopback
// takes loopback names only: under any other name it is a web page that has
// pointed its own domain here, to read what this user's server holds (DNS
// rebinding; the same-origin policy does not stop it). Names in Hosts, for a
// proxy in front, are welcome besides. Beyond loopback any name will do.
func (p *Policy) AnswersTo(hostport string) bool {
	if p.usual == nil || slices.Contains(p.usual, hostport) {
		return true // the latter as most requests have it, without taking it apart
	}
	host := Host(hostport)
	return Loopback(host) || slices.ContainsFunc(p.Hosts, func(name string) bool {
		if strings.HasPrefix(name, ".") { // any name below it
			return len(host) > len(name) && strings.HasSuffix(strings.ToLower(host), name)
		}
		return strings.EqualFold(name, host)
	})
}

// Allow lets web pages of allowed origins read the answer (CORS, the Fetch
// standard §3.2). It reports whether it has answered: a preflight, which browsers
// send without a token, goes no further. There is never an
// Access-Control-Allow-Credentials: tokens travel in headers, not in cookies. The
// answer depends on the Origin, so its Vary has to say so.
func (p *Policy) Allow(w http.ResponseWriter, r *http.Request) (answered bool) {
	h := w.Header()
	origin := r.Header.Get("Origin")
	if origin == "" { // no web page asks
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
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" { // no preflight
		return false
	}
	if allowed {
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
		h.Set("Access-Control-Allow-Headers", p.mayAsk(r.Header["Access-Control-Request-Headers"]))
		h.Set("Access-Control-Max-Age", "600") // seconds
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// allowed reports whether pages of an origin may call.
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
			if strings.EqualFold(allowed, origin) || below(allowed, strings.ToLower(origin)) {
				return true
			}
		}
	}
	return false
}

// below reports whether an origin fits a pattern such as https://*.example.com, in
// which the * stands for one name or several.
func below(pattern, origin string) bool {
	start, end, ok := strings.Cut(pattern, "*")
	if !ok || len(origin) <= len(start)+len(end) || !strings.HasPrefix(origin, start) || !strings.HasSuffix(origin, end) {
		return false
	}
	names := origin[len(start) : len(origin)-len(end)]
	return strings.Trim(names, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == "" && names[0] != '.'
}

// mayAsk is the headers that a page of an allowed origin may send, as it asks for
// some: those that the server reads, and any other. Libraries that trace requests
// have their own. It leaves out what tells who a request is from, which no page has
// to say. Browsers send no others that are forbidden (the Fetch standard §2.2.2).
func (p *Policy) mayAsk(asked []string) string {
	may := p.RequestHeaders
	known := strings.Split(strings.ToLower(may), ", ")
	for name := range strings.SplitSeq(strings.ToLower(strings.Join(asked, ",")), ",") {
		name = strings.TrimSpace(name)
		foreign := slices.ContainsFunc(forwarded, func(f string) bool { return strings.EqualFold(f, name) })
		if name == "" || name == p.Forbidden || foreign || strings.Trim(name, tokenLetters) != "" || slices.Contains(known, name) {
			continue
		}
		known = append(known, name)
		may += ", " + name
	}
	return may
}

// tokenLetters is what a header's name consists of, in lower case (RFC 9110 §5.6.2).
const tokenLetters = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"

// CheckPage fails if the request comes from a web page of another origin that is
// not among Origins, and would change something. Clients that are no browsers
// send neither Sec-Fetch-Site nor Origin, and pass.
func (p *Policy) CheckPage(r *http.Request) error {
	if err := p.protection.Check(r); err != nil && !p.allowed(r.Header.Get("Origin")) {
		return err
	}
	return nil
}

// Host drops the port of a Host header (RFC 9110 §7.2). It returns "" for what
// is no host in a URL either: evil.example?.localhost only ends like one.
func Host(hostport string) string {
	u, err := url.Parse("http://" + hostport)
	if err != nil || u.Host != hostport {
		return ""
	}
	return strings.TrimSuffix(u.Hostname(), ".")
}

// Loopback reports whether a host can only be this machine (RFC 6761 §6.3,
// RFC 1122 §3.2.1.3).
func Loopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
