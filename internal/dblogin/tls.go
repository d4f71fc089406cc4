package dblogin

import "strconv"

// TLS is what a secret's field ssl says about a connection.
//
// The field has one meaning for everybody: true insists on TLS with the
// certificate and the host name checked, false uses none. What applies to a
// secret without the field is for the program that connects to say, because
// only that program knows; see [TLS.Or]. A reader (sqlcred) leaves it to the
// driver: a service has its driver configured already, and a rule of ours
// would either weaken that or break it, since the authorities of Amazon RDS
// are not among those that systems trust. A rotation function (rotate) insists
// on TLS with checks: it has no such configuration, and it sends a new
// password, for MySQL in plain text, and logs in as a master user.
type TLS int8

const (
	TLSDefault TLS = iota // the secret has no opinion
	TLSOff                // no TLS
	TLSVerify             // TLS, certificate and host name checked
)

// Or returns t if the secret has an opinion, else the caller's.
func (t TLS) Or(caller TLS) TLS {
	if t == TLSDefault {
		return caller
	}
	return t
}

// String returns "default", "off" or "verify".
func (t TLS) String() string {
	switch t {
	case TLSDefault:
		return "default"
	case TLSOff:
		return "off"
	case TLSVerify:
		return "verify"
	}
	return "TLS(" + strconv.Itoa(int(t)) + ")"
}
