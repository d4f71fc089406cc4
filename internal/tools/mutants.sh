#!/usr/bin/env bash
# Breaks the rules listed in mutants.txt one at a time, and fails if the tests
# do not notice. Arguments choose the mutants whose names contain one of them.
set -euo pipefail
cd "$(dirname "$0")/../.."
go run ./internal/tools/mutants internal/tools/mutants.txt "$@"
