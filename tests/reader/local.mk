# SPDX-License-Identifier: Apache-2.0
# A second reader, written from the format text alone; the vectors compare it with libartifact.
EXTRA_DIST += %D%/twinroot_reader.py %D%/twinroot_manifest.py %D%/twinroot_trust.py %D%/twinroot_patch.py
