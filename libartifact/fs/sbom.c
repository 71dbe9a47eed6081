// SPDX-License-Identifier: Apache-2.0
/*
 * The package list as SPDX 2.3 JSON, each package with a package URL, and such documents (or CycloneDX) read back.
 * The source package travels in the URL's `upstream` qualifier, as other SBOM tools have it.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "libartifact/digest.h"
#include "libartifact/fs/scan.h"
#include "libartifact/util.h"

#define MAX_PURL 2048

static const struct {
	const char *manager, *type;
} purl_types[] = { { "dpkg", "deb" }, { "opkg", "opkg" }, { "apk", "apk" } };

/* Growing in place; PURL is emptied when it gets too long, and stays empty. */
static void purl_add(char purl[MAX_PURL], const char *literal, const char *text)
{
	size_t used = strlen(purl) + strlen(literal);

	if (purl[0] == '\0')
		return;
	if (used + 3 * strlen(text) >= MAX_PURL) {
		purl[0] = '\0';
		return;
	}
	strcat(purl, literal);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (isalnum(c) || strchr("-._~:", c))
			purl[used++] = (char)c;
		else
			used += (size_t)sprintf(purl + used, "%%%02X", c);
	}
	purl[used] = '\0';
}

static void purl_format(char purl[MAX_PURL], const struct art_packages *p,
			const struct art_package *package)
{
	const char *type = "generic";
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(purl_types); i++)
		if (p->manager && strcmp(p->manager, purl_types[i].manager) == 0)
			type = purl_types[i].type;
	strcpy(purl, "pkg:");
	purl_add(purl, "", type);
	if (p->distro)
		purl_add(purl, "/", p->distro);
	purl_add(purl, "/", package->name);
	purl_add(purl, "@", package->version);
	if (package->arch[0])
		purl_add(purl, "?arch=", package->arch);
	if (package->source)
		purl_add(purl, package->arch[0] ? "&upstream=" : "?upstream=", package->source);
	if (package->source && package->source_version)
		purl_add(purl, "%40", package->source_version);
}

static int set(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value);
}

static json_t *relationship(const char *from, const char *type, const char *to)
{
	return json_pack("{s:s, s:s, s:s}", "spdxElementId", from, "relationshipType", type,
			 "relatedSpdxElement", to);
}

static json_t *package_json(const char *id, const struct art_package *package,
			    const char *purl)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:b}", "SPDXID", id, "name", package->name,
				   "versionInfo", package->version, "downloadLocation",
				   "NOASSERTION", "filesAnalyzed", 0);

	if (!object)
		return NULL;
	if (package->source)
		set(object, "sourceInfo",
		    json_sprintf("built from source package %s %s", package->source,
				 package->source_version ? package->source_version :
							   package->version));
	set(object, "licenseConcluded", json_string("NOASSERTION"));
	set(object, "licenseDeclared", json_string("NOASSERTION"));
	set(object, "copyrightText", json_string("NOASSERTION"));
	if (purl[0])
		set(object, "externalRefs",
		    json_pack("[{s:s, s:s, s:s}]", "referenceCategory", "PACKAGE-MANAGER",
			      "referenceType", "purl", "referenceLocator", purl));
	return object;
}

struct spdx {
	json_t *packages, *relationships;
	struct art_digest *sha256; /* over all package URLs: names the document */
	struct art_digest *one;
};

/* What tells a package from all others: its URL, or the parts of one that did not fit. */
static char *row_text(const char *purl, const struct art_package *package)
{
	char *text = NULL;

	if (purl[0])
		return strdup(purl);
	return asprintf(&text, "%s %s %s", package->name, package->version, package->arch) < 0 ? NULL : text;
}

static int add_package(struct spdx *s, const struct art_packages *p, size_t i,
		       struct art_err *err)
{
	uint8_t hash[ART_SHA256_LEN];
	char purl[MAX_PURL], hex[2 * 8 + 1], id[64];
	cleanup_free char *row = NULL;
	json_t *object;
	int ret;

	/* The same package twice would have the same id twice. */
	if (i > 0 && strcmp(p->list[i].name, p->list[i - 1].name) == 0 &&
	    strcmp(p->list[i].version, p->list[i - 1].version) == 0 &&
	    strcmp(p->list[i].arch, p->list[i - 1].arch) == 0)
		return 0;
	purl_format(purl, p, &p->list[i]);
	row = row_text(purl, &p->list[i]);
	if (!row)
		return art_fail_memory(err);
	ret = art_digest_update(s->sha256, row, strlen(row) + 1, err);
	if (ret == 0)
		ret = art_digest_once(s->one, row, strlen(row), hash, err);
	if (ret != 0)
		return ret;
	art_hex_format(hex, hash, 8);
	snprintf(id, sizeof(id), "SPDXRef-Package-%s", hex);
	object = package_json(id, &p->list[i], purl);
	if (!object)
		return art_fail(err, ART_E_FAILED, "package '%.100s' is not UTF-8", p->list[i].name);
	if (json_array_append_new(s->packages, object) != 0 ||
	    json_array_append_new(s->relationships,
				  relationship("SPDXRef-rootfs", "CONTAINS", id)) != 0)
		return art_fail_memory(err);
	return 0;
}

static json_t *rootfs_json(const char *name, const char *version)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:s}", "SPDXID",
			 "SPDXRef-rootfs", "name", name, "versionInfo", version,
			 "downloadLocation", "NOASSERTION", "filesAnalyzed", 0,
			 "licenseConcluded", "NOASSERTION", "licenseDeclared", "NOASSERTION",
			 "copyrightText", "NOASSERTION", "primaryPackagePurpose",
			 "OPERATING-SYSTEM");
}

/* The document without its packages; NULL: no memory, or a name that is not UTF-8. */
static json_t *head_json(const char *name, const char *version, const char *created,
			 const uint8_t hash[ART_SHA256_LEN])
{
	char hex[2 * 16 + 1];
	json_t *doc;

	art_hex_format(hex, hash, 16);
	doc = json_pack("{s:s, s:s, s:s, s:o, s:o, s:{s:s, s:[s]}}", "spdxVersion", "SPDX-2.3",
			"dataLicense", "CC0-1.0", "SPDXID", "SPDXRef-DOCUMENT", "name",
			json_sprintf("%s-%s", name, version), "documentNamespace",
			json_sprintf("https://spdx.org/spdxdocs/%s-%s-%s", name, version, hex),
			"creationInfo", "created", created, "creators", "Tool: mkartifact");
	return doc;
}

static int fill_packages(struct spdx *s, const struct art_packages *p, const char *name,
			 const char *version, struct art_err *err)
{
	size_t i;
	int ret = 0;

	if (json_array_append_new(s->packages, rootfs_json(name, version)) != 0 ||
	    json_array_append_new(s->relationships, relationship("SPDXRef-DOCUMENT", "DESCRIBES",
								 "SPDXRef-rootfs")) != 0)
		return art_fail_memory(err);
	for (i = 0; ret == 0 && i < p->count; i++)
		ret = add_package(s, p, i, err);
	return ret;
}

static int dump(json_t *doc, uint8_t **out, size_t *len, struct art_err *err)
{
	char *text = json_dumps(doc, JSON_INDENT(1));
	char *grown;

	if (!text)
		return art_fail_memory(err);
	*len = strlen(text);
	grown = realloc(text, *len + 2);
	if (!grown) {
		free(text);
		return art_fail_memory(err);
	}
	grown[(*len)++] = '\n';
	grown[*len] = '\0';
	*out = (uint8_t *)grown;
	return 0;
}

static int make_document(struct spdx *s, const struct art_packages *p, const char *name,
			 const char *version, const char *created, json_t **doc,
			 struct art_err *err)
{
	uint8_t hash[ART_SHA256_LEN];
	int ret;

	s->packages = json_array();
	s->relationships = json_array();
	ret = art_sha256_new(&s->sha256, err);
	if (ret == 0)
		ret = art_sha256_new(&s->one, err);
	if (ret == 0)
		ret = fill_packages(s, p, name, version, err);
	if (ret == 0)
		ret = art_digest_final(s->sha256, hash, err);
	if (ret != 0)
		return ret;
	*doc = head_json(name, version, created, hash);
	if (!*doc || json_object_set(*doc, "packages", s->packages) != 0 ||
	    json_object_set(*doc, "relationships", s->relationships) != 0)
		return art_fail_memory(err);
	return 0;
}

int art_sbom_spdx(const struct art_packages *p, const char *name, const char *version,
		  const char *created, uint8_t **out, size_t *len, struct art_err *err)
{
	struct spdx s = { 0 };
	json_t *doc = NULL;
	int ret;

	ret = make_document(&s, p, name, version, created, &doc, err);
	if (ret == 0)
		ret = dump(doc, out, len, err);
	json_decref(doc);
	json_decref(s.packages);
	json_decref(s.relationships);
	art_digest_free(s.sha256);
	art_digest_free(s.one);
	return ret;
}

static int hex_value(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Decode LEN bytes of percent encoding; what is no encoding stays. A NUL is dropped. */
static char *decode(const char *text, size_t len)
{
	char *out = malloc(len + 1), *p = out;
	size_t i;

	for (i = 0; out && i < len; i++) {
		char c = text[i];

		if (c == '%' && i + 2 < len && hex_value(text[i + 1]) >= 0 &&
		    hex_value(text[i + 2]) >= 0) {
			c = (char)(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2]));
			i += 2;
		}
		if (c != '\0')
			*p++ = c;
	}
	if (out)
		*p = '\0';
	return out;
}

/* The value of a qualifier ("arch"), decoded; NULL: absent. */
static char *qualifier(const char *purl, const char *key)
{
	const char *at = purl + strcspn(purl, "?#");
	size_t len = strlen(key);

	while (*at && *at != '#') {
		at++;
		if (strncmp(at, key, len) == 0 && at[len] == '=')
			return decode(at + len + 1, strcspn(at + len + 1, "&#"));
		at += strcspn(at, "&#");
	}
	return NULL;
}

static void learn_type(struct art_packages *out, const char *purl)
{
	size_t i;

	for (i = 0; !out->manager && i < ART_ARRAY_SIZE(purl_types); i++) {
		const char *type = purl_types[i].type;
		const char *rest = purl + 4 + strlen(type);
		size_t len;

		if (strncmp(purl + 4, type, strlen(type)) != 0 || *rest != '/')
			continue;
		out->manager = purl_types[i].manager;
		len = strcspn(rest + 1, "/@?#");
		if (rest[1 + len] == '/')
			out->distro = decode(rest + 1, len);
	}
}

static int take(struct art_packages *out, const char *name, const char *version,
		const char *purl, struct art_err *err)
{
	struct art_package package = { .name = (char *)name, .version = (char *)version };
	cleanup_free char *arch = NULL;
	cleanup_free char *source = NULL;
	char *at;

	if (purl && strncmp(purl, "pkg:", 4) == 0) {
		learn_type(out, purl);
		arch = qualifier(purl, "arch");
		source = qualifier(purl, "upstream");
	}
	package.arch = arch ? arch : (char *)"";
	package.source = source;
	at = source ? strchr(source, '@') : NULL;
	if (at) {
		*at = '\0';
		package.source_version = at + 1;
	}
	return art_packages_add(out, &package, err);
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static int take_spdx(struct art_packages *out, const json_t *package, struct art_err *err)
{
	const char *name = text_of(package, "name"), *version = text_of(package, "versionInfo");
	const char *purpose = text_of(package, "primaryPackagePurpose"), *purl = NULL;
	const json_t *ref;
	size_t i;

	if (!name || (purpose && strcmp(purpose, "OPERATING-SYSTEM") == 0))
		return 0;
	json_array_foreach(json_object_get(package, "externalRefs"), i, ref) {
		const char *type = text_of(ref, "referenceType");

		if (!purl && type && strcmp(type, "purl") == 0)
			purl = text_of(ref, "referenceLocator");
	}
	return take(out, name, version ? version : "", purl, err);
}

static int take_cyclonedx(struct art_packages *out, const json_t *component, struct art_err *err)
{
	const char *name = text_of(component, "name"), *version = text_of(component, "version");
	const char *type = text_of(component, "type");

	if (!name || (type && (strcmp(type, "operating-system") == 0 || strcmp(type, "file") == 0)))
		return 0;
	return take(out, name, version ? version : "", text_of(component, "purl"), err);
}

static int take_all(struct art_packages *out, const json_t *doc, struct art_err *err)
{
	const char *format = text_of(doc, "bomFormat");
	const json_t *item;
	size_t i;
	int ret = 0;

	if (text_of(doc, "spdxVersion")) {
		json_array_foreach(json_object_get(doc, "packages"), i, item) {
			if (ret == 0)
				ret = take_spdx(out, item, err);
		}
	} else if (format && strcmp(format, "CycloneDX") == 0) {
		json_array_foreach(json_object_get(doc, "components"), i, item) {
			if (ret == 0)
				ret = take_cyclonedx(out, item, err);
		}
	} else {
		ret = art_fail(err, ART_E_FAILED, "package list is neither SPDX nor CycloneDX JSON");
	}
	return ret;
}

int art_sbom_parse(const uint8_t *bytes, size_t len, struct art_packages *out,
		   struct art_err *err)
{
	json_error_t fault;
	json_t *doc;
	int ret;

	*out = (struct art_packages){ 0 };
	doc = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, &fault);
	if (!doc)
		return art_fail(err, ART_E_FAILED, "package list is not JSON: line %d: %s", fault.line,
				fault.text);
	ret = take_all(out, doc, err);
	json_decref(doc);
	if (ret != 0) {
		art_packages_free(out);
		return ret;
	}
	art_packages_sort(out);
	return 0;
}
