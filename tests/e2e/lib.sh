# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What end-to-end tests share. A test is POSIX sh and begins
#
#	#!/bin/sh
#	# SPDX-License-Identifier: Apache-2.0
#	set -eu
#	. "${srcdir:-.}/tests/e2e/lib.sh"
#
# and has in tests/e2e/local.mk
#
#	TESTS += %D%/NAME.sh
#	EXTRA_DIST += %D%/NAME.sh
#
# `make check` runs it from the top of the build directory with srcdir set; by hand: cd build && srcdir=.. sh ../tests/e2e/NAME.sh.
# A test that reaches its end has passed; 77 is skipped; anything else failed. V=1 in the environment shows every command.
#
# Set here:
#	$tmp         a private directory, removed at the end whatever happens (KEEP=1 keeps it and prints its name);
#	             TMPDIR lies in it too, so that a program's temporary files are seen by `assert_no_litter`
#	$top_build   the build directory, absolute: "$top_build/artifact-inspect" is the program under test
#	$mkartifact  that program (it lies a folder deeper, because the build tree has a folder of its name)
#	$top_src     the source directory, absolute, read-only
# Functions:
#	requires TOOL...              skip (77) with a reason when a tool is not there
#	skip REASON...                skip (77)
#	fail TEXT...                  fail, saying where
#	step TEXT...                  say what comes next (in the log)
#	cleanup COMMAND...            run COMMAND (a string) at the end, last registered first
#	background COMMAND...         start in the background; its pid in $pid; ended at the end
#	free_port                     print a TCP port that nobody listens on
#	port_of FILE                  the port that a server wrote there, as soon as it has (4 s at most)
#	wait_port PORT                until somebody listens there (10 s at most)
#	expect_exit N CMD...          run CMD; its stdout in $tmp/out, its stderr in $tmp/err; fail unless its status is N
#	expect_out TEXT, expect_err TEXT     the last expect_exit's output holds TEXT (a fixed string)
#	refuse_out TEXT, refuse_err TEXT     ... does not
#	expect_error N NAME CMD...    expect_exit N "CMD -v", and the error's stable name is NAME
#	json EXPRESSION               print a Python expression over the last stdout, parsed as `d`
#	assert_no_litter              no file is left in TMPDIR
#	make_key NAME                 Ed25519, or $KEY_ALGORITHM: $tmp/NAME.pem, and $tmp/NAME.keys/NAME.pub.pem as a trust directory
#	make_artifact OUT KEY OPTION...   a small artifact, signed by KEY of make_key ("": unsigned), with zero, copy, raw and
#	                              zstd rows; made by tests/e2e/artifact.py (its options), so without mkartifact
#	flip FILE OFFSET [BIT]        flip one bit in place
#	on_terminal ANSWERS CMD...    run CMD on a terminal of its own; type each of ANSWERS (split at |) when a prompt that ends
#	                              in a colon has come; prints what a person sees, and has CMD's status
#	verdict KEYS FILE             print what the second reader and artifact-inspect (where it is built) say of an artifact:
#	                              "ok" or the error's name, or both names when they differ; needs python3, openssl, zstd

LC_ALL=C
export LC_ALL
unset CDPATH SOURCE_DATE_EPOCH NO_COLOR http_proxy https_proxy all_proxy
top_build=$(pwd)
mkartifact=$top_build/mkartifact/mkartifact
top_src=$(cd "${srcdir:-.}" && pwd)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/twinroot-test.XXXXXX")
mkdir "$tmp/tmp"
TMPDIR=$tmp/tmp
export TMPDIR
cleanups=

lib_end() {
	status=$?
	trap - EXIT INT TERM HUP
	set +e
	eval "$cleanups"
	if [ "${KEEP:-}" = 1 ]; then
		echo "kept: $tmp"
	else
		chmod -R u+rwX "$tmp" 2>/dev/null
		rm -rf "$tmp"
	fi
	exit "$status"
}
trap lib_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
[ "${V:-}" != 1 ] || set -x

skip() {
	echo "SKIP: $*"
	exit 77
}

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

step() {
	echo "== $*"
}

requires() {
	for lib_tool; do
		case $lib_tool in
		mkartifact)
			[ -x "$mkartifact" ] || skip "$lib_tool is not built"
			;;
		artifact-*)
			[ -x "$top_build/$lib_tool" ] || skip "$lib_tool is not built"
			;;
		*)
			command -v "$lib_tool" >/dev/null 2>&1 || skip "$lib_tool is not installed"
			;;
		esac
	done
}

cleanup() {
	cleanups="$1
$cleanups"
}

background() {
	"$@" &
	pid=$!
	cleanup "kill $pid 2>/dev/null; wait $pid 2>/dev/null"
}

free_port() {
	requires python3
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

port_of() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ ! -s "$1" ] || break
		sleep 0.2
	done
	cat "$1"
}

wait_port() {
	python3 - "$1" <<'END' || fail "nobody listens on port $1"
import socket, sys, time
for _ in range(200):
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1).close()
        sys.exit(0)
    except OSError:
        time.sleep(0.05)
sys.exit(1)
END
}

lib_show() {
	echo "--- stdout" >&2
	head -c 4000 "$tmp/out" >&2
	echo "--- stderr" >&2
	head -c 4000 "$tmp/err" >&2
}

expect_exit() {
	lib_want=$1
	shift
	lib_got=0
	"$@" >"$tmp/out" 2>"$tmp/err" || lib_got=$?
	if [ "$lib_got" != "$lib_want" ]; then
		lib_show
		fail "exit status $lib_got, not $lib_want: $*"
	fi
}

expect_out() {
	grep -qF -e "$1" "$tmp/out" || { lib_show; fail "stdout lacks '$1'"; }
}

expect_err() {
	grep -qF -e "$1" "$tmp/err" || { lib_show; fail "stderr lacks '$1'"; }
}

refuse_out() {
	! grep -qF -e "$1" "$tmp/out" || { lib_show; fail "stdout has '$1'"; }
}

refuse_err() {
	! grep -qF -e "$1" "$tmp/err" || { lib_show; fail "stderr has '$1'"; }
}

expect_error() {
	lib_status=$1
	lib_name=$2
	shift 2
	expect_exit "$lib_status" "$@" -v
	expect_err "[$lib_name]"
}

json() {
	python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
v = eval(sys.argv[2])
print(v if isinstance(v, str) else json.dumps(v))' "$tmp/out" "$1"
}

assert_no_litter() {
	[ -z "$(ls -A "$TMPDIR")" ] || fail "left in TMPDIR: $(ls -A "$TMPDIR")"
}

make_key() {
	requires openssl
	openssl genpkey -algorithm "${KEY_ALGORITHM:-ed25519}" -out "$tmp/$1.pem" 2>/dev/null
	mkdir "$tmp/$1.keys"
	openssl pkey -in "$tmp/$1.pem" -pubout -out "$tmp/$1.keys/$1.pub.pem"
}

make_artifact() {
	requires python3 openssl zstd
	lib_out=$1
	lib_key=$2
	shift 2
	[ -z "$lib_key" ] || set -- --key "$tmp/$lib_key.pem" "$@"
	python3 "$top_src/tests/e2e/artifact.py" "$lib_out" "$@" 2>"$tmp/err" || { cat "$tmp/err"; fail "artifact.py"; }
}

flip() {
	python3 - "$@" <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]))
    b = f.read(1)[0] ^ (1 << int(sys.argv[3] if len(sys.argv) > 3 else 0))
    f.seek(int(sys.argv[2]))
    f.write(bytes([b]))
END
}

verdict() {
	lib_reader=$(python3 "$top_src/tests/reader/twinroot_reader.py" verify --keys "$1" "$2" || :)
	lib_inspect=$lib_reader
	if [ -x "$top_build/artifact-inspect" ]; then
		lib_inspect=$("$top_build/artifact-inspect" verify -v --keys "$1" "$2" 2>&1 >/dev/null |
			sed -n 's/.* \[\([a-z-]*\)\]$/\1/p')
		: "${lib_inspect:=ok}"
		[ "$lib_inspect" != ok ] || "$top_build/artifact-inspect" verify --keys "$1" "$2" >/dev/null 2>&1 || lib_inspect=failed
	fi
	if [ "$lib_reader" = "$lib_inspect" ]; then
		echo "$lib_reader"
	else
		echo "$lib_reader, but artifact-inspect says $lib_inspect"
	fi
}

on_terminal() {
	python3 - "$@" <<'END'
import os, pty, sys, select
answers = sys.argv[1].split("|")
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
seen = b""
while True:
    if not select.select([fd], [], [], 30)[0]:
        os.kill(pid, 9)
        sys.exit("no answer: %r" % seen)
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data
    if answers and seen.rstrip(b" ").endswith(b":") and not seen.endswith(b"\n"):
        os.write(fd, answers.pop(0).encode() + b"\r")
sys.stdout.write(seen.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
}

# $tmp/nginx.conf, for a server that keeps its files in $tmp/nginx. Standard input: what else stands in http { }.
nginx_conf() {
	mkdir -p "$tmp/nginx"
	cat >"$tmp/nginx.conf" <<END
daemon off;
worker_processes 1;
pid $tmp/nginx/pid;
error_log $tmp/nginx/error.log;
$([ "$(id -u)" != 0 ] || echo "user root;")
events { }
http {
	client_body_temp_path $tmp/nginx/body;
	proxy_temp_path $tmp/nginx/proxy;
	fastcgi_temp_path $tmp/nginx/fastcgi;
	uwsgi_temp_path $tmp/nginx/uwsgi;
	scgi_temp_path $tmp/nginx/scgi;
$(cat)
}
END
}
