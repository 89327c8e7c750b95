package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/etcd/etcdtest"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
	"example.com/shelf/internal/strictjson"
	"example.com/shelf/internal/token"
)

// All tests run all rules twice: rules must bear that, because another replica may be
// faster. Benchmarks run them once.
func init() {
	judgeTwice = !slices.ContainsFunc(os.Args, func(arg string) bool { return strings.HasPrefix(arg, "-test.bench") })
}

var (
	longRuns  = flag.Duration("long", 0, "how long the random tests go on; 0 for a short run")
	modelSeed = flag.Uint64("model.seed", 0, "the seed of the model test, 0 for several")
)

var quiet = slog.New(slog.DiscardHandler)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func clockAtNoon() time.Time { return noon }

// A data file, and the bodies of a few lines.
const (
	dataFile = "shelf.jsonl"

	putUser1 = `"op":"put","user":{"id":1,"public_id":"p1","username":"ann","email":"ann@example.com","created":"2026-11-22T12:00:00Z"}`
	putJTI1  = `"op":"put","token":{"id":1,"jti":"j1","type":"access","user":1,"session":1,"expires":"2026-11-22T13:00:00Z"}`
	putItem1 = `"op":"put","item":{"id":1,"itemname":"lamp","category":"","description":"","created":"2026-11-22T12:00:00Z","createdby":1}`
	putItem2 = `"op":"put","item":{"id":2,"itemname":"desk","category":"","description":"","created":"2026-11-22T12:00:00Z","createdby":1}`
	putBook1 = `"op":"put","book":{"id":1,"title":"Dune","author":"Herbert","createdby":1}`
)

// storeOn opens a store on a disk.
func storeOn(t testing.TB, d journal.Disk) *store {
	t.Helper()
	s, err := openStore(d, dataFile, quiet, clockAtNoon)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// diskWith is a disk that has a data file.
func diskWith(content string) *journaltest.Disk {
	d := journaltest.New(1)
	d.Put(dataFile, content)
	return d
}

// allItems returns every item, by id.
func (s *store) allItems() []*item {
	var items []*item
	s.View(func(tx *db.Tx) {
		for _, row := range s.items.All(tx) {
			items = append(items, row.item())
		}
	})
	return items
}

// guardStore is a store in memory with one account.
func guardStore(t *testing.T) (*store, *user, *guardClock) {
	t.Helper()
	clock := &guardClock{at: tokenNow}
	st := newStore(slog.New(slog.DiscardHandler), clock.now)
	u := &user{PublicID: "ann", Username: "ann", Created: tokenNow}
	if err := st.signUp(u); err != nil {
		t.Fatal(err)
	}
	return st, u, clock
}

// guardSignIn records a sign-in whose tokens last an hour and a day.
func guardSignIn(t *testing.T, st *store, u *user) (access, refresh *tokenRecord) {
	t.Helper()
	access = &tokenRecord{JTI: token.NewUUID(), Type: token.Access, Expires: st.now().Add(time.Hour)}
	refresh = &tokenRecord{JTI: token.NewUUID(), Type: token.Refresh, Expires: st.now().Add(24 * time.Hour)}
	if err := st.signIn(u, "", access, refresh); err != nil {
		t.Fatal(err)
	}
	return access, refresh
}

func guardRefresh(t *testing.T, st *store, by *tokenRecord) *tokenRecord {
	t.Helper()
	u, _ := st.users.Row(by.User)
	access := &tokenRecord{JTI: token.NewUUID(), Type: token.Access, Expires: st.now().Add(time.Hour)}
	if err := st.as(&caller{user: u, token: by}).refresh(access); err != nil {
		t.Fatal(err)
	}
	return access
}

// guardRecords is how many records the account has, and which of some are among
// them.
func guardRecords(st *store, u *user, some ...*tokenRecord) (n int, has []bool) {
	for _, t := range some {
		_, record := st.userWithToken(u.PublicID, t.JTI)
		has = append(has, record != nil)
	}
	st.View(func(tx *db.Tx) { n = len(st.tokensOf.Rows(tx, u.ID)) })
	return n, has
}

func TestTokenRecordsAreLimited(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   func(t *testing.T, st *store, u *user, clock *guardClock) []*tokenRecord
		want int
		has  string // of those that do returned
	}{
		{"a thousand records may be", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			first, refresh := guardSignIn(t, st, u)
			for range 499 {
				guardSignIn(t, st, u)
			}
			return []*tokenRecord{first, refresh}
		}, 1000, "[true true]"},
		{"the next sign-in ends the oldest, whole", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			first, refresh := guardSignIn(t, st, u)
			second, _ := guardSignIn(t, st, u)
			for range 498 {
				guardSignIn(t, st, u)
			}
			last, _ := guardSignIn(t, st, u)
			return []*tokenRecord{first, refresh, second, last}
		}, 1000, "[false false true true]"},
		{"a sign-in is as old as its beginning, whenever it was refreshed", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			_, refresh := guardSignIn(t, st, u)
			second, _ := guardSignIn(t, st, u)
			for range 497 {
				guardSignIn(t, st, u)
			}
			young := guardRefresh(t, st, refresh)
			guardRefresh(t, st, refresh)
			guardSignIn(t, st, u)
			return []*tokenRecord{refresh, young, second}
		}, 998, "[false false true]"},
		{"expired ones go first", func(t *testing.T, st *store, u *user, clock *guardClock) []*tokenRecord {
			access, refresh := guardSignIn(t, st, u)
			for range 499 {
				guardSignIn(t, st, u)
			}
			clock.advance(time.Hour)
			guardSignIn(t, st, u)
			return []*tokenRecord{access, refresh}
		}, 502, "[false true]"},
		{"a refresh ends the oldest sign-in", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			_, first := guardSignIn(t, st, u)
			for range 498 {
				guardSignIn(t, st, u)
			}
			_, last := guardSignIn(t, st, u)
			return []*tokenRecord{first, last, guardRefresh(t, st, last)}
		}, 999, "[false true true]"},
		{"but not the one that it refreshes", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			access, first := guardSignIn(t, st, u)
			_, second := guardSignIn(t, st, u)
			for range 498 {
				guardSignIn(t, st, u)
			}
			return []*tokenRecord{access, first, second, guardRefresh(t, st, first)}
		}, 999, "[true true false true]"},
		{"one that fills all the room loses its oldest access tokens", func(t *testing.T, st *store, u *user, _ *guardClock) []*tokenRecord {
			access, refresh := guardSignIn(t, st, u)
			next := guardRefresh(t, st, refresh)
			for range 997 {
				guardRefresh(t, st, refresh)
			}
			return []*tokenRecord{access, refresh, next, guardRefresh(t, st, refresh)}
		}, 1000, "[false true true true]"},
		{"expired ones go first at a refresh too", func(t *testing.T, st *store, u *user, clock *guardClock) []*tokenRecord {
			access, first := guardSignIn(t, st, u)
			for range 499 {
				guardSignIn(t, st, u)
			}
			clock.advance(time.Hour)
			return []*tokenRecord{access, first, guardRefresh(t, st, first)}
		}, 501, "[false true true]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			st, u, clock := guardStore(t)
			other := &user{PublicID: "ben", Username: "ben"}
			if err := st.signUp(other); err != nil {
				t.Fatal(err)
			}
			theirs, _ := guardSignIn(t, st, other)
			n, has := guardRecords(st, u, tt.do(t, st, u, clock)...)
			if n != tt.want || fmt.Sprint(has) != tt.has {
				t.Errorf("%d records, of ours %v; want %d and %s", n, has, tt.want, tt.has)
			}
			if _, has := guardRecords(st, other, theirs); !has[0] {
				t.Error("another account's record is gone")
			}
		})
	}
}

// storeRows are what readers of s see: a row as in the data file, by its kind and
// id.
func storeRows(s *store) map[string]string {
	rows := map[string]string{}
	s.View(func(tx *db.Tx) {
		for id, u := range s.users.All(tx) {
			rows[fmt.Sprint("user ", id)] = string(strictjson.Encode(u))
		}
		for id, t := range s.tokens.All(tx) {
			rows[fmt.Sprint("token ", id)] = string(strictjson.Encode(t))
		}
		for id, row := range s.items.All(tx) {
			rows[fmt.Sprint("item ", id)] = string(strictjson.Encode(row.item()))
		}
		for id, b := range s.books.All(tx) {
			rows[fmt.Sprint("book ", id)] = string(strictjson.Encode(b))
		}
	})
	return rows
}

// rowsDiffer is what two sets of rows don't share, "" for nothing.
func rowsDiffer(got, want map[string]string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if want[key] != got[key] {
			fmt.Fprintf(&b, "\n  got  %s %.300s", key, got[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			fmt.Fprintf(&b, "\n  want %s %.300s", key, want[key])
		}
	}
	return b.String()
}

// soundStore fails if an index of s tells of other rows than the tables, if what
// clients read isn't what a row says, or if a token has no user.
func soundStore(s *store) (err error) {
	wrong := func(format string, args ...any) {
		if err == nil {
			err = fmt.Errorf(format, args...)
		}
	}
	s.View(func(tx *db.Tx) {
		for id, u := range s.users.All(tx) {
			byName, _ := s.byUsername.Find(tx, u.Username)
			byID, _ := s.byPublicID.Find(tx, u.PublicID)
			byEmail, _ := s.byEmail.Find(tx, emailKey(u.Email))
			if byName != u || byID != u || u.Email != "" && byEmail != u {
				wrong("user %d isn't found by each of its keys", id)
			}
		}
		for id, t := range s.tokens.All(tx) {
			if found, _ := s.byJTI.Find(tx, t.JTI); found != t {
				wrong("token %d isn't found by its jti", id)
			}
			if _, ok := s.users.Get(tx, t.User); !ok || !slices.Contains(s.tokensOf.Rows(tx, t.User), t) {
				wrong("token %d isn't its user's", id)
			}
		}
		of, in := map[int]int{}, map[string]int{}
		for id, row := range s.items.All(tx) {
			it := row.item()
			if it.render(); it.ID != id || it.wire != row.wire {
				wrong("item %d is shown as %s", id, row.wire)
			}
			of[it.CreatedBy]++
			in[it.Category]++
			if _, ok := s.users.Get(tx, it.CreatedBy); !ok && it.CreatedBy != 0 || !s.itemsOf.IDs(tx, it.CreatedBy).Has(id) || !s.itemsIn.IDs(tx, it.Category).Has(id) {
				wrong("item %d isn't listed with its like", id)
			}
		}
		if !maps.Equal(of, maps.Collect(s.itemsOf.Keys(tx))) || !maps.Equal(in, maps.Collect(s.itemsIn.Keys(tx))) {
			wrong("the items are of %v and in %v; the indexes differ", of, in)
		}
		for id, b := range s.books.All(tx) {
			again := *b
			again.render()
			if found, _ := s.byTitle.Find(tx, b.Title); found != b || again.wire != b.wire {
				wrong("book %d isn't found by its title, or is shown as %s", id, b.wire)
			}
		}
	})
	return err
}

// A person's lines have to keep the rules of their tables. want "": they do.
func TestStoreByHand(t *testing.T) {
	t.Parallel()
	base := journaltest.File(putUser1+"\n"+putJTI1, putItem1, putBook1) // lines 2 to 5
	edit := func(body string, oldnew ...string) string { return strings.NewReplacer(oldnew...).Replace(body) }
	user := func(publicID, name, email string) string {
		return fmt.Sprintf(`"op":"put","user":{"id":2,"public_id":%q,"username":%q,"email":%q,"created":"2026-11-22T12:00:00Z"}`, publicID, name, email)
	}
	for _, tt := range []struct{ name, body, want string }{
		{"an item", putItem2, ""},
		{"a user", user("p2", "bob", "bob@example.com"), ""},
		{"a user's deletion", `"op":"delete","kind":"user","id":1`, ""},
		{"an item of a user who is not there", edit(putItem2, `"createdby":1`, `"createdby":9`), ""},
		{"a token that is ended", edit(putJTI1, `"expires"`, `"ended_by":"log-out","ended":"2026-11-22T12:00:00Z","expires"`), ""},
		{"an e-mail that is taken", user("p2", "bob", "ANN@example.com"), "user 1 already has this e-mail"},
		{"a username that is taken", user("p2", "ann", ""), "user 1 already has this username"},
		{"a public_id that is taken", user("p1", "bob", ""), "user 1 already has this public_id"},
		{"a title that is taken", edit(putBook1, `"id":1`, `"id":2`), "book 1 already has this title"},
		{"a jti that is taken", edit(putJTI1, `"id":1`, `"id":2`), "token 1 already has this jti"},
		{"a token of no user", edit(putJTI1, `"user":1`, `"user":9`, "j1", "j2", `"id":1`, `"id":2`), "user 9 does not exist"},
		{"a token that becomes another one", edit(putJTI1, "j1", "j2"), "token 1 is another one's"},
		{"a token without a type", edit(putJTI1, `"type":"access",`, "", "j1", "j2", `"id":1`, `"id":2`), "a token needs a jti and a type"},
		{"a user without a name", user("p2", "", ""), "a user needs a username and a public_id"},
		{"a hash that takes forever", edit(user("p2", "bob", ""), `"created"`, `"hash":"$2b$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy","created"`), "the hash is not a bcrypt hash with a cost from 4 to 15"},
		{"id 0", edit(putItem2, `"id":2`, `"id":0`), "item 0: ids go from 1 to 4611686018427387903"},
		{"an unknown member", edit(putItem2, `"category"`, `"kategory"`), `json: unknown field "kategory"`},
		{"two rows", putItem2 + `,"book":{"id":9,"title":"x","author":"y"}`, "a line changes one row: a user, a token, an item or a book"},
		{"deleting what isn't there", `"op":"delete","kind":"item","id":7`, "deletes item 7, which does not exist"},
		{"a wrong op", edit(putItem2, "put", "add"), `op "add" does not go with what the line holds`},
	} {
		d := diskWith(base + `{"seq":5,` + tt.body + "}\n")
		s, err := openStore(d, dataFile, quiet, clockAtNoon)
		if tt.want != "" {
			want := dataFile + " is damaged: line 6: " + tt.want + " (nothing was changed; repair or restore the file, or start with another -data)"
			if err == nil || err.Error() != want {
				t.Errorf("%s: %v; want %s", tt.name, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if err := soundStore(s); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		rows := storeRows(s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if diff := rowsDiffer(storeRows(storeOn(t, d)), rows); diff != "" {
			t.Errorf("%s: after a restart%s", tt.name, diff)
		}
	}
}

// A file that an earlier program wrote, compacted and went on with, and to which
// a person added a line, opens and exports as that program exported it.
func TestStoreOfEarlierProgram(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("test/testdata/previous.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	export, err := os.ReadFile("test/testdata/previous.json")
	if err != nil {
		t.Fatal(err)
	}
	var was struct{ Exported time.Time }
	if err := json.Unmarshal(export, &was); err != nil {
		t.Fatal(err)
	}
	d := diskWith(string(file))
	for range 2 {
		s := storeOn(t, d)
		if got := s.Snapshot().Export(was.Exported, true); string(got) != string(export) {
			t.Errorf("the export is\n%s\nwant\n%s", got, export)
		}
		if err := soundStore(s); err != nil {
			t.Error(err)
		}
		if s.LastSeq() != 2774 {
			t.Errorf("LastSeq = %d; want 2774", s.LastSeq())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if content, _ := d.Content(dataFile); content != string(file) {
		t.Error("a start changed the file")
	}
}

// The quick way to read an item finds what encoding/json finds, or nothing.
func TestDecodeItem(t *testing.T) {
	t.Parallel()
	texts := []string{"", "lamp", "naïve 東京 🙂", "/", `a "quoted" word`, `C:\temp`, "a\ttab", "\u2028", "<b>&", strings.Repeat("long ", 500)}
	created := []time.Time{noon, {}, noon.Add(123456789), noon.In(time.FixedZone("", 3600))}
	quick := 0
	for i, name := range texts {
		it := item{
			ID: i*1000 + 1, itemInput: itemInput{name, texts[(i+1)%len(texts)], name},
			Created: created[i%len(created)], CreatedBy: i % 3,
		}
		row := strictjson.Encode(&it)
		got, ok := decodeOwn(row)
		if !ok {
			continue
		}
		quick++
		var want item
		if err := json.Unmarshal(row, &want); err != nil {
			t.Fatal(err)
		}
		if want.render(); got != want.stored() {
			t.Errorf("%s:\ngot  %+v\nwant %+v", row, got, want.stored())
		}
	}
	if quick < 3 {
		t.Errorf("%d items are read the quick way", quick)
	}
	good := strings.TrimPrefix(putItem1, `"op":"put","item":`)
	if _, ok := decodeOwn([]byte(good)); !ok {
		t.Error("a plain item isn't read the quick way")
	}
	for n := range good {
		if _, ok := decodeOwn([]byte(good[:n])); ok {
			t.Errorf("%s is taken for a whole row", good[:n])
		}
	}
	for _, other := range []string{
		strings.TrimPrefix(putBook1, `"op":"put","book":`), "null", good + " ", good + good,
		strings.Replace(good, `"id":1`, `"id":-1`, 1), strings.Replace(good, `"id":1`, `"id":12345678901234567890`, 1),
		strings.Replace(good, `"category":"",`, "", 1), strings.Replace(good, "2026-11-22", "2026-13-22", 1),
	} {
		if _, ok := decodeOwn([]byte(other)); ok {
			t.Errorf("%s is taken for a plain item", other)
		}
	}
}

// What is so already is written to no file, and is no event.
func TestStoreChangesNothing(t *testing.T) {
	t.Parallel()
	st, ann, _ := guardStore(t)
	record, _ := guardSignIn(t, st, ann)
	other, _ := guardSignIn(t, st, ann)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(st.as(theOperator).addItem(&item{itemInput: itemInput{Itemname: "lamp"}, CreatedBy: ann.ID}))
	by := st.as(&caller{user: ann, token: other})
	check(by.setRevoked(record.ID, true))
	revoked := *st.liveTokens(ann.ID)[0]
	no := false
	for _, tt := range []struct {
		name   string
		change func() error
	}{
		{"an item gets the name that it has", func() error {
			_, err := by.changeItem(1, terms{}, func(it *item) { it.Itemname = "lamp" })
			return err
		}},
		{"a revoked token is revoked", func() error { return by.setRevoked(record.ID, true) }},
		{"a user gets the name that it has", func() error {
			_, err := by.editUser(func(u *user) { u.Username = "ann" })
			return err
		}},
		{"a user who is no admin is made none", func() error { _, err := st.as(theOperator).setAccess(ann.ID, &no, &no); return err }},
		{"nothing has expired", func() error { _, err := by.pruneTokens(); return err }},
	} {
		before := st.LastSeq()
		check(tt.change())
		if st.LastSeq() != before {
			t.Errorf("%s: seq goes from %d to %d", tt.name, before, st.LastSeq())
		}
	}
	if after := *st.liveTokens(ann.ID)[0]; after != revoked {
		t.Errorf("the revoked token was %+v and is %+v", revoked, after)
	}
	check(by.setRevoked(record.ID, false))
	if after := *st.liveTokens(ann.ID)[0]; after.EndedBy != "" || !after.Ended.IsZero() {
		t.Errorf("the restored token is %+v", after)
	}
}

// A compaction drops expired tokens, and nothing of a deleted account keeps the
// file from opening.
func TestStoreCompaction(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	s := storeOn(t, d)
	ann, bob := &user{PublicID: "p1", Username: "ann"}, &user{PublicID: "p2", Username: "bob"}
	old := &tokenRecord{JTI: "old", Type: token.Access, Expires: noon}
	good := &tokenRecord{JTI: "good", Type: token.Access, Expires: noon.Add(time.Second)}
	for _, err := range []error{
		s.signUp(ann, old, good), s.signUp(bob, &tokenRecord{JTI: "bob's", Type: token.Access, Expires: noon.Add(time.Hour)}),
		s.as(theOperator).addItem(&item{itemInput: itemInput{Itemname: "lamp"}, CreatedBy: bob.ID}), s.as(theOperator).addBook(&book{bookInput: bookInput{"Dune", ""}, CreatedBy: bob.ID}),
		s.as(theOperator).deleteUser(bob.ID), s.Compact(), s.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{
		"user 1":  `{"id":1,"public_id":"p1","username":"ann","created":"0001-01-01T00:00:00Z"}`,
		"token 2": `{"id":2,"jti":"good","type":"access","user":1,"session":1,"expires":"2026-11-22T12:00:01Z"}`,
		"item 1":  `{"id":1,"itemname":"lamp","category":"","description":"","created":"2026-11-22T12:00:00Z"}`,
		"book 1":  `{"id":1,"title":"Dune","author":""}`,
	}
	if diff := rowsDiffer(storeRows(storeOn(t, d)), want); diff != "" {
		t.Errorf("after a compaction and a restart:%s", diff)
	}
}

// The rules see what is pending. Each of these runs while the ones before it wait
// for the disk.
func TestStoreRulesSeePending(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	s := storeOn(t, d)
	yes := true
	for _, err := range []error{
		s.signUp(&user{PublicID: "p1", Username: "ann", Email: "ann@example.com"}), s.signUp(&user{PublicID: "p2", Username: "bob", Email: "bob@example.com"}),
		s.as(theOperator).addItem(&item{CreatedBy: 1}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	reached, gate := make(chan bool), make(chan bool)
	stops := 0
	d.OnSync = func(string) {
		if stops++; stops == 1 { // the first batch waits until the second is decided
			close(reached)
			<-gate
		}
	}
	first := make(chan error, 1)
	go func() {
		first <- s.as(theOperator).addItem(&item{itemInput: itemInput{Itemname: "first"}, CreatedBy: 1})
	}()
	select {
	case <-reached:
	case err := <-first:
		t.Fatalf("a write returns %v before its fsync", err)
	}
	pending := func() (n int) {
		for _, c := range s.Counts() {
			n += c.Pending
		}
		return n
	}
	cat := &caller{user: &user{ID: 3}, token: &tokenRecord{ID: 1, Type: token.Access, Expires: noon.Add(time.Hour)}}
	fay := &caller{user: &user{ID: 5}, token: &tokenRecord{ID: 2, Type: token.Access, Expires: noon.Add(time.Hour)}}
	var check []func()
	for _, tt := range []struct {
		name string
		op   func() error
		want error
	}{
		{"a new account", func() error {
			return s.signUp(&user{PublicID: "p3", Username: "cat", Email: "cat@example.com"}, &tokenRecord{JTI: "j1", Type: token.Access, Expires: noon.Add(time.Hour)})
		}, nil},
		{"its e-mail, by rules that have given it the same id before", func() error {
			return s.signUp(&user{ID: 3, PublicID: "p4", Username: "cat", Email: "cat@example.com"})
		}, errUserExists},
		{"its e-mail again", func() error { return s.signUp(&user{PublicID: "p4", Username: "dan", Email: "Cat@example.com"}) }, errUserExists},
		{"a title", func() error {
			return s.as(theOperator).addBook(&book{bookInput: bookInput{"Dune", ""}, CreatedBy: 1})
		}, nil},
		{"the title again", func() error {
			return s.as(theOperator).addBook(&book{bookInput: bookInput{"Dune", ""}, CreatedBy: 1})
		}, errTitleTaken},
		{"another title", func() error {
			return s.as(theOperator).addBook(&book{bookInput: bookInput{"Emma", ""}, CreatedBy: 1})
		}, nil},
		{"deleting that book", func() error { return s.as(theOperator).deleteBook(2, terms{}) }, nil},
		{"its title once more", func() error {
			return s.as(theOperator).addBook(&book{bookInput: bookInput{"Emma", ""}, CreatedBy: 1})
		}, nil},
		{"deleting the account that made the item", func() error { return s.as(theOperator).deleteUser(1) }, nil},
		{"an item of that account", func() error { return s.as(theOperator).addItem(&item{CreatedBy: 1}) }, errNoUser},
		{"making that account an admin", func() error { _, err := s.as(theOperator).setAccess(1, &yes, nil); return err }, errNoAccount},
		{"its username", func() error { return s.signUp(&user{PublicID: "p5", Username: "ann"}) }, nil},
		{"changing its item", func() error {
			_, err := s.as(theOperator).changeItem(1, terms{}, func(it *item) { it.Itemname = "changed" })
			return err
		}, nil},
		{"revoking the new account's token", func() error { return s.as(cat).setRevoked(1, true) }, nil},
		{"another new account", func() error {
			return s.signUp(&user{PublicID: "p6", Username: "fay", Email: "fay@example.com"}, &tokenRecord{JTI: "j2", Type: token.Access, Expires: noon.Add(time.Hour)})
		}, nil},
		{"deleting it, and so its token", func() error { return s.as(theOperator).deleteUser(5) }, nil},
		{"revoking that token", func() error { return s.as(fay).setRevoked(2, true) }, errTokenUserGone},
	} {
		before, waiting := pending(), s.Waiting()
		done := make(chan error, 1)
		go func() { done <- tt.op() }()
		for s.Waiting() == waiting && len(done) == 0 {
			runtime.Gosched() // its rules run at once
		}
		if accepted := pending() > before; accepted != (tt.want == nil) || len(done) > 0 {
			t.Errorf("%s is accepted: %t, answered: %d", tt.name, accepted, len(done))
		}
		check = append(check, func() {
			if err := <-done; err != tt.want {
				t.Errorf("%s: %v; want %v", tt.name, err, tt.want)
			}
		})
	}
	close(gate)
	if err := <-first; err != nil {
		t.Error(err)
	}
	for _, f := range check {
		f()
	}
	if n := pending(); n > 0 {
		t.Errorf("%d changes are pending for ever", n)
	}
	if err := soundStore(s); err != nil {
		t.Error(err)
	}
	rows := storeRows(s)
	if n := len(rows); n != 8 {
		t.Errorf("%d rows; want three users, a token, two items and two books:%s", n, rowsDiffer(rows, nil))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if diff := rowsDiffer(storeRows(storeOn(t, d)), rows); diff != "" {
		t.Errorf("after a restart:%s", diff)
	}
}

// A storeWorld is a store on a disk that fails, and what a client of it knows.
// internal/db has a stricter one; here the rules are shelf's.
type storeWorld struct {
	disk  *journaltest.Disk
	store *store // nil while nothing runs
	time  time.Time
	known map[string]string // what was acknowledged
	maybe [][]byte          // lines of a write whose outcome is unknown
	names int               // makes names that are free
}

func (w *storeWorld) now() time.Time { return w.time }

// applyLines is what lines of the data file should do to rows.
func applyLines(rows map[string]string, bodies [][]byte) {
	for _, body := range bodies {
		var line map[string]json.RawMessage
		json.Unmarshal([]byte("{"+string(body)+"}"), &line)
		for _, kind := range []string{"user", "token", "item", "book"} {
			var row struct{ ID int }
			if json.Unmarshal(line[kind], &row) == nil {
				rows[fmt.Sprint(kind, " ", row.ID)] = string(line[kind])
			}
		}
		kind := strings.Trim(string(line["kind"]), `"`)
		delete(rows, kind+" "+string(line["id"]))
		for key, row := range rows { // a deleted user's rows stay
			if kind == "user" && (strings.HasPrefix(key, "item ") || strings.HasPrefix(key, "book ")) {
				rows[key] = strings.Replace(row, `,"createdby":`+string(line["id"])+"}", "}", 1)
			}
		}
	}
}

// start opens the store and compares what it holds with what is known.
func (w *storeWorld) start() error {
	s, err := openStore(w.disk, dataFile, quiet, w.now)
	if err != nil {
		return err
	}
	w.store = s
	got := storeRows(s)
	if rowsDiffer(got, w.known) != "" {
		with := maps.Clone(w.known)
		applyLines(with, w.maybe)
		if rowsDiffer(got, with) != "" {
			return fmt.Errorf("after a start the store differs from what is known (a write of unknown outcome: %q)%s", w.maybe, rowsDiffer(got, w.known))
		}
		w.known = with
	}
	w.maybe = nil
	return soundStore(s)
}

// do makes one write, which the rules or the disk may refuse, and checks that
// what is visible then is what was acknowledged.
func (w *storeWorld) do(op func(*store) error) error {
	w.disk.Forget()
	err := op(w.store)
	lines, parseErr := w.disk.Attempted(dataFile)
	switch {
	case parseErr != nil:
		return parseErr
	case err == nil:
		applyLines(w.known, lines)
	case errors.Is(err, history.ErrOutcomeUnknown), w.disk.Dead() && w.maybe == nil:
		w.maybe = lines
	case !slices.ContainsFunc([]error{
		errUserExists, errNoUser, errNoAccount, errDisabled, errLastAdmin, errNoToken, errTokenEnded, errNoItem, errNoBook, errTitleTaken, errNotOwner, errStaleHash,
		history.ErrFull, history.ErrReadOnly, journaltest.ErrIO, journaltest.ErrNoRoom, journaltest.ErrCrash, journal.ErrNoHistory,
	}, func(may error) bool { return errors.Is(err, may) }) && w.store.State().Failed == nil && !isTokenError(err):
		return fmt.Errorf("an unexpected error: %w", err)
	}
	if diff := rowsDiffer(storeRows(w.store), w.known); diff != "" {
		return fmt.Errorf("readers see what was not acknowledged, or the other way round; the last write: %v%s", err, diff)
	}
	return soundStore(w.store)
}

// asToken is the store as the bearer of that token changes it.
func (s *store) asToken(t *tokenRecord) acting {
	u, _ := s.users.Row(t.User)
	return s.as(&caller{user: u, token: t})
}

func isTokenError(err error) bool {
	_, is := errors.AsType[*token.Error](err)
	return is
}

// TestStoreModel compares the store with what its writes said, through random
// operations, compactions, restarts, crashes and faults of the disk.
func TestStoreModel(t *testing.T) {
	t.Parallel()
	seeds := []uint64{rand.Uint64(), rand.Uint64(), rand.Uint64(), rand.Uint64()}
	if *modelSeed != 0 {
		seeds = []uint64{*modelSeed}
	}
	for until := time.Now().Add(*longRuns); time.Now().Before(until); {
		seeds = append(seeds[:0], rand.Uint64())
		runStoreModel(t, seeds[0])
	}
	for _, seed := range seeds {
		runStoreModel(t, seed)
	}
}

func runStoreModel(t *testing.T, seed uint64) {
	chance := rand.New(rand.NewPCG(seed, 1))
	w := &storeWorld{disk: journaltest.New(seed), time: noon, known: map[string]string{}}
	var story []string
	for range 400 {
		what, err := "start", error(nil)
		if w.store == nil {
			if err = w.start(); errors.Is(err, journaltest.ErrIO) || errors.Is(err, journaltest.ErrNoRoom) {
				w.disk.Kill() // each fault strikes once
				continue
			}
		} else {
			what, err = w.randomStep(chance)
		}
		if story = append(story, what); err != nil {
			t.Fatalf("-model.seed=%d, step %d: %v\nthe story: %s", seed, len(story), err, strings.Join(story[max(0, len(story)-20):], ", "))
		}
	}
}

func (w *storeWorld) randomStep(chance *rand.Rand) (what string, err error) {
	what, op := w.randomWrite(chance)
	soon := func(calls int, err error) {
		w.disk.Fail(journaltest.Fault{At: w.disk.Next() + chance.IntN(calls), Keep: chance.Int64N(1000), Err: err})
	}
	switch n := chance.IntN(100); {
	case n < 5:
		w.disk.Kill()
		w.store = nil
		return "kill", nil
	case n < 12:
		soon(8, journaltest.ErrCrash)
		err = w.do(op)
		w.disk.Kill()
		w.store, w.disk = nil, w.disk.Crash(journaltest.Leftover(chance.IntN(int(journaltest.Leavings))))
		return "crash in " + what, err
	case n < 18:
		soon(10, []error{journaltest.ErrIO, journaltest.ErrNoRoom}[chance.IntN(2)])
		return "fault in " + what, w.do(op)
	case n < 22:
		// In two steps, as the first may work when the other fails.
		var failed error
		err = w.do(func(s *store) error { _, failed = s.as(theOperator).pruneTokens(); return failed })
		if err == nil && failed == nil {
			err = w.do(func(s *store) error { return s.Compact() })
		}
		return "compaction", err
	case n < 25:
		w.time = w.time.Add(time.Hour)
		return "an hour passes", nil
	}
	return what, w.do(op)
}

// randomWrite is any one thing that a client may want.
func (w *storeWorld) randomWrite(chance *rand.Rand) (string, func(*store) error) {
	// any is a row's id, mostly one that exists.
	any := func(kind string) (id int) {
		keys := slices.DeleteFunc(slices.Sorted(maps.Keys(w.known)), func(key string) bool { return !strings.HasPrefix(key, kind+" ") })
		if len(keys) == 0 || chance.IntN(10) == 0 {
			return 1 + chance.IntN(20)
		}
		fmt.Sscanf(keys[chance.IntN(len(keys))], kind+" %d", &id)
		return id
	}
	w.names++
	record := func(kind string) *tokenRecord {
		w.names++
		return &tokenRecord{JTI: fmt.Sprint("jti", w.names), Type: kind, Expires: w.time.Add(time.Hour)}
	}
	name := fmt.Sprint("name", chance.IntN(8))
	by := any("user")
	on := terms{shared: chance.IntN(2) == 0}
	as := func(do func(*store, *user) error) func(*store) error {
		return func(s *store) error {
			u, ok := s.users.Row(by)
			if !ok {
				return errNoUser
			}
			return do(s, u)
		}
	}
	with := func(do func(*store, *tokenRecord) error) func(*store) error {
		id := any("token")
		return func(s *store) error {
			t, ok := s.tokens.Row(id)
			if !ok {
				return errNoToken
			}
			return do(s, t)
		}
	}
	yes := chance.IntN(2) == 0
	switch chance.IntN(14) {
	case 0, 1:
		u := &user{PublicID: fmt.Sprint("p", w.names), Username: name, Email: fmt.Sprintf("%s@example.com", name), Created: w.time}
		return "sign-up", func(s *store) error { return s.signUp(u, record(token.Access), record(token.Refresh)) }
	case 2:
		return "sign-in", as(func(s *store, u *user) error {
			return s.signIn(u, "", record(token.Access), record(token.Refresh))
		})
	case 3:
		return "refresh", with(func(s *store, t *tokenRecord) error { return s.asToken(t).refresh(record(token.Access)) })
	case 4:
		return "revoke", with(func(s *store, t *tokenRecord) error { return s.asToken(t).setRevoked(t.ID, yes) })
	case 5:
		return "log-out", with(func(s *store, t *tokenRecord) error { return s.asToken(t).endSession() })
	case 6:
		return "new password", as(func(s *store, u *user) error {
			return s.as(theOperator).setPassword(u, fmt.Sprintf("$2b$04$%053d", w.names))
		})
	case 7:
		return "edit user", with(func(s *store, t *tokenRecord) error {
			_, err := s.asToken(t).editUser(func(u *user) { u.Username = name })
			return err
		})
	case 8:
		return "access", func(s *store) error { _, err := s.as(theOperator).setAccess(by, &yes, nil); return err }
	case 9:
		items := []*item{
			{itemInput: itemInput{name, name, ""}, CreatedBy: by},
			{itemInput: itemInput{`"` + name, "", strings.Repeat("long ", chance.IntN(100))}, CreatedBy: by},
		}
		return "add items", func(s *store) error { return s.as(theOperator).addItem(items...) }
	case 10:
		id := any("item")
		return "change item", with(func(s *store, t *tokenRecord) error {
			_, err := s.asToken(t).changeItem(id, on, func(it *item) { it.Category = name })
			return err
		})
	case 11:
		id, bookID := any("item"), any("book")
		if yes {
			return "delete book", with(func(s *store, t *tokenRecord) error { return s.asToken(t).deleteBook(bookID, on) })
		}
		return "delete item", with(func(s *store, t *tokenRecord) error { return s.asToken(t).deleteItem(id, on) })
	case 12:
		return "add book", func(s *store) error {
			return s.as(theOperator).addBook(&book{bookInput: bookInput{name, "somebody"}, CreatedBy: by})
		}
	}
	return "delete user", func(s *store) error { return s.as(theOperator).deleteUser(by) }
}

// Servers that share a cluster share accounts and keys. A command beside them is one
// more replica, and all of them hold the same in the end.
func TestCluster(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), etcdtest.New(3).Serve(t)
	plain := filepath.Join(dir, "plain.json")
	if err := os.WriteFile(plain, []byte(`{"items":[{"itemname":"ball","category":"c","description":"d"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := settings{data: address, seed: plain, alg: token.HS256}
	var stores []*store
	var rings []token.Keys
	for range 3 {
		st, ring, err := openData(t.Context(), c, quiet, time.Now, func(*store) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		stores, rings = append(stores, st), append(rings, ring)
	}
	var seeding sync.WaitGroup
	for _, st := range stores {
		seeding.Go(func() {
			if err := seedStore(st, c, new(config.Interrupt), quiet); err != nil {
				t.Error(err)
			}
		})
	}
	seeding.Wait()
	added := newUser("ann@example.com", "ann@example.com", time.Now())
	if err := stores[0].signUp(added); err != nil {
		t.Fatal(err)
	}
	for i, st := range stores {
		if err := st.Fresh(t.Context()); err != nil {
			t.Error(err)
		}
		if got, want := st.contents(), "1 user, 1 item, 0 books"; got != want {
			t.Errorf("replica %d holds %s; want %s", i, got, want)
		}
		if rings[i].Ring().Keys()[0].ID != rings[0].Ring().Keys()[0].ID {
			t.Errorf("replica %d signs by a key of its own", i)
		}
		if err := st.signUp(newUser("ann@example.com", "ann@example.com", time.Now())); !errors.Is(err, errUserExists) {
			t.Errorf("replica %d adds an account with the same e-mail: %v", i, err)
		}
	}
	file := filepath.Join(dir, "out.jsonl")
	for _, tt := range []struct{ args, want string }{
		{"check " + address, "sound"},
		{"user list -data " + address, "ann@example.com"},
		{"user admin ann@example.com -data " + address, "is an admin"},
		{"key rotate -data " + address, "verifies until"},
		{"copy " + address + " " + file, "now holds 1 user, 1 item, 0 books"},
		{"copy " + file + " " + etcdtest.New(1).Serve(t), "now holds 1 user, 1 item, 0 books"},
		{"key list -data " + file, "verifies until"},
	} {
		got, err := runArgs(t, strings.Fields(tt.args)...)
		if err != nil || !strings.Contains(got, tt.want) {
			t.Errorf("shelf %s: %q, %v; want %q", tt.args, got, err, tt.want)
		}
	}
	for _, tt := range []struct{ args, want string }{
		{"copy " + file + " " + address, "already holds 1 user, 1 item, 0 books"},
		{"copy " + file + " " + file, "the two places are the same"},
		{"copy " + file, "usage: shelf copy FROM TO"},
		{"copy " + filepath.Join(dir, "none.jsonl") + " " + address, "no data file"},
		{"import " + plain + " -data " + "etcd://ann:secret@h/", "SHELF_ETCD_USER"},
		{"check etcd://127.0.0.1:1/", "start etcd, or check -data"},
		{"plain.json -data " + address, "takes no FILE"},
		{"-data etcd://h/ -etcd-ca x", "name the cluster etcds://"},
		{"-data etcds://h/ -etcd-key x", "go together"},
	} {
		if _, err := runArgs(t, strings.Fields(tt.args)...); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret@") {
			t.Errorf("shelf %s: %v; want %q", tt.args, err, tt.want)
		}
	}
	var exports []string
	for _, place := range []string{address, file} {
		text, err := runArgs(t, "export", place, "-secrets")
		if err != nil {
			t.Fatal(err)
		}
		exports = append(exports, regexp.MustCompile(`"exported": *"[^"]*"`).ReplaceAllString(text, ""))
	}
	if exports[0] != exports[1] {
		t.Errorf("the cluster and its copy differ: %s\n%s", exports[0], exports[1])
	}
}
