// SPDX-License-Identifier: Apache-2.0
/* Compatibility, judged from the signed manifest and the device's own configuration only. */
#include <string.h>

#include "libartifact/compat.h"
#include "libartifact/version.h"

/* "a, b, c" for messages; ends in "..." where it does not fit. */
static const char *join(char *out, size_t room, char *const *list, size_t count)
{
	size_t used = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		size_t len = strlen(list[i]);

		if (used + len + sizeof(", ...") > room) {
			strcpy(out + used, "...");
			return out;
		}
		memcpy(out + used, list[i], len);
		used += len;
		if (i + 1 < count) {
			memcpy(out + used, ", ", 2);
			used += 2;
		}
	}
	out[used] = '\0';
	return out;
}

static bool contains(const char *const *list, const char *text)
{
	for (; list && *list; list++)
		if (!strcmp(*list, text))
			return true;
	return false;
}

static int check_type(const struct art_manifest *m, const struct art_device *dev,
		      struct art_err *err)
{
	char types[200];
	size_t i;

	for (i = 0; dev->type && i < m->compatible_count; i++)
		if (!strcmp(m->compatible[i], dev->type))
			return 0;
	join(types, sizeof(types), m->compatible, m->compatible_count);
	if (!dev->type)
		return art_fail(err, ART_E_COMPAT_TYPE,
				"artifact is for '%s', this device's type is not configured",
				types);
	return art_fail(err, ART_E_COMPAT_TYPE, "artifact is for '%s', this device is '%s'", types,
			dev->type);
}

static int check_hardware(const struct art_manifest *m, const struct art_device *dev,
			  struct art_err *err)
{
	char ranges[200];
	size_t i;

	if (m->hardware_count == 0)
		return 0;
	join(ranges, sizeof(ranges), m->hardware, m->hardware_count);
	if (!dev->hardware)
		return art_fail(err, ART_E_COMPAT_HARDWARE,
				"artifact is for hardware '%s', this device's is not configured",
				ranges);
	if (!art_version_is_valid(dev->hardware))
		return art_fail(err, ART_E_COMPAT_HARDWARE,
				"artifact is for hardware '%s', this device's '%s' is not a revision",
				ranges, dev->hardware);
	for (i = 0; i < m->hardware_count; i++)
		if (art_range_has(m->hardware[i], dev->hardware))
			return 0;
	return art_fail(err, ART_E_COMPAT_HARDWARE,
			"artifact is for hardware '%s', this device has '%s'", ranges,
			dev->hardware);
}

static int check_arch(const struct art_manifest *m, const struct art_device *dev,
		      struct art_err *err)
{
	if (!strcmp(m->arch, "any") || contains(dev->archs, m->arch))
		return 0;
	return art_fail(err, ART_E_COMPAT_ARCH, "artifact is for '%s', this device runs '%s'",
			m->arch, dev->archs && dev->archs[0] ? dev->archs[0] : "unknown");
}

/* The first that is given counts: the device's own attributes stand before what an artifact says. */
static const char *provided(const struct art_device *dev, const char *key)
{
	size_t i;

	for (i = 0; i < dev->provides_count; i++)
		if (!strcmp(dev->provides[i].key, key))
			return dev->provides[i].value;
	return NULL;
}

static int check_requires(const struct art_manifest *m, const struct art_device *dev,
			  struct art_err *err)
{
	size_t i;

	for (i = 0; i < m->requires_count; i++) {
		const struct art_pair *need = &m->requires_[i];
		const char *have = provided(dev, need->key);

		if (!have)
			return art_fail(err, ART_E_COMPAT_REQUIRES,
					"artifact requires '%s' '%s', this device has none",
					need->key, need->value);
		if (!art_version_is_valid(have) || !art_range_has(need->value, have))
			return art_fail(err, ART_E_COMPAT_REQUIRES,
					"artifact requires '%s' '%s', this device has '%s'",
					need->key, need->value, have);
	}
	return 0;
}

static const struct art_device_slot_part *find_part(const struct art_device *dev,
						    const char *payload)
{
	size_t i;

	for (i = 0; i < dev->part_count; i++)
		if (!strcmp(dev->parts[i].payload, payload))
			return &dev->parts[i];
	return NULL;
}

static int check_places(const struct art_manifest *m, const struct art_device *dev,
			struct art_err *err)
{
	size_t i;

	for (i = 0; i < m->payload_count; i++)
		if (!find_part(dev, m->payloads[i].name))
			return art_fail(err, ART_E_COMPAT_PAYLOAD,
					"artifact has a payload '%s', the slot has no place for it",
					m->payloads[i].name);
	return 0;
}

static int check_sizes(const struct art_manifest *m, const struct art_device *dev,
		       struct art_err *err)
{
	size_t i;

	for (i = 0; i < m->payload_count; i++) {
		const struct art_payload *p = &m->payloads[i];
		const struct art_device_slot_part *part = find_part(dev, p->name);

		if (!part || p->size > part->size)
			return art_fail(err, ART_E_COMPAT_SIZE,
					"payload '%s' has %llu bytes, its partition has %llu",
					p->name, (unsigned long long)p->size,
					part ? (unsigned long long)part->size : 0ULL);
	}
	return 0;
}

static int check_filesystems(const struct art_manifest *m, const struct art_device *dev,
			     struct art_err *err)
{
	size_t i;

	for (i = 0; dev->filesystems && i < m->payload_count; i++) {
		const struct art_payload *p = &m->payloads[i];

		if (strcmp(p->filesystem, "raw") != 0 &&
		    !contains(dev->filesystems, p->filesystem))
			return art_fail(err, ART_E_COMPAT_FILESYSTEM,
					"payload '%s' is '%s', which this device's kernel does not know",
					p->name, p->filesystem);
	}
	return 0;
}

static int check_age(const struct art_manifest *m, const struct art_device *dev,
		     struct art_err *err)
{
	if (m->security_counter < dev->counter_floor)
		return art_fail(err, ART_E_COMPAT_COUNTER,
				"artifact has security counter %u, this device's floor is %u",
				m->security_counter, dev->counter_floor);
	if (dev->deny_downgrade && dev->running_version &&
	    art_version_compare(m->version, dev->running_version) < 0)
		return art_fail(err, ART_E_COMPAT_DOWNGRADE,
				"artifact is version '%s', this device runs '%s' and denies downgrades",
				m->version, dev->running_version);
	return 0;
}

int art_compat_check(const struct art_manifest *m, const struct art_device *dev,
		     struct art_err *err)
{
	/* In the order of errors.tsv; check_sizes relies on check_places. */
	static int (*const checks[])(const struct art_manifest *, const struct art_device *,
				     struct art_err *) = {
		check_type,   check_hardware, check_arch,        check_requires,
		check_places, check_sizes,    check_filesystems, check_age,
	};
	size_t i;
	int code = 0;

	for (i = 0; !code && i < ART_ARRAY_SIZE(checks); i++)
		code = checks[i](m, dev, err);
	return code;
}
