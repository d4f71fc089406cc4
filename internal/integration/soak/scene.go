package main

import (
	"context"
	"database/sql/driver"
	mrand "math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
)

// scene is what surrounds the rotations.
type scene struct {
	name string

	// isolated says that a rotation is forgotten before the next one begins,
	// and that logins come at an even rate: then nothing but the refusal tells
	// the client that a rotation is under way.
	isolated bool

	// delay is how long the network takes, each way.
	delay time.Duration
}

var scenes = []scene{
	{name: "busy"},
	{name: "isolated", isolated: true},
	{name: "isolated-far", isolated: true, delay: 10 * time.Millisecond},
}

const (
	isolatedGap  = 2500 * time.Millisecond
	isolatedRate = 120 // connects a second

	// farRate is what four logins at a time can do at twice the time.
	farRate = 20
)

// rate is how many connects there are a second.
func (s *scene) rate() time.Duration {
	if s.delay > 0 {
		return farRate
	}
	return isolatedRate
}

// suffix is what the title says of the scene.
func (s *scene) suffix() string {
	switch {
	case s.delay > 0:
		return " isolated through " + (2 * s.delay).String()
	case s.isolated:
		return " isolated"
	}
	return ""
}

// evenMost is how many queries of an even load may be under way: on a machine
// that cannot keep up with the rate they would pile up until they fail.
const evenMost = 100

// startEvenLoad is like startLoad, with a query on a connection of its own at
// an even rate, or as fast as the machine can.
func startEvenLoad(ctx context.Context, connector driver.Connector, rate time.Duration) (*load, error) {
	l, err := newLoad(ctx, connector, 0)
	if err != nil {
		return nil, err
	}
	ctx, l.stop = context.WithCancel(ctx)
	places := make(chan struct{}, evenMost)
	l.wait.Go(func() {
		for ctx.Err() == nil {
			places <- struct{}{}
			l.wait.Go(func() {
				defer func() { <-places }()
				l.query()
			})
			_ = sleep(ctx, mrand.N(2*time.Second/rate))
		}
	})
	return l, nil
}

// A network forwards connections to a server and takes a time for all that is
// sent, each way.
type network struct {
	net.Listener
	to    string
	delay time.Duration
}

// farFrom returns s as it is seen through a network.
func farFrom(s *dbserver.Server, delay time.Duration) (*dbserver.Server, *network, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	n := &network{l, s.Addr(), delay}
	go n.serve()
	at := l.Addr().(*net.TCPAddr)
	return &dbserver.Server{Engine: s.Engine, Host: at.IP.String(), Port: at.Port, Database: s.Database}, n, nil
}

func (n *network) serve() {
	for {
		client, err := n.Accept()
		if err != nil {
			return
		}
		go n.forward(client)
	}
}

func (n *network) forward(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp4", n.to)
	if err != nil {
		return
	}
	defer server.Close()
	var wg sync.WaitGroup
	wg.Go(func() { n.carry(server, client) })
	wg.Go(func() { n.carry(client, server) })
	wg.Wait()
}

// carry forwards what one side sends, late. When that side ends, so does the
// other one.
func (n *network) carry(to, from net.Conn) {
	type parcel struct {
		data []byte
		due  time.Time
	}
	way := make(chan parcel, 1024)
	go func() {
		defer close(way)
		for {
			data := make([]byte, 4096)
			got, err := from.Read(data)
			if got > 0 {
				way <- parcel{data[:got], time.Now().Add(n.delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range way {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			from.Close()
			for range way { // lets the reader end
				continue
			}
			return
		}
	}
	to.Close()
}
