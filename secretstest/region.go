package secretstest

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
