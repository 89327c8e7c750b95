package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// trouble is what an operator meets: no quorum, no room, a backup that is restored
// under running replicas.
func trouble(ctx context.Context, o *options) error {
	for _, t := range []struct {
		name string
		try  func(context.Context, *options) error
	}{{"no quorum", noQuorum}, {"no room", noRoom}, {"a restored backup", wentBack}, {"another cluster", otherCluster}} {
		mine := *o
		mine.dir = filepath.Join(o.dir, strings.ReplaceAll(t.name, " ", "-"))
		began := time.Now()
		if err := t.try(ctx, &mine); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		fmt.Printf("%s: as the documents say (%.0f s)\n", t.name, time.Since(began).Seconds())
	}
	return nil
}

// A user is an account with one item, at one replica.
type user struct {
	*target
	token string
	item  string // its path
}

// newUser signs up at the first replica and makes an item.
func newUser(ctx context.Context, c *cluster) (*user, error) {
	u := &user{target: c.targets()[0]}
	a := u.target.send(ctx, "POST /api/v1/auth/signup", "", account("ann@example.com"))
	in, ok := first[session](a)
	if !ok {
		return nil, fmt.Errorf("%v", a)
	}
	u.token = in.Access
	a = u.target.send(ctx, "POST /api/v1/items", u.token, itemForm("ball", "something to kick"))
	it, ok := first[item](a)
	if !ok {
		return nil, fmt.Errorf("%v", a)
	}
	u.item = fmt.Sprintf("/api/v1/items/%d", it.ID)
	return u, nil
}

// oneUser starts a cluster with one user. The caller stops the cluster, also after an
// error.
func oneUser(ctx context.Context, o *options, members, replicas int, flags ...string) (*cluster, *user, error) {
	c, err := startCluster(ctx, o, members, replicas, flags...)
	if err != nil {
		return c, nil, err
	}
	u, err := newUser(ctx, c)
	return c, u, err
}

func (u *user) read(ctx context.Context) answer { return u.send(ctx, "GET "+u.item, u.token, nil) }

func (u *user) write(ctx context.Context) answer {
	return u.send(ctx, "PATCH "+u.item+"/category", u.token, url.Values{"category": {"toys"}})
}

// answers fails unless an answer has the status.
func answers(a answer, status int) error {
	if a.status != status {
		return fmt.Errorf("%v; want %d", a, status)
	}
	return nil
}

// want waits until an answer has the status.
func want(ctx context.Context, status int, ask func(context.Context) answer) error {
	var a answer
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if a = ask(ctx); a.status == status {
			return nil
		}
	}
	return answers(a, status)
}

// noQuorum kills two of three members. Reads and writes are denied in time, and work
// again when the members are back.
func noQuorum(ctx context.Context, o *options) error {
	c, u, err := oneUser(ctx, o, 3, 1, o.flags...)
	defer c.stop()
	if err != nil {
		return err
	}
	c.members[0].kill()
	c.members[1].kill()
	for _, request := range []struct {
		name string
		ask  func(context.Context) answer
		most time.Duration
	}{{"read", u.read, 3 * time.Second}, {"write", u.write, 10 * time.Second}} {
		began := time.Now()
		a := request.ask(ctx)
		took := time.Since(began)
		fmt.Printf("without a quorum a %s is answered %d after %.1f s: %.200s\n", request.name, a.status, took.Seconds(), a.body)
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || took > request.most+2*time.Second {
			return fmt.Errorf("%v after %v, Retry-After %q", a, took, a.header.Get("Retry-After"))
		}
	}
	for path, status := range map[string]int{"GET /readyz": http.StatusServiceUnavailable, "GET /healthz": http.StatusOK} {
		if err := answers(u.send(ctx, path, "", nil), status); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := errors.Join(c.members[0].start(), c.members[1].start(), want(ctx, http.StatusOK, u.write)); err != nil {
		return err
	}
	fmt.Printf("a write works %.1f s after the members were started\n", time.Since(began).Seconds())
	return errors.Join(want(ctx, http.StatusOK, u.read), c.died())
}

// noRoom fills etcd up to its quota. Writes are denied with 507, reads go on, and writes
// work again when there is room.
func noRoom(ctx context.Context, o *options) error {
	c := newCluster(o, o.flags...)
	defer c.stop()
	if err := c.startMembers(1, "--quota-backend-bytes", "12000000"); err != nil {
		return err
	}
	if err := errors.Join(c.awaitMembers(ctx), c.startReplicas(ctx, 1)); err != nil {
		return err
	}
	u, err := newUser(ctx, c)
	if err != nil {
		return err
	}
	full := answer{}
	for range 200 {
		if full = u.fill(ctx); full.status != http.StatusCreated {
			break
		}
	}
	if full.status != http.StatusInsufficientStorage || !strings.Contains(string(full.body), "The store is full") {
		return fmt.Errorf("%v; want 507 and that the store is full", full)
	}
	fmt.Printf("without room: %s\n", full.body)
	if err := want(ctx, http.StatusOK, u.read); err != nil {
		return err
	}
	m := c.members[0]
	m.kill()
	for i, arg := range m.args {
		if arg == "12000000" {
			m.args[i] = "1000000000"
		}
	}
	if err := errors.Join(m.start(), c.awaitMembers(ctx)); err != nil {
		return err
	}
	if err := c.disarm(); err != nil {
		return err
	}
	return errors.Join(want(ctx, http.StatusOK, u.write), want(ctx, http.StatusOK, u.read), c.died())
}

// disarm does what etcdctl alarm disarm does.
func (c *cluster) disarm() error {
	alarm := func(body string) (alarms struct {
		Alarms []struct {
			MemberID string `json:"memberID"`
			Alarm    string `json:"alarm"`
		}
	}, err error) {
		r, err := c.client.Post(c.scheme+"://"+c.clients[0]+"/v3/maintenance/alarm", "application/json", strings.NewReader(body))
		if err != nil {
			return alarms, err
		}
		defer r.Body.Close()
		return alarms, json.NewDecoder(r.Body).Decode(&alarms)
	}
	found, err := alarm(`{"action":"GET"}`)
	if err != nil {
		return err
	}
	for _, a := range found.Alarms {
		if _, err := alarm(fmt.Sprintf(`{"action":"DEACTIVATE","memberID":%q,"alarm":%q}`, a.MemberID, a.Alarm)); err != nil {
			return err
		}
	}
	return nil
}

// fill adds many items with text that can't be made smaller.
func (u *user) fill(ctx context.Context) answer {
	var items []map[string]string
	for range 500 {
		text := rand.Text() + rand.Text() + rand.Text() + rand.Text() + rand.Text() + rand.Text() + rand.Text() + rand.Text()
		items = append(items, map[string]string{"itemname": "filler", "category": "filler", "description": text})
	}
	body, _ := json.Marshal(items) // texts only
	return u.sendBody(ctx, "POST /api/v1/items", u.token, string(body), "Content-Type", "application/json")
}

// wentBack puts an old copy of etcd's data under a running replica. The replica has
// read what the copy lacks, so it must not go on.
func wentBack(ctx context.Context, o *options) error {
	return replaceData(ctx, o, func(m *process) error {
		return os.CopyFS(filepath.Join(m.folder, "data"), os.DirFS(filepath.Join(m.folder, "copy")))
	})
}

// otherCluster puts an empty etcd in the place of the one that a replica knows.
func otherCluster(ctx context.Context, o *options) error {
	return replaceData(ctx, o, func(m *process) error {
		m.args = append(m.args, "--initial-cluster-token", "another")
		return nil
	})
}

func replaceData(ctx context.Context, o *options, replace func(*process) error) error {
	c, u, err := oneUser(ctx, o, 1, 1, o.flags...)
	defer c.stop()
	if err != nil {
		return err
	}
	m, p := c.members[0], c.replicas[0]
	data := filepath.Join(m.folder, "data")
	m.kill()
	if err := errors.Join(os.CopyFS(filepath.Join(m.folder, "copy"), os.DirFS(data)), m.start(), c.awaitMembers(ctx)); err != nil {
		return err
	}
	for range 3 {
		if err := want(ctx, http.StatusOK, u.write); err != nil {
			return err
		}
		if a := u.send(ctx, "POST /api/v1/items", u.token, itemForm("later", "later")); a.status != http.StatusCreated {
			return fmt.Errorf("%v", a)
		}
	}
	m.kill()
	if err := errors.Join(os.RemoveAll(data), replace(m), m.start(), c.awaitMembers(ctx)); err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); p.died() == nil; time.Sleep(50 * time.Millisecond) {
		if a := u.read(ctx); a.status == http.StatusOK && time.Now().After(deadline) {
			return fmt.Errorf("the replica goes on: %v", a)
		}
		if time.Now().After(deadline) {
			break
		}
	}
	said := strings.Split(strings.TrimSpace(tail(p.log())), "\n")
	fmt.Printf("the replica says: %s\n", said[len(said)-1])
	if a := u.write(ctx); a.status >= 200 && a.status < 300 {
		return fmt.Errorf("the replica writes: %v", a)
	}
	return nil
}
