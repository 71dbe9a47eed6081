# SPDX-License-Identifier: Apache-2.0
# What makes an init run boot-check: --with-init says for which.
initddir = $(sysconfdir)/init.d
initd_SCRIPTS =
pkglibexec_SCRIPTS =
systemdsystemunit_DATA =
pkgdata_DATA =
INIT_MADE = %D%/boot-check-once
INIT_MADE += %D%/sysv/twinroot-boot-check
INIT_MADE += %D%/openrc/twinroot-boot-check
INIT_MADE += %D%/busybox/S99twinroot-boot-check %D%/busybox/inittab
INIT_MADE += %D%/systemd/twinroot-boot-check.service
INIT_MADE += %D%/systemd/twinroot-trial-emergency.service
EXTRA_DIST += %D%/README.md
EXTRA_DIST += %D%/boot-check-once.in
EXTRA_DIST += %D%/sysv/twinroot-boot-check.in
EXTRA_DIST += %D%/openrc/twinroot-boot-check.in
EXTRA_DIST += %D%/busybox/S99twinroot-boot-check.in %D%/busybox/inittab.in
EXTRA_DIST += %D%/systemd/twinroot-boot-check.service.in
EXTRA_DIST += %D%/systemd/twinroot-trial-emergency.service.in
CLEANFILES += $(INIT_MADE)

$(INIT_MADE): Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@pkglibexecdir[@]|$(pkglibexecdir)|g' \
		<$(srcdir)/$@.in >$@.new && mv $@.new $@
%D%/boot-check-once: %D%/boot-check-once.in
%D%/sysv/twinroot-boot-check: %D%/sysv/twinroot-boot-check.in
%D%/openrc/twinroot-boot-check: %D%/openrc/twinroot-boot-check.in
%D%/busybox/S99twinroot-boot-check: %D%/busybox/S99twinroot-boot-check.in
%D%/busybox/inittab: %D%/busybox/inittab.in
%D%/systemd/twinroot-boot-check.service: %D%/systemd/twinroot-boot-check.service.in
%D%/systemd/twinroot-trial-emergency.service: %D%/systemd/twinroot-trial-emergency.service.in

if INIT_ONCE
pkglibexec_SCRIPTS += %D%/boot-check-once
endif
if INIT_SYSV
initd_SCRIPTS += %D%/sysv/twinroot-boot-check
endif
if INIT_OPENRC
initd_SCRIPTS += %D%/openrc/twinroot-boot-check
endif
if INIT_BUSYBOX
initd_SCRIPTS += %D%/busybox/S99twinroot-boot-check
pkgdata_DATA += %D%/busybox/inittab
endif
if INIT_SYSTEMD
systemdsystemunit_DATA += %D%/systemd/twinroot-boot-check.service
systemdsystemunit_DATA += %D%/systemd/twinroot-trial-emergency.service
endif
