/* The Generic Bootstrapping Architecture (TS 33.220, 24.109, 29.109, 33.246 Annex F) without sockets: MILENAGE and AKA,
 * HTTP digest on Ub and Ua, Ks_NAF, MUK and MRK, the BSF's side of Ub, the UE's side of Ub, and the NAF's book of
 * bootstrapped users. Time (unix seconds) and randomness are arguments. */
#ifndef GBA_GBA_H
#define GBA_GBA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/secret.h"
#include "base/text.h"

/* ---- key derivation (TS 33.220 Annex B) ---- */

#define GBA_KS_LEN     32u
#define GBA_RAND_LEN   16u
#define GBA_FQDN_MAX   253u
#define GBA_UA_ID_LEN  5u
#define GBA_NAF_ID_MAX (GBA_FQDN_MAX + GBA_UA_ID_LEN)
#define GBA_IMPI_MAX   255u

/** out = HMAC-SHA-256(key, FC || P0 || L0 || ... ). Parameters of 0..65535 octets, at most 8. */
poc_err gba_kdf(uint8_t out[32], poc_span key, uint8_t fc, const poc_span *params, size_t n);

typedef struct gba_naf_id {
    uint8_t b[GBA_NAF_ID_MAX]; /* FQDN || Ua security protocol identifier */
    size_t n;
} gba_naf_id;

extern const uint8_t gba_ua_id_mbms[GBA_UA_ID_LEN]; /* 01 00 00 00 01 */

/** POC_E_INPUT: not a lower-case host name. */
poc_err gba_naf_id_make(gba_naf_id *out, poc_span fqdn, const uint8_t ua_id[GBA_UA_ID_LEN]);

typedef enum gba_key_kind { GBA_KS_NAF, GBA_KS_EXT_NAF, GBA_KS_INT_NAF } gba_key_kind;

/** Ks_NAF, Ks_ext_NAF or Ks_int_NAF (32 octets) from Ks (32 octets). */
poc_err gba_ks_naf(poc_secret **out, gba_key_kind kind, const poc_secret *ks, const uint8_t rand[GBA_RAND_LEN],
                   poc_span impi, poc_span naf_id);
/** MRK of GBA_ME: KDF(Ks_NAF, "mbms-mrk") (TS 33.246 Annex F). */
poc_err gba_mrk(poc_secret **out, const poc_secret *ks_naf);

/** MUK and MRK as TS 33.246 6.1 assigns them; both owned. */
typedef struct gba_mbms_keys {
    poc_secret *muk, *mrk;
} gba_mbms_keys;

/** `me_key` = Ks_NAF or Ks_ext_NAF; `uicc_key` = Ks_int_NAF, or NULL when the key management is in the ME. */
poc_err gba_mbms_keys_make(gba_mbms_keys *out, poc_secret *me_key, poc_secret *uicc_key);
void gba_mbms_keys_done(gba_mbms_keys *keys);

/* ---- MILENAGE and AKA (TS 35.206, 33.102) ---- */

typedef struct gba_milenage {
    uint8_t mac_a[8], mac_s[8], res[8], ck[16], ik[16], ak[6], ak_star[6];
} gba_milenage; /* wiped by the caller */

poc_err gba_opc(uint8_t opc[16], const uint8_t k[16], const uint8_t op[16]);
poc_err gba_milenage_run(gba_milenage *out, const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16],
                         const uint8_t sqn[6], const uint8_t amf[2]);

/** K || OPc (32 octets) of one subscription, in one secret. */
typedef struct gba_usim {
    poc_secret *k_opc; /* owned */
    uint64_t sqn;      /* highest accepted (USIM) or last used (BSF): 48 bits */
    uint8_t amf[2];
} gba_usim;

poc_err gba_usim_init(gba_usim *u, const uint8_t k[16], const uint8_t opc[16], uint64_t sqn, const uint8_t amf[2]);
void gba_usim_done(gba_usim *u);

typedef struct gba_vector {
    uint8_t rand[16], autn[16];
    uint8_t res[8];
    poc_secret *ks; /* CK || IK, owned */
} gba_vector;

/** Network side: the next vector; `u->sqn` grows. */
poc_err gba_vector_make(gba_vector *out, gba_usim *u, const uint8_t rand[16]);
void gba_vector_done(gba_vector *v); /* frees ks, wipes res */
/** USIM side. POC_E_AUTH: MAC wrong. POC_E_STATE: SQN out of range, `auts` (14 octets) is set for resynchronisation. */
poc_err gba_usim_answer(gba_vector *out, gba_usim *u, const uint8_t rand[16], const uint8_t autn[16], uint8_t auts[14]);
/** Network side: checks AUTS and takes over SQN_MS. POC_E_AUTH. */
poc_err gba_resynchronise(gba_usim *u, const uint8_t rand[16], const uint8_t auts[14]);

/* ---- HTTP digest (RFC 2617, 3310; TS 24.109) ---- */

/** The parameters of a Digest header of either direction, quotes removed; spans point into the header, absent = n 0. */
typedef struct gba_digest {
    poc_span username, realm, nonce, uri, response, cnonce, nc, qop, opaque, algorithm, auts, stale, rspauth, nextnonce;
} gba_digest;

/** Parses `Digest a=b, c="d"` (with `scheme` true) or the bare list of Authentication-Info. A value with a backslash, a
 *  repeated parameter, or more than 4096 octets: POC_E_INPUT. Unknown parameters are skipped. */
poc_err gba_digest_parse(gba_digest *out, poc_span header, bool scheme, poc_fault *fault);

typedef struct gba_digest_input {
    poc_span username, realm, password, method, uri, nonce, nc, cnonce, qop; /* qop: "auth" or "auth-int" */
    poc_span body;
} gba_digest_input;

/** 32 lower-case hex digits and a terminator. With an empty `method` it is the rspauth of RFC 2617 3.2.3. */
poc_err gba_digest_response(char out[33], const gba_digest_input *in);

/* ---- Ub, the UE's side ---- */

#define GBA_HEADER_MAX 2048u
#define GBA_BODY_MAX   4096u

/** What a UE holds after bootstrapping. */
typedef struct gba_bootstrap {
    char btid[POC_BTID_MAX + 1];
    uint8_t rand[GBA_RAND_LEN];
    int64_t expires_s; /* unix */
    poc_secret *ks;    /* owned */
} gba_bootstrap;
void gba_bootstrap_done(gba_bootstrap *b);

typedef struct gba_ub_client gba_ub_client;

/** `usim` is borrowed for the client's life. */
poc_err gba_ub_client_new(gba_ub_client **out, poc_span impi, poc_span bsf_fqdn, gba_usim *usim, const poc_rng *rng);
void gba_ub_client_free(gba_ub_client *c);
POC_DEFINE_OWNED(gba_ub_client, gba_ub_client_free)
/** The Authorization header value of the next `GET /`. */
poc_err gba_ub_client_request(gba_ub_client *c, poc_wr *authorization);
typedef enum gba_ub_next { GBA_UB_AGAIN, GBA_UB_DONE } gba_ub_next;
/** Takes the answer. GBA_UB_AGAIN: send gba_ub_client_request; GBA_UB_DONE: `*out` is set. POC_E_AUTH: network not
 *  authentic; POC_E_DENIED: refused; POC_E_INPUT. `www_authenticate` and `authentication_info` empty when absent. */
poc_err gba_ub_client_answer(gba_ub_client *c, int status, poc_span www_authenticate, poc_span authentication_info,
                             poc_span body, gba_ub_next *next, gba_bootstrap *out);

/* ---- Ub and Zn, the BSF's side (embedded BSF) ---- */

#define GBA_IMPUS_MAX 8u

typedef struct gba_subscriber {
    poc_span impi;
    uint8_t k[16], opc[16], amf[2];
    uint64_t sqn;
    poc_span impus[GBA_IMPUS_MAX]; /* SIP identities this subscription may act as */
    size_t impu_count;
} gba_subscriber; /* the caller wipes it */

typedef struct gba_bsf gba_bsf;

poc_err gba_bsf_new(gba_bsf **out, poc_span fqdn, int64_t key_lifetime_s, const poc_rng *rng);
void gba_bsf_free(gba_bsf *b);
POC_DEFINE_OWNED(gba_bsf, gba_bsf_free)
/** POC_E_STATE: this IMPI is there already; POC_E_LIMIT, POC_E_NOMEM. */
poc_err gba_bsf_add(gba_bsf *b, const gba_subscriber *s);

typedef struct gba_http_answer {
    int status;
    char www_authenticate[GBA_HEADER_MAX];    /* "" when not sent */
    char authentication_info[GBA_HEADER_MAX]; /* "" when not sent */
    char body[GBA_BODY_MAX];
    size_t body_len;
} gba_http_answer;

/** One request on Ub: method and uri as on the request line, Authorization value (empty when absent). Always fills
 *  `answer`; returns the kind for log and counter (POC_OK also for a challenge). Not thread-safe: callers serialise. Each
 *  subscriber has at most four open challenges (60 s each, one try each) and four bootstraps: his oldest gives way. */
poc_err gba_bsf_ub(gba_bsf *b, int64_t now_s, poc_span method, poc_span uri, poc_span authorization,
                   gba_http_answer *answer);

/** What Zn returns for a B-TID. */
typedef struct gba_zn_answer {
    poc_secret *me_key, *uicc_key; /* owned; uicc_key may be NULL */
    int64_t expires_s;
    char impi[GBA_IMPI_MAX + 1];
    char impus[GBA_IMPUS_MAX][POC_URI_MAX]; /* canonical; count 0: the BSF did not say */
    size_t impu_count;
} gba_zn_answer;
void gba_zn_answer_done(gba_zn_answer *a);

/** POC_E_AUTH: B-TID unknown or expired (5403); POC_E_DENIED: no right for this NAF (5402). */
poc_err gba_bsf_zn(gba_bsf *b, int64_t now_s, poc_span btid, poc_span naf_id, gba_zn_answer *out);

/* ---- Zn as Diameter messages (TS 29.109 clauses 5 and 6): whole messages, without a connection ---- */

#define GBA_ZN_MESSAGE_MAX 4096u

enum { GBA_ZN_OK = 2001, GBA_ZN_IDENTITY_UNKNOWN = 5401, GBA_ZN_NOT_AUTHORISED = 5402, GBA_ZN_BTID_INVALID = 5403 };

/** Bootstrapping-Info-Request. Spans: borrowed when encoded, pointing into the message when decoded; empty = absent. */
typedef struct gba_zn_request {
    uint32_t hop_by_hop, end_to_end;
    poc_span session_id, origin_host, origin_realm, destination_realm, destination_host;
    poc_span gsid; /* decimal text; "4" is MBMS */
    poc_span btid, naf_id;
    uint32_t gba_u_aware; /* 1: the NAF can use Ks_int_NAF */
} gba_zn_request;

/** POC_E_INPUT: a mandatory part is missing; POC_E_LIMIT: more than `out` takes. */
poc_err gba_zn_request_encode(poc_wr *out, const gba_zn_request *request);
/** POC_E_INPUT with `fault` (may be NULL) filled. An unknown AVP is skipped, unless its M flag is set. */
poc_err gba_zn_request_decode(gba_zn_request *out, poc_span message, poc_fault *fault);

/** Bootstrapping-Info-Answer. */
typedef struct gba_zn_reply {
    uint32_t hop_by_hop, end_to_end;
    poc_span session_id, origin_host, origin_realm;
    uint32_t result;       /* Result-Code, 0 = absent       */
    uint32_t experimental; /* Experimental-Result-Code of 3GPP, 0 = absent */
    int64_t created_s;     /* unix; 0 = absent              */
    uint32_t gba_type;     /* 0 = 3G GBA                    */
    gba_zn_answer answer;  /* decode: owned, release with gba_zn_reply_done. encode: borrowed */
} gba_zn_reply;

/** As the request; exactly one of the two results. The answer's parts are written for result 2001 only. The message holds keys: the caller wipes it. */
poc_err gba_zn_reply_encode(poc_wr *out, const gba_zn_reply *reply);
/** `*out` holds nothing to be released when this fails. Result 2001 without a key or its expiry is POC_E_INPUT. */
poc_err gba_zn_reply_decode(gba_zn_reply *out, poc_span message, poc_fault *fault);
/** POC_OK: the answer is there. POC_E_AUTH: 5403, bootstrap again. POC_E_DENIED: 5401, 5402. POC_E_IO: anything else. */
poc_err gba_zn_reply_outcome(const gba_zn_reply *reply);
void gba_zn_reply_done(gba_zn_reply *reply);

/* ---- Ua, the NAF's side: who is bootstrapped here, and is this request his? ---- */

typedef struct gba_naf gba_naf;

typedef struct gba_naf_settings {
    poc_span fqdn;
    uint8_t ua_id[GBA_UA_ID_LEN];
    bool uicc_keys; /* realm 3GPP-bootstrapping-uicc@ and Ks_int_NAF as MUK when the BSF gives it */
    int64_t nonce_lifetime_s;
    size_t users_max; /* bootstrapped users kept */
} gba_naf_settings;

poc_err gba_naf_new(gba_naf **out, const gba_naf_settings *settings, const poc_rng *rng);
void gba_naf_free(gba_naf *n);
POC_DEFINE_OWNED(gba_naf, gba_naf_free)
poc_span gba_naf_naf_id(const gba_naf *n);

/** The value of WWW-Authenticate with a fresh nonce (no state is kept for it). */
poc_err gba_naf_challenge(gba_naf *n, int64_t now_s, bool stale, poc_wr *out);
/** The same, offering auth-int alone: for a service where a body has to be protected. */
poc_err gba_naf_challenge_auth_int(gba_naf *n, int64_t now_s, bool stale, poc_wr *out);

/** A bootstrapped user as the NAF knows him. Borrowed; valid until the next call that changes the NAF. */
typedef struct gba_naf_user {
    const char *btid;
    const char *impi;
    const char (*impus)[POC_URI_MAX];
    size_t impu_count;
    int64_t expires_s;
    poc_secret *muk, *mrk; /* borrowed: take poc_secret_ref to keep */
} gba_naf_user;

typedef enum gba_naf_verdict {
    GBA_NAF_OK,        /* *user is set                                                         */
    GBA_NAF_CHALLENGE, /* no or unusable credentials: send 401 with a challenge                */
    GBA_NAF_STALE,     /* nonce old, or of our life before a restart: the same, and stale=true */
    GBA_NAF_ASK_ZN,    /* B-TID not known here: ask Zn, gba_naf_learn, then check again        */
    GBA_NAF_WRONG      /* digest wrong, nc replayed or foreign realm: 401, count, log          */
} gba_naf_verdict;

typedef struct gba_request {
    poc_span method, uri, body; /* uri as on the request line; digest uri must be equal */
    poc_span authorization;     /* value of Authorization, empty when absent */
} gba_request;

/** Checks a request on Ua (HTTP or SIP) in constant time. `why` gets a constant text for the log when not OK. */
gba_naf_verdict gba_naf_check(gba_naf *n, int64_t now_s, const gba_request *request, gba_naf_user *user,
                              const char **why);
/** The B-TID of a request, to ask Zn with; empty when there is none. */
poc_span gba_naf_btid(const gba_request *request);
/** Takes what Zn gave; POC_E_AUTH when it is expired already, POC_E_LIMIT when the book is full of living users,
 *  POC_E_INPUT when there is no key in it. Two bootstraps of one IMPI are kept: a third takes the oldest one's place. A
 *  B-TID that is known stays as it is. */
poc_err gba_naf_learn(gba_naf *n, int64_t now_s, poc_span btid, const gba_zn_answer *answer);
/** True when this user's MUK lives shorter than `margin_s`, so that he is to bootstrap again (TS 33.246 6.3.2.2.4). Who has
 *  just done so because he was told to is not told again: his BSF gives no longer life, and he would never get in. */
bool gba_naf_renewal_due(gba_naf *n, int64_t now_s, poc_span btid, int64_t margin_s);
/** Counts one more request of this user; false when they are more than `per_s` (0: no limit) in the second `now_s`. */
bool gba_naf_within_rate(gba_naf *n, int64_t now_s, poc_span btid, uint32_t per_s);
/** The user who may act as `uri` (canonical) and bootstrapped last; false when there is none alive. */
bool gba_naf_by_identity(gba_naf *n, int64_t now_s, poc_span uri, gba_naf_user *user);
/** True when `uri` (canonical) is among the user's identities; also true when the BSF gave none and `strict` is off. */
bool gba_naf_covers(const gba_naf_user *user, poc_span uri, bool strict);
/** Authentication-Info for the answer to a request that was OK. */
poc_err gba_naf_authentication_info(gba_naf *n, const gba_request *request, poc_span answer_body, poc_wr *out);
/** Forgets who is expired. */
void gba_naf_sweep(gba_naf *n, int64_t now_s);

/* ---- Ua, the UE's side ---- */

typedef struct gba_ua_client {
    const char *btid;
    const poc_secret *mrk;
    uint32_t nc; /* grows; the caller keeps it with the nonce */
} gba_ua_client;

/** The Authorization value for a request that was challenged. POC_E_INPUT: no GBA realm for `naf_fqdn` in the challenge. */
poc_err gba_ua_authorize(gba_ua_client *c, poc_span www_authenticate, poc_span naf_fqdn, poc_span method, poc_span uri,
                         poc_span body, const poc_rng *rng, poc_wr *out);
/** POC_E_AUTH unless rspauth holds for the request that `authorization` belonged to. */
poc_err gba_ua_check_answer(const gba_ua_client *c, poc_span authorization, poc_span authentication_info,
                            poc_span body);

#endif
