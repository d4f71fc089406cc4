package secretstest

import (
	"slices"
	"strings"
	"time"
)

// A replication is one region that a secret is replicated to, as its primary
// sees it.
type replication struct {
	region   string
	kmsKeyID string
	failure  string    // why there is no replica, or ""
	ready    time.Time // when the replica is in sync
}

// A replicationStatus is the status of a replication in DescribeSecret.
type replicationStatus struct {
	Region           string
	KmsKeyID         string `json:"KmsKeyId,omitempty"`
	Status           string
	StatusMessage    string `json:",omitempty"`
	LastAccessedDate epoch  `json:",omitzero"`
}

// replicationStatus returns the status of each replica of sec in the state d,
// in the order of their making.
func (s *Server) replicationStatus(sec *secret, d *content) []replicationStatus {
	var out []replicationStatus
	at := now()
	for _, r := range d.replicas {
		st := replicationStatus{Region: r.region, KmsKeyID: r.kmsKeyID, Status: "InSync", StatusMessage: "Replication succeeded"}
		if at.Before(r.ready) {
			st.Status, st.StatusMessage = "InProgress", ""
		} else if r.failure != "" {
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

// dropReplica forgets a region that the secret was replicated to.
func (c *content) dropReplica(region string) {
	c.replicas = slices.DeleteFunc(c.replicas, func(r *replication) bool { return r.region == region })
}
