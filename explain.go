package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/strictjson"
	"example.com/shelf/internal/term"
	"example.com/shelf/internal/token"
)

// errExplained ends shelf explain with status 1; everything else is printed.
var errExplained = errors.New("the token is refused")

// explainCommand is the command shelf explain. Exit status 0: the token is good;
// 1: it is refused; 2: it could not be judged.
func explainCommand(_ context.Context, sh shell, args []string) error {
	err := explainToken(sh, args)
	if err == nil || err == errExplained || errors.Is(err, flag.ErrHelp) {
		return err
	}
	return config.Failed(2, err)
}

// explainToken judges a token as the server with the same settings would, and says
// how it came to that. It only reads, and works beside a running server.
func explainToken(sh shell, args []string) error {
	text, args := tokenArgument(args)
	c, err := sh.parse(args)
	if err != nil {
		return err
	}
	if c.data == inMemory {
		return errors.New("a server with -data memory leaves nothing to check a token against")
	}
	if text == "" {
		if text, err = readToken(sh.stdin, sh.stderr); err != nil {
			return err
		}
		if strings.TrimSpace(text) == "" {
			return errors.New("no token given")
		}
	}
	now := sh.now()
	s := &server{config: c, now: func() time.Time { return now }}
	if s.store, _, err = loadStore(c.data); err != nil {
		return err
	}
	if s.keys, err = token.ConfiguredKeys(c.secret, c.fallbacks, c.alg); err == nil && s.keys == nil {
		s.keys, err = token.ReadKeys(token.KeyPath(c.data), c.alg, now)
	}
	if err != nil {
		return err
	}
	if !s.explain(sh.stdout, bareToken(text)) {
		return errExplained
	}
	return nil
}

// tokenArgument takes the token out of the arguments: the first, or the last
// after flags if it begins as a header in base64url must. What is left is for
// the flags; an error about one would show a token in full.
func tokenArgument(args []string) (text string, rest []string) {
	if len(args) == 0 {
		return "", nil
	}
	last := len(args) - 1
	switch {
	case !strings.HasPrefix(args[0], "-"):
		return args[0], args[1:]
	case strings.HasPrefix(args[last], "eyJ"): // {"
		return args[last], args[:last]
	}
	return "", args
}

// readToken reads a token from standard input: a line of it, if somebody sits
// there and types.
func readToken(stdin io.Reader, stderr io.Writer) (string, error) {
	if f, ok := stdin.(*os.File); ok && term.IsTerminal(f) {
		fmt.Fprint(stderr, "Paste a token, then press Enter: ")
		line, err := bufio.NewReader(stdin).ReadString('\n')
		if err == io.EOF {
			err = nil
		}
		return line, err
	}
	text, err := io.ReadAll(io.LimitReader(stdin, 2*token.MaxLength))
	return string(text), err
}

// bareToken drops what may stand around a token where people copy it from: the
// name of the header, the scheme, quotes and blanks.
func bareToken(text string) string {
	text = strings.Trim(text, " \t\r\n\"'")
	for _, prefix := range []string{"authorization:", "x-access-token:", "bearer "} {
		if len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix) {
			text = strings.TrimLeft(text[len(prefix):], " ")
		}
	}
	return text
}

// explain prints what callerOf makes of a token and reports whether it is good.
// It has no rules of its own, so it can't disagree with the server: the checks
// that were passed are those before the one that refused. What the signature
// doesn't vouch for is marked.
func (s *server) explain(w io.Writer, text string) (good bool) {
	e := &explanation{server: s, w: w, now: s.now(), text: text, refusedAt: token.CheckRevocation + 1}
	e.parts = strings.Split(text, ".")
	if len(text) <= token.MaxLength {
		e.header, e.headerErr = decodePart(e.parts[0])
		if len(e.parts) > 1 {
			e.claims, e.claimsErr = decodePart(e.parts[1])
		}
	}
	caller, err := s.callerOf(text, anyToken)
	var refusal *token.Error
	if errors.As(err, &refusal) {
		e.refusedAt = refusal.At
		fmt.Fprintf(w, "refused: %s\n", term.Printable(refusal.Message))
	} else {
		fmt.Fprintf(w, "good: %s token of %s\n", article(caller.token.Type), term.Printable(caller.user.identity()))
	}
	e.user, e.record = e.find()
	e.printChecks(refusal)
	if len(text) > token.MaxLength {
		return false // nothing in it is looked into
	}
	e.printPart("header", e.header, e.headerErr, e.headerNote)
	if len(e.parts) > 1 {
		e.printPart("claims", e.claims, e.claimsErr, e.claimNote)
	}
	if len(e.parts) > 2 {
		fmt.Fprintf(w, "\nsignature: %d characters, not shown\n", len(strings.Join(e.parts[2:], ".")))
	}
	return refusal == nil
}

// decodePart reads a header or claims to be shown, which needn't be in their
// only spelling.
func decodePart(part string) (strictjson.Object, error) {
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(part, "="))
	if err != nil {
		return nil, errors.New("not base64url")
	}
	members, err := strictjson.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("not a JSON object to rely on: %w", err)
	}
	return members, nil
}

// An explanation is what is known of a token.
type explanation struct {
	server    *server
	w         io.Writer
	now       time.Time
	text      string
	parts     []string
	header    strictjson.Object
	headerErr error
	claims    strictjson.Object
	claimsErr error
	refusedAt token.Check
	user      *user        // whom the claims name, nil if the store has nobody of that
	record    *tokenRecord // what the store knows of the token they name
}

func (e *explanation) verified() bool { return e.refusedAt > token.CheckSignature }

func (e *explanation) find() (*user, *tokenRecord) {
	subject, _ := e.claims.Text("sub")
	id, _ := e.claims.Text("jti")
	return e.server.store.userWithToken(subject, id)
}

// checkNames are the checks that a token without a request around it can stand.
var checkNames = []struct {
	check token.Check
	name  string
}{
	{token.CheckText, "text"},
	{token.CheckAlgorithm, "algorithm"},
	{token.CheckSignature, "signature"},
	{token.CheckTimes, "times"},
	{token.CheckClaims, "claims"},
	{token.CheckType, "type"},
	{token.CheckUser, "user"},
	{token.CheckRevocation, "revocation"},
}

// printChecks prints what came of each check. refusal is nil if all were passed.
func (e *explanation) printChecks(refusal *token.Error) {
	fmt.Fprintln(e.w)
	for _, c := range checkNames {
		switch {
		case c.check < e.refusedAt:
			e.print(c.name, "pass", e.passed(c.check))
		case c.check == e.refusedAt:
			e.print(c.name, "FAIL", term.Printable(refusal.Description()))
		default:
			e.print(c.name, "-", "not looked at")
		}
	}
}

// passed says what a check has found, given that it was passed.
func (e *explanation) passed(c token.Check) string {
	switch c {
	case token.CheckText:
		return fmt.Sprintf("three parts, %d bytes", len(e.text))
	case token.CheckAlgorithm:
		alg, _ := e.header.Text("alg")
		return alg
	case token.CheckSignature:
		if found, err := e.server.keys.KeyFor(e.header, e.now); err == nil {
			return "made with key " + found.ID
		}
	case token.CheckTimes:
		expires, _ := e.time("exp")
		if issued, ok := e.time("iat"); ok {
			return fmt.Sprintf("issued %s ago, expires in %s", span(e.now.Sub(issued)), span(expires.Sub(e.now)))
		}
		return "expires in " + span(expires.Sub(e.now))
	case token.CheckClaims:
		return "sub, jti and type are there, none is wrong"
	case token.CheckType:
		if typ, _ := e.claims.Text("type"); typ == token.Refresh {
			return "refresh: good for /api/v1/auth/refresh and log-out only"
		}
		return "access: good for everything but /api/v1/auth/refresh"
	case token.CheckUser:
		return e.claimNote("sub")
	case token.CheckRevocation:
		return e.claimNote("jti")
	}
	return ""
}

// printPart prints the header or the claims, each member with what note has to
// say about it.
func (e *explanation) printPart(name string, members strictjson.Object, err error, note func(name string) string) {
	vouched := ""
	if !e.verified() {
		vouched = " (NOT VERIFIED: anybody can write this)"
	}
	fmt.Fprintf(e.w, "\n%s%s\n", name, vouched)
	if err != nil {
		for _, line := range term.Wrap("can't be read: "+term.Printable(err.Error()), term.Width-2) {
			fmt.Fprintln(e.w, "  "+line)
		}
		return
	}
	for _, m := range members {
		e.print(term.Printable(m.Name), term.Printable(oneLine(m.Value)), note(m.Name))
	}
}

// The columns that explain prints in, for a terminal of 80.
const (
	factColumn = 14
	noteColumn = 20
)

// print prints a name, a fact and a note in three columns. A fact that is long
// pushes its note aside, or below; one that is too long for a line is cut.
func (e *explanation) print(name, fact, note string) {
	line := fmt.Sprintf("  %-11s %s", term.Clip(name, factColumn-3), term.Clip(fact, term.Width-factColumn))
	if note == "" {
		fmt.Fprintln(e.w, line)
		return
	}
	width := utf8.RuneCountInString(line)
	column := max(noteColumn, width+2)
	if width > noteColumn && column+utf8.RuneCountInString(note) > term.Width {
		fmt.Fprintln(e.w, line)
		line, column = "", factColumn
	}
	for _, words := range term.Wrap(note, term.Width-column) {
		fmt.Fprintln(e.w, strings.TrimRight(fmt.Sprintf("%-*s%s", column, line, words), " "))
		line = ""
	}
}

// headerNote is what there is to say about a member of the header.
func (e *explanation) headerNote(name string) string {
	switch name {
	case "kid":
		id, _ := e.header.Text("kid")
		k := e.server.keys.Key(id)
		switch {
		case k == nil:
			return "no key that verifies here"
		case k == e.server.keys.Keys()[0]:
			return "the key that signs"
		case !k.Until.IsZero():
			return "a former key, which verifies until " + k.Until.UTC().Format(minuteTime)
		}
		return "a former key"
	case "jku", "jwk", "x5u", "x5c":
		return "never looked at"
	}
	return ""
}

// claimNote is what there is to say about a claim.
func (e *explanation) claimNote(name string) string {
	switch name {
	case "exp", "iat", "nbf":
		at, ok := e.time(name)
		if !ok {
			return "no time that counts"
		}
		date := at.Format(", 2006-01-02 15:04:05 UTC")
		if at.After(e.now) {
			words := map[string]string{"exp": "expires in ", "iat": "issued only in ", "nbf": "valid only in "}
			return words[name] + span(at.Sub(e.now)) + date
		}
		words := map[string]string{"exp": "expired ", "iat": "issued ", "nbf": "valid since "}
		return words[name] + span(e.now.Sub(at)) + " ago" + date
	case "sub":
		if e.user == nil {
			return "nobody of this store"
		}
		who := fmt.Sprintf("user %d, %s", e.user.ID, term.Printable(e.user.identity()))
		if e.user.Admin {
			who += ", an admin"
		}
		if e.user.Disabled {
			who += ", disabled"
		}
		return who
	case "jti":
		switch {
		case e.record == nil:
			return "not known to this store"
		case e.user == nil || e.record.User != e.user.ID:
			return fmt.Sprintf("token %d, of somebody else", e.record.ID)
		case e.record.EndedBy != "":
			return fmt.Sprintf("token %d, %s", e.record.ID, term.Printable(endedText(e.record, e.now)))
		}
		return fmt.Sprintf("token %d, not revoked", e.record.ID)
	}
	return ""
}

// time is the moment that a claim names.
func (e *explanation) time(name string) (time.Time, bool) {
	return token.Time(e.claims, name)
}

// minuteTime is how commands write a moment.
const minuteTime = "2006-01-02 15:04 UTC"

// article is a word with its article.
func article(word string) string {
	if strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}

// span words a time as people would: 45s, 12m, 3h 5m, 29d 23h.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh %dm", d/time.Hour, d/time.Minute%60)
	}
	return fmt.Sprintf("%dd %dh", d/(24*time.Hour), d/time.Hour%24)
}

// oneLine is a JSON value without the blanks between its parts.
func oneLine(value json.RawMessage) string {
	var line bytes.Buffer
	if json.Compact(&line, value) != nil {
		return string(value)
	}
	return line.String()
}
