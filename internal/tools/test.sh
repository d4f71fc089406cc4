#!/usr/bin/env bash
# Runs go test, with the arguments as its flags, in every module. Database
# servers that are missing are installed where that is possible. Where it is
# not, the tests that need them are left out: said so at the end, and a
# failure in CI (where the environment variable CI is set).
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=
servers=yes
internal/tools/install-databases.sh || servers=no

for module in $(internal/tools/modules.sh); do
	echo "== go test $* in $module"
	(cd "$module" && go test "$@" ./... </dev/null) || failed="$failed $module"
done

if [ $servers = no ]; then
	echo
	echo "LEFT OUT: the tests on real database servers. Install what is missing above." >&2
	[ -z "${CI:-}" ] || failed="$failed databases"
fi
if [ -n "$failed" ]; then
	echo "FAILED:$failed" >&2
	exit 1
fi
