#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
requires python3 lighttpd openssl cmp

probe=$top_build/http_probe
data=$tmp/data
mkdir "$tmp/www"
head -c 3000000 /dev/urandom >"$data"
cp "$data" "$tmp/www/data"

part() { # OFF LEN: of the data
	tail -c "+$(($1 + 1))" "$data" | head -c "$2"
}

same() { # the last output is the data, or FILE
	cmp -s "$tmp/out" "${1:-$data}" || fail "wrong bytes"
}

requests() { # PATH: how often the bad server was asked for it
	grep -c "^GET $1 " "$tmp/log" || true
}

step "a real server"
lport=$(free_port)
cat >"$tmp/lighttpd.conf" <<END
server.document-root = "$tmp/www"
server.port = $lport
server.bind = "127.0.0.1"
server.upload-dirs = ( "$TMPDIR" )
END
background lighttpd -D -f "$tmp/lighttpd.conf"
wait_port "$lport"
expect_exit 0 "$probe" "http://127.0.0.1:$lport/data"
same
expect_err "requests 2 seek 1"
expect_exit 0 "$probe" "http://127.0.0.1:$lport/data" 2000000:5000 100:200 1000000:3000000
{ part 2000000 5000; part 100 200; part 1000000 2000000; } >"$tmp/want"
same "$tmp/want"

step "announced ranges are fetched as they are, near ones together"
expect_exit 0 "$probe" "http://127.0.0.1:$lport/data" want:1000000:1000 want:1001500:500 want:2000000:300 \
	1000000:1000 1001500:500 2000000:300
{ part 1000000 1000; part 1001500 500; part 2000000 300; } >"$tmp/want"
same "$tmp/want"
expect_err "requests 3 "
received=$(sed -n 's/received \([0-9]*\) .*/\1/p' "$tmp/err")
# The first 128 KiB, 2000 and 300 bytes, and three answers' headers.
[ "$received" -lt 136000 ] || fail "$received bytes for 2300"

expect_exit 8 "$probe" "http://127.0.0.1:$lport/no-such-file"
expect_err "'http://127.0.0.1:$lport/no-such-file': the server answered 404 (not found)"

step "bad servers"
background python3 "$top_src/tests/e2e/bad_server.py" "$data" "$tmp/port" 2>"$tmp/log"
port=$(port_of "$tmp/port")
bad=http://127.0.0.1:$port

step "dropped connections are resumed where they broke, with If-Range"
expect_exit 0 "$probe" "$bad/drop/700000/0"
same
grep -q 'drop/700000/0 bytes=831072- "one"$' "$tmp/log" || fail "no resume with If-Range"
expect_exit 0 "$probe" "$bad/weak/900000/0"
same
grep -q 'weak/900000/0 bytes=1031072- Sun, 01 Feb 2026' "$tmp/log" || fail "a weak ETag in If-Range"
expect_exit 0 "$probe" "$bad/dropnorange/900000/0"
same
[ "$(requests /dropnorange/900000/0)" = 4 ] || fail "not resumed from the start"

step "a server that drops without giving anything is given up"
expect_exit 8 "$probe" retries=3 "$bad/drop/0/0"
expect_err "gave up after 3 retries"
[ "$(requests /drop/0/0)" = 4 ] || fail "not 3 retries"

step "without ranges: in order only"
expect_exit 0 "$probe" "$bad/norange/0/0"
same
expect_err "requests 1 seek 0"
expect_exit 0 "$probe" "$bad/norange/0/1" 10:10 2000000:1000
{ part 10 10; part 2000000 1000; } >"$tmp/want"
same "$tmp/want"
expect_exit 8 "$probe" "$bad/norange/0/2" 2000000:10 10:10
expect_err "[net-range]"
expect_exit 0 "$probe" "$bad/chunked/0/0"
same

step "lies about ranges"
expect_exit 8 "$probe" "$bad/lie/5/0"
expect_err "[net-range]"
expect_err "the server answered a request for bytes from 131072 with bytes 131077-"
expect_exit 8 "$probe" "$bad/norangeheader/0/0"
expect_err "does not say which bytes it holds"
expect_exit 8 "$probe" "$bad/more/0/0"
expect_err "more bytes than it announced"

step "another file in the middle"
for how in etag modified whole length; do
	expect_exit 8 "$probe" "$bad/change/$how/0"
	expect_err "the file was changed on the server while it was read"
done

step "statuses"
for status in 400 401 403 410 204; do
	expect_exit 8 "$probe" "$bad/status/$status/0"
	expect_err "'$bad/status/$status/0': the server answered $status"
	[ "$(requests "/status/$status/0")" = 1 ] || fail "$status was retried"
done
expect_exit 0 "$probe" "$bad/later/503,2,0/0"
same
expect_exit 0 "$probe" "$bad/later/429,1,1/0"
same
expect_exit 8 "$probe" retries=2 "$bad/later/500,99,0/0"
expect_err "the server answered 500; gave up after 2 retries"
expect_exit 8 "$probe" "$bad/gzip/0/0"
expect_err "compressed"
expect_exit 8 "$probe" "$bad/headers/0/0"
expect_err "too many headers"
expect_exit 8 "$probe" retries=1 "$bad/garbage/0/0"
for status in 200 416; do
	expect_exit 0 "$probe" "$bad/empty/$status/0"
	[ ! -s "$tmp/out" ] || fail "bytes from nowhere"
done

step "slow and silent servers"
expect_exit 8 "$probe" stall=1 retries=1 "$bad/slow/0/0"
expect_err "less than 1024 bytes a second for 1 seconds"
expect_exit 8 "$probe" stall=1 retries=1 "$bad/silent/0/0"
expect_err "gave up after 1 retries"

step "a thin line is shared by the requests on it, and none of them stalls for that"
expect_exit 0 "$probe" stall=3 retries=1 "$bad/thin/900/0" want:1000000:4500 want:1400000:4500 want:1800000:4500 want:2200000:4500 \
	1000000:4500 1400000:4500 1800000:4500 2200000:4500
{ part 1000000 4500; part 1400000 4500; part 1800000 4500; part 2200000 4500; } >"$tmp/want"
same "$tmp/want"
expect_err "requests 5 "

step "redirects"
expect_exit 0 "$probe" "$bad/redirect/5/0"
same
expect_exit 8 "$probe" "$bad/redirect/6/0"
expect_err "more than 5 redirects"
away=$(printf 'file:///etc/passwd' | od -An -tx1 | tr -d ' \n')
expect_exit 8 "$probe" "$bad/away/$away/0"
expect_err "not http or https"
[ ! -s "$tmp/out" ] || fail "a file was read"

step "nobody there"
nobody=$(free_port)
expect_exit 8 "$probe" retries=2 "http://user:geheim@127.0.0.1:$nobody/x?token=geheim"
expect_err "'http://127.0.0.1:$nobody/x?...'"
refuse_err geheim
expect_exit 2 "$probe" "ftp://127.0.0.1/x"

step "TLS: own CA, client certificate, refusals"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=ca \
	-keyout "$tmp/ca.key" -out "$tmp/ca.pem" 2>/dev/null
cert() { # NAME
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
		-keyout "$tmp/$1.key" -out "$tmp/$1.csr" 2>/dev/null
	printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$tmp/ext"
	openssl x509 -req -in "$tmp/$1.csr" -CA "$tmp/ca.pem" -CAkey "$tmp/ca.key" -CAcreateserial -days 2 \
		-extfile "$tmp/ext" -out "$tmp/$1.pem" 2>/dev/null
}
cert server
cert device
background python3 "$top_src/tests/e2e/bad_server.py" "$data" "$tmp/tport" "$tmp/server.pem" "$tmp/server.key" \
	2>"$tmp/tlog"
background python3 "$top_src/tests/e2e/bad_server.py" "$data" "$tmp/mport" "$tmp/server.pem" "$tmp/server.key" \
	"$tmp/ca.pem" 2>"$tmp/mlog"
tls=https://127.0.0.1:$(port_of "$tmp/tport")
mutual=https://127.0.0.1:$(port_of "$tmp/mport")
expect_exit 0 "$probe" ca="$tmp/ca.pem" "$tls/good/0/0"
same
expect_exit 8 "$probe" "$tls/good/0/0"
expect_err "certificate"
# No certificate of the device: refused by the server, in whatever words.
expect_exit 8 "$probe" retries=1 ca="$tmp/ca.pem" "$mutual/good/0/0"
expect_exit 0 "$probe" ca="$tmp/ca.pem" cert="$tmp/device.pem" key="$tmp/device.key" "$mutual/good/0/0"
same
away=$(printf '%s' "$bad/good/0/0" | od -An -tx1 | tr -d ' \n')
expect_exit 8 "$probe" ca="$tmp/ca.pem" "$tls/away/$away/0"
expect_err "from https to http"
away=$(printf '%s' "$tls/good/0/0" | od -An -tx1 | tr -d ' \n')
expect_exit 0 "$probe" ca="$tmp/ca.pem" "$bad/away/$away/0"
same

step "a proxy"
expect_exit 0 "$probe" proxy="$bad" "http://no.such.host.invalid/good/0/0" 0:0
assert_no_litter

step "artifact-inspect on a URL fetches what it needs"
if [ -x "$top_build/artifact-inspect" ]; then
	make_key k
	make_artifact "$tmp/www/a.artifact" k
	expect_exit 0 "$top_build/artifact-inspect" verify --deep --keys "$tmp/k.keys" "http://127.0.0.1:$lport/a.artifact"
	expect_exit 8 "$top_build/artifact-inspect" show "http://127.0.0.1:$lport/b.artifact"
	expect_err "404"
fi
