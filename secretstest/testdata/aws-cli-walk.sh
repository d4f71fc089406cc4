#!/bin/sh
# Walks the commands that people use the AWS CLI with Secrets Manager for, and
# checks each answer. It exits with status 1 at the first that is not as AWS
# would have it.
#
#	go run ./secretstest/fakeserver -addr 127.0.0.1:4566 \
#		-rotation-function arn:aws:lambda:us-east-1:123456789012:function:rotation-function
#	secretstest/testdata/aws-cli-walk.sh http://127.0.0.1:4566
#
# The server must hold no secrets named prod/* or walk/*.
set -u

endpoint=${1:?usage: aws-cli-walk.sh endpoint}
function=arn:aws:lambda:us-east-1:123456789012:function:rotation-function

export AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID:-test} AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY:-test}
export AWS_DEFAULT_REGION=us-east-1 AWS_DEFAULT_OUTPUT=json AWS_PAGER='' AWS_MAX_ATTEMPTS=1
export AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
unset AWS_PROFILE AWS_REGION AWS_SESSION_TOKEN AWS_ENDPOINT_URL

n=0

# sm runs a command and leaves its output in $out.
sm() {
	command=$*
	out=$(aws --endpoint-url "$endpoint" secretsmanager "$@" 2>&1) || fail "$out"
}

# refused runs a command that must fail with an error of that code and text.
refused() {
	code=$1 text=$2
	shift 2
	command=$*
	out=$(aws --endpoint-url "$endpoint" secretsmanager "$@" 2>&1) && fail "got an answer, want $code: $out"
	case $out in
	*"($code)"*"$text"*) n=$((n + 1)) ;;
	*) fail "got $out, want $code: $text" ;;
	esac
}

fail() {
	echo "aws secretsmanager $command:" >&2
	echo "	$1" >&2
	exit 1
}

# eq compares a part of the last answer with what it must be.
eq() {
	[ "$2" = "$3" ] || fail "$1: got '$2', want '$3'"
	n=$((n + 1))
}

# like checks a value against a pattern of the shell.
like() {
	# shellcheck disable=SC2254
	case $2 in
	$3) n=$((n + 1)) ;;
	*) fail "$1: got '$2', want a match of '$3'" ;;
	esac
}

# q runs a command and prints what a query finds in its answer, as text.
q() {
	query=$1
	shift
	command=$*
	out=$(aws --endpoint-url "$endpoint" --output text --query "$query" secretsmanager "$@" 2>&1) || fail "$out"
}

# create-secret, with tags and without
q '[Name, ARN, VersionId]' create-secret --name prod/db-credentials \
	--secret-string '{"username": "admin", "password": "MySecretPassword123!"}' \
	--tags '[{"Key": "Environment", "Value": "production"}]'
# shellcheck disable=SC2086
set -- $out
eq Name "$1" prod/db-credentials
like ARN "$2" 'arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-credentials-??????'
arn=$2 first=$3
q Name create-secret --name prod/api-key --secret-string sk-xxxxx-xxxxx-xxxxx
eq Name "$out" prod/api-key
refused ResourceExistsException 'The operation failed because the secret prod/api-key already exists.' \
	create-secret --name prod/api-key --secret-string again

# get-secret-value
q SecretString get-secret-value --secret-id prod/db-credentials
eq SecretString "$out" '{"username": "admin", "password": "MySecretPassword123!"}'
q '[Name, VersionId, VersionStages[0], length(VersionStages)]' get-secret-value --secret-id "$arn"
eq answer "$out" "prod/db-credentials	$first	AWSCURRENT	1"
q SecretString get-secret-value --secret-id prod/api-key
eq SecretString "$out" sk-xxxxx-xxxxx-xxxxx
refused ResourceNotFoundException "Secrets Manager can't find the specified secret." get-secret-value --secret-id walk/none
printf '\000\001\376\377' >"${TMPDIR:-/tmp}/aws-cli-walk.$$"
q Name create-secret --name walk/binary --secret-binary "fileb://${TMPDIR:-/tmp}/aws-cli-walk.$$"
rm -f "${TMPDIR:-/tmp}/aws-cli-walk.$$"
q '[SecretBinary, SecretString]' get-secret-value --secret-id walk/binary
eq SecretBinary "$out" 'AAH+/w==	None'

# list-secrets
q 'SecretList[].Name' list-secrets
eq names "$out" 'prod/db-credentials	prod/api-key	walk/binary'
q 'SecretList[].Name' list-secrets --filters Key=tag-key,Values=Environment
eq names "$out" prod/db-credentials
q 'SecretList[].Name' list-secrets --filters Key=name,Values=prod/ --sort-by name --sort-order asc
eq names "$out" 'prod/api-key	prod/db-credentials'
q 'SecretList[].Name' list-secrets --page-size 1
eq 'names page by page' "$(echo "$out" | tr '\n' '\t' | sed 's/\t$//')" 'prod/db-credentials	prod/api-key	walk/binary'

# put-secret-value of a pending version, and update-secret-version-stage
q '[VersionId, VersionStages[0]]' put-secret-value --secret-id prod/api-key --secret-string sk-new --version-stages AWSPENDING
# shellcheck disable=SC2086
set -- $out
eq stage "$2" AWSPENDING
pending=$1
q SecretString get-secret-value --secret-id prod/api-key
eq 'current value' "$out" sk-xxxxx-xxxxx-xxxxx
q SecretString get-secret-value --secret-id prod/api-key --version-stage AWSPENDING
eq 'pending value' "$out" sk-new
q VersionId get-secret-value --secret-id prod/api-key
current=$out
refused InvalidParameterException "The parameter RemoveFromVersionId can't be empty." \
	update-secret-version-stage --secret-id prod/api-key --version-stage AWSCURRENT --move-to-version-id "$pending"
q Name update-secret-version-stage --secret-id prod/api-key --version-stage AWSCURRENT \
	--move-to-version-id "$pending" --remove-from-version-id "$current"
eq Name "$out" prod/api-key
q SecretString get-secret-value --secret-id prod/api-key
eq 'current value' "$out" sk-new
q VersionId get-secret-value --secret-id prod/api-key --version-stage AWSPREVIOUS
eq 'previous version' "$out" "$current"
q 'length(Versions)' list-secret-version-ids --secret-id prod/api-key
eq versions "$out" 2

# rotate-secret
refused InvalidRequestException 'No Lambda rotation function ARN is associated with this secret.' \
	rotate-secret --secret-id prod/db-credentials
refused AccessDeniedException 'Secrets Manager cannot invoke the specified Lambda function.' \
	rotate-secret --secret-id prod/db-credentials --rotation-lambda-arn "${function}-none"
q '[Name, VersionId]' rotate-secret --secret-id prod/db-credentials \
	--rotation-lambda-arn "$function" --rotation-rules '{"AutomaticallyAfterDays": 30}'
# shellcheck disable=SC2086
set -- $out
eq Name "$1" prod/db-credentials
rotated=$2
tries=0
while q VersionId get-secret-value --secret-id prod/db-credentials && [ "$out" != "$rotated" ]; do
	tries=$((tries + 1))
	[ $tries -lt 20 ] || fail "version $rotated is not current"
	sleep 0.2
done
q SecretString get-secret-value --secret-id prod/db-credentials
like SecretString "$out" '*"username":*"admin"*'
case $out in *MySecretPassword123*) fail 'the password is as it was' ;; esac
q VersionId get-secret-value --secret-id prod/db-credentials --version-stage AWSPREVIOUS
eq 'previous version' "$out" "$first"
q '[RotationEnabled, RotationLambdaARN, RotationRules.AutomaticallyAfterDays, LastRotatedDate != null, NextRotationDate != null]' \
	describe-secret --secret-id prod/db-credentials
eq rotation "$out" "True	$function	30	True	True"
q 'RotationRules.[ScheduleExpression, Duration]' describe-secret --secret-id prod/db-credentials
eq schedule "$out" 'None	None'
q Name rotate-secret --secret-id prod/db-credentials --rotation-rules '{"ScheduleExpression": "cron(0 8 1 * ? *)", "Duration": "2h"}' \
	--no-rotate-immediately
eq Name "$out" prod/db-credentials
q 'RotationRules.[ScheduleExpression, Duration]' describe-secret --secret-id prod/db-credentials
eq schedule "$out" 'cron(0 8 1 * ? *)	2h'
q Name cancel-rotate-secret --secret-id prod/db-credentials
q RotationEnabled describe-secret --secret-id prod/db-credentials
eq RotationEnabled "$out" False

# replicate-secret-to-regions and describe-secret
q 'ReplicationStatus[].Region' replicate-secret-to-regions --secret-id prod/db-credentials --add-replica-regions '[{"Region": "us-west-2"}]'
eq regions "$out" us-west-2
q '[Name, PrimaryRegion, ReplicationStatus[0].Region, ReplicationStatus[0].Status, Tags[0].Key, Tags[0].Value]' \
	describe-secret --secret-id prod/db-credentials
eq description "$out" 'prod/db-credentials	us-east-1	us-west-2	InSync	Environment	production'
q VersionId --region us-west-2 get-secret-value --secret-id prod/db-credentials
eq "the replica's version" "$out" "$rotated"
refused InvalidParameterException 'Operation not permitted on a replica secret.' \
	--region us-west-2 put-secret-value --secret-id prod/db-credentials --secret-string x
refused InvalidParameterException 'that still has replica regions [us-west-2]' delete-secret --secret-id prod/db-credentials
q 'length(ReplicationStatus || `[]`)' remove-regions-from-replication --secret-id prod/db-credentials --remove-replica-regions us-west-2
eq regions "$out" 0

# put-resource-policy and get-resource-policy
policy='{"Version": "2012-10-17", "Statement": [
	{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
	 "Action": "secretsmanager:GetSecretValue", "Resource": "*"},
	{"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::123456789012:user/bob"},
	 "Action": "secretsmanager:GetSecretValue",
	 "Resource": "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-credentials"}]}'
q PolicyValidationPassed validate-resource-policy --resource-policy "$policy"
eq PolicyValidationPassed "$out" True
q '[ARN, Name]' put-resource-policy --secret-id prod/db-credentials --resource-policy "$policy"
eq answer "$out" "$arn	prod/db-credentials"
q ResourcePolicy get-resource-policy --secret-id prod/db-credentials
eq ResourcePolicy "$(echo "$out" | tr -d ' \t\n')" "$(echo "$policy" | tr -d ' \t\n')"
refused MalformedPolicyDocumentException '' put-resource-policy --secret-id prod/db-credentials --resource-policy '{"Version":'
refused PublicPolicyException '' put-resource-policy --secret-id prod/db-credentials --block-public-policy \
	--resource-policy '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:*", "Resource": "*"}}'
q Name delete-resource-policy --secret-id prod/db-credentials
q ResourcePolicy get-resource-policy --secret-id prod/db-credentials
eq ResourcePolicy "$out" None

# tag-resource and untag-resource
sm tag-resource --secret-id prod/api-key --tags Key=team,Value=payments
q 'Tags[].[Key, Value]' describe-secret --secret-id prod/api-key
eq tags "$out" 'team	payments'
sm untag-resource --secret-id prod/api-key --tag-keys team
q 'length(Tags)' describe-secret --secret-id prod/api-key
eq tags "$out" 0

# update-secret
q '[Name, VersionId]' update-secret --secret-id prod/api-key --description 'a key'
eq answer "$out" 'prod/api-key	None'
q Description describe-secret --secret-id prod/api-key
eq Description "$out" 'a key'

# batch-get-secret-value
q '[SecretValues[0].SecretString, Errors[0].SecretId, Errors[0].ErrorCode]' \
	batch-get-secret-value --secret-id-list prod/api-key walk/none
eq answer "$out" 'sk-new	walk/none	ResourceNotFoundException'
q 'SecretValues[].Name' batch-get-secret-value --filters Key=name,Values=prod/
eq names "$out" 'prod/db-credentials	prod/api-key'

# get-random-password
q 'length(RandomPassword)' get-random-password
eq length "$out" 32
q 'length(RandomPassword)' get-random-password --password-length 20 --require-each-included-type
eq length "$out" 20
refused InvalidParameterException 'Password length is too short based on the required types.' get-random-password --password-length 3

# delete-secret and restore-secret
q '[Name, DeletionDate != null]' delete-secret --secret-id prod/db-credentials --recovery-window-in-days 7
eq answer "$out" 'prod/db-credentials	True'
refused InvalidRequestException 'marked for deletion' get-secret-value --secret-id prod/db-credentials
q 'DeletedDate != null' describe-secret --secret-id prod/db-credentials
eq DeletedDate "$out" True
q '[ARN, Name]' restore-secret --secret-id prod/db-credentials
eq answer "$out" "$arn	prod/db-credentials"
q VersionId get-secret-value --secret-id prod/db-credentials
eq VersionId "$out" "$rotated"
for name in prod/db-credentials prod/api-key walk/binary; do
	q Name delete-secret --secret-id "$name" --force-delete-without-recovery
	eq Name "$out" "$name"
	refused ResourceNotFoundException "Secrets Manager can't find the specified secret." describe-secret --secret-id "$name"
done
q 'length(SecretList)' list-secrets
eq secrets "$out" 0

echo "$n answers as they should be"
