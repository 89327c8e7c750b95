package rows

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"

	"example.com/shelf/internal/db"
)

// Bounds of ids.
const (
	maxNumber   = 1<<53 - 1 // the highest whole number that JavaScript keeps exactly
	maxLeap     = 1_000_000 // how far a sent number may be above the highest given out
	maxIDLength = 255       // bytes of an id's text
	madeLength  = 10        // characters of an id that is made as a text
)

// isNumber reports whether text is a whole number from 0 to 2^53-1 as JavaScript
// prints it.
func isNumber(text string) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	return err == nil && n >= 0 && n <= maxNumber && strconv.FormatInt(n, 10) == text
}

// numberOf returns the whole number that an id is, 0 for an id that is none, or that
// is below 1.
func numberOf(raw string) int {
	if kindOf(raw) != kindNumber {
		return 0
	}
	if content := KeyText(raw); isNumber(content) {
		n, _ := strconv.Atoi(content)
		return n
	}
	return 0
}

// number returns the whole number that the row's id is, 0 for any other id.
func (r *Row) number() int {
	raw, _ := memberOf(r.Text, "id")
	return numberOf(raw)
}

// hasTextID reports whether the row's id is a text.
func (r *Row) hasTextID() bool {
	raw, _ := memberOf(r.Text, "id")
	return kindOf(raw) == kindText
}

// lacksID reports whether a new id is to be made in the place of raw, the id of a
// new row, "" for none.
func lacksID(raw string) bool {
	switch raw {
	case "", "null", `""`, "false", "0":
		return true
	}
	return false
}

// checkID fails for an id that no row can have.
func checkID(raw string) error {
	switch kindOf(raw) {
	case kindNumber, kindText:
	default:
		return &Error{Invalid, "id must be a number or a text, not " + kindOf(raw).article()}
	}
	switch content := KeyText(raw); {
	case content == "", content == ".", content == "..":
		return &Error{Invalid, fmt.Sprintf("the id %q can't stand in an address: send another id, or none", content)}
	case len(content) > maxIDLength:
		return &Error{Invalid, fmt.Sprintf("the id is longer than %d bytes: send a shorter one", maxIDLength)}
	}
	return nil
}

// checkSentID judges an id that a client sends for a new row. A client can't take
// numbers far above those in use: they would be used up for all others.
func checkSentID(raw string, highest int) error {
	if err := checkID(raw); err != nil || kindOf(raw) != kindNumber {
		return err
	}
	content := KeyText(raw)
	digits := strings.TrimPrefix(content, "-")
	switch {
	case !isNumber(digits):
		return &Error{Invalid, fmt.Sprintf("the id %.40s must be a whole number up to %d: send another id, or none", content, maxNumber)}
	case numberOf(raw) > highest+maxLeap:
		return &Error{Invalid, fmt.Sprintf("the id %s is more than %d above the highest id so far, %d: send a lower id, or none", content, maxLeap, highest)}
	}
	return nil
}

// highest returns the highest number that was ever given out in a collection.
func (s *Store) highest(c *collection) int {
	top := max(s.given[c.ID], c.Last)
	if l := s.lists[c.ID]; l != nil {
		top = max(top, l.top)
	}
	return top
}

// newID makes the id of a new row: one above the highest number ever given out, or a
// random text if the id of every row is a text.
func (s *Store) newID(tx *db.Tx, c *collection) (raw string, err error) {
	if s.onlyTexts(tx, c) {
		for {
			id := madeText()
			if _, taken := s.byID.Find(tx, rowKey{c.ID, id}); !taken {
				return Quote(id), nil
			}
		}
	}
	for n := s.highest(c) + 1; n <= maxNumber; n++ {
		raw := strconv.Itoa(n)
		if _, taken := s.byID.Find(tx, rowKey{c.ID, raw}); !taken { // by a text that looks like a number
			s.given[c.ID] = n
			return raw, nil
		}
	}
	return "", &Error{Conflict, fmt.Sprintf("no number is left above the highest id, %d: send an id", maxNumber)}
}

// onlyTexts reports whether there are rows, and the id of each is a text.
func (s *Store) onlyTexts(tx *db.Tx, c *collection) bool {
	// Most often the row with the highest number is there. To count costs as much as
	// there is pending.
	if top := s.highest(c); top > 0 {
		if r, ok := s.byID.Find(tx, rowKey{c.ID, strconv.Itoa(top)}); ok && !r.hasTextID() {
			return false
		}
	}
	return s.byKind.Count(tx, idKind{c.ID, true}) > 0 && s.byKind.Count(tx, idKind{c.ID, false}) == 0
}

// madeText returns a random id.
func madeText() string { return strings.ToLower(rand.Text()[:madeLength]) }
