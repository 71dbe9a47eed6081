# SPDX-License-Identifier: Apache-2.0
# mkartifact: makes, signs and lays out artifacts on a build host.
# In a folder of its own: the build tree has a folder of that name already.
bin_PROGRAMS += %D%/mkartifact
mkartifact_mkartifact_CFLAGS = $(AM_CFLAGS) $(EXT2FS_CFLAGS) $(CRYPTO_CFLAGS) $(ZSTD_CFLAGS) $(JANSSON_CFLAGS) $(P11_CFLAGS)
mkartifact_mkartifact_LDADD = libcommon.a $(LIBARTFS)
mkartifact_mkartifact_SOURCES =
mkartifact_mkartifact_SOURCES += %D%/main.c %D%/commands.h
mkartifact_mkartifact_SOURCES += %D%/load.c %D%/load.h
mkartifact_mkartifact_SOURCES += %D%/secret.c %D%/secret.h
mkartifact_mkartifact_SOURCES += %D%/signer.c %D%/signer.h %D%/token.h
mkartifact_mkartifact_SOURCES += %D%/ecdsa.c %D%/ecdsa.h
mkartifact_mkartifact_SOURCES += %D%/create.c %D%/create.h %D%/create_options.c
mkartifact_mkartifact_SOURCES += %D%/now.c %D%/now.h
mkartifact_mkartifact_SOURCES += %D%/delta.c
mkartifact_mkartifact_SOURCES += %D%/keygen.c
mkartifact_mkartifact_SOURCES += %D%/size.c %D%/size.h
mkartifact_mkartifact_SOURCES += %D%/sign.c
mkartifact_mkartifact_SOURCES += %D%/attach.c
if PKCS11
mkartifact_mkartifact_SOURCES += %D%/pkcs11.c %D%/pkcs11_key.c %D%/pkcs11.h
mkartifact_mkartifact_LDADD += $(P11_LIBS)
endif
# The state record that a device finds is encoded by what reads it there; nothing else of the installer is needed.
if DISK
mkartifact_mkartifact_CFLAGS += $(FDISK_CFLAGS) $(INIH_CFLAGS)
mkartifact_mkartifact_LDADD += $(FDISK_LIBS) $(INIH_LIBS)
mkartifact_mkartifact_SOURCES += %D%/disk.c %D%/disk.h
mkartifact_mkartifact_SOURCES += %D%/disk_layout.c
mkartifact_mkartifact_SOURCES += %D%/disk_plan.c
mkartifact_mkartifact_SOURCES += %D%/disk_table.c
mkartifact_mkartifact_SOURCES += %D%/disk_slot.c
mkartifact_mkartifact_SOURCES += %D%/disk_fat.c
mkartifact_mkartifact_SOURCES += %D%/disk_grub.c
mkartifact_mkartifact_SOURCES += %D%/disk_data.c
mkartifact_mkartifact_SOURCES += %D%/disk_bmap.c
mkartifact_mkartifact_SOURCES += installer/state.c installer/state.h
endif
dist_man_MANS += %D%/mkartifact.1
