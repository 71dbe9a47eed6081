# SPDX-License-Identifier: Apache-2.0
# artifact-install: judges artifacts and writes them to the slot that does not run. It links neither libcurl nor a filesystem
# library; downloads are the fetch child's.
sbin_PROGRAMS += artifact-install
artifact_install_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) $(ZSTD_CFLAGS) $(JANSSON_CFLAGS) $(INIH_CFLAGS) $(UBOOTENV_CFLAGS) $(EFIVAR_CFLAGS)
artifact_install_LDADD = $(LIBCOMMON) $(INIH_LIBS) $(UBOOTENV_LIBS) $(EFIVAR_LIBS)
if HTTP
artifact_install_LDADD += $(LIBFETCH)
endif
artifact_install_SOURCES =
artifact_install_SOURCES += %D%/main.c %D%/commands.h
artifact_install_SOURCES += %D%/install.c %D%/report.c %D%/report.h
artifact_install_SOURCES += %D%/switch.c %D%/switch.h
artifact_install_SOURCES += %D%/boot_check.c %D%/boot_check.h %D%/leave.c
artifact_install_SOURCES += %D%/reconcile.c %D%/reconcile.h
artifact_install_SOURCES += %D%/gate.c %D%/gate.h
artifact_install_SOURCES += %D%/checks.c %D%/checks.h
artifact_install_SOURCES += %D%/remote.c %D%/remote.h
artifact_install_SOURCES += %D%/watchdog.c %D%/watchdog.h
artifact_install_SOURCES += %D%/status.c
artifact_install_SOURCES += %D%/adopt.c
artifact_install_SOURCES += %D%/candidate.c %D%/candidate.h %D%/platform.c %D%/platform.h
artifact_install_SOURCES += %D%/writer.c %D%/writer.h
artifact_install_SOURCES += %D%/target.c %D%/target.h
artifact_install_SOURCES += %D%/patch.c %D%/patch.h %D%/patch_rows.c
artifact_install_SOURCES += %D%/decoder.c %D%/decoder.h %D%/lockdown.c %D%/lockdown.h
artifact_install_SOURCES += %D%/seed.c %D%/seed.h %D%/seed_find.c
artifact_install_SOURCES += %D%/kept.c %D%/kept.h
artifact_install_SOURCES += %D%/device.c %D%/device.h
artifact_install_SOURCES += %D%/conf.c %D%/conf.h
artifact_install_SOURCES += %D%/state.c %D%/state.h
artifact_install_SOURCES += %D%/slots.c %D%/slots.h
artifact_install_SOURCES += %D%/log.c %D%/log.h
artifact_install_SOURCES += %D%/proc.c %D%/proc.h
BOOT_SOURCES = %D%/boot.c %D%/boot.h
BOOT_SOURCES += %D%/boot/script.c
BOOT_SOURCES += %D%/boot/tryboot.c
BOOT_SOURCES += %D%/boot/evidence.c %D%/boot/evidence.h
BOOT_SOURCES += %D%/boot/efivars.c %D%/boot/efivars.h
BOOT_SOURCES += %D%/boot/words.c %D%/boot/words.h
BOOT_SOURCES += %D%/boot/place.c %D%/boot/place.h
BOOT_SOURCES += %D%/boot/grub.c
if UBOOT
BOOT_SOURCES += %D%/boot/uboot.c
endif
if EFI
BOOT_SOURCES += %D%/boot/efi.c %D%/boot/efi.h
BOOT_SOURCES += %D%/boot/efi_firmware.c %D%/boot/efi_loader.c
BOOT_SOURCES += %D%/boot/efi_variable.c %D%/boot/efi_variable.h
endif
artifact_install_SOURCES += $(BOOT_SOURCES)
dist_man_MANS += %D%/artifact-install.8 %D%/twinroot-install.conf.5
EXTRA_DIST += %D%/README.md %D%/state.md
EXTRA_DIST += %D%/boot/uboot/boot.cmd %D%/boot/uboot/twinroot.txt
dist_pkgdata_DATA += %D%/boot/grub/twinroot.cfg %D%/boot/grub/twinroot-settings.cfg
EXTRA_DIST += %D%/boot/grub/README.md
