package openapi

import (
	"fmt"
	"strings"
	"testing"
)

// Every example of openapi.json is as its schema says. Redocly's linter does the same to
// the document of a server with collections.
func TestExamples(t *testing.T) {
	p, err := newPage(readPage(t))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	var walk func(v any, place string)
	walk = func(v any, place string) {
		object, ok := v.(map[string]any)
		if !ok {
			list, _ := v.([]any)
			for i, element := range list {
				walk(element, fmt.Sprint(place, "/", i))
			}
			return
		}
		if example, has := object["example"]; has && object["schema"] != nil {
			found++
			if err := p.validate(example, place+"/schema"); err != nil {
				t.Errorf("the example of %s: %v", place, err)
			}
		}
		if examples, ok := object["examples"].([]any); ok {
			for _, example := range examples {
				found++
				if err := p.validate(example, place); err != nil {
					t.Errorf("an example of %s: %v", place, err)
				}
			}
		}
		for name, member := range object {
			if name != "example" && name != "examples" {
				walk(member, place+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
			}
		}
	}
	walk(p.root, "#")
	if found < 50 {
		t.Errorf("there are %d examples; want 50 at least", found)
	}
}
