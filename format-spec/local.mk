# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += %D%/format.md %D%/errors.tsv %D%/manifest.schema.json %D%/patch.schema.json
dist_man_MANS += %D%/twinroot-artifact.5
# A directory: it is copied whole.
EXTRA_DIST += %D%/README.md %D%/vectors
