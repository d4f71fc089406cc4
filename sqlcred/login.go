package sqlcred

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// TLS says how a connection is secured.
type TLS int8

const (
	// TLSDefault applies the driver's default: PostgreSQL drivers try TLS
	// first, or require it without verifying the certificate; the MySQL
	// driver uses no TLS.
	TLSDefault TLS = iota
	// TLSOff uses no TLS.
	TLSOff
	// TLSVerify requires TLS and verifies the certificate and the host name.
	TLSVerify
)

// String returns "default", "off" or "verify".
func (t TLS) String() string { return dblogin.TLS(t).String() }

// A Login is the content of one version of a database secret.
//
// The secret has the form that Amazon RDS and its rotation functions use. A
// field that the secret lacks is zero.
//
// Only [Login.Password] and [Login.DSN] return the password. The verbs of fmt,
// log/slog and encoding/json do not show it, even if the Login is an exported or
// unexported field of another struct. The zero Login has an empty password.
//
// A Login is a value: changing a copy does not affect the original.
type Login struct {
	Engine    string // "postgres", "mysql", "mariadb", "sqlserver", "oracle", "redshift", ...
	Host      string
	Port      int // 0 means the driver's default
	Username  string
	DBName    string
	TLS       TLS    // from the secret's field ssl: TLSVerify if true, TLSOff if false, else TLSDefault
	ClusterID string // dbClusterIdentifier
	MasterARN string // masterarn: the secret of the user that may change this user's password
	VersionID string // the secret's version id; empty if the Login was not read from a [secrets.Secret]

	opened   string   // the version that was current when open was called; see Connector.Retired
	password **string // two pointers deep: fmt follows one of them if it can't call Format
}

// Password returns the password.
func (l Login) Password() string {
	if l.password == nil {
		return ""
	}
	return **l.password
}

// WithPassword returns a copy of l with another password.
func (l Login) WithPassword(password string) Login {
	p := &password
	l.password = &p
	return l
}

// Keys are the JSON field names of a secret, if they differ from the usual ones.
// An empty name means the usual one, shown beside each field.
type Keys struct {
	Engine    string // "engine"
	Host      string // "host"
	Port      string // "port"
	Username  string // "username"
	Password  string // "password"
	DBName    string // "dbname"
	SSL       string // "ssl"
	ClusterID string // "dbClusterIdentifier"
	MasterARN string // "masterarn"
}

// DecodeLogin decodes a database secret.
//
// The secret is a JSON object with the fields engine, host, port (a number or a
// string), username, password, dbname, ssl (a boolean, or "true" or "false"),
// dbClusterIdentifier and masterarn. Only the password is required. Unknown
// fields are ignored. An error names the field and quotes nothing from the
// secret. Pass DecodeLogin to [secrets.BindFunc].
func DecodeLogin(s *secrets.Secret) (Login, error) { return decodeSecret(s, Keys{}) }

func decodeSecret(s *secrets.Secret, keys Keys) (Login, error) {
	text, err := s.Text()
	if err != nil {
		text = string(s.Bytes())
	}
	l, err := decodeLogin([]byte(text), keys)
	l.VersionID = s.VersionID()
	return l, err
}

// UnmarshalJSON decodes a database secret like [DecodeLogin]. So a Login can be
// the type of a handle or a field of a larger struct.
func (l *Login) UnmarshalJSON(data []byte) error {
	read, err := decodeLogin(data, Keys{})
	if err == nil {
		*l = read
	}
	return err
}

// A fault is an error about a login that quotes nothing from the secret, so that
// package secrets shows it: see [secrets.Bind].
type fault struct{ error }

func (f *fault) Unwrap() error       { return f.error }
func (f *fault) PublicError() string { return f.Error() }

func decodeLogin(data []byte, keys Keys) (Login, error) {
	read, err := dblogin.Decode(string(data), dblogin.Keys(keys))
	if err == nil && read.Password == "" {
		err = fmt.Errorf("the field %q is missing or empty", cmp.Or(keys.Password, "password"))
	}
	if err != nil {
		return Login{}, &fault{fmt.Errorf("sqlcred: secret: %w", err)}
	}
	return Login{
		Engine:    read.Engine,
		Host:      read.Host,
		Port:      read.Port,
		Username:  read.Username,
		DBName:    read.DBName,
		TLS:       TLS(read.TLS),
		ClusterID: read.ClusterID,
		MasterARN: read.MasterARN,
	}.WithPassword(read.Password), nil
}

// String describes the login without its password.
func (l Login) String() string {
	var b strings.Builder
	if l.Engine != "" {
		b.WriteString(l.Engine + "://")
	}
	if l.Username != "" {
		b.WriteString(l.Username + "@")
	}
	switch {
	case l.Port != 0:
		b.WriteString(net.JoinHostPort(l.Host, strconv.Itoa(l.Port)))
	default:
		b.WriteString(l.Host)
	}
	if l.DBName != "" {
		b.WriteString("/" + l.DBName)
	}
	return b.String()
}

// Format implements [fmt.Formatter]. Every verb prints the result of
// [Login.String], quoted for %q and %#v.
func (l Login) Format(f fmt.State, verb rune) {
	s := l.String()
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		s = "sqlcred.Login(" + strconv.Quote(s) + ")"
	}
	io.WriteString(f, s)
}

// LogValue implements [slog.LogValuer] and omits the password.
func (l Login) LogValue() slog.Value {
	var attrs []slog.Attr
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("engine", l.Engine)
	add("host", l.Host)
	if l.Port != 0 {
		attrs = append(attrs, slog.Int("port", l.Port))
	}
	add("username", l.Username)
	add("dbname", l.DBName)
	add("version", l.VersionID)
	return slog.GroupValue(attrs...)
}

// MarshalJSON encodes the login as a database secret without its password. The
// result cannot be decoded again, because the password is missing.
func (l Login) MarshalJSON() ([]byte, error) {
	out := struct {
		Engine    string `json:"engine,omitempty"`
		Host      string `json:"host,omitempty"`
		Port      int    `json:"port,omitempty"`
		Username  string `json:"username,omitempty"`
		DBName    string `json:"dbname,omitempty"`
		SSL       *bool  `json:"ssl,omitempty"`
		ClusterID string `json:"dbClusterIdentifier,omitempty"`
		MasterARN string `json:"masterarn,omitempty"`
	}{l.Engine, l.Host, l.Port, l.Username, l.DBName, nil, l.ClusterID, l.MasterARN}
	if l.TLS != TLSDefault {
		verify := l.TLS == TLSVerify
		out.SSL = &verify
	}
	return json.Marshal(out)
}
