/* Any text as an access token, with its keys and rules: only what was signed gets through, and says who it is. */
#include <stdlib.h>
#include <string.h>

#include "pf/io/mcx_token.h"
#include "tests/unit/io/mcx_tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const mcx_token_rules rules[] = { { P256_KEY, NULL, NULL, NULL },
                                             { RSA_KEY, "https://idm.example", "mcx.example", NULL },
                                             { FRESH_KEY, NULL, NULL, "video 3gpp:mc:ptt_service" } };
    char token[WIRE_MCX_TOKEN_MAX + 1], mc_id[WIRE_MCX_TEXT_MAX + 1] = "";
    const char *why = NULL;
    if (size == 0 || size > WIRE_MCX_TOKEN_MAX || memchr(data, '\0', size) != NULL)
        return 0;
    memcpy(token, data, size);
    token[size] = '\0';
    for (size_t i = 0; i < POC_COUNT(rules) && mcx_token_is_jwt(token); i++) {
        const poc_err err = mcx_token_open(mc_id, &rules[i], MCX_MCPTT, token, 1900000000, &why);
        must(err == POC_OK || err == POC_E_NOMEM || why != NULL);
        must(err != POC_OK || strstr(mc_id, "@mc.example") != NULL);
    }
    return 0;
}
