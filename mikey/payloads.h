/* The payloads of a MIKEY message, private to this room. One file each, decode and encode side by side; payloads.c has
 * the table by which message.c walks. A decoder starts behind its payload's next-payload octet and consumes the rest; an
 * encoder writes the whole payload, `next` being the type of the one that follows. */
#ifndef MIKEY_PAYLOADS_H
#define MIKEY_PAYLOADS_H

#include "base/crypto.h"
#include "mikey/mikey.h"

#define MIKEY_VERSION      1u
#define MIKEY_PRF_1        0u /* the PRF of RFC 3830 4.1.2, on HMAC-SHA-1 */
#define MIKEY_PRF_SHA256   1u /* PRF-HMAC-SHA-256 (RFC 6043), that of every I_MESSAGE */
#define MIKEY_TS_NTP_UTC   0u
#define MIKEY_TS_COUNTER   2u
#define MIKEY_ENCR_NULL    0u
#define MIKEY_ENCR_AES_CM  1u
#define MIKEY_MAC_HMAC     1u /* HMAC-SHA-1-160 */
#define MIKEY_MAC_LEN      POC_SHA1_LEN
#define MIKEY_TS64_LEN     8u
#define MIKEY_SEQ_LEN      2u /* SEQl, SEQu: MTK IDs (TS 33.246), not the packet indices of SRTP */
#define MIKEY_ID_LEN_LEN   2u /* octets in which an ID payload says how long it is */
#define MIKEY_SDP_PROTOCOL "mikey"

/** A row of the payload table. */
typedef struct mikey_payload_kind {
    uint8_t type; /* mikey_payload_type */
    const char *name;
    uint32_t in;  /* data types it may stand in, one bit each: MIKEY_IN(data type) */
    uint8_t most; /* times in one message */
    bool last;    /* carries the MAC or the signature: nothing may follow */
    bool is_bare; /* has no next-payload octet */
    poc_err (*decode)(mikey_msg *msg, poc_rd *rd);
} mikey_payload_kind;

#define MIKEY_IN(data_type) (1u << (data_type))

/** The row of `type`, or NULL. `index` (may be NULL) gets its place in the table, below MIKEY_KINDS_MAX. */
const mikey_payload_kind *mikey_payload_kind_of(uint8_t type, size_t *index);
#define MIKEY_KINDS_MAX 11u

/** Fills `fault` (may be NULL) and returns POC_E_INPUT. */
poc_err mikey_refuse(poc_fault *fault, size_t offset, const char *reason);

/* HDR; map and crypto sessions come from `msg`. */
poc_err mikey_hdr_decode(mikey_msg *msg, uint8_t *next, poc_rd *rd);
void mikey_hdr_encode(poc_wr *wr, const mikey_msg *hdr, uint8_t next);

poc_err mikey_t_decode(mikey_msg *msg, poc_rd *rd);
/** `ts` as transported. */
void mikey_t_encode(poc_wr *wr, uint8_t next, uint8_t ts_type, poc_span ts);
/** The time stamp as 64 bits, a counter with zeros in front (RFC 3830 6.6). */
void mikey_t_64(uint8_t out[MIKEY_TS64_LEN], poc_span ts);

poc_err mikey_rand_decode(mikey_msg *msg, poc_rd *rd);
void mikey_rand_encode(poc_wr *wr, uint8_t next, poc_span rand);

poc_err mikey_id_decode(mikey_msg *msg, poc_rd *rd);
void mikey_id_encode(poc_wr *wr, uint8_t next, uint8_t type, poc_span data);

poc_err mikey_sp_decode(mikey_msg *msg, poc_rd *rd);
void mikey_sp_encode(poc_wr *wr, uint8_t next, const mikey_policy *policy);
/** Policy 0 for SRTP with the default of this house: AES-CM-128, HMAC-SHA-1-80, everything on. */
void mikey_sp_encode_default(poc_wr *wr, uint8_t next);

poc_err mikey_ext_decode(mikey_msg *msg, poc_rd *rd);
/** The Key ID extension (RFC 4563); `mtk_id` may be NULL. */
void mikey_ext_encode_key_id(poc_wr *wr, uint8_t next, poc_key_domain domain, poc_msk_id msk_id,
                             const uint16_t *mtk_id);
/** The SDP IDs extension with "mikey" as the only protocol (RFC 4567 section 7). */
void mikey_ext_encode_sdp_ids(poc_wr *wr, uint8_t next);

poc_err mikey_err_decode(mikey_msg *msg, poc_rd *rd);
void mikey_err_encode(poc_wr *wr, uint8_t next, uint8_t error_no);

/** Any extension. */
void mikey_ext_encode(poc_wr *wr, uint8_t next, uint8_t ext_type, poc_span data);

poc_err mikey_idr_decode(mikey_msg *msg, poc_rd *rd);
void mikey_idr_encode(poc_wr *wr, uint8_t next, const mikey_id *id);

poc_err mikey_sakke_decode(mikey_msg *msg, poc_rd *rd);
/** Returns the place for `sed_len` octets of encapsulated data; NULL on overflow. */
uint8_t *mikey_sakke_encode(poc_wr *wr, uint8_t next, size_t sed_len);

poc_err mikey_sign_decode(mikey_msg *msg, poc_rd *rd);
/** Returns the place for the signature; NULL on overflow. */
uint8_t *mikey_sign_encode(poc_wr *wr);

struct mikey_transport;

poc_err mikey_kemac_decode(mikey_msg *msg, poc_rd *rd);
/** Writes KEMAC but for its MAC, with a hole for `encr_len` octets of encrypted key data. */
void mikey_kemac_encode(poc_wr *wr, size_t encr_len);
/** Fills the hole of plain.n octets in a message that ends with KEMAC, MAC included: `n` octets; and the MAC. */
poc_err mikey_kemac_protect(uint8_t *message, size_t n, const struct mikey_transport *t, uint32_t csb_id,
                            uint32_t counter, poc_span plain);
/** Writes KEMAC with `plain` encrypted and the MAC over everything in `wr` from `start` on. */
poc_err mikey_kemac_seal(poc_wr *wr, size_t start, const struct mikey_transport *t, uint32_t csb_id, uint32_t counter,
                         poc_span plain);
/** Checks the MAC under keys of `psk`, then decrypts to `plain`, which has room for msg->encr_data.n octets and is wiped
 *  by the caller. POC_E_AUTH: nothing was written. */
poc_err mikey_kemac_open(uint8_t *plain, const mikey_msg *msg, const poc_secret *psk, mikey_context context);

poc_err mikey_v_decode(mikey_msg *msg, poc_rd *rd);
/** Writes V with the MAC over everything in `wr` from `start` on and then `idi`, `idr`, `ts`, which are not sent. */
poc_err mikey_v_seal(poc_wr *wr, size_t start, const struct mikey_transport *t, poc_span idi, poc_span idr,
                     poc_span ts);
/** POC_E_AUTH unless the MAC of `msg` holds for the same. */
poc_err mikey_v_check(const mikey_msg *msg, const struct mikey_transport *t, poc_span idi, poc_span idr, poc_span ts);

/** A key data sub-payload; spans point into the decrypted octets. */
typedef struct mikey_key_data {
    uint8_t type; /* mikey_key_type */
    uint8_t kv;   /* mikey_kv_type */
    poc_span key, salt;
    poc_span spi;
    poc_span valid_from, valid_to;
} mikey_key_data;

/** Parses a whole chain of at most MIKEY_KEYS_MAX; offsets in `fault` count from the start of `plain`. */
poc_err mikey_key_data_decode(mikey_key_data *out, size_t *count, poc_span plain, poc_fault *fault);
/** Writes one as the end of the chain. */
void mikey_key_data_encode(poc_wr *wr, const mikey_key_data *key);
/** The same, where a profile wants exactly one with a 16-octet key; offsets in `fault` count from the message. */
poc_err mikey_key_data_single(mikey_key_data *out, const mikey_msg *msg, const uint8_t *plain, poc_fault *fault);

#endif
