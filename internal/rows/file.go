package rows

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"example.com/shelf/internal/strictjson"
)

// FileOptions are what the owner of a file may choose.
type FileOptions struct {
	// Skip are names of members that get no route. Their values are kept.
	Skip []string
	// Reserved reports whether a name is taken by a route of shelf; nil for none.
	Reserved func(name string) bool
	// MaxBytes is how large a file may be, 0 for 100 MiB. To read a file and to
	// write it into a log takes up to 13 times as much memory, for a moment.
	MaxBytes int64
	// MaxCollections is as in Options.
	MaxCollections int
	// Users says what the list users is, whatever its rows hold.
	Users UsersAre
	// SHA256 is the hash of the file's bytes, in hex, if it is known.
	SHA256 string
	// Known is what the file most likely says. Rows that it has too are not read once
	// more, which takes half of the time, and their text is kept only once.
	Known Image
}

// UsersAre says what the list users is.
type UsersAre int

// What users can be.
const (
	UsersByRows  UsersAre = iota // accounts, if there are none or one has a password
	AccountUsers                 // accounts
	PlainUsers                   // a collection as any other
)

const defaultMaxBytes = 100 << 20

// A File is a file such as json-server reads: an object whose arrays are collections
// and whose objects are single resources.
type File struct {
	// Accounts reports whether accounts live at /users. Users are their rows then, as
	// the file has them; they belong to no collection.
	Accounts bool
	Users    []Object
	// MaxUserID is the highest whole number that a user of the file or a userId has,
	// as a number or a text.
	MaxUserID int
	Blank     bool   // the file holds nothing, and is read as {}
	SHA256    string // of the file's bytes, in hex

	members []fileMember
	rows    int
}

// Rows returns the number of rows, the accounts left out.
func (f *File) Rows() int { return f.rows }

// A fileMember is a member of the file at its top level.
type fileMember struct {
	collection
	texts []string // of the rows
	made  []int    // indexes of those that had no id, and have got a number
	top   int      // the highest number among their ids
}

// ReadFile reads a file of at most opt.MaxBytes.
func ReadFile(name string, opt FileOptions) (*File, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	most := opt.Most()
	if info, err := file.Stat(); err == nil && info.Size() > most {
		return nil, tooLarge(most)
	}
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > most {
		return nil, tooLarge(most)
	}
	return ParseFile(text, opt)
}

// Most is how many bytes a file may have.
func (opt FileOptions) Most() int64 { return cmp.Or(opt.MaxBytes, defaultMaxBytes) }

// CheckSize fails for a file that is larger than opt allows, before it is read.
func (opt FileOptions) CheckSize(name string) error {
	most := opt.Most()
	if info, err := os.Stat(name); err == nil && info.Size() > most {
		return tooLarge(most)
	}
	return nil
}

func tooLarge(most int64) error {
	return fmt.Errorf("the file is larger than %d bytes: split it, or load its collections one by one", most)
}

// ParseFile reads the text of a file. A text that is no JSON fails with a
// *strictjson.Slip. Every other error names the member, and the index of the row. Rows
// without an id get one.
func ParseFile(text []byte, opt FileOptions) (*File, error) {
	f := &File{Accounts: true, SHA256: opt.SHA256}
	if f.SHA256 == "" {
		sum := sha256.Sum256(text)
		f.SHA256 = hex.EncodeToString(sum[:])
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if len(bytes.TrimSpace(text)) == 0 {
		f.Blank = true
		return f, nil
	}
	if slip := strictjson.FindSlip(text); slip != nil {
		return nil, slip
	}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("the file is not in UTF-8: save it as UTF-8")
	}
	c := cutter{text: text}
	if c.next() != '{' {
		return nil, fmt.Errorf(`the top level is %s: it must be an object, such as {"posts": []}`, kindOf(string(text[c.at:c.at+1])).article())
	}
	p := fileParser{file: f, opt: opt, seen: map[string]bool{}}
	for c.enter(); c.more('}'); {
		name, err := ParseValue(c.value())
		if err != nil {
			return nil, fmt.Errorf("a name at the top level: %w", err)
		}
		c.next()
		c.at++ // the colon
		c.next()
		if err := p.member(unescaped(name[1:len(name)-1]), c.value()); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// A fileParser reads the members of a file.
type fileParser struct {
	file *File
	opt  FileOptions
	seen map[string]bool
}

func (p *fileParser) member(name string, value []byte) error {
	most := p.opt.MaxCollections
	if most == 0 {
		most = defaultMaxCollections
	}
	switch {
	case p.seen[name]:
		return fmt.Errorf("%.100q stands twice at the top level: rename one, or put its rows into the other", name)
	case len(p.seen) == most:
		return fmt.Errorf("the file has more than %d collections", most)
	}
	p.seen[name] = true
	kind := kindOf(string(value[:1]))
	switch {
	case name == schemaName || slices.Contains(p.opt.Skip, name):
		return p.keep(name, value)
	case name == "users" && kind == kindArray:
		return p.users(value)
	}
	if err := CheckName(name); err != nil {
		return fmt.Errorf("%w: rename the member, or keep it without a route with -skip", err)
	}
	if p.opt.Reserved != nil && p.opt.Reserved(name) || name == "users" {
		return fmt.Errorf("%q is the name of a route of shelf: rename the member, keep it without a route with -skip %s, or serve all collections below a path with -prefix /data", name, name)
	}
	switch kind {
	case kindArray:
		return p.list(name, value)
	case kindObject:
		o, err := ParseObject(value)
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		p.add(fileMember{collection: collection{Name: name, Single: true}, texts: []string{o.Text()}})
		p.noteOwner(o.Text())
		return nil
	}
	return fmt.Errorf("%q is %s: the top level holds arrays, which are collections, and objects, which are single resources; remove the member, or keep it without a route with -skip %s", name, kind.article(), name)
}

func (p *fileParser) add(m fileMember) {
	p.file.members = append(p.file.members, m)
	p.file.rows += len(m.texts)
}

// keep takes a member without a route.
func (p *fileParser) keep(name string, value []byte) error {
	if len(name) > maxName {
		return fmt.Errorf("the name %.40q… is longer than %d bytes", name, maxName)
	}
	raw, err := ParseValue(value)
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	p.add(fileMember{collection: collection{Name: name, Kept: []byte(raw)}})
	return nil
}

// users reads the member users: accounts, if there are none or one has a password.
func (p *fileParser) users(value []byte) error {
	texts, err := elements("users", value, nil)
	if err != nil {
		return err
	}
	plain := p.opt.Users == PlainUsers || p.opt.Users != AccountUsers && len(texts) > 0 && !slices.ContainsFunc(texts, func(text string) bool { _, ok := memberOf(text, "password"); return ok })
	if plain {
		p.file.Accounts = false
		return p.addList("users", texts)
	}
	ids := newFileIDs("users", len(texts))
	for i, text := range texts {
		raw, _ := memberOf(text, "id")
		if err := ids.take(i, raw); err != nil {
			return err
		}
		p.noteID(KeyText(raw))
		p.noteOwner(text)
		p.file.Users = append(p.file.Users, Members(text))
	}
	p.add(fileMember{collection: collection{Name: "users", Accounts: true}})
	return nil
}

func (p *fileParser) list(name string, value []byte) error {
	texts, err := elements(name, value, p.opt.Known.rowsOf(name))
	if err != nil {
		return err
	}
	return p.addList(name, texts)
}

// addList gives the rows without an id one, and adds the collection.
func (p *fileParser) addList(name string, texts []string) error {
	ids := newFileIDs(name, len(texts))
	for i, text := range texts {
		raw, _ := memberOf(text, "id")
		if err := ids.take(i, raw); err != nil {
			return err
		}
	}
	var made []int
	for i, text := range texts {
		raw, _ := memberOf(text, "id")
		if isMissing(raw) {
			var err error
			if texts[i], err = ids.give(i, text); err != nil {
				return err
			}
			if !ids.onlyTexts() {
				made = append(made, i)
			}
		}
		p.noteOwner(text)
		if name == "users" {
			p.noteID(KeyText(raw))
		}
	}
	p.add(fileMember{collection: collection{Name: name}, texts: texts, made: made, top: ids.top})
	return nil
}

func (p *fileParser) noteOwner(text string) {
	raw, _ := memberOf(text, OwnerField)
	p.noteID(KeyText(raw))
}

func (p *fileParser) noteID(content string) {
	if isNumber(content) {
		n, _ := strconv.Atoi(content)
		p.file.MaxUserID = max(p.file.MaxUserID, n)
	}
}

// elements reads the rows of an array in a file that is JSON in UTF-8. known are rows
// that it most likely has, in their order.
func elements(name string, array []byte, known []*Row) (texts []string, err error) {
	texts = make([]string, 0, len(known))
	c := cutter{text: array}
	for c.enter(); c.more(']'); {
		value := c.value()
		if n := nextKnown(known, value); n > 0 {
			texts, known = append(texts, known[n-1].Text), known[n:]
			continue
		}
		if value[0] != '{' {
			return nil, fmt.Errorf("%s[%d] is %s: a row must be an object", name, len(texts), kindOf(string(value[:1])).article())
		}
		text, err := parseValid(value)
		if err == nil {
			err = fits(len(text))
		}
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", name, len(texts), err)
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// nextKnown returns how many of the known rows end with the one that the value is, 0 for
// none. It looks at the first two: if a row has changed, or has gone, the next one is
// known again.
func nextKnown(known []*Row, value []byte) int {
	for i, r := range known[:min(2, len(known))] {
		if isCompactOf(r.Text, value) {
			return i + 1
		}
	}
	return 0
}

// fileIDs are the ids of a collection in a file. A file may have any ids.
type fileIDs struct {
	name    string
	at      map[string]int // index of the row
	top     int            // the highest number
	numbers bool           // an id is no text
	texts   bool           // an id is a text
}

// onlyTexts reports whether there are ids, and each is a text.
func (ids *fileIDs) onlyTexts() bool { return ids.texts && !ids.numbers }

func newFileIDs(name string, rows int) *fileIDs {
	return &fileIDs{name: name, at: make(map[string]int, rows)}
}

// isMissing reports whether a row of a file has no id. 0 is one.
func isMissing(raw string) bool { return raw != "0" && lacksID(raw) }

// take notes the id of a row, if it has one.
func (ids *fileIDs) take(i int, raw string) error {
	if isMissing(raw) {
		return nil
	}
	if err := checkID(raw); err != nil {
		return fmt.Errorf("%s[%d]: %w", ids.name, i, err)
	}
	content := KeyText(raw)
	if other, taken := ids.at[content]; taken {
		return fmt.Errorf("%s[%d] and %s[%d] have the same id, %.100q: give one of them another", ids.name, other, ids.name, i, content)
	}
	ids.at[content] = i
	ids.top = max(ids.top, numberOf(raw))
	ids.texts = ids.texts || kindOf(raw) == kindText
	ids.numbers = ids.numbers || kindOf(raw) != kindText
	return nil
}

// give gives a row without an id one, after all that have one were taken. It returns the
// text of the row.
func (ids *fileIDs) give(i int, text string) (string, error) {
	var raw, content string
	for taken := true; taken; _, taken = ids.at[content] {
		if ids.onlyTexts() {
			content = madeText()
			raw = Quote(content)
			continue
		}
		if ids.top++; ids.top > maxNumber {
			return "", fmt.Errorf("%s[%d] has no id, and no number is left above the highest id, %d: give it an id", ids.name, i, maxNumber)
		}
		content = strconv.Itoa(ids.top)
		raw = content
	}
	ids.at[content] = i
	o := Members(text)
	o.Set("id", raw)
	if err := o.Fits(); err != nil {
		return "", fmt.Errorf("%s[%d]: %w", ids.name, i, err)
	}
	return o.Text(), nil
}

// A cutter takes well-formed JSON apart from the front, without a copy.
type cutter struct {
	text []byte
	at   int
}

// next steps over blanks and returns the byte that follows.
func (c *cutter) next() byte {
	for strings.IndexByte(" \t\r\n", c.text[c.at]) >= 0 {
		c.at++
	}
	return c.text[c.at]
}

// enter steps over the bracket that begins an object or an array.
func (c *cutter) enter() {
	c.next()
	c.at++
}

// more steps to the next part, and reports false at the bracket that ends all.
func (c *cutter) more(end byte) bool {
	if c.next() == ',' {
		c.at++
	}
	return c.next() != end
}

// quoteEnd returns the index of the quote that ends the string whose first character is
// at i. Long texts are searched for it, which is many times faster than a loop.
func quoteEnd(text []byte, i int) int {
	for {
		n := bytes.IndexByte(text[i:], '"')
		escape := bytes.IndexByte(text[i:i+n], '\\')
		if escape < 0 {
			return i + n
		}
		i += escape + 2
	}
}

// value returns the value that begins here, and steps over it.
func (c *cutter) value() []byte {
	from, depth := c.at, 0
	for c.at < len(c.text) {
		switch c.text[c.at] {
		case '"':
			c.at = quoteEnd(c.text, c.at+1)
		case '{', '[':
			depth++
		case '}', ']', ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return c.text[from:c.at]
			}
			if b := c.text[c.at]; b == '}' || b == ']' {
				depth--
			}
		default:
			c.at++
			continue
		}
		if c.at++; depth == 0 {
			break
		}
	}
	return c.text[from:c.at]
}
