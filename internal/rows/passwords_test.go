package rows

import "testing"

// Only the values that are named change.
func TestSetUserMember(t *testing.T) {
	t.Parallel()
	const text = "\ufeff{ \"posts\":[{\"password\":\"x\"}],\r\n  \"users\": [ {\"id\":1, \"password\" : \"a\\\"b\"}, {\"id\":2,\"p\\u0061ssword\":\"c\",\"n\":{\"password\":\"d\"}},{\"id\":3,\"password\":\"e\"} ],\n \"z\": 1.10 }\n"
	const want = "\ufeff{ \"posts\":[{\"password\":\"x\"}],\r\n  \"users\": [ {\"id\":1, \"password\" : \"A\"}, {\"id\":2,\"p\\u0061ssword\":\"C\",\"n\":{\"password\":\"d\"}},{\"id\":3,\"password\":\"e\"} ],\n \"z\": 1.10 }\n"
	if got := string(SetUserMember([]byte(text), "password", map[int]string{0: `"A"`, 1: `"C"`})); got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
	if got := string(SetUserMember([]byte(text), "password", nil)); got != text {
		t.Errorf("without values the file is\n%s", got)
	}
}

// A file with other values can be read, and differs in nothing else.
func FuzzSetUserMember(f *testing.F) {
	f.Add(`{"users":[{"id":1,"password":"a"},{"id":2,"x":[{"password":1}],"password":"b"}],"z":[]}`)
	f.Add(`{ "a" : {} , "users" : [ { "password" : "\"}" } ] }`)
	f.Fuzz(func(t *testing.T, text string) {
		before, err := ParseFile([]byte(text), FileOptions{})
		if err != nil {
			return
		}
		values := map[int]string{}
		for i := range before.Users {
			if _, has := before.Users[i].Get("password"); has {
				values[i] = `"h"`
			}
		}
		after, err := ParseFile(SetUserMember([]byte(text), "password", values), FileOptions{})
		if err != nil || len(after.Users) != len(before.Users) {
			t.Fatalf("%q can't be read afterwards: %v", text, err)
		}
		for i := range before.Users {
			if values[i] != "" {
				before.Users[i].Set("password", values[i])
			}
			if before.Users[i].Text() != after.Users[i].Text() && before.Users[i].text("id") != "" {
				t.Errorf("user %d is %s; want %s", i, after.Users[i].Text(), before.Users[i].Text())
			}
		}
	})
}
