//go:build unix

package child

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"time"
)

// End sends SIGTERM before SIGKILL.
func TestEnd(t *testing.T) {
	t.Parallel()
	stdin, _ := io.Pipe() // never sends anything
	defer stdin.Close()
	said, stdout := io.Pipe()
	c := New(t.Context(), []string{"sh", "-c", `trap 'echo tidied; exit 4' TERM; echo begun; read line`}, stdin, stdout, io.Discard)
	defer c.Close()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(said)
	if line, err := out.ReadString('\n'); line != "begun\n" {
		t.Fatalf("the command says %q, %v; want begun", line, err)
	}
	rest := make(chan string)
	go func() {
		line, _ := out.ReadString('\n')
		stdin.Close()
		rest <- line
	}()
	c.End(10 * time.Second)
	if line := <-rest; c.Status() != 4 || !strings.Contains(line, "tidied") {
		t.Errorf("the command ended with %v and said %q; want 4 and tidied", c.Status(), line)
	}
}
