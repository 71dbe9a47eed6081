#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# artifact-inspect diff against the trees that the images were made of. SEED and ROUNDS in the environment: others, and more.
set -eu
. "${srcdir:-.}/tests/e2e/lib.sh"
requires artifact-inspect mkartifact python3 openssl mke2fs mksquashfs
cd "$tmp"
make_key good
python3 "$top_src/tests/e2e/inspect_diff_random.py" "${SEED:-$(date +%s)}" "${ROUNDS:-8}" "$mkartifact" "$top_build/artifact-inspect"
