package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A program is a server that runs as a process of its own.
type program struct {
	cmd     *exec.Cmd
	url     string
	token   string        // of a user of this server
	signIn  signIn        // of ann
	dialect string        // stands before the kinds of wrk.lua for a server whose requests differ
	start   time.Duration // from exec to the line that says where it listens
}

var urlPattern = regexp.MustCompile(`https?://[^\s"]+`)

// run starts a server and waits for its ready line. env is all of its
// environment.
func run(env []string, name string, args ...string) (*program, error) {
	p := &program{cmd: exec.Command(name, args...)}
	p.cmd.Env = env
	var stderr bytes.Buffer
	p.cmd.Stderr = &stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if p.url = urlPattern.FindString(lines.Text()); p.url != "" {
			p.start = time.Since(began)
			go io.Copy(io.Discard, stdout) // else a server that prints more would wait
			return p, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("%s ended before it was ready: %s", name, &stderr), p.cmd.Wait())
}

// stop asks the server to end, as Ctrl-C does, and waits until it has.
func (p *program) stop() {
	p.cmd.Process.Signal(os.Interrupt)
	p.cmd.Wait() // a floor ends by the signal, which is no fault
}

// cpu is the processor time that the server has taken, in user and in system
// mode. Linux counts it in ticks of 10 ms (proc_pid_stat(5)).
func (p *program) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The second field is a name in parentheses, which may hold blanks; utime
	// and stime are the 14th and the 15th.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// resident is the memory of the server that is in RAM, in bytes.
func (p *program) resident() (float64, error) { return p.memory("VmRSS:") }

// peak is the most that resident has been.
func (p *program) peak() (float64, error) { return p.memory("VmHWM:") }

func (p *program) memory(name string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if kb, ok := strings.CutPrefix(line, name); ok {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(kb), " kB"))
			return float64(n) * 1024, err
		}
	}
	return 0, errors.New("no " + name + " in /proc/PID/status")
}
