package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
)

// line returns a line with the time Noon.
func line(seq int64, body string, closes int) string {
	return journaltest.Line(seq, journaltest.Noon, body, closes)
}

var one, two, three, four = put(1, "one"), put(2, "two"), put(3, "three"), put(4, "four")

func TestTornTail(t *testing.T) {
	t.Parallel()
	whole := journaltest.File(one, two)
	next := line(3, three, 1)
	half := line(3, three, 0) // a batch without its last line
	zeros := strings.Repeat("\x00", journaltest.Sector-len(whole)%journaltest.Sector)
	// atSectorEnd returns a tail with a text so long that one byte of a sector is left.
	atSectorEnd := func(tail func(text string) string) string {
		empty := len(whole) + len(tail(""))
		return tail(strings.Repeat("x", 2*journaltest.Sector-empty%journaltest.Sector-1))
	}
	toSectorEnd := atSectorEnd(func(text string) string { return next[:40] + text })
	lineToSectorEnd := atSectorEnd(func(text string) string { return line(3, put(3, text), 0) })
	tests := []struct{ name, tail string }{
		{"half a line", next[:40]},
		{"a line that was spoiled at its end", next[:len(next)-2] + " "},
		{"a line without its newline, inside its batch", half[:len(half)-1]},
		{"a batch without its last line", half},
		{"a line and a half", half + next[:30]},
		{"half a line and a mark", next[:40] + journaltest.RefusedMark + "\n"},
		{"half a line and half a mark", next[:40] + journaltest.RefusedMark[:5]},
		{"half a line, a mark and half a line", next[:40] + journaltest.RefusedMark + "\n" + next[:50]},
		{"zeros", "\x00\x00\x00"},
		{"half a line, then zeros", next[:40] + "\x00\x00\x00"},
		{"half a line, then one zero", next[:40] + "\x00"},
		{"a line without its newline, inside its batch, then one zero", half[:len(half)-1] + "\x00"},
		{"a line inside its batch, then one zero", half + "\x00"},
		{"a line inside its batch, then one whose first byte was lost", lineToSectorEnd + "\x00" + next[1:50]},
		{"half a line, and a mark whose first byte was lost", toSectorEnd + "\x00" + journaltest.RefusedMark[1:] + "\n" + next[:50]},
		{"half a line, and half a mark whose first byte was lost", toSectorEnd + "\x00" + journaltest.RefusedMark[1:5]},
		{"a lost sector, then the end of a batch", zeros + `,"crc":"00000000"}` + "\n" + line(4, four, 2)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := diskWith(whole + tt.tail)
			j, got := mustOpen(t, d, dataFile)
			if !maps.Equal(got, state{1: one, 2: two}) {
				t.Errorf("replayed %v", got)
			}
			if got := content(d); got != whole {
				t.Errorf("the data file is %q", got)
			}
			if got, _ := d.Content(dataFile + ".torn"); got != tt.tail {
				t.Errorf("the torn tail is %q; want %q", got, tt.tail)
			}
			if found := j.Found(); found.Torn != int64(len(tt.tail)) || found.TornFile != dataFile+".torn" || found.TornStays != nil {
				t.Errorf("Found = %+v", found)
			}
			if got, _ := d.Crash(journaltest.LeaveNothing).Content(dataFile + ".torn"); got != tt.tail {
				t.Errorf("after a crash the torn tail is %q; want %q", got, tt.tail)
			}
			mustAppend(t, j, three)
			j.Close()
			// a second torn tail is added to the file
			d.Put(dataFile, content(d)+"{")
			mustOpen(t, d, dataFile)
			if got, _ := d.Content(dataFile + ".torn"); got != tt.tail+"{" {
				t.Errorf("two torn tails are %q", got)
			}
		})
	}
}

// An editor may remove the last newline, and a crash may leave a zero where a start
// adds it. The line counts, and gets its newline back.
func TestLastNewlineIsMissing(t *testing.T) {
	t.Parallel()
	whole := journaltest.File(one, two+"\n"+three)
	own := journaltest.File(one, two) + `{"seq":3,` + three + "}\n"
	for _, text := range []string{whole, own} {
		for _, end := range []string{"", "\x00"} {
			d := diskWith(text[:len(text)-1] + end)
			for range 2 {
				j, got := mustOpen(t, d, dataFile)
				if !maps.Equal(got, state{1: one, 2: two, 3: three}) {
					t.Errorf("with %q: replayed %v", end, got)
				}
				if content(d) != text {
					t.Errorf("with %q the file is %q", end, content(d))
				}
				if _, ok := d.Content(dataFile + ".torn"); ok {
					t.Errorf("with %q something was set aside", end)
				}
				j.Close()
				d = d.Crash(journaltest.LeaveNothing)
			}
		}
	}
}

// A write that lacks only its newline, for want of room, is rejected and stays
// rejected.
func TestOnlyTheNewlineFails(t *testing.T) {
	t.Parallel()
	d := diskWith(journaltest.File(one))
	j, s := mustOpen(t, d, dataFile)
	d.SetRoom(int64(len(content(d)) + len(line(2, two, 1)) - 1))
	if err := j.Append(journaltest.Noon, bodies(two)); !errors.Is(err, history.ErrFull) {
		t.Fatalf("Append = %v", err)
	}
	for _, leave := range []journaltest.Leftover{journaltest.LeaveNothing, journaltest.LeaveAll} {
		if _, got := mustOpen(t, d.Crash(leave), dataFile); !maps.Equal(got, s) {
			t.Errorf("after a crash: %s", difference(got, s))
		}
	}
	d.SetRoom(0)
	mustAppend(t, j, three)
	s[3] = three
	j.Close()
	if _, got := mustOpen(t, d, dataFile); !maps.Equal(got, s) {
		t.Error(difference(got, s))
	}
}

// On a full disk, a start can't move a torn tail. It serves reads nevertheless,
// and writes once there is room.
func TestTornTailOnAFullDisk(t *testing.T) {
	t.Parallel()
	whole := journaltest.File(one, two)
	for _, torn := range []string{
		line(3, three, 1)[:40],
		line(3, three, 0) + line(4, four, 2)[:40],
		strings.Repeat("\x00", journaltest.Sector-len(whole)%journaltest.Sector),
	} {
		d := diskWith(whole + torn)
		d.SetRoom(int64(len(whole) + len(torn)))
		j, got := mustOpen(t, d, dataFile)
		if found := j.Found(); found.TornStays == nil || found.TornFile != "" || found.Torn != int64(len(torn)) {
			t.Errorf("behind %q: Found = %+v", torn, found)
		}
		if !maps.Equal(got, state{1: one, 2: two}) {
			t.Errorf("behind %q: replayed %v", torn, got)
		}
		if err := j.Append(journaltest.Noon, bodies(put(5, "early"))); !errors.Is(err, history.ErrFull) {
			t.Errorf("a write without room behind %q: %v; want %v", torn, err, history.ErrFull)
		}
		d.SetRoom(0)
		mustAppend(t, j, put(6, "late"))
		j.Close()
		if _, got := mustOpen(t, d, dataFile); !maps.Equal(got, state{1: one, 2: two, 6: put(6, "late")}) {
			t.Errorf("after a restart behind %q: %v", torn, got)
		}
	}
}

// A start that finds no room at any one of its calls fails, or the next write works.
func TestNoRoomDuringAStart(t *testing.T) {
	t.Parallel()
	torn := journaltest.File(one) + line(2, two, 1)[:40]
	sound := diskWith(torn)
	mustOpen(t, sound, dataFile)
	for at, call := range sound.Calls() {
		d := diskWith(torn)
		d.Fail(journaltest.Fault{At: at, Err: journaltest.ErrNoRoom})
		j, _, err := open(d, dataFile)
		if err != nil {
			j, _ = mustOpen(t, d, dataFile)
		}
		mustAppend(t, j, three)
		j.Close()
		if _, got := mustOpen(t, d, dataFile); !maps.Equal(got, state{1: one, 3: three}) {
			t.Errorf("no room at call %d (%s): %v", at, call.Name, got)
		}
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	good := journaltest.File(one, two, three)
	at := func(line int) int { // offset of a line
		n := 0
		for range line - 1 {
			n += strings.Index(good[n:], "\n") + 1
		}
		return n
	}
	zeros := func(n int) string { return strings.Repeat("\x00", n) }
	last := line(4, four, 1)
	lost := journaltest.File(one) // … and a batch of two, with zeros in place of its first line
	lost += zeros(journaltest.Sector-len(lost)%journaltest.Sector) + "\n" + line(3, two, 2)
	tests := []struct{ name, text, want string }{
		{"a changed letter", strings.Replace(good, `"two"`, `"twx"`, 1), "line 3: the checksum does not match"},
		{"a line is missing", good[:at(3)] + good[at(4):], "line 3: seq is 3 where 2 should follow"},
		{"a line is there twice", good[:at(3)] + good[at(2):], "line 3: seq is 1 where 2 should follow"},
		{"a line is no JSON", good[:at(3)] + "rubbish\n" + good[at(4):], "line 3: not a JSON object"},
		{"rubbish at the end", good + "rubbish\n", "line 5: not a JSON object"},
		{"rubbish at the end without a newline", good + "rubbish", "line 5: not a whole line"},
		{"a zero at the end of a line", good + last[:40] + "\x00\n", "line 5: not a JSON object"},
		{"zeros over a whole batch in the middle", good[:at(3)] + zeros(journaltest.Sector) + "\n" + good[at(4):], "line 3: "},
		{"the header", strings.Replace(good, `"after":0`, `"after":7`, 1), "line 1: the checksum does not match"},
		{"another program's file", "id,name\n1,ann\n", "not a data file of shelf"},
		{"an unknown member of the header", `{"format":"shelf","version":1,"colour":"red"}` + "\n", "not a data file of shelf"},
		{"a newer version", `{"format":"shelf","version":3}` + "\n", "data format 3: written by a newer shelf; this shelf reads 1 to 2, so use a newer shelf"},
		{"zeros where a journal was", zeros(len(good)), "not a data file of shelf"},
		{"a batch that lost its first line", journaltest.File(one) + line(3, two, 2), "line 3: seq is 3 where 2 should follow"},
		{"a last line that closes too many", good + line(4, four, 2), "line 5: closes 2 lines where 1 are open"},
		{"a snapshot that is cut short", journaltest.Header(0, 2) + line(1, one, 1), "inside its snapshot"},
		{"a lost sector before another batch", lost + last, "line 3: "},
		{"a lost sector before the beginning of another batch", lost + line(4, four, 0), "line 3: "},
		{"damage before a torn tail", strings.Replace(good, `"two"`, `"twx"`, 1) + last[:20], "line 3: the checksum does not match"},
		{"a checksum over a line without a seq", journaltest.File(one) + journaltest.Seal(`{"op":"put","n":2`), "line 3: the line does not begin with seq"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := diskWith(tt.text)
			_, _, err := open(d, dataFile)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), dataFile) {
				t.Errorf("open = %v; want %s", err, tt.want)
			}
			if content(d) != tt.text {
				t.Error("the file was changed")
			}
			if _, ok := d.Content(dataFile + ".torn"); ok {
				t.Error("something was set aside")
			}
		})
	}
}

// A person may add and edit lines that keep the rules.
func TestByHand(t *testing.T) {
	t.Parallel()
	base := journaltest.File(one+"\n"+two, three, four) // seq 1 to 4, lines 2 to 5
	five := put(5, "five")
	own := func(seq int, body string) string { return fmt.Sprintf(`{"seq":%d,%s}`, seq, body) }
	edited := func(seq, with string) string { // base with one line edited, without its crc
		start := strings.Index(base, `{"seq":`+seq)
		end := start + strings.Index(base[start:], "\n")
		return base[:start] + with + base[end:]
	}
	tests := []struct{ name, text, want string }{ // want "": accepted
		{"a line of one's own", base + own(5, five) + "\n", ""},
		{"without its newline", base + own(5, five), ""},
		{"with a carriage return", base + own(5, five) + "\r\n", ""},
		{"a file that an editor gave carriage returns", strings.ReplaceAll(base+own(5, five)+"\n", "\n", "\r\n"), ""},
		{"two lines", base + own(5, five) + "\n" + own(6, remove(3)) + "\n", ""},
		{"an empty line behind it", base + own(5, five) + "\n\n", ""},
		{"a line that closes itself", base + own(5, five+`,"closes":1`) + "\n", ""},
		{"a line with a time", base + own(5, `"time":"2026-11-22T12:00:00+01:00",`+five) + "\n", ""},
		{"a line whose time is null", base + own(5, `"time":null,`+five) + "\n", ""},
		{"spaces", base + `{ "seq": 5, ` + five + " }\n", ""},
		{"an edited line", edited("3", own(3, put(3, "edited"))), ""},
		{"an edited line at the start of a batch", edited("1", own(1, put(1, "edited"))), ""},
		{"an edited line at the end of a batch", edited("2", own(2, put(2, "edited")+`,"closes":2`)), ""},

		{"an edited batch that isn't closed", journaltest.File(one + "\n" + own(2, two)), "line 3: an edited line inside a batch that is not closed"},
		{"an edited batch that isn't closed, without its newline", strings.TrimSuffix(journaltest.File(one+"\n"+own(2, two)), "\n"), "line 3: an edited line inside a batch that is not closed"},
		{"a line of one's own in a snapshot that is cut short", journaltest.Header(0, 3) + line(1, one, 1) + own(2, two), "inside its snapshot"},
		{"a number left out", base + own(6, five) + "\n", "line 6: seq is 6 where 5 should follow"},
		{"a number used", base + own(4, five) + "\n", "line 6: seq is 4 where 5 should follow"},
		{"no number", base + "{" + five + "}\n", "line 6: seq is missing or below 1"},
		{"a number that is a text", base + `{"seq":"5",` + five + "}\n", "line 6: not a JSON object: json: cannot unmarshal string into Go struct field .seq of type int64"},
		{"closes below 0", base + own(5, five+`,"closes":-1`) + "\n", "line 6: closes is below 0"},
		{"closes that is a text", base + own(5, five+`,"closes":"1"`) + "\n", "line 6: not a JSON object: json: cannot unmarshal string into Go struct field .closes of type int"},
		{"no object", base + "[5]\n", "line 6: not a JSON object"},
		{"a crc that isn't last", base + `{"crc":"00000000","seq":5,` + five + "}\n", "line 6: crc is not the last member"},
		{"a CRC in capitals", base + own(5, five+`,"CRC":"00000000"`) + "\n", "line 6: crc is not the last member"},
		{"a wrong crc", base + own(5, five+`,"crc":"00000000"`) + "\n", "line 6: the checksum does not match"},
		{"a time that is none", base + own(5, `"time":"noon",`+five) + "\n", `line 6: parsing time "noon" as "2006-01-02T15:04:05Z07:00": cannot parse "noon" as "2006"`},
		{"a time that is a number", base + own(5, `"Time":12,`+five) + "\n", "line 6: Time.UnmarshalJSON: input is not a JSON string"},
		{"a time that is none before another damage", base + own(5, `"time":"noon",`+five) + "\nrubbish\n", "line 6: parsing time"},
		{"a time that is none in a line out of order", base + own(7, `"time":"noon",`+five) + "\n", "line 6: seq is 7 where 5 should follow"},
		{"a time that is none before a torn tail", base + own(5, `"time":"noon",`+five) + "\n{", "line 6: parsing time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := diskWith(tt.text)
			j, got, err := open(d, dataFile)
			if _, ok := d.Content(dataFile + ".torn"); ok {
				t.Error("something was set aside")
			}
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("open = %v; want %s", err, tt.want)
				}
				if after := content(d); after != tt.text {
					t.Errorf("the start was refused, and changed the file to %q", after)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			mustAppend(t, j, put(9, "after"))
			got[9] = put(9, "after")
			j.Close()
			if _, again := mustOpen(t, d, dataFile); !maps.Equal(again, got) {
				t.Error(difference(again, got))
			}
		})
	}
}

// A hand-written line loses its frame; the other members stay as they are
// written.
func TestManualBody(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ line, want string }{
		{`{"seq":1,"op":"put","n":1}`, `"op":"put","n":1`},
		{`{"op":"put","n":1,"seq":1}`, `"op":"put","n":1`},
		{`{"op":"put","seq":1,"n":1,"closes":1,"time":"2026-11-22T12:00:00Z"}`, `"op":"put","n":1`},
		{`{ "SEQ" : 1 , "op" : "put" , "Time":null, "n" : { "seq" : [ 1 , 2 ] } }`, `"op" : "put","n" : { "seq" : [ 1 , 2 ] }`},
		{`{"s\u0065q":1,"\u006f\u0070":"p\u0075t","crc":null}`, `"\u006f\u0070":"p\u0075t"`},
		{`{"seq":7,"seq":1,"a":1,"a":2}`, `"a":1,"a":2`},
		{`{"ſeq":1,"cloſes":1,"a":"ſ"}`, `"a":"ſ"`}, // encoding/json takes a long s for an s
		{`{"seq":1,"n":1e400,"big":12345678901234567890}`, `"n":1e400,"big":12345678901234567890`},
		{`{"seq":1}`, ``},
	} {
		var got []string
		text := journaltest.Header(0, 0) + tt.line + "\n"
		_, err := journal.Read(strings.NewReader(text), int64(len(text)), func(batch []history.Record) error {
			for _, rec := range batch {
				if !rec.Manual || rec.Seq != 1 || rec.Line != 2 {
					t.Errorf("%s: record %+v", tt.line, rec)
				}
				got = append(got, string(rec.Body))
			}
			return nil
		})
		if err != nil || !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%s: bodies %q, %v; want %q", tt.line, got, err, tt.want)
		}
	}
}

// Read returns what shelf check prints, and how much was read before damage.
func TestFound(t *testing.T) {
	t.Parallel()
	good := journaltest.File(one, two+"\n"+three)
	compacted := journaltest.Header(5, 7) + line(6, one, 1) + line(7, two, 1) + line(8, three, 1)
	refused := good[:len(good)-1] + "\n" + line(4, four, 0)[:30] + journaltest.RefusedMark + "\n" + line(4, four, 1)
	firstTwo := int64(strings.Index(good, `{"seq":2`))
	tests := []struct {
		name, text string
		want       journal.Found
		damaged    int // line number; 0: none
	}{
		{"an empty file", "", journal.Found{}, 0},
		{"a header", journaltest.Header(0, 0), journal.Found{Version: 1}, 0},
		{"two batches", good, journal.Found{Version: 1, Lines: 3, Seq: 3}, 0},
		{"a torn tail", good + "{", journal.Found{Version: 1, Lines: 3, Seq: 3, Torn: 1}, 0},
		{"a compacted file", compacted, journal.Found{Version: 1, Lines: 3, Seq: 8, Snapshot: 7}, 0},
		{"a refused write", refused, journal.Found{Version: 1, Lines: 4, Seq: 4, Refused: 1}, 0},
		{"damage in the second batch", strings.Replace(good, "two", "tow", 1) + line(4, four, 1), journal.Found{Version: 1, Lines: 1, Seq: 1, Torn: int64(len(good)) - firstTwo + int64(len(line(4, four, 1)))}, 3},
		{"a time that is none", journaltest.File(one, `{"seq":2,"time":"noon"}`, two), journal.Found{Version: 1, Lines: 1, Seq: 1}, 3},
		{"a newer version", `{"format":"shelf","version":3}` + "\n", journal.Found{Version: 3, Torn: 0}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := journal.Read(strings.NewReader(tt.text), int64(len(tt.text)), func([]history.Record) error { return nil })
			tt.want.Size = int64(len(tt.text))
			if got != tt.want {
				t.Errorf("Found = %+v; want %+v", got, tt.want)
			}
			var d *history.Damage
			if errors.As(err, &d) != (tt.damaged > 0) || d != nil && d.Line != tt.damaged {
				t.Errorf("Read = %v; want damage in line %d", err, tt.damaged)
			}
			j, err := journal.Open(diskWith(tt.text), dataFile, journal.Options{})
			if err != nil {
				t.Fatal(err)
			}
			j.Replay(func([]history.Record) error { return nil })
			if j.Found() != got {
				t.Errorf("after Replay Found = %+v; want %+v", j.Found(), got)
			}
		})
	}
}

// Read and Replay stop at the first error of emit.
func TestEmitError(t *testing.T) {
	t.Parallel()
	text := journaltest.File(one, two, three)
	stop := errors.New("enough")
	n := 0
	found, err := journal.Read(strings.NewReader(text), int64(len(text)), func([]history.Record) error {
		if n++; n == 2 {
			return stop
		}
		return nil
	})
	if err != stop || n != 2 || found.Lines != 1 {
		t.Errorf("Read = %+v, %v after %d batches", found, err, n)
	}
}

// FuzzJournal checks that a start works or fails for any content, and that a
// second start accepts what the first accepted.
func FuzzJournal(f *testing.F) {
	text, _ := played(f, len(script))
	f.Add([]byte(text))
	f.Add([]byte(journaltest.File(one+"\n"+two, three, four)))
	f.Add([]byte(journaltest.File(one) + `{"seq":2,` + two + "}"))
	f.Add([]byte(journaltest.File(one) + `{"seq":2,"op" #refused` + "\n" + `{"seq":2,` + two + "}\n\x00\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d := diskWith(string(text))
		j, got, err := open(d, dataFile)
		if err != nil {
			if content(d) != string(text) {
				t.Fatal("the start was refused, and changed the file")
			}
			return
		}
		j.Close()
		if _, again, err := open(d, dataFile); err != nil {
			t.Fatalf("it opens once, but not twice: %v", err)
		} else if diff := difference(again, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzScan checks that the numbers of emitted lines have no gaps, and that scan
// counts what it emits.
func FuzzScan(f *testing.F) {
	f.Add([]byte(journaltest.File(one+"\n"+two, three)), uint(40), byte(0))
	f.Add([]byte(journaltest.File(one, `{"seq":2,"time":"2026-11-22T12:00:00Z","a":[1]}`)), uint(110), byte(' '))
	f.Fuzz(func(t *testing.T, text []byte, at uint, with byte) {
		if len(text) > 0 {
			text[at%uint(len(text))] = with
		}
		var seq int64
		lines := 0
		found, err := journal.Read(bytes.NewReader(text), int64(len(text)), func(batch []history.Record) error {
			for _, rec := range batch {
				if seq != 0 && rec.Seq != seq+1 {
					t.Fatalf("seq %d follows %d", rec.Seq, seq)
				}
				seq = rec.Seq
			}
			lines += len(batch)
			return nil
		})
		if found.Lines != lines || lines > 0 && found.Seq != seq {
			t.Fatalf("Found = %+v; %d lines were emitted, up to %d", found, lines, seq)
		}
		if err == nil && (found.Torn < 0 || found.Torn > found.Size) {
			t.Fatalf("Found = %+v", found)
		}
	})
}

// A batch that is too long to keep in memory is read twice. The result is that of a
// short one.
func TestLongBatch(t *testing.T) {
	t.Parallel()
	const n = 5000
	texts := make([]string, n)
	for i := range texts {
		texts[i] = put(i+1, strings.Repeat("long ", 200))
	}
	lines := strings.SplitAfter(journaltest.File(strings.Join(texts, "\n")), "\n")[:n+1]
	header, first, last := lines[0], lines[1:n], lines[n]
	long := strings.Join(first, "")
	edited := slices.Clone(first)
	edited[n/2] = fmt.Sprintf(`{"seq":%d,%s}`, n/2+1, put(n/2+1, "edited")) + "\n"
	badTime := slices.Clone(first)
	badTime[n/2] = strings.Replace(edited[n/2], `"op"`, `"time":"noon","op"`, 1)
	flipped := slices.Clone(first)
	flipped[n/2] = strings.Replace(first[n/2], "long", "lone", 1)
	for _, tt := range []struct {
		name, text string
		rows       int
		refused    int
		damage     string
	}{
		{"whole", header + long + last, n, 0, ""},
		{"without its last newline", header + long + strings.TrimSuffix(last, "\n"), n, 0, ""},
		{"not closed", header + long, 0, 0, ""},
		{"refused", header + long + journaltest.RefusedMark + "\n" + journaltest.Line(1, journaltest.Noon, put(1, "one"), 1), 1, 1, ""},
		{"written again", header + long + long + last, n, 1, ""},
		{"with an edited line", header + strings.Join(edited, "") + last, n, 0, ""},
		{"with an edited line, not closed", header + strings.Join(edited, ""), 0, 0, "an edited line inside a batch that is not closed"},
		{"with an edited line that has no body", header + strings.Join(badTime, "") + last, 0, 0, "noon"},
		{"with a flipped byte", header + strings.Join(flipped, "") + last, 0, 0, "the checksum does not match"},
	} {
		rows := 0
		found, err := journal.Read(strings.NewReader(tt.text), int64(len(tt.text)), func(batch []history.Record) error {
			for _, rec := range batch {
				rows++
				if tt.refused == 0 && (rec.Line != rows+1 || int(rec.Seq) != rows || !strings.Contains(string(rec.Body), fmt.Sprintf(`"n":%d,`, rows))) {
					t.Errorf("%s: record %d is number %d, line %d, %.40q", tt.name, rows, rec.Seq, rec.Line, rec.Body)
				}
			}
			return nil
		})
		if damage, ok := errors.AsType[*history.Damage](err); ok != (tt.damage != "") || ok && (damage.Line != n/2+2 || !strings.Contains(damage.What, tt.damage)) {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.damage)
		}
		if rows != tt.rows || found.Lines != tt.rows || found.Refused != tt.refused {
			t.Errorf("%s: %d rows, %+v; want %d, and %d refused", tt.name, rows, found, tt.rows, tt.refused)
		}
	}
}
