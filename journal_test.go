package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"
)

var quiet = slog.New(slog.DiscardHandler)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func clockAtNoon() time.Time { return noon }

// lines makes a data file: each batch is one string, of changes a line. A line
// that is JSON already stands as it is.
func lines(batches ...string) string {
	b := appendHeader(nil, 0, 0)
	var seq int64
	for _, batch := range batches {
		changes := strings.Split(batch, "\n")
		for i, c := range changes {
			seq++
			closes := 0
			if i == len(changes)-1 {
				closes = len(changes)
			}
			if strings.HasPrefix(c, "{") {
				b = append(append(b, c...), '\n')
				continue
			}
			b = appendLine(b, seq, noon, []byte(c), closes)
		}
	}
	return string(b)
}

const (
	putUser1 = `"op":"put","user":{"id":1,"public_id":"p1","username":"ann","email":"ann@example.com","created":"2026-11-22T12:00:00Z"}`
	putItem1 = `"op":"put","item":{"id":1,"itemname":"lamp","category":"","description":"","created":"2026-11-22T12:00:00Z","createdby":1}`
	putItem2 = `"op":"put","item":{"id":2,"itemname":"desk","category":"","description":"","created":"2026-11-22T12:00:00Z","createdby":1}`
	putBook1 = `"op":"put","book":{"id":1,"title":"Dune","author":"Herbert","createdby":1}`
	putJTI1  = `"op":"put","token":{"id":1,"jti":"j1","type":"access","user":1,"session":1,"expires":"2026-11-22T13:00:00Z"}`
)

// openOn opens a store on a disk that has that data file.
func openOn(content string) (*faultDisk, *store, string, error) {
	d := newFaultDisk(1)
	d.put(dataFile, content)
	var log bytes.Buffer
	s, err := openStore(d, dataFile, slog.New(slog.NewTextHandler(&log, nil)), clockAtNoon)
	return d, s, log.String(), err
}

func TestJournalTornTail(t *testing.T) {
	t.Parallel()
	whole := lines(putUser1, putItem1)
	next := string(appendLine(nil, 3, noon, []byte(putItem2), 1))
	half := string(appendLine(nil, 3, noon, []byte(putItem2), 0)) // its batch has no last line
	pad := func(n int) string {                                   // zeros from the end of whole to the end of the nth sector
		return strings.Repeat("\x00", n*sector-len(whole)%sector)
	}
	tests := []struct{ name, tail string }{
		{"half a line", next[:40]},
		{"a line without its newline", next[:len(next)-1]},
		{"a batch without its last line", half},
		{"a line and a half", half + next[:30]},
		{"half a line and a mark", next[:40] + refusedMark + "\n"},
		{"half a line and half a mark", next[:40] + refusedMark[:5]},
		{"half a line, a mark and half a line", next[:40] + refusedMark + "\n" + next[:50]},
		{"zeros", "\x00\x00\x00"},
		{"half a line, then zeros", next[:40] + "\x00\x00\x00"},
		{"a lost sector, then the end of a batch", pad(1) + `,"crc":"00000000"}` + "\n" + string(appendLine(nil, 4, noon, []byte(putItem2), 2))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, s, log, err := openOn(whole + tt.tail)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := d.content(dataFile); got != whole {
				t.Errorf("the data file is %q", got)
			}
			if got, _ := d.content(dataFile + ".torn"); got != tt.tail {
				t.Errorf("the torn tail is %q; want %q", got, tt.tail)
			}
			if !strings.Contains(log, "torn tail") || !strings.Contains(log, fmt.Sprint("bytes=", len(tt.tail))) {
				t.Errorf("the log says %q", log)
			}
			if got, _ := d.crash(leaveNothing).content(dataFile + ".torn"); got != tt.tail {
				t.Errorf("after a crash the torn tail is %q; want %q", got, tt.tail)
			}
			if err := s.addItem(&item{Itemname: "chair", CreatedBy: 1}); err != nil {
				t.Fatal(err)
			}
			s.close()
			// A second one goes behind the first.
			content, _ := d.content(dataFile)
			d.put(dataFile, content+"{")
			if _, err := openStore(d, dataFile, quiet, clockAtNoon); err != nil {
				t.Fatal(err)
			}
			if got, _ := d.content(dataFile + ".torn"); got != tt.tail+"{" {
				t.Errorf("two torn tails are %q", got)
			}
		})
	}
}

func TestJournalDamage(t *testing.T) {
	t.Parallel()
	good := lines(putUser1, putItem1, putBook1)
	at := func(line int) int { // the offset of a line
		n := 0
		for range line - 1 {
			n += strings.Index(good[n:], "\n") + 1
		}
		return n
	}
	last := string(appendLine(nil, 4, noon, []byte(putItem2), 1))
	lost := lines(putUser1) // … and a batch of two, of whose first line only zeros are left
	lost += strings.Repeat("\x00", sector-len(lost)%sector) + "\n" + string(appendLine(nil, 3, noon, []byte(putItem2), 2))
	tests := []struct{ name, content, want string }{
		{"a changed letter", strings.Replace(good, "lamp", "lump", 1), "line 3: the checksum does not match"},
		{"a line is missing", good[:at(3)] + good[at(4):], "line 3: seq is 3 where 2 should follow"},
		{"a line is there twice", good[:at(3)] + good[at(2):], "line 3: seq is 1 where 2 should follow"},
		{"a line is no JSON", good[:at(3)] + "rubbish\n" + good[at(4):], "line 3: not a JSON object"},
		{"rubbish at the end", good + "rubbish\n", "line 5: not a JSON object"},
		{"rubbish at the end without a newline", good + "rubbish", "line 5: not a whole line"},
		{"zeros over a whole batch in the middle", good[:at(3)] + strings.Repeat("\x00", sector) + "\n" + good[at(4):], "line 3: "},
		{"the header", strings.Replace(good, `"after":0`, `"after":7`, 1), "line 1: the checksum does not match"},
		{"another program's file", "id,name\n1,ann\n", "not a data file of shelf"},
		{"a newer version", `{"format":"shelf","version":2}` + "\n", "use a newer shelf"},
		{"zeros where a journal was", strings.Repeat("\x00", len(good)), "not a data file of shelf"},
		{"a batch that lost its first line", lines(putUser1) + string(appendLine(nil, 3, noon, []byte(putItem2), 2)), "line 3: seq is 3 where 2 should follow"},
		{"a last line that closes too many", good + string(appendLine(nil, 4, noon, []byte(putItem2), 2)), "line 5: closes 2 lines where 1 are open"},
		{"a snapshot that is cut short", string(appendHeader(nil, 0, 2)) + string(appendLine(nil, 1, noon, []byte(putUser1), 1)), "inside its snapshot"},
		{"a lost sector before another batch", lost + last, "line 3: "},
		{"a lost sector before the beginning of another batch", lost + string(appendLine(nil, 4, noon, []byte(putItem2), 0)), "line 3: "},
		{"damage before a torn tail", strings.Replace(good, "lamp", "lump", 1) + last[:20], "line 3: the checksum does not match"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, _, _, err := openOn(tt.content)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), dataFile) {
				t.Errorf("openStore = %v; want %s", err, tt.want)
			}
			if after, _ := d.content(dataFile); after != tt.content {
				t.Error("the file was changed")
			}
			if _, ok := d.content(dataFile + ".torn"); ok {
				t.Error("something was set aside")
			}
		})
	}
}

// TestJournalByHand: a person may add and edit lines, within the rules.
func TestJournalByHand(t *testing.T) {
	t.Parallel()
	base := lines(putUser1+"\n"+putJTI1, putItem1, putBook1) // seq 1 to 4, lines 2 to 5
	line := func(seq int, change string) string { return fmt.Sprintf(`{"seq":%d,%s}`, seq, change) }
	edited := func(change, with, closes string) string { // base with a line edited, its crc removed
		start := strings.Index(base, `{"seq":`+change)
		end := start + strings.Index(base[start:], "\n")
		return base[:start] + `{"seq":` + with + closes + "}" + base[end:]
	}
	user := func(id int, publicID, name, email string) string {
		return fmt.Sprintf(`"op":"put","user":{"id":%d,"public_id":%q,"username":%q,"email":%q,"created":"2026-11-22T12:00:00Z"}`, id, publicID, name, email)
	}
	tests := []struct{ name, content, want string }{ // want "": accepted
		{"a line of one's own", base + line(5, putItem2) + "\n", ""},
		{"without its newline", base + line(5, putItem2), ""},
		{"with a carriage return", base + line(5, putItem2) + "\r\n", ""},
		{"a file that an editor gave carriage returns", strings.ReplaceAll(base+line(5, putItem2)+"\n", "\n", "\r\n"), ""},
		{"two lines", base + line(5, putItem2) + "\n" + line(6, `"op":"delete","kind":"item","id":1`) + "\n", ""},
		{"an empty line behind it", base + line(5, putItem2) + "\n\n", ""},
		{"a line that closes itself", base + line(5, putItem2+`,"closes":1`) + "\n", ""},
		{"spaces", base + `{ "seq": 5, ` + putItem2 + " }\n", ""},
		{"an edited line", edited("3", `3,`+putItem2, ""), ""},
		{"an edited line at the start of a batch", edited("1", `1,`+user(1, "p1", "bob", "bob@example.com"), ""), ""},
		{"an edited line at the end of a batch", edited("2", `2,`+putJTI1, `,"closes":2`), ""},
		{"an edited batch that isn't closed", lines(putUser1 + "\n" + line(2, putJTI1)), "line 3: an edited line inside a batch that is not closed"},
		{"an edited batch that isn't closed, without its newline", strings.TrimSuffix(lines(putUser1+"\n"+line(2, putJTI1)), "\n"), "line 3: an edited line inside a batch that is not closed"},
		{"a line of one's own in a snapshot that is cut short", string(appendHeader(nil, 0, 3)) + string(appendLine(nil, 1, noon, []byte(putUser1), 1)) + line(2, putItem1), "inside its snapshot"},

		{"an e-mail that is taken", base + line(5, user(2, "p2", "bob", "ANN@example.com")) + "\n", "line 6: user 1 already has this e-mail"},
		{"a username that is taken", base + line(5, user(2, "p2", "ann", "")) + "\n", "line 6: user 1 already has this username"},
		{"a public_id that is taken", base + line(5, user(2, "p1", "bob", "")) + "\n", "line 6: user 1 already has this public_id"},
		{"a title that is taken", base + line(5, strings.Replace(putBook1, `"id":1`, `"id":2`, 1)) + "\n", "line 6: book 1 already has this title"},
		{"a jti that is taken", base + line(5, strings.Replace(putJTI1, `"id":1`, `"id":2`, 1)) + "\n", "line 6: token 1 already has this jti"},
		{"a token of nobody", base + line(5, strings.NewReplacer(`"user":1`, `"user":9`, "j1", "j2", `"id":1`, `"id":2`).Replace(putJTI1)) + "\n", "line 6: user 9 does not exist"},
		{"id 0", base + line(5, strings.Replace(putItem2, `"id":2`, `"id":0`, 1)) + "\n", "line 6: item 0: ids go from 1"},
		{"the highest id that a person may give", base + line(5, strings.Replace(putItem2, `"id":2`, fmt.Sprintf(`"id":%d`, maxID), 1)) + "\n", ""},
		{"the highest id there is", base + line(5, strings.Replace(putItem2, `"id":2`, `"id":9223372036854775807`, 1)) + "\n", "line 6: "},
		{"a number left out", base + line(6, putItem2) + "\n", "line 6: seq is 6 where 5 should follow"},
		{"a number used", base + line(4, putItem2) + "\n", "line 6: seq is 4 where 5 should follow"},
		{"no number", base + "{" + putItem2 + "}\n", "line 6: no seq"},
		{"an unknown member", base + line(5, putItem2+`,"colour":"red"`) + "\n", `line 6: json: unknown field "colour"`},
		{"an unknown member of a row", base + line(5, strings.Replace(putItem2, `"category"`, `"kategory"`, 1)) + "\n", `line 6: json: unknown field "kategory"`},
		{"a crc that isn't last", base + `{"crc":"00000000","seq":5,` + putItem2 + "}\n", "line 6: crc is not the last member"},
		{"a wrong crc", base + line(5, putItem2+`,"crc":"00000000"`) + "\n", "line 6: the checksum does not match"},
		{"two rows", base + line(5, putItem2+`,"book":{"id":9,"title":"x","author":"y"}`) + "\n", "line 6: a line changes one row"},
		{"no row", base + line(5, `"op":"put"`) + "\n", "line 6: a line changes one row"},
		{"deleting what isn't there", base + line(5, `"op":"delete","kind":"item","id":7`) + "\n", "line 6: deletes item 7, which does not exist"},
		{"a wrong op", base + line(5, strings.Replace(putItem2, "put", "add", 1)) + "\n", `line 6: op "add"`},
		{"a hash that takes forever", base + line(5, `"op":"put","user":{"id":2,"public_id":"p2","username":"bob","hash":"$2b$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"}`) + "\n", "line 6: the hash is not bcrypt's"},
		{"a last line that breaks a rule, without its newline", base + line(5, user(2, "p2", "ann", "")), "line 6: user 1 already has this username"},
		{"a line that breaks a rule before a torn tail", base + line(5, user(2, "p2", "ann", "")) + "\n{", "line 6: user 1 already has this username"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, s, _, err := openOn(tt.content)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("openStore = %v; want %s", err, tt.want)
				}
				if after, _ := d.content(dataFile); after != tt.content {
					t.Errorf("the start was refused, and changed the file to %q", after)
				}
				if _, ok := d.content(dataFile + ".torn"); ok {
					t.Error("the start was refused, and set something aside")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := d.content(dataFile + ".torn"); ok {
				t.Error("something was set aside")
			}
			if err := s.addItem(&item{Itemname: "chair", CreatedBy: 1}); err != nil {
				t.Fatal(err)
			}
			before := contents(s).rows
			s.close()
			if s, err = openStore(d, dataFile, quiet, clockAtNoon); err != nil {
				t.Fatal(err)
			}
			if diff := difference(contents(s).rows, before); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A start on a full disk can't move a torn tail away. It serves reads all the
// same, and writes once there is room.
func TestJournalTornTailOnAFullDisk(t *testing.T) {
	t.Parallel()
	whole := lines(putUser1, putItem1)
	for _, torn := range []string{
		string(appendLine(nil, 3, noon, []byte(putItem2), 1))[:40],
		string(appendLine(nil, 3, noon, []byte(putItem2), 0)) + string(appendLine(nil, 4, noon, []byte(putBook1), 2))[:40],
		strings.Repeat("\x00", sector-len(whole)%sector),
	} {
		d := newFaultDisk(1)
		d.put(dataFile, whole+torn)
		d.setRoom(int64(len(whole) + len(torn)))
		s := restarted(t, d)
		if _, err := s.item(1); err != nil {
			t.Errorf("item 1 behind %q: %v", torn, err)
		}
		if err := s.addItem(&item{Itemname: "early", CreatedBy: 1}); !errors.Is(err, errStoreFull) {
			t.Errorf("a write without room behind %q: %v; want %v", torn, err, errStoreFull)
		}
		d.setRoom(0)
		if err := s.addItem(&item{Itemname: "late", CreatedBy: 1}); err != nil {
			t.Errorf("a write with room behind %q: %v", torn, err)
		}
		before := contents(s).rows
		s.close()
		s = restarted(t, d)
		if diff := difference(contents(s).rows, before); diff != "" {
			t.Errorf("after a restart behind %q: %s", torn, diff)
		}
		if _, items, _ := s.counts(); items != 2 {
			t.Errorf("%d items behind %q; want item 1 and the late one", items, torn)
		}
		s.close()
	}
}

// TestJournalRefusedWrites: what failed writes leave between closed batches is
// passed over, whatever it is and however often they failed.
func TestJournalRefusedWrites(t *testing.T) {
	t.Parallel()
	for keep := range int64(150) {
		d := newFaultDisk(1)
		w := newWorld(d)
		if err := w.start(); err != nil {
			t.Fatal(err)
		}
		steps := []func(*store) error{
			func(s *store) error { return s.signUp(w.user(), w.token(accessToken), w.token(refreshToken)) },
			addItemTest("refused", 1), addItemTest("refused again", 1), addItemTest("taken", 1),
		}
		for i, op := range steps {
			if i == 1 || i == 2 {
				// The names call comes before the write.
				d.fail(fault{at: d.callsSoFar() + 1, keep: keep / int64(i), err: errNoRoom})
			}
			var err error
			if broken := w.do(func(s *store) error { err = op(s); return err }); broken != nil {
				t.Fatal(broken)
			}
			if refused := i == 1 || i == 2; refused != errors.Is(err, errStoreFull) || !refused && err != nil {
				t.Fatalf("keep %d, step %d: %v", keep, i, err)
			}
		}
		w.end()
		if err := w.aftermath(); err != nil {
			t.Fatalf("keep %d: %v", keep, err)
		}
	}
}

// TestReplayDecodeItem: the quick way to read an item finds what encoding/json
// finds, or nothing.
func TestReplayDecodeItem(t *testing.T) {
	t.Parallel()
	texts := []string{"", "lamp", `a "quoted" word`, `C:\temp`, "naïve 東京 🙂", "a\ttab", "\u2028", "<b>&", strings.Repeat("long ", 500)}
	created := []time.Time{noon, {}, noon.Add(123456789), noon.In(time.FixedZone("", 3600))}
	quick := 0
	for i, name := range texts {
		for _, closes := range []int{0, 1, 12} {
			it := &item{
				ID: i*1000 + 1, Itemname: name, Category: texts[(i+1)%len(texts)], Description: texts[(i+2)%len(texts)],
				Created: created[i%len(created)], CreatedBy: i % 3,
			}
			line := bytes.TrimSpace(appendLine(nil, 7, noon, encodeChange(change{Op: opPut, Item: it}), closes))
			got := decodeItem(line)
			if got == nil {
				continue
			}
			quick++
			var want change
			if err := json.Unmarshal(line, &want); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want.Item) {
				t.Errorf("%s:\ngot  %+v\nwant %+v", line, got, want.Item)
			}
		}
	}
	if quick == 0 {
		t.Error("nothing was read the quick way")
	}
	good := string(appendLine(nil, 7, noon, []byte(putItem1), 1))
	if decodeItem([]byte(good)) == nil {
		t.Error("a plain item isn't read the quick way")
	}
	for n := range len(good) - crcLength {
		if decodeItem([]byte(good[:n])) != nil {
			t.Errorf("%s is taken for a whole line", good[:n])
		}
	}
	for _, other := range []string{putUser1, putBook1, putJTI1, strings.Replace(putItem1, `"id":1`, `"id":-1`, 1), strings.Replace(putItem1, `"id":1`, `"id":12345678901234567890`, 1), strings.Replace(putItem1, `"category":"",`, "", 1), strings.Replace(putItem1, "put", "delete", 1)} {
		if decodeItem(appendLine(nil, 7, noon, []byte(other), 1)) != nil {
			t.Errorf("%s is taken for a plain item", other)
		}
	}
}

// FuzzJournal: whatever is in the file, a start works or is refused, and what it
// accepts it accepts again.
func FuzzJournal(f *testing.F) {
	content, _ := played(f, len(script))
	f.Add([]byte(content))
	f.Add([]byte(lines(putUser1+"\n"+putJTI1, putItem1, putBook1)))
	f.Add([]byte(lines(putUser1) + `{"seq":2,` + putItem1 + "}"))
	f.Add([]byte(lines(putUser1) + `{"seq":2,"op" #refused` + "\n" + `{"seq":2,` + putItem1 + "}\n\x00\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		d, s, _, err := openOn(string(content))
		if err != nil {
			if after, _ := d.content(dataFile); after != string(content) {
				t.Fatal("the start was refused, and changed the file")
			}
			return
		}
		if err := indexes(s); err != nil {
			t.Fatal(err)
		}
		rows := contents(s).rows
		s.close()
		s, err = openStore(d, dataFile, quiet, clockAtNoon)
		if err != nil {
			t.Fatalf("it opens once, but not twice: %v", err)
		}
		if diff := difference(contents(s).rows, rows); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzScan: the numbers of what a scan emits go on without a gap.
func FuzzScan(f *testing.F) {
	f.Add([]byte(lines(putUser1+"\n"+putJTI1, putItem1)), uint(40), byte(0))
	f.Fuzz(func(t *testing.T, content []byte, at uint, with byte) {
		if len(content) > 0 {
			content[at%uint(len(content))] = with
		}
		var seq int64
		scan, err := scanJournal(bytes.NewReader(content), int64(len(content)), func(batch []record) error {
			for _, rec := range batch {
				if seq != 0 && rec.seq != seq+1 {
					t.Fatalf("seq %d follows %d", rec.seq, seq)
				}
				seq = rec.seq
			}
			return nil
		})
		if err == nil && (scan.end > scan.size || scan.last > scan.end) {
			t.Fatalf("the last batch goes from %d to %d of %d", scan.last, scan.end, scan.size)
		}
	})
}

// TestReplayLargeBatch: a batch of many groups counts as a whole, or not at all.
func TestReplayLargeBatch(t *testing.T) {
	t.Parallel()
	const items = 2*replayGroupSize + 7
	whole := append(appendHeader(nil, 0, 0), appendLine(nil, 1, noon, []byte(putUser1), 1)...)
	var last int
	for id := 1; id <= items; id++ {
		closes := 0
		if last = len(whole); id == items {
			closes = items
		}
		it := &item{ID: id, Itemname: fmt.Sprint("item ", id), CreatedBy: 1}
		whole = appendLine(whole, int64(id)+1, noon, encodeChange(change{Op: opPut, Item: it}), closes)
	}
	for _, tt := range []struct {
		content string
		want    int
	}{{string(whole), items}, {string(whole[:last]), 0}} {
		d := newFaultDisk(1)
		d.put(dataFile, tt.content)
		s, err := openStore(d, dataFile, quiet, clockAtNoon)
		if err != nil {
			t.Fatal(err)
		}
		all := s.allItems()
		if len(all) != tt.want {
			t.Fatalf("%d items; want %d", len(all), tt.want)
		}
		for i, it := range all {
			if want := fmt.Sprint("item ", i+1); it.Itemname != want {
				t.Fatalf("item %d is %q; want %q", i+1, it.Itemname, want)
			}
		}
	}
}
