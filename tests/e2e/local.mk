# SPDX-License-Identifier: Apache-2.0
# End-to-end tests: POSIX sh, run from the build directory (see lib.sh).
