package testing

import (
	"net/http"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// Eventually waits on the real clock. Refresh makes that short; inside of a bubble
// of synctest use time.Sleep and Expect.
func TestNewKeyIsSeenWithGomega(t *testing.T) {
	g := NewWithT(t)
	srv := secretstest.New(t, secretstest.Secrets{name: "k-1"})
	client, err := secrets.New(srv.Client(), nil)
	g.Expect(err).NotTo(HaveOccurred())
	defer client.Close()
	handler := Handler(secrets.Bind[string](client, name))
	g.Expect(status(handler, "k-1")).To(Equal(http.StatusNoContent))

	srv.Put(name, "k-2")
	g.Expect(client.Refresh(t.Context(), name)).To(Succeed())
	g.Eventually(func() int { return status(handler, "k-2") }).Should(Equal(http.StatusNoContent))
}
