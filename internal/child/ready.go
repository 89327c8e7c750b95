package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"

	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/strictjson"
)

// A Ready is what a server that answers says of itself, in the one line that it
// writes to standard output: a program that starts it on port 0 waits for it.
type Ready struct {
	URL     string `json:"url"`
	PID     int    `json:"pid"`
	Data    string `json:"data"` // as in -data
	Version string `json:"version"`
}

// Print writes the line: in the format json as an object, else as text.
func (r Ready) Print(w io.Writer, format string) error {
	line := []byte("listening on " + r.URL)
	if format == "json" {
		line = strictjson.Encode(r)
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("saying where it listens: %w", err)
	}
	return nil
}

// CheckReadyFile fails if a ready file may not take the place of what is at path.
// It may replace nothing, an empty file, or the URL that a server left there when
// it crashed. Anything else is somebody's: a slip of the finger shall not cost it.
// The path "" is for no ready file, here and below.
func CheckReadyFile(path string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	var text []byte
	if err == nil && info.Mode().IsRegular() && info.Size() < 1000 { // bytes; no URL of ours is longer
		if text, err = durable.ReadFile(path); err == nil && (len(text) == 0 || onlyURL.Match(text)) {
			return nil
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("-ready-file: %w", err)
	}
	return fmt.Errorf("-ready-file: %s is something else than a file with a URL, and stays as it is", path)
}

// onlyURL is what WriteReadyFile writes: an address of ours, and nothing else.
var onlyURL = regexp.MustCompile(`^https?://[^\s/]+\n?$`)

// WriteReadyFile writes the URL and a line end, all or nothing.
func WriteReadyFile(path, url string) error {
	if path == "" {
		return nil
	}
	if err := durable.WriteFile(path, []byte(url+"\n")); err != nil {
		return fmt.Errorf("-ready-file: %w", err)
	}
	return nil
}

// RemoveReadyFile removes what WriteReadyFile wrote, unless another server has
// written its own there since.
func RemoveReadyFile(path, url string) {
	if text, err := durable.ReadFile(path); err == nil && string(text) == url+"\n" {
		os.Remove(path)
	}
}

// UntilEOF is ctx, done as well when in ends: by EOF or an error. What in holds
// is read and thrown away.
func UntilEOF(ctx context.Context, in io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		io.Copy(io.Discard, in)
		cancel()
	}()
	return ctx
}
