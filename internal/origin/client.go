package origin

import (
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Client is the address that a request counts for. Anybody can send an
// X-Forwarded-For, so it is read only as far as the proxies that Proxies names
// go: each of them appended whom it talked to, so from the right. What stands left
// of the first address that is no such proxy may be made up.
func (p *Policy) Client(r *http.Request) netip.Addr {
	client, _ := p.hops(r)
	return client
}

// hops returns the address of the client, and how many trusted proxies it came
// through.
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
	if p.trusts(client) { // it says nothing of where the request is from
		proxies++
	}
	return client, proxies
}

// forwardedElements reads the header Forwarded (RFC 7239 §4): a list of elements,
// one from each proxy, each with parameters such as for, host and proto.
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

// A front is how the client sees the server.
type front struct{ scheme, host, prefix string }

// front is what the request's trusted proxies say of the address that the client
// used, all of it or nothing: an outer scheme with an inner host would name
// nothing. A proxy that is trusted has to set these headers or to remove them; where
// it sends the X-Forwarded ones, Forwarded is left aside, as it may be the client's.
// Of what several proxies have said in one header, that of the first one counts.
func (p *Policy) front(r *http.Request) front {
	f := front{scheme: "http", host: r.Host}
	if r.TLS != nil {
		f.scheme = "https"
	}
	if len(p.Proxies) == 0 || !p.trusts(peerAddr(r)) {
		return f
	}
	_, proxies := p.hops(r)
	said := func(name string) string {
		lines := r.Header[name]
		if lines == nil {
			return ""
		}
		values := strings.Split(strings.Join(lines, ","), ",")
		return strings.TrimSpace(values[max(0, len(values)-proxies)])
	}
	proto, host, port, prefix := said("X-Forwarded-Proto"), said("X-Forwarded-Host"), said("X-Forwarded-Port"), said("X-Forwarded-Prefix")
	if elements := forwardedElements(r); elements != nil && proto == "" && host == "" && r.Header["X-Forwarded-For"] == nil {
		first := elements[max(0, len(elements)-proxies)]
		proto, host = first["proto"], first["host"]
	}
	told := f
	switch proto = strings.ToLower(proto); proto {
	case "https", "http":
		told.scheme = proto
	case "":
	default:
		return f
	}
	if host != "" {
		told.host = host
	}
	if Host(told.host) == "" {
		return f
	}
	if name := withoutPort(told.host); port != "" && name == told.host {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return f
		}
		told.host = name + ":" + port
	}
	if usual := map[string]string{"http": ":80", "https": ":443"}[told.scheme]; strings.HasSuffix(told.host, usual) {
		told.host = withoutPort(told.host)
	}
	if told.prefix = strings.TrimSuffix(prefix, "/"); told.prefix != "" && !prefixPattern.MatchString(told.prefix) {
		return f
	}
	return told
}

var prefixPattern = regexp.MustCompile(`^(/[A-Za-z0-9_~!$&'()*+;=:@%-][A-Za-z0-9._~!$&'()*+;=:@%-]*)+$`)

// withoutPort is a host without its port; brackets stay.
func withoutPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[:i]
	}
	return host
}

// BaseURL is the address that the client used, with the path below which a proxy
// has the server.
func (p *Policy) BaseURL(r *http.Request) string {
	f := p.front(r)
	return f.scheme + "://" + f.host + f.prefix
}

// Prefix is the path below which a proxy has the server, "" for the root.
func (p *Policy) Prefix(r *http.Request) string { return p.front(r).prefix }

// HTTPS reports whether the client came by https: to the server itself, or to a
// trusted proxy, which says so.
func (p *Policy) HTTPS(r *http.Request) bool { return p.front(r).scheme == "https" }

// Stranger reports whether a request comes through a proxy that Proxies doesn't
// name, or through none and says otherwise. Then all clients of that proxy are one.
func (p *Policy) Stranger(r *http.Request) bool {
	return (r.Header["X-Forwarded-For"] != nil || r.Header["Forwarded"] != nil) && !p.trusts(peerAddr(r))
}

func (p *Policy) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(p.Proxies, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// peerAddr is the address at the other end of the connection.
func peerAddr(r *http.Request) netip.Addr {
	addr, _ := parseHop(r.RemoteAddr)
	return addr
}

// parseHop reads an address with or without a port; some proxies write one.
func parseHop(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		withPort, portErr := netip.ParseAddrPort(s)
		addr, err = withPort.Addr(), portErr
	}
	return addr.Unmap().WithZone(""), err == nil
}

// forwarded are headers that tell that a request does not come from whom the
// connection comes from: proxies add all but the last (RFC 7239 §4, RFC 9110
// §7.6.3), browsers add the last for a page of another origin.
var forwarded = []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Proto", "X-Real-Ip", "Origin"}

// Local reports whether r comes from this very machine, through nothing. Behind
// a proxy on this machine everybody comes from loopback. So a proxy's client is
// never local, whatever Proxies says; a proxy that neither keeps the
// Host nor adds any of those headers has to keep what is for local clients to itself.
func Local(r *http.Request) bool {
	return peerAddr(r).IsLoopback() && Loopback(Host(r.Host)) &&
		!slices.ContainsFunc(forwarded, func(name string) bool { return r.Header.Values(name) != nil })
}
