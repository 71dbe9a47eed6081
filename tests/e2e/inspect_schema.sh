#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What artifact-inspect prints with --json is what inspect/*.schema.json says, of artifacts and patches, good and bad; and the schemas
# refuse what is not.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
requires artifact-inspect mkartifact openssl python3
python3 -W ignore -c 'import jsonschema' 2>/dev/null || skip "python3-jsonschema is not installed"
inspect=$top_build/artifact-inspect
cd "$tmp"

fits() { # COMMAND: the last output
	python3 -W ignore - "$top_src/inspect/$1.schema.json" out <<'END' || fail "$1.schema.json does not describe: $(head -c 2000 out)"
import json, sys
import jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
judge = jsonschema.Draft202012Validator(schema)
document = json.load(open(sys.argv[2]))
judge.validate(document)
# A member more, or one less, or of another type, is none.
assert not judge.is_valid({**document, "more": 1})
for key in document:
    # Signatures beside an error are what is known.
    if key != "signatures" or "error" not in document:
        assert not judge.is_valid({k: v for k, v in document.items() if k != key}), key
    assert not judge.is_valid({**document, key: 1.5}), key
END
}

make_key k
make_key other
mkdir -p root/var/lib/dpkg root/dir
printf 'Package: alpha\nStatus: install ok installed\nVersion: 1.0\nArchitecture: all\n\nPackage: beta\nStatus: install ok installed\nVersion: 2\nArchitecture: all\nSource: gamma (3)\n\n' \
	>root/var/lib/dpkg/status
seq 1 50000 >root/text
ln -s text root/link
ln root/text root/dir/again
mkfifo root/fifo
tar --owner=0 --group=0 -C root -cf root.tar .
python3 - <<'END'
import tarfile
with tarfile.open("root.tar", "a") as t:
    i = tarfile.TarInfo("null")
    i.type, i.devmajor, i.devminor = tarfile.CHRTYPE, 1, 3
    t.addfile(i)
END
create() { # NAME VERSION
	"$mkartifact" create -q -o "$1.artifact" --name test --version "$2" --compatible box --arch any --rootfs root.tar --size 6M --key k.pem \
		--created 2026-01-02T03:04:05Z
}
create old 1.0
echo more >another
sed -i 's/^Version: 1.0$/Version: 1.1/' root/var/lib/dpkg/status
printf 'Package: delta\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n' >>root/var/lib/dpkg/status
seq 2 50000 >root/text
rm root/link
tar --owner=0 --group=0 -C root -cf root.tar . -C "$tmp" another
create new 2.0
"$mkartifact" delta -q --key k.pem -o patch old.artifact new.artifact

step "what is good"
expect_exit 0 "$inspect" show --json old.artifact
fits show
expect_exit 0 "$inspect" show --json --keys k.keys old.artifact
fits show
expect_exit 0 "$inspect" show --json --keys k.keys patch
fits show
for more in "" --deep; do
	# shellcheck disable=SC2086
	expect_exit 0 "$inspect" verify --json $more --keys k.keys old.artifact
	fits verify
done
expect_exit 0 "$inspect" verify --json --keys k.keys patch
fits verify
expect_exit 0 "$inspect" ls -R --json --keys k.keys old.artifact /
fits ls
for type in file directory link fifo character-device; do
	[ "$(json "any(e['type'] == '$type' for e in d['entries'])")" = true ] || fail "no $type: $(cat out)"
done
expect_exit 0 "$inspect" packages --json --keys k.keys old.artifact
fits packages
[ "$(json "[p['source'] for p in d['packages']]")" = '[null, "gamma"]' ] || fail "$(cat out)"
expect_exit 0 "$inspect" diff --json --keys k.keys old.artifact new.artifact
fits diff
[ "$(json "[len(d['packages'][k]) for k in ('added', 'removed', 'changed')]")" = '[1, 0, 1]' ] || fail "$(cat out)"
expect_exit 0 "$inspect" diff --json --keys k.keys --patch patch old.artifact new.artifact
fits diff
[ "$(json "d['download']['patch']['size']")" = "$(stat -c %s patch)" ] || fail "$(cat out)"

step "an image without a filesystem, and one without packages"
head -c 1048576 /dev/zero | tr '\0' 'x' >raw
"$mkartifact" create -q -o raw.artifact --name test --version 1 --compatible box --arch any --boot raw --key k.pem
expect_exit 0 "$inspect" diff --json --keys k.keys --payload boot raw.artifact raw.artifact
fits diff
expect_exit 0 "$inspect" diff --json --keys k.keys raw.artifact old.artifact
fits diff
rm -r root/var
"$mkartifact" create -q -o none.artifact --name test --version 1 --compatible box --arch any --rootfs root --key k.pem
expect_exit 0 "$inspect" packages --json --keys k.keys none.artifact
fits packages

step "what is not trusted, cut off, or not there"
head -c 20000 old.artifact >short.artifact
cp old.artifact flipped.artifact
flip flipped.artifact $(($(stat -c %s old.artifact) - 20000))
expect_exit 4 "$inspect" show --json --keys other.keys old.artifact
[ "$(json "d['error']['exit'], d['error']['name']")" = '[4, "sig-untrusted"]' ] || fail "$(cat out)"
fits show
expect_exit 4 "$inspect" verify --json --keys other.keys old.artifact
fits verify
expect_exit 3 "$inspect" verify --json --keys k.keys short.artifact
fits verify
expect_exit 3 "$inspect" verify --json --keys k.keys flipped.artifact
fits verify
for command in ls packages; do
	expect_exit 4 "$inspect" $command --json --keys other.keys old.artifact
	fits $command
	expect_exit 6 "$inspect" $command --json --keys k.keys nothing.artifact
	fits $command
done
expect_exit 4 "$inspect" diff --json --keys other.keys old.artifact new.artifact
fits diff

assert_no_litter
