package etcd

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"example.com/shelf/internal/history"
)

const (
	// usageEvery is how often Follow asks the members for their sizes.
	usageEvery = 30 * time.Second
	// usageWarning is the part of the quota from which on the owner is warned.
	usageWarning = 0.75
)

// usage is how much of its quota the fullest member uses.
type usage struct {
	bytes, quota int64 // quota is 0 for a member that doesn't tell: before etcd 3.6
	warned       bool
}

// part is how much of the quota is used, 0 if that is not known.
func (u usage) part() float64 {
	if u.quota <= 0 {
		return 0
	}
	return float64(u.bytes) / float64(u.quota)
}

// watchUsage asks all members for their sizes, again and again until ctx ends.
func (l *Log) watchUsage(ctx context.Context) {
	for {
		var most usage
		for _, member := range l.client.address.Members {
			if u, err := l.usageOf(ctx, member); err == nil && (u.part() > most.part() || most.bytes == 0) {
				most = u
			}
		}
		if most.bytes > 0 {
			l.used(most)
		}
		if !sleep(ctx, usageEvery) {
			return
		}
	}
}

// usageOf asks one member. Each user may ask that.
func (l *Log) usageOf(ctx context.Context, member string) (u usage, err error) {
	out := new(statusAnswer)
	parse := func(text []byte) (answer, error) { return out, json.Unmarshal(text, out) }
	err = l.client.attempt(ctx, member, request{path: "/v3/maintenance/status", parse: parse}, []byte("{}"))
	return usage{bytes: out.Size, quota: out.Quota}, err
}

// used notes the usage of the fullest member. It warns once, until there is room again.
func (l *Log) used(u usage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	part := u.part()
	if u.warned = l.usage.warned && part >= usageWarning; part >= usageWarning && !u.warned {
		u.warned = true
		l.opt.Log.Warn(fmt.Sprintf("etcd uses %.0f %% of its quota of %d MiB. At 100 %% all writes are refused: raise --quota-backend-bytes, or compact and defragment etcd", 100*part, u.quota>>20))
	}
	l.usage = u
}

// Engine returns what is known of etcd: see history.Shared.
func (l *Log) Engine() history.Engine {
	l.mu.Lock()
	defer l.mu.Unlock()
	return history.Engine{ClockDifference: l.clocks.largest(), Bytes: l.usage.bytes, Quota: l.usage.quota}
}
