package db_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
)

// A person may add lines that keep the rules. So may another program, whose
// lines have a checksum. want is the whole error, "" for none.
func TestAdmit(t *testing.T) {
	t.Parallel()
	with := func(body string, oldnew ...string) string { return strings.NewReplacer(oldnew...).Replace(body) }
	id := func(body string, id int) string {
		return strings.Replace(body, `"id":1`, fmt.Sprintf(`"id":%d`, id), 1)
	}
	const oneRow = "a line changes one row: an owner, a session, a thing or a note"
	tests := []struct{ name, body, want string }{
		{"a row", putThing2, ""},
		{"a row in the place of another", with(putOwner1, "ann", "bob"), ""},
		{"a row with the keys that it has", putOwner1, ""},
		{"an owner without a mail", `"op":"put","owner":{"id":2,"name":"bob"}`, ""},
		{"a deletion", `"op":"delete","kind":"thing","id":1`, ""},
		{"the deletion of an owner alone", `"op":"delete","kind":"owner","id":1`, ""},
		{"last ids", `"op":"ids","last_ids":{"thing":7}`, ""},
		{"last ids of nothing", `"op":"ids","last_ids":{}`, ""},
		{"members in another order", `"thing":{"label":"","id":2,"kind":"desk"},"op":"put"`, ""},
		{"members in capitals", `"OP":"put","Thing":{"ID":2,"Kind":"desk","label":""}`, ""},
		{"nulls", putThing2 + `,"note":null,"kind":null,"id":null,"last_ids":null`, ""},
		{"spaces", `"op" : "put" , "thing" : { "id" : 2 }`, ""},
		{"a thing of an owner who isn't there", with(putThing2, `"owner":1`, `"owner":9`), ""},
		{"the highest id that a person may give", with(id(putNote1, db.MaxID), "Dune", "Emma"), ""},

		{"a name that is taken", `"op":"put","owner":{"id":2,"name":"ann"}`, "owner 1 already has this name"},
		{"a mail that is taken, in other case", `"op":"put","owner":{"id":2,"name":"bob","mail":"ANN@example.com"}`, "owner 1 already has this mail"},
		{"a code that is taken", id(putSession1, 2), "session 1 already has this code"},
		{"a title that is taken", id(putNote1, 2), "note 1 already has this title"},
		{"a session without an owner", with(id(putSession1, 2), "c1", "c2", `"owner":1`, `"owner":9`), "owner 9 does not exist"},
		{"a session without an owner", with(id(putSession1, 2), "c1", "c2", `,"owner":1`, ""), "owner 0 does not exist"},
		{"a session that changes hands", with(putSession1, `"owner":1`, `"owner":2`), "owner 2 does not exist"},
		{"what the table's own check refuses", `"op":"put","owner":{"id":2}`, "an owner needs a name"},
		{"id 0", id(putThing1, 0), "thing 0: ids go from 1 to 4611686018427387903"},
		{"an id below 0", id(putThing1, -5), "thing -5: ids go from 1 to 4611686018427387903"},
		{"no id", `"op":"put","thing":{}`, "thing 0: ids go from 1 to 4611686018427387903"},
		{"two rows", putThing2 + `,"note":{"id":9,"title":"x"}`, oneRow},
		{"one row twice", putThing2 + `,"thing":{"id":3}`, oneRow},
		{"a row and a deletion", putThing2 + `,"kind":"thing","id":1`, oneRow},
		{"a row and last ids", putThing2 + `,"last_ids":{}`, oneRow},
		{"no row", `"op":"put"`, oneRow},
		{"a row that is null", `"op":"put","thing":null`, oneRow},
		{"a pointer that is null", `"op":"put","owner":null`, oneRow},
		{"deleting what isn't there", `"op":"delete","kind":"thing","id":7`, "deletes thing 7, which does not exist"},
		{"deleting nothing in particular", `"op":"delete","kind":"thing"`, "deletes thing 0, which does not exist"},
		{"deleting from a table that isn't there", `"op":"delete","kind":"chair","id":1`, "deletes chair 1, which does not exist"},
		{"a deletion without a kind", `"op":"delete","id":1`, oneRow},
		{"an unknown op", with(putThing2, "put", "add"), `op "add" does not go with what the line holds`},
		{"no op", `"thing":{"id":2}`, `op "" does not go with what the line holds`},
		{"a deletion that has a row", with(putThing2, "put", "delete"), `op "delete" does not go with what the line holds`},
		{"a row that has an id's op", with(putThing2, "put", "ids"), `op "ids" does not go with what the line holds`},
		{"a put that has a kind", `"op":"put","kind":"thing","id":1`, `op "put" does not go with what the line holds`},
		{"a put that has last ids", `"op":"put","last_ids":{}`, `op "put" does not go with what the line holds`},
		{"an op that is a number", `"op":1,"thing":{"id":2}`, "json: cannot unmarshal number into Go value of type string"},
		{"a row that is a text", `"op":"put","note":"Dune"`, "json: cannot unmarshal string into Go value of type db_test.note"},
		{"an id that is a text", `"op":"put","note":{"id":"2"}`, "json: cannot unmarshal string into Go struct field note.id of type int"},
		{"last ids that are a list", `"op":"ids","last_ids":[7]`, "json: cannot unmarshal array into Go value of type map[string]int"},
	}
	// checked in hand-written lines only
	manual := []struct{ name, body, want, program string }{
		{"an id above the highest that a person may give", id(putThing1, db.MaxID+1), "thing 4611686018427387904: ids go from 1 to 4611686018427387903", ""},
		{"a last id above it", `"op":"ids","last_ids":{"thing":4611686018427387904}`, "an id is above 4611686018427387903", ""},
		{"an unknown member", putThing2 + `,"colour":"red"`, `json: unknown field "colour"`, ""},
		{"an unknown member of a row", with(putThing2, `"kind"`, `"kynd"`), `json: unknown field "kynd"`, ""},
		{"an unknown table among last ids", `"op":"ids","last_ids":{"chair":7}`, `json: unknown field "chair"`, ""},
		{"a slip of the pen in a table's name", with(putThing2, `"thing"`, `"thin"`), `json: unknown field "thin"`, oneRow},
	}
	base := journaltest.File(putOwner1+"\n"+putSession1, putThing1, putNote1) // lines 2 to 5
	check := func(name, line, want string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := diskWith(base + line + "\n")
			h, err := open(d, db.Options{})
			if want != "" {
				var damage *history.Damage
				if !errors.As(err, &damage) || *damage != (history.Damage{Line: 6, What: want}) {
					t.Errorf("Open = %v; want line 6: %s", err, want)
				}
				if content(d) != base+line+"\n" {
					t.Error("the start was refused, and changed the file")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if h.LastSeq() != 5 {
				t.Errorf("LastSeq = %d", h.LastSeq())
			}
			wantSeen(t, h)
			must(t, h.Update(h.addNote("after", 0)))
			seen := h.visible()
			wantRows(t, reopened(t, h, d).visible(), seen)
		})
	}
	byHand := func(body string) string { return `{"seq":5,` + body + "}" }
	byProgram := func(body string) string {
		return strings.TrimSuffix(journaltest.Line(5, journaltest.Noon, body, 1), "\n")
	}
	for _, tt := range tests {
		check("by hand: "+tt.name, byHand(tt.body), tt.want)
		check("by a program: "+tt.name, byProgram(tt.body), tt.want)
	}
	for _, tt := range manual {
		check("by hand: "+tt.name, byHand(tt.body), tt.want)
		check("by a program: "+tt.name, byProgram(tt.body), tt.program)
	}
}

// Hand-written lines do all that the lines of rules do.
func TestLinesByHand(t *testing.T) {
	t.Parallel()
	base := journaltest.File(putOwner1+"\n"+putSession1, putThing1, putNote1)
	ann, session, thing, dune := `{"id":1,"name":"ann","mail":"ann@example.com"}`, `{"id":1,"code":"c1","owner":1}`,
		`{"id":1,"kind":"lamp","label":"","owner":1,"weight":7}`, `{"id":1,"title":"Dune","owner":1}`
	for _, tt := range []struct {
		name, body string
		want       rows
	}{
		{"an owner's deletion", `"op":"delete","kind":"owner","id":1`, rows{
			"thing 1": `{"id":1,"kind":"lamp","label":"","weight":7}`, "note 1": `{"id":1,"title":"Dune"}`,
		}},
		{"an owner's new name", `"op":"put","owner":{"id":1,"name":"bob"}`, rows{
			"owner 1": `{"id":1,"name":"bob"}`, "session 1": session, "thing 1": thing, "note 1": dune,
		}},
		{"a thing of an owner who is gone", `"op":"put","thing":{"id":1,"kind":"desk","label":"","owner":9}`, rows{
			"owner 1": ann, "session 1": session, "thing 1": `{"id":1,"kind":"desk","label":""}`, "note 1": dune,
		}},
		{"a table in capitals", `"OP":"delete","Kind":"NOTE","ID":1`, rows{"owner 1": ann, "session 1": session, "thing 1": thing}},
	} {
		d := diskWith(base + `{"seq":5,` + tt.body + "}\n")
		h := mustOpen(t, d)
		if diff := difference(h.visible(), tt.want); diff != "" {
			t.Errorf("%s:%s", tt.name, diff)
		}
		wantSeen(t, h)
	}
	// Last ids in capitals count.
	h := mustOpen(t, diskWith(base+`{"seq":5,"op":"ids","last_ids":{"NOTE":7}}`+"\n"))
	must(t, h.Update(h.addNote("Emma", 0)))
	if h.visible()["note 8"] == "" {
		t.Errorf("the rows are %v; want note 8", h.visible())
	}
}

// An error names the first line that breaks a rule. The lines before it are
// applied.
func TestFirstDamage(t *testing.T) {
	t.Parallel()
	var batch []string
	for i := range 2500 {
		batch = append(batch, fmt.Sprintf(`"op":"put","note":{"id":%d,"title":"n%d"}`, i+1, i+1))
	}
	for _, at := range []int{0, 1, 999, 1000, 1001, 2499} {
		for _, bad := range []string{`"op":"put","note":{"id":0,"title":"x"}`, `"op":"put","note":"x"`} {
			lines := append([]string{}, batch...)
			lines[at] = bad
			lines = append(lines, `"op":"put","note":{"id":0,"title":"y"}`)
			text := journaltest.File(lines...)
			h := newHome(db.Options{})
			applied, err := h.Read(func(emit func([]history.Record) error) error {
				_, err := journal.Read(strings.NewReader(text), int64(len(text)), emit)
				return err
			})
			var damage *history.Damage
			if !errors.As(err, &damage) || damage.Line != at+2 {
				t.Errorf("line %d: Read = %v", at+2, err)
			}
			if n := len(h.visible()); applied != at || n != at || h.LastSeq() != int64(at) {
				t.Errorf("line %d: %d lines are applied, %d rows are there, up to %d", at+2, applied, n, h.LastSeq())
			}
		}
	}
}

// An error of the log itself is passed on, after the lines before it.
func TestReadError(t *testing.T) {
	t.Parallel()
	h := newHome(db.Options{})
	stop := errors.New("the medium is gone")
	applied, err := h.Read(func(emit func([]history.Record) error) error {
		must(t, emit([]history.Record{{Seq: 1, Body: []byte(putOwner1)}}))
		return stop
	})
	if err != stop || applied != 1 || len(h.visible()) != 1 {
		t.Errorf("Read = %d, %v; %d rows", applied, err, len(h.visible()))
	}
}

// A batch of many lines is applied as a whole or not at all, in order.
func TestLargeBatch(t *testing.T) {
	t.Parallel()
	const n = 2*1000 + 7
	lines := []string{putOwner1}
	for id := 1; id <= n; id++ {
		lines = append(lines, fmt.Sprintf(`"op":"put","note":{"id":%d,"title":"old %d"}`, id, id))
	}
	for id := 1; id <= n; id++ {
		lines = append(lines, fmt.Sprintf(`"op":"put","note":{"id":%d,"title":"new %d"}`, id, id))
	}
	whole := journaltest.File(strings.Join(lines, "\n"))
	cut := whole[:strings.LastIndex(whole[:len(whole)-1], "\n")+1]
	if got := mustOpen(t, diskWith(cut)).visible(); len(got) != 0 {
		t.Errorf("of a batch without its last line %d rows are there", len(got))
	}
	got := mustOpen(t, diskWith(whole)).visible()
	if len(got) != 1+n {
		t.Errorf("%d rows; want %d", len(got), 1+n)
	}
	for id := 1; id <= n; id++ {
		if want := fmt.Sprintf(`{"id":%d,"title":"new %d"}`, id, id); got[fmt.Sprint("note ", id)] != want {
			t.Fatalf("note %d is %s; want %s", id, got[fmt.Sprint("note ", id)], want)
		}
	}
}

// FuzzLine checks that no line makes reading panic, and that parsePut reads
// what parseAny reads. An accepted hand-written line can be written and read
// again.
func FuzzLine(f *testing.F) {
	for _, body := range []string{
		putOwner1, putSession1, putThing1, putNote1, `"op":"delete","kind":"thing","id":1`,
		`"op":"ids","last_ids":{"owner":3,"thing":7}`, `"op":"put","owner":null`, `"op":"put","owner":{},"x":1`,
		`"op":"put","thing":{"id":1},"thing":null`, `"op":"put","note":{"id":1,"id":2,"title":"\ud800"}`, `"OP":"put","note": null `,
		`"op":"put","note":{"id":1,"title":"x"}}`, `"op":"put","owner": null`, `"op":"put","thing":{"id":9223372036854775807}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		h := newHome(db.Options{})
		if fast, slow, taken := h.ReadTwice(body); taken && fast != slow {
			t.Errorf("%q\nis read the fast way as %s\nand the slow way as %s", body, fast, slow)
		}
		must(t, h.Update(h.addOwner("ann")))
		if h.ReadManual(body) != nil {
			return
		}
		wantSeen(t, h)
		again := newHome(db.Options{})
		again.Load(h.Snapshot(), h.LastSeq())
		wantRows(t, again.visible(), h.visible())
	})
}

// BenchmarkRead compares the fast path for put lines with the path for any line.
func BenchmarkRead(b *testing.B) {
	h := newHome(db.Options{})
	body := []byte(`"op":"put","thing":{"id":1,"kind":"lamp","label":"a label as long as most are","weight":7}`)
	b.Run("put", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !h.ReadPut(body) {
				b.Fatal("not read")
			}
		}
	})
	b.Run("any", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !h.ReadAny(body) {
				b.Fatal("not read")
			}
		}
	})
}
