package etcd_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/shelf/internal/etcd"
	"example.com/shelf/internal/etcd/etcdtest"
	"example.com/shelf/internal/history"
)

// A cluster that can't be used is refused in one line that says what to do.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	notFound := etcdtest.Fault{Status: 404, Raw: true, Text: "404 page not found"}
	denied := etcdtest.Fault{Status: 403, Code: 7, Text: "etcdserver: permission denied"}
	for _, tt := range []struct {
		name string
		hurt func(*etcdtest.Gateway)
		any  bool // -etcd-any-version
		want string
	}{
		{name: "a good cluster"},
		{name: "3.4", hurt: version("3.4.23"), any: true, want: "m0:2379: etcd 3.4.23 is too old"},
		{name: "3.5", hurt: version("3.5.33"), want: "known faults"},
		{name: "3.5, accepted", hurt: version("3.5.33"), any: true},
		{name: "3.6.13", hurt: version("3.6.13"), want: "known faults: want 3.6.14, 3.7.1 or newer (or accept them with -etcd-any-version)"},
		{name: "3.7.0", hurt: version("3.7.0"), want: "known faults"},
		{name: "3.7.0-rc.1", hurt: version("3.7.0-rc.1"), want: "known faults"},
		{name: "3.7.1", hurt: version("3.7.1")},
		{name: "4.0.0", hurt: version("4.0.0")},
		{name: "no version", hurt: version("x"), want: `its version is "x"`},
		{name: "one member is down", hurt: each("", func(c etcdtest.Call) etcdtest.Fault { return etcdtest.Fault{Down: c.Member == 0} })},
		{name: "all members are down", hurt: each("", func(etcdtest.Call) etcdtest.Fault { return etcdtest.Fault{Down: true} }), want: "m0:2379: dial: connection refused; m1:2379: dial: connection refused; m2:2379: dial: connection refused: start etcd, or check -data"},
		{name: "another program", hurt: each("", func(etcdtest.Call) etcdtest.Fault { return notFound }), want: "does not answer as etcd does"},
		{name: "the gateway is off", hurt: each("/v3/", func(etcdtest.Call) etcdtest.Fault { return notFound }), want: "--enable-grpc-gateway=true"},
		{name: "a certificate with a common name", hurt: each("/v3/", func(etcdtest.Call) etcdtest.Fault {
			return etcdtest.Fault{Status: 400, Raw: true, Text: "CommonName of client sending a request against gateway will be ignored and not used as expected\n"}
		}), want: "m0:2379: the certificate has a common name"},
		{name: "no leader", hurt: each("/v3/kv/txn", func(etcdtest.Call) etcdtest.Fault {
			return etcdtest.Fault{Status: 503, Code: 14, Text: "etcdserver: no leader"}
		}), want: "etcdserver: no leader: start etcd"},
		{name: "two clusters", hurt: each("/v3/kv/range", func(c etcdtest.Call) (f etcdtest.Fault) {
			if c.Member == 2 {
				f = etcdtest.Fault{Status: 200, Raw: true, Text: `{"header":{"cluster_id":"7","revision":"1"}}`}
			}
			return f
		}), want: "name members of one cluster"},
		{name: "no user", hurt: each("/v3/kv/", func(etcdtest.Call) etcdtest.Fault { return denied }), want: "set SHELF_ETCD_USER and SHELF_ETCD_PASSWORD"},
		{name: "no right to the prefix", hurt: func(g *etcdtest.Gateway) {
			g.User, g.Password = "shelf", "secret"
			each("/v3/kv/", func(etcdtest.Call) etcdtest.Fault { return denied })(g)
		}, want: "etcd denies the user shelf the keys of shelf (m0:2379 answers 403: etcdserver: permission denied): grant a role"},
		{name: "a prefix of something else", hurt: func(g *etcdtest.Gateway) { g.Put("/shelf/registry", "x") }, want: "keys that are not shelf's"},
		{name: "a format of something else", hurt: func(g *etcdtest.Gateway) { g.Put("/shelf/format", `{"format":"else","version":1}`) }, want: "keys that are not shelf's"},
		{name: "a neighbour with a longer name", hurt: func(g *etcdtest.Gateway) { g.Put("/shelf2/x", "x") }},
		{name: "a newer layout", hurt: func(g *etcdtest.Gateway) { g.Put("/shelf/format", `{"format":"shelf","version":9,"reads":1}`) }, want: "newer shelf"},
		{name: "newer lines", hurt: func(g *etcdtest.Gateway) { g.Put("/shelf/format", `{"format":"shelf","version":1,"reads":9}`) }, want: "newer shelf"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := etcdtest.New(3)
				if tt.hurt != nil {
					tt.hurt(g)
				}
				a, err := etcd.ParseAddress(g.Address())
				if err != nil {
					t.Fatal(err)
				}
				l, err := etcd.Open(t.Context(), a, etcd.Options{Create: true, AnyVersion: tt.any, Access: etcd.Access{Transport: g, User: g.User, Password: g.Password}})
				if err == nil {
					l.Close()
				}
				if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n")) {
					t.Errorf("%v; want %q", err, tt.want)
				}
			})
		})
	}
}

func version(text string) func(*etcdtest.Gateway) {
	return func(g *etcdtest.Gateway) { g.Version = text }
}

// each makes fault decide about the calls whose path begins with prefix.
func each(prefix string, fault func(etcdtest.Call) etcdtest.Fault) func(*etcdtest.Gateway) {
	return func(g *etcdtest.Gateway) {
		g.Fail(func(c etcdtest.Call) (f etcdtest.Fault) {
			if strings.HasPrefix(c.Path, prefix) {
				f = fault(c)
			}
			return f
		})
	}
}

// A command that only reads creates nothing.
func TestOpenNothing(t *testing.T) {
	t.Parallel()
	g := etcdtest.New(1)
	a, err := etcd.ParseAddress(g.Address())
	if err != nil {
		t.Fatal(err)
	}
	_, err = etcd.Open(t.Context(), a, etcd.Options{Access: etcd.Access{Transport: g}})
	if !errors.Is(err, etcd.ErrNothing) || len(g.Keys("")) > 0 {
		t.Errorf("%v; keys: %v", err, g.Keys(""))
	}
}

// Need raises what a reader has to know, once for all replicas.
func TestNeed(t *testing.T) {
	t.Parallel()
	g := etcdtest.New(1)
	a, b := connect(t, g), connect(t, g)
	before := g.Get("/shelf/format")
	for _, l := range []*etcd.Log{a, b, a} {
		for _, version := range []int{1, 2} {
			if err := l.Need(version); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, want := g.Get("/shelf/format"), strings.Replace(before, `"reads":1`, `"reads":2`, 1); got != want {
		t.Errorf("the format is %s; want %s", got, want)
	}
}

// The replicas share the keys that one of them made first.
func TestKeys(t *testing.T) {
	t.Parallel()
	g := etcdtest.New(3)
	a, b := connect(t, g), connect(t, g)
	if text, revision, err := a.Keys(t.Context()); len(text) > 0 || revision != 0 || err != nil {
		t.Errorf("a new cluster has keys: %s, %d, %v", text, revision, err)
	}
	for _, l := range []*etcd.Log{a, b} {
		made := "of a"
		if l == b {
			made = "of b"
		}
		if text, err := l.CreateKeys(t.Context(), []byte(made)); string(text) != "of a" || err != nil {
			t.Errorf("%s: %s, %v", made, text, err)
		}
	}
	_, revision, err := b.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.ReplaceKeys(t.Context(), []byte("new"), revision); err != nil {
		t.Error(err)
	}
	if err := a.ReplaceKeys(t.Context(), []byte("other"), revision); !errors.Is(err, etcd.ErrKeysChanged) {
		t.Errorf("keys that have changed meanwhile: %v", err)
	}
	if text, _, err := a.Keys(t.Context()); string(text) != "new" || err != nil {
		t.Errorf("a finds %s, %v", text, err)
	}
}

// The real transport works over a network.
func TestNetwork(t *testing.T) {
	t.Parallel()
	g := etcdtest.New(3)
	a, err := etcd.ParseAddress(g.Serve(t))
	if err != nil {
		t.Fatal(err)
	}
	l, err := etcd.Open(t.Context(), a, etcd.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got, end := follow(t, l, 0)
	lost := 0
	g.Fail(func(c etcdtest.Call) (f etcdtest.Fault) {
		if c.Writes() && lost < 3 {
			lost++
			f.Lose = true
		}
		return f
	})
	err = l.Append(t.Context(), 0, "a", noon, bodies("a", 1))
	if late, ok := errors.AsType[*history.Overtaken](err); !ok || words(late.Batches) != "1 a" {
		t.Error(err)
	}
	g.Fail(nil)
	appendAll(t, l, 1, "b")
	for _, want := range []string{"1 a", "2 b"} {
		if b := <-got; b != want {
			t.Errorf("%s; want %s", b, want)
		}
	}
	end()
}

var _ http.RoundTripper = (*etcdtest.Gateway)(nil)
