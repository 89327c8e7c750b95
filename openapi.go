package main

import (
	_ "embed"
	"net/http"

	"example.com/shelf/internal/reply"
)

// openAPIText says what this server takes and answers, for people and for
// generators of clients: OpenAPI 3.1, written by hand.
//
//go:embed openapi.json
var openAPIText []byte

// openAPI handles GET /openapi.json.
func (s *server) openAPI(w http.ResponseWriter, r *http.Request) error {
	if done, err := reply.NotModified(w, r, string(reply.AppendTag(nil, openAPIText))); done || err != nil {
		return err
	}
	return reply.Bytes(w, http.StatusOK, openAPIText)
}
