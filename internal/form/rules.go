package form

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/strictjson"
)

// A Text is a text that a client sets, with all that holds for it. Check judges it by
// that for a client, CheckRow for the owner of an import.
type Text struct {
	Field, Value string
	Max          int    // code points
	Words        string // of the refusal
	Visible      bool   // no characters that can't be seen, see [Visible]
	Bad          bool   // it breaks a pattern that the caller knows
	Optional     bool   // may be empty, but not blank
	AsIs         bool   // blanks count, as in a password
}

// broken returns the rule that t breaks, "" for none.
func (t Text) broken() (rule string, limit int) {
	switch {
	case t.Optional && t.Value == "":
		return "", 0
	case t.Value == "", !t.AsIs && strings.TrimSpace(t.Value) == "":
		return "required", 0
	case utf8.RuneCountInString(t.Value) > t.Max:
		return "max_length", t.Max
	case t.Bad, t.Visible && !Visible(t.Value):
		return "pattern", 0
	}
	return "", 0
}

// Check returns the refusal of the first text that breaks a rule, with the details of
// all that do. It is nil if all are good.
func Check(texts ...Text) error {
	var refused *reply.Error
	for _, t := range texts {
		rule, limit := t.broken()
		if rule == "" {
			continue
		}
		if refused == nil {
			refused = &reply.Error{Status: http.StatusBadRequest, Message: t.Words}
		}
		refused.Details = append(refused.Details, reply.Detail{Field: t.Field, Rule: rule, Limit: limit})
	}
	if refused == nil {
		return nil
	}
	return refused
}

// CheckRow is Check for a row of an import: it names the field and says what is wrong.
func CheckRow(texts ...Text) error {
	for _, t := range texts {
		switch rule, limit := t.broken(); rule {
		case "required":
			return fmt.Errorf("%s is missing or blank", t.Field)
		case "max_length":
			return fmt.Errorf("%s has %d characters, %d are the most", t.Field, utf8.RuneCountInString(t.Value), limit)
		}
	}
	return nil
}

// In returns err as that of the element i of a list.
func In(list string, i int, err error) error {
	of, ok := err.(*reply.Error)
	if !ok {
		return err
	}
	at := *of
	at.Message = fmt.Sprintf("%s[%d]: %s", list, i, of.Message)
	at.Details = nil
	for _, d := range of.Details {
		d.Field = fmt.Sprintf("%s[%d].%s", list, i, d.Field)
		at.Details = append(at.Details, d)
	}
	return &at
}

// Refuse returns the 400 for a fault of what was sent, such as a request body. It has a
// detail for each member that err is about.
func Refuse(what string, err error) error {
	says := "Invalid " + what + ": " + strings.ReplaceAll(err.Error(), "\n", "; ")
	return reply.Fail(http.StatusBadRequest, says, detailsOf(err)...)
}

// detailsOf returns a detail for each member that err is about. err may be joined of
// several.
func detailsOf(err error) (details []reply.Detail) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			details = append(details, detailsOf(one)...)
		}
		return details
	}
	fault, ok := errors.AsType[*strictjson.MemberError](err)
	if !ok {
		return nil
	}
	d := reply.Detail{Field: fault.Name, Rule: fault.Rule}
	if in, ok := errors.AsType[*strictjson.ElementError](err); ok {
		d.Field = fmt.Sprintf("%s[%d].%s", in.List, in.Index, d.Field)
	}
	return []reply.Detail{d}
}
