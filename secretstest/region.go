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

// Down makes every call to the region fail with HTTP 503 until Up. What is
// stored there stays; replicas in other regions go on serving.
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

// ReplicationTakes makes replication to the region take so long: meanwhile its
// status is InProgress, and the replica is not there. By default it takes no
// time.
func (r *Region) ReplicationTakes(d time.Duration) {
	r.replicates(func(b *replicating) { b.delay = d })
}

// ReplicationFails makes replication to the region fail with a StatusMessage,
// once the time that it takes has passed. An empty message ends that.
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
