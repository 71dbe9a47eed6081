#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
# run.sh SECONDS [TARGET...]: build the fuzz targets with clang and its sanitizers in out/fuzz below the current directory (or
# $FUZZ_BUILD), run each for SECONDS, print how often it ran. Fails on any crash; the input that did it is kept there.
seconds=${1:?usage: run.sh SECONDS [TARGET...]}
shift
src=$(cd "$(dirname "$0")/../.." && pwd)
build=${FUZZ_BUILD:-$PWD/out/fuzz}
targets=${*:-reader manifest sig policy key index chunk patch squash ext4}
CC=${FUZZ_CC:-clang}
command -v "$CC" >/dev/null || { echo "SKIP: $CC is not installed"; exit 77; }

mkdir -p "$build"
cd "$build"
if [ ! -f config.status ]; then
	[ -x "$src/configure" ] || (cd "$src" && autoreconf -fi)
	"$src/configure" -q CC="$CC" --enable-fuzzers --disable-hardening --disable-tests --disable-tools \
		--disable-installer --disable-http --disable-pkcs11 \
		CFLAGS='-g -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined'
fi
programs=
for t in $targets; do
	programs="$programs fuzz_$t"
done
# shellcheck disable=SC2086
make -s -j2 $programs
rm -rf seeds
python3 -B "$src/tests/fuzz/seeds.py" seeds

ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1
UBSAN_OPTIONS=print_stacktrace=1
FUZZ_KEYS=$build/seeds/keys
export ASAN_OPTIONS UBSAN_OPTIONS FUZZ_KEYS
failed=
for t in $targets; do
	mkdir -p "corpus/$t"
	case $t in
	manifest|policy) options="-dict=$src/tests/fuzz/json.dict -max_len=20000" ;;
	reader) options="-max_len=200000" ;;
	ext4) options="-max_len=100000" ;;
	*) options="-max_len=70000" ;;
	esac
	# shellcheck disable=SC2086
	if ./fuzz_$t $options -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 -print_final_stats=1 \
		-artifact_prefix="crash-$t-" "corpus/$t" "seeds/$t" >"$t.log" 2>&1; then
		verdict=ok
	else
		verdict=FAILED
		failed="$failed $t"
		tail -n 40 "$t.log"
	fi
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$t.log")
	cover=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$t.log" | tail -n 1)
	echo "fuzz $t: ${runs:-0} executions, ${cover:-0} edges: $verdict"
done
[ -z "$failed" ] || { echo "fuzz: crashes in$failed (inputs in $build)"; exit 1; }
