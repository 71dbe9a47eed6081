#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
set -eu
# lint.sh shell|cppcheck|analyzer|headers: static analysis without a finding; what is accepted stands here with its reason.
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
sources() { git ls-files '*.c' 2>/dev/null | grep . || find . -name '*.c' -not -path './out/*' -not -path './build*'; }
cflags="-D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -Iout/build $(pkg-config --cflags libcrypto jansson libarchive p11-kit-1 check) -std=gnu11"
case ${1:-} in
shell)
	# shellcheck disable=SC2046
	shellcheck -x $(git ls-files '*.sh' check quickstart .ci/run) ;;
cppcheck)
	# normalCheckLevelMaxBranches and missing system headers are notes about the tool, not about the code.
	sources | grep -v '^tests/' | xargs cppcheck -q --error-exitcode=1 --enable=warning,portability --inline-suppr \
		--suppress=missingIncludeSystem -D_GNU_SOURCE -D__linux__ -I. --std=c11 -j2 ;;
analyzer)
	status=0
	for f in $(sources | grep -v '^tests/'); do
		# shellcheck disable=SC2086
		gcc $cflags -O1 -fanalyzer -Wno-analyzer-too-complex -c -o /dev/null "$f" 2>out/analyzer.tmp || status=1
		# GCC 12 does not know attribute cleanup: it reports leaks of what leaves the scope freed.
		grep -E 'warning: .*\[-Wanalyzer' out/analyzer.tmp | grep -v -E 'analyzer-(malloc-leak|fd-leak|possible-null|file-leak)' && status=1
	done
	exit $status ;;
headers)
	for h in $(git ls-files '*.h' | grep -v '^tests/'); do
		# shellcheck disable=SC2086
		echo "#include \"$h\"" | gcc $cflags -fsyntax-only -x c - || exit 1
	done ;;
*)
	echo "usage: lint.sh shell|cppcheck|analyzer|headers" >&2
	exit 2 ;;
esac
