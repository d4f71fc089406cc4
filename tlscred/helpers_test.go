package tlscred_test

import (
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
)

var discard = log.New(io.Discard, "", 0)

func newPoolOf(all ...*authority) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, a := range all {
		pool.AddCert(a.cert)
	}
	return pool
}

func quote(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}
