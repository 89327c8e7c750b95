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

// A Ready is the line that a server writes to standard output once it answers.
// A program that starts the server on port 0 reads the port from it.
type Ready struct {
	URL     string `json:"url"`
	PID     int    `json:"pid"`
	Data    string `json:"data"` // the value of -data
	Version string `json:"version"`
}

// Print writes the line: a JSON object if format is json, else text.
func (r Ready) Print(w io.Writer, format string) error {
	line := []byte("listening on " + r.URL)
	if format == "json" {
		line = strictjson.Encode(r)
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing the ready line to standard output: %w", err)
	}
	return nil
}

// CheckReadyFile fails if a ready file must not replace the file at path. It
// may replace no file, an empty file, and a URL that a crashed server left. Any
// other file may be there by a typing error in path, and must not be lost. Here
// and below, path "" means no ready file.
func CheckReadyFile(path string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	var text []byte
	if err == nil && info.Mode().IsRegular() && info.Size() < 1000 { // bytes; our URLs are shorter
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
	return fmt.Errorf("-ready-file: %s is not a file with a URL, so it was not replaced", path)
}

// onlyURL matches the content that WriteReadyFile writes.
var onlyURL = regexp.MustCompile(`^https?://[^\s/]+\n?$`)

// WriteReadyFile writes the URL and a line end. The file is replaced as a
// whole.
func WriteReadyFile(path, url string) error {
	if path == "" {
		return nil
	}
	if err := durable.WriteFile(path, []byte(url+"\n")); err != nil {
		return fmt.Errorf("-ready-file: %w", err)
	}
	return nil
}

// RemoveReadyFile removes the file, unless another server has written its own
// URL there.
func RemoveReadyFile(path, url string) {
	if text, err := durable.ReadFile(path); err == nil && string(text) == url+"\n" {
		os.Remove(path)
	}
}

// UntilEOF returns a context that is also done at EOF or an error of in. The
// data from in is discarded.
func UntilEOF(ctx context.Context, in io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		io.Copy(io.Discard, in)
		cancel()
	}()
	return ctx
}
