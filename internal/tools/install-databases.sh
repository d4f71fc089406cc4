#!/usr/bin/env bash
# Installs the database servers and the browser that the tests start for
# themselves, where they are missing and this is a Debian with us as root. No service is left
# running. Prints a line only for what it installs and for what is missing in
# the end; then it exits 1.
set -euo pipefail

# have reports whether a program is found where the tests look for it.
have() {
	case $1 in
	postgresql) PATH=$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' :) command -v postgres ;;
	mariadb-server) PATH=$PATH:/usr/sbin command -v mariadbd ;;
	pgbouncer) PATH=$PATH:/usr/sbin command -v pgbouncer ;;
	redis-server) command -v redis-server || command -v valkey-server ;;
	chromium) command -v chromium || command -v chromium-browser || command -v google-chrome ;;
	esac >/dev/null
}

missing() {
	for package in postgresql mariadb-server pgbouncer redis-server chromium; do
		have "$package" || echo "$package"
	done
}

# apt runs apt-get and shows its output only if it fails.
apt() {
	local out
	# A machine that has just been started may be installing things by itself.
	out=$(DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" </dev/null 2>&1) && return
	printf '%s\n' "$out" | tail -n 20 >&2
	return 1
}

# made are files that exist only while this script runs.
made=()
trap 'rm -f "${made[@]}"' EXIT

# make_file makes such a file, unless one is there.
make_file() {
	[ ! -e "$1" ] || return 0
	mkdir -p "${1%/*}"
	made+=("$1")
	printf '%s\n' "$2" >"$1"
	chmod 755 "$1"
}

# install_packages installs packages whose services must not start: Debian
# asks policy-rc.d before it starts one, and createcluster.d before it makes a
# PostgreSQL cluster. The lists of packages may be old, or not there yet; an
# update that fails for one source may have worked for the one that counts.
install_packages() {
	make_file /usr/sbin/policy-rc.d $'#!/bin/sh\nexit 101'
	make_file /etc/postgresql-common/createcluster.d/tests.conf 'create_main_cluster = false'
	apt install --no-install-recommends "$@" 2>/dev/null ||
		{ apt update; apt install --no-install-recommends "$@"; }
}

want=$(missing)
if [ -n "$want" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	for package in $want; do
		echo "installing $package"
		install_packages "$package" || true
	done
	want=$(missing)
fi
for package in $want; do
	echo "MISSING: $package (Debian: apt-get install $package, as root)" >&2
done
[ -z "$want" ]
