package secretstest

import (
	"slices"
)

// regionsAnswer is the answer to the operations on replicas.
type regionsAnswer struct {
	ARN               string
	ReplicationStatus []replicationStatus `json:",omitzero"`
}

// checkReplicas refuses to replicate to a region that there is not or that is
// left out, to the secret's own, or to one twice.
func (c *call) checkReplicas(add []input, have []*replication) error {
	var seen []string
	for _, r := range have {
		if r.failure == "" {
			seen = append(seen, r.region)
		}
	}
	for _, r := range add {
		region := r.str("Region")
		switch {
		case region == "", region == c.region, partition(region) != partition(c.region), !c.srv.servesRegion(region):
			return invalidParameter("Invalid replica region.")
		case slices.Contains(seen, region):
			return invalidParameter("The secret is already replicated to region %s.", region)
		}
		seen = append(seen, region)
	}
	return nil
}

// replicate makes replicas of the call's secret.
func (c *call) replicate(add []input) {
	s := c.secret
	if s.primaryRegion == "" {
		s.primaryRegion = s.realm.region
	}
	for _, in := range add {
		r := &replication{region: in.str("Region"), kmsKeyID: in.str("KmsKeyId")}
		if r.kmsKeyID == "" {
			r.kmsKeyID = "alias/aws/secretsmanager"
		}
		s.content.replicas = slices.DeleteFunc(s.content.replicas, func(old *replication) bool { return old.region == r.region })
		s.content.replicas = append(s.content.replicas, r)
		behaves := c.srv.replicating[r.region]
		r.ready = c.now.Add(behaves.delay)
		if r.failure = behaves.failure; r.failure != "" {
			continue
		}
		there := c.srv.realmLocked(s.realm.account, r.region)
		if old := there.find(s.name, c.now); old != nil {
			if !c.in.flag("ForceOverwriteReplicaSecret", false) || old.replica || len(old.replicas) > 0 {
				r.failure = "Replication failed: Secret name " + s.name + " already exists in region " + r.region + "."
				continue
			}
			c.srv.forgetLocked(old)
		}
		rep := there.add(s.content, s.suffix)
		rep.replica = true
		rep.visible = r.ready
		rep.kmsKeyID = customKey(r.kmsKeyID)
	}
}

func replicateSecretToRegions(c *call) (any, error) {
	add := c.in.objects("AddReplicaRegions")
	if err := c.checkReplicas(add, c.secret.replicas); err != nil {
		return nil, err
	}
	c.change()
	c.replicate(add)
	return &regionsAnswer{c.secret.arn, c.srv.replicationStatus(c.secret, c.secret.content)}, nil
}

func removeRegionsFromReplication(c *call) (any, error) {
	s, regions := c.secret, c.in.strs("RemoveReplicaRegions")
	c.change()
	for _, region := range regions {
		if rep := c.srv.replicaOf(s, region); rep != nil {
			rep.realm.remove(rep)
		}
		s.dropReplica(region)
	}
	return &regionsAnswer{s.arn, c.srv.replicationStatus(s, s.content)}, nil
}

func stopReplicationToReplica(c *call) (any, error) {
	s := c.secret
	if !s.replica {
		return nil, invalidParameter("You can't stop replication: secret %s isn't a replica.", s.name)
	}
	s.content.dropReplica(s.realm.region)
	own := s.content.clone()
	own.primaryRegion = ""
	own.replicas = nil
	own.rotated = nil
	own.changed = c.now
	s.content, s.replica = own, false
	s.realm.edits++
	return &struct{ ARN string }{s.arn}, nil
}
