# SPDX-License-Identifier: Apache-2.0
# artifact-inspect: look into an artifact and judge it.
bin_PROGRAMS += artifact-inspect
artifact_inspect_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(EXT2FS_CFLAGS)
artifact_inspect_LDADD = libcommon.a $(LIBARTFS)
artifact_inspect_SOURCES =
artifact_inspect_SOURCES += %D%/main.c %D%/inspect.h
artifact_inspect_SOURCES += %D%/open.c
artifact_inspect_SOURCES += %D%/show.c
artifact_inspect_SOURCES += %D%/verify.c %D%/verify.h
artifact_inspect_SOURCES += %D%/patch.c %D%/patch.h
artifact_inspect_SOURCES += %D%/deep.c %D%/deep.h
artifact_inspect_SOURCES += %D%/ls.c
artifact_inspect_SOURCES += %D%/extract.c
artifact_inspect_SOURCES += %D%/image.c
artifact_inspect_SOURCES += %D%/packages.c
artifact_inspect_SOURCES += %D%/diff.c %D%/diff.h
artifact_inspect_SOURCES += %D%/diff_files.c
artifact_inspect_SOURCES += %D%/diff_same.c
artifact_inspect_SOURCES += %D%/diff_download.c %D%/diff_pages.c
artifact_inspect_SOURCES += %D%/diff_patch.c
if HTTP
artifact_inspect_LDADD += $(LIBARTHTTP)
endif
EXTRA_DIST += %D%/show.schema.json %D%/verify.schema.json %D%/ls.schema.json %D%/packages.schema.json %D%/diff.schema.json
dist_man_MANS += %D%/artifact-inspect.1
