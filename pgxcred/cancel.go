package pgxcred

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"
)

// Requests sent in place of a startup message.
const (
	cancelRequest = 80877102
	sslRequest    = 80877103
)

var errNotCancel = errors.New("pgxcred: this is no connection to the server: it carries the cancel request of one connection, and nothing else")

// dial is the DialFunc of an open connection. pgx calls it to send a cancel
// request.
func (s *session) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return &stub{ctx: ctx, session: s, addr: addr{network, address}}, nil
}

// cancels reports whether p is the cancel request of the session.
func (s *session) cancels(p []byte) bool {
	return len(p) >= 12 &&
		binary.BigEndian.Uint32(p) == uint32(len(p)) &&
		binary.BigEndian.Uint32(p[4:]) == cancelRequest &&
		binary.BigEndian.Uint32(p[8:]) == s.pgConn.PID() &&
		bytes.Equal(p[12:], s.pgConn.SecretKey())
}

// A stub is the connection that pgx receives when it dials. Before a login nothing
// is written to it, because AfterNetConnect replaces it. With a session it accepts
// one cancel request. The session sends this request as pgx would: to the same
// server, with the same DialFunc, and with TLS if it is used.
type stub struct {
	ctx     context.Context // passed to dial, for the cancel request
	session *session        // nil before a login
	addr    addr
}

func (s *stub) Write(p []byte) (int, error) {
	switch {
	case len(p) >= 8 && binary.BigEndian.Uint32(p[4:]) == sslRequest:
		if s.session != nil {
			return 0, errUsed
		}
		return 0, errTLS
	case s.session == nil || !s.session.cancels(p):
		return 0, errNotCancel
	}
	if err := s.session.pgConn.CancelRequest(s.ctx); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Read returns io.EOF, like a server after a cancel request.
func (s *stub) Read([]byte) (int, error) { return 0, io.EOF }

func (s *stub) Close() error                     { return nil }
func (s *stub) LocalAddr() net.Addr              { return s.addr }
func (s *stub) RemoteAddr() net.Addr             { return s.addr }
func (s *stub) SetDeadline(time.Time) error      { return nil }
func (s *stub) SetReadDeadline(time.Time) error  { return nil }
func (s *stub) SetWriteDeadline(time.Time) error { return nil }

// addr is the dialed address.
type addr struct{ network, address string }

func (a addr) Network() string { return a.network }
func (a addr) String() string  { return a.address }
