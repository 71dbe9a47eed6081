# SPDX-License-Identifier: Apache-2.0
# Probe each hardening flag; keep what compiler and linker take and name it in --version.

# TWINROOT_TRY_FLAGS(VARIABLE, FLAGS): append to VARIABLE each flag with which a program links.
AC_DEFUN([TWINROOT_TRY_FLAGS], [
	for twinroot_flag in m4_normalize([$2]); do
		AC_MSG_CHECKING([for $twinroot_flag])
		twinroot_save_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -Werror $twinroot_flag"
		AC_LINK_IFELSE([AC_LANG_PROGRAM()], [twinroot_has=yes], [twinroot_has=no])
		CFLAGS=$twinroot_save_CFLAGS
		AC_MSG_RESULT([$twinroot_has])
		AS_IF([test $twinroot_has = yes], [$1="$$1 $twinroot_flag"])
	done
])

AC_DEFUN([TWINROOT_HARDENING], [
	AC_ARG_ENABLE([hardening], [AS_HELP_STRING([--disable-hardening],
		[no hardening flags (for sanitizer and fuzzing builds)])], [], [enable_hardening=yes])
	HARDENING_FLAGS=
	HARDENING_LDFLAGS=
	WARNING_FLAGS=
	AS_IF([test "$enable_hardening" = yes], [
		TWINROOT_TRY_FLAGS([HARDENING_FLAGS], [-fstack-protector-strong -fstack-clash-protection
			-ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr -fcf-protection=full
			-mbranch-protection=standard])
		AS_CASE([" $CFLAGS $CPPFLAGS "], [*FORTIFY_SOURCE*|*-O0*], [],
			[TWINROOT_TRY_FLAGS([HARDENING_FLAGS], [-D_FORTIFY_SOURCE=3])])
		TWINROOT_TRY_FLAGS([HARDENING_LDFLAGS], [-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack])
		# The list below is what --version prints; PIE needs both halves.
		AC_SUBST([PIE_CFLAGS], [-fPIE])
		AC_SUBST([PIE_LDFLAGS], [-pie])])
	TWINROOT_TRY_FLAGS([WARNING_FLAGS], [-Wall -Wextra -Wshadow -Wpointer-arith -Wwrite-strings -Wvla
		-Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wnull-dereference -Wtrampolines
		-Wimplicit-fallthrough -Wundef])
	AC_SUBST([HARDENING_FLAGS])
	AC_SUBST([HARDENING_LDFLAGS])
	AC_SUBST([WARNING_FLAGS])
	AC_DEFINE_UNQUOTED([HARDENING_SUMMARY], ["$PIE_CFLAGS$HARDENING_FLAGS$HARDENING_LDFLAGS"],
		[what the build was hardened with, for --version])
])
