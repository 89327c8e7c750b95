package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A process is a program that is killed, paused and started again, always with the
// same arguments in the same folder.
type process struct {
	name   string // "member 2"
	folder string
	args   []string // the program comes first
	env    []string // beside PATH

	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has gone
	calm  time.Time     // since when nothing was done to it
}

// newProcess gives a process a folder of its own below dir.
func newProcess(dir, name string, args ...string) (*process, error) {
	folder := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
	return &process{name: name, folder: folder, args: args}, os.MkdirAll(folder, 0o700)
}

// start starts the process. Its output goes to the file log in its folder, behind
// what earlier starts have left there.
func (p *process) start() error {
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.folder, log, log
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, p.env...)
	// None is left behind when this program is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait() // the status is in cmd.ProcessState
		close(ended)
	}()
	p.cmd, p.ended, p.calm = cmd, ended, time.Now()
	return nil
}

func (p *process) log() string { return filepath.Join(p.folder, "log") }

// kill ends the process with SIGKILL and waits until it has gone.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Kill() // fails if it has ended already
	<-p.ended
	p.cmd, p.calm = nil, time.Now()
}

// signal is SIGSTOP, SIGCONT, or SIGINT for an orderly stop.
func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		p.cmd.Process.Signal(sig)
		p.calm = time.Now()
	}
}

// died says that the process has ended by itself, and shows the end of its log.
func (p *process) died() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	select {
	case <-p.ended:
		return fmt.Errorf("%s has ended: %v\n%s", p.name, p.cmd.ProcessState, tail(p.log()))
	default:
		return nil
	}
}

// tail is the end of a file.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// ports gives out ports that are free and stay so: they lie below those which the
// system gives to clients, so none is taken while its server is down.
type ports struct{ next int }

func (p *ports) free() (string, error) {
	for p.next < 32000 {
		p.next++
		addr := fmt.Sprintf("127.0.0.1:%d", p.next)
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		return addr, l.Close()
	}
	return "", errors.New("there is no free port below 32000")
}
