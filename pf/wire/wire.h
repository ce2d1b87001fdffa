/* What the PF writes and reads as text: session descriptions (RFC 8866, 3264, 4567, 4570, 5159), conference-info documents
 * (RFC 4575), the key management service of MBMS (TS 33.246 6.3.2), and the bodies of MCX (TS 24.379). Pure: text and plain values, no sockets; the
 * daemon and the simulated world use the same. */
#ifndef PF_WIRE_WIRE_H
#define PF_WIRE_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/mime.h"
#include "base/sdp.h"
#include "base/text.h"
#include "bcast/enabler.h"
#include "gba/gba.h"
#include "mcx/mcx.h"
#include "pocpf/pocpf.h"

#define WIRE_LINES_MAX 2048u /* octets of the lines of one m-line that are passed on */

/** A client's or the CF's unicast description: one audio and at most one floor line are used, others are refused. */
typedef struct wire_unicast {
    struct sockaddr_storage audio, floor; /* where the peer receives; family 0: absent or port 0 */
    char audio_proto[32];                 /* "RTP/AVP" */
    char audio_formats[64];               /* "97 0" */
    char audio_lines[WIRE_LINES_MAX];     /* rtpmap, fmtp, ptime, maxptime and b= lines, passed on; CRLF ends */
    char floor_lines[512];                /* fmtp:TBCP ... */
    poc_sdp_direction direction;
    bool multicast_capable; /* a=bcastversion */
    bool multicast_refused; /* the multicast lines are there with port 0 (client lost or gave up the bearer) */
    bool plain_order;   /* the audio line is the first m-line, the floor line the second, and no unicast line follows:
                               only then the five m-lines of wire_offer_write continue this description (RFC 3264, 8) */
    size_t media_count; /* m-lines of the description */
} wire_unicast;

/** Reads an offer or answer. POC_E_INPUT: malformed; POC_E_DENIED: no usable audio line (488). */
poc_err wire_unicast_read(wire_unicast *out, poc_span sdp, poc_fault *fault);

/** The PF's side of one leg: what it says about itself. */
typedef struct wire_local {
    const struct sockaddr *audio, *floor; /* the PF's own receiving addresses towards this peer */
    uint64_t session_id;
    uint64_t version; /* o= version: one more for every changed description */
} wire_local;

/** A plain unicast description: `peer`'s formats with the PF's addresses (the other leg's offer or answer). */
poc_err wire_unicast_write(poc_wr *out, const wire_local *local, const wire_unicast *formats, bool bcastversion);

/** The answer to `offer` (a client's or the CF's own): its m-lines in its order. The first audio and the first floor line get
 *  the PF's addresses and `formats` (the other leg's description), lines of `channel` (may be NULL) are accepted as they
 *  stand when group and port are right, everything else gets port 0. POC_E_INPUT: `offer` is malformed. */
poc_err wire_answer_write(poc_wr *out, const wire_local *local, poc_span offer, const wire_unicast *formats,
                          const bcast_channel *channel);

/** The offer with five m-lines: unicast audio and floor, then multicast audio (RTP/SAVP), floor and STKM. `mikey` goes as
 *  a=key-mgmt on the STKM line. With `mikey` empty the three multicast lines have port 0 (WITHDRAW). */
poc_err wire_offer_write(poc_wr *out, const wire_local *local, const wire_unicast *formats,
                         const bcast_channel *channel, poc_span mikey);

/** Checks the answer to wire_offer_write: same group, ports and directions. `verification` receives the decoded MIKEY
 *  message (n 0 when absent) and points into `room`. `why` gets a constant text unless ACCEPTED. `peer` (may be NULL) is what
 *  wire_unicast_read reads in it, whatever becomes of the multicast lines; media_count 0: nothing usable. */
pocpf_answer wire_answer_check(poc_span sdp, const bcast_channel *channel, wire_unicast *peer, uint8_t *room,
                               size_t cap, poc_span *verification, const char **why);

typedef struct wire_conference wire_conference;

/** Parses application/conference-info+xml (no DTD, no entities, at most 1 MiB, depth 16; any prefix; foreign elements
 *  ignored). POC_E_INPUT with a reason, POC_E_LIMIT, POC_E_NOMEM. */
poc_err wire_conference_read(wire_conference **out, poc_span xml, const char **why);
/** Borrowed from `c`. */
const pocpf_conference *wire_conference_document(const wire_conference *c);
void wire_conference_free(wire_conference *c);
POC_DEFINE_OWNED(wire_conference, wire_conference_free)

/* ---- bodies of MCX (TS 24.379 Annex F, TS 33.180 9.3) ---- */

#define WIRE_MCX_BODY_MAX       ((size_t)16 * 1024) /* octets of a body that is read */
#define WIRE_MCX_TOKEN_MAX      4096u
#define WIRE_MCX_TEXT_MAX       512u
#define WIRE_MCX_TMGI_LEN       6u /* TS 24.008 10.5.6.13: service id, MCC and MNC */
#define WIRE_MCX_TMGIS_MAX      16u
#define WIRE_MCX_AREAS_MAX      64u
#define WIRE_MCX_SIGNATURES_MAX POC_PARTS_MAX

typedef enum wire_mcx_body { WIRE_MCX_INFO, WIRE_MCX_MBMS_USAGE, WIRE_MCX_SIGNED, WIRE_MCX_BODIES } wire_mcx_body;

/** "application/vnd.3gpp.mcptt-info+xml" and its kin. */
const char *wire_mcx_media_type(wire_mcx_body body, mcx_service service);

/** What content of XML is encrypted and signed with: mcx_xml_keys of the key with that id. Borrowed. */
typedef struct wire_mcx_keys {
    uint32_t key_id;
    const poc_secret *confidentiality, *integrity; /* 16 or 32 octets */
} wire_mcx_keys;

/** The keys that the sender may have used; none: nothing that is encrypted or signed can be taken. */
typedef struct wire_mcx_ring {
    const wire_mcx_keys *keys;
    size_t count;
} wire_mcx_ring;

/** What is used of an mcptt-info or mcvideo-info document; "" for what does not stand in it. */
typedef struct wire_mcx_info {
    char access_token[WIRE_MCX_TOKEN_MAX + 1]; /* as secret as a password: wire_mcx_info_done */
    char request_uri[WIRE_MCX_TEXT_MAX + 1];
    char client_id[WIRE_MCX_TEXT_MAX + 1];
    bool has_clear; /* at least one of them was not encrypted */
} wire_mcx_info;

/** Reads from UTF-8: no DTD, no entities, at most WIRE_MCX_BODY_MAX octets. POC_E_INPUT: malformed; POC_E_AUTH: encrypted
 *  with a key that is not in `ring`, or not with it; POC_E_LIMIT; POC_E_NOMEM. `why` gets a constant text. On error `out` is
 *  empty. */
poc_err wire_mcx_info_read(wire_mcx_info *out, mcx_service service, poc_span xml, const wire_mcx_ring *ring,
                           const char **why);
/** Wipes it. */
void wire_mcx_info_done(wire_mcx_info *info);
/** Writes what is not "", encrypted with `keys` and initialisation vectors from `rng`, or in clear where `keys` is NULL.
 *  POC_E_INPUT: text that XML cannot carry; POC_E_IO: `rng`; POC_E_LIMIT; POC_E_NOMEM. */
poc_err wire_mcx_info_write(poc_wr *out, const wire_mcx_info *info, mcx_service service, const wire_mcx_keys *keys,
                            const poc_rng *rng);

/** Writes a body of signatures with HMAC-SHA256, one for each of the parts, which need a Content-ID. POC_E_INPUT: a part
 *  without one, or more than WIRE_MCX_SIGNATURES_MAX; POC_E_LIMIT; POC_E_NOMEM. */
poc_err wire_mcx_signed_write(poc_wr *out, const poc_part *parts, size_t count, mcx_service service,
                              const wire_mcx_keys *keys);
/** Checks a body of signatures against the parts it came with. `covered` gets one bit for each part that is signed: whether
 *  those are enough is for the caller to say. What is trusted is read from the signed octets alone. SignedInfo must stand in
 *  the default namespace, without comments and references, and no prefix be declared above it; white space does not matter.
 *  POC_E_AUTH: a signature or digest does not hold, or is of a key that is not in `ring`; POC_E_INPUT: malformed, of another
 *  algorithm, or of a part that is not there; POC_E_LIMIT; POC_E_NOMEM. On error nothing is covered. */
poc_err wire_mcx_signed_check(uint32_t *covered, mcx_service service, poc_span xml, const poc_parts *parts,
                              const wire_mcx_ring *ring, const char **why);

/** The REGISTER of a client that came as message/sip inside a third-party REGISTER (TS 24.229 5.4.1.7). Spans point into
 *  what was read; header values as they stood, but for white space around them. */
typedef struct wire_register {
    poc_span request_uri;
    poc_span to, from, contact, content_type; /* n 0: not there; `contact` is the first */
    uint32_t expires_s;                       /* of the Expires header */
    bool has_expires;
    poc_span body;
} wire_register;

/** POC_E_INPUT: not a whole REGISTER, a header that may stand once stands twice, or To or From is missing; POC_E_LIMIT: a
 *  header of more than 16 KiB. `fault` (may be NULL) tells. */
poc_err wire_register_read(wire_register *out, poc_span octets, poc_fault *fault);

/** The announcement of an MBMS bearer. It has no place for a key: what protects the bearer is downloaded to each user. */
typedef struct wire_mbms_announcement {
    uint8_t tmgi[WIRE_MCX_TMGI_LEN];
    uint32_t qci;                       /* 0: not said */
    uint16_t areas[WIRE_MCX_AREAS_MAX]; /* MBMS service area identities */
    size_t area_count;                  /* 0: the bearer is no more */
    uint32_t general_purpose_line; /* which m-line of the SDP beside it is the general purpose subchannel, from 1 */
} wire_mbms_announcement;

/** POC_E_INPUT: too many areas; POC_E_LIMIT. */
poc_err wire_mbms_announcement_write(poc_wr *out, const wire_mbms_announcement *a, mcx_service service);

/** Which bearers a client hears, or hears no more. */
typedef struct wire_mbms_listening {
    bool is_listening, is_general_purpose;
    char session_id[WIRE_MCX_TEXT_MAX + 1]; /* "": not said */
    uint8_t tmgi[WIRE_MCX_TMGIS_MAX][WIRE_MCX_TMGI_LEN];
    size_t tmgi_count; /* at least 1 */
} wire_mbms_listening;

/** Errors as wire_mcx_info_read, but for POC_E_AUTH. POC_E_INPUT also when there is no listening status in it. */
poc_err wire_mbms_listening_read(wire_mbms_listening *out, mcx_service service, poc_span xml, const char **why);

/* ---- service authorisation of MCX: the desk (TS 24.379 7.3 and 14.2, TS 33.180 5.4) ---- */

#define WIRE_MCX_CONTENT_TYPE_MAX 96u         /* octets of a Content-Type that is written, with terminator */
#define WIRE_MCX_USER_MAX         POC_URI_MAX /* octets of a user of the engine, with terminator */
#define WIRE_MCX_WHERE_MAX        512u
#define WIRE_MCX_SERVICE_BIT(s)   (1u << (s))

/** A channel of a MuSiK, as far as it concerns who is in it. A region (one with a TMGI) has those in it who say that they
 *  listen to its bearer and who may; any other one has everybody who may. */
typedef struct wire_mcx_channel {
    const char *id; /* as in the engine, which has the channel already */
    mcx_service service;
    bool is_open; /* whoever is authorised for the service may; else `listed` is asked */
    bool has_tmgi;
    uint8_t tmgi[WIRE_MCX_TMGI_LEN];
} wire_mcx_channel;

typedef struct wire_mcx_rules {
    uint32_t users_max;     /* 0: 100,000 */
    uint32_t expires_s;     /* the longest life of a registration, and that of one that asks for none; 0: 3,600 */
    uint32_t expires_min_s; /* a shorter wish is answered with 423; 0: any */
    bool refuses_clear;     /* a token or client id in clear, and a report without signature, is no authorisation */
    uint64_t seed;          /* random, for tables */
    /** May a request of this IMPU cost so much more in this second? Asked with 1 for a request, before anything in it is looked at, and
     *  with 1 for each key beyond the first that it wants opened, before any is. Log-off by the core is not refused. May be NULL: it
     *  may. */
    bool (*affords)(void *user, const char *impu, uint32_t cost, int64_t now_s);
    /** Might anybody be authorised under this IMPU? Asked before a key of his is opened; it proves nothing. May be NULL: somebody
     *  might. */
    bool (*is_somebody)(void *user, const char *impu);
    /** Who presents this token ("": none was presented), being `impu` to SIP? Writes the MC service id. POC_E_AUTH: the token
     *  does not hold; POC_E_DENIED: it does, but not for that IMPU or service; other errors are ours (503). */
    poc_err (*authorise)(void *user, const char *impu, mcx_service service, const char *token, int64_t now_s,
                         char mc_id[WIRE_MCX_TEXT_MAX + 1]);
    /** Which MC service id might be behind this IMPU? Asked when a client hides its identity and has encrypted its token: the
     *  keys for that depend on the id, which nobody has told. It proves nothing. False: not known. May be NULL: never. */
    bool (*known)(void *user, const char *impu, mcx_service service, char mc_id[WIRE_MCX_TEXT_MAX + 1]);
    /** May who was authorised under this id still use the service? Asked when he comes again without a key, and so perhaps without
     *  a token: of a service that he may not use any more he is logged off. May be NULL: he may. */
    bool (*stays)(void *user, const char *impu, mcx_service service, const char *mc_id);
    /** Is this MC service id in the list of the channel? May be NULL: nobody is. */
    bool (*listed)(void *user, const char *channel, const char *mc_id);
    void *user;
} wire_mcx_rules;

typedef struct wire_mcx_desk wire_mcx_desk;

/** Borrows `pf` for its life, copies `rules`. POC_E_INPUT: no `authorise`; POC_E_NOMEM. */
poc_err wire_mcx_desk_new(wire_mcx_desk **out, const wire_mcx_rules *rules, pocpf *pf);
void wire_mcx_desk_free(wire_mcx_desk *d);
POC_DEFINE_OWNED(wire_mcx_desk, wire_mcx_desk_free)

/** Adds a channel, or takes a change of one by a reload: who may not be in it any more leaves, who may is in. The same call
 *  again makes up for lists that have changed. The engine may have much to do then. POC_E_NOMEM. */
poc_err wire_mcx_desk_channel(wire_mcx_desk *d, int64_t now_ms, const wire_mcx_channel *channel);
/** The channel is no more: all leave it. For after pocpf_channel_stop. */
void wire_mcx_desk_channel_remove(wire_mcx_desk *d, int64_t now_ms, const char *id);

/** After pocpf_restored, and when all channels are there: whose CSK the engine has kept is registered for `expires_s`, until
 *  which he comes again. POC_E_LIMIT, POC_E_NOMEM: not all of them. */
poc_err wire_mcx_desk_restored(wire_mcx_desk *d, int64_t now_ms);

typedef enum wire_mcx_method { WIRE_MCX_REGISTER, WIRE_MCX_PUBLISH, WIRE_MCX_MESSAGE } wire_mcx_method;

/** What came by SIP, from who is authenticated there. Borrowed for the call. */
typedef struct wire_mcx_request {
    wire_mcx_method method;
    bool by_core;     /* a third-party REGISTER, from the S-CSCF: its times are not ours to change */
    const char *impu; /* canonical; of a third-party REGISTER its To */
    poc_span content_type, body;
    bool has_expires; /* in the Expires header, or for the contact */
    uint32_t expires_s;
    const char *where; /* URI of the contact, to which MESSAGEs can be sent; "": to the IMPU, by the core */
} wire_mcx_request;

/** What to answer. Texts are constant. */
typedef struct wire_mcx_answer {
    int status;
    const char *phrase;
    const char *warning;                   /* text of a Warning with code 399, which goes with a 200 too; NULL: none */
    uint32_t expires_s;                    /* of a 200 to REGISTER or PUBLISH */
    uint32_t min_expires_s, retry_after_s; /* headers of those names; 0: none */
    bool is_authorised;                    /* a REGISTER is answered with 200 in any case */
    const char *why;                       /* for the log: "" when all is well */
    char impu[POC_URI_MAX];
    uint32_t csk_id; /* of the first key that was taken; 0: none */
    uint64_t number; /* of a request that waited; else 0 */
} wire_mcx_answer;

typedef enum wire_mcx_outcome {
    WIRE_MCX_ANSWERED, /* send the answer, then carry out what the engine has to do */
    WIRE_MCX_WAITS     /* carry out what the engine has to do: the answer of `number` comes from wire_mcx_desk_bound */
} wire_mcx_outcome;

/** Serves one request. A REGISTER or PUBLISH with an application/mikey body (alone, in a multipart body, or in a message/sip
 *  body of a third-party REGISTER) brings a CSK, under which its other parts may be encrypted and signed; without one it
 *  refreshes the registration of who has brought one; with expires 0 it logs off. A MESSAGE reports which bearers are listened
 *  to. What is refused leaves nothing behind. */
wire_mcx_outcome wire_mcx_desk_serve(wire_mcx_desk *d, int64_t now_ms, const wire_mcx_request *request,
                                     wire_mcx_answer *answer);
/** A CSK_BOUND effect, every one of them, with its user: when `ok`, he is registered and in every channel that he may be in.
 *  True: `answer` is that of the request `answer->number`. */
bool wire_mcx_desk_bound(wire_mcx_desk *d, int64_t now_ms, const char *user, uint32_t csk_id, bool ok,
                         wire_mcx_answer *answer);

/** Logs off an IMPU from all services, as an operator does. POC_E_STATE: it is not registered; POC_E_NOMEM: not from all. */
poc_err wire_mcx_desk_log_off(wire_mcx_desk *d, int64_t now_ms, const char *impu);
/** Logs off whose registration has ended. */
void wire_mcx_desk_tick(wire_mcx_desk *d, int64_t now_ms);
/** When wire_mcx_desk_tick wants to be called; INT64_MAX for never. */
int64_t wire_mcx_desk_deadline_ms(const wire_mcx_desk *d);

/** Who is registered with a key. An IMPU has one key for each service, or one for both. Borrowed until the next call. */
typedef struct wire_mcx_user {
    const char *impu, *mc_id;
    const char *where;   /* "": by the core, to the IMPU */
    mcx_service service; /* of the key */
    uint32_t services;   /* that he is authorised for with it: WIRE_MCX_SERVICE_BIT; 0: it waits for its CSK_BOUND */
    int64_t expires_ms;
} wire_mcx_user;

/** Who is authorised for this service under the IMPU, or is about to be. False: nobody. */
bool wire_mcx_desk_look_for(const wire_mcx_desk *d, const char *impu, mcx_service service, wire_mcx_user *out);
/** The same for whichever service, MCPTT before MCVideo. */
bool wire_mcx_desk_look(const wire_mcx_desk *d, const char *impu, wire_mcx_user *out);
/** Walks all who are registered, in no order and by their keys: start with `*at` = 0; false at the end. */
bool wire_mcx_desk_next(const wire_mcx_desk *d, size_t *at, wire_mcx_user *out);

/* Bodies of MESSAGEs to a client: multipart, with a boundary from `rng` (POC_E_IO). POC_E_LIMIT: they do not fit. */

/** Body of a key download: for whom it is, and the I_MESSAGE as octets. */
poc_err wire_mcx_download_write(poc_wr *body, char content_type[WIRE_MCX_CONTENT_TYPE_MAX], mcx_service service,
                                const char *mc_id, poc_span i_message, const poc_rng *rng);
/** Body of an announcement: for whom it is (NULL: not said), the bearer, and the description of its general purpose
 *  subchannel (n 0: none). MCX-4: POC_E_INPUT for a description with a key in it. */
poc_err wire_mcx_announcement_write(poc_wr *body, char content_type[WIRE_MCX_CONTENT_TYPE_MAX], mcx_service service,
                                    const char *mc_id, const wire_mbms_announcement *bearer, poc_span sdp,
                                    const poc_rng *rng);

/* ---- key management of MBMS: the bodies (TS 33.246 6.3.2, TS 26.346 11) ---- */

#define WIRE_MBMS_BODY_MAX    ((size_t)16 * 1024) /* octets of a body of either direction */
#define WIRE_MBMS_ITEMS_MAX   32u                 /* services or MSKs in one body */
#define WIRE_MBMS_SERVICE_MAX 255u                /* octets of a service id */

typedef enum wire_mbms_procedure {
    WIRE_MBMS_REGISTER,
    WIRE_MBMS_DEREGISTER,
    WIRE_MBMS_MSK_REQUEST,
    WIRE_MBMS_PROCEDURES
} wire_mbms_procedure;

typedef enum wire_mbms_way { WIRE_MBMS_REQUEST, WIRE_MBMS_RESPONSE } wire_mbms_way;

/** A service (registration, deregistration) or an MSK (MSK request); in a response with its status. */
typedef struct wire_mbms_item {
    char service_id[WIRE_MBMS_SERVICE_MAX + 1]; /* UTF-8 without white space or control characters */
    poc_key_domain key_domain;
    poc_msk_id msk_id; /* key number 0: the current MSK of the group */
    int status;        /* of a response: 200, 403, 404 */
} wire_mbms_item;

typedef struct wire_mbms_body {
    wire_mbms_item items[WIRE_MBMS_ITEMS_MAX];
    size_t count; /* at least 1 */
} wire_mbms_body;

/** "register", "deregister" or "msk-request": the value of requesttype in the request target. */
const char *wire_mbms_requesttype(wire_mbms_procedure procedure);
const char *wire_mbms_media_type(wire_mbms_procedure procedure, wire_mbms_way way);

/** Reads a body: no DTD, no entities, at most WIRE_MBMS_BODY_MAX octets, depth 8. Any namespace, names in either case, a
 *  root by the end of its name; elements that are not known are passed over. POC_E_INPUT: malformed, or no item in it;
 *  POC_E_LIMIT: too large, too deep or too many items; POC_E_NOMEM. `why` gets a constant text. */
poc_err wire_mbms_read(wire_mbms_body *out, wire_mbms_procedure procedure, wire_mbms_way way, poc_span xml,
                       const char **why);
/** POC_E_INPUT: no item, or one that wire_mbms_read would refuse; POC_E_LIMIT: it does not fit. */
poc_err wire_mbms_write(poc_wr *out, const wire_mbms_body *body, wire_mbms_procedure procedure, wire_mbms_way way);

/* ---- key management of MBMS: the service ---- */

/** Who may register for a service over HTTP. */
typedef enum wire_keyman_admit {
    WIRE_ADMIT_SESSION,      /* who is in the channel's PoC session (a member by SIP) */
    WIRE_ADMIT_LISTED,       /* who is in the channel's list                          */
    WIRE_ADMIT_AUTHENTICATED /* whom GBA authenticates                                */
} wire_keyman_admit;

typedef struct wire_keyman_service {
    const char *channel;
    wire_keyman_admit admit;
} wire_keyman_service;

typedef struct wire_keyman_rules {
    const char *path;             /* "/keymanagement" */
    int64_t muk_renew_s;          /* a MUK that lives shorter than this: 401, bootstrap again (MBMS-11) */
    uint32_t requests_per_btid_s; /* requests of one B-TID in one second; 0: no limit */
    bool accept_qop_auth;         /* also offer qop "auth", for clients that cannot do auth-int with a body (curl) */
    bool strict_identities;       /* refuse a user whose identities the BSF does not tell */
    /** The channel behind a service id; NULL: unknown (404). Borrowed until the next call. */
    const wire_keyman_service *(*service_of)(void *user, const char *service_id);
    /** Is this identity (canonical) in the channel's list? Asked for WIRE_ADMIT_LISTED; may be NULL: nobody is. */
    bool (*listed)(void *user, const char *channel, const char *impu);
    void *user;
} wire_keyman_rules;

typedef struct wire_keyman wire_keyman;

/** Borrows `naf` and `pf` for its life and copies `rules`, whose path must live as long. POC_E_INPUT: no path or no
 *  service_of; POC_E_NOMEM. */
poc_err wire_keyman_new(wire_keyman **out, const wire_keyman_rules *rules, gba_naf *naf, pocpf *pf);
void wire_keyman_free(wire_keyman *k);
POC_DEFINE_OWNED(wire_keyman, wire_keyman_free)

/** One HTTP request: header values as received, empty when absent; `target` as on the request line. `address` is where
 *  MSKs are pushed to (opaque, at most POCPF_ADDRESS_MAX octets; 0: not known). Borrowed for the call. */
typedef struct wire_keyman_request {
    poc_span method, target, content_type, authorization, intended_identity, body;
    const void *address;
    size_t address_len;
} wire_keyman_request;

/** The answer. Header values are sent when they are not empty, Retry-After when it is not 0, a body when content_type is
 *  not NULL; 405 goes with `Allow: POST`. */
typedef struct wire_keyman_answer {
    int status;
    uint32_t retry_after_s;
    char www_authenticate[GBA_HEADER_MAX];
    char authentication_info[GBA_HEADER_MAX];
    const char *content_type;
    const char *why;        /* for the log: constant, never NULL, "" when all is well */
    char user[POC_URI_MAX]; /* for the log: who was authenticated, "" for nobody */
    uint8_t body[WIRE_MBMS_BODY_MAX];
    size_t body_len;
} wire_keyman_answer;

typedef enum wire_keyman_outcome {
    WIRE_KEYMAN_ANSWERED, /* send the answer, then carry out what the engine has to do */
    WIRE_KEYMAN_ASK_ZN    /* the B-TID (gba_naf_btid) is not known: ask Zn, gba_naf_learn, serve the request again */
} wire_keyman_outcome;

/** Serves one request. The order of checks: request line, content type, size, digest, MUK renewal, limit per B-TID,
 *  identity, body, and then each item. A refusal leaves the engine as it was, and gives it nothing to do. */
wire_keyman_outcome wire_keyman_serve(wire_keyman *k, int64_t now_ms, const wire_keyman_request *request,
                                      wire_keyman_answer *answer);
/** The answer when Zn or gba_naf_learn said no: AUTH 401 (bootstrap again), DENIED 403, everything else 503 with
 *  Retry-After. */
void wire_keyman_fail(wire_keyman *k, int64_t now_ms, poc_err zn_error, wire_keyman_answer *answer);

#endif
