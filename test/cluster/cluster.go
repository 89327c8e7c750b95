package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// A cluster is some members of etcd and some replicas of shelf on them. Each replica
// reaches each member through a link of its own.
type cluster struct {
	dir, etcd, shelf string   // a folder for all files; the two programs
	flags, env       []string // of the replicas, beside those that all have
	scheme           string   // of the members: http or https
	prefix           string   // of the keys
	ca               string   // who signed the certificates of the members; "" with http
	client           *http.Client
	ports            ports

	members  []*process
	clients  []string // where the members serve clients
	replicas []*replica
}

// A replica is a shelf.
type replica struct {
	*process
	url   string
	links []*link // one for each member
}

func newCluster(o *options, flags ...string) *cluster {
	return &cluster{
		dir: o.dir, etcd: o.etcd, shelf: o.shelf, flags: flags, scheme: "http", prefix: "/shelf/",
		client: &http.Client{Timeout: 5 * time.Second}, ports: ports{20000 + int(o.seed%50)*200},
	}
}

// startCluster starts members and then replicas, and waits until they are ready.
func startCluster(ctx context.Context, o *options, members, replicas int, flags ...string) (*cluster, error) {
	c := newCluster(o, flags...)
	if err := c.startMembers(members); err != nil {
		return c, err
	}
	if err := c.awaitMembers(ctx); err != nil {
		return c, err
	}
	return c, c.startReplicas(ctx, replicas)
}

func (c *cluster) startReplicas(ctx context.Context, n int) error {
	for i := range n {
		r, err := c.newReplica(fmt.Sprintf("replica %d", i+1))
		if err != nil {
			return err
		}
		c.replicas = append(c.replicas, r)
		if err := r.start(); err != nil {
			return err
		}
	}
	return c.awaitReplicas(ctx)
}

// startMembers starts an etcd cluster with etcd's own defaults, but for names,
// addresses and folders.
func (c *cluster) startMembers(n int, flags ...string) error {
	var peers, all []string
	for i := range n {
		client, err := c.ports.free()
		if err != nil {
			return err
		}
		peer, err := c.ports.free()
		if err != nil {
			return err
		}
		c.clients, peers = append(c.clients, client), append(peers, peer)
		all = append(all, fmt.Sprintf("m%d=http://%s", i+1, peer))
	}
	for i := range n {
		client, peer := c.scheme+"://"+c.clients[i], "http://"+peers[i]
		args := []string{c.etcd,
			"--name", fmt.Sprintf("m%d", i+1), "--data-dir", "data", "--log-level", "warn",
			"--listen-client-urls", client, "--advertise-client-urls", client,
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
			"--initial-cluster", strings.Join(all, ","), "--initial-cluster-state", "new"}
		p, err := newProcess(c.dir, fmt.Sprintf("member %d", i+1), append(args, flags...)...)
		if err != nil {
			return err
		}
		c.members = append(c.members, p)
		if err := p.start(); err != nil {
			return err
		}
	}
	return nil
}

// newReplica makes a replica with links to all members. Without members it makes a
// shelf with a file.
func (c *cluster) newReplica(name string) (*replica, error) {
	addr, err := c.ports.free()
	if err != nil {
		return nil, err
	}
	r := &replica{url: "http://" + addr}
	var links []string
	for _, member := range c.clients {
		port, err := c.ports.free()
		if err != nil {
			return nil, err
		}
		k, err := newLink(port, member)
		if err != nil {
			return nil, err
		}
		r.links, links = append(r.links, k), append(links, port)
	}
	data := "shelf.jsonl"
	if len(links) > 0 {
		data = c.address(links...)
	}
	// One machine makes here what many clients make elsewhere.
	args := []string{c.shelf, "-addr", addr, "-data", data, "-bcrypt-cost", "4", "-access-ttl", "24h", "-log", "problems",
		"-sign-ups", "1000000", "-failures", "1000000", "-max-tokens", "100000"}
	if r.process, err = newProcess(c.dir, name, append(args, c.flags...)...); err != nil {
		return nil, err
	}
	r.env = c.env
	return r, nil
}

// address is what -data says, for members at some addresses.
func (c *cluster) address(members ...string) string {
	scheme := "etcd"
	if c.ca != "" {
		scheme = "etcds"
	}
	return scheme + "://" + strings.Join(members, ",") + c.prefix
}

// awaitMembers waits until every member says that it is well.
func (c *cluster) awaitMembers(ctx context.Context) error {
	for i, p := range c.members {
		err := await(ctx, p, func() bool {
			var health struct{ Health string }
			return getJSON(c.client, c.scheme+"://"+c.clients[i]+"/health?exclude=NOSPACE", &health) == nil && health.Health == "true"
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitReplicas waits until every replica says that clients should come.
func (c *cluster) awaitReplicas(ctx context.Context) error {
	for _, r := range c.replicas {
		if err := r.await(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *replica) await(ctx context.Context) error {
	return await(ctx, r.process, func() bool { return getJSON(http.DefaultClient, r.url+"/readyz", nil) == nil })
}

// await asks until ok says true. It gives up after a minute, or when the process has
// ended.
func await(ctx context.Context, p *process, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !ok() {
		if err := p.died(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", p.name, ctx.Err(), tail(p.log()))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// getJSON reads an answer of 200 into v, if v is not nil.
func getJSON(client *http.Client, url string, v any) error {
	r, err := client.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, r.Status)
	}
	if v == nil {
		return nil
	}
	return json.NewDecoder(r.Body).Decode(v)
}

// leader is the member that leads, by its index; -1 for none.
func (c *cluster) leader() int {
	for i, addr := range c.clients {
		var status struct {
			Header struct {
				MemberID string `json:"member_id"`
			}
			Leader string
		}
		r, err := c.client.Post(c.scheme+"://"+addr+"/v3/maintenance/status", "application/json", strings.NewReader("{}"))
		if err != nil {
			continue
		}
		err = json.NewDecoder(r.Body).Decode(&status)
		r.Body.Close()
		if err == nil && status.Leader != "" && status.Leader == status.Header.MemberID {
			return i
		}
	}
	return -1
}

// stop ends everything.
func (c *cluster) stop() {
	for _, r := range c.replicas {
		r.signal(syscall.SIGCONT)
		r.kill()
		for _, k := range r.links {
			k.mend()
			k.listener.Close()
		}
	}
	for _, m := range c.members {
		m.kill()
	}
}

// died says which process has ended by itself.
func (c *cluster) died() error {
	var errs []error
	for _, m := range c.members {
		errs = append(errs, m.died())
	}
	for _, r := range c.replicas {
		errs = append(errs, r.died())
	}
	return errors.Join(errs...)
}

// export is what shelf export reads from the members at addrs, but for the time.
func (c *cluster) export(addrs ...string) ([]byte, error) {
	cmd := exec.Command(c.shelf, "export", c.address(addrs...), "-secrets")
	cmd.Dir = c.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "SHELF_ETCD_CA=" + c.ca}, c.env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("shelf export: %w: %s", err, &stderr)
	}
	return exported.ReplaceAll(text, nil), nil
}

// exported is when an export was made.
var exported = regexp.MustCompile(`"exported":"[^"]*",`)

// build builds the two programs that the flags do not name. etcd comes from the Go
// module proxy; the build cache keeps it.
func (o *options) build() error {
	if o.etcd == "" {
		began := time.Now()
		path, err := exec.Command("go", "tool", "-n", "go.etcd.io/etcd/server/v3").Output()
		if err != nil {
			return fmt.Errorf("building etcd: %w", withStderr(err))
		}
		o.etcd = strings.TrimSpace(string(path))
		fmt.Printf("etcd is built in %.0f s\n", time.Since(began).Seconds())
	}
	if o.shelf == "" {
		o.shelf = filepath.Join(o.dir, "shelf")
		if out, err := exec.Command("go", "-C", "../..", "build", "-buildvcs=false", "-o", o.shelf, ".").CombinedOutput(); err != nil {
			return fmt.Errorf("building shelf: %w: %s", err, out)
		}
	}
	return nil
}

func withStderr(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return err
}
