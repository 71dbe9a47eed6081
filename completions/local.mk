# SPDX-License-Identifier: Apache-2.0
# Bash completion: one file for each program, as bash-completion looks for them by name, and what they share.
EXTRA_DIST += %D%/twinroot %D%/mkartifact %D%/artifact-inspect %D%/artifact-install
if COMPLETION
bashcompletion_DATA += %D%/twinroot
if TOOLS
bashcompletion_DATA += %D%/mkartifact %D%/artifact-inspect
endif
if INSTALLER
bashcompletion_DATA += %D%/artifact-install
endif
endif
