/* Sixteen lanes of SHA-1 in step: a register of AVX-512 holds the same word of all of them, and so does a row of a tile. */
#include "base/lanes_x86.h"

#if defined(__x86_64__)

#define WIDE __attribute__((target("avx512f,avx512bw,aes")))

#define CHOOSE   0xca /* truth tables of three inputs, FIPS 180-4 4.1.1 */
#define PARITY   0x96
#define MAJORITY 0xe8

/* The schedule of round `t`, in a ring of sixteen. */
#define SCHEDULE(t)                                                                                                 \
    _mm512_rol_epi32(_mm512_xor_si512(w[(t) % 16], _mm512_ternarylogic_epi32(w[((t) + 13) % 16], w[((t) + 8) % 16], \
                                                                             w[((t) + 2) % 16], PARITY)),           \
                     1)
#define ROUND(t, a, b, c, d, e, choice)                                                                    \
    do {                                                                                                   \
        if ((t) >= 16)                                                                                     \
            w[(t) % 16] = SCHEDULE(t);                                                                     \
        (e) = _mm512_add_epi32(                                                                            \
            _mm512_add_epi32((e), _mm512_add_epi32(w[(t) % 16], k)),                                       \
            _mm512_add_epi32(_mm512_ternarylogic_epi32((b), (c), (d), choice), _mm512_rol_epi32((a), 5))); \
        (b) = _mm512_rol_epi32((b), 30);                                                                   \
    } while (0)
#define FIVE(t, choice)                        \
    do {                                       \
        ROUND((t), a, b, c, d, e, choice);     \
        ROUND((t) + 1, e, a, b, c, d, choice); \
        ROUND((t) + 2, d, e, a, b, c, choice); \
        ROUND((t) + 3, c, d, e, a, b, choice); \
        ROUND((t) + 4, b, c, d, e, a, choice); \
    } while (0)
#define TWENTY(t, constant, choice)                           \
    do {                                                      \
        const __m512i k = _mm512_set1_epi32((int)(constant)); \
        FIVE((t), choice);                                    \
        FIVE((t) + 5, choice);                                \
        FIVE((t) + 10, choice);                               \
        FIVE((t) + 15, choice);                               \
    } while (0)

WIDE static inline __m512i row(const poc_tile *t, size_t word)
{
    return _mm512_load_si512(t->w + word * POC_LANES);
}

WIDE static inline void row_sum(poc_tile *out, const poc_tile *state, size_t word, __m512i v)
{
    _mm512_store_si512(out->w + word * POC_LANES, _mm512_add_epi32(v, row(state, word)));
}

WIDE static void sha1(poc_tile *out, const poc_tile *state, const poc_tile *block, size_t lanes)
{
    __m512i w[16] = { row(block, 0),  row(block, 1),  row(block, 2),  row(block, 3), row(block, 4),  row(block, 5),
                      row(block, 6),  row(block, 7),  row(block, 8),  row(block, 9), row(block, 10), row(block, 11),
                      row(block, 12), row(block, 13), row(block, 14), row(block, 15) };
    __m512i a = row(state, 0), b = row(state, 1), c = row(state, 2), d = row(state, 3), e = row(state, 4);
    (void)lanes;
    TWENTY(0, 0x5a827999, CHOOSE);
    TWENTY(20, 0x6ed9eba1, PARITY);
    TWENTY(40, 0x8f1bbcdc, MAJORITY);
    TWENTY(60, 0xca62c1d6, PARITY);
    row_sum(out, state, 0, a);
    row_sum(out, state, 1, b);
    row_sum(out, state, 2, c);
    row_sum(out, state, 3, d);
    row_sum(out, state, 4, e);
}

WIDE static void pads(poc_tile *inner, poc_tile *outer, const poc_tile *key, size_t words, size_t lanes)
{
    const __m512i ipad = _mm512_set1_epi32(POC_LANES_IPAD), opad = _mm512_set1_epi32(POC_LANES_OPAD);
    (void)lanes;
    for (size_t word = 0; word < POC_LANES_WORDS; word++) {
        const __m512i v = word < words ? row(key, word) : _mm512_setzero_si512();
        _mm512_store_si512(inner->w + word * POC_LANES, _mm512_xor_si512(v, ipad));
        _mm512_store_si512(outer->w + word * POC_LANES, _mm512_xor_si512(v, opad));
    }
}

/* Four words of the lanes i, i + 4, i + 8 and i + 12, each in a quarter of the register. */
WIDE static inline __m512i four_lanes(const uint8_t *const from[POC_LANES], size_t i, size_t octet)
{
    const __m128i *const at[4] = {
        (const __m128i *)(const void *)(from[i] + octet),
        (const __m128i *)(const void *)(from[i + 4] + octet),
        (const __m128i *)(const void *)(from[i + 8] + octet),
        (const __m128i *)(const void *)(from[i + 12] + octet),
    };
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128(at[0]));
    v = _mm512_inserti32x4(v, _mm_loadu_si128(at[1]), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128(at[2]), 2);
    v = _mm512_inserti32x4(v, _mm_loadu_si128(at[3]), 3);
    return _mm512_shuffle_epi8(v,
                               _mm512_broadcast_i32x4(_mm_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203)));
}

WIDE static void load(poc_tile *out, const uint8_t *const from[POC_LANES], size_t words, size_t lanes)
{
    (void)lanes;
    for (size_t word = 0; word < words; word += 4) {
        const __m512i p = four_lanes(from, 0, 4 * word), q = four_lanes(from, 1, 4 * word);
        const __m512i r = four_lanes(from, 2, 4 * word), s = four_lanes(from, 3, 4 * word);
        const __m512i pq_low = _mm512_unpacklo_epi32(p, q), pq_high = _mm512_unpackhi_epi32(p, q);
        const __m512i rs_low = _mm512_unpacklo_epi32(r, s), rs_high = _mm512_unpackhi_epi32(r, s);
        uint32_t *to = out->w + word * POC_LANES;
        _mm512_store_si512(to, _mm512_unpacklo_epi64(pq_low, rs_low));
        _mm512_store_si512(to + POC_LANES, _mm512_unpackhi_epi64(pq_low, rs_low));
        _mm512_store_si512(to + 2 * POC_LANES, _mm512_unpacklo_epi64(pq_high, rs_high));
        _mm512_store_si512(to + 3 * POC_LANES, _mm512_unpackhi_epi64(pq_high, rs_high));
    }
}

/* The first four words of a lane, in the order of their octets. */
WIDE static inline __m128i column(const poc_tile *t, size_t lane)
{
    const uint32_t *w = t->w + lane;
    const __m128i words = _mm_set_epi32((int)w[3 * POC_LANES], (int)w[2 * POC_LANES], (int)w[POC_LANES], (int)w[0]);
    return _mm_shuffle_epi8(words, _mm_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203));
}

WIDE static void keystream(uint8_t out[POC_LANES][POC_LANES_KEYSTREAM], const poc_tile *key, const poc_tile *iv,
                           size_t lanes)
{
    for (size_t lane = 0; lane < lanes; lane += 2) {
        const __m128i keys[2] = { column(key, lane), column(key, lane + 1) };
        const __m128i ivs[2] = { column(iv, lane), column(iv, lane + 1) };
        lanes_keystream(out + lane, keys, ivs);
    }
}

const poc_lanes_kernel poc_lanes_kernel_avx512 = {
    .step = POC_LANES,
    .word_step = POC_LANES,
    .lane_step = 1,
    .sha1 = sha1,
    .pads = pads,
    .load = load,
    .keystream = keystream,
};

#endif
