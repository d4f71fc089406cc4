package rotate

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/seed-74dc7b3e/secrets/internal/resp"
)

// RedisOptions are the options of Redis. The zero value, or a nil pointer, is
// for a user who may change its own password, on one server or on all nodes of
// a cluster.
type RedisOptions struct {
	// Password configures how new passwords are made.
	Password Password

	// TLS configures connections, unless the secret has "ssl": false. An empty
	// ServerName means the dialed host. Nil means the system's certificate
	// authorities.
	TLS *tls.Config

	// Dial makes the underlying connection, without TLS. Nil means a [net.Dialer]
	// with its defaults.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// Nodes returns the host:port of each server that has the user. Redis does not
	// replicate users, so the password must be set on each server, including
	// replicas. Nil means the secret's host and, if that is a node of a cluster,
	// all nodes in its answer to CLUSTER NODES.
	Nodes func(ctx context.Context, l Login) ([]string, error)

	// Volatile changes the users only in the servers' memory. By default they are
	// stored, with ACL SAVE or, if the server has no ACL file, with CONFIG
	// REWRITE. A server that supports neither would lose the password when it
	// restarts, so setSecret fails.
	Volatile bool

	// Complete and SameServer are as in SQLOptions.
	Complete   func(ctx context.Context, secretID string, l Login) (Login, error)
	SameServer func(ctx context.Context, user, master Login) (bool, error)
}

// RedisACL is a Rotator for ACL users of Redis and Valkey. Redis makes it. It
// is safe for concurrent use by multiple goroutines if the functions in its
// options are.
type RedisACL struct{ opts RedisOptions }

// Redis returns a Rotator for users of Redis 6 and later and of Valkey. It
// changes them with ACL SETUSER. A secret without a username means the user
// "default".
//
// A user keeps two passwords: the new one, and until the next rotation the one
// before. So AWSCURRENT always logs in, and after finishSecret AWSPREVIOUS does
// too. One command, which contains only hashes, sets both. If the secret has a
// masterarn, the master user changes the password. Otherwise the user changes
// its own, which requires the permissions
//
//	+acl|getuser +acl|setuser +acl|save (or +config|rewrite) +cluster|nodes
//
// With these permissions the user can do anything, so prefer a master user.
//
// A user with nopass accepts every password, including the new one, and is not
// changed.
//
// Users of Amazon ElastiCache and MemoryDB cannot be changed in this way. Those
// services have an API for it, which also supports two passwords per user. See
// [APIKey].
func Redis(opts *RedisOptions) *RedisACL {
	a := new(RedisACL)
	if opts != nil {
		a.opts = *opts
	}
	return a
}

// Create returns the current value with a new password. It first checks that
// the secrets contain what the next steps need. It does not connect.
func (a *RedisACL) Create(ctx context.Context, r *Rotation) (Value, error) {
	v, err := r.Current(ctx)
	if err != nil {
		return Value{}, err
	}
	l, err := a.reader().login(ctx, r, r.SecretID(), v)
	if err == nil {
		err = hasHost(l)
	}
	if err != nil {
		return Value{}, fmt.Errorf("%s: %w", current, err)
	}
	if l.MasterARN != "" {
		if _, err := a.reader().master(ctx, r, l); err != nil {
			return Value{}, err
		}
	}
	password, err := r.NewPassword(ctx, a.opts.Password)
	if err != nil {
		return Value{}, err
	}
	return v.WithField("password", password)
}

// Set makes every node accept and store the AWSPENDING password. The working
// password stays valid beside it. Set does not change a node that already
// accepts the AWSPENDING password.
func (a *RedisACL) Set(ctx context.Context, r *Rotation) error {
	p, err := a.plan(ctx, r)
	if err != nil {
		return err
	}
	for _, addr := range p.nodes {
		if err := p.set(ctx, addr); err != nil {
			return fmt.Errorf("node %s: %w", addr, r.scrub(err))
		}
	}
	return nil
}

// Test logs in at every node with the AWSPENDING version.
func (a *RedisACL) Test(ctx context.Context, r *Rotation) error {
	p, err := a.plan(ctx, r)
	if err != nil {
		return err
	}
	for _, addr := range p.nodes {
		c, err := p.login(ctx, addr, p.pend, pending)
		if err != nil {
			return fmt.Errorf("node %s: %w", addr, r.scrub(err))
		}
		c.Close()
	}
	return nil
}

func (a *RedisACL) reader() reader {
	return reader{
		engines: []string{"redis", "valkey"}, port: 6379, user: "default",
		complete: a.opts.Complete, sameServer: a.opts.SameServer,
	}
}

// A redisPlan holds the logins and nodes of a step.
type redisPlan struct {
	*RedisACL
	r         *Rotation
	cur, pend Login
	master    *Login // nil: the user changes its own password
	nodes     []string
}

// plan reads the secrets and finds the nodes.
func (a *RedisACL) plan(ctx context.Context, r *Rotation) (*redisPlan, error) {
	p := &redisPlan{RedisACL: a, r: r}
	var err error
	p.cur, p.pend, err = a.reader().pair(ctx, r, func(cur Login) (string, error) { return cur.Username, nil })
	if err != nil {
		return nil, err
	}
	if p.cur.MasterARN != "" {
		m, err := a.reader().master(ctx, r, p.cur)
		if err != nil {
			return nil, err
		}
		p.master = &m
	}
	if a.opts.Nodes != nil {
		p.nodes, err = a.opts.Nodes(ctx, p.cur)
		if err == nil && len(p.nodes) == 0 {
			err = errors.New("there are none")
		}
	} else {
		p.nodes, err = p.askNodes(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("nodes: %w", r.scrub(err))
	}
	return p, nil
}

// askNodes returns the secret's host, or all nodes of its cluster.
func (p *redisPlan) askNodes(ctx context.Context) ([]string, error) {
	addr := p.cur.address()
	c, err := p.admin(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	reply, err := c.Do("CLUSTER", "NODES")
	if e, ok := errors.AsType[resp.Error](err); ok && e.Code() == "ERR" {
		return []string{addr}, nil // "This instance has cluster support disabled"
	}
	if err != nil {
		return nil, fmt.Errorf("CLUSTER NODES (set RedisOptions.Nodes if the user may not run it): %w", err)
	}
	text, _ := reply.(string)
	return clusterNodes(text, addr)
}

// clusterNodes returns the addresses in an answer to CLUSTER NODES. A node
// that has just joined a cluster of one may not know its own: it is asked.
func clusterNodes(text, asked string) ([]string, error) {
	var nodes []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 3 {
			return nil, errors.New("CLUSTER NODES: a line has no node")
		}
		flags := strings.Split(f[2], ",")
		addr, host, _ := strings.Cut(f[1], ",")
		addr, _, _ = strings.Cut(addr, "@")
		ip, port, err := splitLast(addr)
		if host, _, _ = strings.Cut(host, ","); host != "" && host != "?" {
			ip = host
		}
		switch {
		case slices.Contains(flags, "handshake"), slices.Contains(flags, "noaddr"):
			continue
		case err != nil:
			return nil, err
		case slices.Contains(flags, "fail"):
			return nil, fmt.Errorf("the cluster reports node %s as failed: the password cannot be set there", f[1])
		case ip == "" && slices.Contains(flags, "myself"):
			nodes = append(nodes, asked)
		default:
			nodes = append(nodes, net.JoinHostPort(ip, port))
		}
	}
	if len(nodes) == 0 {
		return nil, errors.New("CLUSTER NODES: no node with an address")
	}
	return nodes, nil
}

// splitLast splits an address of CLUSTER NODES, in which IPv6 addresses have no
// brackets.
func splitLast(addr string) (ip, port string, err error) {
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return "", "", errors.New("CLUSTER NODES: an address without a port")
	}
	return addr[:i], addr[i+1:], nil
}

// set has one node accept the new password, and store its users.
func (p *redisPlan) set(ctx context.Context, addr string) error {
	c, err := p.login(ctx, addr, p.pend, pending)
	switch {
	case err == nil:
		defer c.Close()
	case !errors.Is(err, ErrRefused):
		return err
	default:
		if c, err = p.change(ctx, addr); err != nil {
			return err
		}
		defer c.Close()
	}
	if p.opts.Volatile {
		return nil
	}
	if p.master != nil {
		m, err := p.login(ctx, addr, *p.master, "the master's secret")
		if err != nil {
			return err
		}
		defer m.Close()
		c = m
	}
	return store(c)
}

// change adds the new password to the working one, and removes all others. It
// returns a connection that is logged in with the working password. That login
// must succeed: it proves that the author of the secret can log in to this
// server, before the master acts on the secret's behalf.
func (p *redisPlan) change(ctx context.Context, addr string) (*resp.Conn, error) {
	c, with, err := p.loginOld(ctx, addr)
	if err != nil {
		return nil, err
	}
	admin := c
	if p.master != nil {
		if admin, err = p.login(ctx, addr, *p.master, "the master's secret"); err != nil {
			c.Close()
			return nil, err
		}
		defer admin.Close()
	}
	if err := setUser(admin, p.pend, with); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// setUser leaves a user with two passwords.
func setUser(admin *resp.Conn, pend, with Login) error {
	user, err := admin.Do("ACL", "GETUSER", pend.Username)
	if err != nil {
		return fmt.Errorf("ACL GETUSER: %w", err)
	}
	if user == nil {
		return fmt.Errorf("ACL GETUSER: there is no user %q", pend.Username)
	}
	fresh, keep := passwordHash(pend.Password()), passwordHash(with.Password())
	command := []string{"ACL", "SETUSER", pend.Username, "#" + fresh}
	for _, old := range resp.Strings(resp.Field(user, "passwords")) {
		if old != keep && old != fresh {
			command = append(command, "!"+old)
		}
	}
	if _, err := admin.Do(command...); err != nil {
		return fmt.Errorf("ACL SETUSER: %w", err)
	}
	return nil
}

// passwordHash returns the hash that Redis stores for a password.
func passwordHash(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}

// store has a server write its users to where it finds them when it starts.
func store(c *resp.Conn) error {
	_, err := c.Do("ACL", "SAVE")
	e, ok := errors.AsType[resp.Error](err)
	// This error has no code. CONFIG REWRITE does not write users if there is an
	// ACL file.
	if ok && strings.Contains(string(e), "not configured to use an ACL file") {
		if _, err = c.Do("CONFIG", "REWRITE"); err == nil {
			return nil
		}
		return fmt.Errorf("the server has no ACL file, and CONFIG REWRITE: %w (set RedisOptions.Volatile if the server gets its users from elsewhere at startup)", err)
	}
	if err != nil {
		return fmt.Errorf("ACL SAVE: %w", err)
	}
	return nil
}
