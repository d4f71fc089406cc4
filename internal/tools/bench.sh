#!/usr/bin/env bash
# Prints what the cache costs and judges it by its limits, then prints how the
# samples differ from those of the newest release. The exit status is that of the
# limits: what another machine measured at another time decides nothing.
set -uo pipefail
cd "$(dirname "$0")/../.."
benchstat=golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

now=$(mktemp) || exit
trap 'rm -f "$now"' EXIT
go run ./internal/bench -record "$now" "$@"
status=$?
release=$(ls internal/bench/releases/v*.txt 2>/dev/null | sort -V | tail -n 1)
if [ -n "$release" ] && [ -s "$now" ]; then
	printf '\nBeside %s (%s there, %s here). SyncMapLoad and GolangLRUGet are none of ours: they show how the machines differ.\n\n' \
		"$(basename "$release" .txt)" "$(sed -n 's/^cpu: //p' "$release")" "$(sed -n 's/^cpu: //p' "$now")"
	go run "$benchstat" -ignore cpu,go "$(basename "$release" .txt)=$release" "now=$now" ||
		echo "benchstat could not be run: nothing is compared"
fi
exit $status
