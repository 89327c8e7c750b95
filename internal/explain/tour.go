package explain

import (
	"fmt"
	"io"
	"strings"

	"example.com/shelf/internal/term"
)

// A Stop is a place in the code where a reader should stop and look.
type Stop struct {
	Heading   string
	Functions string // "FILE: FUNCTION", one a line, in the order of the calls; a test looks for them
	Why       string // two or three sentences
	Source    string // where the rule comes from
	URL       string // and where to read that
}

// Stops follow a newcomer and her first item from the network to the disk.
var Stops = []Stop{
	{"The table of contents", `server.go: (*server).routes
server.go: (*server).ServeHTTP`,
		"Every route of the server stands in one table, and what a route needs is said around its handler: bearer, bookToken, requireAdmin. Who looks for a route that forgot to ask for a token reads one screen.",
		"CWE-306", "https://cwe.mitre.org/data/definitions/306.html"},
	{"Sign-up", `auth.go: (*server).signUp
internal/form/form.go: Read`,
		"Sign-up names the fields that it reads, and form.Read fills those and no others. So \"admin\": true in the body makes nobody an admin; many a server that copied the whole body into the user was taken over that way.",
		"OWASP API3:2023", "https://owasp.org/API-Security/editions/2023/en/0xa3-broken-object-property-level-authorization/"},
	{"The hash", `internal/password/password.go: (*Hasher).Hash
internal/password/password.go: (*Hasher).Work
internal/password/password.go: (*Hasher).Matches`,
		"A password is kept as a bcrypt hash, which is slow by design: each guess costs a thief of the file as much as a sign-in costs us. So it runs on a few workers, lest a flood of sign-ins starve everybody else. An unknown account is compared with a hash too, or the time of the answer would tell who has an account.",
		"OWASP Password Storage Cheat Sheet", "https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html"},
	{"The token", `auth.go: (*server).startSession
auth.go: (*server).issue
internal/token/token.go: NewUUID
internal/token/token.go: (*Keyring).Sign`,
		"A token is claims that anybody can read, and a signature that only the holder of the key can make. There are two: an access token opens the API for minutes, a refresh token gets the next one for weeks. Neither is shown before its record is on disk.",
		"RFC 7519 §4.1", "https://www.rfc-editor.org/rfc/rfc7519#section-4.1"},
	{"The middleware", `auth.go: (*server).bearer
internal/token/token.go: Bearer
auth.go: (*server).callerOf`,
		"This is what the tutorials call a decorator: it takes the token out of one header, and calls the handler with a caller or not at all. Not from the address, which ends up in logs, and not from a cookie, which a browser sends for any page that asks.",
		"RFC 6750 §2.1", "https://www.rfc-editor.org/rfc/rfc6750#section-2.1"},
	{"What makes a token good", `internal/token/token.go: (*Keyring).verify
internal/token/token.go: newParser
internal/token/token.go: (*Keyring).KeyFor
internal/token/token.go: (*Claims).Validate`,
		"The server decides by which algorithm and with which key a token is checked; one that could choose would choose none. Nothing that it says is believed before the signature is verified, and then every claim that counts is judged, the times first.",
		"RFC 8725 §3.1", "https://www.rfc-editor.org/rfc/rfc8725#section-3.1"},
	{"What the store knows of it", `auth.go: (*server).knownCaller
auth.go: (*server).logOut
store_users.go: (acting).endSession`,
		"A signature stays good until the token ends, so by itself it makes a log-out a mere wish. The store therefore remembers each token by its jti and when it ended: log-out holds from the next request on, and a stolen key alone opens nothing.",
		"RFC 7519 §4.1.7", "https://www.rfc-editor.org/rfc/rfc7519#section-4.1.7"},
	{"The item", `items.go: (*server).createItem
store_items.go: (acting).addItem
items.go: (*server).deleteItem
store.go: (terms).check`,
		"A handler reads, checks, changes and answers, and knows no status of a failure. To be signed in is not to be allowed: who made the item is asked in the store, with the lock held, so that nothing can change between the question and the deed.",
		"OWASP API1:2023", "https://owasp.org/API-Security/editions/2023/en/0xa1-broken-object-level-authorization/"},
	{"The journal", `internal/db/db.go: (*DB).Update
internal/db/db.go: (*DB).sync
internal/journal/journal.go: (*Journal).Append
internal/db/line.go: (*DB).applyLocked`,
		"A change joins the batch that waits, one writer puts the batch on disk with one fsync, and only then is it seen, and answered. So what was acknowledged survives a power cut, what was refused was never visible, and a thousand who wait pay for one fsync.",
		"Pillai et al., OSDI 2014", "https://www.usenix.org/conference/osdi14/technical-sessions/presentation/pillai"},
	{"The next start", `store.go: openStore
internal/journal/scan.go: Read
internal/db/replay.go: (*replay).emit`,
		"The state is in memory and the file is its history, so a start reads the file and does all of it again, with the code that did it first. A batch that a crash tore was never acknowledged, and is set aside; damage stops the start instead of being papered over.",
		"Pillai et al., OSDI 2014", "https://www.usenix.org/conference/osdi14/technical-sessions/presentation/pillai"},
	{"A refusal", `errors.go: toAPIError
errors.go: refusedToken
errors.go: writeError`,
		"The way back: an error becomes a status and a sentence in one place. A client reads why its token was refused, as the standard wants it, and never what went wrong inside.",
		"RFC 6750 §3", "https://www.rfc-editor.org/rfc/rfc6750#section-3"},
	{"Now try to break it", `internal/attack/assault.go: (*assault).run
internal/attack/forge.go: retouched
internal/attack/forge.go: swapAlg`,
		"shelf attack sends forged tokens to a running server, after a good one each time, and sees whether the right defence refuses it. To see it find a hole, take a check out of a function that console/attacks.json names, start that server, and run it again.",
		"RFC 8725 §2", "https://www.rfc-editor.org/rfc/rfc8725#section-2"},
}

// Tour prints the tour for a terminal of 80 columns.
func Tour(w io.Writer) {
	fmt.Fprintln(w, "Follow somebody who signs up and makes an item, from the network to the disk.")
	for i, s := range Stops {
		fmt.Fprintf(w, "\n%d. %s\n\n", i+1, s.Heading)
		for function := range strings.Lines(s.Functions) {
			fmt.Fprintf(w, "     %s\n", strings.TrimSpace(function))
		}
		fmt.Fprintln(w)
		for _, line := range term.Wrap(s.Why, term.Width-3) {
			fmt.Fprintf(w, "   %s\n", line)
		}
		fmt.Fprintf(w, "\n   %s\n   %s\n", s.Source, s.URL)
	}
}
