# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Debian packages of any architecture, unpacked and not installed, through an apt state of their own: the host gets no foreign
# architecture, no source, no package. To be sourced:
#
#	debs_open ARCH DIRECTORY [SUITE]   from here on, packages of ARCH, of the host's sources or of another release from the host's first
#	                               mirror; the state is kept below DIRECTORY
#	debs_real META                 the package behind a meta-package: the first that it depends on
#	debs_unpack ROOT PACKAGE...    these packages and no other
#	debs_install ROOT PACKAGE...   these and all that they need, as if onto an empty machine
#	debs_close                     take the state away

debs_apt() { # PROGRAM ARGUMENT...
	local program=$1
	shift
	"$program" -q -o APT::Architecture="$debs_arch" -o APT::Architectures::="$debs_arch" -o Dir::State="$debs_dir/state" \
		-o Dir::State::status="$debs_dir/status" -o Dir::Cache="$debs_dir/cache" -o APT::Install-Recommends=0 \
		-o Debug::NoLocking=1 -o APT::Sandbox::User=root ${debs_suite:+-o Dir::Etc::sourcelist="$debs_dir/sources.list" -o Dir::Etc::sourceparts=/dev/null} "$@"
}

debs_open() {
	debs_arch=$1
	debs_dir=$2/apt
	debs_suite=${3:-}
	mkdir -p "$debs_dir/state/lists/partial" "$debs_dir/cache/archives/partial"
	: >"$debs_dir/status"
	[ -z "$debs_suite" ] || echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(apt-get indextargets --format '$(REPO_URI)' |
		grep -m 1 '/debian/*$') $debs_suite main" >"$debs_dir/sources.list"
	# A pocket that cannot be had now only gives older packages.
	debs_apt apt-get update || echo "going on with the lists that could be fetched" >&2
}

debs_real() {
	debs_apt apt-cache depends "$1" | sed -n 's/^ *Depends: \([^<].*\)/\1/p' | head -n 1 | grep .
}

debs_spread() { # ROOT: every package that has been fetched
	local deb
	mkdir -p "$1"
	for deb in "$debs_dir"/cache/archives/*.deb; do
		dpkg-deb -x "$deb" "$1"
		rm "$deb"
	done
}

debs_unpack() {
	local root=$1
	shift
	(cd "$debs_dir/cache/archives" && debs_apt apt-get download "$@")
	debs_spread "$root"
}

debs_install() {
	local root=$1 link
	shift
	debs_apt apt-get -y -d install "$@"
	debs_spread "$root"
	# Absolute links would lead out of the root.
	find "$root" -type l -lname '/*' | while read -r link; do
		ln -sfn "$root$(readlink "$link")" "$link"
	done
}

debs_close() { rm -rf "$debs_dir"; }
