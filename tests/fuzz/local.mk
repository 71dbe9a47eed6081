# SPDX-License-Identifier: Apache-2.0
# libFuzzer targets; tests/fuzz/run.sh builds and runs them (configure --enable-fuzzers with clang).
EXTRA_DIST += %D%/run.sh %D%/seeds.py %D%/json.dict
if FUZZERS
LIBFUZZER_FLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
noinst_PROGRAMS += fuzz_reader
fuzz_reader_SOURCES = %D%/fuzz_reader.c %D%/fuzz.h
fuzz_reader_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_reader_LDADD = $(LIBARTIFACT)
noinst_PROGRAMS += fuzz_manifest
fuzz_manifest_SOURCES = %D%/fuzz_manifest.c %D%/fuzz.h
fuzz_manifest_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_manifest_LDADD = $(LIBARTIFACT)
noinst_PROGRAMS += fuzz_sig
fuzz_sig_SOURCES = %D%/fuzz_sig.c %D%/fuzz.h
fuzz_sig_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_sig_LDADD = $(LIBARTIFACT)
noinst_PROGRAMS += fuzz_policy
fuzz_policy_SOURCES = %D%/fuzz_policy.c %D%/fuzz.h
fuzz_policy_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_policy_LDADD = $(LIBARTIFACT)
noinst_PROGRAMS += fuzz_key
fuzz_key_SOURCES = %D%/fuzz_key.c %D%/fuzz.h
fuzz_key_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_key_LDADD = $(LIBARTIFACT)
noinst_PROGRAMS += fuzz_index
fuzz_index_SOURCES = %D%/fuzz_index.c %D%/fuzz.h
fuzz_index_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_index_LDADD = $(LIBARTIFACT)
noinst_PROGRAMS += fuzz_chunk
fuzz_chunk_SOURCES = %D%/fuzz_chunk.c %D%/fuzz.h
fuzz_chunk_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_chunk_LDADD = $(LIBARTIFACT)
noinst_PROGRAMS += fuzz_patch
fuzz_patch_SOURCES = %D%/fuzz_patch.c %D%/fuzz.h
fuzz_patch_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_patch_LDADD = $(LIBARTIFACT)
# The reader of squashfs alone: the rest of libartfs wants libraries that this does not.
noinst_PROGRAMS += fuzz_squash
fuzz_squash_SOURCES = %D%/fuzz_squash.c %D%/fuzz.h libartifact/fs/map.c libartifact/fs/squash_map.c libartifact/fs/squash_read.c \
	libartifact/fs/squash_unpack.c
fuzz_squash_CFLAGS = $(AM_CFLAGS) $(ZSTD_CFLAGS)
fuzz_squash_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_squash_LDADD = $(LIBARTIFACT)
noinst_PROGRAMS += fuzz_ext4
fuzz_ext4_SOURCES = %D%/fuzz_ext4.c %D%/fuzz.h libartifact/fs/detect.c libartifact/fs/ext4_fs.c libartifact/fs/ext4_io.c \
	libartifact/fs/ext4_map.c libartifact/fs/fs.c libartifact/fs/map.c libartifact/fs/packages.c libartifact/fs/scan.c \
	libartifact/fs/squash_fs.c libartifact/fs/squash_map.c libartifact/fs/squash_read.c libartifact/fs/squash_unpack.c
fuzz_ext4_CFLAGS = $(AM_CFLAGS) $(EXT2FS_CFLAGS) $(ZSTD_CFLAGS)
fuzz_ext4_LDFLAGS = $(LIBFUZZER_FLAGS)
fuzz_ext4_LDADD = $(EXT2FS_LIBS) $(LIBARTIFACT)
endif
