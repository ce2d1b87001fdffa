/* The BCAST enabler as it is built into this house: the protector that makes MTKs, sends STKMs and turns media and floor
 * packets into SRTP and SRTCP; the receiving side of the same; and the small packet formats both need. No sockets: what
 * goes on air leaves through bcast_carrier. The only room that sees libsrtp2. */
#ifndef BCAST_BCAST_H
#define BCAST_BCAST_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/secret.h"
#include "bcast/enabler.h"

/* ---- RTP and floor packets ---- */

#define BCAST_PACKET_MAX   1500u /* octets of one datagram, clear or protected */
#define BCAST_OVERHEAD_MAX 32u   /* what protection adds at most: SRTCP index, MKI, tag */

typedef struct bcast_rtp {
    uint8_t payload_type;
    bool marker;
    uint16_t seq;
    uint32_t timestamp, ssrc;
    poc_span payload; /* without padding */
} bcast_rtp;

/** Header of an RTP packet, version, CSRCs, extension and padding checked. */
poc_err bcast_rtp_parse(bcast_rtp *out, poc_span packet);
/** Writes a 12-octet header and the payload. */
void bcast_rtp_put(poc_wr *wr, const bcast_rtp *rtp);

/** Media Burst Control messages (TBCP): subtypes of the RTCP APP packet named "PoC1" (digest "PoC", section 4). */
typedef enum bcast_mbcp_type {
    BCAST_MBCP_REQUEST = 0,
    BCAST_MBCP_GRANTED = 1,
    BCAST_MBCP_TAKEN = 2,
    BCAST_MBCP_DENY = 3,
    BCAST_MBCP_RELEASE = 4,
    BCAST_MBCP_IDLE = 5,
    BCAST_MBCP_REVOKE = 6,
    BCAST_MBCP_ACK = 7,
    BCAST_MBCP_QUEUE_REQUEST = 8,
    BCAST_MBCP_QUEUE_RESPONSE = 9,
    BCAST_MBCP_DISCONNECT = 11,
    BCAST_MBCP_CONNECT = 15,
    BCAST_MBCP_TAKEN_ACK = 18
} bcast_mbcp_type;

typedef struct bcast_mbcp {
    uint8_t type;         /* bcast_mbcp_type; others are legal and ignored */
    uint32_t ssrc;        /* of the sender */
    uint32_t talker_ssrc; /* TAKEN */
    poc_span talker;      /* TAKEN: URI of the talker; else empty */
    uint16_t reason;      /* DENY, REVOKE */
    uint16_t stop_s;      /* GRANTED: stop-talking time, 0 unknown */
} bcast_mbcp;

poc_err bcast_mbcp_parse(bcast_mbcp *out, poc_span packet);
void bcast_mbcp_put(poc_wr *wr, const bcast_mbcp *msg);
/** Concerns everybody, hence belongs on the channel: TAKEN and IDLE. The rest stays unicast. */
bool bcast_mbcp_is_for_all(uint8_t type);

/* ---- the sending side ---- */

typedef struct bcast_protector bcast_protector;

/** Where protected datagrams and STKMs go. `send` may drop; it must not call back into the protector. */
typedef struct bcast_carrier {
    void (*send)(void *ctx, bcast_flow flow, const uint8_t *datagram, size_t n);
    void *ctx;
} bcast_carrier;

typedef struct bcast_protector_settings {
    poc_key_domain key_domain;
    uint32_t stkm_active_ms;   /* repetition while media or floor is active: 1000 */
    uint32_t stkm_idle_ms;     /* repetition otherwise: 5000 */
    uint32_t stkm_burst;       /* copies on every MTK change: 3 */
    uint32_t stkm_burst_ms;    /* between them: 20 */
    uint32_t stkm_lead_ms;     /* a routine MTK change is announced so long before first use: 1000 */
    uint32_t mtk_packets_max;  /* a new MTK at the latest after so many packets; also always before a sequence wraps */
    uint32_t hold_packets_max; /* packets kept while the gate holds; the oldest is dropped */
} bcast_protector_settings;

extern const bcast_protector_settings bcast_protector_defaults; /* key_domain zero */

/** Makes libsrtp ready, which the first key of a process does otherwise: 20 ms on Debian's build (NSS), when everybody waits. */
void bcast_prepare(void);

poc_err bcast_protector_new(bcast_protector **out, const bcast_protector_settings *settings, bcast_carrier carrier,
                            const poc_rng *rng);
/** Wipes all keys. NULL is fine. */
void bcast_protector_free(bcast_protector *p);
POC_DEFINE_OWNED(bcast_protector, bcast_protector_free)

/** Takes the first MSK (start) or the next one (rekey). In both cases: a fresh random MTK and salt with MTK ID 1, its
 *  STKM at once, then whatever the gate held under the new MKI; the former MSK and MTK are wiped. The gate is open
 *  afterwards. On error nothing has changed and nothing was sent: whom the former MSK must not serve any more, stops the
 *  channel. `msk` is borrowed. An MSK is given to one protector, once: its MTK IDs and counters start again here.
 *  POC_E_STATE: the MSK in use; POC_E_INPUT: other key domain, key number 0, bad sizes or empty interval. */
poc_err bcast_protector_set_msk(bcast_protector *p, int64_t now_ms, const bcast_msk *msk);
/** Holds (buffers) or continues. Holding survives until bcast_protector_set_msk or an explicit open. */
void bcast_protector_gate(bcast_protector *p, int64_t now_ms, bool hold);
/** Protects one clear packet of `flow` (BCAST_FLOW_RTP or BCAST_FLOW_FLOOR) and sends it, or keeps it while the gate holds.
 *  SSRC, sequence number and timestamp stay; a packet sent before, or too late, is dropped and counted.
 *  POC_E_INPUT: not an RTP or RTCP packet, or longer than BCAST_PACKET_MAX - BCAST_OVERHEAD_MAX; POC_E_STATE: no MSK (fail
 *  closed: nothing is ever sent in clear); POC_E_LIMIT: the MTK IDs of this MSK are used up. */
poc_err bcast_protector_send(bcast_protector *p, int64_t now_ms, bcast_flow flow, poc_span packet);
/** A new MTK under the same MSK: STKM now, first use after stkm_lead_ms, or at once when `now`. POC_E_LIMIT as above. */
poc_err bcast_protector_roll_mtk(bcast_protector *p, int64_t now_ms, bool now);
/** Sends the STKMs in use now, for a member who has just got the MSK. Many members at once share one sending: there is
 *  at least stkm_burst_ms between two. */
void bcast_protector_announce(bcast_protector *p, int64_t now_ms);
/** Does what is due (STKM repetition, a prepared MTK). */
void bcast_protector_tick(bcast_protector *p, int64_t now_ms);
/** When tick wants to be called next; INT64_MAX for never. */
int64_t bcast_protector_deadline(const bcast_protector *p);

typedef struct bcast_protector_stats {
    poc_mki mki; /* in use */
    uint64_t rtp_packets, floor_packets, stkm_messages;
    uint64_t held_packets;    /* ever kept by the gate */
    uint64_t dropped_packets; /* duplicates, too late ones, and those that the gate could not keep */
    uint32_t mtks;            /* made under the current MSK */
} bcast_protector_stats;
bcast_protector_stats bcast_protector_look(const bcast_protector *p);

/* ---- the receiving side ---- */

typedef struct bcast_receiver bcast_receiver;

poc_err bcast_receiver_new(bcast_receiver **out, poc_key_domain key_domain);
void bcast_receiver_free(bcast_receiver *r);
POC_DEFINE_OWNED(bcast_receiver, bcast_receiver_free)
/** Adds an MSK (kept: refs are taken). At most two per Key Group are kept, the oldest goes. A known id takes the new
 *  interval; SEQl > SEQu deletes it. */
poc_err bcast_receiver_add_msk(bcast_receiver *r, const bcast_msk *msk);
/** How many MSKs may be kept per group; 2 for an honest UE, more for an eavesdropper in a test. */
void bcast_receiver_keep(bcast_receiver *r, size_t msks_per_group);
/** Forgets every key. */
void bcast_receiver_clear(bcast_receiver *r);
bool bcast_receiver_has_msk(const bcast_receiver *r, poc_msk_id id);

typedef enum bcast_stkm_result {
    BCAST_STKM_NEW,         /* an MTK was installed                                         */
    BCAST_STKM_DUPLICATE,   /* known already                                                */
    BCAST_STKM_UNKNOWN_MSK, /* authentic or not, we cannot tell: missed key update          */
    BCAST_STKM_REFUSED      /* malformed, MAC wrong, counter old or MTK ID out of interval  */
} bcast_stkm_result;

bcast_stkm_result bcast_receiver_stkm(bcast_receiver *r, poc_span datagram, poc_mki *mki);
/** Checks and decrypts a protected packet of `flow`. POC_E_STATE: unknown MKI (*mki tells which); POC_E_AUTH: tag or
 *  replay; POC_E_INPUT. `out` has room for BCAST_PACKET_MAX; `*out_len` and `*mki` are set. */
poc_err bcast_receiver_open(bcast_receiver *r, bcast_flow flow, poc_span datagram, uint8_t *out, size_t *out_len,
                            poc_mki *mki);

#endif
