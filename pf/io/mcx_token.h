/* Access tokens of an identity management server: JWTs (RFC 7519) that are signed with RS256 or ES256, with the claims of
 * TS 33.180 Annex B. Private to pf/io. */
#ifndef PF_IO_MCX_TOKEN_H
#define PF_IO_MCX_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "mcx/mcx.h"
#include "pf/wire/wire.h"

typedef struct mcx_token_rules {
    const char *key;               /* PEM text of the public key */
    const char *issuer, *audience; /* NULL: whichever */
    const char *scopes;            /* one of these words has to be there; NULL: none has to */
} mcx_token_rules;

/** Has it the form of a JWT: three parts? */
bool mcx_token_is_jwt(const char *token);

/** Checks signature, header (no extension that has to be understood), times (RFC 7519: exp is mandatory here), issuer, audience and scope, and writes the claim mcptt_id or mcvideo_id.
 *  POC_E_AUTH: one of them does not hold; POC_E_DENIED: no id for that service; POC_E_NOMEM. `why`: a constant text. */
poc_err mcx_token_open(char mc_id[WIRE_MCX_TEXT_MAX + 1], const mcx_token_rules *rules, mcx_service service,
                       const char *token, int64_t now_s, const char **why);

#endif
