package rows_test

import (
	"testing"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/rows"
)

func guard(t testing.TB, text string) rows.Guard {
	t.Helper()
	g, err := rows.ParseGuard(text)
	must(t, err)
	return g
}

// Nine numbers are guards.
func TestParseGuard(t *testing.T) {
	t.Parallel()
	for n := range 1000 {
		text := string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
		g, err := rows.ParseGuard(text)
		switch text {
		case "666", "664", "660", "644", "640", "600", "444", "440", "400":
			if err != nil || g.String() != text {
				t.Errorf("%s: %v, %v", text, g, err)
			}
		default:
			if err == nil {
				t.Errorf("%s is a guard", text)
			}
		}
	}
	for _, text := range []string{"", "64", "0640", "+64", " 640", "6_4"} {
		if _, err := rows.ParseGuard(text); err == nil {
			t.Errorf("%q is a guard", text)
		}
	}
}

// Two guards together are a guard that allows what both do.
func TestGuardAnd(t *testing.T) {
	t.Parallel()
	all := []string{"666", "664", "660", "644", "640", "600", "444", "440", "400"}
	for _, a := range all {
		if got := guard(t, a).And(0).String(); got != a {
			t.Errorf("%s without another is %s", a, got)
		}
		for _, b := range all {
			and := guard(t, a).And(guard(t, b))
			if _, err := rows.ParseGuard(and.String()); err != nil {
				t.Errorf("%s and %s: %v", a, b, err)
			}
		}
	}
	if got := guard(t, "644").And(guard(t, "660")).String(); got != "640" {
		t.Errorf("644 and 660 are %s", got)
	}
}

const (
	access      = "403 Private resource access: entity must have a reference to the owner id"
	creation    = "403 Private resource creation: request body must have a reference to the owner id"
	replacement = "403 Private resource replacement: request body must have a reference to the owner id"
	readOnly    = "403 Read only"
)

// Who may do what under which guard. The rows are 1 of ann, 2 of bob, 3 of nobody.
func TestGuards(t *testing.T) {
	t.Parallel()
	const anns, bobs, nobodys = `{"id":1,"userId":1}`, `{"id":2,"userId":"bob-uuid"}`, `{"id":3}`
	for _, tt := range []struct {
		guard, who string
		by         rows.Caller
		list       string
		get        string // row 2
		create     string
		own, other string // PATCH of rows 1 and 2
		ownerless  string // PATCH of row 3
	}{
		{"", "anyone", anyone, "401", "401", "401", "401", "401", "401"},
		{"", "ann", ann, anns + " " + bobs + " " + nobodys, bobs, `{"userId":1,"id":4}`, `{"id":1,"userId":1,"a":1}`, access, `{"id":3,"a":1}`},
		{"", "an admin", admin, anns, bobs, `{"userId":9,"id":4}`, `{"id":1`, `{"id":2`, `{"id":3`},
		{"666", "anyone", anyone, anns + " " + bobs + " " + nobodys, bobs, `{"id":4}`, `{"id":1`, `{"id":2`, `{"id":3`},
		{"664", "anyone", anyone, anns, bobs, "401", "401", "401", "401"},
		{"664", "ann", ann, anns, bobs, `{"id":4}`, `{"id":1`, `{"id":2`, `{"id":3`},
		{"660", "anyone", anyone, "401", "401", "401", "401", "401", "401"},
		{"660", "ann", ann, anns, bobs, `{"id":4}`, `{"id":1`, `{"id":2`, `{"id":3`},
		{"644", "anyone", anyone, anns, bobs, "401", "401", "401", "401"},
		{"644", "ann", ann, anns, bobs, `{"userId":1,"id":4}`, `{"id":1`, access, access},
		{"640", "anyone", anyone, "401", "401", "401", "401", "401", "401"},
		{"640", "ann", ann, anns, bobs, `{"userId":1,"id":4}`, `{"id":1`, access, access},
		{"640", "an admin", admin, anns, bobs, `{"userId":9,"id":4}`, `{"id":1`, `{"id":2`, `{"id":3`},
		{"600", "anyone", anyone, "401", "401", "401", "401", "401", "401"},
		{"600", "ann", ann, anns + "", access, `{"userId":1,"id":4}`, `{"id":1`, access, access},
		{"600", "bob by his public id", bob, bobs, bobs, `{"userId":2,"id":4}`, access, `{"id":2`, access},
		{"600", "an admin", admin, anns + " " + bobs + " " + nobodys, bobs, `{"userId":9,"id":4}`, `{"id":1`, `{"id":2`, `{"id":3`},
		{"444", "anyone", anyone, anns, bobs, readOnly, readOnly, readOnly, readOnly},
		{"444", "an admin", admin, anns, bobs, readOnly, readOnly, readOnly, readOnly},
		{"440", "anyone", anyone, "401", "401", "401", "401", "401", "401"},
		{"440", "ann", ann, anns, bobs, readOnly, readOnly, readOnly, readOnly},
		{"400", "anyone", anyone, "401", "401", "401", "401", "401", "401"},
		{"400", "ann", ann, anns, access, readOnly, readOnly, readOnly, readOnly},
	} {
		t.Run(tt.guard+" "+tt.who, func(t *testing.T) {
			t.Parallel()
			var set, tightened rows.Options
			if tt.guard != "" {
				set.Guards.ByName = map[string]rows.Guard{"posts": guard(t, tt.guard)}
				// Open, and tightened by the address, is the same.
				tightened.Guards.Open = true
			}
			for i, opt := range []rows.Options{set, tightened} {
				by := tt.by
				if tt.guard == "" && i == 1 {
					continue
				}
				s := newTill(rows.Options{Guards: rows.Guards{Open: true}}).with(t, "posts", anns, bobs, nobodys)
				s = s.copied(t, opt)
				if i == 1 {
					by.Tighten = guard(t, tt.guard)
				}
				want(t, "list", outcome(s.list(by, "posts")), tt.list)
				want(t, "get", outcome(s.get(by, "posts", "2")), tt.get)
				want(t, "own", outcome(s.patch(by, "posts", "1", object(t, `{"a":1}`))), tt.own)
				want(t, "other", outcome(s.patch(by, "posts", "2", object(t, `{"a":1}`))), tt.other)
				want(t, "ownerless", outcome(s.patch(by, "posts", "3", object(t, `{"a":1}`))), tt.ownerless)
				want(t, "create", outcome(s.create(by, "posts", object(t, `{}`))), tt.create)
				want(t, "get none", outcome(s.get(owner, "posts", "99")), "404")
			}
		})
	}
}

// copied is a till with the same rows and other options.
func (s till) copied(t testing.TB, opt rows.Options) till {
	t.Helper()
	other := newTill(opt)
	must(t, other.Fill(s.Snapshot()))
	return other
}

// Under a guard that lets only owners write, the owner is the stored row's.
func TestOwners(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, stored, send, put, patch string }{
		{"a row keeps its owner", `{"id":1,"userId":1}`, `{"a":1}`, `{"a":1,"userId":1,"id":1}`, `{"id":1,"userId":1,"a":1}`},
		{"an owner that is said again", `{"id":1,"userId":1}`, `{"userId":1}`, `{"userId":1,"id":1}`, `{"id":1,"userId":1}`},
		{"another id of the same account", `{"id":1,"userId":1}`, `{"userId":"ann-uuid"}`, `{"userId":1,"id":1}`, `{"id":1,"userId":1}`},
		{"another owner", `{"id":1,"userId":1}`, `{"userId":2}`, replacement, replacement},
		{"no owner", `{"id":1,"userId":1}`, `{"userId":null}`, `{"userId":1,"id":1}`, replacement},
		{"a row of nobody can't be taken", `{"id":1}`, `{"userId":1}`, replacement, replacement},
		{"a row of nobody stays so", `{"id":1,"userId":null}`, `{"a":1}`, `{"a":1,"userId":null,"id":1}`, `{"id":1,"userId":null,"a":1}`},
		{"another's row", `{"id":1,"userId":2}`, `{"userId":1}`, access, access},
		{"the id stays, where the body has it", `{"id":1,"userId":1}`, `{"id":7,"userId":1,"b":2}`, `{"id":1,"userId":1,"b":2}`, `{"id":1,"userId":1,"b":2}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newTill(rows.Options{}).with(t, "posts")
			open := newTill(rows.Options{Guards: rows.Guards{Open: true}}).with(t, "posts", tt.stored)
			want(t, "PUT", outcome(open.copied(t, rows.Options{}).replace(ann, "posts", "1", object(t, tt.send))), tt.put)
			want(t, "PATCH", outcome(open.copied(t, rows.Options{}).patch(ann, "posts", "1", object(t, tt.send))), tt.patch)
			_ = s
		})
	}
	s := newTill(rows.Options{}).with(t, "posts", `{"id":1,"userId":1}`)
	want(t, "an admin gives a row away", outcome(s.patch(admin, "posts", "1", object(t, `{"userId":2}`))), `{"id":1,"userId":2}`)
	want(t, "an admin replaces a row", outcome(s.replace(admin, "posts", "1", object(t, `{"a":1}`))), `{"a":1,"userId":2,"id":1}`)
	want(t, "an admin takes the owner away", outcome(s.replace(admin, "posts", "1", object(t, `{"userId":null}`))), `{"userId":null,"id":1}`)
	for _, send := range []string{`{"userId":2}`, `{"userId":[1]}`, `{"userId":true}`} {
		want(t, send, outcome(s.create(ann, "posts", object(t, send))), creation)
	}
	want(t, "by the public id", outcome(s.create(ann, "posts", object(t, `{"userId":"ann-uuid"}`))), `{"userId":"ann-uuid","id":2}`)
	want(t, "null is filled in", outcome(s.create(ann, "posts", object(t, `{"userId":null,"a":1}`))), `{"userId":1,"a":1,"id":3}`)
}

// Open collections take a userId as they take any other member.
func TestOwnersWhereAllIsOpen(t *testing.T) {
	t.Parallel()
	s := newTill(rows.Options{Guards: rows.Guards{Open: true}}).with(t, "posts", `{"id":1,"userId":1}`)
	want(t, "PUT", outcome(s.replace(anyone, "posts", "1", object(t, `{"a":1}`))), `{"a":1,"id":1}`)
	want(t, "POST", outcome(s.create(anyone, "posts", object(t, `{"userId":7}`))), `{"userId":7,"id":2}`)
}

// A deleted account's rows stay, and belong to nobody.
func TestDisown(t *testing.T) {
	t.Parallel()
	s := newTill(rows.Options{}).with(t, "posts", `{"id":1,"userId":1,"a":1}`, `{"userId":"ann-uuid","id":2}`, `{"id":3,"userId":2}`)
	must(t, s.Update(func(tx *db.Tx) error {
		if n := s.Owned(tx, ann); n != 2 {
			t.Errorf("ann owns %d rows", n)
		}
		if n := s.Disown(tx, "1", "ann-uuid", ""); n != 2 {
			t.Errorf("%d rows were disowned", n)
		}
		return nil
	}))
	want(t, "the rows", outcome(s.list(admin, "posts")), `{"id":1,"a":1} {"id":2} {"id":3,"userId":2}`)
}
