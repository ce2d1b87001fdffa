/* Signalling of mission critical services on its way: a channel under a MuSiK on air, floor control of one user under his CSK, and
 * where a bearer is to be listened to. Pure, like all of this room: packets and times in, packets out; the daemon and the simulated
 * world use the same. */
#ifndef PF_WIRE_AIR_H
#define PF_WIRE_AIR_H

#include "bcast/bcast.h"
#include "pf/wire/wire.h"

/* ---- a channel under a MuSiK (digest "MIKEY-SAKKE" 6.3, 6.4; TS 24.380 10.2) ---- */

typedef struct wire_mcx_air wire_mcx_air;

typedef struct wire_mcx_air_settings {
    uint32_t map_active_ms;    /* MapGroupToBearer is repeated so often while there are packets (T16): 500 */
    uint32_t map_idle_ms;      /* otherwise: 5000 */
    uint32_t active_ms;        /* how long a packet counts (T15): 30000 */
    uint32_t hold_packets_max; /* packets kept while the gate holds; the oldest is dropped: 512 */
} wire_mcx_air_settings;
extern const wire_mcx_air_settings wire_mcx_air_defaults;

/** Without a MuSiK nothing leaves (MCX-31). Copies of `channel` what it needs. POC_E_INPUT: a group whose URI is empty or longer than
 *  MCX_GROUP_MAX, a repetition of 0 ms; POC_E_NOMEM, POC_E_IO. */
poc_err wire_mcx_air_new(wire_mcx_air **out, const wire_mcx_air_settings *settings, const bcast_channel *channel,
                         bcast_carrier carrier, const poc_rng *rng);
/** Wipes the key; sends nothing. NULL is fine. */
void wire_mcx_air_free(wire_mcx_air *a);
/** From now on this MuSiK: control packets go under it at once, the groups are mapped under it, and the gate opens. Receivers have had
 *  it before: the engine sees to that. `cs_id` is not 0. POC_E_STATE: the same key or id again (no index may come twice);
 *  POC_E_LIMIT, POC_E_NOMEM; then the one before stays. */
poc_err wire_mcx_air_set_musik(wire_mcx_air *a, int64_t now_ms, const bcast_msk *musik);
/** Holds back media, floor packets and mappings, or lets them go. */
void wire_mcx_air_gate(wire_mcx_air *a, int64_t now_ms, bool hold);
/** Somebody has just got the MuSiK: maps the groups again, soon. */
void wire_mcx_air_announce(wire_mcx_air *a, int64_t now_ms);
/** One packet for everybody. FLOOR: clear RTCP, leaves as SRTCP under the MuSiK. RTP: leaves as it came, since it is protected from end
 *  to end under a GMK (MCX-30); control packets are refused there. POC_E_STATE: no MuSiK; POC_E_INPUT, POC_E_LIMIT, POC_E_NOMEM. */
poc_err wire_mcx_air_send(wire_mcx_air *a, int64_t now_ms, bcast_flow flow, poc_span packet);
/** UnmapGroupToBearer, before it goes off air. */
void wire_mcx_air_unmap(wire_mcx_air *a, int64_t now_ms);
void wire_mcx_air_tick(wire_mcx_air *a, int64_t now_ms);
/** When the next tick is due; INT64_MAX: none. */
int64_t wire_mcx_air_deadline(const wire_mcx_air *a);

typedef struct wire_mcx_air_stats {
    uint64_t rtp_packets, floor_packets, held_packets, dropped_packets, map_messages;
    uint32_t musik_id; /* 0: none */
} wire_mcx_air_stats;
wire_mcx_air_stats wire_mcx_air_look(const wire_mcx_air *a);

/* ---- floor control with one user, under his CSK (MCX-6) ---- */

/** The keys at work of all users: which CSKs there are the engine knows, who sent what under them is kept here. The index of packets
 *  to a user follows pocpf_clock, and they overtake it by little: so no index comes twice, not after a restart in which all this
 *  was lost, and not when he logs off and brings the same key again. That leaves 100 packets a second for each sender, 16 of them
 *  at once, and 124 days at least for a CSK. */
typedef struct wire_mcx_floor wire_mcx_floor;

/** Borrows `pf`; `seed` is random, for tables. POC_E_NOMEM. */
poc_err wire_mcx_floor_new(wire_mcx_floor **out, const pocpf *pf, uint64_t seed);
/** NULL is fine. */
void wire_mcx_floor_free(wire_mcx_floor *f);
/** Has this user (as the engine calls him: mostly the IMPU) a CSK in force? Then his floor control is protected, and from then on always. */
bool wire_mcx_floor_has(const wire_mcx_floor *f, const char *user);
/** Opens a packet of this user's, under his current or previous CSK. POC_E_AUTH: in clear, altered, repeated, or reflected;
 *  POC_E_STATE: a key that is not one of his; POC_E_INPUT, POC_E_LIMIT, POC_E_NOMEM. */
poc_err wire_mcx_floor_open(wire_mcx_floor *f, int64_t now_ms, const char *user, poc_wr *out, poc_span packet);
/** Protects a clear packet for him under his current CSK. POC_E_STATE: he has none, or the SSRC is one that he sends with
 *  himself (the same key and SSRC on both sides would mean the same keystream: who sent it chooses another); POC_E_INPUT;
 *  POC_E_LIMIT: too many at once, a CSK that is too old, or the clock is not durable yet; POC_E_NOMEM. */
poc_err wire_mcx_floor_seal(wire_mcx_floor *f, int64_t now_ms, const char *user, poc_wr *out, poc_span clear);
/** He has logged off: what was kept of him is wiped. */
void wire_mcx_floor_forget(wire_mcx_floor *f, const char *user);

/* ---- XML content of requests that go through the server (TS 33.180 9.3, digest "MIKEY-SAKKE" 6.2) ---- */

/** What is to be carried on. */
typedef struct wire_mcx_carried {
    bool has_changed;                             /* else what came is carried on as it is, and the rest is not set */
    char content_type[WIRE_MCX_CONTENT_TYPE_MAX]; /* text */
    uint8_t body[2 * WIRE_MCX_BODY_MAX];
    size_t len;
    const char *why; /* constant; "" when all is well */
} wire_mcx_carried;

/* Of who has no CSK nothing is changed. A part that is changed keeps its type and its Content-ID, no other header; one that is not
 * changed keeps them in a body of which no part is. */

/** A body from this user to the core: signatures under a CSK of his are checked and taken off, and what is encrypted under one is in
 *  clear. POC_E_AUTH: under another key, or not with it; POC_E_INPUT: malformed; POC_E_LIMIT, POC_E_NOMEM, POC_E_IO. Not to be carried
 *  on then. */
poc_err wire_mcx_carry_up(wire_mcx_carried *out, const pocpf *pf, const char *user, poc_span content_type,
                          poc_span body, const poc_rng *rng);
/** A body from the core to this user: every element of type Normal of an MCX document is encrypted under his current CSK. Errors as above. */
poc_err wire_mcx_carry_down(wire_mcx_carried *out, const pocpf *pf, const char *user, poc_span content_type,
                            poc_span body, const poc_rng *rng);

/** A multipart body with another description (application/sdp) in the place of the one it has. POC_E_INPUT: it has none; POC_E_LIMIT,
 *  POC_E_IO. `has_changed` is set. */
poc_err wire_mcx_redescribe(wire_mcx_carried *out, poc_span content_type, poc_span body, poc_span sdp,
                            const poc_rng *rng);

/* ---- where a bearer is to be listened to (digest "MIKEY-SAKKE" 7.3; TS 24.379 14.2.2) ---- */

#define WIRE_MCX_SDP_MAX   1024u
#define WIRE_MCX_SDP_LINE  1u /* of the general purpose subchannel: general_purpose_line of the announcement */
#define WIRE_MCX_SDP_MEDIA 2u /* of the media; as MapGroupToBearer names them */

/** Writes the description of a channel under a MuSiK for wire_mcx_announcement_write. There is no key in it (MCX-4):
 *
 *      c=IN IP4 232.1.1.1/16
 *      a=source-filter: incl IN IP4 232.1.1.1 192.0.2.1      (when the source is known)
 *      m=application FLOOR-PORT udp MCPTT                    (floor control and MapGroupToBearer, under the MuSiK)
 *      m=audio AUDIO-PORT RTP/AVP 99                         (protected from end to end, if at all)
 *
 *  For MCVideo "MCVideo" stands for "MCPTT", and the media is m=video. POC_E_LIMIT. */
poc_err wire_mcx_sdp_write(poc_wr *out, mcx_service service, const bcast_channel *channel);

#endif
