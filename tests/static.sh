#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
# static.sh BUILD: link mkartifact and artifact-inspect wholly static, look whether they are, and use them. BUILD is configured
# without pkcs11 (which loads modules), http, and disk (Debian has no static libfdisk).
cd "$1"
rm -f mkartifact/mkartifact artifact-inspect
make -s -j2 LDFLAGS=-static PIE_LDFLAGS= PIE_CFLAGS= \
	LIBS="$(pkg-config --static --libs libarchive ext2fs libcrypto libzstd jansson)"
for program in mkartifact/mkartifact artifact-inspect; do
	! readelf -lW "$program" | grep -q INTERP || { echo "$program is linked dynamically"; exit 1; }
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/root/etc" "$tmp/keys"
echo "NAME=static" >"$tmp/root/etc/os-release"
./mkartifact/mkartifact keygen -o "$tmp/k.pem"
cp "$tmp/k.pub.pem" "$tmp/keys"
./mkartifact/mkartifact create -o "$tmp/x.artifact" --name x --version 1 --compatible t --arch any --rootfs "$tmp/root" --key "$tmp/k.pem"
./artifact-inspect verify --deep --keys "$tmp/keys" "$tmp/x.artifact"
[ "$(./artifact-inspect cat --keys "$tmp/keys" "$tmp/x.artifact" /etc/os-release)" = "NAME=static" ]
