package livefile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A person edits the file.
type person struct {
	w *world

	*session
	text   string // of the file when the editor read it, or of the last save
	inFile state  // what that says
	buffer state  // what the editor shows
	simple bool   // only new rows and new values were typed

	open    *os.File         // a save under way, in place
	rest    string           // what it still has to write
	pending *save            // what it will be then
	last    *save            // the newest whole save
	saves   map[string]*save // all saves by their text
}

// A session is the time from when the editor reads the file.
type session struct {
	saw state // what the person knows of the data
	run int   // the start of the server before that
}

// A save is what a person saved.
type save struct {
	*session
	text   string
	edit   state // what it says
	old    bool  // it is what the editor had read
	simple bool
	taken  bool
}

// act lets the person do something.
func (p *person) act() {
	switch n := p.w.chance.IntN(10); {
	case p.open != nil:
		p.write()
	case p.buffer == nil, n < 2:
		p.load()
	case n < 6:
		p.edit()
	default:
		p.save()
	}
}

// load reads the file into the editor.
func (p *person) load() {
	text, _ := os.ReadFile(p.w.name)
	s, err := parse(text)
	if err != nil {
		return
	}
	p.w.tell("person: reads")
	p.session, p.text, p.inFile, p.buffer, p.simple = &session{s, p.w.run}, string(text), s, s, true
	if own := p.saves[p.text]; own != nil { // what the person saved says nothing new
		p.session, p.simple = own.session, own.simple
	}
}

// edit changes what the editor shows.
func (p *person) edit() {
	w := p.w
	one := w.any(p.buffer, w.chance)
	switch n := w.chance.IntN(12); {
	case n < 3 || one == nil:
		r := row{"in": []string{"a", "b"}[w.chance.IntN(2)], "title": w.fresh(), "x": "0", "y": "0"}
		switch w.chance.IntN(4) {
		case 0: // without an id
		case 1: // the id that a client's row may get as well
			top := 0
			for _, other := range p.buffer {
				n := 0
				if fmt.Sscan(other["id"], &n); other["in"] == r["in"] {
					top = max(top, n)
				}
			}
			r["id"] = fmt.Sprint(top + 1)
			r["x"], r["y"] = w.fresh(), w.fresh()
			p.simple = false
		default:
			r["id"] = w.fresh()
		}
		p.buffer = p.buffer.with(r)
		w.tell("person: adds %v", r)
	case n < 10:
		r := maps.Clone(one)
		r[[]string{"x", "y"}[w.chance.IntN(2)]] = w.fresh()
		p.buffer = p.buffer.with(r)
		w.tell("person: changes %s", r["title"])
	case one["in"] != "p":
		p.buffer = p.buffer.without(one["title"])
		p.simple = false
		w.tell("person: deletes %s", one["title"])
	}
}

// content is a state as a file. It is as long as no other.
func (w *world) content(s state) string {
	file := map[string]any{}
	for _, in := range []string{"a", "b"} {
		file[in] = []any{}
	}
	for _, title := range slices.Sorted(maps.Keys(s)) {
		members := map[string]json.RawMessage{}
		for name, raw := range s[title] {
			if name != "in" && raw != "" {
				members[name] = json.RawMessage(raw)
			}
		}
		if in := s[title]["in"]; in == "p" {
			file[in] = members
		} else {
			file[in] = append(file[in].([]any), members)
		}
	}
	text, err := json.MarshalIndent(file, "", strings.Repeat(" ", w.chance.IntN(3)))
	if err != nil {
		w.breaks("%v", err)
	}
	w.number++
	return strings.Repeat("\n", w.number%97) + string(text)
}

// save saves what the editor shows, in one of the ways of editors.
func (p *person) save() {
	w := p.w
	text := w.content(p.buffer)
	how := w.chance.IntN(6)
	if how == 0 {
		text = p.text // without a change: an old version, it may be
		p.buffer = p.inFile
	}
	w.tell("person: saves in manner %d", how)
	w.checkLast()
	p.last = nil
	next := &save{session: p.session, text: text, edit: p.buffer, old: how == 0, simple: p.simple}
	var err error
	switch how {
	case 1, 2: // as vim does
		if err = os.WriteFile(w.name+"~", []byte(text), 0o600); err == nil {
			err = os.Rename(w.name+"~", w.name)
		}
	case 3: // slowly
		if p.open, err = os.OpenFile(w.name, os.O_WRONLY|os.O_TRUNC, 0); err == nil {
			p.rest = text
			p.pending = next
		}
		return
	case 4: // and touches it
		if err = os.WriteFile(w.name, []byte(text), 0o600); err == nil {
			w.now = w.now.Add(1)
			err = os.Chtimes(w.name, w.now, w.now)
		}
	default:
		err = os.WriteFile(w.name, []byte(text), 0o600)
	}
	if err != nil {
		w.breaks("%v", err)
	}
	p.saved(next)
}

func (p *person) saved(s *save) {
	p.last = s
	if p.saves == nil {
		p.saves = map[string]*save{}
	}
	p.saves[s.text] = s
	p.text, p.inFile = s.text, s.edit
}

// write goes on with a save in place.
func (p *person) write() {
	n := len(p.rest)
	if p.w.chance.IntN(2) == 0 {
		n /= 2
	}
	if _, err := p.open.WriteString(p.rest[:n]); err != nil {
		p.w.breaks("%v", err)
	}
	p.w.tell("person: writes %d bytes", n)
	if p.rest = p.rest[n:]; p.rest == "" {
		p.open.Close()
		p.open = nil
		p.saved(p.pending)
	}
}

// abandon is the end of the editor.
func (p *person) abandon() {
	if p.open != nil {
		p.open.Close()
	}
	p.open, p.rest, p.buffer = nil, "", nil
}

// taken says that an edit was taken over. Nothing is lost by it that the person didn't
// know of.
func (p *person) taken(edit state, text string, e bool) {
	w, s := p.w, p.saves[text]
	if s == nil {
		w.breaks("a text was taken over that was not saved: %q", text)
		return
	}
	s.taken = true
	defer func() { s.saw = edit }()
	if e || s.run != w.run { // an editor that is open over a restart: a documented limit
		return
	}
	for title, now := range w.acked {
		was, is := s.saw[title], edit[title]
		switch {
		case was == nil && is == nil:
			w.breaks("the person didn't know of %v, and it is gone", now)
		case was == nil || is == nil:
		default:
			for name, raw := range now {
				if raw != was[name] && is[name] == was[name] && name != "id" {
					w.breaks("the person didn't know of %s in %v", name, now)
				}
			}
		}
	}
	for title, was := range s.saw {
		if is := edit[title]; w.acked[title] == nil && is != nil && maps.Equal(was, is) {
			w.breaks("the person didn't know that %v was deleted, and it is back", was)
		}
	}
}

// refused says that an edit is a conflict. That has to have a reason.
func (p *person) refused(text string) {
	w, s := p.w, p.saves[text]
	if s == nil {
		w.breaks("a conflict about a text that was not saved: %q", text)
		return
	}
	if s.run == w.run && s.simple && s.saw.diff(w.acked) == "" && !w.torn {
		w.breaks("a conflict without a reason")
	}
}

// kept reports whether a text is in the file, or in a copy of an edit.
func (w *world) kept(text string) bool {
	copies, err := filepath.Glob(w.name + ".mine*")
	if err != nil {
		w.breaks("%v", err)
	}
	for _, name := range append(append(copies, w.name), w.asides()...) {
		if content, err := os.ReadFile(name); err == nil && bytes.Equal(content, []byte(text)) {
			return true
		}
	}
	return false
}

// checkLast fails if the last save was destroyed.
func (w *world) checkLast() {
	if s := w.person.last; s != nil && !s.taken && !s.old && !w.kept(s.text) {
		w.breaks("a save is lost: %q", s.text)
	}
}
