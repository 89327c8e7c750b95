package main

import (
	"slices"
	"testing"
)

// An attack is one row of the table: a sentence that says what an attacker is
// denied, where the rule comes from, and the proof. Run attacks a, a server of
// its own with the program's own flags; a row that needs other flags starts
// another with newAPI(t, …).
type attack struct {
	name   string
	source string
	run    func(t *testing.T, a *api)
}

// tokenAttacks are the rows about tokens and the life of a session.
var tokenAttacks []attack

// Every attack goes through ServeHTTP of the whole server.
func TestAttack(t *testing.T) {
	t.Parallel()
	for _, row := range slices.Concat(tokenAttacks, accountAttacks) {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.run(t, newAPI(t))
		})
	}
}
