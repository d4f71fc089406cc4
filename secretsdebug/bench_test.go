package secretsdebug

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

func BenchmarkLog(b *testing.B) {
	var log Log
	events := []secrets.Event{
		{Kind: secrets.EventCall, Operation: "DescribeSecret", Duration: time.Millisecond},
		{Kind: secrets.EventFailed, Secret: "s", Class: secrets.ClassNetwork, Err: errors.New("no route to host")},
		{Kind: secrets.EventAdopted, Secret: "s", Version: "v2", From: "v1"},
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		log.OnEvent(events[i%len(events)])
	}
}

func BenchmarkPage(b *testing.B) {
	var src made
	for i := range 10_000 {
		src = append(src, fit(fmt.Sprint("team/", i), time.Now()))
	}
	for _, accept := range []string{"text/html", "application/json"} {
		b.Run(accept, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Accept", accept)
			for b.Loop() {
				(&handler{src: src}).ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
