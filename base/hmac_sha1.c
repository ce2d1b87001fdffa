/* HMAC-SHA-1 over keyed states. MIKEY runs eight HMACs under two keys for every member of a channel; through EVP_MAC
 * each of them copies and allocates digest contexts, which costs several times what the hashing does. The compression
 * function is OpenSSL's (SHA-NI, AVX2 or portable, as the machine has it): the only use of its low-level interface. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/sha.h>
#include <string.h>

#include "base/crypto.h"
#include "base/secret.h"

#define BLOCK 64u

typedef struct sha1_run {
    SHA_CTX sha; /* only h0..h4 are used */
    uint8_t block[BLOCK];
    size_t used;    /* octets in `block` */
    uint64_t total; /* octets taken, those of the keyed state included */
} sha1_run;

static const uint32_t sha1_start[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };

static void run_start(sha1_run *r, const uint32_t state[5], uint64_t total)
{
    r->sha.h0 = state[0];
    r->sha.h1 = state[1];
    r->sha.h2 = state[2];
    r->sha.h3 = state[3];
    r->sha.h4 = state[4];
    r->used = 0;
    r->total = total;
}

static void run_state(const sha1_run *r, uint32_t state[5])
{
    state[0] = r->sha.h0;
    state[1] = r->sha.h1;
    state[2] = r->sha.h2;
    state[3] = r->sha.h3;
    state[4] = r->sha.h4;
}

static void run_put(sha1_run *r, poc_span in)
{
    r->total += in.n;
    while (in.n > 0) {
        if (r->used == 0 && in.n >= BLOCK) {
            SHA1_Transform(&r->sha, in.p);
            in = poc_span_of(in.p + BLOCK, in.n - BLOCK);
            continue;
        }
        size_t n = in.n < BLOCK - r->used ? in.n : BLOCK - r->used;
        memcpy(r->block + r->used, in.p, n);
        in = poc_span_of(in.p + n, in.n - n);
        r->used += n;
        if (r->used == BLOCK) {
            SHA1_Transform(&r->sha, r->block);
            r->used = 0;
        }
    }
}

static void put_be32(uint8_t *out, uint32_t v)
{
    out[0] = (uint8_t)(v >> 24);
    out[1] = (uint8_t)(v >> 16);
    out[2] = (uint8_t)(v >> 8);
    out[3] = (uint8_t)v;
}

static void run_end(sha1_run *r, uint8_t out[POC_SHA1_LEN])
{
    r->block[r->used++] = 0x80;
    if (r->used > BLOCK - 8) {
        memset(r->block + r->used, 0, BLOCK - r->used);
        SHA1_Transform(&r->sha, r->block);
        r->used = 0;
    }
    memset(r->block + r->used, 0, BLOCK - 8 - r->used);
    put_be32(r->block + BLOCK - 8, (uint32_t)(r->total >> 29));
    put_be32(r->block + BLOCK - 4, (uint32_t)(r->total << 3));
    SHA1_Transform(&r->sha, r->block);
    put_be32(out, r->sha.h0); /* straight from `r`, which is wiped: a MAC may be the next key */
    put_be32(out + 4, r->sha.h1);
    put_be32(out + 8, r->sha.h2);
    put_be32(out + 12, r->sha.h3);
    put_be32(out + 16, r->sha.h4);
}

static void pad_state(sha1_run *r, uint32_t state[5], const uint8_t key[BLOCK], uint8_t pad)
{
    run_start(r, sha1_start, 0);
    for (size_t i = 0; i < BLOCK; i++)
        r->block[i] = key[i] ^ pad;
    SHA1_Transform(&r->sha, r->block);
    run_state(r, state);
}

void poc_hmac_sha1_rekey(poc_hmac_sha1_key *state, poc_span key)
{
    uint8_t padded[BLOCK] = { 0 };
    sha1_run r;
    if (key.n > BLOCK) {
        run_start(&r, sha1_start, 0);
        run_put(&r, key);
        run_end(&r, padded);
    } else if (key.n > 0) {
        memcpy(padded, key.p, key.n);
    }
    pad_state(&r, state->inner, padded, 0x36);
    pad_state(&r, state->outer, padded, 0x5c);
    poc_wipe(padded, sizeof(padded));
    poc_wipe(&r, sizeof(r));
}

void poc_hmac_sha1_keyed(uint8_t out[POC_SHA1_LEN], const poc_hmac_sha1_key *state, const poc_span *parts, size_t n)
{
    uint8_t inner[POC_SHA1_LEN];
    sha1_run r;
    run_start(&r, state->inner, BLOCK);
    for (size_t i = 0; i < n; i++)
        run_put(&r, parts[i]);
    run_end(&r, inner);
    run_start(&r, state->outer, BLOCK);
    run_put(&r, poc_span_of(inner, sizeof(inner)));
    run_end(&r, out);
    poc_wipe(inner, sizeof(inner));
    poc_wipe(&r, sizeof(r));
}

poc_err poc_hmac_sha1(uint8_t out[POC_SHA1_LEN], poc_span key, poc_span data)
{
    poc_hmac_sha1_key state;
    poc_hmac_sha1_rekey(&state, key);
    poc_hmac_sha1_keyed(out, &state, &data, 1);
    poc_wipe(&state, sizeof(state));
    return POC_OK;
}
