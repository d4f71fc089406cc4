#!/usr/bin/env bash
# Checks the form of the code. With names of checks as arguments, those only:
#
#   format       gofmt has nothing to change
#   vet          go vet
#   staticcheck  staticcheck, at a pinned version
#   tidy         go.mod and go.sum are what go mod tidy makes of them
#   deps         the root module requires what alldeps.txt lists, and no more
#   builds       the root module compiles for other systems and for 32 bits
#   api          nothing that the last release exports has changed or is gone
#   text         no file and no commit message names what is outside the repository
set -uo pipefail
cd "$(dirname "$0")/../.."
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
apidiff=golang.org/x/exp/cmd/apidiff@v0.0.0-20261014143641-f0251eb4aa3e

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

builds() {
	local target status=0
	for target in linux/386 windows/amd64 darwin/arm64 wasip1/wasm; do
		GOOS=${target%/*} GOARCH=${target#*/} go build ./... || { echo "for $target" >&2; status=1; }
	done
	return $status
}

# The last release is the newest tag or, where there are no tags, the commit in
# released.txt. Before 1.0.0 a minor version may break its users: CHANGELOG.md
# then has a line "### Removed", and the check only prints.
api() {
	local release dir out
	release=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null) || release=$(grep -oE '^[0-9a-f]{40}' internal/tools/released.txt)
	git cat-file -e "$release^{commit}" || { echo "the history does not hold the last release, $release" >&2; return 1; }
	dir=$(mktemp -d) || return
	git archive "$release" | tar -x -C "$dir" &&
		GOBIN=$dir go install "$apidiff" &&
		(cd "$dir" && ./apidiff -m -w "$dir/released" .) 2>/dev/null &&
		out=$("$dir/apidiff" -m -incompatible "$dir/released" . 2>/dev/null)
	local status=$?
	rm -rf "$dir"
	[ $status = 0 ] || { echo "apidiff failed" >&2; return 1; }
	[ -n "$out" ] || return 0
	printf 'changed since %s:\n%s\n' "$release" "$out" >&2
	sed '/^## \[[0-9]/q' CHANGELOG.md | grep -q '^### Removed'
}

text() {
	local outside='\.\./shared' log
	git grep -nIE "$outside" >&2
	[ $? = 1 ] || return 1 # 0: found; more: git failed
	log=$(git log --format='%h %B') || return
	! grep -nE "$outside" <<<"$log" >&2
}

checks=${*:-format vet staticcheck tidy deps builds api text}
failed=
for check in $checks; do
	case $check in
	format | vet | staticcheck | tidy | deps | builds | api | text) "$check" || failed="$failed $check" ;;
	*) echo "lint.sh: no check $check" >&2 && exit 2 ;;
	esac
done
if [ -n "$failed" ]; then
	echo "FAILED:$failed" >&2
	exit 1
fi
