package rows

import (
	"maps"
	"slices"
	"strings"
)

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
	left := byID(now, "", nil)
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

// A Comparison holds rows of a file beside those of a version, by collection and id.
type Comparison struct{ file, now map[string]map[string]string }

// Compare makes a Comparison of the rows that are in one of the pasts.
func (f *File) Compare(now Version, about ...Past) Comparison {
	all := Past{}
	for _, past := range about {
		for name, texts := range past {
			if all[name] == nil {
				all[name] = map[string]string{}
			}
			maps.Copy(all[name], texts)
		}
	}
	return Comparison{f.Version().texts(all), now.texts(all)}
}

// texts returns the rows that are in about.
func (v Version) texts(about Past) map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, m := range v.members {
		if ids := about[m.name]; len(ids) > 0 {
			all[m.name] = byID(m.rows, m.value, ids)
		}
	}
	return all
}

// byID returns texts of rows by their ids: all, or those whose id is in only.
func byID(rows []string, value string, only map[string]string) map[string]string {
	texts := make(map[string]string, len(only)+1)
	for _, text := range rows {
		id := idOf(text)
		if _, in := only[id]; in || only == nil {
			texts[id] = text
		}
	}
	if value != "" {
		texts[""] = value
	}
	return texts
}

// Misses reports whether the file lacks something that has changed since the past: it
// hasn't each member of these rows that has changed as it is now.
func (c Comparison) Misses(past Past) bool {
	for name, texts := range past {
		for id, was := range texts {
			if a := agesOf(was, c.now[name][id], c.file[name][id]); a.older+a.other > 0 {
				return true
			}
		}
	}
	return false
}

// Ages counts what has changed since the past: the members of rows that the file has as
// they are now, and those that it has as they were then. A person who edits an old
// version leaves most of them as they were then, and none as it is now. A row that is
// gone, and which the file lacks too, is not counted: the person may have removed it.
func (c Comparison) Ages(past Past) (newer, older int) {
	for name, texts := range past {
		for id, was := range texts {
			a := agesOf(was, c.now[name][id], c.file[name][id])
			if was == "" && a.newer+a.other > 0 { // a new row with the id of a row of the file
				a = a.ofNewRow()
			}
			newer, older = newer+a.newer, older+a.older
		}
	}
	return newer, older
}

// ages counts the members of a row that have changed. The file has some of them as they
// are now, some as they were before, and some in another way.
type ages struct{ newer, older, other int }

func agesOf(was, now, is string) (a ages) {
	switch {
	case sameOrNone(was, now), now == "" && is == "":
		return a
	case sameOrNone(is, now):
		a.newer = 1
		return a
	case sameOrNone(is, was):
		a.older = 1
		return a
	case is == "" || now == "" || !isObject(is) || !isObject(now):
		a.other = 1
		return a
	}
	if was == "" {
		was = "{}"
	}
	before, after, file := Members(was), Members(now), Members(is)
	for _, name := range unionOfNames(before, after) {
		x, y, z := before.raw(name), after.raw(name), file.raw(name)
		switch {
		case x == y || was == "{}" && name == "id":
		case z == y:
			a.newer++
		case z == x && was != "{}":
			a.older++
		default:
			a.other++
		}
	}
	return a
}

// ofNewRow tells a person's edit of a new row from a row of the person's own that has
// got the same id. Most members of that one differ.
func (a ages) ofNewRow() ages {
	switch {
	case a.other > max(a.newer, 1):
		return ages{older: 1}
	case a.newer > 0:
		return ages{newer: 1}
	}
	return ages{other: 1}
}

// unionOfNames returns the names of the members of two objects, escaped.
func unionOfNames(a, b Object) (names []string) {
	for _, m := range slices.Concat(a.members, b.members) {
		if !slices.Contains(names, m.name) {
			names = append(names, m.name)
		}
	}
	return names
}

// raw returns a member by its escaped name, "" for none.
func (o Object) raw(name string) string {
	for _, m := range o.members {
		if m.name == name {
			return m.raw
		}
	}
	return ""
}

func isObject(text string) bool { return strings.HasPrefix(text, "{") }

// sameOrNone compares rows, or other values, without regard to the order of members. ""
// is none.
func sameOrNone(a, b string) bool {
	return a == b || isObject(a) && isObject(b) && SameMembers(a, b)
}
