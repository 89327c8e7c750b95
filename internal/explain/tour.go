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
	Why       string // two to five sentences
	Source    string // where the rule comes from
	URL       string // and where to read that
}

// Stops follow a new client and its first item from the network to the disk.
var Stops = []Stop{
	{"The table of contents", `server.go: (*server).routes
server.go: (*server).ServeHTTP`,
		"One table has every route. What a route needs is written around its handler: bearer, bookToken, requireAdmin. To find a route that forgot to ask for a token, read this one screen.",
		"CWE-306", "https://cwe.mitre.org/data/definitions/306.html"},
	{"Sign-up", `auth.go: (*server).signUp
internal/form/form.go: Read`,
		"Sign-up names the fields that it reads. form.Read fills those and no others, so \"admin\": true in the body makes nobody an admin. Servers that copied the whole body into the user were taken over that way.",
		"OWASP API3:2023", "https://owasp.org/API-Security/editions/2023/en/0xa3-broken-object-property-level-authorization/"},
	{"The hash", `internal/password/password.go: (*Hasher).Hash
internal/password/password.go: (*Hasher).Work
internal/password/password.go: (*Hasher).Matches`,
		"shelf keeps a bcrypt hash of a password. bcrypt is slow by design: each guess costs a thief of the file as much as a sign-in costs the server. It runs on a few workers, so that a flood of sign-ins does not stop all other requests. An unknown account is compared with a hash too: else the time of the answer would tell who has an account.",
		"OWASP Password Storage Cheat Sheet", "https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html"},
	{"The token", `auth.go: (*server).startSession
auth.go: (*server).issue
internal/token/token.go: NewUUID
internal/token/token.go: (*Keyring).Sign`,
		"A token has claims, which anyone can read, and a signature, which only the holder of the key can make. An access token opens the API for minutes. A refresh token gets the next access token, for weeks. The client sees neither before its record is on disk.",
		"RFC 7519 §4.1", "https://www.rfc-editor.org/rfc/rfc7519#section-4.1"},
	{"The middleware", `auth.go: (*server).bearer
internal/token/token.go: Bearer
auth.go: (*server).callerOf`,
		"The tutorials call this a decorator. It takes the token out of one header, and calls the handler with a caller or not at all. The token never comes from the address, which ends up in logs. It never comes from a cookie, which a browser sends for any page that asks.",
		"RFC 6750 §2.1", "https://www.rfc-editor.org/rfc/rfc6750#section-2.1"},
	{"What makes a token good", `internal/token/token.go: (*Keyring).verify
internal/token/token.go: newParser
internal/token/token.go: (*Keyring).KeyFor
internal/token/token.go: (*Claims).Validate`,
		"The server decides which algorithm and which key a token is checked with. A token that could choose would choose none. The server believes no claim before the signature is verified. Then it checks each claim that counts, the times first.",
		"RFC 8725 §3.1", "https://www.rfc-editor.org/rfc/rfc8725#section-3.1"},
	{"What the store knows of it", `auth.go: (*server).knownCaller
auth.go: (*server).logOut
store_users.go: (acting).endSession`,
		"A signature stays good until the token ends, so a signature alone allows no log-out. The store therefore keeps each token by its jti, and when it was ended. Log-out holds from the next request on, and a stolen key alone opens nothing.",
		"RFC 7519 §4.1.7", "https://www.rfc-editor.org/rfc/rfc7519#section-4.1.7"},
	{"The item", `items.go: (*server).createItem
store_items.go: (acting).addItem
items.go: (*server).deleteItem
store.go: (terms).check`,
		"A handler reads, checks, changes and answers. It knows no status of a failure. To be signed in is not to be allowed: the store asks who made the item while it holds the lock, so nothing can change between the question and the write.",
		"OWASP API1:2023", "https://owasp.org/API-Security/editions/2023/en/0xa1-broken-object-level-authorization/"},
	{"The journal", `internal/db/db.go: (*DB).Update
internal/db/db.go: (*DB).sync
internal/journal/journal.go: (*Journal).Append
internal/db/line.go: (*DB).applyLocked`,
		"A change joins the pending batch. One writer puts the batch on disk with one fsync. Only then do readers see the change, and only then is the request answered. So an acknowledged change survives a power cut, and a denied one was never visible.",
		"Pillai et al., OSDI 2014", "https://www.usenix.org/conference/osdi14/technical-sessions/presentation/pillai"},
	{"The next start", `store.go: openStore
internal/journal/scan.go: Read
internal/db/replay.go: (*replay).emit`,
		"The state is in memory, and the file is its history. A start reads the file and applies each change again, with the code that applied it first. A batch that a crash tore was never acknowledged, so it is set aside. Damage stops the start.",
		"Pillai et al., OSDI 2014", "https://www.usenix.org/conference/osdi14/technical-sessions/presentation/pillai"},
	{"A refusal", `errors.go: toAPIError
errors.go: refusedToken
errors.go: writeError`,
		"This is the way back: one place turns an error into a status and a sentence. A client reads why its token was rejected, as the standard asks. It never reads what went wrong inside.",
		"RFC 6750 §3", "https://www.rfc-editor.org/rfc/rfc6750#section-3"},
	{"Now try to break it", `internal/attack/assault.go: (*assault).run
internal/attack/forge.go: retouched
internal/attack/forge.go: swapAlg`,
		"shelf attack sends forged tokens to a running server, each after a good token, and checks that the right defence answers. To see it find a hole, take a check out of a function that console/attacks.json names. Then start that server and run shelf attack again.",
		"RFC 8725 §2", "https://www.rfc-editor.org/rfc/rfc8725#section-2"},
}

// Tour prints the tour for a terminal of 80 columns.
func Tour(w io.Writer) {
	fmt.Fprintln(w, "Follow a client that signs up and makes an item, from the network to the disk.")
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
