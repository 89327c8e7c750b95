package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func readText(text string) (*Document, error) {
	return ReadDocument(strings.NewReader(text), int64(len(text)), func(int64) {})
}

func TestDocument(t *testing.T) {
	t.Parallel()
	d, err := readText(" {\"a\" : [1, {\"b\":[2]},\n\"]\" ] , \"c\":{\"d\":{\"e\":1},\"f\":[]},\"g\": null,\"h\":\t-7 ,\"none\":[]} \n")
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Names(); !slices.Equal(got, []string{"a", "c", "g", "h", "none"}) {
		t.Errorf("Names = %q", got)
	}
	for name, want := range map[string]string{"a": "[1, {\"b\":[2]},\n\"]\" ]", "c": `{"d":{"e":1},"f":[]}`, "g": "null", "h": "-7", "none": "[]", "x": ""} {
		if got, err := d.Value(name); string(got) != want || err != nil || d.Has(name) != (name != "x") {
			t.Errorf("Value(%s) = %s, %v; want %s", name, got, err, want)
		}
	}
	for name, want := range map[string]string{"a": `1|{"b":[2]}|"]"|`, "g": "", "none": "", "x": "", "c": "c: must be a list", "h": "h: must be a list"} {
		var got strings.Builder
		n := 0
		if err := d.Each(name, func(text []byte) error { n++; fmt.Fprintf(&got, "%s|", text); return nil }); err != nil {
			got.WriteString(err.Error())
		}
		if got.String() != want || n != d.Len(name) {
			t.Errorf("Each(%s): %s, %d elements; want %s, %d", name, got.String(), n, want, d.Len(name))
		}
	}
	stop := errors.New("stop")
	err = d.Each("a", func(text []byte) error {
		if text[0] == '{' {
			return stop
		}
		return nil
	})
	if at, ok := errors.AsType[*ElementError](err); !ok || at.Index != 1 || !errors.Is(err, stop) {
		t.Errorf("an element is refused: %v", err)
	}
}

// What is wrong with a document is told as Decode and FindSlip tell it.
func TestDocumentErrors(t *testing.T) {
	t.Parallel()
	many := "{" + strings.Repeat(`"a%d":1,`, 100) + `"b":2}`
	numbers := make([]any, 100)
	for i := range numbers {
		numbers[i] = i
	}
	for _, text := range []string{
		"", "{", "[", "[]", "[1,]", "null", "7", `"a"`, "{} {}", "{}]", `{"a":1,}`, `{"a":[1,2}`, `{"a":[1,,2]}`, `{"a" 1}`, `{"a":[1],"a":2}`, `{1:2}`,
		"{\n\"items\":[1,]}", `{"items":[`, `{"a":{"b":1,}}`, `{"a":tru}`, `{"a":1}x`, fmt.Sprintf(many, numbers...), `{"a":[{"b":'x'}]}`, `[1 2]`,
	} {
		_, err := readText(text)
		if slip := FindSlip([]byte(text)); slip != nil {
			if err == nil || err.Error() != slip.Error() {
				t.Errorf("%.60s: %v; want %v", text, err, slip)
			}
		} else if _, want := Decode([]byte(text)); fmt.Sprint(err) != fmt.Sprint(want) {
			t.Errorf("%.60s: %v; want %v", text, err, want)
		}
	}
}

// A file that changes between two readings is told as such.
func TestDocumentChanges(t *testing.T) {
	t.Parallel()
	d, err := readText(`{"items":[1,2,3]}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, now := range []string{`{"items":[1,2`, `{"items":[1,2]} `, `{"items":[1,2,"3]`, `{"items":[1,2,"\`} {
		d.file = strings.NewReader(now)
		if err := d.Each("items", func([]byte) error { return nil }); err == nil || !strings.HasPrefix(err.Error(), "the file was changed while it was read: ") {
			t.Errorf("now %s: %v", now, err)
		}
	}
	d.file = strings.NewReader(`{"items":[1,x,3]}`)
	if err := d.Each("items", Sound); err == nil || err.Error() != "items[1]: invalid character 'x' looking for beginning of value" {
		t.Errorf("an element that is no JSON: %v", err)
	}
}

func TestSound(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"a":[1,"b"]}`: "", `"\ud83d\ude00"`: "", `7`: "",
		"{\"a\":\"\xff\"}": "must be valid UTF-8",
		`["\ud83d"]`:       "must not hold half of a surrogate pair",
		strings.Repeat("[", 32) + strings.Repeat("]", 32): "must not nest deeper than 32",
	} {
		got := ""
		if err := Sound([]byte(text)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("Sound(%s) = %q; want %q", text, got, want)
		}
	}
}

// A Document has the members and elements that encoding/json finds.
func FuzzDocument(f *testing.F) {
	for _, tt := range objectTests {
		f.Add(tt.text)
	}
	f.Add(`{"a":[1,{"b":[2]}],"items":[{},{}, "x" ]}`)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := readText(text)
		var want map[string]json.RawMessage
		wantErr := json.Unmarshal([]byte(text), &want)
		if err != nil {
			return
		}
		if wantErr != nil || want == nil || len(d.Names()) != len(want) {
			t.Fatalf("%q has the members %q; encoding/json reads %s, %v", text, d.Names(), want, wantErr)
		}
		for name, value := range want {
			if got, err := d.Value(name); string(got) != string(value) || err != nil {
				t.Errorf("Value(%q) = %s, %v; want %s", name, got, err, value)
			}
			var elements []json.RawMessage
			if json.Unmarshal(value, &elements) != nil {
				continue
			}
			i := 0
			err := d.Each(name, func(text []byte) error {
				if string(text) != string(elements[i]) {
					t.Errorf("element %d of %q is %s; want %s", i, name, text, elements[i])
				}
				i++
				return nil
			})
			if err != nil || i != len(elements) || i != d.Len(name) {
				t.Errorf("%q has %d elements, and Len %d, %v; want %d", name, i, d.Len(name), err, len(elements))
			}
		}
	})
}
