package rows

import "strings"

// A Version is what a file showed at one moment.
type Version struct{ members []memberOfFile }

// Version returns what a file that shows the image shows.
func (image Image) Version(users []string) Version { return Version{image.asFile(users)} }

// Version returns what a file shows that has this text.
func (f *File) Version() Version {
	var v Version
	for _, m := range f.members {
		shown := memberOfFile{name: m.Name}
		switch {
		case m.Accounts:
			for _, u := range f.Users {
				shown.rows = append(shown.rows, u.Text())
			}
		case m.Kept != nil:
			shown.value = string(m.Kept)
		case m.Single:
			shown.value = m.texts[0]
		default:
			shown.rows = m.texts
		}
		v.members = append(v.members, shown)
	}
	return v
}

// A Past is the rows that have changed since a version, by the name of the collection
// and the id, as they were in that version: "" for a row that it didn't have. A single
// resource has the id "".
type Past map[string]map[string]string

// Since returns the rows that differ from the version before, as they were in it.
func (now Version) Since(before Version) Past {
	past := Past{}
	known := map[string]memberOfFile{}
	for _, m := range before.members {
		known[m.name] = m
	}
	for _, m := range now.members {
		past.note(m.name, known[m.name], m)
		delete(known, m.name)
	}
	for name, m := range known {
		past.note(name, m, memberOfFile{})
	}
	return past
}

// note compares a member with what it was.
func (p Past) note(name string, was, is memberOfFile) {
	texts := map[string]string{}
	if !sameOrNone(was.value, is.value) {
		texts[""] = was.value
	}
	old, now := was.rows, is.rows
	for len(old) > 0 && len(now) > 0 && old[0] == now[0] {
		old, now = old[1:], now[1:]
	}
	for len(old) > 0 && len(now) > 0 && old[len(old)-1] == now[len(now)-1] {
		old, now = old[:len(old)-1], now[:len(now)-1]
	}
	left := byID(now, "")
	for _, text := range old {
		id := idOf(text)
		if !sameOrNone(left[id], text) {
			texts[id] = text
		}
		delete(left, id)
	}
	for id := range left {
		texts[id] = "" // a new row
	}
	if len(texts) > 0 {
		p[name] = texts
	}
}

func idOf(text string) string {
	raw, _ := memberOf(text, "id")
	return KeyText(raw)
}

// Rows returns how many rows p has.
func (p Past) Rows() (n int) {
	for _, texts := range p {
		n += len(texts)
	}
	return n
}

// Before adds what had changed from an older version to the one that p is about: p is
// then about the older one.
func (p Past) Before(older Past) Past {
	for name, texts := range older {
		if p[name] == nil {
			p[name] = map[string]string{}
		}
		for id, text := range texts {
			p[name][id] = text
		}
	}
	return p
}

// A Comparison holds the rows of a file beside those of a version, by collection and id.
type Comparison struct{ file, now map[string]map[string]string }

// Compare makes a Comparison.
func (f *File) Compare(now Version) Comparison { return Comparison{f.Version().texts(), now.texts()} }

func (v Version) texts() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, m := range v.members {
		all[m.name] = byID(m.rows, m.value)
	}
	return all
}

func byID(rows []string, value string) map[string]string {
	texts := make(map[string]string, len(rows)+1)
	for _, text := range rows {
		texts[idOf(text)] = text
	}
	if value != "" {
		texts[""] = value
	}
	return texts
}

// Reverts reports whether the file has each row of the past as it was then, and differs
// in at least one of them from now. Then a person has most likely begun from that
// version: an editor had the file open and saved it over a newer one.
func (c Comparison) Reverts(past Past) bool {
	differs := false
	for name, texts := range past {
		for id, was := range texts {
			is := c.file[name][id]
			if !sameOrNone(was, is) {
				return false
			}
			differs = differs || !sameOrNone(is, c.now[name][id])
		}
	}
	return differs
}

// Holds reports whether the file has all rows of the past as they are now.
func (c Comparison) Holds(past Past) bool {
	for name, texts := range past {
		for id := range texts {
			if !sameOrNone(c.file[name][id], c.now[name][id]) {
				return false
			}
		}
	}
	return true
}

// sameOrNone compares rows, or other values, without regard to the order of members. ""
// is none.
func sameOrNone(a, b string) bool {
	return a == b || strings.HasPrefix(a, "{") && strings.HasPrefix(b, "{") && SameMembers(a, b)
}
