package rows

import "testing"

// An account's row keeps its members in their order, and never shows a password.
func TestMembers(t *testing.T) {
	t.Parallel()
	parse := func(text string) Object {
		o, err := ParseObject([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	m := MemberOf(parse(`{"name":"Ann","password":"x","role":["a"],"id":"a1","email":"a@b","n":1.10,"admin":true}`))
	if m.Password != "x" || m.Email != "a@b" || m.ID != `"a1"` || m.Role != `["a"]` {
		t.Fatalf("the account is %+v", m)
	}
	want := func(name, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
		}
	}
	want("the row", m.Row(1).Text, `{"name":"Ann","role":["a"],"id":"a1","email":"a@b","n":1.10,"admin":true}`)
	want("the row of the file", m.WithPassword("$h"), `{"name":"Ann","password":"$h","role":["a"],"id":"a1","email":"a@b","n":1.10,"admin":true}`)

	m = Member{ID: "7", Email: "a@b", Profile: SignUpProfile(parse(`{"id":1,"name":"Bob","admin":true,"role":"x","password":"y","email":"a@b"}`))}
	want("a new row", m.Row(1).Text, `{"email":"a@b","name":"Bob","id":7}`)
	m.Profile = m.Patched(parse(`{"name":null,"id":9,"age":5,"disabled":true}`))
	want("a patched row", m.Row(1).Text, `{"email":"a@b","name":null,"id":7,"age":5}`)
	m.Profile = m.Replaced(parse(`{"id":9,"x":1,"current_password":"z","role":"root"}`))
	want("a replaced row", m.Row(1).Text, `{"id":7,"x":1,"email":"a@b"}`)
	m.Role = `"boss"`
	want("with a role", m.Row(1).Text, `{"id":7,"x":1,"role":"boss","email":"a@b"}`)
}
