# SPDX-License-Identifier: Apache-2.0
# Fault injection: shims for LD_PRELOAD, and the runs that use them.
EXTRA_DIST += %D%/fault.py %D%/alloc.sh %D%/syscalls.sh %D%/install.sh
TESTS += %D%/alloc.sh %D%/syscalls.sh
if DISK
TESTS += %D%/disk.sh
endif
EXTRA_DIST += %D%/disk.sh
if INSTALLER
TESTS += %D%/install.sh
endif
if TESTS_UNIT
check_PROGRAMS += failalloc.so failio.so
failalloc_so_SOURCES = %D%/failalloc.c %D%/fault.h
failio_so_SOURCES = %D%/failio.c %D%/fault.h
SHIM_CFLAGS = -std=gnu11 $(WARNING_FLAGS) -fPIC -U_FORTIFY_SOURCE
failalloc_so_CFLAGS = $(SHIM_CFLAGS)
failio_so_CFLAGS = $(SHIM_CFLAGS)
failalloc_so_LDFLAGS = -shared
failio_so_LDFLAGS = -shared
# One for each function that refuse.c stands in for.
REFUSE_WRAP =
REFUSE_WRAP += -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc -Wl,--wrap=reallocarray -Wl,--wrap=strdup
REFUSE_WRAP += -Wl,--wrap=strndup -Wl,--wrap=fstat64 -Wl,--wrap=stat64 -Wl,--wrap=lstat64 -Wl,--wrap=fsync
REFUSE_WRAP += -Wl,--wrap=fchmod -Wl,--wrap=ftruncate64 -Wl,--wrap=rename -Wl,--wrap=mkostemp64
REFUSE_WRAP += -Wl,--wrap=realpath -Wl,--wrap=linkat -Wl,--wrap=scandir64 -Wl,--wrap=pthread_create
REFUSE_WRAP += -Wl,--wrap=OSSL_LIB_CTX_get0_global_default -Wl,--wrap=EVP_MD_fetch -Wl,--wrap=EVP_MD_CTX_new
REFUSE_WRAP += -Wl,--wrap=EVP_DigestInit_ex2 -Wl,--wrap=EVP_DigestUpdate -Wl,--wrap=EVP_DigestFinal_ex
REFUSE_WRAP += -Wl,--wrap=EVP_DigestVerifyInit_ex -Wl,--wrap=EVP_DigestVerify -Wl,--wrap=EVP_DigestSignInit_ex
REFUSE_WRAP += -Wl,--wrap=EVP_DigestSign -Wl,--wrap=EVP_PKEY_CTX_new_from_pkey
REFUSE_WRAP += -Wl,--wrap=EVP_PKEY_CTX_set_rsa_padding -Wl,--wrap=EVP_PKEY_CTX_set_rsa_pss_saltlen
REFUSE_WRAP += -Wl,--wrap=EVP_PKEY_CTX_set_rsa_mgf1_md_name -Wl,--wrap=EVP_PKEY_public_check
REFUSE_WRAP += -Wl,--wrap=EVP_PKEY_is_a -Wl,--wrap=EVP_PKEY_get0_type_name -Wl,--wrap=EVP_PKEY_get_bits -Wl,--wrap=EVP_PKEY_get_group_name
REFUSE_WRAP += -Wl,--wrap=EVP_PKEY_get_utf8_string_param -Wl,--wrap=EVP_PKEY_get_bn_param
REFUSE_WRAP += -Wl,--wrap=EVP_PKEY_get_raw_public_key -Wl,--wrap=BN_bn2binpad -Wl,--wrap=i2d_PUBKEY
REFUSE_WRAP += -Wl,--wrap=d2i_PUBKEY -Wl,--wrap=ZSTD_createCCtx -Wl,--wrap=ZSTD_createDCtx
REFUSE_WRAP += -Wl,--wrap=ZSTD_createDCtx_advanced -Wl,--wrap=ZSTD_CCtx_setParameter
REFUSE_WRAP += -Wl,--wrap=ZSTD_CCtx_refPrefix -Wl,--wrap=ZSTD_DCtx_refPrefix -Wl,--wrap=ZSTD_compress2
REFUSE_WRAP += -Wl,--wrap=ZSTD_decompressDCtx -Wl,--wrap=ZSTD_generateSequences -Wl,--wrap=ZSTD_compressSequences
REFUSE_WRAP += -Wl,--wrap=read -Wl,--wrap=pread64 -Wl,--wrap=write -Wl,--wrap=pwrite64 -Wl,--wrap=copy_file_range
REFUSE_WRAP += -Wl,--wrap=open64 -Wl,--wrap=fcntl64 -Wl,--wrap=ioctl -Wl,--wrap=asprintf -Wl,--wrap=close
check_PROGRAMS += check_faults
TESTS += check_faults
check_faults_SOURCES = %D%/check_faults.c %D%/refuse.c %D%/refuse.h %D%/refuse_wrap.h tests/vectors/judge.c tests/vectors/judge.h tests/unit/keys.h
check_faults_CFLAGS = $(UNIT_CFLAGS)
check_faults_LDADD = $(UNIT_LIBS)
check_faults_LDFLAGS = $(AM_LDFLAGS) $(REFUSE_WRAP)
check_PROGRAMS += check_faults_start
TESTS += check_faults_start
check_faults_start_SOURCES = %D%/check_faults_start.c %D%/refuse.c tests/unit/keys.h
check_faults_start_CFLAGS = $(UNIT_CFLAGS)
check_faults_start_LDADD = $(UNIT_LIBS)
check_faults_start_LDFLAGS = $(AM_LDFLAGS) $(REFUSE_WRAP)
check_PROGRAMS += check_faults_patch
TESTS += check_faults_patch
check_faults_patch_SOURCES = %D%/check_faults_patch.c %D%/refuse.c
check_faults_patch_CFLAGS = $(UNIT_CFLAGS)
check_faults_patch_LDADD = $(UNIT_LIBS)
check_faults_patch_LDFLAGS = $(AM_LDFLAGS) $(REFUSE_WRAP)
if TOOLS
REFUSE_FS_WRAP =
REFUSE_FS_WRAP += -Wl,--wrap=readlink -Wl,--wrap=llistxattr -Wl,--wrap=lgetxattr -Wl,--wrap=lseek64 -Wl,--wrap=dup
REFUSE_FS_WRAP += -Wl,--wrap=socketpair -Wl,--wrap=mkdtemp -Wl,--wrap=posix_spawnp -Wl,--wrap=open_memstream
REFUSE_FS_WRAP += -Wl,--wrap=archive_read_new -Wl,--wrap=archive_read_open_fd -Wl,--wrap=archive_read_open_filename
REFUSE_FS_WRAP += -Wl,--wrap=archive_read_next_header -Wl,--wrap=archive_read_data_block -Wl,--wrap=ZSTD_decompress
REFUSE_FS_WRAP += -Wl,--wrap=send -Wl,--wrap=waitpid -Wl,--wrap=fclose -Wl,--wrap=ext2fs_open2 -Wl,--wrap=ext2fs_initialize
REFUSE_FS_WRAP += -Wl,--wrap=ext2fs_add_journal_inode -Wl,--wrap=ext2fs_allocate_tables -Wl,--wrap=ext2fs_block_iterate3
REFUSE_FS_WRAP += -Wl,--wrap=ext2fs_create_resize_inode -Wl,--wrap=ext2fs_dir_block_csum_set -Wl,--wrap=ext2fs_dir_iterate2
REFUSE_FS_WRAP += -Wl,--wrap=ext2fs_extent_fix_parents -Wl,--wrap=ext2fs_extent_insert -Wl,--wrap=ext2fs_extent_open2
REFUSE_FS_WRAP += -Wl,--wrap=ext2fs_file_open -Wl,--wrap=ext2fs_file_read -Wl,--wrap=ext2fs_flush2
REFUSE_FS_WRAP += -Wl,--wrap=ext2fs_get_next_inode -Wl,--wrap=ext2fs_open_inode_scan -Wl,--wrap=ext2fs_new_range
REFUSE_FS_WRAP += -Wl,--wrap=ext2fs_read_block_bitmap -Wl,--wrap=ext2fs_read_inode_full -Wl,--wrap=ext2fs_write_inode_full
REFUSE_FS_WRAP += -Wl,--wrap=ext2fs_iblk_add_blocks -Wl,--wrap=ext2fs_xattrs_open -Wl,--wrap=ext2fs_xattrs_read
REFUSE_FS_WRAP += -Wl,--wrap=ext2fs_xattrs_iterate -Wl,--wrap=ext2fs_xattrs_write -Wl,--wrap=ext2fs_xattr_set
REFUSE_FS_WRAP += -Wl,--wrap=ext2fs_xattr_get
check_PROGRAMS += check_faults_fs
TESTS += check_faults_fs
check_faults_fs_SOURCES = %D%/check_faults_fs.c %D%/refuse.c %D%/refuse_fs.c tests/unit/fs_util.h
check_faults_fs_CFLAGS = $(UNIT_CFLAGS) $(EXT2FS_CFLAGS) $(ARCHIVE_CFLAGS)
check_faults_fs_LDADD = $(LIBARTFS) $(CHECK_LIBS)
check_faults_fs_LDFLAGS = $(AM_LDFLAGS) $(REFUSE_WRAP) $(REFUSE_FS_WRAP)
endif
if HTTP
REFUSE_CURL_WRAP =
REFUSE_CURL_WRAP += -Wl,--wrap=curl_global_init -Wl,--wrap=curl_easy_init -Wl,--wrap=curl_multi_init
REFUSE_CURL_WRAP += -Wl,--wrap=curl_multi_add_handle -Wl,--wrap=curl_multi_perform -Wl,--wrap=curl_multi_poll
REFUSE_CURL_WRAP += -Wl,--wrap=curl_slist_append -Wl,--wrap=curl_url -Wl,--wrap=curl_url_set -Wl,--wrap=curl_url_get
REFUSE_CURL_WRAP += -Wl,--wrap=getrandom -Wl,--wrap=curl_easy_setopt
check_PROGRAMS += check_http
TESTS += check_http
check_http_SOURCES = tests/unit/check_http.c %D%/refuse.c %D%/refuse_curl.c
check_http_CFLAGS = $(UNIT_CFLAGS) $(CURL_CFLAGS)
check_http_LDADD = $(LIBARTHTTP) $(UNIT_LIBS)
check_http_LDFLAGS = $(AM_LDFLAGS) $(REFUSE_WRAP) $(REFUSE_CURL_WRAP)
endif
endif
