package secretstest

import (
	"time"
)

// A Region is one region of a server.
type Region struct {
	srv  *Server
	name string
}

// Region returns a region by its name, such as "us-west-2".
func (s *Server) Region(name string) *Region { return &Region{s, name} }

// Down makes every call to the region fail with HTTP 503 until Up. The region
// keeps its secrets, and replicas in other regions continue to serve.
func (r *Region) Down() { r.set(true) }

// Up ends Down.
func (r *Region) Up() { r.set(false) }

func (r *Region) set(down bool) {
	r.srv.mu.Lock()
	defer r.srv.mu.Unlock()
	r.srv.down[r.name] = down
}

// A replicating says how replication to a region goes.
type replicating struct {
	delay   time.Duration
	failure string
}

// ReplicationTakes sets how long replication to the region takes. Until then
// its status is InProgress and the replica does not exist. The default is no
// time.
func (r *Region) ReplicationTakes(d time.Duration) {
	r.replicates(func(b *replicating) { b.delay = d })
}

// ReplicationFails makes replication to the region fail with a StatusMessage.
// It fails after the time set by ReplicationTakes. An empty message ends the
// failure.
func (r *Region) ReplicationFails(message string) {
	r.replicates(func(b *replicating) { b.failure = message })
}

func (r *Region) replicates(change func(*replicating)) {
	r.srv.mu.Lock()
	defer r.srv.mu.Unlock()
	b := r.srv.replicating[r.name]
	change(&b)
	r.srv.replicating[r.name] = b
}
