package testing

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/stretchr/testify/require"
	"github.com/stretchr/testify/suite"
)

const name = "prod/api-key"

// status returns the status of a request with the key.
func status(h http.Handler, key string) int {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-API-Key", key)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

// HandlerSuite has a fake service for each test. The client is closed by
// TearDownTest; the fake ends with the test.
type HandlerSuite struct {
	suite.Suite
	srv     *secretstest.Server
	client  *secrets.Client
	handler http.Handler
}

func TestHandlerSuite(t *testing.T) { suite.Run(t, new(HandlerSuite)) }

func (s *HandlerSuite) SetupTest() {
	s.srv = secretstest.New(s.T(), secretstest.Secrets{name: "k-1"})
	client, err := secrets.New(s.srv.Client(), nil)
	s.Require().NoError(err)
	s.client, s.handler = client, Handler(secrets.Bind[string](client, name))
}

func (s *HandlerSuite) TearDownTest() { s.NoError(s.client.Close()) }

func (s *HandlerSuite) TestKey() {
	s.Equal(http.StatusNoContent, status(s.handler, "k-1"))
	s.Equal(http.StatusForbidden, status(s.handler, "k-2"))
	s.Equal(1, s.srv.Count(secretstest.Call{Op: "GetSecretValue"}), "one call for both")
}

func (s *HandlerSuite) TestNoKey() {
	s.srv.Delete(name)
	s.Equal(http.StatusServiceUnavailable, status(s.handler, "k-1"))
}

// A bubble of synctest is entered within a test: a suite's SetupTest would be
// outside of it, so what uses its clock is made inside.
func TestNewKeyIsSeenWithTestify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{name: "k-1"})
		client, err := secrets.New(srv.Client(), nil)
		require.NoError(t, err)
		defer client.Close()
		handler := Handler(secrets.Bind[string](client, name))
		require.Equal(t, http.StatusNoContent, status(handler, "k-1"))

		srv.Put(name, "k-2")
		time.Sleep(secrets.DefaultTTL)
		require.Equal(t, http.StatusNoContent, status(handler, "k-2"))
	})
}
