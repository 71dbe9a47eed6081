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
mkartifact_mkartifact_SOURCES += %D%/sign.c
mkartifact_mkartifact_SOURCES += %D%/attach.c
if PKCS11
mkartifact_mkartifact_SOURCES += %D%/pkcs11.c %D%/pkcs11_key.c %D%/pkcs11.h
mkartifact_mkartifact_LDADD += $(P11_LIBS)
endif
dist_man_MANS += %D%/mkartifact.1
