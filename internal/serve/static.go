package serve

import (
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A Folder is a folder whose files are served. It never serves a file whose name, or
// the name of whose folder, begins with a dot, and it follows no link that leaves the
// folder. It lists nothing.
type Folder struct {
	root     *os.Root
	dir      string
	precious []string
}

// OpenFolder opens a folder. precious are files that are never served, wherever they
// are and by whatever link: nor are files beside one whose name begins like its name,
// such as temporary files. "" is none.
func OpenFolder(dir string, precious ...string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	return &Folder{root, dir, precious}, err
}

// Index reports whether the folder has an index.html of its own.
func (f *Folder) Index() bool {
	file, _ := f.open("index.html")
	if file == nil {
		return false
	}
	file.Close()
	return true
}

// Serve answers a GET or HEAD with a file, and reports whether there is one. For a
// folder that is its index.html.
func (f *Folder) Serve(w http.ResponseWriter, r *http.Request) bool {
	if f == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	at, err := url.PathUnescape(r.URL.EscapedPath())
	if err != nil || strings.Contains(r.URL.EscapedPath(), "%2F") || strings.Contains(r.URL.EscapedPath(), "%2f") {
		return false
	}
	name := strings.Trim(path.Clean(at), "/")
	if name == "" {
		name = "."
	}
	info, err := f.stat(name)
	if err == nil && info.IsDir() {
		if !strings.HasSuffix(at, "/") {
			if index, err := f.stat(path.Join(name, "index.html")); err != nil || index.IsDir() {
				return false
			}
			http.Redirect(w, r, path.Base(name)+"/", http.StatusPermanentRedirect)
			return true
		}
		name = path.Join(name, "index.html")
	}
	file, info := f.open(name)
	if file == nil {
		return false
	}
	defer file.Close()
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, info.Name(), info.ModTime(), file)
	return true
}

// stat is fs.Stat for a name that may be served.
func (f *Folder) stat(name string) (fs.FileInfo, error) {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && name != "." || strings.ContainsAny(part, "\\\x00:") {
			return nil, fs.ErrNotExist
		}
	}
	return f.root.Stat(filepath.FromSlash(name))
}

// open opens a regular file that may be served, nil for any other.
func (f *Folder) open(name string) (*os.File, fs.FileInfo) {
	info, err := f.stat(name)
	if err != nil || !info.Mode().IsRegular() { // to open a pipe would wait
		return nil, nil
	}
	file, err := f.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, nil
	}
	if info, err = file.Stat(); err != nil || !info.Mode().IsRegular() || f.isPrecious(name, info) {
		file.Close()
		return nil, nil
	}
	return file, info
}

func (f *Folder) isPrecious(name string, info fs.FileInfo) bool {
	folder, err := f.root.Stat(filepath.FromSlash(path.Dir(name)))
	if err != nil {
		return true
	}
	for _, p := range f.precious {
		if p == "" {
			continue
		}
		if known, err := os.Stat(p); err == nil && os.SameFile(known, info) {
			return true
		}
		begins := strings.HasPrefix(strings.ToLower(path.Base(name)), strings.ToLower(filepath.Base(p)))
		if beside, err := os.Stat(filepath.Dir(p)); begins && err == nil && os.SameFile(beside, folder) {
			return true
		}
	}
	return false
}
