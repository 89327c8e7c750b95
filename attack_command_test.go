package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/shelf/internal/attack"
	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/config"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/token"
)

// attackRowsOf is console/attacks.json, read strictly.
func attackRowsOf(t *testing.T) (rows []attack.Row) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(consoleText(t, "attacks.json")))
	d.DisallowUnknownFields()
	if err := d.Decode(&rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// The table says of each attack all that a learner wants to know, nothing of it
// twice, and what it says of the code and of the documents is true.
func TestAttackRows(t *testing.T) {
	t.Parallel()
	functions := declarations(t)
	seen := map[string]bool{}
	for _, row := range attackRowsOf(t) {
		for _, text := range []string{row.ID, row.Title, row.Explanation} {
			if text == "" || seen[text] {
				t.Errorf("%s: %q is said twice, or not at all", row.ID, text)
			}
			seen[text] = true
		}
		if !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(row.ID) || len(row.ID) > 19 {
			t.Errorf("%s: want an id in kebab-case, of at most 19 letters to fit its column", row.ID)
		}
		if n := len(regexp.MustCompile(`[.?] [A-Z]|\.$`).FindAllString(row.Explanation, -1)); n != 2 {
			t.Errorf("%s: the explanation has %d sentences; want two", row.ID, n)
		}
		if functions[row.Defence] == nil {
			t.Errorf("%s: there is no %s; want FILE: NAME or FILE: (TYPE).NAME", row.ID, row.Defence)
		}
		if want := address(row.Source); row.URL != want {
			t.Errorf("%s: %s is read at %s, not at %s", row.ID, row.Source, want, row.URL)
		}
		if row.Expect.Status < 400 || row.Expect.Error == "" {
			t.Errorf("%s: want the status and the error that refuse it", row.ID)
		}
		delete(seen, "") // an empty text is reported each time
	}
}

// address is where a document is read.
func address(source string) string {
	rfc := regexp.MustCompile(`^RFC (\d+) §([\d.]+)$`).FindStringSubmatch(source)
	cwe, isCWE := strings.CutPrefix(source, "CWE-")
	switch {
	case rfc != nil:
		return "https://www.rfc-editor.org/rfc/rfc" + rfc[1] + "#section-" + rfc[2]
	case isCWE:
		return "https://cwe.mitre.org/data/definitions/" + cwe + ".html"
	}
	const top = "https://owasp.org/API-Security/editions/2023/en/"
	return map[string]string{
		"OWASP API1:2023": top + "0xa1-broken-object-level-authorization/",
		"OWASP API3:2023": top + "0xa3-broken-object-property-level-authorization/",
		"OWASP API5:2023": top + "0xa5-broken-function-level-authorization/",

		"OWASP Password Storage Cheat Sheet": "https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html",
		"Pillai et al., OSDI 2014":           "https://www.usenix.org/conference/osdi14/technical-sessions/presentation/pillai",
	}[source]
}

// assail runs shelf attack against a handler. document is what -json prints.
func assail(t *testing.T, h http.Handler, environment ...string) (document struct {
	Summary string
	Attacks []attack.Result
}, err error) {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	env := map[string]string{"SHELF_URL": srv.URL}
	for v := range slices.Chunk(environment, 2) {
		env[v[0]] = v[1]
	}
	var out bytes.Buffer
	err = attack.Command(t.Context(), []string{"-json"}, func(name string) string { return env[name] }, &out)
	if decoding := json.Unmarshal(out.Bytes(), &document); decoding != nil {
		t.Fatalf("%v: %s (%v)", decoding, &out, err)
	}
	return document, err
}

// verdicts are the results that are no refusals, by id.
func verdicts(results []attack.Result) map[string]attack.Verdict {
	all := map[string]attack.Verdict{}
	for _, r := range results {
		if r.Verdict != attack.Refused {
			all[r.ID] = r.Verdict
		}
	}
	return all
}

// notMade are the verdicts on the rows that need the lab's clock or rotated refresh
// tokens, where there are none.
func notMade(t *testing.T, a *api) map[string]attack.Verdict {
	all := map[string]attack.Verdict{}
	for _, row := range attackRowsOf(t) {
		switch {
		case row.Lab && a.lab == nil:
			all[row.ID] = attack.NeedsLab
		case row.Rotation && !a.config.rotateRefresh:
			all[row.ID] = attack.NotRotated
		}
	}
	return all
}

// A sound server refuses every attack, by whatever algorithm it signs and whether it
// rotates refresh tokens, and has nothing left of the accounts afterwards.
func TestAttackCommand(t *testing.T) {
	t.Parallel()
	for _, flags := range []string{"", "-alg=EdDSA", "-rotate-refresh", "-password-policy=nist"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, flags)
			if a.config.alg == token.EdDSA {
				a.signByEdDSA()
			}
			got, err := assail(t, a)
			if !maps.Equal(verdicts(got.Attacks), notMade(t, a)) || err != nil {
				t.Errorf("%+v, %v; want all refused", got.Attacks, err)
			}
			if users, items, _ := a.store.counts(); users != 0 || items != 0 {
				t.Errorf("%d accounts and %d items are left", users, items)
			}
		})
	}
}

// A hole is a server with a defence switched off: something in front of it that
// makes good, for one sort of forgery, what the defence would refuse.
type hole struct {
	name    string
	flags   string
	open    func(a *api) http.Handler
	through []string // the attacks that succeed
	unclear []string // those that something else refuses then
	lab     bool     // it takes another time of day to find it
}

var holes = []hole{
	{name: "the signature is not checked", open: tampering(func(a *api, r *http.Request, t attack.JWS) {
		a.reseal(r, t.Header, t.Payload)
	}), through: []string{"payload-edited", "signature-missing", "signature-changed", "signature-respelt", "other-key", "jwk-embedded"},
		unclear: []string{"type-edited", "duplicate-claims"}}, // the record of the token and the strict reader stop these
	{name: "a token's word is all that counts", open: tampering(func(a *api, r *http.Request, t attack.JWS) {
		header, says := attack.Members(t.Header), struct{ Sub, Type string }{}
		text, _ := base64.RawURLEncoding.DecodeString(t.Payload)
		if json.Unmarshal(text, &says); says.Type != token.Access || t.Alg() != token.HS256 || header["crit"] != nil || len(text) > token.MaxLength ||
			header["kid"] != nil && string(header["kid"]) != `"`+a.keys.Ring().Keys()[0].ID+`"` {
			return
		}
		setBearer(r, a.tokenFor(says.Sub, token.Access))
	}), through: []string{"payload-edited", "type-edited", "duplicate-claims", "signature-missing", "signature-changed", "signature-respelt", "other-key", "jwk-embedded", "replay-after-logout", "held-past-logout", "restores-itself"}},
	{name: "a signature may be spelt in any way", open: tampering(func(_ *api, r *http.Request, t attack.JWS) {
		signature, _ := base64.RawURLEncoding.DecodeString(t.Signature)
		setBearer(r, t.Header+"."+t.Payload+"."+b64(string(signature)))
	}), through: []string{"signature-respelt"}},
	{name: "the secret is every tutorial's", open: func(a *api) http.Handler {
		a.signBy(token.HS256Key([]byte("secret")))
		return a
	}, through: []string{"other-key"}},
	{name: "alg none is taken", open: tampering(func(a *api, r *http.Request, t attack.JWS) {
		if t.Alg() == "none" {
			a.reseal(r, b64(hs256), t.Payload)
		}
	}), through: []string{"alg-none"}},
	{name: "alg none is forbidden, by name", open: tampering(func(a *api, r *http.Request, t attack.JWS) {
		if t.Alg() != "none" && strings.EqualFold(t.Alg(), "none") {
			a.reseal(r, b64(hs256), t.Payload)
		}
	}), through: []string{"alg-none-respelt"}},
	{name: "a token may name its algorithm", open: tampering(func(a *api, r *http.Request, t attack.JWS) {
		if t.Alg() == "RS256" {
			a.reseal(r, b64(hs256), t.Payload)
		}
	}), through: []string{"alg-swapped"}},
	{name: "a public key passes for a secret", open: func(a *api) http.Handler {
		a.signByEdDSA()
		ours := a.keys.Ring().Keys()[0]
		private := ed25519.NewKeyFromSeed([]byte(tokenSecret[:32]))
		return tampering(func(a *api, r *http.Request, t attack.JWS) {
			if t.Alg() == token.HS256 && t.String() == seal(sha256.New, t.Header+"."+t.Payload, string(private.Public().(ed25519.PublicKey))) {
				text := b64(headerWithKid(token.EdDSA, ours.ID)) + "." + t.Payload
				setBearer(r, text+"."+b64(string(ed25519.Sign(private, []byte(text)))))
			}
		})(a)
	}, through: []string{"alg-swapped"}},
	{name: "a kid names a file", open: tampering(func(a *api, r *http.Request, t attack.JWS) {
		const nothing = "" // is in /dev/null
		if strings.Contains(string(attack.Members(t.Header)["kid"]), "/dev/null") && t.String() == seal(sha256.New, t.Header+"."+t.Payload, nothing) {
			a.reseal(r, b64(hs256), t.Payload)
		}
	}), through: []string{"kid-elsewhere"}},
	{name: "a token may bring its key", open: tampering(func(a *api, r *http.Request, t attack.JWS) {
		var brought token.JWK
		json.Unmarshal(attack.Members(t.Header)["jwk"], &brought)
		secret, _ := base64.RawURLEncoding.DecodeString(brought.Secret)
		if len(secret) > 0 && t.String() == seal(sha256.New, t.Header+"."+t.Payload, string(secret)) {
			a.reseal(r, b64(hs256), t.Payload)
		}
	}), through: []string{"jwk-embedded"}},
	{name: "crit is not checked", open: tampering(func(_ *api, r *http.Request, t attack.JWS) {
		setBearer(r, without(t.Header, "crit", "eve")+"."+t.Payload+"."+t.Signature)
	}), through: []string{"crit-unknown"}},
	{name: "a token may be as long as it likes", open: tampering(func(a *api, r *http.Request, t attack.JWS) {
		if len(t.Payload) > token.MaxLength {
			a.reseal(r, t.Header, without(t.Payload, "x"))
		}
	}), through: []string{"over-long"}},
	{name: "a token is taken from the address", open: inFront(func(_ *api, r *http.Request) {
		if token := r.URL.Query().Get("access_token"); token != "" {
			setBearer(r, token)
		}
	}), through: []string{"token-in-query"}},
	{name: "a token is taken from a cookie", open: inFront(func(_ *api, r *http.Request) {
		if cookie, err := r.Cookie("access_token"); err == nil {
			setBearer(r, cookie.Value)
		}
	}), through: []string{"token-in-cookie"}},
	{name: "of two headers the first counts", open: inFront(func(_ *api, r *http.Request) {
		if lines := r.Header["Authorization"]; len(lines) > 1 {
			r.Header["Authorization"] = lines[:1]
		}
	}), through: []string{"two-headers"}},
	{name: "of two headers the last counts", open: inFront(func(_ *api, r *http.Request) {
		if lines := r.Header["Authorization"]; len(lines) > 1 {
			r.Header["Authorization"] = lines[1:]
		}
	}), unclear: []string{"two-headers"}}, // then it is the forged one that is refused
	{name: "a refresh token opens what an access token opens", open: tampering(func(a *api, r *http.Request, _ attack.JWS) {
		if c, err := a.callerOf(r.Context(), bearerOf(r), token.Refresh); err == nil && r.URL.Path != "/api/v1/auth/refresh" {
			setBearer(r, a.tokenFor(c.user.PublicID, token.Access))
		}
	}), through: []string{"refresh-as-access"}},
	{name: "an access token refreshes itself", open: tampering(func(a *api, r *http.Request, _ attack.JWS) {
		if c, err := a.callerOf(r.Context(), bearerOf(r), token.Access); err == nil && r.URL.Path == "/api/v1/auth/refresh" {
			setBearer(r, a.tokenFor(c.user.PublicID, token.Refresh))
		}
	}), through: []string{"access-as-refresh"}},
	{name: "a log-out ends nothing", open: func(a *api) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/v1/auth/logout" {
				reply.JSON(w, http.StatusOK, success{Status: http.StatusOK})
				return
			}
			a.ServeHTTP(w, r)
		})
	}, through: []string{"replay-after-logout", "held-past-logout"}},
	{name: "a caller is judged before the body is read, and never again", open: func(a *api) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := a.callerOf(r.Context(), bearerOf(r), token.Access)
			if err == nil && r.Method == http.MethodPatch && r.URL.Path == "/api/v1/auth/me" {
				text, _ := io.ReadAll(r.Body)
				if a.stillGood(c) != nil {
					reply.JSON(w, http.StatusOK, success{Status: http.StatusOK})
					return
				}
				r.Body = io.NopCloser(bytes.NewReader(text))
			}
			a.ServeHTTP(w, r)
		})
	}, through: []string{"held-past-logout", "held-past-deletion"}},
	{name: "a token restores any token of its owner's", open: func(a *api) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			if r.Method == http.MethodPut && strings.Contains(string(text), "false") {
				reply.JSON(w, http.StatusOK, success{Status: http.StatusOK})
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(text))
			a.ServeHTTP(w, r)
		})
	}, through: []string{"restores-itself"}},
	{name: "a refresh token is good for many uses, and each gives another", flags: "-rotate-refresh", open: func(a *api) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c, err := a.callerOf(r.Context(), bearerOf(r), token.Refresh); err == nil && strings.HasSuffix(r.URL.Path, "/refresh") {
				reply.JSON(w, http.StatusOK, success{Status: http.StatusOK, Data: []any{
					map[string]string{"refresh_token": a.tokenFor(c.user.PublicID, token.Refresh)}}})
				return
			}
			a.ServeHTTP(w, r)
		})
	}, through: []string{"refresh-replayed"}},
	{name: "a caller with a token may rename the account", open: func(a *api) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			var asked struct{ Username string }
			c, err := a.callerOf(r.Context(), bearerOf(r), token.Access)
			if json.Unmarshal(text, &asked); err == nil && r.Method == http.MethodPatch && asked.Username != "" {
				u, _ := a.store.as(c).editUser(func(u *user) { u.Username = asked.Username })
				writeUser(w, u)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(text))
			a.ServeHTTP(w, r)
		})
	}, through: []string{"renamed-by-thief"}},
	{name: "any account may change any item", open: func(a *api) http.Handler {
		a.config.sharedWrites = true
		return a
	}, through: []string{"others-item-changed", "others-item-deleted"}},
	{name: "any account may delete any item, as the rule is kept for PATCH only", open: func(a *api) http.Handler {
		shared := *a.server
		shared.config.sharedWrites = true
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.SetPathValue("id", strings.TrimPrefix(r.URL.Path, "/api/v1/items/"))
			if r.Method == http.MethodDelete && r.PathValue("id") != r.URL.Path {
				a.answering(shared.bearer(token.Access, byID(errItemID, shared.deleteItem))).ServeHTTP(w, r)
				return
			}
			a.ServeHTTP(w, r)
		})
	}, through: []string{"others-item-deleted"}},
	{name: "a sign-up is copied into the user as it comes", open: func(a *api) http.Handler {
		a.asAdmin("root") // or the account could not be deleted
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/api/v1/auth/signup" {
				a.ServeHTTP(w, r)
				return
			}
			text, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(text))
			a.ServeHTTP(w, r)
			var asked struct {
				Email string
				Admin bool
			}
			if json.Unmarshal(text, &asked); asked.Admin {
				a.store.as(theOperator).setAccess(a.store.userByEmail(asked.Email).ID, &asked.Admin, nil)
			}
		})
	}, through: []string{"admin-at-signup"}},
	{name: "a token never ends", lab: true, open: func(a *api) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if t, err := attack.Dismantle(bearerOf(r)); err == nil && !t.Time("exp").After(a.now()) {
				if _, err := a.keys.Verify(t.String(), t.Time("nbf")); err == nil {
					reply.JSON(w, http.StatusOK, success{Status: http.StatusOK})
					return
				}
			}
			a.ServeHTTP(w, r)
		})
	}, through: []string{"expired"}},
	{name: "a token's exp is not checked", lab: true, open: tampering(func(a *api, r *http.Request, t attack.JWS) {
		if !t.Time("exp").After(a.now()) {
			a.reseal(r, t.Header, attack.Edited(t.Payload, "exp", a.now().Add(time.Hour).Unix()))
		}
	}), unclear: []string{"expired"}}, // the store forgets a token when it ends
	{name: "a token may come from the future", lab: true, open: tampering(func(a *api, r *http.Request, t attack.JWS) {
		if t.Time("nbf").After(a.now()) {
			a.reseal(r, t.Header, attack.Edited(attack.Edited(t.Payload, "nbf", 0), "iat", 0))
		}
	}), through: []string{"not-yet-valid"}},
}

// Every hole is found, by exactly the attacks that go through it, and there is
// one for each attack, so none is in the table for show.
func TestAttackCommandHoles(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, h := range holes {
		for _, id := range h.through {
			found[id] = true
		}
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			a, env := newAPI(t, h.flags), []string(nil)
			if h.lab {
				a = newLabAPI(t)
				env = []string{"SHELF_LAB_TOKEN", a.config.labToken}
			}
			want := notMade(t, a)
			for _, id := range h.through {
				want[id] = attack.GotThrough
			}
			for _, id := range h.unclear {
				want[id] = attack.Unexpected
			}
			got, err := assail(t, h.open(a), env...)
			if !maps.Equal(verdicts(got.Attacks), want) {
				t.Errorf("the verdicts that are no refusals are %v; want %v\n%+v", verdicts(got.Attacks), want, got.Attacks)
			}
			if status := statusAfter(err); status != 1 {
				t.Errorf("exit status %d, %v; want 1", status, err)
			}
		})
	}
	for _, row := range attackRowsOf(t) {
		if !found[row.ID] {
			t.Errorf("%s goes through none of the holes", row.ID)
		}
	}
}

// statusAfter is what main makes of an error.
func statusAfter(err error) int {
	special, ok := errors.AsType[*config.Status](err)
	switch {
	case err == nil:
		return 0
	case ok:
		return special.Code
	}
	return 1
}

// inFront has touch see each request before a server does.
func inFront(touch func(a *api, r *http.Request)) func(*api) http.Handler {
	return func(a *api) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			touch(a, r)
			a.ServeHTTP(w, r)
		})
	}
}

// tampering is inFront for requests with one token.
func tampering(touch func(a *api, r *http.Request, t attack.JWS)) func(*api) http.Handler {
	return inFront(func(a *api, r *http.Request) {
		parts := strings.Split(bearerOf(r), ".")
		if len(r.Header["Authorization"]) == 1 && len(parts) == 3 {
			touch(a, r, attack.JWS{Header: parts[0], Payload: parts[1], Signature: parts[2]})
		}
	})
}

func bearerOf(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

func setBearer(r *http.Request, token string) { r.Header.Set("Authorization", "Bearer "+token) }

// reseal has r bear a token of those parts with the server's own signature.
func (a *api) reseal(r *http.Request, header, payload string) {
	setBearer(r, seal(sha256.New, header+"."+payload, tokenSecret))
}

// tokenFor is a new token for a user, as good as one from a sign-in.
func (a *api) tokenFor(publicID, typ string) string {
	u, _ := a.store.userWithToken(publicID, "")
	if u == nil {
		return ""
	}
	text, record, err := a.issue(u, typ, time.Minute, false)
	if err := cmp.Or(err, a.store.signIn(u, "", record)); err != nil {
		a.t.Error(err)
	}
	return text
}

// without is a part of a token without some of its members.
func without(part string, names ...string) string {
	m := attack.Members(part)
	for _, name := range names {
		delete(m, name)
	}
	return attack.EncodePart(m)
}

// A refusal by something else, such as a proxy's limit, proves nothing, and
// neither does one by a server that refuses everything.
func TestAttackCommandUnclear(t *testing.T) {
	t.Parallel()
	for name, front := range map[string]func(a *api, w http.ResponseWriter, r *http.Request){
		"it limits clients that are refused": func(a *api, w http.ResponseWriter, r *http.Request) {
			got := httptest.NewRecorder()
			if a.ServeHTTP(got, r); got.Code >= 400 {
				http.Error(w, "Too many attempts", http.StatusTooManyRequests)
				return
			}
			w.Write(got.Body.Bytes())
		},
		"it redirects clients that are refused": func(a *api, w http.ResponseWriter, r *http.Request) {
			got := httptest.NewRecorder()
			if a.ServeHTTP(got, r); got.Code >= 400 {
				http.Redirect(w, r, "/", http.StatusFound)
				return
			}
			w.Write(got.Body.Bytes())
		},
		"it says the right things to everybody": func(a *api, w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/api/v1/auth/me", "/api/v1/auth/refresh", "/api/v1/items/1":
				if r.Method != http.MethodDelete {
					writeError(w, r, a.log, &token.Error{Reason: token.BadSignature, Message: badSignature})
					return
				}
			}
			a.ServeHTTP(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, "-rotate-refresh")
			want := notMade(t, a)
			for _, row := range attackRowsOf(t) {
				if want[row.ID] == "" {
					want[row.ID] = attack.Unexpected
				}
			}
			got, err := assail(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { front(a, w, r) }))
			if !maps.Equal(verdicts(got.Attacks), want) || statusAfter(err) != 1 {
				t.Errorf("%v, %+v; want none of them counted as refused", err, got.Attacks)
			}
			if !strings.HasPrefix(got.Summary, "0 of 28 refused; 28 answered in an unexpected way") {
				t.Errorf("the summary is %q", got.Summary)
			}
		})
	}
}

// runAttack runs shelf attack with its arguments.
func runAttack(t *testing.T, ctx context.Context, args ...string) (status int, stdout, problem string) {
	t.Helper()
	var out bytes.Buffer
	err := attack.Command(ctx, args, func(string) string { return "" }, &out)
	return statusAfter(err), out.String(), errorText(err)
}

// What is not on this machine for certain is not attacked, nor what is no
// address alone.
func TestAttackCommandTarget(t *testing.T) {
	t.Parallel()
	const foreign, malformed, more = "is not this machine", "is no address of a server", "give the server's address alone"
	for target, want := range map[string]string{
		"http://192.0.2.1":                   foreign,
		"https://shelf.example":              foreign,
		"http://localhost.example":           foreign,
		"http://127.0.0.1.example":           foreign,
		"http://shelf.localhost":             foreign, // may be in the DNS of another
		"http://localhost.":                  foreign,
		"http://0.0.0.0:8080":                foreign,
		"http://2130706433":                  foreign,
		"http://[2001:db8::1]:8080":          foreign,
		"http://[::ffff:192.0.2.1]":          foreign,
		"http://ann@127.0.0.1:8080":          more,
		"http://127.0.0.1:8080@192.0.2.1":    more,
		"http://127.0.0.1:8080/api/v1":       more,
		"http://127.0.0.1:8080/?a=b":         more,
		"http://127.0.0.1:8080#192.0.2.1":    more,
		"localhost:8080":                     malformed,
		"ftp://localhost":                    malformed,
		"http://":                            malformed,
		"http://127.0.0.1:port":              malformed,
		"http://127.0.0.1\\@192.0.2.1":       malformed,
		"http://127.0.0.1\x1b[2J":            malformed,
		"-yes":                               "attack has no flag -yes",
		"http://127.0.0.1:1 -yes-i-own-it":   "no server answers at http://127.0.0.1:1 (",
		"-yes-i-own-it ftp://shelf.example":  malformed,
		"-yes-i-own-it http://me@192.0.2.1/": more,
	} {
		status, stdout, problem := runAttack(t, t.Context(), strings.Fields(target)...)
		if status != 2 || stdout != "" || !strings.Contains(problem, want) || strings.Contains(problem, "\x1b") {
			t.Errorf("shelf attack %s: exit status %d, %q; want 2 and %q", target, status, problem, want)
		}
	}
}

// A shelf with a certificate that it made itself can be attacked.
func TestAttackCommandTLS(t *testing.T) {
	t.Parallel()
	srv := httptest.NewTLSServer(newAPI(t))
	defer srv.Close()
	status, stdout, problem := runAttack(t, t.Context(), srv.URL)
	if status != 0 {
		t.Errorf("exit status %d, %s\n%s", status, problem, stdout)
	}
	wantNarrow(t, strings.ReplaceAll(stdout[:strings.LastIndex(stdout, "\n\n")], "…", "."))
	wantText(t, stdout,
		"attack               answer                                         verdict\n",
		"payload-edited       422 Signature verification failed              refused\n",
		"others-item-deleted  403 Only the creator of an item or an admin …  refused\n",
		"expired              -                                              needs -lab\n",
		"\n27 of 27 refused; 1 is for a server with -rotate-refresh; 2 need the lab's clock (start shelf with -lab and set SHELF_LAB_TOKEN)\n")
}

// Where there is no shelf, the exit status says that nothing was tried, and no
// other server is asked in its place.
func TestAttackCommandNoShelf(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirect was followed")
	}))
	defer other.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	for name, tt := range map[string]struct {
		handler http.HandlerFunc // nil: nothing listens
		want    string
	}{
		"nothing":      {nil, "connect"},
		"another site": {http.NotFound, "POST /api/v1/auth/signup: the server answers 404"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusPermanentRedirect)
		}, "POST /api/v1/auth/signup: the server answers 308"},
		"something in JSON": {func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(`{"data":[{}]}`)) }, "POST /api/v1/auth/signup does not return two tokens: the server answers 200"},
		"a shelf that is busy": {func(w http.ResponseWriter, r *http.Request) {
			reply.JSON(w, http.StatusTooManyRequests, map[string]string{"error": tooManyText})
		}, "the server answers 429 " + tooManyText},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := closed.URL
			if tt.handler != nil {
				srv := httptest.NewServer(tt.handler)
				defer srv.Close()
				url = srv.URL
			}
			status, stdout, problem := runAttack(t, t.Context(), url)
			if status != 2 || stdout != "" || !strings.Contains(problem, tt.want) || strings.Contains(problem, "may still be there") {
				t.Errorf("exit status %d, %q, %q; want 2 and %q", status, stdout, problem, tt.want)
			}
		})
	}
}

// Whenever it is interrupted, it leaves no account and no item behind, also
// where it doesn't know whether they were made.
func TestAttackCommandInterrupted(t *testing.T) {
	t.Parallel()
	for moment := 1; moment < 72; moment += 4 { // the number of the request in whose midst it happens
		t.Run(fmt.Sprint(moment), func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			var requests atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1) == int32(moment) {
					interrupt()
					a.ServeHTTP(httptest.NewRecorder(), r)
					panic(http.ErrAbortHandler) // the answer is lost
				}
				a.ServeHTTP(w, r)
			}))
			defer srv.Close()
			status, _, problem := runAttack(t, ctx, srv.URL)
			if moment > 3 && problem != "interrupted: its accounts are deleted" || moment <= 3 && status != 2 {
				t.Errorf("exit status %d, %q; want that it was interrupted", status, problem)
			}
			if users, items, _ := a.store.counts(); users != 0 || items != 0 {
				t.Errorf("%d accounts and %d items are left", users, items)
			}
		})
	}
}

// An account that can't be deleted is named, so that its owner can.
func TestAttackCommandLeftover(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete && r.URL.Path == "/api/v1/auth/me" {
			writeError(w, r, a.log, history.ErrReadOnly)
			return
		}
		a.ServeHTTP(w, r)
	}))
	defer srv.Close()
	status, stdout, problem := runAttack(t, t.Context(), srv.URL)
	if status != 1 || !strings.Contains(stdout, "26 of 27 refused; 1 answered") {
		t.Errorf("exit status %d\n%s\nwant 1, for the accounts and the attack that deletes one", status, stdout)
	}
	left, _ := a.store.usersAfter(0, 10)
	if len(left) != 4 {
		t.Fatalf("%d accounts are left; want all four", len(left))
	}
	for _, u := range left {
		wantText(t, problem, u.Username+" may still be there: DELETE /api/v1/auth/me: the server answers 503")
	}
}

// A server can't make it print a token, be it by sending it back.
func TestAttackCommandSecrets(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := httptest.NewRecorder()
		switch a.ServeHTTP(got, r); {
		case r.URL.RawQuery != "":
			panic(http.ErrAbortHandler) // the client's error has the address in it
		case got.Code >= 400:
			reply.JSON(w, got.Code, map[string]string{"error": "\x1b[2J" + cmp.Or(bearerOf(r), r.Header.Get("Cookie"))})
		default:
			w.Write(got.Body.Bytes())
		}
	}))
	defer srv.Close()
	for _, format := range []string{"-json=false", "-json"} {
		status, stdout, problem := runAttack(t, t.Context(), format, srv.URL)
		if status != 1 || !strings.Contains(stdout, "token-in-query") || !strings.Contains(stdout, "(an error with a token in it)") {
			t.Errorf("exit status %d, %s\n%s", status, problem, stdout)
		}
		rejectText(t, stdout+problem, "eyJ", "\x1b", "b00k")
	}
}

// A row that is no refusal is told in full: what the attack is, what was
// expected, and where to look.
func TestAttackCommandReport(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.config.sharedWrites = true
	srv := httptest.NewServer(a)
	defer srv.Close()
	status, stdout, problem := runAttack(t, t.Context(), srv.URL)
	if status != 1 || problem != "not every attack was refused as it should be" {
		t.Errorf("exit status %d, %q", status, problem)
	}
	for line := range strings.Lines(stdout[:strings.LastIndex(stdout, "\n\n")]) {
		if !strings.HasPrefix(line, "  https://") { // which must stay whole, to be followed
			wantNarrow(t, strings.ReplaceAll(line, "…", "."))
		}
	}
	wantText(t, stdout, "others-item-changed  200                                            GOT THROUGH\n  Another account's item is changed: the server accepted it.\n  The token is genuine, but",
		"store.go: (terms).check", "https://owasp.org/API-Security/editions/2023/en/0xa1-broken-object-level-authorization/",
		"\n25 of 27 refused; 2 GOT THROUGH; 1 is for a server with -rotate-refresh; 2 need the lab's clock")
}

// With the lab's clock every attack is made, and the clock is as it was after.
func TestAttackCommandLab(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]string{
		"the machine's time":    "",
		"a clock that runs":     `{"advance":"3d"}`,
		"a clock that is still": `{"now":"2030-01-01T00:00:00Z","freeze":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newLabAPI(t)
			if set != "" {
				a.setClock(set)
			}
			was := a.labClock()
			got, err := assail(t, a, "SHELF_LAB_TOKEN", a.config.labToken)
			if !maps.Equal(verdicts(got.Attacks), notMade(t, a)) || err != nil || got.Summary != "29 of 29 refused; 1 is for a server with -rotate-refresh" {
				t.Errorf("%q, %v, %v", got.Summary, verdicts(got.Attacks), err)
			}
			is := a.labClock()
			drift := is.Now.Sub(was.Now) - is.real.Sub(was.real)
			switch {
			case is.Frozen != was.Frozen, was.Frozen && !is.Now.Equal(was.Now), !was.Frozen && drift.Abs() > time.Minute:
				t.Errorf("the clock was %+v and is %+v", was, is)
			}
		})
	}
}

// Where the lab turns the command away, the attacks that need it prove nothing.
func TestAttackCommandLabRefused(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]*api{"another secret": newLabAPI(t), "no lab": newAPI(t)} {
		got, err := assail(t, a, "SHELF_LAB_TOKEN", "not-the-secret-of-that-lab")
		want := map[string]attack.Verdict{"expired": attack.Unexpected, "not-yet-valid": attack.Unexpected, "refresh-replayed": attack.NotRotated}
		if !maps.Equal(verdicts(got.Attacks), want) || statusAfter(err) != 1 {
			t.Errorf("%s: %v, %v; want %v", name, verdicts(got.Attacks), err, want)
		}
	}
}

// A labReading is what the lab's clock shows, and when that was.
type labReading struct {
	Now    time.Time
	Frozen bool
	real   time.Time
}

func (a *api) labClock() (r labReading) {
	a.t.Helper()
	a.inLab().send("GET /lab/clock").decode(&r)
	r.real = clock.Real()
	return r
}
