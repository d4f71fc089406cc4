package secretstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// A token says where the next page of a list begins. It is signed, and valid
// only for the same list of the same server.
type token struct {
	Op    string
	Realm string // account and region, or the ARN of the secret
	Query string // filters, order and the like
	Key   string // of the last entry of the page before
	Seq   uint64
}

// sealToken returns the token as it is sent.
func (s *Server) sealToken(t token) string {
	b := marshal(t)
	return base64.URLEncoding.EncodeToString(append(s.sign(b), b...))
}

func (s *Server) sign(b []byte) []byte {
	mac := hmac.New(sha256.New, s.tokenKey[:])
	mac.Write(b)
	return mac.Sum(nil)[:16]
}

// openToken reads the call's NextToken, if there is one, into want. want
// contains the list that the token must be for.
func (c *call) openToken(want *token) error {
	text := c.in.str("NextToken")
	if text == "" {
		return nil
	}
	b, err := base64.URLEncoding.DecodeString(text)
	if err != nil || len(b) < 16 || !hmac.Equal(b[:16], c.srv.sign(b[16:])) {
		return errToken
	}
	var t token
	if json.Unmarshal(b[16:], &t) != nil || t.Op != want.Op || t.Realm != want.Realm || t.Query != want.Query {
		return errToken
	}
	*want = t
	return nil
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
