package main

import (
	"net/http"

	"example.com/shelf/internal/reply"
	"example.com/shelf/openapi"
)

// openAPI handles GET /openapi.json.
func (s *server) openAPI(w http.ResponseWriter, r *http.Request) error {
	if done, err := reply.NotModified(w, r, string(reply.AppendTag(nil, openapi.Text))); done || err != nil {
		return err
	}
	return reply.Bytes(w, http.StatusOK, openapi.Text)
}
