package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A rate is what a time of requests has shown.
type rate struct {
	a        float64 // answers a second
	p50, p99 float64 // ms
}

// hammer sends the request to the server at addr over some connections. Each
// sends it again once it has its answer. It speaks HTTP by itself: a client of
// net/http takes more of the processors than the server that is measured.
func hammer(addr, request string, connections int, long time.Duration) (rate, error) {
	addr = strings.TrimPrefix(addr, "http://")
	var (
		mu     sync.Mutex
		took   []float64
		failed error
		all    sync.WaitGroup
	)
	began := time.Now()
	for range connections {
		all.Go(func() {
			mine, err := repeat(addr, request, began.Add(long))
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			if err != nil {
				failed = err
			}
		})
	}
	all.Wait()
	seconds := time.Since(began).Seconds()
	if failed != nil {
		return rate{}, failed
	}
	return rateOf(took, seconds), nil
}

func rateOf(ms []float64, seconds float64) rate {
	if len(ms) == 0 {
		return rate{}
	}
	slices.Sort(ms)
	n := len(ms)
	return rate{a: float64(n) / seconds, p50: ms[n/2], p99: ms[n*99/100]}
}

// repeat sends the request over one connection until the deadline, and returns how
// many ms each answer took.
func repeat(addr, request string, deadline time.Time) (ms []float64, err error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for time.Now().Before(deadline) {
		sent := time.Now()
		conn.SetDeadline(sent.Add(patience))
		if _, err := io.WriteString(conn, request); err != nil {
			return ms, err
		}
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			return ms, err
		}
		if r.StatusCode >= 300 {
			text, _ := io.ReadAll(r.Body)
			return ms, fmt.Errorf("%s: %s", r.Status, text)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return ms, err
		}
		ms = append(ms, time.Since(sent).Seconds()*1e3)
	}
	return ms, nil
}

// getting and posting are requests of an item, as they go over the wire.
func getting(token string, id int) string {
	return fmt.Sprintf("GET /api/v1/items/%d HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", id, token)
}

func posting(token string) string {
	body := itemForm("Item", "A plain description of this item, as long as most are.").Encode()
	return fmt.Sprintf("POST /api/v1/items HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", token, len(body), body)
}

// gateway is a call of etcd's JSON gateway.
func gateway(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}
