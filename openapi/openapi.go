// Package openapi holds openapi.json: what the server takes and answers, for
// people and for generators of clients. It is OpenAPI 3.1, written by hand. docs/api.md
// is the short form.
package openapi

import _ "embed"

// Text is openapi.json, byte for byte. Nobody may change it.
//
//go:embed openapi.json
var Text []byte
