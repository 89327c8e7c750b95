package etcd

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// An Address names the members of a cluster and the prefix of the keys in it.
// It comes from ParseAddress.
type Address struct {
	TLS     bool
	Members []string // HOST:PORT
	Prefix  string   // begins and ends with a slash
}

// The schemes of an address: without and with TLS.
const (
	plainScheme  = "etcd://"
	secureScheme = "etcds://"

	defaultPort   = "2379"
	defaultPrefix = "/shelf/"

	maxAddress = 2000 // bytes
)

// IsAddress reports whether text is meant as an address of a cluster, and not
// as a file's name.
func IsAddress(text string) bool {
	return strings.HasPrefix(text, plainScheme) || strings.HasPrefix(text, secureScheme)
}

// ParseAddress reads etcd://HOST[:2379],…/PREFIX/. The default prefix is
// /shelf/. The error is one line for a person. It never repeats a password.
func ParseAddress(text string) (a Address, err error) {
	rest, plain := strings.CutPrefix(text, plainScheme)
	if !plain {
		if rest, a.TLS = strings.CutPrefix(text, secureScheme); !a.TLS {
			return a, errors.New("want etcd://HOST[:2379],…/PREFIX/, or etcds:// for TLS")
		}
	}
	if strings.Contains(rest, "@") {
		return Address{}, errors.New("an address of etcd names no user: set SHELF_ETCD_USER and SHELF_ETCD_PASSWORD")
	}
	if len(text) > maxAddress {
		return Address{}, fmt.Errorf("an address of etcd has at most %d bytes", maxAddress)
	}
	hosts, path, _ := strings.Cut(rest, "/")
	for host := range strings.SplitSeq(hosts, ",") {
		member, err := parseMember(host)
		if err != nil {
			return Address{}, err
		}
		if slices.Contains(a.Members, member) {
			return Address{}, fmt.Errorf("the member %s is named twice", member)
		}
		a.Members = append(a.Members, member)
	}
	a.Prefix, err = parsePrefix(path)
	if err != nil {
		return Address{}, err
	}
	return a, nil
}

// parseMember reads HOST or HOST:PORT. An IPv6 address stands in brackets.
func parseMember(text string) (string, error) {
	host, port := text, defaultPort
	if i := strings.LastIndexByte(text, ':'); i >= 0 && !strings.HasSuffix(text, "]") {
		host, port = text[:i], text[i+1:]
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '+' || port[0] == '0' {
		return "", fmt.Errorf("%q: the port of a member is a number from 1 to 65535", text)
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		if ip := net.ParseIP(inner); !closed || ip == nil || !strings.Contains(inner, ":") {
			return "", fmt.Errorf("%q: not an IPv6 address in brackets", text)
		}
		return net.JoinHostPort(inner, port), nil
	}
	if host == "" {
		return "", errors.New("the name of a member is missing: etcd://HOST[:2379],…/PREFIX/")
	}
	if strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
		return "", fmt.Errorf("%q: not the name of a host (an IPv6 address stands in brackets)", text)
	}
	return net.JoinHostPort(host, port), nil
}

// parsePrefix reads what follows the first slash.
func parsePrefix(path string) (string, error) {
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		return defaultPrefix, nil
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." || strings.Trim(strings.ToLower(part), "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
			return "", fmt.Errorf("%q: a prefix is made of letters, digits, and the signs - _ . between slashes", "/"+path+"/")
		}
	}
	return "/" + path + "/", nil
}

// String returns the address as ParseAddress takes it. It holds no secret.
func (a Address) String() string {
	scheme := plainScheme
	if a.TLS {
		scheme = secureScheme
	}
	return scheme + strings.Join(a.Members, ",") + a.Prefix
}
