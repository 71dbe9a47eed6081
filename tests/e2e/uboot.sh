#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The U-Boot backend on environment files that mkenvimage made, with one copy and with two; what it wrote is judged by fw_printenv.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
. "$top_src/tests/e2e/device.sh"
requires mkenvimage fw_printenv fw_setenv
cd "$tmp"
make_device 8388608 "[boot]
backend = uboot
environment = $tmp/fw_env.config
tries = 4"
"$top_build/artifact-install" --version >/dev/null
if inst status 2>&1 | grep -q "no boot backend"; then skip "built without U-Boot"; fi
make_versions

var() { # NAME VALUE: the environment says so
	have=$(fw_printenv -c fw_env.config -n "twinroot_$1")
	[ "$have" = "$2" ] || fail "twinroot_$1 is '$have', not '$2'"
}
vars() { # DEFAULT TRIAL LEFT BAD
	var default "$1"
	var trial "$2"
	var left "$3"
	var bad "$4"
	[ "$(fw_printenv -c fw_env.config -n bootcmd)" = "run twinroot_boot" ] || fail "a variable of others was lost"
}

environment() { # COPIES
	printf 'bootcmd=run twinroot_boot\ntwinroot_default=a\ntwinroot_booted=a\n' >env.txt
	if [ "$1" = 2 ]; then
		mkenvimage -r -s 0x4000 -o env1 env.txt
		cp env1 env2
		printf '%s 0x0 0x4000\n%s 0x0 0x4000\n' "$tmp/env1" "$tmp/env2" >fw_env.config
	else
		mkenvimage -s 0x4000 -o env1 env.txt
		printf '%s 0x0 0x4000\n' "$tmp/env1" >fw_env.config
	fi
}

for copies in 1 2; do
	step "$copies copies"
	rm -rf dev/state
	environment $copies
	[ $copies = 1 ] || cp env1 first.env
	expect_exit 0 inst status
	case $copies in 1) expect_out "the environment has one copy" ;; 2) expect_out "a copy of the boot store is a file" ;; esac
	expect_exit 0 inst status --json
	[ "$(json "d['boot']['backend'], d['boot']['default'], d['running']")" = '["uboot", "a", "a"]' ] || fail "status"
	expect_exit 0 inst install v1.artifact
	slot_is b v1.artifact
	vars a b 4 none
	expect_exit 0 inst status --json
	var transaction "$(json "d['transaction']")"
	[ "$(json "d['boot']['trial'], d['boot']['tries-left']")" = '["b", 4]' ] || fail "status of the trial"
	# What a boot script does: count down, start the trial.
	printf 'twinroot_left=3\ntwinroot_booted=b\n' >set.txt
	fw_setenv -c fw_env.config -s set.txt
	expect_error 7 state-uncommitted inst install v2.artifact
	expect_exit 0 inst commit
	vars b none 0 none
	expect_exit 0 inst install v2.artifact
	slot_is a v2.artifact
	vars b a 4 none
	printf 'twinroot_left=3\ntwinroot_booted=a\n' >set.txt
	fw_setenv -c fw_env.config -s set.txt
	expect_exit 0 inst rollback
	vars b none 0 a
done

step "with one copy torn, the other tells the state before or after"
for torn in env1 env2; do
	cp env1 save1
	cp env2 save2
	dd if=/dev/urandom of=$torn bs=1000 count=1 conv=notrunc 2>/dev/null
	expect_exit 0 inst status --json
	[ "$(json "d['boot']['default']")" = b ] || fail "default after $torn was torn"
	cp save1 env1
	cp save2 env2
done

step "no environment, and one that says nothing"
cp env1 save1
dd if=/dev/urandom of=env1 bs=1000 count=1 conv=notrunc 2>/dev/null
dd if=/dev/urandom of=env2 bs=1000 count=1 conv=notrunc 2>/dev/null
cp dev/b.img before.img
expect_exit 6 inst install v1.artifact
cmp before.img dev/b.img
printf 'bootcmd=x\n' | mkenvimage -r -s 0x4000 -o env1 -
cp env1 env2
expect_exit 1 inst install v1.artifact
expect_err "does not say which slot is the default"
printf 'twinroot_default=c\n' | mkenvimage -r -s 0x4000 -o env1 -
cp env1 env2
expect_exit 1 inst install v1.artifact
expect_err "'twinroot_default' is 'c'"

step "two copies that the boot script keeps: every write goes to the one that does not count"
rm -rf dev/state
sed -i "s|^environment = .*|&\\nenvironment-copy = $tmp/copy.config|" dev/install.conf
printf 'other=kept\ntwinroot_sequence=9\ntwinroot_default=a\ntwinroot_booted=a\n' >env.txt
mkenvimage -s 0x4000 -o env1 env.txt
cp env1 env2
printf '%s 0x0 0x4000\n' "$tmp/env1" >fw_env.config
printf '%s 0x0 0x4000\n' "$tmp/env2" >copy.config
copy() { # CONFIG NAME VALUE
	have=$(fw_printenv -c "$1" -n "$2")
	[ "$have" = "$3" ] || fail "$1: $2 is '$have', not '$3'"
}
cp env1 before.env
expect_exit 0 inst install v1.artifact
copy copy.config twinroot_sequence a
copy copy.config twinroot_bad b
copy copy.config other kept
copy fw_env.config twinroot_sequence b
copy fw_env.config twinroot_trial b
copy fw_env.config twinroot_left 4
copy fw_env.config other kept
expect_exit 0 inst status --json
json "d['boot']['caution']" | grep -q 'is a file' || fail "no caution about files"
step "what others delete and add in the copy that counts is so in the next one too"
others() { fw_printenv -c "$1" | grep -v '^twinroot_'; }
printf 'other=\nadded=1\nanother=2\n' >set.txt
fw_setenv -c fw_env.config -s set.txt
fw_setenv -c copy.config stale 1
expect_exit 0 inst rollback
copy copy.config twinroot_sequence c
copy copy.config twinroot_bad b
others copy.config >have
printf 'added=1\nanother=2\n' | diff - have
expect_exit 0 inst install v1.artifact
copy copy.config twinroot_trial b
others fw_env.config | diff have -
others copy.config | diff have -
for n in 1 2; do
	cp env$n save
	dd if=/dev/urandom of=env$n bs=1000 count=1 conv=notrunc 2>/dev/null
	expect_exit 0 inst status --json
	[ "$(json "d['boot']['default'], d['boot']['trial'], d['boot']['bad'] if 'bad' in d['boot'] else 0" | cut -c 1-5)" = '["a",' ] || fail "with env$n torn"
	cp save env$n
done
step "copies where there is no room for both; in one file there is, with a caution"
cp fw_env.config one.save
cp copy.config two.save
truncate -s 8388608 both
ln -s both other-name
mkenvimage -s 0x4000 -o env.save env.txt
for offset in 0x0 0x7fc000; do
	dd if=env.save of=both bs=4096 seek=$((offset / 4096)) conv=notrunc status=none
done
overlap() { # CONFIG CONFIG: both are named
	cp both before.both
	for act in status "install v1.artifact"; do
		# shellcheck disable=SC2086
		expect_error 2 usage inst $act
		expect_err "copies of the environment overlap: '$tmp/both' at 0x0 ('$tmp/$1') and '$tmp/"
		expect_err "('$tmp/$2')"
	done
	cmp before.both both
}
printf '%s 0x0 0x4000\n' "$tmp/both" >fw_env.config
printf '# the copy\n%s 0x0 0x4000\n' "$tmp/other-name" >copy.config
overlap fw_env.config copy.config
printf '%s 0x2000 0x4000\n' "$tmp/both" >copy.config
overlap fw_env.config copy.config
cp dev/install.conf turns.conf
sed -i '/^environment-copy/d' dev/install.conf
printf '%s 0x0 0x4000\n%s 0x0 0x4000\n' "$tmp/both" "$tmp/both" >fw_env.config
overlap fw_env.config fw_env.config
cp turns.conf dev/install.conf
rm -rf dev/state
printf '%s 0x0 0x4000\n' "$tmp/both" >fw_env.config
printf '%s 0x7fc000 0x4000\n' "$tmp/both" >copy.config
expect_exit 0 inst install v1.artifact
copy copy.config twinroot_sequence a
copy fw_env.config twinroot_trial b
expect_exit 0 inst status
expect_out "not safe against every power cut: a copy of the boot store is a file"
cp one.save fw_env.config
cp two.save copy.config
step "a copy that the boot script would pass over does not count here"
printf 'twinroot_default=b\n' | mkenvimage -s 0x4000 -o env1 -
expect_exit 0 inst status --json
[ "$(json "d['boot']['default']")" = a ] || fail "a copy without a sequence counted"
printf 'twinroot_sequence=ff\ntwinroot_default=x\n' | mkenvimage -s 0x4000 -o env1 -
expect_exit 0 inst status --json
[ "$(json "d['boot']['default']")" = a ] || fail "a copy without a default counted"
step "both lost: boot-check makes them anew, the command line says what runs"
dd if=/dev/urandom of=env1 bs=1000 count=1 conv=notrunc 2>/dev/null
dd if=/dev/urandom of=env2 bs=1000 count=1 conv=notrunc 2>/dev/null
expect_error 6 boot-lost inst install v1.artifact
sed -i '/^environment-copy/d' dev/install.conf
rm fw_env.config
expect_exit 2 inst status
cmp before.img dev/b.img
assert_no_litter
