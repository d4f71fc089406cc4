package secretstest

// operations holds the operations by name. It is filled in once and then only
// read.
var operations map[string]*operation

func init() {
	operations = make(map[string]*operation)
	for _, op := range []operation{
		{name: "BatchGetSecretValue", run: batchGetSecretValue},
		{name: "CancelRotateSecret", run: cancelRotateSecret, onSecret: true, ownerOnly: true},
		{name: "CreateSecret", run: createSecret, before: needToken},
		{name: "DeleteResourcePolicy", run: deleteResourcePolicy, onSecret: true},
		{name: "DeleteSecret", run: deleteSecret},
		{name: "DescribeSecret", run: describeSecret, onSecret: true, onDying: true, onReplica: true, checkName: true},
		{name: "GetRandomPassword", run: getRandomPassword},
		{name: "GetResourcePolicy", run: getResourcePolicy, onSecret: true},
		{name: "GetSecretValue", run: getSecretValue, onSecret: true, onReplica: true, checkName: true},
		{name: "ListSecretVersionIds", run: listSecretVersionIDs, onSecret: true, onDying: true, onReplica: true, checkName: true},
		{name: "ListSecrets", run: listSecrets},
		{name: "PutResourcePolicy", run: putResourcePolicy, onSecret: true},
		{name: "PutSecretValue", run: putSecretValue, before: needTokenAndValue, onSecret: true, checkName: true, ownerOnly: true},
		{name: "RemoveRegionsFromReplication", run: removeRegionsFromReplication, onSecret: true},
		{name: "ReplicateSecretToRegions", run: replicateSecretToRegions, onSecret: true},
		{name: "RestoreSecret", run: restoreSecret, onSecret: true, onDying: true},
		{name: "RotateSecret", run: rotateSecret, before: needRotationToken, onSecret: true},
		{name: "StopReplicationToReplica", run: stopReplicationToReplica, onSecret: true, onReplica: true},
		{name: "TagResource", run: tagResource, onSecret: true, checkName: true, ownerOnly: true},
		{name: "UntagResource", run: untagResource, onSecret: true, checkName: true, ownerOnly: true},
		{name: "UpdateSecret", run: updateSecret, before: needToken, onSecret: true, checkName: true, ownerOnly: true},
		{name: "UpdateSecretVersionStage", run: updateSecretVersionStage, onSecret: true, ownerOnly: true},
		{name: "ValidateResourcePolicy", run: validateResourcePolicy, checkName: true},
	} {
		operations[op.name] = &op
	}
}

// An operation is one of the 23.
type operation struct {
	name string
	run  func(*call) (any, error)

	// before, if not nil, makes the checks that precede the look-up.
	before func(input) error

	onSecret  bool // SecretId is required: it is looked up and access is checked
	checkName bool // a SecretId with other characters than a name has is refused
	onDying   bool // works on a secret that is to be deleted
	onReplica bool // works on a replica
	ownerOnly bool // is for the owning service, if there is one
}
