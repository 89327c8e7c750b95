package etcd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/history"
)

// startTime is how long Open waits for the first member that answers.
const startTime = 5 * time.Second

// Open connects to the cluster, and checks the versions of its members and what
// the prefix holds. Its error is one line for a person.
func Open(ctx context.Context, a Address, opt Options) (*Log, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = clock.Real
	}
	clocks := &clocks{now: opt.Now, log: opt.Log}
	l := &Log{client: newClient(a, opt.Access, clocks), prefix: a.Prefix, opt: opt, clocks: clocks}
	err := l.meet(ctx)
	if err == nil {
		err = l.openFormat(ctx, opt.Create)
	}
	if err != nil {
		l.Close()
		return nil, Explain(a, err)
	}
	return l, nil
}

// Explain words an error of this package in one line for a person: what is wrong
// with the cluster, then what to do.
func Explain(a Address, err error) error {
	if d, ok := errors.AsType[*history.Damage](err); ok {
		return fmt.Errorf("%s is damaged: %w (nothing was changed; restore a backup of etcd, or start with another -data)", a, d)
	}
	if errors.Is(err, history.ErrUnavailable) {
		return fmt.Errorf("%s: %w: start etcd, or check -data", a, err)
	}
	return fmt.Errorf("%s: %w", a, err)
}

// meet asks each member who it is. At least one has to answer.
func (l *Log) meet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	pause := firstPause
	for {
		var lost []string
		for _, met := range l.meetAll(ctx) {
			switch {
			case met.err == nil:
			case met.fatal:
				return met.err
			default:
				lost = append(lost, met.err.Error())
			}
		}
		if len(lost) < len(l.client.address.Members) {
			for _, text := range lost {
				l.opt.Log.Warn("a member of the cluster does not answer", "error", text)
			}
			return nil
		}
		if !sleep(ctx, pause) {
			return fmt.Errorf("%w: %s", history.ErrUnavailable, strings.Join(lost, "; "))
		}
		pause = min(2*pause, lastPause)
	}
}

type met struct {
	err   error
	fatal bool // waiting doesn't help
}

// meetAll asks all members at the same time.
func (l *Log) meetAll(ctx context.Context) []met {
	members := l.client.address.Members
	all := make([]met, len(members))
	done := make(chan struct{})
	for i, member := range members {
		go func() {
			defer func() { done <- struct{}{} }()
			all[i] = l.meetOne(ctx, member)
		}()
	}
	for range members {
		<-done
	}
	return all
}

// meetOne checks the version of one member, its gateway, and that it belongs to
// the same cluster as the others.
func (l *Log) meetOne(ctx context.Context, member string) met {
	text, err := l.client.version(ctx, member)
	if err != nil {
		return met{err: err}
	}
	if err := checkVersion(text, l.opt.AnyVersion); err != nil {
		return met{fmt.Errorf("%s: %w", member, err), true}
	}
	body, err := json.Marshal(rangeRequest{Key: []byte(l.key(keyFormat)), Serializable: true})
	if err != nil {
		return met{err, true}
	}
	parse := func(text []byte) (answer, error) { out := new(rangeAnswer); return out, json.Unmarshal(text, out) }
	err = l.client.attempt(ctx, member, request{path: "/v3/kv/range", parse: parse}, body)
	strange, isStrange := errors.AsType[*otherPast](err)
	refused, isRefusal := errors.AsType[*refusal](err)
	switch {
	case isStrange && strings.Contains(strange.what, "cluster"):
		return met{fmt.Errorf("%w: name members of one cluster", err), true}
	case isStrange: // it only lags behind
		return met{}
	case isRefusal && refused.status < 500 && refused.Code == 0:
		return met{errors.New(refused.Message), true}
	case isRefusal && refused.status < 500:
		return met{l.client.explained(err), true}
	}
	return met{err: err}
}

// version returns the version of a member.
func (c *client) version(ctx context.Context, member string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url(member, "/version"), nil)
	if err != nil {
		return "", err
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return "", &lostAnswer{member: member, err: err}
	}
	defer answer.Body.Close()
	var is struct {
		Server string `json:"etcdserver"`
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if err != nil {
		return "", &lostAnswer{member: member, err: err}
	}
	if answer.StatusCode != http.StatusOK || json.Unmarshal(text, &is) != nil || is.Server == "" {
		return "", &lostAnswer{member: member, err: errors.New("it does not answer as etcd does: name etcd's client URLs, with etcds:// if they have TLS")}
	}
	return is.Server, nil
}

// checkVersion refuses versions of etcd without the gateway's paths, and those
// with known faults unless anyVersion is set.
//
//   - 3.5.0 to 3.5.2 could corrupt a member's data.
//   - Before 3.6.9 a paused member could answer a read from the past (etcd issue
//     20418).
//   - Before 3.5.33, 3.6.14 and 3.7.1 a watch could read keys beyond the user's
//     role.
func checkVersion(text string, anyVersion bool) error {
	v, ok := parseVersion(text)
	switch {
	case !ok:
		return fmt.Errorf("its version is %q: want etcd 3.6.14 or newer", printable(text))
	case less(v, [3]int{3, 5, 0}):
		return fmt.Errorf("etcd %s is too old: want 3.6.14 or newer", printable(text))
	case anyVersion:
		return nil
	case less(v, [3]int{3, 6, 14}) || v == [3]int{3, 7, 0}:
		return fmt.Errorf("etcd %s has known faults: want 3.6.14, 3.7.1 or newer (or accept them with -etcd-any-version)", printable(text))
	}
	return nil
}

func less(v, than [3]int) bool {
	return cmp.Or(cmp.Compare(v[0], than[0]), cmp.Compare(v[1], than[1]), cmp.Compare(v[2], than[2])) < 0
}

// parseVersion reads 3.6.14 or 3.7.0-rc.1.
func parseVersion(text string) (v [3]int, ok bool) {
	number, _, _ := strings.Cut(text, "-")
	parts := strings.Split(number, ".")
	if len(parts) != len(v) {
		return v, false
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return v, false
		}
		v[i] = int(n)
	}
	return v, true
}
