# SPDX-License-Identifier: Apache-2.0
# libartfs.a: filesystem images on the build host; the installer does not link it.
noinst_LIBRARIES += libartfs.a
libartfs_a_CFLAGS = $(AM_CFLAGS) $(EXT2FS_CFLAGS) $(ARCHIVE_CFLAGS) $(ZLIB_CFLAGS) $(LZMA_CFLAGS) $(LZ4_CFLAGS) $(CRYPTO_CFLAGS) $(ZSTD_CFLAGS) $(JANSSON_CFLAGS)
libartfs_a_SOURCES =
libartfs_a_SOURCES += %D%/build.c %D%/build.h %D%/build_internal.h
libartfs_a_SOURCES += %D%/build_ext4.c %D%/ext4_build.h
libartfs_a_SOURCES += %D%/build_squashfs.c
libartfs_a_SOURCES += %D%/detect.c
libartfs_a_SOURCES += %D%/dir_in.c
libartfs_a_SOURCES += %D%/ext4.h %D%/ext4_io.c
libartfs_a_SOURCES += %D%/ext4_map.c
libartfs_a_SOURCES += %D%/ext4_fs.c
libartfs_a_SOURCES += %D%/ext4_plan.c
libartfs_a_SOURCES += %D%/ext4_write.c
libartfs_a_SOURCES += %D%/fs.c %D%/fs.h %D%/internal.h
libartfs_a_SOURCES += %D%/map.c %D%/map.h
libartfs_a_SOURCES += %D%/packages.c
libartfs_a_SOURCES += %D%/sbom.c
libartfs_a_SOURCES += %D%/scan.c %D%/scan.h
libartfs_a_SOURCES += %D%/squash_fs.c
libartfs_a_SOURCES += %D%/squash_map.c
libartfs_a_SOURCES += %D%/squash_read.c %D%/squash.h
libartfs_a_SOURCES += %D%/squash_unpack.c %D%/squash_unpack.h
libartfs_a_SOURCES += %D%/tar_in.c
libartfs_a_SOURCES += %D%/tar_out.c %D%/tar_out.h
libartfs_a_SOURCES += %D%/tree.c %D%/tree.h
LIBARTFS = libartfs.a $(EXT2FS_LIBS) $(ARCHIVE_LIBS) $(ZLIB_LIBS) $(LZMA_LIBS) $(LZ4_LIBS) $(LIBARTIFACT)
