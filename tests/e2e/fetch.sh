#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
requires python3 openssl cmp artifact-fetch

probe=$top_build/fetch_probe
child=$top_build/artifact-fetch
data=$tmp/data
head -c 3000000 /dev/urandom >"$data"

part() { # OFF LEN: of the data
	tail -c "+$(($1 + 1))" "$data" | head -c "$2"
}

same() { # the last output is the data, or FILE
	cmp -s "$tmp/out" "${1:-$data}" || fail "wrong bytes"
}

background python3 "$top_src/tests/e2e/bad_server.py" "$data" "$tmp/port" 2>"$tmp/log"
port=$(port_of "$tmp/port")
url=http://127.0.0.1:$port

step "in order: one long answer after the first when it is announced; nothing is fetched that nobody asked for"
expect_exit 0 "$probe" "$child" "$url/good/0/0" want:0:3000000 0:3000000
same
expect_exit 0 "$probe" "$child" "$url/good/0/0a"
same
expect_exit 0 "$probe" "$child" "$url/good/0/0b" 0:200000
received=$(sed -n 's/received \([0-9]*\) .*/\1/p' "$tmp/err")
[ "$received" -lt 400000 ] || fail "$received bytes for 200000"
[ "$(grep -c '^GET /good/0/0 ' "$tmp/log")" = 2 ] || fail "not two requests"

step "elsewhere, back and forth, past the end"
expect_exit 0 "$probe" "$child" "$url/good/0/1" 2000000:5000 100:200 2990000:100000 2100:300000 2999999:1
{ part 2000000 5000; part 100 200; part 2990000 10000; part 2100 300000; part 2999999 1; } >"$tmp/want"
same "$tmp/want"

step "announced ranges are pipelined, each fetched once"
expect_exit 0 "$probe" "$child" "$url/good/0/2" want:1000000:1000 want:1001500:500 want:2000000:700000 \
	1000000:1000 1001500:500 2000000:300000 2300000:400000
{ part 1000000 1000; part 1001500 500; part 2000000 700000; } >"$tmp/want"
same "$tmp/want"
received=$(sed -n 's/received \([0-9]*\) .*/\1/p' "$tmp/err")
# The first 128 KiB, what was wanted, and headers.
[ "$received" -lt 836000 ] || fail "$received bytes for 701500"
expect_exit 0 "$probe" "$child" "$url/good/0/3" want:500000:1000 want:700000:1000 10:10 700000:1000 500000:1000
{ part 10 10; part 700000 1000; part 500000 1000; } >"$tmp/want"
same "$tmp/want"

step "the server's faults come through with their text"
expect_exit 8 "$probe" "$child" "$url/status/404/0"
expect_err "'$url/status/404/0': the server answered 404 (not found) [net]"
expect_exit 8 "$probe" "$child" "$url/norange/0/0" 2000000:10 10:10
expect_err "[net-range]"
expect_exit 0 "$probe" "$child" "$url/drop/700000/0"
same
expect_exit 0 "$probe" "$child" "$url/chunked/0/0"
same

step "key files are read before root is given up"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=IP:127.0.0.1 -keyout "$tmp/key.pem" -out "$tmp/cert.pem" 2>/dev/null
chmod 600 "$tmp/key.pem" "$tmp/cert.pem"
background python3 "$top_src/tests/e2e/bad_server.py" "$data" "$tmp/mport" "$tmp/cert.pem" "$tmp/key.pem" \
	"$tmp/cert.pem" 2>"$tmp/mlog"
mutual=https://127.0.0.1:$(port_of "$tmp/mport")
expect_exit 0 "$probe" "$child" ca="$tmp/cert.pem" cert="$tmp/cert.pem" key="$tmp/key.pem" "$mutual/good/0/0"
same
expect_exit 6 "$probe" "$child" key="$tmp/no-such-key" "$url/good/0/0"

start_paused() { # ARG...: fetch_probe stops with the child waiting; its pid in $probe_pid, the child's in $child_pid
	rm -f "$tmp/pause"
	"$probe" "$child" "$@" >"$tmp/out" 2>"$tmp/err" &
	probe_pid=$!
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ ! -e "$tmp/pause" ] || break
		sleep 0.2
	done
	child_pid=$(cat "/proc/$probe_pid/task/$probe_pid/children")
	child_pid=${child_pid% }
	[ -n "$child_pid" ] || fail "no child"
}

step "the child has given up what it can"
start_paused "$url/good/0/4" 0:10 "pause:$tmp/pause" 10:10
grep -q '^NoNewPrivs:	1' "/proc/$child_pid/status" || fail "new privileges"
if [ "$(id -u)" = 0 ]; then
	grep -q "^Uid:	$(id -u nobody)	$(id -u nobody)	$(id -u nobody)	" "/proc/$child_pid/status" || fail "still root"
	grep -q '^CapEff:	0000000000000000' "/proc/$child_pid/status" || fail "capabilities"
	grep -q '^Groups:	 *$' "/proc/$child_pid/status" || fail "groups"
fi
grep -q '^Max core file size *0 *0 ' "/proc/$child_pid/limits" || fail "core files"
grep -q '^Max file size *0 *0 ' "/proc/$child_pid/limits" || fail "file size"
grep -q '^Max open files *64 *64 ' "/proc/$child_pid/limits" || fail "descriptors"
! tr '\0' '\n' <"/proc/$child_pid/cmdline" | grep -q http || fail "the URL is on the command line"
rm "$tmp/pause"
wait "$probe_pid" || fail "status $?"

step "killed in the middle"
start_paused "$url/good/0/5" 0:10 "pause:$tmp/pause" 2000000:10
kill -9 "$child_pid"
rm "$tmp/pause"
status=0
wait "$probe_pid" || status=$?
[ "$status" = 8 ] || fail "status $status"
expect_err "'$url/good/0/5': the download program was killed by signal 9 [net]"

step "the child dies with its parent"
start_paused "$url/good/0/6" 0:10 "pause:$tmp/pause" 10:10
kill -9 "$probe_pid"
wait "$probe_pid" || true
for _ in 1 2 3 4 5 6 7 8 9 10; do
	[ -e "/proc/$child_pid" ] || break
	sleep 0.2
done
[ ! -e "/proc/$child_pid" ] || ! grep -q '^State:	[RSD]' "/proc/$child_pid/status" || fail "an orphan"
rm "$tmp/pause"

step "a child that was taken over is not believed"
bad=$top_src/tests/e2e/bad_child.py
for how in noise exit close shortopen wordy shortnote wordynote idnote notes toolong huge wrongid empty early type zero endsize abort; do
	expect_exit 8 "$probe" "$bad" "http://127.0.0.1/$how"
	expect_err "fetch_probe: 'http://127.0.0.1/$how': the download program "
	expect_err "[net]"
done
expect_exit 8 "$probe" "$bad" "http://127.0.0.1/forged"
expect_err "fetch_probe: ?[2Jboom? [net]"
expect_exit 8 "$probe" "$bad" "http://127.0.0.1/lastword"
expect_err "my last word"
expect_exit 8 "$probe" "$bad" silence=1 "http://127.0.0.1/silent"
expect_err "silent for too long"

step "no program, no user, nonsense on its input"
expect_exit 1 "$probe" "$tmp/no-such-program" "$url/good/0/0"
expect_err "no-such-program"
expect_exit 2 "$child" extra
expect_exit 0 "$child" --version
if [ "$(id -u)" = 0 ]; then
	expect_exit 8 "$probe" "$child" user=no-such-user "$url/good/0/0"
	expect_err "there is no user 'no-such-user'"
fi
python3 - "$child" <<'END' || fail "nonsense was answered"
import os, socket, subprocess, sys
a, b = socket.socketpair()
p = subprocess.Popen([sys.argv[1]], stdin=b)
b.close()
a.sendall(os.urandom(4096))
status = p.wait(10)
try:
    answer = a.recv(10)
except ConnectionResetError:
    answer = b""
sys.exit(status == 0 or len(answer) > 0)
END
assert_no_litter
