package rows

import (
	"bufio"
	"bytes"
	"fmt"

	"example.com/shelf/internal/db"
)

// AddFile adds the collections of a file, and notes its hash. It fails if one of them is
// there already. Accounts are the caller's to add.
func (s *Store) AddFile(tx *db.Tx, f *File) error {
	for i := range f.members {
		m := &f.members[i]
		if _, there := s.byName.Find(tx, m.Name); there {
			if !m.routed() {
				continue
			}
			return &Error{Conflict, fmt.Sprintf("there is a collection %q already: rename the member, or leave it out with -skip %s", m.Name, m.Name)}
		}
		if err := s.addMember(tx, m); err != nil {
			return err
		}
	}
	s.NoteSource(tx, f.SHA256, "")
	return nil
}

// addMember adds a member of a file with its rows.
func (s *Store) addMember(tx *db.Tx, m *fileMember) error {
	added := m.collection
	c, err := s.add(tx, &added)
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	for _, text := range m.texts {
		s.rows.Put(tx, newRow(s.rows.NewID(tx), c.ID, text))
	}
	s.given[c.ID] = m.top
	return nil
}

// Empty reports whether there has never been a collection.
func (s *Store) Empty(tx *db.Tx) bool {
	return s.collections.AtMost(tx) == 0 && s.rows.AtMost(tx) == 0
}

// An Image is all collections and kept members at one moment, without regard to who
// may read them. It may be used after the View that it was made in.
type Image struct{ members []imageMember }

type imageMember struct {
	*collection
	rows    []*Row
	highest int // number that was ever given out as an id
}

// Image returns what is committed.
func (s *Store) Image(tx *db.Tx) Image {
	var image Image
	for _, c := range s.collections.All(tx) {
		m := imageMember{collection: c, highest: s.highest(c)}
		if l := s.lists[c.ID]; l != nil && c.routed() {
			m.rows = l.all()
		}
		image.members = append(image.members, m)
	}
	return image
}

// rowsOf returns the rows of a collection.
func (image Image) rowsOf(name string) []*Row {
	for _, m := range image.members {
		if m.Name == name {
			return m.rows
		}
	}
	return nil
}

// JSON returns the image as the file that it can be loaded from, compact: members and
// rows in their order, $schema and skipped members included. users are the JSON of the
// accounts' rows. They stand where the file had users, or last.
func (image Image) JSON(users []string) []byte {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	image.write(w, users)
	w.Flush() // a bytes.Buffer takes everything
	return b.Bytes()
}

// write writes what JSON returns. An error is the writer's, which Flush returns.
func (image Image) write(w *bufio.Writer, users []string) {
	w.WriteByte('{')
	for i, m := range image.asFile(users) {
		if i > 0 {
			w.WriteByte(',')
		}
		w.WriteString(Quote(m.name))
		w.WriteByte(':')
		if !m.list {
			w.WriteString(m.value)
			continue
		}
		w.WriteByte('[')
		for n, text := range m.rows {
			if n > 0 {
				w.WriteByte(',')
			}
			w.WriteString(text)
		}
		w.WriteByte(']')
	}
	w.WriteByte('}')
}

// A memberOfFile is a member of the top level as it has to be in the file.
type memberOfFile struct {
	name  string
	value string   // of a member that is no list of rows
	rows  []string // of one that is
	list  bool
}

// asFile returns the members in their order.
func (image Image) asFile(users []string) (all []memberOfFile) {
	placed := false
	for _, m := range image.members {
		switch {
		case m.Accounts:
			placed = true
			all = append(all, memberOfFile{name: m.Name, rows: users, list: true})
		case m.Kept != nil:
			all = append(all, memberOfFile{name: m.Name, value: string(m.Kept)})
		case !m.Single:
			texts := make([]string, len(m.rows))
			for i, r := range m.rows {
				texts[i] = r.Text
			}
			all = append(all, memberOfFile{name: m.Name, rows: texts, list: true})
		case len(m.rows) > 0:
			all = append(all, memberOfFile{name: m.Name, value: m.rows[0].Text})
		}
	}
	if !placed && len(users) > 0 {
		all = append(all, memberOfFile{name: "users", rows: users, list: true})
	}
	return all
}
