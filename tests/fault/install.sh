#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
# Input, output and allocations of an installation fail in turn. Whatever fails: the running slot and the default stay as they
# are, and the new slot is armed only when it holds the whole image. A sample of $RUNS each (default 4); FULL=1: all.
. "${srcdir:-.}/tests/e2e/lib.sh"
requires python3 openssl zstd artifact-install
[ -f ./failio.so ] || skip "built without unit tests"
. "$top_src/tests/e2e/device.sh"
fault="python3 -B $top_src/tests/fault/fault.py"
FAULT_PROGRAM=artifact-install
export FAULT_PROGRAM

$fault make "$tmp/a"
make_device 262144
sed -e 's|^type = .*|type = board-a|' -e "s|^keys = .*|keys = $tmp/a/keys|" "$tmp/dev/install.conf" >"$tmp/conf"
mv "$tmp/conf" "$tmp/dev/install.conf"
cp -R "$tmp/dev" "$tmp/fresh"
size=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["payloads"][0]["size"])' "$tmp/a/manifest.json")
sum=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["payloads"][0]["sha256"])' "$tmp/a/manifest.json")
sum_a=$(sha256sum <"$tmp/dev/a.img")

cat >"$tmp/reset" <<END
rm -rf '$tmp/dev' && cp -R '$tmp/fresh' '$tmp/dev'
END
cat >"$tmp/after" <<END
set -eu
cd '$tmp/dev'
[ "\$(sha256sum <a.img)" = '$sum_a' ] || { echo "the running slot was written"; exit 1; }
grep -qx default=a boot || { echo "the default was changed"; exit 1; }
if grep -qx trial=b boot; then
	head -c $size b.img | sha256sum | grep -q '^$sum ' || { echo "a broken slot was armed"; exit 1; }
elif [ "\$STATUS" = 0 ]; then
	echo "status 0, but nothing was armed"
	exit 1
fi
END

try() {
	$fault run "$@" --runs "${RUNS:-4}" --reset "sh $tmp/reset" --after "STATUS=\$STATUS sh $tmp/after" -- \
		./artifact-install -c "$tmp/dev/install.conf" install "$tmp/a/good.artifact"
}
for how in eio enospc; do
	try ./failio.so --label install --how $how
done
try ./failalloc.so --label install --own --mode once
try ./failalloc.so --label install --own --mode from
