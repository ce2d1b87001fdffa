/* Keys of mission critical signalling (TS 33.180): hashed identities, SAKKE and ECCSI (RFC 6507, 6508), the MIKEY-SAKKE
 * I_MESSAGE by which a client uploads its CSK and a server downloads CSKs and MuSiKs, and what is derived from such a key.
 * Pure: octets, keys, time and chance in; octets and keys out. Layouts: spec digest "MCX signalling key management and
 * MIKEY-SAKKE", whose sections are cited below. */
#ifndef MCX_MCX_H
#define MCX_MCX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/secret.h"
#include "mikey/mikey.h"

/* ---- 1. identities, periods and ids of keys (2, 3.1) ---- */

#define MCX_UID_LEN        32u
#define MCX_URI_MAX        512u /* octets of an identity or of the URI of a KMS */
#define MCX_NTP_MINUS_UNIX UINT64_C(2208988800)

/** A key period of a KMS: `number` counts periods of `period_s` seconds since 1900 plus `offset_s`. */
typedef struct mcx_period {
    uint64_t period_s, offset_s, number;
} mcx_period;

/** The number of the period that `ntp_s` (seconds since 1900) falls into; 0 before the first, and for a period of 0. */
uint64_t mcx_period_number(uint64_t ntp_s, uint64_t period_s, uint64_t offset_s);
/** Seconds since 1900 at which the period begins. */
uint64_t mcx_period_start(const mcx_period *period);
/** Seconds since 1900 from the 32 bits of them that a message carries: those nearest to `near_ntp_s` (the count wraps in
 *  2036). */
uint64_t mcx_ntp_expand(uint32_t seconds, uint64_t near_ntp_s);

/** The MIKEY-SAKKE UID (TS 33.180 F.2.1) of `entity_uri` in a period of the KMS `kms_uri`. URIs are hashed octet by octet
 *  as they stand. POC_E_LIMIT: longer than MCX_URI_MAX. POC_E_NOMEM. */
poc_err mcx_uid(uint8_t out[MCX_UID_LEN], poc_span entity_uri, poc_span kms_uri, const mcx_period *period);

/** What a key is for: the four most significant bits of its id (TS 33.180 Annex G). */
typedef enum mcx_key_type {
    MCX_GMK = 0,
    MCX_PCK = 1,
    MCX_CSK = 2,
    MCX_SPK = 3,
    MCX_MKFC = 4,
    MCX_MSCCK = 5,
    MCX_MUSIK = 6,
    MCX_KEY_TYPES
} mcx_key_type;

#define MCX_TYPE_BIT(type) (1u << (type))

typedef enum mcx_service { MCX_MCPTT = 0, MCX_MCVIDEO = 1, MCX_SERVICES } mcx_service;

/** The type of the key with this id. POC_E_INPUT: the tag is unassigned. */
poc_err mcx_key_type_of(mcx_key_type *out, uint32_t key_id);
/** "CSK", "MuSiK", ...; "unknown" for others. */
const char *mcx_key_type_name(unsigned type);
/** A random id with the tag of `type`; whether it is in use already is for the caller to see, who then draws again. */
poc_err mcx_key_id_random(uint32_t *out, mcx_key_type type, const poc_rng *rng);
/** The CS-ID under which a key of `type` is announced and used (TS 33.180 E.1.3); for a PCK that of the initiator.
 *  POC_E_INPUT: a key of this type has none. */
poc_err mcx_cs_id_of(uint8_t *out, mcx_key_type type, mcx_service service);

/* ---- 2. SAKKE: a key for whoever has an identity (RFC 6508 with parameter set 1, 8.2) ---- */

#define MCX_SAKKE_POINT_LEN 257u /* 04 || x || y */
#define MCX_SAKKE_Z_LEN     128u
#define MCX_SED_LEN(ssv)    (MCX_SAKKE_POINT_LEN + (ssv))
#define MCX_SED_MAX         MCX_SED_LEN(32u)
#define MCX_ID_MAX          128u /* octets of an identifier; a UID has 32 */

/** The public key Z of a KMS with its tables for fast multiplication: 2.2 to 2.7 MB for each KMS, and 2.9 to 3.4 MB that all
 *  share. Never changes once made, so that any number of threads may use it. */
typedef struct mcx_sakke mcx_sakke;

/** Takes 20 to 50 ms: meant for a thread in the background, before a key period begins. POC_E_INPUT: `z` is not a point of the
 *  curve, or not one of order q. POC_E_NOMEM. */
poc_err mcx_sakke_new(mcx_sakke **out, const uint8_t z[MCX_SAKKE_POINT_LEN]);
/** One more owner. Thread-safe. */
mcx_sakke *mcx_sakke_ref(mcx_sakke *kms);
/** One owner less; NULL is fine. Thread-safe. */
void mcx_sakke_free(mcx_sakke *kms);
POC_DEFINE_OWNED(mcx_sakke, mcx_sakke_free)

typedef struct mcx_sakke_job {
    poc_span id;  /* of the recipient, 1..MCX_ID_MAX octets */
    uint8_t *sed; /* takes 04 || Rx || Ry || H: MCX_SED_LEN(octets of the key) */
    size_t cap, len;
    poc_err err; /* POC_E_LIMIT: `id` or `cap`; POC_E_NOMEM */
} mcx_sakke_job;

/** Encapsulates one key of 16 or 32 octets for many recipients. Pure over the array: jobs may be split among threads, and the
 *  octets do not depend on how. Eight at a time where the processor has AVX-512 IFMA; one inversion for every 64. Constant time
 *  in the key: every look-up reads its whole row of 32 entries, a tenth of the time. POC_E_LIMIT: another length of the key.
 *  Else POC_OK, and each job says how it went. */
poc_err mcx_sakke_encapsulate(const mcx_sakke *kms, const poc_secret *ssv, mcx_sakke_job *jobs, size_t n);

/** Whoever holds the secret key (RSK) of an identity, with 0.4 to 0.5 MB of lines made from it in locked memory and a table of 2.2 to
 *  2.7 MB. Never changes once made. */
typedef struct mcx_receiver mcx_receiver;

/** Takes 30 to 80 ms. `rsk` has MCX_SAKKE_POINT_LEN octets and is not kept. POC_E_INPUT: not a point of order q.
 *  POC_E_AUTH: not the key of `id` under this KMS. POC_E_LIMIT: the length of `id`. POC_E_NOMEM. */
poc_err mcx_receiver_new(mcx_receiver **out, poc_span id, mcx_sakke *kms, const poc_secret *rsk);
/** One more owner. Thread-safe. */
mcx_receiver *mcx_receiver_ref(mcx_receiver *r);
/** One owner less; NULL is fine. Thread-safe. */
void mcx_receiver_free(mcx_receiver *r);
POC_DEFINE_OWNED(mcx_receiver, mcx_receiver_free)

typedef struct mcx_open_job {
    poc_span sed;
    poc_secret *ssv; /* set on POC_OK, for the caller to free; else NULL */
    poc_err
        err; /* POC_E_INPUT: length, form, or a point off the curve; POC_E_AUTH: the test of 6.2.2 step 4 fails; NOMEM */
} mcx_open_job;

/** Decapsulates. Pure over the array like the sealing. Constant time in the RSK and in what comes out. POC_OK; each job says
 *  how it went. */
poc_err mcx_receiver_open(const mcx_receiver *r, mcx_open_job *jobs, size_t n);

/* ---- 3. ECCSI: a signature by whoever has an identity (RFC 6507 on P-256, 8.1) ---- */

#define MCX_POINT_LEN     65u  /* 04 || x || y: KPAK and PVT */
#define MCX_SCALAR_LEN    32u  /* SSK and KSAK */
#define MCX_SIGNATURE_LEN 129u /* r || s || PVT */

typedef struct mcx_signer mcx_signer;

/** Keeps `ssk`. POC_E_INPUT: a point off the curve, or a scalar out of range. POC_E_AUTH: not the keys of `id` under this
 *  KPAK. POC_E_NOMEM. */
poc_err mcx_signer_new(mcx_signer **out, const uint8_t kpak[MCX_POINT_LEN], poc_span id, poc_secret *ssk,
                       const uint8_t pvt[MCX_POINT_LEN]);
/** One more owner. Thread-safe. */
mcx_signer *mcx_signer_ref(mcx_signer *s);
/** One owner less; NULL is fine. Thread-safe. */
void mcx_signer_free(mcx_signer *s);
POC_DEFINE_OWNED(mcx_signer, mcx_signer_free)

/** The nonce is derived from the key, the message and `rng`: chance that repeats does not repeat a nonce for another message.
 *  POC_E_IO: `rng`. POC_E_NOMEM. */
poc_err mcx_sign(uint8_t signature[MCX_SIGNATURE_LEN], const mcx_signer *s, poc_span message, const poc_rng *rng);

/** Remembers for up to `cached` senders what a verification can reuse: 112 octets each, and 4 KiB more for who is verified a
 *  second time. For one thread. */
typedef struct mcx_verifier mcx_verifier;

/** POC_E_NOMEM. `cached` may be 0. */
poc_err mcx_verifier_new(mcx_verifier **out, size_t cached);
void mcx_verifier_free(mcx_verifier *v);
POC_DEFINE_OWNED(mcx_verifier, mcx_verifier_free)

/** POC_E_INPUT: `signature` has another length, its PVT (or `kpak`) is no point of the curve, r or s is out of range.
 *  POC_E_AUTH: not made over `message` by `id`. POC_E_NOMEM. */
poc_err mcx_verify(mcx_verifier *v, const uint8_t kpak[MCX_POINT_LEN], poc_span id, poc_span message,
                   poc_span signature);

/* ---- 3b. the other side: a KMS of one's own (8.1, 8.2) ---- */

/** Master secrets z and KSAK with their public points. */
typedef struct mcx_kms mcx_kms;

/** Keeps both: `z` of MCX_SAKKE_Z_LEN octets in 2..q-1, `ksak` of MCX_SCALAR_LEN. POC_E_INPUT: out of range. POC_E_NOMEM. */
poc_err mcx_kms_new(mcx_kms **out, poc_secret *z, poc_secret *ksak);
void mcx_kms_free(mcx_kms *kms);
POC_DEFINE_OWNED(mcx_kms, mcx_kms_free)
/** Fresh master secrets. POC_E_IO: `rng`. POC_E_NOMEM. */
poc_err mcx_kms_secrets(poc_secret **z, poc_secret **ksak, const poc_rng *rng);
/** Z and KPAK, MCX_SAKKE_POINT_LEN and MCX_POINT_LEN octets that live as long as the KMS. */
poc_span mcx_kms_z(const mcx_kms *kms);
poc_span mcx_kms_kpak(const mcx_kms *kms);

typedef struct mcx_user_keys {
    poc_secret *rsk; /* MCX_SAKKE_POINT_LEN octets */
    poc_secret *ssk; /* MCX_SCALAR_LEN octets */
    uint8_t pvt[MCX_POINT_LEN];
} mcx_user_keys;

/** Makes the keys of `id`. POC_E_LIMIT: its length. POC_E_IO: `rng`. POC_E_NOMEM. On error `out` is empty. */
poc_err mcx_kms_issue(mcx_user_keys *out, const mcx_kms *kms, poc_span id, const poc_rng *rng);
void mcx_user_keys_done(mcx_user_keys *keys);

#define MCX_KMS_PERIOD_MIN_S 60u

/** What a KMS of one's own is made of, as it is kept in a file that only its owner can read. */
typedef struct mcx_kms_master {
    char kms_uri[MCX_URI_MAX + 1];
    uint64_t period_s, offset_s; /* at least MCX_KMS_PERIOD_MIN_S; less than that */
    poc_secret *z, *ksak;        /* owned; for mcx_kms_new */
} mcx_kms_master;

/** Writes the text, with the secrets in it: the caller wipes it. POC_E_LIMIT; 1,024 octets are enough. */
poc_err mcx_kms_master_put(poc_wr *out, const mcx_kms_master *master);
/** POC_E_INPUT: not such a text, or out of memory; `out` is empty then. */
poc_err mcx_kms_master_read(mcx_kms_master *out, poc_span text);
/** Safe on zeros. */
void mcx_kms_master_done(mcx_kms_master *master);

/* ---- 5. what comes with a key (3.8, 3.9) ---- */

#define MCX_GROUPS_MAX     16u
#define MCX_PARAMETERS_MAX 1024u /* octets of the content, in clear */
#define MCX_SEALED_MAX     (MCX_PARAMETERS_MAX + 64u)

/** The content of a key parameters payload (TS 33.180 E.6). Times are Unix seconds of at most 40 bits. */
typedef struct mcx_key_parameters {
    mcx_key_type type;
    bool is_revoked;
    bool is_shared;                  /* with a signalling proxy or security gateway */
    uint64_t activation_s;           /* 0: from the time of the message on */
    uint64_t expiry_s;               /* 0: never */
    poc_span text;                   /* a name for people, UTF-8 */
    poc_span groups[MCX_GROUPS_MAX]; /* URIs; for GMK, MKFC and MuSiK only */
    size_t group_count;
} mcx_key_parameters;

/** Reads the content; spans point into `plain`. `type` is that of the CSB ID: what the content says must be the same, or,
 *  with `counts_from_one` (old senders), one more. POC_E_INPUT. */
poc_err mcx_key_parameters_read(mcx_key_parameters *out, poc_span plain, mcx_key_type type, bool counts_from_one,
                                poc_fault *fault);
/** POC_E_LIMIT: does not fit. POC_E_BUG: groups with a key that has none, or a time over 40 bits. */
poc_err mcx_key_parameters_write(poc_wr *out, const mcx_key_parameters *p);
/** Writes the content encrypted with `key`, the key it speaks of, of 16 or 32 octets: an MCData protected payload (TS 33.180
 *  8.5.4), dated `unix_s`, with an IV from `rng`. Room for MCX_SEALED_MAX is always enough. */
poc_err mcx_key_parameters_seal(poc_wr *out, const mcx_key_parameters *p, const poc_secret *key, uint32_t csb_id,
                                uint64_t unix_s, const poc_rng *rng);
/** The reverse, to `plain`, in which the spans of `out` then lie; takes the unencrypted forms of old senders as well.
 *  POC_E_AUTH: not encrypted with `key`; POC_E_INPUT. */
poc_err mcx_key_parameters_open(mcx_key_parameters *out, uint8_t plain[MCX_PARAMETERS_MAX], poc_span data,
                                const poc_secret *key, uint32_t csb_id, poc_fault *fault);

/** The id under which one user has a GMK (TS 33.180 5.2.3), and from that the id of the GMK again: the same computation.
 *  `user_uri` is the user's mission critical service id. */
poc_err mcx_guk_id(uint32_t *out, uint32_t id, const poc_secret *gmk, poc_span user_uri);

/* ---- 6. what is derived from a key (6.1, 6.4) ---- */

#define MCX_SRTP_SALT_LEN 12u

/** The keys for XML content and for its signatures (FC 0x51, 0x52), each as long as `xpk` (16 or 32 octets), which is the CSK
 *  with its id; `service_uri` is the client's service id in both directions. On error neither is set. */
poc_err mcx_xml_keys(poc_secret **confidentiality, poc_secret **integrity, const poc_secret *xpk, uint32_t xpk_id,
                     poc_span service_uri);

/** What SRTP and SRTCP master keys are derived with besides the key itself. */
typedef struct mcx_srtp_context {
    uint32_t csb_id; /* of the message that brought the key */
    uint8_t cs_id;
    poc_span rand; /* 16..255 octets */
} mcx_srtp_context;

/** Master key (`key_len` octets, 16 or 32) || master salt (MCX_SRTP_SALT_LEN) from `key` (RFC 3830 4.1.4 with
 *  HMAC-SHA-256). POC_E_LIMIT: lengths. */
poc_err mcx_srtp_master(poc_secret **out, const poc_secret *key, const mcx_srtp_context *context, size_t key_len);

/* ---- 7. which algorithm protects signalling (3.5, 3.6) ---- */

#define MCX_OFFER_MAX 8u

/** In the numbers of an SP payload. */
typedef struct mcx_algorithm {
    uint8_t encr; /* 6: AES-GCM, 1: AES-CM with HMAC-SHA-1 */
    uint8_t key_len, salt_len, tag_len;
} mcx_algorithm;

extern const mcx_algorithm mcx_aes128_gcm; /* what both sides speak when nothing is said */
extern const mcx_algorithm mcx_aes256_gcm, mcx_aes128_cm;

bool mcx_algorithm_eq(const mcx_algorithm *a, const mcx_algorithm *b);
/** The SP parameters that say `a`. */
void mcx_algorithm_put(poc_wr *out, const mcx_algorithm *a);

/** What the sender of a message supports, in its order of preference, without repetitions; the first is the one it has
 *  selected. A message that says nothing: the default alone. */
typedef struct mcx_offer {
    mcx_algorithm algorithms[MCX_OFFER_MAX];
    size_t count; /* never 0 */
} mcx_offer;

/** POC_E_INPUT: more than MCX_OFFER_MAX, or a parameter that makes no sense. */
poc_err mcx_offer_read(mcx_offer *out, const mikey_msg *msg, poc_fault *fault);

/** What a server lets its clients use. */
typedef struct mcx_algorithm_policy {
    const mcx_algorithm *allowed;
    size_t allowed_count;
    const mcx_algorithm *forced; /* every client shall use this one; NULL: whichever allowed one it likes best */
} mcx_algorithm_policy;

typedef struct mcx_choice {
    mcx_algorithm algorithm;
    bool
        needs_download; /* not the one the client has selected: in force only with the key of a download that names it */
} mcx_choice;

/** POC_E_DENIED: the client supports nothing that the policy allows. */
poc_err mcx_algorithm_choose(mcx_choice *out, const mcx_offer *offer, const mcx_algorithm_policy *policy);

/* ---- 7b. floor control and other RTCP under such a key (6.3, 6.4; RFC 3711 3.4, RFC 7714 9) ---- */

#define MCX_SRTCP_OVERHEAD  24u   /* octets that protection adds: tag, E flag with index, MKI */
#define MCX_SRTCP_CLEAR_MIN 8u    /* octets of header and SSRC, which stay readable */
#define MCX_SRTCP_MAX       1500u /* octets of a protected packet */
#define MCX_SRTCP_SSRC_MAX  4096u /* senders under one key: two for every session that a CSK lives through */
#define MCX_SRTCP_INDEX_MAX 0x7fffffffu

/** What a protected packet shows. */
typedef struct mcx_srtcp_view {
    uint32_t ssrc, index;
    uint32_t key_id; /* its MKI */
} mcx_srtcp_view;

/** Looks at the frame of a packet. POC_E_INPUT: no RTCP packet, or of another size than there are; POC_E_AUTH: one in clear,
 *  which nobody accepts. What it shows is authentic only after mcx_srtcp_unprotect. */
poc_err mcx_srtcp_look(mcx_srtcp_view *out, poc_span packet);

/** A CSK or MuSiK at work on control packets: session keys, the index of every SSRC that sends here and the replay window (128
 *  packets) of every SSRC that was heard. For one thread. */
typedef struct mcx_srtcp mcx_srtcp;

/** `key` has 16 or 32 octets; its id, which is the MKI, is the csb_id of the context. POC_E_INPUT: an algorithm other than
 *  AES-GCM with a key of 16 or 32 octets, a salt of 12 and a tag of 16. POC_E_LIMIT: `context`. POC_E_NOMEM. */
poc_err mcx_srtcp_new(mcx_srtcp **out, const poc_secret *key, const mcx_srtp_context *context,
                      const mcx_algorithm *algorithm);
void mcx_srtcp_free(mcx_srtcp *s);
POC_DEFINE_OWNED(mcx_srtcp, mcx_srtcp_free)
uint32_t mcx_srtcp_key_id(const mcx_srtcp *s);

/** Appends a packet (or compound packet) protected, under the SSRC that it begins with. Both sides of a unicast CSK have the
 *  same session keys: an SSRC that was heard from the other side cannot send here. POC_E_INPUT: no RTCP packet; POC_E_STATE: the
 *  SSRC is the other side's; POC_E_LIMIT: too long, no room, one SSRC too many, or no index left; POC_E_NOMEM. */
poc_err mcx_srtcp_protect(mcx_srtcp *s, poc_wr *out, poc_span clear);
/** The index that the next packet of `ssrc` will have. */
uint32_t mcx_srtcp_next_index(const mcx_srtcp *s, uint32_t ssrc);
/** The next packet of `ssrc` has at least this index: for who goes on with a key after a restart. POC_E_STATE: the SSRC is the
 *  other side's; POC_E_LIMIT. */
poc_err mcx_srtcp_start(mcx_srtcp *s, uint32_t ssrc, uint32_t index);
/** The reverse of protecting: writes the clear packet of packet.n - MCX_SRTCP_OVERHEAD octets to `out`, which has room for them.
 *  POC_E_INPUT as mcx_srtcp_look, and another key's MKI; POC_E_AUTH: in clear, altered, repeated or older than the window, or
 *  sent by an SSRC of ours; POC_E_LIMIT: one SSRC too many; POC_E_NOMEM. `out` is undefined then. */
poc_err mcx_srtcp_unprotect(mcx_srtcp *s, uint8_t *out, size_t *n, poc_span packet);

/* ---- 7c. MBMS subchannel control: which group is heard where (TS 24.380 8.4, TS 24.581 9.3) ---- */

#define MCX_TMGI_LEN  6u   /* TS 24.008 10.5.6.13 */
#define MCX_GROUP_MAX 255u /* octets of the URI of a group */
#define MCX_MCMC_MAX  328u /* octets of a message */

typedef enum mcx_mcmc_type { MCX_MCMC_MAP = 0, MCX_MCMC_UNMAP = 1 } mcx_mcmc_type;

/** MapGroupToBearer: this group is heard there from now on. UnmapGroupToBearer: no more; of which only the group is used. Lines are
 *  those of the SDP in the announcement of the bearer, from 1; 0: there is none, and its port is not told. */
typedef struct mcx_mcmc {
    mcx_service service;
    mcx_mcmc_type type;
    uint32_t ssrc;  /* of the sender */
    poc_span group; /* URI, 1..MCX_GROUP_MAX octets */
    bool has_tmgi;
    uint8_t tmgi[MCX_TMGI_LEN];
    uint8_t audio_line, floor_line; /* floor: of what controls the media. The audio port of MCPTT is told in any case */
    uint16_t audio_port, floor_port;
    uint8_t video_line, fec_line; /* of MCVideo, whose video port is told in any case */
    uint16_t video_port, fec_port;
    uint8_t address_len, address[16]; /* 4 or 16 octets */
} mcx_mcmc;

/** Appends an RTCP APP packet in clear. POC_E_INPUT: a length, line or service that there is not; POC_E_LIMIT. */
poc_err mcx_mcmc_write(poc_wr *out, const mcx_mcmc *msg);
/** Is it one of these at all, of any service? Not checked any further. */
bool mcx_mcmc_is(poc_span packet);
/** Reads a clear packet; spans point into it. Old names and ids of the first release are taken as well. POC_E_INPUT: malformed, or
 *  without what a message of its type has to say. */
poc_err mcx_mcmc_read(mcx_mcmc *out, poc_span packet, poc_fault *fault);

/* ---- 4. I_MESSAGE (3) ---- */

/** What the certificate of a KMS says, and what was made of it. Borrowed: all of it outlives its use below. */
typedef struct mcx_certificate {
    poc_span kms_uri;
    uint64_t period_s, offset_s;
    const mcx_sakke *sakke; /* of its Z */
    const uint8_t *kpak;    /* MCX_POINT_LEN octets */
} mcx_certificate;

/** An identity that has keys of its own, in one key period. */
typedef struct mcx_identity {
    poc_span uri; /* may be empty to who only looks at messages with hidden identities */
    const mcx_certificate *kms;
    uint64_t period_number;
    uint8_t uid[MCX_UID_LEN];
    const mcx_receiver *receiver; /* NULL where it only signs */
    const mcx_signer *signer;     /* NULL where it only opens */
} mcx_identity;

/** Sets `uid` from the other fields. Errors as mcx_uid. */
poc_err mcx_identity_init(mcx_identity *identity);

/** Takes a message apart and checks its form: mikey_decode, data type 26, a purpose tag that is assigned. Nothing is
 *  authenticated yet. POC_E_INPUT with `fault` (may be NULL). */
poc_err mcx_i_message_read(mikey_msg *out, poc_span octets, poc_fault *fault);

/** The octets of a body of type application/mikey, which peers send as octets or as base64, told apart by the first octet;
 *  `says_base64`: the header said so. `out` has room for `cap`. POC_E_INPUT, POC_E_LIMIT. */
poc_err mcx_body_octets(uint8_t *out, size_t cap, size_t *n, poc_span body, bool says_base64);

/** What all messages of a batch have in common. */
typedef struct mcx_seal_params {
    const mcx_identity *sender;
    uint32_t key_id;                 /* a PCK's, CSK's, SPK's or MuSiK's; a GMS diversifies GMKs, so they are refused */
    uint8_t rand[MIKEY_RAND_LEN];    /* one per key: what is derived from the key depends on it */
    uint64_t ntp;                    /* seconds since 1900 (the low 32 bits of them) || fraction */
    uint64_t ntp_s;                  /* the same seconds, all of them */
    uint8_t cs_id;                   /* stands in the message only beside an algorithm */
    const mcx_algorithm *algorithms; /* in order of preference; none: nothing is said, the default is meant */
    size_t algorithm_count;
    const mcx_key_parameters *parameters; /* NULL: none */
    bool hides_identities;                /* UIDs stand for the URIs of both sides (TS 33.180 5.2.6) */
    bool to_self;                         /* add the SAKKE-to-self extension (TS 33.180 E.5) */
} mcx_seal_params;

/** One recipient's message. The caller sets all but the last two. */
typedef struct mcx_seal_job {
    poc_span uri;
    const mcx_certificate *kms;
    uint8_t *out;
    size_t cap;  /* MIKEY_MESSAGE_MAX is always enough */
    size_t len;  /* set: octets written */
    poc_err err; /* set: POC_OK or why this recipient has no message */
} mcx_seal_job;

/** Seals `key` (16 or 32 octets) for `n` recipients: one encapsulation each, in batches, and one signature each. Draws from
 *  `rng` the IV of the key parameters, once, and what the signatures take. Pure over the array: callable from several
 *  threads at once on disjoint slices. Returns POC_OK when every job is, else the first error; the other jobs are done all
 *  the same, unless it is an error of `params`, which every job then has: POC_E_STATE when the sender's key is not of the
 *  period of `ntp_s`, POC_E_BUG, POC_E_INPUT for a key id that has no place here. */
poc_err mcx_i_message_seal(const mcx_seal_params *params, const poc_secret *key, const poc_rng *rng, mcx_seal_job *jobs,
                           size_t n);

/** Which messages were accepted, for as long as they would be accepted again: bounded, for one thread. */
typedef struct mcx_replay mcx_replay;
/** Remembers `capacity` messages (at least 1), and `of_sender` of one sender (at least 1): of him the oldest makes room, since
 *  what is older than his last is refused in any case, and so many of them of one time are all that he may send. Nobody fills it
 *  alone. When it has to forget a message early, it refuses from then on everything as old as that one, from everybody. `seed` as
 *  for poc_table_init. */
poc_err mcx_replay_new(mcx_replay **out, size_t capacity, size_t of_sender, uint64_t seed);
void mcx_replay_free(mcx_replay *r);
POC_DEFINE_OWNED(mcx_replay, mcx_replay_free)
size_t mcx_replay_count(const mcx_replay *r);
/** The message remembered last may come again: what it asked for could not be done after all. */
void mcx_replay_forget_last(mcx_replay *r);

typedef struct mcx_opened mcx_opened;

/** What a message is held against. Everything is borrowed for the call. */
typedef struct mcx_expected {
    uint64_t now_ntp_s;
    uint32_t skew_s;               /* how far the time of the message may be from now, either way */
    bool any_time;                 /* no skew and no expiry: for looking at stored messages */
    const uint64_t *period_number; /* the period of every key here; NULL: that of the time of the message */
    const mcx_identity *own;       /* every identity of ours, in every period for which there is a key */
    size_t own_count;
    const mcx_certificate *certificates; /* of every KMS whose users may send */
    size_t certificate_count;
    poc_span sender;       /* who the bearer says it is, octet by octet; empty: whoever signed */
    uint32_t types;        /* MCX_TYPE_BIT of each key type that may come this way */
    bool accepts_revoked;  /* for a receiver of downloads: a revocation is a message like any other */
    bool strict_signature; /* refuse what old senders signed without the header of SIGN */
    mcx_replay *replay;    /* NULL: not remembered */
    mcx_verifier *verifier;
    /** Whether the id is that of another user's key; may be NULL. `sender` is the identity that stands in the message. */
    bool (*is_taken)(void *ctx, uint32_t csb_id, poc_span sender);
    /** Whether something younger was taken of its sender, though `replay` does not remember it; may be NULL. */
    bool (*is_stale)(void *ctx, uint32_t csb_id, uint64_t sent_ntp_s);
    /** Asked last, when all else holds and before the message is remembered: what it returns is how it went. May be NULL. */
    poc_err (*admit)(void *ctx, const mcx_opened *opened);
    void *ctx;
} mcx_expected;

/** An opened message. */
struct mcx_opened {
    poc_secret *key; /* owned; 16 or 32 octets */
    mcx_key_type type;
    uint32_t key_id; /* of a GMK: the GMK-ID; else the same as csb_id */
    uint32_t csb_id;
    uint8_t cs_id;
    uint8_t rand[MIKEY_RAND_MAX];
    size_t rand_len;
    uint64_t sent_ntp_s;
    uint8_t sender_uid[MCX_UID_LEN];
    const mcx_identity *own; /* for which of ours it was */
    mcx_offer offer;
    bool signature_valid;    /* also when a later step failed */
    bool signature_is_short; /* one of an old sender */
    bool has_parameters;
    mcx_key_parameters parameters; /* spans point into `plain` */
    uint8_t *plain;                /* owned */
};

/** Checks and opens a message in the order of digest 3.10: own identity, sender, time, replay, key id, signature, and only
 *  then the decapsulation and the key parameters, and `admit`; what passes all is remembered in the replay cache. The first step that
 *  fails ends it, `fault` (may be NULL) saying where and why:
 *  POC_E_DENIED: not for us, not from that sender, a key that may not come this way, revoked, id of another's key;
 *  POC_E_AUTH: time, replay, signature, key for no identity of ours, wrong TEST, key parameters not under that key;
 *  POC_E_INPUT: malformed inside, or a point that is none. On any error there is no key and nothing is remembered. */
poc_err mcx_i_message_open(mcx_opened *out, const mikey_msg *msg, const mcx_expected *expected, poc_fault *fault);
/** Only the steps that need no key of ours: sender and signature, whoever it is for and whenever it was. Errors as above. */
poc_err mcx_i_message_verify(const mikey_msg *msg, const mcx_expected *expected, poc_fault *fault);
/** Safe on what any mcx_i_message_open has left, and on zeros. */
void mcx_opened_done(mcx_opened *opened);

/* ---- 8. what a KMS is asked and answers (5; TS 33.180 Annex D) ---- */

#define MCX_KMS_ANSWER_MAX       4096u               /* octets of an answer, of those that are written here */
#define MCX_KMS_DOCUMENT_MAX     ((size_t)64 * 1024) /* octets of a document that is read */
#define MCX_KMS_URL_MAX          2048u
#define MCX_KMS_CERTIFICATES_MAX 8u
#define MCX_KMS_SETS_MAX         4u
#define MCX_KMS_TIME_SKEW_S      30u /* how far Time may be from now, where nothing else is configured */

/** What every document says first. */
typedef struct mcx_kms_answer {
    poc_span user_uri; /* who asked, or asks */
    poc_span kms_uri;
    poc_span request_url; /* what was asked */
    int64_t now_s;        /* Unix */
} mcx_kms_answer;

/** Writes a KmsResponse with a KmsInit: the root certificate of `kms`. POC_E_INPUT: control characters in a URI. POC_E_LIMIT:
 *  does not fit. */
poc_err mcx_kms_init_put(poc_wr *out, const mcx_kms_answer *answer, const mcx_kms *kms, uint64_t period_s,
                         uint64_t offset_s);
/** Writes a KmsResponse with a KmsKeyProv: the keys of `user_uri` in one period, in clear; the caller wipes it. Errors as
 *  above. */
poc_err mcx_kms_keys_put(poc_wr *out, const mcx_kms_answer *answer, poc_span user_uri, const uint8_t uid[MCX_UID_LEN],
                         const mcx_period *period, const mcx_user_keys *keys);
/** Writes a KmsResponse with a KmsCertCache, the number of the cache in it, and in that the certificate of `kms`, unless it
 *  is NULL: nothing has changed. Errors as above. */
poc_err mcx_kms_certificates_put(poc_wr *out, const mcx_kms_answer *answer, const mcx_kms *kms, uint64_t period_s,
                                 uint64_t offset_s, uint32_t cache_number);
/** Writes a KmsResponse with a KmsError. Errors as above. */
poc_err mcx_kms_error_put(poc_wr *out, const mcx_kms_answer *answer, unsigned code, const char *message);

/** A KmsCertificate as it was read. Times are Unix seconds, 0: not said. */
typedef struct mcx_kms_certificate {
    bool is_external; /* of another KMS, whose users may send */
    bool is_security_gateway, is_revoked;
    char kms_uri[MCX_URI_MAX + 1];
    int64_t valid_from_s, valid_to_s;
    uint64_t period_s, offset_s;
    uint8_t z[MCX_SAKKE_POINT_LEN], kpak[MCX_POINT_LEN];
} mcx_kms_certificate;

/** A KmsKeySet as it was read: somebody's keys in one period. */
typedef struct mcx_kms_key_set {
    char kms_uri[MCX_URI_MAX + 1], user_uri[MCX_URI_MAX + 1];
    uint8_t uid[MCX_UID_LEN];
    int64_t valid_from_s, valid_to_s;
    uint64_t period_number;
    bool is_revoked;
    mcx_user_keys keys; /* owned */
} mcx_kms_key_set;

typedef enum mcx_kms_kind {
    MCX_KMS_NOTHING, /* not in what was read */
    MCX_KMS_INIT,    /* one certificate */
    MCX_KMS_KEYS,    /* 0 or more key sets */
    MCX_KMS_CACHE,   /* 0 or more certificates */
    MCX_KMS_ERROR
} mcx_kms_kind;

typedef struct mcx_kms_response {
    char user_uri[MCX_URI_MAX + 1], kms_uri[MCX_URI_MAX + 1], request_url[MCX_KMS_URL_MAX + 1];
    int64_t time_s;
    mcx_kms_kind kind;
    mcx_kms_certificate certificates[MCX_KMS_CERTIFICATES_MAX];
    size_t certificate_count;
    mcx_kms_key_set sets[MCX_KMS_SETS_MAX];
    size_t set_count;
    uint64_t cache_number; /* 0: not said */
    uint64_t error_code;
    char error_message[256];
} mcx_kms_response;

/** Reads a KmsResponse from UTF-8. No DTD, no entities; elements of other namespaces are passed over, signatures with them:
 *  what carries the document vouches for it. Keys that are wrapped in a transport key are refused. POC_E_INPUT with a constant
 *  reason in `why`; POC_E_LIMIT: too large, too deep or too many; POC_E_NOMEM. The caller wipes `xml`. On error `out` is
 *  empty. */
poc_err mcx_kms_response_read(mcx_kms_response *out, poc_span xml, const char **why);
/** Safe on zeros. */
void mcx_kms_response_done(mcx_kms_response *response);

/** What a response is held against: what was asked, of whom and when. */
typedef struct mcx_kms_asked {
    poc_span user_uri, kms_uri;
    poc_span path; /* "/keymanagement/identity/v1/init": ClientReqUrl ends with it */
    int64_t now_s;
    uint32_t skew_s;
} mcx_kms_asked;

/** Is it the answer to this question? POC_E_AUTH: another time, URL, user or KMS; POC_E_DENIED: a KmsError. `why` tells. */
poc_err mcx_kms_response_check(const mcx_kms_response *response, const mcx_kms_asked *asked, const char **why);
/** Are these keys that can be used with that certificate? POC_E_AUTH: another KMS, or not the UID of its user in its period;
 *  POC_E_DENIED: one of both is revoked; POC_E_NOMEM. Whether the keys are what they should be mcx_receiver_new and
 *  mcx_signer_new find out. */
poc_err mcx_kms_key_set_check(const mcx_kms_key_set *set, const mcx_kms_certificate *certificate, const char **why);

/** A KmsRequest as it was read. */
typedef struct mcx_kms_request {
    char user_uri[MCX_URI_MAX + 1], kms_uri[MCX_URI_MAX + 1], request_url[MCX_KMS_URL_MAX + 1];
    char client_id[256]; /* "": not said */
    int64_t time_s;
} mcx_kms_request;

/** Writes a KmsRequest. POC_E_INPUT: control characters; POC_E_LIMIT. */
poc_err mcx_kms_request_put(poc_wr *out, const mcx_kms_answer *asked);
/** Errors as mcx_kms_response_read. */
poc_err mcx_kms_request_read(mcx_kms_request *out, poc_span xml, const char **why);
/** The path of a request for keys: `root`, "/keyprov/", the percent-encoded URI, and the time when it is not 0 (a 64-bit NTP
 *  timestamp in hex). */
void mcx_kms_key_path_put(poc_wr *out, const char *root, poc_span user_uri, uint64_t ntp_s);

/** A KMS of one's own behind the requests of its users. */
typedef struct mcx_kms_service {
    const mcx_kms *kms;
    poc_span kms_uri;
    uint64_t period_s, offset_s;
    const char *root;       /* "/keymanagement/identity/v1" */
    uint32_t cache_number;  /* of the certificates that it gives out: another one with other keys; not 0 */
    uint32_t skew_s;        /* how far the time of a request may be from now, either way */
    uint32_t periods_ahead; /* of which keys are given out before they begin */
    const poc_rng *rng;
} mcx_kms_service;

typedef struct mcx_kms_served {
    int status;      /* of HTTP; with 400 there is no document */
    const char *why; /* for the log: constant, "" when all is well */
} mcx_kms_served;

/** Answers POST `target` with `body` by writing a KmsResponse (room for MCX_KMS_ANSWER_MAX + MCX_KMS_URL_MAX is enough), in
 *  which there may be keys: the caller wipes it. `user_uri` is who asks, as its token proves: it gets its own keys and nobody
 *  else's, for the present period, the one before and `periods_ahead`. What is refused is written as a KmsError. POC_E_IO:
 *  `rng`; POC_E_LIMIT; POC_E_NOMEM: nothing is to be sent. */
poc_err mcx_kms_serve(poc_wr *out, mcx_kms_served *served, const mcx_kms_service *service, poc_span user_uri,
                      poc_span target, poc_span body, int64_t now_s);

#endif
