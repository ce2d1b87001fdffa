/* The BCAST enabler `multicast`: for every channel a protection, as the kind of its key asks for, in front of a UDP socket. Under an
 * MSK that is the protector of bcast; under a MuSiK wire_mcx_air. Private to pf/io. */
#ifndef PF_IO_ENABLER_MULTICAST_H
#define PF_IO_ENABLER_MULTICAST_H

#include <sofia-sip/su_wait.h>
#include <stdbool.h>
#include <stdint.h>

#include "bcast/bcast.h"

typedef struct enabler_multicast enabler_multicast;

/** The `mtks`-th MTK under this MSK was made. */
typedef void enabler_mtk_fn(void *user, const char *channel_id, poc_msk_id msk_id, uint32_t mtks);

typedef struct enabler_multicast_settings {
    bcast_protector_settings protector; /* key_domain is the channel's */
    const char *interface;              /* name, "" for that of the source address or the route */
} enabler_multicast_settings;

/** `event` and `mtk` are called from the loop of `root`, never from inside an operation. */
poc_err enabler_multicast_new(enabler_multicast **out, su_root_t *root, const enabler_multicast_settings *settings,
                              const poc_rng *rng, bcast_event_fn *event, enabler_mtk_fn *mtk, void *user);
/** Off air at once, keys wiped. NULL is fine. */
void enabler_multicast_free(enabler_multicast *e);
/** The adapter; valid as long as `e`. */
bcast_enabler enabler_multicast_adapter(enabler_multicast *e);

typedef struct enabler_multicast_counts {
    uint64_t datagrams, send_errors;
    uint32_t channels;
} enabler_multicast_counts;
enabler_multicast_counts enabler_multicast_look(const enabler_multicast *e);

#endif
