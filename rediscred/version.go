package rediscred

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// A version is the content of one version of the secret.
type version struct {
	id       string
	username string
	password string
	addr     string // host:port, or "" where the secret names no host
	tls      bool   // the field ssl is true
}

// Format implements [fmt.Formatter]. Every verb prints only the version id.
func (v *version) Format(f fmt.State, _ rune) { io.WriteString(f, "rediscred.version("+v.id+")") }

// decode decodes a secret: a JSON object in the form of a database secret, or
// the bare password.
func (d *Dialer) decode(s *secrets.Secret) (*version, error) {
	v, err := decode(s)
	if err != nil {
		d.misread.Store(&misread{s.VersionID(), err})
		return nil, err
	}
	v.id = s.VersionID()
	v.username = cmp.Or(v.username, d.options.Username)
	return v, nil
}

func decode(s *secrets.Secret) (*version, error) {
	text, err := s.Text()
	if err != nil {
		text = string(s.Bytes())
	}
	if text == "" {
		return nil, errors.New("the secret is empty")
	}
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return &version{password: text}, nil
	}
	l, err := dblogin.Decode(text, dblogin.Keys{})
	if err != nil {
		return nil, err
	}
	if l.Password == "" {
		return nil, errors.New(`the field "password" is missing or empty`)
	}
	v := &version{username: l.Username, password: l.Password, tls: l.TLS == dblogin.TLSVerify}
	if l.Host != "" {
		v.addr = net.JoinHostPort(l.Host, strconv.Itoa(cmp.Or(l.Port, 6379)))
	}
	return v, nil
}

// auth returns the command that logs in.
func (v *version) auth() []string {
	if v.username == "" {
		return []string{"AUTH", v.password}
	}
	return []string{"AUTH", v.username, v.password}
}

// misread says why a version of the secret does not decode. The client withholds
// the reason, because it cannot know whether the reason quotes a value.
type misread struct {
	version string
	err     error
}
