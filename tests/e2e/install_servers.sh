#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A delta install, by chunks and by a patch, from real servers and from bad ones: the right image and no more than what is missing, or a
# clear error.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
requires artifact-fetch sha256sum lighttpd nginx busybox openssl

TWINROOT_FETCH=$top_build/artifact-fetch
export TWINROOT_FETCH
make_device 8388608
cd "$tmp"

# Many ranges: every fourth of 160 files is another one in v2.
mkdir root www
for i in $(seq 100 259); do make_noise "$i" 20000 >"root/f$i"; done
create v1 1.0
# In v4 they have a few other bytes, and a patch lies beside it.
for i in $(seq 100 4 259); do printf 'x%s' "$i" | dd of="root/f$i" bs=1 seek=9000 conv=notrunc status=none; done
create v4 4.0
for i in $(seq 100 4 259); do make_noise "9$i" 20000 >"root/f$i"; done
create v2 2.0
make_noise 77 20000 >root/f101
create v3 3.0
cp v2.artifact www/a.artifact
cp v4.artifact www/p.artifact
"$mkartifact" delta -q --key k.pem v1.artifact www/p.artifact
patch_size=$(stat -c %s www/p.artifact.patches/*.patch)
start_with v1.artifact

step "lighttpd"
lport=$(free_port)
cat >lighttpd.conf <<END
server.document-root = "$tmp/www"
server.port = $lport
server.bind = "127.0.0.1"
server.upload-dirs = ( "$TMPDIR" )
END
background lighttpd -D -f lighttpd.conf
wait_port "$lport"
good=http://127.0.0.1:$lport/a.artifact
fresh "full = never"
expect_exit 0 inst install --dry-run --json "$good"
planned=$(json "d['download']")
cmp dev/a.img start/a.img || fail "a dry run wrote"
[ "$(json "d['ranges'] > 20 and 700000 < d['download'] < 1000000")" = true ] || fail "a poor example: $(cat out)"
# Manifest, signatures and index come too, and headers.
exact() {
	expect_exit 0 inst install --json "$@"
	slot_is a v2.artifact
	[ "$(json "d['download']")" = "$planned" ] || fail "$planned planned: $(cat out)"
	[ "$(json "d['download'] + 30000 < d['received'] < d['download'] + 45000 + 500 * d['requests']")" = true ] || fail "received: $(cat out)"
}
exact "$good"
# Of records a few bytes for each file; heads of both, and the patch's index and table of records.
by_patch() { # URL [OPTION of the download]
	expect_exit 0 inst install --json "$@"
	slot_is a v4.artifact
	[ "$(json "d['way'] == 'patch' and d['patch']['size'] == $patch_size and d['patch']['failed-records'] == 0")" = true ] ||
		fail "not by the patch: $(cat out)"
	[ "$(json "0 < d['download'] == d['patch']['read'] < d['patch']['cost-of-chunks'] / 20")" = true ] || fail "a poor patch: $(cat out)"
	[ "$(json "d['received'] < d['download'] + 45000 + 500 * d['requests']")" = true ] || fail "received: $(cat out)"
	[ "$(json "d['requests'] <= 6")" = true ] || fail "many requests: $(cat out)"
}
fresh "full = never"
by_patch "http://127.0.0.1:$lport/p.artifact"

step "nginx, HTTP/1.1, and HTTP/2 over TLS"
nport=$(free_port)
tport=$(free_port)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem 2>/dev/null
nginx_conf <<END
	log_format line '\$server_protocol \$status \$connection \$http_range';
	access_log $tmp/nginx/access.log line;
	keepalive_requests 100000;
	server {
		listen 127.0.0.1:$nport;
		listen 127.0.0.1:$tport ssl http2;
		ssl_certificate $tmp/cert.pem;
		ssl_certificate_key $tmp/key.pem;
		root $tmp/www;
	}
END
background nginx -p "$tmp/nginx" -c "$tmp/nginx.conf"
wait_port "$nport"
ranges_only() { # PROTOCOL
	[ "$(grep -c "^$1 206 " nginx/access.log)" = "$(json "d['requests']")" ] || fail "not as many answers as requests: $(cat nginx/access.log)"
	! grep -v "^$1 206 " nginx/access.log || fail "other answers"
}
fresh "full = never"
exact "http://127.0.0.1:$nport/a.artifact"
# The one that is not found is the patch that might have been there.
[ "$(grep -v '^HTTP/1.1 206 ' nginx/access.log | cut -d' ' -f2)" = 404 ] || fail "other answers"
connections=$(awk '{ print $3 }' nginx/access.log | sort -u | wc -l)
if [ "$connections" -le 1 ] || [ "$connections" -gt 7 ]; then fail "$connections connections"; fi
fresh "full = never"
: >nginx/access.log
by_patch "http://127.0.0.1:$nport/p.artifact"
ranges_only HTTP/1.1
: >nginx/access.log
fresh "full = never" "ca = $tmp/cert.pem"
exact "https://127.0.0.1:$tport/a.artifact"
[ "$(grep -v '^HTTP/2.0 206 ' nginx/access.log | cut -d' ' -f2)" = 404 ] || fail "other answers"
connections=$(awk '{ print $3 }' nginx/access.log | sort -u | wc -l)
# One of the child that looked for a patch, one with streams for everything else.
[ "$connections" = 2 ] || fail "$connections connections, not one with streams"
: >nginx/access.log
fresh "full = never" "ca = $tmp/cert.pem"
by_patch "https://127.0.0.1:$tport/p.artifact"
ranges_only HTTP/2.0

step "busybox httpd, which does not know If-Range"
bport=$(free_port)
background busybox httpd -f -p "127.0.0.1:$bport" -h "$tmp/www"
wait_port "$bport"
fresh "full = never"
exact "http://127.0.0.1:$bport/a.artifact"
fresh "full = never"
by_patch "http://127.0.0.1:$bport/p.artifact"

step "... and the file is another one in the middle: 8, never a mixture"
fresh "rate = 200000"
"$top_build/artifact-install" -c dev/install.conf install "http://127.0.0.1:$bport/a.artifact" >out 2>err &
pid=$!
# It has begun to fetch when the index is kept.
while [ ! -s dev/state/slot-a.new/rootfs.0000.index ] && kill -0 "$pid"; do sleep 0.05; done
cp v3.artifact www/b.artifact
mv www/b.artifact www/a.artifact
status=0
wait "$pid" || status=$?
[ "$status" = 8 ] || { cat err; fail "status $status"; }
expect_err "the file was changed on the server while it was read"
boot_says default=b trial=none bad=a
cp v2.artifact www/b.artifact
mv www/b.artifact www/a.artifact
expect_exit 0 inst install "$good"
slot_is a v2.artifact

serve() { # start the bad server, on PORT if that is set
	rm -f port
	background python3 "$top_src/tests/e2e/bad_server.py" v2.artifact port 2>>log
	server=$pid
	url=http://127.0.0.1:$(port_of port)
}

sent() { # bytes of ranges that the bad server was asked for
	awk -v kind="$1" '$2 ~ kind { split($3, r, /[=-]/); if (r[3] != "") n += r[3] - r[2] + 1 } END { print n + 0 }' log
}

serve
step "connections that break: what came is not asked for again"
fresh "full = never"
expect_exit 0 inst install --json "$url/flaky/3/0"
slot_is a v2.artifact
[ "$(json "d['received'] < d['download'] + 45000 + 500 * d['requests'] + 128 * 1024")" = true ] || fail "received: $(cat out)"

step "killed in the middle; another server goes on where that was"
fresh
"$top_build/artifact-install" -c dev/install.conf install "$url/hang/1800000/0" >out 2>err &
pid=$!
until [ "$(awk '/hang/ { split($3, r, /[=-]/); if (r[2] >= 1800000) n++ } END { print n + 0 }' log)" -gt 0 ]; do sleep 0.1; done
kill -9 "$pid"
wait "$pid" || :
boot_says default=b trial=none bad=a
expect_exit 0 inst install --dry-run --json "$good"
left=$(json "d['download']")
[ "$left" -lt $((planned - 200000)) ] || fail "$left of $planned left"
expect_exit 0 inst install --json "$good"
slot_is a v2.artifact
[ "$(json "d['download'] == $left and d['received'] < $left + 22528 + 500 * d['requests'] + 1024")" = true ] ||
	fail "not only the rest of $left (and no index): $(cat out)"

step "the server is restarted in the middle"
kill "$server"
wait "$server" 2>/dev/null || :
PORT=${url##*:}
export PORT
serve
fresh "rate = 300000"
"$top_build/artifact-install" -c dev/install.conf install --json "$url/good/r/0" >out 2>err &
pid=$!
until [ "$(grep -c '/good/r/' log)" -gt 6 ]; do sleep 0.05; done
kill -9 "$server"
wait "$server" 2>/dev/null || :
install_pid=$pid
serve
wait "$install_pid" || { cat err; fail "status $?"; }
slot_is a v2.artifact
[ "$(json "d['received'] < d['download'] + 45000 + 500 * d['requests'] + 128 * 1024")" = true ] || fail "received: $(cat out)"

step "ranges at first, then the whole file for each: read once from the front, or refused"
fresh
expect_exit 0 inst install --json "$url/flip/10/0"
slot_is a v2.artifact
whole=$(stat -c %s v2.artifact)
[ "$(json "d['received'] < $planned + $whole + 500000")" = true ] || fail "received: $(cat out)"
fresh "full = never"
expect_exit 8 inst install "$url/flip/10/1"
expect_err "a full download is not allowed"
boot_says default=b trial=none bad=a
expect_exit 0 inst install "$url/good/0/0"
slot_is a v2.artifact

step "no ranges at all"
fresh
expect_exit 0 inst install --json "$url/norange/0/0"
slot_is a v2.artifact
[ "$(json "d['received'] < $whole + 2000 and d['requests'] == 1")" = true ] || fail "received: $(cat out)"

step "other bytes, other ranges: refused, and the next try mends it"
fresh
expect_error 3 chunk-stored inst install "$url/other/1500000/0"
boot_says default=b trial=none bad=a
expect_exit 8 inst install "$url/lie/5/0"
expect_exit 8 inst install "$url/norangeheader/0/0"
boot_says default=b trial=none bad=a
expect_exit 0 inst install "$url/redirect/3/0"
slot_is a v2.artifact
boot_says trial=a bad=none
cmp dev/b.img start/b.img || fail "the running slot was written"
[ "$(sent flaky)" -gt 0 ] || fail "the log says nothing"
assert_no_litter
