#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Servers that fall silent and servers that are restarted, with several requests under way: the install goes on by itself and does not
# fetch all again.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
requires artifact-fetch sha256sum

install=$top_build/artifact-install
cd "$tmp"
make_device 8388608
# Many ranges: every other of 60 files is another one in v2.
mkdir root
files() { # FILES, a Python expression over N, its bytes and other ones: what is in root/fN
	python3 -c 'import random, sys
r = random.Random(3)
for n in range(60):
    old, other = r.randbytes(60000), r.randbytes(60000)
    open(f"root/f{n:02}", "wb").write(eval(sys.argv[1]))' "$1"
}
files old
create v1 1.0
files 'other if n % 2 else old'
create v2 2.0
# Here every file is the old one with a little in it: a patch is worth it.
files 'old[:30000] + other[:3000] + old[30000:]'
create v3 3.0
"$mkartifact" delta -q --key k.pem -o patch v1.artifact v3.artifact
start_with v1.artifact

serve() { # ARTIFACT LOG
	rm -f port
	background python3 "$top_src/tests/e2e/bad_server.py" "$1" port 2>>"$2"
	url=http://127.0.0.1:$(port_of port)
}

installed() { # ARTIFACT: from the last output; it is on slot a and tried next
	slot_is a "$1"
	cmp dev/b.img start/b.img || fail "the running slot was written"
	boot_says default=b trial=a
}

# The installer gives a server a minute of silence, and of a patch's 20 seconds; here it is one.
cat >hasty <<END
#!/bin/sh
exec python3 '$top_src/tests/e2e/hasty_child.py' '$top_build/artifact-fetch' stall=1 backoff=100
END
chmod +x hasty
TWINROOT_FETCH=$tmp/hasty
PATCH=$tmp/patch
export TWINROOT_FETCH PATCH

get() { # PATH: what comes is what is missing, with manifest, signatures, index and headers
	fresh
	expect_exit 0 timeout 60 "$install" -c dev/install.conf install -v --json "$url/$1"
	[ "$(json "d['received'] < d['download'] + 45000 + 500 * d['requests']")" = true ] || fail "received: $(cat out)"
}

step "a server that is silent at first"
serve v2.artifact log
get stuck/0/status/404/a
expect_err "less than 1024 bytes a second for 1 seconds; retry 1 of 3"
[ "$(grep -c '^stuck' log)" = 1 ] || fail "not one connection was dead"
installed v2.artifact
download=$(json "d['download']")
[ "$(json "d['way'] == 'chunks' and d['ranges'] > 20 and d['download'] > 1700000")" = true ] || fail "a poor example: $(cat out)"

step "connections that all fall silent in the middle"
get stuck/1000000/status/404/b
installed v2.artifact
expect_err "less than 1024 bytes a second for 1 seconds; retry 1 of 8"
# They start again together; one after the other would be six times.
[ "$(grep -c 'less than 1024 bytes a second' err)" -lt 4 ] || { cat err; fail "stalls one after the other"; }
[ "$(grep -c '^stuck' log)" -gt 2 ] || fail "few requests were under way"
[ "$(json "d['download']")" = "$download" ] || fail "$download: $(cat out)"

step "the same where a patch is read"
serve v3.artifact log3
get good/0/stuck/100000/a
installed v3.artifact
expect_err "less than 1024 bytes a second for 1 seconds; retry 1 of 2"
[ "$(grep -c '^stuck' log3)" -gt 0 ] || fail "no connection was dead"
[ "$(json "d['way'] == 'patch' and d['patch']['failed-records'] == 0")" = true ] || fail "$(cat out)"

step "a server that is restarted in the middle, several requests at a time"
TWINROOT_FETCH=$top_build/artifact-fetch
LIMIT=700000
export LIMIT
serve v2.artifact first
unset LIMIT
server=$pid
fresh
timeout 60 "$install" -c dev/install.conf install -v --json "$url/paced/4096/status/404/a" >out 2>err &
install_pid=$!
for _ in $(seq 200); do
	! grep -q '^gone ' first || break
	sleep 0.1
done
grep -q '^gone ' first || { cat err; fail "the server did not end by itself"; }
wait "$server" || fail "status $?"
kill -0 "$install_pid" || { cat err; fail "the install has ended before"; }
PORT=${url##*:}
export PORT
serve v2.artifact second
status=0
wait "$install_pid" || status=$?
[ "$status" = 0 ] || { cat err; fail "status $status"; }
installed v2.artifact
expect_err "; retry 1 of 8"
lanes=$(sed -n 's/^gone with \([0-9]*\) .*/\1/p' first)
before=$(sed -n 's/^gone .* after \([0-9]*\) bytes/\1/p' first)
[ "$(json "d['download']")" = "$download" ] || fail "$download: $(cat out)"
[ "$(json "d['received'] < $download + 45000 + 500 * d['requests']")" = true ] || fail "received: $(cat out)"
# What the first has sent, and all that the second was asked for.
again=$(awk -v size="$(stat -c %s v2.artifact)" '/ \/paced\// { split($3, r, /[=-]/); n += (r[3] == "" ? size - 1 : r[3]) - r[2] + 1 }
	END { print n + 0 }' second)
sum=$((before + again))
echo "$sum bytes sent for $download"
# Manifest, signatures and index; of each request under way a piece may have been counted and not sent.
if [ "$again" -lt 300000 ] || [ "$sum" -gt $((download + 45000 + lanes * 8192)) ]; then
	fail "$sum bytes sent for $download, $again of them by the second"
fi
assert_no_litter
