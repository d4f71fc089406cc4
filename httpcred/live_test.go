package httpcred_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/httpcred"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// Eight clients ask a server over loopback while its key rotates again and
// again, each time with a window in which only the pending version is taken: no
// request fails, and no request is sent twice with one version.
func TestLiveRotation(t *testing.T) {
	const rotations, workers = 20, 8
	srv := secretstest.New(t, secretstest.Secrets{id: "key-0"})
	client, err := secrets.New(srv.Client(), &secrets.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var valid atomic.Pointer[string]
	valid.Store(new("key-0"))
	var rejected atomic.Int64
	var mu sync.Mutex
	seen := map[string]int{} // by request and key
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		mu.Lock()
		seen[r.Header.Get("X-Request")+" "+key]++
		mu.Unlock()
		if key != *valid.Load() {
			rejected.Add(1)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.Copy(w, r.Body)
	}))
	defer server.Close()
	api := &http.Client{Transport: httpcred.New(secrets.Bind[string](client, id), httpcred.Bearer, &httpcred.Options{Base: server.Client().Transport})}

	stop := make(chan struct{})
	var requests, failed atomic.Int64
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				body := fmt.Sprint("body ", w, i)
				r, _ := http.NewRequest("PUT", server.URL, strings.NewReader(body))
				r.Header.Set("X-Request", body)
				if got := call(api, r); got != body {
					failed.Add(1)
				}
				requests.Add(1)
			}
		})
	}
	for i := range rotations {
		key := fmt.Sprint("key-", i+1)
		srv.PutPending(id, key)
		valid.Store(&key)
		begun := requests.Load()
		for requests.Load() < begun+20 {
			time.Sleep(time.Millisecond)
		}
		srv.MoveStage(id, secrets.Current, srv.VersionID(id, secrets.Pending))
	}
	close(stop)
	running.Wait()
	t.Logf("%d rotations: failed requests %d of %d, rejections %.2f a rotation", rotations, failed.Load(), requests.Load(), float64(rejected.Load())/rotations)
	if failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), requests.Load())
	}
	if rejected.Load() < rotations {
		t.Errorf("%d rejections in %d rotations: they did not take place", rejected.Load(), rotations)
	}
	for what, n := range seen {
		if n > 1 {
			t.Errorf("%s was sent %d times", what, n)
		}
	}
}
