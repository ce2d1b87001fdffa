/* Transport keys, keystream and MACs of up to sixteen messages side by side. The arithmetic is that of prf.c and keys.c,
 * laid out so that all lanes do the same compressions of SHA-1 in the same order. Private to this room. */
#ifndef MIKEY_LANES_H
#define MIKEY_LANES_H

#include "base/lanes.h"
#include "mikey/keys.h"

/** Messages that share CSB ID and RAND, each with a key of its own. The caller sets `used` and, for each message, `psk`,
 *  `counter` and `text` before the step that reads it. */
typedef struct mikey_lanes {
    const poc_lanes_kernel *k;
    size_t most;        /* lanes that a batch may use */
    size_t used, lanes; /* `lanes` is `used` rounded up: the lanes between repeat the first */
    const poc_secret *psk[POC_LANES];
    uint32_t counter[POC_LANES];
    poc_span text[POC_LANES]; /* what the MAC covers */
    uint8_t mac[POC_LANES][POC_SHA1_LEN];
    uint8_t stream[POC_LANES][POC_LANES_KEYSTREAM];
    uint32_t csb_id;
    size_t blocks[POC_LANES];                    /* of SHA-1 that the MAC of a lane takes */
    uint8_t end[POC_LANES][2 * POC_LANES_BLOCK]; /* the last octets of a text and the padding: public */
    poc_tile label[MIKEY_USE_COUNT];             /* the label as a second block: public */
    poc_tile chained[MIKEY_USE_COUNT];           /* the same behind A_1 */
    poc_tile inner, outer;                       /* HMAC key of the member, then of his message */
    poc_tile key[MIKEY_USE_COUNT];               /* secret, as all before and behind it that is not called public */
    poc_tile block, outer_pad;
    poc_tile digest; /* padded as the second block of the outer hash */
    poc_tile start;  /* the state SHA-1 begins with: public */
} mikey_lanes;

/** The fastest kernel for `n` messages that is here; NULL: one after another with OpenSSL. */
const poc_lanes_kernel *mikey_lanes_best(size_t n);
/** For batches of `n` messages or less each. To be ended with mikey_lanes_done. */
void mikey_lanes_init(mikey_lanes *l, const poc_lanes_kernel *k, size_t n);
/** What the messages share. `labels` were made with a RAND of MIKEY_RAND_LEN octets. */
void mikey_lanes_context(mikey_lanes *l, const mikey_transport *labels, uint32_t csb_id);
/** From `psk` (32 octets each), the keys of the uses from `first` to `last`. */
void mikey_lanes_derive(mikey_lanes *l, mikey_use first, mikey_use last);
/** From the derived keys and `counter`, POC_LANES_KEYSTREAM octets of AES-CM each. Once for each derivation. */
void mikey_lanes_encrypt(mikey_lanes *l);
/** From the derived keys and `text`, the MACs. */
void mikey_lanes_mac(mikey_lanes *l);
/** Wipes all that depends on a key. */
void mikey_lanes_done(mikey_lanes *l);

/** mikey_verification_check_many with a kernel of the caller's choice, for tests and benchmarks; NULL: with none. */
size_t mikey_verification_check_with(const poc_lanes_kernel *k, mikey_verification_job *jobs, size_t n);

#endif
