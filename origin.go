package main

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddr is the address that a request counts for. Anybody can send an
// X-Forwarded-For, so it is read only as far as the proxies that -trusted-proxies
// names go: each of them appended whom it talked to, so from the right, and
// what stands left of the first address that is no such proxy is hearsay.
func (s *server) clientAddr(r *http.Request) netip.Addr {
	addr := peerAddr(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !s.trusts(addr) {
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

// forwardedHTTPS reports whether a trusted proxy says that the client came to
// it by https.
func (s *server) forwardedHTTPS(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") && s.trusts(peerAddr(r))
}

func (s *server) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(s.config.proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
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

// local reports whether r comes from this very machine, through nothing. Behind
// a proxy on this machine everybody comes from loopback. So a proxy's client is
// never local, whatever -trusted-proxies says; a proxy that neither keeps the
// Host nor adds any of those headers has to leave /metrics out itself.
func local(r *http.Request) bool {
	return peerAddr(r).IsLoopback() && loopbackName(hostOf(r.Host)) &&
		!slices.ContainsFunc(forwarded, func(name string) bool { return r.Header.Values(name) != nil })
}
