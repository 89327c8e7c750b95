package console_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/shelf/console"
)

// names are the files of the page.
func names(t *testing.T) []string {
	t.Helper()
	all, err := fs.Glob(console.Files, "*")
	if err != nil || len(all) < 8 {
		t.Fatalf("the console has the files %q, %v; want more", all, err)
	}
	return all
}

func text(t *testing.T, name string) string {
	t.Helper()
	text, err := console.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The page is small enough to read, and to load.
func TestSize(t *testing.T) {
	t.Parallel()
	const most, mostSent = 300 << 10, 90 << 10
	size, sent := 0, 0
	for _, name := range names(t) {
		content := text(t, name)
		var small bytes.Buffer
		z := gzip.NewWriter(&small)
		z.Write([]byte(content))
		z.Close()
		size += len(content)
		sent += small.Len()
		if lines := strings.Count(content, "\n"); path.Ext(name) == ".js" && lines > 500 {
			t.Errorf("%s has %d lines; want 500 at most", name, lines)
		}
	}
	t.Logf("the console takes %d bytes, sent as %d", size, sent)
	if size > most || sent > mostSent {
		t.Errorf("the console takes %d bytes, sent as %d; want %d and %d at most", size, sent, most, mostSent)
	}
}

// The page has no inline script and style, which the policy forbids, and never
// turns text into markup: users' texts are shown unchanged.
func TestMarkup(t *testing.T) {
	t.Parallel()
	page := text(t, "index.html")
	for _, forbidden := range []string{`\sstyle\s*=`, `\son\w+\s*=`, `<style`, `<script(?:[^>]*)>[^<]`, `javascript:`, `<base`, `<iframe`, `<object`} {
		if found := regexp.MustCompile(`(?i)` + forbidden).FindString(page); found != "" {
			t.Errorf("index.html has %q", found)
		}
	}
	for _, tag := range regexp.MustCompile(`<(?:script|link|img)\b[^>]*>`).FindAllString(page, -1) {
		source := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindStringSubmatch(tag)
		if source == nil || !slices.Contains(names(t), strings.TrimPrefix(source[1], "/console/")) {
			t.Errorf("index.html loads %s, which is none of the console's files", tag)
		}
	}
	for _, name := range names(t) {
		if path.Ext(name) != ".js" && path.Ext(name) != ".css" {
			continue
		}
		if found := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|@import`).FindString(text(t, name)); found != "" {
			t.Errorf("%s has %q", name, found)
		}
		for _, from := range regexp.MustCompile(`(?m)^import .*\bfrom "([^"]*)"`).FindAllStringSubmatch(text(t, name), -1) {
			if !slices.Contains(names(t), strings.TrimPrefix(from[1], "./")) {
				t.Errorf("%s imports %q, which is none of the console's files", name, from[1])
			}
		}
	}
}

// The page can make every attack of the table, except those that hold a body
// back, and no others.
func TestForges(t *testing.T) {
	t.Parallel()
	var attacks []struct {
		ID   string
		Held bool
	}
	if err := json.Unmarshal([]byte(text(t, "attacks.json")), &attacks); err != nil || len(attacks) == 0 {
		t.Fatalf("attacks.json has %d attacks, %v", len(attacks), err)
	}
	_, table, _ := strings.Cut(text(t, "forge.js"), "export const forge = {")
	var forged, want []string
	for _, line := range regexp.MustCompile(`(?m)^  "?([a-z-]+)"?: `).FindAllStringSubmatch(table, -1) {
		forged = append(forged, line[1])
	}
	for _, attack := range attacks {
		if !attack.Held {
			want = append(want, attack.ID)
		}
	}
	if !slices.Equal(forged, want) {
		t.Errorf("forge.js makes %q; want those of attacks.json, in their order: %q", forged, want)
	}
}
