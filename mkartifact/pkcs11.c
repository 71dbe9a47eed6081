// SPDX-License-Identifier: Apache-2.0
/* Keys on security modules: not here yet; a clear refusal until then. */
#include "mkartifact/token.h"

int mk_token_open(struct mk_token **out, const char *uri, const char *pin_file, struct art_err *err)
{
	(void)out;
	(void)pin_file;
	return art_fail(err, ART_E_USAGE, "'%s': keys on security modules are not supported yet", uri);
}

const struct art_key *mk_token_key(const struct mk_token *token)
{
	(void)token;
	return NULL;
}

int mk_token_sign(struct mk_token *token, const void *text, size_t len, uint8_t **sig,
		  size_t *sig_len, struct art_err *err)
{
	(void)token;
	(void)text;
	(void)len;
	(void)sig;
	(void)sig_len;
	return art_fail(err, ART_E_FAILED, "no token");
}

void mk_token_free(struct mk_token *token)
{
	(void)token;
}
