package openapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"example.com/shelf/openapi"
)

// What collections add is merged into openapi.json.
func TestWithCollections(t *testing.T) {
	t.Parallel()
	more := `{"tags":[{"name":"/x"}],"paths":{"/x":{"get":{}}},"components":{"schemas":{"x":{},"Error":{"$ref":"#/other"}}}}`
	for _, tt := range []struct {
		name     string
		more     string
		hasUsers bool
		has      []string
		hasNot   []string
	}{
		{"all", more, true,
			[]string{`"/x":{"get":{}}`, `"/users":{`, `"/register":{`, `"/api/v1/items":{`, `{"name":"/x"},{"name":"collections",`, `"x":{}`, `"Error":{"$ref":"#/other"}`, `"operationId":"bookLogin"`},
			[]string{"\n", `"accounts.json"`}},
		{"users are a plain collection", more, false, []string{`"/x":{"get":{}}`, `"/register":{`}, []string{`"/users":{`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, err := openapi.WithCollections([]byte(tt.more), tt.hasUsers)
			if err != nil || !json.Valid(text) {
				t.Fatalf("%v; the document is %.100q", err, text)
			}
			for _, part := range tt.has {
				if !strings.Contains(string(text), part) {
					t.Errorf("the document lacks %s", part)
				}
			}
			for _, part := range tt.hasNot {
				if strings.Contains(string(text), part) {
					t.Errorf("the document has %s", part)
				}
			}
		})
	}
	for _, broken := range []string{`{`, `{"tags":[}`, `{"paths":{"/x"}}`, `{"a":1,}`} {
		if text, err := openapi.WithCollections([]byte(broken), true); err == nil {
			t.Errorf("%s makes the document %.100q; want an error", broken, text)
		}
	}
}
