/* Sealing MSK messages side by side. The arithmetic is that of prf.c and keys.c, laid out so that all lanes do the same
 * compressions of SHA-1 in the same order: 14 for the keys of a member, then those of his message. */
#include <string.h>

#include "mikey/seal.h"

#define BLOCK       POC_LANES_BLOCK
#define HASH        POC_LANES_HASH_WORDS
#define WORDS       POC_LANES_WORDS
#define MUK_WORDS   (POC_MUK_LEN / 4u)
#define SALT_HIGHER 0xffff0000u /* the salt has 14 octets: half of its last word */

_Static_assert(4 * HASH + (9 + MIKEY_RAND_LEN) + 9 <= BLOCK, "A_1, the label and the padding are one block");
_Static_assert(MIKEY_PLAIN_MAX <= POC_LANES_KEYSTREAM, "the keystream covers all key data");

/* Those of a batch that have room and a key, up to sixteen. */
typedef struct wave {
    const mikey_msk_template *m;
    const poc_lanes_kernel *k;
    size_t used, lanes; /* `lanes` is `used` rounded up: the lanes between repeat the first */
    mikey_msk_job *job[POC_LANES];
    size_t blocks[POC_LANES];          /* of SHA-1 that the MAC of a lane takes */
    uint8_t end[POC_LANES][2 * BLOCK]; /* the last octets of a message and the padding: public */
    poc_tile label[MIKEY_USE_COUNT];   /* the label as a second block: public */
    poc_tile chained[MIKEY_USE_COUNT]; /* the same behind A_1 */
    poc_tile inner, outer;             /* HMAC key of the member, then of his message */
    poc_tile key[MIKEY_USE_COUNT];     /* secret, as all before and behind it that is not called public */
    poc_tile block, outer_pad;
    poc_tile digest; /* padded as the second block of the outer hash */
    poc_tile start;  /* the state SHA-1 begins with: public */
    uint8_t stream[POC_LANES][POC_LANES_KEYSTREAM];
} wave;

static uint32_t word_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void word_put(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static const uint32_t sha1_start[HASH] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };

/* ---- set-up: what every wave of a batch begins with ---- */

static size_t lanes_for(const poc_lanes_kernel *k, size_t n)
{
    const size_t most = n < POC_LANES ? n : POC_LANES;
    return (most + k->step - 1) / k->step * k->step;
}

static void fill(const wave *w, poc_tile *t, size_t first, size_t n, uint32_t value)
{
    poc_lanes_fill(w->k, t, first, n, value, w->lanes);
}

/* A last block of an HMAC: `first` words to be computed, then `octets`, padding, and the length with the key's block. */
static void end_put(const wave *w, poc_tile *t, size_t first, const uint8_t *octets, size_t n)
{
    uint8_t padded[BLOCK] = { 0 };
    const size_t total = BLOCK + 4 * first + n;
    if (n > 0)
        memcpy(padded, octets, n);
    padded[n] = 0x80;
    for (size_t word = first; word < WORDS - 1; word++)
        fill(w, t, word, 1, word_at(padded + 4 * (word - first)));
    fill(w, t, WORDS - 1, 1, (uint32_t)(8 * total));
}

static void wave_init(wave *w, const mikey_msk_template *m, const poc_lanes_kernel *k, size_t n)
{
    w->m = m;
    w->k = k;
    w->used = 0;
    w->lanes = lanes_for(k, n);
    for (size_t use = 0; use < MIKEY_USE_COUNT; use++) {
        end_put(w, &w->label[use], 0, m->transport.label[use], m->transport.label_len);
        end_put(w, &w->chained[use], HASH, m->transport.label[use], m->transport.label_len);
    }
    end_put(w, &w->digest, HASH, NULL, 0);
    for (size_t word = 0; word < HASH; word++)
        fill(w, &w->start, word, 1, sha1_start[word]);
}

/* Wipes all that depends on a key, in as many lanes as a batch of `n` used. */
static void wave_done(wave *w, size_t n)
{
    const size_t lanes = lanes_for(w->k, n);
    for (size_t use = 0; use < MIKEY_USE_COUNT; use++) {
        poc_lanes_wipe(w->k, &w->chained[use], lanes);
        poc_lanes_wipe(w->k, &w->key[use], lanes);
    }
    poc_lanes_wipe(w->k, &w->inner, lanes);
    poc_lanes_wipe(w->k, &w->outer, lanes);
    poc_lanes_wipe(w->k, &w->block, lanes);
    poc_lanes_wipe(w->k, &w->outer_pad, lanes);
    poc_lanes_wipe(w->k, &w->digest, lanes);
    poc_wipe(w->stream, lanes * sizeof(w->stream[0]));
}

/* ---- the steps of a wave ---- */

static void sha1(const wave *w, poc_tile *out, const poc_tile *state, const poc_tile *block)
{
    w->k->sha1(out, state, block, w->lanes);
}

/* HMAC over one block: `inner` and `outer` hold the key. */
static void hmac(wave *w, poc_tile *out, const poc_tile *block)
{
    sha1(w, &w->digest, &w->inner, block);
    sha1(w, out, &w->outer, &w->digest);
}

/* Takes the first `words` words of `key` for a new key. */
static void rekey(wave *w, const poc_tile *key, size_t words)
{
    w->k->pads(&w->block, &w->outer_pad, key, words, w->lanes);
    sha1(w, &w->inner, &w->start, &w->block);
    sha1(w, &w->outer, &w->start, &w->outer_pad);
}

/* One block of the PRF is enough for each key (prf.c): A_1 = HMAC(s, label), P = HMAC(s, A_1 || label). */
static void derive(wave *w)
{
    const uint8_t *muk[POC_LANES];
    for (size_t lane = 0; lane < w->lanes; lane++)
        muk[lane] = poc_secret_bytes(w->job[lane]->muk);
    w->k->load(&w->block, muk, MUK_WORDS, w->lanes);
    rekey(w, &w->block, MUK_WORDS);
    for (size_t use = 0; use < MIKEY_USE_COUNT; use++) {
        hmac(w, &w->chained[use], &w->label[use]);
        hmac(w, &w->key[use], &w->chained[use]);
    }
}

/* IV = (salt xor (0x0000 || CSB ID || T)) || 0x0000, RFC 3830 4.2.3 */
static void iv_make(wave *w)
{
    uint32_t *iv = w->key[MIKEY_USE_SALT].w;
    for (size_t lane = 0; lane < w->lanes; lane++) {
        const uint32_t counter = w->job[lane]->counter;
        iv[poc_lanes_at(w->k, 0, lane)] ^= w->m->csb_id >> 16;
        iv[poc_lanes_at(w->k, 1, lane)] ^= w->m->csb_id << 16;
        iv[poc_lanes_at(w->k, 2, lane)] ^= counter >> 16;
        iv[poc_lanes_at(w->k, 3, lane)] = (iv[poc_lanes_at(w->k, 3, lane)] & SALT_HIGHER) ^ counter << 16;
    }
}

static size_t covered(const mikey_msk_job *job)
{
    return job->len - POC_SHA1_LEN;
}

static void encrypt(wave *w)
{
    const mikey_msk_template *m = w->m;
    if (m->plain_len == 0)
        return;
    iv_make(w);
    w->k->keystream(w->stream, &w->key[MIKEY_USE_ENCR], &w->key[MIKEY_USE_SALT], w->used);
    for (size_t lane = 0; lane < w->used; lane++) {
        uint8_t *at = w->job[lane]->out + covered(w->job[lane]) - 1 - m->plain_len;
        for (size_t i = 0; i < m->plain_len; i++)
            at[i] = m->plain[i] ^ w->stream[lane][i];
    }
}

/* The octets behind the last whole block do not leave room for padding where they are. */
static void end_copy(wave *w, size_t lane)
{
    const size_t n = covered(w->job[lane]), left = n % BLOCK;
    const size_t padded = left + 9 > BLOCK ? 2 * BLOCK : BLOCK;
    uint8_t *end = w->end[lane];
    memset(end, 0, sizeof(w->end[lane]));
    memcpy(end, w->job[lane]->out + n - left, left);
    end[left] = 0x80;
    word_put(end + padded - 4, (uint32_t)(8 * (BLOCK + n)));
    w->blocks[lane] = (n - left + padded) / BLOCK;
}

static const uint8_t *block_at(const wave *w, size_t lane, size_t i)
{
    const size_t whole = covered(w->job[lane]) / BLOCK;
    if (i >= w->blocks[lane])
        i = w->blocks[lane] - 1; /* done: what comes after is not used */
    return i < whole ? w->job[lane]->out + BLOCK * i : w->end[lane] + BLOCK * (i - whole);
}

/* The states of the lanes whose message ends with its block `i`. */
static void digests_keep(wave *w, size_t i)
{
    for (size_t lane = 0; lane < w->lanes; lane++) {
        for (size_t word = 0; word < HASH && w->blocks[lane] == i + 1; word++)
            w->digest.w[poc_lanes_at(w->k, word, lane)] = w->inner.w[poc_lanes_at(w->k, word, lane)];
    }
}

/* The inner hash of every lane, which ends where its message ends: to `digest`. */
static void inner_hash(wave *w)
{
    const uint8_t *from[POC_LANES];
    size_t shortest = SIZE_MAX, longest = 0;
    for (size_t lane = 0; lane < w->lanes; lane++) {
        end_copy(w, lane);
        shortest = w->blocks[lane] < shortest ? w->blocks[lane] : shortest;
        longest = w->blocks[lane] > longest ? w->blocks[lane] : longest;
    }
    for (size_t i = 0; i < longest; i++) {
        const bool all_end = shortest == longest && i + 1 == longest;
        for (size_t lane = 0; lane < w->lanes; lane++)
            from[lane] = block_at(w, lane, i);
        w->k->load(&w->block, from, WORDS, w->lanes);
        sha1(w, all_end ? &w->digest : &w->inner, &w->inner, &w->block);
        if (!all_end)
            digests_keep(w, i);
    }
}

static void mac(wave *w)
{
    rekey(w, &w->key[MIKEY_USE_AUTH], HASH);
    inner_hash(w);
    sha1(w, &w->outer, &w->outer, &w->digest);
    for (size_t lane = 0; lane < w->used; lane++) {
        uint8_t *at = w->job[lane]->out + covered(w->job[lane]);
        for (size_t word = 0; word < HASH; word++)
            word_put(at + 4 * word, w->outer.w[poc_lanes_at(w->k, word, lane)]);
    }
}

static void wave_seal(wave *w)
{
    if (w->used == 0)
        return;
    w->lanes = lanes_for(w->k, w->used);
    for (size_t lane = w->used; lane < w->lanes; lane++)
        w->job[lane] = w->job[0];
    derive(w);
    encrypt(w);
    mac(w);
    w->used = 0;
}

void mikey_msk_seal_lanes(const mikey_msk_template *m, const poc_lanes_kernel *k, mikey_msk_job *jobs, size_t n)
{
    wave w;
    wave_init(&w, m, k, n);
    for (size_t i = 0; i < n; i++) {
        jobs[i].err = mikey_msk_lay_out(m, &jobs[i]);
        if (jobs[i].err == POC_OK)
            w.job[w.used++] = &jobs[i];
        if (w.used == POC_LANES)
            wave_seal(&w);
    }
    wave_seal(&w);
    wave_done(&w, n);
}
