package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A policy is an IAM policy.
type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid       string
	Effect    string
	Action    []string
	Resource  []string
	Condition conditions `json:",omitempty"`
}

// conditions are the values that condition keys must have, by operator.
type conditions map[string]map[string]string

// leastPolicy returns the policy with which the library reads all the secrets.
// A minimal policy contains only the required permissions.
func leastPolicy(found []*diagnosis, minimal bool) policy {
	p := policy{Version: "2012-10-17"}
	add := func(sid, action string, resources []string, conditions conditions) {
		if len(resources) > 0 {
			p.Statement = append(p.Statement, statement{sid, "Allow", []string{action}, resources, conditions})
		}
	}
	var names, keys, aliases []string
	for _, d := range found {
		names = append(names, d.resources()...)
		if key := d.keyResource(); strings.Contains(key, ":alias/") {
			aliases = append(aliases, key)
		} else if key != "" {
			keys = append(keys, key)
		}
	}
	via := map[string]string{"kms:ViaService": "secretsmanager." + found[0].caller.region + ".amazonaws.com"}
	names = unique(names)
	add("Read", "secretsmanager:GetSecretValue", names, nil)
	add("Decrypt", "kms:Decrypt", unique(keys), conditions{"StringEquals": via})
	for i, key := range unique(aliases) {
		// This condition is the only way in which a policy can name a key by its
		// alias.
		arn, alias, _ := strings.Cut(key, ":alias/")
		named := map[string]string{"kms:ResourceAliases": "alias/" + alias}
		add(fmt.Sprintf("DecryptAlias%d", i+1), "kms:Decrypt", []string{arn + ":key/*"}, conditions{"StringEquals": via, "ForAnyValue:StringEquals": named})
	}
	if minimal {
		return p
	}
	add("Check", "secretsmanager:DescribeSecret", names, nil)
	if len(found) > 1 {
		add("Prefetch", "secretsmanager:BatchGetSecretValue", []string{"*"}, nil)
	}
	return p
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// resources returns the secret as a resource of a policy. It replaces the six
// last characters of the ARN with wildcards, because the secret may be deleted
// and recreated. If the service did not return the ARN, it is built from the
// known parts.
func (d *diagnosis) resources() []string {
	if arn := d.arn(); arn != "" {
		return []string{arn[:strings.LastIndexByte(arn, '-')+1] + "??????"}
	}
	if field(d.id, 3) != "" {
		return []string{d.id, d.id + "-??????"}
	}
	account := cmp.Or(d.caller.account, "*")
	return []string{fmt.Sprintf("arn:%s:secretsmanager:%s:%s:secret:%s-??????", partition(d.caller.region), d.caller.region, account, d.id)}
}

// partition returns the partition of a region.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// keyResource returns the ARN of the key or of its alias, or "" if no
// permission is needed. If the key is known only from a refusal, it returns a
// pattern for all keys.
func (d *diagnosis) keyResource() string {
	key, own := d.key()
	account := cmp.Or(field(d.arn(), 4), "*")
	prefix := "arn:" + partition(d.caller.region) + ":kms:" + d.caller.region + ":" + account + ":"
	switch {
	case key == "" && d.current.outcome == keyDenied:
		return prefix + "key/*"
	case !own:
		return ""
	case strings.HasPrefix(key, "arn:"):
		return key
	case strings.HasPrefix(key, "alias/"):
		return prefix + key
	}
	return prefix + "key/" + key
}

// reasons say what each statement is needed for.
var reasons = []struct{ sid, text string }{
	{"Read", "needed"},
	{"Decrypt", "needed for customer managed keys; the key's own policy must allow it too"},
	{"Check", "refreshes that do not decrypt, rotations noticed early, custom labels in Versions"},
	{"Prefetch", "20 secrets per request at startup"},
}

// printPolicy writes the policy and the reason for each of its statements.
func printPolicy(out io.Writer, found []*diagnosis, minimal bool) {
	p := leastPolicy(found, minimal)
	fmt.Fprintf(out, "\npolicy that suffices:\n")
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	enc.Encode(p)
	for _, r := range reasons {
		if slices.ContainsFunc(p.Statement, func(s statement) bool { return strings.HasPrefix(s.Sid, r.sid) }) {
			fmt.Fprintf(out, "%-10s %s\n", r.sid, r.text)
		}
	}
}
