// SPDX-License-Identifier: Apache-2.0
/* Compatibility: each rule on both sides, in order, with both sides named. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "libartifact/compat.h"
#include "tests/unit/run.h"

static char *compatible[] = { (char *)"rpi4", (char *)"rpi5" };
static char *hardware[] = { (char *)"1..2", (char *)"5" };
static struct art_pair requires_[] = { { (char *)"bootloader", (char *)"2.." },
				       { (char *)"data", (char *)"1..3" } };
static struct art_payload payloads[] = {
	{ .name = (char *)"rootfs", .filesystem = (char *)"ext4", .size = 4096 },
	{ .name = (char *)"boot", .filesystem = (char *)"raw", .size = 1024 },
};
static const char *const archs[] = { "aarch64", "armhf", NULL };
static const char *const filesystems[] = { "ext4", "squashfs", NULL };
static const struct art_pair provides[] = { { (char *)"bootloader", (char *)"2.1" },
					    { (char *)"data", (char *)"3" },
					    { (char *)"data", (char *)"9" } };
static const struct art_device_slot_part parts[] = { { "boot", 1024 }, { "rootfs", 4096 } };

static struct art_manifest m;
static struct art_device dev;

/* A pair that fits exactly, at every limit. */
static void setup(void)
{
	m = (struct art_manifest){
		.version = (char *)"1.0", .security_counter = 5,
		.compatible = compatible, .compatible_count = 2,
		.hardware = hardware, .hardware_count = 2,
		.arch = (char *)"armhf",
		.requires_ = requires_, .requires_count = 2,
		.payloads = payloads, .payload_count = 2,
	};
	dev = (struct art_device){
		.type = "rpi5", .hardware = "2", .archs = archs,
		.provides = provides, .provides_count = 3,
		.parts = parts, .part_count = 2,
		.filesystems = filesystems, .counter_floor = 5,
		.running_version = "1.0", .deny_downgrade = true,
	};
}

static void expect(int code, const char *text)
{
	struct art_err err = { 0 };

	ck_assert_int_eq(art_compat_check(&m, &dev, &err), code);
	ck_assert_int_eq(err.code, code);
	ck_assert_str_eq(err.text, text);
	ck_assert_int_eq(art_compat_check(&m, &dev, NULL), code);
}

START_TEST(fits)
{
	expect(0, "");
}
END_TEST

START_TEST(type)
{
	dev.type = "rpi3";
	expect(ART_E_COMPAT_TYPE, "artifact is for 'rpi4, rpi5', this device is 'rpi3'");
	dev.type = "rpi";
	expect(ART_E_COMPAT_TYPE, "artifact is for 'rpi4, rpi5', this device is 'rpi'");
	dev.type = NULL;
	expect(ART_E_COMPAT_TYPE,
	       "artifact is for 'rpi4, rpi5', this device's type is not configured");
}
END_TEST

START_TEST(many_types)
{
	char name[65];
	char *many[64];
	struct art_err err;
	size_t i;

	memset(name, 'x', 64);
	name[64] = '\0';
	for (i = 0; i < 64; i++)
		many[i] = name;
	m.compatible = many;
	m.compatible_count = 64;
	ck_assert_int_eq(art_compat_check(&m, &dev, &err), ART_E_COMPAT_TYPE);
	ck_assert_ptr_nonnull(strstr(err.text, "xx, ...', this device is 'rpi5'"));
}
END_TEST

START_TEST(revision)
{
	dev.hardware = "3";
	expect(ART_E_COMPAT_HARDWARE, "artifact is for hardware '1..2, 5', this device has '3'");
	dev.hardware = "5";
	expect(0, "");
	dev.hardware = NULL;
	expect(ART_E_COMPAT_HARDWARE,
	       "artifact is for hardware '1..2, 5', this device's is not configured");
	dev.hardware = "rev 2";
	expect(ART_E_COMPAT_HARDWARE,
	       "artifact is for hardware '1..2, 5', this device's 'rev 2' is not a revision");
	m.hardware_count = 0;
	expect(0, "");
	dev.hardware = NULL;
	expect(0, "");
}
END_TEST

START_TEST(arch)
{
	m.arch = (char *)"x86_64";
	expect(ART_E_COMPAT_ARCH, "artifact is for 'x86_64', this device runs 'aarch64'");
	dev.archs = archs + 2;
	expect(ART_E_COMPAT_ARCH, "artifact is for 'x86_64', this device runs 'unknown'");
	dev.archs = NULL;
	expect(ART_E_COMPAT_ARCH, "artifact is for 'x86_64', this device runs 'unknown'");
	m.arch = (char *)"any";
	expect(0, "");
}
END_TEST

START_TEST(needs)
{
	struct art_pair own[] = { { (char *)"bootloader", (char *)"1.9" } };

	dev.provides_count = 1;
	expect(ART_E_COMPAT_REQUIRES, "artifact requires 'data' '1..3', this device has none");
	dev.provides = own;
	expect(ART_E_COMPAT_REQUIRES, "artifact requires 'bootloader' '2..', this device has '1.9'");
	own[0].value = (char *)"-";
	expect(ART_E_COMPAT_REQUIRES, "artifact requires 'bootloader' '2..', this device has '-'");
	m.requires_count = 0;
	expect(0, "");
}
END_TEST

/* What comes first counts: an artifact cannot better what the device says of itself. */
START_TEST(first_provider_counts)
{
	const struct art_pair two[] = { { (char *)"bootloader", (char *)"1" },
					{ (char *)"bootloader", (char *)"2" } };

	dev.provides = two;
	dev.provides_count = 2;
	expect(ART_E_COMPAT_REQUIRES, "artifact requires 'bootloader' '2..', this device has '1'");
}
END_TEST

START_TEST(places_and_sizes)
{
	const struct art_device_slot_part small[] = { { "rootfs", 4095 }, { "boot", 1023 } };

	dev.part_count = 1;
	expect(ART_E_COMPAT_PAYLOAD,
	       "artifact has a payload 'rootfs', the slot has no place for it");
	/* a place for each is looked for before any size */
	dev.parts = small;
	expect(ART_E_COMPAT_PAYLOAD,
	       "artifact has a payload 'boot', the slot has no place for it");
	dev.part_count = 2;
	expect(ART_E_COMPAT_SIZE, "payload 'rootfs' has 4096 bytes, its partition has 4095");
}
END_TEST

START_TEST(filesystem)
{
	dev.filesystems = filesystems + 1;
	expect(ART_E_COMPAT_FILESYSTEM,
	       "payload 'rootfs' is 'ext4', which this device's kernel does not know");
	dev.filesystems = NULL;
	expect(0, "");
}
END_TEST

START_TEST(age)
{
	dev.counter_floor = 6;
	expect(ART_E_COMPAT_COUNTER, "artifact has security counter 5, this device's floor is 6");
	dev.counter_floor = 4;
	dev.running_version = "1.0-1";
	expect(ART_E_COMPAT_DOWNGRADE,
	       "artifact is version '1.0', this device runs '1.0-1' and denies downgrades");
	dev.deny_downgrade = false;
	expect(0, "");
	dev.deny_downgrade = true;
	dev.running_version = NULL;
	expect(0, "");
	dev.running_version = "0.9";
	expect(0, "");
}
END_TEST

/* All wrong at once, mended one by one: the order of errors.tsv. */
START_TEST(order)
{
	struct art_err err;
	const struct art_device good = dev;
	const char *const none[] = { NULL };
	const struct art_device_slot_part small[] = { { "rootfs", 1 }, { "boot", 1 } };
	const int want[] = { ART_E_COMPAT_TYPE, ART_E_COMPAT_HARDWARE, ART_E_COMPAT_ARCH,
			     ART_E_COMPAT_REQUIRES, ART_E_COMPAT_PAYLOAD, ART_E_COMPAT_SIZE,
			     ART_E_COMPAT_FILESYSTEM, ART_E_COMPAT_COUNTER,
			     ART_E_COMPAT_DOWNGRADE, 0 };
	size_t i;

	dev.type = dev.hardware = "no";
	dev.archs = dev.filesystems = none;
	dev.provides_count = dev.part_count = 0;
	dev.counter_floor = 9;
	dev.running_version = "2";
	for (i = 0; i < ART_ARRAY_SIZE(want); i++) {
		ck_assert_int_eq(art_compat_check(&m, &dev, &err), want[i]);
		switch (i) {
		case 0: dev.type = good.type; break;
		case 1: dev.hardware = good.hardware; break;
		case 2: dev.archs = good.archs; break;
		case 3: dev.provides_count = good.provides_count; break;
		case 4: dev.parts = small; dev.part_count = 2; break;
		case 5: dev.parts = good.parts; break;
		case 6: dev.filesystems = good.filesystems; break;
		case 7: dev.counter_floor = 0; break;
		case 8: dev.running_version = NULL; break;
		default: break;
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("compat");
	TCase *tc = tcase_create("compat");

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, fits);
	tcase_add_test(tc, type);
	tcase_add_test(tc, many_types);
	tcase_add_test(tc, revision);
	tcase_add_test(tc, arch);
	tcase_add_test(tc, needs);
	tcase_add_test(tc, first_provider_counts);
	tcase_add_test(tc, places_and_sizes);
	tcase_add_test(tc, filesystem);
	tcase_add_test(tc, age);
	tcase_add_test(tc, order);
	return run_suite(suite);
}
