package rotatetest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// A proxy forwards connections to a server, or cuts them off. It listens all
// the time: a port that is let go may be somebody else's the next moment.
type proxy struct {
	host string
	port int
	to   string

	mu    sync.Mutex // guards off and conns
	off   bool
	conns map[net.Conn]bool
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	p := &proxy{to: to, conns: make(map[net.Conn]bool)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := l.Addr().(*net.TCPAddr)
	p.host, p.port = a.IP.String(), a.Port
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.forward(c)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		p.down()
	})
	return p
}

// down resets all connections, and new ones.
func (p *proxy) down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = true
	for c := range p.conns {
		reset(c)
	}
	clear(p.conns)
}

// up undoes down.
func (p *proxy) up() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = false
}

// add takes note of connections, unless they are to be cut off.
func (p *proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.off {
			reset(c)
		} else {
			p.conns[c] = true
		}
	}
	return !p.off
}

func (p *proxy) forward(c net.Conn) {
	defer c.Close()
	if !p.add(c) {
		return
	}
	s, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer s.Close()
	if !p.add(s) {
		return
	}
	go func() {
		io.Copy(s, c)
		s.Close()
		c.Close()
	}()
	io.Copy(c, s)
	p.mu.Lock()
	delete(p.conns, c)
	delete(p.conns, s)
	p.mu.Unlock()
}

// reset closes a connection so that the other side has an error of it.
func reset(c net.Conn) {
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}
