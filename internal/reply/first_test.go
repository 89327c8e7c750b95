package reply_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"example.com/shelf/internal/reply"
)

// The first error is the answer. Fields that other errors are about are named with it,
// each once.
func TestFirst(t *testing.T) {
	t.Parallel()
	plain := errors.New("plain")
	fault := func(says string, fields ...string) error {
		var details []reply.Detail
		for _, field := range fields {
			details = append(details, reply.Detail{Field: field, Rule: "required"})
		}
		return reply.Fail(http.StatusBadRequest, says, details...)
	}
	for _, tt := range []struct {
		name string
		errs []error
		want string
	}{
		{"none", []error{nil, nil}, "<nil> []"},
		{"one", []error{nil, fault("a", "x")}, "a [{x required 0}]"},
		{"two", []error{fault("a", "x"), nil, fault("b", "y")}, "a [{x required 0} {y required 0}]"},
		{"two about one field", []error{fault("a", "x"), fault("b", "x", "y")}, "a [{x required 0} {y required 0}]"},
		{"one without a field, then another", []error{fault("a"), fault("b", "y")}, "a []"},
		{"another kind, then one", []error{plain, fault("b", "y")}, "plain []"},
		{"one, then another kind", []error{fault("b", "y"), plain}, "b [{y required 0}]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := reply.First(tt.errs...)
			details := []reply.Detail{}
			if e, ok := errors.AsType[*reply.Error](err); ok {
				details = append(details, e.Details...)
			}
			if got := fmt.Sprint(err, " ", details); got != tt.want {
				t.Errorf("First = %s; want %s", got, tt.want)
			}
		})
	}
}
