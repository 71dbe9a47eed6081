# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154
# A device made of files, for tests of the installer; sourced after lib.sh. Set and defined here:
#	make_device BYTES [EXTRA]    $tmp/dev: install.conf (EXTRA appended), slots a.img and b.img of BYTES filled with noise, a boot store that
#	                             says "a runs and is the default", trust directory of key `k` (made when it is not there)
#	inst ARGUMENT...             artifact-install -c of that device
#	boot_set NAME=VALUE...       write into the boot store; boot_says NAME=VALUE fails unless it holds that line
#	boot_slot SLOT               what a bootloader would do to start SLOT
#	shim HOW AT COMMAND...       run COMMAND with call AT failing as tests/fault/failio.c says; AT 0: none
#	calls                        how many calls the last shim has counted
requires artifact-install mkartifact openssl python3

inst() {
	"$top_build/artifact-install" -c "$tmp/dev/install.conf" "$@"
}

boot_set() {
	for lib_pair; do
		lib_name=${lib_pair%%=*}
		grep -v "^$lib_name=" "$tmp/dev/boot" >"$tmp/dev/boot.new" || :
		echo "$lib_pair" >>"$tmp/dev/boot.new"
		mv "$tmp/dev/boot.new" "$tmp/dev/boot"
	done
}

boot_says() {
	for lib_pair; do
		grep -qx -e "$lib_pair" "$tmp/dev/boot" || { cat "$tmp/dev/boot" >&2; fail "the boot store does not say '$lib_pair'"; }
	done
}

boot_slot() {
	boot_set "booted=$1"
}

shim() { # HOW AT COMMAND...
	shim_how=$1
	shim_at=$2
	shift 2
	head -c 64 /dev/zero >"$tmp/count"
	env LD_PRELOAD="$top_build/failio.so${LD_PRELOAD:+:$LD_PRELOAD}" FAULT_FILE="$tmp/count" FAULT_AT="$shim_at" \
		FAULT_HOW="$shim_how" "$@"
}

calls() {
	python3 -c 'import struct, sys; print(struct.unpack("<Q", open(sys.argv[1], "rb").read(8))[0])' "$tmp/count"
}

make_noise() {
	python3 -c 'import random, sys
sys.stdout.buffer.write(random.Random(int(sys.argv[1])).randbytes(int(sys.argv[2])))' "$1" "$2"
}

make_device() {
	mkdir "$tmp/dev"
	[ -d "$tmp/k.keys" ] || make_key k
	make_noise 1 "$1" >"$tmp/dev/a.img"
	make_noise 2 "$1" >"$tmp/dev/b.img"
	printf 'default=a\ntrial=none\nleft=0\nbad=none\nbooted=a\ntransaction=0\narming=durable\n' >"$tmp/dev/boot"
	# The store is replaced in one rename; `calls` tells a test what was asked.
	cat >"$tmp/dev/boot.sh" <<END
#!/bin/sh
set -eu
store='$tmp/dev/boot'
END
	cat >>"$tmp/dev/boot.sh" <<'END'
get() { sed -n "s/^$1=//p" "$store"; }
put() {
	cp "$store" "$store.tmp"
	for pair; do
		name=${pair%%=*}
		grep -v "^$name=" "$store.tmp" >"$store.tmp2" || :
		echo "$pair" >>"$store.tmp2"
		mv "$store.tmp2" "$store.tmp"
	done
	mv "$store.tmp" "$store"
}
good() { # SLOT is no longer bad
	case $(get bad) in
	ab) [ "$1" = a ] && echo b || echo a ;;
	"$1") echo none ;;
	*) get bad ;;
	esac
}
worse() {
	case $(get bad) in
	none) echo "$1" ;;
	"$1") echo "$1" ;;
	*) echo ab ;;
	esac
}
[ "$1" = get ] || echo "$*" >>"$store.calls"
[ ! -e "$store.fail-$1" ] || exit 1
case $1 in
get) cat "$store" ;;
arm)
	left=$3
	[ "$(get arming)" != one-shot ] || left=1
	put "trial=$2" "left=$left" "bad=$(good "$2")" "transaction=$TWINROOT_TRANSACTION"
	;;
commit) put "default=$2" trial=none left=0 "bad=$(good "$2")" "transaction=$TWINROOT_TRANSACTION" ;;
bad)
	if [ "$(get trial)" = "$2" ]; then put trial=none left=0; fi
	put "bad=$(worse "$2")" "transaction=$TWINROOT_TRANSACTION"
	;;
noop) put ;;
*) exit 2 ;;
esac
END
	chmod +x "$tmp/dev/boot.sh"
	cat >"$tmp/dev/install.conf" <<END
[device]
type = test-board
[slot.a]
rootfs = $tmp/dev/a.img
[slot.b]
rootfs = $tmp/dev/b.img
[trust]
keys = $tmp/k.keys
[state]
directory = $tmp/dev/state
[hooks]
directory = $tmp/dev/hooks
${2:-[boot]
backend = script
script = $tmp/dev/boot.sh}
END
}

# A small real root filesystem, twice, and artifacts of both: $tmp/v1.artifact, $tmp/v2.artifact with the images v1.img, v2.img.
make_versions() {
	mkdir "$tmp/root"
	make_noise 5 900000 >"$tmp/root/noise"
	cp "$tmp/root/noise" "$tmp/root/copy"
	seq 1 200000 >"$tmp/root/text"
	create v1 1.0
	seq 1 30000 | tac >"$tmp/root/text2"
	create v2 2.0
}

create() { # NAME VERSION OPTION...
	lib_name=$1
	lib_version=$2
	shift 2
	SOURCE_DATE_EPOCH=1700000000 "$mkartifact" create -q -o "$tmp/$lib_name.artifact" --name test --version "$lib_version" \
		--compatible test-board --arch any --no-sbom --rootfs "$tmp/root" --size 6M --key "$tmp/k.pem" "$@"
}

# Slot b runs and holds ARTIFACT, with its index kept; slot a is noise. `fresh` brings the device back to that.
start_with() { # ARTIFACT
	expect_exit 0 inst install -q "$1"
	boot_slot b
	expect_exit 0 inst commit
	cp -a "$tmp/dev" "$tmp/start"
}

fresh() { # [LINE of [download]]...
	rm -rf "${tmp:?}/dev"
	cp -a "$tmp/start" "$tmp/dev"
	[ $# = 0 ] || printf '[download]\n%s\n' "$@" >>"$tmp/dev/install.conf"
}

# The slot holds what the signed manifest says.
slot_is() { # SLOT ARTIFACT
	lib_want=$(tar -xOf "$2" manifest.json | python3 -c 'import json, sys
p = json.loads(sys.stdin.read())["payloads"][0]
print(p["size"], p["sha256"])')
	lib_have=$(head -c "${lib_want% *}" "$tmp/dev/$1.img" | sha256sum)
	[ "${lib_have%% *}" = "${lib_want#* }" ] || fail "slot $1 does not hold $2"
}
