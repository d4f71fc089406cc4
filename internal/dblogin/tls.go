package dblogin

import "strconv"

// TLS is the meaning of a secret's field ssl for a connection.
//
// The field means the same to all programs: true requires TLS and verifies the
// certificate and the host name, false uses no TLS. If a secret lacks the field, the
// program that connects decides; see [TLS.Or]. A reader (sqlcred) uses the driver's
// default. A service has already configured its driver, and a rule of ours could
// weaken that configuration, or break it, because systems do not trust the
// authorities of Amazon RDS by default. A rotation function (rotate) requires
// verified TLS: it has no such configuration, it sends a new password, in plain text
// for MySQL, and it logs in as a master user.
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
