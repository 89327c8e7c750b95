package serve_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"example.com/shelf/internal/serve"
)

// A folder serves its files, and nothing that is precious, hidden or elsewhere.
func TestFolder(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "public")
	for name, text := range map[string]string{
		"public/index.html": "<p>home", "public/app.js": "app", "public/sub/index.html": "sub", "public/a b.txt": "blank",
		"public/.env": "secret", "public/.git/config": "secret", "public/db.jsonl": "secret", "public/db.jsonl.torn": "secret",
		"public/db.key": "secret", "public/empty/x.css": "x", "outside.txt": "secret", "public/DB.JSON": "secret",
	} {
		file := filepath.Join(top, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	links := os.Symlink(filepath.Join(top, "outside.txt"), filepath.Join(dir, "leaves.txt")) == nil
	os.Link(filepath.Join(dir, "db.key"), filepath.Join(dir, "other.txt"))
	folder, err := serve.OpenFolder(dir, filepath.Join(dir, "db.jsonl"), filepath.Join(dir, "db.key"), filepath.Join(dir, "db.json"), "")
	if err != nil || !folder.Index() {
		t.Fatal(err, folder.Index())
	}
	for _, tt := range []struct{ request, body, location string }{
		{"/", "<p>home", ""},
		{"/index.html", "<p>home", ""},
		{"/app.js", "app", ""},
		{"/a%20b.txt", "blank", ""},
		{"/sub/", "sub", ""},
		{"/sub", "", "/sub/"},
		{"/empty/", "", ""},
		{"/empty", "", ""},
		{"/nothing", "", ""},
		{"/.env", "", ""},
		{"/.git/config", "", ""},
		{"/%2e%2e/outside.txt", "", ""},
		{"/..%2Foutside.txt", "", ""},
		{"/sub%2Findex.html", "", ""},
		{"/sub%5Cindex.html", "", ""},
		{"/leaves.txt", "", ""},
		{"/db.jsonl", "", ""},
		{"/db.jsonl.torn", "", ""},
		{"/db.key", "", ""},
		{"/DB.JSON", "", ""},
		{"/other.txt", "", ""},
	} {
		if tt.request == "/leaves.txt" && !links {
			continue
		}
		w := httptest.NewRecorder()
		served := folder.Serve(w, httptest.NewRequest("GET", tt.request, nil))
		body := w.Body.String()
		if tt.location != "" {
			body = ""
		}
		if served != (tt.body != "" || tt.location != "") || body != tt.body || w.Header().Get("Location") != tt.location {
			t.Errorf("%s = %v %q to %q; want %q to %q", tt.request, served, body, w.Header().Get("Location"), tt.body, tt.location)
		}
	}
	if folder.Serve(httptest.NewRecorder(), httptest.NewRequest("POST", "/app.js", nil)) {
		t.Error("a POST is served a file")
	}
}
