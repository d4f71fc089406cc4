#!/usr/bin/env bash
# Runs every soak, with the arguments as further flags: all servers, strategies
# and clients; then package sqlcred behind PgBouncer, with rotations far apart on
# a server that is near or far, as a fleet of processes, with fewer logins at a time, with an
# account that is blocked after three wrong passwords in a row, and with a
# Secrets Manager that throttles, fails and lags; then package pgxcred. About 33
# minutes; less with -rotations 20.
set -uo pipefail
cd "$(dirname "$0")/../.."
internal/tools/install-databases.sh || { [ -z "${CI:-}" ] || exit 1; }

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
(cd internal/integration && go build -o "$bin/soak" ./soak) || exit 1

single="-policies sqlcred -ways hand -strategies single-user"
status=0
# It waits most of the time, and so runs beside the others.
# shellcheck disable=SC2086
"$bin/soak" $single -servers postgres,postgres-pq,mariadb,postgres-plain -scenes isolated-far -rotations 20 "$@" >"$bin/far" 2>&1 </dev/null &
far=$!
while read -r flags; do
	# shellcheck disable=SC2086
	"$bin/soak" $flags "$@" </dev/null || status=1
done <<EOT

$single -servers pgbouncer,pgbouncer-pq-file-md5 -rotations 100
$single -servers postgres,postgres-pq,mariadb,postgres-plain -scenes isolated -rotations 20
-policies fleet -ways hand -strategies single-user -servers postgres -scenes isolated -rotations 20
$single -maxlogins 2 -rotations 100
$single -maxlogins 1 -rotations 100 -max-password-errors 3
-policies sqlcred -ways hand -faults -rotations 50
-servers pgxpool -ways hand
$single -servers pgxpool-tls
-policies sqlcred -strategies single-user -servers pgxpool -ways overlapping
EOT
wait "$far" || status=1
cat "$bin/far"
exit $status
