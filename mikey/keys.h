/* Transport keys of a message (RFC 3830 4.1.4): what the pre-shared key, CSB ID and RAND give. Private to this room. */
#ifndef MIKEY_KEYS_H
#define MIKEY_KEYS_H

#include "base/crypto.h"
#include "mikey/mikey.h"

typedef enum mikey_use { MIKEY_USE_ENCR, MIKEY_USE_AUTH, MIKEY_USE_SALT, MIKEY_USE_COUNT } mikey_use;

#define MIKEY_LABEL_MAX (4u + 1u + 4u + MIKEY_RAND_MAX)

/** The labels are the same for all members of a channel; only the keyed state changes from one to the next. */
typedef struct mikey_transport {
    poc_hmac_sha1_key psk;
    uint8_t label[MIKEY_USE_COUNT][MIKEY_LABEL_MAX];
    size_t label_len;
} mikey_transport;

/** Sets the labels. POC_E_BUG: RAND is not 16..255 octets. */
poc_err mikey_transport_labels(mikey_transport *t, mikey_context context);
/** Sets the pre-shared key. POC_E_BUG: not 1..32 octets, hence no single block of the PRF. */
poc_err mikey_transport_rekey(mikey_transport *t, const poc_secret *psk);
/** Both. `t` is to be wiped with mikey_transport_done, also after an error. */
poc_err mikey_transport_init(mikey_transport *t, const poc_secret *psk, mikey_context context);
void mikey_transport_done(mikey_transport *t);

/** The MAC of the message under its authentication key, over the parts in a row. */
void mikey_transport_mac(uint8_t mac[POC_SHA1_LEN], const mikey_transport *t, const poc_span *parts, size_t n);
/** AES-CM of RFC 3830 4.2.3, both directions; `out` may be `in`. */
poc_err mikey_transport_cm(uint8_t *out, const mikey_transport *t, uint32_t csb_id, const uint8_t ts64[8], poc_span in);

/** P(s, label, m) of RFC 3830 4.1.2, xored onto `out`. */
void mikey_prf_xor(uint8_t *out, size_t out_len, const poc_hmac_sha1_key *s, poc_span label);

#endif
