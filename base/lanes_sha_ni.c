/* One lane after another with the SHA extensions, two in flight: SHA1RNDS4 takes longer than it occupies its unit. The
 * words of a lane stand side by side. */
#include "base/lanes_x86.h"

#if defined(__x86_64__)

#define NI __attribute__((target("sha,sse4.1,aes")))

typedef struct flight {
    __m128i abcd;   /* a in the high word, as the instructions want it */
    __m128i before; /* abcd of four rounds ago: its a becomes the next e */
    __m128i m[4];   /* the last sixteen words of the schedule */
} flight;

NI static inline __m128i words_at(const uint32_t *w)
{
    return _mm_shuffle_epi32(_mm_load_si128((const __m128i *)(const void *)w), 0x1b);
}

NI static inline flight depart(const uint32_t *state, const uint32_t *block)
{
    return (flight){
        .abcd = words_at(state),
        .before = _mm_insert_epi32(_mm_setzero_si128(), (int)state[4], 3),
        .m = { words_at(block), words_at(block + 4), words_at(block + 8), words_at(block + 12) },
    };
}

NI static inline void arrive(uint32_t *out, const flight *f, const uint32_t *state)
{
    const __m128i e = _mm_insert_epi32(_mm_setzero_si128(), (int)state[4], 3);
    const uint32_t last = (uint32_t)_mm_extract_epi32(_mm_sha1nexte_epu32(f->before, e), 3);
    const __m128i abcd = _mm_add_epi32(f->abcd, words_at(state));
    _mm_store_si128((__m128i *)(void *)out, _mm_shuffle_epi32(abcd, 0x1b));
    out[4] = last;
}

/* Rounds 4q to 4q + 3; the instructions need `q` as a constant. */
#define QUAD(f, q)                                                                                                     \
    do {                                                                                                               \
        __m128i *const w_ = &(f).m[(q) % 4];                                                                           \
        if ((q) >= 4)                                                                                                  \
            *w_ =                                                                                                      \
                _mm_sha1msg2_epu32(_mm_xor_si128(_mm_sha1msg1_epu32(*w_, (f).m[((q) + 1) % 4]), (f).m[((q) + 2) % 4]), \
                                   (f).m[((q) + 3) % 4]);                                                              \
        const __m128i e_ = (q) == 0 ? _mm_add_epi32((f).before, *w_) : _mm_sha1nexte_epu32((f).before, *w_);           \
        (f).before = (f).abcd;                                                                                         \
        (f).abcd = _mm_sha1rnds4_epu32((f).abcd, e_, (q) / 5);                                                         \
    } while (0)
#define BOTH(q)     \
    do {            \
        QUAD(x, q); \
        QUAD(y, q); \
    } while (0)
#define FIVE(q)        \
    do {               \
        BOTH(q);       \
        BOTH((q) + 1); \
        BOTH((q) + 2); \
        BOTH((q) + 3); \
        BOTH((q) + 4); \
    } while (0)

NI static void sha1_two(uint32_t *out[2], const uint32_t *const state[2], const uint32_t *const block[2])
{
    flight x = depart(state[0], block[0]), y = depart(state[1], block[1]);
    FIVE(0);
    FIVE(5);
    FIVE(10);
    FIVE(15);
    arrive(out[0], &x, state[0]);
    arrive(out[1], &y, state[1]);
}

NI static void sha1(poc_tile *out, const poc_tile *state, const poc_tile *block, size_t lanes)
{
    for (size_t lane = 0; lane < lanes; lane += 2) {
        const size_t x = lane * POC_LANES_WORDS, y = x + POC_LANES_WORDS;
        uint32_t *to[2] = { out->w + x, out->w + y };
        const uint32_t *const states[2] = { state->w + x, state->w + y };
        const uint32_t *const blocks[2] = { block->w + x, block->w + y };
        sha1_two(to, states, blocks);
    }
}

NI static void pads(poc_tile *inner, poc_tile *outer, const poc_tile *key, size_t words, size_t lanes)
{
    for (size_t at = 0; at < lanes * POC_LANES_WORDS; at++) {
        const uint32_t word = at % POC_LANES_WORDS < words ? key->w[at] : 0;
        inner->w[at] = word ^ POC_LANES_IPAD;
        outer->w[at] = word ^ POC_LANES_OPAD;
    }
}

NI static void load(poc_tile *out, const uint8_t *const from[POC_LANES], size_t words, size_t lanes)
{
    const __m128i swap = _mm_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);
    for (size_t lane = 0; lane < lanes; lane++) {
        uint32_t *to = out->w + lane * POC_LANES_WORDS;
        for (size_t word = 0; word < words; word += 4) {
            const __m128i octets = _mm_loadu_si128((const __m128i *)(const void *)(from[lane] + 4 * word));
            _mm_store_si128((__m128i *)(void *)(to + word), _mm_shuffle_epi8(octets, swap));
        }
    }
}

/* The first four words of a lane, in the order of their octets. */
NI static inline __m128i octets_of(const poc_tile *t, size_t lane)
{
    const __m128i swap = _mm_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);
    return _mm_shuffle_epi8(_mm_load_si128((const __m128i *)(const void *)(t->w + lane * POC_LANES_WORDS)), swap);
}

NI static void keystream(uint8_t out[POC_LANES][POC_LANES_KEYSTREAM], const poc_tile *key, const poc_tile *iv,
                         size_t lanes)
{
    for (size_t lane = 0; lane < lanes; lane += 2) {
        const __m128i keys[2] = { octets_of(key, lane), octets_of(key, lane + 1) };
        const __m128i ivs[2] = { octets_of(iv, lane), octets_of(iv, lane + 1) };
        lanes_keystream(out + lane, keys, ivs);
    }
}

const poc_lanes_kernel poc_lanes_kernel_sha_ni = {
    .step = 2,
    .word_step = 1,
    .lane_step = POC_LANES_WORDS,
    .sha1 = sha1,
    .pads = pads,
    .load = load,
    .keystream = keystream,
};

#endif
