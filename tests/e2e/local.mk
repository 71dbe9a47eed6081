# SPDX-License-Identifier: Apache-2.0
# End-to-end tests: POSIX sh, run from the build directory (see lib.sh).
if TOOLS
check_PROGRAMS += fstool
fstool_SOURCES = %D%/fstool.c
fstool_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
fstool_LDADD = $(LIBARTFS)
TESTS += %D%/build_ext4.sh
TESTS += %D%/build_rootfs.sh
TESTS += %D%/build_squashfs.sh
endif
EXTRA_DIST += %D%/build_ext4.sh %D%/build_rootfs.sh %D%/build_squashfs.sh %D%/fs_kit.py
TESTS += %D%/schema.sh %D%/inspect_schema.sh
EXTRA_DIST += %D%/schema.sh %D%/inspect_schema.sh %D%/schema.py
TESTS += %D%/sign.sh
EXTRA_DIST += %D%/sign.sh
TESTS += %D%/vectors.sh
EXTRA_DIST += %D%/vectors.sh
EXTRA_DIST += %D%/lib.sh
EXTRA_DIST += %D%/artifact.py
if TOOLS
TESTS += %D%/inspect.sh %D%/inspect_extract.sh %D%/verify.sh
EXTRA_DIST += %D%/inspect.sh %D%/inspect_extract.sh %D%/verify.sh
endif
TESTS += %D%/bitflip.sh
EXTRA_DIST += %D%/bitflip.sh
TESTS += %D%/docs.sh
EXTRA_DIST += %D%/docs.sh
TESTS += %D%/pkcs11.sh
EXTRA_DIST += %D%/pkcs11.sh
TESTS += %D%/example.sh
EXTRA_DIST += %D%/example.sh
if HTTP
check_PROGRAMS += http_probe
http_probe_SOURCES = tests/unit/http_probe.c tests/unit/source_probe.h
http_probe_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
http_probe_LDADD = $(LIBARTHTTP) $(LIBARTIFACT)
TESTS += %D%/http.sh
endif
EXTRA_DIST += %D%/http.sh %D%/bad_server.py
if TOOLS
if HTTP
TESTS += %D%/inspect_url.sh %D%/inspect_diff.sh %D%/inspect_diff_random.sh
endif
endif
EXTRA_DIST += %D%/inspect_url.sh %D%/inspect_diff.sh %D%/inspect_diff_random.sh %D%/inspect_diff_random.py
if TOOLS
TESTS += %D%/create.sh
endif
if DISK
TESTS += %D%/disk.sh
endif
EXTRA_DIST += %D%/disk.sh
EXTRA_DIST += %D%/create.sh
if HTTP
if INSTALLER
check_PROGRAMS += fetch_probe
fetch_probe_SOURCES = tests/unit/fetch_probe.c tests/unit/source_probe.h
fetch_probe_CFLAGS = $(AM_CFLAGS)
fetch_probe_LDADD = $(LIBFETCH) $(LIBARTIFACT)
TESTS += %D%/fetch.sh
if TOOLS
TESTS += %D%/install_http.sh %D%/install_mirrors.sh %D%/install_seed.sh %D%/install_earlier.sh %D%/install_servers.sh %D%/install_patch.sh %D%/install_patch_server.sh %D%/install_patch_squashfs.sh %D%/install_patch_http.sh %D%/install_resume.sh %D%/install_large.sh %D%/install_bitflip.sh
endif
endif
endif
EXTRA_DIST += %D%/fetch.sh %D%/bad_child.py %D%/install_http.sh %D%/install_seed.sh %D%/install_earlier.sh %D%/install_mirrors.sh %D%/install_servers.sh
EXTRA_DIST += %D%/install_patch.sh %D%/install_patch_server.sh %D%/relevel.py %D%/range_server.py
EXTRA_DIST += %D%/install_patch_http.sh %D%/install_resume.sh %D%/hasty_child.py
EXTRA_DIST += %D%/device.sh
if INSTALLER
TESTS += %D%/boot_check.sh %D%/install.sh %D%/install_cut.sh %D%/install_size.sh %D%/install_abuse.sh %D%/install_parts.sh %D%/install_order.sh %D%/install_flash.sh
endif
EXTRA_DIST += %D%/boot_check.sh %D%/boot_pairs.py %D%/state_record.py %D%/install_abuse.sh %D%/install_parts.sh %D%/install_order.sh %D%/install_flash.sh %D%/install.sh %D%/install_cut.sh %D%/install_size.sh
if INSTALLER
if TOOLS
TESTS += %D%/grub.sh
endif
endif
EXTRA_DIST += %D%/grub.sh
EXTRA_DIST += %D%/uboot.sh
if UBOOT
TESTS += %D%/uboot.sh
endif
if INSTALLER
TESTS += %D%/tryboot.sh
endif
EXTRA_DIST += %D%/tryboot.sh %D%/firmware.sh
if EFI
check_PROGRAMS += efishim.so
efishim_so_SOURCES = %D%/efishim.c
efishim_so_CFLAGS = -std=gnu11 $(WARNING_FLAGS) -fPIC $(EFIVAR_CFLAGS)
efishim_so_LDFLAGS = -shared
TESTS += %D%/efi.sh %D%/systemd_boot.sh
endif
EXTRA_DIST += %D%/efi.sh %D%/systemd_boot.sh %D%/efi_device.sh
