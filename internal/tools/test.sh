#!/usr/bin/env bash
# Runs go test, with the arguments as its flags, in every module, all at once:
# most tests wait for something. Without vet: that is lint.sh's. Database servers
# and a browser that are missing are installed where that is possible. Where it
# is not, the tests that need them are left out: said so at the end, and a failure
# in CI (where the environment variable CI is set).
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=
servers=yes
internal/tools/install-databases.sh || servers=no

# in_memory puts temporary files into memory where there are 2 GB of it: a
# database server makes a thousand files. The folder has always the same name,
# so that the next run finds what one that was killed has left behind.
in_memory() {
	local dir=/dev/shm/secrets-tests-$UID room
	room=$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1) && [ "$room" -ge 2000000 ] || return 0
	mkdir -m 755 "$dir" 2>/dev/null || { [ -d "$dir" ] && [ ! -L "$dir" ] && [ -O "$dir" ]; } || return 0
	# Programs are built, and run, where they were: memory may be noexec.
	export GOTMPDIR=${GOTMPDIR:-/tmp} TMPDIR=$dir
}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
[ -n "${TMPDIR:-}" ] || in_memory

modules=$(internal/tools/modules.sh)
declare -A running
for module in $modules; do
	# What takes longest is named first: nothing waits for it in the end.
	longest=
	[ "$module" != ./internal/integration ] || longest=./rotatetest
	(cd "$module" && exec go test -vet=off -parallel 6 "$@" $longest ./...) </dev/null >"$out/${module//[.\/]/_}" 2>&1 &
	running[$module]=$!
done
for module in $modules; do
	wait "${running[$module]}" || failed="$failed $module"
	echo "== go test $* in $module"
	grep -v '\[no test files\]$' "$out/${module//[.\/]/_}"
done

if [ $servers = no ]; then
	echo
	echo "LEFT OUT: the tests that need what is missing above." >&2
	[ -z "${CI:-}" ] || failed="$failed databases"
fi
if [ -n "$failed" ]; then
	echo "FAILED:$failed" >&2
	exit 1
fi
