package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrUnconfirmed is the error of [Confirm] for any answer but yes.
var ErrUnconfirmed = errors.New("nothing was changed")

// Confirm asks a person to confirm what can't be undone. consequence says what will be
// lost. Any answer but yes is no. Confirm asks only where in and out are terminals: a
// script goes on without a question.
func Confirm(ctx context.Context, in io.Reader, out io.Writer, consequence string) error {
	if keyboard, ok := in.(io.Writer); !ok || !IsTerminal(keyboard) || !IsTerminal(out) {
		return nil
	}
	for _, line := range Wrap(consequence, Width) {
		fmt.Fprintln(out, line)
	}
	fmt.Fprint(out, "Go on? [y/N] ")
	answer, err := readLine(ctx, bufio.NewReader(in))
	if err != nil {
		fmt.Fprintln(out) // the line end of the answer is missing
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	if _, interrupted := errors.AsType[Interrupted](err); interrupted {
		return err
	}
	return ErrUnconfirmed
}
