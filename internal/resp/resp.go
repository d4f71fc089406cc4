// Package resp speaks RESP2, the protocol of Redis and Valkey, as far as
// logging in and asking the server a few things needs: one command at a time,
// and each reply whole.
package resp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// The bounds of a reply. A server that sends more is no Redis, or not one that
// was asked what this package is made to ask.
const (
	maxLine  = 64 << 10
	maxBulk  = 16 << 20
	maxItems = 1 << 20
	maxDepth = 8
)

// ErrProtocol says that what came was no reply of RESP2.
var ErrProtocol = errors.New("the answer is not one of Redis")

// An Error is an error that the server replied with. It may quote the command.
type Error string

func (e Error) Error() string { return string(e) }

// Code returns the error's first word, "WRONGPASS", or "ERR" where the server
// says no more.
func (e Error) Code() string {
	code, _, _ := strings.Cut(string(e), " ")
	return code
}

// A Conn sends commands and reads their replies. It is used by one goroutine
// at a time.
type Conn struct {
	net.Conn
	r *bufio.Reader
}

// New returns a Conn that uses c.
func New(c net.Conn) *Conn { return &Conn{c, bufio.NewReader(c)} }

// Buffered returns how many bytes were received that no reply has used up.
func (c *Conn) Buffered() int { return c.r.Buffered() }

// Send sends a command.
func (c *Conn) Send(args ...string) error {
	_, err := c.Write(command(args))
	return err
}

// command returns the bytes of a command.
func command(args []string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b
}

// Receive reads a reply: a string, an int64, a []any, or nil. An error of the
// server is an [Error].
func (c *Conn) Receive() (any, error) {
	reply, err := c.value(maxDepth)
	if e, ok := reply.(Error); ok {
		return nil, e
	}
	return reply, err
}

// Do sends a command and reads its reply.
func (c *Conn) Do(args ...string) (any, error) {
	if err := c.Send(args...); err != nil {
		return nil, err
	}
	return c.Receive()
}

// value reads a reply. Errors inside a list are items of it.
func (c *Conn) value(depth int) (any, error) {
	line, err := c.line()
	if err != nil {
		return nil, err
	}
	if line == "" || depth == 0 {
		return nil, ErrProtocol
	}
	switch kind, rest := line[0], line[1:]; kind {
	case '+':
		return rest, nil
	case '-':
		return Error(rest), nil
	case ':':
		n, err := strconv.ParseInt(rest, 10, 64)
		if err != nil {
			return nil, ErrProtocol
		}
		return n, nil
	case '$':
		return c.bulk(rest)
	case '*':
		return c.list(rest, depth)
	}
	return nil, ErrProtocol
}

// line reads a line without its end.
func (c *Conn) line() (string, error) {
	var line []byte
	for {
		part, err := c.r.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return "", ErrProtocol
		}
		line = append(line, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok {
		return "", ErrProtocol
	}
	return text, nil
}

// bulk reads a string of the given length, or nil.
func (c *Conn) bulk(length string) (any, error) {
	n, err := strconv.Atoi(length)
	if err != nil || n < -1 || n > maxBulk {
		return nil, ErrProtocol
	}
	if n < 0 {
		return nil, nil
	}
	b := make([]byte, n+2)
	if _, err := io.ReadFull(c.r, b); err != nil {
		return nil, err
	}
	if string(b[n:]) != "\r\n" {
		return nil, ErrProtocol
	}
	return string(b[:n]), nil
}

// list reads a list of the given length, or nil.
func (c *Conn) list(length string, depth int) (any, error) {
	n, err := strconv.Atoi(length)
	if err != nil || n < -1 || n > maxItems {
		return nil, ErrProtocol
	}
	if n < 0 {
		return nil, nil
	}
	var items []any
	for range n {
		item, err := c.value(depth - 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// Strings returns those items of a list that are strings.
func Strings(reply any) []string {
	items, _ := reply.([]any)
	var all []string
	for _, item := range items {
		if s, ok := item.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// Field returns the value that follows a name in a list of names and values,
// or nil.
func Field(reply any, name string) any {
	items, _ := reply.([]any)
	for i := 0; i+1 < len(items); i += 2 {
		if items[i] == name {
			return items[i+1]
		}
	}
	return nil
}

// Refused reports whether err says that a server refused a login because of
// the user or the password: WRONGPASS, and what Redis said before version 6,
// which has no code of its own.
func Refused(err error) bool {
	e, ok := errors.AsType[Error](err)
	return ok && (e.Code() == "WRONGPASS" || e == "ERR invalid password")
}
