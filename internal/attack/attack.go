// Package attack sends forged tokens and forbidden requests to a running shelf,
// and checks the responses. It creates throw-away accounts, makes each attack
// of console/attacks.json from one of them against another, and deletes them.
// Before each attack the same request with a valid token must succeed, because
// a server that denies everything proves nothing. The package knows what any
// client knows, and no key. docs/security.md says how to run it.
package attack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"

	"example.com/shelf/console"
	"example.com/shelf/internal/config"
	"example.com/shelf/internal/term"
)

// A Row is one attack of console/attacks.json, the only list of attacks. shelf
// attack runs it, the console's lab fetches it, and tests use its ids. The
// members are described here, because JSON has no comments.
type Row struct {
	ID          string `json:"id"`          // kebab-case; names the function that forges it, here and in the console
	Title       string `json:"title"`       // a short sentence
	Request     string `json:"request"`     // "METHOD PATH"; {item} is an item of another account, {token} a token of the attacker
	Lab         bool   `json:"lab"`         // needs a shelf with -lab, to move the clock
	Rotation    bool   `json:"rotation"`    // needs a shelf with -rotate-refresh
	Held        bool   `json:"held"`        // holds a body back; a web page can't, as browsers send whole bodies
	Explanation string `json:"explanation"` // two sentences: the attack, and its defence
	Defence     string `json:"defence"`     // the defence in the code: "FILE: FUNCTION"; checked by a test
	Source      string `json:"source"`      // the document with the rule
	URL         string `json:"url"`         // of that document
	Expect      struct {
		Status      int    `json:"status"`
		Error       string `json:"error"`       // the whole error
		Description string `json:"description"` // part of error_description (RFC 6750 §3); "": any
	} `json:"expect"` // the only response that counts as refused
}

// isAnsweredBy reports whether a status is the expected one. A server may answer 401 to
// every bad token, by -bad-token-status.
func (a Row) isAnsweredBy(status int) bool {
	return status == a.Expect.Status || status == http.StatusUnauthorized && a.Expect.Status == http.StatusUnprocessableEntity
}

func readRows() (rows []Row, err error) {
	const name = "attacks.json"
	text, err := console.Files.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(text, &rows)
	}
	if err != nil {
		return nil, fmt.Errorf("console/%s: %w", name, err)
	}
	return rows, nil
}

// A Verdict is the result of an attack.
type Verdict string

const (
	Refused    Verdict = "refused"     // with the expected status and error
	GotThrough Verdict = "GOT THROUGH" // the server did what was asked
	Unexpected Verdict = "unexpected"  // another response, or none: proves nothing
	NeedsLab   Verdict = "needs -lab"
	NotRotated Verdict = "not rotated" // needs refresh tokens for one use, which the server doesn't issue
)

// A Result is one row of the report.
type Result struct {
	ID      string  `json:"id"`
	Title   string  `json:"title"`
	Status  int     `json:"status"` // of the response; 0 if there was none
	Error   string  `json:"error"`  // of the response; at most 100 characters
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail,omitempty"` // why the verdict isn't "refused"
}

// Options are the target and the settings of a run.
type Options struct {
	URL       string // http://HOST:PORT of the server
	Owned     bool   // the server is the user's own, so it may be on another machine
	LabSecret string // of the server's lab; "": leave the clock alone
	JSON      bool   // print one document at the end instead of a table
	Stdout    io.Writer
}

// A NotMade is the reason why no attack was made.
type NotMade struct{ error }

func (e *NotMade) Unwrap() error { return e.error }

// Command is the command shelf attack, with arguments and environment. It fails
// as [Run] does. If no attack was made, or args are wrong, the exit status is
// 2.
func Command(ctx context.Context, args []string, env func(name string) string, stdout io.Writer) error {
	const usage = "usage: shelf attack [-json] [-yes-i-own-it] [URL]"
	flags := flag.NewFlagSet("attack", flag.ContinueOnError)
	asDocument := flags.Bool("json", false, "")
	owned := flags.Bool("yes-i-own-it", false, "")
	target, err := config.FileArgument(flags, usage, args)
	if err != nil {
		return err
	}
	err = Run(ctx, Options{
		URL:       cmp.Or(target, env("SHELF_URL"), "http://127.0.0.1:8080"),
		Owned:     *owned,
		LabSecret: env("SHELF_LAB_TOKEN"),
		JSON:      *asDocument,
		Stdout:    stdout,
	})
	if notMade, ok := errors.AsType[*NotMade](err); ok {
		return config.Failed(2, notMade)
	}
	return err
}

// Run attacks a server and prints the results. It never prints a token. When
// ctx ends, Run deletes its accounts and stops. It fails with [NotMade] if no
// attack was made, and with another error if an attack was not refused as
// expected or an account remains.
func Run(ctx context.Context, o Options) error {
	rows, err := readRows()
	if err != nil {
		return err
	}
	a, err := newAssault(o.URL, o.Owned)
	if err != nil {
		return &NotMade{err}
	}
	defer a.client.CloseIdleConnections()
	a.labSecret = o.LabSecret
	// Run waits for the sign-ups: an abandoned one could create an account
	// after tidy.
	if err := a.prepare(context.WithoutCancel(ctx)); err != nil {
		return &NotMade{errors.Join(a.unprepared(err), a.tidy(ctx))}
	}
	var results []Result
	if !o.JSON {
		fmt.Fprintf(o.Stdout, line, "attack", "answer", "verdict")
	}
	for _, row := range rows {
		r := a.run(ctx, row)
		if ctx.Err() != nil {
			break // the result of this attack is unknown
		}
		results = append(results, r)
		if !o.JSON {
			r.print(o.Stdout, row)
		}
	}
	tidied := a.tidy(ctx)
	if err := report(o, a.base, results); err != nil {
		return err
	}
	if len(results) < len(rows) {
		if tidied == nil {
			return term.Interrupted("its accounts are deleted")
		}
		return tidied
	}
	for _, r := range results {
		if r.Verdict == GotThrough || r.Verdict == Unexpected {
			return errors.Join(errors.New("not every attack was refused as it should be"), tidied)
		}
	}
	return tidied
}

// report prints the last line of the table, or all results as one document.
func report(o Options, base string, results []Result) error {
	outcome := summary(results)
	if !o.JSON {
		fmt.Fprintf(o.Stdout, "\n%s\n", outcome)
		return nil
	}
	text, err := json.MarshalIndent(struct {
		URL     string   `json:"url"`
		Summary string   `json:"summary"`
		Attacks []Result `json:"attacks"`
	}{base, outcome, results}, "", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Stdout, "%s\n", text)
	return nil
}

// line is the format of a table row, 79 columns wide.
const line = "%-19s  %-45s  %s\n"

// print prints a result. For an unexpected one it adds an explanation.
func (r Result) print(w io.Writer, row Row) {
	answer := "-"
	if r.Status != 0 {
		answer = strings.TrimSpace(fmt.Sprint(r.Status, " ", r.Error))
	}
	fmt.Fprintf(w, line, r.ID, term.Clip(answer, 45), r.Verdict)
	if r.Verdict != GotThrough && r.Verdict != Unexpected {
		return
	}
	paragraphs := []string{
		row.Title + ": " + r.Detail + ".",
		row.Explanation,
		fmt.Sprintf("Want %d %s. Look at %s, and read %s:", row.Expect.Status, row.Expect.Error, row.Defence, row.Source),
	}
	for _, p := range paragraphs {
		for _, line := range term.Wrap(p, term.Width-2) {
			fmt.Fprintln(w, "  "+line)
		}
	}
	fmt.Fprintln(w, "  "+row.URL)
}

// summary returns the last line: how many attacks were refused, and what
// happened to the others.
func summary(results []Result) string {
	n := map[Verdict]int{}
	for _, r := range results {
		n[r.Verdict]++
	}
	text := fmt.Sprintf("%d of %d refused", n[Refused], len(results)-n[NeedsLab]-n[NotRotated])
	if n[GotThrough] > 0 {
		text += fmt.Sprintf("; %d GOT THROUGH", n[GotThrough])
	}
	if n[Unexpected] > 0 {
		text += fmt.Sprintf("; %d answered in an unexpected way, which proves nothing", n[Unexpected])
	}
	if n[NotRotated] > 0 {
		text += fmt.Sprintf("; %d is for a server with -rotate-refresh", n[NotRotated])
	}
	if n[NeedsLab] > 0 {
		text += fmt.Sprintf("; %d need the lab's clock (start shelf with -lab and set SHELF_LAB_TOKEN)", n[NeedsLab])
	}
	return text
}
