/* MIKEY (RFC 3830, 4563, 6309) as MBMS uses it (TS 33.246 6.4): decode any message of data type 0, 1 or 6; seal and open
 * the five profiles of this house (MSK, MTK, verification, error, solicited pull). And the octets, without the
 * cryptography, of MIKEY-SAKKE (RFC 6509, data type 26) as mission critical services use it (TS 33.180 Annex E). Pure:
 * bytes and keys in, bytes and keys out. Layouts: spec digests "GBA, MBMS keys and MIKEY", sections 4 and 5, and "MCX
 * signalling key management and MIKEY-SAKKE", section 3. */
#ifndef MIKEY_MIKEY_H
#define MIKEY_MIKEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/secret.h"

#define MIKEY_MESSAGE_MAX  2048u /* octets of one message, both directions */
#define MIKEY_PAYLOADS_MAX 16u
#define MIKEY_RAND_LEN     16u /* what we send; a peer may send 16..255 */
#define MIKEY_RAND_MAX     255u
#define MIKEY_CS_MAX       16u /* crypto sessions of a map */
#define MIKEY_KEYS_MAX     4u  /* key data sub-payloads of one KEMAC */
#define MIKEY_UDP_PORT     2269u

#define MIKEY_SED_LEN       273u /* encapsulated data of SAKKE for a key of 16 octets */
#define MIKEY_SED_LEN_256   289u /* the same for one of 32 */
#define MIKEY_SIGNATURE_LEN 129u /* ECCSI: r || s || PVT */

typedef enum mikey_payload_type {
    MIKEY_LAST = 0,
    MIKEY_KEMAC = 1,
    MIKEY_SIGN = 4,
    MIKEY_T = 5,
    MIKEY_ID = 6,
    MIKEY_V = 9,
    MIKEY_SP = 10,
    MIKEY_RAND = 11,
    MIKEY_ERR = 12,
    MIKEY_IDR = 14,
    MIKEY_KEY_DATA = 20,
    MIKEY_EXT = 21,
    MIKEY_SAKKE = 26
} mikey_payload_type;

typedef enum mikey_data_type {
    MIKEY_PSK = 0,
    MIKEY_PSK_VERIFICATION = 1,
    MIKEY_ERROR = 6,
    MIKEY_I_MESSAGE = 26
} mikey_data_type;
typedef enum mikey_id_type { MIKEY_ID_NAI = 0, MIKEY_ID_URI = 1, MIKEY_ID_BYTES = 2 } mikey_id_type;
typedef enum mikey_map_type { MIKEY_MAP_SRTP_ID = 0, MIKEY_MAP_EMPTY = 1, MIKEY_MAP_GENERIC_ID = 2 } mikey_map_type;
typedef enum mikey_key_type { MIKEY_TGK = 0, MIKEY_TGK_SALT = 1, MIKEY_TEK = 2, MIKEY_TEK_SALT = 3 } mikey_key_type;
typedef enum mikey_kv_type { MIKEY_KV_NULL = 0, MIKEY_KV_SPI = 1, MIKEY_KV_INTERVAL = 2 } mikey_kv_type;
typedef enum mikey_ext_type {
    MIKEY_EXT_VENDOR = 0,
    MIKEY_EXT_SDP_IDS = 1,
    MIKEY_EXT_KEY_ID = 3,
    MIKEY_EXT_BCAST = 5,
    MIKEY_EXT_SAKKE_TO_SELF = 6, /* TS 33.180 E.5 */
    MIKEY_EXT_KEY_PARAMETERS = 7 /* TS 33.180 E.6 */
} mikey_ext_type;
typedef enum mikey_id_role {
    MIKEY_ROLE_INITIATOR = 1,
    MIKEY_ROLE_RESPONDER = 2,
    MIKEY_ROLE_KMS = 3, /* twice in messages of old senders: KMS of the initiator, then of the responder */
    MIKEY_ROLE_KMS_INITIATOR = 6,
    MIKEY_ROLE_KMS_RESPONDER = 7,
    MIKEY_ROLE_UID_INITIATOR = 8, /* a hashed identity stands for the URI (TS 33.180 E.7) */
    MIKEY_ROLE_UID_RESPONDER = 9
} mikey_id_role;

typedef struct mikey_id {
    bool present;
    uint8_t role; /* mikey_id_role; 0 in an ID payload, which has none */
    uint8_t type; /* mikey_id_type */
    poc_span data;
} mikey_id;

typedef struct mikey_cs {
    uint8_t policy_no;
    uint32_t ssrc;
    uint32_t roc;
} mikey_cs;

/** An entry of a GENERIC-ID map (RFC 6309 6.2), protocol SRTP; spans as in the message. */
typedef struct mikey_generic_cs {
    uint8_t cs_id;
    poc_span policies; /* one octet each: the policy numbers of SP payloads */
    poc_span session_data;
    poc_span spi; /* MKI */
} mikey_generic_cs;

/** One payload as it stood: `body` is everything behind its own next-payload octet (SIGN has none: all of it). */
typedef struct mikey_payload {
    uint8_t type; /* mikey_payload_type */
    size_t offset;
    poc_span body;
} mikey_payload;

/** A decoded message. All spans point into the datagram, which must outlive this. Nothing is authenticated yet. */
typedef struct mikey_msg {
    poc_span raw;
    uint8_t data_type; /* mikey_data_type */
    uint8_t prf;
    bool wants_verification;
    uint32_t csb_id;
    uint8_t map_type; /* mikey_map_type */
    uint8_t cs_count;
    mikey_cs cs[MIKEY_CS_MAX];                  /* of an SRTP-ID map */
    mikey_generic_cs generic[MIKEY_CS_MAX];     /* of a GENERIC-ID map */
    mikey_payload payloads[MIKEY_PAYLOADS_MAX]; /* without HDR */
    size_t payload_count;
    bool has_key_domain, has_msk_id, has_mtk_id;
    poc_key_domain key_domain;
    poc_msk_id msk_id;
    uint16_t mtk_id;
    bool has_sdp_ids;
    poc_span sdp_ids; /* "mikey" */
    uint8_t ts_type;
    poc_span ts;       /* as transported: 4 or 8 octets */
    uint32_t counter;  /* when ts_type is COUNTER (2) */
    poc_span rand;     /* empty when absent */
    mikey_id idi, idr; /* in a verification message the single ID is IDr */
    bool has_sp, has_kemac, has_v, has_error;
    poc_span encr_data; /* of KEMAC */
    uint8_t encr_alg, mac_alg;
    poc_span mac; /* of KEMAC or V: 20 octets, the last of `raw` */
    uint8_t error_no;
    /* Data type 26 only, where all of these but the two extensions are there. */
    mikey_id idkmsi, idkmsr;
    poc_span sed;           /* MIKEY_SED_LEN or MIKEY_SED_LEN_256 octets */
    poc_span sakke_to_self; /* of the extension; empty when absent */
    poc_span key_parameters;
    poc_span signature; /* MIKEY_SIGNATURE_LEN octets, the last of `raw` */
} mikey_msg;

/** Parses by the rules of digest 5.9. POC_E_INPUT with `fault` (may be NULL) giving offset and reason; `*out` is then
 *  undefined. Accepts MAC-protected and signed messages only, except data type 6 without V. */
poc_err mikey_decode(mikey_msg *out, poc_span datagram, poc_fault *fault);
/** "KEMAC", "T", ...; "unknown" for others. */
const char *mikey_payload_name(uint8_t type);

/** A General Extension as it stood. */
typedef struct mikey_ext {
    uint8_t type; /* mikey_ext_type, or one that was skipped */
    poc_span data;
} mikey_ext;

/** A security policy as it stood: { type, length, value }*. */
typedef struct mikey_sp {
    uint8_t policy_no;
    uint8_t protocol; /* 0: SRTP */
    poc_span params;
} mikey_sp;

typedef struct mikey_sp_param {
    uint8_t type;
    poc_span value;
} mikey_sp_param;

/* For who looks closer at a payload: `body` reads mikey_payload.body, `params` reads mikey_sp.params. POC_E_INPUT. */
poc_err mikey_ext_read(mikey_ext *out, poc_rd *body);
poc_err mikey_sp_read(mikey_sp *out, poc_rd *body);
poc_err mikey_sp_param_next(mikey_sp_param *out, poc_rd *params);

/** A security policy to be written; `params` is { type, length, value }*. */
typedef struct mikey_policy {
    uint8_t policy_no;
    poc_span params;
} mikey_policy;

/** An I_MESSAGE to be written: HDR, T, RAND, IDRi, IDRr, IDRkmsi, IDRkmsr, {SP}, SAKKE, {General Ext}, SIGN. All spans
 *  are borrowed for the call. */
typedef struct mikey_i_message {
    uint32_t csb_id;
    const mikey_generic_cs *map; /* of cs_count entries; the empty map when that is 0 */
    size_t cs_count;
    uint64_t ntp; /* seconds since 1900 in the high half, fraction in the low one */
    poc_span rand;
    mikey_id idi, idr, idkmsi, idkmsr; /* `role` and `type` as they are to stand there */
    const mikey_policy *policies;
    size_t policy_count;
    size_t sed_len;         /* MIKEY_SED_LEN or MIKEY_SED_LEN_256 */
    poc_span sakke_to_self; /* content of the extension; empty: none */
    poc_span key_parameters;
} mikey_i_message;

/** Writes all of it at the end of `out`, SIGN included, with two holes: `sed` gets the place of the encapsulated data,
 *  `signature` that of the signature, which is the end of the message; both are for the caller to fill, in this order, the
 *  signature covering everything in front of it. POC_E_LIMIT: does not fit; POC_E_BUG: no message can be like that. */
poc_err mikey_i_message_write(poc_wr *out, const mikey_i_message *m, uint8_t **sed, uint8_t **signature);
/** The SAKKE payload alone, with next payload 0, as the SAKKE-to-self extension carries it. */
poc_err mikey_sakke_write(poc_wr *out, poc_span sed);
/** Reads what mikey_sakke_write wrote. POC_E_INPUT. */
poc_err mikey_sakke_read(poc_span *sed, poc_span octets, poc_fault *fault);

/** The PRF of RFC 3830 4.1.2. POC_E_LIMIT: `inkey` is empty. */
poc_err mikey_prf(uint8_t *out, size_t out_len, poc_span inkey, poc_span label);

/** What transport keys are derived with besides the pre-shared key: of the message itself for an MSK message, of the
 *  MSK's own message for an MTK message. */
typedef struct mikey_context {
    uint32_t csb_id;
    poc_span rand;
} mikey_context;

/** An MSK message is the same for all members of a channel but for the four fields of a job. */
typedef struct mikey_msk_params {
    poc_key_domain key_domain;
    poc_msk_id msk_id; /* key number 0: a solicited pull, sent without key data */
    uint32_t csb_id;
    uint8_t rand[MIKEY_RAND_LEN]; /* one per MSK, the same for all members (RFC 3830 6.11, 8.1) */
    uint16_t seq_low, seq_high;   /* MTK IDs in (seq_low, seq_high] are acceptable */
    bool wants_verification;
    bool sdp_ids;     /* add the SDP IDs extension with "mikey" (RFC 4567 7); for messages inside SDP */
    uint8_t key_type; /* MIKEY_TGK, or MIKEY_TEK where a deployment reads it so */
    uint8_t idi_type; /* MIKEY_ID_URI with the NAF_Id, or MIKEY_ID_NAI with the bare FQDN */
    poc_span idi;
    uint8_t idr_type;   /* MIKEY_ID_NAI */
    bool srtp_id_map;   /* streaming form: map with one crypto session and the default SP payload */
    uint32_t ssrc, roc; /* of that crypto session */
} mikey_msk_params;

/** One member's message. The caller sets all but the last two; `muk` and `idr` are borrowed for the call. */
typedef struct mikey_msk_job {
    const poc_secret *muk;
    poc_span idr; /* B-TID */
    uint32_t counter;
    uint8_t *out;
    size_t cap;  /* MIKEY_MESSAGE_MAX is always enough */
    size_t len;  /* set: octets written */
    poc_err err; /* set: POC_OK or why this member has no message */
} mikey_msk_job;

/** Seals `msk` (16 octets) for `n` members. Pure over the array: no state between jobs, callable from several threads at
 *  once on disjoint slices. Returns POC_OK when every job is, else the first error; other jobs are done all the same. */
poc_err mikey_msk_seal(const mikey_msk_params *params, const poc_secret *msk, mikey_msk_job *jobs, size_t n);

/** An opened MSK message. */
typedef struct mikey_msk {
    poc_key_domain key_domain;
    poc_msk_id msk_id;
    uint16_t seq_low, seq_high;
    uint32_t csb_id, counter;
    uint8_t key_type; /* MIKEY_TGK or MIKEY_TEK, as it was sent */
    poc_secret *msk;  /* owned; NULL for a solicited pull (key number 0) */
} mikey_msk;

/** Checks the MAC under `muk`, then decrypts and parses the key data strictly. POC_E_AUTH: wrong key or altered;
 *  POC_E_INPUT: authentic, but no valid MSK message (fault tells). Freshness of the counter is the caller's. */
poc_err mikey_msk_open(mikey_msk *out, const mikey_msg *msg, const poc_secret *muk, poc_fault *fault);
void mikey_msk_done(mikey_msk *m);

typedef struct mikey_mtk_params {
    poc_key_domain key_domain;
    poc_mki mki;
    uint32_t counter;
    mikey_context context; /* CSB ID and RAND of the MSK message */
} mikey_mtk_params;

/** Seals MTK (16 octets) || salt (14 octets, `with_salt`) under the MSK. `mtk` holds 30 octets, or 16 without salt. */
poc_err mikey_mtk_seal(poc_wr *out, const mikey_mtk_params *params, const poc_secret *msk, const poc_secret *mtk);
/** Opens an MTK message: `*mtk` (owned) has 30 octets (TEK+SALT) or 16 (TEK). Errors as mikey_msk_open. */
poc_err mikey_mtk_open(poc_secret **mtk, const mikey_msg *msg, mikey_context context, const poc_secret *msk,
                       poc_fault *fault);

/** Answers an MSK message that wants a verification: HDR, T, IDr, V. `msk_message` must have been opened under `muk`. */
poc_err mikey_verification_seal(poc_wr *out, const mikey_msg *msk_message, const poc_secret *muk);

/** What a verification is checked against: the fields of the MSK message that was sent. */
typedef struct mikey_expected {
    uint32_t csb_id, counter;
    poc_span rand;
    poc_span idi, idr;
    bool accept_ts64; /* also accept a MAC over the counter padded to 64 bits (digest 10, point 7) */
} mikey_expected;

/** POC_E_INPUT: not the answer to that message; POC_E_AUTH: MAC does not hold. */
poc_err mikey_verification_check(const mikey_msg *verification, const mikey_expected *expected, const poc_secret *muk);

/** One verification message of many; all but `err` is set by the caller and borrowed for the call. */
typedef struct mikey_verification_job {
    const mikey_msg *verification;
    mikey_expected expected;
    const poc_secret *muk;
    poc_err err; /* set: as mikey_verification_check */
} mikey_verification_job;

/** The same for many at once, several times as fast where they answer messages with the same RAND. Returns how many hold. */
size_t mikey_verification_check_many(mikey_verification_job *jobs, size_t n);

/** An authenticated error message: HDR, T, ERR, V; CSB ID, RAND and counter of the message it answers. */
poc_err mikey_error_seal(poc_wr *out, const mikey_msg *answered, uint8_t error_no, const poc_secret *muk);
/** POC_E_AUTH unless the error message carries a V that holds. */
poc_err mikey_error_check(const mikey_msg *error, mikey_context context, const poc_secret *muk);

#endif
