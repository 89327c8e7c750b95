package program_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"example.com/shelf/test/built"
)

// Names with blanks and with letters of any script are as good as others, and
// .env may have the line ends of Windows.
func TestPaths(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a b, ü 日本")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	const data = "my data é.jsonl"
	writeTestFile(t, dir, ".env", "# others\r\nexport FOO\r\nSHELF_DATA=\""+data+"\"\r\nSHELF_LOG=problems \r\n")
	p := startShelf(t, dir)
	token := p.signUpAnn()
	p.send("POST /api/v1/items", token, ballForm).want(http.StatusCreated)
	p.kill()
	p = startShelf(t, dir)
	p.send("GET /api/v1/items/1", token, "").want(http.StatusOK, `"itemname":"ball"`)
	if status, _, stderr := runShelf(t, dir, nil, "export", "-o", "ex port ñ.json"); status != 0 {
		t.Errorf("shelf export = %d, %s", status, stderr)
	}
	p.kill()
	if status, stdout, _ := runShelf(t, dir, nil, "check", filepath.Join(dir, data)); status != 0 {
		t.Errorf("shelf check = %d, %s", status, stdout)
	}
	if got := readTestFile(t, dir, "ex port ñ.json"); got == "" {
		t.Error("the export is empty")
	}
}

// The command of shelf run ends it, with its own status, on every system.
func TestRunEverywhere(t *testing.T) {
	t.Parallel()
	name, err := built.Program()
	if err != nil {
		t.Fatal(err)
	}
	for want, args := range map[int][]string{0: {"version"}, 2: {"check", "nowhere.jsonl"}, 1: {"export", "nowhere.jsonl"}} {
		status, stdout, stderr := runShelf(t, t.TempDir(), nil, append([]string{"run", "--", name}, args...)...)
		if status != want || want == 0 && stdout == "" {
			t.Errorf("shelf run -- shelf %q = %d, %q, %q; want %d", args, status, stdout, stderr, want)
		}
	}
	if status, _, stderr := runShelf(t, t.TempDir(), nil, "run", "--", "no-such-command"); status != 127 {
		t.Errorf("shelf run -- no-such-command = %d, %q; want 127", status, stderr)
	}
}
