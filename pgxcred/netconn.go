package pgxcred

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// NetConn returns the network connection beneath one that this package made:
// what [pgconn.PgConn.Conn] returns for other connections, a *tls.Conn where
// TLS is used. Anything else is returned unchanged, so code may call it in
// either case.
func NetConn(conn net.Conn) net.Conn {
	if n, ok := conn.(*netConn); ok {
		return n.Conn
	}
	return conn
}

// A netConn is a connection to a server that is logged in. To the pgx that
// holds it, it plays a server that asks for no password: it swallows the startup
// message, and answers with what the server said at the end of the login.
// After that it is the network connection.
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

// Format implements [fmt.Formatter] and prints where the connection leads.
func (n *netConn) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, "pgxcred.netConn(%s)", n.RemoteAddr())
}

// startup follows a startup message: its length in four bytes, themselves
// included, and the rest of it.
type startup struct {
	head []byte
	left uint32 // bytes to come, once the head is complete
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

// replay returns what a server would say at the end of a login that led to h.
func replay(h *pgconn.HijackedConn, notices []*pgconn.Notice) []byte {
	var buf []byte
	add := func(m pgproto3.BackendMessage) {
		if encoded, err := m.Encode(buf); err == nil { // it fails for messages of more than a GB
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

// notice returns the message that pgx made a notice of.
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
