package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// errNoTerminal says that there is no echo to hide input from.
var errNoTerminal = errors.New("not a terminal")

// ReadNewPassword asks for a password on a terminal, without echo and twice.
// What is no terminal it reads one line from. It is never an argument, which
// any user of the machine can read with ps (CWE-214). Whatever ends it, ctx
// included, the terminal is left as it was.
func ReadNewPassword(ctx context.Context, stdin io.Reader, prompts io.Writer, whose string) (password string, err error) {
	lines := bufio.NewReader(io.LimitReader(stdin, 64<<10))
	restore, err := hideInput(stdin)
	if errors.Is(err, errNoTerminal) {
		return readPassword(ctx, lines)
	}
	if err != nil {
		return "", fmt.Errorf("can't hide what you would type, so give the password on standard input: %w", err)
	}
	defer func() {
		if restoreErr := restore(); restoreErr != nil && err == nil {
			err = fmt.Errorf("the terminal's echo is still off: %w", restoreErr)
		}
	}()
	ask := func(prompt string) (string, error) {
		fmt.Fprint(prompts, prompt)
		p, err := readPassword(ctx, lines)
		fmt.Fprintln(prompts) // the one typed had no echo either
		return p, err
	}
	if password, err = ask("New password for " + whose + ": "); err != nil {
		return "", err
	}
	again, err := ask("The same again: ")
	if err == nil && again != password {
		err = errors.New("the two passwords differ: nothing was changed")
	}
	return password, err
}

// Interrupted is the error of a command that ends because the person, or the
// system, asked for it. It says what was kept.
type Interrupted string

func (kept Interrupted) Error() string { return "interrupted: " + string(kept) }

// readPassword reads one line, until ctx is done. Reading can't be called off:
// in that case it is left behind, and ends with the process.
func readPassword(ctx context.Context, in *bufio.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		line, err := in.ReadString('\n')
		read <- result{line, err}
	}()
	var r result
	select {
	case <-ctx.Done():
		return "", Interrupted("nothing was changed")
	case r = <-read:
	}
	line := strings.TrimSuffix(strings.TrimSuffix(r.line, "\n"), "\r")
	switch {
	case r.err != nil && r.err != io.EOF:
		return "", fmt.Errorf("reading the password: %w", r.err)
	case r.err == io.EOF && line == "":
		return "", errors.New("no password given: nothing was changed")
	case !utf8.ValidString(line): // no request could ever hold it
		return "", errors.New("the password is not UTF-8: nothing was changed")
	}
	return line, nil
}
