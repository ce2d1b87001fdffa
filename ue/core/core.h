/* The client's rules without its object: MUKs and what they open, the MSKs of one channel, the PF's offers with their
 * answers, and which RTP packets were heard already. Nothing here acts on its own; ue/api strings it together. */
#ifndef UE_CORE_CORE_H
#define UE_CORE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/sdp.h"
#include "bcast/bcast.h"
#include "gba/gba.h"
#include "mcx/mcx.h"
#include "mikey/mikey.h"

/* ---- keys.c: MUKs (TS 33.246 6.1, digest "GBA, MBMS keys and MIKEY" 4.1, 4.4, 4.9) ---- */

#define UE_KEY_MESSAGES_MAX 4u /* key-mgmt attributes of one offer: session level and three multicast lines */

typedef struct ue_muks ue_muks;

poc_err ue_muks_new(ue_muks **out);
void ue_muks_free(ue_muks *k);
POC_DEFINE_OWNED(ue_muks, ue_muks_free)
/** A MUK from a new bootstrapping; a reference is taken. The former one stays usable until the new one has opened a
 *  message. `naf_id` is FQDN || Ua id: messages may name the PF by it or by the bare FQDN. */
poc_err ue_muks_add(ue_muks *k, poc_secret *muk, const gba_naf_id *naf_id, poc_span btid, int64_t expires_ms);
size_t ue_muks_count(const ue_muks *k);

/** One MSK message, opened. */
typedef struct ue_key_message {
    mikey_msg msg;   /* points into the octets it was opened from */
    mikey_msk msk;   /* owned */
    poc_secret *muk; /* owned: what opened it */
    uint8_t digest[POC_SHA256_LEN];
    bool duplicate; /* the last accepted message again: not to be installed, but to be answered */
} ue_key_message;

/** Checks everything and changes nothing. POC_E_INPUT: no MSK message; POC_E_STATE: no living MUK for its identities;
 *  POC_E_AUTH: MAC wrong; POC_E_DENIED: authentic, but the counter is old. `fault` (may be NULL) tells. */
poc_err ue_muks_open(const ue_muks *k, int64_t now_ms, poc_span raw, ue_key_message *out, poc_fault *fault);
void ue_key_message_done(ue_key_message *m);
/** Takes over the counters of what was opened together and forgets a MUK that has been succeeded. Cannot fail. */
void ue_muks_accept(ue_muks *k, const ue_key_message *messages, size_t n);

/* ---- ring.c: the MSKs of one channel ---- */

/** Key numbers grow and may wrap. */
static inline bool ue_key_number_after(uint16_t a, uint16_t b)
{
    return a != b && (uint16_t)(a - b) < 0x8000u;
}

#define UE_RING_MAX 64u /* MSK ids remembered; an honest client holds two */

typedef struct ue_ring ue_ring;

poc_err ue_ring_new(ue_ring **out, poc_key_domain domain, size_t msks_per_group);
void ue_ring_free(ue_ring *r);
POC_DEFINE_OWNED(ue_ring, ue_ring_free)
bool ue_ring_serves(const ue_ring *r, poc_key_domain domain);
/** Installs the MSK of an opened message (or deletes it: SEQl > SEQu). POC_E_DENIED: another key domain. */
poc_err ue_ring_add(ue_ring *r, const ue_key_message *m);
/** How many are held now; at most `cap` of their ids are written, newest first. */
size_t ue_ring_ids(const ue_ring *r, poc_msk_id *out, size_t cap);
/** From now on only MSKs of this key group are worth asking for, also before the first one is held. */
void ue_ring_expect(ue_ring *r, uint16_t key_group);
/** Keys of this group are, or may be, in the ring. */
bool ue_ring_is_of(const ue_ring *r, uint16_t key_group);
/** An MKI was heard that needs an MSK newer than those held, or MTK IDs beyond the SEQu of one that is. */
bool ue_ring_wants(const ue_ring *r, poc_mki mki);
/** The same; true only the first time that this MSK is wanted. An MSK whose interval was outrun is not valid any more until it
 *  is delivered again. */
bool ue_ring_missed(ue_ring *r, poc_mki mki);
/** An MSK of the group is held whose interval has not been outrun. */
bool ue_ring_has_valid(const ue_ring *r, uint16_t key_group);
bcast_receiver *ue_ring_receiver(ue_ring *r);

/* ---- keyman.c: bodies and names of the key management service (TS 33.246 6.3.2, digest "GBA, MBMS keys and MIKEY" 4.7) ---- */

typedef enum ue_keyman_kind { UE_KEYMAN_DEREGISTER, UE_KEYMAN_REGISTER, UE_KEYMAN_MSK, UE_KEYMAN_KINDS } ue_keyman_kind;

#define UE_KEYMAN_ITEMS_MAX 8u     /* services or MSKs in one request */
#define UE_KEYMAN_BODY_MAX  16384u /* octets of an answer */

/** One thing asked for, and what the answer says of it. */
typedef struct ue_keyman_item {
    const char *service_id;    /* registration and deregistration */
    poc_key_domain key_domain; /* MSK request */
    poc_msk_id msk_id;         /* the same; key number 0: the current one */
    int status;                /* set by reading: 200, 403, ... */
} ue_keyman_item;

const char *ue_keyman_content_type(ue_keyman_kind kind);
/** "PATH?requesttype=..." */
void ue_keyman_target_put(poc_wr *wr, ue_keyman_kind kind, const char *path);
void ue_keyman_request_put(poc_wr *wr, ue_keyman_kind kind, const ue_keyman_item *items, size_t n);
/** Sets the status of every item. What the answer says beyond is passed over. POC_E_INPUT: another media type, not
 *  well-formed, a DTD, another document, or nothing said of an item; POC_E_LIMIT: too large or too deep; POC_E_NOMEM. The items
 *  are then undefined. */
poc_err ue_keyman_answer_read(ue_keyman_item *items, size_t n, ue_keyman_kind kind, poc_span content_type,
                              poc_span body);

/* ---- offer.c: what an offer of the PF says (digest "PoC" 5) ---- */

typedef enum ue_line { UE_LINE_OTHER, UE_LINE_AUDIO, UE_LINE_FLOOR, UE_LINE_MULTICAST } ue_line;

#define UE_SESSION_LEVEL POC_SDP_MEDIA_MAX

typedef struct ue_key_mgmt {
    size_t where; /* m-line index or UE_SESSION_LEVEL */
    uint8_t raw[MIKEY_MESSAGE_MAX];
    size_t raw_len;
    char protocols[64]; /* the ids offered at this level: "mikey" */
} ue_key_mgmt;

typedef struct ue_offer {
    poc_sdp sdp; /* points into the text */
    ue_line line[POC_SDP_MEDIA_MAX];
    bool multicast;        /* the three multicast lines are on */
    bcast_channel channel; /* then; key_domain not set */
    ue_key_mgmt key_mgmt[UE_KEY_MESSAGES_MAX];
    size_t key_mgmt_count;
    struct sockaddr_storage audio, floor; /* where the PF receives unicast; family 0: line absent or off */
} ue_offer;

#define UE_WARN_NOT_UNDERSTOOD "306 attribute not understood"

/** Reads and checks the description. On POC_E_INPUT `*warning` is a constant text "306 ..." or "399 ...". */
poc_err ue_offer_parse(ue_offer *out, poc_span text, const char **warning);
/** Reads the PF's answer to an offer of this client about `channel`. POC_E_INPUT: malformed, or about another one. Fills
 *  sdp, line, multicast, audio and floor. */
poc_err ue_answer_parse(ue_offer *out, poc_span text, const bcast_channel *channel);
/** Group, source filter and TTL of a line that is sent to a multicast group; other fields of `out` are 0. POC_E_INPUT: it is
 *  not, to more than one, IPv4 without a TTL, or a filter that is not understood. */
poc_err ue_sdp_group(const poc_sdp *sdp, const poc_sdp_media *m, bcast_channel *out);
/** Same group, source and ports. */
bool ue_channel_eq(const bcast_channel *a, const bcast_channel *b);

/* ---- answer.c: writing descriptions ---- */

typedef struct ue_speaker {
    const struct sockaddr *audio, *floor; /* own unicast */
    uint64_t session_id, version;         /* of o= */
    bool multicast_capable;
} ue_speaker;

/** The offer of the INVITE: PCMU and floor. */
poc_err ue_invite_write(poc_wr *wr, const ue_speaker *who);

typedef struct ue_verification {
    uint8_t octets[512];
    size_t len; /* 0: none wanted */
} ue_verification;

/** The same m-lines in the same order; multicast lines with their own address, port and direction (RFC 3264 6.2), or
 *  with port 0 unless `multicast`. `verification` has offer->key_mgmt_count entries, or is NULL. */
poc_err ue_lines_write(poc_wr *wr, const ue_speaker *who, const ue_offer *offer, bool multicast,
                       const ue_verification *verification);

/* ---- heard.c: each packet once ---- */

#define UE_HEARD_SOURCES 16u
#define UE_HEARD_WINDOW  512u /* packets; ten seconds of speech */

typedef struct ue_heard_source {
    bool used;
    uint32_t ssrc;
    uint16_t highest;
    uint16_t restart; /* sequence number that would prove a restart */
    bool restart_set;
    uint64_t last_use;
    uint64_t seen[UE_HEARD_WINDOW / 64];
} ue_heard_source;

typedef struct ue_heard {
    ue_heard_source source[UE_HEARD_SOURCES];
    uint64_t uses;
} ue_heard;

/** True when (ssrc, seq) is new; it is not any more then. Far jumps back need two packets in a row (RFC 3550 A.1). */
bool ue_heard_first(ue_heard *h, uint32_t ssrc, uint16_t seq);
/** Whether it was heard, without a trace. */
bool ue_heard_already(const ue_heard *h, uint32_t ssrc, uint16_t seq);

/* ---- mcx_user.c: the identity of a mission critical user, its keys of each period, and messages under them (TS 33.180 5.4,
 * 5.8; digest "MCX signalling key management and MIKEY-SAKKE" 2, 3, 4) ---- */

#define UE_MCX_KMS_MAX     4u
#define UE_MCX_PERIODS_MAX 4u /* each costs 3 MB: the former one, this one, those fetched ahead */
#define UE_MCX_SERVERS_MAX 4u

typedef struct ue_mcx_user ue_mcx_user;

/** `uri`: mission critical service id. Draws from `rng`. POC_E_LIMIT: its length. POC_E_IO, POC_E_NOMEM. */
poc_err ue_mcx_user_new(ue_mcx_user **out, poc_span uri, uint32_t skew_s, const poc_rng *rng);
void ue_mcx_user_free(ue_mcx_user *u);
POC_DEFINE_OWNED(ue_mcx_user, ue_mcx_user_free)

/** What the certificate of a KMS says. The octets are copied. */
typedef struct ue_mcx_kms {
    poc_span uri;
    uint64_t period_s, offset_s;
    const uint8_t *z;    /* MCX_SAKKE_POINT_LEN octets */
    const uint8_t *kpak; /* MCX_POINT_LEN octets */
} ue_mcx_kms;

/** Takes 20 to 50 ms. POC_OK also when it is known already. POC_E_STATE: known with other content; POC_E_LIMIT: UE_MCX_KMS_MAX
 *  are, or the length of the URI; POC_E_INPUT: `z` is none, or a period of 0; POC_E_NOMEM. */
poc_err ue_mcx_user_kms(ue_mcx_user *u, const ue_mcx_kms *kms);

/** The user's keys of one period. */
typedef struct ue_mcx_period {
    poc_span kms_uri;
    uint64_t number;
    const poc_secret *rsk;
    poc_secret *ssk;    /* a reference is taken */
    const uint8_t *pvt; /* MCX_POINT_LEN octets */
} ue_mcx_period;

/** Takes 30 to 80 ms. They take the place of earlier ones of the same period; when there are UE_MCX_PERIODS_MAX, those of the
 *  oldest go. POC_E_STATE: the KMS is not known; POC_E_AUTH: not the keys of this user in this period; POC_E_INPUT,
 *  POC_E_NOMEM. Nothing has changed then. */
poc_err ue_mcx_user_period(ue_mcx_user *u, const ue_mcx_period *period);
/** Takes what the KMS gave `other`, the same user: tables and keys are shared, which takes no time. POC_E_DENIED: another user;
 *  POC_E_STATE: one KMS is known with other content; POC_E_LIMIT. */
poc_err ue_mcx_user_like(ue_mcx_user *u, const ue_mcx_user *other);
/** Has keys for the period of `now_ms`. */
bool ue_mcx_user_is_ready(const ue_mcx_user *u, int64_t now_ms);
/** A server that may send keys to this user; the first one is who CSKs are for. POC_E_LIMIT, POC_E_NOMEM. */
poc_err ue_mcx_user_server(ue_mcx_user *u, poc_span uri, poc_span kms_uri);
poc_span ue_mcx_user_uri(const ue_mcx_user *u);

/** A CSK to be uploaded. */
typedef struct ue_mcx_upload {
    const poc_secret *key;
    uint32_t key_id;
    uint8_t cs_id;
    const uint8_t *rand; /* MIKEY_RAND_LEN octets */
    const mcx_algorithm *algorithms;
    size_t algorithm_count;
    poc_span name; /* of the key, in key parameters; empty: no key parameters */
    bool hides_identities, to_self;
} ue_mcx_upload;

/** Writes the I_MESSAGE to `out`, which has room for MIKEY_MESSAGE_MAX. POC_E_STATE: no keys for now, no server, or its KMS is not
 *  known. POC_E_IO: `rng`. POC_E_LIMIT, POC_E_NOMEM. */
poc_err ue_mcx_upload_seal(const ue_mcx_user *u, int64_t now_ms, const ue_mcx_upload *upload, const poc_rng *rng,
                           uint8_t *out, size_t *n);
/** Opens a key download by the receiver's checklist. `msg` keeps pointing into `octets`. Errors as mcx_i_message_read and
 *  mcx_i_message_open. */
poc_err ue_mcx_download_open(ue_mcx_user *u, int64_t now_ms, poc_span octets, mikey_msg *msg, mcx_opened *out,
                             poc_fault *fault);

/* ---- mcx_ring.c: CSKs and MuSiKs by their ids ---- */

#define UE_MCX_RING_MAX 64u

typedef struct ue_mcx_ring ue_mcx_ring;

/** `skew_s`: a key is accepted this long before it is active, as the server's clock may be ahead. `keeps_all`: nothing expires,
 *  is succeeded or revoked (an eavesdropper in a test). POC_E_NOMEM. */
poc_err ue_mcx_ring_new(ue_mcx_ring **out, uint32_t skew_s, bool keeps_all);
void ue_mcx_ring_free(ue_mcx_ring *r);
POC_DEFINE_OWNED(ue_mcx_ring, ue_mcx_ring_free)

/** One key as it stands in the ring. Times in Unix seconds. */
typedef struct ue_mcx_key {
    uint32_t id;
    mcx_key_type type;
    mcx_algorithm algorithm;
    uint64_t activation_s; /* 0: at once */
    uint64_t expiry_s;     /* 0: never */
    bool is_proposed;      /* uploaded, and no answer yet */
    bool is_revoked;       /* only its id is left */
    poc_span name;
    const poc_span *groups; /* those of a MuSiK; none: it is for whatever has no own one */
    size_t group_count;
} ue_mcx_key;

/** Before a message is accepted, and remembered as accepted: from here on the next key finds memory. POC_E_NOMEM. */
poc_err ue_mcx_ring_reserve(ue_mcx_ring *r);
/** A CSK of one's own enters as proposed; a former proposal leaves. `opened` is taken over and left empty on POC_OK.
 *  POC_E_LIMIT: the ring is full. */
poc_err ue_mcx_ring_propose(ue_mcx_ring *r, mcx_opened *opened, const mcx_algorithm *algorithm);
/** The server has answered: the proposal is a CSK like any other, or is forgotten. False: there was none. */
bool ue_mcx_ring_settle(ue_mcx_ring *r, bool is_accepted);

typedef enum ue_mcx_change { UE_MCX_SAME, UE_MCX_NEW, UE_MCX_CHANGED, UE_MCX_REVOKED } ue_mcx_change;

/** A downloaded key, new times or groups for one, or its revocation. `digest` is that of the message. On POC_OK `opened` is taken
 *  over and left empty. POC_E_DENIED: the id is that of another key, or of one that was revoked, or of one used in another way
 *  (algorithm, RAND, CS-ID), whose indexes would begin anew. POC_E_LIMIT: the ring is full. `why` gets a constant text. */
poc_err ue_mcx_ring_take(ue_mcx_ring *r, mcx_opened *opened, const uint8_t digest[POC_SHA256_LEN],
                         ue_mcx_change *change, const char **why);
/** A message with this digest is what the ring knows last of a key: it came again. */
bool ue_mcx_ring_knows(const ue_mcx_ring *r, const uint8_t digest[POC_SHA256_LEN]);
/** Wipes what has expired, and what was succeeded twice: of CSKs, and of MuSiKs for the same groups and name, the one in force
 *  stays with the one before. */
void ue_mcx_ring_tick(ue_mcx_ring *r, uint64_t now_s);
/** When a key will be active or expire; UINT64_MAX: never. */
uint64_t ue_mcx_ring_deadline_s(const ue_mcx_ring *r, uint64_t now_s);
void ue_mcx_ring_clear(ue_mcx_ring *r);

/** The CSK under which to send now: the one that became known last of those that are active; 0: none. */
uint32_t ue_mcx_ring_csk(const ue_mcx_ring *r, uint64_t now_s);
/** The MuSiK that is active for a group: its own, else one without groups; 0: none. An empty `group` asks for the latter. */
uint32_t ue_mcx_ring_musik(const ue_mcx_ring *r, uint64_t now_s, poc_span group);
/** Whether packets under some MuSiK can be opened now. */
bool ue_mcx_ring_hears(const ue_mcx_ring *r, uint64_t now_s);
/** The id is that of a key here, or of one that was revoked. */
bool ue_mcx_ring_is_taken(const ue_mcx_ring *r, uint32_t id);
/** The nth key, oldest first; false: there are not so many. Spans live until the ring changes. */
bool ue_mcx_ring_at(const ue_mcx_ring *r, size_t nth, ue_mcx_key *out);
/** The octets of a key, borrowed; NULL: it is not there, or revoked. */
const poc_secret *ue_mcx_ring_key(const ue_mcx_ring *r, uint32_t id);

/** Protects under a key to send with. POC_E_STATE: no such key, or not now; errors of mcx_srtcp_protect. */
poc_err ue_mcx_ring_protect(ue_mcx_ring *r, uint64_t now_s, uint32_t id, poc_wr *out, poc_span clear);
/** Opens a control packet under the key that its MKI names, which has to be of `type`. POC_E_DENIED: it is of another type;
 *  POC_E_STATE: no such key, or not now; errors of mcx_srtcp_unprotect. `out` has room for the whole packet. */
poc_err ue_mcx_ring_unprotect(ue_mcx_ring *r, uint64_t now_s, mcx_key_type type, uint8_t *out, size_t *n,
                              poc_span packet, uint32_t *key_id);

/* ---- mcx_body.c: bodies that carry I_MESSAGEs (digest 7.1, 7.2) ---- */

typedef struct ue_mcx_body {
    poc_span i_message;
    mcx_service service;
    poc_span access_token, client_id; /* empty: left out */
    poc_span settings;                /* the document of a PUBLISH; empty: none */
    const char *boundary;             /* must occur in none of them */
    const poc_secret *xml_key;        /* token and client id are encrypted with it (16 or 32 octets); NULL: in clear */
    uint32_t xml_key_id;              /* of the CSK that it is derived from */
    const poc_rng *rng;               /* where there is an `xml_key` */
} ue_mcx_body;

/** Writes multipart/mixed: application/mikey in octets, mcptt-info (or mcvideo-info), poc-settings. POC_E_INPUT: the boundary
 *  occurs, or a text that XML has no place for; POC_E_LIMIT: does not fit; POC_E_IO, POC_E_NOMEM. */
poc_err ue_mcx_body_write(poc_wr *out, const ue_mcx_body *body);
/** The octets of the application/mikey part of a body, or of a body of that type, to `out`. POC_E_INPUT: malformed, or no such
 *  part; POC_E_LIMIT. */
poc_err ue_mcx_body_read(uint8_t *out, size_t cap, size_t *n, poc_span content_type, poc_span body);

/* ---- mcx_usage.c: bodies about MBMS bearers (digest 7.3) ---- */

#define UE_MCX_TMGI_LEN  6u
#define UE_MCX_AREAS_MAX 64u

typedef struct ue_mcx_bearer {
    uint8_t tmgi[UE_MCX_TMGI_LEN];
    uint32_t qci;                     /* 0: not said */
    uint16_t areas[UE_MCX_AREAS_MAX]; /* MBMS service area identities */
    size_t area_count;                /* 0: the bearer is no more */
    bool has_channel;                 /* there was a description beside it */
    bcast_channel channel;            /* then; id: the TMGI in hex, port 0: no such flow */
} ue_mcx_bearer;

/** "application/vnd.3gpp.mcptt-mbms-usage-info+xml" and its kin. */
const char *ue_mcx_usage_type(mcx_service service);
/** Whether a document of that type stands in a body. */
bool ue_mcx_is_announcement(mcx_service service, poc_span content_type, poc_span body);
/** Reads an announcement and the description beside it: no DTD, no entities, at most 16 KiB. POC_E_INPUT: malformed, or there is a
 *  key in it (MCX-4); POC_E_LIMIT; POC_E_NOMEM. `why` gets a constant text, NULL on success. */
poc_err ue_mcx_announcement_read(ue_mcx_bearer *out, mcx_service service, poc_span content_type, poc_span body,
                                 const char **why);
/** Writes the document that reports that a bearer is heard, or is heard no more. POC_E_LIMIT. */
poc_err ue_mcx_listening_write(poc_wr *out, mcx_service service, const uint8_t tmgi[UE_MCX_TMGI_LEN],
                               bool is_listening);

/* ---- mcx_signed.c: signatures of bodies under a CSK (digest 6.2) ---- */

/** "application/vnd.3gpp.mcptt-signed+xml" and its kin. */
const char *ue_mcx_signed_type(mcx_service service);
/** Writes the document that signs `body`, whose Content-ID (without brackets; nothing that XML would escape) is `content_id`, with
 *  the integrity key of the CSK `key_id`. POC_E_LIMIT, POC_E_NOMEM. */
poc_err ue_mcx_signed_write(poc_wr *out, mcx_service service, const char *content_id, poc_span body,
                            const poc_secret *key, uint32_t key_id);

#endif
