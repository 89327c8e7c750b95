package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// A sample is what one run of load has shown.
type sample struct {
	rate     float64 // answers a second
	p50, p99 float64 // ms
	cpu      float64 // µs of the server's processor time per answer
}

//go:embed wrk.lua
var script []byte

// wrk sends requests of a kind, for items up to that number, for whole seconds,
// over 32 connections. Each sends its next request once it has its
// answer. Any answer that is no success is an error.
func (h *harness) wrk(p *program, kind string, items int, long time.Duration) (s sample, err error) {
	file := filepath.Join(h.folder, "wrk.lua")
	if err := os.WriteFile(file, script, 0o600); err != nil {
		return s, err
	}
	before, err := p.cpu()
	if err != nil {
		return s, err
	}
	out, err := exec.Command("wrk", "-t2", "-c32", fmt.Sprintf("-d%ds", int(long.Seconds())), "--latency", "--timeout", "60s",
		"-s", file, p.url, "--", p.dialect+kind, cmp.Or(p.token, "none"), fmt.Sprint(items)).CombinedOutput()
	if err != nil {
		return s, fmt.Errorf("wrk (apt-get install wrk): %w: %s", err, out)
	}
	after, err := p.cpu()
	if err != nil {
		return s, err
	}
	var requests, micros, p50, p99, failed float64
	_, result, _ := bytes.Cut(out, []byte("RESULT "))
	if _, err := fmt.Sscan(string(result), &requests, &micros, &p50, &p99, &failed); err != nil || failed > 0 || requests == 0 {
		return s, fmt.Errorf("wrk %s: %v errors: %s", kind, failed, out)
	}
	return sample{rate: requests / micros * 1e6, p50: p50 / 1e3, p99: p99 / 1e3, cpu: float64((after - before).Microseconds()) / requests}, nil
}

// signIns signs ann in over 8 connections.
func signIns(p *program, stop chan struct{}) (sample, error) {
	return passwords(p, stop, func(client *http.Client) error {
		_, err := send(client, "POST", p.url+p.signIn.path, "", p.signIn.body)
		return err
	})
}

// passwords sends requests that take the hash of a password over 8 connections. Each sends
// the next once it has its answer, until stop is closed.
func passwords(p *program, stop chan struct{}, request func(*http.Client) error) (sample, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	before, err := p.cpu()
	if err != nil {
		return sample{}, err
	}
	s, err := repeat(8, stop, func() error { return request(client) })
	if err != nil {
		return s, err
	}
	after, err := p.cpu()
	s.cpu = float64((after - before).Microseconds()) / s.cpu
	return s, err
}

// A signIn is the request by which ann signs in.
type signIn struct{ path, body string }

// account is who signs in.
const account = `{"email":"ann@example.com","password":"b00k-worm"}`

// bcryptCost is that of shelf's own default.
const bcryptCost = 12

// bcryptAlone compares passwords, and does nothing else, on all processors.
func bcryptAlone(stop chan struct{}) (sample, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte("b00k-worm"), bcryptCost)
	if err != nil {
		return sample{}, err
	}
	before, err := ownCPU()
	if err != nil {
		return sample{}, err
	}
	s, err := repeat(runtime.GOMAXPROCS(0), stop, func() error {
		return bcrypt.CompareHashAndPassword(hash, []byte("b00k-worm"))
	})
	if err != nil {
		return s, err
	}
	after, err := ownCPU()
	s.cpu = float64((after - before).Microseconds()) / s.cpu
	return s, err
}

func ownCPU() (time.Duration, error) {
	var used syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), err
}

// errBusy is a 503: where the machine has other work, not all of those who sign
// in get their turn in time.
var errBusy = errors.New("busy")

// repeat has so many workers do f over and over until stop is closed; an errBusy
// is not counted. What is under way then is waited for. So the rate is of all that were
// done, from the beginning to the end of the last: a server that works on all requests
// at once has none done at first, and then many. Where the sample has its processor time
// it leaves the number of times that f was done.
func repeat(workers int, stop chan struct{}, f func() error) (sample, error) {
	var (
		mu     sync.Mutex
		last   time.Time // when the last was done
		took   []float64 // ms
		failed error
		wg     sync.WaitGroup
	)
	began := time.Now()
	for range workers {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				began := time.Now()
				err := f()
				end := time.Now()
				if errors.Is(err, errBusy) {
					continue
				}
				mu.Lock()
				if err != nil {
					failed = err
					mu.Unlock()
					return
				}
				last, took = end, append(took, end.Sub(began).Seconds()*1e3)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	n := len(took)
	switch {
	case failed != nil:
		return sample{}, failed
	case n == 0:
		return sample{}, errors.New("not done once in that time")
	}
	slices.Sort(took)
	return sample{
		rate: float64(n) / last.Sub(began).Seconds(),
		p50:  took[n/2], p99: took[n*99/100], cpu: float64(n),
	}, nil
}

// send returns the answer to a request, if it is a success. token and body are
// "" for none.
func send(client *http.Client, method, url, token, body string) ([]byte, error) {
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
	case answer.StatusCode == http.StatusServiceUnavailable:
		err = errBusy
	case answer.StatusCode >= 300:
		err = fmt.Errorf("%s %s: %s: %s", method, url, answer.Status, text)
	}
	return text, err
}
