package origin

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Client is the address that a request counts for. Anybody can send an
// X-Forwarded-For, so it is read only as far as the proxies that Proxies names
// go: each of them appended whom it talked to, so from the right, and
// what stands left of the first address that is no such proxy is hearsay.
func (p *Policy) Client(r *http.Request) netip.Addr {
	addr := peerAddr(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !p.trusts(addr) {
			break
		}
		next, ok := parseHop(strings.TrimSpace(hop))
		if !ok {
			break
		}
		addr = next
	}
	return addr
}

// HTTPS reports whether the client came by https: to the server itself, or to a
// trusted proxy, which says so.
func (p *Policy) HTTPS(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") && p.trusts(peerAddr(r))
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
// connection comes from: proxies add the first six (RFC 7239 §4, RFC 9110
// §7.6.3), browsers the last for a page of another origin.
var forwarded = []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Origin"}

// Local reports whether r comes from this very machine, through nothing. Behind
// a proxy on this machine everybody comes from loopback. So a proxy's client is
// never local, whatever Proxies says; a proxy that neither keeps the
// Host nor adds any of those headers has to keep what is for local clients to itself.
func Local(r *http.Request) bool {
	return peerAddr(r).IsLoopback() && Loopback(Host(r.Host)) &&
		!slices.ContainsFunc(forwarded, func(name string) bool { return r.Header.Values(name) != nil })
}
