package secretstest

import (
	"slices"
	"strings"
)

// A replication is one region that a secret is replicated to, as its primary
// sees it.
type replication struct {
	region   string
	kmsKeyID string
	failure  string // why there is no replica, or ""
}

// A replicationStatus is what DescribeSecret says of a replication.
type replicationStatus struct {
	Region           string
	KmsKeyID         string `json:"KmsKeyId,omitempty"`
	Status           string
	StatusMessage    string `json:",omitempty"`
	LastAccessedDate epoch  `json:",omitzero"`
}

// regionsAnswer is the answer to the operations on replicas.
type regionsAnswer struct {
	ARN               string
	ReplicationStatus []replicationStatus `json:",omitzero"`
}

// replicationStatus returns the status of each replica of sec in the state d,
// in the order of their making.
func (s *Server) replicationStatus(sec *secret, d *content) []replicationStatus {
	var out []replicationStatus
	for _, r := range d.replicas {
		st := replicationStatus{Region: r.region, KmsKeyID: r.kmsKeyID, Status: "InSync", StatusMessage: "Replication succeeded"}
		if r.failure != "" {
			st.Status, st.StatusMessage = "Failed", r.failure
		} else if rep := s.replicaOf(sec, r.region); rep != nil {
			st.LastAccessedDate = epoch(rep.accessed)
		}
		out = append(out, st)
	}
	return out
}

// replicaOf returns the replica of a secret in a region, or nil.
func (s *Server) replicaOf(sec *secret, region string) *secret {
	rep := s.realmLocked(sec.realm.account, region).names[sec.name]
	if rep == nil || !rep.replica || rep.content != sec.content {
		return nil
	}
	return rep
}

// replicaRegions lists the regions with replicas, for a message.
func (s *secret) replicaRegions() string {
	var regions []string
	for _, r := range s.replicas {
		regions = append(regions, r.region)
	}
	return strings.Join(regions, ", ")
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
		case region == "", region == c.region, !c.srv.servesRegion(region):
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

// dropReplica forgets a region that the secret was replicated to.
func (c *content) dropReplica(region string) {
	c.replicas = slices.DeleteFunc(c.replicas, func(r *replication) bool { return r.region == region })
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
	own.rotation = rotationState{}
	own.changed = c.now
	s.content, s.replica = own, false
	s.realm.edits++
	return &struct{ ARN string }{s.arn}, nil
}

// A Region is one region of a server.
type Region struct {
	srv  *Server
	name string
}

// Region returns a region by its name, such as "us-west-2".
func (s *Server) Region(name string) *Region { return &Region{s, name} }

// Down makes every call to the region fail with HTTP 503 until Up. What is
// stored there stays; replicas in other regions go on serving.
func (r *Region) Down() { r.set(true) }

// Up ends Down.
func (r *Region) Up() { r.set(false) }

func (r *Region) set(down bool) {
	r.srv.mu.Lock()
	defer r.srv.mu.Unlock()
	r.srv.down[r.name] = down
}
