package pgxcred

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// NetConn returns the network connection of a connection made by this package. It
// is the connection that [pgconn.PgConn.Conn] would return without this package: a
// *tls.Conn if TLS is used. NetConn returns any other connection unchanged, so
// code can always call it.
func NetConn(conn net.Conn) net.Conn {
	if n, ok := conn.(*netConn); ok {
		return n.Conn
	}
	return conn
}

// A netConn is a logged-in connection to a server. To the outer pgx connection it
// acts like a server that asks for no password: it drops the startup message and
// replays the messages with which the server ended the login. After that it
// passes all data through.
type netConn struct {
	net.Conn
	session *session
	startup startup // used by Write
	replay  []byte  // used by Read
}

// NetConn returns the network connection, as [crypto/tls.Conn.NetConn] does.
func (n *netConn) NetConn() net.Conn { return n.Conn }

func (n *netConn) Read(p []byte) (int, error) {
	if len(n.replay) == 0 {
		return n.Conn.Read(p)
	}
	read := copy(p, n.replay)
	n.replay = n.replay[read:]
	return read, nil
}

func (n *netConn) Write(p []byte) (int, error) {
	if n.startup.over {
		return n.Conn.Write(p)
	}
	swallowed := n.startup.swallow(p)
	if swallowed == len(p) {
		return swallowed, nil
	}
	written, err := n.Conn.Write(p[swallowed:])
	return swallowed + written, err
}

// Format implements [fmt.Formatter]. Every verb prints the remote address.
func (n *netConn) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, "pgxcred.netConn(%s)", n.RemoteAddr())
}

// startup tracks a startup message: four bytes with the length, which includes
// these four bytes, and then the rest.
type startup struct {
	head []byte
	left uint32 // bytes left, once the head is complete
	over bool
}

// swallow returns how many bytes of p belong to the startup message.
func (s *startup) swallow(p []byte) int {
	n := 0
	if need := 4 - len(s.head); need > 0 {
		n = min(need, len(p))
		s.head = append(s.head, p[:n]...)
		if len(s.head) < 4 {
			return n
		}
		s.left = max(4, binary.BigEndian.Uint32(s.head)) - 4
	}
	rest := min(uint64(s.left), uint64(len(p)-n))
	s.left -= uint32(rest)
	s.over = s.left == 0
	return n + int(rest)
}

// replay returns the messages of a server at the end of a login that led to h.
func replay(h *pgconn.HijackedConn, notices []*pgconn.Notice) []byte {
	var buf []byte
	add := func(m pgproto3.BackendMessage) {
		if encoded, err := m.Encode(buf); err == nil { // it fails for messages over 1 GB
			buf = encoded
		}
	}
	add(&pgproto3.AuthenticationOk{})
	for name, value := range h.ParameterStatuses {
		add(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	if len(h.SecretKey) > 0 { // some proxies have none
		add(&pgproto3.BackendKeyData{ProcessID: h.PID, SecretKey: h.SecretKey})
	}
	for _, n := range notices {
		add(notice(n))
	}
	add(&pgproto3.ReadyForQuery{TxStatus: h.TxStatus})
	return buf
}

// notice converts a notice of pgx back into a message.
func notice(n *pgconn.Notice) *pgproto3.NoticeResponse {
	return &pgproto3.NoticeResponse{
		Severity: n.Severity, SeverityUnlocalized: n.SeverityUnlocalized, Code: n.Code,
		Message: n.Message, Detail: n.Detail, Hint: n.Hint,
		Position: n.Position, InternalPosition: n.InternalPosition, InternalQuery: n.InternalQuery,
		Where: n.Where, SchemaName: n.SchemaName, TableName: n.TableName, ColumnName: n.ColumnName,
		DataTypeName: n.DataTypeName, ConstraintName: n.ConstraintName,
		File: n.File, Line: n.Line, Routine: n.Routine,
	}
}
