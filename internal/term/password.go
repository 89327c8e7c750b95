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

// errNoTerminal means that there is no echo to turn off.
var errNoTerminal = errors.New("not a terminal")

// ReadNewPassword asks twice for a password on a terminal, without echo. If
// stdin is no terminal, it reads one line. A password is never an argument,
// because any user of the machine can read arguments with ps (CWE-214). The
// terminal's mode is restored in every case, also when ctx is done.
func ReadNewPassword(ctx context.Context, stdin io.Reader, prompts io.Writer, whose string) (password string, err error) {
	lines := bufio.NewReader(io.LimitReader(stdin, 64<<10))
	restore, err := hideInput(stdin)
	if errors.Is(err, errNoTerminal) {
		return readPassword(ctx, lines)
	}
	if err != nil {
		return "", fmt.Errorf("can't turn off the echo; give the password on standard input instead: %w", err)
	}
	defer func() {
		if restoreErr := restore(); restoreErr != nil && err == nil {
			err = fmt.Errorf("the echo of the terminal is still off (stty echo turns it on): %w", restoreErr)
		}
	}()
	ask := func(prompt string) (string, error) {
		fmt.Fprint(prompts, prompt)
		p, err := readPassword(ctx, lines)
		fmt.Fprintln(prompts) // the line end of the input was not echoed
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

// Interrupted is the error of a command that was interrupted by a person or the
// system. Its text says what was kept.
type Interrupted string

func (kept Interrupted) Error() string { return "interrupted: " + string(kept) }

// readPassword reads one line, until ctx is done.
func readPassword(ctx context.Context, in *bufio.Reader) (string, error) {
	line, err := readLine(ctx, in)
	_, interrupted := errors.AsType[Interrupted](err)
	switch {
	case interrupted:
		return "", err
	case errors.Is(err, io.EOF):
		return "", errors.New("no password given: nothing was changed")
	case err != nil:
		return "", fmt.Errorf("reading the password: %w", err)
	case !utf8.ValidString(line): // no request could ever contain it
		return "", errors.New("the password is not UTF-8: nothing was changed")
	}
	return line, nil
}

// readLine reads one line, until ctx is done. The last line may lack its line end; behind
// it the error is io.EOF. A blocked read can't be cancelled: it ends with the process.
func readLine(ctx context.Context, in *bufio.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		line, err := in.ReadString('\n')
		read <- result{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", Interrupted("nothing was changed")
	case r := <-read:
		if r.err == io.EOF && r.line != "" {
			r.err = nil
		}
		return strings.TrimSuffix(strings.TrimSuffix(r.line, "\n"), "\r"), r.err
	}
}
