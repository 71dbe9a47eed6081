// SPDX-License-Identifier: Apache-2.0
/* A public key in PEM. What is accepted has an algorithm, an id, and refuses a signature of noise. */
#include <string.h>

#include "fuzz.h"
#include "libartifact/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const uint8_t noise[64] = { 1 };
	struct art_key *key = NULL;
	struct art_err err;

	if (art_key_parse(&key, (const char *)bytes, len, "input", &err) == 0) {
		MUST(strlen(art_key_id(key)) == 64 && art_key_algorithm(key));
		MUST(art_key_verify(key, "text", 4, noise, sizeof(noise), &err) != 0);
	}
	art_key_free(key);
	return 0;
}
