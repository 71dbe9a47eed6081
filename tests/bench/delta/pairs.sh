#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
# pairs.sh OUT [--full]: root filesystems to go from and to, as tarballs in OUT, made of Debian's own archives by mmdebstrap (root):
#	security  bookworm without its updates and security pockets -> with them
#	app       security's new one with an application in /opt/app -> with its next version (Node-RED 4.0.2 -> 4.0.9 of npm's archive, without
#	          what only its developers need, and a Go program, stripped as a product's is, built again after changes low in its link order)
#	release   bookworm -> trixie, the same packages (only with --full)
# What is there already is kept. The pockets move, so figures of different days are not of the same pair.
out=$1
full=${2:-}
suites=http://deb.debian.org/debian
security=http://deb.debian.org/debian-security
packages=systemd,udev,dbus,openssh-server,nginx,python3,curl,iproute2,perl
command -v npm >/dev/null || { echo "pairs.sh: npm is not installed" >&2; exit 1; }
mkdir -p "$out"
cd "$out"

root() { # NAME INCLUDE VARIANT SUITE SOURCE...
	name=$1 include=$2 variant=$3 suite=$4
	shift 4
	[ ! -f "$name.tar" ] || return 0
	echo "making $name.tar" >&2
	mmdebstrap -q --mode=root --variant="$variant" --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--include="$include" "$suite" "$name.new.tar" "$@"
	mv "$name.new.tar" "$name.tar"
}

main="deb $suites bookworm main"
updates="deb $suites bookworm-updates main"
patched="deb $security bookworm-security main"
root security-old "$packages" minbase bookworm "$main"
root security-new "$packages" minbase bookworm "$main" "$updates" "$patched"

node_red() { # NAME VERSION
	[ ! -f "$1.tar" ] || return 0
	echo "making $1.tar" >&2
	rm -rf tree
	npm install --silent --ignore-scripts --no-audit --no-fund --omit=dev --prefix tree/opt/app "node-red@$2"
	find tree -type f '(' -name '*.map' -o -name '*.ts' -o -name '*.md' ')' -delete
	find tree -type d '(' -name test -o -name docs ')' -prune -exec rm -r '{}' +
	tar -C tree --sort=name --owner=0 --group=0 --mtime=@1700000000 -cf "$1.new.tar" ./opt
	mv "$1.new.tar" "$1.tar"
	rm -r tree
}
node_red node-red-old 4.0.2
node_red node-red-new 4.0.9

# A program of a fixed toolchain, and the same after an edit that moves nearly all of it.
program() { # OUTPUT [SED]
	[ ! -f "$1" ] || return 0
	echo "building $1" >&2
	rm -rf go
	cp -rL /usr/lib/go-1.19 go
	rm -rf go/pkg/linux_amd64
	[ -z "${2:-}" ] || sed -i "$2" go/src/strings/strings.go go/src/path/filepath/path.go
	(cd go/src/cmd/go && GOROOT="$PWD/../../.." GOCACHE="$PWD/../../../cache" GOFLAGS=-trimpath CGO_ENABLED=0 \
		"$PWD/../../../bin/go" build -ldflags='-s -w -buildid=' -o "$1.new" .)
	mv "$1.new" "$1"
	rm -rf go
}
here=$PWD
program "$here/agent-old"
program "$here/agent-new" 's/^func Fields(s string) \[\]string {/&\n\tif len(s) > 1<<40 {\n\t\tpanic("a field too long")\n\t}/
	s/^func Clean(path string) string {/&\n\tif len(path) > 1<<40 {\n\t\tpanic("a path too long")\n\t}/'

app() { # old|new
	[ ! -f "app-$1.tar" ] || return 0
	echo "making app-$1.tar" >&2
	rm -rf tree
	mkdir tree
	tar -C tree -xf "node-red-$1.tar"
	install -m 755 "agent-$1" tree/opt/app/agent
	cp security-new.tar "app-$1.new.tar"
	tar -C tree --sort=name --owner=0 --group=0 --mtime=@1700000000 -rf "app-$1.new.tar" ./opt/app
	mv "app-$1.new.tar" "app-$1.tar"
	rm -r tree
}
app old
app new

if [ -n "$full" ]; then
	[ -e release-old.tar ] || ln security-new.tar release-old.tar
	root release-new "$packages" minbase trixie "deb $suites trixie main" "deb $suites trixie-updates main" \
		"deb $security trixie-security main"
fi
