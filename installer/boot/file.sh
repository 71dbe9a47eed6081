#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
# A boot store in a plain file, for the `script` backend: to try Twinroot without a bootloader, and a pattern for an integrator's own.
# The store is boot.state beside this script; its lines are what `get` prints. BOOT_STORE names another file where a person or a test calls
# the script; the installer never does, its programs get a clean environment.
store=${BOOT_STORE:-$(dirname "$0")/boot.state}
[ -f "$store" ] || printf 'default=a\nbooted=a\ntrial=none\nleft=0\nbad=none\ntransaction=0\narming=durable\n' >"$store"

value() { sed -n "s/^$1=//p" "$store"; }

# Every act is one rename: a power cut leaves the old store or the new one.
put() {
	cat >"$store.new"
	sync "$store.new"
	mv "$store.new" "$store"
	sync "$(dirname "$store")"
}

# The bad slots with SLOT put in or taken out: none, a, b, or ab.
bad_with() { case "$(value bad)$1" in nonea) echo a ;; noneb) echo b ;; aa) echo a ;; bb) echo b ;; *) echo ab ;; esac; }
bad_without() { left=$(value bad | sed "s/none//; s/$1//"); echo "${left:-none}"; }

set_all() { # DEFAULT TRIAL LEFT BAD
	printf 'default=%s\nbooted=%s\ntrial=%s\nleft=%s\nbad=%s\ntransaction=%s\narming=durable\n' \
		"$1" "$(value booted)" "$2" "$3" "$4" "${TWINROOT_TRANSACTION:-0}" | put
}

case ${1:-} in
get) cat "$store" ;;
arm) set_all "$(value default)" "$2" "$3" "$(bad_without "$2")" ;;
commit) set_all "$2" none 0 "$(bad_without "$2")" ;;
bad)
	trial=$(value trial)
	left=$(value left)
	if [ "$trial" = "$2" ]; then
		trial=none
		left=0
	fi
	set_all "$(value default)" "$trial" "$left" "$(bad_with "$2")" ;;
noop) put <"$store" ;;
*)
	echo "usage: file.sh get | arm SLOT TRIES | commit SLOT | bad SLOT | noop" >&2
	exit 2 ;;
esac
