# SPDX-License-Identifier: Apache-2.0
# One Check program for each source file: check_NAME.c tests NAME.c.
EXTRA_DIST += %D%/run.h
UNIT_LIBS = $(LIBARTIFACT) $(CHECK_LIBS)
UNIT_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
check_PROGRAMS += check_manifest
TESTS += check_manifest
check_manifest_SOURCES = %D%/check_manifest.c %D%/manifest_rows.h
check_manifest_CFLAGS = $(UNIT_CFLAGS)
check_manifest_LDADD = $(UNIT_LIBS)
check_PROGRAMS += check_key
TESTS += check_key
check_key_SOURCES = %D%/check_key.c %D%/keys.h
check_key_CFLAGS = $(UNIT_CFLAGS)
check_key_LDADD = $(UNIT_LIBS)
check_PROGRAMS += check_sig
TESTS += check_sig
check_sig_SOURCES = %D%/check_sig.c
check_sig_CFLAGS = $(UNIT_CFLAGS)
check_sig_LDADD = $(UNIT_LIBS)

check_PROGRAMS += check_tar
TESTS += check_tar
check_tar_SOURCES = %D%/check_tar.c
check_tar_CFLAGS = $(UNIT_CFLAGS)
check_tar_LDADD = $(UNIT_LIBS)

check_PROGRAMS += check_io
TESTS += check_io
check_io_SOURCES = %D%/check_io.c
check_io_CFLAGS = $(UNIT_CFLAGS)
check_io_LDADD = $(UNIT_LIBS)

check_PROGRAMS += check_reader
TESTS += check_reader
check_reader_SOURCES = %D%/check_reader.c
check_reader_CFLAGS = $(UNIT_CFLAGS)
check_reader_LDADD = $(UNIT_LIBS)

check_PROGRAMS += check_index
TESTS += check_index
check_index_SOURCES = %D%/check_index.c
check_index_CFLAGS = $(UNIT_CFLAGS)
check_index_LDADD = $(UNIT_LIBS)

check_PROGRAMS += check_blocks
TESTS += check_blocks
check_blocks_SOURCES = %D%/check_blocks.c
check_blocks_CFLAGS = $(UNIT_CFLAGS)
check_blocks_LDADD = $(UNIT_LIBS)
check_PROGRAMS += check_patch
TESTS += check_patch
check_patch_SOURCES = %D%/check_patch.c
check_patch_CFLAGS = $(UNIT_CFLAGS)
check_patch_LDADD = $(UNIT_LIBS)

check_PROGRAMS += check_chunk
TESTS += check_chunk
check_chunk_SOURCES = %D%/check_chunk.c
check_chunk_CFLAGS = $(UNIT_CFLAGS)
check_chunk_LDADD = $(UNIT_LIBS)
if TOOLS
# Filesystem images: libartfs needs more libraries than the rest.
check_PROGRAMS += check_detect
TESTS += check_detect
check_detect_SOURCES = %D%/check_detect.c
check_detect_CFLAGS = $(UNIT_CFLAGS)
check_detect_LDADD = $(LIBARTFS) $(CHECK_LIBS)
check_PROGRAMS += check_ext4
TESTS += check_ext4
check_ext4_SOURCES = %D%/check_ext4.c %D%/fs_util.h
check_ext4_CFLAGS = $(UNIT_CFLAGS)
check_ext4_LDADD = $(LIBARTFS) $(CHECK_LIBS)
check_PROGRAMS += check_ext4_damage
TESTS += check_ext4_damage
check_ext4_damage_SOURCES = %D%/check_ext4_damage.c %D%/fs_util.h
check_ext4_damage_CFLAGS = $(UNIT_CFLAGS)
check_ext4_damage_LDADD = $(LIBARTFS) $(CHECK_LIBS)
check_PROGRAMS += check_scan
TESTS += check_scan
check_scan_SOURCES = %D%/check_scan.c %D%/fs_util.h %D%/rootfs.h
check_scan_CFLAGS = $(UNIT_CFLAGS)
check_scan_LDADD = $(LIBARTFS) $(CHECK_LIBS)
check_PROGRAMS += check_packages
TESTS += check_packages
check_packages_SOURCES = %D%/check_packages.c %D%/fs_util.h %D%/rootfs.h %D%/expect_package.h
check_packages_CFLAGS = $(UNIT_CFLAGS)
check_packages_LDADD = $(LIBARTFS) $(CHECK_LIBS)
check_PROGRAMS += check_sbom
TESTS += check_sbom
check_sbom_SOURCES = %D%/check_sbom.c %D%/expect_package.h
check_sbom_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
check_sbom_LDADD = $(LIBARTFS) $(CHECK_LIBS)
check_PROGRAMS += check_tree check_tar_in
TESTS += check_tree check_tar_in
check_tar_in_SOURCES = %D%/check_tar_in.c %D%/fs_util.h
check_tar_in_CFLAGS = $(UNIT_CFLAGS)
check_tar_in_LDADD = $(LIBARTFS) $(CHECK_LIBS)
check_tree_SOURCES = %D%/check_tree.c %D%/fs_util.h
check_tree_CFLAGS = $(UNIT_CFLAGS)
check_tree_LDADD = $(LIBARTFS) $(CHECK_LIBS)
endif

check_PROGRAMS += check_trust
TESTS += check_trust
check_trust_SOURCES = %D%/check_trust.c %D%/trust_dir.h %D%/keys.h
check_trust_CFLAGS = $(UNIT_CFLAGS)
check_trust_LDADD = $(UNIT_LIBS)
check_PROGRAMS += check_policy
TESTS += check_policy
check_policy_SOURCES = %D%/check_policy.c %D%/trust_dir.h %D%/keys.h
check_policy_CFLAGS = $(UNIT_CFLAGS)
check_policy_LDADD = $(UNIT_LIBS)
# The same tests for the build that accepts test keys.
check_PROGRAMS += check_test_keys check_test_keys_policy
TESTS += check_test_keys check_test_keys_policy
check_test_keys_SOURCES = %D%/check_trust.c %D%/trust_dir.h %D%/keys.h libartifact/trust.c libartifact/trust.h
check_test_keys_CFLAGS = $(UNIT_CFLAGS) -DWITH_TEST_KEYS=1
check_test_keys_LDADD = $(UNIT_LIBS)
check_test_keys_policy_SOURCES = %D%/check_policy.c %D%/trust_dir.h %D%/keys.h libartifact/trust.c libartifact/trust.h
check_test_keys_policy_CFLAGS = $(check_test_keys_CFLAGS)
check_test_keys_policy_LDADD = $(UNIT_LIBS)
check_PROGRAMS += check_err
TESTS += check_err
check_err_SOURCES = %D%/check_err.c
check_err_CFLAGS = $(UNIT_CFLAGS)
check_err_LDADD = $(UNIT_LIBS)
# What the parser says of a manifest file; used by e2e/schema.sh and by the fault tests.
check_PROGRAMS += manifest_probe
manifest_probe_SOURCES = %D%/manifest_probe.c
manifest_probe_CFLAGS = $(AM_CFLAGS)
manifest_probe_LDADD = $(LIBARTIFACT)
check_PROGRAMS += check_json
TESTS += check_json
check_json_SOURCES = %D%/check_json.c
check_json_CFLAGS = $(UNIT_CFLAGS)
check_json_LDADD = $(UNIT_LIBS)
check_PROGRAMS += check_version
TESTS += check_version
check_version_SOURCES = %D%/check_version.c
check_version_CFLAGS = $(UNIT_CFLAGS)
check_version_LDADD = $(UNIT_LIBS)
check_PROGRAMS += check_compat
TESTS += check_compat
check_compat_SOURCES = %D%/check_compat.c
check_compat_CFLAGS = $(UNIT_CFLAGS)
check_compat_LDADD = $(UNIT_LIBS)
check_PROGRAMS += check_cli
TESTS += check_cli
check_cli_SOURCES = %D%/check_cli.c
check_cli_CFLAGS = $(UNIT_CFLAGS)
check_cli_LDADD = libcommon.a $(UNIT_LIBS)

if INSTALLER
check_PROGRAMS += check_decoder
TESTS += check_decoder
check_decoder_SOURCES = %D%/check_decoder.c installer/decoder.c installer/decoder.h installer/lockdown.c installer/lockdown.h
check_decoder_CFLAGS = $(UNIT_CFLAGS)
check_decoder_LDADD = $(UNIT_LIBS)
endif

if INSTALLER
if HTTP
check_PROGRAMS += check_confine
TESTS += check_confine
check_confine_SOURCES = %D%/check_confine.c
check_confine_SOURCES += installer/fetch/confine.c installer/fetch/confine.h installer/lockdown.c installer/lockdown.h
check_confine_CFLAGS = $(UNIT_CFLAGS)
check_confine_LDADD = $(UNIT_LIBS)
endif
endif
EXTRA_DIST += %D%/check_confine.c

if INSTALLER
check_PROGRAMS += check_state check_conf
TESTS += check_state check_conf
check_state_SOURCES = %D%/check_state.c installer/state.c installer/state.h
check_state_CFLAGS = $(UNIT_CFLAGS)
check_state_LDADD = $(UNIT_LIBS)
check_conf_SOURCES = %D%/check_conf.c installer/conf.c installer/conf.h
check_conf_CFLAGS = $(UNIT_CFLAGS) $(INIH_CFLAGS)
check_conf_LDADD = $(UNIT_LIBS) $(INIH_LIBS)
check_PROGRAMS += check_boot
TESTS += check_boot
check_boot_SOURCES = %D%/check_boot.c installer/proc.c installer/proc.h installer/slots.c installer/slots.h $(BOOT_SOURCES)
check_boot_CFLAGS = $(UNIT_CFLAGS) $(UBOOTENV_CFLAGS) $(EFIVAR_CFLAGS)
check_boot_LDADD = $(UNIT_LIBS) $(UBOOTENV_LIBS) $(EFIVAR_LIBS)
endif
if INSTALLER
check_PROGRAMS += check_grub
TESTS += check_grub
check_grub_SOURCES = %D%/check_grub.c installer/proc.c installer/proc.h installer/slots.c installer/slots.h $(BOOT_SOURCES)
check_grub_CFLAGS = $(check_boot_CFLAGS)
check_grub_LDADD = $(check_boot_LDADD)
check_PROGRAMS += check_reconcile
TESTS += check_reconcile
check_reconcile_SOURCES = %D%/check_reconcile.c installer/reconcile.c installer/reconcile.h
check_reconcile_CFLAGS = $(UNIT_CFLAGS)
check_reconcile_LDADD = $(UNIT_LIBS)
check_PROGRAMS += check_target
TESTS += check_target
check_target_SOURCES = %D%/check_target.c installer/target.c installer/target.h installer/proc.c installer/proc.h
check_target_SOURCES += installer/slots.c installer/slots.h $(BOOT_SOURCES)
check_target_CFLAGS = $(check_boot_CFLAGS)
check_target_LDADD = libcommon.a $(check_boot_LDADD)
endif
check_PROGRAMS += check_plan
TESTS += check_plan
check_plan_SOURCES = %D%/check_plan.c
check_plan_CFLAGS = $(UNIT_CFLAGS)
check_plan_LDADD = $(UNIT_LIBS)
check_PROGRAMS += check_plan_earlier
TESTS += check_plan_earlier
check_plan_earlier_SOURCES = %D%/check_plan_earlier.c
check_plan_earlier_CFLAGS = $(UNIT_CFLAGS)
check_plan_earlier_LDADD = $(UNIT_LIBS)
check_PROGRAMS += check_encode
TESTS += check_encode
check_encode_SOURCES = %D%/check_encode.c
check_encode_CFLAGS = $(UNIT_CFLAGS)
check_encode_LDADD = $(UNIT_LIBS)
check_PROGRAMS += check_writer
TESTS += check_writer
check_writer_SOURCES = %D%/check_writer.c
check_writer_CFLAGS = $(UNIT_CFLAGS)
check_writer_LDADD = $(UNIT_LIBS)
