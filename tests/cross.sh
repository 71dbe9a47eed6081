#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
set -eu
# cross.sh i386|arm64 DIRECTORY [install DEST]: build for another architecture below DIRECTORY and run its unit tests; or only build the
# installer and install it into DEST. The architecture's packages come through a private apt state into DIRECTORY/root; nothing of
# the host changes (no foreign architecture is added to it).
arch=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
top=$(cd "$(dirname "$0")/.." && pwd)
root=$dir/root
# shellcheck source=tests/debs.sh
. "$top/tests/debs.sh"
case $arch in
i386) triplet=i686-linux-gnu multi=i386-linux-gnu ;;
arm64) triplet=aarch64-linux-gnu multi=aarch64-linux-gnu ;;
*) echo "usage: cross.sh i386|arm64 DIRECTORY [install DEST]" >&2; exit 2 ;;
esac
wanted="libc6-dev libssl-dev libzstd-dev libjansson-dev libarchive-dev libext2fs-dev libfdisk-dev libcurl4-openssl-dev libinih-dev
	libubootenv-dev libefivar-dev libp11-kit-dev check libgcc-s1"
if [ "$(cat "$root/.complete" 2>/dev/null)" != "$wanted" ]; then
	rm -rf "$root"
	debs_open "$arch" "$dir"
	# shellcheck disable=SC2086
	debs_install "$root" $wanted
	debs_close
	echo "$wanted" >"$root/.complete"
fi

export PKG_CONFIG_LIBDIR="$root/usr/lib/$multi/pkgconfig:$root/usr/share/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root"
loader=$(find "$root/lib" "$root/usr/lib" -maxdepth 2 -name 'ld-linux*.so.*' 2>/dev/null | head -n 1)
ldflags="-L$root/usr/lib/$multi -L$root/lib/$multi -Wl,-rpath-link,$root/usr/lib/$multi -Wl,-rpath-link,$root/lib/$multi"
if [ "$arch" = i386 ]; then
	# The old kind of path, which also serves the libraries that libraries need.
	ldflags="$ldflags -Wl,--dynamic-linker=$loader -Wl,--disable-new-dtags -Wl,-rpath,$root/usr/lib/$multi -Wl,-rpath,$root/lib/$multi"
fi
configured() { # BUILD OPTION...: go there, configure once
	mkdir -p "$dir/$1"
	cd "$dir/$1"
	shift
	[ -f config.status ] || "$top/configure" -q --host="$triplet" CC="$triplet-gcc --sysroot=$root" LDFLAGS="$ldflags" "$@"
}
if [ "${3:-}" = install ]; then
	mkdir -p "$4"
	dest=$(cd "$4" && pwd)
	configured installer --disable-tools --disable-tests --prefix=/usr --sysconfdir=/etc
	make -s -j2 install-strip DESTDIR="$dest"
	exit 0
fi

configured build
make -s -j2
tests=$(make -s -f Makefile -f "$top/tests/coverage.mk" print-tests | tr ' ' '\n' | grep '^check_' | tr '\n' ' ')
# shellcheck disable=SC2086
make -s -j2 $tests
file=$(od -An -tx1 -j4 -N1 check_tar)
echo "ELF class byte:$file"
status=0
for t in $tests; do
	# What needs seccomp or a child's /proc is not for an emulator, and building images or failing every call there takes many minutes.
	case $arch-$t in
	*-check_faults*|*-check_http|i386-check_boot|i386-check_grub)
		echo "only with libraries of this machine: $t"
		continue ;;
	arm64-check_decoder|arm64-check_confine|arm64-check_ext4|arm64-check_encode|arm64-check_writer|arm64-check_build*|arm64-check_squash*|arm64-check_cli)
		echo "not under emulation: $t"
		continue ;;
	esac
	if [ "$arch" = i386 ]; then
		srcdir=$top timeout 300 "./$t" || status=1
	else
		srcdir=$top timeout 300 env CK_FORK=no CK_DEFAULT_TIMEOUT=0 qemu-aarch64-static -L "$root" \
			-E LD_LIBRARY_PATH="$root/usr/lib/$multi:$root/lib/$multi" "./$t" || status=1
	fi
done
exit $status
