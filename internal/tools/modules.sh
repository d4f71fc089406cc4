#!/usr/bin/env bash
# Prints the folder of every Go module in the repository, the root first.
set -euo pipefail
cd "$(dirname "$0")/../.."
find . -name .git -prune -o -name testdata -prune -o -name go.mod -printf '%h\n' | sort
