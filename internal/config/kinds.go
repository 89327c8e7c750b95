package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setter returns a Setting.Set that parses a value into p. want describes the
// valid values.
func setter[T any](p *T, want string, parse func(string) (T, bool)) func(string) error {
	return func(s string) error {
		v, ok := parse(strings.TrimSpace(s))
		if !ok {
			return errors.New(want)
		}
		*p = v
		return nil
	}
}

// Text accepts any text but the empty one, and keeps blanks around it. The
// other kinds remove them.
func Text(p *string) func(string) error {
	return func(s string) error {
		if *p = s; s == "" {
			return errors.New("a value")
		}
		return nil
	}
}

// Choice accepts one of words.
func Choice(p *string, words ...string) func(string) error {
	return setter(p, "one of "+strings.Join(words, ", "), func(s string) (string, bool) { return s, slices.Contains(words, s) })
}

// Bool accepts the values of strconv.ParseBool.
func Bool(p *bool) func(string) error {
	return setter(p, "true or false", func(s string) (bool, bool) {
		b, err := strconv.ParseBool(s)
		return b, err == nil
	})
}

// Number accepts a number from low to high.
func Number(p *int, low, high int) func(string) error {
	return setter(p, fmt.Sprintf("a number from %d to %d", low, high), func(s string) (int, bool) {
		n, err := strconv.Atoi(s)
		return n, err == nil && low <= n && n <= high
	})
}

// Address accepts HOST:PORT, or a port of this machine alone.
func Address(p *string) func(string) error {
	return setter(p, "HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:8080, or a port alone", func(s string) (string, bool) {
		if _, err := strconv.ParseUint(s, 10, 16); err == nil {
			s = "127.0.0.1:" + s
		}
		_, port, err := net.SplitHostPort(s)
		_, portErr := strconv.ParseUint(port, 10, 16)
		return s, err == nil && portErr == nil
	})
}

// Lifetime accepts a time.Duration, or days, a unit that Go lacks. It accepts
// whole seconds only, because tokens keep their times in seconds.
func Lifetime(p *time.Duration) func(string) error {
	return setter(p, "a time above zero in whole seconds, such as 90s, 15m, 12h or 30d", func(s string) (time.Duration, bool) {
		if days, ok := strings.CutSuffix(s, "d"); ok {
			if n, err := strconv.ParseUint(days, 10, 32); err == nil {
				s = strconv.FormatUint(n*24, 10) + "h"
			}
		}
		d, err := time.ParseDuration(s)
		return d, err == nil && d > 0 && d%time.Second == 0
	})
}

// List splits s at commas. It removes blanks around elements, and empty
// elements.
func List(s string) (elements []string) {
	for e := range strings.SplitSeq(s, ",") {
		if e = strings.TrimSpace(e); e != "" {
			elements = append(elements, e)
		}
	}
	return elements
}

// Words accepts a list of words, comma separated.
func Words(p *[]string) func(string) error {
	return setter(p, "one or more words, comma separated", func(s string) ([]string, bool) { return List(s), List(s) != nil })
}

var (
	hostPattern   = regexp.MustCompile(`^(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])$`)
	originPattern = regexp.MustCompile(`^([a-z][a-z0-9+.-]*)://(?:(?:\*\.[a-z0-9_-]+\.)?[a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)
)

// Hosts accepts host names. It stores them in lower case, without brackets.
func Hosts(p *[]string) func(string) error {
	return setter(p, "host names without a port, comma separated, such as shelf.example, or .shelf.example for all below it", func(s string) ([]string, bool) {
		names := List(strings.ToLower(s))
		for i, name := range names {
			if !hostPattern.MatchString(name) || strings.LastIndex(name, ".") == 0 { // .com would match all of .com
				return nil, false
			}
			names[i] = strings.Trim(name, "[]")
		}
		return names, true
	})
}

// Networks accepts addresses and networks in CIDR notation (RFC 4632 §3.1, RFC
// 4291 §2.3). An address is a network of one.
func Networks(p *[]netip.Prefix) func(string) error {
	return setter(p, "addresses or networks, comma separated, such as 10.0.0.7,fd00::/8", func(s string) (networks []netip.Prefix, ok bool) {
		for _, text := range List(s) {
			network, err := netip.ParsePrefix(text)
			if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
				addr = addr.Unmap().WithZone("")
				network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
			}
			if err != nil {
				return nil, false
			}
			networks = append(networks, network.Masked())
		}
		return networks, true
	})
}

// Origins accepts the values of -cors. It stores an origin as browsers write
// it, without the scheme's default port (RFC 6454 §6.2), and rejects texts that
// no browser sends. It also rejects "null", which any page can send from a
// sandboxed frame.
func Origins(p *[]string) func(string) error {
	const want = "loopback, *, off, or origins such as https://app.example or https://*.app.example with no path, comma separated"
	return setter(p, want, func(s string) ([]string, bool) {
		if s == "off" {
			return nil, true
		}
		allowed := List(strings.ToLower(s))
		for i, o := range allowed {
			m := originPattern.FindStringSubmatch(o)
			switch {
			case o == "loopback" || o == "*":
			case m == nil:
				return nil, false
			case m[1] == "http" && m[2] == ":80" || m[1] == "https" && m[2] == ":443":
				allowed[i] = strings.TrimSuffix(o, m[2])
			}
		}
		return allowed, allowed != nil
	})
}
