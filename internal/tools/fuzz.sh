#!/usr/bin/env bash
# Runs every fuzz test of every module, each for FUZZTIME (20s). An input that
# covers something new is minimized 10 times at most: by default that goes on
# for a minute, and the fuzzing stands still.
set -euo pipefail
cd "$(dirname "$0")/../.."
failed=
while IFS=: read -r file line; do
	name=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$line")
	echo "== $name in ${file%/*}"
	(cd "${file%/*}" && go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-20s}" -fuzzminimizetime 10x . </dev/null) || failed="$failed $name"
done < <(grep -rE --include='*_test.go' '^func Fuzz[A-Z0-9_]' . | sort)
if [ -n "$failed" ]; then
	echo "FAILED:$failed" >&2
	exit 1
fi
