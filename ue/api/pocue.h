/* libpocue: the PoC Client's side of Multicast PoC as a library that computes: it bootstraps, answers the PF's offers,
 * opens MIKEY messages, keeps the keyring and turns what comes off the air into media and floor messages. No socket, no
 * clock, no randomness of its own; one object belongs to one thread. Whoever owns it carries texts and datagrams in and
 * takes events out (pocue_poll). Times as in pocpf.h: milliseconds since 1970 that never run backwards. */
#ifndef UE_API_POCUE_H
#define UE_API_POCUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/secret.h"
#include "bcast/enabler.h"

typedef struct pocue pocue;

typedef struct pocue_settings {
    const char *impu;               /* SIP URI this client acts as */
    const char *impi;               /* private identity */
    uint8_t k[16], opc[16], amf[2]; /* of the USIM; wiped by the caller after pocue_new */
    uint64_t sqn;
    const char *bsf_fqdn;
    const char *naf_fqdn; /* of the PF */
    uint8_t ua_id[5];
    bool multicast_capable; /* say a=bcastversion and take keys */
    bool require_sdp_ids;   /* refuse a key-mgmt message without the SDP IDs extension */
    size_t msks_per_group;  /* 2; an eavesdropper in a test keeps more */
} pocue_settings;

poc_err pocue_new(pocue **out, const pocue_settings *settings, const poc_rng *rng);
/** Wipes all keys. NULL is fine. */
void pocue_free(pocue *ue);
POC_DEFINE_OWNED(pocue, pocue_free)

/* ---- bootstrapping (Ub) ---- */

/** The Authorization value of the next GET / to the BSF. */
poc_err pocue_ub_request(pocue *ue, poc_wr *authorization);
/** The BSF's answer; `*again` when another request has to follow. Header values empty when absent. After success MUK and
 *  MRK for the PF are there. POC_E_AUTH, POC_E_DENIED, POC_E_INPUT. */
poc_err pocue_ub_answer(pocue *ue, int64_t now_ms, int status, poc_span www_authenticate, poc_span authentication_info,
                        poc_span body, bool *again);
/** B-TID while bootstrapped and not expired, else NULL. */
const char *pocue_btid(const pocue *ue, int64_t now_ms);

/* ---- SIP and SDP texts ---- */

/** Where this client receives unicast. */
typedef struct pocue_local {
    struct sockaddr_storage audio, floor;
} pocue_local;

/** The Authorization value for a request that was challenged with 401 (GBA realm of the PF). POC_E_STATE: not
 *  bootstrapped; POC_E_INPUT: foreign realm. */
poc_err pocue_authorize(pocue *ue, poc_span www_authenticate, poc_span method, poc_span uri, poc_span body,
                        poc_wr *out);
/** The offer of the INVITE: unicast audio (PCMU) and floor lines, a=bcastversion when capable. */
poc_err pocue_offer_write(pocue *ue, const pocue_local *local, poc_wr *sdp);
/** The PF's answer to the last description this client offered: where to send audio and floor, and whether the group is
 *  listened to. POC_E_INPUT: no audio, other m-lines or another channel. */
poc_err pocue_answer_read(pocue *ue, poc_span sdp);
struct sockaddr_storage pocue_peer_audio(const pocue *ue); /* family 0: none */
struct sockaddr_storage pocue_peer_floor(const pocue *ue);

/** What to answer to an offer of the PF. */
typedef struct pocue_reply {
    int status;          /* 200, or 488 */
    const char *warning; /* "306 text", "399 text": code and unquoted text, the sender puts its host between; or NULL */
} pocue_reply;

/** An offer of the PF (UPDATE, re-INVITE): checks the multicast lines and key-mgmt, opens the MSK, joins or leaves the
 *  group, and writes the answer (with the verification message when asked for) when status is 200. A failing offer
 *  changes nothing: the old keys stay (RFC 4567). The same offer again gives the same answer. An error (POC_E_LIMIT,
 *  POC_E_NOMEM) means that nothing was decided. */
poc_err pocue_offer_read(pocue *ue, int64_t now_ms, const pocue_local *local, poc_span offer, poc_wr *answer,
                         pocue_reply *reply);

/** The client turns its multicast lines off (bearer lost) or on again: the offer to send. */
poc_err pocue_bearer_write(pocue *ue, const pocue_local *local, bool receives, poc_wr *sdp);

/* ---- what comes in by datagram ---- */

/** A datagram off the air, by the flow whose port it came to. */
void pocue_multicast(pocue *ue, int64_t now_ms, bcast_flow flow, poc_span datagram);
/** A clear datagram from the PF on the unicast audio (BCAST_FLOW_RTP) or floor (BCAST_FLOW_FLOOR) port. */
void pocue_unicast(pocue *ue, int64_t now_ms, bcast_flow flow, poc_span datagram);
/** A MIKEY message on UDP 2269 (push); `*reply_len` > 0 when `reply` (room of MIKEY_MESSAGE_MAX) is to be sent back. A
 *  repeated message is answered again and installs nothing; key number 0 becomes POCUE_KEY_MISSED. POC_E_STATE: no MUK for
 *  it, or no channel; POC_E_AUTH, POC_E_DENIED (replay, other key domain), POC_E_INPUT. Nothing has changed then. */
poc_err pocue_push(pocue *ue, int64_t now_ms, poc_span datagram, uint8_t *reply, size_t *reply_len);

/** The session is over for this client. An honest client forgets all channel keys; with `keep_keys` it goes on
 *  listening with what it has (the eavesdropper of POC-17). */
void pocue_session_over(pocue *ue, int64_t now_ms, bool keep_keys);

/* ---- what came of it ---- */

typedef enum pocue_event_type {
    POCUE_JOIN_GROUP = 1, /* receive `channel`: group, source, ports       */
    POCUE_LEAVE_GROUP,
    POCUE_KEY,        /* holds MSK `msk_id` now                        */
    POCUE_MTK,        /* MTK `mki` was opened from an STKM             */
    POCUE_KEY_MISSED, /* unknown MSK `msk_id` on air                   */
    POCUE_PLAY,       /* an RTP packet to play: each (ssrc, seq) once, whichever way it came */
    POCUE_FLOOR,      /* a floor message                               */
    POCUE_UNREADABLE  /* a media packet on air that could not be opened */
} pocue_event_type;

typedef struct pocue_event {
    pocue_event_type type;
    int64_t at_ms;
    bool by_multicast;        /* PLAY, FLOOR */
    poc_msk_id msk_id;        /* KEY, KEY_MISSED */
    poc_mki mki;              /* MTK, and PLAY, FLOOR, UNREADABLE by multicast */
    bcast_channel channel;    /* JOIN_GROUP */
    uint32_t ssrc, timestamp; /* PLAY; UNREADABLE as its clear header says */
    uint16_t seq;             /* the same */
    uint8_t payload_type;     /* PLAY */
    poc_span payload;         /* PLAY: media octets; FLOOR: the clear APP packet; until the next call */
} pocue_event;

/** The next event, oldest first. At most 256 are kept; more push the oldest out (counted by pocue_events_lost). For want
 *  of memory media events may be lost, but none that says to listen, to stop listening, or which MSK is held. */
bool pocue_poll(pocue *ue, pocue_event *out);
uint64_t pocue_events_lost(const pocue *ue);
/** How many MSKs are held now; at most `cap` of their ids are written, newest first. */
size_t pocue_msks(const pocue *ue, poc_msk_id *out, size_t cap);

#endif
