//go:build unix

package main

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// A process that has to be ended is asked first.
func TestRunEnd(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", `trap 'echo tidied; exit 4' TERM; echo begun; read line`)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(stdout)
	if line, err := out.ReadString('\n'); line != "begun\n" {
		t.Fatalf("the command says %q, %v; want begun", line, err)
	}
	ended := make(chan struct{})
	var rest []byte
	go func() {
		defer close(ended)
		rest, _ = io.ReadAll(out)
		cmd.Wait() // the status is in cmd.ProcessState
	}()
	endChild(cmd.Process, ended)
	if status := cmd.ProcessState.ExitCode(); status != 4 || !strings.Contains(string(rest), "tidied") {
		t.Errorf("the command ended with %v and said %q; want 4 and tidied", cmd.ProcessState, rest)
	}
}
