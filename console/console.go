// Package console holds the files of the console, the page that shows what this
// server does and what it refuses. It also says how the files are to be served:
// their content types and the page's Content-Security-Policy. It knows no server.
package console

import (
	"embed"
	"path"
)

// Files are the page and all that it loads. The page sends requests to the
// server that served it, and to no other.
//
//go:embed index.html style.css icon.svg *.js attacks.json
var Files embed.FS

// types are the content types by file extension. Package mime would ask the
// machine's own tables, which differ.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8", // RFC 9239 §3
	".svg":  "image/svg+xml",
	".json": "application/json",
}

// Type returns the content type of the file called name.
func Type(name string) string { return types[path.Ext(name)] }

// Policy is the page's Content-Security-Policy (CSP level 3). The page may load
// files of its own origin and talk to its own server, and nothing else. Inline
// script and style don't run, and no text becomes markup (Trusted Types): an
// item whose name holds a script can't run it in the page of another user.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
