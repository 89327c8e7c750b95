// Cluster tries shelf on a real etcd: three members, three replicas, traffic as in the
// tutorials, and whatever breaks beside it. It takes Linux and Go:
//
//	go -C test/cluster run .             # a minute of it, the control, and the example
//	go -C test/cluster run . -for 30m    # half an hour
//	go -C test/cluster run . -only measure
//
// etcd is built from the Go module proxy. Members and replicas are processes of their
// own with their data in a temporary folder. They are killed with SIGKILL and paused
// with SIGSTOP, and links between them are cut. A checker, porcupine, judges what the
// clients were answered. docs/replicas.md says what that shows.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	if addr := os.Getenv("CLUSTER_FLOOR"); addr != "" {
		fmt.Fprintln(os.Stderr, serveFloor(addr))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := try(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// options are what the flags say.
type options struct {
	long    time.Duration
	seed    int64
	clients int           // of the registers
	pace    time.Duration // between two requests of one
	turn    time.Duration // of one measurement
	items   int           // that a start is measured with
	verbose bool

	dir, etcd, shelf string
	flags            []string
}

func try(ctx context.Context, args []string) (err error) {
	var o options
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.DurationVar(&o.long, "for", time.Minute, "how long the traffic lasts")
	flags.Int64Var(&o.seed, "seed", 0, "the same faults and choices as with this seed; 0 for a new one")
	flags.IntVar(&o.clients, "clients", 8, "clients that read and write one item")
	flags.DurationVar(&o.pace, "pace", 20*time.Millisecond, "how long such a client waits between two requests")
	flags.DurationVar(&o.turn, "turn", 2*time.Second, "how long each measurement takes in each round")
	flags.IntVar(&o.items, "items", 1_000_000, "items that a start is measured with; 0 for no such measurement")
	flags.BoolVar(&o.verbose, "v", false, "show each fault that is made")
	flags.StringVar(&o.etcd, "etcd", "", "an etcd that is built already")
	flags.StringVar(&o.shelf, "shelf", "", "a shelf that is built already")
	extra := flags.String("flags", "", "more flags for the replicas, separated by blanks")
	keep := flags.Bool("keep", false, "keep the folder with all files")
	only := flags.String("only", "torture,secure,control,trouble,example", "what to do: torture, secure, control, trouble, example, cut, measure, file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.flags = strings.Fields(*extra)
	if o.seed == 0 {
		o.seed = 1 + rand.Int64N(1_000_000)
	}
	if o.dir, err = os.MkdirTemp("", "shelf-cluster-"); err != nil {
		return err
	}
	defer func() {
		if *keep || err != nil {
			fmt.Println("the files are in", o.dir)
			return
		}
		os.RemoveAll(o.dir)
	}()
	if err := o.build(); err != nil {
		return err
	}
	steps := map[string]func(context.Context, *options) error{"torture": torture, "control": control, "secure": secure, "trouble": trouble, "example": example, "cut": cut, "measure": measure, "file": file}
	for name := range strings.SplitSeq(*only, ",") {
		step, ok := steps[name]
		if !ok {
			return fmt.Errorf("there is no step %q", name)
		}
		fmt.Printf("\n%s, seed %d\n", name, o.seed)
		mine := o
		mine.dir = filepath.Join(o.dir, name)
		if err := os.Mkdir(mine.dir, 0o700); err != nil {
			return err
		}
		if err := step(ctx, &mine); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// torture is the run that must hold all promises.
func torture(ctx context.Context, o *options) error {
	c, err := startCluster(ctx, o, 3, 3, o.flags...)
	defer c.stop()
	if err != nil {
		return err
	}
	r := newRun(ctx, o, c, c.targets())
	if err := r.traffic(o.long, r.breakMembers, r.breakReplicas); err != nil {
		return err
	}
	r.check()
	return errors.Join(r.report(), c.died())
}

// control is a run without the read barrier, and with a replica that is cut off. The
// checker and the laws must object, or they see nothing.
func control(ctx context.Context, o *options) error {
	c, err := startCluster(ctx, o, 1, 3, append(o.flags, "-max-stale", "1m")...)
	defer c.stop()
	if err != nil {
		return err
	}
	r := newRun(ctx, o, c, c.targets())
	r.quiet = true
	err = r.traffic(6*time.Second, func() {
		for r.rest(rand.New(rand.NewPCG(1, 1)), 200*time.Millisecond, 400*time.Millisecond) {
			f := cutting(c.replicas[0], rand.New(rand.NewPCG(1, 1)))
			f.begin()
			r.rest(rand.New(rand.NewPCG(1, 1)), time.Second/2, time.Second)
			f.end()
		}
	})
	if err != nil {
		return err
	}
	r.hangUp()
	illegal := r.history.judge(o.dir)
	fmt.Printf("the control broke %d promises, and porcupine objected to %d histories\n", len(r.faults), len(illegal))
	if len(illegal) == 0 || !r.faulty() {
		return errors.New("the control was found good, so this program sees nothing")
	}
	return nil
}

// file is the same traffic at one shelf with a file, which is killed and paused.
func file(ctx context.Context, o *options) error {
	c, err := startCluster(ctx, o, 0, 1, o.flags...)
	defer c.stop()
	if err != nil {
		return err
	}
	r := newRun(ctx, o, c, c.targets())
	if err := r.traffic(o.long, r.breakReplicas); err != nil {
		return err
	}
	r.check()
	return errors.Join(r.report(), c.died())
}
