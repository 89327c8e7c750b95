package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/golang-jwt/jwt/v5"
)

// A row is an item as clients read it.
type row struct {
	ID          int    `json:"id"`
	Itemname    string `json:"itemname"`
	Category    string `json:"category"`
	Description string `json:"description"`
	CreatedOn   string `json:"createdon"`
	CreatedBy   *int   `json:"createdby"`
}

// hello is the first floor: net/http, and nothing but net/http. It answers
// everything with the same body.
func hello(body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	})
}

// A bare server is the second floor: what one would write in an hour who knows
// Go, wants sign-in by token and durable writes, and stops there. It verifies
// the token with golang-jwt on every request, answers a read from a map of
// rendered rows, and answers a write once its line is synced, by an fsync that
// it shares with all who wait.
type bare struct {
	parser *jwt.Parser
	secret []byte
	file   *os.File

	mu      sync.RWMutex
	rows    map[int][]byte
	lines   bytes.Buffer // that wait for the disk
	waiting *flush       // what those who wrote them wait for
	wake    chan struct{}
}

// A flush is one write and one fsync.
type flush struct {
	done chan struct{}
	err  error // to be read once done is closed
}

// newBare has n items, all with the same body, and appends to the file at path.
func newBare(secret, body []byte, n int, path string) (*bare, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	b := &bare{
		parser: jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired()),
		secret: secret, file: f, rows: map[int][]byte{}, waiting: &flush{done: make(chan struct{})}, wake: make(chan struct{}, 1),
	}
	for id := range n {
		b.rows[id+1] = bytes.Clone(body)
	}
	go b.flush()
	return b, nil
}

func (b *bare) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/items/{id}", b.authorized(b.get))
	mux.HandleFunc("POST /api/v1/items", b.authorized(b.post))
	return mux
}

func (b *bare) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		var claims jwt.RegisteredClaims
		_, err := b.parser.ParseWithClaims(text, &claims, func(*jwt.Token) (any, error) { return b.secret, nil })
		if !ok || err != nil {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		next(w, r)
	}
}

func answer(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

func (b *bare) get(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	b.mu.RLock()
	body, ok := b.rows[id]
	b.mu.RUnlock()
	if !ok {
		http.Error(w, "none", http.StatusNotFound)
		return
	}
	answer(w, http.StatusOK, body)
}

func (b *bare) post(w http.ResponseWriter, r *http.Request) {
	var in row
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in); err != nil {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	in.ID = len(b.rows) + 1
	text, err := json.Marshal(in)
	if err != nil {
		b.mu.Unlock()
		http.Error(w, "no", http.StatusInternalServerError)
		return
	}
	body := fmt.Appendf(nil, `{"status":201,"data":[%s]}`, text)
	b.rows[in.ID] = body
	b.lines.Write(append(text, '\n'))
	mine := b.waiting
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	<-mine.done
	if mine.err != nil {
		http.Error(w, "no", http.StatusServiceUnavailable)
		return
	}
	answer(w, http.StatusCreated, body)
}

// flush writes and syncs the lines that wait, over and over.
func (b *bare) flush() {
	for range b.wake {
		b.mu.Lock()
		lines, mine := bytes.Clone(b.lines.Bytes()), b.waiting
		b.lines.Reset()
		b.waiting = &flush{done: make(chan struct{})}
		b.mu.Unlock()
		if _, mine.err = b.file.Write(lines); mine.err == nil {
			mine.err = b.file.Sync()
		}
		close(mine.done)
	}
}

// serveFloor is the process that serves hello or bare, or "loop": hello that first reads
// the data file of shelf.
func serveFloor(name string) error {
	body := []byte(os.Getenv("BENCH_BODY"))
	handler := hello(body)
	switch name {
	case "loop":
		stored, err := readPlainly(os.Getenv("BENCH_FILE"))
		if err != nil {
			return err
		}
		defer runtime.KeepAlive(stored)
	case "bare":
		n, err := strconv.Atoi(os.Getenv("BENCH_ITEMS"))
		if err != nil {
			return err
		}
		b, err := newBare([]byte(os.Getenv("SECRET_KEY")), body, n, os.Getenv("BENCH_FILE"))
		if err != nil {
			return err
		}
		handler = b.handler()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", l.Addr())
	return http.Serve(l, handler)
}
