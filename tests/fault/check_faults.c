// SPDX-License-Identifier: Apache-2.0
/*
 * Whatever libartifact asks of the system, libcrypto or libzstd is refused once, call by call: it says so, never calls a good
 * artifact bad for it, never a bad one good, and leaves no file behind.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libartifact/blob.h"
#include "libartifact/io.h"
#include "libartifact/plan_earlier.h"
#include "libartifact/reader.h"
#include "libartifact/util.h"
#include "libartifact/writer.h"
#include "tests/fault/refuse.h"
#include "tests/unit/keys.h"
#include "tests/unit/run.h"
#include "tests/vectors/judge.h"

#define IMAGE ((size_t)320 * 1024)
#define KEYS 4

static char dir[] = "/tmp/twinroot-faults.XXXXXX";
static EVP_PKEY *keys[KEYS];
static struct art_siglist signatures;
static int image_fd;
static uint8_t *good;
static size_t good_len;
static struct art_manifest *draft;

static const char *in_dir(const char *name)
{
	static char paths[4][sizeof(dir) + 64];
	static unsigned int next;
	char *p = paths[next++ % 4];

	snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
	return p;
}

static int entries(void)
{
	struct dirent **list;
	int n = scandir(dir, &list, NULL, NULL), i;

	for (i = 0; i < n; i++)
		free(list[i]);
	free(list);
	return n - 2;
}

static int sign_all(void *ctx, const uint8_t *manifest, size_t len, struct art_siglist *list,
		    struct art_err *err)
{
	int code = 0;
	size_t i;

	(void)ctx;
	for (i = 0; code == 0 && i < KEYS; i++) {
		char text[ART_SIGN_TEXT_MAX];
		struct art_key *key = NULL;
		cleanup_free uint8_t *sig = NULL;
		size_t text_len, sig_len;

		code = art_key_from_pkey(&key, keys[i], "key", err);
		if (code == 0)
			code = art_sign_text(text, ART_PREAMBLE_ARTIFACT, art_key_algorithm(key),
					     art_key_id(key), manifest, len, &text_len, err);
		if (code == 0)
			code = art_key_sign(keys[i], text, text_len, &sig, &sig_len, err);
		if (code == 0)
			code = art_siglist_add(list, art_key_algorithm(key), art_key_id(key), sig,
					       sig_len, err);
		art_key_free(key);
	}
	return code;
}

static char *copy(const char *text)
{
	char *p = strdup(text);

	ck_assert_ptr_nonnull(p);
	return p;
}

static struct art_manifest *manifest(void)
{
	struct art_manifest *m = art_manifest_new();

	m->name = copy("demo");
	m->version = copy("1.0");
	m->created = copy("2026-01-02T03:04:05Z");
	m->arch = copy("any");
	m->compatible = calloc(1, sizeof(*m->compatible));
	m->compatible[m->compatible_count++] = copy("box");
	m->payloads = calloc(1, sizeof(*m->payloads));
	m->payload_count = 1;
	m->payloads[0].name = copy("rootfs");
	m->payloads[0].kind = copy("rootfs-image");
	m->payloads[0].filesystem = copy("raw");
	m->ext = copy("{\"a\":[1,\"b\"]}");
	m->requires_ = calloc(1, sizeof(*m->requires_));
	m->requires_count = 1;
	m->requires_[0] = (struct art_pair){ copy("loader"), copy("1.0..") };
	m->docs = calloc(1, sizeof(*m->docs));
	m->doc_count = 1;
	m->docs[0].name = copy("notes");
	return m;
}

static int write_artifact(struct art_manifest *m, const char *path, struct art_err *err)
{
	struct art_write_options opt = { .level = 3, .jobs = 1, .sig_room = 4096 };
	struct art_write_payload p = { image_fd, "image", IMAGE, NULL, NULL };
	struct art_write_doc doc = { "notes", (const uint8_t *)"news\n", 5 };
	struct art_blob *blob = NULL;
	int code = art_earlier_new(&p.earlier, err);

	if (code == 0)
		code = art_blob_open_fd(&blob, image_fd, "image", err);
	if (code == 0)
		code = art_earlier_add(p.earlier, blob, NULL, err);
	if (code == 0)
		code = art_write(path, m, &p, &doc, &opt, sign_all, NULL, err);
	art_blob_free(blob);
	art_earlier_free(p.earlier);
	return code;
}

/* Text, noise, a hole, and a part that comes twice. */
static void make_image(void)
{
	cleanup_free uint8_t *bytes = calloc(1, IMAGE);
	uint32_t seed = 1;
	size_t i;

	for (i = 0; i < IMAGE; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = i < IMAGE / 2 ? (uint8_t)"a text of few words "[(seed >> 20) % 20] :
					   (uint8_t)(seed >> 20);
	}
	memcpy(bytes + IMAGE - 64 * 1024, bytes, 64 * 1024);
	memset(bytes + IMAGE / 2, 0, 64 * 1024);
	image_fd = memfd_create("image", MFD_CLOEXEC);
	ck_assert_int_eq(art_pwrite_full(image_fd, bytes, IMAGE, 0, "image", NULL), 0);
}

static void put_key(const char *name, EVP_PKEY *key)
{
	char *pem = pem_of(key);

	write_text(in_dir(name), pem, strlen(pem));
	free(pem);
}

static void make_policy(void)
{
	char text[512];
	struct art_key *key = NULL;

	ck_assert_int_eq(art_key_from_pkey(&key, keys[0], "key", NULL), 0);
	snprintf(text, sizeof(text), "{\"format\":1,\"roles\":{\"artifact\":[{\"group\":\"g\",\"threshold\":1,"
		 "\"keys\":[\"%s\"]}]},\"revoked-keys\":[\"%064d\"],\"revoked-artifacts\":[]}",
		 art_key_id(key), 0);
	write_text(in_dir("policy/policy.json"), text, strlen(text));
	art_key_free(key);
}

static void spoil(const char *from, const char *to, off_t at)
{
	cleanup_free uint8_t *bytes = NULL;
	size_t len;

	ck_assert_int_eq(art_read_file(in_dir(from), ART_MIB, &bytes, &len, NULL), 0);
	bytes[at] ^= 1;
	write_text(in_dir(to), (char *)bytes, len);
}

static void setup(void)
{
	EVP_PKEY *other;
	struct art_manifest *m;
	struct art_reader *r = NULL;
	struct art_source *src = NULL;
	const uint8_t *bytes;
	size_t len;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	keys[0] = make_ed25519();
	keys[1] = make_ec("P-256");
	keys[2] = make_ec("P-384");
	keys[3] = make_rsa(3072);
	mkdir(in_dir("keys"), 0700);
	put_key("keys/a.pem", keys[0]);
	put_key("keys/b.pem", keys[1]);
	put_key("keys/c.pem", keys[2]);
	put_key("keys/d.pem", keys[0]); /* the same key again */
	put_key("rsa.pem", keys[3]);
	other = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	put_key("other.pem", other);
	EVP_PKEY_free(other);
	mkdir(in_dir("policy"), 0700);
	put_key("policy/a.pem", keys[0]);
	make_policy();
	make_image();
	m = manifest();
	ck_assert_int_eq(write_artifact(m, in_dir("good"), NULL), 0);
	art_manifest_free(m);
	spoil("good", "changed", 512 + 40);
	ck_assert_int_eq(art_read_file(in_dir("good"), ART_MIB, &good, &good_len, NULL), 0);
	ck_assert_int_eq(art_source_open_path(&src, in_dir("good"), NULL), 0);
	ck_assert_int_eq(art_reader_open(&r, src, NULL), 0);
	bytes = art_reader_sig_bytes(r, &len);
	ck_assert_int_eq(art_siglist_parse(&signatures, bytes, len, NULL), 0);
	art_reader_free(r);
	art_source_free(src);
}

static void teardown(void)
{
	char command[sizeof(dir) + 16];
	size_t i;

	for (i = 0; i < KEYS; i++)
		EVP_PKEY_free(keys[i]);
	art_siglist_free(&signatures);
	art_manifest_free(draft);
	free(good);
	close(image_fd);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
}

/* What is tried. Each leaves nothing allocated, whatever happens. */
static int judge(const char *name, const char *with, struct art_err *err)
{
	struct art_trust *trust = NULL;
	struct art_source *src = NULL;
	int code = art_trust_load(&trust, in_dir(with), err);

	if (code == 0)
		code = art_source_open_path(&src, in_dir(name), err);
	if (code == 0)
		code = judge_artifact(src, trust, NULL, err);
	art_source_free(src);
	art_trust_free(trust);
	return code;
}

static int judge_good(struct art_err *err)
{
	return judge("good", "keys", err);
}

static int judge_by_policy(struct art_err *err)
{
	return judge("good", "policy", err);
}

static int judge_by_file(struct art_err *err)
{
	return judge("good", "rsa.pem", err);
}

static int judge_by_other(struct art_err *err)
{
	return judge("good", "other.pem", err);
}

static int judge_changed(struct art_err *err)
{
	return judge("changed", "keys", err);
}

/* From a pipe, and from memory. */
static void fill_pipe(void)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, (int)ART_MIB), (int)ART_MIB);
	ck_assert_int_eq(art_write_full(ends[1], good, good_len, "pipe", NULL), 0);
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
}

static int judge_from(struct art_source *src, struct art_err *err)
{
	struct art_trust *trust = NULL;
	int code = art_trust_load(&trust, in_dir("keys/a.pem"), err);

	if (code == 0)
		code = judge_artifact(src, trust, NULL, err);
	art_trust_free(trust);
	art_source_free(src);
	return code;
}

static int judge_pipe(struct art_err *err)
{
	struct art_source *src = NULL;
	int code = art_source_open_path(&src, "-", err);

	return code ? code : judge_from(src, err);
}

static int judge_memory(struct art_err *err)
{
	struct art_source *src = NULL;
	int code = art_source_open_memory(&src, good, good_len, err);

	return code ? code : judge_from(src, err);
}

static void prepare_new(void)
{
	unlink(in_dir("new"));
	art_manifest_free(draft);
	draft = manifest();
}

static int write_new(struct art_err *err)
{
	return write_artifact(draft, in_dir("new"), err);
}

static void prepare_sign(void)
{
	prepare_new();
	ck_assert_int_eq(write_new(NULL), 0);
}

static int sign_again(struct art_err *err)
{
	return art_write_signatures(in_dir("new"), &signatures, err);
}

static int read_blob(struct art_err *err)
{
	struct art_blob *blob = NULL;
	uint8_t bytes[4096];
	int code = art_blob_open_fd(&blob, image_fd, "image", err);

	if (code == 0)
		code = art_blob_read(blob, bytes, sizeof(bytes), 4096, err);
	art_blob_free(blob);
	return code;
}

static const struct trial {
	const char *name;
	int (*run)(struct art_err *err);
	int result;        /* without faults */
	const char *makes; /* a file that is good when the result is 0 */
	void (*prepare)(void);
} trials[] = {
	{ "judge", judge_good, 0, NULL, NULL },
	{ "judge by policy", judge_by_policy, 0, NULL, NULL },
	{ "judge by one key", judge_by_file, 0, NULL, NULL },
	{ "judge a changed artifact", judge_changed, ART_E_SIG_INVALID, NULL, NULL },
	{ "judge by a key of another type", judge_by_other, ART_E_KEY_BAD, NULL, NULL },
	{ "judge a pipe", judge_pipe, 0, NULL, fill_pipe },
	{ "judge memory", judge_memory, 0, NULL, NULL },
	{ "write", write_new, 0, "new", prepare_new },
	{ "sign again", sign_again, 0, "new", prepare_sign },
	{ "read an image", read_blob, 0, NULL, NULL },
};

/* May NAME fail without the whole failing? Files that were read are closed; a copy has other ways. */
static bool may_pass(const struct trial *t, const char *name, enum refuse_kind kind,
		     const struct refuse_how *how)
{
	if (kind == REFUSE_SYSTEM && (how->half || how->sys_errno == EINTR))
		return true;
	if (t->makes && (kind == REFUSE_ZSTD || !strcmp(name, "ioctl") || !strcmp(name, "copy_file_range")))
		return true;
	/* Other signatures are left. */
	if (t->run == judge_good && !strcmp(name, "EVP_DigestVerify"))
		return true;
	/* Reading goes on to the end of a file: the last answer is nothing anyway. */
	if (how->nothing && (!strcmp(name, "read") || !strcmp(name, "pread64")))
		return true;
	/* The bits of a key that is not RSA's are not looked at, an EC key is asked for with each curve; unnamed files
	 * and free names have a second way. */
	return !strcmp(name, "close") || !strcmp(name, "EVP_PKEY_get_bits") ||
	       !strcmp(name, "EVP_PKEY_is_a") || !strcmp(name, "EVP_PKEY_get_group_name") ||
	       (!strcmp(name, "open64") && how->sys_errno == EOPNOTSUPP) ||
	       (!strcmp(name, "linkat") && how->sys_errno == EEXIST);
}

static void judge_refusal(const struct trial *t, int code, const struct art_err *err,
			  const char *name, enum refuse_kind kind, const struct refuse_how *how)
{
	int status = art_code_exit(code);

	if (code == t->result)
		return;
	ck_assert_msg(code != 0, "%s: good in spite of %s", t->name, name);
	ck_assert_int_eq(err->code, code);
	ck_assert_msg(err->text[0] != '\0', "%s: no words about %s", t->name, name);
	/* That something was refused is not the artifact's fault. A file that ends early is one, and what libcrypto and libzstd do
	 * not take cannot be told from a bad key or chunk. */
	if (kind == REFUSE_MEMORY || (kind == REFUSE_SYSTEM && !how->nothing) || kind == REFUSE_THREAD)
		ck_assert_msg(status == 1 || status == 6, "%s: %s blames the artifact: %s", t->name, name,
			      err->text);
	if (kind == REFUSE_MEMORY)
		ck_assert_msg(code == ART_E_NO_MEMORY || code == ART_E_FAILED || code == ART_E_IO, "%s: %s: %s",
			      t->name, name, err->text);
	if (how->lack)
		ck_assert_msg(status == 1, "%s: %s takes a lack of memory for: %s", t->name, name, err->text);
	if (kind == REFUSE_CRYPTO)
		ck_assert_msg(status == 1 || status == 4, "%s: %s: %s", t->name, name, err->text);
}

static void sweep(const struct trial *t, const struct refuse_how *how, enum refuse_kind only)
{
	struct art_err err;
	enum refuse_kind kind;
	const char *name;
	uint64_t n;
	int before, code;

	for (n = 1;; n++) {
		if (t->prepare)
			t->prepare();
		before = entries();
		memset(&err, 0, sizeof(err));
		refuse_start(n, only, how);
		code = t->run(&err);
		name = refuse_stop(&kind);
		if (!name)
			break;
		if (code == t->result)
			ck_assert_msg(code != 0 || may_pass(t, name, kind, how), "%s: %s (call %d) was not noticed",
				      t->name, name, (int)n);
		judge_refusal(t, code, &err, name, kind, how);
		if (t->makes && code == 0)
			ck_assert_int_eq(judge(t->makes, "keys/a.pem", NULL), 0);
		else
			/* The last step, syncing the directory, comes when the file is in its place. */
			ck_assert_msg(entries() == before || (t->makes && judge(t->makes, "keys/a.pem", NULL) == 0),
				      "%s: %s left a file behind", t->name, name);
	}
	ck_assert_int_eq(code, t->result);
	ck_assert_uint_gt(n, 1);
	if (t->makes)
		ck_assert_int_eq(judge(t->makes, "keys/a.pem", NULL), 0);
}

START_TEST(refused_one_by_one)
{
	const struct refuse_how how = { .sys_errno = EIO };

	sweep(&trials[_i], &how, REFUSE_NOTHING);
}
END_TEST

/* Interrupted, half done, at its end, or not possible here: for system calls there is more than failing. */
START_TEST(other_answers_of_the_system)
{
	static const struct refuse_how hows[] = {
		{ .sys_errno = EINTR }, { .half = true }, { .nothing = true },
		{ .sys_errno = EOPNOTSUPP }, { .sys_errno = EEXIST },
	};
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(hows); i++)
		sweep(&trials[_i], &hows[i], REFUSE_SYSTEM);
}
END_TEST

/* libcrypto without memory says just no, and leaves word of it elsewhere. */
START_TEST(libcrypto_lacks_memory)
{
	const struct refuse_how how = { .lack = true };

	sweep(&trials[_i], &how, REFUSE_CRYPTO);
}
END_TEST

/* A key or a signature of another length than any has; fewer bytes decoded than the frame says. */
START_TEST(answers_that_cannot_be)
{
	static const struct refuse_how hows[] = { { .half = true }, { .nothing = true } };
	size_t i;

	for (i = 0; i < ART_ARRAY_SIZE(hows); i++)
		sweep(&trials[_i], &hows[i], REFUSE_CRYPTO);
	if (trials[_i].run != judge_by_other && trials[_i].run != judge_changed)
		sweep(&trials[_i], &hows[0], REFUSE_ZSTD);
}
END_TEST

/* Block devices are asked for their size, and may be longer than the artifact. */
START_TEST(from_a_device)
{
	const struct refuse_how how = { .device = true };

	sweep(&trials[_i], &how, REFUSE_SYSTEM);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("faults");
	TCase *t = tcase_create("faults");

	tcase_set_timeout(t, 600);
	tcase_add_unchecked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, refused_one_by_one, 0, ART_ARRAY_SIZE(trials));
	tcase_add_loop_test(t, other_answers_of_the_system, 0, ART_ARRAY_SIZE(trials));
	tcase_add_loop_test(t, libcrypto_lacks_memory, 0, ART_ARRAY_SIZE(trials) - 2);
	tcase_add_loop_test(t, answers_that_cannot_be, 0, ART_ARRAY_SIZE(trials) - 2);
	tcase_add_loop_test(t, from_a_device, ART_ARRAY_SIZE(trials) - 1, ART_ARRAY_SIZE(trials));
	tcase_add_loop_test(t, from_a_device, 0, 1);
	suite_add_tcase(s, t);
	return run_suite(s);
}
