/* One question at a time to a KMS (TS 33.180 Annex D) over HTTP; for the keeper's thread. And the certificates of other KMSs
 * that lie in files. Private to pf/io. */
#ifndef PF_IO_MCX_ASK_H
#define PF_IO_MCX_ASK_H

#include <stdatomic.h>

#include "base/err.h"
#include "mcx/mcx.h"
#include "pf/io/config.h"

typedef struct mcx_ask mcx_ask;

/** `c` and `gives_up`, which ends a question under way when it becomes true, are borrowed. To be called before there are other
 *  threads that use libcurl. POC_E_NOMEM. */
poc_err mcx_ask_new(mcx_ask **out, const config *c, const atomic_bool *gives_up);
/** NULL is fine. */
void mcx_ask_free(mcx_ask *a);

/** Asks for `path` (below mcx.kms_url, from its slash on) as mcx.identities[identity], and checks that the answer is one to
 *  this question. POC_E_IO: no KMS, or no answer of one; POC_E_INPUT: not a KmsResponse; POC_E_AUTH, POC_E_DENIED as
 *  mcx_kms_response_check. `why` gets a text that lasts until the next question. On error `out` is empty; else the caller has
 *  it to mcx_kms_response_done. */
poc_err mcx_ask_kms(mcx_ask *a, size_t identity, const char *path, mcx_kms_response *out, const char **why);

/** Hands out the certificate in each of mcx.neighbours. POC_E_INPUT: `why` tells which file has none. */
poc_err mcx_neighbours_load(const config *c, void (*take)(void *user, const mcx_kms_certificate *certificate),
                            void *user, char why[CONFIG_WHY_MAX]);

#endif
