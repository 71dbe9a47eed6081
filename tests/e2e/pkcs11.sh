#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Keys on a security module: SoftHSM with EC, RSA and Ed25519 keys on one token, in a configuration of its own.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
requires mkartifact openssl python3 tar zstd softhsm2-util pkcs11-tool
cd "$tmp"
module=
for m in /usr/lib/softhsm/libsofthsm2.so /usr/lib64/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so; do
	[ ! -e "$m" ] || module=$m
done
[ -n "$module" ] || skip "libsofthsm2.so is not where it usually is"
"$mkartifact" sign --key pkcs11:x=y none 2>&1 | grep -q p11-kit && skip "built without security modules"

mkdir tokens
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$tmp" >softhsm.conf
SOFTHSM2_CONF=$tmp/softhsm.conf
export SOFTHSM2_CONF
# SoftHSM leaks a few bytes for each Ed25519 key, which a sanitizer build would lay to our charge.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS
echo 123456 >pin
echo 999999 >wrong-pin

tool() { # TOKEN ARGUMENTS...
	tool_token=$1
	shift
	pkcs11-tool --module "$module" --token-label "$tool_token" --login --pin 123456 "$@" >>log 2>&1
}

step "one token with every kind of key"
softhsm2-util --init-token --free --label release --pin 123456 --so-pin 654321 >log
softhsm2-util --init-token --free --label spare --pin 123456 --so-pin 654321 >>log
tool release --keypairgen --key-type EC:prime256v1 --label p256 --id 01
tool release --keypairgen --key-type EC:secp384r1 --label p384 --id 02
tool release --keypairgen --key-type rsa:3072 --label rsa --id 03
tool release --keypairgen --key-type EC:edwards25519 --label ed --id 04 || skip "this SoftHSM has no Ed25519"
tool release --keypairgen --key-type rsa:2048 --label weak --id 05
tool release --keypairgen --key-type EC:secp521r1 --label p521 --id 06
tool release --keypairgen --key-type EC:prime256v1 --label twin --id 07
tool release --keypairgen --key-type EC:prime256v1 --label twin --id 08

# The public half by another program's hand; pkcs11-tool 0.23 writes not every EC key to a file, so their points are
# taken from its list.
read_public() { # LABEL OUT
	if [ "$1" = rsa ]; then
		pkcs11-tool --module "$module" --token-label release --read-object --type pubkey --label rsa -o "$2.der" >>log 2>&1
	else
		pkcs11-tool --module "$module" --token-label release --list-objects --type pubkey 2>>log | python3 -c '
import re, sys
head = {"p256": "3059301306072a8648ce3d020106082a8648ce3d030107034200",
	"p384": "3076301006072a8648ce3d020106052b81040022036200",
	"ed": "302a300506032b6570032100"}[sys.argv[1]]
point = re.search(r"EC_POINT: +04..([0-9a-f]+)\n.*\n +label: +%s\n" % sys.argv[1], sys.stdin.read()).group(1)
sys.stdout.buffer.write(bytes.fromhex(head + point))' "$1" >"$2.der"
	fi
	openssl pkey -pubin -inform DER -in "$2.der" -out "$2"
}

PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$top_src/tests/vectors python3 - base.artifact <<'END'
import sys
import kit
body = kit.Payload([kit.Segment([kit.raw(kit.noise("body", 20480), group=True)])])
with open(sys.argv[1], "wb") as f:
    f.write(kit.Artifact([body], []).build(sig=b"\n" * 16384))
END

uri() { # ATTRIBUTES [QUERY]
	echo "pkcs11:token=release;$1?pin-source=file:$tmp/pin&module-path=$module${2:-}"
}

step "each signs; openssl and the second reader agree"
for k in p256 p384 rsa ed; do
	cp base.artifact $k.artifact
	expect_exit 0 "$mkartifact" sign --key "$(uri "object=$k")" $k.artifact
	mkdir $k.keys
	read_public $k $k.pem
	cp $k.pem $k.keys
	[ "$(verdict $k.keys $k.artifact)" = ok ] || fail "$k: a reader refuses it"
	tar -xOf $k.artifact manifest.sig | grep . >line
	cut -d' ' -f3 line | openssl base64 -d -A >sig
	"$mkartifact" digest --public $k.keys/$k.pem $k.artifact >text
	case $k in
	p256) openssl dgst -sha256 -verify $k.keys/$k.pem -signature sig text ;;
	p384) openssl dgst -sha384 -verify $k.keys/$k.pem -signature sig text ;;
	rsa) openssl dgst -sha256 -verify $k.keys/$k.pem -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 \
		-sigopt rsa_mgf1_md:sha256 -signature sig text ;;
	ed) openssl pkeyutl -verify -pubin -inkey ed.keys/ed.pem -rawin -in text -sigfile sig ;;
	esac >verified || fail "$k: openssl refuses it"
done

step "several keys in one go, on the token and in a file; by id; through the configured modules"
"$mkartifact" keygen -o file.pem >/dev/null
cp base.artifact all.artifact
expect_exit 0 "$mkartifact" sign --key "$(uri object=p256)" --key "$(uri 'id=%03;type=private')" --key file.pem \
	--key "$(uri object=ed)" all.artifact
[ "$(tar -xOf all.artifact manifest.sig | grep -c .)" = 4 ] || fail "not four signatures"
for k in p256 rsa ed; do
	[ "$(verdict $k.keys all.artifact)" = ok ] || fail "$k is not in it"
done
if [ -e /usr/share/p11-kit/modules/softhsm2.module ]; then
	expect_exit 0 "$mkartifact" sign --key 'pkcs11:token=release;object=p384' --passphrase-file pin all.artifact
	[ "$(verdict p384.keys all.artifact)" = ok ] || fail "p384 is not in it"
fi
# ECDSA numbers are at times shorter than their field: many signatures, each verified before it is put in.
for _ in 1 2 3 4 5 6 7 8 9 10; do
	expect_exit 0 "$mkartifact" sign --key "$(uri object=p256)" --key "$(uri object=p384)" all.artifact
done

refused() { # STATUS NAME KEY [ARGUMENTS...]
	refused_status=$1
	refused_name=$2
	refused_key=$3
	shift 3
	cp base.artifact clean.artifact
	expect_error "$refused_status" "$refused_name" "$mkartifact" sign --key "$refused_key" "$@" clean.artifact </dev/null
	cmp clean.artifact base.artifact || fail "changed by a refused key"
	[ -z "$(find . -name '.*.artifact.*')" ] || fail "a temporary file was left"
}

step "PINs: wrong, absent, in the URI"
bare="pkcs11:token=release;object=p256?module-path=$module"
refused 4 key-bad "$bare" --passphrase-file wrong-pin
expect_err "cannot log in to token 'release'"
refused 4 key-bad "pkcs11:token=release;object=p256?module-path=$module&pin-source=file:$tmp/wrong-pin" --passphrase-file pin
refused 2 usage "$bare"
expect_err "no terminal"
refused 6 io "pkcs11:token=release;object=p256?module-path=$module&pin-source=file:$tmp/absent"
refused 2 usage "$bare&pin-value=123456"
expect_err "can be read by every process"
refuse_err 123456
refused 2 usage "$bare&pin-source=%7Ccat%20$tmp/pin"
# The wrong PINs did not lock the token: each was tried once.
cp base.artifact clean.artifact
expect_exit 0 "$mkartifact" sign --key "$bare" --passphrase-file pin clean.artifact

step "the PIN typed on a terminal; a key that wants it again for every signature; a public half in a certificate"
expect_exit 0 on_terminal 123456 "$mkartifact" sign --key "$bare" clean.artifact
expect_out "PIN of token release:"
refuse_out 123456
expect_exit 4 on_terminal 999999 "$mkartifact" sign --key "$bare" clean.artifact
expect_exit 0 on_terminal 123456 "$mkartifact" sign --key "$bare" clean.artifact
tool release --keypairgen --key-type EC:prime256v1 --label wary --id 09 --always-auth
expect_exit 0 "$mkartifact" sign --key "$(uri object=wary)" clean.artifact
expect_exit 0 on_terminal '123456|123456' "$mkartifact" sign --key "pkcs11:token=release;object=wary?module-path=$module" clean.artifact
[ "$(grep -o 'PIN of token release:' out | wc -l)" = 2 ] || fail "not asked for the login and for the signature"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout card.pem -subj /CN=card -out card.crt 2>>log
openssl pkcs8 -topk8 -nocrypt -in card.pem -outform DER -out card.der
openssl x509 -in card.crt -outform DER -out card.crt.der
tool release --write-object card.der --type privkey --id 0a --label card
refused 4 key-bad "$(uri object=card)"
tool release --write-object card.crt.der --type cert --id 0a --label card
expect_exit 0 "$mkartifact" sign --key "$(uri object=card)" clean.artifact
mkdir card.keys
openssl x509 -in card.crt -pubkey -noout >card.keys/card.pem
[ "$(verdict card.keys clean.artifact)" = ok ] || fail "signed by a card, but a reader refuses it"

step "URIs that fit nothing, too much, or the wrong thing"
refused 4 key-bad "$(uri object=none)"
refused 4 key-bad "$(uri object=twin)"
expect_err "several keys"
cp base.artifact clean.artifact
expect_exit 0 "$mkartifact" sign --key "$(uri 'object=twin;id=%08')" clean.artifact
refused 4 key-bad "pkcs11:token=absent;object=p256?module-path=$module" --passphrase-file pin
refused 4 key-bad "pkcs11:object=p256?module-path=$module" --passphrase-file pin
expect_err "fits 2 tokens"
refused 2 usage "$(uri 'object=p256;type=public')"
refused 2 usage "$(uri 'object=p256;colour=red')"
refused 2 usage "pkcs11:object=%zz"
refused 6 io "pkcs11:token=release;object=p256?module-path=$tmp/absent.so"
refused 6 io "pkcs11:token=release;object=p256?module-path=$tmp/pin"
refused 4 key-bad "$(uri object=weak)"
refused 4 key-bad "$(uri object=p521)"

step "a public half that is not this key's is found before anything is written"
tool release --delete-object --type pubkey --id 07
refused 4 key-bad "$(uri 'object=twin;id=%07')"
expect_err "no public key"
tool release --write-object p256.pem.der --type pubkey --label false --id 07
refused 4 sig-invalid "$(uri 'object=twin;id=%07')"
expect_err "its public half refuses"
assert_no_litter
