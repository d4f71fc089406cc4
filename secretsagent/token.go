package secretsagent

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// hostToken is the file in which the agent's installation stores the token.
const hostToken = "/var/run/awssmatoken"

// errNoToken says that no token was found.
var errNoToken = errors.New("secretsagent: there is no token: set AWS_TOKEN, or let the process read " + hostToken)

// A tokens has the token that requests show. It is safe for concurrent use.
type tokens struct {
	read func() (string, error)

	mu  sync.Mutex // guards the fields below
	now string
	gen int // counts how often it was read
}

// get returns the token and which reading it is of.
func (t *tokens) get() (string, int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gen > 0 {
		return t.now, t.gen, nil
	}
	return t.again()
}

// renew reads the token again, unless that was done since the given reading.
func (t *tokens) renew(gen int) (string, int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gen != gen {
		return t.now, t.gen, nil
	}
	return t.again()
}

func (t *tokens) again() (string, int, error) {
	s, err := t.read()
	if err != nil {
		return "", t.gen, err
	}
	t.now, t.gen = s, t.gen+1
	return s, t.gen, nil
}

// reader returns a function that reads the token for the given options.
func (o *Options) reader() func() (string, error) {
	switch {
	case o != nil && o.Token != "":
		return func() (string, error) { return clean(o.Token) }
	case o != nil && o.TokenFile != "":
		return func() (string, error) { return fromFile(o.TokenFile) }
	}
	return fromEnvironment
}

// fromEnvironment reads the token from the places in the agent's documentation.
func fromEnvironment() (string, error) {
	if t := os.Getenv("AWS_TOKEN"); t != "" {
		if path, ok := strings.CutPrefix(t, "file://"); ok {
			return fromFile(path)
		}
		return clean(t)
	}
	if t, err := fromFile(hostToken); !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}
	for _, name := range []string{"AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"} {
		if t := os.Getenv(name); t != "" {
			return clean(t)
		}
	}
	return "", errNoToken
}

func fromFile(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err // it contains only the file name
	}
	return clean(string(b))
}

// clean returns a token that fits in a header.
func clean(t string) (string, error) {
	t = strings.TrimSpace(t)
	for _, c := range t {
		if c < ' ' || c > '~' {
			return "", errors.New("secretsagent: the token has characters that are not allowed in a header")
		}
	}
	if t == "" {
		return "", errNoToken
	}
	return t, nil
}
