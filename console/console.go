// Package console holds the files of the console, a page that shows what the
// server does and what it denies. It also defines how to serve the files: their
// content types and the Content-Security-Policy. It knows no server. docs/console.md
// says what the page does.
package console

import (
	"embed"
	"path"
)

// Files are the page and everything that it loads. The page sends requests only
// to the server that served it.
//
//go:embed index.html style.css icon.svg *.js attacks.json
var Files embed.FS

// types are the content types by file extension. Package mime would use the
// machine's tables, which differ.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8", // RFC 9239 §3
	".svg":  "image/svg+xml",
	".json": "application/json",
}

// Type returns the content type of a file.
func Type(name string) string { return types[path.Ext(name)] }

// Policy is the page's Content-Security-Policy (CSP level 3). The page may load
// only files of its own origin, and send requests only to its own server.
// Inline scripts and styles don't run, and text never becomes markup (Trusted
// Types). So a script in the name of an item can't run in another user's page.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
