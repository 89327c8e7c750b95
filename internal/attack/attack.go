// Package attack sends forged tokens and forbidden requests to a running shelf,
// and judges the answers. It makes throw-away accounts there, fires each
// attack of console/attacks.json from one at another, and deletes them all. Before
// each attack the same request with a good token has to succeed: a server that
// refuses everything proves nothing. It knows what any client knows, and no key.
package attack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"example.com/shelf/console"
	"example.com/shelf/internal/config"
	"example.com/shelf/internal/term"
)

// A Row is one attack of console/attacks.json. That is the one list of
// attacks: shelf attack runs it, the console's lab fetches it, and the tests'
// rows bear its ids. JSON has no room for comments, so its members are
// described here.
type Row struct {
	ID          string `json:"id"`          // in kebab-case; what forges it, here and in the page, goes by it
	Title       string `json:"title"`       // a short sentence
	Request     string `json:"request"`     // what is sent: "METHOD PATH"; {item} is an item of another account, {token} a token of the attacker's
	Lab         bool   `json:"lab"`         // the clock has to be moved for it, so it takes a shelf with -lab
	Rotation    bool   `json:"rotation"`    // it takes a shelf with -rotate-refresh
	Held        bool   `json:"held"`        // a body is held back for it, which no page can do: a browser sends bodies whole
	Explanation string `json:"explanation"` // two sentences: what the attack is, and what stopped it
	Defence     string `json:"defence"`     // where that stands in the code: "FILE: FUNCTION", as a test checks
	Source      string `json:"source"`      // where the rule is written
	URL         string `json:"url"`         // and where to read that
	Expect      struct {
		Status      int    `json:"status"`
		Error       string `json:"error"`       // the whole of it
		Description string `json:"description"` // a part of the error_description (RFC 6750 §3); "" for any
	} `json:"expect"` // the one answer that counts as a refusal
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

// A Verdict is what came of an attack.
type Verdict string

const (
	Refused    Verdict = "refused"     // with the status and the error that the table wants
	GotThrough Verdict = "GOT THROUGH" // the server did what it was asked to
	Unexpected Verdict = "unexpected"  // another answer, or none: that proves nothing
	NeedsLab   Verdict = "needs -lab"
	NotRotated Verdict = "not rotated" // it is about refresh tokens of one use, which the server doesn't give
)

// A Result is a row of what is printed.
type Result struct {
	ID      string  `json:"id"`
	Title   string  `json:"title"`
	Status  int     `json:"status"` // of the answer, 0 if there was none
	Error   string  `json:"error"`  // the answer's, at most 100 characters of it
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail,omitempty"` // why it isn't "refused"
}

// Options say what to attack, and how.
type Options struct {
	URL       string // of the server: http://HOST:PORT
	Owned     bool   // it is the user's, so it may be on another machine
	LabSecret string // of the server's lab, "" for none: then the clock stays as it is
	JSON      bool   // print one document at the end, and not a table
	Stdout    io.Writer
}

// A NotMade is why no attack was made.
type NotMade struct{ error }

func (e *NotMade) Unwrap() error { return e.error }

// Command is the command shelf attack: it runs as args say, and as the environment
// does. Its errors are those of [Run]; where no attack was made, or args are wrong,
// the exit status is 2.
func Command(ctx context.Context, args []string, env func(name string) string, stdout io.Writer) error {
	const usage = "usage: shelf attack [-json] [-yes-i-own-it] [URL]"
	flags := flag.NewFlagSet("shelf attack", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	asDocument := flags.Bool("json", false, "")
	owned := flags.Bool("yes-i-own-it", false, "")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return config.Failed(2, fmt.Errorf("%w (%s)", err, usage))
	case flags.NArg() > 1:
		return config.Failed(2, errors.New(usage))
	}
	err = Run(ctx, Options{
		URL:       cmp.Or(flags.Arg(0), env("SHELF_URL"), "http://127.0.0.1:8080"),
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

// Run attacks a server, and prints what came of it. It never prints a token, and
// when ctx ends it stops, but not before it has deleted its accounts. It fails
// with [NotMade] if no attack was made; with another error if not every attack
// was refused as it should be, or if an account is left.
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
	// A sign-up is waited for: one that was given up could still make an account,
	// after it was looked for.
	if err := a.prepare(context.WithoutCancel(ctx)); err != nil {
		return &NotMade{errors.Join(fmt.Errorf("%s: %w", a.base, err), a.tidy(ctx))}
	}
	var results []Result
	if !o.JSON {
		fmt.Fprintf(o.Stdout, line, "attack", "answer", "verdict")
	}
	for _, row := range rows {
		r := a.run(ctx, row)
		if ctx.Err() != nil {
			break // and nobody knows what the answer would have been
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

// report prints the last line, or all results as one document.
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

// line is a line of the table, which is 79 columns wide.
const line = "%-19s  %-45s  %s\n"

// print prints a result, and all there is to know about it unless it is good.
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

// summary is the last line: how many of how many attacks were refused, and what
// became of the others.
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
