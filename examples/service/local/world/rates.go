package world

import (
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Rates is an API of exchange rates that accepts a few keys.
type Rates struct {
	server   http.Server
	listener net.Listener

	mu    sync.Mutex // guards the fields below
	keys  []string   // the newest is the last
	delay time.Duration
}

func newRates() (*Rates, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Rates{listener: l}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /rates/{currency}", r.get)
	r.server.Handler, r.server.ReadHeaderTimeout = mux, 5*time.Second
	go r.server.Serve(l)
	return r, nil
}

func (r *Rates) close() error { return r.server.Close() }

// Addr returns the API's address.
func (r *Rates) Addr() string { return r.listener.Addr().String() }

// SetDelay sets the delay of each response.
func (r *Rates) SetDelay(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay = d
}

// newKey returns a new key that the API accepts beside the others.
func (r *Rates) newKey() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := rand.Text()
	r.keys = append(r.keys, key)
	return key
}

// keepNewest makes the API accept only the newest key.
func (r *Rates) keepNewest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = r.keys[len(r.keys)-1:]
}

func (r *Rates) takes(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.keys, key)
}

func (r *Rates) get(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	delay := r.delay
	r.mu.Unlock()
	time.Sleep(delay)
	key, _ := strings.CutPrefix(q.Header.Get("Authorization"), "Bearer ")
	if !r.takes(key) {
		http.Error(w, "unknown key", http.StatusUnauthorized)
		return
	}
	rate, ok := map[string]float64{"EUR": 0.91, "GBP": 0.78}[q.PathValue("currency")]
	if !ok {
		http.NotFound(w, q)
		return
	}
	json.NewEncoder(w).Encode(map[string]any{"currency": q.PathValue("currency"), "rate": rate})
}
