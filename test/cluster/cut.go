package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// cut pauses one replica and cuts another off, until the third has written so much that
// the log was cut past both. Then both go on from the snapshot, with a write that waits
// for it.
func cut(ctx context.Context, o *options) error {
	c, u, err := oneUser(ctx, o, 3, 3, append(o.flags, "-max-owned", "1000000")...)
	defer c.stop()
	if err != nil {
		return err
	}
	var others []*user // the same user at the other replicas
	for _, t := range c.targets()[1:] {
		other := *u
		other.target = t
		if err := answers(other.read(ctx), http.StatusOK); err != nil {
			return err
		}
		others = append(others, &other)
	}
	for i := range 100 { // a snapshot pays only if some lines are out of date
		if err := answers(u.describe(ctx, fmt.Sprint("version ", i)), http.StatusOK); err != nil {
			return err
		}
	}
	c.replicas[1].signal(syscall.SIGSTOP)
	for _, k := range c.replicas[2].links {
		k.cut()
	}
	from, fills, err := u.fillUntilCut(ctx, c)
	if err != nil {
		return err
	}
	text := "after the cut"
	if err := answers(u.describe(ctx, text), http.StatusOK); err != nil {
		return err
	}
	began := time.Now()
	c.replicas[1].signal(syscall.SIGCONT)
	for _, k := range c.replicas[2].links {
		k.mend()
	}
	for _, other := range others {
		if err := want(ctx, http.StatusOK, other.read); err != nil {
			return err
		}
		next := "by " + other.name
		err := errors.Join(other.shows(ctx, text), answers(other.describe(ctx, next), http.StatusOK), u.shows(ctx, next))
		if err != nil {
			return err
		}
		text = next
	}
	fmt.Printf("the log was cut past line %d after %d writes; both replicas went on %.1f s after they were back\n", from, fills, time.Since(began).Seconds())
	return c.died()
}

// fillUntilCut writes until the log is cut past the line that was its last. It returns
// the number of that line, and how many writes it took.
func (u *user) fillUntilCut(ctx context.Context, c *cluster) (from int64, fills int, err error) {
	if from, err = c.number(ctx, "head"); err != nil {
		return 0, 0, err
	}
	for gone := int64(0); gone <= from; fills++ {
		if err := answers(u.fill(ctx), http.StatusCreated); err != nil {
			return 0, 0, err
		}
		if gone, err = c.gone(ctx); err != nil {
			return 0, 0, err
		}
	}
	return from, fills, nil
}

// shows fails unless the user's item has that description.
func (u *user) shows(ctx context.Context, text string) error {
	if it, _ := first[item](u.read(ctx)); it.Description != text {
		return fmt.Errorf("%s shows %q; want %q", u.name, it.Description, text)
	}
	return nil
}

func (u *user) describe(ctx context.Context, text string) answer {
	return u.send(ctx, "PATCH "+u.item+"/description", u.token, url.Values{"description": {text}})
}

// gone is the number of the last line whose entry may be gone.
func (c *cluster) gone(ctx context.Context) (int64, error) {
	text, err := c.key(ctx, "snapshot")
	if err != nil || text == nil {
		return 0, err
	}
	var manifest struct{ Before struct{ Seq int64 } }
	err = json.Unmarshal(text, &manifest)
	return manifest.Before.Seq, err
}

func (c *cluster) number(ctx context.Context, name string) (n int64, err error) {
	text, err := c.key(ctx, name)
	if err == nil {
		err = json.Unmarshal(text, &n)
	}
	return n, err
}

// key reads a key below the prefix at the first member; nil if there is none.
func (c *cluster) key(ctx context.Context, name string) ([]byte, error) {
	in, err := json.Marshal(map[string]string{"key": base64.StdEncoding.EncodeToString([]byte(c.prefix + name))})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.scheme+"://"+c.clients[0]+"/v3/kv/range", bytes.NewReader(in))
	if err != nil {
		return nil, err
	}
	r, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	var out struct{ KVs []struct{ Value []byte } }
	if err := json.NewDecoder(r.Body).Decode(&out); err != nil || r.StatusCode != http.StatusOK {
		return nil, errors.Join(err, errors.New(strings.ToLower(r.Status)))
	}
	if len(out.KVs) == 0 {
		return nil, nil
	}
	return out.KVs[0].Value, nil
}
