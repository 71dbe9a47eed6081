#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
# The JSON Schema of the manifest and libartifact's parser agree (see schema.py).
srcdir=${srcdir:-.}
if ! python3 -c 'import jsonschema' 2>/dev/null; then
	echo "SKIP: python3-jsonschema is not installed"
	exit 77
fi
[ -x ./manifest_probe ] || { echo "SKIP: built without unit tests"; exit 77; }
exec python3 -B "$srcdir/tests/e2e/schema.py" "$srcdir/format-spec/manifest.schema.json" ./manifest_probe
