#!/usr/bin/env bash
# Checks the form of the code. With names of checks as arguments, those only:
#
#   format       gofmt has nothing to change
#   vet          go vet
#   staticcheck  staticcheck, at a pinned version
#   tidy         go.mod and go.sum are what go mod tidy makes of them
#   deps         the root module requires what alldeps.txt lists, and no more
#   text         no file and no commit message names what is outside the repository
set -uo pipefail
cd "$(dirname "$0")/../.."
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2

# each runs a command in every module.
each() {
	local module status=0
	for module in $(internal/tools/modules.sh); do
		(cd "$module" && "$@" </dev/null) || { echo "in $module" >&2; status=1; }
	done
	return $status
}

format() {
	local out
	out=$(gofmt -l -s .) && [ -z "$out" ] && return
	printf 'gofmt -s changes:\n%s\n' "$out" >&2
	return 1
}

vet() { each go vet ./...; }

staticcheck() { each go run "$staticcheck" ./...; }

tidy() { each go mod tidy -diff; }

deps() {
	# A module that uses the root gets all of these into its own list.
	local list
	list=$(go list -m -f '{{if not .Main}}{{.Path}}{{end}}' all) || return
	diff -u internal/tools/alldeps.txt - <<<"$list"
}

text() {
	local outside='\.\./shared' log
	git grep -nIE "$outside" >&2
	[ $? = 1 ] || return 1 # 0: found; more: git failed
	log=$(git log --format='%h %B') || return
	! grep -nE "$outside" <<<"$log" >&2
}

checks=${*:-format vet staticcheck tidy deps text}
failed=
for check in $checks; do
	case $check in
	format | vet | staticcheck | tidy | deps | text) "$check" || failed="$failed $check" ;;
	*) echo "lint.sh: no check $check" >&2 && exit 2 ;;
	esac
done
if [ -n "$failed" ]; then
	echo "FAILED:$failed" >&2
	exit 1
fi
