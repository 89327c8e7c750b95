package program_test

import (
	"os"
	"strings"
	"testing"
)

// A slip on the command line is answered by the way on: one line, with status 2. Nothing
// is left behind.
func TestSlips(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args string
		want string // in the line
	}{
		{"improt db.json", "did you mean shelf import?"},
		{"Check", "did you mean shelf check?"},
		{"serve", "without a command, shelf starts the server"},
		{"-log off start", "without a command, shelf starts the server"},
		{"backup", "did you mean shelf export?"},
		{"frobnicate", `unknown command "frobnicate" (shelf help lists the commands)`},
		{"db.jsn", "did you mean shelf db.json?"},
		{"db", "did you mean the file? shelf db.json"},
		{"notes.txt", "ends in .json"},
		{"missing.json", "there is no file missing.json; -new makes the file"},
		{"import bd.json", "there is no file bd.json (did you mean db.json?)"},
		{"http://localhost/db.json", "curl -o db.json http://localhost/db.json"},
		{"db.json other.json", "more than one file: db.json, other.json"},
		{"-adr :8080", "there is no flag -adr: did you mean -addr?"},
		{"--prot 3000", "did you mean -port?"},
		{"--port 3000x", `flag -port: "3000x": want a number from 0 to 65535`},
		{"--port 3000 --addr :3000", "-addr says all that -host and -port do"},
		{"-addr", "-addr needs a value behind it: -addr HOST:PORT"},
		{"-addr localhost", "want HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:8080, or a port alone"},
		{"-bcrypt-cost 40", "4 to 15"},
		{"-v", "-log requests shows each request; shelf version"},
		{"--read-only db.json", "-guard NAME=444"},
		{"-tls-cert cert.pem", "-tls-key"},
		{"---port 3000", "---port is no flag"},
		{"user", "shelf user list, or shelf user add|passwd|admin|delete NAME"},
		{"user ad ann", "did you mean shelf user add?"},
		{"user add", "needs the name of an account: shelf user add NAME"},
		{"key rotat", "did you mean shelf key rotate?"},
		{"export -secret", "did you mean -secrets?"},
		{"export -o", "-o needs a value behind it"},
		{"import", "usage: shelf import FILE.json"},
		{"ready", "usage: shelf ready URL [-wait TIME], such as: shelf ready http://127.0.0.1:8080"},
		{"ready 127.0.0.1:8080", "want http://HOST:PORT, such as http://127.0.0.1:8080"},
		{"ping", "did you mean shelf ready?"},
		{"run -log off", "shelf run [flags] COMMAND ARGS..., such as: shelf run npm test"},
		{"version now", "usage: shelf version"},
		{"help usr", "did you mean shelf user?"},
		{"help -adr", "did you mean -addr?"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeTestFile(t, dir, "db.json", "{}")
			writeTestFile(t, dir, "notes.txt", "")
			status, stdout, stderr := runShelf(t, dir, nil, strings.Fields(tt.args)...)
			if status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "shelf: ") || !strings.Contains(stderr, tt.want) {
				t.Errorf("status %d, output %q, error %q; want 2, none, one line with %q", status, stdout, stderr, tt.want)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
				t.Errorf("the folder holds %v now, %v; want what was there", left, err)
			}
		})
	}
}
