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
