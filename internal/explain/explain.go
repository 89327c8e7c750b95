// Package explain shows a person at a terminal what a token contains and how
// the server judges it. It also has the greeting, the end of the help, and the
// tour through the code.
//
// Token prints the result of each check, then the header and the claims, each
// with a note. The package has no rules of its own: a Server passes the
// functions by which the server itself judges.
package explain

import (
	"bufio"
	"bytes"
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

// ErrRefused ends shelf explain with status 1. Everything else was printed.
var ErrRefused = errors.New("the token is refused")

// Command is the command shelf explain. prepare reads the flags in args and
// returns a function, which Command calls once it has a token. Exit status 0:
// the token is good; 1: it is refused, and the error is [ErrRefused]; 2: it
// could not be judged.
func Command(args []string, stdin io.Reader, stdout, stderr io.Writer, prepare func(flags []string) (open func() (Server, error), err error)) error {
	err := command(args, stdin, stdout, stderr, prepare)
	if err == nil || err == ErrRefused || errors.Is(err, flag.ErrHelp) {
		return err
	}
	return config.Failed(2, err)
}

func command(args []string, stdin io.Reader, stdout, stderr io.Writer, prepare func(flags []string) (open func() (Server, error), err error)) error {
	text, flags := Argument(args)
	open, err := prepare(flags)
	if err != nil {
		return err
	}
	if text == "" {
		if text, err = Read(stdin, stderr); err != nil {
			return err
		}
		if strings.TrimSpace(text) == "" {
			return errors.New("no token given")
		}
	}
	s, err := open()
	if err != nil {
		return err
	}
	if !s.Token(stdout, Bare(text)) {
		return ErrRefused
	}
	return nil
}

// Argument takes the token out of the arguments: the first argument, or the
// last one after flags if it begins like a header in base64url. The rest are
// flags. A token among the flags would be shown in full by an error.
func Argument(args []string) (text string, rest []string) {
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

// Read reads a token from standard input. On a terminal it reads one line.
func Read(stdin io.Reader, stderr io.Writer) (string, error) {
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

// Bare removes what people copy with a token: the name of the header, the
// scheme, quotes and blanks.
func Bare(text string) string {
	text = strings.Trim(text, " \t\r\n\"'")
	for _, prefix := range []string{"authorization:", "x-access-token:", "bearer "} {
		if len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix) {
			text = strings.TrimLeft(text[len(prefix):], " ")
		}
	}
	return text
}

// A User is the server's knowledge of a user.
type User struct {
	ID              int
	Name            string // an e-mail address or a username
	Admin, Disabled bool
}

// A Record is the server's knowledge of a token.
type Record struct {
	ID    int
	Owner int    // id of a User
	Ended string // when and by what the token was ended, in words; "": it was not
}

// A Server is the source of an explanation. Its functions are those by which
// the server itself judges.
type Server struct {
	Keys *token.Keyring
	Now  time.Time
	// Judge returns the type of a good token and the name of its user. It
	// refuses any other token with a *token.Error.
	Judge func(text string) (typ, name string, err error)
	// Find returns the user with that public ID, and the record of the token
	// with that jti. Each is nil if it is not found.
	Find func(publicID, jti string) (*User, *Record)
}

// Token prints an explanation of a token and reports whether it is good. The
// server decides, so the explanation can't disagree with it: the passed checks
// are those before the one that refused. Content that the signature doesn't
// protect is marked.
func (s Server) Token(w io.Writer, text string) (good bool) {
	e := &explanation{Server: s, w: w, text: text, refused: token.Revoked + 1}
	e.parts = strings.Split(text, ".")
	if len(text) <= token.MaxLength {
		e.header, e.headerErr = decodePart(e.parts[0])
		if len(e.parts) > 1 {
			e.claims, e.claimsErr = decodePart(e.parts[1])
		}
	}
	typ, name, err := s.Judge(text)
	var refusal *token.Error
	if errors.As(err, &refusal) {
		e.refused = refusal.Reason
		fmt.Fprintf(w, "refused: %s\n", term.Printable(refusal.Message))
	} else {
		fmt.Fprintf(w, "good: %s token of %s\n", article(typ), term.Printable(name))
	}
	e.user, e.record = e.find()
	e.printChecks(refusal)
	if len(text) > token.MaxLength {
		return false // its content is not read
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

// decodePart decodes a header or claims, to show them. It also accepts
// base64url with padding.
func decodePart(part string) (strictjson.Object, error) {
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(part, "="))
	if err != nil {
		return nil, errors.New("not base64url")
	}
	members, err := strictjson.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("not a clear JSON object: %w", err)
	}
	return members, nil
}

// An explanation is the knowledge of one token.
type explanation struct {
	Server
	w         io.Writer
	text      string
	parts     []string
	header    strictjson.Object
	headerErr error
	claims    strictjson.Object
	claimsErr error
	refused   token.Reason // above Revoked for a good token
	user      *User        // named by the claims; nil if the store has no such user
	record    *Record      // of the token that the claims name
}

func (e *explanation) verified() bool { return e.refused > token.BadSignature }

func (e *explanation) find() (*User, *Record) {
	subject, _ := e.claims.Text("sub")
	id, _ := e.claims.Text("jti")
	return e.Find(subject, id)
}

// checks are the checks of a token, each with the last reason for which it
// refuses one. Reasons are in the order of the checks.
var checks = []struct {
	name string
	last token.Reason
}{
	{"text", token.BadText},
	{"algorithm", token.BadAlgorithm},
	{"signature", token.BadSignature},
	{"times", token.Expired},
	{"claims", token.BadClaims},
	{"type", token.WrongType},
	{"user", token.Disabled},
	{"revocation", token.Revoked},
}

// printChecks prints the result of each check. refusal is nil if all were
// passed.
func (e *explanation) printChecks(refusal *token.Error) {
	fmt.Fprintln(e.w)
	failed := false
	for _, c := range checks {
		switch {
		case failed:
			e.print(c.name, "-", "not checked")
		case e.refused > c.last:
			e.print(c.name, "pass", e.passed(c.name))
		default:
			failed = true
			e.print(c.name, "FAIL", term.Printable(refusal.Description()))
		}
	}
}

// passed returns the finding of a passed check.
func (e *explanation) passed(check string) string {
	switch check {
	case "text":
		return fmt.Sprintf("three parts, %d bytes", len(e.text))
	case "algorithm":
		alg, _ := e.header.Text("alg")
		return alg
	case "signature":
		if found, err := e.Keys.KeyFor(e.header, e.Now); err == nil {
			return "made with key " + found.ID
		}
	case "times":
		expires, _ := e.time("exp")
		if issued, ok := e.time("iat"); ok {
			return fmt.Sprintf("issued %s ago, expires in %s", span(e.Now.Sub(issued)), span(expires.Sub(e.Now)))
		}
		return "expires in " + span(expires.Sub(e.Now))
	case "claims":
		return "sub, jti and type are there, none is wrong"
	case "type":
		if typ, _ := e.claims.Text("type"); typ == token.Refresh {
			return "refresh: good for /api/v1/auth/refresh and log-out only"
		}
		return "access: good for everything but /api/v1/auth/refresh"
	case "user":
		return e.claimNote("sub")
	case "revocation":
		return e.claimNote("jti")
	}
	return ""
}

// printPart prints the header or the claims, with a note for each member.
func (e *explanation) printPart(name string, members strictjson.Object, err error, note func(name string) string) {
	vouched := ""
	if !e.verified() {
		vouched = " (NOT VERIFIED: anyone can write this)"
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

// Columns of the output, for a terminal of 80.
const (
	factColumn = 14
	noteColumn = 20
)

// print prints a name, a fact and a note in three columns. A long fact moves
// its note to the right or to the next line. A fact longer than a line is cut.
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

// headerNote returns the note for a member of the header.
func (e *explanation) headerNote(name string) string {
	switch name {
	case "kid":
		id, _ := e.header.Text("kid")
		k := e.Keys.Key(id)
		switch {
		case k == nil:
			return "no key of this server"
		case k == e.Keys.Keys()[0]:
			return "the key that signs"
		case !k.Until.IsZero():
			return "a former key, which verifies until " + k.Until.UTC().Format(minuteTime)
		}
		return "a former key"
	case "jku", "jwk", "x5u", "x5c":
		return "never used"
	}
	return ""
}

// claimNote returns the note for a claim.
func (e *explanation) claimNote(name string) string {
	switch name {
	case "exp", "iat", "nbf":
		at, ok := e.time(name)
		if !ok {
			return "no valid time"
		}
		date := at.Format(", 2006-01-02 15:04:05 UTC")
		if at.After(e.Now) {
			words := map[string]string{"exp": "expires in ", "iat": "issued only in ", "nbf": "valid only in "}
			return words[name] + span(at.Sub(e.Now)) + date
		}
		words := map[string]string{"exp": "expired ", "iat": "issued ", "nbf": "valid since "}
		return words[name] + span(e.Now.Sub(at)) + " ago" + date
	case "sub":
		if e.user == nil {
			return "no account of this store"
		}
		who := fmt.Sprintf("user %d, %s", e.user.ID, term.Printable(e.user.Name))
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
		case e.user == nil || e.record.Owner != e.user.ID:
			return fmt.Sprintf("token %d, of another account", e.record.ID)
		case e.record.Ended != "":
			return fmt.Sprintf("token %d, %s", e.record.ID, term.Printable(e.record.Ended))
		}
		return fmt.Sprintf("token %d, not revoked", e.record.ID)
	}
	return ""
}

// time returns the time in a claim.
func (e *explanation) time(name string) (time.Time, bool) {
	return token.Time(e.claims, name)
}

// minuteTime is the format of times in commands.
const minuteTime = "2006-01-02 15:04 UTC"

// article returns a word with its article.
func article(word string) string {
	if strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}

// span returns a duration in words: 45s, 12m, 3h 5m, 29d 23h.
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

// oneLine returns a JSON value without blanks between its parts.
func oneLine(value json.RawMessage) string {
	var line bytes.Buffer
	if json.Compact(&line, value) != nil {
		return string(value)
	}
	return line.String()
}
