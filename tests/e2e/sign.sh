#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# keygen, sign, digest and attach against the openssl program and the second reader, which share no code with them.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
requires mkartifact openssl python3 tar zstd
cd "$tmp"

# An artifact without a signature, with ROOM bytes for them.
make_unsigned() {
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$top_src/tests/vectors python3 - "$1" "${2:-16384}" <<'END'
import sys
import kit
body = kit.Payload([kit.Segment([kit.raw(kit.noise("body", 20480), group=True)])])
with open(sys.argv[1], "wb") as f:
    f.write(kit.Artifact([body], []).build(sig=b"\n" * int(sys.argv[2])))
END
}

sig_line() {
	tar -xOf "$1" manifest.sig | grep "$2"
}

# Everything but manifest.sig is what it was in base.artifact.
same_payload() {
	tar -xOf "$1" manifest.json payload/rootfs/0000.index payload/rootfs/0000.data >"$tmp/now"
	tar -xOf base.artifact manifest.json payload/rootfs/0000.index payload/rootfs/0000.data >"$tmp/then"
	cmp "$tmp/now" "$tmp/then" || fail "the payload of $1 changed"
	[ "$(wc -c <"$1")" = "$(wc -c <base.artifact)" ] || fail "$1 has another size"
}

no_temporaries() {
	# shellcheck disable=SC2010
	! ls -A "$tmp" "$tmp/d" 2>/dev/null | grep -q '^\..*\..*\.......$' || fail "a temporary file was left"
}

openssl_sign() { # KEY TYPE TEXT OUT
	case $2 in
	ed25519|ml-dsa-*) openssl pkeyutl -sign -inkey "$1" -rawin -in "$3" -out "$4" ;;
	ecdsa-p256) openssl dgst -sha256 -sign "$1" -out "$4" "$3" ;;
	ecdsa-p384) openssl dgst -sha384 -sign "$1" -out "$4" "$3" ;;
	rsa-*) openssl dgst -sha256 -sign "$1" -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 \
		-sigopt rsa_mgf1_md:sha256 -out "$4" "$3" ;;
	esac
}

openssl_verify() { # PUB TYPE TEXT SIG
	case $2 in
	ed25519|ml-dsa-*) openssl pkeyutl -verify -pubin -inkey "$1" -rawin -in "$3" -sigfile "$4" ;;
	ecdsa-p256) openssl dgst -sha256 -verify "$1" -signature "$4" "$3" ;;
	ecdsa-p384) openssl dgst -sha384 -verify "$1" -signature "$4" "$3" ;;
	rsa-*) openssl dgst -sha256 -verify "$1" -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 \
		-sigopt rsa_mgf1_md:sha256 -signature "$4" "$3" ;;
	esac
}

make_unsigned base.artifact
types="ed25519 ecdsa-p256 ecdsa-p384 rsa-3072"
# From OpenSSL 3.5 on; tests/newer.sh says with which library.
if openssl list -signature-algorithms | grep -q -i ML-DSA-65; then
	types="$types ml-dsa-65 ml-dsa-87"
else
	expect_error 1 failed "$mkartifact" keygen -o none.pem --type ml-dsa-65
	[ ! -e none.pem ] || fail "a key was made"
fi
echo "types: $types"

step "keygen: modes, the public half, never over a file that exists"
for t in $types; do
	expect_exit 0 "$mkartifact" keygen -o "$t.pem" --type "$t"
	[ "$(stat -c %a "$t.pem")" = 600 ] || fail "$t.pem is not 0600"
	openssl pkey -in "$t.pem" -pubout | cmp - "$t.pub.pem" || fail "$t.pub.pem is not its public half"
	id=$(openssl pkey -pubin -in "$t.pub.pem" -outform DER | sha256sum | cut -d' ' -f1)
	expect_out "$id"
	mkdir "$t.keys"
	cp "$t.pub.pem" "$t.keys"
done
cp ed25519.pem before
expect_error 2 usage "$mkartifact" keygen -o ed25519.pem
cmp before ed25519.pem || fail "a key was overwritten"
: >taken.pub.pem
expect_error 2 usage "$mkartifact" keygen -o taken.pem
[ ! -e taken.pem ] || fail "half a key pair was left"
ln -s nowhere dangling.pem
expect_exit 6 "$mkartifact" keygen -o dangling.pem
[ ! -e nowhere ] && [ ! -e dangling.pub.pem ] || fail "written through a dangling link"
expect_exit 2 "$mkartifact" keygen -o x.pem --type rsa-2048
expect_exit 2 "$mkartifact" keygen
expect_exit 2 "$mkartifact" keygen -o -
expect_error 6 io "$mkartifact" keygen -o missing/x.pem

step "sign: each type; the payload stays; openssl and the second reader agree"
for t in $types; do
	cp base.artifact "$t.artifact"
	chmod 640 "$t.artifact"
	[ "$(verdict "$t.keys" "$t.artifact")" = sig-none ] || fail "unsigned is not sig-none"
	expect_exit 0 "$mkartifact" sign --key "$t.pem" "$t.artifact"
	same_payload "$t.artifact"
	[ "$(stat -c %a "$t.artifact")" = 640 ] || fail "the mode changed"
	[ "$(verdict "$t.keys" "$t.artifact")" = ok ] || fail "$t: a reader refuses it"
	"$mkartifact" digest --public "$t.pub.pem" "$t.artifact" >text
	id=$(sed -n 3p text)
	sig_line "$t.artifact" "$id" | cut -d' ' -f3 | openssl base64 -d -A >sig
	openssl_verify "$t.pub.pem" "$t" text sig >/dev/null || fail "$t: openssl refuses it"
	# The wrong trust directory.
	for other in $types; do
		[ "$other" = "$t" ] || [ "$(verdict "$other.keys" "$t.artifact")" = sig-untrusted ] ||
			fail "$t: trusted by $other"
	done
done

step "sign: several keys in one go and one after the other; the same key again changes nothing"
cp base.artifact many.artifact
expect_exit 0 "$mkartifact" sign --key ed25519.pem -k ecdsa-p256.pem many.artifact
expect_exit 0 "$mkartifact" sign --key rsa-3072.pem many.artifact
[ "$(tar -xOf many.artifact manifest.sig | grep -c .)" = 3 ] || fail "not three signatures"
for t in ed25519 ecdsa-p256 rsa-3072; do
	[ "$(verdict "$t.keys" many.artifact)" = ok ] || fail "$t is not in it"
done
cp ed25519.artifact again.artifact
expect_exit 0 "$mkartifact" sign --key ed25519.pem again.artifact
cmp again.artifact ed25519.artifact || fail "signing twice is not signing once"
ln -s again.artifact link.artifact
expect_exit 0 "$mkartifact" sign --key ecdsa-p256.pem link.artifact
[ -L link.artifact ] || fail "a link was replaced by a file"
[ "$(verdict ecdsa-p256.keys again.artifact)" = ok ] || fail "not signed through the link"

step "digest and attach: signed by openssl"
for t in $types; do
	cp base.artifact "$t.attached"
	"$mkartifact" digest --public "$t.pub.pem" "$t.attached" >text
	{
		echo twinroot-artifact-v1
		case $t in
		ecdsa-p256) echo ecdsa-p256-sha256 ;;
		ecdsa-p384) echo ecdsa-p384-sha384 ;;
		rsa-*) echo rsa-pss-sha256 ;;
		*) echo "$t" ;;
		esac
		openssl pkey -pubin -in "$t.pub.pem" -outform DER | sha256sum | cut -d' ' -f1
		tar -xOf base.artifact manifest.json | sha512sum | cut -d' ' -f1
	} >expected
	cmp text expected || fail "$t: digest prints something else"
	openssl_sign "$t.pem" "$t" text sig
	expect_exit 0 "$mkartifact" attach "$t.attached" "$t.pub.pem" sig
	same_payload "$t.attached"
	[ "$(verdict "$t.keys" "$t.attached")" = ok ] || fail "$t: a reader refuses it"
done
expect_exit 6 sh -c '"$1" digest --public ed25519.pub.pem base.artifact >/dev/full' sh "$mkartifact"

step "attach: r and s as numbers, as key services give them"
for t in ecdsa-p256 ecdsa-p384; do
	cp base.artifact raw.artifact
	"$mkartifact" digest --public "$t.pub.pem" raw.artifact >text
	openssl_sign "$t.pem" "$t" text sig
	openssl asn1parse -inform DER -in sig | sed -n 's/.*INTEGER *://p' | python3 -c '
import sys
n = int(sys.argv[1])
for line in sys.stdin:
    sys.stdout.buffer.write(int(line, 16).to_bytes(n, "big"))' "$([ $t = ecdsa-p256 ] && echo 32 || echo 48)" >raw
	expect_exit 0 "$mkartifact" attach raw.artifact "$t.pub.pem" raw
	[ "$(verdict "$t.keys" raw.artifact)" = ok ] || fail "$t: raw numbers were not understood"
done

step "attach: nothing that does not verify"
expect_exit 0 "$mkartifact" keygen -o other.pem
cp base.artifact clean.artifact
"$mkartifact" digest --public ed25519.pub.pem clean.artifact >text
openssl_sign ed25519.pem ed25519 text good.sig
refused() {
	expect_error "$@"
	cmp clean.artifact base.artifact || fail "changed by a refused command: $*"
	no_temporaries
}
refused 4 sig-invalid "$mkartifact" attach clean.artifact other.pub.pem good.sig
cp good.sig bad.sig
flip bad.sig 10
refused 4 sig-invalid "$mkartifact" attach clean.artifact ed25519.pub.pem bad.sig
: >empty.sig
refused 4 sig-invalid "$mkartifact" attach clean.artifact ed25519.pub.pem empty.sig
head -c 64 /dev/zero >zero.sig
refused 4 sig-invalid "$mkartifact" attach clean.artifact ed25519.pub.pem zero.sig
refused 4 sig-invalid "$mkartifact" attach clean.artifact ecdsa-p256.pub.pem zero.sig
refused 6 io "$mkartifact" attach clean.artifact ed25519.pub.pem absent.sig
refused 4 key-bad "$mkartifact" attach clean.artifact ed25519.pem good.sig
# The text without its last line end, another key's text, and RSA with the salt that openssl chooses itself.
head -c -1 text >short
openssl_sign ed25519.pem ed25519 short sig
refused 4 sig-invalid "$mkartifact" attach clean.artifact ed25519.pub.pem sig
"$mkartifact" digest --public other.pub.pem clean.artifact >text
openssl_sign ed25519.pem ed25519 text sig
refused 4 sig-invalid "$mkartifact" attach clean.artifact ed25519.pub.pem sig
"$mkartifact" digest --public rsa-3072.pub.pem clean.artifact >text
openssl dgst -sha256 -sign rsa-3072.pem -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:max -out sig text
refused 4 sig-invalid "$mkartifact" attach clean.artifact rsa-3072.pub.pem sig
openssl dgst -sha256 -sign rsa-3072.pem -out sig text
refused 4 sig-invalid "$mkartifact" attach clean.artifact rsa-3072.pub.pem sig

step "keys that are none"
refused 4 key-bad "$mkartifact" sign --key ed25519.pub.pem clean.artifact
expect_err "public key"
refused 4 key-bad "$mkartifact" sign --key base.artifact clean.artifact
refused 4 key-bad "$mkartifact" sign --key /dev/null clean.artifact
refused 6 io "$mkartifact" sign --key absent.pem clean.artifact
openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out weak.pem 2>/dev/null
openssl genpkey -algorithm x25519 -out exchange.pem
openssl ecparam -genkey -name prime256v1 -param_enc explicit -noout -out explicit.pem
for k in weak exchange explicit; do
	refused 4 key-bad "$mkartifact" sign --key "$k.pem" clean.artifact
done
chmod 644 other.pem
expect_exit 0 "$mkartifact" sign --key other.pem again.artifact
expect_err "can be read by others"
refused 2 usage "$mkartifact" sign clean.artifact
refused 2 usage "$mkartifact" sign --key ed25519.pem
# A good key and a bad one: no file is signed by half of them.
refused 4 key-bad "$mkartifact" sign --key ed25519.pem --key weak.pem clean.artifact

step "encrypted keys"
echo 'correct horse' >pass
printf 'correct horse' >pass-without-line-end
echo wrong >wrong-pass
: >empty-pass
expect_exit 0 "$mkartifact" keygen -o sealed.pem --type ecdsa-p256 --passphrase-file pass
[ "$(stat -c %a sealed.pem)" = 600 ] || fail "sealed.pem is not 0600"
head -n 1 sealed.pem | grep -q 'BEGIN ENCRYPTED PRIVATE KEY' || fail "sealed.pem is not encrypted"
openssl pkey -in sealed.pem -passin file:pass -pubout | cmp - sealed.pub.pem || fail "openssl cannot open sealed.pem"
openssl pkey -in ed25519.pem -aes256 -passout file:pass -out sealed-by-openssl.pem
openssl ec -in ecdsa-p256.pem -aes128 -passout file:pass -out traditional.pem 2>/dev/null
chmod 600 traditional.pem
for k in sealed sealed-by-openssl traditional; do
	cp base.artifact sealed.artifact
	expect_exit 0 "$mkartifact" sign --key "$k.pem" --passphrase-file pass sealed.artifact </dev/null
	expect_exit 0 "$mkartifact" sign --key "$k.pem" --passphrase-file pass-without-line-end sealed.artifact
	[ "$(tar -xOf sealed.artifact manifest.sig | grep -c .)" = 1 ] || fail "not one signature"
	refused 4 key-bad "$mkartifact" sign --key "$k.pem" --passphrase-file wrong-pass clean.artifact
	expect_err "wrong passphrase"
	refused 2 usage "$mkartifact" sign --key "$k.pem" --passphrase-file empty-pass clean.artifact
	refused 6 io "$mkartifact" sign --key "$k.pem" --passphrase-file absent-pass clean.artifact
	refused 2 usage "$mkartifact" sign --key "$k.pem" clean.artifact </dev/null
	expect_err "no terminal"
done
expect_error 2 usage "$mkartifact" keygen -o never.pem --passphrase-file empty-pass
expect_error 2 usage "$mkartifact" keygen -o never.pem --encrypt </dev/null
[ ! -e never.pem ] || fail "a key without the passphrase that was asked for"

step "encrypted keys: a terminal is asked, without echo"
cp base.artifact typed.artifact
expect_exit 0 on_terminal 'correct horse' "$mkartifact" sign --key sealed.pem typed.artifact
expect_out "passphrase of sealed.pem:"
refuse_out "horse"
[ "$(tar -xOf typed.artifact manifest.sig | grep -c .)" = 1 ] || fail "not signed"
expect_exit 4 on_terminal 'wrong horse' "$mkartifact" sign --key sealed.pem clean.artifact
refuse_out "horse"
expect_exit 0 on_terminal "$(printf 'corxx\b\b\177rrect horse')" "$mkartifact" sign --key sealed.pem typed.artifact
expect_exit 1 on_terminal "$(printf 'x\003')" "$mkartifact" sign --key sealed.pem clean.artifact
expect_exit 0 on_terminal 'correct horse|correct horse' "$mkartifact" keygen --encrypt -o typed.pem
refuse_out "horse"
openssl pkey -in typed.pem -passin file:pass -noout || fail "another passphrase was set"
expect_exit 2 on_terminal 'correct horse|correct hose' "$mkartifact" keygen --encrypt -o never.pem
[ ! -e never.pem ] || fail "a key with a mistyped passphrase"
cmp clean.artifact base.artifact

step "the reserved room: 25 Ed25519 lines fill 4096 bytes, 32 lines any room"
keys=
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26; do
	"$mkartifact" keygen -o "r$i.pem" >/dev/null
	[ "$i" = 26 ] || keys="$keys --key r$i.pem"
done
make_unsigned base.small 4096
cp base.small small.artifact
expect_error 2 usage "$mkartifact" sign $keys --key r26.pem small.artifact
expect_err "do not fit"
cmp small.artifact base.small || fail "changed although there was no room"
expect_exit 0 "$mkartifact" sign $keys small.artifact
cp small.artifact full.artifact
expect_error 2 usage "$mkartifact" sign --key r26.pem small.artifact
cmp small.artifact full.artifact || fail "changed although there was no room"
mkdir full.keys
cp r25.pub.pem full.keys
[ "$(verdict full.keys small.artifact)" = ok ] || fail "the last of 25 does not count"
expect_exit 0 "$mkartifact" sign --key r7.pem small.artifact
cp base.artifact lines.artifact
expect_exit 0 "$mkartifact" sign $keys --key r26.pem --key ed25519.pem --key ecdsa-p256.pem --key ecdsa-p384.pem \
	--key rsa-3072.pem --key typed.pem --key other.pem --passphrase-file pass lines.artifact
[ "$(tar -xOf lines.artifact manifest.sig | grep -c .)" = 32 ] || fail "not 32 signatures"
cp lines.artifact lines.before
expect_error 2 usage "$mkartifact" sign --key sealed.pem --passphrase-file pass lines.artifact
cmp lines.artifact lines.before || fail "changed although 32 are the most"

step "places that cannot be written"
mkdir d
cp base.artifact d/a.artifact
if [ "$(id -u)" = 0 ]; then
	requires setpriv
	plain="setpriv --inh-caps=-all --bounding-set=-all"
else
	plain=
fi
chmod 555 d
expect_error 6 io $plain "$mkartifact" sign --key ed25519.pem d/a.artifact
expect_error 6 io $plain "$mkartifact" keygen -o d/k.pem
chmod 755 d
cmp d/a.artifact base.artifact || fail "changed in a place that cannot be written"
expect_exit 6 sh -c 'trap "" XFSZ; ulimit -f 8; exec "$@"' sh "$mkartifact" sign --key ed25519.pem d/a.artifact
cmp d/a.artifact base.artifact || fail "changed although it could not be written"
[ "$(ls -A d)" = a.artifact ] || fail "left behind: $(ls -A d)"
expect_error 6 io "$mkartifact" sign --key ed25519.pem absent.artifact
expect_error 6 io "$mkartifact" sign --key ed25519.pem d

step "what is no artifact is not signed"
head -c 9000 base.artifact >cut.artifact
cp cut.artifact before
expect_error 3 tar-truncated "$mkartifact" sign --key ed25519.pem cut.artifact
cp base.artifact long.artifact
echo >>long.artifact
expect_error 3 tar-trailing "$mkartifact" sign --key ed25519.pem long.artifact
expect_exit 3 "$mkartifact" sign --key ed25519.pem ed25519.pub.pem
cp base.artifact odd.artifact
flip odd.artifact 513
expect_exit 3 "$mkartifact" sign --key ed25519.pem odd.artifact
cp ed25519.artifact odd.artifact
flip odd.artifact $((512 + 4096 + 512 + 8)) 7
expect_error 4 sig-syntax "$mkartifact" sign --key ed25519.pem odd.artifact
no_temporaries
assert_no_litter
