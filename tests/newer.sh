#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
set -eu
# newer.sh BUILD DIRECTORY: the programs that were built in BUILD, with the libraries of the next Debian below DIRECTORY, and their tests of keys
# and signatures. That libcrypto (3.5) has ML-DSA; devices are signed with it from end to end. 77: the packages could not be had.
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/debs.sh
. "$top/tests/debs.sh"
suite=trixie
build=$(cd "$1" && pwd)
mkdir -p "$2"
dir=$(cd "$2" && pwd)
root=$dir/root
libs=$root/usr/lib/x86_64-linux-gnu

if [ "$(uname -m)" != x86_64 ]; then
	echo "SKIP: written for x86_64"
	exit 77
fi
if [ ! -f "$root/.complete" ]; then
	rm -rf "$root"
	debs_open amd64 "$root" "$suite"
	# What the programs, the tests' Check and the openssl program link.
	if ! debs_install "$root" libc6 libssl3t64 openssl libjansson4 libarchive13t64 libcurl4t64 libext2fs2t64 libfdisk1 libinih1 libzstd1 \
		libubootenv0.1 libefivar1t64 libp11-kit0 libsubunit0; then
		echo "SKIP: packages of $suite cannot be had"
		exit 77
	fi
	debs_close
	touch "$root/.complete"
fi

# A build directory whose programs load those libraries.
rm -rf "${dir:?}/build" "${dir:?}/bin"
mkdir -p "$dir/build/mkartifact" "$dir/bin"
wrap() { # PROGRAM AS
	printf '#!/bin/sh\nOPENSSL_MODULES=%s OPENSSL_CONF=/dev/null exec %s/ld-linux-x86-64.so.2 --library-path %s --argv0 "$0" %s "$@"\n' \
		"$libs/ossl-modules" "$libs" "$libs" "$1" >"$2"
	chmod +x "$2"
}
wrap "$root/usr/bin/openssl" "$dir/bin/openssl"
make -s -C "$build" -j2 check_key check_sig check_trust check_policy
for program in mkartifact/mkartifact artifact-inspect artifact-install check_key check_sig check_trust check_policy; do
	wrap "$build/$program" "$dir/build/$program"
done
ln -s "$build"/*.so "$dir/build"
"$dir/build/mkartifact/mkartifact" --version | sed -n 2p
"$dir/bin/openssl" list -signature-algorithms | grep -i ml-dsa

PATH=$dir/bin:$PATH
cd "$dir/build"
export srcdir="$top"
for t in check_key check_sig check_trust check_policy; do
	"./$t"
done
sh "$top/tests/e2e/sign.sh"
sh "$top/tests/e2e/verify.sh"
KEY_ALGORITHM=ML-DSA-65 sh "$top/tests/e2e/install.sh"
