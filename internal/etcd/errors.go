package etcd

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"example.com/shelf/internal/history"
)

// codes of gRPC, which the gateway repeats in its errors.
const (
	codeInvalid         = 3
	codePermission      = 7
	codeExhausted       = 8
	codePrecondition    = 9
	codeOutOfRange      = 11
	codeUnauthenticated = 16
)

// A refusal is an error that a member answers. The request was not carried out.
type refusal struct {
	member string
	status int
	failure
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s answers %d: %s", r.member, r.status, printable(r.Message))
}

// printable makes the text of another program safe to show, on one line.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, text)
	return strings.TrimSpace(text[:min(len(text), 200)])
}

func (r *refusal) says(part string) bool {
	return strings.Contains(strings.ToLower(r.Message), part)
}

// wantsToken reports whether the member knows no valid token for the request.
// Nothing was carried out.
func (r *refusal) wantsToken() bool {
	return r.Code == codeUnauthenticated || r.Code == codeInvalid && (r.says("user name is empty") || r.says("auth token") || r.says("revision of auth store"))
}

// temporary reports whether the same request may work soon, perhaps at another
// member. carriedOut is false if the request surely was not carried out.
func (r *refusal) temporary() (temporary, mayBeDone bool) {
	switch {
	case r.status >= 500:
		return true, true
	case r.status == http.StatusTooManyRequests && r.says("too many requests"):
		return true, false
	case r.status == http.StatusNotFound || r.status == http.StatusMethodNotAllowed || r.Code == 0:
		return true, false // no gateway, or no etcd at all
	}
	return false, false
}

func (r *refusal) tooLarge() bool {
	return r.Code == codeInvalid && r.says("too large") || r.Code == codeExhausted && (r.says("larger than") || r.says("too large"))
}

func (r *refusal) compacted() bool { return r.Code == codeOutOfRange && r.says("compacted") }

// explain returns r as an error of package history, with what to do.
func (r *refusal) explain(user string) error {
	switch {
	case r.tooLarge():
		return fmt.Errorf("%w: %v", history.ErrTooLarge, r)
	case r.Code == codeExhausted:
		return fmt.Errorf("%w: %v: give etcd room, then disarm its alarm", history.ErrQuota, r)
	case user == "" && (r.wantsToken() || r.Code == codePermission): // the latter from a client with a certificate
		return denied("etcd wants a user (%v): set SHELF_ETCD_USER and SHELF_ETCD_PASSWORD", r)
	case r.Code == codePermission || r.status == http.StatusForbidden:
		return denied("etcd denies the user %s the keys of shelf (%v): grant a role that may read and write the prefix", user, r)
	case r.Code == codeInvalid && r.says("authentication failed"):
		return denied("etcd rejects the password of the user %s (%v): check SHELF_ETCD_USER and SHELF_ETCD_PASSWORD", user, r)
	case r.Code == codePrecondition && r.says("authentication is not enabled"):
		return denied("SHELF_ETCD_USER is set, but etcd asks for no user (%v): enable its authentication, or unset the variable", r)
	}
	return fmt.Errorf("%w: %w", history.ErrReadOnly, r)
}

// denied returns a history.ErrReadOnly whose text says only what etcd denies: an owner
// who starts a replica has not opened a store yet that could be read-only.
func denied(format string, args ...any) error {
	return history.Worded(history.ErrReadOnly, fmt.Sprintf(format, args...))
}

// An otherPast is an answer that can't come from the log that this replica
// knows: from another cluster, or from before an answer that it has had.
type otherPast struct{ member, what string }

func (o *otherPast) Error() string { return o.member + " " + o.what }

// commonName words the error of a member whose etcd has accounts, and that was shown a
// certificate with a common name.
const commonName = "the certificate has a common name, which etcd takes for the name of a user, and then it refuses its JSON gateway: set -etcd-cert to a certificate without one"

// noGateway words the error of a member that is no etcd, or has its gateway off.
func noGateway(member string, status int) error {
	return fmt.Errorf("%s answers %d to etcd's JSON gateway: start etcd with --enable-grpc-gateway=true, and name its client URLs", member, status)
}

var errClosed = errors.New("closed")
