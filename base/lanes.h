/* SHA-1 and AES-128 for many keys at once: up to sixteen computations side by side, one in each lane. For batches in which
 * every item has a key of its own and the inputs are short and alike, such as one MSK for all members of a channel. A
 * kernel is one way of doing that with what the processor has; they differ in speed and layout, not in results. Nothing
 * here looks up a table or branches by what is in a tile. */
#ifndef BASE_LANES_H
#define BASE_LANES_H

#include <stddef.h>
#include <stdint.h>

#define POC_LANES            ((size_t)16)
#define POC_LANES_BLOCK      64u /* octets of a block of SHA-1 */
#define POC_LANES_KEYSTREAM  32u /* octets of keystream for each lane */
#define POC_LANES_WORDS      16u
#define POC_LANES_HASH_WORDS 5u
#define POC_LANES_IPAD       0x36363636u
#define POC_LANES_OPAD       0x5c5c5c5cu

/** Sixteen words for each lane, where poc_lanes_at says: values, not octets. A block of SHA-1 fills a tile, a SHA-1 state
 *  is its first five words, an AES block its first four. As secret as what it holds: the caller wipes it. */
typedef struct poc_tile {
    _Alignas(64) uint32_t w[POC_LANES_WORDS * POC_LANES];
} poc_tile;

typedef struct poc_lanes_kernel {
    size_t step; /* lanes computed together; a caller fills a multiple of it, below and in all tiles */
    size_t word_step, lane_step;
    /** One compression in each of the first `lanes` lanes: the first five words of `out` (which may be `state` or
     *  `block`) get the new state; its other words stay. */
    void (*sha1)(poc_tile *out, const poc_tile *state, const poc_tile *block, size_t lanes);
    /** The blocks of a key of `words` words (at most 16) in each lane from which its HMAC states come: xored with ipad and
     *  with opad (RFC 2104). */
    void (*pads)(poc_tile *inner, poc_tile *outer, const poc_tile *key, size_t words, size_t lanes);
    /** Reads `words` (a multiple of 4) big-endian words for each of the first `lanes` lanes. */
    void (*load)(poc_tile *out, const uint8_t *const from[POC_LANES], size_t words, size_t lanes);
    /** AES-128 of the counter blocks iv and iv + 1; the last bit of `iv` is 0. */
    void (*keystream)(uint8_t out[POC_LANES][POC_LANES_KEYSTREAM], const poc_tile *key, const poc_tile *iv,
                      size_t lanes);
} poc_lanes_kernel;

/* NULL where the processor, or the architecture this was compiled for, has not what it takes. Thread-safe. */
const poc_lanes_kernel *poc_lanes_sha_ni(void); /* SHA extensions and AES-NI, two lanes in flight */
const poc_lanes_kernel *poc_lanes_avx512(void); /* sixteen lanes of AVX-512, and AES-NI */

/** Where a word of a lane stands in a tile. */
static inline size_t poc_lanes_at(const poc_lanes_kernel *k, size_t word, size_t lane)
{
    return word * k->word_step + lane * k->lane_step;
}
/** Sets `n` words from `first` on to `value` in the first `lanes` lanes. */
void poc_lanes_fill(const poc_lanes_kernel *k, poc_tile *t, size_t first, size_t n, uint32_t value, size_t lanes);
/** Wipes what the first `lanes` lanes may have held. */
void poc_lanes_wipe(const poc_lanes_kernel *k, poc_tile *t, size_t lanes);

#endif
