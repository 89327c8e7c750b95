package program_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// onTerminal starts a command whose streams are all one terminal, but for its output.
func onTerminal(t *testing.T, cmd *exec.Cmd) (p *program, keyboard *os.File) {
	t.Helper()
	keyboard, tty := openPTY(t)
	cmd.Stdin, cmd.Stderr = tty, tty
	p = launch(t, cmd)
	go func() {
		shown := make([]byte, 4096)
		for {
			n, err := keyboard.Read(shown)
			if err != nil {
				return
			}
			p.stderr.Write(shown[:n])
		}
	}()
	return p, keyboard
}

// On a terminal, shelf asks before what can't be undone. Any answer but yes changes
// nothing. -y says yes, and a script isn't asked.
func TestConfirm(t *testing.T) {
	t.Parallel()
	const asks = "Go on? [y/N] "
	for i, command := range []struct {
		args, question string
		done           string // in the output
	}{
		{"user delete ann", "deletes the account ann (user 1) and ends its sign-ins", "is deleted"},
		{"key rotate -now", "ends the keys of shelf.jsonl at once", "signs"},
		{"import db.json", "shelf.jsonl holds 1 user, 0 items, 0 books.", "imported 0 items, 1 book"},
		{"export -o out.json", "out.json is there already (2 bytes, of ", ""},
	} {
		for _, tt := range []struct {
			typed  string // "" for a script, "-y" for the flag
			status int
			rare   bool
		}{
			{"n\n", 1, false}, {"y\n", 0, false}, {"-y", 0, false}, {"", 0, false},
			{"\n", 1, true}, {"ye\n", 1, true}, {"\x04", 1, true}, {"^C", 130, true}, {"YES\n", 0, true},
		} {
			if i > 0 && tt.rare {
				continue // all answers are judged in one place
			}
			t.Run(fmt.Sprintf("%s, %q", command.args, tt.typed), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				addAnn(t, dir)
				writeTestFile(t, dir, "db.json", `{"books":[{"title":"Dune","author":"Frank Herbert"}]}`)
				writeTestFile(t, dir, "out.json", "{}")
				before := readTestFile(t, dir, "shelf.jsonl")
				args := strings.Fields(command.args)
				if tt.typed == "-y" {
					args = append(args, "-y")
				}
				var p *program
				var keyboard *os.File
				if tt.typed == "" {
					p = launch(t, shelfCommand(t, dir, nil, args...))
				} else {
					p, keyboard = onTerminal(t, shelfCommand(t, dir, nil, args...))
				}
				switch tt.typed {
				case "", "-y":
				case "^C":
					p.await(p.stderr, asks)
					p.cmd.Process.Signal(os.Interrupt) // as the terminal of a shell does
				default:
					p.await(p.stderr, asks)
					fmt.Fprint(keyboard, tt.typed)
				}
				if status := p.wait(); status != tt.status {
					t.Fatalf("status %d; want %d; it says %s", status, tt.status, p.stderr)
				}
				if asked := strings.Contains(p.stderr.String(), asks); asked != (tt.typed != "" && tt.typed != "-y") {
					t.Errorf("it asks: %v; it says %s", asked, p.stderr)
				} else if asked && !strings.Contains(strings.ReplaceAll(p.stderr.String(), "\r\n", " "), command.question) {
					t.Errorf("it asks %s; want %s", p.stderr, command.question)
				}
				if tt.status != 0 {
					waitUntil(t, "it says what was changed", func() bool { return strings.Contains(p.stderr.String(), "nothing was changed") })
					if readTestFile(t, dir, "shelf.jsonl") != before || readTestFile(t, dir, "out.json") != "{}" || exists(dir+"/shelf.key") {
						t.Error("something was changed")
					}
				} else if !strings.Contains(p.stdout.String(), command.done) || command.done == "" && readTestFile(t, dir, "out.json") == "{}" {
					t.Errorf("it did not do it: %s", p.stdout)
				}
			})
		}
	}
}
