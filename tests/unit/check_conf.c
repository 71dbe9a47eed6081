// SPDX-License-Identifier: Apache-2.0
/* install.conf: what is meant is read, and everything that could be meant otherwise is refused. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "installer/conf.h"
#include "tests/unit/run.h"

#define GOOD                                                                    \
	"[device]\ntype = rpi4\n[slot.a]\nrootfs = PARTUUID=1-2\nboot = /dev/x\n" \
	"[slot.b]\nrootfs = PARTLABEL=b\nboot = /dev/y\n[boot]\nbackend = uboot\n"  \
	"[trust]\nkeys = /k\n[state]\ndirectory = /s\n"

static struct art_err err;

START_TEST(reads_what_is_there)
{
	struct config c;

	ck_assert_int_eq(config_parse(&c, GOOD "[trust]\ndowngrade = deny\n; comment\n"
					       "[boot]\ntries = 5\n[checks]\nremote = ignore\n",
				      "t", &err),
			 0);
	ck_assert_str_eq(c.device_type, "rpi4");
	ck_assert_ptr_null(c.device_hardware);
	ck_assert_str_eq(config_slot_path(&c, 0, "rootfs"), "PARTUUID=1-2");
	ck_assert_str_eq(config_slot_path(&c, 1, "boot"), "/dev/y");
	ck_assert_ptr_null(config_slot_path(&c, 1, "data"));
	ck_assert_uint_eq(c.boot_tries, 5);
	ck_assert_uint_eq(c.deny_downgrade, 1);
	ck_assert_uint_eq(c.checks_remote, CONFIG_REMOTE_IGNORE);
	ck_assert_uint_eq(c.checks_deadline, 600);
	ck_assert_str_eq(c.boot_environment, "/etc/fw_env.config");
	config_free(&c);
}
END_TEST

static const struct {
	const char *text;
	const char *says; /* part of the message */
} bad[] = {
	{ "", "'type' of [device] is missing" },
	{ GOOD "[boot]\ntrise = 3\n", "[boot] knows no key 'trise'" },
	{ GOOD "[bot]\ntries = 3\n", "no section [bot]" },
	{ GOOD "[nothing]\n", "no section [nothing]" },
	{ GOOD "[boot]\ntries = 0\n", "a number from 1 to 9" },
	{ GOOD "[boot]\ntries = 10\n", "a number from 1 to 9" },
	{ GOOD "[boot]\ntries = 3x\n", "a number from 1 to 9" },
	{ GOOD "[boot]\ntries = -1\n", "a number from 1 to 9" },
	{ GOOD "[boot]\ntries = 99999999999999999999\n", "a number from 1 to 9" },
	{ GOOD "[boot]\ntries =\n", "has no value" },
	{ GOOD "[boot]\ntries = 2\ntries = 3\n", "given twice" },
	{ GOOD "[boot]\ntries = 2\n  script = /x\n", "given twice" },
	{ GOOD "[boot]\nscript = boot.sh\n", "an absolute path" },
	{ GOOD "[trust]\ndowngrade = Deny\n", "one of allow|deny" },
	{ GOOD "[trust]\ndowngrade = den\n", "one of allow|deny" },
	{ GOOD "[slot.a]\nrootfs = /z\n", "given twice" },
	{ GOOD "[slot.a]\nRoot = /z\n", "no payload name" },
	{ GOOD "[slot.a]\ndata = z\n", "PARTUUID=" },
	{ GOOD "[slot.a]\ndata = /z\n[slot.b]\ndata = /z\n", "both slots give" },
	{ GOOD "[boot]\nnonsense\n", "not 'key = value'" },
	{ "[device]\ntype = x\n[slot.a]\nrootfs = /a\n[boot]\nbackend = x\n[trust]\nkeys = "
	  "/k\n[state]\ndirectory = /s\n",
	  "'rootfs' of [slot.b] is missing" },
};

START_TEST(refuses)
{
	struct config c;

	memset(&err, 0, sizeof(err));
	ck_assert_int_eq(config_parse(&c, bad[_i].text, "t", &err), ART_E_USAGE);
	ck_assert_msg(strstr(err.text, bad[_i].says), "'%s' lacks '%s'", err.text, bad[_i].says);
	config_free(&c);
}
END_TEST

/* inih reads 200 bytes at a time: a longer line would go on as a line of its own. */
START_TEST(long_lines)
{
	char text[2048];
	struct config c;
	int fill;

	for (fill = 150; fill < 300; fill++) {
		int len = snprintf(text, sizeof(text), GOOD "[device]\nattributes = /%0*d\n", fill, 0);
		int line = fill + (int)strlen("attributes = /");
		int code = config_parse(&c, text, "t", &err);

		ck_assert_int_lt(len, (int)sizeof(text));
		ck_assert_int_eq(code, line <= 198 ? 0 : ART_E_USAGE);
		if (code == 0)
			ck_assert_uint_eq(strlen(c.device_attributes), (size_t)fill + 1);
		config_free(&c);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf");
	TCase *tc = tcase_create("conf");

	tcase_add_test(tc, reads_what_is_there);
	tcase_add_loop_test(tc, refuses, 0, (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(tc, long_lines);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
