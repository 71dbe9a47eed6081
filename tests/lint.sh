#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The quotes in cflags are for the preprocessor.
# shellcheck disable=SC2089,SC2090
set -eu
LC_ALL=C
export LC_ALL
# lint.sh shell|cppcheck|analyzer|headers: static analysis without a finding; what is accepted stands here with its reason.
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
sources() { git ls-files '*.c' 2>/dev/null | grep . || find . -name '*.c' -not -path './out/*' -not -path './build*'; }
cflags="-D_GNU_SOURCE -DLIBEXECDIR=\"/usr/libexec\" -DSYSCONFDIR=\"/etc\" -D_FILE_OFFSET_BITS=64 -I. -Iout/build $(pkg-config --cflags libcrypto jansson libarchive p11-kit-1 fdisk check) -std=gnu11"

# Findings, without line numbers, must stand in lint-accepted.txt; one that is gone must leave it.
judge() { # NAME: findings on stdin
	sort -u >"out/lint-$1.found"
	sed -n "s/^$1: //p" tests/lint-accepted.txt | sort -u >"out/lint-$1.accepted"
	comm -23 "out/lint-$1.found" "out/lint-$1.accepted" | sed 's/^/new: /'
	comm -13 "out/lint-$1.found" "out/lint-$1.accepted" | sed 's/^/no longer found, take it out: /'
	cmp -s "out/lint-$1.found" "out/lint-$1.accepted"
}

mkdir -p out
case ${1:-} in
shell)
	# What is below a warning is taste; -x follows lib.sh.
	# shellcheck disable=SC2046
	shellcheck -x --severity=warning -e SC2010 $(git ls-files '*.sh' check quickstart .ci/run 'installer/init/*.in' | grep -v -e inittab -e service) ;;
cppcheck)
	# memleak: cppcheck 2.10 does not know attribute cleanup; LeakSanitizer and valgrind look at that.
	sources | grep -v '^tests/' | xargs cppcheck -q --enable=warning,portability --inline-suppr \
		--suppress=missingIncludeSystem --suppress=memleak -D_GNU_SOURCE -D__linux__ -DWITH_UBOOT -DWITH_EFI -DWITH_HTTP -DWITH_PKCS11 -DWITH_DISK \
		-I. --std=c11 -j2 --template='{file}: {id}: {message}' 2>&1 | judge cppcheck ;;
analyzer)
	# GCC 12 does not know attribute cleanup either: leaks of what is freed at the end of a scope are left out.
	for f in $(sources | grep -v '^tests/'); do
		# shellcheck disable=SC2086
		gcc $cflags -DHAVE_CONFIG_H -O1 -fanalyzer -Wno-analyzer-too-complex -c -o /dev/null "$f" 2>&1
	done | sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: warning: \(.*\[-Wanalyzer.*\)$/\1: \2/p' |
		grep -v -E 'analyzer-(malloc-leak|fd-leak|possible-null|file-leak)' | judge analyzer ;;
headers)
	for h in $(git ls-files '*.h' | grep -v '^tests/'); do
		# shellcheck disable=SC2086
		echo "#include \"$h\"" | gcc $cflags -fsyntax-only -x c - || exit 1
	done ;;
*)
	echo "usage: lint.sh shell|cppcheck|analyzer|headers" >&2
	exit 2 ;;
esac
