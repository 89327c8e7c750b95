package main

import (
	"slices"
	"testing"
	"time"
)

// BenchmarkSignInTiming shows whether the time of an answer tells who has an
// account (OWASP ASVS 5, 6.3.8; CWE-208): one sign-in with a wrong password and
// one to an account that there isn't, by turns, so that whatever else the
// machine does slows both alike. What matters is unknown/wrong, the ratio of
// the medians: within 5 % of 1 is the aim. A clock is no judge of a build, so
// it is reported and not asserted; that both do the same work is asserted in
// the table of attacks.
//
//	go test -run '^$' -bench SignInTiming -benchtime 200x
func BenchmarkSignInTiming(b *testing.B) {
	for _, bench := range []struct {
		name, request string
		sign          func(a *api) // up, those who have an account
		wrong         body
		unknown       body
	}{
		{
			"catalog", "POST /api/v1/auth/signin", func(a *api) { a.session("ann") },
			asForm("email", "ann@example.com", "password", "wr0ng-worm"),
			asForm("email", "eve@example.com", "password", "wr0ng-worm"),
		},
		{ // where a catalog account has to count as none
			"book_API", "POST /login", func(a *api) { a.session("ann"); a.reader("rae") },
			asForm("username", "ann@example.com", "password", "wr0ng-worm"),
			asForm("username", "eve@example.com", "password", "wr0ng-worm"),
		},
	} {
		b.Run(bench.name, func(b *testing.B) {
			a := newAPI(b, "-bcrypt-cost=10")
			bench.sign(a)
			try := func(details body) time.Duration {
				a.clock.advance(2 * time.Hour) // past what the limiter remembers
				start := time.Now()
				got := a.as("").send(bench.request, details)
				took := time.Since(start)
				if got.status != 401 {
					b.Fatalf("%v; want 401", got)
				}
				return took
			}
			var wrong, unknown []time.Duration
			for b.Loop() {
				// Who goes first changes too: the second may find warmer caches.
				if len(wrong)%2 == 0 {
					wrong, unknown = append(wrong, try(bench.wrong)), append(unknown, try(bench.unknown))
				} else {
					unknown, wrong = append(unknown, try(bench.unknown)), append(wrong, try(bench.wrong))
				}
			}
			median := func(all []time.Duration) float64 {
				slices.Sort(all)
				return float64(all[len(all)/2])
			}
			b.ReportMetric(median(wrong)/1e6, "wrong-ms")
			b.ReportMetric(median(unknown)/1e6, "unknown-ms")
			b.ReportMetric(median(unknown)/median(wrong), "unknown/wrong")
		})
	}
}
