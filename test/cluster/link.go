package main

import (
	"net"
	"sync"
)

// A link carries the connections of one replica to one member. While it is cut, no
// byte passes and no connection is closed, as in a network that loses everything.
// What was sent meanwhile arrives when the link is mended, as TCP would have it.
type link struct {
	addr     string // where the replica connects to
	to       string // the member
	listener net.Listener

	mu   sync.Mutex
	open chan struct{} // closed while bytes pass
}

// newLink listens at addr for connections to the member at to.
func newLink(addr, to string) (*link, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	open := make(chan struct{})
	close(open)
	k := &link{addr: addr, to: to, listener: l, open: open}
	go k.accept()
	return k, nil
}

func (k *link) accept() {
	for {
		near, err := k.listener.Accept()
		if err != nil {
			return // closed
		}
		go k.carry(near)
	}
}

// carry passes on what both sides send, until either closes.
func (k *link) carry(near net.Conn) {
	defer near.Close()
	k.wait()
	far, err := net.Dial("tcp", k.to)
	if err != nil {
		return
	}
	defer far.Close()
	done := make(chan struct{}, 2)
	for _, way := range [2][2]net.Conn{{near, far}, {far, near}} {
		go func() {
			defer func() { done <- struct{}{} }()
			buf := make([]byte, 64<<10)
			for {
				n, err := way[0].Read(buf)
				k.wait()
				if n > 0 {
					if _, err := way[1].Write(buf[:n]); err != nil {
						return
					}
				}
				if err != nil {
					return
				}
			}
		}()
	}
	<-done
}

// wait returns when bytes may pass.
func (k *link) wait() {
	k.mu.Lock()
	open := k.open
	k.mu.Unlock()
	<-open
}

func (k *link) isOpenLocked() bool {
	select {
	case <-k.open:
		return true
	default:
		return false
	}
}

func (k *link) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.isOpenLocked() {
		k.open = make(chan struct{})
	}
}

func (k *link) mend() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.isOpenLocked() {
		close(k.open)
	}
}
