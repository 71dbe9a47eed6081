#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
set -eu
# native.sh BUILD DEST: build the installer alone for this architecture in BUILD and install it into DEST.
top=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1" "$2"
dest=$(cd "$2" && pwd)
cd "$1"
[ -f config.status ] || "$top/configure" -q --disable-tools --disable-tests --prefix=/usr --sysconfdir=/etc
make -s -j2 install-strip DESTDIR="$dest"
