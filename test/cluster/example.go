package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// example starts what examples/replicas/run starts, and kills each member, each
// replica and the balancer in turn under traffic through the balancer. The script
// starts them again.
func example(ctx context.Context, o *options) error {
	const port = 19000
	folder := filepath.Join(o.dir, "example")
	cmd := exec.Command("../../examples/replicas/run", folder)
	cmd.Env = append(os.Environ(), fmt.Sprint("PORT=", port), "ETCD="+o.etcd, "SHELF="+o.shelf,
		"SHELF_FLAGS="+strings.Join(append(o.flags, "-bcrypt-cost 4 -access-ttl 24h -log problems -sign-ups 1000000 -failures 1000000 -max-tokens 100000"), " "))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait() // ended by the signal
	}()
	var targets []*target
	for n := range 3 { // three clients with connections of their own
		targets = append(targets, newTarget(fmt.Sprintf("balancer, way %d", n+1), fmt.Sprintf("http://127.0.0.1:%d", port), nil))
	}
	ready := &process{name: "the example"}
	if err := await(ctx, ready, func() bool { return getJSON(http.DefaultClient, targets[0].url+"/readyz", nil) == nil }); err != nil {
		return err
	}
	r := newRun(ctx, o, nil, targets)
	err := r.traffic(time.Hour, func() { r.killInTurn(folder) })
	if err != nil {
		return err
	}
	r.check()
	for kind, most := range map[string]time.Duration{"read": 3 * time.Second, "write": 10 * time.Second} {
		if gap := r.gaps[kind]; gap > most {
			r.fault("no %s had success for %.1f s; %v is what the documents say", kind, gap.Seconds(), most)
		}
	}
	return r.report()
}

// killInTurn kills one process after the other, and waits until it is back.
func (r *run) killInTurn(folder string) {
	defer close(r.enough)
	for _, kind := range []string{"member", "replica"} {
		for n := range 3 {
			select {
			case <-time.After(2 * time.Second):
			case <-r.faultless:
				return
			}
			name := fmt.Sprintf("%s-%d", kind, n+1)
			r.note(fault{kind: kind + " killed", what: "kill -9 " + name})
			if err := killByFile(filepath.Join(folder, name+".pid")); err != nil {
				r.fault("%v", err)
				return
			}
		}
	}
	time.Sleep(4 * time.Second)
}

// killByFile kills the process whose number is in a file, and waits until the file
// has another number.
func killByFile(path string) error {
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(before)))
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	for range 500 {
		if now, err := os.ReadFile(path); err == nil && len(now) > 0 && string(now) != string(before) {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New(path + ": it is not started again")
}
