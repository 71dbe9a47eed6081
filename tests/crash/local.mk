# SPDX-License-Identifier: Apache-2.0
# Power-cut replay: not part of `make check` (root, loop devices, minutes); ../../check runs it as a stage.
EXTRA_DIST += %D%/README.md %D%/run.sh %D%/crash.py %D%/lab.py %D%/blklog.py %D%/stores.py %D%/record.py %D%/replay.py
EXTRA_DIST += %D%/judge.py %D%/known.py %D%/booted.py %D%/inject.py %D%/recorded.py
