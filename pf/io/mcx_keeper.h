/* The server's own keys for mission critical services: for each of its identities those of the present key period and, in
 * time, of the next one, asked of a KMS over HTTP (TS 33.180 Annex D) or issued by the KMS inside; with them the
 * certificates of other KMSs whose users may come. All waiting and all heavy computing is done on a thread of its own.
 * Private to pf/io. */
#ifndef PF_IO_MCX_KEEPER_H
#define PF_IO_MCX_KEEPER_H

#include <sofia-sip/su_wait.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "mcx/mcx.h"
#include "pf/io/config.h"
#include "pocpf/pocpf.h"

typedef struct mcx_keeper mcx_keeper;

/** What the loop is told, from the loop. What is handed over is borrowed for the call: pocpf_mcx_identity_add and
 *  pocpf_mcx_kms_add keep a reference of their own. */
typedef struct mcx_keeper_events {
    /** Keys of one of our identities in one period; `signs`: it is the first one. Again for each period. */
    void (*keys)(void *user, pocpf_mcx_keys *keys, bool signs);
    /** Another KMS: from a file of mcx.neighbours, or from the certificates of ours. Again when it has changed. */
    void (*kms)(void *user, pocpf_mcx_kms *kms);
    /** Our KMS says that the certificate of that KMS is revoked: pocpf_mcx_kms_remove. */
    void (*revoked)(void *user, const char *kms_uri);
} mcx_keeper_events;

/** Starts the thread; keys come soon after, or when the KMS is there. In embedded mode `own` is the KMS, borrowed until
 *  mcx_keeper_free; else NULL. `c` is borrowed until then too. POC_E_IO: no thread, and `why` tells. */
poc_err mcx_keeper_new(mcx_keeper **out, su_root_t *root, const config *c, const mcx_kms_service *own,
                       const mcx_keeper_events *events, void *user, char why[CONFIG_WHY_MAX]);
/** Gives up what is under way and waits for the thread. NULL is fine. */
void mcx_keeper_free(mcx_keeper *k);

typedef struct mcx_keeper_counts {
    uint64_t requests, failures; /* of requests to the KMS, or of issuing */
    int64_t ready_until_s;       /* Unix: there are keys for every identity until then; 0: not for now */
    bool signs;                  /* there are keys to sign with now */
} mcx_keeper_counts;
mcx_keeper_counts mcx_keeper_look(mcx_keeper *k);

#endif
