package origin

import (
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Client returns the address that a request counts for. Any client can send
// X-Forwarded-For. Each proxy in Proxies appends the address that it saw, so
// Client reads the header from the right, as far as those proxies go.
// Everything left of the first other address may be made up.
func (p *Policy) Client(r *http.Request) netip.Addr {
	client, _ := p.hops(r)
	return client
}

// hops returns the address of the client and the number of trusted proxies in
// between.
func (p *Policy) hops(r *http.Request) (client netip.Addr, proxies int) {
	client = peerAddr(r)
	var hops []string
	if lines := r.Header["X-Forwarded-For"]; lines != nil {
		hops = strings.Split(strings.Join(lines, ","), ",")
	} else {
		for _, element := range forwardedElements(r) {
			hops = append(hops, element["for"])
		}
	}
	for _, hop := range slices.Backward(hops) {
		if !p.trusts(client) {
			return client, proxies
		}
		proxies++
		next, ok := parseHop(strings.TrimSpace(hop))
		if !ok {
			return client, proxies
		}
		client = next
	}
	if p.trusts(client) { // a trusted proxy that names no client
		proxies++
	}
	return client, proxies
}

// forwardedElements parses the header Forwarded (RFC 7239 §4): a list of
// elements, one per proxy, with parameters such as for, host and proto.
func forwardedElements(r *http.Request) (elements []map[string]string) {
	rest := strings.Join(r.Header["Forwarded"], ",")
	element := map[string]string{}
	for rest != "" {
		var pair string
		quoted := false
		end := strings.IndexFunc(rest, func(c rune) bool {
			if c == '"' {
				quoted = !quoted
			}
			return !quoted && (c == ';' || c == ',')
		})
		ends := byte(',')
		if end < 0 {
			pair, rest = rest, ""
		} else {
			pair, ends, rest = rest[:end], rest[end], rest[end+1:]
		}
		name, value, _ := strings.Cut(pair, "=")
		element[strings.ToLower(strings.TrimSpace(name))] = strings.Trim(strings.TrimSpace(value), `"`)
		if ends == ',' {
			elements = append(elements, element)
			element = map[string]string{}
		}
	}
	return elements
}

// An externalURL is the server's address as the client sees it.
type externalURL struct{ scheme, host, prefix string }

// external returns the address that the client used, as the trusted proxies of
// the request report it. It uses all of their report or nothing: an outer
// scheme with an inner host would be no valid address. A trusted proxy must set
// or remove these headers. If it sends X-Forwarded headers, Forwarded is
// ignored, as it may come from the client. If several proxies report, the first
// one counts.
func (p *Policy) external(r *http.Request) externalURL {
	inner := externalURL{scheme: "http", host: r.Host}
	if r.TLS != nil {
		inner.scheme = "https"
	}
	if len(p.Proxies) == 0 || !p.trusts(peerAddr(r)) {
		return inner
	}
	_, proxies := p.hops(r)
	reported := func(name string) string {
		lines := r.Header[name]
		if lines == nil {
			return ""
		}
		values := strings.Split(strings.Join(lines, ","), ",")
		return strings.TrimSpace(values[max(0, len(values)-proxies)])
	}
	proto, host, port, prefix := reported("X-Forwarded-Proto"), reported("X-Forwarded-Host"), reported("X-Forwarded-Port"), reported("X-Forwarded-Prefix")
	if elements := forwardedElements(r); elements != nil && proto == "" && host == "" && r.Header["X-Forwarded-For"] == nil {
		first := elements[max(0, len(elements)-proxies)]
		proto, host = first["proto"], first["host"]
	}
	outer := inner
	switch proto = strings.ToLower(proto); proto {
	case "https", "http":
		outer.scheme = proto
	case "":
	default:
		return inner
	}
	if host != "" {
		outer.host = host
	}
	if Host(outer.host) == "" {
		return inner
	}
	if name := withoutPort(outer.host); port != "" && name == outer.host {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return inner
		}
		outer.host = name + ":" + port
	}
	if usual := map[string]string{"http": ":80", "https": ":443"}[outer.scheme]; strings.HasSuffix(outer.host, usual) {
		outer.host = withoutPort(outer.host)
	}
	if outer.prefix = strings.TrimSuffix(prefix, "/"); outer.prefix != "" && !prefixPattern.MatchString(outer.prefix) {
		return inner
	}
	return outer
}

var prefixPattern = regexp.MustCompile(`^(/[A-Za-z0-9_~!$&'()*+;=:@%-][A-Za-z0-9._~!$&'()*+;=:@%-]*)+$`)

// withoutPort removes the port from a host and keeps brackets.
func withoutPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[:i]
	}
	return host
}

// BaseURL returns the URL of the server that the client used, including the
// path prefix of a proxy.
func (p *Policy) BaseURL(r *http.Request) string {
	f := p.external(r)
	return f.scheme + "://" + f.host + f.prefix
}

// Prefix returns the path under which a proxy serves the server; "" for the
// root.
func (p *Policy) Prefix(r *http.Request) string { return p.external(r).prefix }

// HTTPS reports whether the client used https, to the server itself or to a
// trusted proxy that says so.
func (p *Policy) HTTPS(r *http.Request) bool { return p.external(r).scheme == "https" }

// Stranger reports whether a request has proxy headers but doesn't come from a
// trusted proxy. All clients of such a proxy count as one address.
func (p *Policy) Stranger(r *http.Request) bool {
	return (r.Header["X-Forwarded-For"] != nil || r.Header["Forwarded"] != nil) && !p.trusts(peerAddr(r))
}

func (p *Policy) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(p.Proxies, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// peerAddr returns the address at the other end of the connection.
func peerAddr(r *http.Request) netip.Addr {
	addr, _ := parseHop(r.RemoteAddr)
	return addr
}

// parseHop parses an address with or without a port, because some proxies write
// one.
func parseHop(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		withPort, portErr := netip.ParseAddrPort(s)
		addr, err = withPort.Addr(), portErr
	}
	return addr.Unmap().WithZone(""), err == nil
}

// forwardingHeaders show that a request was made for someone else. Proxies add
// all of them but the last (RFC 7239 §4, RFC 9110 §7.6.3). Browsers add Origin
// for a page of another origin.
var forwardingHeaders = []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Proto", "X-Real-Ip", "Origin"}

// Local reports whether r comes directly from this machine. Behind a proxy on
// this machine all clients come from loopback, so a proxied request is never
// local, whatever Proxies says. A proxy that changes Host and adds none of
// these headers must itself protect what is for local clients.
func Local(r *http.Request) bool {
	return peerAddr(r).IsLoopback() && Loopback(Host(r.Host)) &&
		!slices.ContainsFunc(forwardingHeaders, func(name string) bool { return r.Header.Values(name) != nil })
}
