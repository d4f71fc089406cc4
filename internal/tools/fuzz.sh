#!/usr/bin/env bash
# Runs every fuzz test of every module, each for FUZZTIME (20s).
set -euo pipefail
cd "$(dirname "$0")/../.."
failed=
while IFS=: read -r file line; do
	name=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$line")
	echo "== $name in ${file%/*}"
	(cd "${file%/*}" && go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-20s}" . </dev/null) || failed="$failed $name"
done < <(grep -rE --include='*_test.go' '^func Fuzz[A-Z0-9_]' . | sort)
if [ -n "$failed" ]; then
	echo "FAILED:$failed" >&2
	exit 1
fi
