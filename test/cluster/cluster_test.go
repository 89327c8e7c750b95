package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What the checker says of a history that was made by hand.
func TestJudge(t *testing.T) {
	t.Parallel()
	type op struct {
		in          input
		call, ended int
		out         output
	}
	known := output{known: true}
	for _, tt := range []struct {
		name  string
		ops   []op
		legal bool
	}{
		{"a read after a write sees it", []op{
			{input{kind: write, new: "a"}, 1, 2, known},
			{input{kind: read}, 3, 4, output{known: true, value: "a"}},
		}, true},
		{"a read after two writes sees the first", []op{
			{input{kind: write, new: "a"}, 1, 2, known},
			{input{kind: write, new: "b"}, 3, 4, known},
			{input{kind: read}, 5, 6, output{known: true, value: "a"}},
		}, false},
		{"two swaps of the same value win", []op{
			{input{kind: write, new: "a"}, 1, 2, known},
			{input{kind: swap, old: "a", new: "b"}, 3, 4, output{known: true, done: true}},
			{input{kind: swap, old: "a", new: "c"}, 3, 4, output{known: true, done: true}},
		}, false},
		{"a swap is denied while the value never was another", []op{
			{input{kind: write, new: "a"}, 1, 2, known},
			{input{kind: swap, old: "a", new: "b"}, 3, 4, known},
			{input{kind: read}, 5, 6, output{known: true, value: "a"}},
		}, false},
		{"a write of unknown outcome is done much later", []op{
			{input{kind: write, new: "a"}, 1, 2, known},
			{input{kind: write, new: "b"}, 3, 4, output{}},
			{input{kind: read}, 5, 6, output{known: true, value: "a"}},
			{input{kind: read}, 7, 8, output{known: true, value: "b"}},
		}, true},
		{"a write of unknown outcome is done and undone", []op{
			{input{kind: write, new: "a"}, 1, 2, known},
			{input{kind: write, new: "b"}, 3, 4, output{}},
			{input{kind: read}, 5, 6, output{known: true, value: "b"}},
			{input{kind: read}, 7, 8, output{known: true, value: "a"}},
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var h history
			for _, o := range tt.ops {
				h.add(0, o.in, h.began.Add(time.Duration(o.call)), o.out)
				if last := &h.ops[len(h.ops)-1]; o.out.known {
					last.Return = int64(o.ended)
				}
			}
			if faults := h.judge(t.TempDir()); (len(faults) == 0) != tt.legal {
				t.Errorf("the checker says %q", faults)
			}
		})
	}
}

// A link that is cut passes nothing, and closes nothing. What was sent meanwhile
// arrives later.
func TestLink(t *testing.T) {
	t.Parallel()
	member := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "pong") }))
	defer member.Close()
	k, err := newLink("127.0.0.1:0", strings.TrimPrefix(member.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer k.listener.Close()
	conn, err := net.Dial("tcp", k.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ask := func(wait time.Duration) (string, error) {
		conn.SetReadDeadline(time.Now().Add(wait))
		buf := make([]byte, 4096)
		n, err := conn.Read(buf)
		return string(buf[:n]), err
	}
	const ping = "GET / HTTP/1.1\r\nHost: m\r\n\r\n"
	io.WriteString(conn, ping)
	if text, err := ask(time.Minute); !strings.HasSuffix(text, "pong") {
		t.Fatalf("an open link: %q, %v", text, err)
	}
	k.cut()
	io.WriteString(conn, ping)
	if text, err := ask(50 * time.Millisecond); !isTimeout(err) {
		t.Fatalf("a link that is cut: %q, %v; want a timeout", text, err)
	}
	k.mend()
	if text, err := ask(time.Minute); !strings.HasSuffix(text, "pong") {
		t.Fatalf("a mended link: %q, %v", text, err)
	}
}

func isTimeout(err error) bool {
	slow, ok := err.(net.Error)
	return ok && slow.Timeout()
}
