/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: one enum of negative codes, each with the stable name and the exit code
 * that format-spec/errors.tsv gives it, and a caller-owned record of what happened.
 * Reporting an error never allocates and cannot fail.
 */
#ifndef ART_ERR_H
#define ART_ERR_H

/* X(enumerator, stable name, exit code): same rows, same order as errors.tsv. */
#define ART_ERRORS(X)                                         \
	X(FAILED, "failed", 1)                                \
	X(USAGE, "usage", 2)                                  \
	X(NO_MEMORY, "no-memory", 1)                          \
	X(TAR_TRUNCATED, "tar-truncated", 3)                  \
	X(TAR_CHECKSUM, "tar-checksum", 3)                    \
	X(TAR_HEADER, "tar-header", 3)                        \
	X(TAR_NAME, "tar-name", 3)                            \
	X(TAR_SIZE, "tar-size", 3)                            \
	X(TAR_PADDING, "tar-padding", 3)                      \
	X(TAR_END, "tar-end", 3)                              \
	X(TAR_TRAILING, "tar-trailing", 3)                    \
	X(SIG_SYNTAX, "sig-syntax", 4)                        \
	X(SIG_NONE, "sig-none", 4)                            \
	X(SIG_UNTRUSTED, "sig-untrusted", 4)                  \
	X(SIG_INVALID, "sig-invalid", 4)                      \
	X(SIG_THRESHOLD, "sig-threshold", 4)                  \
	X(KEY_NONE, "key-none", 4)                            \
	X(KEY_BAD, "key-bad", 4)                              \
	X(KEY_TEST, "key-test", 4)                            \
	X(POLICY_BAD, "policy-bad", 4)                        \
	X(ARTIFACT_REVOKED, "artifact-revoked", 4)            \
	X(MANIFEST_SYNTAX, "manifest-syntax", 3)              \
	X(MANIFEST_KEY, "manifest-key", 3)                    \
	X(MANIFEST_MISSING, "manifest-missing", 3)            \
	X(MANIFEST_VALUE, "manifest-value", 3)                \
	X(FORMAT_VERSION, "format-version", 5)                \
	X(FEATURE_UNKNOWN, "feature-unknown", 5)              \
	X(KIND_UNKNOWN, "kind-unknown", 5)                    \
	X(COMPAT_TYPE, "compat-type", 5)                      \
	X(COMPAT_HARDWARE, "compat-hardware", 5)              \
	X(COMPAT_ARCH, "compat-arch", 5)                      \
	X(COMPAT_REQUIRES, "compat-requires", 5)              \
	X(COMPAT_PAYLOAD, "compat-payload", 5)                \
	X(COMPAT_SIZE, "compat-size", 5)                      \
	X(COMPAT_FILESYSTEM, "compat-filesystem", 5)          \
	X(COMPAT_COUNTER, "compat-counter", 5)                \
	X(COMPAT_DOWNGRADE, "compat-downgrade", 5)            \
	X(INDEX_SIZE, "index-size", 3)                        \
	X(INDEX_TABLE, "index-table", 3)                      \
	X(INDEX_PAGE, "index-page", 3)                        \
	X(INDEX_ROW, "index-row", 3)                          \
	X(CHUNK_STORED, "chunk-stored", 3)                    \
	X(CHUNK_DECODE, "chunk-decode", 3)                    \
	X(CHUNK_PLAIN, "chunk-plain", 3)                      \
	X(IMAGE_DIGEST, "image-digest", 3)                    \
	X(DOC_DIGEST, "doc-digest", 3)                        \
	X(PATCH_TABLE, "patch-table", 3)                      \
	X(PATCH_RECORD, "patch-record", 3)                    \
	X(PATCH_DECODE, "patch-decode", 3)                    \
	X(PATCH_ARTIFACT, "patch-artifact", 5)                \
	X(PATCH_OLD, "patch-old", 5)                          \
	X(IO, "io", 6)                                        \
	X(SPACE, "space", 6)                                  \
	X(VERIFY_STORAGE, "verify-storage", 6)                \
	X(SOURCE_CHANGED, "source-changed", 6)                \
	X(BOOT_LOST, "boot-lost", 6)                          \
	X(STATE_LOCKED, "state-locked", 7)                    \
	X(STATE_BUSY, "state-busy", 7)                        \
	X(STATE_UNCOMMITTED, "state-uncommitted", 7)          \
	X(STATE_WRONG, "state-wrong", 7)                      \
	X(NET, "net", 8)                                      \
	X(NET_RANGE, "net-range", 8)                          \
	X(PATCH_SHORT, "patch-short", 8)

enum art_code_index {
#define X(id, name, status) ART_I_##id,
	ART_ERRORS(X)
#undef X
	ART_I_COUNT
};

/* ART_E_FAILED is -1, and so on downward; 0 is success. */
enum art_code {
	ART_OK = 0,
#define X(id, name, status) ART_E_##id = -1 - ART_I_##id,
	ART_ERRORS(X)
#undef X
};

struct art_err {
	int code;       /* enum art_code */
	int sys_errno;  /* errno when the fault came from the system, else 0 */
	char text[512]; /* always terminated; fault first, subject in quotes */
};

/*
 * Record an error and return CODE, so that callers write `return art_fail(err, ...)`.
 * ERR may be NULL. art_fail_errno appends ": strerror(errno)" and maps ENOSPC and
 * EDQUOT to ART_E_SPACE, ENOMEM to ART_E_NO_MEMORY, whatever CODE says.
 */
int art_fail(struct art_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int art_fail_errno(struct art_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Put "context: " in front of the text; returns err->code (ART_E_FAILED if ERR is NULL). */
int art_wrap(struct art_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Out of memory, in one word. Always returns ART_E_NO_MEMORY. */
int art_fail_memory(struct art_err *err);

/* The stable name ("tar-checksum") of a code; "ok" for 0. Never NULL. */
const char *art_code_name(int code);

/* The exit status of a code (house-style.md, CLI): 0 for 0. */
int art_code_exit(int code);

#endif
