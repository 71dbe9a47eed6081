#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
# packages.sh PART...: install what is missing of these parts of the file `packages`. Changes nothing else of the host: no
# sources, no architectures, no services (those that packages bring are not started).
list=$(cd "$(dirname "$0")/.." && pwd)/packages
missing=
for part in "$@"; do
	# shellcheck disable=SC2013
	for p in $(sed -n "/^# $part\$/,/^\$/p" "$list" | grep -v '^#'); do
		# shellcheck disable=SC2016
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing="$missing $p"
	done
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "these packages are missing and only root can install them:$missing" >&2
	exit 1
fi
echo "installing:$missing"
DEBIAN_FRONTEND=noninteractive
RUNLEVEL=1 # invoke-rc.d starts no service
export DEBIAN_FRONTEND RUNLEVEL
# shellcheck disable=SC2086
if ! apt-get install -y -q --no-install-recommends $missing >/dev/null 2>&1; then
	apt-get update -q
	apt-get install -y -q --no-install-recommends $missing
fi
