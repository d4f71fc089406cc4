package rediscred

// MaxNodes is how many addresses a dialer remembers.
const MaxNodes = maxNodes

// Nodes returns how many it does remember.
func Nodes(d *Dialer) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.nodes)
}
