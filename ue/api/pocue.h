/* libpocue: the PoC Client's side of Multicast PoC as a library that computes: it bootstraps, answers the PF's offers,
 * opens MIKEY messages, keeps the keyring and turns what comes off the air into media and floor messages; and the client's side of
 * mission critical signalling, which brings its own key and takes those of the server. No socket, no
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
#include "base/text.h"
#include "bcast/enabler.h"
#include "mcx/mcx.h"

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
    bool keep_keys; /* such a one: forgets no key of a service, and listens on, when it is not its user any more */
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
/** A datagram from the PF on the unicast audio (BCAST_FLOW_RTP) or floor (BCAST_FLOW_FLOOR) port: in clear, but for the floor
 *  of a mission critical user, which is as pocue_mcx_control wants it (MCX-6). */
void pocue_unicast(pocue *ue, int64_t now_ms, bcast_flow flow, poc_span datagram);
/** A MIKEY message on UDP 2269 (push); `*reply_len` > 0 when `reply` (room of MIKEY_MESSAGE_MAX) is to be sent back. A
 *  repeated message is answered again and installs nothing; key number 0 (solicited pull) becomes POCUE_KEY_MISSED and a
 *  request at once for every service it names; an MTK message is taken as if it came off the air, and never answered.
 *  POC_E_STATE: no MUK for it, or no channel or service that has use for it; POC_E_AUTH, POC_E_DENIED (replay, other key
 *  domain), POC_E_INPUT. Nothing has changed then. */
poc_err pocue_push(pocue *ue, int64_t now_ms, poc_span datagram, uint8_t *reply, size_t *reply_len);

/** The session is over for this client. An honest client forgets all channel keys, but those of a service that it is
 *  registered for and that announced its channel; with `keep_keys` it goes on listening with what it has (the eavesdropper
 *  of POC-17). */
void pocue_session_over(pocue *ue, int64_t now_ms, bool keep_keys);

/* ---- MBMS user services: registration, MSK request, push (TS 33.246 6.3; digest "GBA, MBMS keys and MIKEY" 4.7) ----
 *
 * The client decides what to ask for and when; its owner carries the texts. After any call that may have changed something,
 * and at pocue_deadline_ms: pocue_tick, then pocue_http_next; what that gives is POSTed, and whatever came of it goes to
 * pocue_http_answer, after which there may be more. One request is under way at a time. */

#define POCUE_SERVICES_MAX  8u
#define POCUE_PATH_MAX      128u
#define POCUE_HTTP_BODY_MAX 16384u /* octets, of a request and of an answer */

/** What the announcement of a service says (its security description). */
typedef struct pocue_service {
    const char *service_id;
    poc_key_domain key_domain;
    uint16_t key_group;
    const char *path; /* of the key management service; NULL: "/keymanagement" */
    /* Before a request that all its users may make at the same moment the client waits wait_time_s and up to max_back_off_s
     * more. */
    uint32_t wait_time_s, max_back_off_s;
    const bcast_channel *channel; /* where it is sent; NULL: learnt from the SDP of the PoC session */
} pocue_service;

/** The client knows the service from now on (a copy is made). POC_E_STATE: it, or another one with its key group, is known
 *  already; POC_E_LIMIT: POCUE_SERVICES_MAX are; POC_E_INPUT: a text that is missing, too long or not plain. */
poc_err pocue_service_add(pocue *ue, const pocue_service *service);
/** Has the client registered (again: to tell a new address) or deregistered. Whoever deregisters stops listening now. The end
 *  is POCUE_REGISTERED, POCUE_DEREGISTERED or POCUE_DENIED. POC_E_STATE: unknown service; POC_E_NOMEM. */
poc_err pocue_register(pocue *ue, int64_t now_ms, const char *service_id, bool in);
/** The client has a new address: it registers again wherever it is registered. */
void pocue_moved(pocue *ue, int64_t now_ms);
/** Has an MSK requested, without back-off; key number 0 (or `id` 0): the current one. The end is POCUE_GRANTED or
 *  POCUE_DENIED. POC_E_STATE: unknown service; POC_E_INPUT: another key group. */
poc_err pocue_request_msk(pocue *ue, int64_t now_ms, const char *service_id, poc_msk_id id);
/** Whether the PF has this client as a user of the service, as far as the client knows. */
bool pocue_is_registered(const pocue *ue, const char *service_id);

/** A request to send: POST `target`, with these headers. */
typedef struct pocue_http {
    char target[POCUE_PATH_MAX + 32];
    const char *content_type;
    char authorization[2048];                /* empty: the header is left out */
    char intended_identity[POC_URI_MAX + 3]; /* value of X-3GPP-Intended-Identity */
    uint8_t body[POCUE_HTTP_BODY_MAX];
    size_t body_len;
} pocue_http;

/** The next request, when one is due and none is under way. False also while bootstrapping is needed first
 *  (POCUE_BOOTSTRAP_NEEDED tells). */
bool pocue_http_next(pocue *ue, int64_t now_ms, pocue_http *out);
/** What came of the request under way; `status` 0: no answer. Header values empty when absent. What the answer asks for is
 *  done by itself: credentials, bootstrapping, another try later. POC_E_STATE: none is under way; POC_E_AUTH: rspauth does not
 *  hold; POC_E_INPUT: not an answer to it; POC_E_NOMEM. These are treated like no answer. */
poc_err pocue_http_answer(pocue *ue, int64_t now_ms, int status, poc_span www_authenticate,
                          poc_span authentication_info, poc_span content_type, poc_span body);
/** The answer that is to be given next says Retry-After: what it refuses for now is not tried again sooner (an hour at most). */
void pocue_http_retry_after(pocue *ue, uint32_t seconds);
/** When the client wants to be called next; INT64_MAX: never. */
int64_t pocue_deadline_ms(const pocue *ue);
/** Time has passed: gives up waiting for what should have come. */
void pocue_tick(pocue *ue, int64_t now_ms);

/* ---- mission critical services: CSK upload, key download, protected floor control (TS 33.180 5.4, 5.8, 9; digest "MCX
 * signalling key management and MIKEY-SAKKE") ----
 *
 * pocue_mcx_start once; what the KMS gave goes to pocue_mcx_provision, for the next period too as it nears; then
 * pocue_mcx_make_upload makes a CSK with the body of a REGISTER or PUBLISH, and pocue_mcx_uploaded tells what was answered. What the
 * server sends by MESSAGE or NOTIFY goes to pocue_mcx_message, control packets to pocue_mcx_control, media of a bearer to
 * pocue_mcx_media. pocue_deadline_ms and pocue_tick count for the times of these keys as well. One pocue is one user of one service, who has his CSKs with one server: for a second service, or a
 * second server that wants a CSK, there is a second one (pocue_mcx_provision_like, where the identity is the same). */

#define POCUE_MCX_SERVERS_MAX 4u

typedef struct pocue_mcx_server {
    const char *uri;     /* MDSI or public service identity, as the KMS knows it */
    const char *kms_uri; /* of the KMS that the server has its keys from */
} pocue_mcx_server;

typedef struct pocue_mcx_settings {
    const char *mc_id; /* mission critical service id of the user, as the KMS knows it */
    mcx_service service;
    const pocue_mcx_server *servers; /* who may send keys; the first one is who CSKs are for */
    size_t server_count;
    const char *client_id; /* goes beside a CSK; NULL: none */
    const char *csk_name;  /* for people, in the key parameters of a CSK; NULL: without key parameters */
    const mcx_algorithm
        *algorithms; /* supported, AES-GCM only, the selected one first; none: AES-128-GCM, and nothing is said */
    size_t algorithm_count;
    bool hides_identities; /* UIDs stand for URIs in what is uploaded */
    bool to_self;          /* add the SAKKE-to-self extension */
    bool token_in_clear;   /* else token and client id are encrypted under the CSK that they go beside: with hidden
                              identities that needs a server which knows by the IMPU whose they are */
    uint32_t skew_s;       /* how far the server's clock may be from ours; 0: 300 */
} pocue_mcx_settings;

/** Copies what it needs. POC_E_STATE: started already; POC_E_INPUT: a text that is missing, or an algorithm that is not
 *  AES-GCM; POC_E_LIMIT: something too long or too many; POC_E_IO, POC_E_NOMEM. All others below are POC_E_STATE before it. */
poc_err pocue_mcx_start(pocue *ue, const pocue_mcx_settings *settings);

/** What a KMS certificate says; borrowed for the call. */
typedef struct pocue_mcx_kms {
    const char *uri;
    uint64_t period_s, offset_s;
    const uint8_t *z;    /* MCX_SAKKE_POINT_LEN octets: PubEncKey */
    const uint8_t *kpak; /* MCX_POINT_LEN octets: PubAuthKey */
} pocue_mcx_kms;

/** One's own KMS, and the one of the server when that is another. Takes 20 to 50 ms. POC_E_STATE: known with other content;
 *  POC_E_INPUT, POC_E_LIMIT, POC_E_NOMEM. */
poc_err pocue_mcx_kms_add(pocue *ue, const pocue_mcx_kms *kms);

/** The user's keys of one period; the secrets stay the caller's. */
typedef struct pocue_mcx_keys {
    const char *kms_uri;
    uint64_t period_number;
    const poc_secret *rsk; /* MCX_SAKKE_POINT_LEN octets: UserDecryptKey */
    poc_secret *ssk;       /* MCX_SCALAR_LEN octets: UserSigningKeySSK */
    const uint8_t *pvt;    /* MCX_POINT_LEN octets: UserPubTokenPVT */
} pocue_mcx_keys;

/** Checks and takes them; four periods are kept. Takes 30 to 80 ms. POC_E_STATE: that KMS is not known; POC_E_AUTH: not the keys
 *  of this user in this period; POC_E_INPUT, POC_E_LIMIT, POC_E_NOMEM. */
poc_err pocue_mcx_keys_add(pocue *ue, const pocue_mcx_keys *keys);
/** Takes all certificates and keys of an answer of the KMS that was read and checked (mcx_kms_response_check). POC_E_DENIED: one of
 *  them is revoked, and is not taken; else the errors of pocue_mcx_kms_add and pocue_mcx_keys_add. What stood before the one that
 *  failed has been taken. */
poc_err pocue_mcx_provision(pocue *ue, const mcx_kms_response *response);
/** Takes what the KMS gave another client of the same user, and shares its tables and keys: for one who is in two places of
 *  one process. Takes no time. POC_E_DENIED: another user; POC_E_STATE, POC_E_LIMIT. */
poc_err pocue_mcx_provision_like(pocue *ue, const pocue *other);
/** Has keys for the period of `now_ms` (MCX-20: no upload before). */
bool pocue_mcx_is_provisioned(const pocue *ue, int64_t now_ms);

typedef struct pocue_mcx_upload {
    const char *access_token; /* NULL: none */
    poc_span settings;        /* the document of a PUBLISH (poc-settings); empty: a REGISTER */
    char content_type[96];    /* set */
    uint32_t csk_id;          /* set */
} pocue_mcx_upload;

/** Makes a fresh CSK and appends the body that carries it to the server. Until pocue_mcx_uploaded the former CSK goes on being
 *  sent under, while what comes under either is taken. POC_E_STATE: not provisioned for now; POC_E_LIMIT: `body` is too small,
 *  or too many keys are held; POC_E_INPUT: a text; POC_E_IO, POC_E_NOMEM. Nothing has changed then. */
poc_err pocue_mcx_make_upload(pocue *ue, int64_t now_ms, pocue_mcx_upload *upload, poc_wr *body);
/** The answer to it: a CSK that was not accepted is wiped. */
void pocue_mcx_uploaded(pocue *ue, int64_t now_ms, bool is_accepted);

/** A MESSAGE or NOTIFY that carries a key: checked and opened in the order of digest 3.10, installed, and told by events.
 *  `reply` (always set) says what to answer: 200; 403 or 488 with a warning; 500. The message that came last for a key is
 *  answered with 200 when it comes again, and does nothing. `why` (may be NULL) gets a constant text or NULL. POC_E_INPUT,
 *  POC_E_AUTH (signature, time, replay, no keys of ours for its period), POC_E_DENIED (for somebody else, from nobody who is a
 *  server of ours, no CSK or MuSiK, an algorithm that this client has not offered, an id of another key, or of one that was
 *  revoked), POC_E_LIMIT, POC_E_NOMEM: nothing has changed then. */
poc_err pocue_mcx_download(pocue *ue, int64_t now_ms, poc_span content_type, poc_span body, pocue_reply *reply,
                           const char **why);

/** The body of any MESSAGE or NOTIFY of the server: a key (pocue_mcx_download) or the announcement of a bearer
 *  (pocue_mcx_announced), by what stands in it. Errors and `reply` of these; POC_E_INPUT, 488: neither. */
poc_err pocue_mcx_message(pocue *ue, int64_t now_ms, poc_span content_type, poc_span body, pocue_reply *reply,
                          const char **why);

#define POCUE_MCX_TMGI_LEN    6u
#define POCUE_MCX_BEARERS_MAX 8u
#define POCUE_MCX_AREAS_MAX   64u

/** What the announcement of an MBMS bearer says. */
typedef struct pocue_mcx_bearer {
    uint8_t tmgi[POCUE_MCX_TMGI_LEN];
    uint32_t qci;                        /* 0: not said */
    uint16_t areas[POCUE_MCX_AREAS_MAX]; /* MBMS service area identities */
    size_t area_count;
    bool has_channel;      /* there was a description beside it */
    bcast_channel channel; /* id: the TMGI in hex; port 0: no such flow */
    bool is_listened;      /* POCUE_JOIN_GROUP was told last */
} pocue_mcx_bearer;

/** The announcement of a bearer: mbms-usage-info with a description of its general purpose subchannel. It takes the place of an
 *  earlier one of the same TMGI; without areas the bearer is no more. While a MuSiK is in force, the group of every announced
 *  bearer is listened to (POCUE_JOIN_GROUP, POCUE_LEAVE_GROUP with is_mcx): never without (MCX-31). Nothing in it is
 *  authentic by itself: the caller has to know that the server sent it. POC_E_INPUT: malformed, or it carries a key (MCX-4);
 *  POC_E_LIMIT: too many bearers; POC_E_NOMEM. Nothing has changed then. */
poc_err pocue_mcx_announced(pocue *ue, int64_t now_ms, poc_span content_type, poc_span body, pocue_reply *reply,
                            const char **why);
/** How many bearers are known; at most `cap` are written, oldest first. */
size_t pocue_mcx_bearers(const pocue *ue, pocue_mcx_bearer *out, size_t cap);
/** Appends the body of a MESSAGE that reports that a bearer is heard, or is heard no more: signed under the CSK in force, or
 *  alone where there is none. POC_E_STATE, POC_E_LIMIT, POC_E_IO, POC_E_NOMEM. */
poc_err pocue_mcx_listening_write(const pocue *ue, const uint8_t tmgi[POCUE_MCX_TMGI_LEN], bool is_listening,
                                  char content_type[96], poc_wr *body);

#define POCUE_MCX_MAPPINGS_MAX 16u

/** Where a group is heard. */
typedef struct pocue_mcx_mapping {
    char group[MCX_GROUP_MAX + 1];
    bool has_tmgi; /* of the bearer */
    uint8_t tmgi[POCUE_MCX_TMGI_LEN];
    struct sockaddr_storage audio, floor; /* floor: family 0 when there is none */
} pocue_mcx_mapping;

/** What MapGroupToBearer said last of a group (POCUE_MCX_MAPPED tells; of more than POCUE_MCX_MAPPINGS_MAX the oldest is
 *  forgotten). False: it is not heard anywhere. */
bool pocue_mcx_mapping_of(const pocue *ue, const char *group, pocue_mcx_mapping *out);

/** A control packet (floor control, MapGroupToBearer) that came on the unicast port, where it has to be under a CSK, or off the
 *  air, where it has to be under a MuSiK: POCUE_FLOOR with `key_id` when it opens. POC_E_AUTH: in clear, altered, repeated;
 *  POC_E_DENIED: under a key of another kind; POC_E_STATE: no such key, or not now; POC_E_INPUT, POC_E_LIMIT, POC_E_NOMEM. */
poc_err pocue_mcx_control(pocue *ue, int64_t now_ms, bool by_multicast, poc_span datagram);
/** An RTP packet of a bearer's group: POCUE_PLAY once for each (ssrc, seq). Its payload is as it came: media of a group is
 *  protected end to end (GMK), which is not the business of client and server (MCX-30). POC_E_INPUT; POC_E_STATE: no MuSiK is in
 *  force (MCX-31), or it was heard already. */
poc_err pocue_mcx_media(pocue *ue, int64_t now_ms, poc_span packet);
/** How many packets of control or media were refused since pocue_mcx_start. */
uint64_t pocue_mcx_refused(const pocue *ue);
/** Appends a clear control packet to the server, protected under the CSK in force. POC_E_STATE: there is none, and nothing is
 *  ever sent in clear; POC_E_INPUT, POC_E_LIMIT, POC_E_NOMEM. */
poc_err pocue_mcx_protect(pocue *ue, int64_t now_ms, poc_wr *out, poc_span clear);
/** The keys for XML content and its signatures under a CSK that is held; id 0: the one in force. POC_E_STATE: there is none. */
poc_err pocue_mcx_xml_keys(const pocue *ue, int64_t now_ms, uint32_t csk_id, poc_secret **confidentiality,
                           poc_secret **integrity);

/** The CSK in force; 0: none. */
uint32_t pocue_mcx_csk(const pocue *ue, int64_t now_ms);
/** The MuSiK in force for a group, else the one for all that have no own ("": that one); 0: none, and the group is not to be
 *  listened to (MCX-31). */
uint32_t pocue_mcx_musik(const pocue *ue, int64_t now_ms, const char *group);
/** How many keys are held, proposed ones and those to come included; at most `cap` of their ids are written, oldest first. */
size_t pocue_mcx_held(const pocue *ue, uint32_t *out, size_t cap);
/** Logged off: CSKs and MuSiKs are wiped, bearers and where groups are heard forgotten; what the KMS gave stays. */
void pocue_mcx_log_off(pocue *ue);

/* ---- what came of it ---- */

typedef enum pocue_event_type {
    POCUE_JOIN_GROUP = 1, /* receive `channel`: group, source, ports       */
    POCUE_LEAVE_GROUP,
    POCUE_KEY,        /* holds MSK `msk_id` now                        */
    POCUE_MTK,        /* MTK `mki` was opened from an STKM             */
    POCUE_KEY_MISSED, /* unknown MSK `msk_id` on air                   */
    POCUE_PLAY,       /* an RTP packet to play: each (ssrc, seq) once, whichever way it came */
    POCUE_FLOOR,      /* a floor message                               */
    POCUE_UNREADABLE, /* a media packet on air that could not be opened */
    POCUE_REGISTERED, /* for `service_id`                              */
    POCUE_DEREGISTERED,
    POCUE_GRANTED, /* MSK `msk_id` of `service_id` will be pushed */
    POCUE_DENIED,  /* it will not, or (msk_id 0) registration or deregistration failed: `status`, 0 for no answer */
    POCUE_BOOTSTRAP_NEEDED, /* before the next request can be sent */
    /* No MSK to be had, and no valid older one: the client does not hear `service_id` any more (MBMS-2). When that was the
     * channel of its session (of_session), its owner takes the multicast lines back (pocue_bearer_write) or leaves. */
    POCUE_SERVICE_LEFT,
    POCUE_MCX_KEY,     /* holds CSK or MuSiK `key_id` (its upper four bits say which), or it has new times or groups */
    POCUE_MCX_REVOKED, /* `key_id` is not to be used any more; after a CSK another one is uploaded */
    POCUE_MCX_ALGORITHM, /* what goes to the server is protected under CSK `key_id` with `algorithm` from now on */
    POCUE_MCX_MAPPED     /* MapGroupToBearer or its reverse came off the air under MuSiK `key_id`: mcx_mcmc_read */
} pocue_event_type;

typedef struct pocue_event {
    pocue_event_type type;
    int64_t at_ms;
    bool by_multicast;     /* PLAY, FLOOR */
    poc_msk_id msk_id;     /* KEY, KEY_MISSED, GRANTED, DENIED */
    poc_mki mki;           /* MTK, and PLAY, FLOOR, UNREADABLE by multicast */
    bcast_channel channel; /* JOIN_GROUP, LEAVE_GROUP */
    bool is_mcx; /* the same: of a bearer; its packets go to pocue_mcx_media (RTP) and pocue_mcx_control (floor) */
    const char *service_id;   /* REGISTERED and below; lives as long as the client */
    int status;               /* DENIED */
    bool of_session;          /* SERVICE_LEFT */
    uint32_t ssrc, timestamp; /* PLAY; UNREADABLE as its clear header says */
    uint16_t seq;             /* the same */
    uint8_t payload_type;     /* PLAY */
    uint32_t key_id;          /* MCX_*, and FLOOR of mission critical services, 0 in other FLOOR */
    uint64_t activation_s;    /* MCX_KEY: Unix; 0: at once */
    uint64_t expiry_s;        /* MCX_KEY: Unix; 0: never */
    mcx_algorithm algorithm;  /* MCX_KEY, MCX_ALGORITHM */
    poc_span payload; /* PLAY: media octets; FLOOR, MCX_MAPPED: the clear APP packet; MCX_KEY: the name or region of
                                 the key; until the next call */
} pocue_event;

/** The next event, oldest first. At most 256 are kept; more push the oldest out (counted by pocue_events_lost). For want
 *  of memory media events may be lost, but none that says to listen, to stop listening, or which MSK is held. */
bool pocue_poll(pocue *ue, pocue_event *out);
uint64_t pocue_events_lost(const pocue *ue);
/** How many MSKs are held now, for session and services together; at most `cap` of their ids are written, newest first for
 *  each channel. */
size_t pocue_msks(const pocue *ue, poc_msk_id *out, size_t cap);

#endif
