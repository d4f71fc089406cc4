package pgxcred_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// What a connect costs with a password in the configuration, and with a secret;
// and a query then.
func BenchmarkConnect(b *testing.B) {
	r, plain, ours := benchmarked(b)
	for name, config := range map[string]*pgx.ConnConfig{"pgx": plain, "pgxcred": ours} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.connect(config).Close(b.Context())
			}
		})
	}
}

func BenchmarkQuery(b *testing.B) {
	r, plain, ours := benchmarked(b)
	for name, config := range map[string]*pgx.ConnConfig{"pgx": plain, "pgxcred": ours} {
		b.Run(name, func(b *testing.B) {
			conn := r.connect(config)
			defer conn.Close(b.Context())
			b.ReportAllocs()
			for b.Loop() {
				ask(b, conn)
			}
		})
	}
}

func benchmarked(b *testing.B) (r *rig, plain, ours *pgx.ConnConfig) {
	r = newRig(b)
	plain = r.connConfig("")
	plain.User, plain.Password = "app", password(0)
	return r, plain, r.configured(nil)
}
