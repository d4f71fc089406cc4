package secretstest_test

import (
	"fmt"
	"strings"
	"time"
)

var tagFacts = []fact{
	{recorded, "tags are absent until the first one", func(c *conf) {
		c.create("a", "v")
		c.lacks(c.ok("DescribeSecret", m{"SecretId": c.name("a")}), "Tags")
		c.ok("TagResource", m{"SecretId": c.name("a"), "Tags": []m{{"Key": "k", "Value": "v"}}})
		c.eq("Tags", c.ok("DescribeSecret", m{"SecretId": c.name("a")})["Tags"], []any{m{"Key": "k", "Value": "v"}})
	}},
	{recorded, "tags are an empty list after the last is gone", func(c *conf) {
		c.create("a", "v")
		c.ok("TagResource", m{"SecretId": c.name("a"), "Tags": []m{{"Key": "k", "Value": "v"}}})
		c.ok("UntagResource", m{"SecretId": c.name("a"), "TagKeys": []string{"k"}})
		c.eq("Tags", c.ok("DescribeSecret", m{"SecretId": c.name("a")})["Tags"], []any{})
	}},
	{documented, "a tag's value is replaced", func(c *conf) {
		c.create("a", "v")
		for _, v := range []string{"1", "2"} {
			c.ok("TagResource", m{"SecretId": c.name("a"), "Tags": []m{{"Key": "k", "Value": v}}})
		}
		c.eq("Tags", c.ok("DescribeSecret", m{"SecretId": c.name("a")})["Tags"], []any{m{"Key": "k", "Value": "2"}})
	}},
	{documented, "keys of tags are case-sensitive", func(c *conf) {
		c.create("a", "v")
		c.ok("TagResource", m{"SecretId": c.name("a"), "Tags": []m{{"Key": "k", "Value": "1"}, {"Key": "K", "Value": "2"}}})
		c.eq("tags", len(c.ok("DescribeSecret", m{"SecretId": c.name("a")})["Tags"].([]any)), 2)
	}},
	{documented, "taking off a tag that is not there succeeds", func(c *conf) {
		c.create("a", "v")
		c.ok("UntagResource", m{"SecretId": c.name("a"), "TagKeys": []string{"k"}})
	}},
	{documented, "tags of an unknown secret", func(c *conf) {
		c.fails("TagResource", m{"SecretId": c.name("none"), "Tags": []m{{"Key": "k", "Value": "v"}}}, "ResourceNotFoundException", notFoundText)
		c.fails("UntagResource", m{"SecretId": c.name("none"), "TagKeys": []string{"k"}}, "ResourceNotFoundException", notFoundText)
	}},
	{guessed, "no more than 50 tags", func(c *conf) {
		c.create("a", "v")
		var tags []m
		for i := range 51 {
			tags = append(tags, m{"Key": fmt.Sprint("k", i), "Value": "v"})
		}
		c.ok("TagResource", m{"SecretId": c.name("a"), "Tags": tags[:50]})
		if _, e := c.call("TagResource", m{"SecretId": c.name("a"), "Tags": tags[50:]}); e == nil {
			c.differ("a 51st tag was taken")
		}
	}},
}

var replicaFacts = []fact{
	{documented, "ReplicateSecretToRegions answers the status of each region", func(c *conf) {
		made := c.create("a", "v")
		out := c.ok("ReplicateSecretToRegions", m{"SecretId": c.name("a"), "AddReplicaRegions": []m{{"Region": "eu-west-1"}}})
		c.eq("ARN", out["ARN"], made["ARN"])
		list, _ := out["ReplicationStatus"].([]any)
		if len(list) != 1 || list[0].(m)["Region"] != "eu-west-1" {
			c.differ("ReplicationStatus: got %v", list)
		}
	}},
	{documented, "DescribeSecret has PrimaryRegion and ReplicationStatus of a replicated secret", func(c *conf) {
		replicated(c)
		out := c.ok("DescribeSecret", m{"SecretId": c.name("a")})
		c.eq("PrimaryRegion", out["PrimaryRegion"], c.region)
		list, _ := out["ReplicationStatus"].([]any)
		c.eq("regions", len(list), 1)
	}},
	{documented, "a replica has the name, the value and the ARN but for the region", func(c *conf) {
		arn := replicated(c)
		d := c.in("eu-west-1")
		out := d.ok("GetSecretValue", m{"SecretId": c.name("a")})
		d.eq("SecretString", out["SecretString"], "v")
		d.eq("ARN", out["ARN"], strings.Replace(arn, ":"+c.region+":", ":eu-west-1:", 1))
		d.eq("PrimaryRegion", d.ok("DescribeSecret", m{"SecretId": c.name("a")})["PrimaryRegion"], c.region)
		c.join(d)
	}},
	{documented, "a replica follows its primary", func(c *conf) {
		replicated(c)
		id := c.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w"})["VersionId"]
		d := c.in("eu-west-1")
		out := d.ok("GetSecretValue", m{"SecretId": c.name("a")})
		d.eq("SecretString", out["SecretString"], "w")
		d.eq("VersionId", out["VersionId"], id)
		c.join(d)
	}},
	{recorded, "a replica refuses changes", func(c *conf) {
		replicated(c)
		d := c.in("eu-west-1")
		const text = "Operation not permitted on a replica secret. Call must be made in primary secret's region."
		d.fails("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "w"}, "InvalidParameterException", text)
		d.fails("UpdateSecret", m{"SecretId": c.name("a"), "SecretString": "w"}, "InvalidParameterException", text)
		d.fails("TagResource", m{"SecretId": c.name("a"), "Tags": []m{{"Key": "k", "Value": "v"}}}, "InvalidParameterException", text)
		d.fails("DeleteSecret", m{"SecretId": c.name("a")}, "InvalidParameterException", text)
		d.fails("RotateSecret", m{"SecretId": c.name("a")}, "InvalidParameterException", text)
		c.join(d)
	}},
	{recorded, "a primary with replicas is not deleted", func(c *conf) {
		replicated(c)
		c.fails("DeleteSecret", m{"SecretId": c.name("a")}, "InvalidParameterException",
			"You can't delete secret "+c.name("a")+" that still has replica regions [eu-west-1].")
	}},
	{documented, "a replica is removed", func(c *conf) {
		replicated(c)
		out := c.ok("RemoveRegionsFromReplication", m{"SecretId": c.name("a"), "RemoveReplicaRegions": []string{"eu-west-1"}})
		if list, _ := out["ReplicationStatus"].([]any); len(list) != 0 {
			c.differ("ReplicationStatus: got %v", list)
		}
		d := c.in("eu-west-1")
		d.fails("GetSecretValue", m{"SecretId": c.name("a")}, "ResourceNotFoundException", notFoundText)
		c.join(d)
		c.ok("DeleteSecret", m{"SecretId": c.name("a"), "ForceDeleteWithoutRecovery": true})
	}},
	{documented, "StopReplicationToReplica makes a replica a secret of its own", func(c *conf) {
		replicated(c)
		d := c.in("eu-west-1")
		d.has(d.ok("StopReplicationToReplica", m{"SecretId": c.name("a")}), "ARN")
		d.ok("PutSecretValue", m{"SecretId": c.name("a"), "SecretString": "own"})
		c.eq("primary", c.ok("GetSecretValue", m{"SecretId": c.name("a")})["SecretString"], "v")
		d.ok("DeleteSecret", m{"SecretId": c.name("a"), "ForceDeleteWithoutRecovery": true})
		c.join(d)
	}},
	{documented, "CreateSecret may replicate at once", func(c *conf) {
		out := c.ok("CreateSecret", m{"Name": c.name("a"), "SecretString": "v", "AddReplicaRegions": []m{{"Region": "eu-west-1"}}})
		list, _ := out["ReplicationStatus"].([]any)
		c.eq("regions", len(list), 1)
	}},
	{guessed, "replication to a region where the name is taken fails in its status", func(c *conf) {
		c.create("a", "v")
		d := c.in("eu-west-1")
		d.create("a", "other")
		c.ok("ReplicateSecretToRegions", m{"SecretId": c.name("a"), "AddReplicaRegions": []m{{"Region": "eu-west-1"}}})
		list, _ := c.ok("DescribeSecret", m{"SecretId": c.name("a")})["ReplicationStatus"].([]any)
		if len(list) != 1 || list[0].(m)["Status"] != "Failed" {
			c.differ("ReplicationStatus: got %v", list)
		}
		d.eq("the other secret", d.ok("GetSecretValue", m{"SecretId": c.name("a")})["SecretString"], "other")
		d.ok("DeleteSecret", m{"SecretId": c.name("a"), "ForceDeleteWithoutRecovery": true})
		c.join(d)
	}},
	{documented, "primary-region finds a replicated secret", func(c *conf) {
		replicated(c)
		c.create("b", "v")
		out := c.ok("ListSecrets", m{"Filters": mine(c, m{"Key": "primary-region", "Values": []string{c.region}})})
		c.eq("found", names(out), []string{c.name("a")})
	}},
	{documented, "replication of an unknown secret", func(c *conf) {
		c.fails("ReplicateSecretToRegions", m{"SecretId": c.name("none"), "AddReplicaRegions": []m{{"Region": "eu-west-1"}}}, "ResourceNotFoundException", notFoundText)
		c.fails("RemoveRegionsFromReplication", m{"SecretId": c.name("none"), "RemoveReplicaRegions": []string{"eu-west-1"}}, "ResourceNotFoundException", notFoundText)
		c.fails("StopReplicationToReplica", m{"SecretId": c.name("none")}, "ResourceNotFoundException", notFoundText)
	}},
}

// replicated makes a secret with a replica in eu-west-1, and returns its ARN.
func replicated(c *conf) string {
	out := c.ok("CreateSecret", m{"Name": c.name("a"), "SecretString": "v", "AddReplicaRegions": []m{{"Region": "eu-west-1"}}})
	for range 20 {
		list, _ := c.ok("DescribeSecret", m{"SecretId": c.name("a")})["ReplicationStatus"].([]any)
		if len(list) == 1 && list[0].(m)["Status"] == "InSync" {
			return out["ARN"].(string)
		}
		if c.fake != nil {
			break
		}
		time.Sleep(time.Second)
	}
	c.differ("no replica")
	panic(giveUp{})
}
