#!/usr/bin/env bash
# Runs every soak, with the arguments as further flags: all servers, strategies
# and clients; package sqlcred behind PgBouncer, with fewer logins at a time, with an
# account that is blocked after three wrong passwords in a row, and with a
# Secrets Manager that throttles, fails and lags; package pgxcred; HTTP keys and TLS
# certificates. Then, with rotations far apart, servers that are near and far, and
# fleets of processes. About 20 minutes on two processors; less with -rotations 20.
set -uo pipefail
cd "$(dirname "$0")/../.."
internal/tools/install-databases.sh || { [ -z "${CI:-}" ] || exit 1; }

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
(cd internal/integration && go build -o "$bin/soak" ./soak) || exit 1

# lane runs the soaks of its input, one after the other.
lane() {
	local status=0 flags
	while read -r flags; do
		# shellcheck disable=SC2086
		"$bin/soak" -naive-rotations 20 -window 400ms -gap 150ms $flags "${args[@]}" </dev/null || status=1
	done
	return $status
}

args=("$@")
status=0
single="-policies sqlcred -ways hand -strategies single-user"
spread="-ways hand -strategies single-user -rotations 20"

# Busy clients: what they promise holds on a busy machine too, so two soaks run at
# a time.
lane <<EOT &
-servers postgres,mariadb -ways hand
-servers pgxpool -ways hand
$single -maxlogins 2 -servers postgres,mariadb -rotations 50
$single -maxlogins 1 -servers postgres,mariadb -rotations 50 -max-password-errors 3
-policies sqlcred -ways hand -faults -servers postgres,mariadb -rotations 50
EOT
first=$!
lane <<EOT || status=1
-servers redis,redis-rueidis,redis-redigo,http,tls
-policies sqlcred -servers postgres,mariadb -ways rotate
-strategies single-user -servers pgbouncer -ways hand
$single -servers pgbouncer-pq-file-md5,pgbouncer-pgxpool,pgxpool-tls
-policies sqlcred -strategies single-user -servers pgxpool,pgbouncer-pgxpool -ways overlapping -rotations 100
EOT
wait "$first" || status=1

# Few logins, whose number is what counts: those of a server that is far wait most of
# the time.
lane <<EOT &
-policies sqlcred $spread -servers postgres,postgres-pq,mariadb,postgres-name,postgres-plain -scenes isolated-far
EOT
first=$!
lane <<EOT || status=1
-policies sqlcred $spread -servers postgres,postgres-pq,mariadb,postgres-name,postgres-plain -scenes isolated
-policies naive $spread -servers postgres -scenes isolated -rotations 5
-policies fleet,fleet-pushed $spread -servers postgres -scenes isolated
-policies fleet-pushed -ways hand -strategies alternating-users -servers postgres -scenes isolated -rotations 20
EOT
wait "$first" || status=1
exit $status
