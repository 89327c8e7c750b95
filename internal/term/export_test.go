package term

import "io"

// NewTerminal is a Screen on a terminal, which w stands for.
func NewTerminal(w io.Writer, env map[string]string) *Screen {
	s := NewScreen(w, func(name string) string { return env[name] })
	s.terminal, s.plain = true, env["NO_COLOR"] != "" || env["TERM"] == "dumb"
	return s
}
