#!/usr/bin/env bash
# Runs go test, with the arguments as its flags, in every module, all at once:
# most tests wait for something. Database servers that are missing are
# installed where that is possible. Where it is not, the tests that need them
# are left out: said so at the end, and a failure in CI (where the environment
# variable CI is set).
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=
servers=yes
internal/tools/install-databases.sh || servers=no

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
modules=$(internal/tools/modules.sh)
declare -A running
for module in $modules; do
	(cd "$module" && exec go test -parallel 6 "$@" ./...) </dev/null >"$out/${module//\//_}" 2>&1 &
	running[$module]=$!
done
for module in $modules; do
	wait "${running[$module]}" || failed="$failed $module"
	echo "== go test $* in $module"
	grep -v '\[no test files\]$' "$out/${module//\//_}"
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
