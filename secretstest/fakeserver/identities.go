package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// An identity is an entry of the file of -identities.
type identity struct {
	AccessKey string              `json:"accessKey"`
	SecretKey string              `json:"secretKey"`
	ARN       string              `json:"arn"`
	Role      string              `json:"role"`
	Tags      map[string]string   `json:"tags"`
	Policies  []json.RawMessage   `json:"policies"`
	Allow     []string            `json:"allow"`
	Deny      []string            `json:"deny"`
	SourceIP  string              `json:"sourceIP"`
	Keys      map[string][]string `json:"keys"`
}

// readIdentities reads the file of -identities. An empty name is no file. The
// error never quotes a secret key.
func readIdentities(file string) ([]secretstest.Identity, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list []identity
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("%s: not a JSON list of identities", file)
	}
	var out []secretstest.Identity
	for i, id := range list {
		if id.AccessKey == "" {
			return nil, fmt.Errorf("%s: entry %d has no accessKey", file, i+1)
		}
		one := id.identity()
		if err := one.Check(); err != nil {
			return nil, fmt.Errorf("%s: entry %d: %w", file, i+1, err)
		}
		out = append(out, one)
	}
	return out, nil
}

// identity returns the Identity of an entry. A policy is a document or a string
// that holds one.
func (id *identity) identity() secretstest.Identity {
	out := secretstest.Identity{
		AccessKey: id.AccessKey, SecretKey: id.SecretKey, ARN: id.ARN, Role: id.Role, Tags: id.Tags,
		Allow: id.Allow, Deny: id.Deny, SourceIP: id.SourceIP, Keys: id.Keys,
	}
	for _, raw := range id.Policies {
		text := string(raw)
		var quoted string
		if json.Unmarshal(raw, &quoted) == nil {
			text = quoted
		}
		out.Policies = append(out.Policies, text)
	}
	return out
}
