#include "mikey/lanes.h"

#include <string.h>

#define BLOCK       POC_LANES_BLOCK
#define HASH        POC_LANES_HASH_WORDS
#define WORDS       POC_LANES_WORDS
#define MUK_WORDS   (POC_MUK_LEN / 4u)
#define WORTH_WIDE  5u /* messages from which on sixteen lanes in step are faster than two in flight */
#define WORTH_TWO   2u
#define SALT_HIGHER 0xffff0000u /* the salt has 14 octets: half of its last word */

_Static_assert(4 * HASH + (9 + MIKEY_RAND_LEN) + 9 <= BLOCK, "A_1, the label and the padding are one block");

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

/* ---- set-up ---- */

const poc_lanes_kernel *mikey_lanes_best(size_t n)
{
    if (n >= WORTH_WIDE && poc_lanes_avx512() != NULL)
        return poc_lanes_avx512();
    return n >= WORTH_TWO ? poc_lanes_sha_ni() : NULL;
}

static size_t lanes_for(const poc_lanes_kernel *k, size_t n)
{
    const size_t most = n < POC_LANES ? n : POC_LANES;
    return (most + k->step - 1) / k->step * k->step;
}

static void fill(const mikey_lanes *l, poc_tile *t, size_t first, size_t n, uint32_t value)
{
    poc_lanes_fill(l->k, t, first, n, value, l->most);
}

/* A last block of an HMAC: `first` words to be computed, then `octets`, padding, and the length with the key's block. */
static void end_put(const mikey_lanes *l, poc_tile *t, size_t first, const uint8_t *octets, size_t n)
{
    uint8_t padded[BLOCK] = { 0 };
    const size_t total = BLOCK + 4 * first + n;
    if (n > 0)
        memcpy(padded, octets, n);
    padded[n] = 0x80;
    for (size_t word = first; word < WORDS - 1; word++)
        fill(l, t, word, 1, word_at(padded + 4 * (word - first)));
    fill(l, t, WORDS - 1, 1, (uint32_t)(8 * total));
}

void mikey_lanes_init(mikey_lanes *l, const poc_lanes_kernel *k, size_t n)
{
    l->k = k;
    l->used = 0;
    l->most = lanes_for(k, n);
    end_put(l, &l->digest, HASH, NULL, 0);
    for (size_t word = 0; word < HASH; word++)
        fill(l, &l->start, word, 1, sha1_start[word]);
}

void mikey_lanes_context(mikey_lanes *l, const mikey_transport *labels, uint32_t csb_id)
{
    l->csb_id = csb_id;
    for (size_t use = 0; use < MIKEY_USE_COUNT; use++) {
        end_put(l, &l->label[use], 0, labels->label[use], labels->label_len);
        end_put(l, &l->chained[use], HASH, labels->label[use], labels->label_len);
    }
}

void mikey_lanes_done(mikey_lanes *l)
{
    const size_t lanes = l->most;
    for (size_t use = 0; use < MIKEY_USE_COUNT; use++) {
        poc_lanes_wipe(l->k, &l->chained[use], lanes);
        poc_lanes_wipe(l->k, &l->key[use], lanes);
    }
    poc_lanes_wipe(l->k, &l->inner, lanes);
    poc_lanes_wipe(l->k, &l->outer, lanes);
    poc_lanes_wipe(l->k, &l->block, lanes);
    poc_lanes_wipe(l->k, &l->outer_pad, lanes);
    poc_lanes_wipe(l->k, &l->digest, lanes);
    poc_wipe(l->stream, lanes * sizeof(l->stream[0]));
    poc_wipe(l->mac, lanes * sizeof(l->mac[0]));
}

/* ---- keys ---- */

static void sha1(const mikey_lanes *l, poc_tile *out, const poc_tile *state, const poc_tile *block)
{
    l->k->sha1(out, state, block, l->lanes);
}

/* HMAC over one block: `inner` and `outer` hold the key. */
static void hmac(mikey_lanes *l, poc_tile *out, const poc_tile *block)
{
    sha1(l, &l->digest, &l->inner, block);
    sha1(l, out, &l->outer, &l->digest);
}

/* Takes the first `words` words of `key` for a new key. */
static void rekey(mikey_lanes *l, const poc_tile *key, size_t words)
{
    l->k->pads(&l->block, &l->outer_pad, key, words, l->lanes);
    sha1(l, &l->inner, &l->start, &l->block);
    sha1(l, &l->outer, &l->start, &l->outer_pad);
}

/* One block of the PRF is enough for each key (prf.c): A_1 = HMAC(s, label), P = HMAC(s, A_1 || label). */
void mikey_lanes_derive(mikey_lanes *l, mikey_use first, mikey_use last)
{
    const uint8_t *psk[POC_LANES];
    l->lanes = lanes_for(l->k, l->used);
    for (size_t lane = 0; lane < l->lanes; lane++)
        psk[lane] = poc_secret_bytes(l->psk[lane < l->used ? lane : 0]);
    l->k->load(&l->block, psk, MUK_WORDS, l->lanes);
    rekey(l, &l->block, MUK_WORDS);
    for (size_t use = first; use <= last; use++) {
        hmac(l, &l->chained[use], &l->label[use]);
        hmac(l, &l->key[use], &l->chained[use]);
    }
}

/* IV = (salt xor (0x0000 || CSB ID || T)) || 0x0000, RFC 3830 4.2.3 */
static void iv_make(mikey_lanes *l)
{
    uint32_t *iv = l->key[MIKEY_USE_SALT].w;
    for (size_t lane = 0; lane < l->used; lane++) {
        const uint32_t counter = l->counter[lane];
        iv[poc_lanes_at(l->k, 0, lane)] ^= l->csb_id >> 16;
        iv[poc_lanes_at(l->k, 1, lane)] ^= l->csb_id << 16;
        iv[poc_lanes_at(l->k, 2, lane)] ^= counter >> 16;
        iv[poc_lanes_at(l->k, 3, lane)] = (iv[poc_lanes_at(l->k, 3, lane)] & SALT_HIGHER) ^ counter << 16;
    }
}

void mikey_lanes_encrypt(mikey_lanes *l)
{
    iv_make(l);
    l->k->keystream(l->stream, &l->key[MIKEY_USE_ENCR], &l->key[MIKEY_USE_SALT], l->lanes);
}

/* ---- MACs ---- */

/* The octets behind the last whole block do not leave room for padding where they are. */
static void end_copy(mikey_lanes *l, size_t lane)
{
    const size_t n = l->text[lane].n, left = n % BLOCK;
    const size_t padded = left + 9 > BLOCK ? 2 * BLOCK : BLOCK;
    uint8_t *end = l->end[lane];
    memset(end, 0, sizeof(l->end[lane]));
    memcpy(end, l->text[lane].p + n - left, left);
    end[left] = 0x80;
    word_put(end + padded - 4, (uint32_t)(8 * (BLOCK + n)));
    l->blocks[lane] = (n - left + padded) / BLOCK;
}

static const uint8_t *block_at(const mikey_lanes *l, size_t lane, size_t i)
{
    const size_t whole = l->text[lane].n / BLOCK;
    if (i >= l->blocks[lane])
        i = l->blocks[lane] - 1; /* done: what comes after is not used */
    return i < whole ? l->text[lane].p + BLOCK * i : l->end[lane] + BLOCK * (i - whole);
}

/* The states of the lanes whose text ends with its block `i`. */
static void digests_keep(mikey_lanes *l, size_t i)
{
    for (size_t lane = 0; lane < l->lanes; lane++) {
        for (size_t word = 0; word < HASH && l->blocks[lane] == i + 1; word++)
            l->digest.w[poc_lanes_at(l->k, word, lane)] = l->inner.w[poc_lanes_at(l->k, word, lane)];
    }
}

/* The inner hash of every lane, which ends where its text ends: to `digest`. */
static void inner_hash(mikey_lanes *l)
{
    const uint8_t *from[POC_LANES];
    size_t shortest = SIZE_MAX, longest = 0;
    for (size_t lane = 0; lane < l->lanes; lane++) {
        if (lane >= l->used)
            l->text[lane] = l->text[0];
        end_copy(l, lane);
        shortest = l->blocks[lane] < shortest ? l->blocks[lane] : shortest;
        longest = l->blocks[lane] > longest ? l->blocks[lane] : longest;
    }
    for (size_t i = 0; i < longest; i++) {
        const bool all_end = shortest == longest && i + 1 == longest;
        for (size_t lane = 0; lane < l->lanes; lane++)
            from[lane] = block_at(l, lane, i);
        l->k->load(&l->block, from, WORDS, l->lanes);
        sha1(l, all_end ? &l->digest : &l->inner, &l->inner, &l->block);
        if (!all_end)
            digests_keep(l, i);
    }
}

void mikey_lanes_mac(mikey_lanes *l)
{
    rekey(l, &l->key[MIKEY_USE_AUTH], HASH);
    inner_hash(l);
    sha1(l, &l->outer, &l->outer, &l->digest);
    for (size_t lane = 0; lane < l->used; lane++) {
        for (size_t word = 0; word < HASH; word++)
            word_put(l->mac[lane] + 4 * word, l->outer.w[poc_lanes_at(l->k, word, lane)]);
    }
}
