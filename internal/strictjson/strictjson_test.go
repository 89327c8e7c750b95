package strictjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// claimsText is the payload of a token.
const claimsText = `{"exp":1795357140,"fresh":true,"iat":1795356240,"iss":"shelf","jti":"7c9e6679-7425-40de-944b-e07fc1f90ae7","nbf":1795356240,"public_id":"0f8fad5b-d9cb-469f-a165-70867728950e","sub":"0f8fad5b-d9cb-469f-a165-70867728950e","type":"access"}`

func TestDecodeKeepsOrder(t *testing.T) {
	t.Parallel()
	members, err := Decode([]byte(`{"z": [1, 2], "a" : {"b":null} ,"m":1e2}`))
	if got, want := fmt.Sprintf("%s %v", members, err), `[{z [1, 2]} {a {"b":null}} {m 1e2}] <nil>`; got != want {
		t.Errorf("Decode = %s; want %s", got, want)
	}
}

var objectTests = []struct{ name, text, want string }{
	{"an empty object has no members", " \n{\t} ", `[] <nil>`},
	{"brackets in a string are text", `{"a":"}],{[","b":1}`, `[{a "}],{["} {b 1}] <nil>`},
	{"an escaped quote ends nothing", `{"a":"\",\"b\":2","c":"\\"}`, `[{a "\",\"b\":2"} {c "\\"}] <nil>`},
	{"commas and colons of nested objects are theirs", `{"a":{"b":[1,{"c":2}],"d":3},"e":[4,5]}`, `[{a {"b":[1,{"c":2}],"d":3}} {e [4,5]}] <nil>`},
	{"a colon in a name is part of it", `{"a:b" : 1}`, `[{a:b 1}] <nil>`},
	{"a name is what its escapes say", `{"\u0061\"\ud83d\ude00":1}`, `[{a"😀 1}] <nil>`},
	{"an escape of a name makes no second name", `{"a":1,"\u0061":2}`, `[] 'a' must be given only once`},
	{"half a pair in a name", `{"\ud83d":1}`, "[] '\ufffd' must not hold half of a surrogate pair"},
	{"a pair the wrong way round", `{"a":"\ude00\ud83d"}`, `[] 'a' must not hold half of a surrogate pair`},
	{"the fault of the first member at fault is named", "{\"a\":[\"\xff\"],\"b\":\"\\ud83d\"}", `[] 'a' must be valid UTF-8`},
	{"null", "null", `[] must be a JSON object`},
	{"a list", "[]", `[] must be a JSON object`},
	{"nothing", "", `[] unexpected end of JSON input`},
	{"a second object", "{} {}", `[] invalid character '{' after top-level value`},
	{"a comma too many", `{"a":1,}`, `[] invalid character '}' looking for beginning of object key string`},
	{"a byte order mark", "\ufeff{}", `[] invalid character 'ï' looking for beginning of value`},
	{"a name twice in a nested object is no fault", `{"a":{"b":1,"b":2}}`, `[{a {"b":1,"b":2}}] <nil>`},
	{"as deep as may be", `{"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`, `[{a ` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}] <nil>`},
	{"one too deep", `{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, `[] 'a' must not nest deeper than 32`},
	{"a member too many", `{` + strings.Repeat(`"a":1,`, 100) + `"b":2}`, `[] must not have more than 100 fields`},
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, tt := range objectTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			members, err := Decode([]byte(tt.text))
			if got := fmt.Sprintf("%s %v", members, err); got != tt.want {
				t.Errorf("Decode(%s) = %s; want %s", tt.text, got, tt.want)
			}
		})
	}
}

// BenchmarkDecode compares Decode with json.Decoder: for the claims of a token, and
// for an import of 26 MB.
func BenchmarkDecode(b *testing.B) {
	row := `{"id":1,"itemname":"Item number 1","category":"Category 7","description":"A plain description of this item, as long as most are."}`
	imported := `{"format":"shelf-export","items":[` + strings.Repeat(row+",", 200_000) + row + `]}`
	for _, text := range []struct{ name, text string }{{"claims", claimsText}, {"import", imported}} {
		for _, decode := range []struct {
			name string
			f    func([]byte) (Object, error)
		}{{"Decode", Decode}, {"json.Decoder", decodeByTokens}} {
			b.Run(text.name+"/"+decode.name, func(b *testing.B) {
				data := []byte(text.text)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := decode.f(data); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// decodeByTokens is the part of Decode that json.Decoder can do.
func decodeByTokens(data []byte) (members Object, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := Member{Name: name.(string)}
		if err := d.Decode(&m.Value); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return Unique(members)
}

// FuzzDecode compares Decode with encoding/json, which is less strict.
func FuzzDecode(f *testing.F) {
	for _, tt := range objectTests {
		f.Add([]byte(tt.text))
	}
	f.Add([]byte(claimsText))
	f.Fuzz(func(t *testing.T, data []byte) {
		members, err := Decode(data)
		var want map[string]json.RawMessage
		if jsonErr := json.Unmarshal(data, &want); err == nil && jsonErr != nil {
			t.Fatalf("Decode accepts what encoding/json refuses: %v", jsonErr)
		}
		if err != nil {
			return
		}
		if want == nil || len(members) != len(want) {
			t.Fatalf("Decode = %s; encoding/json reads %s", members, want)
		}
		for _, m := range members {
			if !bytes.Equal(m.Value, want[m.Name]) {
				t.Errorf("Decode reads %q as %s, encoding/json as %s", m.Name, m.Value, want[m.Name])
			}
			// U+FFFD is allowed only where the client wrote it, escaped or not
			var text string
			if json.Unmarshal(m.Value, &text) == nil && strings.Count(text, "\ufffd") >
				strings.Count(string(m.Value), "\ufffd")+strings.Count(strings.ToLower(string(m.Value)), `\ufffd`) {
				t.Errorf("Decode accepts %s, which encoding/json changes to %q", m.Value, text)
			}
		}
	})
}

func TestObject(t *testing.T) {
	t.Parallel()
	o, err := Decode([]byte(`{"a":"\u0041","n":1,"null":null}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		has  bool
		text string
		ok   bool
	}{
		{"a", true, "A", true},
		{"n", true, "", false},
		{"null", true, "", false},
		{"A", false, "", false},
		{"", false, "", false},
	} {
		text, ok := o.Text(tt.name)
		if has := o.Has(tt.name); has != tt.has || text != tt.text || ok != tt.ok {
			t.Errorf("%q: has %v, text %q, %v; want %v, %q, %v", tt.name, has, text, ok, tt.has, tt.text, tt.ok)
		}
	}
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	var v struct{ A int }
	if err := Unmarshal([]byte(`{"a":1}`), &v); err != nil || v.A != 1 {
		t.Errorf("Unmarshal = %v, %+v; want 1", err, v)
	}
	if err := Unmarshal([]byte(`{"b":1}`), &v); err == nil || err.Error() != `json: unknown field "b"` {
		t.Errorf("Unmarshal of an unknown member = %v; want an error", err)
	}
}

// Encode writes no escapes that only HTML needs, and its output reads back
// unchanged.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "dune", "<a&b>", `"\`, "\x00\n\x7f", "é😀\u2028", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		raw := AppendString([]byte("x"), s)[1:]
		if want := Encode(s); !bytes.Equal(raw, want) {
			t.Fatalf("AppendString(%q) = %s; Encode writes %s", s, raw, want)
		}
		if got, want := Unquote(raw), strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && got != want {
			t.Errorf("unquote(%s) = %q; want %q", raw, got, want)
		}
	})
}
