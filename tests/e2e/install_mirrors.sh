#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A redirector with two mirrors behind it, whose copies have other dates and ETags. One goes away in the middle of an install: the other
# goes on, and nothing is fetched twice.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
requires artifact-fetch sha256sum lighttpd nginx

TWINROOT_FETCH=$top_build/artifact-fetch
export TWINROOT_FETCH
make_device 8388608
cd "$tmp"
mkdir root second
for i in $(seq 100 199); do make_noise "$i" 20000 >"root/f$i"; done
create v1 1.0
for i in $(seq 100 2 199); do make_noise "9$i" 20000 >"root/f$i"; done
create v2 2.0
cp v2.artifact second/a.artifact
start_with v1.artifact

redirect_to() { # URL
	nginx_conf <<END
	access_log $tmp/nginx/access.log;
	server {
		listen 127.0.0.1:$nport;
		location = /a.artifact { return 302 $1; }
	}
END
}

# The first ends by itself in the middle, four requests or more being under way.
LIMIT=500000 background python3 "$top_src/tests/e2e/bad_server.py" v2.artifact port 2>first.log
first=http://127.0.0.1:$(port_of port)/paced/1024/status/404/a
second_port=$(free_port)
cat >lighttpd.conf <<END
server.modules = ( "mod_accesslog" )
server.document-root = "$tmp/second"
server.port = $second_port
server.bind = "127.0.0.1"
server.upload-dirs = ( "$TMPDIR" )
accesslog.filename = "$tmp/second.log"
accesslog.format = "%s %{Range}i"
END
background lighttpd -D -f lighttpd.conf
second=$pid
wait_port "$second_port"
nport=$(free_port)
redirect_to "$first"
background nginx -p "$tmp/nginx" -c "$tmp/nginx.conf"
redirector=$pid
wait_port "$nport"

step "a mirror goes away in the middle"
printf '[download]\nfull = never\n' >>dev/install.conf
"$top_build/artifact-install" -c dev/install.conf install -v --json "http://127.0.0.1:$nport/a.artifact" >out 2>err &
install=$!
# It has begun to fetch when the index is kept.
while [ ! -s dev/state/slot-a.new/rootfs.0000.index ] && kill -0 "$install"; do sleep 0.05; done
redirect_to "http://127.0.0.1:$second_port/a.artifact"
kill -HUP "$redirector"
status=0
wait "$install" || status=$?
[ "$status" = 0 ] || { cat err; fail "status $status"; }
slot_is a v2.artifact
expect_err "retry 1 of"
[ "$(json "d['received'] < d['download'] + 50000 + 600 * d['requests'] + 2 * 128 * 1024")" = true ] || fail "received: $(cat out)"
# Its log is written when it ends.
kill "$second"
wait "$second" || :
! grep -v '^206 ' second.log || fail "other answers of the second mirror"
grep -q '^gone with' first.log || fail "the first mirror did not go away"
from_second=$(awk -F '[ =-]' '$4 != "" { n += $4 - $3 + 1 } END { print n + 0 }' second.log)
step "$from_second bytes of the second mirror"
[ "$(json "100000 < $from_second < d['download'] - 100000")" = true ] || fail "not some of each: $(cat out)"
[ "$(json "700000 < d['download'] < 1300000")" = true ] || fail "a poor example: $(cat out)"
assert_no_litter
