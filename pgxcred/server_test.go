package pgxcred_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgproto3"
)

// A server speaks as much of PostgreSQL's protocol as a login, a simple query
// and a cancel request take. It is reached through its dial, without a socket,
// so that it can live in a bubble of package synctest.
type server struct {
	errorf func(format string, args ...any)

	mu        sync.Mutex // guards the fields below
	passwords map[string]string
	refusal   *pgproto3.ErrorResponse // for every login with the right password, if any
	silent    chan struct{}           // a login waits for it to be closed, if any
	notice    string                  // sent with every login, if any
	late      string                  // another, in one piece with the last message of the login
	standby   bool                    // what in_hot_standby says
	logins    []map[string]string     // the startup parameters of those that succeeded
	hosts     []string                // the address of each dial
	refused   int
	canceled  []pgproto3.CancelRequest

	open atomic.Int32 // connections
	pid  atomic.Uint32
}

func newServer(errorf func(string, ...any), user, password string) *server {
	return &server{errorf: errorf, passwords: map[string]string{user: password}}
}

// dial is a pgconn.DialFunc.
func (s *server) dial(_ context.Context, network, address string) (net.Conn, error) {
	s.mu.Lock()
	s.hosts = append(s.hosts, address)
	s.mu.Unlock()
	client, conn := net.Pipe()
	s.open.Add(1)
	go func() {
		defer s.open.Add(-1)
		defer conn.Close()
		s.serve(pgproto3.NewBackend(conn, conn))
	}()
	return namedConn{client, address}, nil
}

// namedConn has a remote address that dials to where it leads.
type namedConn struct {
	net.Conn
	address string
}

type tcpAddr string

func (tcpAddr) Network() string  { return "tcp" }
func (a tcpAddr) String() string { return string(a) }

func (c namedConn) RemoteAddr() net.Addr { return tcpAddr(c.address) }

func (s *server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *server) setPassword(user, password string) { s.set(func() { s.passwords[user] = password }) }

func (s *server) refusedLogins() (n int) {
	s.set(func() { n = s.refused })
	return n
}

func (s *server) loginCount() (n int) {
	s.set(func() { n = len(s.logins) })
	return n
}

// lastLogin returns the startup parameters of the last login.
func (s *server) lastLogin() (params map[string]string) {
	s.set(func() { params = s.logins[len(s.logins)-1] })
	return params
}

// key is as long as PostgreSQL 18 makes them in version 3.2 of the protocol.
func key(pid uint32) []byte { return bytes.Repeat([]byte{byte(pid)}, 32) }

func (s *server) serve(b *pgproto3.Backend) {
	m, err := b.ReceiveStartupMessage()
	if err != nil {
		return
	}
	switch m := m.(type) {
	case *pgproto3.CancelRequest:
		s.set(func() { s.canceled = append(s.canceled, *m) })
	case *pgproto3.StartupMessage:
		if s.login(b, m.Parameters) {
			s.queries(b)
		}
	default:
		s.errorf("startup: got %T", m)
	}
}

func (s *server) login(b *pgproto3.Backend, params map[string]string) bool {
	b.Send(&pgproto3.AuthenticationCleartextPassword{})
	if b.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil || b.Flush() != nil {
		return false
	}
	m, err := b.Receive()
	p, ok := m.(*pgproto3.PasswordMessage)
	if err != nil || !ok {
		return false
	}
	user := params["user"]
	s.mu.Lock()
	silent := s.silent
	want, known := s.passwords[user]
	right := known && p.Password == want
	s.mu.Unlock()
	if silent != nil {
		<-silent
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !right:
		s.refused++
		b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Message: `password authentication failed for user "` + user + `"`})
	case s.refusal != nil:
		b.Send(s.refusal)
	default:
		s.logins = append(s.logins, params)
		s.welcome(b)
	}
	return b.Flush() == nil && right && s.refusal == nil
}

// welcome ends a login.
func (s *server) welcome(b *pgproto3.Backend) {
	pid := s.pid.Add(1)
	b.Send(&pgproto3.AuthenticationOk{})
	for name, value := range map[string]string{
		"server_version": "18.1", "standard_conforming_strings": "on", "client_encoding": "UTF8",
		"in_hot_standby": map[bool]string{true: "on", false: "off"}[s.standby],
	} {
		b.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	b.Send(&pgproto3.BackendKeyData{ProcessID: pid, SecretKey: key(pid)})
	if s.notice != "" {
		b.Send(&pgproto3.NoticeResponse{Severity: "NOTICE", Code: "00000", Message: s.notice})
	}
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if s.late != "" {
		b.Send(&pgproto3.NoticeResponse{Severity: "NOTICE", Code: "00000", Message: s.late})
	}
}

// queries answers each with one row that repeats it.
func (s *server) queries(b *pgproto3.Backend) {
	for {
		m, err := b.Receive()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.ErrClosedPipe) {
				s.errorf("server: %v", err)
			}
			return
		}
		switch m := m.(type) {
		case *pgproto3.Terminate:
			return
		case *pgproto3.Query:
			answer := m.String
			if answer == "show transaction_read_only" {
				answer = map[bool]string{true: "on", false: "off"}[s.standby]
			}
			b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("q"), DataTypeOID: 25, DataTypeSize: -1}}})
			b.Send(&pgproto3.DataRow{Values: [][]byte{[]byte(answer)}})
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		default:
			s.errorf("server: got %T", m)
			return
		}
		if b.Flush() != nil {
			return
		}
	}
}
