package dblogin

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A Login is what a database secret says. A field that the secret lacks is
// zero.
type Login struct {
	Engine    string
	Host      string
	Port      int
	Username  string
	Password  string
	DBName    string
	TLS       TLS
	ClusterID string
	MasterARN string
}

// Format implements [fmt.Formatter] and shows no field, whatever the verb.
func (l Login) Format(f fmt.State, _ rune) { io.WriteString(f, "dblogin.Login") }

// Keys are the names that the secret's JSON has for the fields. An empty name
// means the usual one.
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

// Decode reads a database secret, a JSON object. Every field may be absent,
// null or empty, and unknown fields are ignored. The port is a number or a
// string of digits, ssl a boolean or "true" or "false". An error names the
// field and quotes nothing of the secret.
func Decode(text string, keys Keys) (Login, error) {
	o, err := ParseObject(text)
	if err != nil {
		return Login{}, err
	}
	d := decoder{object: o}
	l := Login{
		Engine:    d.text(cmp.Or(keys.Engine, "engine")),
		Host:      d.text(cmp.Or(keys.Host, "host")),
		Port:      d.port(cmp.Or(keys.Port, "port")),
		Username:  d.text(cmp.Or(keys.Username, "username")),
		Password:  d.text(cmp.Or(keys.Password, "password")),
		DBName:    d.text(cmp.Or(keys.DBName, "dbname")),
		TLS:       d.tls(cmp.Or(keys.SSL, "ssl")),
		ClusterID: d.text(cmp.Or(keys.ClusterID, "dbClusterIdentifier")),
		MasterARN: d.text(cmp.Or(keys.MasterARN, "masterarn")),
	}
	if d.err != nil {
		return Login{}, d.err
	}
	return l, nil
}

// A decoder reads fields of an object. Its methods keep the first error.
type decoder struct {
	object Object
	err    error
}

func (d *decoder) text(name string) string {
	s, _, err := d.object.String(name)
	d.err = cmp.Or(d.err, err)
	return s
}

// scalar returns a field that may also be written as a string, as text.
func (d *decoder) scalar(name string) string {
	raw, _ := d.object.Raw(name)
	switch {
	case raw == "null":
		return ""
	case strings.HasPrefix(raw, `"`):
		return d.text(name)
	}
	return raw
}

func (d *decoder) port(name string) int {
	text := d.scalar(name)
	if text == "" {
		return 0
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		d.err = cmp.Or(d.err, fmt.Errorf("the field %q is not a port number", name))
	}
	return int(port)
}

func (d *decoder) tls(name string) TLS {
	switch strings.ToLower(d.scalar(name)) {
	case "":
		return TLSDefault
	case "true":
		return TLSVerify
	case "false":
		return TLSOff
	}
	d.err = cmp.Or(d.err, fmt.Errorf("the field %q is neither true nor false", name))
	return TLSDefault
}
