package etcd

import (
	"strings"
	"testing"
	"time"
)

var addresses = []struct{ text, want, err string }{
	{text: "etcd://a", want: "etcd://a:2379/shelf/"},
	{text: "etcd://a/", want: "etcd://a:2379/shelf/"},
	{text: "etcd://a,b:2380,c/x/y", want: "etcd://a:2379,b:2380,c:2379/x/y/"},
	{text: "etcds://10.0.0.1/shelf/", want: "etcds://10.0.0.1:2379/shelf/"},
	{text: "etcd://[::1],[fe80::1]:99/p/", want: "etcd://[::1]:2379,[fe80::1]:99/p/"},
	{text: "http://a", err: "want etcd://HOST"},
	{text: "etcd://", err: "the name of a member is missing"},
	{text: "etcd:///shelf/", err: "the name of a member is missing"},
	{text: "etcd://a,,b/", err: "the name of a member is missing"},
	{text: "etcd://ann:secret@a/", err: "set SHELF_ETCD_USER and SHELF_ETCD_PASSWORD"},
	{text: "etcd://a/x@y/", err: "SHELF_ETCD_USER"},
	{text: "etcd://a:0/", err: "from 1 to 65535"},
	{text: "etcd://a:/", err: "from 1 to 65535"},
	{text: "etcd://a:+1/", err: "from 1 to 65535"},
	{text: "etcd://a:65536/", err: "from 1 to 65535"},
	{text: "etcd://::1/", err: "not the name of a host"},
	{text: "etcd://[::1/", err: "brackets"},
	{text: "etcd://[1.2.3.4]/", err: "not an IPv6 address"},
	{text: "etcd://a b/", err: "not the name of a host"},
	{text: "etcd://a,a:2379/", err: "named twice"},
	{text: "etcd://a//x/", err: "a prefix is made of"},
	{text: "etcd://a/../x/", err: "a prefix is made of"},
	{text: "etcd://a/x?y=1", err: "a prefix is made of"},
	{text: "etcd://a/x\n/", err: "a prefix is made of"},
	{text: "etcd://" + strings.Repeat("a", 3000), err: "at most 2000 bytes"},
}

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range addresses {
		a, err := ParseAddress(tt.text)
		switch {
		case tt.err == "" && (err != nil || a.String() != tt.want):
			t.Errorf("%s: %v, %v; want %s", tt.text, a, err, tt.want)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s: %v; want %q", tt.text, err, tt.err)
		}
		if IsAddress(tt.text) != strings.HasPrefix(tt.text, "etcd") {
			t.Errorf("IsAddress(%s) is %v", tt.text, IsAddress(tt.text))
		}
	}
}

// Every address that is taken reads back as itself, and an error is one line.
func FuzzParseAddress(f *testing.F) {
	for _, tt := range addresses {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAddress(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %q", text, err)
			}
			return
		}
		again, err := ParseAddress(a.String())
		if err != nil || again.String() != a.String() || len(a.Members) == 0 || !strings.HasPrefix(a.Prefix, "/") || !strings.HasSuffix(a.Prefix, "/") {
			t.Errorf("%q: %v, then %v, %v", text, a, again, err)
		}
	})
}

// No value of a key makes the parsers panic. What they take is whole.
func FuzzParseEntry(f *testing.F) {
	value, err := encodeEntry("id", 7, time.Time{}, [][]byte{[]byte(`"op":"put","note":{"id":1}`), []byte(`"op":"delete","kind":"note","id":1`)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("00000000000000000007", value)
	f.Add("7", []byte("\x1f\x8b"))
	f.Add("00000000000000000007", []byte("{\"batch\":\"x\"}\n"))
	l := &Log{prefix: "/shelf/"}
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		e, err := l.parseEntry(keyValue{Key: []byte("/shelf/log/" + key), Value: value})
		if err == nil && (len(e.batch.Records) == 0 || l.logKey(e.batch.Records[0].Seq) != "/shelf/log/"+key) {
			t.Errorf("%q: %+v", key, e)
		}
		parseManifest(keyValue{Value: value})
		parseFormat(keyValue{Value: value})
		parseHead(value)
		parseVersion(key)
	})
}
