# SPDX-License-Identifier: Apache-2.0
# artifact-install: judges artifacts and writes them to the slot that does not run. It links neither libcurl nor a filesystem
# library; downloads are the fetch child's.
sbin_PROGRAMS += artifact-install
artifact_install_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) $(ZSTD_CFLAGS) $(JANSSON_CFLAGS) $(INIH_CFLAGS) $(UBOOTENV_CFLAGS)
artifact_install_LDADD = $(LIBCOMMON) $(INIH_LIBS) $(UBOOTENV_LIBS)
if HTTP
artifact_install_LDADD += $(LIBFETCH)
endif
artifact_install_SOURCES =
artifact_install_SOURCES += %D%/main.c %D%/commands.h
artifact_install_SOURCES += %D%/install.c
artifact_install_SOURCES += %D%/switch.c
artifact_install_SOURCES += %D%/status.c
artifact_install_SOURCES += %D%/adopt.c
artifact_install_SOURCES += %D%/candidate.c %D%/candidate.h
artifact_install_SOURCES += %D%/writer.c %D%/writer.h
artifact_install_SOURCES += %D%/target.c %D%/target.h
artifact_install_SOURCES += %D%/patch.c %D%/patch.h %D%/patch_rows.c
artifact_install_SOURCES += %D%/decoder.c %D%/decoder.h
artifact_install_SOURCES += %D%/seed.c %D%/seed.h %D%/seed_find.c
artifact_install_SOURCES += %D%/kept.c %D%/kept.h
artifact_install_SOURCES += %D%/device.c %D%/device.h
artifact_install_SOURCES += %D%/conf.c %D%/conf.h
artifact_install_SOURCES += %D%/state.c %D%/state.h
artifact_install_SOURCES += %D%/slots.c %D%/slots.h
artifact_install_SOURCES += %D%/log.c %D%/log.h
artifact_install_SOURCES += %D%/proc.c %D%/proc.h
artifact_install_SOURCES += %D%/boot.c %D%/boot.h
artifact_install_SOURCES += %D%/boot/script.c
if UBOOT
artifact_install_SOURCES += %D%/boot/uboot.c
endif
dist_man_MANS += %D%/artifact-install.8 %D%/twinroot-install.conf.5
EXTRA_DIST += %D%/README.md %D%/state.md
