/* The adapter interface to a BCAST enabler: whatever puts one protected copy of a Multicast PoC Channel on air. The PF
 * gives it the MSK when the channel starts (POC-13) and at every change (POC-18). Implementations: the multicast carrier
 * in pf/io, the simulated air in the harness; later MBSTF and MB2. */
#ifndef BCAST_ENABLER_H
#define BCAST_ENABLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/secret.h"

typedef enum bcast_flow { BCAST_FLOW_RTP, BCAST_FLOW_FLOOR, BCAST_FLOW_STKM, BCAST_FLOW_COUNT } bcast_flow;

/** An MSK with everything that MTK messages under it need: RAND and CSB ID of the message that carried it. Or a MuSiK (TS 33.180)
 *  with what SRTCP keys are derived with: `id` and `csb_id` are its id, and there are no sequence numbers and no MTKs. */
typedef struct bcast_msk {
    uint8_t cs_id; /* of a MuSiK; 0: an MSK */
    poc_key_domain key_domain;
    poc_msk_id id;
    uint16_t seq_low, seq_high;
    uint32_t csb_id;
    uint8_t rand[255];
    uint8_t rand_len;
    poc_secret *key; /* 16 octets; borrowed unless said otherwise */
} bcast_msk;

typedef struct bcast_channel {
    char id[64];
    struct sockaddr_storage group;  /* address of all flows; its port is not used */
    struct sockaddr_storage source; /* SSM source and sending interface; family 0: any */
    uint8_t ttl;
    uint16_t port[BCAST_FLOW_COUNT];
    poc_key_domain key_domain;
    /* Of a channel under a MuSiK: what receivers are told about it on air (MapGroupToBearer). */
    const char *const *groups; /* URIs, borrowed for the call that is given the channel */
    size_t group_count;        /* 0: nothing is told */
    bool has_tmgi;
    uint8_t tmgi[6];
} bcast_channel;

typedef enum bcast_event { BCAST_STARTED, BCAST_FAILED, BCAST_DOWN, BCAST_UP, BCAST_STOPPED } bcast_event;

/** Tells the PF what became of a channel; `why` is a short text for the log. Never called from inside an operation. */
typedef void bcast_event_fn(void *user, const char *channel_id, bcast_event event, const char *why);

typedef struct bcast_enabler_ops {
    /** Prepares the channel and puts it on air under `msk`. The answer is an event. */
    poc_err (*start)(void *ctx, int64_t now_ms, const bcast_channel *channel, const bcast_msk *msk);
    /** Switches to the next MSK: fresh MTK, STKM first, then media; opens the gate. */
    poc_err (*update_msk)(void *ctx, int64_t now_ms, const char *channel_id, const bcast_msk *msk);
    /** Holds back or lets go media and floor packets. */
    void (*gate)(void *ctx, int64_t now_ms, const char *channel_id, bool hold);
    /** Somebody has just got the MSK: repeats what he needs to open the traffic, so that he waits for no repetition. */
    void (*announce)(void *ctx, int64_t now_ms, const char *channel_id);
    /** One clear packet for everybody. */
    poc_err (*send)(void *ctx, int64_t now_ms, const char *channel_id, bcast_flow flow, poc_span packet);
    /** Off air, keys wiped. */
    void (*stop)(void *ctx, int64_t now_ms, const char *channel_id);
} bcast_enabler_ops;

typedef struct bcast_enabler {
    const bcast_enabler_ops *ops;
    void *ctx;
} bcast_enabler;

#endif
