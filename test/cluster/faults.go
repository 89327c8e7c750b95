package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"
)

// A fault is something that breaks, and how it is mended.
type fault struct {
	kind  string
	what  string
	begin func()
	end   func()
}

// breakMembers breaks one member after the other, and now and then two at once: then
// there is no quorum. It ends with all of them well.
func (r *run) breakMembers() {
	dice := rand.New(rand.NewPCG(uint64(r.o.seed), 1<<32))
	for r.rest(dice, time.Second, 3*time.Second) {
		a := r.cluster.members[dice.IntN(len(r.cluster.members))]
		b := r.cluster.members[dice.IntN(len(r.cluster.members))]
		var f fault
		switch n := dice.IntN(10); {
		case n < 4:
			f = r.killing(a)
		case n < 9:
			f = pausing(a)
		case a == b:
			continue
		default:
			f = both("no quorum", r.killing(a), r.killing(b))
		}
		r.suffer(dice, f)
	}
}

// breakReplicas breaks replicas, and their links to members.
func (r *run) breakReplicas() {
	dice := rand.New(rand.NewPCG(uint64(r.o.seed), 1<<33))
	for r.rest(dice, time.Second/2, 2*time.Second) {
		p := r.cluster.replicas[dice.IntN(len(r.cluster.replicas))]
		var f fault
		switch n := dice.IntN(20); {
		case n < 6:
			f = r.killing(p.process)
		case n < 12:
			f = pausing(p.process)
		case n < 19 && len(p.links) > 0:
			f = cutting(p, dice)
		default:
			f = both("all replicas killed", r.killingAll()...)
		}
		r.suffer(dice, f)
	}
}

// rest waits between two times. It returns false when the run is over.
func (r *run) rest(dice *rand.Rand, least, most time.Duration) bool {
	select {
	case <-time.After(least + time.Duration(dice.Int64N(int64(most-least)))):
		return true
	case <-r.faultless:
		return false
	}
}

// suffer lets a fault last for a while.
func (r *run) suffer(dice *rand.Rand, f fault) {
	r.note(f)
	f.begin()
	r.rest(dice, time.Second/4, 4*time.Second)
	f.end()
}

// killing kills p, and starts it again.
func (r *run) killing(p *process) fault {
	kind, _, _ := strings.Cut(p.name, " ")
	return fault{kind + " killed", "kill -9 " + p.name, p.kill, func() {
		if err := p.start(); err != nil {
			r.fault("%v", err)
		}
	}}
}

func (r *run) killingAll() (all []fault) {
	for _, p := range r.cluster.replicas {
		all = append(all, r.killing(p.process))
	}
	return all
}

// pausing stops p as a machine does that is put to sleep, and lets it go on.
func pausing(p *process) fault {
	kind, _, _ := strings.Cut(p.name, " ")
	return fault{kind + " paused", "pause " + p.name,
		func() { p.signal(syscall.SIGSTOP) },
		func() { p.signal(syscall.SIGCONT) }}
}

// cutting cuts a replica from some members, at least from one.
func cutting(p *replica, dice *rand.Rand) fault {
	mask := 1 + dice.IntN(1<<len(p.links)-1)
	each := func(do func(*link)) func() {
		return func() {
			for i, k := range p.links {
				if mask>>i&1 == 1 {
					do(k)
				}
			}
			p.signal(0)
		}
	}
	return fault{"replica cut off", fmt.Sprintf("cut %s from members %0*b", p.name, len(p.links), mask), each((*link).cut), each((*link).mend)}
}

func both(kind string, all ...fault) fault {
	f := fault{kind: kind, what: kind}
	f.begin = func() {
		for _, one := range all {
			one.begin()
		}
	}
	f.end = func() {
		for _, one := range all {
			one.end()
		}
	}
	return f
}
