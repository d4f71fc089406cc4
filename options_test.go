package secrets_test

import (
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

func TestOptionsThatMakeNoSense(t *testing.T) {
	srv := secretstest.New(t, nil)
	for _, tt := range []struct {
		field string // that the error names
		opts  secrets.Options
	}{
		{"TTL", secrets.Options{TTL: -1}},
		{"TTL", secrets.Options{TTL: time.Microsecond}},
		{"Size", secrets.Options{Size: -1}},
		{"FetchTimeout", secrets.Options{FetchTimeout: -1}},
		{"MinBackoff", secrets.Options{MinBackoff: -1}},
		{"MaxBackoff", secrets.Options{MaxBackoff: -1}},
		{"MaxBackoff", secrets.Options{MinBackoff: time.Minute, MaxBackoff: time.Second}},
		{"MaxBackoff", secrets.Options{MinBackoff: time.Hour}},
		{"Refresh", secrets.Options{Refresh: -1}},
		{"Refresh", secrets.Options{Refresh: secrets.RefreshOnRead + 1}},
	} {
		c, err := secrets.New(srv.Client(), &tt.opts)
		if err == nil || c != nil || !strings.HasPrefix(err.Error(), "secrets: Options."+tt.field+" ") {
			t.Errorf("New with %+v = %v, %v; want an error that names %s", tt.opts, c, err, tt.field)
		}
	}
}

func TestOptionsThatMakeSense(t *testing.T) {
	srv := secretstest.New(t, nil)
	for _, opts := range []*secrets.Options{
		nil,
		{},
		{MaxStale: -1, StaleWait: -1}, // off
		{TTL: time.Millisecond, Size: 1, FetchTimeout: 1, MinBackoff: 1, MaxBackoff: 1},
		{MinBackoff: time.Hour, MaxBackoff: time.Hour},
		{Refresh: secrets.RefreshOnRead, AllowHTTP: true, Logger: slog.New(slog.DiscardHandler), OnEvent: func(secrets.Event) {}},
	} {
		c, err := secrets.New(srv.Client(), opts)
		if err != nil {
			t.Errorf("New with %+v: %v", opts, err)
			continue
		}
		c.Close()
	}
	if c, err := secrets.New(nil, nil); err == nil || c != nil {
		t.Errorf("New without an API = %v, %v; want an error", c, err)
	}
	if n := srv.Count(); n != 0 {
		t.Errorf("New made %d calls, want none", n)
	}
}

// Whoever adds a field is to look at the tests above, and add it here.
func TestOptionsAreAllTested(t *testing.T) {
	tested := map[string]bool{
		"TTL": true, "MaxStale": true, "StaleWait": true, "Size": true, "FetchTimeout": true,
		"MinBackoff": true, "MaxBackoff": true, "Refresh": true, "AllowHTTP": true, "Logger": true, "OnEvent": true,
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[secrets.Options]()) {
		if !tested[f.Name] {
			t.Errorf("Options.%s is not tested", f.Name)
		}
	}
}
