// Package shape checks requests against the constraints of the service model.
package shape

import (
	"regexp"
)

// A shapeKind is the JSON type that a member of a request takes.
type shapeKind int

const (
	kindString shapeKind = iota
	kindBlob             // base64; lengths count the decoded bytes
	kindInteger
	kindBoolean
	kindList
	kindStructure
)

// A shape is the description of one value in the service's model.
type shape struct {
	kind      shapeKind
	min       int // length of strings, blobs and lists; value of integers
	max       int // 0: unbounded
	bytes     bool
	pattern   *regexp.Regexp
	enum      []string
	enumText  string
	sensitive bool
	elem      *shape
	name      string // of a structure
	members   []shapeMember
}

// A shapeMember is a named value of a structure.
type shapeMember struct {
	name     string
	required bool
	shape    *shape
}

func stringShape(min, max int) *shape { return &shape{kind: kindString, min: min, max: max} }

func patternShape(min, max int, pattern string) *shape {
	return &shape{kind: kindString, min: min, max: max, pattern: regexp.MustCompile(pattern)}
}

func enumShape(text string, values ...string) *shape {
	return &shape{kind: kindString, enum: values, enumText: text}
}

func intShape(min, max int) *shape { return &shape{kind: kindInteger, min: min, max: max} }

func listShape(min, max int, elem *shape) *shape {
	return &shape{kind: kindList, min: min, max: max, elem: elem}
}

func structShape(name string, members ...shapeMember) *shape {
	return &shape{kind: kindStructure, name: name, members: members}
}

func opt(name string, s *shape) shapeMember { return shapeMember{name, false, s} }
func req(name string, s *shape) shapeMember { return shapeMember{name, true, s} }

// Shapes that several operations share. Patterns are those of the model; the
// service anchors a pattern that the model does not.
var (
	boolShape      = &shape{kind: kindBoolean}
	anyIntShape    = &shape{kind: kindInteger}
	secretIDShape  = stringShape(1, 2048)
	versionIDShape = stringShape(32, 64)
	stageShape     = stringShape(1, 256)
	tokenShape     = stringShape(32, 64)
	nextTokenShape = stringShape(1, 4096)
	kmsShape       = stringShape(0, 2048)
	descShape      = stringShape(0, 2048)
	typeShape      = stringShape(0, 256)
	policyShape    = stringShape(1, 20480)

	// A value's limit is in bytes, not in characters.
	secretStringShape = &shape{kind: kindString, min: 1, max: 65536, bytes: true, sensitive: true}
	secretBinaryShape = &shape{kind: kindBlob, min: 1, max: 65536, sensitive: true}

	rotationTokenShape = &shape{kind: kindString, min: 36, max: 256, sensitive: true,
		pattern: regexp.MustCompile(`^[a-zA-Z0-9\-]+$`)}

	regionShape  = patternShape(1, 128, `^([a-z]+-)+\d+$`)
	replicaShape = structShape("ReplicaRegionType", opt("Region", regionShape), opt("KmsKeyId", kmsShape))
	tagKeyShape  = stringShape(1, 128)
	tagShape     = structShape("Tag", opt("Key", tagKeyShape), opt("Value", stringShape(0, 256)))

	// The text is the one recorded of the service, which names fewer keys
	// than it accepts.
	filterKeyShape = enumShape("[all, name, tag-key, description, tag-value]",
		"description", "name", "tag-key", "tag-value", "primary-region", "owning-service", "all")
	filterValueShape = patternShape(0, 512, `^\!?[a-zA-Z0-9 :_@\/\+\=\.\-\!]*$`)
	filterShape      = structShape("Filter", opt("Key", filterKeyShape),
		opt("Values", listShape(1, 10, filterValueShape)))
	filtersShape = listShape(0, 10, filterShape)

	rulesShape = structShape("RotationRulesType",
		opt("AutomaticallyAfterDays", intShape(1, 1000)),
		opt("Duration", patternShape(2, 3, `^(?:[0-9]+h)$`)),
		opt("ScheduleExpression", patternShape(1, 256, `^(?:[0-9A-Za-z\(\)#\?\*\-\/, ]+)$`)))
	externalShape = structShape("ExternalSecretRotationMetadataItem",
		opt("Key", stringShape(1, 256)), opt("Value", stringShape(1, 2048)))
)

// operationInputs holds the input of each of the 23 operations by name.
// ClientRequestToken is optional here: the operations answer its absence in
// words of their own.
var operationInputs = map[string]*shape{
	"BatchGetSecretValue": structShape("",
		opt("SecretIdList", listShape(1, 20, secretIDShape)), opt("Filters", filtersShape),
		opt("MaxResults", intShape(1, 20)), opt("NextToken", nextTokenShape)),
	"CancelRotateSecret": structShape("", req("SecretId", secretIDShape)),
	"CreateSecret": structShape("",
		req("Name", stringShape(1, 512)), opt("ClientRequestToken", tokenShape),
		opt("Description", descShape), opt("KmsKeyId", kmsShape),
		opt("SecretBinary", secretBinaryShape), opt("SecretString", secretStringShape),
		opt("Tags", listShape(0, 0, tagShape)), opt("AddReplicaRegions", listShape(1, 0, replicaShape)),
		opt("ForceOverwriteReplicaSecret", boolShape), opt("Type", typeShape)),
	"DeleteResourcePolicy": structShape("", req("SecretId", secretIDShape)),
	"DeleteSecret": structShape("",
		req("SecretId", secretIDShape), opt("RecoveryWindowInDays", anyIntShape),
		opt("ForceDeleteWithoutRecovery", boolShape)),
	"DescribeSecret": structShape("", req("SecretId", secretIDShape)),
	"GetRandomPassword": structShape("",
		opt("PasswordLength", intShape(1, 4096)), opt("ExcludeCharacters", stringShape(0, 4096)),
		opt("ExcludeNumbers", boolShape), opt("ExcludePunctuation", boolShape),
		opt("ExcludeUppercase", boolShape), opt("ExcludeLowercase", boolShape),
		opt("IncludeSpace", boolShape), opt("RequireEachIncludedType", boolShape)),
	"GetResourcePolicy": structShape("", req("SecretId", secretIDShape)),
	"GetSecretValue": structShape("",
		req("SecretId", secretIDShape), opt("VersionId", versionIDShape), opt("VersionStage", stageShape)),
	"ListSecretVersionIds": structShape("",
		req("SecretId", secretIDShape), opt("MaxResults", intShape(1, 100)),
		opt("NextToken", nextTokenShape), opt("IncludeDeprecated", boolShape)),
	"ListSecrets": structShape("",
		opt("IncludePlannedDeletion", boolShape), opt("MaxResults", intShape(1, 100)),
		opt("NextToken", nextTokenShape), opt("Filters", filtersShape),
		opt("SortOrder", enumShape("[asc, desc]", "asc", "desc")),
		opt("SortBy", enumShape("[created-date, last-accessed-date, last-changed-date, name]",
			"created-date", "last-accessed-date", "last-changed-date", "name"))),
	"PutResourcePolicy": structShape("",
		req("SecretId", secretIDShape), req("ResourcePolicy", policyShape), opt("BlockPublicPolicy", boolShape)),
	"PutSecretValue": structShape("",
		req("SecretId", secretIDShape), opt("ClientRequestToken", tokenShape),
		opt("SecretBinary", secretBinaryShape), opt("SecretString", secretStringShape),
		opt("VersionStages", listShape(1, 20, stageShape)), opt("RotationToken", rotationTokenShape)),
	"RemoveRegionsFromReplication": structShape("",
		req("SecretId", secretIDShape), req("RemoveReplicaRegions", listShape(1, 0, regionShape))),
	"ReplicateSecretToRegions": structShape("",
		req("SecretId", secretIDShape), req("AddReplicaRegions", listShape(1, 0, replicaShape)),
		opt("ForceOverwriteReplicaSecret", boolShape)),
	"RestoreSecret": structShape("", req("SecretId", secretIDShape)),
	"RotateSecret": structShape("",
		req("SecretId", secretIDShape), opt("ClientRequestToken", tokenShape),
		opt("RotationLambdaARN", stringShape(0, 2048)), opt("RotationRules", rulesShape),
		opt("ExternalSecretRotationMetadata", listShape(0, 0, externalShape)),
		opt("ExternalSecretRotationRoleArn", stringShape(20, 2048)), opt("RotateImmediately", boolShape)),
	"StopReplicationToReplica": structShape("", req("SecretId", secretIDShape)),
	"TagResource": structShape("",
		req("SecretId", secretIDShape), req("Tags", listShape(0, 0, tagShape))),
	"UntagResource": structShape("",
		req("SecretId", secretIDShape), req("TagKeys", listShape(0, 0, tagKeyShape))),
	"UpdateSecret": structShape("",
		req("SecretId", secretIDShape), opt("ClientRequestToken", tokenShape),
		opt("Description", descShape), opt("KmsKeyId", kmsShape),
		opt("SecretBinary", secretBinaryShape), opt("SecretString", secretStringShape),
		opt("Type", typeShape)),
	"UpdateSecretVersionStage": structShape("",
		req("SecretId", secretIDShape), req("VersionStage", stageShape),
		opt("RemoveFromVersionId", versionIDShape), opt("MoveToVersionId", versionIDShape)),
	"ValidateResourcePolicy": structShape("",
		opt("SecretId", secretIDShape), req("ResourcePolicy", policyShape)),
}
