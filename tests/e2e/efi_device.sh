# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154
# A device of two image files with EFI variables; sourced after firmware.sh and device.sh. The test says, as functions, what the
# boot manager does: firmware (boot once, which uses up what is for one boot).
efi_device() { # BACKEND ENTRY-A ENTRY-B
	make_device 8388608 "[boot]
backend = $1
entry-a = $2
entry-b = $3"
	make_versions
	step "no EFI"
	expect_error 2 usage "$top_build/artifact-install" -c dev/install.conf status
	expect_err "this system has no EFI variables"
	mkdir -p "$efivars"
}
inst() { EFIVARFS_PATH=$efivars/ LD_PRELOAD=$top_build/efishim.so "$top_build/artifact-install" -c "$tmp/dev/install.conf" "$@"; }
status_is() { # DEFAULT RUNNING TRIAL LEFT
	expect_exit 0 inst status --json
	have=$(json "d['boot']['default'], d['running'], d['boot']['trial'], d['boot']['tries-left']")
	[ "$have" = "[\"$1\", \"$2\", \"$3\", $4]" ] || fail "status is $have, not $1 $2 $3 $4"
}
# Once with a power cut before each write of a command; then again without.
cuts=0
with_cuts() { # AFTER DONE COMMAND...: AFTER and DONE are functions that judge what a cut and what the whole act leaves
	after=$1 done=$2
	shift 2
	n=0
	while :; do
		n=$((n + 1))
		rm -rf save
		mkdir save
		cp -a "$efivars" dev/state dev/a.img dev/b.img save
		got=0
		EFISHIM_CUT=$n inst "$@" >out 2>err || got=$?
		[ "$got" = 99 ] || break
		cuts=$((cuts + 1))
		# What boots now is complete: not the slot that was being written.
		"$after"
		# At once, and with a boot in between, it can be done again.
		expect_exit 0 inst "$@"
		"$done"
		rm -rf "${efivars:?}" dev/state
		cp -a save/efivars "${efivars%/*}"
		cp -a save/state save/a.img save/b.img dev
	done
	[ "$got" = 0 ] || { cat err >&2; fail "status $got: $*"; }
	[ "$n" -gt 2 ] || fail "only $n writes: $*"
	"$done"
}
