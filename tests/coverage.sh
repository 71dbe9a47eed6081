#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
# coverage.sh [TEST...]: build with gcov in out/coverage below the current directory (or $COVERAGE_BUILD), run the unit tests (those
# with faults among them), the vectors and the end-to-end tests of what libartifact does (or the TESTs given), print the branch coverage of libartifact. Lines that no test can
# reach are in coverage-exclusions.txt with their reasons. $COVERAGE_CORE and $COVERAGE_ALL: least percentages, else fail.
src=$(cd "$(dirname "$0")/.." && pwd)
build=${COVERAGE_BUILD:-$PWD/out/coverage}
for tool in gcov gcovr python3; do
	command -v "$tool" >/dev/null || { echo "SKIP: $tool is not installed"; exit 77; }
done
mkdir -p "$build"
cd "$build"
if [ ! -f config.status ]; then
	[ -x "$src/configure" ] || (cd "$src" && autoreconf -fi)
	"$src/configure" -q --disable-hardening CC="${CC:-gcc}" CFLAGS='-g -O0 --coverage'
fi
make -s -j2
find . -name '*.gcda' -delete
if [ $# -gt 0 ]; then
	tests=$*
else
	tests=
	for t in $(make -s -f Makefile -f "$src/tests/coverage.mk" print-tests); do
		case $t in
		# Of the tests of the installer, those of patches and seeds; the others, and what is not here, run the same code again at length.
		tests/e2e/install_patch*.sh|tests/e2e/install_seed.sh|tests/e2e/install_servers.sh) tests="$tests $t" ;;
		tests/e2e/install*|tests/e2e/boot_check.sh|tests/e2e/uboot.sh|tests/e2e/grub.sh|tests/e2e/tryboot.sh|tests/e2e/efi.sh|tests/e2e/disk.sh|tests/e2e/docs.sh|tests/e2e/bitflip.sh|tests/e2e/build_rootfs.sh) ;;
		check_*|tests/vectors/*|tests/e2e/*) tests="$tests $t" ;;
		esac
	done
fi
status=0
make -s check -j2 TESTS="$tests" >check.log 2>&1 || status=$?
grep -E '^(FAIL|ERROR|SKIP):' check.log || :
[ "$status" = 0 ] || { echo "coverage: tests failed, the figures are without them"; }
gcovr --root "$src" --object-directory "$build" --filter "$src/libartifact/" --json coverage.json \
	--gcov-ignore-parse-errors "$build" 2>gcovr.log || { cat gcovr.log; exit 1; }
python3 -B "$src/tests/coverage.py" coverage.json "$src" "$src/tests/coverage-exclusions.txt" >report.txt || status=1
cat report.txt
exit "$status"
